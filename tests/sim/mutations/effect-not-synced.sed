# SPDX-License-Identifier: GPL-2.0-or-later
# E4: a truncate of a backing file counts as done before it is stable.
#@ lcfs/cache/op_effect.c
/^static void effect_done\(/,/^}/s/a->type != ACTION_BACK_SYNC\)/false)/
#@ lcfs/cache/migrate_effects.c
/^static void effect_done\(/,/^}/s/if \(result == 0 && a->type == ACTION_BACK_TRUNCATE\)/a->len = a->off; a->off = a->type == ACTION_BACK_TRUNCATE; if (false)/
