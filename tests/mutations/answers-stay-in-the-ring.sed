# SPDX-License-Identifier: GPL-2.0-or-later
# Promise 3: a stop waits for the answers and does not send them.
#! tests/check_fuse_uring
#@ lcfs/fuse/transport_uring.c
/^static int end_by_stop/,/^\}/s/int error = cmdring_submit\(r->cmds\);/int error = 0;/
