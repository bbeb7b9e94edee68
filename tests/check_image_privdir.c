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

static int note(struct privdir *q, uint8_t name, uint32_t id, bool is_dirty)
{
	struct privdir_cache c = { .uuid = { name }, .id = id, .is_dirty = is_dirty };

	return privdir_caches_set(q, &c);
}

static bool is_noted(uint8_t name, uint32_t id, bool is_dirty)
{
	uint8_t uuid[UUID_BYTES] = { name };
	const struct privdir_cache *at;
	struct privdir_caches c;

	ck_assert_int_eq(privdir_caches_read(&p, &c), 0);
	at = privdir_caches_find(&c, uuid);
	return at && at->id == id && at->is_dirty == is_dirty;
}

START_TEST(caches_keep_their_ids_and_say_whether_they_are_dirty)
{
	struct privdir_caches c;

	ck_assert_int_eq(privdir_caches_read(&p, &c), 0);
	ck_assert_uint_eq(c.nr, 0);
	ck_assert_int_eq(note(&p, 1, 1, true), 0);
	ck_assert_int_eq(note(&p, 2, 7, true), 0);
	ck_assert_int_eq(note(&p, 1, 1, true), 0);
	ck_assert_int_eq(reopen(), 0);
	ck_assert(is_noted(1, 1, true));
	ck_assert(is_noted(2, 7, true));
	ck_assert_int_eq(note(&p, 1, 1, false), 0);
	ck_assert_int_eq(note(&p, 1, 1, false), 0);
	ck_assert(is_noted(1, 1, false));
	ck_assert(is_noted(2, 7, true));
	ck_assert_int_eq(privdir_caches_forget(&p), 0);
	ck_assert(is_noted(1, 0, false));
	ck_assert(is_noted(2, 7, true));
}
END_TEST

START_TEST(a_line_with_nothing_but_an_uuid_is_a_dirty_cache)
{
	put(".lcfs/caches", "01000000-0000-0000-0000-000000000000\n");
	ck_assert(is_noted(1, 0, true));
}
END_TEST

START_TEST(a_list_of_caches_that_is_not_understood_is_an_error)
{
#define UUID_TEXT "12345678-1234-1234-1234-123456789abc"
	static const char *const wrong[] = {
		UUID_TEXT "\nnonsense\n",     UUID_TEXT " 1\n",	       UUID_TEXT " 1 dirt\n",
		UUID_TEXT " 1 dirty clean\n", UUID_TEXT " -1 dirty\n", UUID_TEXT " x clean\n",
		/* which of the two should count? */
		UUID_TEXT " 1 clean\n" UUID_TEXT " 1 dirty\n",
	};
	struct privdir_caches c;

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		put(".lcfs/caches", wrong[i]);
		ck_assert_int_eq(privdir_caches_read(&p, &c), -EUCLEAN);
		ck_assert_int_eq(note(&p, 1, 1, true), -EUCLEAN);
	}
}
END_TEST

START_TEST(a_full_list_of_caches_takes_one_in_the_place_of_a_clean_one_alone)
{
	for (int i = 1; i <= PRIVDIR_CACHES_MAX; i++)
		ck_assert_int_eq(note(&p, (uint8_t)i, 1000000 + (uint32_t)i, true), 0);
	ck_assert_int_eq(note(&p, 100, 1, true), -ENOSPC);
	ck_assert_int_eq(note(&p, 5, 1000005, false), 0);
	ck_assert_int_eq(note(&p, 100, 1, true), 0);
	ck_assert(is_noted(100, 1, true));
	ck_assert(is_noted(4, 1000004, true));
	ck_assert(!is_noted(5, 1000005, false));
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

/* ---- what somebody else put there ---- */

static const char *const own_files[] = { "lock", "uuid", "caches", "clock" };

static void clear(const char *name)
{
	char path[64];

	snprintf(path, sizeof(path), ".lcfs/%s", name);
	unlinkat(dirfd_, path, 0);
	unlinkat(dirfd_, path, AT_REMOVEDIR);
}

/* Uses all of them; 0 or the first error. Must not wait. */
static int use_all(void)
{
	struct privdir_caches c;
	int64_t now;
	int r = reopen();

	if (r == 0)
		r = privdir_caches_read(&p, &c);
	if (r == 0)
		r = note(&p, 1, 1, true);
	if (r == 0)
		r = privdir_clock(&p, &now);
	return r;
}

static void expect_outside_untouched(void)
{
	char content[16] = "";
	int fd = openat(dirfd_, "outside", O_RDONLY);

	ck_assert_int_eq(read(fd, content, sizeof(content)), 7);
	ck_assert_str_eq(content, "outside");
	close(fd);
}

START_TEST(neither_fifo_nor_directory_nor_symlink_is_taken_for_a_file_of_ours)
{
	const char *name = own_files[_i % 4];
	char path[64];

	put("outside", "outside");
	clear(name);
	snprintf(path, sizeof(path), ".lcfs/%s", name);
	switch (_i / 4) {
	case 0:
		ck_assert_int_eq(mkfifoat(dirfd_, path, 0600), 0);
		break;
	case 1:
		ck_assert_int_eq(mkdirat(dirfd_, path, 0700), 0);
		break;
	case 2:
		ck_assert_int_eq(symlinkat("../outside", dirfd_, path), 0);
		break;
	}
	ck_assert_int_eq(use_all(), -EPERM);
	expect_outside_untouched();
}
END_TEST

START_TEST(a_second_name_of_another_file_is_not_written_to)
{
	const char *const name = _i ? "clock" : "lock";
	char path[64];

	put("outside", "outside");
	clear(name);
	snprintf(path, sizeof(path), ".lcfs/%s", name);
	ck_assert_int_eq(linkat(dirfd_, "outside", dirfd_, path, 0), 0);
	ck_assert_int_eq(use_all(), -EPERM);
	expect_outside_untouched();
}
END_TEST

START_TEST(what_stands_in_the_way_of_a_new_file_is_not_written_to)
{
	put("outside", "outside");
	if (_i)
		ck_assert_int_eq(symlinkat("../outside", dirfd_, ".lcfs/caches.new"), 0);
	else
		ck_assert_int_eq(linkat(dirfd_, "outside", dirfd_, ".lcfs/caches.new", 0), 0);
	ck_assert_int_eq(use_all(), 0);
	ck_assert(is_noted(1, 1, true));
	expect_outside_untouched();
}
END_TEST

START_TEST(a_huge_file_is_not_read)
{
	int fd = openat(dirfd_, ".lcfs/caches", O_WRONLY | O_CREAT, 0600);

	ck_assert_int_eq(ftruncate(fd, (off_t)1 << 40), 0);
	close(fd);
	ck_assert_int_eq(use_all(), -EUCLEAN);
	put(".lcfs/caches", "");
	fd = openat(dirfd_, ".lcfs/uuid", O_WRONLY | O_CREAT, 0600);
	ck_assert_int_eq(ftruncate(fd, (off_t)1 << 40), 0);
	close(fd);
	ck_assert_int_eq(use_all(), -EUCLEAN);
}
END_TEST

START_TEST(a_symlink_in_the_place_of_the_directory_is_refused)
{
	ck_assert_int_eq(mkdirat(dirfd_, "elsewhere", 0700), 0);
	for (size_t i = 0; i < 4; i++)
		clear(own_files[i]);
	ck_assert_int_eq(unlinkat(dirfd_, ".lcfs", AT_REMOVEDIR), 0);
	ck_assert_int_eq(symlinkat("elsewhere", dirfd_, ".lcfs"), 0);
	ck_assert_int_lt(reopen(), 0);
	/* empty: nothing was made in it */
	ck_assert_int_eq(unlinkat(dirfd_, "elsewhere", AT_REMOVEDIR), 0);
}
END_TEST

START_TEST(nothing_is_made_where_nothing_may_be_written)
{
	struct privdir q;
	struct privdir_caches c;
	int64_t now;
	int fd;

	ck_assert_int_eq(mkdirat(dirfd_, "sub", 0755), 0);
	fd = openat(dirfd_, "sub", O_PATH);
	ck_assert_int_eq(privdir_open(&q, fd, false, text, sizeof(text)), 0);
	ck_assert_int_eq(faccessat(fd, ".lcfs", F_OK, 0), -1);
	ck_assert_int_eq(privdir_caches_read(&q, &c), 0);
	ck_assert_int_eq(note(&q, 1, 1, true), -EROFS);
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
	tcase_add_test(tc, caches_keep_their_ids_and_say_whether_they_are_dirty);
	tcase_add_test(tc, a_line_with_nothing_but_an_uuid_is_a_dirty_cache);
	tcase_add_test(tc, a_list_of_caches_that_is_not_understood_is_an_error);
	tcase_add_test(tc, a_full_list_of_caches_takes_one_in_the_place_of_a_clean_one_alone);
	tcase_add_test(tc, the_clock_is_that_of_the_filesystem_and_goes_forward);
	tcase_add_loop_test(tc, neither_fifo_nor_directory_nor_symlink_is_taken_for_a_file_of_ours,
			    0, 12);
	tcase_add_loop_test(tc, a_second_name_of_another_file_is_not_written_to, 0, 2);
	tcase_add_loop_test(tc, what_stands_in_the_way_of_a_new_file_is_not_written_to, 0, 2);
	tcase_add_test(tc, a_huge_file_is_not_read);
	tcase_add_test(tc, a_symlink_in_the_place_of_the_directory_is_refused);
	tcase_add_test(tc, nothing_is_made_where_nothing_may_be_written);
	suite_add_tcase(s, tc);
	return s;
}

CHECK_MAIN(make_suite)
