// SPDX-License-Identifier: GPL-2.0-or-later
/* Geometry and moods of random runs. */
#include <string.h>

#include "common/align.h"
#include "tests/sim/plan.h"

/* Small on purpose: wraps, reuse, a full log and backpressure happen all the time. */
static void small_geometry(struct sim_conf *conf, struct rng *rng)
{
	conf->segment_order = (uint32_t)rng_range(rng, 5, 6);
	conf->nr_segments = (uint32_t)rng_range(rng, 16, 32);
	conf->nr_images = (uint32_t)rng_range(rng, 1, 4);
	conf->image_blocks = (uint32_t)rng_range(rng, 2, 40);
}

/* Segments of full records, and writes that need more than one. */
static void large_geometry(struct sim_conf *conf, struct rng *rng)
{
	conf->segment_order = (uint32_t)rng_range(rng, 9, 12);
	conf->nr_segments = 16;
	conf->nr_images = (uint32_t)rng_range(rng, 1, 2);
	conf->image_blocks = (uint32_t)rng_range(rng, 100, 600);
}

static void long_writes(struct sim_conf *conf, struct rng *rng)
{
	small_geometry(conf, rng);
	conf->nr_images = 1;
	conf->image_blocks = 300;
}

void plan_conf(struct sim_conf *conf, uint64_t seed)
{
	struct rng rng;

	memset(conf, 0, sizeof(*conf));
	conf->seed = seed;
	rng_seed(&rng, rng_mix(seed));
	if (rng_chance(&rng, 1, 25))
		large_geometry(conf, &rng);
	else if (rng_chance(&rng, 1, 40))
		long_writes(conf, &rng);
	else
		small_geometry(conf, &rng);
	cache_conf_default(&conf->cache);
	conf->cache.pool_buffers = (uint32_t)rng_range(&rng, 2, 5);
	conf->cache.log_depth = (uint32_t)rng_range(&rng, 1, 4);
	conf->cache.migrate_depth = (uint32_t)rng_range(&rng, 1, 6);
	conf->cache.migrate_bytes = (uint32_t)(rng_range(&rng, 16, 24) << BLOCK_SHIFT);
	conf->cache.merge_buffers = (uint32_t)rng_range(&rng, 2, 6);
}

static void mood_requests(struct plan *p, const struct sim_conf *conf, struct rng *rng)
{
	static const uint32_t usual[NR_PLAN_KINDS] = {
		[PLAN_WRITE] = 60, [PLAN_READ] = 15, [PLAN_SYNC] = 6,	  [PLAN_TRUNCATE] = 4,
		[PLAN_PUNCH] = 4,  [PLAN_CLEAN] = 1, [PLAN_RENAME] = 1,	  [PLAN_UNLINK] = 1,
		[PLAN_KNOB] = 3,   [PLAN_EDIT] = 1,  [PLAN_CONFLICT] = 1, [PLAN_REFUSE] = 1,
	};

	for (int k = 0; k < NR_PLAN_KINDS; k++) {
		/* Never, rarely, as usual, often. */
		static const uint32_t factor[4] = { 0, 1, 4, 12 };

		p->kind[k] = usual[k] * factor[rng_below(rng, 4)];
	}
	p->kind[PLAN_WRITE] += 20;
	p->is_deciding = rng_chance(rng, 1, 4);
	if (p->is_deciding) {
		p->kind[PLAN_CONFLICT] = 25;
		p->kind[PLAN_CLEAN] += 10;
	}
	p->max_requests = (uint32_t)rng_range(rng, 1, 12);
	p->max_blocks = rng_chance(rng, 1, 3) ? conf->image_blocks : (uint32_t)rng_range(rng, 1, 6);
	p->sync_percent = rng_chance(rng, 1, 3) ? (uint32_t)rng_below(rng, 60) : 0;
	p->unaligned_percent = (uint32_t)rng_below(rng, 100);
	p->sector_percent = (uint32_t)rng_below(rng, 100);
	p->hot_blocks = (uint32_t)rng_range(rng, 1, conf->image_blocks);
}

static void mood_actions(struct plan *p, struct rng *rng)
{
	p->start = (uint32_t)rng_range(rng, 5, 40);
	p->advance = (uint32_t)rng_range(rng, 10, 60);
	p->act = (uint32_t)rng_range(rng, 5, 80);
	p->tick = (uint32_t)rng_range(rng, 1, 8);
	p->tick_ns = 1000ull << rng_below(rng, 24);
	for (int t = 0; t < SIM_ACTION_TYPES; t++)
		p->reluctance[t] = rng_chance(rng, 1, 4) ? (uint32_t)rng_below(rng, 100) : 0;
	/* Reads that take longer than a block needs to be written and migrated. */
	if (rng_chance(rng, 1, 8))
		p->reluctance[ACTION_BACK_READ] = p->reluctance[ACTION_DEV_READ] = 97;
}

void plan_mood(struct plan *p, const struct sim_conf *conf, struct rng *rng)
{
	memset(p, 0, sizeof(*p));
	mood_requests(p, conf, rng);
	mood_actions(p, rng);
	p->death_percent = (uint32_t)rng_below(rng, 101);
	p->shutdown_percent = rng_chance(rng, 1, 3) ? 20 : 0;
	p->rot_percent = rng_chance(rng, 1, 4) ? 60 : 0;
}
