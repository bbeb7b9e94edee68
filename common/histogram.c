// SPDX-License-Identifier: GPL-2.0-or-later
/* Latency histograms. */
#include "common/histogram.h"

#include "common/align.h"

unsigned int histogram_bucket(uint64_t ns)
{
	uint64_t v = ns ? ns - 1 : 0; /* a bucket holds its upper bound */
	unsigned int bit;

	if (v >> HISTOGRAM_FIRST_BIT == 0)
		return 0;
	bit = 63u - (unsigned int)__builtin_clzll(v);
	if (bit >= HISTOGRAM_LAST_BIT)
		return HISTOGRAM_BUCKETS - 1;
	return 1u + (bit - HISTOGRAM_FIRST_BIT) * HISTOGRAM_STEPS +
	       ((unsigned int)(v >> (bit - 2)) & (HISTOGRAM_STEPS - 1));
}

uint64_t histogram_bound(unsigned int bucket)
{
	unsigned int bit = HISTOGRAM_FIRST_BIT + (bucket - 1) / HISTOGRAM_STEPS;
	uint64_t step = (bucket - 1) % HISTOGRAM_STEPS + 1;

	if (bucket == 0)
		return UINT64_C(1) << HISTOGRAM_FIRST_BIT;
	if (bucket >= HISTOGRAM_BUCKETS - 1)
		return UINT64_MAX;
	return (UINT64_C(1) << bit) + (step << (bit - 2));
}

static void add(_Atomic uint64_t *to, uint64_t n)
{
	atomic_fetch_add_explicit(to, n, memory_order_relaxed);
}

void histogram_add(struct histogram *h, uint64_t ns)
{
	add(&h->count[histogram_bucket(ns)], 1);
	add(&h->sum_ns, ns);
}

/* Threads that started one behind the other have different ones. */
unsigned int histogram_shard(void)
{
	static _Atomic unsigned int next;
	static _Thread_local unsigned int own; /* plus 1; 0: not given yet */

	if (unlikely(!own))
		own = 1u +
		      atomic_fetch_add_explicit(&next, 1, memory_order_relaxed) % HISTOGRAM_SHARDS;
	return own - 1;
}

void histogram_set_add(struct histogram_set *s, uint64_t ns)
{
	histogram_add(&s->shard[histogram_shard()], ns);
}

void histogram_look(const struct histogram *h, struct histogram_view *v)
{
	for (unsigned int i = 0; i < HISTOGRAM_BUCKETS; i++) {
		uint64_t n = atomic_load_explicit(&h->count[i], memory_order_relaxed);

		v->count[i] += n;
		v->total += n;
	}
	v->sum_ns += atomic_load_explicit(&h->sum_ns, memory_order_relaxed);
}

void histogram_set_look(const struct histogram_set *s, struct histogram_view *v)
{
	for (unsigned int i = 0; i < HISTOGRAM_SHARDS; i++)
		histogram_look(&s->shard[i], v);
}

uint64_t histogram_quantile(const struct histogram_view *v, unsigned int permille)
{
	uint64_t below = 0;
	uint64_t rank; /* of the sample, from 1 */

	if (!v->total)
		return 0;
	rank = max(v->total / 1000 * permille + (v->total % 1000 * permille + 999) / 1000,
		   (uint64_t)1);
	for (unsigned int i = 0; i < HISTOGRAM_BUCKETS - 1; i++) {
		below += v->count[i];
		if (below >= rank)
			return histogram_bound(i);
	}
	return histogram_bound(HISTOGRAM_BUCKETS - 2);
}
