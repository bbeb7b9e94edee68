# SPDX-License-Identifier: GPL-2.0-or-later
# F1: blocks are clean when they are written to the backing file, without fdatasync.
#@ lcfs/cache/migrate.c
/case MIGRATE_SYNC:/,/return/s/return .*/return false;/
