# SPDX-License-Identifier: GPL-2.0-or-later
# H1: segments are free as soon as the new tail is computed.
#@ lcfs/cache/super.c
/^\tchoose_tail\(c\);/a\	log_reclaim(c, s->tail, now, ob);
