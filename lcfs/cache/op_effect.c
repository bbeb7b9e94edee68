// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Effects of truncates and punches on the backing file (rules E1, E3, H2).
 *
 * The operation is in the log, durable, and its effect pending on the image. The index follows when
 * the file has done it, or has failed to: then the effect stays pending, and is applied before any
 * block of the image migrates.
 *
 * A file that does not answer for HANG_NS counts as one that fails, but that it may do it at any
 * time: the index follows, the range is let go of, so that the cleaner can move on what is at its
 * edges, and the image hangs (migrate_aside.c). Nothing of it migrates until the answer comes, and
 * so the late effect, which only makes zeros of what had none of the new data, changes nothing
 * that came after it. Its caller waits for the answer. An operation that finds the file hanging
 * does not ask it.
 */
#include "lcfs/cache/migration.h"
#include "lcfs/cache/op.h"

#include "common/nsec.h"
#include "lcfs/cache/migrate.h"

/* ---------------------------------------------------------------- asking, answers */

/* Its file has answered something: it does not hang, and the others' time begins anew. */
static void answered(struct cache *c, struct cache_image *img, uint64_t now)
{
	struct cache_op *op;

	list_for_each_entry(op, &c->ops_out, s.out_node)
		if (op->image == img)
			op->s.asked_ns = now;
	migrate_image_answers(img);
}

/* Where it stands among its image's pending punches, or nr_punches. */
static uint32_t find_punch(const struct cache_op *op)
{
	const struct cache_image *img = op->image;
	uint32_t i;

	for (i = 0; i < img->nr_punches; i++)
		if (img->punch[i].offset == op->off && img->punch[i].bytes == op->len)
			break;
	return i;
}

/* A batch may have applied it already. */
static bool is_pending(const struct cache_op *op)
{
	const struct cache_image *img = op->image;

	if (op->type == CACHE_OP_TRUNCATE)
		return img->backing_valid != UINT64_MAX;
	return find_punch(op) < img->nr_punches;
}

static void not_pending(const struct cache_op *op)
{
	struct cache_image *img = op->image;
	uint32_t i;

	if (op->type == CACHE_OP_TRUNCATE) {
		if (img->backing_valid >= op->off)
			img->backing_valid = UINT64_MAX;
		return;
	}
	i = find_punch(op);
	if (i == img->nr_punches)
		return;
	img->nr_punches--;
	memmove(&img->punch[i], &img->punch[i + 1], (img->nr_punches - i) * sizeof(img->punch[0]));
}

static void effect_done(struct cache *c, struct action *a, int result, uint64_t now,
			struct outbox *ob)
{
	struct cache_op *op = container_of(a, struct cache_op, s.effect);
	struct cache_image *img = op->image;

	answered(c, img, now);
	if (result == 0 && a->type != ACTION_BACK_SYNC) {
		a->type = ACTION_BACK_SYNC;
		a->arg = 0;
		outbox_add(ob, a);
		return;
	}
	img->effects--;
	img->effect_seq++;
	list_del(&op->s.out_node);
	if (result == 0)
		not_pending(op);
	if (!op->s.is_hanging || op->s.phase == PHASE_OUT)
		op_resume(op, ob);
	op->s.is_hanging = false;
	migrate_image_changed(c, img, now, ob);
}

static void issue_effect(struct cache *c, struct cache_op *op, uint64_t now, struct outbox *ob)
{
	struct action *a = &op->s.effect;

	a->type = op->type == CACHE_OP_TRUNCATE ? ACTION_BACK_TRUNCATE : ACTION_BACK_PUNCH;
	a->image = op->image;
	a->off = op->off;
	a->len = op->len;
	a->complete = effect_done;
	op->s.is_effective = true;
	op->s.asked_ns = now;
	list_add_tail(&c->ops_out, &op->s.out_node);
	op->image->effects++;
	deadline_lower(c, now + HANG_NS);
	outbox_add(ob, a);
}

/* ---------------------------------------------------------------- the step */

/*
 * A file that hangs or is stopped is not asked, and none at the orderly end. What the operation has
 * cut leaves the index all the same: the cleaner would move it on to behind the operation, and the
 * image would show it again (E3). Without the log to say that it has happened, that is the answer.
 */
static bool is_not_asked(const struct cache *c, struct cache_op *op)
{
	const struct cache_image *img = op->image;
	int error = imgtab_error(c, img);

	if (error && op->s.lsn > c->log.durable_lsn)
		op->result = error;
	return error || (img->is_hung && !c->failed);
}

/* Not while a batch is at work on the file: its stamp after the sync must be of nothing else. */
void op_step_effect(struct cache *c, struct cache_op *op, uint64_t now, struct outbox *ob)
{
	if (op->s.is_effective || !is_pending(op) || is_not_asked(c, op)) {
		op->s.phase = PHASE_DROP;
		op_step(c, op, now, ob);
	} else if (op->image->batch || (c->failed && !op->image->lost.is_open)) {
		op->image->lost.is_wanted = true;
		migrate_kick(c, now, ob);
		op_wait_in(op, &op->image->range_waiters);
	} else {
		issue_effect(c, op, now, ob);
	}
}

bool op_is_out_still(struct cache_op *op, struct outbox *ob)
{
	if (!op->s.is_hanging)
		return false;
	op->s.phase = PHASE_OUT;
	range_release(op->image, &op->s.range, ob);
	return true;
}

/* ---------------------------------------------------------------- watching */

void op_watch(struct cache *c, uint64_t now, struct outbox *ob)
{
	struct cache_op *op;

	list_for_each_entry(op, &c->ops_out, s.out_node) {
		bool is_late = now >= op->s.asked_ns + HANG_NS;

		if (is_late && !op->image->is_hung)
			migrate_image_hangs(c, op->image, op->s.asked_ns, now, ob);
		if (is_late && !op->s.is_hanging) {
			op->s.is_hanging = true;
			op_resume(op, ob);
		}
		if (migrate_drain_ends(c, op->image) <= now)
			op_drain_done(c, op->image, now, ob);
	}
}

uint64_t op_watch_deadline(const struct cache *c)
{
	const struct cache_op *op;
	uint64_t at = UINT64_MAX;

	list_for_each_entry(op, &c->ops_out, s.out_node) {
		if (!op->s.is_hanging || !op->image->is_hung)
			at = min(at, op->s.asked_ns + HANG_NS);
		at = min(at, migrate_drain_ends(c, op->image));
	}
	return at;
}
