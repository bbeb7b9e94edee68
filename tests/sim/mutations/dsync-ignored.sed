# SPDX-License-Identifier: GPL-2.0-or-later
# B4: a write with O_DSYNC is answered when it is in RAM.
#@ lcfs/cache/write.c
s/if \(!w->sync \|\| w->s\.is_syncing/if (true || w->s.is_syncing/
