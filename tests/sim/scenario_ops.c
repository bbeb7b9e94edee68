// SPDX-License-Identifier: GPL-2.0-or-later
/* Named scenarios of RULES E: truncate, punch, names, size, drain. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tests/sim/scenario.h"

/*
 * E1. A block is being written to the backing file; the image is truncated below it and extended
 * again; then that backing write lands: the old data would be back. The truncate waits for backing
 * writes in flight.
 */
START_TEST(test_e1_truncate_waits_for_backing_writes)
{
	struct sim_world *w = scenario_begin(NULL);
	struct sim_image *x = &w->image[0];
	struct sim_request *truncate;

	scenario_write_block(w, x, 9);
	sim_do_sync(w, x);
	scenario_hold(w, ACTION_BACK_WRITE);
	sim_knob(w, KNOB_FORCE_MIGRATE, 1);
	scenario_run(w, 2000 * SIM_MS);
	ck_assert(scenario_is_out(w, ACTION_BACK_WRITE));
	truncate = sim_start_truncate(w, x, 4 * BLOCK);
	truncate->is_kept = true;
	scenario_run(w, 2000 * SIM_MS);
	ck_assert_uint_eq(w->counts[ACTION_BACK_TRUNCATE], 0);
	ck_assert_int_ne(truncate->phase, SIM_ENDED);
	scenario_release(w, ACTION_BACK_WRITE);
	ck_assert_int_eq(sim_wait(w, truncate), 0);
	ck_assert_int_eq(sim_wait(w, sim_start_truncate(w, x, 16 * BLOCK)), 0);
	sim_do_read(w, x);
	scenario_end(w);
}
END_TEST

/* E1. A write to the range comes while the truncate is under way: it waits, and is not dropped with
 * the old data. */
START_TEST(test_e1_write_after_truncate_is_kept)
{
	struct sim_world *w = scenario_begin(NULL);
	struct sim_image *x = &w->image[0];
	struct sim_request *truncate, *write;

	scenario_write_block(w, x, 9);
	scenario_hold(w, ACTION_FLUSH);
	truncate = sim_start_truncate(w, x, 4 * BLOCK);
	truncate->is_kept = true;
	scenario_run(w, SIM_MS);
	write = sim_start_write(w, x, 9 * BLOCK, BLOCK, false);
	write->is_kept = true;
	scenario_run(w, SIM_MS);
	scenario_release(w, ACTION_FLUSH);
	ck_assert_int_eq(sim_wait(w, truncate), 0);
	ck_assert_int_eq(sim_wait(w, write), (int)BLOCK);
	sim_do_read(w, x);
	sim_daemon_death(w, true);
	scenario_mount(w);
	scenario_end(w);
}
END_TEST

/* E1. The image is cut and made longer again, or punched behind the cut, before the first truncate
 * has left the index: what was cut does not come back. */
static void cut_twice(bool is_punch)
{
	struct sim_world *w = scenario_begin(NULL);
	struct sim_image *x = &w->image[0];
	struct sim_request *cut, *next;

	scenario_write_block(w, x, 9);
	scenario_write_block(w, x, 12);
	sim_do_sync(w, x);
	scenario_hold(w, ACTION_BACK_TRUNCATE);
	cut = sim_start_truncate(w, x, 9 * BLOCK + 1000);
	cut->is_kept = true;
	scenario_run(w, SIM_MS);
	ck_assert(scenario_is_out(w, ACTION_BACK_TRUNCATE));
	next = is_punch ? sim_start_punch(w, x, 12 * BLOCK, 100) :
			  sim_start_truncate(w, x, 16 * BLOCK);
	next->is_kept = true;
	scenario_run(w, SIM_MS);
	if (!is_punch)
		ck_assert_int_ne((int)next->phase, (int)SIM_ENDED);
	scenario_release(w, ACTION_BACK_TRUNCATE);
	ck_assert_int_eq(sim_wait(w, cut), 0);
	ck_assert_int_eq(sim_wait(w, next), 0);
	sim_do_read(w, x);
	ck_assert_int_eq(sim_wait(w, sim_start_truncate(w, x, 16 * BLOCK)), 0);
	sim_do_read(w, x);
	scenario_end(w);
}

START_TEST(test_e1_size_waits_for_the_truncate_under_way)
{
	cut_twice(false);
	cut_twice(true);
}
END_TEST

/* E1, E3. Crashes while the effect on the file is not there yet, or not stable: it is done again.
 */
static void truncate_and_crash(enum action_type held, bool is_power)
{
	struct sim_world *w = scenario_begin(NULL);
	struct sim_image *x = &w->image[0];
	struct sim_request *truncate;

	scenario_write_block(w, x, 9);
	scenario_write_block(w, x, 2);
	sim_do_sync(w, x);
	scenario_hold(w, held);
	truncate = sim_start_truncate(w, x, 3 * BLOCK - 700);
	truncate->is_kept = true;
	scenario_run(w, 100 * SIM_MS);
	if (is_power)
		sim_power_cut(w, CUT_DROP_ALL);
	else
		sim_daemon_death(w, false);
	scenario_release(w, held);
	scenario_mount(w);
	ck_assert_int_eq(sim_wait(w, sim_start_truncate(w, x, 16 * BLOCK)), 0);
	sim_do_read(w, x);
	scenario_end(w);
}

START_TEST(test_e1_crash_before_the_effect)
{
	truncate_and_crash(ACTION_BACK_TRUNCATE, true);
	truncate_and_crash(ACTION_BACK_TRUNCATE, false);
	truncate_and_crash(ACTION_FLUSH, true);
	truncate_and_crash(ACTION_FLUSH, false);
	truncate_and_crash(ACTION_BACK_SYNC, true);
	truncate_and_crash(ACTION_LOG_WRITE, false);
}
END_TEST

/* E2. Cuts in the middle of a sector, extended again: the cut bytes are zeros, also after a crash
 * and in the file. */
static void cut_unaligned(bool is_cached, bool is_punch)
{
	struct sim_world *w = scenario_begin(NULL);
	struct sim_image *x = &w->image[0];

	if (is_cached) {
		scenario_write_block(w, x, 4);
		scenario_write_block(w, x, 6);
		sim_do_write(w, x, 5 * BLOCK + 512, 1024);
	}
	if (is_punch) {
		ck_assert_int_eq(
			sim_wait(w, sim_start_punch(w, x, 4 * BLOCK + 777, 2 * BLOCK + 11)), 0);
		ck_assert_int_eq(sim_wait(w, sim_start_punch(w, x, 8 * BLOCK + 10, 20)), 0);
	} else {
		ck_assert_int_eq(sim_wait(w, sim_start_truncate(w, x, 4 * BLOCK + 777)), 0);
		ck_assert_int_eq(sim_wait(w, sim_start_truncate(w, x, 16 * BLOCK)), 0);
	}
	sim_do_read(w, x);
	sim_power_cut(w, CUT_DROP_ALL);
	scenario_mount(w);
	sim_do_clean(w, x);
	sim_daemon_death(w, true);
	scenario_mount(w);
	scenario_end(w);
}

START_TEST(test_e2_unaligned_cuts)
{
	cut_unaligned(true, false);
	cut_unaligned(false, false);
	cut_unaligned(true, true);
	cut_unaligned(false, true);
}
END_TEST

/* E2. The size is not a multiple of a sector: the file ends exactly there after a drain. */
START_TEST(test_e2_file_has_the_exact_size)
{
	struct sim_world *w = scenario_begin(NULL);
	struct sim_image *x = &w->image[0];

	ck_assert_int_eq(sim_wait(w, sim_start_truncate(w, x, 5 * BLOCK)), 0);
	sim_do_write(w, x, 7 * BLOCK + 100, 1001);
	sim_do_clean(w, x);
	ck_assert_uint_eq(x->file->stable.stamp.size, 7 * BLOCK + 1101);
	sim_do_write(w, x, 7 * BLOCK + 1000, 300);
	sim_power_cut(w, CUT_KEEP_ALL);
	scenario_mount(w);
	scenario_end(w);
}
END_TEST

static int failing_type, nr_failures;

static int fail_some(struct sim_world *w, const struct action *a)
{
	(void)w;
	return (int)a->type == failing_type && nr_failures > 0 && nr_failures-- ? -EIO : 0;
}

static void set_state(struct sim_world *w, struct sim_image *img, enum image_state state)
{
	struct outbox ob;

	outbox_init(&ob);
	cache_image_set_state(w->cache, img->cached, state, 0, w->now, &ob);
	sim_take(w, &ob);
}

/* E3. The file is found to be another one while the operation becomes durable: it has happened all
 * the same, and what it has cut does not show again, not even when the cleaner has been there. */
static void stop_and_cut(bool is_punch)
{
	struct sim_world *w = scenario_begin(NULL);
	struct sim_image *x = &w->image[0], *y = &w->image[1];
	struct sim_request *r;

	scenario_write_blocks(w, x, 8, 6);
	scenario_hold(w, ACTION_FLUSH);
	r = is_punch ? sim_start_punch(w, x, 9 * BLOCK, 4 * BLOCK) :
		       sim_start_truncate(w, x, 9 * BLOCK);
	r->is_kept = true;
	scenario_run(w, 100 * SIM_MS);
	ck_assert_int_ne((int)r->phase, (int)SIM_ENDED);
	x->is_conflict = x->may_fail = x->had_conflict = true;
	set_state(w, x, IMAGE_CONFLICT);
	scenario_release(w, ACTION_FLUSH);
	ck_assert_int_eq(sim_wait(w, r), 0);
	scenario_wrap(w, y, 0, 16);
	x->is_conflict = x->may_fail = false;
	set_state(w, x, IMAGE_CLEAN);
	ck_assert_int_eq(sim_wait(w, sim_start_truncate(w, x, 15 * BLOCK)), 0);
	sim_do_read(w, x);
	scenario_crash(w, true);
	sim_do_read(w, x);
	scenario_end(w);
}

START_TEST(test_e3_what_is_cut_while_the_image_stops_stays_cut)
{
	stop_and_cut(false);
	stop_and_cut(true);
}
END_TEST

/* E3. Replay makes all operations of the log pending again, however many an image has had: a trim
 * of a fragmented filesystem is thousands of holes. */
START_TEST(test_e3_any_number_of_holes_is_replayed)
{
	struct sim_conf conf = scenario_conf();
	struct sim_world *w;
	struct sim_image *x;

	conf.nr_segments = 1500;
	conf.image_blocks = 256;
	conf.image_bytes = 256 * BLOCK;
	w = scenario_begin(&conf);
	x = &w->image[0];
	scenario_write_block(w, x, 1);
	for (uint64_t i = 0; i < 4100; i++)
		ck_assert_int_eq(sim_wait(w, sim_start_punch(w, x, i % 120 * 2 * BLOCK, BLOCK)), 0);
	scenario_crash(w, false);
	sim_do_read(w, x);
	scenario_end(w);
}
END_TEST

/* E3. The truncate is durable, then its effect on the file fails: it has happened, and is done
 * before any migration. */
START_TEST(test_e3_effect_that_fails_is_pending)
{
	struct sim_world *w = scenario_begin(NULL);
	struct sim_image *x = &w->image[0];

	scenario_write_block(w, x, 9);
	sim_do_sync(w, x);
	failing_type = ACTION_BACK_TRUNCATE;
	nr_failures = 1;
	w->fault = fail_some;
	ck_assert_int_eq(sim_wait(w, sim_start_truncate(w, x, 4 * BLOCK)), 0);
	ck_assert_int_eq(nr_failures, 0);
	sim_do_read(w, x);
	ck_assert_int_eq(sim_wait(w, sim_start_truncate(w, x, 16 * BLOCK)), 0);
	scenario_write_block(w, x, 12);
	sim_do_read(w, x);
	sim_daemon_death(w, true);
	scenario_mount(w);
	scenario_end(w);
}
END_TEST

/*
 * E4. A truncate is durable and done in the file, but the file was not synced; the log goes round,
 * the tail passes the record; power cut: the file has its old length again, and nobody knows of the
 * truncate.
 */
START_TEST(test_e4_tail_passes_an_operation_when_its_effect_is_stable)
{
	struct sim_world *w = scenario_begin(NULL);
	struct sim_image *x = &w->image[0], *y = &w->image[1];

	scenario_write_block(w, x, 9);
	sim_do_sync(w, x);
	ck_assert_int_eq(sim_wait(w, sim_start_truncate(w, x, 4 * BLOCK + 5)), 0);
	ck_assert_int_eq(sim_wait(w, sim_start_punch(w, x, 100, 3 * BLOCK)), 0);
	sim_knob(w, KNOB_FORCE_MIGRATE, 1);
	scenario_wrap(w, y, 0, 4);
	scenario_run(w, 3000 * SIM_MS);
	sim_power_cut(w, CUT_DROP_ALL);
	scenario_mount(w);
	scenario_end(w);
}
END_TEST

/*
 * E3. A punch; the whole block written again and migrated; a part of it written, over what is now a
 * clean copy; death. Replay repeats the punch on the file: what it takes away there must be in the
 * log.
 */
START_TEST(test_e3_repeated_punch_spares_later_data)
{
	struct sim_world *w = scenario_begin(NULL);
	struct sim_image *x = &w->image[0], *y = &w->image[1];
	struct cache_image_info info;

	/* What cannot migrate keeps the tail, and so the punch in the log. */
	scenario_write_block(w, y, 1);
	y->file->is_gone = true;
	scenario_write_block(w, x, 2);
	ck_assert_int_eq(sim_wait(w, sim_start_punch(w, x, 2 * BLOCK + 100, 1500)), 0);
	scenario_write_block(w, x, 2);
	sim_do_sync(w, x);
	scenario_hold(w, ACTION_BACK_SYNC);
	sim_knob(w, KNOB_FORCE_MIGRATE, 1);
	scenario_run(w, 3000 * SIM_MS);
	ck_assert(scenario_is_out(w, ACTION_BACK_SYNC));
	/* Something else is dirty, so that the image does not become clean as a whole. */
	scenario_write_block(w, x, 9);
	sim_knob(w, KNOB_FORCE_MIGRATE, 0);
	scenario_release(w, ACTION_BACK_SYNC);
	scenario_run(w, 100 * SIM_MS);
	cache_image_info(w->cache, x->cached, &info);
	ck_assert_uint_eq(info.dirty_blocks, 1);
	sim_do_write(w, x, 2 * BLOCK + 2048, 2048);
	y->file->is_gone = false;
	sim_daemon_death(w, true);
	scenario_mount(w);
	scenario_end(w);
}
END_TEST

/*
 * E5. Drained, unmounted, the plain file edited by others, mounted: the records of before are still
 * in the log; they must not be written over the edit, now or after another crash.
 */
START_TEST(test_e5_old_records_do_not_overwrite_an_edit)
{
	struct sim_world *w = scenario_begin(NULL);
	struct sim_image *x = &w->image[0];
	uint8_t data[5000];

	scenario_write_block(w, x, 1);
	scenario_write_block(w, x, 2);
	sim_do_clean(w, x);
	sim_shutdown(w);
	oracle_edit(x->model, BLOCK - 100, sizeof(data), data);
	w->store->now_ns += 1000;
	simfile_edit(x->file, data, sizeof(data), BLOCK - 100);
	x->is_edited = true;
	scenario_mount(w);
	scenario_write_block(w, x, 7);
	sim_daemon_death(w, true);
	scenario_mount(w);
	sim_power_cut(w, CUT_DROP_ALL);
	scenario_mount(w);
	scenario_end(w);
}
END_TEST

/* E5. The same with the edit right after the drain, without an unmount, and a crash behind it. */
START_TEST(test_e5_edit_after_drain_then_crash)
{
	for (int is_power = 0; is_power < 2; is_power++) {
		struct sim_world *w = scenario_begin(NULL);
		struct sim_image *x = &w->image[0];
		uint8_t data[600];

		scenario_write_block(w, x, 1);
		sim_do_clean(w, x);
		oracle_edit(x->model, BLOCK + 1000, sizeof(data), data);
		w->store->now_ns += 1000;
		simfile_edit(x->file, data, sizeof(data), BLOCK + 1000);
		x->is_edited = true;
		scenario_crash(w, is_power);
		scenario_end(w);
	}
}
END_TEST

/* E6. An image is unlinked, its id given to another file, the old records are still in the log. */
START_TEST(test_e6_id_of_a_dead_image_is_used_again)
{
	for (int is_power = 0; is_power < 2; is_power++) {
		struct sim_world *w = scenario_begin(NULL);
		struct sim_image *x = &w->image[0], *y = &w->image[1];

		for (int i = 0; i < 4; i++) {
			scenario_write_block(w, x, 1);
			scenario_write_block(w, y, 1);
			sim_do_sync(w, x);
			sim_start_unlink(w, x);
			sim_settle_down(w);
			sim_do_read(w, x);
			scenario_crash(w, is_power && i == 2);
		}
		scenario_end(w);
	}
}
END_TEST

/* E7. The intent is durable, the name is still there: the image has all its data. */
START_TEST(test_e7_intent_without_unlink)
{
	struct sim_world *w = scenario_begin(NULL);
	struct sim_image *x = &w->image[0];
	struct sim_request *r;

	scenario_write_block(w, x, 1);
	r = sim_start_unlink(w, x);
	r->then = NULL;
	ck_assert_int_eq(sim_wait(w, r), 0);
	sim_power_cut(w, CUT_DROP_ALL);
	scenario_mount(w);
	scenario_end(w);
}
END_TEST

/*
 * E6. A file is removed while migration looks at it. Nothing more of it is logged: behind the
 * unbind a record with its id would be of an image that nobody knows, once the tail has passed it.
 */
START_TEST(test_e6_what_is_unbound_is_not_touched)
{
	struct sim_world *w = scenario_begin(NULL);
	struct sim_image *x = &w->image[0], *y = &w->image[1];

	scenario_write_block(w, x, 3);
	scenario_write_block(w, y, 4);
	sim_do_clean(w, x); /* at rest: the next change will be marked */
	sim_do_clean(w, y);
	scenario_write_block(w, x, 3);
	scenario_write_block(w, y, 4);
	sim_do_sync(w, NULL);
	w->hold_return[ACTION_BACK_CHECK] = true; /* it has looked, and found nothing wrong */
	sim_knob(w, KNOB_FORCE_MIGRATE, 1);
	scenario_run(w, 3000 * SIM_MS);
	ck_assert(scenario_is_out(w, ACTION_BACK_CHECK));
	sim_start_unlink(w, x);
	scenario_run(w, 100 * SIM_MS);
	sim_knob(w, KNOB_FLUSH_CURRENT_BUFFER, 1);
	scenario_run(w, 100 * SIM_MS);
	w->hold_return[ACTION_BACK_CHECK] = false;
	scenario_run(w, 100 * SIM_MS);
	sim_knob(w, KNOB_FORCE_MIGRATE, 0);
	scenario_write_block(w, y, 5); /* keeps the tail where a mark would be */
	sim_do_sync(w, y);
	for (int i = 0; i < 3; i++) {
		sim_knob(w, KNOB_COMMIT_SUPER_BLOCK, 1);
		scenario_run(w, 3000 * SIM_MS);
	}
	sim_daemon_death(w, true);
	scenario_mount(w);
	sim_do_read(w, y);
	scenario_end(w);
}
END_TEST

/* E7. The name is gone, the unbind is not in the log: recovery finds the intent. */
START_TEST(test_e7_unlink_without_unbind)
{
	struct sim_world *w = scenario_begin(NULL);
	struct sim_image *x = &w->image[0];
	struct sim_request *r;

	scenario_write_block(w, x, 1);
	sim_do_sync(w, x);
	r = sim_start_unlink(w, x);
	r->then = NULL;
	ck_assert_int_eq(sim_wait(w, r), 0);
	x->file->is_gone = true;
	sim_power_cut(w, CUT_DROP_ALL);
	scenario_mount(w);
	scenario_end(w);
}
END_TEST

/* E8. Extending writes: the size comes back with the data, whatever the file's own size is. */
START_TEST(test_e8_size_is_logged_with_the_data)
{
	struct sim_conf conf = scenario_conf();
	struct sim_world *w;
	struct sim_image *x;

	conf.image_bytes = 1234;
	w = scenario_begin(&conf);
	x = &w->image[0];
	sim_do_write(w, x, 3 * BLOCK + 17, 2000);
	sim_do_sync(w, x);
	sim_power_cut(w, CUT_DROP_ALL);
	scenario_mount(w);
	sim_do_write(w, x, 6 * BLOCK, 3 * BLOCK);
	sim_daemon_death(w, true);
	scenario_mount(w);
	sim_do_clean(w, x);
	ck_assert_uint_eq(x->file->stable.stamp.size, 9 * BLOCK);
	scenario_end(w);
}
END_TEST

/* E8. Truncated up, nothing written: the size is the log's; the bytes are zeros. */
START_TEST(test_e8_truncate_up_survives)
{
	struct sim_conf conf = scenario_conf();
	struct sim_world *w;
	struct sim_image *x;

	conf.image_bytes = 1234;
	w = scenario_begin(&conf);
	x = &w->image[0];
	ck_assert_int_eq(sim_wait(w, sim_start_truncate(w, x, 10 * BLOCK + 3)), 0);
	sim_do_sync(w, x);
	sim_power_cut(w, CUT_DROP_ALL);
	scenario_mount(w);
	sim_do_clean(w, x);
	ck_assert_uint_eq(x->file->stable.stamp.size, 10 * BLOCK + 3);
	scenario_end(w);
}
END_TEST

/* E9. A rename is durable when it is answered; the image is found under its new name. */
START_TEST(test_e9_rename_is_durable)
{
	struct sim_world *w = scenario_begin(NULL);
	struct sim_image *x = &w->image[0];
	char path[OP_PATH_MAX + 1];

	scenario_write_block(w, x, 1);
	sim_start_rename(w, x);
	sim_settle_down(w);
	sim_power_cut(w, CUT_DROP_ALL);
	ck_assert_int_eq(sim_open(w, 0), 0);
	cache_image_path(w->cache, cache_image_next(w->cache, NULL), path);
	ck_assert_str_eq(path, x->file->path);
	sim_attach(w);
	sim_judge(w, true);
	scenario_end(w);
}
END_TEST

SCENARIO_SUITE("operations", test_e1_truncate_waits_for_backing_writes,
	       test_e1_write_after_truncate_is_kept, test_e1_crash_before_the_effect,
	       test_e1_size_waits_for_the_truncate_under_way, test_e2_unaligned_cuts,
	       test_e2_file_has_the_exact_size, test_e3_effect_that_fails_is_pending,
	       test_e3_what_is_cut_while_the_image_stops_stays_cut,
	       test_e3_any_number_of_holes_is_replayed, test_e3_repeated_punch_spares_later_data,
	       test_e4_tail_passes_an_operation_when_its_effect_is_stable,
	       test_e5_old_records_do_not_overwrite_an_edit, test_e5_edit_after_drain_then_crash,
	       test_e6_id_of_a_dead_image_is_used_again, test_e7_intent_without_unlink,
	       test_e6_what_is_unbound_is_not_touched,
	       test_e7_unlink_without_unbind, test_e8_size_is_logged_with_the_data,
	       test_e8_truncate_up_survives, test_e9_rename_is_durable)
