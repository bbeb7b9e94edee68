# SPDX-License-Identifier: GPL-2.0-or-later
# F4: one bad place makes all blocks bad that were read with it.
#@ lcfs/cache/read.c
/^static bool handle_rot\(/,/^}/s/if \(p->nr_rotten > 1\)/if (false)/
