/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The index: which cache block holds the newest version of an image's block.
 *
 * Flat arrays by cache block number and hash chains through them: at most 20 bytes a block, all
 * allocated when the cache is opened. Pure memory; the caller's lock covers it, but sum[] of a
 * cache block whose slot is pinned does not change and may be read without.
 *
 * A poisoned block (rule F4) has no data; the block of its record's header is its slot, where no
 * data ever stands. Such blocks are dirty, and one bit a block says so.
 */
#ifndef LCFS_CACHE_INDEX_H
#define LCFS_CACHE_INDEX_H

#include <stdbool.h>
#include <stdint.h>

#include "common/compiler.h"

#define CBN_NONE UINT32_MAX

#define INDEX_LIVE 0x01u  /* in a chain: the newest version of its block */
#define INDEX_DIRTY 0x02u /* not in the backing file yet */
#define INDEX_BATCH 0x04u /* in the migration batch under way */
#define INDEX_AGE_SHIFT 3 /* the five bits above: the generation of a dirty block (age.h) */

struct index {
	uint64_t *key;	/* entry_key() */
	uint32_t *next; /* cbn, CBN_NONE ends */
	uint32_t *sum;	/* checksum_block() of the block on the device */
	uint8_t *mask;	/* valid sectors */
	uint8_t *flags;
	uint8_t *poison; /* one bit a block */
	uint32_t *head;
	uint32_t blocks, buckets;
	uint32_t nr_poison; /* live ones */
};

int index_init(struct index *ix, uint64_t blocks) must_check;
void index_free(struct index *ix);
uint64_t index_bytes(const struct index *ix);
/* The live block of this key, or CBN_NONE. */
uint32_t index_find(const struct index *ix, uint64_t key);
/* key[cbn] is set and not live: makes it live. No other block of the key may be live. */
void index_link(struct index *ix, uint32_t cbn);
void index_unlink(struct index *ix, uint32_t cbn);
/* A live block is one without data. */
void index_set_poison(struct index *ix, uint32_t cbn);

static inline bool index_is_poison(const struct index *ix, uint32_t cbn)
{
	return ix->nr_poison && ix->poison[cbn / 8] & (1u << cbn % 8);
}

static inline bool index_is_live(const struct index *ix, uint32_t cbn)
{
	return ix->flags[cbn] & INDEX_LIVE;
}

static inline bool index_is_dirty(const struct index *ix, uint32_t cbn)
{
	return ix->flags[cbn] & INDEX_DIRTY;
}

static inline uint32_t index_generation(const struct index *ix, uint32_t cbn)
{
	return ix->flags[cbn] >> INDEX_AGE_SHIFT;
}

#endif
