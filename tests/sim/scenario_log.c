// SPDX-License-Identifier: GPL-2.0-or-later
/* Named scenarios of RULES A: the chain, its end, the super block, as far as the whole core takes
 * part. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tests/sim/scenario.h"

/*
 * A2, A3. Records n+1 (lost) and n+2 (kept) of a tail that a power cut tore; recovery ends at n and
 * writes new records; the old n+2 fits nowhere: its content must never come back, also not after
 * the next crash.
 */
static void tear_and_go_on(uint64_t nr_after, bool is_death)
{
	struct sim_world *w = scenario_begin(NULL);
	struct sim_image *x = &w->image[0], *y = &w->image[1];
	struct sim_action *held = NULL;

	scenario_write_block(w, x, 0);
	sim_do_sync(w, x);
	scenario_hold(w, ACTION_LOG_WRITE);
	for (uint64_t b = 1; b < 16; b++)
		scenario_write_block(w, x, b);
	for (uint32_t i = 0; i < w->nr_actions && !held; i++)
		if (w->action[i]->action->type == ACTION_LOG_WRITE)
			held = w->action[i];
	ck_assert_ptr_nonnull(held);
	scenario_release(w, ACTION_LOG_WRITE);
	scenario_hold(w, ACTION_FLUSH);
	for (uint32_t i = 0; i < w->nr_actions;) {
		struct sim_action *sa = w->action[i];

		i++;
		if (sa == held || sa->action->type != ACTION_LOG_WRITE)
			continue;
		sim_carry(w, sa, NULL);
		sim_return(w, sa);
		i = 0;
	}
	sim_power_cut(w, CUT_DROP_IN_FLIGHT);
	scenario_release(w, ACTION_FLUSH);
	scenario_mount(w);
	for (uint64_t b = 0; b < nr_after; b++) {
		scenario_write_block(w, y, b);
		sim_do_sync(w, y);
	}
	if (is_death)
		sim_daemon_death(w, true);
	else
		sim_power_cut(w, CUT_DROP_ALL);
	scenario_mount(w);
	scenario_end(w);
}

START_TEST(test_a3_abandoned_tail_does_not_come_back)
{
	for (uint64_t n = 0; n < 6; n++) {
		tear_and_go_on(n, false);
		tear_and_go_on(n, true);
	}
}
END_TEST

/* Header of record lsn on the device; NULL: none found. */
static uint8_t *find_record(struct sim_world *w, uint64_t lsn)
{
	struct superblock sb;
	char text[512];

	ck_assert_int_eq(cache_superblock_read(&w->dev->blk, &sb, text, sizeof(text)), 0);
	for (uint64_t at = sb.segments_start; at < sb.device_bytes; at += BLOCK) {
		const struct record_disk *h = (const void *)(w->dev->view + at);

		if (!record_verify(h, sb.cache_uuid, sb.key, at / BLOCK) && le64_get(h->lsn) == lsn)
			return w->dev->view + at;
	}
	return NULL;
}

/* A5. A record in the middle that was durable is damaged: the mount is refused with a message,
 * nothing is guessed. */
START_TEST(test_a5_damage_is_refused)
{
	struct sim_world *w = scenario_begin(NULL);
	struct sim_image *x = &w->image[0];
	struct cache_status st;
	uint8_t *header;

	for (uint64_t b = 0; b < 4; b++) {
		scenario_write_block(w, x, b);
		sim_do_sync(w, x);
	}
	cache_status(w->cache, &st);
	sim_power_cut(w, CUT_DROP_ALL);
	header = find_record(w, st.next_lsn - 3);
	ck_assert_ptr_nonnull(header);
	header[200] ^= 1;
	ck_assert_int_eq(sim_open(w, 0), -EUCLEAN);
	ck_assert_str_ne(w->report.error, "");
	header[200] ^= 1;
	scenario_mount(w);
	scenario_end(w);
}
END_TEST

/* E6. The last record is of an image that neither table nor log know: damage, and not left out. */
START_TEST(test_e6_an_unknown_image_is_damage)
{
	struct sim_world *w = scenario_begin(NULL);
	struct cache_status st;
	struct record_disk *h;
	struct superblock sb;
	le64_t key;
	char text[512];

	scenario_write_block(w, &w->image[0], 1);
	sim_do_sync(w, NULL);
	scenario_write_block(w, &w->image[0], 2);
	sim_do_sync(w, NULL);
	cache_status(w->cache, &st);
	sim_power_cut(w, CUT_DROP_ALL);
	ck_assert_int_eq(cache_superblock_read(&w->dev->blk, &sb, text, sizeof(text)), 0);
	h = (void *)find_record(w, st.next_lsn - 1);
	ck_assert_ptr_nonnull(h);
	key = h->key[0];
	h->key[0] = le64_make(entry_key(77, 2));
	record_finish(h, sb.key);
	ck_assert_int_eq(sim_open(w, 0), -EUCLEAN);
	ck_assert_ptr_nonnull(strstr(w->report.error, "names image 77"));
	h->key[0] = key;
	record_finish(h, sb.key);
	scenario_mount(w);
	scenario_end(w);
}
END_TEST

/* A5. The last record is torn and nothing proves that it was durable: it is the ordinary end. */
START_TEST(test_a5_torn_end_is_accepted)
{
	for (uint64_t seed = 1; seed <= 20; seed++) {
		struct sim_conf conf = scenario_conf();
		struct sim_world *w;

		conf.seed = seed;
		w = scenario_begin(&conf);
		scenario_write_block(w, &w->image[0], 0);
		sim_do_sync(w, &w->image[0]);
		scenario_hold(w, ACTION_FLUSH);
		for (uint64_t b = 0; b < 12; b++)
			scenario_write_block(w, &w->image[1], b);
		scenario_run(w, SIM_MS);
		sim_power_cut(w, CUT_PER_SECTOR);
		scenario_release(w, ACTION_FLUSH);
		scenario_mount(w);
		scenario_end(w);
	}
}
END_TEST

/* A6. Power cut in each write of a super block: there is always a valid one, and no table it names
 * is half written. */
START_TEST(test_a6_cut_in_every_superblock_write)
{
	for (uint64_t seed = 1; seed <= 30; seed++) {
		struct sim_conf conf = scenario_conf();
		struct sim_world *w;

		conf.seed = seed;
		w = scenario_begin(&conf);
		scenario_write_block(w, &w->image[0], 0);
		sim_do_sync(w, NULL);
		sim_knob(w, KNOB_FORCE_MIGRATE, 1);
		scenario_run(w, 2000 * SIM_MS);
		sim_start_rename(w, &w->image[0]);
		sim_knob(w, KNOB_COMMIT_SUPER_BLOCK, 1);
		for (uint64_t n = seed; n && sim_calm_turn(w); n--)
			;
		sim_power_cut(w, CUT_PER_SECTOR);
		scenario_mount(w);
		scenario_end(w);
	}
}
END_TEST

/* Reuse. The log goes round many times, with crashes: a slot is never written before two super
 * blocks left it. */
START_TEST(test_log_goes_round)
{
	struct sim_world *w = scenario_begin(NULL);

	for (int i = 0; i < 5; i++) {
		sim_knob(w, KNOB_FORCE_MIGRATE, 1);
		scenario_wrap(w, &w->image[i % 2], 0, 16);
		if (i % 2)
			sim_power_cut(w, CUT_PER_WRITE);
		else
			sim_daemon_death(w, false);
		scenario_mount(w);
	}
	scenario_end(w);
}
END_TEST

/* Many short records in one segment: an fsync of one block costs two blocks of log. */
START_TEST(test_records_share_a_segment)
{
	struct sim_world *w = scenario_begin(NULL);
	struct cache_status before, after;

	scenario_write_block(w, &w->image[0], 0);
	sim_do_sync(w, &w->image[0]);
	cache_status(w->cache, &before);
	for (uint64_t b = 0; b < 8; b++) {
		scenario_write_block(w, &w->image[0], b);
		sim_do_sync(w, &w->image[0]);
	}
	cache_status(w->cache, &after);
	ck_assert_uint_le(after.current_segment - before.current_segment, 2);
	sim_power_cut(w, CUT_DROP_ALL);
	scenario_mount(w);
	scenario_end(w);
}
END_TEST

static int ask_for_super_block(struct sim_world *w, const struct action *a)
{
	if (w->is_ending && a->type == ACTION_DEV_WRITE)
		sim_knob(w, KNOB_COMMIT_SUPER_BLOCK, 1);
	return 0;
}

/* Somebody asks for a super block while the one of the orderly end is written: that is the last;
 * the world looks that nothing is out when the end is told. */
START_TEST(test_no_super_block_is_begun_behind_the_orderly_end)
{
	struct sim_world *w = scenario_begin(NULL);

	scenario_write_block(w, &w->image[0], 1);
	sim_do_sync(w, NULL);
	w->fault = ask_for_super_block;
	sim_shutdown(w);
	w->fault = NULL;
	sim_power_cut(w, CUT_DROP_ALL);
	scenario_mount(w);
	ck_assert(w->report.was_clean);
	scenario_end(w);
}
END_TEST

SCENARIO_SUITE("log", test_a3_abandoned_tail_does_not_come_back, test_a5_damage_is_refused,
	       test_e6_an_unknown_image_is_damage, test_a5_torn_end_is_accepted,
	       test_a6_cut_in_every_superblock_write,
	       test_log_goes_round, test_records_share_a_segment,
	       test_no_super_block_is_begun_behind_the_orderly_end)
