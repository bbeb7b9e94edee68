// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Draining one image: migration does it, whatever the load; the operation ends when the log says
 * durably that the image is clean, or when the backing store has refused it twice in a row, or has
 * not answered for stall_timeout, or all that is left is poisoned: that goes to no backing file.
 * Without the cache device it ends when all that can be read is saved and synced; what could not be
 * read before is tried once more.
 */
#include "lcfs/cache/lost.h"
#include "lcfs/cache/migration.h"
#include "lcfs/cache/op.h"

#include "common/nsec.h"
#include "lcfs/cache/poison.h"

/* All is in the backing file: wait until the log says so durably. */
static void end_drain(struct cache *c, struct cache_op *op, uint64_t now, struct outbox *ob)
{
	op->image->is_draining = false;
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
		return;
	}
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

void op_drain_done(struct cache *c, struct cache_image *img, uint64_t now, struct outbox *ob)
{
	struct cache_op *op, *tmp;

	waiters_wake(&img->range_waiters, ob);
	if (!is_over(c, img) && !img->is_stopped && !is_refused(c, img, now))
		return;
	list_for_each_entry_safe(op, tmp, &img->ops, s.node) {
		if (op->type != CACHE_OP_CLEAN || op->s.phase == PHASE_DRAIN)
			continue;
		if (img->is_stopped) {
			img->is_draining = false;
			op_done(op, -EIO, ob);
		} else if (is_over(c, img)) {
			end_drain(c, op, now, ob);
		} else {
			img->is_draining = false;
			op_done(op, img->error ? -img->error : -EIO, ob);
		}
	}
}
