# SPDX-License-Identifier: GPL-2.0-or-later
# A drain of what is dirty now waits for what is written meanwhile, too.
#@ lcfs/cache/op_drain.c
/^static bool is_all_newer\(/,/^}/s/if \(op->len != CACHE_AS_OF_NOW/if (true/
