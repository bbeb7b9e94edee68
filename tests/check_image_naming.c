// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * New files, and a power cut that takes them from the backing filesystem. What anybody was promised
 * is missed then, all else is forgotten.
 *
 * The power cut: the daemon is killed, files are removed behind its back, and the next mount is of
 * another boot.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/check_child.h"
#include "tests/check_main.h"
#include "tests/fake/imagebed.h"

#define BYTES 100000u

/* All that the log has is durable, without a promise about any file. */
static void flush_log(struct bed *b)
{
	ck_assert_int_eq(imagedir_sync(b->dir), 0);
}

static void create(struct bed *b)
{
	bed_make_image(b, "a", 'n', BYTES);
	flush_log(b);
}

static void lose(struct bed *b, const char *path)
{
	ck_assert_int_eq(unlinkat(b->fd, path, 0), 0);
}

/* What fn does in a mount is cut off, and takes the file with it; then it is mounted again. */
static struct bed *cut_off(void (*fn)(struct bed *b), const char *path)
{
	struct bed *b = bed_new();

	bed_die(b, fn);
	lose(b, path);
	b->restarts++;
	bed_must_mount(b);
	return b;
}

static void expect_forgotten(struct bed *b)
{
	ck_assert_msg(bed_said(b, "1 new file was created and never synced"), "%s", b->said);
	ck_assert(!bed_said(b, "missing") && !bed_said(b, "conflict"));
	bed_free(b);
}

static void expect_missing(struct bed *b)
{
	ck_assert_msg(bed_said(b, "missing (not found)"), "%s", b->said);
	ck_assert(!bed_said(b, "new file"));
	ck_assert_uint_gt(bed_dirty_blocks(b), 0);
	bed_free(b);
}

/* ---- forgotten ---- */

START_TEST(a_file_that_was_never_synced_is_forgotten_with_its_data)
{
	struct bed *b = cut_off(create, "a");
	struct image *img;
	char text[1];

	img = bed_make_image(b, "a", 'x', 10);
	ck_assert(bed_reads(img, 'x', 10, 0));
	ck_assert_int_eq(bed_read(img, text, 1, 10), 0);
	bed_close(img);
	ck_assert(!bed_said(b, "missing"));
	bed_drain(b, img = bed_open(b, "a"));
	bed_close(img);
	bed_wait_clean(b);
	b->said[0] = '\0';
	bed_unmount(b);
	bed_must_mount(b);
	ck_assert_str_eq(b->said, "");
	bed_free(b);
}
END_TEST

/* The file that has the name now is served as it is, and nothing of the other is known. */
static void expect_old(struct bed *b)
{
	struct image *img;

	b->restarts++;
	bed_must_mount(b);
	img = bed_open(b, "a");
	ck_assert(bed_reads(img, 'o', BYTES, 0));
	bed_close(img);
	expect_forgotten(b);
}

START_TEST(another_file_that_has_its_name_now_is_no_conflict)
{
	struct bed *b = bed_new();

	bed_die(b, create);
	lose(b, "a");
	bed_make_file(b, "a", 'o', BYTES);
	expect_old(b);
}
END_TEST

static void create_two(struct bed *b)
{
	bed_make_image(b, "b", 'n', BYTES);
	create(b);
}

START_TEST(one_line_says_how_many_there_were)
{
	struct bed *b = bed_new();

	bed_die(b, create_two);
	lose(b, "a");
	lose(b, "b");
	b->restarts++;
	bed_must_mount(b);
	ck_assert_msg(bed_said(b, "2 new files were created"), "%s", b->said);
	ck_assert(!bed_said(b, "missing"));
	bed_free(b);
}
END_TEST

static void create_and_write_later(struct bed *b)
{
	struct image *img = bed_create(b, "a");

	must(image_open(img, true) == 0);
	image_release(img, true);
	must(image_open(img, true) == 0);
	must(bed_fill(img, 'n', BYTES, 0) == (int)BYTES);
	flush_log(b);
}

START_TEST(a_file_stays_new_until_it_is_first_written)
{
	expect_forgotten(cut_off(create_and_write_later, "a"));
}
END_TEST

static void create_and_sync_elsewhere(struct bed *b)
{
	struct image *img;
	int dir;

	must(mkdirat(b->fd, "d", 0755) == 0);
	dir = openat(b->fd, "d", O_RDONLY | O_DIRECTORY);
	bed_make_image(b, "a", 'n', BYTES);
	img = bed_make_image(b, "b", 'n', BYTES);
	must(bed_sync(img) == 0);
	bed_drain(b, img);
	must(imagedir_sync_dir(b->dir, dir) == 0);
}

START_TEST(a_sync_of_another_file_or_directory_promises_nothing)
{
	expect_forgotten(cut_off(create_and_sync_elsewhere, "a"));
}
END_TEST

static void nothing(struct bed *b)
{
	(void)b;
}

/* That the machine was restarted is seen by one mount only, and that one is killed at once. */
START_TEST(it_stays_forgotten_when_the_next_mount_is_killed)
{
	struct bed *b = bed_new();

	bed_die(b, create);
	lose(b, "a");
	b->restarts++;
	bed_die(b, nothing);
	bed_must_mount(b);
	ck_assert(!bed_said(b, "missing"));
	bed_wait_clean(b);
	bed_free(b);
}
END_TEST

static void create_and_rename_over(struct bed *b)
{
	bed_make_image(b, "tmp", 'n', BYTES);
	must(imagedir_rename(b->dir, b->fd, "tmp", b->fd, "a", 0) == 0);
	flush_log(b);
}

/* Neither the new file nor the rename are durable. */
START_TEST(a_file_that_it_was_to_replace_is_there_again)
{
	struct bed *b = bed_new();

	bed_make_file(b, "a", 'o', BYTES);
	ck_assert_int_eq(linkat(b->fd, "a", b->root_fd, "kept", 0), 0);
	bed_die(b, create_and_rename_over);
	ck_assert_int_eq(renameat(b->root_fd, "kept", b->fd, "a"), 0);
	expect_old(b);
}
END_TEST

/* ---- missed ---- */

static void create_and_sync(struct bed *b)
{
	struct image *img = bed_make_image(b, "a", 'n', BYTES);

	must(bed_sync(img) == 0);
	must(bed_fill(img, 'm', BYTES, 0) == (int)BYTES);
	flush_log(b);
}

static void create_and_write_through(struct bed *b)
{
	must(bed_write_sync(bed_make_image(b, "a", 'n', BYTES), "x", 1, 0) == 1);
}

static void write_through_first(struct bed *b)
{
	struct image *img = bed_create(b, "a");

	must(image_open(img, true) == 0);
	must(bed_write_sync(img, "x", 1, 0) == 1);
}

static void sync_its_directory(struct bed *b)
{
	bed_make_image(b, "a", 'n', BYTES);
	must(imagedir_sync_dir(b->dir, b->fd) == 0);
}

static void sync_its_directory_first(struct bed *b)
{
	struct image *img = bed_create(b, "a");

	must(image_open(img, true) == 0);
	must(imagedir_sync_dir(b->dir, b->fd) == 0);
	must(bed_fill(img, 'n', BYTES, 0) == (int)BYTES);
	flush_log(b);
}

static void sync_its_directory_while_closed(struct bed *b)
{
	struct image *img = bed_create(b, "a");

	must(imagedir_sync_dir(b->dir, b->fd) == 0);
	must(image_open(img, true) == 0);
	must(bed_fill(img, 'n', BYTES, 0) == (int)BYTES);
	flush_log(b);
}

static void sync_its_new_directory(struct bed *b)
{
	int dir;

	must(mkdirat(b->fd, "d", 0755) == 0);
	dir = openat(b->fd, "d", O_RDONLY | O_DIRECTORY);
	bed_make_image(b, "a", 'n', BYTES);
	must(imagedir_rename(b->dir, b->fd, "a", dir, "b", 0) == 0);
	must(imagedir_rename(b->dir, b->fd, "d", b->fd, "e", 0) == 0);
	must(imagedir_sync_dir(b->dir, dir) == 0);
	must(renameat(b->fd, "e/b", b->fd, "a") == 0);
}

static void flush_all(struct bed *b)
{
	bed_make_image(b, "a", 'n', BYTES);
	must(imagedir_flush(b->dir, 0) == 0);
}

static void migrate_and_write(struct bed *b)
{
	struct image *img = bed_make_image(b, "a", 'n', BYTES);

	bed_drain(b, img);
	must(bed_fill(img, 'm', BYTES, 0) == (int)BYTES);
	flush_log(b);
}

static void link_it(struct bed *b)
{
	struct image *img = bed_make_image(b, "a", 'n', BYTES);

	must(imagedir_link(b->dir, image_fd(img), b->fd, "b") == 0);
	must(unlinkat(b->fd, "b", 0) == 0);
	flush_log(b);
}

static void (*const promises[])(struct bed *b) = {
	create_and_sync,
	create_and_write_through,
	write_through_first,
	sync_its_directory,
	sync_its_directory_first,
	sync_its_directory_while_closed,
	sync_its_new_directory,
	flush_all,
	migrate_and_write,
	link_it,
};

START_TEST(a_file_that_was_promised_is_missing)
{
	expect_missing(cut_off(promises[_i], "a"));
}
END_TEST

START_TEST(a_file_of_a_mount_that_ended_is_missing)
{
	struct bed *b = bed_new();

	bed_must_mount(b);
	create(b);
	bed_unmount(b);
	lose(b, "a");
	b->restarts++;
	bed_must_mount(b);
	expect_missing(b);
}
END_TEST

START_TEST(a_file_of_a_mount_that_ended_is_missing_after_a_later_power_cut)
{
	struct bed *b = bed_new();

	bed_must_mount(b);
	create(b);
	bed_unmount(b);
	bed_die(b, nothing);
	lose(b, "a");
	b->restarts++;
	bed_must_mount(b);
	expect_missing(b);
}
END_TEST

START_TEST(without_a_power_cut_it_is_missing)
{
	struct bed *b = bed_new();

	bed_die(b, create);
	lose(b, "a");
	bed_must_mount(b);
	expect_missing(b);
}
END_TEST

START_TEST(what_was_missing_before_the_power_cut_is_so_after_it)
{
	struct bed *b = bed_new();

	bed_die(b, create);
	lose(b, "a");
	bed_die(b, flush_log);
	b->restarts++;
	bed_must_mount(b);
	expect_missing(b);
}
END_TEST

START_TEST(with_force_it_is_missing)
{
	struct bed *b = bed_new();

	bed_die(b, create);
	lose(b, "a");
	b->restarts++;
	b->force = true;
	bed_must_mount(b);
	expect_missing(b);
}
END_TEST

/* A directory whose path is too long for the log: it may be there. */
START_TEST(where_not_all_can_be_searched_it_is_missing)
{
	struct bed *b = bed_new();
	char name[256];
	int fd = b->fd;

	memset(name, 'd', 250);
	name[250] = '\0';
	for (int i = 0; i < 7; i++) {
		int next;

		must(mkdirat(fd, name, 0755) == 0);
		next = openat(fd, name, O_RDONLY | O_DIRECTORY);
		must(next >= 0);
		if (fd != b->fd)
			close(fd);
		fd = next;
	}
	close(fd);
	bed_die(b, create);
	lose(b, "a");
	b->restarts++;
	bed_must_mount(b);
	expect_missing(b);
}
END_TEST

/* ---- found ---- */

START_TEST(a_new_file_that_is_there_has_its_data)
{
	static const off_t sizes[] = { BYTES / 2, 0 };
	struct bed *b = bed_new();
	struct image *img;
	int fd;

	bed_die(b, create);
	/* the size that the filesystem had written by then */
	fd = openat(b->fd, "a", O_WRONLY);
	ck_assert_int_eq(ftruncate(fd, sizes[_i]), 0);
	close(fd);
	b->restarts++;
	bed_must_mount(b);
	ck_assert_str_eq(b->said, "");
	img = bed_open(b, "a");
	ck_assert(bed_reads(img, 'n', BYTES, 0));
	bed_drain(b, img);
	ck_assert(bed_plain_is(b, "a", 'n', BYTES));
	bed_close(img);
	bed_free(b);
}
END_TEST

START_TEST(a_file_that_outlives_a_power_cut_is_new_until_it_is_synced)
{
	struct bed *b = bed_new();

	bed_die(b, create);
	b->restarts++;
	bed_die(b, nothing);
	lose(b, "a");
	b->restarts++;
	bed_must_mount(b);
	expect_forgotten(b);
}
END_TEST

static void sync_old(struct bed *b)
{
	struct image *img = bed_open(b, "a");

	must(bed_sync(img) == 0);
}

START_TEST(a_sync_in_a_later_mount_is_a_promise_too)
{
	struct bed *b = bed_new();

	bed_die(b, create);
	b->restarts++;
	bed_die(b, sync_old);
	lose(b, "a");
	b->restarts++;
	bed_must_mount(b);
	expect_missing(b);
}
END_TEST

static Suite *make_suite(void)
{
	Suite *s = suite_create("image_naming");
	TCase *tc = tcase_create("promised");

	CHECK_CASE(s, "forgotten", a_file_that_was_never_synced_is_forgotten_with_its_data,
		   another_file_that_has_its_name_now_is_no_conflict,
		   one_line_says_how_many_there_were, a_file_stays_new_until_it_is_first_written,
		   a_sync_of_another_file_or_directory_promises_nothing,
		   it_stays_forgotten_when_the_next_mount_is_killed,
		   a_file_that_it_was_to_replace_is_there_again);
	CHECK_CASE(s, "missed", a_file_of_a_mount_that_ended_is_missing,
		   a_file_of_a_mount_that_ended_is_missing_after_a_later_power_cut,
		   without_a_power_cut_it_is_missing,
		   what_was_missing_before_the_power_cut_is_so_after_it, with_force_it_is_missing,
		   where_not_all_can_be_searched_it_is_missing);
	CHECK_CASE(s, "found", a_file_that_outlives_a_power_cut_is_new_until_it_is_synced,
		   a_sync_in_a_later_mount_is_a_promise_too);
	tcase_set_timeout(tc, 60);
	tcase_add_loop_test(tc, a_file_that_was_promised_is_missing, 0,
			    (int)(sizeof(promises) / sizeof(promises[0])));
	tcase_add_loop_test(tc, a_new_file_that_is_there_has_its_data, 0, 2);
	suite_add_tcase(s, tc);
	return s;
}

CHECK_MAIN(make_suite)
