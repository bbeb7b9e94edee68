// SPDX-License-Identifier: GPL-2.0-or-later
/* XXH3 with the instructions that every machine of the target has. */
#include "common/checksum_variants.h"

/* gcc 12 at -O2 leaves XXH3's loop rolled: half the speed. */
#if defined(__GNUC__) && !defined(__clang__) && defined(__OPTIMIZE__)
#pragma GCC optimize("O3")
#endif

#define XXH_INLINE_ALL
#include <xxhash.h>

uint64_t checksum64_base(const void *buf, size_t len, uint64_t seed)
{
	return XXH3_64bits_withSeed(buf, len, seed);
}
