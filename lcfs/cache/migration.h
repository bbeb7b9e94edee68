/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the rest of the core asks of migration. */
#ifndef LCFS_CACHE_MIGRATION_H
#define LCFS_CACHE_MIGRATION_H

#include "lcfs/cache/core.h"

int migrate_init(struct cache *c) must_check;
void migrate_free(struct cache *c);
void migrate_kick(struct cache *c, uint64_t now, struct outbox *ob);
/* What kept the image from being migrated "now" (-EAGAIN) may be over. Kicks. */
void migrate_image_changed(struct cache *c, struct cache_image *img, uint64_t now,
			   struct outbox *ob);
/* The same for all, after segments became free. */
void migrate_log_has_space(struct cache *c, uint64_t now, struct outbox *ob);
/* Somebody wants it migrated now, whatever the backing store said before. Kicks. */
void migrate_retry(struct cache *c, struct cache_image *img, uint64_t now, struct outbox *ob);
/* Somebody waits for it: not only after the whole of a growing pause. */
void migrate_try_soon(struct cache *c, struct cache_image *img, uint64_t now);
/* Shutdown: syncs the files of all touching images and ends touching. True when actions are out. */
bool migrate_stamp(struct cache *c, uint64_t now, struct outbox *ob);
/* Is a batch under way that does not hang; is any? */
bool migrate_is_busy(const struct cache *c);
bool migrate_is_out(const struct cache *c);
/* May another one begin? */
bool migrate_may_begin(const struct cache *c);
/* A sync of it has failed: the batch under way does not count. */
static inline void migrate_image_spoilt(struct cache_image *img)
{
	img->batch_failed = true;
}
/* Does a batch in flight write to these blocks? */
bool migrate_overlaps(const struct cache_image *img, uint64_t first, uint64_t last);
uint64_t migrate_deadline(const struct cache *c);
uint64_t migrate_ram(const struct cache *c);
/* When it was last looked for something to migrate. */
uint64_t migrate_tried(const struct cache *c);

#endif
