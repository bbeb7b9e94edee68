# SPDX-License-Identifier: GPL-2.0-or-later
# F1: blocks are clean when they are written to the backing file, before its fdatasync.
#@ lcfs/cache/migrate.c
/case MIGRATE_SYNC:/,/return/s/return (.*);/finish_items(c);\n\t\treturn \1;/
