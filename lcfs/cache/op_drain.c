// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Draining one image: migration does it, whatever the load; the operation ends when the log says
 * durably that the image is clean, or when the backing store has refused it twice in a row, or has
 * not answered for stall_timeout, or all that is left is poisoned: that goes to no backing file.
 * An image that is written to all the time may never be clean: whoever asks for no more than what
 * was dirty then (CACHE_AS_OF_NOW) is told so when no segment that there was then has a dirty block
 * of it. None of these gets one any more, so each is looked through once; but the cleaner moves
 * what is old, and where it goes counts, too, with whatever else is there.
 * Without the cache device it ends when all that can be read is saved and synced; what could not be
 * read before is tried once more.
 */
#include "lcfs/cache/lost.h"
#include "lcfs/cache/migration.h"
#include "lcfs/cache/op.h"

#include "common/align.h"
#include "common/nsec.h"
#include "lcfs/cache/poison.h"

/* All is in the backing file: wait until the log says so durably. */
static void end_drain(struct cache *c, struct cache_op *op, uint64_t now, struct outbox *ob)
{
	op->s.phase = PHASE_DRAIN;
	op->s.sync.image = op->image;
	op->s.sync.lsn = op->image->last_lsn;
	op->s.sync.fn = op_told;
	op->s.sync.is_of_log = false;
	if (c->failed && op->image->dirty)
		op_done(op, -EIO, ob); /* what is left of it is lost */
	else if (commit_wait(c, &op->s.sync, now, ob))
		op_done(op, op->s.sync.result, ob);
}

/* Is everything that can be in the backing file there? */
static bool is_over(const struct cache *c, const struct cache_image *img)
{
	return c->failed ? img->lost.is_saved : imgtab_is_settled(img);
}

static bool has_dirty(const struct cache *c, uint64_t segment_id, const struct cache_image *img)
{
	const uint8_t want = INDEX_LIVE | INDEX_DIRTY;
	uint32_t first = log_cbn(c, segment_id, 0);

	for (uint32_t i = 1; i < c->segment_blocks; i++)
		if ((c->index.flags[first + i] & want) == want &&
		    entry_key_image(c->index.key[first + i]) == img->id)
			return true;
	return false;
}

/* What is dirty of the image was all written after the operation began. */
static bool is_all_newer(struct cache *c, struct cache_op *op)
{
	const struct cache_image *img = op->image;
	uint64_t id = max(op->s.cursor, c->tail);

	if (op->len != CACHE_AS_OF_NOW || c->failed || img->error || img->poisoned ||
	    !img->dirty || imgtab_has_pending(img))
		return false;
	while (id < op->s.position && (!log_segment(c, id)->nr_dirty || !has_dirty(c, id, img)))
		id++;
	op->s.cursor = id;
	return id >= op->s.position;
}

void op_drain_moved(struct cache_image *img, uint64_t segment_id)
{
	struct cache_op *op;

	list_for_each_entry(op, &img->ops, s.node) {
		if (op->type != CACHE_OP_CLEAN || op->s.phase == PHASE_DRAIN)
			continue;
		op->s.cursor = min(op->s.cursor, segment_id);
		op->s.position = max(op->s.position, segment_id + 1);
	}
}

/* Does anybody still wait for more of it to be migrated? */
static void note_draining(struct cache_image *img)
{
	const struct cache_op *op;

	img->is_draining = false;
	list_for_each_entry(op, &img->ops, s.node)
		if (op->type == CACHE_OP_CLEAN && op->s.phase != PHASE_DRAIN)
			img->is_draining = true;
}

void op_start_drain(struct cache *c, struct cache_op *op, uint64_t now, struct outbox *ob)
{
	if (imgtab_error(c, op->image)) {
		op_done(op, imgtab_error(c, op->image), ob);
		return;
	}
	if (poison_is_all(op->image)) {
		op_done(op, -EIO, ob);
		return;
	}
	if (c->failed && op->image->dirty && op->image->lost.is_saved)
		lost_try_again(c);
	op->s.phase = PHASE_DROP; /* anything but DRAIN: not ending yet */
	if (is_over(c, op->image)) {
		end_drain(c, op, now, ob);
		note_draining(op->image);
		return;
	}
	op->s.cursor = 0;
	op->s.position = c->log.next_segment_id;
	op->image->is_draining = true;
	migrate_retry(c, op->image, now, ob);
}

/* The backing store has refused it again, and not for a moment only. */
static bool is_refused(const struct cache *c, const struct cache_image *img, uint64_t now)
{
	uint64_t timeout = c->knob[KNOB_STALL_TIMEOUT] * NSEC_PER_SEC;

	if (img->is_hung)
		return timeout && now >= img->hung_ns + timeout;
	return poison_is_all(img) || (img->batch_failed && img->error && img->retries > 1);
}

/* False: it goes on. */
static bool try_end(struct cache *c, struct cache_op *op, uint64_t now, struct outbox *ob)
{
	const struct cache_image *img = op->image;

	if (img->is_unbound)
		op_done(op, -ENOENT, ob);
	else if (img->is_stopped)
		op_done(op, -EIO, ob);
	else if (is_over(c, img))
		end_drain(c, op, now, ob);
	else if (is_all_newer(c, op))
		op_done(op, -EINPROGRESS, ob);
	else if (is_refused(c, img, now))
		op_done(op, img->error ? -img->error : -EIO, ob);
	else
		return false;
	return true;
}

void op_drain_done(struct cache *c, struct cache_image *img, uint64_t now, struct outbox *ob)
{
	struct cache_op *op, *tmp;
	bool is_ended = false;

	waiters_wake(&img->range_waiters, ob);
	list_for_each_entry_safe(op, tmp, &img->ops, s.node)
		if (op->type == CACHE_OP_CLEAN && op->s.phase != PHASE_DRAIN)
			is_ended |= try_end(c, op, now, ob);
	if (is_ended)
		note_draining(img);
}
