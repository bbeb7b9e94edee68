/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Rounding, powers of two, minimum and maximum, arithmetic that tells of overflow. */
#ifndef COMMON_ALIGN_H
#define COMMON_ALIGN_H

#include <stdbool.h>
#include <stdint.h>

#include "common/compiler.h"

static inline bool is_pow2(uint64_t v)
{
	return v != 0 && (v & (v - 1)) == 0;
}

/* align is a power of two here and in the two below. */
static inline bool is_aligned(uint64_t v, uint64_t align)
{
	return (v & (align - 1)) == 0;
}

static inline uint64_t align_down(uint64_t v, uint64_t align)
{
	return v & ~(align - 1);
}

/* Wraps to 0 beyond the last multiple: check v first where it comes from outside. */
static inline uint64_t align_up(uint64_t v, uint64_t align)
{
	return (v + align - 1) & ~(align - 1);
}

/* ceil(v / by); by is not 0. Does not overflow. */
static inline uint64_t div_round_up(uint64_t v, uint64_t by)
{
	return v / by + (v % by != 0);
}

/* *sum = a + b; true on overflow, and then *sum is not to be used. */
static inline must_check bool checked_add_u64(uint64_t a, uint64_t b, uint64_t *sum)
{
	return __builtin_add_overflow(a, b, sum);
}

/* *product = a * b; true on overflow, and then *product is not to be used. */
static inline must_check bool checked_mul_u64(uint64_t a, uint64_t b, uint64_t *product)
{
	return __builtin_mul_overflow(a, b, product);
}

/* The nearest there is: 0 for what is negative or no number, UINT64_MAX for what is too large. */
static inline uint64_t u64_of_double(double v)
{
	if (!(v > 0))
		return 0;
	return v < 18446744073709551616.0 ? (uint64_t)v : UINT64_MAX;
}

#define align_paste__(a, b) a##b
#define align_paste_(a, b) align_paste__(a, b)

/* The names are unique, so that min(a, min(b, c)) shadows nothing. */
#define align_pick_(op, a, b, x, y)                                                       \
	({                                                                                \
		__typeof__(a) x = (a);                                                    \
		__typeof__(b) y = (b);                                                    \
		static_assert(__builtin_types_compatible_p(__typeof__(x), __typeof__(y)), \
			      "min/max of different types: use min_t/max_t");             \
		x op y ? x : y;                                                           \
	})
#define align_pick_uniq_(op, a, b, n) \
	align_pick_(op, a, b, align_paste_(pick_x_, n), align_paste_(pick_y_, n))

/* Each argument is evaluated once; both have the same type. */
#ifdef __CPPCHECK__ /* does not get through the names */
#define min(a, b) ((a) < (b) ? (a) : (b))
#define max(a, b) ((a) > (b) ? (a) : (b))
#else
#define min(a, b) align_pick_uniq_(<, a, b, __COUNTER__)
#define max(a, b) align_pick_uniq_(>, a, b, __COUNTER__)
#endif

/* Both arguments are converted to type first. */
#define min_t(type, a, b) min((type)(a), (type)(b))
#define max_t(type, a, b) max((type)(a), (type)(b))

#endif
