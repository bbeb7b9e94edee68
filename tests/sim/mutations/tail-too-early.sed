# SPDX-License-Identifier: GPL-2.0-or-later
# B1: the tail passes segments that hold live dirty blocks.
#@ lcfs/cache/super.c
s/seg->state != SEGMENT_CLOSED \|\| seg->nr_dirty \|\|/seg->state != SEGMENT_CLOSED ||/
