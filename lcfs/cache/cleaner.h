/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The cleaner (rule H2): see cleaner.c. Inside of the core. */
#ifndef LCFS_CACHE_CLEANER_H
#define LCFS_CACHE_CLEANER_H

#include "lcfs/cache/core.h"

int cleaner_init(struct cache *c) must_check;
void cleaner_free(struct cache *c);
uint64_t cleaner_ram(const struct cache *c);
/* Begins a round if the log is short and what stands at its tail cannot be migrated. */
void cleaner_kick(struct cache *c, uint64_t now, struct outbox *ob);
bool cleaner_is_busy(const struct cache *c);
/* A block was written, migrated or dropped, a state has changed: what was in vain may not be so
 * now. */
void cleaner_progress(struct cache *c);
/* So long its batches have failed: a moment's trouble is none. */
#define CLEANER_STALLED_NS UINT64_C(3000000000)
/* What is older says nothing: nobody has tried for longer than any pause between two tries. */
#define CLEANER_FORGET_NS UINT64_C(64000000000)
/* Has it packed what there is, in vain? */
bool cleaner_is_at_rest(const struct cache *c, uint64_t now);
/* Does its backing store not take the image's data, or not now and not for a while? */
bool image_is_stalled(const struct cache_image *img, uint64_t now);

#endif
