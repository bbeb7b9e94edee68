# SPDX-License-Identifier: GPL-2.0-or-later
# B3: no flush starts when half the RAM buffers wait for one.
#@ lcfs/cache/commit.c
/^static bool pool_wants_flush\(/,/^}/s/return .*/return c->nr_bufs == 0;/
