/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A cache in the mount: the core of one cache device with the engine that carries it out, and what
 * else there is one of for each of them.
 *
 * A host is found by its id. Whoever is not inside an image of it, nor holds that image's lock,
 * holds the host itself while it uses it; who removes the cache waits for those.
 */
#ifndef LCFS_IMAGE_CACHEHOST_H
#define LCFS_IMAGE_CACHEHOST_H

#include <stdbool.h>
#include <stdint.h>

#include "common/compiler.h"
#include "lcfs/image/image.h"
#include "lcfs/image/lease.h"
#include "lcfs/io/busy.h"
#include "lcfs/ondisk/codec.h"

struct cachehost {
	/* const */
	struct imagedir *dir;
	uint32_t id;
	uint8_t uuid[FORMAT_UUID_BYTES];
	struct cache *cache; /* the caller's */
	struct engine *engine;
	char *device;	      /* its path, or NULL */
	int64_t old_lease_ns; /* of the mount before, */
	uint64_t old_epoch;   /* and its epoch */

	struct lease lease;
	struct busy busy;	       /* owner: I/O thread */
	_Atomic bool is_leaving;       /* it takes no more images */
	_Atomic bool is_joining;       /* it takes none yet */
	_Atomic bool is_room_wanted;   /* in the image table */
	unsigned int holds;	       /* lock: dir->lock */
	_Atomic unsigned int carriers; /* threads that start or resume a request */
	_Atomic bool has_void;	       /* bindings, which are unbound before it takes images */
};

/* -ENOMEM, or an error of the engine; *out may be there all the same, since images refer to it. The
 * images of the table are there, unmatched. */
int cachehost_start(struct cachehost **out, struct imagedir *d, const struct imagedir_cache *spec,
		    uint32_t id) must_check;
/* Ends the log in order. Its images still refer to it. 0, -errno or ENGINE_HANGS. */
int cachehost_end(struct cachehost *h) must_check;
/* The engine has ended, and no image refers to it. */
void cachehost_free(struct cachehost *h);

/* All of the mount, held, by id; how many. list has IMAGEDIR_CACHES_MAX. */
unsigned int cachehost_hold_all(struct imagedir *d, struct cachehost **list);
void cachehost_release_all(struct cachehost **list, unsigned int nr);
void cachehost_release(struct cachehost *h);
/* NULL: there is none. */
struct cachehost *cachehost_hold(struct imagedir *d, uint32_t id);
/* Puts it among those of the mount, and takes it away. */
int cachehost_publish(struct cachehost *h) must_check;
void cachehost_withdraw(struct cachehost *h);
/*
 * A request may end on another thread before the one that handed it to the core is done with the
 * engine: being inside an image does not keep the cache then. Inside; around the call of the core
 * and engine_carry().
 */
static inline void cachehost_carry_begin(struct cachehost *h)
{
	atomic_fetch_add(&h->carriers, 1);
}

static inline void cachehost_carry_end(struct cachehost *h)
{
	atomic_fetch_sub(&h->carriers, 1);
}

/* Waits until nobody holds it, or carries for it. */
void cachehost_wait(struct cachehost *h);

#endif
