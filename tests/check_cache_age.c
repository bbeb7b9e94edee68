// SPDX-License-Identifier: GPL-2.0-or-later
/* Ages of dirty data: never too low, exact for who was clean, and soon near the truth. */
#include "lcfs/cache/age.h"

#include <string.h>

#include "common/nsec.h"
#include "tests/check_main.h"
#include "tests/fake/rng.h"

#define SEC ((int64_t)NSEC_PER_SEC)

static struct ages ages;
static struct age_count one, two; /* images */

static void setup(void)
{
	memset(&ages, 0, sizeof(ages));
	memset(&one, 0, sizeof(one));
	memset(&two, 0, sizeof(two));
}

/* A block of n becomes dirty: its generation. */
static uint32_t dirty(struct age_count *n, int64_t at)
{
	uint32_t g = ages_current(&ages, at);

	age_add(&ages.all, g, at);
	age_add(n, g, at);
	return g;
}

static void clean(struct age_count *n, uint32_t g)
{
	age_remove(&ages.all, g);
	age_remove(n, g);
}

START_TEST(the_first_dirty_block_gives_the_age)
{
	dirty(&one, 5 * SEC);
	dirty(&one, 900 * SEC);
	ck_assert_int_eq(ages_oldest(&ages, &one), 5 * SEC);
	ck_assert_int_eq(ages_oldest(&ages, &ages.all), 5 * SEC);
}
END_TEST

START_TEST(an_image_that_was_clean_is_as_old_as_its_first_block)
{
	for (int64_t t = 0; t < 100000; t++)
		dirty(&one, t * SEC);
	dirty(&two, 99999 * SEC + 7);
	dirty(&two, 100005 * SEC);
	ck_assert_int_eq(ages_oldest(&ages, &two), 99999 * SEC + 7);
	ck_assert_int_eq(ages_oldest(&ages, &ages.all), 0);
}
END_TEST

START_TEST(an_overwritten_block_stays_as_old_as_it_was)
{
	uint32_t g = dirty(&one, 1 * SEC);

	for (int64_t t = 2; t < 1000; t++) {
		age_add(&one, g, t * SEC);
		age_add(&ages.all, g, t * SEC);
		clean(&one, g);
	}
	ck_assert_int_eq(ages_oldest(&ages, &one), 1 * SEC);
	clean(&one, g);
	ck_assert_uint_eq(one.total, 0);
	dirty(&one, 1000 * SEC);
	ck_assert_int_eq(ages_oldest(&ages, &one), 1000 * SEC);
}
END_TEST

START_TEST(a_clock_that_goes_back_makes_nothing_younger)
{
	dirty(&one, 100 * SEC);
	dirty(&one, 90 * SEC);
	dirty(&two, 80 * SEC);
	dirty(&two, 101 * SEC);
	ck_assert_int_eq(ages_oldest(&ages, &two), 80 * SEC);
	ck_assert_int_le(ages_oldest(&ages, &one), 90 * SEC);
}
END_TEST

#define QUEUE 65536

/* Blocks become clean in the order in which they became dirty, `lag` behind. */
static void run_queue(int64_t step, int64_t lag, int64_t until, int64_t worst)
{
	static struct {
		int64_t at;
		uint32_t g;
	} queue[QUEUE];
	size_t head = 0, tail = 0;

	for (int64_t t = 0; t < until; t += step) {
		while (tail < head && queue[tail % QUEUE].at < t - lag) {
			clean(&one, queue[tail % QUEUE].g);
			tail++;
		}
		queue[head % QUEUE].at = t;
		queue[head % QUEUE].g = dirty(&one, t);
		head++;
		ck_assert_uint_lt(head - tail, QUEUE);
		ck_assert_int_le(ages_oldest(&ages, &one), queue[tail % QUEUE].at);
		if (t > 10 * lag) /* settled */
			ck_assert_int_le(queue[tail % QUEUE].at - ages_oldest(&ages, &one), worst);
	}
}

START_TEST(steady_migration_shows_its_lag)
{
	run_queue(SEC / 50, 10 * SEC, 1000 * SEC, SEC * 3 / 2);
	ck_assert_int_lt(1000 * SEC - ages_oldest(&ages, &one), 12 * SEC);
}
END_TEST

START_TEST(a_long_lag_is_known_to_a_part_of_itself)
{
	run_queue(SEC, 36000 * SEC, 360000 * SEC, 18000 * SEC);
}
END_TEST

START_TEST(an_age_is_never_too_low)
{
	static int64_t at[512];
	static uint32_t g[512];
	static struct age_count *whose[512];
	struct rng rng;
	int64_t t = 0;

	rng_seed(&rng, 4711);
	for (int i = 0; i < 200000; i++) {
		uint64_t k = rng_below(&rng, 512);
		int64_t oldest[2] = { INT64_MAX, INT64_MAX };

		t += (int64_t)rng_below(&rng, rng_below(&rng, 100) ? (uint64_t)SEC / 9 :
								     600 * NSEC_PER_SEC);
		if (whose[k]) {
			clean(whose[k], g[k]);
			whose[k] = NULL;
		} else {
			whose[k] = rng_below(&rng, 2) ? &one : &two;
			g[k] = dirty(whose[k], t);
			at[k] = t;
		}
		if (i % 97)
			continue;
		for (int j = 0; j < 512; j++)
			if (whose[j] && at[j] < oldest[whose[j] == &two])
				oldest[whose[j] == &two] = at[j];
		if (one.total)
			ck_assert_int_le(ages_oldest(&ages, &one), oldest[0]);
		if (two.total)
			ck_assert_int_le(ages_oldest(&ages, &two), oldest[1]);
	}
}
END_TEST

static Suite *make_suite(void)
{
	Suite *s = suite_create("age");
	TCase *tc = tcase_create("ages");

	tcase_add_checked_fixture(tc, setup, NULL);
	tcase_add_test(tc, the_first_dirty_block_gives_the_age);
	tcase_add_test(tc, an_image_that_was_clean_is_as_old_as_its_first_block);
	tcase_add_test(tc, an_overwritten_block_stays_as_old_as_it_was);
	tcase_add_test(tc, a_clock_that_goes_back_makes_nothing_younger);
	tcase_add_test(tc, steady_migration_shows_its_lag);
	tcase_add_test(tc, a_long_lag_is_known_to_a_part_of_itself);
	tcase_add_test(tc, an_age_is_never_too_low);
	suite_add_tcase(s, tc);
	return s;
}

CHECK_MAIN(make_suite)
