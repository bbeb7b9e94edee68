/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Inside of the core: the structures its files share. No one outside lcfs/cache includes it.
 *
 * One lock (cache->lock) covers everything here but what is marked otherwise; it is held for
 * pointer work only. Functions expect it unless their comment says that they take it or need none.
 *
 * Positions: a cache block number (cbn) counts the 4 KiB blocks of the segments by slot. Its age is
 * given by (segment id, block offset in the segment): log_position(). Positions grow with LSN and
 * entry number, so that "higher position wins" is rule D3.
 */
#ifndef LCFS_CACHE_CORE_H
#define LCFS_CACHE_CORE_H

#include <errno.h>
#include <string.h>

#include "common/align.h"
#include "common/histogram.h"
#include "common/mutex.h"
#include "lcfs/cache/age.h"
#include "lcfs/cache/cache.h"
#include "lcfs/cache/index.h"
#include "lcfs/cache/lost_types.h"
#include "lcfs/cache/pace.h"
#include "lcfs/cache/poison_types.h"

#define CACHE_LOCK_RANK 200

/* Segments that user data never takes (H1): 2 for the cleaner, 1 for operations, 1 for writing
 * again after an error. A purpose may open a segment while more than this many are free. */
enum log_purpose {
	PURPOSE_USER = 4,
	PURPOSE_OP = 3,
	PURPOSE_CLEANER = 1,
	/* All that keeps the tail at its segment, at once: it fits one, and then the tail moves. */
	PURPOSE_WAY_OUT = 0,
};

/* ---------------------------------------------------------------- segments */

/*
 * States of a segment's slot and who changes them:
 *
 *	FREE ──log_open_segment──▶ OPEN ──log_close_buffer──▶ CLOSED ──super_finish──▶ FREE
 *
 * FREE: both super block copies have a tail above the id that stood here (or it was never used);
 * its clean blocks may still be in the index until it is opened again. The tail passes CLOSED
 * segments in order of id, when nothing live in them is dirty and the image table holds their
 * operations.
 */
enum segment_state {
	SEGMENT_FREE,
	SEGMENT_OPEN,
	SEGMENT_CLOSED
};

struct segment {
	uint64_t id;			   /* 0: never used */
	uint64_t first_lsn;		   /* of the first record in it */
	uint64_t last_lsn;		   /* of the last one */
	uint64_t last_op_lsn;		   /* of the last record with operations, 0: none */
	uint64_t start_link, start_branch; /* what stood before its first record: for the tail */
	uint32_t nr_dirty;		   /* live dirty blocks */
	uint32_t readers;		   /* device reads in flight: not to be opened */
	struct wbuf *buf;		   /* its RAM buffer, or NULL */
	uint8_t state;
};

/* ---------------------------------------------------------------- RAM buffers */

struct pool_header;
struct pool_ctl;

struct wbuf {
	struct list node;	 /* log.free_bufs when no record in it is un-durable */
	struct segment *segment; /* whose contents it holds, or NULL */
	uint64_t segment_id;
	uint8_t *mem;	      /* segment_bytes, shared memory */
	struct pool_ctl *ctl; /* shared memory */
	uint32_t used;	      /* blocks taken by records so far */
	uint32_t records;     /* that are not durable */
	uint32_t readers;     /* pins by copies outside the lock */
	uint8_t purpose;      /* enum log_purpose it was opened for */
	bool is_closed;
};

/* ---------------------------------------------------------------- the log */

/*
 * States of a record:
 *
 *	OPEN ─log_seal─▶ SEALED ─log_issue (no writers, predecessor issued)─▶ ENCODING
 *	     ─log_encoded─▶ READY ─log_pump (depth)─▶ WRITING ─log_wrote─▶ WRITTEN ─commit_flushed─▶
 * gone
 */
enum record_state {
	RECORD_FREE,
	RECORD_OPEN,
	RECORD_SEALED,
	RECORD_ENCODING,
	RECORD_READY,
	RECORD_WRITING,
	RECORD_WRITTEN,
};

struct record {
	struct action act;
	struct list node; /* log.records in LSN order, or log.free_records */
	uint64_t lsn;
	struct wbuf *buf;
	struct record_disk *h;	       /* in the buffer */
	uint64_t time_ns, durable_lsn; /* for the header, set when sealed */
	uint32_t start;		       /* block of the header in the segment */
	uint32_t writers;	       /* reserved but not published */
	uint16_t nr_entries;
	uint16_t nr_blocks; /* of them with data: all, or none in a record that poisons a block */
	uint16_t op_entry;  /* 1 + entry of the operations block that is the last entry, else 0 */
	uint32_t op_pos;    /* where that block goes on */
	uint8_t state;
	bool has_ops;
};

struct log {
	uint64_t next_lsn, next_segment_id;
	uint64_t written_lsn; /* all up to it are on the device, durable or not */
	uint64_t durable_lsn;
	uint64_t undurable_ns; /* since when there may be something above it */
	uint64_t branch, branch_lsn;
	struct record *open;	    /* or NULL */
	struct wbuf *open_buf;	    /* or NULL */
	bool is_encoding;	    /* an ACTION_ENCODE is out */
	struct record *encode_next; /* oldest record that was not issued to be encoded, or NULL */
	struct list records;	    /* not durable, oldest first */
	struct list free_records;
	struct list free_bufs;	   /* may be taken; oldest first; still readable */
	struct list space_waiters; /* cache_waiter: no space */
	struct pace pace;	   /* and those that are slowed down before that */
	uint64_t free_segments;
	uint32_t writing;   /* records in state WRITING */
	uint32_t busy_bufs; /* not in free_bufs */
	uint32_t nr_bare;   /* records without data blocks that are not durable */
	/* owner: whoever carries out ACTION_ENCODE, one at a time */
	uint64_t encode_link;
	uint64_t encoded_lsn; /* the last record encoded, as the lock's holder knows */
	uint64_t last_branch; /* its branch */
	uint64_t last_link;   /* its link */
};

/* ---------------------------------------------------------------- commit */

enum commit_state {
	COMMIT_IDLE,
	COMMIT_WRITING,
	COMMIT_FLUSHING
};

struct commit {
	struct action flush;
	struct list waiters;	  /* cache_sync.wait */
	struct list dev_waiters;  /* want a flush that starts from now on */
	struct list dev_inflight; /* served by the flush in flight */
	enum commit_state state;
	uint64_t target;       /* WRITING: flush when written up to it */
	uint64_t covers;       /* FLUSHING: durable when it returns */
	uint64_t gather_until; /* IDLE: wait for company until then */
	uint32_t last_group;   /* answered by the last commit */
	uint64_t started_ns;   /* when the flush in flight was issued */
};

/* ---------------------------------------------------------------- images */

struct cache_image {
	struct list node; /* cache.images, in order of id */
	uint32_t id;
	void *owner;
	bool is_bound;	       /* BIND is in the log or the table */
	bool is_unbound;       /* UNBIND was logged: the id waits for the log to forget it */
	bool is_touching;      /* the backing file may be changed by us */
	bool is_touch_wanted;  /* the next image table is to say so: the log has no room */
	bool is_unbind_wanted; /* likewise that it is unbound */
	bool has_intent;
	bool has_gone;	   /* and its DONE was logged by the mount before this one */
	bool is_new;	   /* naming.h */
	bool is_stopped; /* conflict, missing: nothing is written to it nor read from it */
	bool is_draining;
	uint32_t touchers;	     /* own changes past the log that are under way */
	uint64_t touch_seq;	     /* +1 with each of them */
	uint64_t touch_lsn;	     /* of the OP_TOUCH in force */
	uint32_t effects;	     /* of operations, out */
	struct migrate_batch *batch; /* it is in, or NULL */
	uint8_t state;		     /* enum table_state */
	int error;
	uint32_t align;
	uint64_t bind_lsn, clean_lsn, applied_lsn;
	uint64_t unbind_lsn, new_mark; /* the latter: naming.h */
	uint64_t size, backing_valid;
	uint32_t effect_seq;  /* pending effects that were applied */
	uint64_t logged_size; /* with writes that are reserved and not published yet */
	bool size_pending;    /* the backing file's size may differ from `size` */
	int64_t mtime_ns;
	struct op_stamp stamp;
	struct op_identity identity;
	uint32_t table_room;  /* bytes that it may come to need in the table, */
	bool is_room_unbound; /* counted among those of unbound images */
	char *path;	      /* owned, NUL terminated */
	uint32_t nr_punches, punch_room;
	uint32_t nr_punched; /* of them, the first ones: by the batch, and not synced */
	struct table_punch *punch; /* pending, oldest first; owned */
	uint64_t max_block;	   /* no block above it was ever cached */
	char *old_path; /* recovery: the name before the last rename in the log, or NULL; owned */
	uint64_t last_lsn;		 /* last record with something of this image */
	uint64_t dirty, cached;		 /* blocks */
	uint64_t poisoned;		 /* of the dirty ones: without data (F4) */
	struct age_count ages;		 /* of the dirty ones */
	uint64_t damaged, damaged_block; /* as in cache_image_info */
	struct list ranges;		 /* cache_range.node: held and pending */
	struct list range_waiters;	 /* cache_waiter */
	struct list ops;		 /* cache_op_state.node: in phases that concern migration */
	uint64_t retry_ns;		 /* migration waits until then after an error */
	uint32_t retries;
	uint64_t fails_ns;  /* since when each of its batches has failed, 0: the last one has not */
	uint64_t failed_ns; /* the last one that has, */
	uint64_t tried_ns;  /* and when it had begun */
	bool is_paused;	    /* after -EAGAIN: any change of its state ends it */
	/* migration batch */
	struct action sync;
	uint32_t batch_items, batch_failed;
	int batch_error;	    /* of some of its writes: the other ones count */
	uint32_t batch_out;	    /* requests that its file is to answer, */
	bool is_hung, is_hang_told; /* and does not: the batch is set aside */
	uint64_t hung_ns;	    /* since when */
	uint64_t batch_lsn;
	uint64_t batch_end; /* bytes: where the batch's last write ends, 0: it has none */
	bool batch_final;
	uint64_t batch_touch_seq;
	struct list batch_node;
	struct lost_image lost;
};

/* ---------------------------------------------------------------- super block and image table */

/*
 * One writing of the super block at a time, into both copies:
 *
 *	IDLE ─▶ COMMIT (log durable up to the head, B1) ─▶ [TABLE ─▶ flush] ─▶ FIRST ─▶ flush ─▶
 * SECOND ─▶ flush ─▶ IDLE, segments below the new tail are free
 */
enum super_phase {
	SUPER_IDLE,
	SUPER_COMMIT,
	SUPER_TABLE,
	SUPER_TABLE_FLUSH,
	SUPER_FIRST,
	SUPER_FIRST_FLUSH,
	SUPER_SECOND,
	SUPER_SECOND_FLUSH,
};

struct super {
	enum super_phase phase;
	struct superblock next;		 /* being written */
	uint8_t *block;			 /* 4096 bytes, aligned */
	uint8_t *table;			 /* image of a table area */
	uint64_t table_bytes;		 /* used in it by this writing, header included */
	uint64_t tail, head_lsn;	 /* of this writing */
	uint64_t head_link, head_branch; /* of record head_lsn, known once it is encoded */
	uint32_t copy;			 /* that is written first next time */
	bool with_table, is_wanted, want_table, want_clean;
	bool is_stuck; /* the last writing did not move the tail: not again before the next tick */
	bool table_has_pending; /* the table in force names effects that may be applied by now */
	struct action act;
	struct cache_sync sync;
	uint64_t last_ns;
	struct list waiters;  /* cache_sync.wait: want a writing that starts from now on */
	struct list inflight; /* served by the one under way */
	uint32_t next_image_id;
};

/* ---------------------------------------------------------------- the whole */

struct migrate;
struct migrate_batch;
struct cleaner;
struct scrub;

struct cache {
	struct mutex lock;
	struct superblock sb; /* as durable in both copies, with the present log's facts in the
				 structs below */
	struct cache_mount_info info;
	struct cache_conf conf;
	uint32_t segment_blocks;
	uint64_t segment_bytes, nr_segments;
	struct index index;
	struct segment *segments;
	struct wbuf *bufs;
	uint32_t nr_bufs;
	struct pool_header *pool;
	struct record *records;
	uint32_t nr_records;
	struct log log;
	struct commit commit;
	struct list images;
	struct cache_image **by_id; /* sparse, by_id_size entries */
	uint32_t by_id_size, nr_images;
	uint64_t new_marks; /* naming.h */
	bool was_cut;	    /* another boot, after a mount that did not end */
	/* bytes of the image table that they may come to need: the bound, the unbound */
	uint64_t images_room[2];
	uint8_t *merge_mem;
	struct list merge_free; /* struct merge_buf in the buffers themselves */
	struct list merge_waiters;
	struct list share_waiters; /* cache_waiter of writes (shares.h) */
	struct list ops_out; /* cache_op_state.out_node: their files are to answer */
	uint64_t share_due_ns;	   /* when they look again */
	uint32_t nr_reserved;	   /* blocks of writes that have entries and are not published */
	struct super super;
	struct migrate *migrate;
	struct cleaner *cleaner;
	struct scrub *scrub;
	uint64_t knob[NR_KNOBS];
	uint64_t dirty_blocks, cached_blocks;
	struct ages ages; /* of the dirty ones */
	struct suspect suspect[SUSPECTS_MAX];
	uint32_t nr_suspects;
	uint64_t tail; /* segment id: the first that the durable tail has not passed */
	int busy_percent;
	_Atomic(uint64_t) deadline; /* when cache_tick is due; never too late */
	uint64_t lease_ns;	    /* for the next super block */
	bool is_idle;		    /* governor: the backing store has time */
	int failed;		    /* errno: the cache device is given up, see lost.c */
	struct trouble trouble;
	struct lost lost;
	uint64_t hangs_ns; /* how long the oldest request to the device has been under way */
	bool is_stopping, is_left;
	struct action *stop_act;
	struct cache_sync stop_sync;
	struct cache_sync interval_sync;
	bool interval_busy;
	uint64_t count[16];
	bool is_stop_waiting; /* shutdown: for what migration, cleaner or scrub have begun */
	bool is_stamped;      /* shutdown: stamps of touching images were taken */
	uint64_t nr_flushes, nr_records_written, nr_super_writes, nr_migrated, nr_migrate_writes;
	uint64_t nr_log_blocks, nr_migrate_errors, nr_device_errors;
	uint64_t nr_relocated;			   /* blocks that the cleaner has moved */
	uint64_t nr_flushed;			   /* flushes of the device that have returned 0 */
	struct histogram flush_time, migrate_time; /* atomic */
};

/* ---------------------------------------------------------------- cache.c */

/* What was under way has ended: shutdown goes on. False: it does not wait for it. */
bool cache_stop_goes_on(struct cache *c, uint64_t now, struct outbox *ob);

/* ---------------------------------------------------------------- seglog.c */

int log_init(struct cache *c) must_check;
void log_free(struct cache *c);
uint64_t log_position(const struct cache *c, uint32_t cbn);
static inline uint64_t log_place(uint64_t segment_id, uint32_t offset)
{
	return segment_id << 16 | offset;
}
struct segment *log_segment(struct cache *c, uint64_t segment_id);
struct segment *log_segment_of(struct cache *c, uint32_t cbn);
uint32_t log_cbn(const struct cache *c, uint64_t segment_id, uint32_t offset);
/* Where the block's bytes are in RAM, or NULL. */
uint8_t *log_ram(struct cache *c, uint32_t cbn, struct wbuf **buf);
/* Bytes on the device. */
uint64_t log_device_offset(const struct cache *c, uint32_t cbn);
void log_unpin(struct cache *c, struct wbuf *buf, uint64_t now, struct outbox *ob);
/* A device read in the block's segment has ended. Wakes who waits for space only if it is next. */
void log_read_done(struct cache *c, uint32_t cbn, struct outbox *ob);
/*
 * Makes sure that the open record can take `ops` bytes of operations (one op_append each of at most
 * ops bytes in all) and, behind them, at least `blocks` data entries, together at most
 * log_most_entries(). May seal the open one. -EAGAIN when there is no space now.
 */
int log_prepare(struct cache *c, uint32_t ops, uint32_t blocks, enum log_purpose p, uint64_t now,
		struct outbox *ob) must_check;
/* Would log_prepare find room for a block? Changes nothing: who only asks wakes nobody. */
bool log_has_space(struct cache *c, enum log_purpose p);
uint32_t log_most_entries(const struct cache *c);
/* Data entries that the open record can take now. */
uint32_t log_room(const struct cache *c);
/* After log_prepare: appends an operation; never fails. Returns the LSN. */
uint64_t log_op(struct cache *c, const struct op *op);
/* After log_prepare: reserves n entries for blocks of the image. */
struct record *log_reserve(struct cache *c, uint32_t image, uint64_t block, uint32_t n,
			   uint32_t *entry, uint8_t **dst);
/* Cache block of an entry. */
uint32_t log_entry_cbn(const struct cache *c, const struct record *rec, uint32_t entry);
/*
 * A record of its own that says that the block's sectors of mask are lost (ENTRY_POISON, without
 * data). flags: 0 or ENTRY_RELOCATED, with origin_lsn. *cbn is its slot. -EAGAIN: no space now, or
 * too many such records are not durable yet.
 */
int log_poison(struct cache *c, uint64_t key, uint8_t mask, uint8_t flags, uint64_t origin_lsn,
	       enum log_purpose p, uint32_t *cbn, uint64_t now, struct outbox *ob) must_check;
/* Makes the entry count; dst is complete. */
void log_publish(struct cache *c, struct record *rec, uint32_t entry, uint8_t mask, uint8_t flags);
/* One writer's reservation ends. */
void log_writer_done(struct cache *c, struct record *rec, uint64_t now, struct outbox *ob);
void log_seal(struct cache *c, uint64_t now, struct outbox *ob);
/* Seals what is open and lets the rest of the open segment go. */
void log_close(struct cache *c, uint64_t now, struct outbox *ob);
void log_pump(struct cache *c, struct outbox *ob);
/* Id of the last segment all of whose records are durable and that takes no more. */
uint64_t log_last_flushed(const struct cache *c);
/* LSN of the last record that holds anything, open or not. */
uint64_t log_head_lsn(const struct cache *c);
/* A flush covered records up to lsn. */
void log_durable(struct cache *c, uint64_t lsn, uint64_t now, struct outbox *ob);
/* Both super block copies have passed segments below tail. */
void log_reclaim(struct cache *c, uint64_t tail, uint64_t now, struct outbox *ob);
void log_space_changed(struct cache *c, struct outbox *ob);
bool log_is_short(const struct cache *c);
/* Header, sums and dead blocks of a record in memory; used by encode and by recovery. Returns its
 * link. */
uint64_t log_finish_record(struct cache *c, struct record_disk *h, uint64_t link, uint64_t durable,
			   uint64_t time_ns);

/* Free segments below which migration runs whatever the load is, and writers are paced. */
uint64_t log_short_below(const struct cache *c);

/* ---------------------------------------------------------------- write.c */

/* Resumes the writes whose delay is over (or all of them); when the next one's is. */
void write_end_delays(struct cache *c, uint64_t now, struct outbox *ob);
void write_end_all_delays(struct cache *c, struct outbox *ob);
uint64_t write_next_delay(const struct cache *c);

/* ---------------------------------------------------------------- cache.c */

/* Something is due at `at`. Needs no lock. */
void deadline_lower(struct cache *c, uint64_t at);

/* ---------------------------------------------------------------- commit.c */

void commit_init(struct cache *c);
/* s->lsn and s->fn or s->act are set: told when durable. True when it already is. */
bool commit_wait(struct cache *c, struct cache_sync *s, uint64_t now, struct outbox *ob);
/* Told after a flush of the device that starts from now on. */
void commit_wait_device(struct cache *c, struct cache_sync *s, uint64_t now, struct outbox *ob);
void commit_kick(struct cache *c, uint64_t now, struct outbox *ob);
/* Makes everything so far durable; nobody waits. */
void commit_now(struct cache *c, uint64_t now, struct outbox *ob);
void sync_tell(struct cache *c, struct cache_sync *s, int result, uint64_t now, struct outbox *ob);

/* ---------------------------------------------------------------- blocks.c: with their counts */

/* The block at cbn becomes the image's newest version of it, if it is; false: a newer one is there.
 * It is dirty, since dirty_at (wall clock) or since the version was that it replaces. */
bool blocks_insert(struct cache *c, struct cache_image *img, uint64_t block, uint32_t cbn,
		   uint8_t mask, int64_t dirty_at);
/* The same with a slot that has no data. */
bool blocks_insert_poison(struct cache *c, struct cache_image *img, uint64_t block, uint32_t cbn,
			  uint8_t mask, int64_t dirty_at);
void blocks_remove(struct cache *c, uint32_t cbn);
void blocks_set_clean(struct cache *c, uint32_t cbn);
/* A live block, of a segment that the tail has not passed, is to be written again; at: wall clock,
 * ns. */
void blocks_set_dirty(struct cache *c, uint32_t cbn, int64_t at);
/* Forgets what is cached of [first, last] at positions below `before`; from *cursor on, at most
 * `budget` steps. True when done. */
bool blocks_drop_range(struct cache *c, struct cache_image *img, uint64_t first, uint64_t last,
		       uint64_t before, uint64_t *cursor, uint32_t budget);
/* Takes the sectors of mask away from the cached version of the block, if it is older than
 * `before`. */
void blocks_drop_sectors(struct cache *c, struct cache_image *img, uint64_t block, uint8_t mask,
			 uint64_t before);

/* ---------------------------------------------------------------- imgtab.c */

struct cache_image *imgtab_find(struct cache *c, uint32_t id);
/* Where the search for a free id goes on after this one. */
uint32_t imgtab_next_id(uint32_t id);
struct cache_image *imgtab_add(struct cache *c, uint32_t id);
void imgtab_remove(struct cache *c, struct cache_image *img);
int imgtab_set_path(struct cache *c, struct cache_image *img, const char *path,
		    size_t bytes) must_check;
/* After a change of path, or after unbinding: what it may need in the table. */
void imgtab_account(struct cache *c, struct cache_image *img);
/* Bytes that binding the image adds to the log, 0 when it is bound. */
uint32_t imgtab_bind_bytes(const struct cache_image *img);
/* The only way to change it: cache_image_size() reads it without the lock. */
static inline void imgtab_set_size(struct cache_image *img, uint64_t size)
{
	__atomic_store_n(&img->size, size, __ATOMIC_RELAXED);
	img->logged_size = size;
}
static inline void imgtab_grow_size(struct cache_image *img, uint64_t size)
{
	__atomic_store_n(&img->size, max(img->size, size), __ATOMIC_RELAXED);
	img->logged_size = max(img->logged_size, size);
}
/* After log_prepare with those bytes. */
void imgtab_bind(struct cache *c, struct cache_image *img);
/* As of lsn, the head of the log. */
void imgtab_entry(const struct cache_image *img, uint64_t lsn, struct table_entry *e,
		  struct table_punch_disk *punches);
/* Of img alone, or of all at or below old when img is NULL. */
void imgtab_rename(struct cache *c, struct cache_image *img, const char *old, size_t old_bytes,
		   const char *to, size_t to_bytes, bool is_exchange);
int imgtab_load(struct cache *c, const struct table_entry *e) must_check;
/* Zeroes what a read of the backing file at off gave but a pending operation has made zero. */
void imgtab_mask_backing(const struct cache_image *img, void *buf, uint64_t off, uint64_t len);
bool imgtab_has_pending(const struct cache_image *img);
/*
 * It is unbound, or the image table that says so is under way. No record from now on may name it:
 * the tail passes the unbind, and then neither table nor log know the image (E6).
 */
bool imgtab_is_leaving(const struct cache_image *img);
/* Nothing of it is anywhere but in its backing file, and the log says so. */
bool imgtab_is_settled(const struct cache_image *img);
void imgtab_pend_truncate(struct cache_image *img, uint64_t size);
int imgtab_pend_punch(struct cache_image *img, uint64_t off, uint64_t len) must_check;
uint32_t imgtab_touch_bytes(const struct cache_image *img);
void imgtab_touch(struct cache *c, struct cache_image *img);
enum image_state imgtab_state(const struct cache_image *img);
/* cache_image_set_state() under the lock. */
void imgtab_set_state(struct cache *c, struct cache_image *img, enum image_state s, int error,
		      uint64_t now, struct outbox *ob);
/* OP_STATE that has a stamp: the image goes on over the file of that stamp (resolve.c). */
void imgtab_accept(struct cache_image *img, const struct op *op);
/* -EIO and the like for images that cannot be written or read, else 0. */
int imgtab_error(const struct cache *c, const struct cache_image *img);
/* The only copy of the block is damaged; once for each such block. */
void imgtab_damaged(struct cache_image *img, uint64_t block);

/* ---------------------------------------------------------------- range.c */

/* Takes the range, or returns false with nothing changed. */
bool range_try(struct cache_image *img, struct cache_range *r, uint64_t first, uint64_t last);
/* Announces it: later comers wait. */
void range_announce(struct cache_image *img, struct cache_range *r, uint64_t first, uint64_t last);
/* An announced range: nothing older overlaps it any more, no backing write is under way there? */
bool range_claim(struct cache_image *img, struct cache_range *r);
void range_release(struct cache_image *img, struct cache_range *r, struct outbox *ob);
/* Is the block held by an operation? (migration keeps away) */
bool range_is_claimed(const struct cache_image *img, uint64_t block);
/* Is the block held by anybody? Who has only announced that he wants it does not count. */
bool range_is_held(const struct cache_image *img, uint64_t block);
/* Takes a block that nobody holds, before those who have announced that they want it. */
bool range_take_first(struct cache_image *img, struct cache_range *r, uint64_t block);

/* ---------------------------------------------------------------- merge.c */

uint8_t *merge_get(struct cache *c);
void merge_put(struct cache *c, uint8_t *m, struct outbox *ob);

/* Queues w at the tail; wake resumes all, in order. */
void waiters_add(struct list *queue, struct cache_waiter *w, struct action *act);
void waiters_wake(struct list *queue, struct outbox *ob);

/* ---------------------------------------------------------------- super.c */

int super_init(struct cache *c) must_check;
void super_free(struct cache *c);
/* Writes it soon: with the tail as far as it may go. */
void super_request(struct cache *c, uint64_t now, struct outbox *ob);
/* fn when a writing that started from now on has ended in both copies. */
void super_wait(struct cache *c, struct cache_sync *s, uint64_t now, struct outbox *ob);
/* Has the image table room for one more image with such a path? */
bool super_has_room(struct cache *c, size_t path_bytes);
/* Bytes of the table that an image may come to need, and bytes that there are for all. */
uint64_t super_room_of(size_t path_bytes);
uint64_t super_room(const struct cache *c);
/* The tail as it could be now, with a table of table_lsn in force. */
uint64_t super_tail_candidate(struct cache *c, uint64_t table_lsn);
uint64_t super_table_lsn(const struct cache *c);
/* Is there anything that a writing would change? */
bool super_is_stale(struct cache *c);

/* ---------------------------------------------------------------- recovery.c, op.c */

int recovery_run(struct cache *c, struct blkdev *dev, bool pool_valid,
		 struct cache_recovery_report *rep) must_check;
/* A migration batch has ended its writes: operations that waited for it can go on. */
void op_drain_done(struct cache *c, struct cache_image *img, uint64_t now, struct outbox *ob);

#endif
