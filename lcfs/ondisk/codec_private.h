/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the codecs of this folder share; for no one else. */
#ifndef LCFS_ONDISK_CODEC_PRIVATE_H
#define LCFS_ONDISK_CODEC_PRIVATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "common/checksum.h"
#include "lcfs/ondisk/codec.h"

#define FORMAT_MAGIC_BYTES 8

/* Super block, record header and table header have the checksum behind the magic. */
#define FORMAT_CHECKSUM_OFFSET 8
offset_assert(struct superblock_disk, checksum, FORMAT_CHECKSUM_OFFSET);
offset_assert(struct record_disk, checksum, FORMAT_CHECKSUM_OFFSET);
offset_assert(struct table_disk, checksum, FORMAT_CHECKSUM_OFFSET);

static inline bool bytes_are_zero(const void *p, size_t bytes)
{
	const uint8_t *b = p;

	return bytes == 0 || (b[0] == 0 && memcmp(b, b + 1, bytes - 1) == 0);
}

/* Checksum of the 4096 bytes at block with the checksum field taken as zero. */
uint64_t header_checksum(const void *block, uint64_t seed);
/* Do magic and checksum hold? */
enum format_reason header_check(const void *block, const char *magic, uint64_t seed);

void stamp_encode(struct op_stamp_disk *d, const struct op_stamp *stamp);
void stamp_decode(struct op_stamp *stamp, const struct op_stamp_disk *d);
/* d is zero before. */
void identity_encode(struct op_identity_disk *d, const struct op_identity *identity);
enum format_reason identity_decode(struct op_identity *identity, const struct op_identity_disk *d);
enum format_reason identity_check(const struct op_identity *identity);

/* Is it a range that is not empty and ends at or below IMAGE_BYTES_MAX? */
static inline bool range_is_valid(uint64_t offset, uint64_t bytes)
{
	return bytes != 0 && bytes <= IMAGE_BYTES_MAX && offset <= IMAGE_BYTES_MAX - bytes;
}

#endif
