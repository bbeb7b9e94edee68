# SPDX-License-Identifier: GPL-2.0-or-later
# F4: a partial write takes over what is rotten of its block, with a good sum.
#@ lcfs/cache/write.c
s/if \(w->s\.base && w->s\.base == w->s\.merge && checksum_block\(w->s\.base\) != w->s\.base_sum\)/if (false)/
