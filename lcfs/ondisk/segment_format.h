/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Segments and records: the log.
 *
 * Segment `id` (1, 2, 3, ...) stands at slot (id - ring_base_id + ring_base_slot) % nr_segments. It
 * is filled from its first block by records, one behind the other; a record is one header block
 * and up to 255 data blocks, written by one write. Segment ids above the end of the log are used
 * again after an abandoned tail.
 *
 * A header is *self-valid* if and only if
 *   1. the magic is RECORD_MAGIC,
 *   2. checksum equals XXH3-64 over the 4096 bytes with the checksum field zero, seeded with
 *      record_seed(key, address) where key is the super block's and address is the block where
 *      it stands; so neither user data nor a misdirected write looks like a header,
 *   3. the cache UUID is the super block's.
 * A self-valid header with an unknown version, type, flag or non-zero reserved bytes, or whose
 * numbers contradict each other, is a refusal, never an end of the log. They agree when
 *   - address is where the header stands, behind the super blocks and below CACHE_BLOCKS_MAX to the
 *     end of the last data block; segment_id is not 0,
 *   - 1 <= branch_lsn <= lsn, durable_lsn < lsn, origin_lsn < lsn,
 *   - 1 <= nr_entries <= 255, and nr_blocks is the number of entries without ZERO and POISON,
 *   - each entry is well formed (below), and the arrays are zero from nr_entries on.
 *
 * A self-valid header *counts* as the successor of record n if and only if
 *   4. it stands where a successor may stand, in exactly the segment whose id it names,
 *   5. its LSN is n + 1 and its link equals n's checksum,
 *   6. its branch is not lower than n's,
 *   7. its blocks lie inside the segment,
 *   8. if its LSN is above what is known durable: each live entry's block has the sum it names.
 *
 * Entries: entry i names block key[i] (image id in the upper 24 bits, block number in the lower 40)
 * with its valid 512-byte sectors in dirty[i]. An entry without dirty bits is dead. Entries
 * without ZERO and POISON have one data block each, in order, behind the header; sum[i] is the
 * low half of XXH3-64 over its 4096 bytes, unwritten sectors zero. Replay goes in entry order.
 *
 * An entry is well formed if its flags are known, not both ZERO and POISON, sum is 0 where there is
 * no data block, and
 *   - with OP: no other flag, key 0, dirty 0xff (or 0: dead),
 *   - without OP: the image id is not 0; a dead one may have key and flags 0, which is how a slot
 *     that was handed out and never published is sealed,
 *   - with RELOCATED, if live: origin_lsn is not 0.
 *
 * An entry with POISON says that the sectors in dirty[] of its block are lost: a newer version than
 * those before it, which reads as an error. It is written alone in its record; recovery refuses one
 * that has company. An entry with RELOCATED is a version that was taken from an older record: it
 * changes neither size nor time of its image.
 */
#ifndef LCFS_ONDISK_SEGMENT_FORMAT_H
#define LCFS_ONDISK_SEGMENT_FORMAT_H

#include <stddef.h>
#include <stdint.h>

#include "common/byteorder.h"
#include "lcfs/ondisk/version.h"

#define RECORD_MAGIC "\x89lcR\r\n\x1a\x01"
#define RECORD_VERSION 1u
#define RECORD_TYPE_LOG 1u
#define RECORD_ENTRIES_MAX 255u
/* record_seed(key, address) = key + address * RECORD_SEED_FACTOR modulo 2^64 */
#define RECORD_SEED_FACTOR 0x9e3779b97f4a7c15ull

/* flags[] of an entry; all other bits are zero and checked */
#define ENTRY_OP 0x01u        /* a block of operations, image id 0 */
#define ENTRY_ZERO 0x02u      /* reserved: reads as zeros, no data block */
#define ENTRY_RELOCATED 0x04u /* copied by the cleaner, its age is the header's origin_lsn */
#define ENTRY_POISON 0x08u    /* dirty data that was lost to rot: EIO, no data block */
#define ENTRY_EXTENDS 0x10u   /* the image reaches at least to the end of the last dirty sector */
#define ENTRY_FLAGS_KNOWN 0x1fu
#define ENTRY_NO_DATA (ENTRY_ZERO | ENTRY_POISON)

#define RECORD_FLAGS_KNOWN 0u

struct record_disk {
	uint8_t magic[8];                    /* 0 */
	le64_t checksum;                     /* 8: also the link that the next record carries */
	uint8_t cache_uuid[FORMAT_UUID_BYTES]; /* 16 */
	le16_t version;                      /* 32 */
	le16_t type;                         /* 34 */
	le32_t flags;                        /* 36 */
	le64_t branch;                       /* 40: epoch << 16 | attempt */
	le64_t branch_lsn;                   /* 48: first LSN of this branch */
	le64_t lsn;                          /* 56 */
	le64_t link;                         /* 64: checksum of record lsn - 1 */
	le64_t segment_id;                   /* 72 */
	le64_t address;                      /* 80: own place, 4 KiB blocks from the device start */
	le64_t durable_lsn;                  /* 88: known durable when this header was made */
	le64_t origin_lsn;                   /* 96: lowest LSN of relocated entries, else 0 */
	le64_t time_ns;                      /* 104: wall clock when the record was sealed */
	le16_t nr_entries;                   /* 112: 1..255 */
	le16_t nr_blocks;                    /* 114: data blocks behind the header, 0..255 */
	uint8_t reserved0[12];               /* 116: zero */
	le64_t key[RECORD_ENTRIES_MAX];      /* 128 */
	le32_t sum[RECORD_ENTRIES_MAX];      /* 2168 */
	uint8_t dirty[RECORD_ENTRIES_MAX];   /* 3188 */
	uint8_t entry_flags[RECORD_ENTRIES_MAX]; /* 3443 */
	uint8_t reserved1[4096 - 3698];      /* 3698: zero */
};

_Static_assert(sizeof(struct record_disk) == 4096, "a header is one block");
_Static_assert(offsetof(struct record_disk, key) == 128, "format offset");
_Static_assert(offsetof(struct record_disk, sum) == 2168, "format offset");
_Static_assert(offsetof(struct record_disk, dirty) == 3188, "format offset");
_Static_assert(offsetof(struct record_disk, entry_flags) == 3443, "format offset");
_Static_assert(offsetof(struct record_disk, reserved1) == 3698, "format offset");

/* An entry's key: image id and block number. */
static inline uint64_t entry_key(uint32_t image, uint64_t block)
{
	return (uint64_t)image << 40 | block;
}

static inline uint32_t entry_key_image(uint64_t key)
{
	return (uint32_t)(key >> 40);
}

static inline uint64_t entry_key_block(uint64_t key)
{
	return key & IMAGE_BLOCK_MAX;
}

#endif
