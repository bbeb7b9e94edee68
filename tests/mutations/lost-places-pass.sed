# SPDX-License-Identifier: GPL-2.0-or-later
# Promise 1: a mount serves although the kernel has not taken a place, which may be a processor's last.
#! tests/check_fuse_uring
#@ lcfs/fuse/transport_uring.c
/^static void lose\(/,/^\}/s/r->error = error;/(void)0;/
