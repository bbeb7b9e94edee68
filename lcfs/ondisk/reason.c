// SPDX-License-Identifier: GPL-2.0-or-later
/* The reasons in words, and the check that every block-sized header has in common. */
#include "common/byteorder.h"
#include "lcfs/ondisk/codec_private.h"

static const char *const reason_texts[] = {
	[FORMAT_OK] = "valid",
	[FORMAT_NO_MAGIC] = "no magic number",
	[FORMAT_BAD_CHECKSUM] = "wrong checksum",
	[FORMAT_OTHER_UUID] = "UUID of another cache",
	[FORMAT_UNKNOWN_VERSION] = "unknown version",
	[FORMAT_UNKNOWN_TYPE] = "unknown type",
	[FORMAT_UNKNOWN_FLAG] = "unknown flag",
	[FORMAT_UNKNOWN_FEATURE] = "unknown feature",
	[FORMAT_RESERVED_NOT_ZERO] = "reserved bytes not zero",
	[FORMAT_BAD_GEOMETRY] = "contradictory geometry",
	[FORMAT_BAD_LSN] = "contradictory log positions",
	[FORMAT_BAD_COUNT] = "wrong count",
	[FORMAT_BAD_ENTRY] = "malformed entry",
	[FORMAT_BAD_OP] = "malformed operation",
	[FORMAT_BAD_LENGTH] = "wrong length",
	[FORMAT_BAD_PATH] = "invalid path",
	[FORMAT_DUPLICATE] = "duplicate",
};
static_assert(array_size(reason_texts) == FORMAT_NR_REASONS, "each reason has a text");

const char *format_reason_text(enum format_reason why)
{
	if ((unsigned int)why >= FORMAT_NR_REASONS)
		return "unknown reason";
	return reason_texts[why];
}

uint64_t header_checksum(const void *block, uint64_t seed)
{
	uint8_t copy[BLOCK_BYTES];

	memcpy(copy, block, sizeof(copy));
	memset(copy + FORMAT_CHECKSUM_OFFSET, 0, sizeof(le64_t));
	return checksum64(copy, sizeof(copy), seed);
}

enum format_reason header_check(const void *block, const char *magic, uint64_t seed)
{
	le64_t checksum;

	if (memcmp(block, magic, FORMAT_MAGIC_BYTES) != 0)
		return FORMAT_NO_MAGIC;
	memcpy(&checksum, (const uint8_t *)block + FORMAT_CHECKSUM_OFFSET, sizeof(checksum));
	if (le64_get(checksum) != header_checksum(block, seed))
		return FORMAT_BAD_CHECKSUM;
	return FORMAT_OK;
}
