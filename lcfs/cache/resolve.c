// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A stopped image (conflict, missing) goes on because the admin has said so: the file is its base
 * as it is now, and all that the log holds of the image goes over it (rule G4).
 *
 * All that the log holds: the dirty blocks, and those that had been migrated before, too, which
 * somebody may have overwritten since. So the outcome does not depend on how far migration had
 * come, nor on whether a crash follows: replay finds the same blocks between tail and head, and,
 * with clean_lsn 0, takes them all for dirty. Blocks that the tail has passed are only clean copies
 * of what the file was, and are forgotten.
 *
 * One operation says it all, OP_STATE with stamp and identity, so that it happens whole or not at
 * all. Nothing is told before it is durable.
 */
#include "lcfs/cache/core.h"
#include "lcfs/cache/migration.h"

void imgtab_accept(struct cache_image *img, const struct op *op)
{
	img->state = TABLE_STATE_OK;
	img->error = 0;
	img->is_stopped = false;
	img->stamp = op->stamp;
	if (op->has_identity)
		img->identity = op->identity;
	img->clean_lsn = 0;
	img->is_new = false;
	img->is_touching = true;
	img->size_pending = true;
	/* What somebody has appended is not to show when the image grows. */
	if (op->stamp.size > img->size)
		imgtab_pend_truncate(img, img->size);
}

/* Neither a batch nor an operation is at work on it, and no tail is about to move. */
static bool is_at_rest(const struct cache *c, const struct cache_image *img)
{
	return c->super.phase == SUPER_IDLE && !img->batch && !img->effects && !img->touchers &&
	       list_is_empty(&img->ranges) && list_is_empty(&img->ops);
}

static void blocks_accept(struct cache *c, const struct cache_image *img, int64_t at)
{
	for (uint32_t cbn = 0; cbn < c->index.blocks && img->cached; cbn++) {
		if (!index_is_live(&c->index, cbn) || entry_key_image(c->index.key[cbn]) != img->id)
			continue;
		if (log_segment_of(c, cbn)->state == SEGMENT_FREE)
			blocks_remove(c, cbn);
		else
			blocks_set_dirty(c, cbn, at);
	}
}

enum cache_step cache_image_accept(struct cache *c, struct cache_image *img,
				   const struct op_identity *identity, const struct op_stamp *stamp,
				   struct cache_sync *s, uint64_t now, struct outbox *ob)
{
	LOCK_SCOPE(&c->lock);
	struct op op = { .type = OP_STATE,
			 .image = img->id,
			 .arg0 = TABLE_STATE_OK,
			 .has_stamp = true,
			 .stamp = *stamp,
			 .has_identity = true,
			 .identity = *identity };

	s->result = c->failed || c->is_stopping	       ? -EIO :
		    !img->is_stopped || !img->is_bound ? -EINVAL :
							 0;
	if (s->result)
		return CACHE_DONE;
	if (!is_at_rest(c, img) || log_prepare(c, op_bytes(&op), 0, PURPOSE_CLEANER, now, ob) < 0)
		return CACHE_AGAIN;
	img->touch_lsn = img->last_lsn = log_op(c, &op);
	imgtab_accept(img, &op);
	blocks_accept(c, img, c->info.real_ns + (int64_t)now);
	img->retries = 0;
	img->fails_ns = 0;
	waiters_wake(&img->range_waiters, ob);
	migrate_image_changed(c, img, now, ob);
	s->act.type = ACTION_DONE;
	s->fn = NULL;
	s->image = img;
	s->lsn = img->last_lsn;
	s->is_of_log = true;
	return commit_wait(c, s, now, ob) ? CACHE_DONE : CACHE_WAIT;
}
