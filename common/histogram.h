/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Latency histograms: log-linear, four buckets for each power of two, so that a quantile is off by
 * at most a quarter. Adding costs two relaxed atomic additions and never waits; any thread may add
 * and read at any time. A view is not of one instant, but its total is the sum of its buckets.
 */
#ifndef COMMON_HISTOGRAM_H
#define COMMON_HISTOGRAM_H

#include <stdatomic.h>
#include <stdint.h>

#include "common/compiler.h"

/* The first bucket ends at 2^10 ns, the last but one at 2^37 ns (137 s), the last never. */
#define HISTOGRAM_FIRST_BIT 10u
#define HISTOGRAM_LAST_BIT 37u
#define HISTOGRAM_STEPS 4u /* for each power of two */
#define HISTOGRAM_BUCKETS (1u + (HISTOGRAM_LAST_BIT - HISTOGRAM_FIRST_BIT) * HISTOGRAM_STEPS + 1u)

/* All zero at the start. */
struct histogram {
	_Atomic uint64_t count[HISTOGRAM_BUCKETS];
	_Atomic uint64_t sum_ns;
};

/* For what many threads add to all the time: each adds to a part of its own. */
#define HISTOGRAM_SHARDS 8u
struct histogram_set {
	struct histogram shard[HISTOGRAM_SHARDS];
};

struct histogram_view {
	uint64_t count[HISTOGRAM_BUCKETS];
	uint64_t sum_ns;
	uint64_t total; /* of count[] */
};

/* The bucket of a value, and the largest value (ns) of a bucket; of the last one UINT64_MAX. */
unsigned int histogram_bucket(uint64_t ns);
uint64_t histogram_bound(unsigned int bucket);

void histogram_add(struct histogram *h, uint64_t ns);
void histogram_set_add(struct histogram_set *s, uint64_t ns);
/* The part of the calling thread, for other numbers that are kept in such parts. */
unsigned int histogram_shard(void);

/* Adds to the view, which is all zero at the start. */
void histogram_look(const struct histogram *h, struct histogram_view *v);
void histogram_set_look(const struct histogram_set *s, struct histogram_view *v);

/*
 * The value (ns) that `permille` of 1000 samples do not exceed, as the bound of its bucket; 0:
 * there are no samples. In the last bucket: where that begins.
 */
uint64_t histogram_quantile(const struct histogram_view *v, unsigned int permille);

#endif
