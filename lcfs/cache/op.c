// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Operations: truncate, punch, names, unbind, drain (rules E).
 *
 * Truncate and punch pass
 *
 *	CLAIM ─▶ EDGES ─▶ LOG ─▶ DURABLE ─▶ EFFECT ─▶ DROP ─▶ done
 *
 * with their range claimed from EDGES on, except that one that waits for log space gives its claim
 * back. A sector that is cut in its middle is written again with the cut bytes zero, in the record
 * of the operation. From LOG on the effect on the backing file is pending; if it fails it stays so,
 * and the answer is 0 all the same (E3). The index follows last, so that a crash in between finds
 * the operation in the log; where the backing file hangs it does not wait for that (op_effect.c).
 */
#include "lcfs/cache/migration.h"
#include "lcfs/cache/op.h"
#include "lcfs/cache/shares.h"

#define DROP_BUDGET 4096

/* ---------------------------------------------------------------- waiting */

void op_wait_in(struct cache_op *op, struct list *queue)
{
	waiters_add(queue, &op->s.wait, &op->act);
}

void op_resume(struct cache_op *op, struct outbox *ob)
{
	op->act.type = ACTION_RESUME;
	outbox_add(ob, &op->act);
}

void op_done(struct cache_op *op, int result, struct outbox *ob)
{
	if (op->image) {
		list_del(&op->s.node);
		range_release(op->image, &op->s.range, ob);
	}
	op->result = result;
	op->act.type = ACTION_DONE;
	outbox_add(ob, &op->act);
}

/* ---------------------------------------------------------------- logging */

static void fill_op(const struct cache_op *op, struct op *o)
{
	memset(o, 0, sizeof(*o));
	o->image = op->image ? op->image->id : 0;
	switch (op->type) {
	case CACHE_OP_TRUNCATE:
		o->type = op->off < op->image->size ? OP_TRUNCATE : OP_SIZE;
		o->arg0 = op->off;
		break;
	case CACHE_OP_PUNCH:
		o->type = OP_PUNCH;
		o->arg0 = op->off;
		o->arg1 = op->len;
		break;
	case CACHE_OP_UNBIND:
		o->type = OP_UNBIND;
		break;
	default:
		*o = op->op;
		o->image = op->image ? op->image->id : 0;
		break;
	}
}

static bool has_effect(const struct cache_op *op)
{
	return op->type == CACHE_OP_TRUNCATE || op->type == CACHE_OP_PUNCH;
}

/* What is in memory follows at once: a snapshot of the table stands for all that is logged. */
static int apply_in_memory(struct cache *c, struct cache_op *op, const struct op *o, uint64_t now)
{
	struct cache_image *img = op->image;

	if (has_effect(op))
		img->mtime_ns = c->info.real_ns + (int64_t)now;
	switch (o->type) {
	case OP_TRUNCATE:
		imgtab_pend_truncate(img, o->arg0);
		imgtab_set_size(img, o->arg0);
		break;
	case OP_SIZE:
		imgtab_grow_size(img, o->arg0);
		img->size_pending = true;
		break;
	case OP_PUNCH:
		return imgtab_pend_punch(img, o->arg0, o->arg1);
	case OP_UNBIND:
		img->is_unbound = true;
		imgtab_account(c, img);
		img->unbind_lsn = op->s.lsn;
		img->backing_valid = UINT64_MAX;
		img->nr_punches = 0;
		break;
	case OP_INTENT:
		img->has_intent = true;
		break;
	case OP_DONE:
		img->has_intent = o->arg0 != 0; /* done: UNBIND follows */
		break;
	case OP_RENAME:
	case OP_EXCHANGE:
		imgtab_rename(c, img, o->path, o->path_bytes, o->path2, o->path2_bytes,
			      o->type == OP_EXCHANGE);
		break;
	default:
		break;
	}
	return 0;
}

void op_apply_in_memory(struct cache *c, struct cache_op *op, uint64_t now)
{
	struct op o;

	fill_op(op, &o);
	(void)apply_in_memory(c, op, &o, now);
}

static enum log_purpose purpose(const struct cache_op *op)
{
	if (op->type == CACHE_OP_UNBIND || op->space == CACHE_SPACE_LAST)
		return PURPOSE_CLEANER;
	return PURPOSE_OP;
}

static int log_it(struct cache *c, struct cache_op *op, uint64_t now, struct outbox *ob)
{
	struct cache_image *img = op->image;
	struct op o;
	uint32_t bytes;
	int ret;

	fill_op(op, &o);
	bytes = op_bytes(&o) + (img ? imgtab_bind_bytes(img) : 0);
	if (has_effect(op))
		bytes += imgtab_touch_bytes(img);
	ret = log_prepare(c, bytes, (uint32_t)op->s.nr_edges, purpose(op), now, ob);
	if (ret < 0)
		return ret;
	if (img)
		imgtab_bind(c, img);
	if (has_effect(op))
		imgtab_touch(c, img);
	op->s.lsn = log_op(c, &o);
	/* A truncate that others overtook may have become an extension. */
	op->s.has_effect = o.type == OP_TRUNCATE || o.type == OP_PUNCH;
	op->s.position =
		log_place(c->log.open->buf->segment_id, c->log.open->start + c->log.open->op_entry);
	if (img)
		img->last_lsn = op->s.lsn;
	for (int i = 0; i < op->s.nr_edges; i++)
		op_log_edge(c, op, i, now, ob);
	op_release_edges(c, op, ob);
	return apply_in_memory(c, op, &o, now);
}

/* ---------------------------------------------------------------- durable, drop */

void op_told(struct cache *c, struct cache_sync *s, uint64_t now, struct outbox *ob)
{
	struct cache_op *op = container_of(s, struct cache_op, s.sync);

	(void)now;
	/* without the log what was to be in it is done all the same, past it (lost.c) */
	if (s->result < 0 && !(c->failed && s->is_of_log))
		op->result = s->result;
	op_resume(op, ob);
}

static bool drop(struct cache *c, struct cache_op *op)
{
	struct cache_image *img = op->image;
	uint64_t first = op_first_block(op), last = op_last_block(op), before = op->s.position;
	uint32_t a, b;

	if (op->type == CACHE_OP_UNBIND)
		return blocks_drop_range(c, img, 0, IMAGE_BLOCK_MAX, UINT64_MAX, &op->s.cursor,
					 DROP_BUDGET);
	op_cut_in_block(op, first, &a, &b);
	if (a != 0 || b != BLOCK_BYTES)
		blocks_drop_sectors(c, img, first++, op_whole_sectors(a, b), before);
	if (first > last)
		return true;
	op_cut_in_block(op, last, &a, &b);
	if (b != BLOCK_BYTES)
		blocks_drop_sectors(c, img, last--, op_whole_sectors(a, b), before);
	if (first > last)
		return true;
	return blocks_drop_range(c, img, first, last, before, &op->s.cursor, DROP_BUDGET);
}

/* ---------------------------------------------------------------- the machine */

/* An extension of the size needs neither range nor effect: migration brings the backing file there.
 */
static bool is_extension(const struct cache_op *op)
{
	return op->type == CACHE_OP_TRUNCATE && op->off >= op->image->size;
}

static bool needs_range(const struct cache_op *op)
{
	return op->type == CACHE_OP_PUNCH || (op->type == CACHE_OP_TRUNCATE && !is_extension(op));
}

static void step_claim(struct cache *c, struct cache_op *op, uint64_t now, struct outbox *ob)
{
	if (!range_claim(op->image, &op->s.range)) {
		op_wait_in(op, &op->image->range_waiters);
		return;
	}
	op->s.nr_edges = 0;
	if (c->failed) {
		op->s.phase = PHASE_LOG;
		op_step(c, op, now, ob);
		return;
	}
	op_note_edge(c, op, op_first_block(op));
	if (op_last_block(op) != op_first_block(op))
		op_note_edge(c, op, op_last_block(op));
	op->s.phase = PHASE_EDGES;
	op_step(c, op, now, ob);
}

static void step_edges(struct cache *c, struct cache_op *op, uint64_t now, struct outbox *ob)
{
	if (op->s.edges_pending)
		return;
	if (c->failed) {
		op_release_edges(c, op, ob);
		op->result = 0;
		op->s.phase = PHASE_LOG;
		op_step(c, op, now, ob);
		return;
	}
	if (!op->result && !op_edges_ready(c, op, ob))
		return;
	if (!op->result)
		op_verify_edges(c, op, now, ob);
	if (op->result) {
		op_release_edges(c, op, ob);
		op_done(op, op->result, ob);
		return;
	}
	op->s.phase = PHASE_LOG;
	op_step(c, op, now, ob);
}

static void claim_first(struct cache *c, struct cache_op *op, uint64_t now, struct outbox *ob)
{
	range_announce(op->image, &op->s.range, op_first_block(op), op_last_block(op));
	op->s.phase = PHASE_CLAIM;
	op_step(c, op, now, ob);
}

/* After the operation is in the log. */
static void logged(struct cache *c, struct cache_op *op, uint64_t now, struct outbox *ob)
{
	if (op->type == CACHE_OP_UNBIND) {
		op->s.phase = PHASE_DROP;
		op_step(c, op, now, ob);
		return;
	}
	if (!needs_range(op) && !op->s.range.is_linked &&
	    (op->no_wait || op->type != CACHE_OP_LOG)) {
		op_done(op, 0, ob);
		return;
	}
	op->s.phase = PHASE_DURABLE;
	op->s.sync.image = op->image;
	op->s.sync.lsn = op->s.lsn;
	op->s.sync.fn = op_told;
	op->s.sync.is_of_log = true;
	if (commit_wait(c, &op->s.sync, now, ob))
		op_step(c, op, now, ob);
}

static void in_table(struct cache *c, struct cache_sync *s, uint64_t now, struct outbox *ob)
{
	struct cache_op *op = container_of(s, struct cache_op, s.sync);
	const struct op unbind = { .type = OP_UNBIND };

	op->image->is_unbind_wanted = false;
	if (s->result == 0 && c->super.with_table) {
		/* the open record may have something of it, too */
		op->s.lsn = max(c->super.head_lsn, op->image->last_lsn);
		(void)apply_in_memory(c, op, &unbind, now);
		op->s.phase = PHASE_DROP;
	} else {
		op->s.table_is_full = true;
		op->s.phase = PHASE_LOG;
	}
	op_resume(op, ob);
}

/* The log has no room for it, and gets none while the image's blocks stand in the way (H1). */
static void unbind_in_table(struct cache *c, struct cache_op *op, uint64_t now, struct outbox *ob)
{
	op->image->is_unbind_wanted = true;
	op->s.phase = PHASE_TABLE;
	op->s.sync.fn = in_table;
	c->super.want_table = true;
	super_wait(c, &op->s.sync, now, ob);
}

static void make_space(struct cache *c, uint64_t now, struct outbox *ob)
{
	commit_kick(c, now, ob);
	migrate_kick(c, now, ob);
}

static void wait_for_space(struct cache *c, struct cache_op *op, uint64_t now, struct outbox *ob)
{
	op_release_edges(c, op, ob);
	if (op->type == CACHE_OP_UNBIND && !op->s.table_is_full) {
		unbind_in_table(c, op, now, ob);
		return;
	}
	op->s.table_is_full = false;
	if (op->s.range.is_linked) {
		op->s.range.is_pending = true;
		op->s.phase = PHASE_CLAIM;
	}
	op_wait_in(op, &c->log.space_waiters);
	make_space(c, now, ob);
}

/*
 * H2: an image's pending punches are to fit its entry in the table, or the tail could not pass them
 * while its file takes none. So one more waits until the others have had their effect, and holds
 * nothing meanwhile; or gets the file's error at last. False: that is in *ret.
 */
static bool wait_for_punches(struct cache *c, struct cache_op *op, int *ret, uint64_t now,
			     struct outbox *ob)
{
	if (!op->s.waits_ns)
		op->s.waits_ns = now;
	*ret = shares_patience(c, op->image, op->s.waits_ns, now);
	if (*ret)
		return false;
	op_release_edges(c, op, ob);
	range_release(op->image, &op->s.range, ob);
	shares_wait(c, &op->s.wait, &op->act, now);
	migrate_kick(c, now, ob);
	return true;
}

static void step_log(struct cache *c, struct cache_op *op, uint64_t now, struct outbox *ob)
{
	int ret = op->image && needs_range(op) ? imgtab_error(c, op->image) : 0;

	if (c->is_stopping)
		ret = -EIO;
	if (c->failed && !ret) {
		op_step_straight(c, op, now, ob);
		return;
	}

	if (needs_range(op) && !op->s.range.is_linked) {
		/* the size has changed since: it is no extension any more */
		claim_first(c, op, now, ob);
		return;
	}

	if (!ret && op->type == CACHE_OP_PUNCH && op->image->nr_punches >= TABLE_PUNCHES_MAX) {
		if (wait_for_punches(c, op, &ret, now, ob))
			return;
	}
	if (!ret)
		ret = log_it(c, op, now, ob);
	if (ret == -EAGAIN && op->space != CACHE_SPACE_NOW) {
		wait_for_space(c, op, now, ob);
		return;
	}
	if (ret == -EAGAIN)
		make_space(c, now, ob);
	if (ret < 0) {
		op_release_edges(c, op, ob);
		op_done(op, ret, ob);
		return;
	}
	logged(c, op, now, ob);
}

static void step_durable(struct cache *c, struct cache_op *op, uint64_t now, struct outbox *ob)
{
	if (op->result || !op->s.has_effect) {
		op_done(op, op->result, ob);
		return;
	}
	op->s.phase = PHASE_EFFECT;
	op_step(c, op, now, ob);
}

static void step_drop(struct cache *c, struct cache_op *op, uint64_t now, struct outbox *ob)
{
	if (!drop(c, op))
		op_resume(op, ob);
	else if (op->type == CACHE_OP_UNBIND && op->image->batch)
		op_wait_in(op,
			   &op->image->range_waiters); /* nothing of it is out when it is done */
	else if (!op_is_out_still(op, ob)) {
		op_done(op, op->result, ob);
		if (op->type == CACHE_OP_UNBIND)
			op_drain_done(c, op->image, now, ob);
		migrate_image_changed(c, op->image, now, ob);
	}
}

static void step_size(struct cache *c, struct cache_op *op, uint64_t now, struct outbox *ob);

void op_step(struct cache *c, struct cache_op *op, uint64_t now, struct outbox *ob)
{
	switch (op->s.phase) {
	case PHASE_SIZE:
		step_size(c, op, now, ob);
		break;
	case PHASE_CLAIM:
		step_claim(c, op, now, ob);
		break;
	case PHASE_EDGES:
		step_edges(c, op, now, ob);
		break;
	case PHASE_LOG:
		step_log(c, op, now, ob);
		break;
	case PHASE_DURABLE:
		step_durable(c, op, now, ob);
		break;
	case PHASE_EFFECT:
		op_step_effect(c, op, now, ob);
		break;
	case PHASE_STRAIGHT:
		op_step_straight(c, op, now, ob);
		break;
	case PHASE_DROP:
		step_drop(c, op, now, ob);
		break;
	default:
		op_done(op, op->result, ob);
		break;
	}
}

/* The size is already that of a truncate whose old blocks are still in the index. */
static bool is_size_early(const struct cache_op *self)
{
	const struct cache_op *op;

	list_for_each_entry(op, &self->image->ops, s.node)
		if (op != self && op->type == CACHE_OP_TRUNCATE && op->s.has_effect)
			return true;
	return false;
}

/* What there is to do depends on the size. */
static void step_size(struct cache *c, struct cache_op *op, uint64_t now, struct outbox *ob)
{
	const struct cache_image *img = op->image;

	if (is_size_early(op)) {
		op_wait_in(op, &op->image->range_waiters);
		return;
	}
	if (op->type == CACHE_OP_TRUNCATE && op->len == CACHE_ONLY_GROW && op->off <= img->size) {
		op_done(op, imgtab_error(c, img), ob);
		return;
	}
	if (op->type == CACHE_OP_TRUNCATE)
		op->len = 0;
	else
		op->len = op->off >= img->size ? 0 : min(op->len, img->size - op->off);
	if ((op->type == CACHE_OP_PUNCH && !op->len) ||
	    (op->type == CACHE_OP_TRUNCATE && op->off == img->size)) {
		op_done(op, imgtab_error(c, img), ob);
		return;
	}
	if (op->off > IMAGE_BYTES_MAX || op->len > IMAGE_BYTES_MAX - op->off) {
		op_done(op, -EFBIG, ob);
		return;
	}
	op->s.phase = PHASE_LOG;
	op_step(c, op, now, ob);
}

void cache_op_start(struct cache *c, struct cache_op *op, uint64_t now, struct outbox *ob)
{
	LOCK_SCOPE(&c->lock);

	op->result = 0;
	list_init(&op->s.node);
	op->s.phase = PHASE_LOG;
	if (op->image)
		list_add_tail(&op->image->ops, &op->s.node);
	if (op->type == CACHE_OP_CLEAN) {
		op_start_drain(c, op, now, ob);
		return;
	}
	if (op->image && !op->image->is_bound &&
	    (op->type == CACHE_OP_UNBIND ||
	     (op->type == CACHE_OP_LOG && op->op.type != OP_ATTACH))) {
		if (op->type == CACHE_OP_LOG)
			(void)apply_in_memory(c, op, &op->op, now);
		op_done(op, 0, ob); /* the log knows nothing of it */
		return;
	}
	if (has_effect(op))
		op->s.phase = PHASE_SIZE;
	op_step(c, op, now, ob);
}

void cache_op_step(struct cache *c, struct cache_op *op, uint64_t now, struct outbox *ob)
{
	LOCK_SCOPE(&c->lock);

	op_step(c, op, now, ob);
}
