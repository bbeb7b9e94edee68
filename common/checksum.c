// SPDX-License-Identifier: GPL-2.0-or-later
/* XXH3, compiled here and nowhere else: the inlined xxHash is large. */
#include "common/checksum.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

uint64_t checksum64(const void *buf, size_t len, uint64_t seed)
{
	return XXH3_64bits_withSeed(buf, len, seed);
}

uint32_t checksum_block(const void *block)
{
	return (uint32_t)XXH3_64bits(block, CHECKSUM_BLOCK_SIZE);
}
