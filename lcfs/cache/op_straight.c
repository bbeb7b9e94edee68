// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Operations when there is no log any more (lost.c): truncate and punch are done to the backing
 * file, synced, and answered with what came of that; names and the end of an image are only kept in
 * memory, since at the next mount each image is looked for by its identity (E7).
 *
 * An operation announces its range, so that it is not starved, and claims it only when all of its
 * blocks that must be saved before are: a claimed one would keep migration away.
 */
#include "lcfs/cache/lost.h"
#include "lcfs/cache/migration.h"
#include "lcfs/cache/op.h"

static bool is_extension(const struct cache_op *op)
{
	return op->type == CACHE_OP_TRUNCATE && op->off >= op->image->size;
}

static void announce(struct cache_op *op)
{
	struct cache_image *img = op->image;

	if (op->s.range.is_linked)
		op->s.range.is_pending = true;
	else if (is_extension(op))
		range_announce(img, &op->s.range, img->size / BLOCK_BYTES, IMAGE_BLOCK_MAX);
	else
		range_announce(img, &op->s.range, op_first_block(op), op_last_block(op));
}

/* A sector that is lost and cut in its middle stays lost. */
static int may_start(struct cache *c, struct cache_op *op, uint64_t now, struct outbox *ob)
{
	struct cache_image *img = op->image;
	uint64_t end = op->type == CACHE_OP_PUNCH ? op->off + op->len : align_up(op->off, 4096);
	int ret = imgtab_error(c, img);

	if (ret)
		return ret;
	ret = straight_may(c, img, op->off, end, now, ob);
	if (ret == -EIO && !img->error)
		ret = 0;
	if (!ret && !range_claim(img, &op->s.range))
		ret = -EAGAIN;
	return ret;
}

static void effect_done(struct cache *c, struct action *a, int result, uint64_t now,
			struct outbox *ob)
{
	struct cache_op *op = container_of(a, struct cache_op, s.effect);

	if (result == -EAGAIN || (result == 0 && a->type != ACTION_BACK_SYNC)) {
		if (result == 0)
			a->type = ACTION_BACK_SYNC;
		a->arg = 0;
		outbox_add(ob, a);
		return;
	}
	op->image->effects--;
	op->image->effect_seq++;
	op->result = result;
	op_resume(op, ob);
	migrate_image_changed(c, op->image, now, ob);
}

static void issue_effect(struct cache_op *op, struct outbox *ob)
{
	struct action *a = &op->s.effect;

	a->type = op->type == CACHE_OP_PUNCH ? ACTION_BACK_PUNCH :
		  is_extension(op)	     ? ACTION_BACK_GROW :
					       ACTION_BACK_TRUNCATE;
	a->image = op->image;
	a->off = op->off;
	a->len = op->len;
	a->complete = effect_done;
	op->s.is_effective = true;
	op->image->effects++;
	outbox_add(ob, a);
}

static void finish(struct cache *c, struct cache_op *op, uint64_t now, struct outbox *ob)
{
	struct cache_image *img = op->image;

	if (op->result) {
		op_done(op, op->result, ob);
		return;
	}
	img->mtime_ns = c->info.real_ns + (int64_t)now;
	if (op->type == CACHE_OP_TRUNCATE && is_extension(op)) {
		imgtab_grow_size(img, op->off);
		op_done(op, 0, ob);
		return;
	}
	if (op->type == CACHE_OP_TRUNCATE)
		imgtab_set_size(img, op->off);
	op->s.position = UINT64_MAX;
	op->s.phase = PHASE_DROP;
	op_step(c, op, now, ob);
}

static void step_change(struct cache *c, struct cache_op *op, uint64_t now, struct outbox *ob)
{
	int ret;

	if (op->s.is_effective) {
		finish(c, op, now, ob);
		return;
	}
	op->s.phase = PHASE_STRAIGHT;
	announce(op);
	ret = may_start(c, op, now, ob);
	if (ret == -EAGAIN)
		op_wait_in(op, &op->image->range_waiters);
	else if (ret)
		op_done(op, ret, ob);
	else
		issue_effect(op, ob);
}

void op_step_straight(struct cache *c, struct cache_op *op, uint64_t now, struct outbox *ob)
{
	if (op->type == CACHE_OP_TRUNCATE || op->type == CACHE_OP_PUNCH) {
		step_change(c, op, now, ob);
		return;
	}
	op_apply_in_memory(c, op, now);
	if (op->type != CACHE_OP_UNBIND) {
		op_done(op, 0, ob);
		return;
	}
	op->s.phase = PHASE_DROP;
	op_step(c, op, now, ob);
}
