/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Bit sets in an array of 64-bit words that the caller owns; bit n is bit n % 64 of word n / 64.
 * Bits at and beyond nbits in the last word are never looked at. No locking.
 */
#ifndef COMMON_BITMAP_H
#define COMMON_BITMAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BITMAP_WORDS(nbits) (((nbits) + 63) / 64)

static inline void bitmap_set(uint64_t *map, size_t bit)
{
	map[bit / 64] |= UINT64_C(1) << (bit % 64);
}

static inline void bitmap_clear(uint64_t *map, size_t bit)
{
	map[bit / 64] &= ~(UINT64_C(1) << (bit % 64));
}

static inline bool bitmap_test(const uint64_t *map, size_t bit)
{
	return map[bit / 64] >> (bit % 64) & 1;
}

/* The first bit at or after from that is set (clear); nbits if there is none. */
size_t bitmap_find_next_set(const uint64_t *map, size_t nbits, size_t from);
size_t bitmap_find_next_zero(const uint64_t *map, size_t nbits, size_t from);

static inline size_t bitmap_find_first_zero(const uint64_t *map, size_t nbits)
{
	return bitmap_find_next_zero(map, nbits, 0);
}

#endif
