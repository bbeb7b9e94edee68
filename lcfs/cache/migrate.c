// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Migration: one batch at a time moves dirty blocks from the tail of the log to their backing
 * files. One that hangs is set aside (migrate_aside.c), and another one follows.
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
 * index still points at that very slot of that very segment. What failed stays dirty and is
 * written again later (P4): where it was a write, its blocks alone, so that one bad place of a file
 * does not have all of it written again and again; where it was anything else, all of the image.
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

static int batch_init(struct migrate_batch *b, uint32_t nr_pages)
{
	list_init(&b->images);
	b->nr_pages = nr_pages;
	b->memory = aligned_alloc(BLOCK_BYTES, (size_t)nr_pages * BLOCK_BYTES);
	b->item = calloc(nr_pages, sizeof(*b->item));
	b->run = calloc(nr_pages, sizeof(*b->run));
	b->iov = calloc(nr_pages, sizeof(*b->iov));
	b->order = calloc(nr_pages, sizeof(*b->order));
	prefault(b->memory, (size_t)nr_pages * BLOCK_BYTES);
	prefault(b->item, nr_pages * sizeof(*b->item));
	prefault(b->run, nr_pages * sizeof(*b->run));
	prefault(b->iov, nr_pages * sizeof(*b->iov));
	prefault(b->order, nr_pages * sizeof(*b->order));
	return b->memory && b->item && b->run && b->iov && b->order ? 0 : -ENOMEM;
}

int migrate_init(struct cache *c)
{
	uint32_t pages = c->conf.migrate_bytes / BLOCK_BYTES;
	int ret;

	c->migrate = calloc(1, sizeof(*c->migrate));
	if (!c->migrate)
		return -ENOMEM;
	c->migrate->limit = min(pages, 1024u);
	ret = batch_init(&c->migrate->batch[0], pages);
	for (uint32_t i = 1; i < MIGRATE_BATCHES && ret == 0; i++)
		ret = batch_init(&c->migrate->batch[i],
				 max(pages / MIGRATE_ASIDE_SHARE, MIGRATE_PAGES_MIN));
	return ret;
}

void migrate_free(struct cache *c)
{
	struct migrate *m = c->migrate;

	if (!m)
		return;
	for (uint32_t i = 0; i < MIGRATE_BATCHES; i++) {
		free(m->batch[i].memory);
		free(m->batch[i].item);
		free(m->batch[i].run);
		free(m->batch[i].iov);
		free(m->batch[i].order);
	}
	free(m);
	c->migrate = NULL;
}

uint64_t migrate_ram(const struct cache *c)
{
	const struct migrate_batch *b = c->migrate->batch;
	uint64_t pages = 0;

	for (uint32_t i = 0; i < MIGRATE_BATCHES; i++)
		pages += b[i].nr_pages;
	return pages * (BLOCK_BYTES + sizeof(*b->item) + sizeof(*b->run) + sizeof(*b->iov) +
			sizeof(*b->order));
}

uint64_t migrate_tried(const struct cache *c)
{
	return c->migrate->tried_ns;
}

/* The first item of that key or a higher one. */
static uint32_t find_item(const struct migrate_batch *b, uint64_t key)
{
	uint32_t lo = 0, hi = b->nr_items;

	while (lo < hi) {
		uint32_t mid = lo + (hi - lo) / 2;

		if (b->item[mid].key < key)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

bool migrate_overlaps(const struct cache_image *img, uint64_t first, uint64_t last)
{
	const struct migrate_batch *b = img->batch;
	uint32_t i;

	if (!b || b->phase == MIGRATE_IDLE || b->phase > MIGRATE_WRITE_TAILS)
		return false;
	i = find_item(b, entry_key(img->id, first));
	return i < b->nr_items && b->item[i].key <= entry_key(img->id, last);
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

bool migrate_image_fails(struct cache_image *img, uint64_t since, uint64_t now)
{
	bool is_first = !img->fails_ns || now >= img->failed_ns + CLEANER_FORGET_NS;

	if (is_first)
		img->fails_ns = since;
	img->failed_ns = now;
	return is_first;
}

void migrate_image_failed(struct cache *c, struct cache_image *img, int error, uint64_t now)
{
	img->batch_failed = true;
	if (migrate_image_fails(img, now, now))
		shares_wake_at(c, now + CLEANER_STALLED_NS);
	img->tried_ns = img->batch->started_ns;
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

void migrate_try_soon(struct cache *c, struct cache_image *img, uint64_t now)
{
	if (img->batch || !img->retries)
		return;
	img->retry_ns = min(img->retry_ns, max(now, img->failed_ns + RETRY_NS));
	deadline_lower(c, img->retry_ns);
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
	if (img->is_draining && !img->batch && poison_is_all(img))
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
	struct migrate_batch *b = img->batch;

	migrate_answered(img, now);
	if (a->type == ACTION_BACK_LEAVE)
		result = lost_left(img, result);
	if (result < 0 && a->type == ACTION_BACK_SYNC)
		lost_sync_failed(img, result);
	if (result == BACK_CONFLICT || result == BACK_MISSING)
		imgtab_set_state(c, img, result == BACK_CONFLICT ? IMAGE_CONFLICT : IMAGE_MISSING,
				 0, now, ob);
	if (result < 0)
		migrate_image_failed(c, img, result, now);
	else if (b->phase == MIGRATE_SYNC && was_left_alone(img))
		memcpy(&img->stamp, &a->stamp, sizeof(img->stamp));
	if (b->pending == 0)
		migrate_next_phase(c, b, now, ob);
}

void migrate_issue_image(struct cache *c, struct cache_image *img, enum action_type type,
			 uint64_t now, struct outbox *ob)
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
	migrate_asked(c, img, now);
	outbox_add(ob, a);
}

static bool start_check(struct cache *c, struct migrate_batch *b, uint64_t now, struct outbox *ob)
{
	struct cache_image *img;

	list_for_each_entry(img, &b->images, batch_node)
		migrate_issue_image(c, img, ACTION_BACK_CHECK, now, ob);
	return b->pending > 0;
}

/* ---------------------------------------------------------------- grow, sync and finish */

static bool start_grow(struct cache *c, struct migrate_batch *b, uint64_t now, struct outbox *ob)
{
	struct cache_image *img;

	migrate_find_ends(b);
	list_for_each_entry(img, &b->images, batch_node)
		if (img->lost.has_left && !img->lost.is_open && !img->batch_failed)
			migrate_issue_image(c, img, ACTION_BACK_TRUNCATE, now, ob);
		else if (!img->lost.has_left && img->batch_end)
			migrate_issue_image(c, img, ACTION_BACK_GROW, now, ob);
	return b->pending > 0;
}

bool migrate_item_is_current(struct cache *c, const struct migrate_item *it)
{
	return (c->index.flags[it->cbn] & INDEX_BATCH) && c->index.key[it->cbn] == it->key &&
	       log_segment_of(c, it->cbn)->id == it->segment_id;
}

static bool start_sync(struct cache *c, struct migrate_batch *b, uint64_t now, struct outbox *ob)
{
	struct cache_image *img;

	list_for_each_entry(img, &b->images, batch_node)
		img->batch_items = 0;
	for (uint32_t i = 0; i < b->nr_items; i++)
		if (!b->item[i].is_failed && migrate_item_is_current(c, &b->item[i]))
			b->item[i].img->batch_items++;
	list_for_each_entry(img, &b->images, batch_node) {
		waiters_wake(&img->range_waiters, ob);
		if (img->batch_error && !img->batch_items && !img->batch_failed)
			migrate_image_failed(c, img, img->batch_error, now);
		if (img->batch_failed)
			continue;
		img->batch_lsn = img->last_lsn;
		img->batch_touch_seq = img->touchers ? UINT64_MAX : img->touch_seq;
		img->batch_final = !c->failed && img->batch_items == img->dirty &&
				   !imgtab_has_pending(img) && !img->touchers &&
				   img->last_lsn <= c->log.durable_lsn;
		migrate_issue_image(c, img, ACTION_BACK_SYNC, now, ob);
	}
	return b->pending > 0;
}

/* The backing file has all of the image: say so in the log (E5, G1). */
static void log_clean(struct cache *c, struct cache_image *img, uint64_t now, struct outbox *ob)
{
	struct op op = { .type = OP_CLEAN,
			 .image = img->id,
			 .arg0 = img->batch_lsn,
			 .has_stamp = true };

	if (c->failed || imgtab_is_leaving(img) || !img->batch_final || img->dirty ||
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
	img->is_new = false;
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
	struct migrate_batch *b = migrate_new_batch(c);
	struct cache_image *img;

	if (!b)
		return false;
	list_for_each_entry(img, &c->images, node)
		if (img->is_bound && img->is_touching && !img->is_unbound && !img->is_stopped &&
		    !img->batch)
			migrate_add_image(b, img);
	b->phase = MIGRATE_SYNC;
	c->migrate->current = b;
	if (!list_is_empty(&b->images) && start_sync(c, b, now, ob))
		return true;
	b->phase = MIGRATE_IDLE;
	c->migrate->current = NULL;
	return false;
}

static void finish_items(struct cache *c, const struct migrate_batch *b,
			 const struct cache_image *img)
{
	uint32_t i = find_item(b, entry_key(img->id, 0));

	for (; i < b->nr_items && b->item[i].img == img; i++) {
		struct migrate_item *it = &b->item[i];
		bool has_failed = it->is_failed || img->batch_failed;

		it->img = NULL;
		it->is_failed = true;
		it->backing = NULL;
		it->ram = NULL;
		if (!migrate_item_is_current(c, it))
			continue;
		c->index.flags[it->cbn] &= (uint8_t)~INDEX_BATCH;
		if (has_failed)
			continue;
		blocks_set_clean(c, it->cbn);
		c->nr_migrated++;
	}
}

/*
 * A batch is to take about half a second: who waits for one (a truncate, the governor, a writer
 * without space) shall not wait for thousands of requests on a slow store.
 */
static void adapt(struct migrate *m, const struct migrate_batch *b, uint64_t now)
{
	uint64_t took = max(now - b->started_ns, (uint64_t)1);
	uint64_t limit = m->limit;

	if (took > BATCH_NS)
		limit = limit * BATCH_NS / took;
	else if (b->cost >= (uint64_t)m->limit * MIGRATE_REQUEST_COST)
		limit *= 2;
	m->limit = (uint32_t)min(max(limit, (uint64_t)BATCH_REQUESTS_MIN),
				 (uint64_t)m->batch[0].nr_pages);
}

void migrate_finish_image(struct cache *c, struct cache_image *img, uint64_t now, struct outbox *ob)
{
	finish_items(c, img->batch, img);
	if (img->batch_error && !img->batch_failed)
		migrate_image_failed(c, img, img->batch_error, now);
	list_del(&img->batch_node);
	img->batch = NULL;
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

static void finish(struct cache *c, struct migrate_batch *b, uint64_t now, struct outbox *ob)
{
	struct cache_image *img, *tmp;

	list_for_each_entry_safe(img, tmp, &b->images, batch_node)
		migrate_finish_image(c, img, now, ob);
	b->phase = MIGRATE_IDLE;
	b->nr_items = 0;
	if (b == c->migrate->current) {
		adapt(c->migrate, b, now);
		c->migrate->current = NULL;
	}
	migrate_batch_over(c, now, ob);
}

void migrate_batch_over(struct cache *c, uint64_t now, struct outbox *ob)
{
	shares_wake(c, ob);
	deadline_lower(c, migrate_deadline(c));
	if (cache_stop_goes_on(c, now, ob) || (c->is_stopping && !c->failed))
		return;
	if (!c->failed && super_tail_candidate(c, UINT64_MAX) > c->tail)
		super_request(c, now, ob);
	migrate_kick(c, now, ob);
	if (c->failed)
		lost_kick(c, now, ob);
}

/* ---------------------------------------------------------------- the machine */

static bool start_phase(struct cache *c, struct migrate_batch *b, uint64_t now, struct outbox *ob)
{
	switch (b->phase) {
	case MIGRATE_CHECK:
		return start_check(c, b, now, ob);
	case MIGRATE_TOUCH:
		return c->failed ? migrate_start_leave(c, b, now, ob) :
				   migrate_start_touch(c, b, now, ob);
	case MIGRATE_EFFECTS:
		return migrate_start_effects(c, b, now, ob);
	case MIGRATE_READ:
		return migrate_start_read(c, b, now, ob);
	case MIGRATE_VERIFY:
		return migrate_start_verify(c, b, ob);
	case MIGRATE_LEAVE:
		return migrate_start_late_leave(c, b, now, ob);
	case MIGRATE_GROW:
		return start_grow(c, b, now, ob);
	case MIGRATE_WRITE:
	case MIGRATE_WRITE_TAILS:
		return migrate_start_write(c, b, now, ob);
	case MIGRATE_SYNC:
		return start_sync(c, b, now, ob);
	default:
		return false;
	}
}

/* All actions of the phase have ended: on to the next one that has any. */
void migrate_next_phase(struct cache *c, struct migrate_batch *b, uint64_t now, struct outbox *ob)
{
	if (b->is_aside && c->is_stopping && !c->failed) {
		/* it is too late: the log has ended without it */
		migrate_all_failed(c, b, -EAGAIN, now);
		b->phase = MIGRATE_SYNC;
	}
	while (b->phase < MIGRATE_SYNC) {
		b->phase++;
		if (start_phase(c, b, now, ob))
			return;
	}
	finish(c, b, now, ob);
}

void migrate_begin(struct cache *c, uint64_t now, struct outbox *ob)
{
	struct migrate_batch *b = c->migrate->current;

	b->phase = MIGRATE_CHECK;
	b->started_ns = now;
	if (!start_phase(c, b, now, ob))
		migrate_next_phase(c, b, now, ob);
	lost_tell_saved(c, now, ob);
}
