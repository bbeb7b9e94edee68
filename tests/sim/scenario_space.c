// SPDX-License-Identifier: GPL-2.0-or-later
/* Named scenarios of RULES H: space, retries, a full log. */
#include <errno.h>

#include "common/align.h"
#include "tests/sim/scenario.h"

static uint64_t free_segments(struct sim_world *w)
{
	struct cache_status st;

	cache_status(w->cache, &st);
	return st.free_segments;
}

/* Writes blocks of the image, with nothing migrated, until one has to wait: that one. */
static struct sim_request *fill_log(struct sim_world *w, struct sim_image *img)
{
	scenario_hold(w, ACTION_BACK_CHECK);
	for (uint32_t i = 0; i < 400; i++) {
		struct sim_request *r = sim_start_write(w, img, i % 128 * BLOCK, BLOCK, false);

		r->is_kept = true;
		scenario_run(w, 10 * SIM_MS);
		if (r->phase != SIM_ENDED)
			return r;
		sim_free_request(w, r);
	}
	sim_fail(w, "the log is never full");
}

/* H1. User data has filled the log as far as it may, and nothing migrates: operations, which others
 * wait for, find room all the same. */
START_TEST(test_h1_user_data_leaves_room_for_operations)
{
	struct sim_world *w = scenario_begin_large();
	struct sim_image *x = &w->image[0], *y = &w->image[1];
	struct sim_request *waiting, *r;

	scenario_write_block(w, y, 1);
	sim_do_clean(w, y);
	waiting = fill_log(w, x);
	r = sim_start_unlink(w, y);
	r->then = NULL;
	ck_assert_int_eq(sim_wait(w, r), 0);
	ck_assert_int_ne((int)waiting->phase, (int)SIM_ENDED);
	scenario_release(w, ACTION_BACK_CHECK);
	ck_assert_int_eq(sim_wait(w, waiting), (int)BLOCK);
	scenario_end(w);
}
END_TEST

static void touch(struct sim_world *w, struct sim_image *img, bool is_end)
{
	const struct simstamp *st = &img->file->view.stamp;
	struct op_stamp now = { .size = st->size, .mtime_ns = st->mtime, .ctime_ns = st->ctime };
	struct outbox ob;

	outbox_init(&ob);
	if (is_end)
		cache_image_touched(w->cache, img->cached, NULL, w->now, &ob);
	else
		ck_assert_int_eq((int)cache_image_touch(w->cache, img->cached, &now, NULL, w->now,
							&ob),
				 (int)CACHE_DONE);
	sim_take(w, &ob);
}

/*
 * The log is full, writers wait, and of the only image that could migrate the layer above says "not
 * now", for ten seconds: it is asked a few times and not all the time (and after each segment that
 * the cleaner has moved out of the way). When something of the image
 * changes, it is asked at once.
 */
START_TEST(test_h1_not_now_is_asked_again_with_pauses)
{
	struct sim_world *w = scenario_begin_large();
	struct sim_image *x = &w->image[0];
	struct sim_request *waiting;
	uint64_t checks, before;

	waiting = fill_log(w, x);
	x->file->is_gone = true; /* as if about to be unlinked */
	scenario_release(w, ACTION_BACK_CHECK);
	checks = w->counts[ACTION_BACK_CHECK];
	scenario_run(w, 10000 * SIM_MS);
	ck_assert_uint_ge(w->counts[ACTION_BACK_CHECK], checks + 5);
	ck_assert_uint_le(w->counts[ACTION_BACK_CHECK], checks + 70);
	ck_assert_int_ne((int)waiting->phase, (int)SIM_ENDED);

	x->file->is_gone = false;
	before = w->now;
	touch(w, x, false);
	touch(w, x, true);
	scenario_run(w, 0);
	ck_assert_int_eq((int)waiting->phase, (int)SIM_ENDED);
	ck_assert_uint_lt(w->now - before, SIM_MS);
	sim_free_request(w, waiting);
	scenario_end(w);
}
END_TEST

/* The same, nobody waits for the log, and migration is switched off meanwhile: a drain that begins
 * in the pause ends. */
START_TEST(test_h1_a_drain_ends_the_pause)
{
	struct sim_world *w = scenario_begin_large();
	struct sim_image *x = &w->image[0];

	scenario_write_block(w, x, 3);
	sim_do_sync(w, x);
	x->file->is_gone = true;
	sim_knob(w, KNOB_FORCE_MIGRATE, 1);
	scenario_run(w, 100 * SIM_MS);
	sim_knob(w, KNOB_FORCE_MIGRATE, 0);
	sim_pass_time(w, SIM_MS);
	x->file->is_gone = false;
	sim_do_clean(w, x);
	scenario_end(w);
}
END_TEST

static void end_one(struct sim_world *w, enum action_type held)
{
	scenario_release(w, held);
	for (uint32_t i = 0; i < w->nr_actions; i++) {
		struct sim_action *sa = w->action[i];

		if (sa->action->type != held || !sim_may_carry(w, sa))
			continue;
		sim_carry(w, sa, NULL);
		sim_return(w, sa);
		break;
	}
	scenario_hold(w, held);
}

/* The store ends a batch each 50 ms. */
static void pass_with_slow_store(struct sim_world *w, uint64_t ns, uint64_t *next)
{
	sim_pass_time(w, ns);
	if (w->now >= *next) {
		*next = w->now + 50 * SIM_MS;
		end_one(w, ACTION_BACK_SYNC);
	}
	scenario_run(w, 0);
}

/*
 * Backpressure. One writer fills the log faster than a slow store empties it: it is slowed down to
 * the store's pace, a little with each write, and does not run into a wall to wait there for a
 * whole batch.
 */
START_TEST(test_h1_writers_are_slowed_down_smoothly)
{
	struct sim_conf conf = scenario_conf();
	struct sim_world *w;
	struct sim_image *x;
	uint64_t next = 0, longest = 0, delayed = 0;

	conf.nr_segments = 128;
	conf.image_blocks = 1500;
	conf.image_bytes = 1500 * BLOCK;
	w = scenario_begin(&conf);
	x = &w->image[0];
	scenario_hold(w, ACTION_BACK_SYNC);
	for (uint64_t i = 0; i < 3000; i++) {
		struct sim_request *r = sim_start_write(w, x, i % 1500 * BLOCK, BLOCK, false);
		uint64_t begin = w->now;

		r->is_kept = true;
		for (scenario_run(w, 0); r->phase != SIM_ENDED;)
			pass_with_slow_store(w, SIM_MS / 10, &next);
		if (i > 1500) {
			longest = max(longest, w->now - begin);
			delayed += w->now > begin + SIM_MS;
		}
		sim_free_request(w, r);
		pass_with_slow_store(w, SIM_MS / 10, &next);
	}
	ck_assert_uint_lt(longest, 10 * SIM_MS);
	ck_assert_uint_gt(delayed, 1000);
	scenario_release(w, ACTION_BACK_SYNC);
	scenario_end(w);
}
END_TEST

/* Nothing is dirty, but a file is being changed past the log: it is not synced over and over
 * meanwhile. */
START_TEST(test_a_file_that_is_being_changed_is_left_alone)
{
	struct sim_world *w = scenario_begin_large();
	struct sim_image *x = &w->image[0];
	uint64_t syncs;

	scenario_write_block(w, x, 3);
	sim_do_sync(w, x);
	touch(w, x, false);
	sim_knob(w, KNOB_FORCE_MIGRATE, 1);
	scenario_run(w, 1000 * SIM_MS);
	syncs = w->counts[ACTION_BACK_SYNC];
	scenario_run(w, 10000 * SIM_MS);
	ck_assert_uint_eq(w->counts[ACTION_BACK_SYNC], syncs);
	touch(w, x, true);
	scenario_run(w, 0);
	ck_assert_uint_eq(w->counts[ACTION_BACK_SYNC], syncs + 1);
	scenario_end(w);
}
END_TEST

/* All that is dirty is of an image in conflict: nothing can be done, and little is tried. */
START_TEST(test_h2_an_image_in_conflict_does_not_keep_the_core_busy)
{
	struct sim_world *w = scenario_begin_large();
	struct sim_image *x = &w->image[0];
	struct outbox ob;
	uint32_t ticks = 0;

	scenario_write_block(w, x, 3);
	sim_do_sync(w, x);
	x->is_conflict = x->may_fail = true;
	sim_knob(w, KNOB_ALLOW_MIGRATE, 1);
	scenario_run(w, 3000 * SIM_MS);
	for (uint64_t end = w->now + 60000 * SIM_MS; w->now < end; ticks++) {
		uint64_t at = cache_deadline(w->cache);

		ck_assert(!sim_calm_turn(w));
		sim_pass_time(w, at < end ? at - w->now : end - w->now);
	}
	ck_assert_uint_le(ticks, 62);
	x->is_conflict = x->may_fail = false;
	outbox_init(&ob);
	cache_image_set_state(w->cache, x->cached, IMAGE_CLEAN, 0, w->now, &ob);
	sim_take(w, &ob);
	scenario_end(w);
}
END_TEST

static void set_state(struct sim_world *w, struct sim_image *img, enum image_state state, int error)
{
	struct outbox ob;

	outbox_init(&ob);
	cache_image_set_state(w->cache, img->cached, state, error, w->now, &ob);
	sim_take(w, &ob);
}

/* What only the reserve may hold: a state that is found at each mount. */
static void log_a_state(struct sim_world *w, struct sim_image *img, int error)
{
	set_state(w, img, IMAGE_ERROR, error);
	sim_do_sync(w, NULL);
}

/* A log that is full of x, which is not touching, and whose reserve is eaten up by crashes. */
static struct sim_world *full_to_the_last_segment(bool is_power)
{
	struct sim_world *w = scenario_begin_large();
	struct sim_image *x = &w->image[0], *y = &w->image[1];

	scenario_write_block(w, x, 1);
	scenario_write_block(w, y, 1);
	sim_do_clean(w, x);
	sim_do_clean(w, y);
	fill_log(w, x);
	for (int i = 0; i < 8; i++) {
		if (is_power)
			sim_power_cut(w, CUT_KEEP_ALL);
		else
			sim_daemon_death(w, true);
		y->had_conflict = true;
		scenario_mount(w);
		log_a_state(w, y, EIO + i);
	}
	ck_assert_uint_eq(free_segments(w), 1);
	sim_knob(w, KNOB_FLUSH_CURRENT_BUFFER, 1); /* and nothing is open */
	return w;
}

/*
 * H1. The log is full; each mount logs one thing of the cleaner's and dies, until nothing can be
 * logged any more. Migration must mark the image as touching before it changes its file: the image
 * table takes the mark.
 */
START_TEST(test_h1_crashes_do_not_eat_the_way_out)
{
	for (int is_power = 0; is_power < 2; is_power++) {
		struct sim_world *w = full_to_the_last_segment(is_power);
		struct sim_image *x = &w->image[0];

		scenario_release(w, ACTION_BACK_CHECK);
		for (uint64_t b = 0; b < 16; b++)
			scenario_write_block(w, x, b);
		scenario_end(w);
	}
}
END_TEST

/* H1, G1. The same with a crash while the file is being changed: it counts as touching then. */
START_TEST(test_h1_mark_in_the_table_survives)
{
	for (int is_power = 0; is_power < 2; is_power++) {
		struct sim_world *w = full_to_the_last_segment(is_power);
		struct cache_image_info info;

		scenario_release(w, ACTION_BACK_CHECK);
		scenario_hold(w, ACTION_BACK_SYNC);
		scenario_run(w, 5000 * SIM_MS);
		ck_assert(scenario_is_out(w, ACTION_BACK_SYNC));
		sim_power_cut(w, CUT_KEEP_ALL);
		ck_assert_int_eq(sim_open(w, 0), 0);
		cache_image_info(w->cache, cache_image_next(w->cache, NULL), &info);
		ck_assert(info.is_touching);
		scenario_release(w, ACTION_BACK_SYNC);
		w->image[1].had_conflict = true;
		sim_attach(w);
		sim_judge(w, true);
		scenario_end(w);
	}
}
END_TEST

/* E5, H1. Somebody edits a clean file while the log has no room to say that its cached blocks are
 * old: the core says so, changes nothing, and does it when there is room. */
START_TEST(test_e5_an_edit_is_taken_over_when_there_is_room)
{
	struct sim_world *w = full_to_the_last_segment(false);
	struct sim_image *y = &w->image[1];
	struct cache_image_info before, info;
	uint8_t data[5000];

	cache_image_info(w->cache, y->cached, &before);
	oracle_edit(y->model, BLOCK - 100, sizeof(data), data);
	w->store->now_ns += 1000;
	simfile_edit(y->file, data, sizeof(data), BLOCK - 100);
	y->is_edited = true;
	ck_assert_int_eq(sim_try_refresh(w, y), -EAGAIN);
	cache_image_info(w->cache, y->cached, &info);
	ck_assert_int_eq(info.stamp.ctime_ns, before.stamp.ctime_ns);
	scenario_release(w, ACTION_BACK_CHECK);
	sim_refresh(w, y);
	sim_do_read(w, y);
	sim_daemon_death(w, true);
	scenario_mount(w);
	scenario_end(w);
}
END_TEST

/* H1. All that is in the full log is of a file that is gone: only its unbind makes room, and the
 * log has none for that. */
START_TEST(test_h1_unbind_without_room_in_the_log)
{
	for (int is_power = 0; is_power < 2; is_power++) {
		struct sim_world *w = scenario_begin_large();
		struct sim_image *x = &w->image[0], *y = &w->image[1];
		struct sim_request *r;

		scenario_write_block(w, x, 1);
		r = sim_start_unlink(w, x);
		r->then = NULL;
		ck_assert_int_eq(sim_wait(w, r), 0);
		fill_log(w, x);
		x->file->is_gone = true;
		for (int i = 0; i < 8 && free_segments(w) > 1; i++)
			log_a_state(w, x, EIO + i), sim_knob(w, KNOB_FLUSH_CURRENT_BUFFER, 1);
		ck_assert_uint_eq(free_segments(w), 1);
		if (is_power)
			sim_power_cut(w, CUT_KEEP_ALL);
		else
			sim_daemon_death(w, true);
		scenario_release(w, ACTION_BACK_CHECK);
		scenario_mount(w);
		sim_daemon_death(w, true);
		scenario_mount(w);
		for (uint64_t b = 0; b < 16; b++)
			scenario_write_block(w, y, b);
		scenario_end(w);
	}
}
END_TEST

/*
 * H1. x cannot be migrated, and what it has keeps the tail. A write to a part of it reads the older
 * version, slowly; meanwhile the log becomes full. Where the writer waits then, with its range, the
 * cleaner could not move the block, and nobody would get space any more.
 */
START_TEST(test_h1_who_waits_for_space_holds_no_range)
{
	struct sim_world *w = scenario_begin_large();
	struct sim_image *x = &w->image[0], *y = &w->image[1];
	struct sim_request *part, *r = NULL;

	for (uint64_t b = 0; b < 7; b++)
		scenario_write_block(w, x, b);
	for (uint64_t b = 0; b < 40; b++)
		scenario_write_block(w, y, b);
	sim_do_sync(w, NULL);
	x->is_refusing = x->may_fail = true;
	sim_knob(w, KNOB_FORCE_MIGRATE, 1);
	scenario_run(w, 10000 * SIM_MS);
	scenario_hold(w, ACTION_DEV_READ);
	part = sim_start_write(w, x, 100, 100, false);
	part->is_kept = true;
	scenario_run(w, SIM_MS);
	ck_assert(scenario_is_out(w, ACTION_DEV_READ));
	for (uint64_t b = 0; !r || r->phase == SIM_ENDED; b++) {
		ck_assert_uint_lt(b, 128);
		r = sim_start_write(w, y, b * BLOCK, BLOCK, false);
		r->is_kept = true;
		scenario_run(w, SIM_MS);
	}
	scenario_release(w, ACTION_DEV_READ);
	ck_assert_int_eq(sim_wait(w, r), (int)BLOCK);
	ck_assert_int_eq(sim_wait(w, part), 100);
	x->is_refusing = x->may_fail = false;
	scenario_end(w);
}
END_TEST

static void say_busy(struct sim_world *w, int percent)
{
	struct outbox ob;

	outbox_init(&ob);
	cache_governor(w->cache, percent, w->now, &ob);
	sim_take(w, &ob);
	scenario_run(w, 10000 * SIM_MS);
}

/* Promise 7. While the store is as busy as the threshold says, nothing is migrated. */
START_TEST(test_a_busy_store_is_left_alone)
{
	struct sim_world *w = scenario_begin(NULL);

	sim_knob(w, KNOB_UPDATE_INTERVAL, 5);
	sim_knob(w, KNOB_MIGRATE_THRESHOLD, 70);
	say_busy(w, 70);
	sim_knob(w, KNOB_ALLOW_MIGRATE, 1);
	scenario_write_block(w, &w->image[0], 0);
	sim_do_sync(w, NULL);
	say_busy(w, 70);
	ck_assert_uint_eq(w->counts[ACTION_BACK_WRITE], 0);
	say_busy(w, 69);
	ck_assert_uint_eq(w->counts[ACTION_BACK_WRITE], 1);
	scenario_end(w);
}
END_TEST

/* Until nothing of the cleaner's can be logged any more, as after many mounts of a full log. */
static void eat_up_reserve(struct sim_world *w, struct sim_image *img)
{
	struct cache_status before, after;
	int error = 0;

	sim_do_sync(w, NULL);
	do {
		cache_status(w->cache, &before);
		log_a_state(w, img, ++error);
		sim_knob(w, KNOB_FLUSH_CURRENT_BUFFER, 1);
		cache_status(w->cache, &after);
	} while (after.next_lsn > before.next_lsn);
	ck_assert_uint_eq(after.free_segments, 1);
}

/* A block of x is poisoned, in the segment where one of y is that can be migrated. */
static struct sim_world *begin_poisoned(void)
{
	struct sim_world *w = scenario_begin_images(3, 64);
	struct sim_image *x = &w->image[0], *y = &w->image[1];

	scenario_write_blocks(w, x, 3, 1);
	sim_power_cut(w, CUT_KEEP_ALL);
	scenario_mount(w);
	sim_rot_block(w, x, 3);
	scenario_write_blocks(w, y, 0, 1);
	for (int i = 0; i < 2; i++) {
		ck_assert_int_eq(sim_wait(w, sim_start_read(w, x, 3, 1)), -EIO);
		sim_pass_time(w, 2000 * SIM_MS);
	}
	ck_assert_uint_eq(scenario_info(w, x).poisoned, 1);
	return w;
}

/*
 * E6. x is gone, and the log has no room for its unbind: the image table says it. That writing is
 * hardly done when the cleaner finds that all that keeps the tail is a poisoned block of x, and the
 * last segment free for it. Moved there it would be in a record behind the unbind, of an image that
 * nobody knows once the tail has passed that.
 */
START_TEST(test_e6_poison_of_what_is_unbound_is_not_moved)
{
	struct sim_world *w = begin_poisoned();
	struct sim_image *x = &w->image[0], *y = &w->image[1], *z = &w->image[2];
	struct sim_request *intent = sim_start_unlink(w, x), *write;
	void (*unlink)(struct sim_world *, struct sim_request *) = intent->then;

	intent->is_kept = true;
	intent->then = NULL;
	scenario_run(w, SIM_MS);
	ck_assert_int_eq((int)intent->phase, (int)SIM_ENDED);
	scenario_hold(w, ACTION_BACK_SYNC);
	for (uint64_t b = 0; free_segments(w) > 4; b++)
		scenario_write_block(w, z, b % 64);
	scenario_run(w, SIM_MS);
	ck_assert(scenario_is_out(w, ACTION_BACK_SYNC));
	eat_up_reserve(w, z);

	scenario_hold(w, ACTION_DEV_WRITE);
	unlink(w, intent);
	scenario_run(w, SIM_MS);
	ck_assert(scenario_is_out(w, ACTION_DEV_WRITE)); /* of the table */
	scenario_release(w, ACTION_BACK_SYNC);
	while (scenario_info(w, y).dirty_blocks)
		ck_assert(sim_calm_turn(w));
	scenario_hold(w, ACTION_BACK_SYNC);
	scenario_release(w, ACTION_DEV_WRITE);
	scenario_run(w, SIM_MS);

	write = sim_start_write(w, y, BLOCK, BLOCK, false); /* keeps the tail at what was moved */
	write->is_kept = true;
	scenario_release(w, ACTION_BACK_SYNC);
	ck_assert_int_eq(sim_wait(w, write), (int)BLOCK);
	sim_free_request(w, intent);
	set_state(w, z, IMAGE_CLEAN, 0);
	sim_do_sync(w, NULL);
	for (int i = 0; i < 3; i++) {
		sim_knob(w, KNOB_COMMIT_SUPER_BLOCK, 1);
		scenario_run(w, 3000 * SIM_MS);
	}
	scenario_crash(w, true);
	scenario_end(w);
}
END_TEST

SCENARIO_SUITE("space", test_h1_user_data_leaves_room_for_operations,
	       test_h1_not_now_is_asked_again_with_pauses, test_h1_a_drain_ends_the_pause,
	       test_h1_writers_are_slowed_down_smoothly,
	       test_a_file_that_is_being_changed_is_left_alone, test_a_busy_store_is_left_alone,
	       test_h2_an_image_in_conflict_does_not_keep_the_core_busy,
	       test_h1_crashes_do_not_eat_the_way_out, test_h1_mark_in_the_table_survives,
	       test_h1_who_waits_for_space_holds_no_range,
	       test_e5_an_edit_is_taken_over_when_there_is_room,
	       test_h1_unbind_without_room_in_the_log,
	       test_e6_poison_of_what_is_unbound_is_not_moved)
