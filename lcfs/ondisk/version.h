/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Versions, feature words and sizes that every structure on the cache device shares. */
#ifndef LCFS_ONDISK_VERSION_H
#define LCFS_ONDISK_VERSION_H

#define FORMAT_VERSION 1

#define BLOCK_SHIFT 12
#define BLOCK_BYTES 4096u
#define SECTOR_SHIFT 9
#define SECTOR_BYTES 512u
#define SECTORS_PER_BLOCK 8u

/* Feature words. An unknown incompat bit refuses the mount by name, an unknown ro-compat bit
 * refuses to write, an unknown compat bit is ignored. Version 1 defines none. */
#define FEATURE_COMPAT_KNOWN 0ull
#define FEATURE_RO_COMPAT_KNOWN 0ull
#define FEATURE_INCOMPAT_KNOWN 0ull

/* Checksum algorithms. */
#define CHECKSUM_XXH3_64 1u

/* Segment order: log2 of the segment size in 512-byte sectors. */
#define SEGMENT_ORDER_MIN 5u /* header, operations and two cut blocks fit one record */
#define SEGMENT_ORDER_MAX 13u
#define SEGMENT_ORDER_DEFAULT 11u

#define NR_SEGMENTS_MIN 16u
#define CACHE_BLOCKS_MAX (1ull << 32) /* of 4 KiB: 16 TiB */

#define IMAGE_ID_MAX ((1u << 24) - 1) /* 0 stands for blocks of operations */
#define IMAGE_BLOCK_MAX ((1ull << 40) - 1)
#define IMAGE_BYTES_MAX (1ull << 52)

#define FORMAT_UUID_BYTES 16
#define FORMAT_LABEL_BYTES 64

#endif
