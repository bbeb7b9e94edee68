/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The super block: geometry, identity and the few things that change.
 *
 * Two copies, at byte 0 and at byte 1 MiB of the cache device, one 4 KiB block each. They are
 * written in turn; the newest valid one wins, ordered by (epoch, generation), and the newest valid
 * one is never overwritten. A copy is valid if and only if
 *   1. the magic is SUPERBLOCK_MAGIC,
 *   2. checksum equals XXH3-64 over the 4096 bytes with the checksum field zero, seeded with the
 *      byte address of the copy (so that a copy written to the wrong place does not count),
 *   3. version is known and header_bytes is 4096,
 *   4. no unknown incompat bit is set,
 *   5. reserved bytes are zero, and geometry and log positions are consistent:
 *      - block_bytes is 4096, device_count 1, device_index 0, the label zero behind its first zero,
 *        the checksum algorithm known,
 *      - device_bytes is a multiple of 4096 and at most CACHE_BLOCKS_MAX blocks,
 *      - segment_order is in range, segments_start a multiple of the segment size, nr_segments at
 *        least NR_SEGMENTS_MIN, and the segments end inside device_bytes,
 *      - both table areas begin at or above SUPERBLOCK_AREA_BYTES, end at or below segments_start,
 *        do not overlap, and are multiples of 4096 from TABLE_AREA_BYTES_MIN to _MAX long,
 *      - ring_base_id is not 0, ring_base_slot below nr_segments, pool_segments at most a quarter
 *        of nr_segments (0 = never mounted),
 *      - table_current and state are known values,
 *      - last_migrated_segment_id is at least ring_base_id - 1 and not the highest number there is,
 *      - 1 <= tail_lsn <= durable_lsn + 1, epoch_start_lsn <= durable_lsn + 1, and the table_lsn of
 *        the current table <= durable_lsn.
 * A copy that passes 1 and 2 but fails 3, 4 or 5 is a refusal, not an invalid copy.
 */
#ifndef LCFS_ONDISK_SUPERBLOCK_FORMAT_H
#define LCFS_ONDISK_SUPERBLOCK_FORMAT_H

#include <stddef.h>
#include <stdint.h>

#include "common/byteorder.h"
#include "lcfs/ondisk/version.h"

#define SUPERBLOCK_MAGIC "\x89lcC\r\n\x1a\x01" /* 8 bytes, no terminator on disk */
#define SUPERBLOCK_COPIES 2
#define SUPERBLOCK_ADDRESS(copy) ((uint64_t)(copy) << 20) /* bytes */
#define SUPERBLOCK_AREA_BYTES ((1ull << 20) + (64ull << 10)) /* image tables begin here */

/* One image table area; default: device_bytes >> TABLE_AREA_DEFAULT_SHIFT, clamped to DEFAULT_* */
#define TABLE_AREA_BYTES_MIN (64ull << 10)
#define TABLE_AREA_BYTES_MAX (1ull << 30)
#define TABLE_AREA_DEFAULT_SHIFT 9
#define TABLE_AREA_DEFAULT_MIN (256ull << 10)
#define TABLE_AREA_DEFAULT_MAX (64ull << 20)

/* table_current */
#define SUPERBLOCK_TABLE_NONE 2u

/* state */
#define SUPERBLOCK_CLEAN 1u /* unmounted in order: no RAM buffers to look for */
#define SUPERBLOCK_STATE_KNOWN SUPERBLOCK_CLEAN

struct superblock_table_area_disk {
	le64_t start;      /* 0: bytes from the start of the device, multiple of 4096 */
	le64_t bytes;      /* 8: length of the area */
	le64_t table_lsn;  /* 16: LSN the table in it stands for, 0 = none */
	le64_t generation; /* 24: of the table in it */
};

struct superblock_disk {
	/* fixed at format time */
	uint8_t magic[8];                         /* 0 */
	le64_t checksum;                          /* 8 */
	le32_t version;                           /* 16 */
	le32_t header_bytes;                      /* 20: 4096 */
	le64_t feature_compat;                    /* 24 */
	le64_t feature_ro_compat;                 /* 32 */
	le64_t feature_incompat;                  /* 40 */
	uint8_t cache_uuid[FORMAT_UUID_BYTES];    /* 48: the log, the same on every mirror */
	uint8_t device_uuid[FORMAT_UUID_BYTES];   /* 64: this device */
	le32_t device_index;                      /* 80: 0 */
	le32_t device_count;                      /* 84: 1 */
	uint8_t label[FORMAT_LABEL_BYTES];        /* 88: UTF-8, zero padded */
	le32_t checksum_algorithm;                /* 152: CHECKSUM_XXH3_64 */
	le32_t segment_order;                     /* 156 */
	le32_t block_bytes;                       /* 160: 4096 */
	le32_t pool_segments;                     /* 164: W, RAM buffers of the writing mount */
	le64_t key;                               /* 168: secret seed of the record headers */
	le64_t device_bytes;                      /* 176: size of the device as formatted */
	le64_t segments_start;                    /* 184: bytes, multiple of the segment size */
	le64_t nr_segments;                       /* 192 */
	le64_t ring_base_id;                      /* 200: id of the segment at ring_base_slot: 1 */
	le64_t ring_base_slot;                    /* 208: 0 */
	struct superblock_table_area_disk table[2]; /* 216 */
	le64_t format_time;                       /* 280: seconds since 1970 */

	/* changes with every write of a copy */
	le64_t epoch;                             /* 288: a new one a mount */
	le64_t generation;                        /* 296: +1 a write, never reset */
	uint8_t mount_id[FORMAT_UUID_BYTES];      /* 304: 128 random bits a mount */
	uint8_t boot_id[FORMAT_UUID_BYTES];       /* 320: of the kernel that mounted */
	le64_t last_migrated_segment_id;          /* 336: the tail is the segment after it */
	le64_t tail_lsn;                          /* 344: LSN expected where the tail begins */
	le64_t tail_link;                         /* 352: checksum of the header before it */
	le64_t tail_branch;                       /* 360: branch of the record before it */
	le64_t durable_lsn;                       /* 368: records up to it are on stable storage */
	le64_t epoch_start_lsn;                   /* 376: first LSN of this epoch */
	le64_t epoch_start_segment;               /* 384: where it begins */
	le32_t table_current;                     /* 392: 0, 1 or SUPERBLOCK_TABLE_NONE */
	le32_t state;                             /* 396: SUPERBLOCK_CLEAN */
	le64_t lease_ns;                          /* 400: we change no backing file after it */
	le64_t write_time_ns;                     /* 408: wall clock of this write */
	uint8_t dir_uuid[FORMAT_UUID_BYTES];      /* 416: backing directory, 0 = never mounted */
	uint8_t reserved[4096 - 432];             /* 432: zero */
};

_Static_assert(sizeof(struct superblock_disk) == 4096, "the super block is one block");
_Static_assert(offsetof(struct superblock_disk, table) == 216, "format offset");
_Static_assert(offsetof(struct superblock_disk, epoch) == 288, "format offset");
_Static_assert(offsetof(struct superblock_disk, lease_ns) == 400, "format offset");
_Static_assert(offsetof(struct superblock_disk, reserved) == 432, "format offset");

#endif
