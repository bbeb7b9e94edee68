/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The image table: a snapshot of all bound images as of the end of record table_lsn.
 *
 * Two areas, written in turn; which one is current is said by the super block, together with the
 * LSN and generation it must carry. An area is one header block and, behind it, the entries one
 * behind the other, 8-byte aligned, padded with zeros to a multiple of 4096. A table is valid if
 * and only if
 *   1. the magic is TABLE_MAGIC and the header's checksum holds (XXH3-64 over 4096 bytes, field
 *      zero, seeded with the byte address of the area),
 *   2. the version is known, reserved bytes are zero, cache UUID, table_lsn and generation are
 *      those the super block names, and header and payload fit the area,
 *   3. payload_checksum equals XXH3-64 over payload_bytes behind the header, seed 0,
 *   4. there are nr_entries entries, well formed, with distinct ids, and payload_bytes is the sum
 *      of their lengths rounded up to 4096 (0 without entries).
 *
 * An entry is well formed if and only if bytes is exactly what its parts take, rounded up to 8,
 * padding and reserved fields are zero, image is 1 .. IMAGE_ID_MAX, state, mode and flags are
 * known, error is 0 except in TABLE_STATE_ERROR, size, backing_valid and the ends of punches are at
 * most IMAGE_BYTES_MAX (backing_valid also ~0), no punch is empty, the identity is well formed (see
 * op_format.h) and the path valid; an entry with TABLE_UNBOUND may have no path.
 */
#ifndef LCFS_ONDISK_TABLE_FORMAT_H
#define LCFS_ONDISK_TABLE_FORMAT_H

#include <stddef.h>
#include <stdint.h>

#include "lcfs/ondisk/op_format.h"

#define TABLE_MAGIC "\x89lcT\r\n\x1a\x01"
#define TABLE_VERSION 1u

struct table_disk {
	uint8_t magic[8];                      /* 0 */
	le64_t checksum;                       /* 8 */
	uint8_t cache_uuid[FORMAT_UUID_BYTES]; /* 16 */
	le32_t version;                        /* 32 */
	le32_t nr_entries;                     /* 36 */
	le64_t epoch;                          /* 40 */
	le64_t generation;                     /* 48 */
	le64_t table_lsn;                      /* 56 */
	le64_t payload_bytes;                  /* 64: multiple of 4096 */
	le64_t payload_checksum;               /* 72 */
	le32_t next_image_id;                  /* 80: where the search for a free id goes on */
	uint8_t reserved[4096 - 84];           /* 84 */
};

/* sticky state of an image */
enum table_state {
	TABLE_STATE_OK = 0,
	TABLE_STATE_CONFLICT = 1,
	TABLE_STATE_MISSING = 2,
	TABLE_STATE_ERROR = 3,
};

/* mode of an image */
enum table_mode {
	TABLE_MODE_WRITEBACK = 0,
	TABLE_MODE_WRITETHROUGH = 1, /* reserved */
	TABLE_MODE_WRITEAROUND = 2,  /* reserved */
};

/* flags of an entry */
#define TABLE_TOUCHING 0x01u /* the backing file may differ from the stamp by our own writes */
#define TABLE_INTENT 0x02u   /* OP_INTENT without its OP_DONE */
#define TABLE_UNBOUND 0x04u  /* unbound at clean_lsn; the log has not forgotten the id yet */
#define TABLE_LEFT 0x08u     /* reserved: left the cache, its backing file is newer than the log */
#define TABLE_NEW 0x10u      /* BIND_NEW, and nothing since that ends it */
#define TABLE_FLAGS_KNOWN 0x1fu

struct table_punch_disk {
	le64_t offset; /* 0: bytes */
	le64_t bytes;  /* 8 */
};

struct table_entry_disk {
	le32_t bytes;          /* 0: whole entry, multiple of 8 */
	le32_t image;          /* 4: id, 1..2^24-1 */
	le64_t bind_lsn;       /* 8: entries below it are another image's */
	le64_t clean_lsn;      /* 16: entries up to it are in the backing file */
	le64_t applied_lsn;    /* 24: effects up to it are not redone */
	le64_t size;           /* 32: of the image as lcfs shows it */
	le64_t backing_valid;  /* 40: the backing file reads as zeros from here on (~0: none) */
	le64_t mtime_ns;       /* 48: of the image as lcfs shows it */
	le64_t quota_blocks;   /* 56: 0 = none (reserved) */
	uint8_t state;         /* 64: enum table_state */
	uint8_t mode;          /* 65: enum table_mode */
	uint8_t flags;         /* 66: TABLE_* */
	uint8_t reserved0;     /* 67 */
	le32_t error;          /* 68: errno of TABLE_STATE_ERROR */
	struct op_stamp_disk stamp;       /* 72 */
	struct op_identity_disk identity; /* 96 */
	le16_t path_bytes;     /* 264 */
	le16_t nr_punches;     /* 266: pending, oldest first */
	le32_t reserved1;      /* 268 */
	/* punches, then path, then zeros up to `bytes` */
};

#define TABLE_PUNCHES_MAX 64u

_Static_assert(sizeof(struct table_disk) == 4096, "a table header is one block");
_Static_assert(sizeof(struct table_entry_disk) == 272, "format size");
_Static_assert(offsetof(struct table_entry_disk, stamp) == 72, "format offset");

#endif
