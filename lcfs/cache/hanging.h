/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Backing files that do not answer (migrate_aside.c), for whoever tells the admin. */
#ifndef LCFS_CACHE_HANGING_H
#define LCFS_CACHE_HANGING_H

#include "lcfs/cache/cache.h"

/*
 * A backing file that migration waits for in vain, and of which this has not been told before: its
 * path, and since when (as `now`). False: there is none.
 */
bool cache_tell_hanging(struct cache *c, char path[OP_PATH_MAX + 1], uint64_t *since_ns);
/* After its shutdown: cache_free() does nothing, since what hangs still uses its memory, until the
 * process ends. */
void cache_leave(struct cache *c);

#endif
