// SPDX-License-Identifier: GPL-2.0-or-later
/* What a mount makes of files that changed, moved or vanished meanwhile; which cache goes with
 * which directory. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/clock.h"
#include "tests/check_child.h"
#include "tests/check_main.h"
#include "tests/fake/imagebed.h"

#define BYTES 200000

/* a and b exist, and both have dirty data in the cache; unmounted. */
static struct bed *two_dirty_images(void)
{
	struct bed *b = bed_new();
	struct image *img;

	bed_make_file(b, "a", 'o', BYTES);
	bed_make_file(b, "b", 'o', BYTES);
	bed_must_mount(b);
	for (const char *name = "a"; name; name = *name == 'a' ? "b" : NULL) {
		img = bed_open(b, name);
		ck_assert_int_eq(bed_fill(img, 'n', BYTES / 2, 0), BYTES / 2);
		bed_close(img);
	}
	bed_unmount(b);
	ck_assert_str_eq(b->said, "");
	return b;
}

static void expect_served(struct bed *b, const char *name)
{
	struct image *img = bed_open(b, name);

	ck_assert(bed_reads(img, 'n', BYTES / 2, 0));
	ck_assert(bed_reads(img, 'o', BYTES / 2, BYTES / 2));
	bed_drain(b, img);
	bed_close(img);
}

static void drain_and_die(struct bed *b)
{
	struct image *img = bed_open(b, "a");

	must(bed_fill(img, 'n', BYTES / 2, 0) == BYTES / 2);
	bed_drain(b, img);
}

/* The file says that the cache has newer data; nobody opens it after that, or to read only. */
START_TEST(the_mark_of_a_clean_image_whose_daemon_died_goes)
{
	for (int reads = 0; reads < 2; reads++) {
		struct bed *b = bed_new();

		bed_make_file(b, "a", 'o', BYTES);
		bed_die(b, drain_and_die);
		ck_assert(bed_is_marked(b, "a"));
		bed_must_mount(b);
		if (reads) {
			struct image *img = bed_get(b, "a");

			must(image_open(img, false) == 0);
			image_release(img, false);
			image_put(img);
		}
		bed_unmount(b);
		ck_assert(!bed_is_marked(b, "a"));
		ck_assert_str_eq(b->said, "");
		bed_must_mount(b);
		expect_served(b, "a");
		bed_free(b);
	}
}
END_TEST

/* It is neither read nor written, and nothing of it is dropped. */
static void expect_held(struct bed *b, const char *name, enum image_state state)
{
	struct image *img = bed_get(b, name);
	struct cache_image_info info;

	ck_assert_int_eq(image_open(img, false), -EIO);
	ck_assert_int_eq(image_open(img, true), -EIO);
	ck_assert(image_info(img, &info, NULL));
	ck_assert_int_eq(info.state, state);
	ck_assert_uint_ge(info.dirty_blocks, BYTES / 2 / 4096);
	image_put(img);
}

START_TEST(a_file_changed_while_dirty_is_a_conflict_and_others_are_served)
{
	struct bed *b = two_dirty_images();

	bed_make_file(b, "a", 'e', BYTES);
	bed_must_mount(b);
	ck_assert(bed_said(b, "a: conflict"));
	ck_assert(!bed_said(b, "b: conflict"));
	expect_held(b, "a", IMAGE_CONFLICT);
	expect_served(b, "b");
	bed_free(b);
}
END_TEST

static _Atomic unsigned int looks;

static void look(void)
{
	looks++;
}

/* Whoever waits for the mount hears of each file, also on the search through the whole tree. */
START_TEST(it_is_told_that_images_are_being_found)
{
	struct bed *b = two_dirty_images();
	char name[16];

	b->looked = look;
	bed_must_mount(b);
	ck_assert_uint_ge(looks, 2);
	ck_assert_uint_le(looks, 4);
	bed_unmount(b);
	ck_assert_int_eq(mkdirat(b->fd, "d", 0755), 0);
	for (int i = 0; i < 50; i++) {
		snprintf(name, sizeof(name), "d/%d", i);
		bed_make_file(b, name, 'x', 10);
	}
	/* one is not to be found, so that all are looked at */
	ck_assert_int_eq(unlinkat(b->fd, "a", 0), 0);
	ck_assert_int_eq(renameat(b->fd, "b", b->fd, "d/b"), 0);
	looks = 0;
	bed_must_mount(b);
	ck_assert_uint_ge(looks, 53);
	expect_held(b, "d/b", IMAGE_CONFLICT);
	bed_free(b);
}
END_TEST

START_TEST(a_conflict_stays_over_mounts)
{
	struct bed *b = two_dirty_images();

	bed_make_file(b, "a", 'e', BYTES);
	bed_must_mount(b);
	bed_unmount(b);
	b->said[0] = '\0';
	bed_must_mount(b);
	ck_assert(bed_said(b, "a: conflict"));
	expect_held(b, "a", IMAGE_CONFLICT);
	bed_free(b);
}
END_TEST

START_TEST(a_change_that_keeps_size_and_mtime_is_seen_by_the_ctime)
{
	struct bed *b = two_dirty_images();
	struct timespec ts[2];
	struct stat st;

	ck_assert_int_eq(fstatat(b->fd, "a", &st, 0), 0);
	bed_make_file(b, "a", 'e', BYTES);
	ts[0] = st.st_atim;
	ts[1] = st.st_mtim;
	ck_assert_int_eq(utimensat(b->fd, "a", ts, 0), 0);
	bed_must_mount(b);
	ck_assert(bed_said(b, "a: conflict"));
	expect_held(b, "a", IMAGE_CONFLICT);
	bed_free(b);
}
END_TEST

START_TEST(a_deleted_file_with_dirty_data_is_missing_and_its_data_kept)
{
	struct bed *b = two_dirty_images();
	struct cache_image_info info;
	struct image *img;

	ck_assert_int_eq(unlinkat(b->fd, "a", 0), 0);
	bed_must_mount(b);
	ck_assert(bed_said(b, "a: missing"));
	img = imagedir_by_id(b->dir, 1);
	ck_assert_ptr_nonnull(img);
	ck_assert(image_info(img, &info, NULL));
	ck_assert_int_eq(info.state, IMAGE_MISSING);
	ck_assert_uint_ge(info.dirty_blocks, BYTES / 2 / 4096);
	image_put(img);
	expect_served(b, "b");
	bed_free(b);
}
END_TEST

START_TEST(a_new_file_under_the_name_of_a_dirty_image_is_not_taken_for_it)
{
	struct bed *b = two_dirty_images();

	ck_assert_int_eq(renameat(b->fd, "a", b->root_fd, "elsewhere"), 0);
	bed_make_file(b, "a", 'e', BYTES);
	bed_must_mount(b);
	ck_assert(bed_said(b, "a: conflict"));
	ck_assert(bed_said(b, "another file"));
	expect_held(b, "a", IMAGE_CONFLICT);
	expect_served(b, "b");
	bed_free(b);
}
END_TEST

/* A rename moves the ctime: whoever did it may have done more. */
START_TEST(a_dirty_file_moved_by_somebody_else_is_found_and_is_a_conflict)
{
	struct bed *b = two_dirty_images();

	ck_assert_int_eq(mkdirat(b->fd, "d", 0755), 0);
	ck_assert_int_eq(renameat(b->fd, "a", b->fd, "d/z"), 0);
	bed_must_mount(b);
	ck_assert(bed_said(b, "found as d/z"));
	ck_assert(bed_said(b, "d/z: conflict"));
	expect_held(b, "d/z", IMAGE_CONFLICT);
	bed_free(b);
}
END_TEST

static struct bed *one_clean_image(void)
{
	struct bed *b = bed_new();
	struct image *img;

	bed_make_file(b, "a", 'o', BYTES);
	bed_must_mount(b);
	img = bed_open(b, "a");
	ck_assert_int_eq(bed_fill(img, 'n', BYTES / 2, 0), BYTES / 2);
	bed_drain(b, img);
	bed_close(img);
	bed_unmount(b);
	ck_assert_str_eq(b->said, "");
	return b;
}

START_TEST(a_clean_file_changed_by_somebody_else_is_read_anew)
{
	struct bed *b = one_clean_image();
	struct image *img;

	bed_make_file(b, "a", 'e', BYTES + 5);
	bed_must_mount(b);
	img = bed_open(b, "a");
	ck_assert_uint_eq(image_size(img), BYTES + 5);
	ck_assert(bed_reads(img, 'e', BYTES + 5, 0));
	bed_close(img);
	ck_assert_str_eq(b->said, "");
	bed_free(b);
}
END_TEST

START_TEST(a_clean_file_changed_while_mounted_and_closed_is_read_anew)
{
	struct bed *b = one_clean_image();
	struct image *img;
	uint64_t version;

	bed_must_mount(b);
	img = bed_open(b, "a");
	version = image_version(img);
	ck_assert(bed_reads(img, 'n', BYTES / 2, 0));
	image_release(img, true);
	bed_make_file(b, "a", 'e', BYTES + 5);
	ck_assert_int_eq(image_open(img, true), 0);
	ck_assert_uint_ne(image_version(img), version);
	ck_assert_uint_eq(image_size(img), BYTES + 5);
	ck_assert(bed_reads(img, 'e', BYTES + 5, 0));
	bed_close(img);
	bed_free(b);
}
END_TEST

static bool is_known(struct bed *b)
{
	struct image *img = imagedir_by_id(b->dir, 1);

	if (img)
		image_put(img);
	return img;
}

START_TEST(a_clean_file_that_is_deleted_is_forgotten)
{
	struct bed *b = one_clean_image();

	ck_assert_int_eq(unlinkat(b->fd, "a", 0), 0);
	bed_must_mount(b);
	ck_assert_str_eq(b->said, "");
	for (int i = 0; i < 2000 && is_known(b); i++)
		usleep(10000); /* maintenance forgets it */
	ck_assert(!is_known(b));
	bed_free(b);
}
END_TEST

START_TEST(a_file_changed_while_dirty_and_mounted_is_a_conflict_before_it_migrates)
{
	struct bed *b = two_dirty_images();
	struct image *img;

	bed_must_mount(b);
	img = bed_get(b, "a");
	bed_make_file(b, "a", 'e', BYTES);
	ck_assert_int_eq(image_drain(img), -EIO);
	ck_assert(bed_said(b, "a: conflict"));
	expect_held(b, "a", IMAGE_CONFLICT);
	image_put(img);
	expect_served(b, "b");
	bed_free(b);
}
END_TEST

START_TEST(a_dirty_file_deleted_behind_our_back_is_missing_before_it_migrates)
{
	struct bed *b = two_dirty_images();
	struct image *img;

	bed_must_mount(b);
	img = bed_open(b, "a");
	ck_assert_int_eq(unlinkat(b->fd, "a", 0), 0);
	ck_assert_int_eq(image_drain(img), -EIO);
	ck_assert(bed_said(b, "a: ") || bed_said(b, "missing"));
	ck_assert_int_ge(bed_state(img), IMAGE_CONFLICT);
	bed_close(img);
	bed_free(b);
}
END_TEST

static void touch_and_die(struct bed *b)
{
	struct image *img = bed_open(b, "a");

	if (bed_fill(img, 'n', BYTES / 2, 0) != BYTES / 2)
		_exit(1);
}

/* The next mount is told that the lease of the dead one ended before now. */
static void mount_with_lease(struct bed *b, int64_t lease_ns)
{
	b->lease_ns = lease_ns;
	bed_must_mount(b);
}

START_TEST(a_file_changed_after_the_lease_of_a_dead_daemon_is_a_conflict)
{
	struct bed *b = bed_new();

	bed_make_file(b, "a", 'o', BYTES);
	bed_die(b, touch_and_die);
	bed_make_file(b, "a", 'e', BYTES);
	mount_with_lease(b, (int64_t)clock_real_ns() - (int64_t)(3600 * NSEC_PER_SEC));
	ck_assert(bed_said(b, "a: conflict"));
	expect_held(b, "a", IMAGE_CONFLICT);
	bed_free(b);
}
END_TEST

START_TEST(the_lease_of_a_dead_daemon_covers_its_own_changes)
{
	struct bed *b = bed_new();

	bed_make_file(b, "a", 'o', BYTES);
	bed_die(b, touch_and_die);
	bed_must_mount(b);
	ck_assert_uint_ge(b->before.lease_ns, clock_real_ns() - 10 * NSEC_PER_SEC);
	ck_assert_str_eq(b->said, "");
	expect_served(b, "a");
	bed_free(b);
}
END_TEST

static void find_conflict_and_die(struct bed *b)
{
	struct image *img;

	touch_and_die(b);
	bed_make_file(b, "a", 'e', BYTES);
	img = bed_get(b, "a");
	if (image_drain(img) != -EIO || bed_state(img) != IMAGE_CONFLICT)
		_exit(1);
}

/* By its times alone, the edit could be the dead daemon's own. */
START_TEST(a_conflict_that_a_dead_daemon_found_stays_one_within_its_lease)
{
	struct bed *b = bed_new();

	bed_make_file(b, "a", 'o', BYTES);
	bed_die(b, find_conflict_and_die);
	bed_must_mount(b);
	expect_held(b, "a", IMAGE_CONFLICT);
	ck_assert(bed_plain_is(b, "a", 'e', BYTES));
	bed_free(b);
}
END_TEST

/* G2. The clock of the store cannot be read, so nothing can be promised about later. */
START_TEST(without_a_lease_no_file_is_changed)
{
	struct bed *b = bed_new();
	struct image *img;

	bed_make_file(b, "a", 'o', BYTES);
	bed_must_mount(b);
	(void)unlinkat(b->fd, ".lcfs/clock", 0);
	ck_assert_int_eq(mkdirat(b->fd, ".lcfs/clock", 0700), 0);
	img = bed_open(b, "a");
	ck_assert_int_eq(bed_fill(img, 'n', BYTES, 0), BYTES);
	ck_assert_int_lt(image_drain(img), 0);
	ck_assert(bed_plain_is(b, "a", 'o', BYTES));
	ck_assert_int_eq(unlinkat(b->fd, ".lcfs/clock", AT_REMOVEDIR), 0);
	bed_drain(b, img);
	ck_assert(bed_plain_is(b, "a", 'n', BYTES));
	bed_close(img);
	bed_free(b);
}
END_TEST

START_TEST(a_directory_that_the_cache_does_not_know_is_refused)
{
	struct bed *b = two_dirty_images();

	ck_assert_int_eq(unlinkat(b->fd, ".lcfs/uuid", 0), 0);
	ck_assert_int_eq(bed_mount(b), -EPERM);
	ck_assert_ptr_nonnull(strstr(b->text, "belongs to directory"));
	b->force = true;
	bed_must_mount(b);
	expect_served(b, "a");
	bed_free(b);
}
END_TEST

START_TEST(a_directory_with_data_in_another_cache_is_refused)
{
	struct bed *b = two_dirty_images();

	bed_format(b);
	ck_assert_int_eq(bed_mount(b), -EPERM);
	ck_assert_ptr_nonnull(strstr(b->text, "newer data in cache"));
	bed_free(b);
}
END_TEST

START_TEST(a_drained_directory_may_get_another_cache)
{
	struct bed *b = one_clean_image();
	struct image *img;

	ck_assert(!bed_exists(b, ".lcfs/caches.new"));
	bed_format(b);
	bed_must_mount(b);
	img = bed_open(b, "a");
	ck_assert(bed_reads(img, 'n', BYTES / 2, 0));
	bed_close(img);
	bed_free(b);
}
END_TEST

START_TEST(a_second_lcfs_on_the_directory_is_refused_with_the_holder)
{
	struct bed *b = bed_new();
	struct imagedir_conf conf = { .dirfd = b->fd };
	struct imagedir *second;
	char text[300], pid[32];

	bed_must_mount(b);
	ck_assert_int_eq(imagedir_open(&second, &conf, text, sizeof(text)), -EBUSY);
	snprintf(pid, sizeof(pid), "pid %ld", (long)getpid());
	ck_assert_ptr_nonnull(strstr(text, pid));
	bed_free(b);
}
END_TEST

static Suite *make_suite(void)
{
	Suite *s = suite_create("image_match");

	CHECK_CASE(s, "dirty", a_file_changed_while_dirty_is_a_conflict_and_others_are_served,
		   it_is_told_that_images_are_being_found, a_conflict_stays_over_mounts,
		   a_change_that_keeps_size_and_mtime_is_seen_by_the_ctime,
		   a_deleted_file_with_dirty_data_is_missing_and_its_data_kept,
		   a_new_file_under_the_name_of_a_dirty_image_is_not_taken_for_it,
		   a_dirty_file_moved_by_somebody_else_is_found_and_is_a_conflict,
		   a_file_changed_while_dirty_and_mounted_is_a_conflict_before_it_migrates,
		   a_dirty_file_deleted_behind_our_back_is_missing_before_it_migrates);
	CHECK_CASE(s, "clean", a_clean_file_changed_by_somebody_else_is_read_anew,
		   a_clean_file_changed_while_mounted_and_closed_is_read_anew,
		   a_clean_file_that_is_deleted_is_forgotten,
		   the_mark_of_a_clean_image_whose_daemon_died_goes);
	CHECK_CASE(s, "lease", a_file_changed_after_the_lease_of_a_dead_daemon_is_a_conflict,
		   the_lease_of_a_dead_daemon_covers_its_own_changes,
		   a_conflict_that_a_dead_daemon_found_stays_one_within_its_lease,
		   without_a_lease_no_file_is_changed);
	CHECK_CASE(s, "directory", a_directory_that_the_cache_does_not_know_is_refused,
		   a_directory_with_data_in_another_cache_is_refused,
		   a_drained_directory_may_get_another_cache,
		   a_second_lcfs_on_the_directory_is_refused_with_the_holder);
	return s;
}

CHECK_MAIN(make_suite)
