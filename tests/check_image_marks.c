// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The mark of a file says that a cache has newer data of it. A daemon that dies between setting it
 * and binding the image, or between unbinding it and the removal of the mark, leaves one that is
 * not true.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/mutex.h"
#include "lcfs/cache/core.h"
#include "lcfs/image/image_private.h"
#include "tests/check_child.h"
#include "tests/check_main.h"
#include "tests/fake/imagebed.h"

#define BYTES 100000

/* As the first write does, which does not come. */
static void mark_and_die(struct bed *b)
{
	struct image *img = bed_open(b, "a");

	LOCK_SCOPE(&img->lock);
	must(image_prepare(img) == 0 && img->is_marked && !image_is_bound(img));
}

/* A bed with such a file. */
static struct bed *stale_bed(void)
{
	struct bed *b = bed_new();

	bed_make_file(b, "a", 'o', BYTES);
	bed_die(b, mark_and_die);
	ck_assert(bed_is_marked(b, "a"));
	return b;
}

static void expect_opened(struct bed *b, bool for_write)
{
	struct image *img = bed_get(b, "a");

	ck_assert_int_eq(image_open(img, for_write), 0);
	ck_assert(bed_reads(img, 'o', BYTES, 0));
	image_release(img, for_write);
	image_put(img);
	ck_assert(!bed_is_marked(b, "a"));
}

START_TEST(a_mark_of_a_file_that_its_cache_does_not_know_goes_when_it_is_opened)
{
	for (int writes = 0; writes < 2; writes++) {
		struct bed *b = stale_bed();

		bed_must_mount(b);
		expect_opened(b, writes);
		ck_assert(!bed_said(b, "warning"));
		bed_free(b);
	}
}
END_TEST

/* Nobody opens the file while its cache is there. */
START_TEST(a_mark_of_a_cache_that_ended_with_nothing_dirty_is_old)
{
	struct bed *b = stale_bed();
	struct bed_cache *first = b->caches[0];

	bed_must_mount(b);
	bed_unmount(b);
	ck_assert(bed_is_marked(b, "a"));
	(void)bed_add_cache(b);
	bed_turn_round(b);
	b->nr_caches = 1;
	bed_must_mount(b);
	expect_opened(b, false);
	bed_unmount(b);
	b->nr_caches = 2;
	ck_assert_ptr_eq(b->caches[1], first);
	bed_free(b);
}
END_TEST

/* It has newer data, or may have. */
START_TEST(a_mark_of_a_cache_that_is_not_there_and_did_not_end_is_true)
{
	struct bed *b = stale_bed();
	struct image *img;

	ck_assert_int_eq(unlinkat(b->fd, ".lcfs/caches", 0), 0);
	bed_format(b);
	bed_must_mount(b);
	img = bed_get(b, "a");
	ck_assert_int_eq(image_open(img, false), -EIO);
	ck_assert(bed_said(b, "newer data in cache"));
	image_put(img);
	ck_assert(bed_is_marked(b, "a"));
	bed_free(b);
}
END_TEST

static void write_weak_and_die(struct bed *b)
{
	struct image *img = bed_open(b, "a");

	img->is_weak = true;
	atomic_load(&img->cached)->identity.strength = IDENTITY_WEAK;
	must(bed_fill(img, 'n', BYTES, 0) == BYTES && bed_sync(img) == 0);
}

/* The cache misses a file: this may be it. */
START_TEST(a_mark_of_a_cache_that_misses_a_file_is_kept)
{
	struct bed *b = bed_new();
	struct image *img;

	bed_make_file(b, "a", 'o', BYTES);
	bed_die(b, write_weak_and_die);
	ck_assert_int_eq(renameat(b->fd, "a", b->fd, "moved"), 0);
	bed_must_mount(b);
	ck_assert(bed_said(b, "a: missing"));
	img = bed_get(b, "moved");
	ck_assert_int_eq(image_open(img, false), 0);
	image_release(img, false);
	image_put(img);
	ck_assert(bed_is_marked(b, "moved"));
	bed_free(b);
}
END_TEST

/* Is made anew, and so is another one in its place: what it was is known all the same. */
START_TEST(a_cache_that_ended_in_order_is_remembered_when_counting_begins_anew)
{
	struct bed *b = stale_bed();

	bed_must_mount(b);
	bed_unmount(b);
	bed_format(b);
	bed_must_mount(b);
	ck_assert_uint_eq(b->caches[0]->id, 1);
	expect_opened(b, false);
	bed_free(b);
}
END_TEST

/* All of it is in the file, which is still marked. */
static void drain_and_die(struct bed *b)
{
	struct image *img = bed_open(b, "a");

	must(bed_fill(img, 'n', BYTES, 0) == BYTES);
	bed_drain(b, img);
	must(bed_is_marked(b, "a"));
}

START_TEST(a_mark_of_an_image_that_was_clean_at_death_goes)
{
	struct bed *b = bed_new();

	bed_make_file(b, "a", 'o', BYTES);
	bed_die(b, drain_and_die);
	bed_must_mount(b);
	bed_unmount(b);
	ck_assert(!bed_is_marked(b, "a"));
	ck_assert(bed_plain_is(b, "a", 'n', BYTES));
	bed_free(b);
}
END_TEST

/* An image of the second of two caches, clean, whose file says that the first one has newer data:
 * the daemon died before the image had left that one altogether. */
static struct bed *moved_bed(void)
{
	struct bed *b = bed_new();
	struct image *img;
	int fd;

	(void)bed_add_cache(b);
	bed_make_file(b, "a", 'o', BYTES);
	bed_turn_round(b); /* the one to write to is the first of the mount */
	bed_must_mount(b);
	img = bed_open(b, "a");
	ck_assert_int_eq(bed_fill(img, 'n', BYTES, 0), BYTES);
	bed_drain(b, img);
	bed_close(img);
	bed_unmount(b);
	ck_assert(!bed_is_marked(b, "a"));
	fd = openat(b->fd, "a", O_RDWR);
	ck_assert_int_eq(guard_mark_set(fd, b->caches[1]->before.cache_uuid), 0);
	close(fd);
	return b;
}

START_TEST(a_mark_of_another_cache_that_has_nothing_of_the_file_goes)
{
	struct bed *b = moved_bed();

	bed_must_mount(b);
	bed_unmount(b);
	ck_assert(!bed_is_marked(b, "a"));
	bed_free(b);
}
END_TEST

START_TEST(a_mark_of_another_cache_stays_while_that_is_not_there)
{
	struct bed *b = moved_bed();

	ck_assert_int_eq(unlinkat(b->fd, ".lcfs/caches", 0), 0);
	b->nr_caches = 1;
	bed_must_mount(b);
	bed_unmount(b);
	b->nr_caches = 2;
	ck_assert(bed_is_marked(b, "a"));
	bed_free(b);
}
END_TEST

static Suite *make_suite(void)
{
	Suite *s = suite_create("image_marks");

	CHECK_CASE(s, "stale",
		   a_mark_of_a_file_that_its_cache_does_not_know_goes_when_it_is_opened,
		   a_mark_of_a_cache_that_ended_with_nothing_dirty_is_old,
		   a_cache_that_ended_in_order_is_remembered_when_counting_begins_anew,
		   a_mark_of_an_image_that_was_clean_at_death_goes,
		   a_mark_of_another_cache_that_has_nothing_of_the_file_goes);
	CHECK_CASE(s, "true", a_mark_of_a_cache_that_is_not_there_and_did_not_end_is_true,
		   a_mark_of_a_cache_that_misses_a_file_is_kept,
		   a_mark_of_another_cache_stays_while_that_is_not_there);
	return s;
}

CHECK_MAIN(make_suite)
