// SPDX-License-Identifier: GPL-2.0-or-later
/* The invariants of the core, by a full walk. For the simulation and for PARANOID builds. */
#include "lcfs/cache/core.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/cleanup.h"

struct check {
	char *text;
	size_t size;
	bool failed;
	uint64_t *dirty, *cached; /* an image */
	uint64_t *ages;		  /* an image, and at 0 all: sums of age_weight() */
	uint64_t nr_poison;
};

static void broken(struct check *k, const char *fmt, ...) printf_like(2, 3);

static void broken(struct check *k, const char *fmt, ...)
{
	va_list ap;

	if (k->failed)
		return;
	k->failed = true;
	va_start(ap, fmt);
	vsnprintf(k->text, k->size, fmt, ap);
	va_end(ap);
}

/* Of a dirty block: sums of it differ if the counts of any generation do. */
static uint64_t age_weight(uint32_t generation)
{
	uint64_t w = (generation + 1) * 0x9e3779b97f4a7c15ull;

	return w ^ w >> 29;
}

static uint64_t age_sum(const struct age_count *n)
{
	uint64_t sum = 0;

	for (uint32_t g = 0; g < AGE_GENERATIONS; g++)
		sum += n->nr[g] * age_weight(g);
	return sum;
}

static void check_block(struct cache *c, struct check *k, const struct segment *seg, uint32_t cbn)
{
	uint64_t key = c->index.key[cbn];
	uint32_t id = entry_key_image(key);

	if (seg->id == 0)
		broken(k, "block %u is live in a segment that was never used", cbn);
	if (!imgtab_find(c, id)) {
		broken(k, "block %u belongs to image %u, which does not exist", cbn, id);
		return;
	}
	if (index_find(&c->index, key) != cbn)
		broken(k, "block %u is live but not found by its key", cbn);
	if (!c->index.mask[cbn])
		broken(k, "block %u is live without a valid sector", cbn);
	if (seg->state == SEGMENT_FREE && index_is_dirty(&c->index, cbn))
		broken(k, "dirty block %u in free segment %llu", cbn, (unsigned long long)seg->id);
	if (index_is_poison(&c->index, cbn) && !index_is_dirty(&c->index, cbn))
		broken(k, "block %u is poisoned and clean", cbn);
	k->nr_poison += index_is_poison(&c->index, cbn);
	k->cached[id]++;
	if (index_is_dirty(&c->index, cbn)) {
		k->ages[id] += age_weight(index_generation(&c->index, cbn));
		k->ages[0] += age_weight(index_generation(&c->index, cbn));
	}
	k->dirty[id] += index_is_dirty(&c->index, cbn);
}

static void check_segment(struct cache *c, struct check *k, uint64_t slot)
{
	const struct segment *seg = &c->segments[slot];
	uint32_t dirty = 0, first = (uint32_t)slot * c->segment_blocks;

	for (uint32_t i = 0; i < c->segment_blocks; i++) {
		if (!index_is_live(&c->index, first + i))
			continue;
		check_block(c, k, seg, first + i);
		dirty += index_is_dirty(&c->index, first + i);
	}
	if (dirty != seg->nr_dirty)
		broken(k, "segment %llu counts %u dirty blocks, has %u",
		       (unsigned long long)seg->id, seg->nr_dirty, dirty);
	if (seg->state != SEGMENT_FREE && superblock_slot(&c->sb, seg->id) != slot)
		broken(k, "segment %llu is in slot %llu", (unsigned long long)seg->id,
		       (unsigned long long)slot);
	if (seg->buf && seg->buf->segment != seg)
		broken(k, "segment %llu and its buffer disagree", (unsigned long long)seg->id);
}

static void check_images(struct cache *c, struct check *k)
{
	const struct cache_image *img;
	uint64_t dirty = 0, cached = 0, poisoned = 0;

	list_for_each_entry(img, &c->images, node) {
		poisoned += img->poisoned;
		if (img->dirty != k->dirty[img->id] || img->cached != k->cached[img->id])
			broken(k, "image %u counts %llu dirty and %llu cached, has %llu and %llu",
			       img->id, (unsigned long long)img->dirty,
			       (unsigned long long)img->cached,
			       (unsigned long long)k->dirty[img->id],
			       (unsigned long long)k->cached[img->id]);
		if (age_sum(&img->ages) != k->ages[img->id] || img->ages.total != img->dirty)
			broken(k, "image %u counts the ages of its dirty blocks wrong", img->id);
		dirty += img->dirty;
		cached += img->cached;
	}
	if (age_sum(&c->ages.all) != k->ages[0])
		broken(k, "the ages of dirty blocks are counted wrong");
	if (poisoned != k->nr_poison || poisoned != c->index.nr_poison)
		broken(k, "poisoned blocks are counted wrong");
	if (dirty != c->dirty_blocks || cached != c->cached_blocks)
		broken(k, "the sums of dirty and cached blocks are wrong");
}

static void check_log(struct cache *c, struct check *k)
{
	const struct log *l = &c->log;
	const struct record *rec;
	uint64_t lsn = l->durable_lsn, used = 0;

	list_for_each_entry(rec, &l->records, node) {
		if (rec->lsn != ++lsn)
			broken(k, "record %llu follows %llu", (unsigned long long)rec->lsn,
			       (unsigned long long)lsn - 1);
		if (!rec->buf->segment || rec->buf->segment->state == SEGMENT_FREE)
			broken(k, "record %llu has no segment", (unsigned long long)rec->lsn);
	}
	if (lsn != l->next_lsn - 1)
		broken(k, "the records end at %llu, next is %llu", (unsigned long long)lsn,
		       (unsigned long long)l->next_lsn);
	for (uint64_t id = c->tail; id < l->next_segment_id; id++, used++)
		if (log_segment(c, id)->id != id || log_segment(c, id)->state == SEGMENT_FREE)
			broken(k, "segment %llu between tail and head is not there",
			       (unsigned long long)id);
	if (used + l->free_segments != c->nr_segments)
		broken(k, "%llu segments used and %llu free of %llu", (unsigned long long)used,
		       (unsigned long long)l->free_segments, (unsigned long long)c->nr_segments);
}

int cache_check(struct cache *c, char *text, size_t size)
{
	LOCK_SCOPE(&c->lock);
	CLEANUP_FREE uint64_t *dirty = calloc((size_t)c->by_id_size + 1, sizeof(uint64_t));
	CLEANUP_FREE uint64_t *cached = calloc((size_t)c->by_id_size + 1, sizeof(uint64_t));
	CLEANUP_FREE uint64_t *ages = calloc((size_t)c->by_id_size + 1, sizeof(uint64_t));
	struct check k = { .text = text,
			   .size = size,
			   .dirty = dirty,
			   .cached = cached,
			   .ages = ages };

	if (!dirty || !cached || !ages)
		return -ENOMEM;
	for (uint64_t slot = 0; slot < c->nr_segments; slot++)
		check_segment(c, &k, slot);
	check_images(c, &k);
	check_log(c, &k);
	return k.failed ? -EUCLEAN : 0;
}
