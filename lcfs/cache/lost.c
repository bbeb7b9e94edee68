// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A cache device that is given up: the log has ended, and the images go on without it.
 *
 *	ok ──cache_fail──▶ degraded ──all that can be read is saved──▶ degraded, or failed
 *
 * What is dirty is saved by migration, which now takes what is not durable as well (there will be
 * no replay that could miss what came before): from the RAM buffers, which are never let go from
 * here on, and from the device, as far as that can be read. What could not is tried again a moment
 * later, and once more, and whenever the image is drained. What can be read nowhere stays dirty in
 * the index, *lost*: reads of it are EIO, and a write that covers it makes it readable again.
 *
 * New writes go straight to the backing file (straight.c); a sync is an fsync of that. Nothing
 * enters the index any more, so what is dirty only gets less, and once one whole look over the log
 * has found nothing of an image that can be saved, it is *saved*.
 *
 * F3: the log on the device still has the image as it was, and may come back. So before anything of
 * an image goes past the log, its file is marked as having left it (ACTION_BACK_LEAVE, durable); an
 * image whose file takes no mark becomes read-only. Then what the log still owed the file without
 * data (holes, sizes) is done, and the image is *open* for straight writes:
 *
 *	bound ──BACK_LEAVE──▶ has_left ──effects, size, data of the batch, sync──▶ is_open
 *
 * Clean blocks count as not cached: the backing file has them, and only it stays up to date.
 */
#include "lcfs/cache/lost.h"
#include "lcfs/cache/migration.h"
#include "lcfs/cache/op.h"
#include "lcfs/cache/shares.h"

#include <stdlib.h>

#include "common/nsec.h"

#define READ_ERRORS_MAX 64u
#define AGAIN_NS (30 * NSEC_PER_MSEC)
#define LOOKS_MAX 2u		      /* further ones at what could not be read, */
#define LOOK_NS (100 * NSEC_PER_MSEC) /* after so much, and twice that */

/* ---------------------------------------------------------------- what can be read */

bool lost_is(struct cache *c, uint32_t cbn)
{
	struct wbuf *b;

	if (!c->failed || !index_is_dirty(&c->index, cbn))
		return false;
	if (index_is_poison(&c->index, cbn))
		return true;
	if (log_ram(c, cbn, &b))
		return false;
	return c->lost.is_unreadable || (c->lost.bad[cbn / 8] & 1u << cbn % 8);
}

void lost_mark(struct cache *c, uint32_t cbn)
{
	if (!c->failed || c->lost.is_unreadable)
		return;
	c->lost.bad[cbn / 8] |= (uint8_t)(1u << cbn % 8);
	if (++c->lost.read_errors >= READ_ERRORS_MAX)
		c->lost.is_unreadable = true;
}

void lost_was_read(struct cache *c)
{
	c->lost.read_errors = 0;
}

static bool has_writers(const struct cache *c)
{
	const struct record *rec;

	list_for_each_entry(rec, &c->log.records, node)
		if (rec->writers)
			return true;
	return false;
}

static void forget_bad(struct cache *c)
{
	if (c->lost.is_hung || !c->lost.bad)
		return;
	memset(c->lost.bad, 0, div_round_up((uint64_t)c->index.blocks, 8));
	c->lost.is_unreadable = false;
	c->lost.read_errors = 0;
}

void lost_begin_look(struct cache *c, uint64_t now)
{
	struct cache_image *img;

	if (c->lost.look_ns && now >= c->lost.look_ns) {
		c->lost.look_ns = 0;
		forget_bad(c);
	}
	list_for_each_entry(img, &c->images, node)
		img->lost.is_seen = false;
}

/* Is it too early to call lost what could not be read? */
static bool look_later(struct cache *c, uint64_t now)
{
	if (c->lost.is_hung || !c->lost.bad)
		return false;
	if (c->lost.look_ns)
		return true;
	if (c->lost.looks == LOOKS_MAX)
		return false;
	c->lost.look_ns = now + (LOOK_NS << c->lost.looks++);
	deadline_lower(c, c->lost.look_ns);
	return true;
}

void lost_end_look(struct cache *c, uint64_t now)
{
	struct cache_image *img;

	if (has_writers(c))
		return;
	list_for_each_entry(img, &c->images, node) {
		/* what a batch set aside still has counts, and holes and sizes that the log owes
		 * the file */
		if (img->lost.is_seen || img->lost.is_saved || img->batch ||
		    (img->is_bound && lost_wants_batch(img)) ||
		    (img->dirty && look_later(c, now)))
			continue;
		img->lost.is_saved = true;
		c->lost.has_news = true;
	}
}

void lost_try_again(struct cache *c)
{
	struct cache_image *img;

	if (c->lost.is_hung || !c->lost.bad)
		return;
	forget_bad(c);
	c->lost.looks = 0;
	list_for_each_entry(img, &c->images, node)
		if (img->dirty)
			img->lost.is_saved = false;
}

void lost_tell_saved(struct cache *c, uint64_t now, struct outbox *ob)
{
	struct cache_image *img;

	if (!c->lost.has_news)
		return;
	c->lost.has_news = false;
	list_for_each_entry(img, &c->images, node)
		if (img->lost.is_saved)
			op_drain_done(c, img, now, ob);
	lost_kick(c, now, ob);
}

bool lost_wants_batch(const struct cache_image *img)
{
	if (img->lost.is_open || img->lost.is_read_only)
		return false;
	return img->lost.is_wanted || img->size_pending || imgtab_has_pending(img);
}

/* ---------------------------------------------------------------- leaving */

int lost_left(struct cache_image *img, int result)
{
	if (result == 0)
		img->lost.has_left = true;
	if (result == 0 || result == -EAGAIN || result == BACK_CONFLICT || result == BACK_MISSING)
		return result;
	img->lost.is_read_only = true;
	return -EROFS;
}

void lost_batch_done(struct cache *c, struct cache_image *img)
{
	if (!c->failed || !img->lost.has_left || img->lost.is_open)
		return;
	img->lost.is_open = true;
	img->size_pending = false;
}

int lost_error(const struct cache *c, const struct cache_image *img)
{
	return c->failed && img->lost.is_read_only ? -EROFS : 0;
}

/* ---------------------------------------------------------------- syncs */

static void image_synced(struct cache *c, struct action *a, int result, uint64_t now,
			 struct outbox *ob);

static void issue_sync(struct cache *c, struct cache_image *img, uint64_t now, struct outbox *ob)
{
	struct action *a = &img->lost.sync;

	if (img->lost.is_syncing)
		return;
	if (now < img->lost.again_ns) {
		deadline_lower(c, img->lost.again_ns);
		return;
	}
	memset(a, 0, sizeof(*a));
	list_init(&a->node);
	a->type = ACTION_BACK_SYNC;
	a->image = img;
	a->complete = image_synced;
	img->lost.is_syncing = true;
	img->lost.issued = ++c->lost.seq;
	outbox_add(ob, a);
}

/* Is all of the image that was answered before `seq` in its file for good? -EAGAIN: not yet. */
static int look_at_image(struct cache *c, struct cache_image *img, uint64_t seq, uint64_t now,
			 struct outbox *ob)
{
	struct lost_image *li = &img->lost;

	if (img->is_unbound)
		return 0;
	if (img->is_stopped || li->is_read_only)
		return img->last_lsn > c->log.durable_lsn ? -EIO : 0;
	if (!li->is_saved)
		return img->error && !img->is_hung ? -img->error : -EAGAIN;
	if (li->error)
		return li->error;
	if (li->written <= li->synced || li->synced > seq)
		return 0;
	issue_sync(c, img, now, ob);
	return -EAGAIN;
}

static int look_at_all(struct cache *c, uint64_t seq, uint64_t now, struct outbox *ob)
{
	struct cache_image *img;
	bool is_waiting = false;
	int error = 0;

	list_for_each_entry(img, &c->images, node) {
		int ret = look_at_image(c, img, seq, now, ob);

		is_waiting |= ret == -EAGAIN;
		if (ret && ret != -EAGAIN && !error)
			error = ret;
	}
	return is_waiting ? -EAGAIN : error;
}

static int look(struct cache *c, const struct cache_sync *s, uint64_t now, struct outbox *ob)
{
	return s->image ? look_at_image(c, s->image, s->lsn, now, ob) :
			  look_at_all(c, s->lsn, now, ob);
}

/* An error of the store is told to those who wait, and else to the next who asks. */
static void forget_errors(struct cache *c, const struct cache_image *of)
{
	struct cache_image *img;

	list_for_each_entry(img, &c->images, node)
		if (!of || img == of)
			img->lost.error = 0;
}

void lost_kick(struct cache *c, uint64_t now, struct outbox *ob)
{
	struct cache_sync *s, *tmp;
	struct list done;

	list_init(&done);
	list_for_each_entry_safe(s, tmp, &c->lost.syncs, wait) {
		s->result = look(c, s, now, ob);
		if (s->result == -EAGAIN)
			continue;
		list_del(&s->wait);
		list_add_tail(&done, &s->wait);
	}
	list_for_each_entry(s, &done, wait)
		if (s->result)
			forget_errors(c, s->image);
	while ((s = list_pop_head(&done, struct cache_sync, wait)))
		sync_tell(c, s, s->result, now, ob);
	lost_try_end(c, ob);
}

bool lost_wait(struct cache *c, struct cache_sync *s, uint64_t now, struct outbox *ob)
{
	s->lsn = ++c->lost.seq;
	deadline_lower(c, now);
	s->result = look(c, s, now, ob);
	if (s->result != -EAGAIN) {
		if (s->result)
			forget_errors(c, s->image);
		return true;
	}
	list_init(&s->wait);
	list_add_tail(&c->lost.syncs, &s->wait);
	return false;
}

void lost_adopt(struct cache *c, struct cache_sync *s)
{
	s->lsn = ++c->lost.seq;
	list_add_tail(&c->lost.syncs, &s->wait);
}

void lost_sync_failed(struct cache_image *img, int error)
{
	if (img->lost.written > img->lost.synced)
		img->lost.error = error;
}

static void image_synced(struct cache *c, struct action *a, int result, uint64_t now,
			 struct outbox *ob)
{
	struct cache_image *img = container_of(a, struct cache_image, lost.sync);

	img->lost.is_syncing = false;
	if (result == BACK_CONFLICT || result == BACK_MISSING)
		imgtab_set_state(c, img, result == BACK_CONFLICT ? IMAGE_CONFLICT : IMAGE_MISSING,
				 0, now, ob);
	if (result == -EAGAIN) {
		img->lost.again_ns = now + AGAIN_NS;
		deadline_lower(c, img->lost.again_ns);
	} else if (result < 0) {
		img->lost.error = result;
		/* told by the kernel once, and the batch may have had its share in it (F1) */
		if (img->batch)
			migrate_image_spoilt(img);
	} else {
		img->lost.synced = img->lost.issued;
	}
	lost_kick(c, now, ob);
}

uint64_t lost_due(const struct cache *c)
{
	const struct cache_image *img;
	uint64_t at = UINT64_MAX;

	/* else the end of a batch looks */
	if (c->failed && c->lost.look_ns && migrate_may_begin(c))
		at = c->lost.look_ns;
	if (!c->failed || list_is_empty(&c->lost.syncs))
		return at;
	list_for_each_entry(img, &c->images, node) {
		if (img->lost.again_ns)
			at = min(at, img->lost.again_ns);
		if (!img->lost.is_saved && !migrate_is_busy(c))
			at = min(at, migrate_tried(c) + AGAIN_NS);
	}
	return at;
}

void lost_tick(struct cache *c, uint64_t now, struct outbox *ob)
{
	struct cache_image *img;

	if (!c->failed)
		return;
	list_for_each_entry(img, &c->images, node)
		if (img->lost.again_ns && img->lost.again_ns <= now)
			img->lost.again_ns = 0;
	lost_kick(c, now, ob);
}

/* ---------------------------------------------------------------- giving up */

static void forget_failures(struct cache *c, struct outbox *ob)
{
	struct cache_image *img;

	list_for_each_entry(img, &c->images, node) {
		img->retries = 0;
		img->is_paused = false;
		if (img->state == TABLE_STATE_OK && !img->is_hung)
			img->error = 0;
		waiters_wake(&img->range_waiters, ob);
	}
}

void cache_fail(struct cache *c, int error, uint64_t now, struct outbox *ob)
{
	if (c->failed)
		return;
	__atomic_store_n(&c->failed, -error, __ATOMIC_RELAXED);
	c->trouble.until = 0;
	c->lost.bad = calloc(div_round_up((uint64_t)c->index.blocks, 8), 1);
	c->lost.is_hung = error == -ETIMEDOUT;
	c->lost.is_unreadable = !c->lost.bad || c->lost.is_hung;
	forget_failures(c, ob);
	commit_lost(c, now, ob);
	super_lost(c, now, ob);
	write_end_all_delays(c, ob);
	shares_wake(c, ob);
	log_space_changed(c, ob);
	migrate_kick(c, now, ob);
	lost_kick(c, now, ob);
}

void cache_device_hangs(struct cache *c, uint64_t for_ns, uint64_t now, struct outbox *ob)
{
	LOCK_SCOPE(&c->lock);
	uint64_t limit = c->knob[KNOB_DEVICE_TIMEOUT] * NSEC_PER_SEC;

	c->hangs_ns = for_ns;
	if (!for_ns && c->lost.is_hung) { /* what only it had can be saved after all */
		c->lost.is_hung = false;
		lost_try_again(c);
		migrate_kick(c, now, ob);
	}
	if (!limit || for_ns < limit)
		return;
	if (!c->failed) {
		cache_fail(c, -ETIMEDOUT, now, ob);
	} else if (!c->lost.is_hung) { /* it had failed in another way before */
		c->lost.is_hung = c->lost.is_unreadable = true;
		lost_try_end(c, ob);
	}
}

/* ---------------------------------------------------------------- numbers */

uint64_t lost_blocks(const struct cache_image *img)
{
	return img->lost.is_saved ? img->dirty : 0;
}

void lost_status(const struct cache *c, struct cache_status *st)
{
	const struct cache_image *img;

	st->state = c->failed || c->hangs_ns >= CACHE_HANG_TOLD_NS ? CACHE_DEGRADED : CACHE_OK;
	st->hangs_ns = c->failed && !c->lost.is_hung ? 0 : c->hangs_ns;
	st->device_errors = c->nr_device_errors;
	if (!c->failed)
		return;
	list_for_each_entry(img, &c->images, node) {
		st->lost_blocks += lost_blocks(img);
		st->is_saving |= !img->lost.is_saved && img->dirty && !img->lost.is_read_only;
		if (img->lost.is_read_only)
			st->state = CACHE_READ_ONLY;
	}
	if (st->lost_blocks)
		st->state = CACHE_FAILED;
}

uint64_t cache_lost_blocks(struct cache *c, const struct cache_image *img, uint64_t *block,
			   uint64_t room)
{
	uint64_t n = 0;

	for (uint32_t base = 0; base < c->index.blocks && n < room; base += 4096) {
		LOCK_SCOPE(&c->lock);
		uint32_t stop = (uint32_t)min((uint64_t)base + 4096, (uint64_t)c->index.blocks);

		for (uint32_t cbn = base; cbn < stop && n < room; cbn++)
			if (index_is_live(&c->index, cbn) && lost_is(c, cbn) &&
			    entry_key_image(c->index.key[cbn]) == img->id)
				block[n++] = entry_key_block(c->index.key[cbn]);
		if (stop == c->index.blocks)
			break;
	}
	return n;
}

/* ---------------------------------------------------------------- the end */

static bool is_quiet(const struct cache *c)
{
	const struct cache_image *img;

	if (migrate_is_out(c))
		return false;
	list_for_each_entry(img, &c->images, node)
		if (img->lost.is_syncing)
			return false;
	if (c->lost.is_hung)
		return true; /* what hangs may never come back */
	return !c->log.writing && !c->log.is_encoding && c->commit.state != COMMIT_FLUSHING &&
	       c->super.phase == SUPER_IDLE;
}

void lost_try_end(struct cache *c, struct outbox *ob)
{
	struct action *a = c->stop_act;

	if (!c->lost.is_ending || !is_quiet(c))
		return;
	c->lost.is_ending = false;
	a->type = ACTION_DONE;
	a->arg = (uint64_t)(c->dirty_blocks ? -EIO : c->stop_sync.result);
	outbox_add(ob, a);
}

static void ended(struct cache *c, struct cache_sync *s, uint64_t now, struct outbox *ob)
{
	(void)s;
	(void)now;
	c->lost.is_ending = true;
	lost_try_end(c, ob);
}

void lost_end(struct cache *c, struct cache_sync *s, uint64_t now, struct outbox *ob)
{
	s->image = NULL;
	s->fn = ended;
	s->is_of_log = false;
	if (lost_wait(c, s, now, ob))
		ended(c, s, now, ob);
}
