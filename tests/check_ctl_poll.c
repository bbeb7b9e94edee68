// SPDX-License-Identifier: GPL-2.0-or-later
/* Who waits for a control file to change is told, once, and nobody else is. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>

#include "common/clock.h"
#include "common/mutex.h"
#include "tests/check_main.h"
#include "tests/fake/ctl_stub.h"
#include "tests/fake/ctl_walk.h"

#define PATIENCE_NS (20 * NSEC_PER_SEC)
#define LOOKS_NS (NSEC_PER_SEC / 2) /* several looks of the watcher */

static struct mutex lock;
static struct cond cond;
static unsigned int wakes; /* lock */
static uint64_t woken;	   /* lock: the last */

static void wake(void *ctx, uint64_t handle)
{
	ck_assert_ptr_eq(ctx, &wakes);
	LOCK_SCOPE(&lock);
	wakes++;
	woken = handle;
	cond_signal(&cond);
}

/* Until there were so many; false: not in that time. */
static bool wait_wakes(unsigned int nr, uint64_t ns)
{
	uint64_t end = clock_mono_ns() + ns;

	LOCK_SCOPE(&lock);
	while (wakes < nr)
		if (cond_timedwait_ns(&cond, &lock, end) == -ETIMEDOUT)
			return wakes >= nr;
	return true;
}

static void setup(void)
{
	mutex_init(&lock, 1010, "test");
	cond_init(&cond);
	wakes = 0;
	tree_setup();
	ctlfs_set_wake(tree, wake, &wakes);
}

static void teardown(void)
{
	tree_teardown();
	cond_destroy(&cond);
	mutex_destroy(&lock);
}

static bool poll_file(struct ctl_file *f, uint64_t handle)
{
	bool is_changed = false;

	ck_assert_int_eq(ctlfs_poll(f, handle ? &handle : NULL, &is_changed), 0);
	return is_changed;
}

static void read_file(struct ctl_file *f)
{
	char buf[4096];

	ck_assert_int_gt(ctlfs_read(f, buf, sizeof(buf), 0), 0);
}

static struct ctl_file *open_and_read(const char *path)
{
	struct ctl_file *f = tree_open(path, O_RDWR);

	read_file(f);
	return f;
}

START_TEST(a_file_that_was_not_read_has_changed)
{
	struct ctl_file *f = tree_open("caches/1/update_interval", O_RDONLY);

	ck_assert(poll_file(f, 5));
	read_file(f);
	ck_assert(!poll_file(f, 0));
	ctlfs_release(f);
	ck_assert_uint_eq(wakes, 0);
}
END_TEST

START_TEST(a_write_wakes_at_once)
{
	struct ctl_file *f = open_and_read("caches/1/update_interval");
	struct ctl_file *other = open_and_read("caches/1/barrier_deadline_ms");

	ck_assert(!poll_file(f, 7));
	ck_assert(!poll_file(other, 8));
	ck_assert_int_eq(echo("caches/1/update_interval", "5"), 1);
	ck_assert(wait_wakes(1, 0));
	ck_assert_uint_eq(woken, 7);
	ck_assert(poll_file(f, 7));
	ck_assert(!poll_file(other, 0));
	read_file(f);
	ck_assert(!poll_file(f, 0));
	ctlfs_release(f);
	ctlfs_release(other);
}
END_TEST

START_TEST(there_and_back_is_a_change)
{
	struct ctl_file *f = open_and_read("caches/1/update_interval");

	ck_assert_int_eq(echo("caches/1/update_interval", "5"), 1);
	ck_assert_int_eq(echo("caches/1/update_interval", "0"), 1);
	ck_assert(poll_file(f, 0));
	read_file(f);
	ck_assert(!poll_file(f, 0));
	ctlfs_release(f);
}
END_TEST

START_TEST(a_refused_write_is_no_change)
{
	struct ctl_file *f = open_and_read("caches/1/update_interval");

	ck_assert(!poll_file(f, 7));
	ck_assert_int_eq(echo("caches/1/update_interval", "x"), -EINVAL);
	ck_assert_int_eq(echo("caches/1/update_interval", "99999"), -ERANGE);
	stub.knob_error = -EIO;
	ck_assert_int_eq(echo("caches/1/update_interval", "5"), -EIO);
	ck_assert(!poll_file(f, 0));
	ck_assert(!wait_wakes(1, 0));
	ctlfs_release(f);
}
END_TEST

START_TEST(a_value_that_changes_by_itself_wakes_once)
{
	struct ctl_file *f = tree_open("caches/1/nr_dirty_caches", O_RDONLY);

	read_file(f);
	ck_assert(!poll_file(f, 9));
	stub_lock();
	stub.status.dirty_blocks = 4;
	stub_unlock();
	ck_assert(wait_wakes(1, PATIENCE_NS));
	ck_assert_uint_eq(woken, 9);
	stub_lock();
	stub.status.dirty_blocks = 5;
	stub_unlock();
	ck_assert_msg(!wait_wakes(2, LOOKS_NS), "woken again, unasked");
	ck_assert(poll_file(f, 9));
	ctlfs_release(f);
}
END_TEST

START_TEST(who_comes_after_all_have_gone_is_woken)
{
	struct ctl_file *f = tree_open("caches/1/nr_dirty_caches", O_RDONLY);
	struct ctl_file *other = open_and_read("caches/1/update_interval");

	ck_assert(!poll_file(other, 5));
	ck_assert(!wait_wakes(1, NSEC_PER_SEC / 20)); /* the watcher waits for its time */
	ctlfs_release(other);
	ck_assert(!wait_wakes(1, LOOKS_NS)); /* and finds nobody */
	read_file(f);
	ck_assert(!poll_file(f, 9));
	stub_lock();
	stub.status.dirty_blocks = 4;
	stub_unlock();
	ck_assert(wait_wakes(1, PATIENCE_NS));
	ctlfs_release(f);
}
END_TEST

START_TEST(an_image_that_goes_wakes)
{
	struct ctl_file *f = tree_open("devices/7/state", O_RDONLY);

	read_file(f);
	ck_assert(!poll_file(f, 9));
	stub_lock();
	stub.image[0].is_gone = true;
	stub_unlock();
	ck_assert(wait_wakes(1, PATIENCE_NS));
	ctlfs_release(f);
}
END_TEST

START_TEST(an_image_that_is_worked_on_is_not_waited_for)
{
	struct ctl_file *locked = tree_open("devices/7/state", O_RDONLY);
	struct ctl_file *f = tree_open("caches/1/nr_dirty_caches", O_RDONLY);

	read_file(locked);
	read_file(f);
	ck_assert(!poll_file(locked, 1));
	ck_assert(!poll_file(f, 2));
	stub_lock();
	stub.image[0].is_locked = true;
	stub_unlock();
	ck_assert_msg(!wait_wakes(1, LOOKS_NS), "woken by %d", (int)woken);
	stub_lock();
	stub.status.dirty_blocks = 4;
	stub_unlock();
	ck_assert(wait_wakes(1, PATIENCE_NS));
	ck_assert_uint_eq(woken, 2);
	ctlfs_release(locked);
	ctlfs_release(f);
}
END_TEST

START_TEST(who_has_closed_is_not_woken)
{
	struct ctl_file *f = tree_open("caches/1/nr_dirty_caches", O_RDONLY);

	read_file(f);
	ck_assert(!poll_file(f, 9));
	ctlfs_release(f);
	stub_lock();
	stub.status.dirty_blocks = 4;
	stub_unlock();
	ck_assert(!wait_wakes(1, LOOKS_NS));
}
END_TEST

START_TEST(without_a_session_nobody_is_woken)
{
	struct ctl_file *f = open_and_read("caches/1/update_interval");

	ck_assert(!poll_file(f, 9));
	ctlfs_set_wake(tree, NULL, NULL);
	ck_assert_int_eq(echo("caches/1/update_interval", "5"), 1);
	ck_assert(!wait_wakes(1, 0));
	ctlfs_release(f);
}
END_TEST

#define WRITERS 4
#define WRITES 300

static void *writer(void *arg)
{
	struct ctl_file *f = arg;
	char text[8];

	for (int i = 0; i < WRITES; i++) {
		int n = snprintf(text, sizeof(text), "%d\n", i % 100);

		ck_assert_int_eq(ctlfs_write(f, text, (size_t)n), n);
	}
	return NULL;
}

START_TEST(writers_readers_and_pollers_do_not_disturb_each_other)
{
	struct ctl_file *f[WRITERS], *mine = open_and_read("caches/1/migrate_threshold");
	pthread_t thread[WRITERS];
	char buf[64];

	for (int i = 0; i < WRITERS; i++) {
		f[i] = tree_open("caches/1/migrate_threshold", O_WRONLY);
		ck_assert_int_eq(pthread_create(&thread[i], NULL, writer, f[i]), 0);
	}
	for (int i = 0; i < WRITES; i++) {
		ssize_t n = ctlfs_read(mine, buf, sizeof(buf) - 1, 0);

		ck_assert_int_gt(n, 1);
		buf[n] = '\0';
		ck_assert_int_eq(buf[n - 1], '\n');
		ck_assert_int_lt(atoi(buf), 100);
		(void)poll_file(mine, 3);
	}
	for (int i = 0; i < WRITERS; i++) {
		pthread_join(thread[i], NULL);
		ctlfs_release(f[i]);
	}
	ctlfs_release(mine);
	ck_assert_int_eq(stub.knob_sets, WRITERS * WRITES);
}
END_TEST

static void *drainer(void *arg)
{
	return ctlfs_write(arg, "1", 1) == 1 ? arg : NULL;
}

static int nr_drains(void)
{
	int n;

	stub_lock();
	n = stub.image[1].drains;
	stub_unlock();
	return n;
}

START_TEST(a_hung_backing_store_leaves_threads_for_others)
{
	struct ctl_file *f[4];
	pthread_t thread[4];
	void *done;

	stub.is_hung = true;
	for (int i = 0; i < 4; i++) {
		f[i] = tree_open("devices/3/drain", O_WRONLY);
		ck_assert_int_eq(pthread_create(&thread[i], NULL, drainer, f[i]), 0);
	}
	while (nr_drains() < 4)
		sched_yield();
	ck_assert_int_eq(echo("devices/7/drain", "1"), -EBUSY);
	ck_assert_int_eq(echo("drain", "1"), -EBUSY);
	ck_assert_int_eq(echo("devices/7/cache_id", "1"), -EBUSY);
	ck_assert_int_eq(echo("devices/7/drain", "0"), -ERANGE);
	ck_assert_int_eq(echo("caches/1/update_interval", "5"), 1);
	ck_assert_int_eq(echo("flush", "1"), 1);
	stub_let_go();
	for (int i = 0; i < 4; i++) {
		pthread_join(thread[i], &done);
		ck_assert_ptr_eq(done, f[i]);
		ctlfs_release(f[i]);
	}
	ck_assert_int_eq(echo("devices/7/drain", "1"), 1);
}
END_TEST

static Suite *make_suite(void)
{
	Suite *s = suite_create("ctl_poll");
	TCase *tc = tcase_create("poll");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, a_file_that_was_not_read_has_changed);
	tcase_add_test(tc, a_write_wakes_at_once);
	tcase_add_test(tc, there_and_back_is_a_change);
	tcase_add_test(tc, a_refused_write_is_no_change);
	tcase_add_test(tc, a_value_that_changes_by_itself_wakes_once);
	tcase_add_test(tc, who_comes_after_all_have_gone_is_woken);
	tcase_add_test(tc, an_image_that_goes_wakes);
	tcase_add_test(tc, an_image_that_is_worked_on_is_not_waited_for);
	tcase_add_test(tc, who_has_closed_is_not_woken);
	tcase_add_test(tc, without_a_session_nobody_is_woken);
	tcase_add_test(tc, a_hung_backing_store_leaves_threads_for_others);
	tcase_add_test(tc, writers_readers_and_pollers_do_not_disturb_each_other);
	suite_add_tcase(s, tc);
	return s;
}

CHECK_MAIN(make_suite)
