// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What a migration batch consists of: dirty blocks from the tail, each with the dirty blocks before
 * and behind it, whatever segment they are in, up to what one request takes; and their images.
 *
 * A request costs a store far more than the bytes of one block more in it: so a batch is limited by
 * what it costs, not by its number of blocks.
 */
#include "lcfs/cache/lost.h"
#include "lcfs/cache/migrate.h"

#include <stdlib.h>

#include "lcfs/cache/poison.h"

static int compare_key(const void *a, const void *b)
{
	const struct migrate_item *x = a, *y = b;

	return x->key < y->key ? -1 : x->key > y->key;
}

void migrate_retry(struct cache *c, struct cache_image *img, uint64_t now, struct outbox *ob)
{
	img->retries = 0;
	if (img->state == TABLE_STATE_OK && !img->is_hung)
		img->error = 0;
	migrate_image_changed(c, img, now, ob);
}

static bool image_may(const struct cache *c, const struct migrate_batch *b,
		      const struct cache_image *img, uint64_t now)
{
	const struct cache_op *op;

	if (img->batch && img->batch != b)
		return false; /* it hangs */
	if (img->is_stopped || imgtab_is_leaving(img) || (img->retries && now < img->retry_ns))
		return false;
	if (img->effects)
		return false;
	if (c->migrate->only_draining && !img->is_draining)
		return false;
	if (lost_error(c, img))
		return false;
	if (imgtab_has_pending(img) && !c->failed)
		list_for_each_entry(op, &img->ops, s.node)
			if (op->s.range.is_linked && !op->s.range.is_pending)
				return false; /* its own effect is under way */
	return true;
}

static bool slot_may(struct cache *c, uint32_t cbn, uint64_t now)
{
	const struct segment *seg = log_segment_of(c, cbn);

	if (c->failed)
		return (c->index.flags[cbn] & (INDEX_LIVE | INDEX_DIRTY | INDEX_BATCH)) ==
			       (INDEX_LIVE | INDEX_DIRTY) &&
		       !lost_is(c, cbn);
	return (c->index.flags[cbn] & (INDEX_LIVE | INDEX_DIRTY | INDEX_BATCH)) ==
		       (INDEX_LIVE | INDEX_DIRTY) &&
	       !index_is_poison(&c->index, cbn) && !poison_is_suspect(c, cbn, now) &&
	       seg->state == SEGMENT_CLOSED && seg->last_lsn <= c->log.durable_lsn;
}

void migrate_add_image(struct migrate_batch *b, struct cache_image *img)
{
	assert(!img->batch || img->batch == b);
	if (img->batch)
		return;
	img->batch = b;
	img->batch_items = 0;
	img->batch_out = 0;
	img->batch_failed = false;
	img->batch_error = 0;
	img->batch_final = false;
	list_init(&img->batch_node);
	list_add_tail(&b->images, &img->batch_node);
	b->nr_images++;
}

/* Has the mask gaps, or does the backing store take no pieces of a block? */
static bool needs_backing(const struct cache_image *img, uint8_t mask)
{
	uint32_t low = mask & -(uint32_t)mask;

	if (mask == 0xff)
		return false;
	return img->align > SECTOR_BYTES || ((mask + low) & mask);
}

/* False: no memory left. */
static bool add_block(struct cache *c, struct migrate_batch *b, uint32_t cbn, uint64_t now)
{
	struct cache_image *img = imgtab_find(c, entry_key_image(c->index.key[cbn]));
	uint8_t mask = c->index.mask[cbn];
	bool twice = needs_backing(img, mask);
	struct migrate_item *it;
	struct wbuf *buf;

	img->lost.is_seen = true;
	if (!image_may(c, b, img, now) || range_is_claimed(img, entry_key_block(c->index.key[cbn])))
		return true;
	if (!img->batch && b->nr_images == MIGRATE_IMAGES_MAX)
		return true;
	if (b->pages_used + (twice ? 2 : 1) > b->nr_pages)
		return false;
	migrate_add_image(b, img);
	it = &b->item[b->nr_items++];
	memset(it, 0, sizeof(*it));
	it->key = c->index.key[cbn];
	it->img = img;
	it->cbn = cbn;
	it->mask = mask;
	it->sum = c->index.sum[cbn];
	it->segment_id = log_segment_of(c, cbn)->id;
	it->ram = c->failed ? log_ram(c, cbn, &buf) : NULL;
	it->page = b->memory + (uint64_t)b->pages_used++ * BLOCK_BYTES;
	if (twice)
		it->backing = b->memory + (uint64_t)b->pages_used++ * BLOCK_BYTES;
	c->index.flags[cbn] |= INDEX_BATCH;
	img->batch_items++;
	return true;
}

/* Adds the dirty blocks next to that of key, one by one on one side; false: no memory left. */
static bool add_neighbours(struct cache *c, struct migrate_batch *b, uint64_t key, uint64_t step,
			   uint32_t *room, uint64_t now)
{
	const uint32_t image = entry_key_image(key);

	for (key += step; *room && entry_key_image(key) == image; key += step, --*room) {
		uint32_t cbn = index_find(&c->index, key), before = b->nr_items;

		if (cbn == CBN_NONE || !slot_may(c, cbn, now))
			return true;
		if (!add_block(c, b, cbn, now))
			return false;
		if (b->nr_items == before)
			return true;
	}
	return true;
}

/* Adds the block and what one request can take with it; false: the batch is full. */
static bool add_request(struct cache *c, struct migrate_batch *b, uint32_t cbn, uint64_t now)
{
	uint64_t key = c->index.key[cbn];
	uint32_t before = b->nr_items, room = MIGRATE_RUN_BLOCKS - 1;
	bool has_memory;

	if (b->cost >= (uint64_t)c->migrate->limit * MIGRATE_REQUEST_COST ||
	    !add_block(c, b, cbn, now))
		return false;
	if (b->nr_items == before)
		return true;
	has_memory = add_neighbours(c, b, key, 1, &room, now) &&
		     add_neighbours(c, b, key, (uint64_t)-1, &room, now);
	b->cost += MIGRATE_REQUEST_COST + (b->nr_items - before - 1);
	return has_memory;
}

static bool may_collect(const struct cache *c, const struct segment *seg)
{
	if (c->failed)
		return seg->nr_dirty && (seg->buf || !c->lost.is_unreadable);
	return seg->nr_dirty && seg->state == SEGMENT_CLOSED && seg->last_lsn <= c->log.durable_lsn;
}

/* False: it stopped before the end of the log. */
static bool collect_segments(struct cache *c, struct migrate_batch *b, uint64_t now)
{
	uint64_t segments = c->knob[KNOB_NR_MAX_BATCHED_MIGRATION], id;

	for (id = c->tail; id < c->log.next_segment_id && segments; id++) {
		struct segment *seg = log_segment(c, id);
		uint32_t first = log_cbn(c, id, 0), before = b->nr_items;

		if (!may_collect(c, seg))
			continue;
		for (uint32_t i = 1; i < c->segment_blocks; i++)
			if (slot_may(c, first + i, now) && !add_request(c, b, first + i, now))
				return false;
		segments -= b->nr_items != before;
	}
	return id == c->log.next_segment_id;
}

/* Of an image with poisoned blocks nothing but pending effects can be settled. */
static bool is_unsettled(const struct cache_image *img)
{
	if (img->poisoned)
		return img->dirty == img->poisoned && imgtab_has_pending(img);
	return !img->dirty && !imgtab_is_settled(img);
}

/* Images without dirty blocks whose files are not settled yet: size, mtime, pending effects. Those
 * that are being changed past the log cannot be settled now. */
static bool wants_batch(const struct cache *c, const struct cache_image *img)
{
	if (c->failed)
		return lost_wants_batch(img);
	return is_unsettled(img) && (!img->touchers || imgtab_has_pending(img)) &&
	       list_is_empty(&img->ranges);
}

static void collect_images(struct cache *c, struct migrate_batch *b, uint64_t now)
{
	struct cache_image *img;

	list_for_each_entry(img, &c->images, node)
		if (img->is_bound && wants_batch(c, img) && image_may(c, b, img, now) &&
		    b->nr_images < MIGRATE_IMAGES_MAX)
			migrate_add_image(b, img);
}

void migrate_collect(struct cache *c, struct migrate_batch *b, uint64_t now)
{
	bool is_whole;

	b->nr_items = 0;
	b->nr_runs = 0;
	b->nr_images = 0;
	b->pages_used = 0;
	b->nr_iov = 0;
	list_init(&b->images);
	b->cost = 0;
	if (c->failed)
		lost_begin_look(c, now);
	is_whole = collect_segments(c, b, now);
	collect_images(c, b, now);
	qsort(b->item, b->nr_items, sizeof(*b->item), compare_key);
	if (c->failed && is_whole)
		lost_end_look(c, now);
}
