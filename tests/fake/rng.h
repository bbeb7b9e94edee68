/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The one source of chance of the fakes and the simulation: xoshiro256** (Blackman, Vigna), seeded
 * by splitmix64. The same seed gives the same sequence on every machine.
 */
#ifndef TESTS_FAKE_RNG_H
#define TESTS_FAKE_RNG_H

#include <stdbool.h>
#include <stdint.h>

struct rng {
	uint64_t s[4];
};

/* One step of splitmix64: a good mix of any 64 bits. */
static inline uint64_t rng_mix(uint64_t v)
{
	v += 0x9e3779b97f4a7c15ull;
	v = (v ^ v >> 30) * 0xbf58476d1ce4e5b9ull;
	v = (v ^ v >> 27) * 0x94d049bb133111ebull;
	return v ^ v >> 31;
}

static inline void rng_seed(struct rng *r, uint64_t seed)
{
	for (int i = 0; i < 4; i++)
		r->s[i] = rng_mix(seed + (uint64_t)i * 0x9e3779b97f4a7c15ull);
}

static inline uint64_t rng_rotl_(uint64_t v, int by)
{
	return v << by | v >> (64 - by);
}

static inline uint64_t rng_next(struct rng *r)
{
	uint64_t *s = r->s;
	uint64_t result = rng_rotl_(s[1] * 5, 7) * 9;
	uint64_t t = s[1] << 17;

	s[2] ^= s[0];
	s[3] ^= s[1];
	s[1] ^= s[2];
	s[0] ^= s[3];
	s[2] ^= t;
	s[3] = rng_rotl_(s[3], 45);
	return result;
}

/* 0 .. n - 1; n is not 0. */
static inline uint64_t rng_below(struct rng *r, uint64_t n)
{
	return (uint64_t)((unsigned __int128)rng_next(r) * n >> 64);
}

/* lo .. hi, both included. */
static inline uint64_t rng_range(struct rng *r, uint64_t lo, uint64_t hi)
{
	return lo + rng_below(r, hi - lo + 1);
}

/* True in num of den cases. */
static inline bool rng_chance(struct rng *r, uint32_t num, uint32_t den)
{
	return rng_below(r, den) < num;
}

static inline void rng_fill(struct rng *r, void *buf, uint32_t bytes)
{
	uint8_t *p = buf;

	for (uint32_t i = 0; i < bytes; i++)
		p[i] = (uint8_t)rng_next(r);
}

#endif
