/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The core: one log on one cache device, the images whose blocks are in it, and everything that
 * decides about them. Deterministic and asynchronous: no thread, no clock, no random number, no
 * system call. `now` is monotonic time in ns, given by the caller, never going back.
 *
 * All entry points may be called from any thread unless said otherwise; each takes the core's one
 * lock for a bounded time and appends to the caller's outbox (action.h). The caller must hold no
 * lock that whoever carries out an outbox may take.
 *
 * Errors: 0 or -errno.
 */
#ifndef LCFS_CACHE_CACHE_H
#define LCFS_CACHE_CACHE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/compiler.h"
#include "common/histogram.h"
#include "common/list.h"
#include "lcfs/cache/action.h"
#include "lcfs/io/blkdev.h"
#include "lcfs/ondisk/codec.h"

struct cache;
struct cache_sync;

/* What a step function wants of its caller; see cache_write_step(). */
enum cache_step {
	CACHE_COPY,
	CACHE_WAIT,
	CACHE_AGAIN,
	CACHE_DONE
};

/* ------------------------------------------------------------------ configuration */

struct cache_conf {
	uint32_t pool_buffers;	  /* RAM buffers of one segment wanted; the core caps it, see
				     cache_pool_layout */
	uint32_t log_depth;	  /* records written at the same time, default 8 */
	uint32_t migrate_depth;	  /* backing writes at the same time, default 32 */
	uint32_t migrate_bytes;	  /* staging memory, default 16 MiB, multiple of 4096, >= 64 KiB */
	uint32_t merge_buffers;	  /* 8 KiB each, for what must be read before it is written or
				     answered; default 64 */
	bool ignore_lost_buffers; /* C3: the admin says that the shared RAM buffers are lost */
	/*
	 * To save what can be saved, on a device whose writes go nowhere: of a damaged log what is
	 * before the damage counts, and the RAM buffers of a dead daemon do not. Such a cache must
	 * never be served.
	 */
	bool accept_damage;
};

void cache_conf_default(struct cache_conf *conf);

/* Knobs: dm-lc's names and units. Read and set at any time. */
enum cache_knob {
	KNOB_ALLOW_MIGRATE,		  /* 0/1, 1 */
	KNOB_FORCE_MIGRATE,		  /* 0/1, 0 */
	KNOB_BARRIER_DEADLINE_MS,	  /* ms, 3 */
	KNOB_COMMIT_SUPER_BLOCK,	  /* write >= 1: now; reads 0 */
	KNOB_COMMIT_SUPER_BLOCK_INTERVAL, /* s, 1; 0 = off */
	KNOB_FLUSH_CURRENT_BUFFER, /* write >= 1: now (use cache_sync_all to wait); reads 0 */
	KNOB_FLUSH_CURRENT_BUFFER_INTERVAL, /* s, 1; 0 = off */
	KNOB_NR_MAX_BATCHED_MIGRATION,	    /* segments, 16, >= 1 */
	KNOB_UPDATE_INTERVAL,		    /* s, 1; 0 = governor off */
	KNOB_MIGRATE_THRESHOLD,		    /* percent, 70, 0..100 */
	KNOB_SCRUB,			    /* 1: a pass over the whole log now; 0: none */
	KNOB_SCRUB_RATE,     /* MiB/s, 0: passes all the time at this rate; 0 = off */
	KNOB_STALL_TIMEOUT,  /* s, 30: until writers of a stalled image get its error; 0 = never */
	KNOB_DEVICE_TIMEOUT, /* s, 30: the device is given up when a request hangs; 0 = never */
	NR_KNOBS
};

/* -EINVAL or -ERANGE with nothing changed. */
int cache_knob_set(struct cache *c, enum cache_knob k, uint64_t value, uint64_t now,
		   struct outbox *ob) must_check;
uint64_t cache_knob_get(struct cache *c, enum cache_knob k);

/* ------------------------------------------------------------------ the shared RAM buffers */

/*
 * The pool is one piece of memory that the caller shares with its successors: it must outlive the
 * daemon (C4), be zero when new, and be aligned to 4096 bytes. The core finds out by itself whether
 * it holds a dead daemon's buffers.
 */
struct cache_pool_layout {
	uint32_t nr_buffers;
	uint64_t bytes; /* of the whole pool */
};

/* How large must the pool be for this cache? nr_buffers = min(wanted, nr_segments / 4), at least 2.
 */
void cache_pool_layout(const struct superblock *sb, uint32_t wanted, struct cache_pool_layout *l);
/* Does this memory hold a pool whose boot id and mount id are those of the super block (C1)? It
 * also must fit `bytes`. Safe on any content. */
bool cache_pool_is_valid(const void *pool, uint64_t bytes, const struct superblock *sb,
			 const uint8_t *boot_id);

/* ------------------------------------------------------------------ life */

/* Facts of this mount that the core cannot make itself. */
struct cache_mount_info {
	uint8_t mount_id[FORMAT_UUID_BYTES]; /* fresh random bits */
	uint8_t boot_id[FORMAT_UUID_BYTES];
	uint8_t dir_uuid[FORMAT_UUID_BYTES]; /* of the backing directory */
	int64_t real_ns; /* wall clock at `now` = 0 of the monotonic clock (offset) */
	uint64_t now_ns; /* monotonic, when the cache is opened */
};

struct cache_recovery_report {
	uint64_t records, entries, segments; /* walked */
	uint64_t drained_records;	     /* taken over from the shared RAM buffers */
	uint64_t first_lsn, last_lsn;
	uint32_t images, dirty_blocks;
	bool was_clean;
	/* one line: what, where, what to do; when 0 is returned it is empty, or, with
	 * accept_damage, says where the log was cut off */
	char error[512];
};

/* Reads both copies and gives the newest valid one. -ENOENT: no lcfs cache there, -EUCLEAN: damaged
 * or not understood, with a line in text (size bytes); or the device's error. After a
 * success text is empty, or says that a copy cannot be read. */
int cache_superblock_read(struct blkdev *dev, struct superblock *sb, char *text,
			  size_t size) must_check;

/*
 * Opens the cache on dev: finds the super block, walks the log, takes over what a dead daemon left
 * in the pool, starts a new epoch. Blocking, single threaded; all I/O goes through dev, which the
 * core uses only until this returns (later I/O: actions). Killed or failing at any point it can be
 * repeated. On failure -errno, *out NULL and report->error. pool stays the caller's and must
 * outlive the cache.
 */
int cache_open(struct cache **out, struct blkdev *dev, void *pool, uint64_t pool_bytes,
	       const struct cache_conf *conf, const struct cache_mount_info *info,
	       struct cache_recovery_report *report) must_check;

/*
 * Orderly end. cache_shutdown() refuses new requests, seals, flushes, writes table and super block
 * marked clean; `act` is issued as ACTION_DONE when all is done and no other action is out
 * (act->len = 0, act->arg = -errno of a failure). Then cache_free().
 */
void cache_shutdown(struct cache *c, struct action *act, uint64_t now, struct outbox *ob);
/* Frees the memory, at any time when no action is out and nobody is inside (after a simulated
 * crash, too). */
void cache_free(struct cache *c);

/* Hands back a finished action: result is bytes/0 or -errno (a short read or write is an error). */
void cache_complete(struct cache *c, struct action *a, int result, uint64_t now, struct outbox *ob);
/* ACTION_ENCODE: checksums and header. Takes no lock. One thread at a time, in order of issue. */
void cache_encode(struct cache *c, struct action *a);
/* ACTION_WORK: takes no lock; the result is for cache_complete(). */
int cache_work(struct cache *c, struct action *a) must_check;
/* Time has passed. cache_deadline: when the next call is due, UINT64_MAX = never. Whoever gets an
 * outbox must afterwards look at it again. */
void cache_tick(struct cache *c, uint64_t now, struct outbox *ob);
uint64_t cache_deadline(struct cache *c);
/* The governor's sample: how busy the backing store was since the last one, percent; -1 = unknown.
 */
void cache_governor(struct cache *c, int busy_percent, uint64_t now, struct outbox *ob);

/* ------------------------------------------------------------------ images */

enum image_state { /* in order of gravity */
	IMAGE_UNCACHED,
	IMAGE_CLEAN,
	IMAGE_DIRTY,
	IMAGE_DRAINING,
	IMAGE_CONFLICT,
	IMAGE_MISSING,
	IMAGE_ERROR,
};
const char *image_state_text(enum image_state s);

/* What the core keeps of an image; opaque but for these, which are const after creation. */
struct cache_image;
uint32_t cache_image_id(const struct cache_image *img);
/* The layer above hangs its own object here. Set once before the first request. */
void cache_image_set_owner(struct cache_image *img, void *owner);
void *cache_image_owner(const struct cache_image *img);

struct cache_image_info {
	uint32_t id;
	bool is_bound, is_touching, has_intent, is_new, hangs /* its file does not answer */;
	enum image_state state;
	int error;	  /* errno behind IMAGE_ERROR */
	uint64_t size;	  /* bytes, as lcfs shows it */
	int64_t mtime_ns; /* of the last cached change, 0 = ask the backing file */
	uint64_t dirty_blocks, cached_blocks;
	/*
	 * Dirty blocks whose only copy, on the cache device, is damaged or cannot be read: how many
	 * were found since the cache was opened, the last of them, and how many are poisoned now:
	 * EIO until their sectors are written, punched or cut off (IMAGE_ERROR as long).
	 */
	uint64_t damaged, damaged_block, poisoned;
	uint64_t lost_blocks;	/* as in cache_status */
	bool is_read_only;	/* without the cache device, since its file takes no mark */
	int64_t dirty_since_ns; /* see cache_status */
	uint64_t bind_lsn, clean_lsn, last_lsn;
	struct op_stamp stamp;
	struct op_identity identity;
};
void cache_image_info(struct cache *c, struct cache_image *img, struct cache_image_info *info);
/* The path as of the last operation; at most OP_PATH_MAX bytes plus NUL are copied. */
void cache_image_path(struct cache *c, struct cache_image *img, char *path);

/* In memory only: the file was found at another path; the old one is cache_image_old_path(). */
void cache_image_moved(struct cache *c, struct cache_image *img, const char *path);
/* The name before the last rename that recovery found in the log; false: none. */
bool cache_image_old_path(struct cache *c, struct cache_image *img, char *path);

/*
 * A new image for a file that the table does not have: gives it a free id in memory; it is bound by
 * an operation in the log with its first cached write. -ENOSPC: no id or no table space left (use
 * the file uncached), -EINVAL: path or size cannot be stored. May allocate. size: of the backing
 * file now.
 */
int cache_image_new(struct cache *c, const struct op_identity *identity,
		    const struct op_stamp *stamp, const char *path,
		    struct cache_image **out) must_check;
/* Bytes of the image table: all, and what images may come to need of it. What an unbound one needs
 * is free when the tail has passed that. */
struct cache_table_room {
	uint64_t all, bound, unbound;
};
void cache_table_room(struct cache *c, struct cache_table_room *room);
/* After cache_open: the images of the table, in order of id. NULL ends. Single threaded use. */
struct cache_image *cache_image_next(struct cache *c, struct cache_image *prev);
/* An image that is not bound (never written, or unbound) goes away. */
void cache_image_free(struct cache *c, struct cache_image *img);
/*
 * The file of an image that is not touching and not dirty was found changed: its clean blocks are
 * forgotten, its size and stamp are those of the file. -EAGAIN: not now, nothing has changed
 * (something of the image is under way, the log has no space, or the file is larger than any
 * image): the clean blocks must not be shown as the file's content until a call has succeeded.
 * -EIO: the cache device has failed.
 */
int cache_image_refresh(struct cache *c, struct cache_image *img, const struct op_stamp *stamp,
			uint64_t now, struct outbox *ob) must_check;
/* State found by the layer above (IMAGE_CONFLICT, IMAGE_MISSING, IMAGE_ERROR, or IMAGE_CLEAN to
 * lift them). Sticky, logged. */
void cache_image_set_state(struct cache *c, struct cache_image *img, enum image_state s, int error,
			   uint64_t now, struct outbox *ob);
/*
 * The admin has decided about an image that is stopped (IMAGE_CONFLICT, IMAGE_MISSING): its file is
 * the one with this identity and stamp, as it is now, and all that the log holds of the image goes
 * over it. From CACHE_DONE or ACTION_DONE on that is durable, and the image is served again.
 * s->result: -EINVAL: it is not stopped; -EIO: the cache device has failed. CACHE_AGAIN: not now
 * (something of it is under way, or the log has no space), nothing has changed.
 */
enum cache_step cache_image_accept(struct cache *c, struct cache_image *img,
				   const struct op_identity *identity, const struct op_stamp *stamp,
				   struct cache_sync *s, uint64_t now, struct outbox *ob);
/* Smallest piece that the backing file takes in a direct write: 512 (default) or 4096. Before the
 * first write. */
void cache_image_set_align(struct cache_image *img, uint32_t bytes);
/* mtime set by the user (utimens): shown until the next write. */
void cache_image_set_mtime(struct cache *c, struct cache_image *img, int64_t mtime_ns, uint64_t now,
			   struct outbox *ob);
/* Bytes as lcfs shows them, as in cache_image_info; takes no lock. */
uint64_t cache_image_size(const struct cache_image *img);

/*
 * Our own changes of the backing file past the log (the mark, mode, times, names): from
 * cache_image_touch() to cache_image_touched() the image is touching (G1). Calls may overlap.
 *
 * touch: before = the file's present stamp, recorded unless the image is touching already. With s:
 * CACHE_DONE when `touching` is durable (or the image not bound), else CACHE_WAIT and ACTION_DONE;
 * CACHE_AGAIN: no space in the log now. s NULL: not waited for. An image is bound as touching.
 *
 * touched: after NULL: the file was changed and is not synced, it stays touching. Else: its stamp
 * right after an fsync; when nothing else is to come of the image, it is recorded and ends touching
 * (logged, not waited for). A stamp of BACK_SYNC ends it only if no touch came since it was issued.
 */
enum cache_step cache_image_touch(struct cache *c, struct cache_image *img,
				  const struct op_stamp *before, struct cache_sync *s, uint64_t now,
				  struct outbox *ob);
void cache_image_touched(struct cache *c, struct cache_image *img, const struct op_stamp *after,
			 uint64_t now, struct outbox *ob);

/*
 * The lease (G2): lcfs changes no backing file after lease_ns of the backing store's clock. It goes
 * into every super block written from now on. CACHE_DONE when the durable one has it, else one is
 * written: CACHE_WAIT, and ACTION_DONE with s->result.
 */
enum cache_step cache_lease(struct cache *c, uint64_t lease_ns, struct cache_sync *s, uint64_t now,
			    struct outbox *ob);

/* ------------------------------------------------------------------ sync */

struct cache_sync {
	struct action act; /* ACTION_DONE (of a write: its ACTION_RESUME) */
	struct list wait;
	struct cache_image *image; /* NULL: everything */
	uint64_t lsn;		   /* what it waits for */
	void *owner;
	int result;
	bool is_of_log; /* core only: it waits for the log, and has no data in it */
	/* core only: told under the lock instead of ACTION_DONE */
	void (*fn)(struct cache *c, struct cache_sync *s, uint64_t now, struct outbox *ob);
};

/*
 * All writes and operations of the image (NULL: of all) that were answered before this call are
 * durable when it is done. Returns CACHE_DONE (s->result, nothing was to be waited for) or
 * CACHE_WAIT (ACTION_DONE follows).
 */
enum cache_step cache_sync_start(struct cache *c, struct cache_sync *s, uint64_t now,
				 struct outbox *ob);

/* ------------------------------------------------------------------ write */

/* In a queue of the core: whom to resume. */
struct cache_waiter {
	struct list node;
	struct action *act;
};

/* Blocks of an image that a write, merge or operation holds alone (rule D4). */
struct cache_range {
	struct list node;
	uint64_t first, last;
	bool is_linked, is_pending;
};

/*
 * A write passes in steps, so that the copy happens outside the lock:
 *
 *	for (;;) {
 *		switch (cache_write_step(c, w, may_wait, now, &ob)) {
 *		case CACHE_COPY:  cache_write_copy(c, w); cache_write_publish(c, w, now, &ob);
 * continue; case CACHE_WAIT:  parked: step again after its ACTION_RESUME case CACHE_AGAIN: it would
 * have to wait and may_wait was false: nothing is held case CACHE_DONE:  w->result
 *		}
 *	}
 * cache_write_run() is this loop; it returns WAIT, AGAIN or DONE. data must stay valid until DONE.
 * Between COPY and publish the caller must not block. With `sync` the request is done only when the
 * data is durable.
 */

struct cache_write {
	/* by the caller; the rest zero */
	struct action act; /* ACTION_RESUME, and reads it waits for */
	struct cache_image *image;
	uint64_t off; /* bytes, any alignment */
	uint32_t len;
	const void *data;
	bool sync;
	void *owner;
	/* when done */
	int result; /* bytes or -errno (bytes when a part was written before an error) */
	/* the core's */
	struct cache_write_state {
		struct cache_range range;
		struct cache_waiter wait;
		uint32_t done;	/* bytes of data published */
		uint32_t bytes; /* bytes of this chunk */
		uint64_t block; /* first block of the chunk */
		uint32_t blocks;
		bool is_partial, has_waited, is_syncing, is_ready;
		bool is_admitted;  /* the chunk has had its delay (pace.h) */
		uint64_t admit_ns; /* when that ends */
		uint64_t waits_ns; /* since when the chunk waits for space; 0: it does not */
		bool base_is_clean, base_is_rotten, is_base_lost;
		uint8_t base_mask;    /* sectors to take from the older cached version */
		uint8_t backing_mask; /* sectors to take from the backing file */
		uint8_t mask;	      /* valid sectors of the new version (partial block) */
		bool extends;
		uint32_t base_cbn; /* older version on the device, pinned while it is read */
		int base_error;	   /* why it is lost: -EUCLEAN, or what the device said */
		uint64_t base_position;
		uint32_t effect_seq; /* of the image when the backing file was read */
		uint32_t base_sum;
		const uint8_t *base; /* where it is: pinned RAM slot or merge buffer; NULL = none */
		struct wbuf *base_buf; /* pinned */
		uint8_t *merge;	       /* 8 KiB merge buffer: cached copy, backing copy; or NULL */
		struct record *rec;
		uint32_t entry; /* first entry reserved */
		uint8_t *dst;
		uint64_t lsn; /* highest published */
		int error;
	} s;
	struct cache_sync sync_wait; /* of a write with sync */
};

enum cache_step cache_write_step(struct cache *c, struct cache_write *w, bool may_wait,
				 uint64_t now, struct outbox *ob);
void cache_write_copy(struct cache *c, struct cache_write *w);
void cache_write_publish(struct cache *c, struct cache_write *w, uint64_t now, struct outbox *ob);
enum cache_step cache_write_run(struct cache *c, struct cache_write *w, bool may_wait, uint64_t now,
				struct outbox *ob);

/* ------------------------------------------------------------------ read */

#define CACHE_READ_PARTS 32

/*
 * A read of whole blocks: off and len are multiples of 4096, buf is aligned to 4096; bytes beyond
 * the image's size come as zeros (the caller cuts). Same steps as a write: COPY means call
 * cache_read_copy() (copies from pinned RAM slots, verifies what came from the device), then
 * cache_read_end(), then step.
 */
struct cache_read_part {
	struct action act;
	struct cache_read *read;
	uint64_t block; /* first block */
	uint32_t blocks;
	uint32_t cbn;	/* first cache block; CBN_NONE: not cached */
	uint8_t mask;	/* valid sectors; not all: one block, the rest from the backing file */
	uint8_t source; /* enum read_source, core only */
	uint32_t rotten, nr_rotten; /* blocks from the first one: damaged, or not to be read */
	int rot_error;		    /* -EUCLEAN: damaged, else what the device said */
	uint32_t effect_seq;	    /* of the image when the backing file was read */
	struct wbuf *buf;	    /* pinned */
	uint8_t *bounce;	    /* of a partial block on the device */
};

struct cache_read {
	struct action act;
	struct cache_image *image;
	uint64_t off;
	uint32_t len;
	void *buf;
	/* buf has what is in the backing file: what is cached is laid over it, and the backing file
	 * is not read. Of an image that is stopped, too. */
	bool is_overlay;
	void *owner;
	int result; /* len or -errno */
	/* the core's */
	struct cache_read_state {
		struct cache_waiter wait;
		uint32_t done;	 /* bytes assembled */
		uint32_t window; /* bytes of this round */
		uint32_t nr_parts, pending, retries;
		bool is_started, is_ready, is_careful; /* careful: block by block */
		int error;
	} s;
	struct cache_read_part part[CACHE_READ_PARTS];
};

enum cache_step cache_read_step(struct cache *c, struct cache_read *r, bool may_wait, uint64_t now,
				struct outbox *ob);
void cache_read_copy(struct cache *c, struct cache_read *r);
void cache_read_end(struct cache *c, struct cache_read *r, uint64_t now, struct outbox *ob);
enum cache_step cache_read_run(struct cache *c, struct cache_read *r, bool may_wait, uint64_t now,
			       struct outbox *ob);

/*
 * SEEK_DATA/SEEK_HOLE help: the first block >= block that is cached (*cached true) or, when
 * `cached` is false on entry, not cached. Returns the block, or `end` when there is none below it.
 */
uint64_t cache_find(struct cache *c, struct cache_image *img, uint64_t block, uint64_t end,
		    bool cached);

/* ------------------------------------------------------------------ operations */

/*
 * Truncate, punch, names: what is in the log besides data (RULES E). Each is: wait for the range,
 * log, durable (or not), effect on the backing file, index, answer. ACTION_DONE ends it. The answer
 * is in result.
 */
enum cache_op_type {
	CACHE_OP_TRUNCATE, /* off = new size, smaller or larger */
	CACHE_OP_PUNCH,	   /* [off, off + len) reads as zeros; does not change the size */
	CACHE_OP_LOG, /* append `op`, of names, intents; done when durable, or at once with no_wait.
		       * The table follows when it is logged: OP_RENAME and OP_EXCHANGE move the
		       * paths of all images at or below them (if the system call then fails, log
		       * the way back). Nothing is logged, and it is done at once, for an image that
		       * is not bound */
	CACHE_OP_UNBIND, /* it is gone: all its entries die; done when logged, stays valid memory */
	CACHE_OP_CLEAN,	 /* drain one image: migrate all its dirty blocks whatever the load; done
			  * when clean and its OP_CLEAN is durable, or with the store's error when
			  * that refuses it twice, or -EIO when all that is left is poisoned */
};

/* What an operation does about space in the log. */
enum cache_space {
	CACHE_SPACE_WAIT, /* waits for it */
	CACHE_SPACE_NOW,  /* -EAGAIN when there is none; space is being made then */
	CACHE_SPACE_LAST, /* waits, but may take what is kept for migration: for a few bytes only */
};

#define CACHE_ONLY_GROW 1u /* len of CACHE_OP_TRUNCATE: never makes the image smaller */
/* len of CACHE_OP_CLEAN: -EINPROGRESS when what was dirty is synced or has been written again */
#define CACHE_AS_OF_NOW 1u

struct cache_op {
	struct action act;
	enum cache_op_type type;
	struct cache_image *image; /* may be NULL for CACHE_OP_LOG of names */
	uint64_t off, len;
	struct op op; /* CACHE_OP_LOG: paths stay the caller's until done */
	bool no_wait;
	enum cache_space space;
	void *owner;
	int result;
	struct cache_op_state {
		struct cache_range range;
		struct cache_waiter wait;
		struct list node, out_node;
		struct action effect;
		struct cache_sync sync;
		int phase;
		bool has_effect, is_effective, is_hanging, table_is_full;
		uint64_t lsn, position; /* of the operation in the log */
		uint64_t waits_ns, asked_ns; /* since when: for others' effects; for its own */
		struct {
			uint64_t block;
			uint32_t cbn;
			uint32_t sum;
			uint8_t mask;
			bool is_verified;
			const uint8_t *base;
			uint8_t *merge;
		} edge[2]; /* cached boundary blocks, written again with the cut bytes zero */
		int nr_edges, edges_pending;
		uint64_t cursor;
	} s;
};

void cache_op_start(struct cache *c, struct cache_op *op, uint64_t now, struct outbox *ob);
/* After its ACTION_RESUME. */
void cache_op_step(struct cache *c, struct cache_op *op, uint64_t now, struct outbox *ob);

/* In memory only, for a rename that needed no log: moves the paths of images at or below `old`. */
void cache_rename(struct cache *c, const char *old, const char *to, bool is_exchange);
/* Is any bound image at or below this path? */
bool cache_has_path(struct cache *c, const char *path);
/* Do the images at and below these paths fit the table under their new ones? If not, no table could
 * be written any more, and the log would end up full (E6): such a rename is to be refused. */
bool cache_rename_fits(struct cache *c, const char *old, const char *to, bool is_exchange);

/* ------------------------------------------------------------------ numbers */

/*
 * The cache device fails (lost.c). Degraded: it is given up, or a request to it hangs; what was in
 * the log goes to the backing files, and all that is written, too. Failed: blocks that only it had
 * are lost. Read-only: an image cannot be written to without it.
 */
enum cache_state {
	CACHE_OK,
	CACHE_DEGRADED,
	CACHE_READ_ONLY,
	CACHE_FAILED
};
const char *cache_state_text(enum cache_state s);

struct cache_status {
	enum cache_state state;
	uint64_t hangs_ns;	/* how long a request to the cache device has been under way, when
				 * that is long */
	uint64_t device_errors; /* writes and flushes of the device that failed */
	uint64_t lost_blocks;	/* dirty, and can be read nowhere */
	bool is_saving; /* given up, and what can be read is still on its way to the files */
	uint64_t nr_segments, segment_bytes, last_migrated, last_flushed, current_segment;
	uint64_t cursor; /* block offset in the current segment */
	uint64_t dirty_blocks, cached_blocks, free_segments;
	/* With dirty_blocks: nothing of them became dirty before this, on the clock of `now`,
	 * before whose 0 it may be. It may be too early by as much as age.h says. */
	int64_t dirty_since_ns;
	uint64_t ram_bytes; /* static memory: index, tables, staging, without the pool */
	uint64_t durable_lsn, written_lsn, next_lsn;
	uint32_t pool_buffers, pool_used;
	bool is_migrating, is_failed;
	int error;
	uint64_t count[16]; /* dm-lc: bit 0 write, 1 hit, 2 on buffer, 3 full size */
	uint64_t migrate_blocks, migrate_writes, flushes, records, superblock_writes;
	uint64_t log_blocks;	   /* written in records, headers included */
	uint64_t relocated_blocks; /* copied to the head of the log, out of the tail's way */
	uint64_t migrate_errors;   /* checks, reads, writes and syncs that failed and are retried */
	int busy_percent; /* of the backing store, as the governor saw it last; -1: unknown */
};
void cache_status(struct cache *c, struct cache_status *st);
/* A request to the cache device that is told as hanging. */
#define CACHE_HANG_TOLD_NS 2000000000ull
/* The oldest request to the cache device has been under way for so long; 0: there is none. To be
 * called about once a second while it is long. */
void cache_device_hangs(struct cache *c, uint64_t for_ns, uint64_t now, struct outbox *ob);
/* Is the cache device given up? Takes no lock. */
bool cache_is_lost(const struct cache *c);
/* Const after cache_open(): each has its own. */
uint64_t cache_epoch(const struct cache *c);
/* Stores up to `room` numbers of blocks of the image that are lost, in no order; how many. Walks
 * through all of the cache. */
uint64_t cache_lost_blocks(struct cache *c, const struct cache_image *img, uint64_t *block,
			   uint64_t room);
void cache_clear_stat(struct cache *c);
/* How long flushes of the cache device and writes of migration to backing files took. Adds to the
 * views; takes no lock. */
void cache_latency(struct cache *c, struct histogram_view *flush, struct histogram_view *migrate);

/* Checks all invariants by a full walk; for the simulation and PARANOID builds. 0, or -EUCLEAN with
 * a line. */
int cache_check(struct cache *c, char *text, size_t size) must_check;

#endif
