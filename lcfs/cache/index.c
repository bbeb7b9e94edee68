// SPDX-License-Identifier: GPL-2.0-or-later
/* The index: flat arrays with hash chains. */
#include "lcfs/cache/index.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/*
 * 18 bytes and a bit a block in the arrays and 3 buckets of 4 bytes for 8 blocks make 19.6;
 * segments and what else grows with the device must fit the rest of the 20.
 */
static uint32_t bucket_count(uint64_t blocks)
{
	uint64_t n = blocks * 3 / 8;

	return n < 16 ? 16 : (uint32_t)n;
}

static uint32_t bucket_of(const struct index *ix, uint64_t key)
{
	uint64_t h = key * 0x9e3779b97f4a7c15ull;

	h ^= h >> 32;
	h *= 0xd6e8feb86659fd93ull;
	return (uint32_t)(((h >> 32) * ix->buckets) >> 32);
}

int index_init(struct index *ix, uint64_t blocks)
{
	memset(ix, 0, sizeof(*ix));
	if (blocks >= CBN_NONE)
		return -EFBIG;
	ix->blocks = (uint32_t)blocks;
	ix->buckets = bucket_count(blocks);
	ix->key = calloc(blocks, sizeof(*ix->key));
	ix->next = calloc(blocks, sizeof(*ix->next));
	ix->sum = calloc(blocks, sizeof(*ix->sum));
	ix->mask = calloc(blocks, sizeof(*ix->mask));
	ix->flags = calloc(blocks, sizeof(*ix->flags));
	ix->poison = calloc(blocks / 8 + 1, 1);
	ix->head = malloc(ix->buckets * sizeof(*ix->head));
	if (!ix->key || !ix->next || !ix->sum || !ix->mask || !ix->flags || !ix->poison ||
	    !ix->head) {
		index_free(ix);
		return -ENOMEM;
	}
	memset(ix->head, 0xff, ix->buckets * sizeof(*ix->head));
	return 0;
}

void index_free(struct index *ix)
{
	free(ix->key);
	free(ix->next);
	free(ix->sum);
	free(ix->mask);
	free(ix->flags);
	free(ix->poison);
	free(ix->head);
	memset(ix, 0, sizeof(*ix));
}

uint64_t index_bytes(const struct index *ix)
{
	return (uint64_t)ix->blocks * 18 + ix->blocks / 8 +
	       (uint64_t)ix->buckets * sizeof(*ix->head);
}

uint32_t index_find(const struct index *ix, uint64_t key)
{
	uint32_t cbn = ix->head[bucket_of(ix, key)];

	while (cbn != CBN_NONE && ix->key[cbn] != key)
		cbn = ix->next[cbn];
	return cbn;
}

void index_link(struct index *ix, uint32_t cbn)
{
	uint32_t *head = &ix->head[bucket_of(ix, ix->key[cbn])];

	assert(!index_is_live(ix, cbn));
	ix->next[cbn] = *head;
	*head = cbn;
	ix->flags[cbn] |= INDEX_LIVE;
}

void index_unlink(struct index *ix, uint32_t cbn)
{
	uint32_t *link = &ix->head[bucket_of(ix, ix->key[cbn])];

	assert(index_is_live(ix, cbn));
	while (*link != cbn)
		link = &ix->next[*link];
	*link = ix->next[cbn];
	ix->flags[cbn] = 0;
	if (index_is_poison(ix, cbn)) {
		ix->poison[cbn / 8] &= (uint8_t) ~(1u << cbn % 8);
		ix->nr_poison--;
	}
}

void index_set_poison(struct index *ix, uint32_t cbn)
{
	assert(index_is_live(ix, cbn) && !index_is_poison(ix, cbn));
	ix->poison[cbn / 8] |= (uint8_t)(1u << cbn % 8);
	ix->nr_poison++;
}
