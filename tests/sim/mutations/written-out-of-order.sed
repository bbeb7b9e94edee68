# SPDX-License-Identifier: GPL-2.0-or-later
# B7: a record counts as written though one before it is still on its way.
#@ lcfs/cache/seglog.c
/^static void wrote\(struct cache \*c, struct action \*a, int result, uint64_t now, struct outbox \*ob\)$/,/^}/{
/rec->state != RECORD_WRITTEN/,/break;/s/break;/continue;/
}
