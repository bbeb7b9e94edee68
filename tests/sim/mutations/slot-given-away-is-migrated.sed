# SPDX-License-Identifier: GPL-2.0-or-later
# F1: a batch reads a slot that was given away since it was collected.
#@ lcfs/cache/migrate_io.c
s/it->is_failed = it->img->batch_failed \|\| !migrate_item_is_current\(c, it\);/it->is_failed = it->img->batch_failed;/
