// SPDX-License-Identifier: GPL-2.0-or-later
/* Reads, writes and syncs of images, cached and uncached, on a real core and engine. */
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "common/mutex.h"
#include "lcfs/image/image_private.h"
#include "tests/check_main.h"
#include "tests/fake/imagebed.h"

#define MIB (1u << 20)

START_TEST(written_bytes_are_read_back_at_any_alignment)
{
	struct bed *b = bed_new();
	struct image *img;
	char buf[64];

	bed_make_file(b, "a", 'o', 3 * 4096 + 100);
	bed_must_mount(b);
	img = bed_open(b, "a");
	ck_assert_int_eq(bed_write(img, "hello", 5, 4094), 5);
	ck_assert_int_eq(bed_read(img, buf, 10, 4092), 10);
	ck_assert_mem_eq(buf, "oohelloooo", 9);
	ck_assert(bed_reads(img, 'o', 4094, 0));
	ck_assert(bed_reads(img, 'o', 3 * 4096 + 100 - 4099, 4099));
	bed_close(img);
	bed_free(b);
}
END_TEST

START_TEST(a_read_ends_at_the_end_of_the_image)
{
	struct bed *b = bed_new();
	struct image *img;
	char buf[8192];

	bed_make_file(b, "a", 'x', 5000);
	bed_must_mount(b);
	img = bed_open(b, "a");
	ck_assert_int_eq(bed_read(img, buf, 8192, 0), 5000);
	ck_assert_int_eq(bed_read(img, buf, 100, 4990), 10);
	ck_assert_int_eq(bed_read(img, buf, 100, 5000), 0);
	ck_assert_int_eq(bed_fill(img, 'y', 10, 6000), 10);
	ck_assert_uint_eq(image_size(img), 6010);
	ck_assert_int_eq(bed_read(img, buf, 8192, 4999), 6010 - 4999);
	ck_assert_int_eq(buf[0], 'x');
	ck_assert_int_eq(buf[1], 0);
	ck_assert_int_eq(buf[1001], 'y');
	bed_close(img);
	bed_free(b);
}
END_TEST

START_TEST(the_backing_file_is_untouched_until_drained_and_then_is_the_image)
{
	struct bed *b = bed_new();
	struct image *img;
	char buf[16];

	bed_make_file(b, "a", 'o', MIB);
	bed_must_mount(b);
	img = bed_open(b, "a");
	ck_assert_int_eq(bed_fill(img, 'n', 700000, 12345), 700000);
	ck_assert_int_eq(bed_sync(img), 0);
	ck_assert_uint_eq(bed_plain_read(b, "a", buf, 16, 500000), 16);
	ck_assert_int_eq(buf[0], 'o');
	ck_assert_int_eq(bed_state(img), IMAGE_DIRTY);
	bed_drain(b, img);
	ck_assert_int_eq(bed_state(img), IMAGE_CLEAN);
	ck_assert_uint_eq(bed_plain_read(b, "a", buf, 16, 12344), 16);
	ck_assert_mem_eq(buf, "onnnnnnnnnnnnnnn", 16);
	ck_assert_uint_eq(bed_plain_read(b, "a", buf, 16, 712344), 16);
	ck_assert_mem_eq(buf, "nooooooooooooooo", 16);
	bed_close(img);
	bed_free(b);
}
END_TEST

START_TEST(dirty_data_is_there_after_an_orderly_remount)
{
	struct bed *b = bed_new();
	struct image *img;

	bed_must_mount(b);
	img = bed_create(b, "new");
	ck_assert_int_eq(image_open(img, true), 0);
	ck_assert_int_eq(bed_fill(img, 'a', 300000, 0), 300000);
	bed_close(img);
	bed_unmount(b);
	bed_must_mount(b);
	ck_assert_str_eq(b->said, "");
	img = bed_open(b, "new");
	ck_assert_uint_eq(image_size(img), 300000);
	ck_assert(bed_reads(img, 'a', 300000, 0));
	bed_drain(b, img);
	bed_close(img);
	bed_free(b);
}
END_TEST

static void write_and_die(struct bed *b)
{
	struct image *img = bed_create(b, "new");

	if (image_open(img, true) < 0 || bed_fill(img, 'a', 300000, 0) != 300000)
		_exit(1);
}

START_TEST(a_killed_daemon_loses_no_acknowledged_write)
{
	struct bed *b = bed_new();
	struct image *img;

	bed_die(b, write_and_die);
	bed_must_mount(b);
	ck_assert_str_eq(b->said, "");
	img = bed_open(b, "new");
	ck_assert(bed_reads(img, 'a', 300000, 0));
	bed_drain(b, img);
	bed_close(img);
	bed_free(b);
}
END_TEST

static void migrate_and_die(struct bed *b)
{
	struct image *img = bed_open(b, "a");

	if (bed_fill(img, 'a', 3 * MIB, 0) != 3 * MIB || image_drain(img) < 0)
		_exit(1);
	if (bed_fill(img, 'b', MIB, 0) != MIB)
		_exit(1);
}

START_TEST(a_daemon_killed_between_migrations_leaves_no_conflict)
{
	struct bed *b = bed_new();
	struct image *img;

	bed_make_file(b, "a", 'o', 100);
	bed_die(b, migrate_and_die);
	bed_must_mount(b);
	ck_assert_str_eq(b->said, "");
	img = bed_open(b, "a");
	ck_assert(bed_reads(img, 'b', MIB, 0));
	ck_assert(bed_reads(img, 'a', 2 * MIB, MIB));
	bed_close(img);
	bed_free(b);
}
END_TEST

START_TEST(a_synchronous_write_is_acknowledged_with_everything_in_place)
{
	struct bed *b = bed_new();
	struct image *img;

	bed_must_mount(b);
	img = bed_create(b, "new");
	ck_assert_int_eq(image_open(img, true), 0);
	ck_assert_int_eq(bed_write_sync(img, "abc", 3, 0), 3);
	ck_assert_int_eq(bed_write_sync(img, "def", 3, 3), 3);
	ck_assert(bed_reads(img, 'd', 1, 3));
	bed_close(img);
	bed_free(b);
}
END_TEST

START_TEST(a_write_beyond_the_limits_is_refused)
{
	struct bed *b = bed_new();
	struct image *img;

	bed_make_file(b, "a", 'x', 10);
	bed_must_mount(b);
	img = bed_open(b, "a");
	ck_assert_int_eq(bed_write(img, "x", 1, IMAGE_BYTES_MAX), -EFBIG);
	ck_assert_int_eq(image_truncate(img, IMAGE_BYTES_MAX + 1), -EFBIG);
	ck_assert_int_eq(bed_write(img, "", 0, 0), 0);
	bed_close(img);
	bed_free(b);
}
END_TEST

START_TEST(without_a_cache_files_are_served_as_they_are)
{
	struct bed *b = bed_new();
	struct imagedir_conf conf = { .dirfd = b->fd };
	struct image *img;
	char buf[8];

	bed_make_file(b, "a", 'x', 5000);
	ck_assert_int_eq(imagedir_open(&b->dir, &conf, b->text, sizeof(b->text)), 0);
	img = bed_open(b, "a");
	ck_assert_int_eq(bed_write(img, "abc", 3, 4999), 3);
	ck_assert_uint_eq(image_size(img), 5002);
	ck_assert_int_eq(bed_read(img, buf, 8, 4998), 4);
	ck_assert_mem_eq(buf, "xabc", 4);
	ck_assert_int_eq(bed_sync(img), 0);
	ck_assert_int_eq(image_truncate(img, 10), 0);
	ck_assert_int_eq(bed_read(img, buf, 8, 8), 2);
	ck_assert_uint_eq(bed_image_id(img), 0);
	bed_close(img);
	bed_free(b);
}
END_TEST

/* A path that is too long for the log: the file is used all the same. */
START_TEST(a_file_that_the_cache_cannot_take_is_served_uncached)
{
	struct bed *b = bed_new();
	struct image *img;
	char name[201];
	int fd = b->fd, next;
	char buf[4];

	memset(name, 'd', 200);
	name[200] = '\0';
	for (int i = 0; i < 9; i++) {
		ck_assert_int_eq(mkdirat(fd, name, 0755), 0);
		next = openat(fd, name, O_RDONLY | O_DIRECTORY);
		ck_assert_int_ge(next, 0);
		if (fd != b->fd)
			close(fd);
		fd = next;
	}
	bed_must_mount(b);
	next = openat(fd, "f", O_RDWR | O_CREAT, 0644);
	ck_assert_int_eq(image_get(b->dir, next, &img), 0);
	close(next);
	close(fd);
	ck_assert_int_eq(image_open(img, true), 0);
	ck_assert_uint_eq(bed_image_id(img), 0);
	ck_assert_int_eq(bed_write_sync(img, "abc", 3, 0), 3);
	ck_assert_int_eq(bed_read(img, buf, 4, 0), 3);
	bed_close(img);
	bed_free(b);
}
END_TEST

START_TEST(stat_shows_size_time_and_blocks_of_what_is_cached)
{
	struct bed *b = bed_new();
	struct image *img;
	struct stat st, later;

	bed_must_mount(b);
	img = bed_create(b, "new");
	ck_assert_int_eq(image_open(img, true), 0);
	ck_assert_int_eq(fstat(image_fd(img), &st), 0);
	ck_assert_int_eq(bed_fill(img, 'a', 100000, 0), 100000);
	ck_assert_int_eq(fstat(image_fd(img), &later), 0);
	ck_assert_int_eq(later.st_blocks, 0);
	ck_assert_int_eq(image_stat(img, image_fd(img), &later), 0);
	ck_assert_int_eq(later.st_size, 100000);
	ck_assert_int_ge(later.st_blocks, 100000 / 512);
	ck_assert_int_le(later.st_blocks, 100000 / 512 + 8);
	ck_assert(later.st_mtim.tv_sec >= st.st_mtim.tv_sec);
	ck_assert(later.st_ctim.tv_sec >= st.st_ctim.tv_sec);
	bed_close(img);
	bed_free(b);
}
END_TEST

START_TEST(migration_does_not_move_the_ctime_that_is_shown)
{
	struct bed *b = bed_new();
	struct image *img;
	struct stat st, later;

	bed_make_file(b, "a", 'x', 10);
	bed_must_mount(b);
	img = bed_open(b, "a");
	ck_assert_int_eq(bed_fill(img, 'a', 100000, 0), 100000);
	ck_assert_int_eq(image_stat(img, image_fd(img), &st), 0);
	bed_drain(b, img);
	ck_assert_int_eq(image_stat(img, image_fd(img), &later), 0);
	ck_assert_mem_eq(&st.st_ctim, &later.st_ctim, sizeof(st.st_ctim));
	ck_assert_mem_eq(&st.st_mtim, &later.st_mtim, sizeof(st.st_mtim));
	bed_close(img);
	bed_free(b);
}
END_TEST

static struct {
	struct bed *bed;
	struct image *img;
	int fd;
	unsigned int nr_seen;
} asked;

/*
 * In place of libc's: just after this file was asked all of its image is migrated, so that the
 * answer is of before that. Under the image's lock it cannot be.
 */
int fstatat(int fd, const char *restrict path, struct stat *restrict st, int flags)
{
	int r = (int)syscall(SYS_newfstatat, fd, path, st, flags);

	if (!asked.img || fd != asked.fd)
		return r;
	asked.nr_seen++;
	if (atomic_load(&asked.img->lock.owner) != &mutex_thread_key)
		bed_drain(asked.bed, asked.img);
	return r;
}

START_TEST(a_size_of_the_file_before_it_was_migrated_to_is_not_shown)
{
	struct bed *b = bed_new();
	struct image *img;
	struct stat st;
	int fd;

	bed_make_file(b, "a", 'x', 1000);
	bed_must_mount(b);
	img = bed_open(b, "a");
	ck_assert_int_eq(bed_fill(img, 'g', 5000, 1000), 5000);
	bed_close(img);
	bed_unmount(b);
	bed_must_mount(b);
	img = bed_get(b, "a");
	fd = openat(b->fd, "a", O_RDONLY);
	asked.bed = b;
	asked.fd = fd;
	asked.img = img;
	ck_assert_int_eq(image_stat(img, fd, &st), 0);
	asked.img = NULL;
	ck_assert_uint_eq(asked.nr_seen, 1);
	ck_assert_int_eq(st.st_size, 6000);
	close(fd);
	image_put(img);
	bed_free(b);
}
END_TEST

#define NEEDLE "this block goes bad on the cache device"

/* One bit of the block with the needle. */
static void damage_cache_device(struct bed *b)
{
	int fd = openat(b->root_fd, "cache", O_RDWR | O_CLOEXEC);
	char *all = malloc(BED_CACHE_BYTES), *at;

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(pread(fd, all, BED_CACHE_BYTES, 0), BED_CACHE_BYTES);
	at = memmem(all, BED_CACHE_BYTES, NEEDLE, strlen(NEEDLE));
	ck_assert_ptr_nonnull(at);
	*at ^= 1;
	ck_assert_int_eq(pwrite(fd, at, 1, at - all), 1);
	ck_assert_int_eq(fsync(fd), 0);
	close(fd);
	free(all);
}

/* Lets the RAM buffers be used for something else. */
static void fill_buffers(struct image *img)
{
	for (uint32_t i = 1; i < 8; i++)
		ck_assert_int_eq(bed_fill(img, 'f', MIB, i * MIB), MIB);
	ck_assert_int_eq(bed_sync(img), 0);
}

START_TEST(damage_of_the_only_copy_is_an_error_and_is_told)
{
	struct bed *b = bed_new();
	struct image *img;
	char buf[8192];

	bed_must_mount(b);
	img = bed_create(b, "a");
	ck_assert_int_eq(image_open(img, true), 0);
	ck_assert_int_eq(bed_fill(img, 'a', 8192, 0), 8192);
	ck_assert_int_eq(bed_write(img, NEEDLE, strlen(NEEDLE), 100), strlen(NEEDLE));
	ck_assert_int_eq(bed_sync(img), 0);
	fill_buffers(img);
	damage_cache_device(b);
	ck_assert_int_eq(bed_read(img, buf, 4096, 0), -EIO);
	ck_assert_int_eq(bed_write(img, "x", 1, 0), -EIO);
	bed_wait_said(b, "a: byte 0: the only copy");
	ck_assert(bed_reads(img, 'a', 4096, 4096));
	ck_assert_int_eq(bed_fill(img, 'n', 4096, 0), 4096);
	ck_assert(bed_reads(img, 'n', 4096, 0));
	bed_drain(b, img);
	bed_close(img);
	bed_free(b);
}
END_TEST

static Suite *make_suite(void)
{
	Suite *s = suite_create("image_io");

	CHECK_CASE(s, "cached", written_bytes_are_read_back_at_any_alignment,
		   a_read_ends_at_the_end_of_the_image,
		   the_backing_file_is_untouched_until_drained_and_then_is_the_image,
		   dirty_data_is_there_after_an_orderly_remount,
		   a_killed_daemon_loses_no_acknowledged_write,
		   a_daemon_killed_between_migrations_leaves_no_conflict,
		   a_synchronous_write_is_acknowledged_with_everything_in_place,
		   a_write_beyond_the_limits_is_refused,
		   damage_of_the_only_copy_is_an_error_and_is_told);
	CHECK_CASE(s, "uncached", without_a_cache_files_are_served_as_they_are,
		   a_file_that_the_cache_cannot_take_is_served_uncached);
	CHECK_CASE(s, "stat", stat_shows_size_time_and_blocks_of_what_is_cached,
		   migration_does_not_move_the_ctime_that_is_shown,
		   a_size_of_the_file_before_it_was_migrated_to_is_not_shown);
	return s;
}

CHECK_MAIN(make_suite)
