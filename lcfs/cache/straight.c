// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Writes that go straight to the backing file, when there is no log any more (lost.c).
 *
 * One holds its blocks alone like any other (D4), and migration keeps off them: what is saved of
 * the old log must not go over what is newer. Sectors that it covers are dropped from the index
 * once the file has them. A dirty sector that it covers in part must be in the file before: the
 * write waits until it is saved, and fails if that cannot be.
 */
#include "lcfs/cache/lost.h"
#include "lcfs/cache/migration.h"

/* A sector that `at` stands in the middle of. 0, -EAGAIN: it is to be saved first, -EIO: it is
 * lost. */
static int look_at_torn(struct cache *c, const struct cache_image *img, uint64_t at)
{
	uint32_t cbn = index_find(&c->index, entry_key(img->id, at / BLOCK_BYTES));

	if (at % SECTOR_BYTES == 0 || cbn == CBN_NONE || !index_is_dirty(&c->index, cbn) ||
	    !(c->index.mask[cbn] & 1u << at % BLOCK_BYTES / SECTOR_BYTES))
		return 0;
	return lost_is(c, cbn) ? -EIO : -EAGAIN;
}

static int look(struct cache *c, struct cache_image *img, uint64_t off, uint64_t end)
{
	int ret;

	if (img->is_bound && !img->lost.is_open) {
		img->lost.is_wanted = true;
		return -EAGAIN;
	}
	if (imgtab_has_pending(img))
		return -EAGAIN;
	ret = look_at_torn(c, img, off);
	return ret ? ret : look_at_torn(c, img, end);
}

int straight_may(struct cache *c, struct cache_image *img, uint64_t off, uint64_t end, uint64_t now,
		 struct outbox *ob)
{
	int ret = look(c, img, off, end);

	if (ret != -EAGAIN)
		return ret;
	if (img->error)
		return -img->error;
	migrate_kick(c, now, ob);
	return -EAGAIN;
}

/* Sectors of the block that lie in [off, end); of a clean version also those that do in part. */
static uint8_t covered(uint64_t block, uint64_t off, uint64_t end, bool is_clean)
{
	uint8_t mask = 0;

	for (uint32_t i = 0; i < SECTORS_PER_BLOCK; i++) {
		uint64_t a = block * BLOCK_BYTES + i * SECTOR_BYTES, b = a + SECTOR_BYTES;

		if (is_clean ? a < end && b > off : a >= off && b <= end)
			mask |= (uint8_t)(1u << i);
	}
	return mask;
}

void straight_wrote(struct cache *c, struct cache_image *img, uint64_t off, uint64_t end,
		    uint64_t now)
{
	uint64_t last = min((end - 1) / BLOCK_BYTES, img->max_block);

	for (uint64_t block = off / BLOCK_BYTES; block <= last && img->cached; block++) {
		uint32_t cbn = index_find(&c->index, entry_key(img->id, block));

		if (cbn != CBN_NONE)
			blocks_drop_sectors(c, img, block,
					    covered(block, off, end,
						    !index_is_dirty(&c->index, cbn)),
					    UINT64_MAX);
	}
	img->mtime_ns = c->info.real_ns + (int64_t)now;
	img->lost.written = ++c->lost.seq;
}

static void wrote(struct cache *c, struct action *a, int result, uint64_t now, struct outbox *ob)
{
	struct cache_write *w = container_of(a, struct cache_write, act);
	uint64_t end = w->off + w->len;

	if (result < 0) {
		w->s.error = result;
	} else {
		straight_wrote(c, w->image, a->off, end, now);
		if (end > w->image->size)
			imgtab_grow_size(w->image, end);
		w->s.done = w->len;
	}
	range_release(w->image, &w->s.range, ob);
	a->type = ACTION_RESUME;
	outbox_add(ob, a);
	migrate_kick(c, now, ob);
}

static void issue(struct cache_write *w, struct outbox *ob)
{
	struct action *a = &w->act;

	a->type = ACTION_BACK_WRITE;
	a->image = w->image;
	a->complete = wrote;
	a->iov = &a->iov1;
	a->nr_iov = 1;
	a->iov1.iov_base = (char *)(uintptr_t)w->data + w->s.done;
	a->iov1.iov_len = w->len - w->s.done;
	a->len = a->iov1.iov_len;
	a->off = w->off + w->s.done;
	outbox_add(ob, a);
}

enum cache_step straight_write(struct cache *c, struct cache_write *w, bool may_wait, uint64_t now,
			       struct outbox *ob)
{
	struct cache_image *img = w->image;
	uint64_t off = w->off + w->s.done, end = w->off + w->len;
	uint64_t first = off / BLOCK_BYTES, last = (end - 1) / BLOCK_BYTES;
	int ret;

	if (!may_wait)
		return CACHE_AGAIN;
	ret = straight_may(c, img, off, end, now, ob);
	if (!ret &&
	    (migrate_overlaps(img, first, last) || !range_try(img, &w->s.range, first, last)))
		ret = -EAGAIN;
	if (ret == -EAGAIN) {
		waiters_add(&img->range_waiters, &w->s.wait, &w->act);
		return CACHE_WAIT;
	}
	if (ret) {
		w->s.error = ret;
		return CACHE_DONE;
	}
	issue(w, ob);
	return CACHE_WAIT;
}
