// SPDX-License-Identifier: GPL-2.0-or-later
/* The index together with what is counted: an image's and a segment's live and dirty blocks. */
#include "lcfs/cache/cleaner.h"

static void set_dirty(struct cache *c, struct cache_image *img, uint32_t cbn, uint32_t generation,
		      int64_t at)
{
	c->index.flags[cbn] |= (uint8_t)(INDEX_DIRTY | generation << INDEX_AGE_SHIFT);
	log_segment_of(c, cbn)->nr_dirty++;
	img->dirty++;
	c->dirty_blocks++;
	age_add(&c->ages.all, generation, at);
	age_add(&img->ages, generation, at);
}

static void count_clean(struct cache *c, struct cache_image *img, uint32_t cbn)
{
	uint32_t generation = index_generation(&c->index, cbn);

	log_segment_of(c, cbn)->nr_dirty--;
	img->dirty--;
	c->dirty_blocks--;
	age_remove(&c->ages.all, generation);
	age_remove(&img->ages, generation);
}

bool blocks_insert(struct cache *c, struct cache_image *img, uint64_t block, uint32_t cbn,
		   uint8_t mask, int64_t dirty_at)
{
	struct index *ix = &c->index;
	uint32_t old = index_find(ix, entry_key(img->id, block));

	if (old != CBN_NONE && log_position(c, old) > log_position(c, cbn))
		return false;
	if (old != CBN_NONE && index_is_dirty(ix, old))
		set_dirty(c, img, cbn, index_generation(ix, old), dirty_at);
	else
		set_dirty(c, img, cbn, ages_current(&c->ages, dirty_at), dirty_at);
	if (old != CBN_NONE)
		blocks_remove(c, old);
	ix->key[cbn] = entry_key(img->id, block);
	ix->mask[cbn] = mask;
	index_link(ix, cbn);
	img->cached++;
	img->max_block = max(img->max_block, block);
	c->cached_blocks++;
	return true;
}

bool blocks_insert_poison(struct cache *c, struct cache_image *img, uint64_t block, uint32_t cbn,
			  uint8_t mask, int64_t dirty_at)
{
	if (!blocks_insert(c, img, block, cbn, mask, dirty_at))
		return false;
	index_set_poison(&c->index, cbn);
	img->poisoned++;
	return true;
}

void blocks_remove(struct cache *c, uint32_t cbn)
{
	struct index *ix = &c->index;
	struct cache_image *img = imgtab_find(c, entry_key_image(ix->key[cbn]));

	assert(img);
	if (index_is_poison(ix, cbn))
		img->poisoned--;
	if (index_is_dirty(ix, cbn))
		count_clean(c, img, cbn);
	img->cached--;
	c->cached_blocks--;
	index_unlink(ix, cbn);
}

void blocks_set_clean(struct cache *c, uint32_t cbn)
{
	struct index *ix = &c->index;

	if (!index_is_dirty(ix, cbn))
		return;
	assert(!index_is_poison(ix, cbn));
	cleaner_progress(c);
	count_clean(c, imgtab_find(c, entry_key_image(ix->key[cbn])), cbn);
	ix->flags[cbn] &= INDEX_LIVE | INDEX_BATCH;
}

void blocks_set_dirty(struct cache *c, uint32_t cbn, int64_t at)
{
	struct index *ix = &c->index;

	if (!index_is_dirty(ix, cbn))
		set_dirty(c, imgtab_find(c, entry_key_image(ix->key[cbn])), cbn,
			  ages_current(&c->ages, at), at);
}

static void drop_one(struct cache *c, uint32_t cbn, uint64_t before)
{
	if (log_position(c, cbn) >= before)
		return;
	cleaner_progress(c);
	blocks_remove(c, cbn);
}

bool blocks_drop_range(struct cache *c, struct cache_image *img, uint64_t first, uint64_t last,
		       uint64_t before, uint64_t *cursor, uint32_t budget)
{
	struct index *ix = &c->index;
	bool by_block;
	uint64_t end;

	last = min(last, img->max_block);
	if (first > last)
		return true;
	by_block = last - first < ix->blocks;
	end = by_block ? last - first + 1 : ix->blocks;
	for (; *cursor < end && img->cached; ++*cursor) {
		uint32_t cbn;

		if (budget-- == 0)
			return false;
		if (by_block) {
			cbn = index_find(ix, entry_key(img->id, first + *cursor));
			if (cbn == CBN_NONE)
				continue;
		} else {
			uint64_t block;

			cbn = (uint32_t)*cursor;
			if (!index_is_live(ix, cbn) || entry_key_image(ix->key[cbn]) != img->id)
				continue;
			block = entry_key_block(ix->key[cbn]);
			if (block < first || block > last)
				continue;
		}
		drop_one(c, cbn, before);
	}
	return true;
}

void blocks_drop_sectors(struct cache *c, struct cache_image *img, uint64_t block, uint8_t mask,
			 uint64_t before)
{
	struct index *ix = &c->index;
	uint32_t cbn = index_find(ix, entry_key(img->id, block));

	if (cbn == CBN_NONE || log_position(c, cbn) >= before)
		return;
	ix->mask[cbn] &= (uint8_t)~mask;
	if (!ix->mask[cbn])
		drop_one(c, cbn, before);
}
