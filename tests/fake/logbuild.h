/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Lays a log on a memory device, record by record, through the codec: what an honest writer writes,
 * and, by changing a record before it is written or its bytes after, anything else.
 *
 * Contents are drawn from LSN, branch and seed. What stood in a place before is kept with the
 * record, so that its write can be undone in part, as a power cut does.
 */
#ifndef TESTS_FAKE_LOGBUILD_H
#define TESTS_FAKE_LOGBUILD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lcfs/ondisk/codec.h"
#include "tests/fake/memdev.h"

/* A record that was written. */
struct logbuild_record {
	uint64_t lsn, branch, branch_lsn, link, durable_lsn;
	uint64_t segment;
	uint32_t offset, blocks; /* blocks: header included */
	uint64_t checksum;
	uint8_t *bytes;  /* as written, blocks * 4096 */
	uint8_t *before; /* what it was written over */
};

struct logbuild {
	struct memdev *mem;
	struct superblock sb;             /* what the walk is given */
	struct logbuild_record **records; /* in order of writing */
	size_t nr, room;
	uint64_t seed;
	/* The writer: what the next record will carry, and where it stands. */
	uint64_t lsn, link, branch, branch_lsn, durable_lsn; /* lsn: of the last record */
	uint64_t segment;
	uint32_t offset;
};

/* A formatted cache in its first epoch with an empty log: segments of 2^order sectors, a pool of
 * pool_segments RAM buffers. Aborts when there is no memory, like all below. */
void logbuild_init(struct logbuild *b, uint32_t order, uint64_t nr_segments,
		   uint32_t pool_segments);
void logbuild_free(struct logbuild *b);

/* Byte of the device where a block of a segment stands. */
uint64_t logbuild_byte(const struct logbuild *b, uint64_t segment, uint32_t offset);

/* The writer goes on at this place. */
void logbuild_move(struct logbuild *b, uint64_t segment, uint32_t offset);
/* All that was written is durable now; the next record says so. */
void logbuild_flush(struct logbuild *b);
/* A new branch begins at the first block of the segment, behind the record of this LSN (the newest
 * one written with it, or what the super block says of the tail). */
void logbuild_branch(struct logbuild *b, uint64_t branch, uint64_t after_lsn, uint64_t segment);
/* The same behind this very record; NULL: what the super block says. */
void logbuild_branch_after(struct logbuild *b, uint64_t branch, const struct logbuild_record *after,
			   uint64_t segment);
/* A new mount found the log ended there: its epoch is in the super block. */
void logbuild_epoch(struct logbuild *b, uint64_t after_lsn, uint64_t segment);
void logbuild_epoch_after(struct logbuild *b, const struct logbuild_record *after,
			  uint64_t segment);
/* The tail moves to the segment of this record, which is its first. */
void logbuild_tail(struct logbuild *b, const struct logbuild_record *r);

/* A header for the next record as the writer would make it, with nr entries of one block each. */
void logbuild_header(const struct logbuild *b, struct record_disk *h, uint32_t nr);
/* Draws the blocks behind the header, fills the sums and the checksum, and writes header and blocks
 * at the place that the header names in segment `segment`; the writer is then behind it. */
struct logbuild_record *logbuild_write(struct logbuild *b, struct record_disk *h, uint64_t segment,
				       uint32_t offset);
/* The next record: header, then write, in the next segment when it does not fit this one. */
struct logbuild_record *logbuild_append(struct logbuild *b, uint32_t nr);
/* nr records of `entries` entries each; the last one. */
struct logbuild_record *logbuild_append_many(struct logbuild *b, uint32_t nr, uint32_t entries);

/* Undoes the write of sectors [first, first + nr) of the record, counted from its header. */
void logbuild_undo(struct logbuild *b, const struct logbuild_record *r, uint32_t first,
		   uint32_t nr);
/* Undoes header or blocks or both. */
void logbuild_undo_header(struct logbuild *b, const struct logbuild_record *r);
void logbuild_undo_blocks(struct logbuild *b, const struct logbuild_record *r);
void logbuild_undo_all(struct logbuild *b, const struct logbuild_record *r);
/* Inverts a byte of the record where it stands. */
void logbuild_rot(struct logbuild *b, const struct logbuild_record *r, uint32_t byte);

/* The header that stands there, to be changed; then sealed, so that only its contents are wrong. */
struct record_disk *logbuild_at(const struct logbuild *b, uint64_t segment, uint32_t offset);
void logbuild_seal(const struct logbuild *b, uint64_t segment, uint32_t offset);

/* The record that was last written there, whole, with this checksum; NULL: none. */
const struct logbuild_record *logbuild_find(const struct logbuild *b, uint64_t segment,
					    uint32_t offset, uint64_t checksum);

/* A pseudo-random number; *state is the seed and moves on. */
uint64_t logbuild_random(uint64_t *state);

#endif
