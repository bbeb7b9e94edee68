// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * XXH3 with the fastest instructions that the machine has.
 *
 * The same xxHash header is compiled once for what every machine of the target has and once more
 * for AVX2, in a file of its own. To ask the CPU costs a load and a branch a call. The results are
 * equal by XXH3's definition.
 */
#include "common/checksum.h"

#include "common/checksum_variants.h"
#include "common/compiler.h"

uint64_t checksum64(const void *buf, size_t len, uint64_t seed)
{
#ifdef HAVE_CHECKSUM_AVX2
	if (likely(__builtin_cpu_supports("avx2")))
		return checksum64_avx2(buf, len, seed);
#endif
	return checksum64_base(buf, len, seed);
}

uint32_t checksum_block(const void *block)
{
	return (uint32_t)checksum64(block, CHECKSUM_BLOCK_SIZE, 0);
}
