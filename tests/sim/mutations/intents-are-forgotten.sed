# SPDX-License-Identifier: GPL-2.0-or-later
# E7: replay does not know what was about to be unlinked.
#@ lcfs/cache/recovery_op.c
/case OP_INTENT:/,/break;/s/img->has_intent = true;/;/
