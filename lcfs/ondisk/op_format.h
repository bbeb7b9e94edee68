/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Operations: what happened besides data, in order with it.
 *
 * A block of operations is the data block of an entry with ENTRY_OP, image id 0, block number 0
 * and all dirty bits. It holds operations one behind the other, each an 8-byte aligned TLV; the
 * first with type 0, or the end of the block, ends the block, and all behind it is zero. An
 * operation never spans two blocks. An unknown type whose MUST bit is set refuses the mount;
 * without it, it is skipped. Every type below is written with MUST, and is refused without it.
 *
 * An operation of a known type is well formed if and only if
 *   1. bytes is exactly what its parts take, rounded up to 8, and all padding is zero,
 *   2. image is at most IMAGE_ID_MAX, and not 0 for BIND, SIZE, TRUNCATE, PUNCH, UNBIND, CLEAN,
 *      TOUCH, INTENT, DONE, STATE, ATTACH, INVALIDATE, DROP and NAMED,
 *   3. it has the parts that its type needs: stamp (BIND, CLEAN, TOUCH), identity (BIND), path
 *      (BIND, RENAME, EXCHANGE, INTENT, CHECKPOINT), path2 (RENAME, EXCHANGE); more may be there,
 *   4. every path is valid (op_path_is_valid), and there is no path2 without path,
 *   5. arguments are in range: sizes and ends of ranges up to IMAGE_BYTES_MAX, ranges not empty,
 *      the enumerations as defined, an errno up to OP_ERRNO_MAX,
 *   6. the handle of an identity is zero behind handle_bytes, and there is one if strength says so.
 */
#ifndef LCFS_ONDISK_OP_FORMAT_H
#define LCFS_ONDISK_OP_FORMAT_H

#include <stddef.h>
#include <stdint.h>

#include "common/byteorder.h"
#include "lcfs/ondisk/version.h"

#define OP_MUST 0x8000u /* in type: whoever does not know the type must refuse */

enum op_type {
	OP_END = 0,
	OP_BIND = 1,      /* from here on image is the file of stamp, identity and path; arg0: its
			   * size in bytes; arg1: BIND_NEW or 0 */
	OP_SIZE = 2,      /* arg0: new size in bytes, not smaller than before */
	OP_TRUNCATE = 3,  /* arg0: new size in bytes, smaller than before */
	OP_PUNCH = 4,     /* arg0: offset, arg1: length in bytes; reads as zeros from here on */
	OP_RENAME = 5,    /* path: old name, path2: new name; of a directory: of all below it */
	OP_EXCHANGE = 6,  /* path, path2: the two names (or trees) change places */
	OP_UNBIND = 7,    /* image means nothing from here on, all its entries are dead */
	OP_CLEAN = 8,     /* arg0: clean_lsn: all up to it is in the backing file; stamp */
	OP_TOUCH = 9,     /* the backing file is about to be changed by us; stamp before it */
	OP_INTENT = 10,   /* arg0: enum op_intent; path: a name of image that is about to go */
	OP_DONE = 11,     /* what OP_INTENT announced has happened (arg0: 1) or not (0) */
	OP_STATE = 12,    /* arg0: enum table_state, sticky; arg1: errno; 0 with stamp: all that
			   * the log holds of image goes over the file of stamp and identity */
	OP_ATTACH = 13,   /* arg0: enum table_mode */
	OP_INVALIDATE = 14, /* reserved: arg0 offset, arg1 length: backing file is newer there */
	OP_DROP = 15,     /* reserved: arg0 offset, arg1 length: the admin discards dirty data */
	OP_CHECKPOINT = 16, /* reserved: path: name of a position in the log */
	OP_NAMED = 17,    /* what BIND_NEW says is so no more */
	OP_TYPE_LAST = OP_NAMED,
};

enum op_intent {
	OP_INTENT_UNLINK = 1,      /* the last name of the image goes */
	OP_INTENT_RENAME_OVER = 2, /* another file takes its last name */
};

/* in arg1 of OP_BIND: the file was created through lcfs, and nobody was promised that its name is
 * durable in the backing filesystem: a power cut may take it */
#define BIND_NEW 1u

#define OP_PATH_MAX 1536u /* bytes; relative to the backing directory, no slash at either end */
#define OP_HANDLE_MAX 128u
#define OP_ERRNO_MAX 4095u

/* What the backing file looked like right after our last own change of it. */
struct op_stamp_disk {
	le64_t size;     /* 0 */
	le64_t mtime_ns; /* 8: nanoseconds since 1970, signed */
	le64_t ctime_ns; /* 16 */
};

/* How a backing file is known again. */
struct op_identity_disk {
	le64_t ino;                     /* 0 */
	le64_t btime_ns;                /* 8: 0 = unknown */
	uint8_t fsid[16];               /* 16: filesystem id, not st_dev */
	le32_t handle_type;             /* 32 */
	le16_t handle_bytes;            /* 36: 0 = none */
	uint8_t strength;               /* 38: enum identity_strength */
	uint8_t reserved;               /* 39 */
	uint8_t handle[OP_HANDLE_MAX];  /* 40 */
};

enum identity_strength {
	IDENTITY_WEAK = 0,   /* path, size and mtime only */
	IDENTITY_INODE = 1,  /* inode, filesystem and ctime */
	IDENTITY_HANDLE = 2, /* and a file handle */
};

struct op_disk {
	le16_t type;       /* 0: enum op_type, with OP_MUST */
	le16_t bytes;      /* 2: whole length with this header, multiple of 8 */
	le32_t image;      /* 4: image id, 0 where the operation names none */
	le64_t arg0;       /* 8 */
	le64_t arg1;       /* 16 */
	le16_t path_bytes; /* 24 */
	le16_t path2_bytes;/* 26 */
	uint8_t has_stamp; /* 28: 0/1: a struct op_stamp_disk follows */
	uint8_t has_identity; /* 29: 0/1: a struct op_identity_disk follows (behind the stamp) */
	uint8_t reserved[2];  /* 30 */
	/* stamp, identity, path, path2 follow, then zeros up to `bytes` */
};

_Static_assert(sizeof(struct op_stamp_disk) == 24, "format size");
_Static_assert(sizeof(struct op_identity_disk) == 168, "format size");
_Static_assert(sizeof(struct op_disk) == 32, "format size");
_Static_assert(sizeof(struct op_disk) + sizeof(struct op_stamp_disk) +
		       sizeof(struct op_identity_disk) + 2 * OP_PATH_MAX <= BLOCK_BYTES,
	       "any operation fits a block");

#endif
