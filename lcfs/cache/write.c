// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The write path: a request is cut into chunks, each either a run of whole blocks or one partial
 * block, and a chunk passes
 *
 *	range ─▶ [read the older version] ─▶ reserve ─▶ copy (no lock) ─▶ publish ─▶ next chunk
 *
 * A chunk holds its range from the first look at older versions to the publication (D4); it takes
 * no entry of the log until all other bytes are in memory; and while it waits for space it holds
 * nothing (H1).
 *
 * A partial block over an older cached version is merged with it, so that a block has one live
 * slot. That holds for a clean one, too: replay may apply an older punch or truncate of the log
 * again to the backing file, and must find all that came after it in the log. Over an uncached
 * block nothing is read: the valid-sector mask says what is there. Bytes that do not fill a sector
 * are completed from the present view. What needs sectors of a poisoned block (poison.c) is EIO; a
 * write that covers them all ends the poison.
 */
#include "lcfs/cache/lost.h"
#include "lcfs/cache/shares.h"

#include "common/checksum.h"
#include "common/nsec.h"
#include "lcfs/cache/cleaner.h"
#include "lcfs/cache/migration.h"
#include "lcfs/cache/poison.h"
#include "lcfs/cache/sectors.h"

/* ---------------------------------------------------------------- chunks */

static uint64_t chunk_off(const struct cache_write *w)
{
	return w->off + w->s.done;
}

/* Where the chunk ends in its block, for a partial one. */
static uint32_t part_end(const struct cache_write *w)
{
	return (uint32_t)(chunk_off(w) % BLOCK_BYTES) + w->s.bytes;
}

static void next_chunk(struct cache *c, struct cache_write *w)
{
	uint64_t off = chunk_off(w);
	uint32_t left = w->len - w->s.done, in = (uint32_t)(off % BLOCK_BYTES);

	w->s.block = off / BLOCK_BYTES;
	w->s.is_partial = in != 0 || left < BLOCK_BYTES;
	if (w->s.is_partial) {
		w->s.bytes = min(BLOCK_BYTES - in, left);
		w->s.blocks = 1;
	} else {
		w->s.blocks = min(left / BLOCK_BYTES, log_most_entries(c));
		w->s.bytes = w->s.blocks * BLOCK_BYTES;
	}
	w->s.base = NULL;
	w->s.base_buf = NULL;
	w->s.base_mask = 0;
	w->s.backing_mask = 0;
	w->s.is_ready = false;
}

/* Sectors that the chunk covers only in part and whose other bytes exist. */
static uint8_t torn_sectors(const struct cache_write *w, uint64_t size)
{
	uint64_t start = w->s.block * BLOCK_BYTES;
	uint32_t a = (uint32_t)(chunk_off(w) % BLOCK_BYTES), b = part_end(w);
	uint8_t torn = 0;

	if (a % SECTOR_BYTES && start + align_down(a, SECTOR_BYTES) < size)
		torn |= sectors_between(a, a + 1);
	if (b % SECTOR_BYTES && start + b < size)
		torn |= sectors_between(b - 1, b);
	return torn;
}

/* ---------------------------------------------------------------- the older version */

static void release_base(struct cache *c, struct cache_write *w, uint64_t now, struct outbox *ob)
{
	if (w->s.base_buf)
		log_unpin(c, w->s.base_buf, now, ob);
	w->s.base_buf = NULL;
	w->s.base = NULL;
	merge_put(c, w->s.merge, ob);
	w->s.merge = NULL;
}

static void read_backing(struct cache_write *w, struct outbox *ob);

/* A clean copy: the backing file has it, too. A dirty one is the only one. */
static void rotten_base(struct cache_write *w, int error)
{
	w->s.base_error = error;
	if (w->s.base_is_clean) {
		w->s.base_is_rotten = true;
	} else {
		w->s.error = -EIO;
		w->s.is_base_lost = true;
	}
}

static void base_read(struct cache *c, struct action *a, int result, uint64_t now,
		      struct outbox *ob)
{
	struct cache_write *w = container_of(a, struct cache_write, act);

	(void)now;
	log_read_done(c, w->s.base_cbn, ob);
	if (result < 0)
		rotten_base(w, result);
	if (w->s.backing_mask && !w->s.error && !w->s.base_is_rotten) {
		read_backing(w, ob);
		return;
	}
	w->act.type = ACTION_RESUME;
	outbox_add(ob, &w->act);
}

static void backing_read(struct cache *c, struct action *a, int result, uint64_t now,
			 struct outbox *ob)
{
	struct cache_write *w = container_of(a, struct cache_write, act);

	(void)c;
	(void)now;
	if (result >= 0 && w->s.effect_seq != w->image->effect_seq) {
		read_backing(w, ob);
		return;
	}
	if (result < 0)
		w->s.error = -EIO;
	else
		imgtab_mask_backing(w->image, w->s.merge + BLOCK_BYTES, w->s.block * BLOCK_BYTES,
				    BLOCK_BYTES);
	w->act.type = ACTION_RESUME;
	outbox_add(ob, &w->act);
}

static void issue_read(struct action *a, enum action_type type, void *buf, uint64_t off,
		       struct outbox *ob)
{
	a->type = type;
	a->iov = &a->iov1;
	a->nr_iov = 1;
	a->iov1.iov_base = buf;
	a->iov1.iov_len = BLOCK_BYTES;
	a->len = BLOCK_BYTES;
	a->off = off;
	outbox_add(ob, a);
}

static void read_backing(struct cache_write *w, struct outbox *ob)
{
	w->act.image = w->image;
	w->act.complete = backing_read;
	w->s.effect_seq = w->image->effect_seq;
	issue_read(&w->act, ACTION_BACK_READ, w->s.merge + BLOCK_BYTES, w->s.block * BLOCK_BYTES,
		   ob);
}

/*
 * Looks at what is there of a partial block. 0: all that is needed is in memory (or nothing is);
 * 1: reads were issued; -EAGAIN: no merge buffer now, or it would have to read and may not; -EIO:
 * it is poisoned.
 */
static int find_base(struct cache *c, struct cache_write *w, bool may_wait, struct outbox *ob)
{
	struct index *ix = &c->index;
	uint32_t a = (uint32_t)(chunk_off(w) % BLOCK_BYTES), b = part_end(w);
	uint8_t torn = torn_sectors(w, w->image->size), covered = sectors_between(a, b);
	uint32_t cbn = index_find(ix, entry_key(w->image->id, w->s.block));
	uint8_t *ram = NULL;

	w->s.mask = covered;
	if (cbn != CBN_NONE && index_is_poison(ix, cbn)) {
		if (ix->mask[cbn] & (uint8_t)(~covered | torn))
			return -EIO;
		cbn = CBN_NONE;
	}
	if (cbn != CBN_NONE) {
		ram = log_ram(c, cbn, &w->s.base_buf);
		w->s.base_mask = ix->mask[cbn] & (uint8_t)(~covered | torn);
		w->s.base_is_clean = !index_is_dirty(ix, cbn);
	}
	w->s.mask |= w->s.base_mask;
	w->s.backing_mask = torn & (uint8_t)~w->s.base_mask;
	if (w->s.base_is_rotten && w->s.base_is_clean) {
		w->s.backing_mask |= w->s.base_mask;
		w->s.base_mask = 0;
	} else {
		w->s.base_is_rotten = false;
	}
	if (!w->s.base_mask)
		w->s.base_buf = NULL;
	if (!w->s.backing_mask && (!w->s.base_mask || ram)) {
		w->s.base = w->s.base_mask ? ram : NULL;
		if (w->s.base)
			w->s.base_buf->readers++;
		return 0;
	}
	w->s.merge = may_wait ? merge_get(c) : NULL;
	if (!w->s.merge) {
		w->s.base_buf = NULL;
		return -EAGAIN;
	}
	if (w->s.base_mask && ram) {
		w->s.base = ram;
		w->s.base_buf->readers++;
	} else {
		w->s.base_buf = NULL;
		w->s.base = w->s.base_mask ? w->s.merge : NULL;
	}
	if (w->s.base == w->s.merge && w->s.base_mask) {
		w->s.base_cbn = cbn;
		w->s.base_sum = ix->sum[cbn];
		w->s.base_position = log_position(c, cbn);
		log_segment_of(c, cbn)->readers++;
		w->act.complete = base_read;
		issue_read(&w->act, ACTION_DEV_READ, w->s.merge, log_device_offset(c, cbn), ob);
	} else {
		read_backing(w, ob);
	}
	return 1;
}

/* ---------------------------------------------------------------- reserve */

static uint64_t chunk_end(const struct cache_write *w)
{
	return chunk_off(w) + w->s.bytes;
}

/* Operations that must be in the log before the chunk. An end inside a sector needs its exact size.
 */
static uint32_t op_bytes_needed(const struct cache_write *w, struct op *size)
{
	const struct cache_image *img = w->image;
	uint32_t bytes = imgtab_bind_bytes(img);

	memset(size, 0, sizeof(*size));
	if (chunk_end(w) > img->size && chunk_end(w) % SECTOR_BYTES) {
		size->type = OP_SIZE;
		size->image = img->id;
		size->arg0 = chunk_end(w);
		bytes += op_bytes(size);
	}
	return bytes;
}

static int reserve(struct cache *c, struct cache_write *w, uint64_t now, struct outbox *ob)
{
	struct op size;
	uint32_t ops = op_bytes_needed(w, &size);
	int ret = shares_admit(c, w, now);

	if (!ret)
		ret = log_prepare(c, ops, 1, PURPOSE_USER, now, ob);
	if (ret < 0)
		return ret;
	if (ops) {
		imgtab_bind(c, w->image);
		if (size.type) {
			w->image->last_lsn = log_op(c, &size);
			imgtab_grow_size(w->image, size.arg0);
			w->image->size_pending = true;
		}
	}
	if (!w->s.is_partial) {
		w->s.blocks = min(w->s.blocks, log_room(c));
		w->s.bytes = w->s.blocks * BLOCK_BYTES;
	}
	w->s.extends = chunk_end(w) > w->image->size && chunk_end(w) % SECTOR_BYTES == 0;
	if (w->s.extends)
		w->image->logged_size = max(w->image->logged_size, chunk_end(w));
	w->s.rec = log_reserve(c, w->image->id, w->s.block, w->s.blocks, &w->s.entry, &w->s.dst);
	c->nr_reserved += w->s.blocks;
	return 0;
}

/* ---------------------------------------------------------------- copy, publish */

static bool is_spoilt(const struct cache_write *w)
{
	return w->s.is_partial && w->s.base_is_rotten && w->s.base_mask;
}

void cache_write_copy(struct cache *c, struct cache_write *w)
{
	const uint8_t *src = (const uint8_t *)w->data + w->s.done;

	(void)c;
	if (!w->s.is_partial) {
		memcpy(w->s.dst, src, w->s.bytes);
		return;
	}
	if (w->s.base && w->s.base == w->s.merge && checksum_block(w->s.base) != w->s.base_sum)
		rotten_base(w, -EUCLEAN);
	if (w->s.error || is_spoilt(w))
		return;
	memset(w->s.dst, 0, BLOCK_BYTES);
	if (w->s.base)
		sectors_copy(w->s.dst, w->s.base, w->s.base_mask);
	if (w->s.backing_mask)
		sectors_copy(w->s.dst, w->s.merge + BLOCK_BYTES, w->s.backing_mask);
	memcpy(w->s.dst + chunk_off(w) % BLOCK_BYTES, src, w->s.bytes);
}

static void count_write(struct cache *c, const struct cache_write *w, bool hit, bool on_buffer)
{
	unsigned int full = !w->s.is_partial;

	c->count[1u | (unsigned int)hit << 1 | (unsigned int)on_buffer << 2 | full << 3]++;
}

static void publish_blocks(struct cache *c, struct cache_write *w, int64_t at)
{
	struct record *rec = w->s.rec;
	uint8_t mask = w->s.is_partial ? w->s.mask : 0xff;

	cleaner_progress(c);
	for (uint32_t i = 0; i < w->s.blocks; i++) {
		uint32_t cbn = log_entry_cbn(c, rec, w->s.entry + i);
		uint32_t old = index_find(&c->index, entry_key(w->image->id, w->s.block + i));

		count_write(c, w, old != CBN_NONE, old != CBN_NONE && log_segment_of(c, old)->buf);
		log_publish(c, rec, w->s.entry + i, mask, w->s.extends ? ENTRY_EXTENDS : 0);
		blocks_insert(c, w->image, w->s.block + i, cbn, mask, at);
	}
}

void cache_write_publish(struct cache *c, struct cache_write *w, uint64_t now, struct outbox *ob)
{
	LOCK_SCOPE(&c->lock);
	struct record *rec = w->s.rec;
	int64_t at = c->info.real_ns + (int64_t)now;

	c->nr_reserved -= w->s.blocks;
	/* With a rotten base the entries stay dead, and the chunk is tried again without it. */
	if (!w->s.error && !is_spoilt(w)) {
		publish_blocks(c, w, at);
		if (w->s.extends && chunk_end(w) > w->image->size) {
			imgtab_grow_size(w->image, chunk_end(w));
			w->image->size_pending = true;
		}
		w->image->mtime_ns = at;
		w->image->last_lsn = max(w->image->last_lsn, rec->lsn);
		w->s.lsn = max(w->s.lsn, rec->lsn);
		w->s.done += w->s.bytes;
		w->s.base_is_rotten = false;
	}
	w->s.rec = NULL;
	release_base(c, w, now, ob);
	log_writer_done(c, rec, now, ob);
	range_release(w->image, &w->s.range, ob);
	w->s.bytes = 0;
	w->s.is_admitted = false;
	w->s.waits_ns = 0;
}

/* ---------------------------------------------------------------- ending and parking */

static enum cache_step finish(struct cache_write *w)
{
	bool failed = w->s.error && (w->sync || !w->s.done);

	w->result = failed ? w->s.error : (int)w->s.done;
	return CACHE_DONE;
}

static void synced(struct cache *c, struct cache_sync *s, uint64_t now, struct outbox *ob)
{
	struct cache_write *w = container_of(s, struct cache_write, sync_wait);

	(void)c;
	(void)now;
	if (s->result < 0)
		w->s.error = s->result;
	w->act.type = ACTION_RESUME;
	outbox_add(ob, &w->act);
}

static enum cache_step end_write(struct cache *c, struct cache_write *w, uint64_t now,
				 struct outbox *ob)
{
	if (!w->sync || w->s.is_syncing || w->s.error || !w->s.done)
		return finish(w);
	w->s.is_syncing = true;
	w->sync_wait.image = w->image;
	w->sync_wait.lsn = w->s.lsn;
	w->sync_wait.fn = synced;
	w->sync_wait.is_of_log = false;
	if (!commit_wait(c, &w->sync_wait, now, ob))
		return CACHE_WAIT;
	if (w->sync_wait.result < 0)
		w->s.error = w->sync_wait.result;
	return finish(w);
}

static enum cache_step park(struct cache *c, struct cache_write *w, struct list *queue,
			    bool may_wait, uint64_t now, struct outbox *ob)
{
	if (!may_wait)
		return CACHE_AGAIN;
	w->s.has_waited = true;
	waiters_add(queue, &w->s.wait, &w->act);
	if (queue == &c->log.space_waiters || queue == &c->share_waiters) {
		commit_kick(c, now, ob);
		migrate_kick(c, now, ob);
	}
	return CACHE_WAIT;
}

/* ---------------------------------------------------------------- delays near the full log */

static struct cache_write *first_delayed(const struct cache *c)
{
	return container_of(c->log.pace.waiters.next, struct cache_write, s.wait.node);
}

uint64_t write_next_delay(const struct cache *c)
{
	return list_is_empty(&c->log.pace.waiters) ? UINT64_MAX : first_delayed(c)->s.admit_ns;
}

void write_end_delays(struct cache *c, uint64_t now, struct outbox *ob)
{
	while (write_next_delay(c) <= now) {
		struct cache_write *w = first_delayed(c);

		list_del(&w->s.wait.node);
		outbox_add(ob, &w->act);
	}
}

void write_end_all_delays(struct cache *c, struct outbox *ob)
{
	waiters_wake(&c->log.pace.waiters, ob);
}

/* Delays the chunk if it must be: true, and *step is what to return. Holds nothing. */
static bool delay(struct cache *c, struct cache_write *w, bool may_wait, uint64_t now,
		  struct outbox *ob, enum cache_step *step)
{
	struct pace *p = &c->log.pace;
	uint64_t blocks = align_up(w->len - w->s.done, BLOCK_BYTES) / BLOCK_BYTES;

	if (!may_wait) {
		*step = CACHE_AGAIN;
		return pace_is_due(p, c->log.free_segments, now);
	}
	w->s.is_admitted = true;
	w->s.admit_ns = pace_admit(p, c->log.free_segments,
				   min(blocks, (uint64_t)log_most_entries(c)), now);
	if (w->s.admit_ns <= now)
		return false;
	waiters_add(&p->waiters, &w->s.wait, &w->act);
	deadline_lower(c, write_next_delay(c));
	migrate_kick(c, now, ob);
	*step = CACHE_WAIT;
	return true;
}

/* ---------------------------------------------------------------- the steps */

static void let_go(struct cache *c, struct cache_write *w, uint64_t now, struct outbox *ob)
{
	w->s.is_ready = false;
	release_base(c, w, now, ob);
	range_release(w->image, &w->s.range, ob);
}

/* The range and, for a partial block, what it needs of the older version. CACHE_COPY: all is there.
 */
static enum cache_step prepare(struct cache *c, struct cache_write *w, bool may_wait, uint64_t now,
			       struct outbox *ob)
{
	if (!range_try(w->image, &w->s.range, w->s.block, w->s.block + w->s.blocks - 1))
		return park(c, w, &w->image->range_waiters, may_wait, now, ob);
	if (w->s.is_partial) {
		int ret = find_base(c, w, may_wait, ob);

		if (ret == -EIO) {
			w->s.error = ret;
			let_go(c, w, now, ob);
			return end_write(c, w, now, ob);
		}
		if (ret < 0) {
			range_release(w->image, &w->s.range, ob);
			return park(c, w, &c->merge_waiters, may_wait, now, ob);
		}
		if (ret > 0) {
			w->s.is_ready = true;
			return CACHE_WAIT;
		}
	}
	w->s.is_ready = true;
	return CACHE_COPY;
}

/* ---------------------------------------------------------------- space */

/* For the log, or for its image's share of it? */
static bool must_wait(struct cache *c, const struct cache_write *w, uint64_t now)
{
	return shares_admit(c, w, now) < 0 || !log_has_space(c, PURPOSE_USER) ||
	       (!w->s.has_waited && !list_is_empty(&c->log.space_waiters));
}

/*
 * Holds nothing. Who waits for his share, or writes to a stalled image, waits apart: those who only
 * wait for the log come one after the other.
 */
static enum cache_step wait_for_space(struct cache *c, struct cache_write *w, bool may_wait,
				      uint64_t now, struct outbox *ob)
{
	bool is_stalled = image_is_stalled(w->image, now);

	if (!w->s.waits_ns)
		w->s.waits_ns = now;
	/* while cleaning yields space, there is no need to end the wait for it */
	if (shares_admit(c, w, now) < 0 || cleaner_is_at_rest(c, now))
		w->s.error = shares_patience(c, w->image, w->s.waits_ns, now);
	if (w->s.error)
		return end_write(c, w, now, ob);
	if (!is_stalled && shares_admit(c, w, now) == 0)
		return park(c, w, &c->log.space_waiters, may_wait, now, ob);
	if (may_wait)
		shares_wake_at(c, now + NSEC_PER_SEC);
	return park(c, w, &c->share_waiters, may_wait, now, ob);
}

static enum cache_step step_locked(struct cache *c, struct cache_write *w, bool may_wait,
				   uint64_t now, struct outbox *ob)
{
	enum cache_step step;

	if (!w->s.is_syncing && !w->s.error)
		w->s.error = w->off > IMAGE_BYTES_MAX || w->len > IMAGE_BYTES_MAX - w->off ?
				     -EFBIG :
				     imgtab_error(c, w->image);
	if (w->s.is_base_lost && c->failed) {
		w->s.error = 0; /* it need not be known (straight.c) */
		w->s.is_base_lost = false;
	}
	if (w->s.error || w->s.is_syncing || w->s.done == w->len) {
		let_go(c, w, now, ob);
		if (w->s.is_base_lost)
			poison_found(c, w->image, w->s.block, w->s.base_position, w->s.base_error,
				     now, ob);
		w->s.is_base_lost = false;
		return end_write(c, w, now, ob);
	}
	if (c->failed) {
		let_go(c, w, now, ob);
		step = straight_write(c, w, may_wait, now, ob);
		return step == CACHE_DONE ? end_write(c, w, now, ob) : step;
	}
	if (!w->s.is_ready) {
		if (log_is_short(c) && !w->s.is_admitted && delay(c, w, may_wait, now, ob, &step))
			return step;
		next_chunk(c, w);
		if (must_wait(c, w, now))
			return wait_for_space(c, w, may_wait, now, ob);
		step = prepare(c, w, may_wait, now, ob);
		if (step != CACHE_COPY)
			return step;
	}
	if (reserve(c, w, now, ob) < 0) {
		let_go(c, w, now, ob);
		return wait_for_space(c, w, may_wait, now, ob);
	}
	w->s.is_ready = false;
	return CACHE_COPY;
}

enum cache_step cache_write_step(struct cache *c, struct cache_write *w, bool may_wait,
				 uint64_t now, struct outbox *ob)
{
	LOCK_SCOPE(&c->lock);

	return step_locked(c, w, may_wait, now, ob);
}

enum cache_step cache_write_run(struct cache *c, struct cache_write *w, bool may_wait, uint64_t now,
				struct outbox *ob)
{
	enum cache_step step;

	while ((step = cache_write_step(c, w, may_wait, now, ob)) == CACHE_COPY) {
		cache_write_copy(c, w);
		cache_write_publish(c, w, now, ob);
	}
	return step;
}
