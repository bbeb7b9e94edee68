// SPDX-License-Identifier: GPL-2.0-or-later
/* What the named scenarios share. */
#include "tests/sim/scenario.h"

struct sim_conf scenario_conf(void)
{
	struct sim_conf conf = { .seed = 1,
				 .segment_order = 6,
				 .nr_segments = 16,
				 .nr_images = 2,
				 .image_blocks = 16,
				 .image_bytes = 16 * BLOCK };

	cache_conf_default(&conf.cache);
	conf.cache.pool_buffers = 4;
	conf.cache.log_depth = 4;
	conf.cache.migrate_depth = 8;
	conf.cache.migrate_bytes = 64 << 10;
	conf.cache.merge_buffers = 4;
	return conf;
}

void scenario_quiet(struct sim_world *w)
{
	sim_knob(w, KNOB_ALLOW_MIGRATE, 0);
	sim_knob(w, KNOB_COMMIT_SUPER_BLOCK_INTERVAL, 0);
	sim_knob(w, KNOB_FLUSH_CURRENT_BUFFER_INTERVAL, 0);
	sim_knob(w, KNOB_UPDATE_INTERVAL, 0);
}

struct sim_world *scenario_begin(const struct sim_conf *conf)
{
	struct sim_conf usual = scenario_conf();
	struct sim_world *w = sim_new(conf ? conf : &usual);

	w->pool_fate = SIM_POOL_GONE;
	scenario_mount(w);
	return w;
}

struct sim_world *scenario_begin_images(uint32_t nr_images, uint32_t blocks)
{
	struct sim_conf conf = scenario_conf();

	conf.nr_images = nr_images;
	conf.image_blocks = blocks;
	conf.image_bytes = blocks * BLOCK;
	return scenario_begin(&conf);
}

struct sim_world *scenario_begin_large(void)
{
	return scenario_begin_images(2, 128);
}

void scenario_mount(struct sim_world *w)
{
	sim_mount(w);
	scenario_quiet(w);
	scenario_run(w, 0);
}

void scenario_crash(struct sim_world *w, bool is_power)
{
	if (is_power)
		sim_power_cut(w, CUT_DROP_ALL);
	else
		sim_daemon_death(w, true);
	scenario_mount(w);
}

static void release_all(struct sim_world *w)
{
	for (int t = 0; t < SIM_ACTION_TYPES; t++)
		w->hold_carry[t] = w->hold_return[t] = false;
}

void scenario_end(struct sim_world *w)
{
	release_all(w);
	w->fault = NULL;
	sim_settle_down(w);
	for (uint32_t i = 0; i < w->conf.nr_images; i++) {
		sim_do_read(w, &w->image[i]);
		sim_do_clean(w, &w->image[i]);
	}
	sim_shutdown(w);
	sim_power_cut(w, CUT_DROP_ALL);
	sim_mount(w);
	ck_assert(w->report.was_clean);
	ck_assert_uint_eq(w->report.dirty_blocks, 0);
	sim_free(w);
}

void scenario_run(struct sim_world *w, uint64_t ns)
{
	uint64_t end = w->now + ns;

	for (uint32_t turns = 0; turns < 100000; turns++) {
		uint64_t deadline;

		if (sim_calm_turn(w))
			continue;
		deadline = cache_deadline(w->cache);
		if (deadline > end)
			return;
		sim_pass_time(w, deadline > w->now ? deadline - w->now : 1);
	}
	sim_fail(w, "it never comes to rest");
}

void scenario_take_to(struct sim_world *w, struct sim_request *r, enum sim_phase phase)
{
	r->is_kept = true;
	for (int i = 0; i < 1000 && r->phase != phase; i++) {
		if (!sim_can_advance(r))
			break;
		sim_advance(w, r);
	}
	if (r->phase != phase)
		sim_fail(w, "the request is in phase %d, not %d", (int)r->phase, (int)phase);
}

bool scenario_is_out(const struct sim_world *w, enum action_type type)
{
	return sim_count_actions(w, type) > 0;
}

void scenario_hold(struct sim_world *w, enum action_type type)
{
	w->hold_carry[type] = true;
}

void scenario_release(struct sim_world *w, enum action_type type)
{
	w->hold_carry[type] = w->hold_return[type] = false;
}

void scenario_write_block(struct sim_world *w, struct sim_image *img, uint64_t block)
{
	sim_do_write(w, img, block * BLOCK, BLOCK);
}

void scenario_write_blocks(struct sim_world *w, struct sim_image *img, uint64_t first, uint64_t nr)
{
	for (uint64_t b = first; b < first + nr; b++)
		scenario_write_block(w, img, b);
	sim_do_sync(w, img);
}

struct cache_image_info scenario_info(struct sim_world *w, const struct sim_image *img)
{
	struct cache_image_info info;

	cache_image_info(w->cache, img->cached, &info);
	return info;
}

void scenario_wrap(struct sim_world *w, struct sim_image *img, uint64_t first, uint64_t blocks)
{
	uint64_t segments = w->conf.nr_segments + 2,
		 data = (1ull << (w->conf.segment_order - 3)) - 1;

	for (uint64_t i = 0; i < segments * data; i++)
		scenario_write_block(w, img, first + i % blocks);
	sim_do_sync(w, img);
}
