# SPDX-License-Identifier: GPL-2.0-or-later
# P1: a partial block is not merged with a clean older copy, though replay may repeat an older punch.
#@ lcfs/cache/write.c
s/^(\t\t)w->s\.base_mask = ix->mask\[cbn\]/\1if (index_is_dirty(ix, cbn))\n\t\t\tw->s.base_mask = ix->mask[cbn]/
