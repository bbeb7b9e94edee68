# SPDX-License-Identifier: GPL-2.0-or-later
# D5: a write completes sectors with what a truncate has taken away meanwhile.
#@ lcfs/cache/write.c
/^static void backing_read\(/,/^}/s/w->s\.effect_seq != w->image->effect_seq/false/
