// SPDX-License-Identifier: GPL-2.0-or-later
/* Paths of others lead nowhere but below the directory, with openat2(2) and without. */
#include "common/beneath.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/check_main.h"

static char top[32];
static int topfd, dirfd_;

/* top/outside, top/dir/{file, sub/file, out -> .., in -> sub, abs -> /etc, last -> file} */
static void setup(void)
{
	strcpy(top, "beneath.XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(top));
	topfd = open(top, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	ck_assert_int_eq(mkdirat(topfd, "dir", 0755), 0);
	dirfd_ = openat(topfd, "dir", O_PATH | O_DIRECTORY | O_CLOEXEC);
	ck_assert_int_eq(mkdirat(dirfd_, "sub", 0755), 0);
	for (const char *const *f = (const char *const[]){ "../outside", "file", "sub/file", NULL };
	     *f; f++)
		close(openat(dirfd_, *f, O_WRONLY | O_CREAT, 0644));
	ck_assert_int_eq(symlinkat("..", dirfd_, "out"), 0);
	ck_assert_int_eq(symlinkat("sub", dirfd_, "in"), 0);
	ck_assert_int_eq(symlinkat("/etc", dirfd_, "abs"), 0);
	ck_assert_int_eq(symlinkat("file", dirfd_, "last"), 0);
}

static void teardown(void)
{
	char command[64];

	close(dirfd_);
	close(topfd);
	snprintf(command, sizeof(command), "rm -rf %s", top);
	ck_assert_int_eq(system(command), 0);
}

/* Each test runs over both. */
static int look(int i, const char *path, int flags)
{
	int fd = (i ? beneath_walk : beneath_open)(dirfd_, path, flags);

	if (fd < 0)
		return fd;
	ck_assert_int_eq(fcntl(fd, F_GETFD), FD_CLOEXEC);
	close(fd);
	return 0;
}

START_TEST(what_is_inside_is_opened)
{
	ck_assert_int_eq(look(_i, "file", O_RDONLY), 0);
	ck_assert_int_eq(look(_i, "sub/file", O_RDWR), 0);
	ck_assert_int_eq(look(_i, "sub//file", O_RDONLY), 0);
	ck_assert_int_eq(look(_i, "./sub/./file", O_RDONLY), 0);
	ck_assert_int_eq(look(_i, "sub/", O_RDONLY), 0);
	ck_assert_int_eq(look(_i, "", O_RDONLY | O_DIRECTORY), 0);
	ck_assert_int_eq(look(_i, "last", O_PATH | O_NOFOLLOW), 0);
}
END_TEST

START_TEST(no_path_leads_out)
{
	static const char *const paths[] = { "..",	    "../outside", "sub/../../outside",
					     "/etc/passwd", "/",	  "../../etc/passwd",
					     "sub/../..",   "//etc",	  "./../outside",
					     "../dir/file" };

	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++)
		ck_assert_msg(look(_i, paths[i], O_PATH) == -EXDEV, "%s", paths[i]);
}
END_TEST

START_TEST(no_symlink_is_followed)
{
	static const char *const paths[] = { "out/outside", "in/file", "abs/passwd", "out/",
					     "in/../file",  "last/",   "out",	     "abs" };

	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
		int err = look(_i, paths[i], O_RDONLY);

		ck_assert_msg(err == -ELOOP || err == -ENOTDIR, "%s: %d", paths[i], err);
	}
	ck_assert_int_eq(look(_i, "last", O_RDONLY), -ELOOP);
	ck_assert_int_eq(look(_i, "last", O_PATH), -ELOOP);
	ck_assert_int_eq(look(_i, "last", O_RDWR | O_NOFOLLOW), -ELOOP);
}
END_TEST

START_TEST(errors_are_those_of_open)
{
	char name[300];

	memset(name, 'x', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	ck_assert_int_eq(look(_i, "nothing", O_RDONLY), -ENOENT);
	ck_assert_int_eq(look(_i, "nothing/file", O_RDONLY), -ENOENT);
	ck_assert_int_eq(look(_i, "file/x", O_RDONLY), -ENOTDIR);
	ck_assert_int_eq(look(_i, "file/", O_RDONLY), -ENOTDIR);
	ck_assert_int_eq(look(_i, "sub", O_RDWR), -EISDIR);
	ck_assert_int_eq(look(_i, name, O_RDONLY), -ENAMETOOLONG);
}
END_TEST

/* ---- somebody swaps a directory with a symlink all the time ---- */

static _Atomic bool is_over;

static void *swap(void *arg)
{
	(void)arg;
	ck_assert_int_eq(symlinkat("..", dirfd_, "other"), 0);
	while (!atomic_load(&is_over))
		(void)renameat2(dirfd_, "sub", dirfd_, "other", RENAME_EXCHANGE);
	return NULL;
}

START_TEST(a_symlink_swapped_in_leads_nowhere)
{
	struct stat inside, st;
	pthread_t thread;
	int found = 0;

	close(openat(topfd, "file", O_WRONLY | O_CREAT, 0644));
	ck_assert_int_eq(fstatat(dirfd_, "sub/file", &inside, 0), 0);
	ck_assert_int_eq(pthread_create(&thread, NULL, swap, NULL), 0);
	for (int i = 0; i < 20000; i++) {
		int fd = (_i ? beneath_walk : beneath_open)(dirfd_, "sub/file", O_RDONLY);

		if (fd < 0)
			continue;
		ck_assert_int_eq(fstat(fd, &st), 0);
		ck_assert_uint_eq(st.st_ino, inside.st_ino);
		close(fd);
		found++;
	}
	atomic_store(&is_over, true);
	pthread_join(thread, NULL);
	ck_assert_int_gt(found, 0);
}
END_TEST

static Suite *make_suite(void)
{
	Suite *s = suite_create("common_beneath");
	TCase *tc = tcase_create("beneath");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_loop_test(tc, what_is_inside_is_opened, 0, 2);
	tcase_add_loop_test(tc, no_path_leads_out, 0, 2);
	tcase_add_loop_test(tc, no_symlink_is_followed, 0, 2);
	tcase_add_loop_test(tc, errors_are_those_of_open, 0, 2);
	tcase_add_loop_test(tc, a_symlink_swapped_in_leads_nowhere, 0, 2);
	suite_add_tcase(s, tc);
	return s;
}

CHECK_MAIN(make_suite)
