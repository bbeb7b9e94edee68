// SPDX-License-Identifier: GPL-2.0-or-later
/* Size, space, holes, times and attributes of images, bound and not. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "common/clock.h"
#include "tests/check_main.h"
#include "tests/fake/imagebed.h"

#define KIB 1024u
#define MARK "user.lcfs.dirty"

/* A file of 1 MiB of 'o', open; its first 64 KiB are dirty 'n' if is_bound. */
static struct image *start(struct bed **b, bool is_bound)
{
	struct image *img;

	*b = bed_new();
	bed_make_file(*b, "a", 'o', 1024 * KIB);
	bed_must_mount(*b);
	img = bed_open(*b, "a");
	if (is_bound)
		ck_assert_int_eq(bed_fill(img, 'n', 64 * KIB, 0), 64 * KIB);
	return img;
}

static uint64_t plain_size(struct bed *b, const char *path)
{
	struct stat st;

	ck_assert_int_eq(fstatat(b->fd, path, &st, 0), 0);
	return (uint64_t)st.st_size;
}

static void expect_plain(struct bed *b, uint64_t off, uint32_t len, char fill)
{
	char buf[4096];

	for (uint32_t done = 0; done < len; done += sizeof(buf)) {
		uint32_t n = len - done < sizeof(buf) ? len - done : (uint32_t)sizeof(buf);

		ck_assert_uint_eq(bed_plain_read(b, "a", buf, n, off + done), n);
		for (uint32_t i = 0; i < n; i++)
			ck_assert_int_eq(buf[i], fill);
	}
}

/* ---- truncate ---- */

START_TEST(truncate_of_an_unbound_image_is_a_plain_one)
{
	struct bed *b;
	struct image *img = start(&b, false);

	ck_assert_int_eq(image_truncate(img, 5000), 0);
	ck_assert_uint_eq(plain_size(b, "a"), 5000);
	ck_assert_uint_eq(image_size(img), 5000);
	ck_assert_int_eq(image_truncate(img, 6000), 0);
	ck_assert(bed_reads(img, 'o', 5000, 0));
	ck_assert(bed_reads(img, 0, 1000, 5000));
	ck_assert_int_eq(bed_state(img), IMAGE_UNCACHED);
	bed_close(img);
	bed_free(b);
}
END_TEST

START_TEST(what_was_cut_off_is_zero_when_the_image_grows_again)
{
	struct bed *b;
	struct image *img = start(&b, true);

	ck_assert_int_eq(image_truncate(img, 10001), 0);
	ck_assert_uint_eq(image_size(img), 10001);
	ck_assert_int_eq(image_truncate(img, 200 * KIB), 0);
	ck_assert(bed_reads(img, 'n', 10001, 0));
	ck_assert(bed_reads(img, 0, 200 * KIB - 10001, 10001));
	bed_drain(b, img);
	ck_assert_uint_eq(plain_size(b, "a"), 200 * KIB);
	expect_plain(b, 0, 10001, 'n');
	expect_plain(b, 10001, 200 * KIB - 10001, 0);
	bed_close(img);
	bed_free(b);
}
END_TEST

static void truncate_and_die(struct bed *b)
{
	struct image *img = bed_open(b, "a");

	if (bed_fill(img, 'n', 64 * KIB, 0) < 0 || image_truncate(img, 10001) < 0 ||
	    bed_fill(img, 'm', 10, 20000) != 10)
		_exit(1);
}

START_TEST(a_truncate_survives_a_death)
{
	struct bed *b = bed_new();
	struct image *img;

	bed_make_file(b, "a", 'o', 1024 * KIB);
	bed_die(b, truncate_and_die);
	bed_must_mount(b);
	ck_assert_str_eq(b->said, "");
	img = bed_open(b, "a");
	ck_assert_uint_eq(image_size(img), 20010);
	ck_assert(bed_reads(img, 'n', 10001, 0));
	ck_assert(bed_reads(img, 0, 9999, 10001));
	ck_assert(bed_reads(img, 'm', 10, 20000));
	bed_drain(b, img);
	ck_assert_uint_eq(plain_size(b, "a"), 20010);
	bed_close(img);
	bed_free(b);
}
END_TEST

/* ---- space ---- */

START_TEST(a_punched_range_reads_as_zeros)
{
	for (int is_bound = 0; is_bound < 2; is_bound++) {
		struct bed *b;
		struct image *img = start(&b, is_bound);
		char fill = is_bound ? 'n' : 'o';

		ck_assert_int_eq(image_fallocate(img, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
						 5000, 20000),
				 0);
		ck_assert_int_eq(image_fallocate(img, FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE,
						 40000, 100),
				 0);
		ck_assert(bed_reads(img, fill, 5000, 0));
		ck_assert(bed_reads(img, 0, 20000, 5000));
		ck_assert(bed_reads(img, fill, 15000, 25000));
		ck_assert(bed_reads(img, 0, 100, 40000));
		ck_assert(bed_reads(img, fill, 64 * KIB - 40100, 40100));
		ck_assert_uint_eq(image_size(img), 1024 * KIB);
		bed_drain(b, img);
		expect_plain(b, 5000, 20000, 0);
		expect_plain(b, 25000, 15000, fill);
		bed_close(img);
		bed_free(b);
	}
}
END_TEST

START_TEST(fallocate_extends_and_reserves)
{
	for (int is_bound = 0; is_bound < 2; is_bound++) {
		struct bed *b;
		struct image *img = start(&b, is_bound);
		struct stat st;

		ck_assert_int_eq(image_fallocate(img, 0, 1000 * KIB, 1000 * KIB), 0);
		ck_assert_uint_eq(image_size(img), 2000 * KIB);
		ck_assert_int_eq(fstatat(b->fd, "a", &st, 0), 0);
		ck_assert_int_ge(st.st_blocks, 2000 * 2);
		ck_assert(bed_reads(img, 0, 976 * KIB, 1024 * KIB));
		ck_assert_int_eq(image_fallocate(img, FALLOC_FL_KEEP_SIZE, 0, 4000 * KIB), 0);
		ck_assert_uint_eq(image_size(img), 2000 * KIB);
		ck_assert_int_eq(image_fallocate(img, 0, 0, 100), 0);
		ck_assert_uint_eq(image_size(img), 2000 * KIB);
		ck_assert_int_eq(image_fallocate(img, FALLOC_FL_ZERO_RANGE, 1900 * KIB, 200 * KIB),
				 0);
		ck_assert_uint_eq(image_size(img), 2100 * KIB);
		bed_drain(b, img);
		ck_assert_uint_eq(plain_size(b, "a"), 2100 * KIB);
		bed_close(img);
		bed_free(b);
	}
}
END_TEST

START_TEST(fallocate_refuses_what_it_cannot_do)
{
	struct bed *b;
	struct image *img = start(&b, true);

	ck_assert_int_eq(image_fallocate(img, FALLOC_FL_PUNCH_HOLE, 0, 100), -EOPNOTSUPP);
	ck_assert_int_eq(image_fallocate(img, FALLOC_FL_COLLAPSE_RANGE, 0, 4096), -EOPNOTSUPP);
	ck_assert_int_eq(image_fallocate(img, 0, 0, 0), -EINVAL);
	ck_assert_int_eq(image_fallocate(img, 0, UINT64_MAX, 2), -EFBIG);
	ck_assert_int_eq(image_fallocate(img, 0, 0, IMAGE_BYTES_MAX + 1), -EFBIG);
	ck_assert_uint_eq(image_size(img), 1024 * KIB);
	bed_close(img);
	bed_free(b);
}
END_TEST

/* ---- holes ---- */

static void expect_seek(struct image *img, uint64_t off, int whence, int64_t want)
{
	uint64_t at = 0;
	int r = image_seek(img, off, whence, &at);

	ck_assert_int_eq(r < 0 ? r : (int64_t)at, want);
}

START_TEST(dirty_data_in_a_hole_of_the_backing_file_is_data)
{
	struct bed *b = bed_new();
	struct image *img;

	bed_must_mount(b);
	img = bed_create(b, "a");
	ck_assert_int_eq(image_open(img, true), 0);
	ck_assert_int_eq(image_truncate(img, 1024 * KIB), 0);
	expect_seek(img, 0, SEEK_DATA, -ENXIO);
	expect_seek(img, 0, SEEK_HOLE, 0);
	ck_assert_int_eq(bed_fill(img, 'n', 8 * KIB, 64 * KIB), 8 * KIB);
	expect_seek(img, 0, SEEK_DATA, 64 * KIB);
	expect_seek(img, 66 * KIB, SEEK_DATA, 66 * KIB);
	expect_seek(img, 72 * KIB, SEEK_DATA, -ENXIO);
	expect_seek(img, 0, SEEK_HOLE, 0);
	expect_seek(img, 65 * KIB, SEEK_HOLE, 72 * KIB);
	expect_seek(img, 1024 * KIB, SEEK_HOLE, -ENXIO);
	expect_seek(img, 1024 * KIB, SEEK_DATA, -ENXIO);
	bed_close(img);
	bed_free(b);
}
END_TEST

START_TEST(holes_end_where_cache_or_backing_file_have_data)
{
	struct bed *b;
	struct image *img = start(&b, false);

	ck_assert_int_eq(image_fallocate(img, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 128 * KIB,
					 256 * KIB),
			 0);
	ck_assert_int_eq(bed_fill(img, 'n', 4 * KIB, 128 * KIB), 4 * KIB);
	expect_seek(img, 0, SEEK_HOLE, 132 * KIB);
	expect_seek(img, 132 * KIB, SEEK_DATA, 384 * KIB);
	expect_seek(img, 132 * KIB, SEEK_HOLE, 132 * KIB);
	expect_seek(img, 384 * KIB, SEEK_HOLE, 1024 * KIB);
	bed_close(img);
	bed_free(b);
}
END_TEST

/* ---- times and attributes ---- */

static const struct timespec some_time[2] = { { .tv_sec = 1000000 },
					      { .tv_sec = 2000000, .tv_nsec = 5000 } };

static void expect_mtime(struct image *img, time_t sec)
{
	struct stat st;

	ck_assert_int_eq(image_stat(img, image_fd(img), &st), 0);
	ck_assert_int_eq(st.st_mtim.tv_sec, sec);
}

START_TEST(times_that_are_set_are_kept_through_migration)
{
	struct bed *b;
	struct image *img = start(&b, true);
	struct stat st;

	ck_assert_int_eq(image_set_times(img, some_time), 0);
	expect_mtime(img, 2000000);
	bed_drain(b, img);
	expect_mtime(img, 2000000);
	bed_close(img);
	bed_unmount(b);
	ck_assert_int_eq(fstatat(b->fd, "a", &st, 0), 0);
	ck_assert_int_eq(st.st_mtim.tv_sec, 2000000);
	bed_free(b);
}
END_TEST

START_TEST(a_write_ends_the_time_that_was_set)
{
	struct bed *b;
	struct image *img = start(&b, true);
	struct stat st;

	ck_assert_int_eq(image_set_times(img, some_time), 0);
	ck_assert_int_eq(bed_fill(img, 'm', 10, 0), 10);
	ck_assert_int_eq(image_stat(img, image_fd(img), &st), 0);
	ck_assert_int_ge(st.st_mtim.tv_sec, (time_t)(clock_real_ns() / NSEC_PER_SEC) - 10);
	bed_close(img);
	bed_free(b);
}
END_TEST

static void set_times_and_die(struct bed *b)
{
	struct image *img = bed_open(b, "a");

	if (bed_fill(img, 'n', 10, 0) < 0 || image_set_times(img, some_time) < 0 ||
	    bed_sync(img) < 0)
		_exit(1);
}

START_TEST(times_that_are_set_survive_a_death)
{
	struct bed *b = bed_new();
	struct image *img;

	bed_make_file(b, "a", 'o', 100);
	bed_die(b, set_times_and_die);
	bed_must_mount(b);
	ck_assert_str_eq(b->said, "");
	img = bed_open(b, "a");
	expect_mtime(img, 2000000);
	bed_close(img);
	bed_free(b);
}
END_TEST

static void change_mode(struct bed *b, struct image *img)
{
	if (image_touching(img) < 0 || fchmodat(b->fd, "a", 0600, 0) < 0)
		_exit(1);
	image_touched(img);
}

static void chmod_and_die(struct bed *b)
{
	struct image *img = bed_open(b, "a");

	if (bed_fill(img, 'n', 10, 0) < 0 || bed_sync(img) < 0)
		_exit(1);
	change_mode(b, img);
}

START_TEST(a_chmod_of_a_dirty_image_is_no_conflict)
{
	struct bed *b = bed_new();
	struct image *img;

	bed_make_file(b, "a", 'o', 100);
	bed_die(b, chmod_and_die);
	bed_must_mount(b);
	ck_assert_str_eq(b->said, "");
	img = bed_open(b, "a");
	change_mode(b, img);
	ck_assert_int_eq(bed_fill(img, 'm', 10, 0), 10);
	change_mode(b, img);
	bed_drain(b, img);
	bed_close(img);
	bed_unmount(b);
	bed_must_mount(b);
	ck_assert_str_eq(b->said, "");
	bed_free(b);
}
END_TEST

/* ---- the guard ---- */

static bool is_marked(struct bed *b)
{
	char path[300], value[64];

	snprintf(path, sizeof(path), "%s/back/a", b->root);
	if (getxattr(path, MARK, value, sizeof(value)) >= 0)
		return true;
	ck_assert_int_eq(errno, ENODATA);
	return false;
}

START_TEST(a_dirty_file_is_marked_and_a_clean_one_is_not)
{
	struct bed *b;
	struct image *img = start(&b, false);

	ck_assert(!is_marked(b));
	ck_assert_int_eq(bed_fill(img, 'n', 10, 0), 10);
	ck_assert(is_marked(b));
	bed_close(img);
	bed_unmount(b);
	ck_assert(is_marked(b));
	bed_must_mount(b);
	img = bed_open(b, "a");
	bed_drain(b, img);
	bed_close(img);
	bed_unmount(b);
	ck_assert(!is_marked(b));
	bed_must_mount(b);
	ck_assert_str_eq(b->said, "");
	bed_free(b);
}
END_TEST

START_TEST(a_file_marked_by_another_cache_is_not_opened)
{
	static const char uuid[] = "12345678-1234-1234-1234-123456789abc";
	struct bed *b = bed_new();
	struct image *img;
	char path[300];

	bed_make_file(b, "a", 'o', 100);
	snprintf(path, sizeof(path), "%s/back/a", b->root);
	ck_assert_int_eq(setxattr(path, MARK, uuid, strlen(uuid), 0), 0);
	bed_must_mount(b);
	img = bed_get(b, "a");
	ck_assert_int_eq(image_open(img, false), -EIO);
	ck_assert(bed_said(b, uuid));
	image_put(img);
	bed_free(b);
}
END_TEST

static int lock_byte(int fd, off_t byte)
{
	struct flock l = { .l_type = F_RDLCK, .l_whence = SEEK_SET, .l_start = byte, .l_len = 1 };

	return fcntl(fd, F_OFD_SETLK, &l);
}

START_TEST(a_file_that_a_virtual_machine_has_locked_is_not_opened_for_writing)
{
	struct bed *b = bed_new();
	struct image *img;
	int fd;

	bed_make_file(b, "a", 'o', 100);
	bed_must_mount(b);
	fd = openat(b->fd, "a", O_RDWR | O_CLOEXEC);
	ck_assert_int_eq(lock_byte(fd, 101), 0);
	ck_assert_int_eq(lock_byte(fd, 201), 0);
	img = bed_get(b, "a");
	ck_assert_int_eq(image_open(img, true), -EBUSY);
	ck_assert_int_eq(image_open(img, false), 0);
	image_release(img, false);
	close(fd);
	ck_assert_int_eq(image_open(img, true), 0);
	bed_close(img);
	bed_free(b);
}
END_TEST

START_TEST(a_file_in_use_is_locked_as_virtual_machines_see_it)
{
	struct bed *b;
	struct image *img = start(&b, true);
	struct flock l = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 201, .l_len = 1 };
	int fd = openat(b->fd, "a", O_RDWR | O_CLOEXEC);

	ck_assert_int_eq(fcntl(fd, F_OFD_GETLK, &l), 0);
	ck_assert_int_eq(l.l_type, F_RDLCK);
	close(fd);
	bed_close(img);
	bed_free(b);
}
END_TEST

static Suite *make_suite(void)
{
	Suite *s = suite_create("image_ops");

	CHECK_CASE(s, "truncate", truncate_of_an_unbound_image_is_a_plain_one,
		   what_was_cut_off_is_zero_when_the_image_grows_again,
		   a_truncate_survives_a_death);
	CHECK_CASE(s, "space", a_punched_range_reads_as_zeros, fallocate_extends_and_reserves,
		   fallocate_refuses_what_it_cannot_do);
	CHECK_CASE(s, "holes", dirty_data_in_a_hole_of_the_backing_file_is_data,
		   holes_end_where_cache_or_backing_file_have_data);
	CHECK_CASE(s, "times", times_that_are_set_are_kept_through_migration,
		   a_write_ends_the_time_that_was_set, times_that_are_set_survive_a_death,
		   a_chmod_of_a_dirty_image_is_no_conflict);
	CHECK_CASE(s, "guard", a_dirty_file_is_marked_and_a_clean_one_is_not,
		   a_file_marked_by_another_cache_is_not_opened,
		   a_file_that_a_virtual_machine_has_locked_is_not_opened_for_writing,
		   a_file_in_use_is_locked_as_virtual_machines_see_it);
	return s;
}

CHECK_MAIN(make_suite)
