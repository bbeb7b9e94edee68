/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A cache below the mount: device with its lock, shared RAM buffers, core. What goes wrong is said.
 * One thread.
 */
#ifndef LCFS_CACHESTACK_H
#define LCFS_CACHESTACK_H

#include <stdbool.h>

#include "common/compiler.h"
#include "lcfs/image/image.h"
#include "lcfs/ondisk/codec.h"
#include "lcfs/options.h"

struct cachestack {
	char *path; /* of the device */
	struct cachedev *dev;
	struct poolfile *pool;
	struct cache *cache;
	struct superblock sb; /* as it was before recovery */
};

/*
 * Opens the device, waiting for an ending daemon to let go of it, and reads the super block. 0 or
 * -errno; cachestack_close() follows in either case.
 */
int cachestack_open(struct cachestack *s, const char *path) must_check;
/* The directory has admitted it: takes the RAM buffers, recovers. */
int cachestack_recover(struct cachestack *s, struct imagedir *dir,
		       const struct options *o) must_check;
/* For imagedir_add_caches(); good for as long as *s. */
struct imagedir_cache cachestack_spec(const struct cachestack *s);
/* Does its super block say that the log has ended in order? Reads it; after the engine's end. */
bool cachestack_is_clean(const struct cachestack *s);
/* is_clean: the log has ended in order, so that the RAM buffers are not needed any more. */
int cachestack_close(struct cachestack *s, bool is_clean) must_check;

#endif
