// SPDX-License-Identifier: GPL-2.0-or-later
/* Named scenarios of rules H2 and F4: the cleaner, shares of the log, poisoned blocks. */
#include <errno.h>

#include "lcfs/cache/owed.h"
#include "tests/sim/scenario.h"

#define X_BLOCKS 40u /* of 112 that the log holds */

static struct cache_status status_of(struct sim_world *w)
{
	struct cache_status st;

	cache_status(w->cache, &st);
	return st;
}

/* Migration finds that the file is not what it was. */
static void find_conflict(struct sim_world *w, struct sim_image *img)
{
	struct sim_request *r;

	img->is_conflict = img->may_fail = img->had_conflict = true;
	r = sim_start_clean(w, img);
	ck_assert_int_eq(sim_wait(w, r), -EIO);
	sim_do_sync(w, NULL);
	ck_assert_int_eq((int)scenario_info(w, img).state, (int)IMAGE_CONFLICT);
}

static void end_conflict(struct sim_world *w, struct sim_image *img)
{
	struct outbox ob;

	img->is_conflict = img->may_fail = false;
	outbox_init(&ob);
	cache_image_set_state(w->cache, img->cached, IMAGE_CLEAN, 0, w->now, &ob);
	sim_take(w, &ob);
}

/* The backing file takes nothing, and that is known for longer than a moment. */
static void find_refusal(struct sim_world *w, struct sim_image *img)
{
	img->is_refusing = img->may_fail = true;
	sim_knob(w, KNOB_FORCE_MIGRATE, 1);
	scenario_run(w, 10000 * SIM_MS);
	sim_knob(w, KNOB_FORCE_MIGRATE, 0);
	ck_assert_int_eq(scenario_info(w, img).error, ENOSPC);
}

/* H2. An image is in conflict, and what it has in the log keeps the tail. Another one writes many
 * times what the log holds. */
START_TEST(test_h2_a_conflict_does_not_stop_others)
{
	struct sim_world *w = scenario_begin_images(3, 64);
	struct sim_image *x = &w->image[0], *y = &w->image[1];

	scenario_write_blocks(w, x, 0, X_BLOCKS);
	find_conflict(w, x);
	for (int lap = 0; lap < 4; lap++)
		scenario_wrap(w, y, 0, 64);
	ck_assert_uint_ge(status_of(w).relocated_blocks, 2 * X_BLOCKS);
	ck_assert_uint_eq(scenario_info(w, x).dirty_blocks, X_BLOCKS);
	end_conflict(w, x);
	sim_do_read(w, x);
	scenario_end(w);
}
END_TEST

/* The same with a backing file that takes nothing; a crash follows. */
START_TEST(test_h2_a_refusing_store_does_not_stop_others)
{
	for (int is_power = 0; is_power < 2; is_power++) {
		struct sim_world *w = scenario_begin_images(3, 64);
		struct sim_image *x = &w->image[0], *y = &w->image[1];

		scenario_write_blocks(w, x, 0, X_BLOCKS);
		find_refusal(w, x);
		for (int lap = 0; lap < 3; lap++)
			scenario_wrap(w, y, 0, 64);
		ck_assert_uint_ge(status_of(w).relocated_blocks, 2 * X_BLOCKS);
		scenario_crash(w, is_power);
		scenario_end(w);
	}
}
END_TEST

/* H2. A stalled image has its share of the log: it may overwrite what it has, and whoever wants
 * more of it waits for stall_timeout and gets the store's error. */
START_TEST(test_h2_a_stalled_image_keeps_to_its_share)
{
	struct sim_world *w = scenario_begin_images(3, 64);
	struct sim_image *x = &w->image[0], *y = &w->image[1];
	uint64_t before, dirty;
	struct sim_request *r;

	scenario_write_blocks(w, x, 0, 10);
	find_refusal(w, x);
	sim_knob(w, KNOB_STALL_TIMEOUT, 60);
	before = w->now;
	for (uint64_t b = 10;; b++) {
		r = sim_start_write(w, x, b * BLOCK, BLOCK, false);
		if (sim_wait(w, r) < 0)
			break;
		ck_assert_uint_lt(b, 40);
	}
	dirty = scenario_info(w, x).dirty_blocks;
	ck_assert_uint_eq(dirty, 21); /* a quarter of 12 segments */
	ck_assert_uint_ge(w->now - before, 40000 * SIM_MS);
	ck_assert_int_eq(sim_wait(w, sim_start_write(w, x, 60 * BLOCK, BLOCK, false)), -ENOSPC);
	for (uint64_t i = 0; i < 200; i++)
		scenario_write_block(w, x, i % 20);
	ck_assert_uint_eq(scenario_info(w, x).dirty_blocks, dirty);
	scenario_wrap(w, y, 0, 64);
	x->is_refusing = false;
	sim_do_clean(w, x);
	x->may_fail = false;
	scenario_write_block(w, x, 60);
	scenario_end(w);
}
END_TEST

/* H2. All that is in the log is of stalled images: it is packed, and then left alone. */
START_TEST(test_h2_the_cleaner_rests_when_everything_is_stalled)
{
	struct sim_world *w = scenario_begin_images(3, 64);
	struct sim_image *x = &w->image[0], *y = &w->image[1];
	uint64_t writes;

	for (uint64_t b = 0; b < 34; b++) {
		scenario_write_blocks(w, x, b, 1);
		scenario_write_blocks(w, y, b, 1);
	}
	find_conflict(w, x);
	find_conflict(w, y);
	scenario_run(w, 600 * 1000 * SIM_MS);
	writes = w->counts[ACTION_LOG_WRITE];
	scenario_run(w, 3600 * 1000 * SIM_MS);
	ck_assert_uint_le(w->counts[ACTION_LOG_WRITE], writes + 2);
	end_conflict(w, x);
	end_conflict(w, y);
	scenario_end(w);
}
END_TEST

static void turns_with_writes(struct sim_world *w, struct sim_image *img, uint32_t nr)
{
	uint64_t block = 0;

	for (uint32_t i = 0; i < nr; i++) {
		if (!w->nr_requests && i % 40 == 39)
			sim_start_sync(w, img);
		else if (!w->nr_requests)
			sim_start_write(w, img, block++ % 64 * BLOCK, BLOCK, false);
		sim_calm_turn_or_tick(w);
	}
}

/* H2. A crash after each step of cleaning, of each sort. */
START_TEST(test_h2_crashes_while_cleaning)
{
	uint64_t relocated = 0;

	for (uint32_t n = 0; n < 60; n++) {
		struct sim_world *w = scenario_begin_images(3, 64);
		struct sim_image *x = &w->image[0], *y = &w->image[1];

		scenario_write_blocks(w, x, 0, X_BLOCKS);
		if (n % 2)
			find_conflict(w, x);
		else
			find_refusal(w, x);
		scenario_write_blocks(w, y, 0, 20);
		turns_with_writes(w, y, 200 + 17 * n);
		relocated += status_of(w).relocated_blocks;
		if (n % 3)
			sim_power_cut(w, (enum cut_policy)(n % NR_CUT_POLICIES));
		else
			sim_daemon_death(w, n % 4 == 0);
		scenario_mount(w);
		scenario_end(w);
	}
	ck_assert_uint_gt(relocated, 1000);
}
END_TEST

/* Carries out what the cleaner has on the way, and nothing else. */
static void let_cleaner_work(struct sim_world *w)
{
	for (uint32_t i = 0; i < w->nr_actions; i++)
		if (w->action[i]->action->type == ACTION_WORK) {
			sim_carry(w, w->action[i], NULL);
			sim_return(w, w->action[i]);
			break;
		}
}

/* x refuses, and the cleaner has blocks of it in hand: read, and with works also with entries. */
static struct sim_world *begin_cleaning(bool works)
{
	struct sim_world *w = scenario_begin_images(3, 64);
	struct sim_image *x = &w->image[0];

	scenario_write_blocks(w, x, 0, X_BLOCKS);
	find_refusal(w, x);
	scenario_hold(w, ACTION_WORK);
	for (uint64_t i = 0; !scenario_is_out(w, ACTION_WORK); i++) {
		ck_assert_uint_lt(i, 200);
		sim_start_write(w, x, (20 + i % 20) * BLOCK, BLOCK, false);
		scenario_run(w, 0);
	}
	ck_assert(!status_of(w).is_migrating);
	if (works)
		let_cleaner_work(w);
	return w;
}

/*
 * H2, D4. A block is written again while the cleaner has its older version in hand: once before it
 * has an entry for it, once after. What was written last is there, at once and after a crash.
 */
START_TEST(test_h2_a_copy_never_overtakes_a_write)
{
	for (int works = 0; works < 2; works++) {
		struct sim_world *w = begin_cleaning(works);
		struct sim_image *x = &w->image[0];
		struct sim_request *r[X_BLOCKS];

		for (uint64_t b = 0; b < X_BLOCKS; b++) {
			r[b] = sim_start_write(w, x, b * BLOCK, BLOCK, false);
			r[b]->is_kept = true;
		}
		scenario_run(w, 0);
		scenario_release(w, ACTION_WORK);
		for (uint64_t b = 0; b < X_BLOCKS; b++)
			ck_assert_int_eq(sim_wait(w, r[b]), (int)BLOCK);
		sim_do_read(w, x);
		sim_do_sync(w, x);
		scenario_crash(w, true);
		scenario_end(w);
	}
}
END_TEST

/* H2, D4. Writes have their entries and are not published when the cleaner copies what they
 * overwrite: a copy in a later entry would be what counts. */
START_TEST(test_h2_no_copy_of_what_is_being_written)
{
	struct sim_world *w = begin_cleaning(false);
	struct sim_image *x = &w->image[0];
	struct sim_request *r[4];

	for (uint64_t b = 0; b < array_size(r); b++) {
		r[b] = sim_start_write(w, x, b * BLOCK, BLOCK, false);
		scenario_take_to(w, r[b], SIM_COPIED);
	}
	let_cleaner_work(w);
	let_cleaner_work(w);
	scenario_release(w, ACTION_WORK);
	for (uint64_t b = 0; b < array_size(r); b++)
		ck_assert_int_eq(sim_wait(w, r[b]), (int)BLOCK);
	sim_do_read(w, x);
	sim_do_sync(w, x);
	scenario_crash(w, true);
	scenario_end(w);
}
END_TEST

/* H2. The same with a truncate that cuts off what the cleaner has in hand, and with the image's
 * last name. */
START_TEST(test_h2_a_copy_never_brings_back_what_is_gone)
{
	for (int works = 0; works < 4; works++) {
		struct sim_world *w = begin_cleaning(works & 1);
		struct sim_image *x = &w->image[0], *y = &w->image[1];
		struct sim_request *r = works & 2 ? sim_start_truncate(w, x, BLOCK) :
						    sim_start_unlink(w, x);

		r->is_kept = true;
		scenario_run(w, 0);
		scenario_release(w, ACTION_WORK);
		ck_assert_int_eq(sim_wait(w, r), 0);
		scenario_run(w, 0);
		scenario_wrap(w, y, 0, 64);
		scenario_wrap(w, y, 0, 64);
		scenario_crash(w, true);
		scenario_end(w);
	}
}
END_TEST

/* H2, E5. What was copied and then migrated is clean: no replay brings it back, though another
 * image's block keeps all of it in the log. */
START_TEST(test_h2_copies_are_clean_when_their_image_is)
{
	struct sim_world *w = scenario_begin_images(3, 64);
	struct sim_image *x = &w->image[0], *y = &w->image[1], *z = &w->image[2];

	scenario_write_blocks(w, y, 0, 1);
	scenario_write_blocks(w, x, 0, X_BLOCKS);
	find_conflict(w, y);
	find_refusal(w, x);
	scenario_write_blocks(w, z, 0, 40);
	scenario_run(w, 5000 * SIM_MS);
	ck_assert_uint_gt(status_of(w).relocated_blocks, 0);
	x->is_refusing = x->may_fail = false;
	sim_do_clean(w, x);
	sim_power_cut(w, CUT_KEEP_ALL);
	ck_assert_int_eq(sim_open(w, 0), 0);
	sim_attach(w);
	ck_assert_uint_eq(scenario_info(w, x).dirty_blocks, 0);
	sim_judge(w, true);
	scenario_end(w);
}
END_TEST

/* x has blocks 3 and 4, and the first nr of them are poisoned; nothing of it is in RAM any more. */
static struct sim_world *begin_rotten(uint32_t nr)
{
	struct sim_world *w = scenario_begin_images(3, 64);
	struct sim_image *x = &w->image[0];

	scenario_write_blocks(w, x, 3, 2);
	sim_power_cut(w, CUT_KEEP_ALL);
	scenario_mount(w);
	for (uint32_t b = 3; b < 3 + nr; b++)
		sim_rot_block(w, x, b);
	sim_knob(w, KNOB_FORCE_MIGRATE, 1);
	scenario_run(w, 10000 * SIM_MS);
	sim_knob(w, KNOB_FORCE_MIGRATE, 0);
	ck_assert_uint_eq(scenario_info(w, x).poisoned, nr);
	ck_assert_uint_eq(scenario_info(w, x).dirty_blocks, nr);
	ck_assert_int_eq((int)scenario_info(w, x).state, (int)IMAGE_ERROR);
	ck_assert_int_eq(scenario_info(w, x).error, EIO);
	sim_do_sync(w, NULL);
	return w;
}

static void expect_poison(struct sim_world *w, struct sim_image *x)
{
	ck_assert_uint_eq(scenario_info(w, x).poisoned, 1);
	ck_assert_int_eq(sim_wait(w, sim_start_read(w, x, 3, 1)), -EIO);
	ck_assert_int_eq(sim_wait(w, sim_start_read(w, x, 0, 8)), -EIO);
	ck_assert_int_eq(sim_wait(w, sim_start_read(w, x, 4, 4)), (int)(4 * BLOCK));
}

static void expect_whole(struct sim_world *w, struct sim_image *x)
{
	ck_assert_uint_eq(scenario_info(w, x).poisoned, 0);
	sim_do_read(w, x);
	sim_do_sync(w, NULL);
	scenario_crash(w, true);
	ck_assert_uint_eq(scenario_info(w, x).poisoned, 0);
	scenario_end(w);
}

/* F4. A poisoned block is an error for who reads it, writes a part of it or drains its image; it
 * survives crashes and laps of the log. */
START_TEST(test_f4_poison_stays)
{
	for (int is_power = 0; is_power < 2; is_power++) {
		struct sim_world *w = begin_rotten(1);
		struct sim_image *x = &w->image[0], *y = &w->image[1];

		for (int lap = 0; lap < 3; lap++) {
			expect_poison(w, x);
			ck_assert_int_eq(
				sim_wait(w, sim_start_write(w, x, 3 * BLOCK + 512, 512, false)),
				-EIO);
			ck_assert_int_eq(sim_wait(w, sim_start_clean(w, x)), -EIO);
			scenario_wrap(w, y, 0, 64);
			scenario_crash(w, is_power);
		}
		expect_poison(w, x);
		scenario_write_block(w, x, 3);
		expect_whole(w, x);
	}
}
END_TEST

/* F4. Migration has nothing to do with it: neither device nor file is asked for it again. */
START_TEST(test_f4_poison_is_left_alone)
{
	struct sim_world *w = begin_rotten(2);
	uint64_t before = w->counts[ACTION_DEV_READ] + w->counts[ACTION_BACK_CHECK];

	sim_knob(w, KNOB_FORCE_MIGRATE, 1);
	scenario_run(w, 600 * 1000 * SIM_MS);
	ck_assert_uint_eq(w->counts[ACTION_DEV_READ] + w->counts[ACTION_BACK_CHECK], before);
	scenario_write_blocks(w, &w->image[0], 3, 2);
	expect_whole(w, &w->image[0]);
}
END_TEST

/* F4. It ends where all that was lost is written, punched or cut off. */
START_TEST(test_f4_poison_ends)
{
	struct sim_world *w = begin_rotten(1);

	scenario_write_block(w, &w->image[0], 3);
	expect_whole(w, &w->image[0]);

	w = begin_rotten(1);
	ck_assert_int_eq(sim_wait(w, sim_start_punch(w, &w->image[0], 3 * BLOCK, BLOCK)), 0);
	expect_whole(w, &w->image[0]);

	w = begin_rotten(1);
	ck_assert_int_eq(sim_wait(w, sim_start_truncate(w, &w->image[0], 3 * BLOCK)), 0);
	expect_whole(w, &w->image[0]);

	/* in the middle of a sector: that one is needed, and nobody has it */
	w = begin_rotten(1);
	ck_assert_int_eq(sim_wait(w, sim_start_punch(w, &w->image[0], 3 * BLOCK + 5, BLOCK)), -EIO);
	scenario_write_block(w, &w->image[0], 3);
	expect_whole(w, &w->image[0]);
}
END_TEST

/* F4. A block is found damaged for good while a write to it has its entry and is not published: the
 * write is what is there in the end. */
START_TEST(test_f4_poison_never_overtakes_a_write)
{
	struct sim_world *w = scenario_begin_images(3, 64);
	struct sim_image *x = &w->image[0];
	struct sim_request *r;

	scenario_write_blocks(w, x, 3, 2);
	sim_power_cut(w, CUT_KEEP_ALL);
	scenario_mount(w);
	sim_rot_block(w, x, 3);
	ck_assert_int_eq(sim_wait(w, sim_start_read(w, x, 3, 1)), -EIO);
	r = sim_start_write(w, x, 3 * BLOCK, BLOCK, false);
	scenario_take_to(w, r, SIM_COPIED);
	sim_pass_time(w, 2000 * SIM_MS);
	for (struct sim_request *read = sim_start_read(w, x, 3, 1); read->phase != SIM_ENDED;) {
		read->is_kept = true;
		if (sim_can_advance(read))
			sim_advance(w, read);
		for (uint32_t i = w->nr_actions; i-- > 0;)
			if (w->action[i]->action->type == ACTION_DEV_READ) {
				sim_carry(w, w->action[i], NULL);
				sim_return(w, w->action[i]);
			}
	}
	ck_assert_int_eq(sim_wait(w, r), (int)BLOCK);
	expect_whole(w, x);
}
END_TEST

/* F4. Only some sectors of a block were in the log: it is they that are lost. */
START_TEST(test_f4_a_write_of_what_was_lost_ends_poison)
{
	struct sim_world *w = scenario_begin_images(3, 64);
	struct sim_image *x = &w->image[0];

	sim_do_write(w, x, 3 * BLOCK + 1024, 1024);
	sim_do_sync(w, x);
	sim_power_cut(w, CUT_KEEP_ALL);
	scenario_mount(w);
	sim_rot_block(w, x, 3);
	sim_knob(w, KNOB_FORCE_MIGRATE, 1);
	scenario_run(w, 10000 * SIM_MS);
	sim_knob(w, KNOB_FORCE_MIGRATE, 0);
	expect_poison(w, x);
	ck_assert_int_eq(sim_wait(w, sim_start_write(w, x, 3 * BLOCK + 1024, 512, false)), -EIO);
	sim_do_write(w, x, 3 * BLOCK + 512, 2048);
	sim_do_clean(w, x);
	expect_whole(w, x);
}
END_TEST

static uint64_t unreadable;
static bool is_dead;

static int device_fails(struct sim_world *w, const struct action *a)
{
	(void)w;
	if (a->type != ACTION_DEV_READ)
		return 0;
	return is_dead || (a->off <= unreadable && unreadable < a->off + a->len) ? -EIO : 0;
}

/* F4. A block cannot be read: it alone is poisoned, its neighbours migrate. */
START_TEST(test_f4_unreadable)
{
	struct sim_world *w = scenario_begin_images(3, 64);
	struct sim_image *x = &w->image[0];

	scenario_write_blocks(w, x, 0, 6);
	sim_power_cut(w, CUT_KEEP_ALL);
	scenario_mount(w);
	unreadable = sim_rot_block(w, x, 3);
	is_dead = false;
	w->fault = device_fails;
	sim_knob(w, KNOB_FORCE_MIGRATE, 1);
	scenario_run(w, 60000 * SIM_MS);
	sim_knob(w, KNOB_FORCE_MIGRATE, 0);
	ck_assert_uint_eq(scenario_info(w, x).dirty_blocks, 1);
	expect_poison(w, x);
	w->fault = NULL;
	scenario_write_block(w, x, 3);
	expect_whole(w, x);
}
END_TEST

/* F4. The device answers nothing for a while, and has it all when it is back: nothing is poisoned
 * for a single find. */
START_TEST(test_f4_a_moment_of_errors_poisons_nothing)
{
	struct sim_world *w = scenario_begin_images(3, 64);
	struct sim_image *x = &w->image[0];

	scenario_write_blocks(w, x, 0, 6);
	sim_power_cut(w, CUT_KEEP_ALL);
	scenario_mount(w);
	is_dead = true;
	w->fault = device_fails;
	x->may_fail = true;
	for (uint64_t b = 0; b < 6; b++)
		ck_assert_int_eq(sim_wait(w, sim_start_read(w, x, b, 1)), -EIO);
	ck_assert_int_eq(sim_wait(w, sim_start_read(w, x, 0, 6)), -EIO);
	w->fault = NULL;
	x->may_fail = false;
	ck_assert_uint_eq(scenario_info(w, x).poisoned, 0);
	sim_do_read(w, x);
	sim_do_clean(w, x);
	expect_whole(w, x);
}
END_TEST

/* F4, H2. The cleaner does not carry rot along. */
START_TEST(test_f4_the_cleaner_finds_rot)
{
	struct sim_world *w = scenario_begin_images(3, 64);
	struct sim_image *x = &w->image[0], *y = &w->image[1];

	scenario_write_blocks(w, x, 0, X_BLOCKS);
	sim_power_cut(w, CUT_KEEP_ALL);
	scenario_mount(w);
	sim_rot_block(w, x, 3);
	find_refusal(w, x);
	scenario_wrap(w, y, 0, 64);
	scenario_wrap(w, y, 0, 64);
	ck_assert_uint_eq(scenario_info(w, x).dirty_blocks, X_BLOCKS);
	expect_poison(w, x);
	x->is_refusing = x->may_fail = false;
	scenario_write_block(w, x, 3);
	expect_whole(w, x);
}
END_TEST

SCENARIO_SUITE("cleaning", test_h2_a_conflict_does_not_stop_others,
	       test_h2_a_refusing_store_does_not_stop_others,
	       test_h2_a_stalled_image_keeps_to_its_share,
	       test_h2_the_cleaner_rests_when_everything_is_stalled, test_h2_crashes_while_cleaning,
	       test_h2_a_copy_never_overtakes_a_write, test_h2_no_copy_of_what_is_being_written,
	       test_h2_a_copy_never_brings_back_what_is_gone,
	       test_h2_copies_are_clean_when_their_image_is, test_f4_poison_stays,
	       test_f4_poison_is_left_alone, test_f4_poison_ends,
	       test_f4_poison_never_overtakes_a_write, test_f4_unreadable,
	       test_f4_a_write_of_what_was_lost_ends_poison,
	       test_f4_a_moment_of_errors_poisons_nothing, test_f4_the_cleaner_finds_rot)
