# SPDX-License-Identifier: GPL-2.0-or-later
# F4: migration takes poisoned blocks like others.
#@ lcfs/cache/migrate_collect.c
s/!index_is_poison\(&c->index, cbn\) && //
