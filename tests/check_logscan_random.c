// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Random logs and random damage: the walk ends where an oracle says that has no idea of reading,
 * windows or passes, and nothing is ever handed out that was not written.
 *
 * LOGSCAN_SEEDS=N runs N seeds of each test instead of the few of make check.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "tests/check_main.h"
#include "tests/fake/logcheck.h"
#include "tests/fake/logworld.h"

#define CYCLES 20

static int nr_seeds(int usual)
{
	const char *text = getenv("LOGSCAN_SEEDS");

	return text ? atoi(text) : usual;
}

/* Walks, with headers kept and with all but the newest read twice, and compares with the oracle. */
static struct logcheck *walk_and_compare(struct logworld *w, bool knows_all)
{
	static struct logcheck check;
	struct logworld_verdict v = logworld_judge(w, knows_all);

	for (int twice = 0; twice < 2; twice++) {
		struct logscan_conf conf = { .keep_bytes = twice };

		logcheck_walk_conf(&check, &w->b, &conf);
		if (check.ret && check.ret != -EUCLEAN)
			ck_abort_msg("the walk failed with %d", check.ret);
		if (check.result.is_refused)
			ck_abort_msg("refused: %s", check.result.text);
		if (check.result.is_damaged != v.is_damaged)
			ck_abort_msg("damaged: %d, expected %d: %s", check.result.is_damaged,
				     v.is_damaged, check.result.text);
		if (check.result.last_lsn != v.last_lsn ||
		    check.result.durable_lsn != v.durable_lsn)
			ck_abort_msg("ends at %ju, durable %ju, expected %ju, %ju",
				     (uintmax_t)check.result.last_lsn,
				     (uintmax_t)check.result.durable_lsn, (uintmax_t)v.last_lsn,
				     (uintmax_t)v.durable_lsn);
		if (!check.ret && check.nr && check.got[check.nr - 1] != v.last)
			ck_abort_msg("another record stands for LSN %ju", (uintmax_t)v.last_lsn);
	}
	return &check;
}

static const struct logbuild_record *last_of(const struct logcheck *check)
{
	return check->nr ? check->got[check->nr - 1] : NULL;
}

START_TEST(after_any_power_cut_the_log_is_whole_and_has_all_that_was_durable)
{
	struct logworld w;

	logworld_init(&w, 1000 + (uint64_t)_i);
	for (int cycle = 0; cycle < CYCLES; cycle++) {
		const struct logcheck *check;

		logworld_run(&w);
		logworld_cut(&w);
		walk_and_compare(&w, false);
		check = walk_and_compare(&w, true);
		if (check->ret)
			ck_abort_msg("seed %d, cycle %d: %s", _i, cycle, check->result.text);
		if (check->result.last_lsn < w.durable_lsn)
			ck_abort_msg("seed %d, cycle %d: record %ju was durable", _i, cycle,
				     (uintmax_t)w.durable_lsn);
		logworld_restart(&w, last_of(check), check->result.next_first,
				 check->result.next_last);
	}
	logworld_free(&w);
}
END_TEST

/* Something happens to a random block of the segments. */
static void do_damage(struct logworld *w)
{
	const struct superblock *sb = &w->b.sb;
	uint64_t first = sb->segments_start >> BLOCK_SHIFT;
	uint64_t blocks = sb->nr_segments * superblock_segment_blocks(sb);
	uint8_t *bytes = w->b.mem->bytes;
	uint8_t *at = bytes + ((first + logworld_draw(w, blocks)) << BLOCK_SHIFT);
	uint8_t *from = bytes + ((first + logworld_draw(w, blocks)) << BLOCK_SHIFT);
	uint64_t how = logworld_draw(w, 8);

	if (how < 4)
		at[logworld_draw(w, BLOCK_BYTES)] ^= (uint8_t)(1 << logworld_draw(w, 8));
	else if (how == 4)
		memset(at, 0, BLOCK_BYTES);
	else if (how == 5)
		memmove(at, from, BLOCK_BYTES);
	else if (how == 6)
		memmove(at, from, SECTOR_BYTES * (1 + logworld_draw(w, SECTORS_PER_BLOCK)));
	else
		for (size_t i = 0; i < BLOCK_BYTES; i++)
			at[i] = (uint8_t)logworld_draw(w, 256);
}

START_TEST(whatever_happens_to_the_segments_nothing_is_handed_out_that_was_not_written)
{
	uint8_t *copy = NULL;
	struct logworld w;
	size_t bytes;

	logworld_init(&w, 2000 + (uint64_t)_i);
	bytes = w.b.mem->dev.bytes - w.b.sb.segments_start;
	copy = malloc(bytes);
	for (int cycle = 0; cycle < CYCLES; cycle++) {
		const struct logcheck *check;

		logworld_run(&w);
		logworld_cut(&w);
		memcpy(copy, w.b.mem->bytes + w.b.sb.segments_start, bytes);
		for (uint64_t n = 1 + logworld_draw(&w, 1u << logworld_draw(&w, 9)); n > 0; n--)
			do_damage(&w);
		walk_and_compare(&w, false);
		memcpy(w.b.mem->bytes + w.b.sb.segments_start, copy, bytes);
		check = walk_and_compare(&w, true);
		logworld_restart(&w, last_of(check), check->result.next_first,
				 check->result.next_last);
	}
	free(copy);
	logworld_free(&w);
}
END_TEST

START_TEST(whatever_the_super_block_says_nothing_wrong_is_handed_out)
{
	static struct logcheck check;
	struct superblock good;
	struct logworld w;

	logworld_init(&w, 3000 + (uint64_t)_i);
	for (int cycle = 0; cycle < CYCLES; cycle++)
		logworld_run(&w);
	good = w.b.sb;
	for (int cycle = 0; cycle < 50; cycle++) {
		uint64_t *const field[] = {
			&w.b.sb.last_migrated_segment_id,
			&w.b.sb.tail_lsn,
			&w.b.sb.tail_link,
			&w.b.sb.tail_branch,
			&w.b.sb.durable_lsn,
			&w.b.sb.epoch_start_lsn,
			&w.b.sb.epoch,
			&w.b.sb.nr_segments,
			&w.b.sb.ring_base_id,
			&w.b.sb.ring_base_slot,
			&w.b.sb.key,
		};
		uint64_t *f = field[logworld_draw(&w, sizeof(field) / sizeof(field[0]))];

		w.b.sb = good;
		*f = logworld_draw(&w, 4) ? *f + logworld_draw(&w, 7) - 3 : logbuild_random(&w.rng);
		if (logworld_draw(&w, 4) == 0)
			w.b.sb.pool_segments = (uint32_t)logworld_draw(&w, 8);
		logcheck_walk(&check, &w.b);
		if (check.ret != 0 && check.ret != -EUCLEAN)
			ck_abort_msg("the walk failed with %d", check.ret);
	}
	w.b.sb = good;
	logworld_free(&w);
}
END_TEST

START_TEST(an_error_of_any_read_is_returned)
{
	static struct logcheck check;
	struct logworld w;
	uint64_t reads;

	logworld_init(&w, 4000 + (uint64_t)_i);
	logworld_run(&w);
	logworld_cut(&w);
	for (int twice = 0; twice < 2; twice++) {
		struct logscan_conf conf = { .keep_bytes = twice };

		memdev_reset(w.b.mem);
		w.b.mem->fail_at = UINT64_MAX;
		logcheck_walk_conf(&check, &w.b, &conf);
		reads = w.b.mem->reads;
		for (uint64_t at = 1; at <= reads; at++) {
			memdev_reset(w.b.mem);
			w.b.mem->fail_at = at;
			w.b.mem->fail_error = -EIO;
			w.b.mem->fail_for_ever = true;
			logcheck_walk_conf(&check, &w.b, &conf);
			if (check.ret != -EIO)
				ck_abort_msg("read %ju of %ju failed, and the walk returned %d",
					     (uintmax_t)at, (uintmax_t)reads, check.ret);
		}
	}
	memdev_reset(w.b.mem);
	logworld_free(&w);
}
END_TEST

/* Between the passes the log is gone. */
static void forget_all(struct memdev *m, uint64_t len, uint64_t off)
{
	const uint64_t *reads = m->on_read_arg;

	(void)len;
	(void)off;
	if (m->reads == *reads)
		memset(m->bytes, 0, m->dev.bytes);
}

START_TEST(a_device_that_changes_between_the_passes_is_an_error)
{
	struct logscan_conf conf = { .keep_bytes = 1 };
	static struct logcheck check;
	uint64_t reads, errors = 0;

	for (uint64_t at = 1; at < 1000; at++) {
		struct logbuild b;

		logbuild_init(&b, 6, 128, 2);
		logbuild_append_many(&b, 80, 5);
		b.mem->on_read = forget_all;
		b.mem->on_read_arg = &at;
		b.durable_lsn = 80;
		logbuild_append(&b, 5);
		/* blocks are not compared: they may be gone */
		b.mem->fail_at = UINT64_MAX;
		logcheck_walk_conf(&check, &b, &conf);
		reads = b.mem->reads;
		logbuild_free(&b);
		if (reads < at)
			break;
		if (check.ret == 0)
			continue;
		errors++;
		if (check.ret == -EIO)
			ck_assert_ptr_nonnull(strstr(check.result.text, "second reading"));
		else
			ck_assert_int_eq(check.ret, -EUCLEAN);
	}
	ck_assert_uint_gt(errors, 80);
}
END_TEST

/* Another log, as good as the one before, stands there from this read on. */
struct swap {
	uint64_t at, bytes;
	const uint8_t *other;
};

static void swap_logs(struct memdev *m, uint64_t len, uint64_t off)
{
	const struct swap *swap = m->on_read_arg;

	(void)len;
	(void)off;
	if (m->reads == swap->at)
		memcpy(m->bytes, swap->other, swap->bytes);
}

START_TEST(two_logs_are_never_handed_out_as_one)
{
	struct logscan_conf conf = { .keep_bytes = 1 };
	static struct logcheck check;
	uint64_t errors = 0, reads = UINT64_MAX;

	for (struct swap swap = { .at = 1 }; swap.at <= reads; swap.at++) {
		struct logbuild b;
		uint8_t *first;

		logbuild_init(&b, 6, 128, 2);
		logbuild_append_many(&b, 80, 5);
		swap.bytes = b.mem->dev.bytes;
		first = malloc(swap.bytes);
		memcpy(first, b.mem->bytes, swap.bytes);
		logbuild_branch(&b, b.branch, 0, 1);
		b.seed++;
		logbuild_append_many(&b, 80, 5);
		b.sb.durable_lsn = 80;
		swap.other = first;
		b.mem->on_read = swap_logs;
		b.mem->on_read_arg = &swap;
		b.mem->fail_at = UINT64_MAX;
		logcheck_walk_conf(&check, &b, &conf);
		reads = b.mem->reads;
		errors += check.ret == -EIO;
		if (check.ret != 0 && check.ret != -EIO)
			ck_assert_int_eq(check.ret, -EUCLEAN);
		logbuild_free(&b);
		free(first);
	}
	ck_assert_uint_gt(errors, 20);
}
END_TEST

static Suite *make_suite(void)
{
	Suite *s = suite_create("logscan, random logs");
	TCase *tc = tcase_create("random");

	tcase_set_timeout(tc, 600);
	tcase_add_loop_test(tc, after_any_power_cut_the_log_is_whole_and_has_all_that_was_durable,
			    0, nr_seeds(40));
	tcase_add_loop_test(
		tc, whatever_happens_to_the_segments_nothing_is_handed_out_that_was_not_written, 0,
		nr_seeds(20));
	tcase_add_loop_test(tc, whatever_the_super_block_says_nothing_wrong_is_handed_out, 0,
			    nr_seeds(10));
	tcase_add_loop_test(tc, an_error_of_any_read_is_returned, 0, nr_seeds(10));
	tcase_add_test(tc, a_device_that_changes_between_the_passes_is_an_error);
	tcase_add_test(tc, two_logs_are_never_handed_out_as_one);
	suite_add_tcase(s, tc);
	return s;
}

CHECK_MAIN(make_suite)
