/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One batch of migration: its blocks, requests and memory. Inside of the core. */
#ifndef LCFS_CACHE_MIGRATE_H
#define LCFS_CACHE_MIGRATE_H

#include "lcfs/cache/core.h"

#define MIGRATE_RUN_BLOCKS 256u /* of one request: 1 MiB */
/* One request costs what so many more blocks in a request cost. */
#define MIGRATE_REQUEST_COST 16u
#define MIGRATE_CAREFUL_BATCHES 8u
#define MIGRATE_IMAGES_MAX 32u /* whose touching marks fit one block of operations */

enum migrate_phase {
	MIGRATE_IDLE,
	MIGRATE_CHECK,
	MIGRATE_TOUCH,
	MIGRATE_EFFECTS,
	MIGRATE_READ,
	MIGRATE_VERIFY,
	MIGRATE_GROW,
	MIGRATE_WRITE,
	MIGRATE_WRITE_TAILS,
	MIGRATE_SYNC,
};

struct migrate_item {
	uint64_t key, segment_id;
	struct cache_image *img;
	uint8_t *page;	  /* the block, from the log */
	uint8_t *backing; /* and from the backing file, where the mask has gaps; or NULL */
	uint32_t cbn, sum;
	uint8_t mask;
	bool is_failed; /* it stays as it is */
	bool is_rotten;
};

struct migrate_run {
	struct action act;
	uint32_t first, count; /* items (reads of the log: of order[]) */
	uint64_t issued_ns;    /* of a write */
};

struct migrate {
	enum migrate_phase phase;
	uint32_t pending; /* actions out */
	bool only_draining;
	struct migrate_item *item; /* sorted by key once collected */
	uint32_t nr_items;
	uint64_t *order; /* items by place on the device: cbn << 32 | item */
	struct migrate_run *run;
	uint32_t nr_runs, next_run;
	struct iovec *iov;
	uint32_t nr_iov;
	uint8_t *memory;
	uint32_t nr_pages, pages_used;
	uint32_t careful;   /* batches whose blocks are read one by one */
	struct list images; /* cache_image.batch_node */
	uint32_t nr_images;
	struct action work;
	struct cache_sync sync, table_sync;
	uint64_t last_close_ns, started_ns;
	uint64_t tried_ns; /* when it was last looked for something to migrate */
	uint64_t cost;	   /* of what was collected, in blocks */
	uint32_t limit;	   /* requests of one block in a batch, by what the store can do */
};

/* Fills the batch; empty when m->images is. */
void migrate_collect(struct cache *c, uint64_t now);
void migrate_add_image(struct migrate *m, struct cache_image *img);
/* All actions of the phase have ended: on to the next one that has any. */
void migrate_next_phase(struct cache *c, uint64_t now, struct outbox *ob);
/* The batch has been collected. */
void migrate_begin(struct cache *c, uint64_t now, struct outbox *ob);
/* Does the index still point at it? */
bool migrate_item_is_current(struct cache *c, const struct migrate_item *it);
/* The image's blocks of this batch stay dirty; it is tried again after a growing pause. */
void migrate_image_failed(struct cache *c, struct cache_image *img, int error, uint64_t now);
void migrate_all_failed(struct cache *c, int error, uint64_t now);
/* Each: true when actions were issued, or something is waited for. */
bool migrate_start_touch(struct cache *c, uint64_t now, struct outbox *ob);
bool migrate_start_read(struct cache *c, struct outbox *ob);
bool migrate_start_verify(struct cache *c, struct outbox *ob);
/* How far each image's file is written; before migrate_start_write(). */
void migrate_find_ends(struct cache *c);
bool migrate_start_write(struct cache *c, uint64_t now, struct outbox *ob);

#endif
