# SPDX-License-Identifier: GPL-2.0-or-later
# F1: a block becomes clean though it was written again while it was on its way to the backing file.
#@ lcfs/cache/migrate.c
/^static void finish_items\(/,/^}/{
s/if \(!migrate_item_is_current\(c, it\)\)/if (index_find(\&c->index, it->key) == CBN_NONE)/
s/blocks_set_clean\(c, it->cbn\);/blocks_set_clean(c, index_find(\&c->index, it->key));/
}
