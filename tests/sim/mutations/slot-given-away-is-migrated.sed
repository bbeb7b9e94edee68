# SPDX-License-Identifier: GPL-2.0-or-later
# F1: a batch reads a slot that was given away since it was collected, and takes its present sum for good.
#@ lcfs/cache/migrate_io.c
s/it->is_failed = it->img->batch_failed \|\| !migrate_item_is_current\(c, it\);/it->is_failed = it->img->batch_failed;/
s/^\taction_start_work\(&b->work, verify, .*$/\tfor (uint32_t i = 0; i < b->nr_items; i++)\n\t\tb->item[i].sum = c->index.sum[b->item[i].cbn];\n&/
