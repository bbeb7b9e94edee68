# SPDX-License-Identifier: GPL-2.0-or-later
# F4: blocks that are read one by one, since one of them is bad, are so at the same time.
#@ lcfs/cache/read.c
/^static bool plan\(/,/^}/s/if \(r->s\.is_careful && /if (false \&\& /
/^static bool plan\(/,/^}/s/if \(p && extends/if (p \&\& !r->s.is_careful \&\& extends/
