// SPDX-License-Identifier: GPL-2.0-or-later
/* Bit sets with find-next. */
#include "common/bitmap.h"

/* invert is 0 to look for a set bit, all ones to look for a clear one. */
static size_t find_next(const uint64_t *map, size_t nbits, size_t from, uint64_t invert)
{
	size_t word = from / 64;
	uint64_t bits;

	if (from >= nbits)
		return nbits;
	bits = (map[word] ^ invert) & (~UINT64_C(0) << (from % 64));
	while (bits == 0) {
		if (++word >= BITMAP_WORDS(nbits))
			return nbits;
		bits = map[word] ^ invert;
	}
	from = word * 64 + (size_t)__builtin_ctzll(bits);
	return from < nbits ? from : nbits;
}

size_t bitmap_find_next_set(const uint64_t *map, size_t nbits, size_t from)
{
	return find_next(map, nbits, from, 0);
}

size_t bitmap_find_next_zero(const uint64_t *map, size_t nbits, size_t from)
{
	return find_next(map, nbits, from, ~UINT64_C(0));
}
