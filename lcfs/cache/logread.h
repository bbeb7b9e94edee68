/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reads of the log by segment and block, as few and as large as the records allow.
 *
 * One buffer holds a piece of one segment. Where records are long only their headers are read, one
 * by one; where they are short, the rest of the segment at once. Hints run ahead so that reads
 * overlap; each hinted range is later read by one read of just that range, or not at all. One
 * owner, no locks; blocking.
 */
#ifndef LCFS_CACHE_LOGREAD_H
#define LCFS_CACHE_LOGREAD_H

#include <stdint.h>

#include "common/compiler.h"
#include "lcfs/io/blkdev.h"
#include "lcfs/ondisk/codec.h"

struct logread {
	struct blkdev *dev; /* const after init, as all before buf */
	const struct superblock *sb;
	uint32_t segment_blocks;
	uint64_t first, last; /* segment ids that may be read: one lap from the tail on */
	uint8_t *buf;         /* one segment, aligned; holds blocks ... */
	uint64_t buf_segment;
	uint32_t buf_offset, buf_blocks; /* ... from buf_offset on, none when buf_blocks is 0 */
	uint64_t hinted_segment;         /* that reading it whole is next has been said; 0: none */
	int error;                       /* the last one of the device, and where */
	uint64_t error_segment;
	uint32_t error_offset;
};

/* sb must stay. 0, -ENOMEM, or -EUCLEAN when sb's geometry is wrong or does not fit the device. */
int logread_init(struct logread *r, struct blkdev *dev, const struct superblock *sb) must_check;
void logread_free(struct logread *r);

/* 4 KiB block of the device where block `offset` of a segment stands. */
uint64_t logread_address(const struct logread *r, uint64_t segment, uint32_t offset);
/* Reads `blocks` blocks into memory of the caller, aligned to 4096. 0 or the device's error. */
int logread_into(struct logread *r, uint64_t segment, uint32_t offset, uint32_t blocks,
		 void *buf) must_check;
/*
 * Makes `blocks` blocks stand in the buffer; they are valid until the next logread_load. On an
 * error whoever needs fewer of them may ask for those.
 */
int logread_load(struct logread *r, uint64_t segment, uint32_t offset, uint32_t blocks,
		 const void **blocks_at) must_check;
/* The same for a whole segment; the device gets the next one ready, if it is not above `until`. */
int logread_segment(struct logread *r, uint64_t segment, uint64_t until,
		    const uint8_t **blocks_at) must_check;
/* Are the blocks in the buffer? Where, or NULL. */
const void *logread_peek(const struct logread *r, uint64_t segment, uint32_t offset,
			 uint32_t blocks);
/* These blocks will probably be read. */
void logread_hint(const struct logread *r, uint64_t segment, uint32_t offset, uint32_t blocks);

/* How many blocks to read for a header at `offset` when the record before it took `blocks`. */
static inline uint32_t logread_stride(const struct logread *r, uint32_t offset, uint32_t blocks)
{
	uint32_t left = r->segment_blocks - offset;

	return left / blocks >= 4 ? left : 1;
}

#endif
