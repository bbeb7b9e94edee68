// SPDX-License-Identifier: GPL-2.0-or-later
/* Shares of the log: see shares.h. */
#include "lcfs/cache/shares.h"

#include "common/nsec.h"
#include "lcfs/cache/cleaner.h"
#include "lcfs/cache/migration.h"

void shares_init(struct cache *c)
{
	list_init(&c->share_waiters);
	c->share_due_ns = UINT64_MAX;
}

/* Blocks of data that n segments hold at most. */
static uint64_t blocks_of(const struct cache *c, uint64_t n)
{
	return n * (c->segment_blocks - 1);
}

static uint64_t user_blocks(const struct cache *c)
{
	return blocks_of(c, c->nr_segments - PURPOSE_USER);
}

static uint64_t most_dirty(const struct cache *c)
{
	uint64_t spare = max(c->nr_segments / SHARE_SPARE, (uint64_t)2);

	return blocks_of(c, c->nr_segments - PURPOSE_USER - spare);
}

/* Blocks of the chunk that are not dirty yet. */
static uint64_t new_blocks(const struct cache *c, const struct cache_write *w)
{
	uint64_t n = 0;

	for (uint32_t i = 0; i < w->s.blocks; i++) {
		uint32_t cbn = index_find(&c->index, entry_key(w->image->id, w->s.block + i));

		n += cbn == CBN_NONE || !index_is_dirty(&c->index, cbn);
	}
	return n;
}

static bool stalled_may(const struct cache *c, const struct cache_image *img, uint64_t n,
			uint64_t now)
{
	const struct cache_image *other;
	uint64_t all = 0;

	if (img->dirty + n > user_blocks(c) / 4)
		return false;
	list_for_each_entry(other, &c->images, node)
		all += image_is_stalled(other, now) ? other->dirty : 0;
	return all + n <= user_blocks(c) / 2;
}

int shares_admit(const struct cache *c, const struct cache_write *w, uint64_t now)
{
	bool is_stalled = image_is_stalled(w->image, now);
	uint64_t dirty = c->dirty_blocks + c->nr_reserved, n;

	if (!is_stalled && dirty + w->s.blocks <= most_dirty(c))
		return 0;
	n = new_blocks(c, w);
	if (!n)
		return 0;
	if (dirty + n > most_dirty(c))
		return -EAGAIN;
	return is_stalled && !stalled_may(c, w->image, n + c->nr_reserved, now) ? -EAGAIN : 0;
}

int shares_patience(struct cache *c, struct cache_image *img, uint64_t waits_ns, uint64_t now)
{
	uint64_t timeout = c->knob[KNOB_STALL_TIMEOUT] * NSEC_PER_SEC;

	migrate_try_soon(c, img, now);
	/* "not now" (-EAGAIN) is no error, however long it lasts */
	if (!timeout || !img->error || (img->retries < 2 && !img->is_hung) ||
	    !image_is_stalled(img, now) || now < img->fails_ns + timeout ||
	    (!img->is_hung && img->tried_ns < waits_ns))
		return 0;
	return img->error == ENOSPC || img->error == EDQUOT ? -ENOSPC : -EIO;
}

void shares_wait(struct cache *c, struct cache_waiter *w, struct action *act, uint64_t now)
{
	waiters_add(&c->share_waiters, w, act);
	shares_wake_at(c, now + NSEC_PER_SEC);
}

void shares_wake(struct cache *c, struct outbox *ob)
{
	waiters_wake(&c->share_waiters, ob);
}

void shares_wake_at(struct cache *c, uint64_t at)
{
	c->share_due_ns = min(c->share_due_ns, at);
	deadline_lower(c, at);
}

bool shares_are_tight(const struct cache *c)
{
	uint64_t most = user_blocks(c) / 10 * 7;
	const struct cache_image *img;
	uint32_t bound = 0;
	bool is_large = false;

	if (!list_is_empty(&c->share_waiters))
		return true;
	if (c->dirty_blocks <= most)
		return false;
	list_for_each_entry(img, &c->images, node) {
		bound += img->is_bound && !img->is_unbound;
		is_large |= img->dirty > most;
	}
	return is_large && bound > 1;
}
