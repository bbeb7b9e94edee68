# SPDX-License-Identifier: GPL-2.0-or-later
# C4: the file of the RAM buffers is not allocated: SIGBUS when the memory is not there.
#! tests/check_io_poolfile
#@ lcfs/io/poolfile.c
s/fallocate\(fd, 0, 0, \(off_t\)bytes\) == 0/ftruncate(fd, (off_t)bytes) == 0/
