// SPDX-License-Identifier: GPL-2.0-or-later
/* Named scenarios for new files: what the log knows of names that a power cut may take (B6, E7). */
#include "lcfs/cache/naming.h"
#include "tests/sim/scenario.h"

/* A world whose first image is of a file that has just been created; it has one block. */
static struct sim_world *begin_new(void)
{
	struct sim_world *w = scenario_begin(NULL);
	struct sim_image *x = &w->image[0];

	cache_image_free(w->cache, x->cached);
	sim_image_create(w, x, 0);
	sim_image_introduce(w, x);
	sim_image_is_new(w, x);
	scenario_write_block(w, x, 1);
	return w;
}

/* What the core says of the first image, before anything is attached. */
static struct cache_image *reopen(struct sim_world *w, struct cache_image_info *info)
{
	struct cache_image *ci = NULL;

	ck_assert_int_eq(sim_open(w, 0), 0);
	while ((ci = cache_image_next(w->cache, ci)) != NULL) {
		cache_image_info(w->cache, ci, info);
		if (info->identity.ino == w->image[0].ino)
			break;
	}
	ck_assert(ci != NULL);
	return ci;
}

static void attach_and_end(struct sim_world *w)
{
	sim_attach(w);
	sim_judge(w, true);
	scenario_quiet(w);
	scenario_end(w);
}

static void expect_new(struct sim_world *w, bool is_new, bool may_be_lost)
{
	struct cache_image_info info;
	struct cache_image *ci = reopen(w, &info);

	ck_assert_int_eq(info.is_new, is_new);
	ck_assert_int_eq(cache_image_may_be_lost(w->cache, ci), may_be_lost);
	attach_and_end(w);
}

/* Its data is durable since another image was synced; then the power takes the file. */
START_TEST(test_e7_a_new_file_may_be_lost_with_the_power)
{
	struct sim_world *w = begin_new();

	sim_do_write(w, &w->image[1], 0, BLOCK);
	sim_do_sync(w, &w->image[1]);
	sim_power_cut(w, CUT_DROP_ALL);
	ck_assert(w->image[0].file->is_gone);
	expect_new(w, true, true);
}
END_TEST

START_TEST(test_e7_a_daemons_death_takes_no_file)
{
	struct sim_world *w = begin_new();

	sim_daemon_death(w, true);
	ck_assert(!w->image[0].file->is_gone);
	expect_new(w, true, false);
}
END_TEST

/* BIND is not in the log any more, but in the table. */
START_TEST(test_e7_the_table_knows_new_files)
{
	struct sim_world *w = begin_new();
	struct sim_image *y = &w->image[1];

	sim_knob(w, KNOB_FORCE_MIGRATE, 1);
	w->image[0].is_refusing = true;
	scenario_wrap(w, y, 0, 4);
	scenario_run(w, 3000 * SIM_MS);
	sim_power_cut(w, CUT_DROP_ALL);
	ck_assert(w->image[0].file->is_gone);
	expect_new(w, true, true);
}
END_TEST

/* Nothing but the name is left for the sync to make durable. */
START_TEST(test_b6_a_sync_waits_for_the_log_to_know_of_the_name)
{
	struct sim_world *w = begin_new();

	sim_do_write(w, &w->image[1], 0, BLOCK);
	sim_do_sync(w, &w->image[1]);
	sim_do_sync(w, &w->image[0]);
	sim_power_cut(w, CUT_DROP_ALL);
	ck_assert(!w->image[0].file->is_gone);
	expect_new(w, false, false);
}
END_TEST

START_TEST(test_b6_a_directorys_sync_is_about_its_files)
{
	struct sim_world *w = begin_new();
	struct cache_image_info info;
	struct outbox ob;
	uint64_t mark;

	outbox_init(&ob);
	mark = cache_new_mark(w->cache, "dir7"); /* world.c: all are in dir0 and dir1 */
	ck_assert_int_eq(cache_new_named(w->cache, mark, w->now, &ob), 0);
	cache_image_info(w->cache, w->image[0].cached, &info);
	ck_assert(info.is_new);
	mark = cache_new_mark(w->cache, "");
	ck_assert_int_eq(cache_new_named(w->cache, mark, w->now, &ob), 0);
	mark = cache_new_mark(w->cache, "dir0");
	cache_image_info(w->cache, w->image[0].cached, &info);
	ck_assert(info.is_new);
	ck_assert_int_eq(cache_new_named(w->cache, mark, w->now, &ob), 0);
	cache_image_info(w->cache, w->image[0].cached, &info);
	ck_assert(!info.is_new);
	w->image[0].file->is_named = true;
	sim_take(w, &ob);
	sim_daemon_death(w, true);
	expect_new(w, false, false);
}
END_TEST

/* Migration has synced the file: it would be missed. */
START_TEST(test_e7_what_has_migrated_is_not_new)
{
	struct sim_world *w = begin_new();

	sim_do_clean(w, &w->image[0]);
	scenario_write_block(w, &w->image[0], 2);
	sim_power_cut(w, CUT_KEEP_ALL);
	expect_new(w, false, false);
}
END_TEST

START_TEST(test_e7_after_an_orderly_end_no_file_is_new)
{
	struct sim_world *w = begin_new();

	sim_shutdown(w);
	sim_power_cut(w, CUT_DROP_ALL);
	expect_new(w, false, false);
}
END_TEST

SCENARIO_SUITE("naming", test_e7_a_new_file_may_be_lost_with_the_power,
	       test_e7_a_daemons_death_takes_no_file, test_e7_the_table_knows_new_files,
	       test_b6_a_sync_waits_for_the_log_to_know_of_the_name,
	       test_b6_a_directorys_sync_is_about_its_files, test_e7_what_has_migrated_is_not_new,
	       test_e7_after_an_orderly_end_no_file_is_new)
