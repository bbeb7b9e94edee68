// SPDX-License-Identifier: GPL-2.0-or-later
/* What the admin decides about images in conflict and missing ones, and that it stays decided. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "tests/check_main.h"
#include "tests/fake/imagebed.h"

#define BYTES 204800 /* halves are whole blocks: a sector is of the cache or of the file */
#define HALF (BYTES / 2)

/* a has its first half dirty in the cache; unmounted. */
static struct bed *dirty_image(void)
{
	struct bed *b = bed_new();
	struct image *img;

	bed_make_file(b, "a", 'o', BYTES);
	bed_must_mount(b);
	img = bed_open(b, "a");
	ck_assert_int_eq(bed_fill(img, 'n', HALF, 0), HALF);
	bed_close(img);
	bed_unmount(b);
	return b;
}

/* And somebody has written its file anew; mounted. */
static struct bed *conflict(void)
{
	struct bed *b = dirty_image();

	bed_make_file(b, "a", 'e', BYTES);
	bed_must_mount(b);
	ck_assert(bed_said(b, "a: conflict"));
	return b;
}

static int resolve(struct bed *b, enum image_resolution how)
{
	struct image *img = imagedir_by_id(b->dir, 1);
	int r;

	ck_assert_ptr_nonnull(img);
	r = image_resolve(img, how);
	image_put(img);
	return r;
}

/* One look: an assertion for each byte would take seconds. */
static bool is_halves(const char *buf, char first, char second)
{
	for (size_t i = 0; i < BYTES; i++)
		if (buf[i] != (i < HALF ? first : second))
			return false;
	return true;
}

static void expect_plain(struct bed *b, const char *name, char first, char second)
{
	char buf[BYTES];

	ck_assert_uint_eq(bed_plain_read(b, name, buf, BYTES, 0), BYTES);
	ck_assert(is_halves(buf, first, second));
}

/* As a reader sees it, and, drained, as the plain file has it. */
static void expect_image(struct bed *b, char first, char second)
{
	struct image *img = bed_open(b, "a");

	ck_assert(bed_reads(img, first, HALF, 0));
	ck_assert(bed_reads(img, second, BYTES - HALF, HALF));
	bed_drain(b, img);
	bed_close(img);
	expect_plain(b, "a", first, second);
}

START_TEST(keep_cache_writes_what_the_cache_holds_over_the_changed_file)
{
	struct bed *b = conflict();

	ck_assert_int_eq(resolve(b, IMAGE_KEEP_CACHE), 0);
	expect_plain(b, "a", 'e', 'e');
	expect_image(b, 'n', 'e');
	bed_free(b);
}
END_TEST

START_TEST(keep_backing_drops_what_the_cache_holds)
{
	struct bed *b = conflict();

	ck_assert_int_eq(resolve(b, IMAGE_KEEP_BACKING), 0);
	ck_assert_uint_eq(bed_dirty_blocks(b), 0);
	expect_image(b, 'e', 'e');
	bed_free(b);
}
END_TEST

static void keep_cache_and_die(struct bed *b)
{
	ck_assert_int_eq(resolve(b, IMAGE_KEEP_CACHE), 0);
}

static void keep_backing_and_die(struct bed *b)
{
	ck_assert_int_eq(resolve(b, IMAGE_KEEP_BACKING), 0);
}

START_TEST(a_decision_that_was_answered_outlives_the_daemon)
{
	for (int keeps_cache = 0; keeps_cache < 2; keeps_cache++) {
		struct bed *b = dirty_image();

		bed_make_file(b, "a", 'e', BYTES);
		bed_die(b, keeps_cache ? keep_cache_and_die : keep_backing_and_die);
		b->said[0] = '\0';
		bed_must_mount(b);
		ck_assert(!bed_said(b, "conflict"));
		expect_image(b, keeps_cache ? 'n' : 'e', 'e');
		bed_free(b);
	}
}
END_TEST

START_TEST(after_a_decision_another_change_is_a_conflict_again)
{
	struct bed *b = conflict();

	ck_assert_int_eq(resolve(b, IMAGE_KEEP_CACHE), 0);
	bed_unmount(b);
	bed_make_file(b, "a", 'f', BYTES);
	b->said[0] = '\0';
	bed_must_mount(b);
	ck_assert(bed_said(b, "a: conflict"));
	ck_assert_int_eq(resolve(b, IMAGE_KEEP_CACHE), 0);
	expect_image(b, 'n', 'f');
	bed_free(b);
}
END_TEST

/* A backup that was put back, say: another file under the same name. */
START_TEST(keep_cache_takes_another_file_with_the_name_as_base)
{
	struct bed *b = dirty_image();

	ck_assert_int_eq(renameat(b->fd, "a", b->root_fd, "elsewhere"), 0);
	bed_make_file(b, "a", 'e', BYTES);
	bed_must_mount(b);
	ck_assert(bed_said(b, "another file"));
	ck_assert_int_eq(resolve(b, IMAGE_KEEP_CACHE), 0);
	expect_image(b, 'n', 'e');
	bed_unmount(b);
	b->said[0] = '\0';
	bed_must_mount(b);
	ck_assert_str_eq(b->said, "");
	expect_image(b, 'n', 'e');
	bed_free(b);
}
END_TEST

START_TEST(keep_backing_of_another_file_with_the_name_leaves_it_alone)
{
	struct bed *b = dirty_image();

	ck_assert_int_eq(renameat(b->fd, "a", b->root_fd, "elsewhere"), 0);
	bed_make_file(b, "a", 'e', BYTES);
	bed_must_mount(b);
	ck_assert_int_eq(resolve(b, IMAGE_KEEP_BACKING), 0);
	expect_image(b, 'e', 'e');
	bed_free(b);
}
END_TEST

START_TEST(a_missing_file_must_be_there_again_or_its_data_is_given_up)
{
	struct bed *b = dirty_image();

	ck_assert_int_eq(unlinkat(b->fd, "a", 0), 0);
	bed_must_mount(b);
	ck_assert(bed_said(b, "a: missing"));
	ck_assert_int_eq(resolve(b, IMAGE_KEEP_CACHE), -ENOENT);
	bed_make_file(b, "a", 'b', BYTES);
	ck_assert_int_eq(resolve(b, IMAGE_KEEP_CACHE), 0);
	expect_image(b, 'n', 'b');
	bed_unmount(b);

	bed_free(b);
	b = dirty_image();
	ck_assert_int_eq(unlinkat(b->fd, "a", 0), 0);
	bed_must_mount(b);
	ck_assert_int_eq(resolve(b, IMAGE_KEEP_BACKING), 0);
	ck_assert_uint_eq(bed_dirty_blocks(b), 0);
	ck_assert(!bed_exists(b, "a"));
	bed_unmount(b);
	b->said[0] = '\0';
	bed_must_mount(b);
	ck_assert_str_eq(b->said, "");
	bed_free(b);
}
END_TEST

/* The file that came back was opened before the decision: two images would be one file. */
START_TEST(a_file_that_is_in_use_as_another_image_is_not_taken)
{
	struct bed *b = dirty_image();
	struct image *img;

	ck_assert_int_eq(unlinkat(b->fd, "a", 0), 0);
	bed_must_mount(b);
	bed_make_file(b, "a", 'b', BYTES);
	img = bed_open(b, "a");
	ck_assert_int_eq(resolve(b, IMAGE_KEEP_CACHE), -EBUSY);
	ck_assert_int_eq(bed_fill(img, 'x', HALF, HALF), HALF);
	bed_drain(b, img);
	bed_close(img);
	bed_unmount(b);
	b->said[0] = '\0';
	bed_must_mount(b);
	ck_assert(bed_said(b, "conflict"));
	bed_free(b);
}
END_TEST

START_TEST(what_is_not_held_is_not_resolved)
{
	struct bed *b = dirty_image();

	bed_must_mount(b);
	ck_assert_int_eq(resolve(b, IMAGE_KEEP_CACHE), -EINVAL);
	ck_assert_int_eq(resolve(b, IMAGE_KEEP_BACKING), -EINVAL);
	expect_image(b, 'n', 'o');
	bed_free(b);
}
END_TEST

/* Found while the image is open: who has it open goes on once it is decided. */
START_TEST(an_open_image_goes_on_with_keep_cache)
{
	struct bed *b = dirty_image();
	struct image *img;

	bed_must_mount(b);
	img = bed_open(b, "a");
	ck_assert_int_eq(bed_fill(img, 'm', 4096, 0), 4096);
	bed_make_file(b, "a", 'e', BYTES);
	ck_assert_int_eq(image_drain(img), -EIO);
	ck_assert(bed_said(b, "a: conflict"));
	ck_assert_int_eq(bed_fill(img, 'q', 4096, 0), -EIO);
	ck_assert_int_eq(image_resolve(img, IMAGE_KEEP_BACKING), -EBUSY);
	ck_assert_int_eq(image_resolve(img, IMAGE_KEEP_CACHE), 0);
	ck_assert(bed_reads(img, 'm', 4096, 0));
	ck_assert(bed_reads(img, 'n', HALF - 4096, 4096));
	ck_assert(bed_reads(img, 'e', BYTES - HALF, HALF));
	ck_assert_int_eq(bed_fill(img, 'n', 4096, 0), 4096);
	bed_close(img);
	expect_image(b, 'n', 'e');
	bed_free(b);
}
END_TEST

static int export(struct bed *b, char *path, size_t size)
{
	struct image *img = imagedir_by_id(b->dir, 1);
	char root[PATH_MAX];
	int r;

	ck_assert_ptr_nonnull(realpath(b->root, root));
	snprintf(path, size, "%s/exported", root);
	ck_assert_ptr_nonnull(img);
	r = image_export(img, path);
	image_put(img);
	return r;
}

static void expect_exported(const char *path, char first, char second)
{
	CLEANUP_FD int fd = open(path, O_RDONLY | O_CLOEXEC);
	char buf[BYTES + 1];

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(pread(fd, buf, sizeof(buf), 0), BYTES);
	ck_assert(is_halves(buf, first, second));
	ck_assert_int_eq(unlink(path), 0);
}

START_TEST(export_writes_the_cache_over_the_file_and_decides_nothing)
{
	struct bed *b = conflict();
	char path[PATH_MAX + 16];

	ck_assert_int_eq(export(b, path, sizeof(path)), 0);
	ck_assert_int_eq(export(b, path, sizeof(path)), -EEXIST);
	expect_exported(path, 'n', 'e');
	expect_plain(b, "a", 'e', 'e');
	ck_assert_int_eq(resolve(b, IMAGE_KEEP_BACKING), 0);
	expect_image(b, 'e', 'e');
	ck_assert_int_eq(access(path, F_OK), -1);
	bed_free(b);
}
END_TEST

START_TEST(export_of_a_missing_image_has_what_the_cache_has)
{
	struct bed *b = dirty_image();
	char path[PATH_MAX + 16];
	struct stat st;

	ck_assert_int_eq(unlinkat(b->fd, "a", 0), 0);
	bed_must_mount(b);
	ck_assert_int_eq(export(b, path, sizeof(path)), 0);
	ck_assert_int_eq(stat(path, &st), 0);
	ck_assert_int_le(st.st_blocks * 512, HALF + 65536);
	expect_exported(path, 'n', 0);
	ck_assert_int_eq(resolve(b, IMAGE_KEEP_BACKING), 0);
	bed_free(b);
}
END_TEST

/* With an end inside a block, and a file that is one hole. */
START_TEST(export_of_an_odd_end_comes_to_an_end)
{
	struct bed *b = bed_new();
	struct image *img;
	char path[PATH_MAX + 16], buf[8192];
	CLEANUP_FD int fd = -1;

	bed_make_file(b, "a", 'o', 5000);
	bed_must_mount(b);
	img = bed_open(b, "a");
	ck_assert_int_eq(bed_fill(img, 'n', 512, 0), 512);
	bed_close(img);
	bed_unmount(b);
	ck_assert_int_eq(unlinkat(b->fd, "a", 0), 0);
	bed_make_file(b, "a", 'e', 0);
	bed_must_mount(b);
	ck_assert_int_eq(export(b, path, sizeof(path)), 0);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	ck_assert_int_eq(pread(fd, buf, sizeof(buf), 0), 5000);
	for (size_t i = 0; i < 5000; i += 100)
		ck_assert_int_eq(buf[i], i < 512 ? 'n' : 0);
	ck_assert_int_eq(buf[511], 'n');
	ck_assert_int_eq(buf[512], 0);
	ck_assert_int_eq(unlink(path), 0);
	bed_free(b);
}
END_TEST

START_TEST(what_is_not_held_is_not_exported)
{
	struct bed *b = dirty_image();
	char path[PATH_MAX + 16];

	bed_must_mount(b);
	ck_assert_int_eq(export(b, path, sizeof(path)), -EINVAL);
	ck_assert_int_eq(access(path, F_OK), -1);
	expect_image(b, 'n', 'o');
	bed_free(b);
}
END_TEST

static Suite *make_suite(void)
{
	Suite *suite = suite_create("image resolve");

	CHECK_CASE(suite, "resolve", keep_cache_writes_what_the_cache_holds_over_the_changed_file,
		   keep_backing_drops_what_the_cache_holds,
		   a_decision_that_was_answered_outlives_the_daemon,
		   after_a_decision_another_change_is_a_conflict_again,
		   keep_cache_takes_another_file_with_the_name_as_base,
		   keep_backing_of_another_file_with_the_name_leaves_it_alone,
		   a_missing_file_must_be_there_again_or_its_data_is_given_up,
		   a_file_that_is_in_use_as_another_image_is_not_taken,
		   what_is_not_held_is_not_resolved, an_open_image_goes_on_with_keep_cache);
	CHECK_CASE(suite, "export", export_writes_the_cache_over_the_file_and_decides_nothing,
		   export_of_a_missing_image_has_what_the_cache_has,
		   export_of_an_odd_end_comes_to_an_end, what_is_not_held_is_not_exported);
	return suite;
}

CHECK_MAIN(make_suite)
