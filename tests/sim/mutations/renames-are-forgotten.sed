# SPDX-License-Identifier: GPL-2.0-or-later
# E9: replay leaves out renames.
#@ lcfs/cache/recovery_op.c
/op->type == OP_RENAME \|\|/,/return 0;/s/if \(lsn > r->table_lsn\)/if (false)/
