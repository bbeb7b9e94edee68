// SPDX-License-Identifier: GPL-2.0-or-later
/* Unlink, rename and link of images with dirty data, with the daemon killed behind them. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/nsec.h"
#include "lcfs/image/corecall.h"
#include "lcfs/image/image_private.h"
#include "lcfs/image/names.h"
#include "tests/check_child.h"
#include "tests/check_main.h"
#include "tests/fake/imagebed.h"

#define BYTES 100000

/* Dirty data of it in the cache, synced; not open. */
static void make_dirty(struct bed *b, const char *path, char fill)
{
	struct image *img;

	if (bed_exists(b, path)) {
		img = bed_get(b, path);
	} else {
		int fd = openat(b->fd, path, O_RDWR | O_CREAT, 0644);

		must(fd >= 0 && image_get(b->dir, fd, &img) == 0);
		close(fd);
		image_created(img);
	}
	must(image_open(img, true) == 0);
	must(bed_fill(img, fill, BYTES, 0) == BYTES);
	must(bed_sync(img) == 0);
	bed_close(img);
}

static void expect(struct bed *b, const char *path, char fill)
{
	struct image *img = bed_open(b, path);

	ck_assert_uint_eq(image_size(img), BYTES);
	ck_assert(bed_reads(img, fill, BYTES, 0));
	bed_drain(b, img);
	bed_close(img);
}

/* ---- rename ---- */

static int rename_error; /* of the next system calls */

int __real_renameat2(int dirfd, const char *name, int newdirfd, const char *newname,
		     unsigned int flags);
int __wrap_renameat2(int dirfd, const char *name, int newdirfd, const char *newname,
		     unsigned int flags);

int __wrap_renameat2(int dirfd, const char *name, int newdirfd, const char *newname,
		     unsigned int flags)
{
	if (!rename_error)
		return __real_renameat2(dirfd, name, newdirfd, newname, flags);
	errno = rename_error;
	return -1;
}

static void hold_rename(struct image *img, unsigned int n)
{
	LOCK_SCOPE(&img->lock);
	img->renames = n;
}

static int take_it(struct image *img, void *arg)
{
	*(struct image **)arg = img;
	return 0;
}

/*
 * The core has the new name before the file does. Migration of an image that nobody has open finds
 * another file by it then, or none, and takes that for nothing.
 */
START_TEST(an_image_whose_name_is_ahead_is_not_opened_by_it)
{
	struct bed *b = bed_new();
	struct image *img = NULL;
	uint64_t end;

	bed_must_mount(b);
	make_dirty(b, "a", 'a');
	bed_unmount(b);
	bed_must_mount(b);
	must(imagedir_for_each(b->dir, take_it, &img) == 0 && img); /* without opening it */
	hold_rename(img, 1);
	cache_rename(image_host(img)->cache, "a", "b", false);
	bed_knob(b, KNOB_FORCE_MIGRATE, 1);
	end = clock_mono_ns() + 300 * NSEC_PER_MSEC;
	while (clock_mono_ns() < end)
		ck_assert_int_eq((int)bed_state(img), (int)IMAGE_DIRTY);
	cache_rename(image_host(img)->cache, "b", "a", false);
	hold_rename(img, 0);
	bed_wait_clean(b);
	ck_assert_str_eq(b->said, "");
	ck_assert(bed_plain_is(b, "a", 'a', BYTES));
	bed_free(b);
}
END_TEST

/* ---- unlink ---- */

START_TEST(an_unlinked_dirty_image_is_dropped)
{
	struct bed *b = bed_new();

	bed_must_mount(b);
	make_dirty(b, "a", 'a');
	ck_assert_uint_gt(bed_dirty_blocks(b), 0);
	ck_assert_int_eq(imagedir_unlink(b->dir, b->fd, "a"), 0);
	ck_assert(!bed_exists(b, "a"));
	bed_wait_clean(b);
	bed_unmount(b);
	bed_must_mount(b);
	ck_assert_str_eq(b->said, "");
	bed_wait_clean(b);
	bed_free(b);
}
END_TEST

START_TEST(an_unlinked_open_image_lives_until_its_last_release)
{
	struct bed *b = bed_new();
	struct image *img;

	bed_must_mount(b);
	make_dirty(b, "a", 'a');
	img = bed_open(b, "a");
	ck_assert_int_eq(imagedir_unlink(b->dir, b->fd, "a"), 0);
	ck_assert(bed_reads(img, 'a', BYTES, 0));
	ck_assert_int_eq(bed_fill(img, 'b', BYTES, 0), BYTES);
	ck_assert_int_eq(bed_sync(img), 0);
	ck_assert(bed_reads(img, 'b', BYTES, 0));
	ck_assert_int_eq(image_truncate(img, 10), 0);
	ck_assert_uint_eq(image_size(img), 10);
	bed_close(img);
	bed_wait_clean(b);
	ck_assert_str_eq(b->said, "");
	bed_free(b);
}
END_TEST

START_TEST(an_image_first_written_when_it_has_no_name_leaves_no_trace)
{
	struct bed *b = bed_new();
	struct image *img;

	bed_must_mount(b);
	img = bed_create(b, "a");
	ck_assert_int_eq(image_open(img, true), 0);
	ck_assert_int_eq(imagedir_unlink(b->dir, b->fd, "a"), 0);
	ck_assert_int_eq(bed_fill(img, 'b', BYTES, 0), BYTES);
	ck_assert(bed_reads(img, 'b', BYTES, 0));
	bed_close(img);
	bed_wait_clean(b);
	bed_free(b);
}
END_TEST

static void unlink_and_die(struct bed *b)
{
	make_dirty(b, "a", 'a');
	make_dirty(b, "b", 'b');
	must(imagedir_unlink(b->dir, b->fd, "a") == 0);
}

START_TEST(after_a_death_an_unlinked_image_is_not_missing)
{
	struct bed *b = bed_new();

	bed_die(b, unlink_and_die);
	bed_must_mount(b);
	ck_assert_str_eq(b->said, "");
	ck_assert(!bed_exists(b, "a"));
	expect(b, "b", 'b');
	bed_wait_clean(b);
	bed_free(b);
}
END_TEST

static void unlink_open_and_die(struct bed *b)
{
	struct image *img;

	make_dirty(b, "a", 'a');
	img = bed_open(b, "a");
	must(imagedir_unlink(b->dir, b->fd, "a") == 0);
	must(bed_fill(img, 'z', BYTES, 0) == BYTES && bed_sync(img) == 0);
}

static void unlink_unbound_and_die(struct bed *b)
{
	int fd = openat(b->fd, "a", O_RDWR | O_CREAT, 0644);
	struct image *img;

	must(fd >= 0 && image_get(b->dir, fd, &img) == 0);
	must(image_open(img, true) == 0);
	must(imagedir_unlink(b->dir, b->fd, "a") == 0);
	must(bed_fill(img, 'z', BYTES, 0) == BYTES && bed_sync(img) == 0);
}

START_TEST(after_a_death_an_unlinked_image_that_was_open_is_not_missing)
{
	struct bed *b = bed_new();

	bed_die(b, unlink_open_and_die);
	bed_must_mount(b);
	ck_assert_str_eq(b->said, "");
	bed_wait_clean(b);
	bed_unmount(b);
	bed_die(b, unlink_unbound_and_die);
	bed_must_mount(b);
	ck_assert_str_eq(b->said, "");
	bed_wait_clean(b);
	bed_free(b);
}
END_TEST

/* The intent became durable, the unlink was never made (or a power cut undid it). */
static void intend_and_die(struct bed *b)
{
	struct op op = { .type = OP_INTENT,
			 .arg0 = OP_INTENT_UNLINK,
			 .path = "a",
			 .path_bytes = 1 };
	struct image *img;

	make_dirty(b, "a", 'a');
	img = bed_open(b, "a");
	must(corecall_log(image_host(img), atomic_load(&img->cached), &op, true) == 0);
}

START_TEST(an_intent_without_its_unlink_drops_nothing)
{
	struct bed *b = bed_new();

	bed_die(b, intend_and_die);
	bed_must_mount(b);
	ck_assert_str_eq(b->said, "");
	expect(b, "a", 'a');
	bed_free(b);
}
END_TEST

/* Killed between the unlink and the note that it was made. */
static void unlink_unnoted_and_die(struct bed *b)
{
	struct image *img;

	make_dirty(b, "a", 'a');
	img = bed_open(b, "a");
	must(last_name_goes(img, OP_INTENT_UNLINK, "a") == 0);
	must(unlinkat(b->fd, "a", 0) == 0);
}

START_TEST(an_unlink_that_was_not_noted_leaves_nothing_missing)
{
	struct bed *b = bed_new();

	bed_die(b, unlink_unnoted_and_die);
	bed_must_mount(b);
	ck_assert_str_eq(b->said, "");
	bed_wait_clean(b);
	bed_free(b);
}
END_TEST

START_TEST(a_new_file_under_the_old_name_is_new)
{
	struct bed *b = bed_new();
	struct image *img;

	bed_must_mount(b);
	for (int i = 0; i < 20; i++) { /* some filesystems use an inode again at once */
		make_dirty(b, "a", 'a');
		ck_assert_int_eq(imagedir_unlink(b->dir, b->fd, "a"), 0);
	}
	img = bed_create(b, "a");
	ck_assert_int_eq(image_open(img, true), 0);
	ck_assert_uint_eq(image_size(img), 0);
	ck_assert_int_eq(bed_fill(img, 'n', 10, BYTES - 10), 10);
	ck_assert(bed_reads(img, 0, BYTES - 10, 0));
	bed_close(img);
	bed_free(b);
}
END_TEST

START_TEST(a_failed_unlink_changes_nothing)
{
	struct bed *b = bed_new();

	bed_must_mount(b);
	make_dirty(b, "a", 'a');
	ck_assert_int_eq(imagedir_unlink(b->dir, b->fd, "nothing"), -ENOENT);
	ck_assert_int_eq(mkdirat(b->fd, "d", 0755), 0);
	ck_assert_int_eq(imagedir_unlink(b->dir, b->fd, "d"), -EISDIR);
	ck_assert_int_eq(imagedir_unlink(b->dir, b->fd, ".lcfs"), -EPERM);
	expect(b, "a", 'a');
	bed_free(b);
}
END_TEST

/* ---- rename ---- */

static void rename_and_die(struct bed *b)
{
	must(mkdirat(b->fd, "d", 0755) == 0);
	make_dirty(b, "a", 'a');
	make_dirty(b, "d/b", 'b');
	must(imagedir_rename(b->dir, b->fd, "a", b->fd, "z", 0) == 0);
	must(imagedir_rename(b->dir, b->fd, "d", b->fd, "e", 0) == 0);
}

START_TEST(renamed_images_are_found_after_a_death)
{
	struct bed *b = bed_new();

	bed_die(b, rename_and_die);
	bed_must_mount(b);
	ck_assert(!bed_said(b, "conflict") && !bed_said(b, "missing"));
	expect(b, "z", 'a');
	expect(b, "e/b", 'b');
	bed_free(b);
}
END_TEST

START_TEST(renamed_images_keep_their_data_and_path)
{
	struct bed *b = bed_new();
	struct image *img;
	char path[OP_PATH_MAX + 1];
	struct cache_image_info info;

	bed_must_mount(b);
	ck_assert_int_eq(mkdirat(b->fd, "d", 0755), 0);
	make_dirty(b, "d/a", 'a');
	img = bed_open(b, "d/a");
	ck_assert_int_eq(imagedir_rename(b->dir, b->fd, "d", b->fd, "e", 0), 0);
	ck_assert(image_info(img, &info, path));
	ck_assert_str_eq(path, "e/a");
	ck_assert(bed_reads(img, 'a', BYTES, 0));
	bed_close(img);
	expect(b, "e/a", 'a');
	bed_free(b);
}
END_TEST

static void rename_over_and_die(struct bed *b)
{
	make_dirty(b, "a", 'a');
	make_dirty(b, "b", 'b');
	must(imagedir_rename(b->dir, b->fd, "a", b->fd, "b", 0) == 0);
}

START_TEST(a_rename_over_a_dirty_image_replaces_it)
{
	struct bed *b = bed_new();

	bed_die(b, rename_over_and_die);
	bed_must_mount(b);
	ck_assert(!bed_said(b, "conflict") && !bed_said(b, "missing"));
	ck_assert(!bed_exists(b, "a"));
	expect(b, "b", 'a');
	bed_wait_clean(b);
	bed_unmount(b);
	bed_must_mount(b);
	make_dirty(b, "a", 'c');
	make_dirty(b, "b", 'd');
	ck_assert_int_eq(imagedir_rename(b->dir, b->fd, "a", b->fd, "b", 0), 0);
	expect(b, "b", 'c');
	bed_wait_clean(b);
	bed_free(b);
}
END_TEST

static void exchange_and_die(struct bed *b)
{
	make_dirty(b, "a", 'a');
	make_dirty(b, "b", 'b');
	must(imagedir_rename(b->dir, b->fd, "a", b->fd, "b", RENAME_EXCHANGE) == 0);
}

START_TEST(exchanged_images_are_exchanged_after_a_death)
{
	struct bed *b = bed_new();

	bed_die(b, exchange_and_die);
	bed_must_mount(b);
	ck_assert(!bed_said(b, "conflict") && !bed_said(b, "missing"));
	expect(b, "a", 'b');
	expect(b, "b", 'a');
	bed_free(b);
}
END_TEST

START_TEST(a_failed_rename_changes_nothing)
{
	struct bed *b = bed_new();
	struct cache_image_info info;
	char path[OP_PATH_MAX + 1];
	struct image *img;

	bed_must_mount(b);
	make_dirty(b, "a", 'a');
	make_dirty(b, "b", 'b');
	ck_assert_int_eq(mkdirat(b->fd, "d", 0755), 0);
	ck_assert_int_eq(imagedir_rename(b->dir, b->fd, "a", b->fd, "b", RENAME_NOREPLACE),
			 -EEXIST);
	ck_assert_int_eq(imagedir_rename(b->dir, b->fd, "a", b->fd, "d", 0), -EISDIR);
	ck_assert_int_eq(imagedir_rename(b->dir, b->fd, "a", b->fd, "x", RENAME_EXCHANGE), -ENOENT);
	ck_assert_int_eq(imagedir_rename(b->dir, b->fd, "x", b->fd, "b", 0), -ENOENT);
	ck_assert_int_eq(imagedir_rename(b->dir, b->fd, "a", b->fd, ".lcfs", 0), -EPERM);
	ck_assert_int_eq(imagedir_rename(b->dir, b->fd, ".lcfs", b->fd, "x", 0), -EPERM);
	img = bed_open(b, "a");
	ck_assert(image_info(img, &info, path));
	ck_assert_str_eq(path, "a");
	bed_close(img);
	expect(b, "a", 'a');
	expect(b, "b", 'b');
	bed_free(b);
}
END_TEST

static void check_path(struct bed *b, const char *path)
{
	struct image *img = bed_open(b, path);
	struct cache_image_info info;
	char there[OP_PATH_MAX + 1];

	ck_assert(image_info(img, &info, there));
	ck_assert_str_eq(there, path);
	bed_close(img);
}

static void fail_to_rename_over(struct bed *b)
{
	make_dirty(b, "b", 'b');
	must(mkdirat(b->fd, "d", 0755) == 0);
	make_dirty(b, "d/a", 'a');
	must(imagedir_rename(b->dir, b->fd, "d", b->fd, "b", 0) == -ENOTDIR);
}

/* All that went to the new name goes back; what was there already stays. */
START_TEST(a_rename_that_is_taken_back_leaves_its_target_where_it_was)
{
	struct bed *b = bed_new();

	bed_must_mount(b);
	fail_to_rename_over(b);
	check_path(b, "b");
	check_path(b, "d/a");
	expect(b, "b", 'b');
	expect(b, "d/a", 'a');
	bed_free(b);

	b = bed_new();
	bed_die(b, fail_to_rename_over);
	bed_must_mount(b);
	check_path(b, "b");
	check_path(b, "d/a");
	expect(b, "b", 'b');
	expect(b, "d/a", 'a');
	ck_assert_str_eq(b->said, "");
	bed_free(b);
}
END_TEST

/* Who is to be replaced keeps its name, also where the cache has something else of the other's
 * name: an image whose file somebody has removed. */
START_TEST(a_failed_rename_over_an_image_leaves_it_its_name)
{
	struct bed *b = bed_new();
	struct cache_image_info info;
	char path[OP_PATH_MAX + 1];
	struct image *img;

	bed_must_mount(b);
	make_dirty(b, "gone", 'g');
	make_dirty(b, "b", 'b');
	must(unlinkat(b->fd, "gone", 0) == 0);
	must(close(openat(b->fd, "gone", O_WRONLY | O_CREAT | O_EXCL, 0644)) == 0);
	rename_error = EPERM;
	ck_assert_int_eq(imagedir_rename(b->dir, b->fd, "gone", b->fd, "b", 0), -EPERM);
	rename_error = 0;
	img = bed_open(b, "b");
	ck_assert(image_info(img, &info, path));
	ck_assert_str_eq(path, "b");
	bed_close(img);
	expect(b, "b", 'b');
	bed_free(b);
}
END_TEST

/* ---- links ---- */

static void link_and_die(struct bed *b)
{
	struct image *img;

	make_dirty(b, "a", 'a');
	img = bed_get(b, "a");
	must(mkdirat(b->fd, "d", 0755) == 0);
	must(imagedir_link(b->dir, image_fd(img), b->fd, "b") == 0);
	must(imagedir_unlink(b->dir, b->fd, "a") == 0);
}

START_TEST(an_image_lives_on_under_its_other_name)
{
	struct bed *b = bed_new();
	struct image *img, *same;

	bed_die(b, link_and_die);
	bed_must_mount(b);
	ck_assert(!bed_said(b, "conflict") && !bed_said(b, "missing"));
	expect(b, "b", 'a');
	img = bed_open(b, "b");
	ck_assert_int_eq(imagedir_link(b->dir, image_fd(img), b->fd, "c"), 0);
	ck_assert_int_eq(imagedir_link(b->dir, image_fd(img), b->fd, ".lcfs"), -EPERM);
	same = bed_get(b, "c");
	ck_assert_ptr_eq(img, same);
	ck_assert_int_eq(bed_sync(img), 0);
	image_put(same);
	bed_close(img);
	bed_free(b);
}
END_TEST

START_TEST(a_directory_is_synced_with_what_the_log_has_of_it)
{
	struct bed *b = bed_new();

	bed_must_mount(b);
	make_dirty(b, "a", 'a');
	ck_assert_int_eq(imagedir_rename(b->dir, b->fd, "a", b->fd, "b", 0), 0);
	ck_assert_int_eq(imagedir_sync_dir(b->dir, b->fd), 0);
	ck_assert_int_eq(imagedir_sync(b->dir), 0);
	bed_free(b);
}
END_TEST

static Suite *make_suite(void)
{
	Suite *s = suite_create("image_names");

	CHECK_CASE(s, "unlink", an_unlinked_dirty_image_is_dropped,
		   an_unlinked_open_image_lives_until_its_last_release,
		   an_image_first_written_when_it_has_no_name_leaves_no_trace,
		   after_a_death_an_unlinked_image_is_not_missing,
		   after_a_death_an_unlinked_image_that_was_open_is_not_missing,
		   an_intent_without_its_unlink_drops_nothing,
		   an_unlink_that_was_not_noted_leaves_nothing_missing,
		   a_new_file_under_the_old_name_is_new,
		   a_failed_unlink_changes_nothing);
	CHECK_CASE(s, "rename", an_image_whose_name_is_ahead_is_not_opened_by_it,
		   renamed_images_are_found_after_a_death,
		   renamed_images_keep_their_data_and_path, a_rename_over_a_dirty_image_replaces_it,
		   exchanged_images_are_exchanged_after_a_death, a_failed_rename_changes_nothing,
		   a_rename_that_is_taken_back_leaves_its_target_where_it_was,
		   a_failed_rename_over_an_image_leaves_it_its_name);
	CHECK_CASE(s, "link", an_image_lives_on_under_its_other_name,
		   a_directory_is_synced_with_what_the_log_has_of_it);
	return s;
}

CHECK_MAIN(make_suite)
