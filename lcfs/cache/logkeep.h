/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Headers kept between the two passes of the walk, packed, so that the second need not read them
 * again: the newest ones, as many as a given amount of memory holds. One owner, no locks.
 */
#ifndef LCFS_CACHE_LOGKEEP_H
#define LCFS_CACHE_LOGKEEP_H

#include <stdbool.h>
#include <stdint.h>

#include "common/compiler.h"
#include "lcfs/ondisk/codec.h"

struct logkeep_chunk;

struct logkeep {
	struct logkeep_chunk *oldest, *newest;
	uint64_t bytes, max_bytes;
	uint32_t chunk_bytes;
	uint64_t first_lsn; /* of the oldest that is kept; UINT64_MAX when none is */
};

/* A place between two headers; dead after logkeep_add and logkeep_clear. */
struct logkeep_pos {
	const struct logkeep_chunk *chunk;
	uint32_t at;
};

void logkeep_init(struct logkeep *k, uint64_t max_bytes);
/* Forgets and frees all. */
void logkeep_clear(struct logkeep *k);
/* Adds a well formed header behind the newest; may drop the oldest ones, never the last added. 0 or
 * -ENOMEM. */
int logkeep_add(struct logkeep *k, const struct record_disk *h) must_check;
struct logkeep_pos logkeep_begin(const struct logkeep *k);
/* Unpacks the next header into *h, byte for byte as it was added; false at the end. */
bool logkeep_next(struct logkeep_pos *pos, struct record_disk *h);

#endif
