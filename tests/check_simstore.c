// SPDX-License-Identifier: GPL-2.0-or-later
/* The fake backing store is unkind in the ways it says. */
#include <stdlib.h>
#include <string.h>

#include "tests/check_main.h"
#include "tests/fake/simstore.h"

static struct simstore *st;
static struct simfile *f;

static void setup(void)
{
	st = simstore_new();
	st->now_ns = 1000;
	f = simstore_create(st, "a/b", 10000);
}

static void teardown(void)
{
	simstore_free(st);
}

static struct simchange *issue(uint64_t off, uint64_t len, uint8_t fill)
{
	uint8_t buf[8192];
	struct iovec iov = { .iov_base = buf, .iov_len = len };

	ck_assert_uint_le(len, sizeof(buf));
	memset(buf, fill, len);
	return simfile_write_issue(f, &iov, 1, off);
}

static void write_done(uint64_t off, uint64_t len, uint8_t fill)
{
	simfile_return(f, issue(off, len, fill));
}

static uint8_t at(uint64_t off)
{
	uint8_t c = 0xee;
	struct iovec iov = { .iov_base = &c, .iov_len = 1 };

	simfile_read(f, &iov, 1, off);
	return c;
}

START_TEST(test_unsynced_write_is_lost_with_its_size_and_times)
{
	st->now_ns = 2000;
	write_done(9990, 100, 7);
	ck_assert_uint_eq(f->view.stamp.size, 10090);
	ck_assert_int_eq(f->view.stamp.mtime, 2000);
	ck_assert_uint_eq(at(10089), 7);
	simstore_power_cut(st, CUT_DROP_ALL, 1);
	ck_assert_uint_eq(f->view.stamp.size, 10000);
	ck_assert_int_eq(f->view.stamp.mtime, 1000);
	ck_assert_uint_eq(at(9995), 0);
	ck_assert_uint_eq(at(10089), 0);
}
END_TEST

START_TEST(test_sync_covers_what_had_returned)
{
	struct simchange *late = issue(5000, 10, 9);
	uint64_t ticket;

	write_done(100, 10, 8);
	ticket = simfile_sync_issue(f);
	simfile_return(f, late);
	simfile_sync_done(f, ticket);
	simstore_power_cut(st, CUT_DROP_ALL, 1);
	ck_assert_uint_eq(at(105), 8);
	ck_assert_uint_eq(at(5005), 0);
}
END_TEST

START_TEST(test_truncate_and_extend_show_zeros)
{
	write_done(0, 8192, 3);
	simfile_return(f, simfile_truncate_issue(f, 100));
	simfile_return(f, simfile_truncate_issue(f, 10000));
	ck_assert_uint_eq(at(99), 3);
	ck_assert_uint_eq(at(100), 0);
	simfile_sync_done(f, simfile_sync_issue(f));
	ck_assert_uint_eq(f->stable.bytes[99], 3);
	ck_assert_uint_eq(f->stable.bytes[100], 0);
	ck_assert_uint_eq(f->stable.stamp.size, 10000);
}
END_TEST

START_TEST(test_punch_keeps_size)
{
	write_done(0, 8192, 3);
	simfile_return(f, simfile_punch_issue(f, 4000, 1000000));
	ck_assert_uint_eq(at(3999), 3);
	ck_assert_uint_eq(at(4000), 0);
	ck_assert_uint_eq(f->view.stamp.size, 10000);
}
END_TEST

START_TEST(test_partly_applied_write_is_seen_in_part)
{
	struct simchange *ch = issue(0, 8192, 5);
	struct rng rng;
	uint32_t n = 0;

	rng_seed(&rng, 3);
	simfile_apply(f, ch, &rng);
	for (uint64_t s = 0; s < 16; s++)
		n += at(s * 512) == 5;
	ck_assert_uint_gt(n, 0);
	ck_assert_uint_lt(n, 16);
	simfile_return(f, ch);
	for (uint64_t s = 0; s < 16; s++)
		ck_assert_uint_eq(at(s * 512), 5);
}
END_TEST

START_TEST(test_failed_sync_loses_data_for_readers_too)
{
	bool was_lost = false;
	struct rng rng;

	for (uint64_t seed = 0; seed < 20 && !was_lost; seed++) {
		rng_seed(&rng, seed);
		write_done(0, 4096, (uint8_t)(seed + 1));
		simfile_sync_fail(f, simfile_sync_issue(f), &rng);
		for (uint64_t s = 0; s < 8; s++)
			was_lost = was_lost || at(s * 512) != seed + 1;
	}
	ck_assert(was_lost);
}
END_TEST

START_TEST(test_edit_is_durable_at_once)
{
	st->now_ns = 3000;
	simfile_edit(f, "hello", 5, 10);
	simstore_power_cut(st, CUT_DROP_ALL, 1);
	ck_assert_uint_eq(at(10), 'h');
	ck_assert_int_eq(f->view.stamp.ctime, 3000);
}
END_TEST

START_TEST(test_set_mtime_changes_ctime)
{
	st->now_ns = 4000;
	simfile_return(f, simfile_times_issue(f, 77));
	ck_assert_int_eq(f->view.stamp.mtime, 77);
	ck_assert_int_eq(f->view.stamp.ctime, 4000);
}
END_TEST

START_TEST(test_settle_and_clone)
{
	struct simstore *copy;
	struct simfile *c;

	issue(0, 512, 4);
	copy = simstore_clone(st);
	simstore_settle(st, NULL);
	ck_assert_uint_eq(at(0), 4);
	c = simstore_find(copy, f->ino);
	ck_assert_ptr_nonnull(c);
	ck_assert_uint_eq(c->view.bytes[0], 0);
	simstore_settle(copy, NULL);
	ck_assert_uint_eq(c->view.bytes[0], 4);
	simstore_free(copy);
}
END_TEST

static Suite *make_suite(void)
{
	Suite *suite = suite_create("simstore");
	TCase *tc = tcase_create("files");
	const TTest *const tests[] = {
		test_unsynced_write_is_lost_with_its_size_and_times,
		test_sync_covers_what_had_returned,
		test_truncate_and_extend_show_zeros,
		test_punch_keeps_size,
		test_partly_applied_write_is_seen_in_part,
		test_failed_sync_loses_data_for_readers_too,
		test_edit_is_durable_at_once,
		test_set_mtime_changes_ctime,
		test_settle_and_clone,
	};

	tcase_add_checked_fixture(tc, setup, teardown);
	for (size_t i = 0; i < sizeof(tests) / sizeof(tests[0]); i++)
		tcase_add_test(tc, tests[i]);
	suite_add_tcase(suite, tc);
	return suite;
}

CHECK_MAIN(make_suite)
