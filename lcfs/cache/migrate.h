/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Batches of migration: their blocks, requests and memory. Inside of the core. */
#ifndef LCFS_CACHE_MIGRATE_H
#define LCFS_CACHE_MIGRATE_H

#include "lcfs/cache/migration.h"

#define MIGRATE_RUN_BLOCKS 256u /* of one request: 1 MiB */
/* One request costs what so many more blocks in a request cost. */
#define MIGRATE_REQUEST_COST 16u
#define MIGRATE_CAREFUL_BATCHES 8u
#define MIGRATE_IMAGES_MAX 32u /* whose touching marks fit one block of operations */
/* The one under way, and those that are set aside (migrate_aside.c). */
#define MIGRATE_BATCHES 5u
/* Each of the others has less memory than the first one, but some, and fewer requests out. */
#define MIGRATE_ASIDE_SHARE 8u
#define MIGRATE_PAGES_MIN 8u
#define MIGRATE_ASIDE_DEPTH 4u

enum migrate_phase {
	MIGRATE_IDLE,
	MIGRATE_CHECK,
	MIGRATE_TOUCH,
	MIGRATE_EFFECTS,
	MIGRATE_READ,
	MIGRATE_VERIFY,
	MIGRATE_LEAVE, /* lost.c */
	MIGRATE_GROW,
	MIGRATE_WRITE,
	MIGRATE_WRITE_TAILS,
	MIGRATE_SYNC,
};

struct migrate_item {
	uint64_t key, segment_id;
	struct cache_image *img;
	uint8_t *page;	    /* the block, from the log */
	const uint8_t *ram; /* where it is in a RAM buffer that stays, or NULL (lost.c) */
	uint8_t *backing;   /* and from the backing file, where the mask has gaps; or NULL */
	uint32_t cbn, sum;
	uint8_t mask;
	bool is_failed; /* it stays as it is; of an image that has left the batch (img is NULL), too
			 */
	bool is_rotten;
};

struct migrate_run {
	struct action act;
	struct migrate_batch *batch;
	uint32_t first, count; /* items (reads of the log: of order[]) */
	uint64_t issued_ns;    /* of a write */
};

struct migrate_batch {
	enum migrate_phase phase;
	bool is_aside;		   /* it hung, and another one may be under way */
	bool is_hanging;	   /* it still does */
	uint32_t pending;	   /* actions out */
	uint32_t on_files;	   /* of them those that a backing file is to answer */
	uint64_t answered_ns;	   /* the last of these that has come back, or when they went out */
	struct migrate_item *item; /* sorted by key once collected */
	uint32_t nr_items;
	uint64_t *order; /* items by place on the device: cbn << 32 | item */
	struct migrate_run *run;
	uint32_t nr_runs, next_run;
	struct iovec *iov;
	uint32_t nr_iov;
	uint8_t *memory;
	uint32_t nr_pages, pages_used;
	struct list images; /* cache_image.batch_node */
	uint32_t nr_images;
	struct action work;
	struct cache_sync sync, table_sync;
	uint64_t started_ns;
	uint64_t cost; /* of what was collected, in blocks */
};

struct migrate {
	struct migrate_batch batch[MIGRATE_BATCHES];
	struct migrate_batch *current; /* the one that is not set aside, or NULL */
	bool only_draining;
	uint32_t careful; /* batches whose blocks are read one by one */
	uint64_t last_close_ns;
	uint64_t tried_ns; /* when it was last looked for something to migrate */
	uint32_t limit;	   /* requests of one block in a batch, by what the store can do */
};

/* Fills the batch; empty when b->images is. */
void migrate_collect(struct cache *c, struct migrate_batch *b, uint64_t now);
/* Not one that another batch has. */
void migrate_add_image(struct migrate_batch *b, struct cache_image *img);
/* A batch that is free, as the current one; NULL: all of them hang. */
struct migrate_batch *migrate_new_batch(struct cache *c);
/* All actions of the phase have ended: on to the next one that has any. */
void migrate_next_phase(struct cache *c, struct migrate_batch *b, uint64_t now, struct outbox *ob);
/* The current batch has been collected. */
void migrate_begin(struct cache *c, uint64_t now, struct outbox *ob);
/* The image's file is asked for something, and has answered. */
void migrate_asked(struct cache *c, struct cache_image *img, uint64_t now);
void migrate_answered(struct cache_image *img, uint64_t now);
/* One action of the phase for the image. */
void migrate_issue_image(struct cache *c, struct cache_image *img, enum action_type type,
			 uint64_t now, struct outbox *ob);
/* The image's part of the batch has ended: marks clean what was migrated. */
void migrate_finish_image(struct cache *c, struct cache_image *img, uint64_t now,
			  struct outbox *ob);
/* Whoever waits for the batch, or for its images, is told. */
void migrate_batch_over(struct cache *c, uint64_t now, struct outbox *ob);
/* A file that has not answered for so long hangs. */
#define HANG_NS (5 * NSEC_PER_SEC)
/* It does, since then; and has answered after all. */
void migrate_image_hangs(struct cache *c, struct cache_image *img, uint64_t since, uint64_t now,
			 struct outbox *ob);
void migrate_image_answers(struct cache_image *img);
/* Who drains a file that hangs waits until then; UINT64_MAX: it is not that, or for ever. */
uint64_t migrate_drain_ends(const struct cache *c, const struct cache_image *img);
/* Sets aside what hangs; when to look again. */
void migrate_watch(struct cache *c, uint64_t now, struct outbox *ob);
uint64_t migrate_watch_deadline(const struct cache *c);
/* Does the index still point at it? */
bool migrate_item_is_current(struct cache *c, const struct migrate_item *it);
/* Its batches fail, or hang, since then at the latest. Is that new? */
bool migrate_image_fails(struct cache_image *img, uint64_t since, uint64_t now);
/* The image's blocks of this batch stay dirty; it is tried again after a growing pause. */
void migrate_image_failed(struct cache *c, struct cache_image *img, int error, uint64_t now);
void migrate_all_failed(struct cache *c, const struct migrate_batch *b, int error, uint64_t now);
/* Each: true when actions were issued, or something is waited for. */
bool migrate_start_touch(struct cache *c, struct migrate_batch *b, uint64_t now, struct outbox *ob);
/* When the cache device is lost, in place of touching; and once it is known what can be read. */
bool migrate_start_leave(struct cache *c, struct migrate_batch *b, uint64_t now, struct outbox *ob);
bool migrate_start_late_leave(struct cache *c, struct migrate_batch *b, uint64_t now,
			      struct outbox *ob);
bool migrate_start_effects(struct cache *c, struct migrate_batch *b, uint64_t now,
			   struct outbox *ob);
bool migrate_start_read(struct cache *c, struct migrate_batch *b, uint64_t now, struct outbox *ob);
bool migrate_start_verify(struct cache *c, struct migrate_batch *b, struct outbox *ob);
/* How far each image's file is written; before migrate_start_write(). */
void migrate_find_ends(struct migrate_batch *b);
bool migrate_start_write(struct cache *c, struct migrate_batch *b, uint64_t now, struct outbox *ob);

#endif
