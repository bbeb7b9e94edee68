// SPDX-License-Identifier: GPL-2.0-or-later
/* Named scenarios of RULES F, G and H: migration, the guard, space. */
#include <errno.h>
#include <string.h>

#include "tests/sim/scenario.h"

static void migrate_until(struct sim_world *w, enum action_type held)
{
	scenario_hold(w, held);
	sim_knob(w, KNOB_FORCE_MIGRATE, 1);
	scenario_run(w, 3000 * SIM_MS);
	ck_assert(scenario_is_out(w, held));
}

/*
 * F1. X is on its way to the backing file; X is overwritten; the backing write and its sync end: X
 * is still dirty, with the newer data in the log alone.
 */
static void overwrite_during(enum action_type held, bool is_power)
{
	struct sim_world *w = scenario_begin(NULL);
	struct sim_image *x = &w->image[0];

	scenario_write_block(w, x, 3);
	sim_do_write(w, x, 5 * BLOCK + 512, 1024);
	sim_do_sync(w, x);
	migrate_until(w, held);
	scenario_write_block(w, x, 3);
	sim_do_write(w, x, 5 * BLOCK + 1024, 1024);
	sim_do_sync(w, x);
	scenario_release(w, held);
	scenario_run(w, 3000 * SIM_MS);
	sim_do_read(w, x);
	scenario_crash(w, is_power);
	scenario_end(w);
}

START_TEST(test_f1_overwritten_while_it_is_migrated)
{
	overwrite_during(ACTION_BACK_WRITE, true);
	overwrite_during(ACTION_BACK_WRITE, false);
	overwrite_during(ACTION_BACK_SYNC, true);
	overwrite_during(ACTION_BACK_SYNC, false);
}
END_TEST

/*
 * F1. Written to the backing file, not synced; the log goes round; power cut: the file has lost it,
 * so the log must still have it.
 */
START_TEST(test_f1_clean_only_after_the_sync)
{
	struct sim_world *w = scenario_begin(NULL);
	struct sim_image *x = &w->image[0], *y = &w->image[1];

	scenario_write_block(w, x, 3);
	sim_do_sync(w, x);
	migrate_until(w, ACTION_BACK_SYNC);
	for (int i = 0; i < 60; i++) {
		struct sim_request *r =
			sim_start_write(w, y, (uint64_t)i % 4 * BLOCK, BLOCK, false);

		r->is_kept = true;
		scenario_run(w, 100 * SIM_MS);
		if (r->phase != SIM_ENDED)
			break;
		sim_free_request(w, r);
	}
	sim_power_cut(w, CUT_DROP_ALL);
	scenario_release(w, ACTION_BACK_SYNC);
	scenario_mount(w);
	scenario_end(w);
}
END_TEST

/*
 * F1. A block is in a batch that has not read it yet; it is overwritten again and again until its
 * segment holds a later record: the batch leaves it out. What stands there now is no rotten block,
 * and not to be written where the old one was to go.
 */
static void reuse_during(enum action_type held)
{
	struct sim_world *w = scenario_begin(NULL);
	struct sim_image *x = &w->image[0], *y = &w->image[1];
	struct cache_image_info info;
	struct cache_status st;

	scenario_write_block(w, x, 3);
	sim_do_sync(w, NULL);
	migrate_until(w, held);
	cache_status(w->cache, &st);
	for (uint64_t i = 0; st.current_segment <= w->conf.nr_segments + 1; i++) {
		scenario_write_block(w, y, i % 4);
		if (i % 7 == 0)
			sim_do_sync(w, y);
		if (i == 60)
			scenario_write_block(w, x, 3);
		cache_status(w->cache, &st);
	}
	sim_do_sync(w, y);
	scenario_release(w, held);
	scenario_run(w, 5000 * SIM_MS);
	for (int i = 0; i < 2; i++) {
		cache_image_info(w->cache, w->image[i].cached, &info);
		ck_assert_int_eq((int)info.state, (int)IMAGE_CLEAN);
		ck_assert_int_eq(info.error, 0);
	}
	scenario_end(w);
}

START_TEST(test_f1_segment_reused_before_it_is_read)
{
	reuse_during(ACTION_BACK_CHECK);
	reuse_during(ACTION_WORK);
}
END_TEST

static int failing_type, nr_failures;

static int fail_some(struct sim_world *w, const struct action *a)
{
	(void)w;
	return (int)a->type == failing_type && nr_failures > 0 && nr_failures-- ? -EIO : 0;
}

/* F1. The sync of the backing file fails: what it covered is dirty again and written again, not
 * only synced again. */
static void fail_backing(enum action_type type)
{
	struct sim_world *w = scenario_begin(NULL);
	struct sim_image *x = &w->image[0];

	for (uint64_t b = 0; b < 6; b++)
		scenario_write_block(w, x, b);
	sim_do_sync(w, x);
	failing_type = (int)type;
	nr_failures = 1;
	w->fault = fail_some;
	sim_knob(w, KNOB_FORCE_MIGRATE, 1);
	scenario_run(w, 60000 * SIM_MS);
	ck_assert_int_eq(nr_failures, 0);
	sim_do_read(w, x);
	sim_do_clean(w, x);
	scenario_end(w);
}

START_TEST(test_f1_failed_sync_makes_dirty_again)
{
	fail_backing(ACTION_BACK_SYNC);
}
END_TEST

START_TEST(test_f1_failed_backing_write_is_repeated)
{
	fail_backing(ACTION_BACK_WRITE);
}
END_TEST

/* Who waits for an image to be drained is told that the store refuses it, and nothing is lost; when
 * it does not any more the next drain begins at once. */
START_TEST(test_a_drain_that_the_store_refuses_ends)
{
	struct sim_world *w = scenario_begin(NULL);
	struct sim_image *x = &w->image[0];

	scenario_write_block(w, x, 3);
	sim_do_sync(w, x);
	failing_type = ACTION_BACK_WRITE;
	nr_failures = 1000;
	w->fault = fail_some;
	x->may_fail = true;
	ck_assert_int_eq(sim_wait(w, sim_start_op(w, x, CACHE_OP_CLEAN)), -EIO);
	ck_assert_uint_eq(nr_failures, 998);
	scenario_run(w, 100000 * SIM_MS);
	ck_assert_uint_eq(nr_failures, 998); /* nobody asks for it any more */
	nr_failures = 0;
	x->may_fail = false;
	sim_do_clean(w, x);
	sim_do_read(w, x);
	scenario_end(w);
}
END_TEST

/* F2. Before each batch the file is looked at: in conflict nothing is written to it, nothing is
 * marked clean. */
START_TEST(test_f2_conflict_holds_one_image_and_not_the_others)
{
	struct sim_world *w = scenario_begin(NULL);
	struct sim_image *x = &w->image[0], *y = &w->image[1];
	struct cache_image_info info;
	struct outbox ob;

	scenario_write_block(w, x, 3);
	scenario_write_block(w, y, 4);
	sim_do_sync(w, NULL);
	x->is_conflict = x->may_fail = true;
	sim_knob(w, KNOB_FORCE_MIGRATE, 1);
	scenario_run(w, 10000 * SIM_MS);
	cache_image_info(w->cache, x->cached, &info);
	ck_assert_int_eq((int)info.state, (int)IMAGE_CONFLICT);
	ck_assert_uint_eq(info.dirty_blocks, 1);
	cache_image_info(w->cache, y->cached, &info);
	ck_assert_uint_eq(info.dirty_blocks, 0);
	ck_assert_int_eq((int)info.state, (int)IMAGE_CLEAN);
	x->is_conflict = x->may_fail = false;
	outbox_init(&ob);
	cache_image_set_state(w->cache, x->cached, IMAGE_CLEAN, 0, w->now, &ob);
	sim_take(w, &ob);
	sim_do_read(w, x);
	scenario_end(w);
}
END_TEST

/* The block's newest copy on the device goes bad. */
static void rot(struct sim_world *w, struct sim_image *img, uint32_t block)
{
	struct sim_request *r = sim_start_read(w, img, block, 1);
	struct simdev *dev = w->dev;
	uint64_t at = 0;

	r->is_kept = true;
	scenario_run(w, 0);
	ck_assert_int_eq(r->result, (int)BLOCK);
	while (at < dev->blk.bytes && memcmp(dev->view + at, r->data, BLOCK) != 0)
		at += BLOCK;
	ck_assert_uint_lt(at, dev->blk.bytes);
	dev->view[at + 100] ^= 1;
	dev->stable[at + 100] ^= 1;
	sim_free_request(w, r);
}

/* F4. A dirty block goes bad on the cache device: it is an error and never shown, nor written to
 * the file; other images go on; it is whole again once it is overwritten. */
START_TEST(test_f4_rot_in_a_dirty_block_is_an_error)
{
	struct sim_world *w = scenario_begin(NULL);
	struct sim_image *x = &w->image[0], *y = &w->image[1];
	struct cache_image_info info;

	scenario_write_block(w, x, 3);
	scenario_write_block(w, y, 4);
	sim_do_sync(w, NULL);
	sim_power_cut(w, CUT_KEEP_ALL);
	scenario_mount(w);
	rot(w, x, 3);
	x->may_fail = true;
	ck_assert_int_eq(sim_wait(w, sim_start_read(w, x, 3, 1)), -EIO);
	sim_knob(w, KNOB_FORCE_MIGRATE, 1);
	scenario_run(w, 10000 * SIM_MS);
	cache_image_info(w->cache, x->cached, &info);
	ck_assert_int_eq((int)info.state, (int)IMAGE_ERROR);
	ck_assert_uint_eq(info.dirty_blocks, 1);
	ck_assert_uint_eq(info.damaged, 1); /* by the read; migration found it again */
	ck_assert_uint_eq(info.poisoned, 1);
	ck_assert_uint_eq(info.damaged_block, 3);
	cache_image_info(w->cache, y->cached, &info);
	ck_assert_uint_eq(info.dirty_blocks, 0);
	scenario_write_block(w, x, 3);
	x->may_fail = false;
	sim_do_read(w, x);
	scenario_end(w);
}
END_TEST

/* F4. A clean block goes bad: the file has it, too, for a read and for a write of a part of it. */
START_TEST(test_f4_rot_in_a_clean_block_does_not_show)
{
	struct sim_world *w = scenario_begin(NULL);
	struct sim_image *x = &w->image[0];
	struct cache_image_info info;

	scenario_write_block(w, x, 3);
	sim_do_clean(w, x);
	sim_power_cut(w, CUT_KEEP_ALL);
	scenario_mount(w);
	cache_image_info(w->cache, x->cached, &info);
	ck_assert_uint_eq(info.cached_blocks, 1);
	rot(w, x, 3);
	sim_do_read(w, x);
	sim_do_write(w, x, 3 * BLOCK + 700, 1000);
	sim_do_read(w, x);
	scenario_end(w);
}
END_TEST

static uint32_t writes_out(const struct sim_world *w)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < w->nr_actions; i++)
		n += w->action[i]->action->type == ACTION_BACK_WRITE;
	return n;
}

/*
 * F5. The image ends in the middle of a sector, beyond the end of its file: the file is made longer
 * before anything is written to it, and its last block, which goes through the page cache, is
 * written when nothing else is under way.
 */
START_TEST(test_f5_the_file_grows_first_and_its_odd_end_goes_alone)
{
	struct sim_conf conf = scenario_conf();
	struct sim_world *w;
	struct sim_image *x;

	conf.image_bytes = BLOCK + 100;
	w = scenario_begin(&conf);
	x = &w->image[0];
	scenario_write_block(w, x, 1);
	scenario_write_block(w, x, 3);
	sim_do_write(w, x, 5 * BLOCK, 700);
	sim_do_sync(w, x);
	migrate_until(w, ACTION_BACK_WRITE);
	ck_assert_uint_eq(w->counts[ACTION_BACK_GROW], 1);
	ck_assert_uint_eq(x->file->view.stamp.size, 5 * BLOCK + 700);
	ck_assert_uint_eq(writes_out(w), 2);
	scenario_release(w, ACTION_BACK_WRITE);
	scenario_run(w, 3000 * SIM_MS);
	ck_assert_uint_eq(w->counts[ACTION_BACK_WRITE], 3);
	scenario_end(w);
}
END_TEST

/* G1. A file that was at rest is changed by migration; power cut in the middle: the mark is there,
 * so that its changed times are known to be ours. */
START_TEST(test_g1_mark_is_durable_before_the_first_change)
{
	struct sim_world *w = scenario_begin(NULL);
	struct sim_image *x = &w->image[0];
	struct cache_image_info info;

	scenario_write_block(w, x, 3);
	sim_do_clean(w, x);
	scenario_write_block(w, x, 4);
	sim_do_sync(w, x);
	cache_image_info(w->cache, x->cached, &info);
	ck_assert(!info.is_touching);
	migrate_until(w, ACTION_BACK_WRITE);
	sim_power_cut(w, CUT_DROP_ALL);
	scenario_release(w, ACTION_BACK_WRITE);
	ck_assert_int_eq(sim_open(w, 0), 0);
	cache_image_info(w->cache, cache_image_next(w->cache, NULL), &info);
	ck_assert(info.is_touching);
	sim_attach(w);
	sim_judge(w, true);
	scenario_end(w);
}
END_TEST

/*
 * G1. Between the sync of a migrated file and the look at its stamp the layer above renames it. The
 * power cut takes that back: the stamp in the log must not be newer than the file is then.
 */
START_TEST(test_g1_stamp_of_a_change_that_is_not_synced_is_not_recorded)
{
	struct sim_world *w = scenario_begin(NULL);
	struct sim_image *x = &w->image[0];
	struct cache_image_info info;
	struct op_stamp none = { 0 };
	struct outbox ob;

	scenario_write_block(w, x, 3);
	sim_do_sync(w, x);
	migrate_until(w, ACTION_BACK_SYNC);
	outbox_init(&ob);
	ck_assert_int_eq((int)cache_image_touch(w->cache, x->cached, &none, NULL, w->now, &ob),
			 (int)CACHE_DONE);
	x->file->view.stamp.ctime += 1000;
	cache_image_touched(w->cache, x->cached, NULL, w->now, &ob);
	sim_take(w, &ob);
	scenario_write_block(w, x, 4);
	scenario_release(w, ACTION_BACK_SYNC);
	scenario_hold(w, ACTION_BACK_CHECK);
	scenario_run(w, 3000 * SIM_MS);
	sim_do_sync(w, x);
	cache_image_info(w->cache, x->cached, &info);
	ck_assert(info.is_touching);
	ck_assert_int_lt(info.stamp.ctime_ns, x->file->view.stamp.ctime);
	sim_power_cut(w, CUT_DROP_ALL);
	scenario_release(w, ACTION_BACK_CHECK);
	sim_mount(w);
	scenario_end(w);
}
END_TEST

/* G4. conflict is in the log and the image table: it is there after a crash and after an orderly
 * end. */
START_TEST(test_g4_conflict_is_sticky)
{
	struct sim_world *w = scenario_begin(NULL);
	struct sim_image *x = &w->image[0];
	struct cache_image_info info;

	scenario_write_block(w, x, 3);
	sim_do_sync(w, x);
	x->is_conflict = x->may_fail = true;
	sim_knob(w, KNOB_FORCE_MIGRATE, 1);
	scenario_run(w, 10000 * SIM_MS);
	sim_daemon_death(w, true);
	ck_assert_int_eq(sim_open(w, 0), 0);
	cache_image_info(w->cache, cache_image_next(w->cache, NULL), &info);
	ck_assert_int_eq((int)info.state, (int)IMAGE_CONFLICT);
	ck_assert_uint_eq(info.dirty_blocks, 1);
	/* Attaching lifts it: the file is the same as ever. */
	x->had_conflict = true;
	sim_attach(w);
	sim_judge(w, true);
	scenario_quiet(w);
	scenario_end(w);
}
END_TEST

/*
 * H1. The log is full and nothing migrates: writers wait. What has been answered has its place
 * already, so a sync and a power cut behind it find it. When migration goes on, the writers do.
 */
START_TEST(test_h1_answered_means_placed)
{
	struct sim_world *w = scenario_begin_large();
	struct sim_image *x = &w->image[0];
	struct sim_request *waiting = NULL;

	scenario_hold(w, ACTION_BACK_WRITE);
	for (uint32_t i = 0; i < 300 && !waiting; i++) {
		struct sim_request *r = sim_start_write(w, x, i % 128 * BLOCK, BLOCK, false);

		r->is_kept = true;
		scenario_run(w, 10 * SIM_MS);
		if (r->phase != SIM_ENDED)
			waiting = r;
		else
			sim_free_request(w, r);
	}
	ck_assert_ptr_nonnull(waiting);
	sim_do_sync(w, x);
	sim_do_sync(w, NULL);
	sim_do_read(w, x);
	scenario_release(w, ACTION_BACK_WRITE);
	ck_assert_int_eq(sim_wait(w, waiting), (int)BLOCK);
	sim_power_cut(w, CUT_DROP_ALL);
	scenario_mount(w);
	scenario_end(w);
}
END_TEST

/* H1. The same with the log full at the crash: recovery finds room for what it must do, and goes
 * on. */
START_TEST(test_h1_crash_with_a_full_log)
{
	for (int is_power = 0; is_power < 2; is_power++) {
		struct sim_world *w = scenario_begin_large();
		struct sim_image *x = &w->image[0];
		bool is_full = false;

		scenario_hold(w, ACTION_BACK_WRITE);
		for (uint32_t i = 0; i < 300 && !is_full; i++) {
			struct sim_request *r =
				sim_start_write(w, x, i % 128 * BLOCK, BLOCK, false);

			r->is_kept = true;
			scenario_run(w, 10 * SIM_MS);
			is_full = r->phase != SIM_ENDED;
			if (!is_full)
				sim_free_request(w, r);
		}
		ck_assert(is_full);
		if (is_power)
			sim_power_cut(w, CUT_KEEP_ALL);
		else
			sim_daemon_death(w, false);
		/* Recovered and killed again and again, with nothing migrated: it must not fill up.
		 */
		for (int i = 0; i < 6; i++) {
			scenario_mount(w);
			sim_daemon_death(w, true);
		}
		scenario_release(w, ACTION_BACK_WRITE);
		scenario_mount(w);
		for (uint64_t b = 0; b < 16; b++)
			scenario_write_block(w, x, b);
		scenario_end(w);
	}
}
END_TEST

/* H1. Operations are logged while the log is full: there is room kept for them. */
START_TEST(test_h1_truncate_with_a_full_log)
{
	struct sim_world *w = scenario_begin_large();
	struct sim_image *x = &w->image[0];
	bool is_full = false;

	for (uint32_t i = 0; i < 300 && !is_full; i++) {
		struct sim_request *r = sim_start_write(w, x, i % 128 * BLOCK, BLOCK, false);

		r->is_kept = true;
		scenario_hold(w, ACTION_BACK_WRITE);
		scenario_run(w, 10 * SIM_MS);
		is_full = r->phase != SIM_ENDED;
		if (!is_full)
			sim_free_request(w, r);
	}
	ck_assert(is_full);
	scenario_release(w, ACTION_BACK_WRITE);
	ck_assert_int_eq(sim_wait(w, sim_start_truncate(w, &w->image[1], 100)), 0);
	ck_assert_int_eq(sim_wait(w, sim_start_truncate(w, x, 100)), 0);
	scenario_end(w);
}
END_TEST

/* H3. A sync waits for the log, never for a backing store. */
START_TEST(test_h3_sync_does_not_wait_for_the_backing_store)
{
	struct sim_world *w = scenario_begin(NULL);
	struct sim_image *x = &w->image[0], *y = &w->image[1];

	scenario_write_block(w, x, 3);
	sim_do_sync(w, x);
	scenario_hold(w, ACTION_BACK_WRITE);
	scenario_hold(w, ACTION_BACK_CHECK);
	scenario_hold(w, ACTION_BACK_SYNC);
	sim_knob(w, KNOB_FORCE_MIGRATE, 1);
	scenario_run(w, 3000 * SIM_MS);
	scenario_write_block(w, y, 1);
	sim_do_sync(w, y);
	sim_do_sync(w, NULL);
	scenario_end(w);
}
END_TEST

/* A superseded version never reaches the backing file, adjacent blocks go together. */
START_TEST(test_superseded_versions_are_skipped)
{
	struct sim_world *w = scenario_begin(NULL);
	struct sim_image *x = &w->image[0];

	for (int i = 0; i < 5; i++)
		for (uint64_t b = 2; b < 8; b++)
			scenario_write_block(w, x, b);
	sim_do_sync(w, x);
	sim_do_clean(w, x);
	ck_assert_uint_ge(w->counts[ACTION_BACK_WRITE], 1);
	ck_assert_uint_le(w->counts[ACTION_BACK_WRITE], 6);
	scenario_end(w);
}
END_TEST

/*
 * Blocks that lie side by side in the image and far apart in the log go together, although a batch
 * has room for half of them only.
 */
START_TEST(test_neighbours_go_together_wherever_they_are_in_the_log)
{
	struct sim_conf conf = scenario_conf();
	struct sim_world *w;
	struct sim_image *x;

	conf.nr_segments = 32;
	conf.image_blocks = 64;
	conf.image_bytes = 64 * BLOCK;
	conf.cache.migrate_bytes = 32 * BLOCK;
	w = scenario_begin(&conf);
	x = &w->image[0];
	for (uint64_t i = 0; i < 64; i++)
		scenario_write_block(w, x, i * 2 % 64 + i / 32);
	sim_do_sync(w, x);
	sim_do_clean(w, x);
	ck_assert_uint_ge(w->counts[ACTION_BACK_WRITE], 2);
	ck_assert_uint_le(w->counts[ACTION_BACK_WRITE], 8);
	scenario_end(w);
}
END_TEST

SCENARIO_SUITE("migration", test_f1_overwritten_while_it_is_migrated,
	       test_f1_clean_only_after_the_sync, test_f1_segment_reused_before_it_is_read,
	       test_f1_failed_sync_makes_dirty_again, test_f1_failed_backing_write_is_repeated,
	       test_a_drain_that_the_store_refuses_ends,
	       test_f2_conflict_holds_one_image_and_not_the_others,
	       test_f4_rot_in_a_dirty_block_is_an_error, test_f4_rot_in_a_clean_block_does_not_show,
	       test_f5_the_file_grows_first_and_its_odd_end_goes_alone,
	       test_g1_mark_is_durable_before_the_first_change,
	       test_g1_stamp_of_a_change_that_is_not_synced_is_not_recorded,
	       test_g4_conflict_is_sticky, test_h1_answered_means_placed,
	       test_h1_crash_with_a_full_log, test_h1_truncate_with_a_full_log,
	       test_h3_sync_does_not_wait_for_the_backing_store,
	       test_superseded_versions_are_skipped,
	       test_neighbours_go_together_wherever_they_are_in_the_log)
