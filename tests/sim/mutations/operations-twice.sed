# SPDX-License-Identifier: GPL-2.0-or-later
# E6: replay applies operations to an image table that has them already.
#@ lcfs/cache/recovery_op.c
s/^\tif \(lsn > r->table_lsn\)$/\tif (true)/
