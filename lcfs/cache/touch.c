// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What the layer of images does to a backing file past the log, and what the log must know of it:
 * the touching mark, stamps, times, the lease (rules G).
 *
 * A stamp ends touching only when nothing of the image is dirty, pending or under way. For it an
 * OP_CLEAN is logged, whose clean_lsn must be of a sealed record: what comes later in the open one
 * would count as clean, too.
 */
#include "lcfs/cache/core.h"
#include "lcfs/cache/migration.h"

#include "common/nsec.h"

uint64_t cache_image_size(const struct cache_image *img)
{
	return __atomic_load_n(&img->size, __ATOMIC_RELAXED);
}

static bool is_quiet(const struct cache_image *img)
{
	return !img->touchers && !img->dirty && !img->size_pending && !img->batch &&
	       !img->effects && !imgtab_has_pending(img) && list_is_empty(&img->ranges);
}

/* Records the stamp; without space in the log the image just stays touching. */
static void log_stamp(struct cache *c, struct cache_image *img, const struct op_stamp *stamp,
		      uint64_t now, struct outbox *ob)
{
	struct op op = { .type = OP_CLEAN, .image = img->id, .has_stamp = true, .stamp = *stamp };

	if (c->log.open && c->log.open->lsn <= img->last_lsn)
		log_seal(c, now, ob);
	op.arg0 = img->last_lsn;
	if (log_prepare(c, op_bytes(&op), 0, PURPOSE_CLEANER, now, ob) < 0)
		return;
	img->clean_lsn = img->last_lsn;
	img->last_lsn = log_op(c, &op);
	img->stamp = *stamp;
	img->is_touching = false;
	img->is_new = false;
	deadline_lower(c, now + NSEC_PER_SEC);
}

enum cache_step cache_image_touch(struct cache *c, struct cache_image *img,
				  const struct op_stamp *before, struct cache_sync *s, uint64_t now,
				  struct outbox *ob)
{
	LOCK_SCOPE(&c->lock);

	if (s)
		s->result = 0;
	if (c->failed) { /* the log that would say so has ended */
		img->touchers++;
		return CACHE_DONE;
	}
	if (img->is_bound && !img->is_touching) {
		if (log_prepare(c, imgtab_touch_bytes(img), 0, PURPOSE_CLEANER, now, ob) < 0)
			return CACHE_AGAIN;
		img->stamp = *before;
		imgtab_touch(c, img);
		deadline_lower(c, now + NSEC_PER_SEC);
	} else if (!img->is_bound && !img->touchers) {
		img->stamp = *before;
	}
	img->touchers++;
	img->touch_seq++;
	/* in the record that binds it: no power cut leaves the image without the mark */
	if (!s || !img->is_bound || img->touch_lsn == img->bind_lsn)
		return CACHE_DONE;
	s->act.type = ACTION_DONE;
	s->fn = NULL;
	s->image = img;
	s->lsn = img->touch_lsn;
	s->is_of_log = true;
	return commit_wait(c, s, now, ob) ? CACHE_DONE : CACHE_WAIT;
}

void cache_image_touched(struct cache *c, struct cache_image *img, const struct op_stamp *after,
			 uint64_t now, struct outbox *ob)
{
	LOCK_SCOPE(&c->lock);

	assert(img->touchers > 0);
	img->touchers--;
	if (after && !img->is_bound)
		img->stamp = *after;
	else if (after && img->is_touching && !imgtab_is_leaving(img) && is_quiet(img) &&
		 !c->failed)
		log_stamp(c, img, after, now, ob);
	if (!img->touchers)
		migrate_image_changed(c, img, now, ob);
}

/* What the log has of the image is older than its file. */
static int log_refresh(struct cache *c, struct cache_image *img, const struct op_stamp *stamp,
		       uint64_t now, struct outbox *ob)
{
	struct op forget = { .type = OP_INVALIDATE, .image = img->id, .arg1 = IMAGE_BYTES_MAX };
	struct op clean = { .type = OP_CLEAN,
			    .image = img->id,
			    .has_stamp = true,
			    .stamp = *stamp };
	struct op size = { .type = OP_SIZE, .image = img->id, .arg0 = stamp->size };
	int ret;

	if (c->log.open && c->log.open->lsn <= img->last_lsn)
		log_seal(c, now, ob);
	clean.arg0 = img->last_lsn;
	ret = log_prepare(c, op_bytes(&forget) + op_bytes(&clean) + op_bytes(&size), 0,
			  PURPOSE_CLEANER, now, ob);
	if (ret < 0)
		return ret;
	log_op(c, &forget);
	log_op(c, &size);
	img->last_lsn = log_op(c, &clean);
	img->clean_lsn = clean.arg0;
	img->is_new = false;
	deadline_lower(c, now + NSEC_PER_SEC);
	return 0;
}

int cache_image_refresh(struct cache *c, struct cache_image *img, const struct op_stamp *stamp,
			uint64_t now, struct outbox *ob)
{
	LOCK_SCOPE(&c->lock);
	uint64_t cursor = 0;
	int ret = 0;

	if (stamp->size > IMAGE_BYTES_MAX)
		return -EAGAIN;
	if (img->is_bound && ((!c->failed && !imgtab_is_settled(img)) || !is_quiet(img)))
		return -EAGAIN;
	/* In one record, or not at all: new data must not be logged over the old stamp. */
	if (img->is_bound && !c->failed)
		ret = log_refresh(c, img, stamp, now, ob);
	if (ret < 0)
		return ret;
	while (!blocks_drop_range(c, img, 0, IMAGE_BLOCK_MAX, UINT64_MAX, &cursor, UINT32_MAX))
		;
	imgtab_set_size(img, stamp->size);
	img->mtime_ns = 0;
	img->stamp = *stamp;
	return 0;
}

void cache_image_set_mtime(struct cache *c, struct cache_image *img, int64_t mtime_ns, uint64_t now,
			   struct outbox *ob)
{
	LOCK_SCOPE(&c->lock);
	struct op op = { .type = OP_SIZE, .image = img->id, .arg0 = img->size, .has_stamp = true };

	img->mtime_ns = mtime_ns;
	op.stamp = img->stamp;
	op.stamp.mtime_ns = mtime_ns;
	/* Without space it is only kept in memory. */
	if (img->is_bound && !imgtab_is_leaving(img) && !c->failed &&
	    log_prepare(c, op_bytes(&op), 0, PURPOSE_OP, now, ob) == 0)
		img->last_lsn = log_op(c, &op);
	deadline_lower(c, now + NSEC_PER_SEC);
}

enum cache_step cache_lease(struct cache *c, uint64_t lease_ns, struct cache_sync *s, uint64_t now,
			    struct outbox *ob)
{
	LOCK_SCOPE(&c->lock);

	c->lease_ns = max(c->lease_ns, lease_ns);
	s->result = c->failed ? -EIO : 0;
	if (c->failed || c->sb.lease_ns >= lease_ns)
		return CACHE_DONE;
	s->act.type = ACTION_DONE;
	s->fn = NULL;
	super_wait(c, s, now, ob);
	return CACHE_WAIT;
}
