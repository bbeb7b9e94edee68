# SPDX-License-Identifier: GPL-2.0-or-later
# E4: the tail passes operations that no image table holds.
#@ lcfs/cache/super.c
s/ \|\| seg->last_op_lsn > table_lsn\)/)/
