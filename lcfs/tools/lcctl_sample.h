/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Private to lcctl: the counters of caches and images at one moment, and rates between two. */
#ifndef LCFS_TOOLS_LCCTL_SAMPLE_H
#define LCFS_TOOLS_LCCTL_SAMPLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lcfs/tools/lcctl_tree.h"

enum counter {
	COUNT_READS,
	COUNT_WRITES,
	COUNT_SYNCS,
	COUNT_READ_NS, /* how long they took, all together */
	COUNT_WRITE_NS,
	COUNT_SYNC_NS,
	COUNT_BLOCKS, /* read or written */
	COUNT_HITS,   /* of them, found in the cache */
	COUNT_READ_BYTES,
	COUNT_WRITE_BYTES,
	COUNT_LOG_BYTES,     /* written to the cache device */
	COUNT_FLUSHES,	     /* of the cache device */
	COUNT_MIGRATE_BYTES, /* written to backing files */
	NR_COUNTERS
};

/* Of a cache or an image. */
struct counters {
	uint32_t id;
	bool has[NR_COUNTERS], has_dirty, has_age;
	uint64_t count[NR_COUNTERS];
	uint64_t dirty, age_ms;
	char state[32];
	char *name; /* of an image */
};

struct sample {
	uint64_t ns; /* monotonic */
	struct counters *cache, *image;
	size_t nr_caches, nr_images;
};

/* False, said. */
bool sample_take(const struct tree *t, bool with_images, struct sample *s) must_check;
void sample_free(struct sample *s);

/* ns from one to the other; of a first one (before is all zero) 0: not known. */
uint64_t sample_span(const struct sample *before, const struct sample *now);

/* What has the id in the other sample, or NULL. */
const struct counters *sample_cache(const struct sample *s, uint32_t id);
const struct counters *sample_image(const struct sample *s, uint32_t id);

/*
 * A second between two samples; before NULL, or counters that went back (clear_stat): since they
 * were 0. False: not known.
 */
bool sample_rate(const struct counters *before, const struct counters *now, uint64_t ns,
		 enum counter c, uint64_t *rate);
/* What one of them took on average; false: there were none, or it is not known. */
bool sample_latency(const struct counters *before, const struct counters *now, enum counter times,
		    enum counter requests, uint64_t *ns);
/* Percent of the blocks read and written that were found in the cache. */
bool sample_hits(const struct counters *before, const struct counters *now, uint64_t *percent);

#endif
