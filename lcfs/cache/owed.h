/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a recovered log owes the backing files: the blocks and effects that are in no file yet. For
 * the offline tools, which read a cache without serving it.
 *
 * Both are for a cache that has been opened and has had no request since. One thread.
 */
#ifndef LCFS_CACHE_OWED_H
#define LCFS_CACHE_OWED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/compiler.h"
#include "lcfs/cache/cache.h"

/* The newest version of a block of an image. */
struct owed_block {
	uint64_t key;	 /* entry_key(): image and block number */
	uint64_t offset; /* where its 4096 bytes are on the device that was recovered */
	uint32_t sum;	 /* checksum_block() of them */
	uint8_t mask;	 /* valid sectors; the others are in the backing file */
	bool is_poison;	 /* what was in the sectors of mask is lost: nothing is at offset */
};

/* All dirty blocks, by image and block number. *blocks is the caller's to free(), NULL for none.
 * 0 or -ENOMEM. */
int owed_blocks(struct cache *c, struct owed_block **blocks, size_t *nr) must_check;

/* What is to be done to the backing file before any of its blocks is written, in this order. */
struct owed_effects {
	uint64_t valid; /* the file is zero from this byte on; UINT64_MAX: there is no such thing */
	uint32_t nr_punches;
	const struct table_punch *punches; /* zero, too; the cache's */
};

void owed_effects(const struct cache_image *img, struct owed_effects *e);

#endif
