// SPDX-License-Identifier: GPL-2.0-or-later
/* How a file is known again, what counts as a change of it, and names below a directory. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lcfs/image/identity.h"
#include "lcfs/image/pathname.h"
#include "tests/check_main.h"

static char dir[64];
static int dirfd_;

static void setup(void)
{
	strcpy(dir, "identity.XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	dirfd_ = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	ck_assert_int_ge(dirfd_, 0);
}

static void teardown(void)
{
	char command[100];

	close(dirfd_);
	snprintf(command, sizeof(command), "rm -rf %s", dir);
	ck_assert_int_eq(system(command), 0);
}

static int make(const char *name)
{
	int fd = openat(dirfd_, name, O_RDWR | O_CREAT | O_CLOEXEC, 0644);

	ck_assert_int_ge(fd, 0);
	return fd;
}

static void identity_of(const char *name, struct op_identity *id)
{
	int fd = openat(dirfd_, name, O_PATH | O_CLOEXEC);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(identity_read(fd, id), 0);
	close(fd);
}

START_TEST(a_file_is_known_again_under_another_name)
{
	struct op_identity a, b, other;

	close(make("a"));
	close(make("other"));
	identity_of("a", &a);
	ck_assert_int_eq(renameat(dirfd_, "a", dirfd_, "b"), 0);
	identity_of("b", &b);
	identity_of("other", &other);
	ck_assert_mem_eq(&a, &b, sizeof(a));
	ck_assert_int_eq(identity_compare(&a, &b), IDENTITY_SAME);
	ck_assert_int_eq(identity_compare(&a, &other), IDENTITY_OTHER);
}
END_TEST

START_TEST(a_file_that_got_the_same_inode_number_is_another)
{
	struct op_identity a, b;

	close(make("a"));
	identity_of("a", &a);
	for (int i = 0; i < 100; i++) {
		ck_assert_int_eq(unlinkat(dirfd_, "a", 0), 0);
		close(make("a"));
		identity_of("a", &b);
		ck_assert_int_eq(identity_compare(&a, &b), IDENTITY_OTHER);
	}
}
END_TEST

START_TEST(what_is_unknown_is_not_compared)
{
	struct op_identity a = { .ino = 5, .strength = IDENTITY_INODE }, b = a;

	a.btime_ns = 7;
	ck_assert_int_eq(identity_compare(&a, &b), IDENTITY_SAME);
	b.btime_ns = 8;
	ck_assert_int_eq(identity_compare(&a, &b), IDENTITY_OTHER);
	b.btime_ns = 0;
	b.fsid[0] = 1;
	ck_assert_int_eq(identity_compare(&a, &b), IDENTITY_SAME);
	a.fsid[0] = 2;
	ck_assert_int_eq(identity_compare(&a, &b), IDENTITY_OTHER);
	a.fsid[0] = 1;
	a.handle_bytes = 8;
	ck_assert_int_eq(identity_compare(&a, &b), IDENTITY_SAME);
	b.handle_bytes = 8;
	b.handle[3] = 1;
	ck_assert_int_eq(identity_compare(&a, &b), IDENTITY_OTHER);
	b.strength = IDENTITY_WEAK;
	ck_assert_int_eq(identity_compare(&a, &b), IDENTITY_CANNOT_TELL);
}
END_TEST

START_TEST(a_stamp_differs_by_each_of_its_parts)
{
	struct op_stamp a = { .size = 1, .mtime_ns = 2, .ctime_ns = 3 }, b = a;

	ck_assert_ptr_null(identity_stamp_differs(&a, &b, false));
	b.ctime_ns++;
	ck_assert_str_eq(identity_stamp_differs(&a, &b, false), "change time");
	ck_assert_ptr_null(identity_stamp_differs(&a, &b, true));
	b.mtime_ns++;
	ck_assert_str_eq(identity_stamp_differs(&a, &b, true), "modification time");
	b.size++;
	ck_assert_str_eq(identity_stamp_differs(&a, &b, false), "size");
}
END_TEST

START_TEST(a_plain_write_changes_the_stamp)
{
	struct op_stamp a, b;
	int fd = make("a");

	ck_assert_int_eq(pwrite(fd, "x", 1, 0), 1);
	ck_assert_int_eq(identity_stamp(fd, &a), 0);
	usleep(20000); /* older kernels count the time in ticks */
	ck_assert_int_eq(pwrite(fd, "y", 1, 0), 1);
	ck_assert_int_eq(identity_stamp(fd, &b), 0);
	ck_assert_str_eq(identity_stamp_differs(&a, &b, false), "modification time");
	close(fd);
}
END_TEST

/* recorded 100, lease 200 */
static enum identity_verdict judge(bool is_dirty, bool is_touching, bool is_weak, uint64_t size,
				   int64_t mtime, int64_t ctime)
{
	struct identity_facts f = {
		.recorded = { .size = 1, .mtime_ns = 100, .ctime_ns = 100 },
		.present = { .size = size, .mtime_ns = mtime, .ctime_ns = ctime },
		.is_dirty = is_dirty,
		.is_touching = is_touching,
		.is_weak = is_weak,
		.lease_ns = 200
	};
	const char *what;

	return identity_judge(&f, &what);
}

START_TEST(any_difference_of_a_quiet_dirty_file_is_a_conflict)
{
	ck_assert_int_eq(judge(true, false, false, 1, 100, 100), IDENTITY_UNCHANGED);
	ck_assert_int_eq(judge(true, false, false, 2, 100, 100), IDENTITY_CONFLICT);
	ck_assert_int_eq(judge(true, false, false, 1, 101, 100), IDENTITY_CONFLICT);
	ck_assert_int_eq(judge(true, false, false, 1, 99, 100), IDENTITY_CONFLICT);
	ck_assert_int_eq(judge(true, false, false, 1, 100, 101), IDENTITY_CONFLICT);
	ck_assert_int_eq(judge(true, false, true, 1, 100, 101), IDENTITY_UNCHANGED);
	ck_assert_int_eq(judge(true, false, true, 1, 101, 101), IDENTITY_CONFLICT);
}
END_TEST

START_TEST(a_file_that_was_being_changed_may_have_changed_until_the_lease)
{
	ck_assert_int_eq(judge(true, true, false, 9, 150, 150), IDENTITY_UNCHANGED);
	ck_assert_int_eq(judge(true, true, false, 9, 150, 200), IDENTITY_UNCHANGED);
	ck_assert_int_eq(judge(true, true, false, 9, 150, 201), IDENTITY_CONFLICT);
	ck_assert_int_eq(judge(true, true, false, 1, 100, 99), IDENTITY_CONFLICT);
	ck_assert_int_eq(judge(true, true, true, 1, 150, 300), IDENTITY_UNCHANGED);
	ck_assert_int_eq(judge(true, true, true, 1, 201, 300), IDENTITY_CONFLICT);
}
END_TEST

START_TEST(a_clean_file_that_changed_is_read_anew)
{
	ck_assert_int_eq(judge(false, false, false, 1, 100, 100), IDENTITY_UNCHANGED);
	ck_assert_int_eq(judge(false, false, false, 1, 100, 101), IDENTITY_REFRESH);
	ck_assert_int_eq(judge(false, true, false, 2, 300, 300), IDENTITY_REFRESH);
}
END_TEST

/* ---- names ---- */

START_TEST(the_path_of_a_descriptor_follows_renames)
{
	char path[PATHNAME_BYTES];
	int fd;

	ck_assert_int_eq(mkdirat(dirfd_, "d", 0755), 0);
	fd = make("d/a (deleted)");
	ck_assert_int_eq(pathname_of_fd(dirfd_, fd, path), 0);
	ck_assert_str_eq(path, "d/a (deleted)");
	ck_assert_int_eq(renameat(dirfd_, "d", dirfd_, "e"), 0);
	ck_assert_int_eq(pathname_of_fd(dirfd_, fd, path), 0);
	ck_assert_str_eq(path, "e/a (deleted)");
	ck_assert_int_eq(pathname_of_fd(dirfd_, dirfd_, path), 0);
	ck_assert_str_eq(path, "");
	ck_assert_int_eq(pathname_of_entry(dirfd_, dirfd_, "x", path), 0);
	ck_assert_str_eq(path, "x");
	close(fd);
}
END_TEST

START_TEST(what_is_not_below_the_directory_has_no_path)
{
	char path[PATHNAME_BYTES];
	int fd = make("a");

	ck_assert_int_eq(unlinkat(dirfd_, "a", 0), 0);
	ck_assert_int_eq(pathname_of_fd(dirfd_, fd, path), -ENOENT);
	close(fd);
	fd = open("/", O_PATH);
	ck_assert_int_eq(pathname_of_fd(dirfd_, fd, path), -ENOENT);
	close(fd);
}
END_TEST

START_TEST(a_walk_leaves_the_directory_by_no_way)
{
	ck_assert_int_eq(symlinkat("/etc", dirfd_, "out"), 0);
	ck_assert_int_eq(symlinkat("d", dirfd_, "in"), 0);
	ck_assert_int_eq(mkdirat(dirfd_, "d", 0755), 0);
	ck_assert_int_eq(pathname_open(dirfd_, "out/passwd", O_PATH), -ELOOP);
	ck_assert_int_eq(pathname_open(dirfd_, "in/x", O_PATH), -ELOOP);
	ck_assert_int_eq(pathname_open(dirfd_, "..", O_PATH), -EXDEV);
	ck_assert_int_eq(pathname_open(dirfd_, "/etc", O_PATH), -EXDEV);
	ck_assert_int_eq(pathname_open(dirfd_, "nothing", O_PATH), -ENOENT);
}
END_TEST

START_TEST(the_parents_of_a_path_can_be_synced_even_if_they_are_gone)
{
	ck_assert_int_eq(mkdirat(dirfd_, "d", 0755), 0);
	ck_assert_int_eq(mkdirat(dirfd_, "d/e", 0755), 0);
	ck_assert_int_eq(pathname_sync_parents(dirfd_, "d/e/f"), 0);
	ck_assert_int_eq(pathname_sync_parents(dirfd_, "d/gone/f"), 0);
	ck_assert_int_eq(pathname_sync_parents(dirfd_, "f"), 0);
}
END_TEST

static Suite *make_suite(void)
{
	Suite *s = suite_create("image_identity");
	TCase *files = tcase_create("files"), *names = tcase_create("names");

	tcase_add_checked_fixture(files, setup, teardown);
	tcase_add_test(files, a_file_is_known_again_under_another_name);
	tcase_add_test(files, a_file_that_got_the_same_inode_number_is_another);
	tcase_add_test(files, a_plain_write_changes_the_stamp);
	suite_add_tcase(s, files);
	tcase_add_checked_fixture(names, setup, teardown);
	tcase_add_test(names, the_path_of_a_descriptor_follows_renames);
	tcase_add_test(names, what_is_not_below_the_directory_has_no_path);
	tcase_add_test(names, a_walk_leaves_the_directory_by_no_way);
	tcase_add_test(names, the_parents_of_a_path_can_be_synced_even_if_they_are_gone);
	suite_add_tcase(s, names);
	CHECK_CASE(s, "judgement", what_is_unknown_is_not_compared,
		   a_stamp_differs_by_each_of_its_parts,
		   any_difference_of_a_quiet_dirty_file_is_a_conflict,
		   a_file_that_was_being_changed_may_have_changed_until_the_lease,
		   a_clean_file_that_changed_is_read_anew);
	return s;
}

CHECK_MAIN(make_suite)
