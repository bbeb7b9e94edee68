/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Encode, decode and verify what stands on the cache device. Pure functions: no I/O, no locks, no
 * memory of their own, safe to call from any thread, and safe on any input bytes. Decoding never
 * trusts a length or an index that it has not checked. Blocks, headers and payloads that are passed
 * in are aligned to 8 bytes.
 *
 * All "address" arguments are byte addresses on the device for the super block and the tables, and
 * 4 KiB block numbers for records.
 */
#ifndef LCFS_ONDISK_CODEC_H
#define LCFS_ONDISK_CODEC_H

#include <stdbool.h>
#include <stdint.h>

#include "common/compiler.h"
#include "lcfs/ondisk/op_format.h"
#include "lcfs/ondisk/segment_format.h"
#include "lcfs/ondisk/superblock_format.h"
#include "lcfs/ondisk/table_format.h"

/*
 * Why a structure was not accepted. FORMAT_OK is 0. Up to FORMAT_LAST_ABSENT nothing of ours is
 * there (an end of the log, an unused copy); above it something of ours is there that must not be
 * ignored (format_is_refusal).
 */
enum format_reason {
	FORMAT_OK = 0,
	FORMAT_NO_MAGIC,
	FORMAT_BAD_CHECKSUM,
	FORMAT_OTHER_UUID,
	FORMAT_LAST_ABSENT = FORMAT_OTHER_UUID,
	FORMAT_UNKNOWN_VERSION,
	FORMAT_UNKNOWN_TYPE,
	FORMAT_UNKNOWN_FLAG,
	FORMAT_UNKNOWN_FEATURE,
	FORMAT_RESERVED_NOT_ZERO,
	FORMAT_BAD_GEOMETRY,
	FORMAT_BAD_LSN,
	FORMAT_BAD_COUNT,
	FORMAT_BAD_ENTRY,
	FORMAT_BAD_OP,
	FORMAT_BAD_LENGTH,
	FORMAT_BAD_PATH,
	FORMAT_DUPLICATE,
	FORMAT_NR_REASONS
};

static inline bool format_is_refusal(enum format_reason why)
{
	return why > FORMAT_LAST_ABSENT;
}

/* A short English phrase, e.g. "unknown version". Static string, never NULL. */
const char *format_reason_text(enum format_reason why);

/* ---- super block ---- */

struct superblock_table_area {
	uint64_t start, bytes, table_lsn, generation;
};

/* The super block in host order; fields as in struct superblock_disk. */
struct superblock {
	uint64_t feature_compat, feature_ro_compat, feature_incompat;
	uint8_t cache_uuid[FORMAT_UUID_BYTES];
	uint8_t device_uuid[FORMAT_UUID_BYTES];
	uint32_t device_index, device_count;
	char label[FORMAT_LABEL_BYTES + 1];
	uint32_t checksum_algorithm, segment_order, pool_segments;
	uint64_t key, device_bytes, segments_start, nr_segments, ring_base_id, ring_base_slot;
	struct superblock_table_area table[2];
	uint64_t format_time;

	uint64_t epoch, generation;
	uint8_t mount_id[FORMAT_UUID_BYTES];
	uint8_t boot_id[FORMAT_UUID_BYTES];
	uint64_t last_migrated_segment_id, tail_lsn, tail_link, tail_branch;
	uint64_t durable_lsn, epoch_start_lsn, epoch_start_segment;
	uint32_t table_current, state;
	uint64_t lease_ns, write_time_ns;
	uint8_t dir_uuid[FORMAT_UUID_BYTES];
};

/* Fills the 4096 bytes at block for the copy that stands at byte `address`. */
void superblock_encode(const struct superblock *sb, void *block, uint64_t address);
/* Reads the 4096 bytes at block. *sb is written only when FORMAT_OK is returned. */
enum format_reason superblock_decode(struct superblock *sb, const void *block, uint64_t address);
/* The geometry rules of decode alone, for mkfs and tests. */
enum format_reason superblock_check_geometry(const struct superblock *sb);
/*
 * Lays out a device of device_bytes (rounded down to 4096) with segments of segment_order and table
 * areas of table_bytes each (rounded up to 4096; 0 = the default for the size, less where the
 * segments would not fit). Sets every field that superblock_check_geometry looks at except
 * pool_segments, and no other. Returns 0, or -ENOSPC when the device has no room for
 * NR_SEGMENTS_MIN segments, -EINVAL for an order or table_bytes out of range, -EFBIG when it would
 * have more than CACHE_BLOCKS_MAX blocks (the caller may cut device_bytes). *sb is changed only
 * when 0 is returned.
 */
int superblock_layout(struct superblock *sb, uint64_t device_bytes, uint32_t segment_order,
		      uint64_t table_bytes) must_check;
/* -1, 0, 1 by (epoch, generation). */
int superblock_compare(const struct superblock *a, const struct superblock *b);
/* Is what mkfs.lcfs has laid down, and never changes, the same in both copies? */
bool superblock_is_same_cache(const struct superblock *a, const struct superblock *b);

static inline uint64_t superblock_segment_bytes(const struct superblock *sb)
{
	return (uint64_t)SECTOR_BYTES << sb->segment_order;
}

static inline uint32_t superblock_segment_blocks(const struct superblock *sb)
{
	return 1u << (sb->segment_order + SECTOR_SHIFT - BLOCK_SHIFT);
}

/* Slot of a segment id >= ring_base_id, 0 .. nr_segments - 1. */
uint64_t superblock_slot(const struct superblock *sb, uint64_t segment_id);
/* First 4 KiB block of a segment on the device. */
uint64_t superblock_segment_address(const struct superblock *sb, uint64_t segment_id);

/* ---- records ---- */

/* Seed of the checksum of a header that stands at 4 KiB block `address`. */
uint64_t record_seed(uint64_t key, uint64_t address);
/*
 * Sets magic, version, type and checksum of a header whose other fields are final; its own address
 * is taken from the field. Returns the checksum (the link for the next record).
 */
uint64_t record_finish(struct record_disk *h, uint64_t key);
/*
 * Is the 4096-byte header self-valid (segment_format.h 1-3), and well formed? address is where it
 * was read from. Does not look at data blocks. That the record fits its segment is the walker's to
 * check, which knows the geometry.
 */
enum format_reason record_verify(const struct record_disk *h, const uint8_t *cache_uuid,
				 uint64_t key, uint64_t address);
/* Data block number of entry i, counted from the header (1 = the first), 0 when it has none. Costs
 * O(i): whoever walks all entries counts along. */
uint32_t record_entry_block(const struct record_disk *h, uint32_t i);
/* Blocks that the record takes in the segment, header included. */
static inline uint32_t record_blocks(const struct record_disk *h)
{
	return 1u + le16_get(h->nr_blocks);
}

/* ---- operations ---- */

struct op_stamp {
	uint64_t size;
	int64_t mtime_ns, ctime_ns;
};

struct op_identity {
	uint64_t ino;
	int64_t btime_ns;
	uint8_t fsid[16];
	uint32_t handle_type;
	uint16_t handle_bytes;
	uint8_t strength; /* enum identity_strength */
	uint8_t handle[OP_HANDLE_MAX];
};

/* An operation in host order. path and path2 are not terminated and point into the caller's or
 * the decoded block's memory. */
struct op {
	enum op_type type;
	uint32_t image;
	uint64_t arg0, arg1;
	bool has_stamp, has_identity;
	struct op_stamp stamp;
	struct op_identity identity;
	const char *path, *path2;
	uint16_t path_bytes, path2_bytes;
};

/* Is it well formed (op_format.h)? The reason that op_next would give for it otherwise. */
enum format_reason op_check(const struct op *op);
/* Bytes that op takes encoded, a multiple of 8; at most BLOCK_BYTES if it is well formed. */
uint32_t op_bytes(const struct op *op);
/*
 * Appends at *pos within the 4096-byte block (zero behind *pos) and moves *pos; -EINVAL when op is
 * not well formed, -ENOSPC when it does not fit, both with nothing changed. The type field is
 * written last, by one store with release order, so that a half written operation reads as the end.
 */
int op_append(void *block, uint32_t *pos, const struct op *op) must_check;
/*
 * Reads the operation at *pos (0 at first) and moves *pos. Returns 1 with *op, 0 at the end of the
 * block, or -EINVAL with *why. Unknown types without OP_MUST are skipped. The end is where the type
 * is 0: what a dead writer left behind it is not looked at (see op_block_verify and op_block_trim).
 */
int op_next(const void *block, uint32_t *pos, struct op *op, enum format_reason *why) must_check;
/* Are all operations of the block well formed, and is all behind them zero? For blocks that come
 * from the device. */
enum format_reason op_block_verify(const void *block);
/* Zeroes what stands behind the last whole operation: for blocks that a dead writer left in RAM,
 * before they are sealed. Returns the reason where the walk met a malformed operation, with nothing
 * changed. */
enum format_reason op_block_trim(void *block);
/* May the path be stored: relative, no empty, "." or ".." component, no NUL, <= OP_PATH_MAX? */
bool op_path_is_valid(const char *path, size_t bytes);

/* ---- image table ---- */

struct table_punch {
	uint64_t offset, bytes;
};

/* An entry in host order; path and punches point to the caller's or the decoded memory. */
struct table_entry {
	uint32_t image;
	uint64_t bind_lsn, clean_lsn, applied_lsn;
	uint64_t size, backing_valid, quota_blocks;
	int64_t mtime_ns;
	uint8_t state, mode, flags;
	uint32_t error;
	struct op_stamp stamp;
	struct op_identity identity;
	const char *path;
	uint16_t path_bytes;
	const struct table_punch_disk *punches;
	uint16_t nr_punches;
};

struct table_header {
	uint8_t cache_uuid[FORMAT_UUID_BYTES];
	uint32_t nr_entries, next_image_id;
	uint64_t epoch, generation, table_lsn, payload_bytes, payload_checksum;
};

uint32_t table_entry_bytes(uint16_t path_bytes, uint16_t nr_punches);
/* Appends an entry at *pos of a payload of `bytes` (zero behind *pos); -ENOSPC, -EINVAL as
 * op_append. */
int table_entry_append(void *payload, uint64_t bytes, uint64_t *pos,
		       const struct table_entry *e) must_check;
/* Fills the header block of the area at byte `address`; h->payload_checksum is taken as given. */
void table_header_encode(const struct table_header *h, void *block, uint64_t address);
/* *h is written only when FORMAT_OK is returned. That UUID, LSN, generation and size are what the
 * super block says is the caller's to check before it reads payload_bytes. */
enum format_reason table_header_decode(struct table_header *h, const void *block, uint64_t address);
/* Reads the entry at *pos: 1 with *e, 0 at the end (only zeros follow), -EINVAL with *why. */
int table_entry_next(const void *payload, uint64_t bytes, uint64_t *pos, struct table_entry *e,
		     enum format_reason *why) must_check;
/* Checksum of the payload_bytes at payload, form and number of all its entries; distinct ids are
 * the caller's to check (FORMAT_DUPLICATE is for it). */
enum format_reason table_payload_verify(const struct table_header *h, const void *payload);

#endif
