# SPDX-License-Identifier: GPL-2.0-or-later
# B6: replay does not take notice that a name is durable.
#@ lcfs/cache/recovery_op.c
/case OP_NAMED:/,/break;/s/img->is_new = false;//
