# SPDX-License-Identifier: GPL-2.0-or-later
# A drain of an image that goes waits for migration, which does not look at that any more.
#@ lcfs/cache/op_drain.c
/^static bool try_end\(/,/^}/s/if \(img->is_unbound\)/if (false)/
