// SPDX-License-Identifier: GPL-2.0-or-later
/* Drains of images that are written to meanwhile. */
#include <errno.h>

#include "common/nsec.h"
#include "tests/sim/scenario.h"

/* A log that is far from full all the time: nobody waits for migration. */
static struct sim_world *begin(void)
{
	struct sim_conf conf = scenario_conf();
	struct sim_world *w;

	conf.nr_segments = 200;
	w = scenario_begin(&conf);
	sim_knob(w, KNOB_STALL_TIMEOUT, 0);
	return w;
}

/* Writes some blocks over and over, so that the image is never clean, until the drain ends. */
static bool ends_while_written(struct sim_world *w, struct sim_image *x, struct sim_request *drain,
			       uint64_t block)
{
	for (int i = 0; i < 120 && drain->phase != SIM_ENDED; i++) {
		scenario_write_block(w, x, block + (uint64_t)i % 4);
		(void)sim_calm_turn(w);
		if (i % 16 == 15)
			sim_do_sync(w, x);
	}
	return drain->phase == SIM_ENDED;
}

/* Of an image that is written to all the time, a drain of what was dirty ends; not before that is
 * synced. What was written over meanwhile is not waited for. */
START_TEST(test_a_drain_of_an_image_that_is_written_to_ends)
{
	struct sim_world *w = begin();
	struct sim_image *x = &w->image[0];
	struct cache_image_info info;

	x->may_fail = true;
	for (uint64_t rewrites = 0; rewrites < 2; rewrites++) {
		struct sim_request *drain;

		scenario_write_block(w, x, 3);
		scenario_write_block(w, x, 5);
		drain = sim_start_op(w, x, CACHE_OP_CLEAN);
		drain->u.op.len = CACHE_AS_OF_NOW;
		drain->is_kept = true;
		scenario_hold(w, ACTION_BACK_SYNC);
		ck_assert(!ends_while_written(w, x, drain, 9));
		scenario_release(w, ACTION_BACK_SYNC);
		ck_assert(ends_while_written(w, x, drain, rewrites ? 3 : 9));
		ck_assert_int_eq(drain->result, -EINPROGRESS);
		sim_free_request(w, drain);
		cache_image_info(w->cache, x->cached, &info);
		ck_assert_uint_gt(info.dirty_blocks, 0);
		ck_assert_int_eq(info.state, IMAGE_DIRTY); /* nobody drains it any more */
	}
	x->may_fail = false;
	sim_do_clean(w, x);
	scenario_end(w);
}
END_TEST

/* It ends when all of that is in the file, not when a part of it is; the oracle compares. */
START_TEST(test_a_drain_of_what_was_dirty_is_of_all_of_it)
{
	struct sim_world *w = begin();
	struct sim_image *x = &w->image[0];
	struct sim_request *drain;

	x->may_fail = true;
	sim_knob(w, KNOB_NR_MAX_BATCHED_MIGRATION, 1);
	for (uint64_t i = 0; i < 8; i++) {
		scenario_write_block(w, x, i);
		sim_do_sync(w, x);
	}
	drain = sim_start_op(w, x, CACHE_OP_CLEAN);
	drain->u.op.len = CACHE_AS_OF_NOW;
	drain->is_kept = true;
	ck_assert(ends_while_written(w, x, drain, 9));
	ck_assert_int_eq(drain->result, -EINPROGRESS);
	x->may_fail = false;
	sim_free_request(w, drain);
	scenario_end(w);
}
END_TEST

/* What was dirty is that, too, when the cleaner has moved it to the head of the log meanwhile. */
START_TEST(test_a_drain_of_what_was_dirty_is_of_what_has_moved)
{
	struct sim_world *w = scenario_begin_images(3, 64);
	struct sim_image *x = &w->image[0], *y = &w->image[1];
	struct sim_request *drain;
	struct cache_status st;

	sim_knob(w, KNOB_STALL_TIMEOUT, 0);
	scenario_write_blocks(w, x, 0, 4);
	x->is_hanging = x->may_fail = true;
	x->hangs_in = ACTION_BACK_CHECK;
	drain = sim_start_op(w, x, CACHE_OP_CLEAN);
	drain->u.op.len = CACHE_AS_OF_NOW;
	drain->is_kept = true;
	scenario_run(w, 8 * NSEC_PER_SEC);
	for (int lap = 0; lap < 2; lap++)
		scenario_wrap(w, y, 0, 64);
	cache_status(w->cache, &st);
	ck_assert_uint_ge(st.relocated_blocks, 4);
	ck_assert_int_ne(drain->phase, SIM_ENDED);
	x->is_hanging = false;
	ck_assert_int_eq(sim_wait(w, drain), 0);
	x->may_fail = false;
	scenario_end(w);
}
END_TEST

/* Who waits for all of it goes on waiting when who does not is done. */
START_TEST(test_a_drain_of_all_of_it_goes_on_behind_one_of_what_was_dirty)
{
	struct sim_world *w = begin();
	struct sim_image *x = &w->image[0];
	struct sim_request *part, *whole;
	struct cache_image_info info;

	x->may_fail = true;
	scenario_write_block(w, x, 3);
	part = sim_start_op(w, x, CACHE_OP_CLEAN);
	part->u.op.len = CACHE_AS_OF_NOW;
	part->is_kept = true;
	whole = sim_start_clean(w, x);
	whole->is_kept = true;
	ck_assert(ends_while_written(w, x, part, 9));
	ck_assert_int_eq(part->result, -EINPROGRESS);
	ck_assert_int_ne(whole->phase, SIM_ENDED);
	cache_image_info(w->cache, x->cached, &info);
	ck_assert_int_eq(info.state, IMAGE_DRAINING);
	scenario_run(w, 10000 * SIM_MS);
	ck_assert_int_eq(whole->phase, SIM_ENDED);
	ck_assert_int_eq(whole->result, 0);
	x->may_fail = false;
	sim_free_request(w, part);
	sim_free_request(w, whole);
	scenario_end(w);
}
END_TEST

/* What is drained goes: nobody migrates it any more, and its drain ends. */
START_TEST(test_a_drain_of_an_image_that_goes_ends)
{
	struct sim_world *w = begin();
	struct sim_image *x = &w->image[0];
	struct sim_request *drain, *unlink;

	scenario_write_block(w, x, 3);
	sim_do_sync(w, x);
	x->may_fail = true;
	scenario_hold(w, ACTION_BACK_CHECK);
	drain = sim_start_clean(w, x);
	drain->is_kept = true;
	scenario_run(w, 0);
	unlink = sim_start_unlink(w, x);
	unlink->is_kept = true;
	scenario_run(w, NSEC_PER_SEC);
	scenario_release(w, ACTION_BACK_CHECK);
	ck_assert_int_eq(sim_wait(w, unlink), 0);
	ck_assert_int_eq(sim_wait(w, drain), -ENOENT);
	scenario_end(w);
}
END_TEST

SCENARIO_SUITE("drain", test_a_drain_of_an_image_that_is_written_to_ends,
	       test_a_drain_of_what_was_dirty_is_of_all_of_it,
	       test_a_drain_of_what_was_dirty_is_of_what_has_moved,
	       test_a_drain_of_all_of_it_goes_on_behind_one_of_what_was_dirty,
	       test_a_drain_of_an_image_that_goes_ends)
