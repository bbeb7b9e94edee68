# SPDX-License-Identifier: GPL-2.0-or-later
# A6: no flush between the two copies of the super block.
#@ lcfs/cache/super.c
/^static void wrote\(struct cache \*c, struct action \*a, int result, uint64_t now, struct outbox \*ob\)$/,/^}/{
/^	commit_wait_device\(/i\	if (s->phase == SUPER_FIRST_FLUSH) {\n\t\ts->sync.result = 0;\n\t\ttold(c, \&s->sync, now, ob);\n\t\treturn;\n\t}
}
