# SPDX-License-Identifier: GPL-2.0-or-later
# P16: replay brings back clean blocks of a file that was edited since.
#@ lcfs/cache/recovery_op.c
s/op->type == OP_PUNCH \|\| op->type == OP_INVALIDATE/op->type == OP_PUNCH/
