// SPDX-License-Identifier: GPL-2.0-or-later
/* The mark and the locks on a backing file; the thread pool. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "lcfs/image/guard.h"
#include "lcfs/image/left.h"
#include "lcfs/image/taskpool.h"
#include "tests/check_main.h"

static char path[64];
static int fd;

static void setup(void)
{
	strcpy(path, "guard.XXXXXX");
	fd = mkstemp(path);
	ck_assert_int_ge(fd, 0);
}

static void teardown(void)
{
	close(fd);
	unlink(path);
}

static int another(void)
{
	int other = open(path, O_RDWR | O_CLOEXEC);

	ck_assert_int_ge(other, 0);
	return other;
}

START_TEST(a_mark_is_read_back_and_removed)
{
	static const uint8_t uuid[UUID_BYTES] = { 1, 2,	 3,  4,	 5,  6,	 7,  8,
						  9, 10, 11, 12, 13, 14, 15, 16 };
	uint8_t back[UUID_BYTES];
	int r = guard_mark_set(fd, uuid);

	if (r == -EOPNOTSUPP) {
		printf("not tested: no extended attributes here\n");
		return;
	}
	ck_assert_int_eq(r, 0);
	ck_assert_int_eq(guard_mark_get(fd, back), 0);
	ck_assert_mem_eq(uuid, back, sizeof(uuid));
	ck_assert_int_eq(guard_mark_clear(fd), 0);
	ck_assert_int_eq(guard_mark_get(fd, back), -ENODATA);
	ck_assert_int_eq(guard_mark_clear(fd), 0);
}
END_TEST

static struct left left_of(uint8_t cache, uint64_t lsn, bool is_void)
{
	return (struct left){ .uuid = { cache, 7 },
			      .lsn = lsn,
			      .epoch = is_void ? UINT64_MAX : 0,
			      .is_void = is_void };
}

/* -ENODATA, or what the mark says of that cache. */
static int says(uint8_t cache, struct left *l)
{
	const uint8_t uuid[UUID_BYTES] = { cache, 7 };

	return left_get(fd, uuid, l);
}

START_TEST(a_file_says_of_each_cache_that_it_left_it)
{
	const uint8_t second[UUID_BYTES] = { 2, 7 };
	struct left l = left_of(1, 4711, false);
	int path_fd = open(path, O_PATH | O_CLOEXEC);
	int r = left_put(fd, &l);

	if (r == -EOPNOTSUPP) {
		printf("not tested: no extended attributes here\n");
		close(path_fd);
		return;
	}
	ck_assert_int_eq(r, 0);
	l = left_of(2, UINT64_MAX, true);
	ck_assert_int_eq(left_put(path_fd, &l), 0);
	close(path_fd);
	ck_assert_int_eq(says(1, &l), 0);
	ck_assert(!l.is_void && l.lsn == 4711);
	ck_assert_int_eq(says(2, &l), 0);
	ck_assert(l.is_void && l.lsn == UINT64_MAX && l.epoch == UINT64_MAX);
	ck_assert_int_eq(says(3, &l), -ENODATA);
	l = left_of(1, 5, true);
	ck_assert_int_eq(left_put(fd, &l), 0);
	ck_assert_int_eq(left_remove(fd, second), 0);
	ck_assert_int_eq(says(2, &l), -ENODATA);
	ck_assert_int_eq(says(1, &l), 0);
	ck_assert(l.is_void && l.lsn == 5);
	for (uint8_t cache = 2; cache <= 9; cache++) { /* one more than it holds */
		l = left_of(cache, UINT64_MAX - cache, true);
		ck_assert_int_eq(left_put(fd, &l), 0);
	}
	ck_assert_int_eq(says(1, &l), -ENODATA);
	for (uint8_t cache = 2; cache <= 9; cache++) {
		const uint8_t uuid[UUID_BYTES] = { cache, 7 };

		ck_assert_int_eq(says(cache, &l), 0);
		ck_assert_uint_eq(l.lsn, UINT64_MAX - cache);
		ck_assert_int_eq(left_remove(fd, uuid), 0);
	}
	ck_assert_int_lt(fgetxattr(fd, "user.lcfs.left", NULL, 0), 0);
}
END_TEST

/* What cannot be understood says nothing, and is no hindrance. */
START_TEST(a_mark_that_others_wrote_is_ignored)
{
	static const char *const text[] = {
		"",
		";",
		"1 2",
		"nonsense",
		"00000000-0000-0000 1",
		"01070000-0000-0000-0000-000000000000 void",
		"01070000-0000-0000-0000-000000000000 void 12",
		"01070000-0000-0000-0000-000000000000 void 12 ",
		"01070000-0000-0000-0000-000000000000 void x 3",
		"01070000-0000-0000-0000-000000000000 -1",
		"01070000-0000-0000-0000-000000000000 99999999999999999999",
		"01070000-0000-0000-0000-000000000000 1 2"
	};
	struct left l;

	for (size_t i = 0; i < sizeof(text) / sizeof(text[0]); i++) {
		if (fsetxattr(fd, "user.lcfs.left", text[i], strlen(text[i]), 0) < 0)
			return;
		ck_assert_int_eq(says(1, &l), -ENODATA);
		l = left_of(1, 3, false);
		ck_assert_int_eq(left_put(fd, &l), 0);
		ck_assert_int_eq(says(1, &l), 0);
	}
}
END_TEST

START_TEST(two_descriptors_of_one_lcfs_do_not_exclude_each_other)
{
	int direct = another();

	ck_assert_int_eq(guard_lock(fd, GUARD_BUFFERED), 0);
	ck_assert_int_eq(guard_lock(direct, GUARD_DIRECT), 0);
	close(direct);
}
END_TEST

START_TEST(another_lcfs_is_told_to_wait)
{
	int other = another();

	ck_assert_int_eq(guard_lock(fd, GUARD_BUFFERED), 0);
	ck_assert_int_eq(guard_lock(other, GUARD_BUFFERED), -EAGAIN);
	ck_assert(!guard_is_foreign(other)); /* it is not a virtual machine's */
	close(other);
}
END_TEST

START_TEST(a_lock_goes_with_its_process)
{
	int other = another(), status;
	pid_t pid = fork();

	if (pid == 0) {
		int mine = open(path, O_RDWR);

		if (mine < 0 || guard_lock(mine, GUARD_BUFFERED) < 0)
			_exit(1);
		kill(getpid(), SIGKILL);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert(WIFSIGNALED(status));
	ck_assert_int_eq(guard_lock(other, GUARD_BUFFERED), 0);
	close(other);
}
END_TEST

static int read_lock(int other, off_t byte)
{
	struct flock l = { .l_type = F_RDLCK, .l_whence = SEEK_SET, .l_start = byte, .l_len = 1 };

	return fcntl(other, F_OFD_SETLK, &l);
}

START_TEST(a_writer_that_locks_as_qemu_does_is_seen)
{
	int other = another();

	ck_assert(!guard_is_foreign(fd));
	ck_assert_int_eq(read_lock(other, 100), 0); /* only reads */
	ck_assert(!guard_is_foreign(fd));
	ck_assert_int_eq(read_lock(other, 101), 0);
	ck_assert(guard_is_foreign(fd));
	close(other);
	ck_assert(!guard_is_foreign(fd));
	other = another();
	ck_assert_int_eq(read_lock(other, 201), 0); /* lets nobody write */
	ck_assert(guard_is_foreign(fd));
	close(other);
}
END_TEST

struct counted {
	struct task task;
	atomic_int *count;
};

static void count_up(struct task *t)
{
	atomic_fetch_add(container_of(t, struct counted, task)->count, 1);
}

START_TEST(the_pool_runs_each_task_once_before_it_stops)
{
	static struct counted task[1000];
	atomic_int count = 0;
	struct taskpool *pool;

	ck_assert_int_eq(taskpool_start(&pool, 3, "test"), 0);
	for (int i = 0; i < 1000; i++) {
		task[i].task.run = count_up;
		task[i].count = &count;
		taskpool_add(pool, &task[i].task);
	}
	ck_assert(taskpool_stop(pool));
	ck_assert_int_eq(count, 1000);
	ck_assert(taskpool_stop(NULL));
}
END_TEST

static Suite *make_suite(void)
{
	Suite *s = suite_create("image_guard");
	TCase *tc = tcase_create("guard");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, a_mark_is_read_back_and_removed);
	tcase_add_test(tc, a_file_says_of_each_cache_that_it_left_it);
	tcase_add_test(tc, a_mark_that_others_wrote_is_ignored);
	tcase_add_test(tc, two_descriptors_of_one_lcfs_do_not_exclude_each_other);
	tcase_add_test(tc, another_lcfs_is_told_to_wait);
	tcase_add_test(tc, a_lock_goes_with_its_process);
	tcase_add_test(tc, a_writer_that_locks_as_qemu_does_is_seen);
	suite_add_tcase(s, tc);
	CHECK_CASE(s, "pool", the_pool_runs_each_task_once_before_it_stops);
	return s;
}

CHECK_MAIN(make_suite)
