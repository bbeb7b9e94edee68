/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The lease (G2): what a cache's super block promises about the time after which lcfs changes no
 * backing file any more.
 *
 * When lcfs dies while it changes a file, its successor cannot know how far it came; but a change
 * of the file after the lease was somebody else's. So before each change, the lease must have
 * LEASE_MARGIN_NS left.
 */
#ifndef LCFS_IMAGE_LEASE_H
#define LCFS_IMAGE_LEASE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/clock.h"
#include "common/compiler.h"
#include "common/mutex.h"

struct cachehost;

#define LEASE_NS (10 * NSEC_PER_SEC)
#define LEASE_MARGIN_NS (3 * NSEC_PER_SEC)

struct lease {
	struct mutex lock;	       /* held while it is renewed */
	_Atomic uint64_t until_ns;     /* monotonic; 0: none yet */
	_Atomic uint64_t last_used_ns; /* monotonic */
	_Atomic int64_t there_ns;      /* the end in the store's clock */
	_Atomic int store_error;       /* of the store's clock, when it was last read; or 0 */
};

void lease_init(struct lease *l);
void lease_destroy(struct lease *l);
/* Has it enough left for a change now? Any thread, never blocks. */
bool lease_is_good(struct cachehost *h);
/* Renews it unless it has enough left; blocks. A change of a backing file may follow at once. */
int lease_ensure(struct cachehost *h) must_check;
/* From maintenance: renews at half while it is in use. */
void lease_keep(struct cachehost *h);

#endif
