// SPDX-License-Identifier: GPL-2.0-or-later
/* `.lcfs/` in the backing directory: lock, UUID, list of caches, clock. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lcfs/image/privdir.h"
#include "tests/check_main.h"

static char dir[64], text[300];
static int dirfd_;
static struct privdir p;

static void setup(void)
{
	strcpy(dir, "privdir.XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	dirfd_ = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	ck_assert_int_eq(privdir_open(&p, dirfd_, true, text, sizeof(text)), 0);
}

static void teardown(void)
{
	char command[100];

	privdir_close(&p);
	close(dirfd_);
	snprintf(command, sizeof(command), "rm -rf %s", dir);
	ck_assert_int_eq(system(command), 0);
}

static int reopen(void)
{
	privdir_close(&p);
	return privdir_open(&p, dirfd_, true, text, sizeof(text));
}

static void put(const char *name, const char *content)
{
	int fd = openat(dirfd_, name, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, content, strlen(content)), (ssize_t)strlen(content));
	close(fd);
}

START_TEST(the_uuid_stays_once_it_is_kept)
{
	uint8_t uuid[UUID_BYTES];

	ck_assert(!p.has_uuid);
	memcpy(uuid, p.uuid, sizeof(uuid));
	ck_assert_int_eq(reopen(), 0);
	ck_assert_mem_ne(uuid, p.uuid, sizeof(uuid));
	memcpy(uuid, p.uuid, sizeof(uuid));
	ck_assert_int_eq(privdir_keep_uuid(&p, dirfd_), 0);
	ck_assert_int_eq(reopen(), 0);
	ck_assert(p.has_uuid);
	ck_assert_mem_eq(uuid, p.uuid, sizeof(uuid));
}
END_TEST

START_TEST(a_damaged_uuid_is_an_error_and_not_replaced)
{
	put(".lcfs/uuid", "nonsense\n");
	ck_assert_int_eq(reopen(), -EUCLEAN);
	ck_assert_ptr_nonnull(strstr(text, "uuid"));
}
END_TEST

START_TEST(the_lock_has_one_holder_and_names_it)
{
	struct privdir second;
	char pid[32];

	ck_assert_int_eq(privdir_open(&second, dirfd_, true, text, sizeof(text)), -EBUSY);
	snprintf(pid, sizeof(pid), "pid %ld", (long)getpid());
	ck_assert_ptr_nonnull(strstr(text, pid));
	privdir_close(&p);
	ck_assert_int_eq(privdir_open(&second, dirfd_, true, text, sizeof(text)), 0);
	privdir_close(&second);
}
END_TEST

START_TEST(caches_are_listed_and_taken_off)
{
	uint8_t a[UUID_BYTES] = { 1 }, b[UUID_BYTES] = { 2 };
	struct privdir_caches c;

	ck_assert_int_eq(privdir_caches_read(&p, &c), 0);
	ck_assert_uint_eq(c.nr, 0);
	ck_assert_int_eq(privdir_caches_set(&p, a, true), 0);
	ck_assert_int_eq(privdir_caches_set(&p, b, true), 0);
	ck_assert_int_eq(privdir_caches_set(&p, a, true), 0);
	ck_assert_int_eq(reopen(), 0);
	ck_assert_int_eq(privdir_caches_read(&p, &c), 0);
	ck_assert_uint_eq(c.nr, 2);
	ck_assert_mem_eq(c.uuid[0], a, sizeof(a));
	ck_assert_mem_eq(c.uuid[1], b, sizeof(b));
	ck_assert_int_eq(privdir_caches_set(&p, a, false), 0);
	ck_assert_int_eq(privdir_caches_set(&p, a, false), 0);
	ck_assert_int_eq(privdir_caches_read(&p, &c), 0);
	ck_assert_uint_eq(c.nr, 1);
	ck_assert_mem_eq(c.uuid[0], b, sizeof(b));
}
END_TEST

START_TEST(a_list_of_caches_that_is_not_understood_is_an_error)
{
	struct privdir_caches c;
	uint8_t a[UUID_BYTES] = { 1 };

	put(".lcfs/caches", "12345678-1234-1234-1234-123456789abc\nnonsense\n");
	ck_assert_int_eq(privdir_caches_read(&p, &c), -EUCLEAN);
	ck_assert_int_eq(privdir_caches_set(&p, a, true), -EUCLEAN);
}
END_TEST

START_TEST(a_full_list_of_caches_takes_no_more)
{
	uint8_t a[UUID_BYTES] = { 0 };
	struct privdir_caches c;

	for (int i = 0; i < PRIVDIR_CACHES_MAX; i++) {
		a[0] = (uint8_t)(i + 1);
		ck_assert_int_eq(privdir_caches_set(&p, a, true), 0);
	}
	a[1] = 1;
	ck_assert_int_eq(privdir_caches_set(&p, a, true), -ENOSPC);
	ck_assert_int_eq(privdir_caches_read(&p, &c), 0);
	ck_assert_uint_eq(c.nr, PRIVDIR_CACHES_MAX);
}
END_TEST

START_TEST(the_clock_is_that_of_the_filesystem_and_goes_forward)
{
	int64_t a, b;
	struct stat st;

	ck_assert_int_eq(privdir_clock(&p, &a), 0);
	put("now", "x");
	ck_assert_int_eq(fstatat(dirfd_, "now", &st, 0), 0);
	ck_assert_int_eq(privdir_clock(&p, &b), 0);
	ck_assert_int_le(a, b);
	ck_assert_int_le(a / 1000000000, st.st_ctim.tv_sec);
	ck_assert_int_ge(b / 1000000000, st.st_ctim.tv_sec);
}
END_TEST

START_TEST(nothing_is_made_where_nothing_may_be_written)
{
	struct privdir q;
	struct privdir_caches c;
	uint8_t a[UUID_BYTES] = { 1 };
	int64_t now;
	int fd;

	ck_assert_int_eq(mkdirat(dirfd_, "sub", 0755), 0);
	fd = openat(dirfd_, "sub", O_PATH);
	ck_assert_int_eq(privdir_open(&q, fd, false, text, sizeof(text)), 0);
	ck_assert_int_eq(faccessat(fd, ".lcfs", F_OK, 0), -1);
	ck_assert_int_eq(privdir_caches_read(&q, &c), 0);
	ck_assert_int_eq(privdir_caches_set(&q, a, true), -EROFS);
	ck_assert_int_eq(privdir_keep_uuid(&q, fd), -EROFS);
	ck_assert_int_eq(privdir_clock(&q, &now), 0);
	privdir_close(&q);
	close(fd);
}
END_TEST

static Suite *make_suite(void)
{
	Suite *s = suite_create("image_privdir");
	TCase *tc = tcase_create("privdir");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, the_uuid_stays_once_it_is_kept);
	tcase_add_test(tc, a_damaged_uuid_is_an_error_and_not_replaced);
	tcase_add_test(tc, the_lock_has_one_holder_and_names_it);
	tcase_add_test(tc, caches_are_listed_and_taken_off);
	tcase_add_test(tc, a_list_of_caches_that_is_not_understood_is_an_error);
	tcase_add_test(tc, a_full_list_of_caches_takes_no_more);
	tcase_add_test(tc, the_clock_is_that_of_the_filesystem_and_goes_forward);
	tcase_add_test(tc, nothing_is_made_where_nothing_may_be_written);
	suite_add_tcase(s, tc);
	return s;
}

CHECK_MAIN(make_suite)
