// SPDX-License-Identifier: GPL-2.0-or-later
/* What a migration batch does to files before it has data for them: the mark that an image leaves a
 * lost cache (F3), and effects of operations that are pending (E3). */
#include "lcfs/cache/lost.h"
#include "lcfs/cache/migrate.h"

/* F3, in place of touching: nothing of it goes past the log before its file says that it does. */
bool migrate_start_leave(struct cache *c, struct migrate_batch *b, uint64_t now, struct outbox *ob)
{
	struct cache_image *img;

	for (uint32_t i = 0; i < b->nr_items; i++)
		if (b->item[i].ram)
			b->item[i].img->lost.is_wanted = true;
	list_for_each_entry(img, &b->images, batch_node)
		if (!img->batch_failed && !img->lost.has_left && lost_wants_batch(img))
			migrate_issue_image(c, img, ACTION_BACK_LEAVE, now, ob);
	return b->pending > 0;
}

/* One that only the device has blocks of leaves when some of them could be read. */
bool migrate_start_late_leave(struct cache *c, struct migrate_batch *b, uint64_t now,
			      struct outbox *ob)
{
	struct cache_image *img;

	if (!c->failed)
		return false;
	list_for_each_entry(img, &b->images, batch_node)
		img->batch_items = 0;
	for (uint32_t i = 0; i < b->nr_items; i++)
		if (!b->item[i].is_failed)
			b->item[i].img->batch_items++;
	list_for_each_entry(img, &b->images, batch_node) {
		if (img->batch_failed || img->lost.has_left)
			continue;
		if (img->batch_items)
			migrate_issue_image(c, img, ACTION_BACK_LEAVE, now, ob);
		else
			img->batch_failed = true;
	}
	return b->pending > 0;
}

/* ---------------------------------------------------------------- pending effects */

static void effect_done(struct cache *c, struct action *a, int result, uint64_t now,
			struct outbox *ob);

/* An operation that is under way will do it itself, once it is durable (B5). */
static bool belongs_to_op(const struct cache *c, const struct cache_image *img)
{
	const struct cache_op *op;

	if (c->failed && !img->lost.is_open)
		return false;
	list_for_each_entry(op, &img->ops, s.node) {
		if (!op->s.range.is_linked || op->s.range.is_pending || !op->s.lsn)
			continue;
		if (op->type == CACHE_OP_TRUNCATE && op->off == img->backing_valid)
			return true;
		if (op->type == CACHE_OP_PUNCH && img->nr_punched < img->nr_punches &&
		    img->punch[img->nr_punched].offset == op->off &&
		    img->punch[img->nr_punched].bytes == op->len)
			return true;
	}
	return false;
}

/* The next pending effect of the image; false: none. After a crash there may be thousands of holes:
 * they are synced together. */
static bool issue_effect(struct cache *c, struct cache_image *img, uint64_t now, struct outbox *ob)
{
	struct action *a = &img->sync;

	if (img->batch_failed || !imgtab_has_pending(img))
		return false;
	if (belongs_to_op(c, img)) {
		migrate_image_failed(c, img, -EAGAIN, now);
		return false;
	}
	memset(a, 0, sizeof(*a));
	list_init(&a->node);
	a->is_migration = true;
	a->image = img;
	a->complete = effect_done;
	if (img->backing_valid != UINT64_MAX) {
		a->type = ACTION_BACK_TRUNCATE;
		a->off = img->backing_valid;
	} else if (img->nr_punched < img->nr_punches) {
		a->type = ACTION_BACK_PUNCH;
		a->off = img->punch[img->nr_punched].offset;
		a->len = img->punch[img->nr_punched].bytes;
	} else {
		a->type = ACTION_BACK_SYNC;
	}
	migrate_asked(c, img, now);
	outbox_add(ob, a);
	return true;
}

static void effect_done(struct cache *c, struct action *a, int result, uint64_t now,
			struct outbox *ob)
{
	struct cache_image *img = container_of(a, struct cache_image, sync);
	struct migrate_batch *b = img->batch;

	migrate_answered(img, now);
	if (result == 0 && a->type == ACTION_BACK_PUNCH) {
		img->nr_punched++;
		issue_effect(c, img, now, ob);
		if (b->pending == 0)
			migrate_next_phase(c, b, now, ob);
		return;
	}
	if (result == 0 && a->type == ACTION_BACK_TRUNCATE) {
		a->len = a->off;
		a->off = 1;
		a->type = ACTION_BACK_SYNC;
		a->arg = 0;
		migrate_asked(c, img, now);
		outbox_add(ob, a);
		return;
	}
	img->effect_seq++;
	if (result < 0) {
		migrate_image_failed(c, img, result, now);
	} else if (a->off) {
		if (img->backing_valid >= a->len)
			img->backing_valid = UINT64_MAX;
	} else {
		uint32_t n = min(img->nr_punched, img->nr_punches);

		img->nr_punches -= n;
		memmove(&img->punch[0], &img->punch[n], img->nr_punches * sizeof(img->punch[0]));
		img->nr_punched = 0;
	}
	issue_effect(c, img, now, ob);
	if (b->pending == 0)
		migrate_next_phase(c, b, now, ob);
}

bool migrate_start_effects(struct cache *c, struct migrate_batch *b, uint64_t now,
			   struct outbox *ob)
{
	struct cache_image *img;

	list_for_each_entry(img, &b->images, batch_node) {
		img->nr_punched = 0;
		issue_effect(c, img, now, ob);
	}
	return b->pending > 0;
}
