# SPDX-License-Identifier: GPL-2.0-or-later
# Promise 1: a write is taken apart into blocks.
#@ lcfs/cache/write.c
s/w->s\.blocks = min\(left \/ BLOCK_BYTES, log_most_entries\(c\)\);/w->s.blocks = 1;/
