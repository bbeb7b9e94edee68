/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The stack below the mount: cache device with its lock, shared RAM buffers, backing directory with
 * its lock, cache, images with their engine, control tree. Put together in stack_open() and nowhere
 * else.
 */
#ifndef LCFS_STACK_H
#define LCFS_STACK_H

#include <stdbool.h>

#include "common/compiler.h"
#include "lcfs/ondisk/codec.h"
#include "lcfs/options.h"
#include "lcfs/places.h"

struct stack {
	struct cachedev *dev;
	struct poolfile *pool;
	struct imagedir *dir;
	struct cache *cache;
	struct ctlfs *ctl;
	struct superblock sb; /* as it was before recovery */
};

/*
 * Waits for an ending daemon to let go of the cache, recovers it and starts the engine: there are
 * threads from here on. 0, or -errno with the reason said and everything let go again.
 */
int stack_open(struct stack *s, const struct places *p, const struct options *o) must_check;
/* Orderly end: all is on the cache device, which is marked clean. The first error, said. */
int stack_close(struct stack *s) must_check;

#endif
