# SPDX-License-Identifier: GPL-2.0-or-later
# C4: two may use the same RAM buffers.
#! tests/check_io_poolfile
#@ lcfs/io/poolfile.c
/^static int open_locked\(/,/^}/s/flock\(p->fd, LOCK_EX \| LOCK_NB\) < 0/false/
