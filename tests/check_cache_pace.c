// SPDX-License-Identifier: GPL-2.0-or-later
/* Pacing of writers near the full log. */
#include "common/align.h"
#include "lcfs/cache/pace.h"
#include "tests/check_main.h"

#define MS 1000000ull
#define WALL 4
#define START 104

/* Short since `now`, and then `blocks` freed in `ns`. */
static uint64_t learn(struct pace *p, uint64_t now, uint64_t blocks, uint64_t ns)
{
	pace_taken(p, START - 1, now);
	ck_assert(!pace_freed(p, START - 1, blocks, now + ns));
	return now + ns;
}

START_TEST(test_far_from_full_nobody_waits)
{
	struct pace p;
	uint64_t now;

	pace_init(&p, WALL, START);
	now = learn(&p, 1000, 100, 100 * MS);
	for (int i = 0; i < 1000; i++)
		ck_assert_uint_eq(pace_admit(&p, START, 256, now), now);
	ck_assert(!pace_is_due(&p, START, now));
	/* and none of that counts later */
	ck_assert_uint_eq(pace_admit(&p, START - 1, 1, now), now);
}
END_TEST

START_TEST(test_without_a_measured_rate_nobody_waits)
{
	struct pace p;

	pace_init(&p, WALL, START);
	pace_taken(&p, WALL + 1, 1000);
	for (int i = 0; i < 1000; i++)
		ck_assert_uint_eq(pace_admit(&p, WALL + 1, 256, 2000), 2000);
}
END_TEST

START_TEST(test_the_delay_grows_as_free_space_shrinks)
{
	uint64_t last = 0;

	for (uint64_t nr_free = START - 5; nr_free > WALL; nr_free -= 5) {
		struct pace p;
		uint64_t now, delay;

		pace_init(&p, WALL, START);
		now = learn(&p, 1000, 1000, 1000 * MS); /* 1 ms a block */
		pace_admit(&p, nr_free, 10, now);
		delay = pace_admit(&p, nr_free, 10, now) - now;
		ck_assert_uint_gt(delay, last);
		if (nr_free == (START + WALL) / 2)
			ck_assert_uint_eq(delay, 10 * MS);
		last = delay;
	}
	ck_assert_uint_ge(last, 35 * MS);
	ck_assert_uint_le(last, 40 * MS);
}
END_TEST

/* Writers that never tire, space freed in bursts: the log comes to rest between the two ends, and
 * no write waits long. */
START_TEST(test_inflow_settles_at_outflow)
{
	uint64_t nr_free = START + 20, now = 1, used = 0, longest = 0, admitted = 0, late = 0;
	struct pace p;

	pace_init(&p, WALL, START);
	for (int burst = 0; burst < 300; burst++) {
		uint64_t end = now + 500 * MS; /* a batch: 4 segments of 255 blocks */

		while (now < end) {
			uint64_t at = pace_admit(&p, nr_free, 1, now);

			if (burst >= 100)
				longest = max(longest, at - now);
			now = max(at, now) + MS / 10; /* 10000 a second by itself */
			admitted++;
			late += burst >= 100;
			if (++used % 255 == 0) {
				ck_assert_uint_gt(nr_free, WALL);
				pace_taken(&p, --nr_free, now);
			}
		}
		nr_free += 4;
		pace_freed(&p, nr_free, 4 * 255, now);
	}
	ck_assert_uint_gt(nr_free, WALL + 5);
	ck_assert_uint_lt(nr_free, START);
	ck_assert_uint_lt(longest, 10 * MS);
	ck_assert_uint_ge(late, 200 * 4 * 255 * 9 / 10);
	ck_assert_uint_le(late, 200 * 4 * 255 * 11 / 10);
}
END_TEST

START_TEST(test_no_delay_is_longer_than_a_second)
{
	struct pace p;
	uint64_t now;

	pace_init(&p, WALL, START);
	now = learn(&p, 1000, 1, 3600000 * MS); /* a store that hangs */
	for (int i = 0; i < 1000; i++)
		ck_assert_uint_le(pace_admit(&p, WALL, 256, now), now + PACE_DELAY_MAX_NS);
}
END_TEST

START_TEST(test_it_ends_when_there_is_space)
{
	struct pace p;
	uint64_t now;

	pace_init(&p, WALL, START);
	now = learn(&p, 1000, 100, 100 * MS);
	for (int i = 0; i < 100; i++)
		pace_admit(&p, WALL, 10, now);
	ck_assert(pace_is_due(&p, WALL, now));
	ck_assert(pace_freed(&p, START, 100, now));
	ck_assert(!pace_is_due(&p, WALL, now));
	ck_assert_uint_eq(pace_admit(&p, WALL, 1, now), now);
}
END_TEST

/* The time in which the log was not short says nothing of how fast space is made. */
START_TEST(test_idle_time_is_not_measured)
{
	struct pace p;
	uint64_t now, cost;

	pace_init(&p, WALL, START);
	now = learn(&p, 1000, 100, 100 * MS);
	cost = p.cost_ns;
	ck_assert(pace_freed(&p, START, 100, now + 100 * MS));
	now += 3600000 * MS;
	pace_taken(&p, START - 1, now);
	pace_freed(&p, START - 1, 100, now + 100 * MS);
	ck_assert_uint_eq(p.cost_ns, cost);
}
END_TEST

static Suite *make_suite(void)
{
	Suite *suite = suite_create("pace");

	CHECK_CASE(suite, "pace", test_far_from_full_nobody_waits,
		   test_without_a_measured_rate_nobody_waits,
		   test_the_delay_grows_as_free_space_shrinks, test_inflow_settles_at_outflow,
		   test_no_delay_is_longer_than_a_second, test_it_ends_when_there_is_space,
		   test_idle_time_is_not_measured);
	return suite;
}
CHECK_MAIN(make_suite)
