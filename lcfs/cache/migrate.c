// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Migration: one batch at a time moves dirty blocks from the tail of the log to their backing
 * files.
 *
 *	COLLECT ─▶ CHECK    still the same files? (F2)
 *	        ─▶ TOUCH    marks logged and durable (G1)
 *	        ─▶ EFFECTS  pending truncates and punches (E3)
 *	        ─▶ READ     the log, and the backing file where a block has gaps
 *	        ─▶ VERIFY
 *	        ─▶ LEAVE    only when the cache device is lost (lost.c)
 *	        ─▶ GROW     each file to the end of what is written to it (F5)
 *	        ─▶ WRITE    sorted, adjacent blocks together
 *	        ─▶ TAILS    blocks whose end cannot be written directly (F5)
 *	        ─▶ SYNC     each file
 *	        ─▶ FINISH   mark clean (F1)
 *
 * Only blocks of records that are durable are taken (B5), each live version once; neighbours from
 * younger segments join in, since their turn would come anyway and one request serves both. A block
 * is marked clean only if the fdatasync that began after its write returned 0, and only if the
 * index still points at that very slot of that very segment. What failed stays dirty and is written
 * again later (P4).
 *
 * F5: a filesystem writes directly where offset and end are aligned, else through its page cache;
 * and there it also clears the rest of the last block when a write makes the file longer. A page
 * that is read for that while the block is being written directly has the old content, and is
 * written back over the new one. So while writes to a file are under way that are direct, none
 * makes it longer and none goes through the page cache.
 */
#include "lcfs/cache/lost.h"
#include "lcfs/cache/migrate.h"

#include <stdlib.h>

#include "common/nsec.h"
#include "common/prefault.h"
#include "lcfs/cache/cleaner.h"
#include "lcfs/cache/poison.h"
#include "lcfs/cache/shares.h"

#define RETRY_NS NSEC_PER_SEC
#define RETRIES_SHIFT_MAX 5
#define AGAIN_NS (NSEC_PER_SEC / 32)
#define BATCH_NS (NSEC_PER_SEC / 2)
#define BATCH_REQUESTS_MIN 64u

/* ---------------------------------------------------------------- life */

int migrate_init(struct cache *c)
{
	struct migrate *m = calloc(1, sizeof(*m));

	if (!m)
		return -ENOMEM;
	c->migrate = m;
	list_init(&m->images);
	m->nr_pages = c->conf.migrate_bytes / BLOCK_BYTES;
	m->limit = min(m->nr_pages, 1024u);
	m->memory = aligned_alloc(BLOCK_BYTES, (size_t)m->nr_pages * BLOCK_BYTES);
	m->item = calloc(m->nr_pages, sizeof(*m->item));
	m->run = calloc(m->nr_pages, sizeof(*m->run));
	m->iov = calloc(m->nr_pages, sizeof(*m->iov));
	m->order = calloc(m->nr_pages, sizeof(*m->order));
	prefault(m->memory, (size_t)m->nr_pages * BLOCK_BYTES);
	prefault(m->item, m->nr_pages * sizeof(*m->item));
	prefault(m->run, m->nr_pages * sizeof(*m->run));
	prefault(m->iov, m->nr_pages * sizeof(*m->iov));
	prefault(m->order, m->nr_pages * sizeof(*m->order));
	return m->memory && m->item && m->run && m->iov && m->order ? 0 : -ENOMEM;
}

void migrate_free(struct cache *c)
{
	struct migrate *m = c->migrate;

	if (!m)
		return;
	free(m->memory);
	free(m->item);
	free(m->run);
	free(m->iov);
	free(m->order);
	free(m);
	c->migrate = NULL;
}

uint64_t migrate_ram(const struct cache *c)
{
	const struct migrate *m = c->migrate;

	return (uint64_t)m->nr_pages * (BLOCK_BYTES + sizeof(*m->item) + sizeof(*m->run) +
					sizeof(*m->iov) + sizeof(*m->order));
}

uint64_t migrate_tried(const struct cache *c)
{
	return c->migrate->tried_ns;
}

bool migrate_is_busy(const struct cache *c)
{
	return c->migrate->phase != MIGRATE_IDLE;
}

bool migrate_overlaps(const struct cache *c, const struct cache_image *img, uint64_t first,
		      uint64_t last)
{
	const struct migrate *m = c->migrate;
	uint32_t lo = 0, hi = m->nr_items;

	if (m->phase == MIGRATE_IDLE || m->phase > MIGRATE_WRITE_TAILS)
		return false;
	while (lo < hi) {
		uint32_t mid = lo + (hi - lo) / 2;

		if (m->item[mid].key < entry_key(img->id, first))
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo < m->nr_items && m->item[lo].key <= entry_key(img->id, last);
}

/* ---------------------------------------------------------------- failures */

static void retry_in(struct cache *c, struct cache_image *img, uint64_t least, uint64_t now)
{
	img->retry_ns = now + (least << min(img->retries, (uint32_t)RETRIES_SHIFT_MAX));
	img->retries++;
	deadline_lower(c, img->retry_ns);
}

/* Not now: no error, and whatever changes ends it. */
static void pause_image(struct cache *c, struct cache_image *img, uint64_t now)
{
	img->is_paused = true;
	retry_in(c, img, AGAIN_NS, now);
}

void migrate_image_failed(struct cache *c, struct cache_image *img, int error, uint64_t now)
{
	img->batch_failed = true;
	if (!img->fails_ns || now >= img->failed_ns + CLEANER_FORGET_NS) {
		img->fails_ns = now;
		shares_wake_at(c, now + CLEANER_STALLED_NS);
	}
	img->failed_ns = now;
	if (error == -EAGAIN) {
		pause_image(c, img, now);
		return;
	}
	c->nr_migrate_errors++;
	img->is_paused = false;
	retry_in(c, img, RETRY_NS, now);
	if (img->state == TABLE_STATE_OK)
		img->error = -error;
}

static void end_pause(struct cache_image *img)
{
	if (img->is_paused)
		img->retries = 0;
	img->is_paused = false;
}

void migrate_image_changed(struct cache *c, struct cache_image *img, uint64_t now,
			   struct outbox *ob)
{
	end_pause(img);
	cleaner_progress(c);
	shares_wake(c, ob);
	if (img->is_draining && !img->in_batch && poison_is_all(img))
		op_drain_done(c, img, now, ob);
	migrate_kick(c, now, ob);
}

void migrate_log_has_space(struct cache *c, uint64_t now, struct outbox *ob)
{
	struct cache_image *img;

	list_for_each_entry(img, &c->images, node)
		end_pause(img);
	migrate_kick(c, now, ob);
}

/* ---------------------------------------------------------------- phases with one action an image
 */

/* Has nobody touched the file since before the batch's sync? Else the stamp may be of a change that
 * a power cut takes back; the older one is right for a file that is being touched. */
static bool was_left_alone(const struct cache_image *img)
{
	return !img->touchers && img->touch_seq == img->batch_touch_seq;
}

static void image_done(struct cache *c, struct action *a, int result, uint64_t now,
		       struct outbox *ob)
{
	struct cache_image *img = container_of(a, struct cache_image, sync);
	struct migrate *m = c->migrate;

	if (a->type == ACTION_BACK_LEAVE)
		result = lost_left(img, result);
	if (result < 0 && a->type == ACTION_BACK_SYNC)
		lost_sync_failed(img, result);
	if (result == BACK_CONFLICT || result == BACK_MISSING)
		imgtab_set_state(c, img,
				 result == BACK_CONFLICT ? IMAGE_CONFLICT : IMAGE_MISSING, 0, now,
				 ob);
	if (result < 0)
		migrate_image_failed(c, img, result, now);
	else if (m->phase == MIGRATE_SYNC && was_left_alone(img))
		memcpy(&img->stamp, &a->stamp, sizeof(img->stamp));
	if (--m->pending == 0)
		migrate_next_phase(c, now, ob);
}

void migrate_issue_image(struct cache *c, struct cache_image *img, enum action_type type,
			 struct outbox *ob)
{
	struct action *a = &img->sync;

	memset(a, 0, sizeof(*a));
	list_init(&a->node);
	a->type = type;
	a->is_migration = true;
	a->image = img;
	a->complete = image_done;
	if (type == ACTION_BACK_GROW)
		a->off = img->batch_end;
	if (type == ACTION_BACK_TRUNCATE)
		a->off = img->size;
	if (type == ACTION_BACK_LEAVE)
		a->arg = log_head_lsn(c);
	if (type == ACTION_BACK_SYNC && img->batch_final) {
		a->arg = 1;
		a->off = img->size;
		a->stamp.mtime_ns = img->mtime_ns;
	}
	c->migrate->pending++;
	outbox_add(ob, a);
}

static bool start_check(struct cache *c, struct outbox *ob)
{
	struct cache_image *img;

	list_for_each_entry(img, &c->migrate->images, batch_node)
		migrate_issue_image(c, img, ACTION_BACK_CHECK, ob);
	return c->migrate->pending > 0;
}

/* ---------------------------------------------------------------- grow, sync and finish */

static bool start_grow(struct cache *c, struct outbox *ob)
{
	struct cache_image *img;

	migrate_find_ends(c);
	list_for_each_entry(img, &c->migrate->images, batch_node)
		if (img->lost.has_left && !img->lost.is_open && !img->batch_failed)
			migrate_issue_image(c, img, ACTION_BACK_TRUNCATE, ob);
		else if (!img->lost.has_left && img->batch_end)
			migrate_issue_image(c, img, ACTION_BACK_GROW, ob);
	return c->migrate->pending > 0;
}

bool migrate_item_is_current(struct cache *c, const struct migrate_item *it)
{
	return (c->index.flags[it->cbn] & INDEX_BATCH) && c->index.key[it->cbn] == it->key &&
	       log_segment_of(c, it->cbn)->id == it->segment_id;
}

static bool migrate_start_sync(struct cache *c, struct outbox *ob)
{
	struct migrate *m = c->migrate;
	struct cache_image *img;

	list_for_each_entry(img, &m->images, batch_node)
		img->batch_items = 0;
	for (uint32_t i = 0; i < m->nr_items; i++)
		if (!m->item[i].is_failed && migrate_item_is_current(c, &m->item[i]))
			m->item[i].img->batch_items++;
	list_for_each_entry(img, &m->images, batch_node) {
		waiters_wake(&img->range_waiters, ob);
		if (img->batch_failed)
			continue;
		img->batch_lsn = img->last_lsn;
		img->batch_touch_seq = img->touchers ? UINT64_MAX : img->touch_seq;
		img->batch_final = !c->failed && img->batch_items == img->dirty &&
				   !imgtab_has_pending(img) && !img->touchers &&
				   img->last_lsn <= c->log.durable_lsn;
		migrate_issue_image(c, img, ACTION_BACK_SYNC, ob);
	}
	return m->pending > 0;
}

/* The backing file has all of the image: say so in the log (E5, G1). */
static void log_clean(struct cache *c, struct cache_image *img, uint64_t now, struct outbox *ob)
{
	struct op op = { .type = OP_CLEAN,
			 .image = img->id,
			 .arg0 = img->batch_lsn,
			 .has_stamp = true };

	if (c->failed || img->is_unbound || !img->batch_final || img->dirty ||
	    imgtab_has_pending(img) || img->last_lsn != img->batch_lsn || !was_left_alone(img) ||
	    img->size != img->sync.off)
		return;
	op.stamp = img->stamp;
	if (log_prepare(c, op_bytes(&op), 0, PURPOSE_CLEANER, now, ob) < 0) {
		pause_image(c, img, now);
		return;
	}
	img->last_lsn = log_op(c, &op);
	img->clean_lsn = img->batch_lsn;
	img->is_touching = false;
	img->size_pending = false;
}

/* Orderly end: after its sync the file is what the stamp says, dirty data in the log or not. */
static void end_touching(struct cache *c, struct cache_image *img)
{
	if (!c->is_stopping || img->batch_failed || imgtab_has_pending(img) || !was_left_alone(img))
		return;
	img->is_touching = false;
}

bool migrate_stamp(struct cache *c, uint64_t now, struct outbox *ob)
{
	struct migrate *m = c->migrate;
	struct cache_image *img;

	(void)now;
	m->nr_items = 0;
	m->nr_images = 0;
	m->pending = 0;
	list_init(&m->images);
	list_for_each_entry(img, &c->images, node)
		if (img->is_bound && img->is_touching && !img->is_unbound && !img->is_stopped)
			migrate_add_image(m, img);
	m->phase = MIGRATE_SYNC;
	if (!list_is_empty(&m->images) && migrate_start_sync(c, ob))
		return true;
	m->phase = MIGRATE_IDLE;
	return false;
}

static void finish_items(struct cache *c)
{
	struct migrate *m = c->migrate;

	for (uint32_t i = 0; i < m->nr_items; i++) {
		struct migrate_item *it = &m->item[i];

		if (!migrate_item_is_current(c, it))
			continue;
		c->index.flags[it->cbn] &= (uint8_t)~INDEX_BATCH;
		if (it->is_failed || it->img->batch_failed)
			continue;
		blocks_set_clean(c, it->cbn);
		c->nr_migrated++;
	}
}

/*
 * A batch is to take about half a second: who waits for one (a truncate, the governor, a writer
 * without space) shall not wait for thousands of requests on a slow store.
 */
static void adapt(struct migrate *m, uint64_t now)
{
	uint64_t took = max(now - m->started_ns, (uint64_t)1);
	uint64_t limit = m->limit;

	if (took > BATCH_NS)
		limit = limit * BATCH_NS / took;
	else if (m->cost >= (uint64_t)m->limit * MIGRATE_REQUEST_COST)
		limit *= 2;
	m->limit = (uint32_t)min(max(limit, (uint64_t)BATCH_REQUESTS_MIN), (uint64_t)m->nr_pages);
}

static void finish(struct cache *c, uint64_t now, struct outbox *ob)
{
	struct migrate *m = c->migrate;
	struct cache_image *img, *tmp;

	finish_items(c);
	shares_wake(c, ob);
	adapt(m, now);
	m->phase = MIGRATE_IDLE;
	m->nr_items = 0;
	list_for_each_entry_safe(img, tmp, &m->images, batch_node) {
		list_del(&img->batch_node);
		img->in_batch = false;
		if (!img->batch_failed) {
			img->retries = 0;
			img->fails_ns = 0;
			if (img->state == TABLE_STATE_OK)
				img->error = 0;
			log_clean(c, img, now, ob);
			end_touching(c, img);
			lost_batch_done(c, img);
		}
		op_drain_done(c, img, now, ob);
	}
	deadline_lower(c, migrate_deadline(c));
	if (cache_stop_goes_on(c, now, ob))
		return;
	if (!c->failed && super_tail_candidate(c, UINT64_MAX) > c->tail)
		super_request(c, now, ob);
	migrate_kick(c, now, ob);
	if (c->failed)
		lost_kick(c, now, ob);
}

/* ---------------------------------------------------------------- the machine */

static bool start_phase(struct cache *c, uint64_t now, struct outbox *ob)
{
	switch (c->migrate->phase) {
	case MIGRATE_CHECK:
		return start_check(c, ob);
	case MIGRATE_TOUCH:
		return c->failed ? migrate_start_leave(c, ob) : migrate_start_touch(c, now, ob);
	case MIGRATE_EFFECTS:
		return migrate_start_effects(c, now, ob);
	case MIGRATE_READ:
		return migrate_start_read(c, ob);
	case MIGRATE_VERIFY:
		return migrate_start_verify(c, ob);
	case MIGRATE_LEAVE:
		return migrate_start_late_leave(c, ob);
	case MIGRATE_GROW:
		return start_grow(c, ob);
	case MIGRATE_WRITE:
	case MIGRATE_WRITE_TAILS:
		return migrate_start_write(c, now, ob);
	case MIGRATE_SYNC:
		return migrate_start_sync(c, ob);
	default:
		return false;
	}
}

/* All actions of the phase have ended: on to the next one that has any. */
void migrate_next_phase(struct cache *c, uint64_t now, struct outbox *ob)
{
	struct migrate *m = c->migrate;

	while (m->phase < MIGRATE_SYNC) {
		m->phase++;
		if (start_phase(c, now, ob))
			return;
	}
	finish(c, now, ob);
}

void migrate_begin(struct cache *c, uint64_t now, struct outbox *ob)
{
	struct migrate *m = c->migrate;

	m->phase = MIGRATE_CHECK;
	m->started_ns = now;
	if (!start_phase(c, now, ob))
		migrate_next_phase(c, now, ob);
	lost_tell_saved(c, now, ob);
}
