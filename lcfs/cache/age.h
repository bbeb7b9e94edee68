/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How old is the oldest data that is not in its backing file yet? Known at any time without a walk.
 *
 * Each dirty block belongs to a generation: when it became dirty. A version that replaces a dirty
 * one takes over its generation, since the backing file lacks both: a block that is overwritten
 * every second for an hour is an hour old. A cache has 32 generations, each with the time when it
 * began; a cache and each image count their dirty blocks by generation, and the oldest that has any
 * gives the age. A generation is free when nothing is in it.
 *
 * New ones begin every quarter of a second, or twelfth of the whole span, while many are free;
 * then each is as long as all before it, so that a day without migration still fits. So an age may
 * be shown too high, by up to the length of one generation, and not too low. That of who had
 * nothing dirty a moment ago is exact: the time when that ended is kept too. After a mount the
 * times are those of the log's records, which are written up to flush_current_buffer_interval after
 * the data; of what had only reached the RAM buffers it is the mount's.
 *
 * Pure. Times are the wall clock's, in ns, so that they outlive the daemon with the log's records.
 */
#ifndef LCFS_CACHE_AGE_H
#define LCFS_CACHE_AGE_H

#include <stdint.h>

#define AGE_GENERATIONS 32u

struct age_count { /* of a cache or an image; all zero at the start */
	uint32_t nr[AGE_GENERATIONS];
	uint32_t total;
	int64_t since; /* when total was last 0; valid if it is not now */
};

struct ages {
	struct age_count all;
	int64_t since[AGE_GENERATIONS];
	int64_t next; /* when it is time to think of a new generation */
	uint32_t current;
};

/* The generation of a block that becomes dirty at `at`. */
uint32_t ages_current(struct ages *a, int64_t at);
/* A block of it becomes dirty in a generation, or is so no more. Where a dirty block replaces
 * another one, add first. */
void age_add(struct age_count *n, uint32_t generation, int64_t at);
void age_remove(struct age_count *n, uint32_t generation);
/* Nothing in n became dirty before this; only while n->total is not 0. */
int64_t ages_oldest(const struct ages *a, const struct age_count *n);

#endif
