// SPDX-License-Identifier: GPL-2.0-or-later
/* Histograms: every value has its bucket, quantiles are near, and nothing added is lost. */
#include "common/histogram.h"

#include <pthread.h>
#include <string.h>

#include "common/align.h"
#include "tests/check_main.h"

START_TEST(buckets_follow_each_other_without_gaps)
{
	uint64_t before = 0;

	for (unsigned int i = 0; i < HISTOGRAM_BUCKETS; i++) {
		uint64_t bound = histogram_bound(i);

		ck_assert_uint_gt(bound, before);
		ck_assert_uint_eq(histogram_bucket(bound), i);
		ck_assert_uint_eq(histogram_bucket(before + 1), i);
		before = bound;
	}
	ck_assert_uint_eq(before, UINT64_MAX);
	ck_assert_uint_eq(histogram_bucket(0), 0);
}
END_TEST

START_TEST(powers_of_two_are_bounds)
{
	for (unsigned int bit = HISTOGRAM_FIRST_BIT; bit <= HISTOGRAM_LAST_BIT; bit++) {
		uint64_t v = UINT64_C(1) << bit;

		ck_assert_uint_eq(histogram_bound(histogram_bucket(v)), v);
	}
}
END_TEST

START_TEST(a_bucket_is_at_most_a_quarter_wide)
{
	for (unsigned int i = 1; i < HISTOGRAM_BUCKETS - 1; i++) {
		uint64_t low = histogram_bound(i - 1), high = histogram_bound(i);

		ck_assert_uint_le((high - low) * 4, low);
	}
}
END_TEST

START_TEST(quantiles_are_near_the_samples)
{
	struct histogram h;
	struct histogram_view v = { 0 };

	memset(&h, 0, sizeof(h));
	for (uint64_t i = 1; i <= 1000; i++)
		histogram_add(&h, i * 10000); /* 10 us to 10 ms */
	histogram_look(&h, &v);
	ck_assert_uint_eq(v.total, 1000);
	ck_assert_uint_eq(v.sum_ns, UINT64_C(10000) * 500500);
	for (unsigned int p = 1; p <= 1000; p += 111) {
		uint64_t q = histogram_quantile(&v, p);

		ck_assert_uint_ge(q, p * UINT64_C(10000));
		ck_assert_uint_le(q, p * UINT64_C(12500));
	}
	ck_assert_uint_le(histogram_quantile(&v, 0), 12500);
}
END_TEST

START_TEST(no_samples_have_no_quantile)
{
	struct histogram_view v = { 0 };

	ck_assert_uint_eq(histogram_quantile(&v, 500), 0);
}
END_TEST

START_TEST(what_is_beyond_the_end_is_counted)
{
	struct histogram h;
	struct histogram_view v = { 0 };

	memset(&h, 0, sizeof(h));
	histogram_add(&h, UINT64_MAX / 2);
	histogram_look(&h, &v);
	ck_assert_uint_eq(v.total, 1);
	ck_assert_uint_eq(histogram_quantile(&v, 999), UINT64_C(1) << HISTOGRAM_LAST_BIT);
}
END_TEST

#define THREADS 12
#define ADDS 20000

static void *adder(void *arg)
{
	for (uint64_t i = 0; i < ADDS; i++)
		histogram_set_add(arg, i);
	return NULL;
}

START_TEST(nothing_that_threads_add_is_lost)
{
	static struct histogram_set set;
	struct histogram_view v = { 0 };
	pthread_t thread[THREADS];

	memset(&set, 0, sizeof(set));
	for (int i = 0; i < THREADS; i++)
		ck_assert_int_eq(pthread_create(&thread[i], NULL, adder, &set), 0);
	for (int i = 0; i < THREADS; i++)
		pthread_join(thread[i], NULL);
	histogram_set_look(&set, &v);
	ck_assert_uint_eq(v.total, THREADS * ADDS);
	ck_assert_uint_eq(v.sum_ns, (uint64_t)THREADS * ADDS * (ADDS - 1) / 2);
}
END_TEST

static Suite *make_suite(void)
{
	Suite *s = suite_create("histogram");

	CHECK_CASE(s, "buckets", buckets_follow_each_other_without_gaps, powers_of_two_are_bounds,
		   a_bucket_is_at_most_a_quarter_wide);
	CHECK_CASE(s, "quantiles", quantiles_are_near_the_samples, no_samples_have_no_quantile,
		   what_is_beyond_the_end_is_counted);
	CHECK_CASE(s, "threads", nothing_that_threads_add_is_lost);
	return s;
}

CHECK_MAIN(make_suite)
