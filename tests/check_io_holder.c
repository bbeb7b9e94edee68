// SPDX-License-Identifier: GPL-2.0-or-later
/* Finding who has a file open. */
#include "lcfs/io/holder.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/check_main.h"

static char path[64];

static void setup(void)
{
	int fd;

	snprintf(path, sizeof(path), "/tmp/lcfs-holder.XXXXXX");
	fd = mkstemp(path);
	ck_assert_int_ge(fd, 0);
	close(fd);
}

static void teardown(void)
{
	unlink(path);
}

/* A child called comm that has path open; it has when this returns. */
static pid_t start_holder(const char *comm)
{
	int ready[2];
	pid_t pid;
	char c;

	ck_assert_int_eq(pipe(ready), 0);
	pid = fork();
	if (pid == 0) {
		holder_set_comm(comm);
		if (open(path, O_RDONLY) < 0 || write(ready[1], "", 1) != 1)
			_exit(1);
		for (;;)
			pause();
	}
	ck_assert_int_gt(pid, 0);
	ck_assert_int_eq(read(ready[0], &c, 1), 1);
	close(ready[0]);
	close(ready[1]);
	return pid;
}

static void stop(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

START_TEST(a_daemon_is_found_and_told_from_one_that_ends)
{
	pid_t pid = start_holder(HOLDER_SERVING);
	struct holder h;

	ck_assert_int_eq(holder_find(path, &h), 1);
	ck_assert_int_eq(h.pid, pid);
	ck_assert(h.is_lcfs);
	ck_assert(!h.is_closing);
	stop(pid);

	pid = start_holder(HOLDER_CLOSING);
	ck_assert_int_eq(holder_find(path, &h), 1);
	ck_assert_int_eq(h.pid, pid);
	ck_assert(h.is_lcfs);
	ck_assert(h.is_closing);
	stop(pid);
}
END_TEST

START_TEST(a_daemon_is_preferred_to_others)
{
	pid_t before = start_holder("cat"), daemon = start_holder(HOLDER_SERVING),
	      after = start_holder("dd");
	struct holder h;

	ck_assert_int_eq(holder_find(path, &h), 1);
	ck_assert_int_eq(h.pid, daemon);
	stop(daemon);
	ck_assert_int_eq(holder_find(path, &h), 1);
	ck_assert(!h.is_lcfs);
	ck_assert(h.pid == before || h.pid == after);
	stop(before);
	stop(after);
}
END_TEST

START_TEST(own_descriptors_do_not_count)
{
	int fd = open(path, O_RDONLY);
	struct holder h;

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(holder_find(path, &h), 0);
	close(fd);
}
END_TEST

START_TEST(what_is_not_there_has_an_error)
{
	struct holder h;

	ck_assert_int_eq(holder_find("/nonexistent/x", &h), -ENOENT);
}
END_TEST

static Suite *make_suite(void)
{
	Suite *s = suite_create("holder");
	TCase *tc = tcase_create("holder");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, a_daemon_is_found_and_told_from_one_that_ends);
	tcase_add_test(tc, a_daemon_is_preferred_to_others);
	tcase_add_test(tc, own_descriptors_do_not_count);
	tcase_add_test(tc, what_is_not_there_has_an_error);
	suite_add_tcase(s, tc);
	return s;
}

CHECK_MAIN(make_suite)
