# SPDX-License-Identifier: GPL-2.0-or-later
# G4: a decision about an image in conflict is answered before it is durable.
#@ lcfs/cache/resolve.c
s/return commit_wait\(c, s, now, ob\) \? CACHE_DONE : CACHE_WAIT;/return CACHE_DONE;/
