// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Range locks (D4, E1): a write, a merge or an operation holds its blocks alone from its first look
 * to its publication. Few are held at a time, so a list an image is enough.
 *
 * An operation announces its range first: from then on later comers wait, and it claims the range
 * when those before it have let go and no backing write is under way there. Migration keeps away
 * from claimed ranges. A waiting operation is only announced, never claimed, so that it cannot stop
 * migration.
 */
#include "lcfs/cache/core.h"
#include "lcfs/cache/migration.h"

static bool overlaps(const struct cache_range *r, uint64_t first, uint64_t last)
{
	return r->first <= last && first <= r->last;
}

static void link_range(struct cache_image *img, struct cache_range *r, uint64_t first,
		       uint64_t last, bool pending)
{
	r->first = first;
	r->last = last;
	r->is_linked = true;
	r->is_pending = pending;
	list_init(&r->node);
	list_add_tail(&img->ranges, &r->node);
}

bool range_try(struct cache_image *img, struct cache_range *r, uint64_t first, uint64_t last)
{
	struct cache_range *other;

	list_for_each_entry(other, &img->ranges, node)
		if (overlaps(other, first, last))
			return false;
	link_range(img, r, first, last, false);
	return true;
}

void range_announce(struct cache_image *img, struct cache_range *r, uint64_t first, uint64_t last)
{
	link_range(img, r, first, last, true);
}

bool range_claim(struct cache_image *img, struct cache_range *r)
{
	struct cache_range *other;

	list_for_each_entry(other, &img->ranges, node) {
		if (other == r)
			break;
		if (overlaps(other, r->first, r->last))
			return false;
	}
	if (migrate_overlaps(img, r->first, r->last))
		return false;
	r->is_pending = false;
	return true;
}

void range_release(struct cache_image *img, struct cache_range *r, struct outbox *ob)
{
	if (!r->is_linked)
		return;
	list_del(&r->node);
	r->is_linked = false;
	waiters_wake(&img->range_waiters, ob);
}

bool range_is_held(const struct cache_image *img, uint64_t block)
{
	const struct cache_range *r;

	list_for_each_entry(r, &img->ranges, node)
		if (!r->is_pending && overlaps(r, block, block))
			return true;
	return false;
}

bool range_take_first(struct cache_image *img, struct cache_range *r, uint64_t block)
{
	if (range_is_held(img, block))
		return false;
	r->first = r->last = block;
	r->is_linked = true;
	r->is_pending = false;
	list_init(&r->node);
	list_add_head(&img->ranges, &r->node);
	return true;
}

bool range_is_claimed(const struct cache_image *img, uint64_t block)
{
	const struct cache_range *r;
	const struct cache_op *op;

	list_for_each_entry(op, &img->ops, s.node)
		if (!op->s.range.is_pending && op->s.range.is_linked &&
		    overlaps(&op->s.range, block, block))
			return true;
	if (img->lost.is_open) /* writes go where migration does */
		list_for_each_entry(r, &img->ranges, node)
			if (!r->is_pending && overlaps(r, block, block))
				return true;
	return false;
}
