// SPDX-License-Identifier: GPL-2.0-or-later
/* The fake cache device is unkind in the ways it says. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tests/check_main.h"
#include "tests/fake/simdev.h"

#define BYTES (64u << 12)

static struct simdev *dev;
static uint8_t *block;

static void setup(void)
{
	dev = simdev_new(BYTES);
	block = aligned_alloc(4096, 4096);
	ck_assert_ptr_nonnull(block);
}

static void teardown(void)
{
	simdev_free(dev);
	free(block);
}

static struct simdev_write *issue(uint64_t n, uint8_t fill)
{
	struct iovec iov = { .iov_base = block, .iov_len = 4096 };

	memset(block, fill, 4096);
	return simdev_write_issue(dev, &iov, 1, n * 4096);
}

static void write_done(uint64_t n, uint8_t fill)
{
	simdev_write_return(dev, issue(n, fill));
}

static uint8_t at(uint64_t n)
{
	return dev->view[n * 4096];
}

START_TEST(test_unflushed_write_may_be_dropped)
{
	write_done(3, 1);
	ck_assert_uint_eq(at(3), 1);
	simdev_power_cut(dev, CUT_DROP_ALL, 1);
	ck_assert_uint_eq(at(3), 0);
}
END_TEST

START_TEST(test_unflushed_write_may_be_kept)
{
	write_done(3, 1);
	simdev_power_cut(dev, CUT_KEEP_ALL, 1);
	ck_assert_uint_eq(at(3), 1);
	ck_assert_uint_eq(dev->stable[3 * 4096 + 4095], 1);
}
END_TEST

START_TEST(test_flush_covers_returned_writes)
{
	write_done(3, 1);
	simdev_flush_done(dev, simdev_flush_issue(dev));
	simdev_power_cut(dev, CUT_DROP_ALL, 1);
	ck_assert_uint_eq(at(3), 1);
}
END_TEST

START_TEST(test_flush_issued_before_return_covers_nothing)
{
	struct simdev_write *w = issue(3, 1);
	uint64_t ticket;

	simdev_write_apply(dev, w, NULL);
	ticket = simdev_flush_issue(dev);
	simdev_write_return(dev, w);
	simdev_flush_done(dev, ticket);
	simdev_power_cut(dev, CUT_DROP_ALL, 1);
	ck_assert_uint_eq(at(3), 0);
}
END_TEST

START_TEST(test_write_in_flight_may_be_there_after_power_cut)
{
	issue(3, 1);
	simdev_power_cut(dev, CUT_KEEP_ALL, 1);
	ck_assert_uint_eq(at(3), 1);
}
END_TEST

START_TEST(test_torn_write_mixes_sectors)
{
	bool has_mix = false;

	for (uint64_t seed = 0; seed < 20 && !has_mix; seed++) {
		uint32_t kept = 0;

		write_done(5, (uint8_t)(seed + 1));
		simdev_power_cut(dev, CUT_PER_SECTOR, seed);
		for (int s = 0; s < 8; s++)
			kept += dev->view[5 * 4096 + s * 512] == (uint8_t)(seed + 1);
		has_mix = kept > 0 && kept < 8;
	}
	ck_assert(has_mix);
}
END_TEST

START_TEST(test_older_write_may_outlive_newer)
{
	bool was_older = false;

	for (uint64_t seed = 0; seed < 50 && !was_older; seed++) {
		write_done(5, 1);
		write_done(5, 2);
		simdev_power_cut(dev, CUT_PER_WRITE, seed);
		was_older = at(5) == 1;
		write_done(5, 0);
		simdev_flush_done(dev, simdev_flush_issue(dev));
	}
	ck_assert(was_older);
}
END_TEST

START_TEST(test_settle_lands_writes_in_flight)
{
	issue(7, 9);
	simdev_settle(dev, NULL);
	ck_assert_uint_eq(at(7), 9);
	/* And a flush of the next daemon covers them. */
	simdev_flush_done(dev, simdev_flush_issue(dev));
	simdev_power_cut(dev, CUT_DROP_ALL, 1);
	ck_assert_uint_eq(at(7), 9);
}
END_TEST

START_TEST(test_failed_flush_is_not_made_good_by_a_later_one)
{
	struct rng rng;
	bool was_lost = false;

	for (uint64_t seed = 0; seed < 20 && !was_lost; seed++) {
		rng_seed(&rng, seed);
		write_done(4, 6);
		simdev_flush_fail(dev, simdev_flush_issue(dev), &rng);
		simdev_flush_done(dev, simdev_flush_issue(dev));
		simdev_power_cut(dev, CUT_KEEP_ALL, seed);
		for (int s = 0; s < 8; s++)
			was_lost = was_lost || dev->view[4 * 4096 + s * 512] != 6;
	}
	ck_assert(was_lost);
}
END_TEST

START_TEST(test_changed_memory_is_noticed)
{
	struct iovec iov = { .iov_base = block, .iov_len = 4096 };
	struct simdev_write *w = issue(1, 1);

	ck_assert(simdev_write_is_unchanged(w, &iov, 1));
	block[4000]++;
	ck_assert(!simdev_write_is_unchanged(w, &iov, 1));
}
END_TEST

static int deaths;

static void count_death(void *arg)
{
	(void)arg;
	deaths++;
}

START_TEST(test_dies_in_nth_operation_and_stays_dead)
{
	deaths = 0;
	memset(block, 1, 4096);
	simdev_arm(dev, 2, 1, count_death, NULL);
	ck_assert_int_eq(blkdev_write(&dev->blk, block, 4096, 0), 0);
	ck_assert_int_eq(deaths, 0);
	ck_assert_int_eq(blkdev_flush(&dev->blk), -EIO);
	ck_assert_int_eq(deaths, 1);
	ck_assert_int_eq(blkdev_read(&dev->blk, block, 4096, 0), -EIO);
	ck_assert_int_eq(blkdev_write(&dev->blk, block, 4096, 4096), -EIO);
	ck_assert_int_eq(deaths, 1);
	ck_assert_uint_eq(at(1), 0);
}
END_TEST

START_TEST(test_fails_nth_operation_once)
{
	dev->fail_at = 2;
	dev->fail_errno = ENOSPC;
	ck_assert_int_eq(blkdev_read(&dev->blk, block, 4096, 0), 0);
	ck_assert_int_eq(blkdev_read(&dev->blk, block, 4096, 0), -ENOSPC);
	ck_assert_int_eq(blkdev_read(&dev->blk, block, 4096, 0), 0);
}
END_TEST

START_TEST(test_clone_is_independent)
{
	struct simdev *copy;

	write_done(2, 5);
	copy = simdev_clone(dev);
	simdev_power_cut(dev, CUT_DROP_ALL, 1);
	ck_assert_uint_eq(copy->view[2 * 4096], 5);
	simdev_power_cut(copy, CUT_KEEP_ALL, 1);
	ck_assert_uint_eq(copy->view[2 * 4096], 5);
	ck_assert_uint_eq(at(2), 0);
	simdev_free(copy);
}
END_TEST

static Suite *make_suite(void)
{
	Suite *suite = suite_create("simdev");
	TCase *tc = tcase_create("device");
	const TTest *const tests[] = {
		test_unflushed_write_may_be_dropped, test_unflushed_write_may_be_kept,
		test_flush_covers_returned_writes, test_flush_issued_before_return_covers_nothing,
		test_write_in_flight_may_be_there_after_power_cut, test_torn_write_mixes_sectors,
		test_older_write_may_outlive_newer, test_settle_lands_writes_in_flight,
		test_failed_flush_is_not_made_good_by_a_later_one, test_changed_memory_is_noticed,
		test_dies_in_nth_operation_and_stays_dead, test_fails_nth_operation_once,
		test_clone_is_independent,
	};

	tcase_add_checked_fixture(tc, setup, teardown);
	for (size_t i = 0; i < sizeof(tests) / sizeof(tests[0]); i++)
		tcase_add_test(tc, tests[i]);
	suite_add_tcase(suite, tc);
	return suite;
}

CHECK_MAIN(make_suite)
