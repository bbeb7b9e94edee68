// SPDX-License-Identifier: GPL-2.0-or-later
/* XXH3 with AVX2: this file, and no other, is compiled with -mavx2. */
#include "common/checksum_variants.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

uint64_t checksum64_avx2(const void *buf, size_t len, uint64_t seed)
{
	return XXH3_64bits_withSeed(buf, len, seed);
}
