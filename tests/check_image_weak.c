// SPDX-License-Identifier: GPL-2.0-or-later
/* Images that are known by their names only: renamed and removed, and the daemon killed. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lcfs/cache/core.h"
#include "lcfs/image/corecall.h"
#include "lcfs/image/image_private.h"
#include "tests/check_child.h"
#include "tests/check_main.h"
#include "tests/fake/imagebed.h"

#define BYTES 100000

static void expect(struct bed *b, const char *path, char fill)
{
	struct image *img = bed_open(b, path);

	ck_assert(bed_reads(img, fill, BYTES, 0));
	bed_close(img);
}

/* As on a filesystem without numbers that last. */
static struct image *make_weak(struct bed *b, const char *path, char fill)
{
	struct image *img = bed_create(b, path);

	must(image_open(img, true) == 0);
	img->is_weak = true;
	atomic_load(&img->cached)->identity.strength = IDENTITY_WEAK;
	must(bed_fill(img, fill, BYTES, 0) == BYTES && bed_sync(img) == 0);
	return img;
}

/* The rename is durable in the log, and was not made. */
static void log_rename_and_die(struct bed *b)
{
	struct op op = { .type = OP_RENAME,
			 .path = "a",
			 .path_bytes = 1,
			 .path2 = "z",
			 .path2_bytes = 1 };
	struct image *img = make_weak(b, "a", 'a');

	must(corecall_log(image_host(img), atomic_load(&img->cached), &op, true) == 0);
}

/* A file of holes with the size and time of what nothing was migrated to yet. */
static void keep_likeness(struct bed *b, const char *path)
{
	int fd = openat(b->root_fd, "kept", O_CREAT | O_EXCL | O_WRONLY, 0600);
	struct stat st;

	must(fd >= 0 && fstatat(b->fd, path, &st, 0) == 0);
	must(ftruncate(fd, st.st_size) == 0);
	must(futimens(fd, (struct timespec[2]){ st.st_atim, st.st_mtim }) == 0);
	close(fd);
}

START_TEST(a_weak_image_is_found_under_its_old_name)
{
	struct bed *b = bed_new();
	struct image *img;

	bed_die(b, log_rename_and_die);
	bed_must_mount(b);
	ck_assert(!bed_said(b, "missing") && !bed_said(b, "conflict"));
	img = bed_open(b, "a");
	ck_assert_uint_eq(image_size(img), BYTES);
	ck_assert(bed_reads(img, 'a', BYTES, 0));
	bed_close(img);
	bed_free(b);
}
END_TEST

START_TEST(a_weak_image_is_not_what_it_was_to_be_renamed_over)
{
	struct bed *b = bed_new();

	bed_make_file(b, "z", 'z', BYTES);
	bed_die(b, log_rename_and_die);
	bed_must_mount(b);
	ck_assert(!bed_said(b, "missing") && !bed_said(b, "conflict"));
	expect(b, "z", 'z');
	expect(b, "a", 'a');
	bed_free(b);
}
END_TEST

static void log_rename_with_two_and_die(struct bed *b)
{
	log_rename_and_die(b);
	keep_likeness(b, "a");
	must(renameat(b->root_fd, "kept", b->fd, "z") == 0);
}

static bool begins_with(struct bed *b, const char *path, char fill)
{
	char c;

	return bed_plain_read(b, path, &c, 1, 0) == 1 && c == fill;
}

START_TEST(a_weak_image_that_two_names_may_be_of_is_a_conflict)
{
	struct bed *b = bed_new();

	bed_die(b, log_rename_with_two_and_die);
	bed_must_mount(b);
	ck_assert(bed_said(b, "either of two names may be it"));
	bed_knob(b, KNOB_FORCE_MIGRATE, 1);
	bed_unmount(b);
	ck_assert(!begins_with(b, "a", 'a') && !begins_with(b, "z", 'a'));
	bed_free(b);
}
END_TEST

static void rename_weak_and_die(struct bed *b)
{
	make_weak(b, "a", 'a');
	must(imagedir_rename(b->dir, b->fd, "a", b->fd, "z", 0) == 0);
}

START_TEST(a_weak_image_is_found_under_its_new_name_though_the_old_one_is_used_again)
{
	struct bed *b = bed_new();

	bed_die(b, rename_weak_and_die);
	bed_make_file(b, "a", 'n', 10);
	ck_assert_int_eq(utimensat(b->fd, "a", (struct timespec[2]){ { 1, 0 }, { 1, 0 } }, 0), 0);
	bed_must_mount(b);
	ck_assert(!bed_said(b, "missing") && !bed_said(b, "conflict"));
	expect(b, "z", 'a');
	bed_free(b);
}
END_TEST

static void rename_weak_make_new_and_die(struct bed *b)
{
	make_weak(b, "a", 'a');
	must(imagedir_rename(b->dir, b->fd, "a", b->fd, "z", 0) == 0);
	make_weak(b, "a", 'n');
}

START_TEST(weak_images_of_which_one_has_the_other_ones_old_name_are_told_apart)
{
	struct bed *b = bed_new();

	bed_die(b, rename_weak_make_new_and_die);
	bed_must_mount(b);
	ck_assert(!bed_said(b, "missing") && !bed_said(b, "conflict"));
	expect(b, "z", 'a');
	expect(b, "a", 'n');
	bed_free(b);
}
END_TEST

static void unlink_weak_make_new_and_die(struct bed *b)
{
	make_weak(b, "a", 'a');
	must(imagedir_unlink(b->dir, b->fd, "a") == 0);
	make_weak(b, "a", 'n');
}

/* What the log has of the first one is of no file any more. */
START_TEST(a_weak_image_that_was_removed_is_not_the_new_one_of_its_name)
{
	struct bed *b = bed_new();

	bed_die(b, unlink_weak_make_new_and_die);
	bed_must_mount(b);
	ck_assert(!bed_said(b, "missing") && !bed_said(b, "conflict"));
	expect(b, "a", 'n');
	bed_knob(b, KNOB_FORCE_MIGRATE, 1);
	bed_wait_clean(b);
	bed_unmount(b);
	ck_assert(bed_plain_is(b, "a", 'n', BYTES));
	bed_must_mount(b);
	ck_assert_uint_eq(bed_nr_bound(b->caches[0]), 1);
	bed_free(b);
}
END_TEST

/* The new one is in no cache. */
static void unlink_weak_make_plain_and_die(struct bed *b)
{
	make_weak(b, "a", 'a');
	must(imagedir_unlink(b->dir, b->fd, "a") == 0);
	bed_make_file(b, "a", 'p', 10);
}

START_TEST(a_weak_image_that_was_removed_is_not_written_to_a_file_of_its_name)
{
	struct bed *b = bed_new();

	bed_die(b, unlink_weak_make_plain_and_die);
	bed_must_mount(b);
	ck_assert(!bed_said(b, "missing") && !bed_said(b, "conflict"));
	bed_knob(b, KNOB_FORCE_MIGRATE, 1);
	bed_unmount(b);
	ck_assert(bed_plain_is(b, "a", 'p', 10));
	bed_free(b);
}
END_TEST

/* That it is about to go is durable in the log. */
static void log_intent(struct image *img)
{
	struct op op = {
		.type = OP_INTENT, .arg0 = OP_INTENT_UNLINK, .path = "a", .path_bytes = 1
	};

	op.image = cache_image_id(atomic_load(&img->cached));
	must(corecall_log(image_host(img), atomic_load(&img->cached), &op, true) == 0);
}

static void log_intent_and_die(struct bed *b)
{
	log_intent(make_weak(b, "a", 'a'));
}

START_TEST(a_weak_image_that_was_to_be_removed_is_there)
{
	struct bed *b = bed_new();

	bed_die(b, log_intent_and_die);
	bed_must_mount(b);
	ck_assert(!bed_said(b, "missing") && !bed_said(b, "conflict"));
	expect(b, "a", 'a');
	bed_free(b);
}
END_TEST

/* What came of it is not in the log. */
static void remove_unnoticed_make_new_and_die(struct bed *b)
{
	log_intent(make_weak(b, "a", 'a'));
	must(unlinkat(b->fd, "a", 0) == 0);
	make_weak(b, "a", 'n');
}

START_TEST(a_name_is_of_the_weak_image_that_was_bound_last)
{
	struct bed *b = bed_new();

	bed_die(b, remove_unnoticed_make_new_and_die);
	bed_must_mount(b);
	ck_assert(!bed_said(b, "missing") && !bed_said(b, "conflict"));
	expect(b, "a", 'n');
	bed_free(b);
}
END_TEST

/* Somebody has put another file in the place of either. */
START_TEST(a_file_that_is_neither_of_two_weak_images_is_a_conflict)
{
	struct bed *b = bed_new();

	bed_die(b, remove_unnoticed_make_new_and_die);
	bed_make_file(b, "a", 'p', 10);
	ck_assert_int_eq(utimensat(b->fd, "a", (struct timespec[2]){ { 1, 0 }, { 1, 0 } }, 0), 0);
	bed_must_mount(b);
	ck_assert(bed_said(b, "conflict"));
	bed_knob(b, KNOB_FORCE_MIGRATE, 1);
	bed_unmount(b);
	ck_assert(bed_plain_is(b, "a", 'p', 10));
	bed_free(b);
}
END_TEST

static void remove_unnoticed_make_plain_and_die(struct bed *b)
{
	log_intent(make_weak(b, "a", 'a'));
	must(unlinkat(b->fd, "a", 0) == 0);
	bed_make_file(b, "a", 'p', 10);
}

/* By its times alone, it could be the image's, which lcfs was changing. */
START_TEST(a_file_in_the_place_of_a_weak_image_that_was_to_be_removed_is_a_conflict)
{
	struct bed *b = bed_new();

	bed_die(b, remove_unnoticed_make_plain_and_die);
	bed_must_mount(b);
	ck_assert(bed_said(b, "conflict"));
	bed_knob(b, KNOB_FORCE_MIGRATE, 1);
	bed_unmount(b);
	ck_assert(bed_plain_is(b, "a", 'p', 10));
	bed_free(b);
}
END_TEST

static void unlink_weak_and_die(struct bed *b)
{
	make_weak(b, "a", 'a');
	keep_likeness(b, "a"); /* a second name of it would make its unlink another one */
	must(imagedir_unlink(b->dir, b->fd, "a") == 0);
	make_weak(b, "b", 'b'); /* whose sync makes durable that a is gone */
}

/* The removal was not durable in the backing filesystem. */
START_TEST(a_weak_image_that_a_power_cut_brings_back_has_its_data)
{
	struct bed *b = bed_new();

	bed_die(b, unlink_weak_and_die);
	ck_assert_int_eq(renameat(b->root_fd, "kept", b->fd, "a"), 0);
	b->restarts++;
	bed_must_mount(b);
	ck_assert(!bed_said(b, "missing") && !bed_said(b, "conflict"));
	expect(b, "a", 'a');
	expect(b, "b", 'b');
	bed_free(b);
}
END_TEST

static Suite *make_suite(void)
{
	Suite *s = suite_create("image_weak");

	CHECK_CASE(s, "renamed", a_weak_image_is_found_under_its_old_name,
		   a_weak_image_is_not_what_it_was_to_be_renamed_over,
		   a_weak_image_is_found_under_its_new_name_though_the_old_one_is_used_again,
		   weak_images_of_which_one_has_the_other_ones_old_name_are_told_apart,
		   a_weak_image_that_two_names_may_be_of_is_a_conflict);
	CHECK_CASE(s, "removed", a_weak_image_that_was_removed_is_not_the_new_one_of_its_name,
		   a_weak_image_that_was_removed_is_not_written_to_a_file_of_its_name,
		   a_weak_image_that_was_to_be_removed_is_there,
		   a_name_is_of_the_weak_image_that_was_bound_last,
		   a_file_that_is_neither_of_two_weak_images_is_a_conflict,
		   a_file_in_the_place_of_a_weak_image_that_was_to_be_removed_is_a_conflict,
		   a_weak_image_that_a_power_cut_brings_back_has_its_data);
	return s;
}

CHECK_MAIN(make_suite)
