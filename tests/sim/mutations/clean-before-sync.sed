# SPDX-License-Identifier: GPL-2.0-or-later
# F1: blocks are clean when they are written to the backing file, before its fdatasync.
#@ lcfs/cache/migrate.c
/case MIGRATE_SYNC:/,/return/s/return (.*);/struct cache_image *i; list_for_each_entry(i, \&b->images, batch_node) finish_items(c, b, i);\n\t\treturn \1;/
