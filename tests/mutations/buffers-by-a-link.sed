# SPDX-License-Identifier: GPL-2.0-or-later
# C4: the file of the RAM buffers may be a symbolic link.
#! tests/check_io_poolfile
#@ lcfs/io/poolfile.c
/^static int open_locked\(/,/^}/s/O_RDWR \| O_NOFOLLOW/O_RDWR/
