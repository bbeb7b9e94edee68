// SPDX-License-Identifier: GPL-2.0-or-later
/* Named scenarios of RULES B: what durable means. Each test tells the sequence that breaks without
 * its rule. */
#include <errno.h>

#include "tests/sim/scenario.h"

/*
 * B1. X = v1 synced; X = v2 in RAM; migration skips v1, which is superseded; the tail passes it;
 * power cut: neither is anywhere. v2 cannot become durable here, because its record is held back.
 */
START_TEST(test_b1_tail_does_not_pass_what_only_ram_has_replaced)
{
	struct sim_world *w = scenario_begin(NULL);
	struct sim_image *x = &w->image[0];

	scenario_write_block(w, x, 0);
	sim_do_sync(w, x);
	scenario_write_block(w, x, 0);
	scenario_hold(w, ACTION_LOG_WRITE);
	sim_knob(w, KNOB_FORCE_MIGRATE, 1);
	sim_knob(w, KNOB_COMMIT_SUPER_BLOCK, 1);
	scenario_run(w, 5000 * SIM_MS);
	sim_knob(w, KNOB_COMMIT_SUPER_BLOCK, 1);
	scenario_run(w, 5000 * SIM_MS);
	sim_power_cut(w, CUT_DROP_ALL);
	scenario_release(w, ACTION_LOG_WRITE);
	scenario_mount(w);
	scenario_end(w);
}
END_TEST

/* The same with the record of v2 written and not flushed. */
START_TEST(test_b1_tail_does_not_pass_what_was_not_flushed)
{
	struct sim_world *w = scenario_begin(NULL);
	struct sim_image *x = &w->image[0];

	scenario_write_block(w, x, 0);
	sim_do_sync(w, x);
	for (uint64_t b = 0; b < 14; b++)
		scenario_write_block(w, x, b);
	scenario_hold(w, ACTION_FLUSH);
	sim_knob(w, KNOB_FORCE_MIGRATE, 1);
	scenario_run(w, 5000 * SIM_MS);
	sim_knob(w, KNOB_COMMIT_SUPER_BLOCK, 1);
	scenario_run(w, 5000 * SIM_MS);
	sim_power_cut(w, CUT_DROP_ALL);
	scenario_release(w, ACTION_FLUSH);
	scenario_mount(w);
	scenario_end(w);
}
END_TEST

/*
 * B2. Records are written, not flushed; the daemon dies; the next one reads them and serves what
 * they say; power cut: they are gone. What was recovered must have been flushed.
 */
START_TEST(test_b2_recovery_flushes_what_it_has_read)
{
	struct sim_world *w = scenario_begin(NULL);
	struct sim_image *x = &w->image[0];

	scenario_hold(w, ACTION_FLUSH);
	for (uint64_t b = 0; b < 9; b++)
		scenario_write_block(w, x, b);
	scenario_run(w, SIM_MS);
	sim_daemon_death(w, true);
	scenario_release(w, ACTION_FLUSH);
	scenario_mount(w);
	sim_power_cut(w, CUT_DROP_ALL);
	scenario_mount(w);
	scenario_end(w);
}
END_TEST

static int nr_failures;

static int fail_flushes(struct sim_world *w, const struct action *a)
{
	(void)w;
	return a->type == ACTION_FLUSH && nr_failures > 0 && nr_failures-- ? -EIO : 0;
}

/*
 * B3. The record is written, the flush fails: the device may have lost it, and a second flush alone
 * proves nothing. Either the sync fails, or the data was written again from the buffer, which must
 * still be there.
 */
START_TEST(test_b3_failed_flush_is_followed_by_writing_again)
{
	struct sim_world *w = scenario_begin(NULL);
	struct sim_image *x = &w->image[0];

	nr_failures = 1;
	w->fault = fail_flushes;
	w->is_faulty = true;
	scenario_write_block(w, x, 0);
	scenario_write_block(w, x, 1);
	(void)sim_wait(w, sim_start_sync(w, x));
	ck_assert_int_eq(nr_failures, 0);
	(void)sim_wait(w, sim_start_write(w, x, 2 * BLOCK, BLOCK, true));
	(void)sim_wait(w, sim_start_sync(w, x));
	sim_power_cut(w, CUT_DROP_ALL);
	w->fault = NULL;
	scenario_mount(w);
	scenario_end(w);
}
END_TEST

/* B3. A buffer whose record is written but not durable is not filled anew: the daemon's death finds
 * it. */
START_TEST(test_b3_buffers_wait_for_the_flush)
{
	struct sim_world *w = scenario_begin(NULL);
	struct sim_image *x = &w->image[0];
	uint32_t answered = 0;

	scenario_hold(w, ACTION_FLUSH);
	for (uint32_t i = 0; i < 60; i++) {
		struct sim_request *r = sim_start_write(w, x, i % 16 * BLOCK, BLOCK, false);

		r->is_kept = true;
		scenario_run(w, SIM_MS);
		if (r->phase != SIM_ENDED)
			break;
		sim_free_request(w, r);
		answered++;
	}
	/* 4 buffers of 7 blocks each: more cannot be taken before a flush. */
	ck_assert_uint_ge(answered, 7);
	ck_assert_uint_le(answered, 28);
	sim_daemon_death(w, false);
	scenario_release(w, ACTION_FLUSH);
	scenario_mount(w);
	scenario_end(w);
}
END_TEST

/* B4. The flush of a sync is submitted when the write of the record has returned, not before: else
 * it does not cover it. */
START_TEST(test_b4_flush_waits_for_the_record)
{
	struct sim_world *w = scenario_begin(NULL);
	struct sim_image *x = &w->image[0];
	struct sim_request *sync;

	scenario_write_block(w, x, 3);
	w->hold_return[ACTION_LOG_WRITE] = true;
	sync = sim_start_sync(w, x);
	sync->is_kept = true;
	scenario_run(w, 1000 * SIM_MS);
	ck_assert(scenario_is_out(w, ACTION_LOG_WRITE));
	ck_assert(!scenario_is_out(w, ACTION_FLUSH));
	ck_assert_int_ne(sync->phase, SIM_ENDED);
	scenario_release(w, ACTION_LOG_WRITE);
	ck_assert_int_eq(sim_wait(w, sync), 0);
	sim_power_cut(w, CUT_DROP_ALL);
	scenario_mount(w);
	scenario_end(w);
}
END_TEST

/* B4. Two records in flight, the second returns first: a sync that needs both waits for both. */
START_TEST(test_b4_sync_covers_all_records_up_to_its_own)
{
	struct sim_world *w = scenario_begin(NULL);
	struct sim_image *x = &w->image[0];
	struct sim_request *sync;

	w->hold_return[ACTION_LOG_WRITE] = true;
	for (uint64_t b = 0; b < 10; b++)
		scenario_write_block(w, x, b);
	sync = sim_start_sync(w, x);
	sync->is_kept = true;
	scenario_run(w, 100 * SIM_MS);
	if (sim_count_actions(w, ACTION_LOG_WRITE) > 1) {
		/* The last one issued returns first. */
		for (uint32_t i = w->nr_actions; i-- > 0;)
			if (w->action[i]->action->type == ACTION_LOG_WRITE) {
				sim_return(w, w->action[i]);
				break;
			}
		scenario_run(w, 100 * SIM_MS);
		ck_assert_int_ne(sync->phase, SIM_ENDED);
	}
	scenario_release(w, ACTION_LOG_WRITE);
	ck_assert_int_eq(sim_wait(w, sync), 0);
	sim_power_cut(w, CUT_DROP_ALL);
	scenario_mount(w);
	scenario_end(w);
}
END_TEST

/* B4. A write with O_DSYNC is answered when it is durable. */
START_TEST(test_b4_dsync_write_is_durable_when_answered)
{
	struct sim_world *w = scenario_begin(NULL);
	struct sim_image *x = &w->image[0];

	ck_assert_int_eq(sim_wait(w, sim_start_write(w, x, 5000, 3000, true)), 3000);
	sim_power_cut(w, CUT_DROP_ALL);
	scenario_mount(w);
	scenario_end(w);
}
END_TEST

/* B4. What nobody synced is at most flush_current_buffer_interval old. */
START_TEST(test_b4_interval_flush_makes_durable)
{
	struct sim_world *w = scenario_begin(NULL);
	struct sim_image *x = &w->image[0];

	sim_knob(w, KNOB_FLUSH_CURRENT_BUFFER_INTERVAL, 1);
	scenario_write_block(w, x, 0);
	scenario_run(w, 2500 * SIM_MS);
	oracle_synced(w->oracle, NULL, oracle_now(w->oracle));
	sim_power_cut(w, CUT_DROP_ALL);
	scenario_mount(w);
	scenario_end(w);
}
END_TEST

/* B5. Migration takes only what is durable: else a power cut keeps a later write and loses an
 * earlier one. */
START_TEST(test_b5_migration_takes_only_what_is_durable)
{
	struct sim_world *w = scenario_begin(NULL);
	struct sim_image *x = &w->image[0], *y = &w->image[1];

	scenario_write_block(w, y, 1);
	scenario_write_block(w, x, 0);
	scenario_hold(w, ACTION_FLUSH);
	sim_knob(w, KNOB_FORCE_MIGRATE, 1);
	scenario_run(w, 5000 * SIM_MS);
	ck_assert_uint_eq(w->counts[ACTION_BACK_WRITE], 0);
	sim_power_cut(w, CUT_DROP_ALL);
	scenario_release(w, ACTION_FLUSH);
	scenario_mount(w);
	scenario_end(w);
}
END_TEST

/* B5. The same for a truncate: its effect on the file comes after it is durable. */
START_TEST(test_b5_effects_come_after_the_flush)
{
	struct sim_world *w = scenario_begin(NULL);
	struct sim_image *x = &w->image[0], *y = &w->image[1];
	struct sim_request *truncate;

	scenario_write_block(w, x, 0);
	scenario_write_block(w, y, 0);
	scenario_hold(w, ACTION_FLUSH);
	truncate = sim_start_truncate(w, x, 1000);
	truncate->is_kept = true;
	scenario_run(w, 1000 * SIM_MS);
	ck_assert_uint_eq(w->counts[ACTION_BACK_TRUNCATE], 0);
	ck_assert_int_ne(truncate->phase, SIM_ENDED);
	sim_power_cut(w, CUT_DROP_ALL);
	scenario_release(w, ACTION_FLUSH);
	scenario_mount(w);
	scenario_end(w);
}
END_TEST

/* B7. A write that was answered before another one was issued is never lost while that one
 * survives. */
START_TEST(test_b7_sync_of_one_image_keeps_what_came_before_it)
{
	struct sim_world *w = scenario_begin(NULL);

	scenario_write_block(w, &w->image[0], 2);
	scenario_write_block(w, &w->image[1], 2);
	sim_do_sync(w, &w->image[1]);
	sim_power_cut(w, CUT_DROP_ALL);
	scenario_mount(w);
	scenario_end(w);
}
END_TEST

SCENARIO_SUITE("durable", test_b1_tail_does_not_pass_what_only_ram_has_replaced,
	       test_b1_tail_does_not_pass_what_was_not_flushed,
	       test_b2_recovery_flushes_what_it_has_read,
	       test_b3_failed_flush_is_followed_by_writing_again,
	       test_b3_buffers_wait_for_the_flush, test_b4_flush_waits_for_the_record,
	       test_b4_sync_covers_all_records_up_to_its_own,
	       test_b4_dsync_write_is_durable_when_answered, test_b4_interval_flush_makes_durable,
	       test_b5_migration_takes_only_what_is_durable, test_b5_effects_come_after_the_flush,
	       test_b7_sync_of_one_image_keeps_what_came_before_it)
