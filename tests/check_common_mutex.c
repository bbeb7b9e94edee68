// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The ranked mutex, built here with PARANOID whatever the configuration. Each misuse must end the
 * program; in the child that libcheck forks for a test that is SIGABRT.
 */
#include "common/mutex.h"

#include <errno.h>
#include <signal.h>

#include "common/clock.h"
#include "tests/check_main.h"

static struct mutex low, middle, high;

static void setup(void)
{
	mutex_init(&low, 1, "low");
	mutex_init(&middle, 2, "middle");
	mutex_init(&high, 3, "high");
}

static void teardown(void)
{
	mutex_destroy(&low);
	mutex_destroy(&middle);
	mutex_destroy(&high);
}

static void *count_up(void *arg)
{
	int *counter = arg;

	for (int i = 0; i < 20000; i++) {
		LOCK_SCOPE(&low);
		(*counter)++;
	}
	return NULL;
}

START_TEST(threads_exclude_each_other)
{
	pthread_t threads[4];
	int counter = 0;

	for (size_t i = 0; i < array_size(threads); i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, count_up, &counter), 0);
	for (size_t i = 0; i < array_size(threads); i++)
		pthread_join(threads[i], NULL);
	ck_assert_int_eq(counter, 4 * 20000);
}
END_TEST

START_TEST(rising_ranks_may_be_unlocked_in_any_order)
{
	mutex_lock(&low);
	mutex_lock(&middle);
	mutex_lock(&high);
	mutex_unlock(&middle);
	mutex_unlock(&high);
	mutex_lock(&middle);
	mutex_unlock(&low);
	mutex_unlock(&middle);
	mutex_lock(&low);
	mutex_assert_held(&low);
	mutex_unlock(&low);
}
END_TEST

START_TEST(a_falling_rank_ends_the_program)
{
	mutex_lock(&middle);
	mutex_lock(&low);
}
END_TEST

START_TEST(an_equal_rank_ends_the_program)
{
	struct mutex other;

	mutex_init(&other, 2, "other");
	mutex_lock(&middle);
	mutex_lock(&other);
}
END_TEST

START_TEST(a_falling_rank_is_seen_after_unlocking_out_of_order)
{
	mutex_lock(&low);
	mutex_lock(&middle);
	mutex_lock(&high);
	mutex_unlock(&low);
	mutex_unlock(&middle);
	mutex_lock(&middle);
}
END_TEST

START_TEST(to_lock_twice_ends_the_program)
{
	mutex_lock(&low);
	mutex_lock(&low);
}
END_TEST

START_TEST(to_unlock_what_is_free_ends_the_program)
{
	mutex_unlock(&low);
}
END_TEST

START_TEST(to_destroy_what_is_held_ends_the_program)
{
	mutex_lock(&low);
	mutex_destroy(&low);
}
END_TEST

static void *assert_held(void *arg)
{
	mutex_assert_held(arg);
	return NULL;
}

START_TEST(the_assertion_fails_in_another_thread)
{
	pthread_t thread;

	mutex_lock(&low);
	mutex_assert_held(&low);
	pthread_create(&thread, NULL, assert_held, &low);
	pthread_join(thread, NULL);
}
END_TEST

static void leave_early(int *reached)
{
	LOCK_SCOPE(&low);
	mutex_assert_held(&low);
	*reached = 1;
}

START_TEST(a_scope_unlocks_at_its_end)
{
	int reached = 0;

	leave_early(&reached);
	ck_assert_int_eq(reached, 1);
	{
		LOCK_SCOPE(&low);
		LOCK_SCOPE(&middle);
	}
	mutex_lock(&low);
	mutex_unlock(&low);
}
END_TEST

struct handover {
	struct cond cond;
	int turn;
};

/* Waits for each odd turn and makes it even. */
static void *answer(void *arg)
{
	struct handover *h = arg;

	mutex_lock(&low);
	while (h->turn < 200) {
		if (h->turn % 2 == 0) {
			cond_wait(&h->cond, &low);
			continue;
		}
		h->turn++;
		cond_signal(&h->cond);
	}
	mutex_unlock(&low);
	return NULL;
}

START_TEST(a_condition_hands_over_and_keeps_the_owner)
{
	struct handover h = { .turn = 0 };
	pthread_t thread;

	cond_init(&h.cond);
	pthread_create(&thread, NULL, answer, &h);
	mutex_lock(&low);
	while (h.turn < 200) {
		if (h.turn % 2 == 0) {
			h.turn++;
			cond_broadcast(&h.cond);
			continue;
		}
		cond_wait(&h.cond, &low);
		mutex_assert_held(&low);
	}
	cond_broadcast(&h.cond);
	mutex_unlock(&low);
	pthread_join(thread, NULL);
	cond_destroy(&h.cond);
}
END_TEST

START_TEST(a_timed_wait_ends_at_its_deadline_and_not_before)
{
	uint64_t deadline = clock_mono_ns() + 20 * NSEC_PER_MSEC;
	struct cond c;
	int ret;

	cond_init(&c);
	mutex_lock(&low);
	do {
		ret = cond_timedwait_ns(&c, &low, deadline);
	} while (ret == 0);
	ck_assert_int_eq(ret, -ETIMEDOUT);
	ck_assert_uint_ge(clock_mono_ns(), deadline);
	mutex_assert_held(&low);
	mutex_unlock(&low);
	cond_destroy(&c);
}
END_TEST

static Suite *mutex_suite(void)
{
	static const TTest *const *const misuses[] = {
		&a_falling_rank_ends_the_program,
		&an_equal_rank_ends_the_program,
		&a_falling_rank_is_seen_after_unlocking_out_of_order,
		&to_lock_twice_ends_the_program,
		&to_unlock_what_is_free_ends_the_program,
		&to_destroy_what_is_held_ends_the_program,
		&the_assertion_fails_in_another_thread,
	};
	Suite *s = suite_create("mutex");
	TCase *tc = tcase_create("mutex");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, threads_exclude_each_other);
	tcase_add_test(tc, rising_ranks_may_be_unlocked_in_any_order);
	tcase_add_test(tc, a_scope_unlocks_at_its_end);
	tcase_add_test(tc, a_condition_hands_over_and_keeps_the_owner);
	tcase_add_test(tc, a_timed_wait_ends_at_its_deadline_and_not_before);
	for (size_t i = 0; i < array_size(misuses); i++)
		tcase_add_test_raise_signal(tc, *misuses[i], SIGABRT);
	suite_add_tcase(s, tc);
	return s;
}

CHECK_MAIN(mutex_suite)
