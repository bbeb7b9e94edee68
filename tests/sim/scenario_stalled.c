// SPDX-License-Identifier: GPL-2.0-or-later
/* Named scenarios of rule H2: backing files that do not answer, or take not all, or nothing for a
 * while. */
#include <errno.h>

#include "tests/sim/scenario.h"

#define S (1000 * SIM_MS)

static void hang(struct sim_image *img, enum action_type in)
{
	img->is_hanging = img->may_fail = true;
	img->hangs_in = in;
}

static bool has_out(const struct sim_world *w, const struct sim_image *img, enum action_type type)
{
	for (uint32_t i = 0; i < w->nr_actions; i++)
		if (w->action[i]->action->type == type &&
		    cache_image_owner(w->action[i]->action->image) == img)
			return true;
	return false;
}

/* Its file hangs, and migration has met that. */
static void find_hanging(struct sim_world *w, struct sim_image *img, enum action_type in)
{
	hang(img, in);
	sim_knob(w, KNOB_FORCE_MIGRATE, 1);
	scenario_run(w, 8 * S);
	sim_knob(w, KNOB_FORCE_MIGRATE, 0);
	ck_assert(has_out(w, img, in));
	ck_assert_int_eq(scenario_info(w, img).error, ETIMEDOUT);
	ck_assert_int_eq((int)scenario_info(w, img).state, (int)IMAGE_ERROR);
}

static void answer(struct sim_world *w, struct sim_image *img)
{
	img->is_hanging = false;
	scenario_run(w, 2 * S);
	sim_do_clean(w, img);
	img->may_fail = false;
	ck_assert_int_eq(scenario_info(w, img).error, 0);
}

/* x has something for each phase of a batch to do. */
static void fill(struct sim_world *w, struct sim_image *x)
{
	scenario_write_blocks(w, x, 0, 20);
	sim_do_write(w, x, 30 * BLOCK, 512); /* a block with a gap */
	sim_do_write(w, x, 30 * BLOCK + 1024, 512);
	sim_do_write(w, x, 63 * BLOCK, 100); /* an odd end of the file */
	sim_do_sync(w, x);
}

/*
 * H2. A file hangs, in whatever migration asks it: what others write goes on to their files, and
 * round the log many times. When it answers nothing of it is lost.
 */
START_TEST(test_h2_a_hanging_file_does_not_stop_others)
{
	static const enum action_type types[] = {
		ACTION_BACK_CHECK, ACTION_BACK_READ, ACTION_BACK_WRITE,
		ACTION_BACK_GROW,  ACTION_BACK_SYNC,
	};

	for (size_t t = 0; t < array_size(types); t++) {
		struct sim_world *w = scenario_begin_images(3, 64);
		struct sim_image *x = &w->image[0], *y = &w->image[1];

		scenario_write_blocks(w, y, 0, 20);
		fill(w, x);
		find_hanging(w, x, types[t]);
		ck_assert_uint_eq(scenario_info(w, y).dirty_blocks, 0);
		for (int lap = 0; lap < 4; lap++)
			scenario_wrap(w, y, 0, 64);
		ck_assert_uint_gt(scenario_info(w, x).dirty_blocks, 0);
		answer(w, x);
		scenario_end(w);
	}
}
END_TEST

/* H2. As many as are set aside, one after the other. */
START_TEST(test_h2_a_handful_may_hang)
{
	struct sim_world *w = scenario_begin_images(6, 64);
	struct sim_image *y = &w->image[5];

	for (int i = 0; i < 4; i++) {
		scenario_write_blocks(w, &w->image[i], 0, 5);
		find_hanging(w, &w->image[i], ACTION_BACK_WRITE);
	}
	for (int lap = 0; lap < 2; lap++)
		scenario_wrap(w, y, 0, 64);
	for (int i = 3; i >= 0; i--)
		answer(w, &w->image[i]);
	scenario_end(w);
}
END_TEST

static uint64_t syncs_take;

/* As the store does: a sync is not answered before its time has come. */
static void pass_slowly(struct sim_world *w, struct sim_image *x, uint64_t ns)
{
	uint64_t end = w->now + ns, since = 0;

	while (w->now < end) {
		x->is_hanging = true;
		if (!has_out(w, x, ACTION_BACK_SYNC))
			since = w->now;
		else if (w->now >= since + syncs_take)
			x->is_hanging = false;
		scenario_run(w, 0);
		sim_pass_time(w, S / 4);
	}
	x->is_hanging = false;
}

/* H2. A store that is only slow is no worse off for being set aside each time. */
START_TEST(test_h2_a_slow_sync_counts)
{
	struct sim_world *w = scenario_begin_images(2, 64);
	struct sim_image *x = &w->image[0], *y = &w->image[1];
	uint64_t writes;

	syncs_take = 7 * S;
	scenario_write_blocks(w, x, 0, 20);
	scenario_write_blocks(w, y, 0, 20);
	hang(x, ACTION_BACK_SYNC);
	sim_knob(w, KNOB_FORCE_MIGRATE, 1);
	pass_slowly(w, x, 30 * S);
	ck_assert_uint_eq(scenario_info(w, x).dirty_blocks, 0);
	ck_assert_uint_eq(scenario_info(w, y).dirty_blocks, 0);
	ck_assert_int_eq(scenario_info(w, x).error, 0);
	writes = w->counts[ACTION_BACK_WRITE];
	ck_assert_uint_le(writes, 40);
	x->may_fail = false;
	scenario_end(w);
}
END_TEST

/* H2. Who wants more of a hanging image than its share, or drains it, waits for stall_timeout. */
START_TEST(test_h2_a_hanging_file_is_told_in_the_end)
{
	struct sim_world *w = scenario_begin_images(2, 64);
	struct sim_image *x = &w->image[0], *y = &w->image[1];
	struct sim_request *r;
	uint64_t before;
	int ret = 0;

	scenario_write_blocks(w, x, 0, 20);
	find_hanging(w, x, ACTION_BACK_WRITE);
	sim_knob(w, KNOB_STALL_TIMEOUT, 60);
	before = w->now;
	r = sim_start_clean(w, x);
	ck_assert_int_eq(sim_wait(w, r), -ETIMEDOUT);
	ck_assert_uint_ge(w->now - before, 50 * S);
	ck_assert_uint_le(w->now - before, 62 * S);
	for (uint64_t b = 20; ret >= 0; b++) {
		ck_assert_uint_lt(b, 40);
		ret = sim_wait(w, sim_start_write(w, x, b * BLOCK, BLOCK, false));
	}
	ck_assert_int_eq(ret, -EIO);
	sim_do_clean(w, y);
	scenario_wrap(w, y, 0, 64);
	answer(w, x);
	scenario_write_block(w, x, 50);
	scenario_end(w);
}
END_TEST

/* F1, E1. A write hangs, and a truncate, a punch and the end of the image come meanwhile: none of
 * them is done before it, and it does not show after them. */
START_TEST(test_f1_what_hangs_keeps_its_place)
{
	for (int kind = 0; kind < 3; kind++) {
		struct sim_world *w = scenario_begin_images(2, 64);
		struct sim_image *x = &w->image[0], *y = &w->image[1];
		struct sim_request *r;

		scenario_write_blocks(w, x, 0, 20);
		find_hanging(w, x, ACTION_BACK_WRITE);
		r = kind == 0 ? sim_start_truncate(w, x, 3 * BLOCK) :
		    kind == 1 ? sim_start_punch(w, x, 5 * BLOCK, 10 * BLOCK) :
				sim_start_unlink(w, x);
		r->is_kept = true;
		scenario_run(w, 100 * S);
		ck_assert(kind == 2 ? x->is_busy : r->phase != SIM_ENDED);
		if (kind < 2)
			scenario_write_block(w, x, 1);
		scenario_wrap(w, y, 0, 64);
		x->is_hanging = false;
		ck_assert_int_eq(sim_wait(w, r), 0);
		x->may_fail = false;
		scenario_end(w);
	}
}
END_TEST

/* What cuts a hole of 10 blocks and a bit out of x, or all but the first 5 blocks off. */
static struct sim_request *start_cut(struct sim_world *w, struct sim_image *x, int kind)
{
	static const uint64_t off[] = { 5 * BLOCK, 5 * BLOCK + 700, 5 * BLOCK, 5 * BLOCK + 700 };
	struct sim_request *r = kind < 2 ? sim_start_punch(w, x, off[kind], 10 * BLOCK) :
					   sim_start_truncate(w, x, off[kind]);

	r->is_kept = true;
	return r;
}

/* H2, E3. The file hangs in the hole or the truncate itself: nothing of that holds the tail, and
 * what is written to the place meanwhile outlives the late answer, or a crash before that. */
START_TEST(test_h2_a_hole_that_hangs_does_not_stop_others)
{
	for (int n = 0; n < 16; n++) {
		struct sim_world *w = scenario_begin_images(3, 64);
		struct sim_image *x = &w->image[0], *y = &w->image[1];
		enum action_type in = n & 2 ? ACTION_BACK_TRUNCATE : ACTION_BACK_PUNCH;
		struct sim_request *r;

		scenario_write_blocks(w, x, 0, 20);
		hang(x, n & 4 ? ACTION_BACK_SYNC : in);
		r = start_cut(w, x, n & 3);
		scenario_run(w, 8 * S);
		ck_assert(has_out(w, x, x->hangs_in));
		ck_assert(r->phase != SIM_ENDED);
		ck_assert_int_eq(scenario_info(w, x).error, ETIMEDOUT);
		for (int lap = 0; lap < 4; lap++)
			scenario_wrap(w, y, 0, 64);
		scenario_write_blocks(w, x, 6, 3);
		sim_do_read(w, x);
		scenario_wrap(w, y, 0, 64);
		if (n & 8) {
			scenario_crash(w, true);
		} else {
			answer(w, x);
			ck_assert_int_eq(sim_wait(w, r), 0);
		}
		scenario_end(w);
	}
}
END_TEST

/* H2, E3. An operation that comes while the file hangs does not ask it, and is answered. */
START_TEST(test_h2_a_hole_in_a_file_that_hangs_is_pending)
{
	for (int kind = 0; kind < 4; kind++) {
		struct sim_world *w = scenario_begin_images(2, 64);
		struct sim_image *x = &w->image[0], *y = &w->image[1];
		struct sim_request *r;

		scenario_write_block(w, x, 60);
		sim_do_sync(w, x);
		find_hanging(w, x, ACTION_BACK_CHECK);
		scenario_write_blocks(w, x, 0, 20);
		r = kind < 2 ? start_cut(w, x, kind) : sim_start_punch(w, x, 3 * BLOCK, BLOCK);
		ck_assert_int_eq(sim_wait(w, r), 0);
		for (int lap = 0; lap < 4; lap++)
			scenario_wrap(w, y, 0, 64);
		sim_do_read(w, x);
		if (kind & 1)
			scenario_crash(w, true);
		else
			answer(w, x);
		scenario_end(w);
	}
}
END_TEST

/* H2. Shutdown waits for no file that hangs; the log has what it would have got. */
START_TEST(test_h2_shutdown_does_not_wait_for_a_hanging_file)
{
	for (int n = 0; n < 8; n++) {
		struct sim_world *w = scenario_begin_images(3, 64);
		struct sim_image *x = &w->image[0], *y = &w->image[1];

		scenario_write_blocks(w, y, 0, 10);
		fill(w, x);
		hang(x, n & 1 ? ACTION_BACK_WRITE : ACTION_BACK_SYNC);
		sim_knob(w, KNOB_FORCE_MIGRATE, 1);
		scenario_run(w, n & 2 ? 20 * S : S); /* set aside before, or at the end */
		scenario_write_blocks(w, y, 10, 10);
		sim_shutdown(w);
		if (n & 4)
			sim_power_cut(w, CUT_DROP_ALL);
		x->may_fail = false;
		scenario_mount(w);
		ck_assert(w->report.was_clean);
		ck_assert_uint_gt(scenario_info(w, x).dirty_blocks, 20);
		scenario_end(w);
	}
}
END_TEST

/* H2. Crashes after any number of steps with a file that hangs now and then. */
START_TEST(test_h2_crashes_while_it_hangs)
{
	for (uint32_t n = 0; n < 40; n++) {
		struct sim_world *w = scenario_begin_images(3, 64);
		struct sim_image *x = &w->image[0], *y = &w->image[1];
		uint64_t block = 0;

		fill(w, x);
		hang(x, n % 2 ? ACTION_BACK_WRITE : ACTION_BACK_SYNC);
		sim_knob(w, KNOB_FORCE_MIGRATE, 1);
		for (uint32_t i = 0; i < 100 + 23 * n; i++) {
			if (!w->nr_requests)
				sim_start_write(w, i % 3 ? y : x, block++ % 64 * BLOCK, BLOCK,
						i % 7 == 0);
			if (i % 90 == 60)
				x->is_hanging = !x->is_hanging;
			sim_calm_turn_or_tick(w);
		}
		if (n % 3)
			sim_power_cut(w, (enum cut_policy)(n % NR_CUT_POLICIES));
		else
			sim_daemon_death(w, n % 4 == 0);
		x->may_fail = false;
		scenario_mount(w);
		scenario_end(w);
	}
}
END_TEST

/* ---- files that take nothing, or not all ---- */

/* The backing file takes nothing for so long that the pauses between two tries are the longest. */
static void be_refused(struct sim_world *w, struct sim_image *x)
{
	x->is_refusing = x->may_fail = true;
	sim_knob(w, KNOB_FORCE_MIGRATE, 1);
	scenario_run(w, 300 * S);
	ck_assert_int_eq(scenario_info(w, x).error, ENOSPC);
}

/* H2. A store that has room again fails nobody for what it was before, though nothing has been
 * tried since. */
START_TEST(test_h2_an_error_of_before_is_no_error)
{
	struct sim_world *w = scenario_begin_images(2, 64);
	struct sim_image *x = &w->image[0];
	uint64_t before;
	int ret = 0;

	scenario_write_blocks(w, x, 0, 15);
	be_refused(w, x);
	for (uint64_t b = 15; ret >= 0; b++) {
		ck_assert_uint_lt(b, 40);
		ret = sim_wait(w, sim_start_write(w, x, b * BLOCK, BLOCK, false));
	}
	ck_assert_int_eq(ret, -ENOSPC);
	x->is_refusing = x->may_fail = false;
	before = w->now;
	scenario_write_block(w, x, 50);
	ck_assert_uint_le(w->now - before, 3 * S);
	scenario_end(w);
}
END_TEST

static uint64_t bad_place;

static int one_place_fails(struct sim_world *w, const struct action *a)
{
	(void)w;
	return a->type == ACTION_BACK_WRITE && a->off <= bad_place && bad_place < a->off + a->len ?
		       -EIO :
		       0;
}

/* F1, H2. One place of a file cannot be written: what is beside it is migrated, once, and only that
 * place is tried again, less and less often. */
START_TEST(test_f1_a_bad_place_keeps_only_itself)
{
	struct sim_world *w = scenario_begin_images(2, 64);
	struct sim_image *x = &w->image[0];
	uint64_t writes;

	for (uint64_t b = 0; b < 30; b++) /* none next to another one */
		scenario_write_block(w, x, 2 * b);
	sim_do_sync(w, x);
	bad_place = 8 * BLOCK;
	w->fault = one_place_fails;
	x->may_fail = true;
	sim_knob(w, KNOB_FORCE_MIGRATE, 1);
	scenario_run(w, 100 * S);
	ck_assert_uint_eq(scenario_info(w, x).dirty_blocks, 1);
	ck_assert_int_eq(scenario_info(w, x).error, EIO);
	ck_assert_uint_le(w->counts[ACTION_BACK_WRITE], 40);
	writes = w->counts[ACTION_BACK_WRITE];
	scenario_run(w, 320 * S);
	ck_assert_uint_ge(w->counts[ACTION_BACK_WRITE], writes + 8);
	ck_assert_uint_le(w->counts[ACTION_BACK_WRITE], writes + 12);
	sim_power_cut(w, CUT_DROP_ALL);
	scenario_mount(w);
	w->fault = NULL;
	x->may_fail = false;
	scenario_end(w);
}
END_TEST

static int one_sync_fails(struct sim_world *w, const struct action *a)
{
	if (one_place_fails(w, a))
		return -EIO;
	if (a->type != ACTION_BACK_SYNC || bad_place == UINT64_MAX)
		return 0;
	bad_place = UINT64_MAX;
	return -EIO;
}

/* F1. The sync after it fails: then nothing of the batch counts. */
START_TEST(test_f1_a_failed_sync_keeps_all)
{
	struct sim_world *w = scenario_begin_images(2, 64);
	struct sim_image *x = &w->image[0];

	for (uint64_t b = 0; b < 8; b++)
		scenario_write_block(w, x, 2 * b);
	sim_do_sync(w, x);
	bad_place = 8 * BLOCK;
	w->fault = one_sync_fails;
	x->may_fail = true;
	sim_knob(w, KNOB_FORCE_MIGRATE, 1);
	scenario_run(w, S / 2);
	ck_assert_uint_eq(bad_place, UINT64_MAX);
	ck_assert_uint_eq(scenario_info(w, x).dirty_blocks, 8);
	sim_power_cut(w, CUT_DROP_ALL);
	scenario_mount(w);
	w->fault = NULL;
	x->may_fail = false;
	scenario_end(w);
}
END_TEST

/* H2. A file takes no holes: so many of them wait as fit its entry in the table, and the tail
 * passes them with it; who wants more of them is told in the end. */
START_TEST(test_h2_pending_holes_are_bounded)
{
	struct sim_conf conf = scenario_conf();
	struct sim_world *w;
	struct sim_image *x, *y;
	uint64_t n = 0;
	int ret = 0;

	conf.image_blocks = 256;
	conf.image_bytes = 256 * BLOCK;
	w = scenario_begin(&conf);
	x = &w->image[0];
	y = &w->image[1];
	scenario_write_blocks(w, x, 255, 1);
	x->is_refusing = x->may_fail = true;
	for (; ret == 0 && n < 80; n++)
		ret = sim_wait(w, sim_start_punch(w, x, 2 * n * BLOCK, BLOCK));
	ck_assert_int_eq(ret, -ENOSPC);
	ck_assert_uint_eq(n, 65);
	for (int lap = 0; lap < 3; lap++)
		scenario_wrap(w, y, 0, 64);
	sim_power_cut(w, CUT_DROP_ALL);
	x->is_refusing = x->may_fail = false;
	scenario_mount(w);
	sim_do_read(w, x);
	sim_do_clean(w, x);
	ck_assert_int_eq(sim_wait(w, sim_start_punch(w, x, 200 * BLOCK, BLOCK)), 0);
	scenario_end(w);
}
END_TEST

SCENARIO_SUITE("stalled images", test_h2_a_hanging_file_does_not_stop_others,
	       test_h2_a_handful_may_hang, test_h2_a_slow_sync_counts,
	       test_h2_a_hanging_file_is_told_in_the_end,
	       test_h2_a_hole_that_hangs_does_not_stop_others,
	       test_h2_a_hole_in_a_file_that_hangs_is_pending, test_f1_what_hangs_keeps_its_place,
	       test_h2_shutdown_does_not_wait_for_a_hanging_file, test_h2_crashes_while_it_hangs,
	       test_h2_an_error_of_before_is_no_error, test_f1_a_bad_place_keeps_only_itself,
	       test_f1_a_failed_sync_keeps_all, test_h2_pending_holes_are_bounded)
