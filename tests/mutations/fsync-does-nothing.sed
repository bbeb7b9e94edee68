# SPDX-License-Identifier: GPL-2.0-or-later
# P9: fsync is answered without a sync.
#! tests/t-mount-defaults.sh
#! tests/t-powercut-states.sh
#@ lcfs/fuse/ops_io.c
/^static void run\(/,/^}/s/^\tif \(rq->kind == IMAGE_WRITE\)$/\tif (rq->kind == IMAGE_SYNC) {\n\t\tanswer(rq);\n\t\treturn;\n\t}\n&/
