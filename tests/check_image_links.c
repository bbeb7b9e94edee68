// SPDX-License-Identifier: GPL-2.0-or-later
/* Names that go while the file stays, names under way, and what is known of a file before it is
 * opened. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/clock.h"
#include "lcfs/cache/core.h"
#include "lcfs/image/corecall.h"
#include "lcfs/image/image_private.h"
#include "tests/check_child.h"
#include "tests/check_main.h"
#include "tests/fake/imagebed.h"

#define BYTES 100000

/* A new file, open, with dirty data. */
static struct image *make_dirty(struct bed *b, const char *path, char fill)
{
	struct image *img = bed_create(b, path);

	must(image_open(img, true) == 0);
	must(bed_fill(img, fill, BYTES, 0) == BYTES);
	return img;
}

static void expect(struct bed *b, const char *path, char fill)
{
	struct image *img = bed_open(b, path);

	ck_assert(bed_reads(img, fill, BYTES, 0));
	bed_close(img);
}

static void link_to(struct bed *b, struct image *img, const char *path)
{
	ck_assert_int_eq(imagedir_link(b->dir, image_fd(img), b->fd, path), 0);
}

/* ---- one name of several goes ---- */

START_TEST(a_new_file_under_one_of_its_old_names_is_no_conflict)
{
	struct bed *b = bed_new();
	struct image *img, *other;

	bed_must_mount(b);
	img = make_dirty(b, "a", 'a');
	link_to(b, img, "b");
	ck_assert_int_eq(imagedir_unlink(b->dir, b->fd, "a"), 0);
	other = make_dirty(b, "a", 'n');
	ck_assert_int_eq(image_drain(img), 0);
	ck_assert_int_eq(image_drain(other), 0);
	ck_assert_str_eq(b->said, "");
	ck_assert(bed_reads(img, 'a', BYTES, 0) && bed_reads(other, 'n', BYTES, 0));
	bed_close(img);
	bed_close(other);
	bed_free(b);
}
END_TEST

START_TEST(a_rename_over_one_of_its_names_is_no_conflict)
{
	struct bed *b = bed_new();
	struct image *img, *other;

	bed_must_mount(b);
	img = make_dirty(b, "a", 'a');
	link_to(b, img, "b");
	other = make_dirty(b, "c", 'n');
	ck_assert_int_eq(imagedir_rename(b->dir, b->fd, "c", b->fd, "a", 0), 0);
	ck_assert_int_eq(image_drain(img), 0);
	ck_assert_int_eq(image_drain(other), 0);
	ck_assert_str_eq(b->said, "");
	bed_close(img);
	bed_close(other);
	bed_unmount(b);
	bed_must_mount(b);
	ck_assert(!bed_said(b, "conflict") && !bed_said(b, "missing"));
	expect(b, "b", 'a');
	bed_free(b);
}
END_TEST

START_TEST(a_closed_image_whose_first_name_went_is_not_missing)
{
	struct bed *b = bed_new();
	struct image *img;

	bed_must_mount(b);
	img = make_dirty(b, "a", 'a');
	link_to(b, img, "b");
	bed_close(img);
	bed_unmount(b);
	bed_must_mount(b); /* nothing holds it open now */
	ck_assert_int_eq(imagedir_unlink(b->dir, b->fd, "a"), 0);
	bed_knob(b, KNOB_FORCE_MIGRATE, 1);
	bed_wait_clean(b);
	expect(b, "b", 'a');
	ck_assert_str_eq(b->said, "");
	bed_free(b);
}
END_TEST

/* ---- the last name goes ---- */

/* A first write has prepared the image, but has not got to the log yet. */
static void unlink_prepared_and_die(struct bed *b)
{
	struct image *img = bed_create(b, "a");

	must(image_open(img, true) == 0);
	mutex_lock(&img->lock);
	must(image_prepare(img) == 0);
	mutex_unlock(&img->lock);
	must(imagedir_unlink(b->dir, b->fd, "a") == 0);
	must(bed_fill(img, 'z', BYTES, 0) == BYTES && bed_sync(img) == 0);
}

START_TEST(an_image_unlinked_while_its_first_write_is_under_way_is_not_missing)
{
	struct bed *b = bed_new();

	bed_die(b, unlink_prepared_and_die);
	bed_must_mount(b);
	ck_assert_str_eq(b->said, "");
	bed_wait_clean(b);
	bed_free(b);
}
END_TEST

/* A descriptor with O_PATH is no open file, but leads to one. */
START_TEST(an_unlinked_image_keeps_its_data_while_it_can_be_opened_again)
{
	struct bed *b = bed_new();
	struct image *img, *other;
	uint64_t deadline = clock_mono_ns() + 20 * NSEC_PER_SEC;
	uint32_t id;

	bed_must_mount(b);
	img = make_dirty(b, "a", 'a');
	other = make_dirty(b, "b", 'b');
	image_release(img, true);
	ck_assert_int_eq(imagedir_unlink(b->dir, b->fd, "a"), 0);
	ck_assert_int_eq(imagedir_unlink(b->dir, b->fd, "b"), 0);
	id = image_id(other);
	bed_close(other);
	while ((other = imagedir_by_id(b->dir, id)) != NULL) {
		image_put(other);
		ck_assert_uint_lt(clock_mono_ns(), deadline);
		usleep(10000);
	}
	ck_assert_int_eq(image_open(img, true), 0);
	ck_assert_uint_eq(image_size(img), BYTES);
	ck_assert(bed_reads(img, 'a', BYTES, 0));
	bed_close(img);
	bed_wait_clean(b);
	bed_free(b);
}
END_TEST

/* ---- directories under way ---- */

static int check(struct image *img)
{
	struct action a = { .type = ACTION_BACK_CHECK, .image = atomic_load(&img->cached) };

	return image_engine_ops.backing_call(image_host(img), &a);
}

START_TEST(a_closed_image_is_not_looked_for_while_its_directory_is_renamed)
{
	struct bed *b = bed_new();
	struct image *img;
	uint32_t id;

	ck_assert_int_eq(mkdirat(b->fd, "d", 0755), 0);
	bed_must_mount(b);
	img = make_dirty(b, "d/a", 'a');
	id = image_id(img);
	bed_close(img);
	bed_unmount(b);
	bed_must_mount(b);
	img = imagedir_by_id(b->dir, id);
	pthread_rwlock_wrlock(&b->dir->names);
	cache_rename(b->cache, "d", "e", false); /* as the log has it, before the system call */
	ck_assert_int_eq(check(img), -EAGAIN);
	ck_assert_int_eq(renameat(b->fd, "d", b->fd, "e"), 0);
	pthread_rwlock_unlock(&b->dir->names);
	ck_assert_int_eq(check(img), 0);
	ck_assert_str_eq(b->said, "");
	image_put(img);
	bed_free(b);
}
END_TEST

/* Or a rename that waits for space in the log would wait for ever. */
START_TEST(an_open_image_is_migrated_while_a_directory_is_renamed)
{
	struct bed *b = bed_new();
	struct image *img;

	bed_must_mount(b);
	img = make_dirty(b, "a", 'a');
	pthread_rwlock_wrlock(&b->dir->names);
	ck_assert_int_eq(check(img), 0);
	pthread_rwlock_unlock(&b->dir->names);
	bed_close(img);
	bed_free(b);
}
END_TEST

/* A call that is made while a directory is renamed by this thread. */
struct meanwhile {
	struct bed *b;
	void (*call)(struct meanwhile *m);
	struct image *img;
	int dir;
	_Atomic pid_t tid;
};

static void *run_meanwhile(void *arg)
{
	struct meanwhile *m = arg;

	atomic_store(&m->tid, gettid());
	m->call(m);
	return NULL;
}

/* It waits for something, or has ended. */
static bool is_asleep(struct meanwhile *m)
{
	char path[64], state = 'S';
	pid_t tid = atomic_load(&m->tid);
	FILE *f;

	if (!tid)
		return false;
	snprintf(path, sizeof(path), "/proc/self/task/%d/stat", (int)tid);
	f = fopen(path, "re");
	if (f && fscanf(f, "%*d (%*[^)]) %c", &state) != 1)
		state = 'S';
	if (f)
		fclose(f);
	return state == 'S';
}

/* d becomes e, in the order of the log; the call comes in between. */
static void rename_directory_around(struct meanwhile *m)
{
	struct bed *b = m->b;
	pthread_t thread;

	pthread_rwlock_wrlock(&b->dir->names);
	cache_rename(b->cache, "d", "e", false);
	ck_assert_int_eq(pthread_create(&thread, NULL, run_meanwhile, m), 0);
	while (!is_asleep(m))
		usleep(1000);
	ck_assert_int_eq(renameat(b->fd, "d", b->fd, "e"), 0);
	pthread_rwlock_unlock(&b->dir->names);
	pthread_join(thread, NULL);
}

static void expect_path(struct image *img, const char *path)
{
	char is[OP_PATH_MAX + 1];
	struct cache_image_info info;

	ck_assert(image_info(img, &info, is));
	ck_assert_str_eq(is, path);
}

static void rename_it(struct meanwhile *m)
{
	must(imagedir_rename(m->b->dir, m->dir, "a", m->dir, "b", 0) == 0);
}

START_TEST(a_file_is_renamed_while_its_directory_is)
{
	struct bed *b = bed_new();
	struct meanwhile m = { .b = b, .call = rename_it };

	ck_assert_int_eq(mkdirat(b->fd, "d", 0755), 0);
	m.dir = openat(b->fd, "d", O_PATH | O_DIRECTORY | O_CLOEXEC);
	bed_must_mount(b);
	m.img = make_dirty(b, "d/a", 'a');
	rename_directory_around(&m);
	expect_path(m.img, "e/b");
	ck_assert_str_eq(b->said, "");
	bed_close(m.img);
	close(m.dir);
	bed_free(b);
}
END_TEST

static void open_it(struct meanwhile *m)
{
	must(image_open(m->img, true) == 0);
}

START_TEST(a_file_is_first_opened_while_its_directory_is_renamed)
{
	struct bed *b = bed_new();
	struct meanwhile m = { .b = b, .call = open_it };

	ck_assert_int_eq(mkdirat(b->fd, "d", 0755), 0);
	bed_must_mount(b);
	m.img = bed_create(b, "d/a");
	rename_directory_around(&m);
	expect_path(m.img, "e/a");
	bed_close(m.img);
	bed_free(b);
}
END_TEST

/* ---- what came before ---- */

/* Whatever was done to it before, by whomever: its creation, its name, writes past the cache. */
START_TEST(the_first_sync_of_a_file_syncs_what_was_there_before)
{
	struct bed *b = bed_new();
	struct image *img;

	bed_make_file(b, "a", 'o', BYTES);
	bed_must_mount(b);
	img = bed_open(b, "a");
	ck_assert(image_is_sync_wanted(img));
	ck_assert_int_eq(bed_sync(img), 0);
	ck_assert(!image_is_sync_wanted(img));
	ck_assert_int_eq(bed_fill(img, 'a', BYTES, 0), BYTES);
	bed_close(img);
	bed_unmount(b);
	bed_must_mount(b);
	img = bed_open(b, "a");
	ck_assert(image_is_sync_wanted(img));
	bed_close(img);
	bed_free(b);
}
END_TEST

static bool is_known(struct bed *b, uint32_t id)
{
	struct image *img = imagedir_by_id(b->dir, id);

	if (img)
		image_put(img);
	return img;
}

START_TEST(a_clean_image_whose_inode_is_another_file_now_is_forgotten)
{
	struct bed *b = bed_new();
	struct image *img;
	struct stat was, is;
	uint32_t id;

	bed_must_mount(b);
	img = make_dirty(b, "a", 'a');
	bed_drain(b, img);
	id = image_id(img);
	bed_close(img);
	bed_unmount(b);
	bed_must_mount(b);
	ck_assert_int_eq(fstatat(b->fd, "a", &was, 0), 0);
	ck_assert_int_eq(unlinkat(b->fd, "a", 0), 0);
	bed_make_file(b, "n", 'n', BYTES);
	ck_assert_int_eq(fstatat(b->fd, "n", &is, 0), 0);
	if (is.st_ino != was.st_ino)
		fprintf(stderr, "this filesystem does not use inode numbers again at once\n");
	expect(b, "n", 'n');
	ck_assert_str_eq(b->said, "");
	for (int i = 0; is.st_ino == was.st_ino && i < 2000 && is_known(b, id); i++)
		usleep(10000);
	ck_assert(is.st_ino != was.st_ino || !is_known(b, id));
	bed_free(b);
}
END_TEST

/* ---- what stays behind ---- */

static void drain_truncate_and_die(struct bed *b)
{
	struct image *img = make_dirty(b, "a", 'a');

	must(image_drain(img) == 0);
	must(image_truncate(img, 8192) == 0);
}

START_TEST(a_cache_with_a_pending_truncate_stays_listed)
{
	struct bed *b = bed_new();
	char list[64];

	bed_die(b, drain_truncate_and_die);
	bed_must_mount(b);
	ck_assert_uint_eq(bed_dirty_blocks(b), 0);
	bed_unmount(b);
	ck_assert_uint_gt(bed_plain_read(b, ".lcfs/caches", list, sizeof(list), 0), 0);
	bed_free(b);
}
END_TEST

static Suite *make_suite(void)
{
	Suite *s = suite_create("image_links");

	CHECK_CASE(s, "links", a_new_file_under_one_of_its_old_names_is_no_conflict,
		   a_rename_over_one_of_its_names_is_no_conflict,
		   a_closed_image_whose_first_name_went_is_not_missing);
	CHECK_CASE(s, "last", an_image_unlinked_while_its_first_write_is_under_way_is_not_missing,
		   an_unlinked_image_keeps_its_data_while_it_can_be_opened_again);
	CHECK_CASE(s, "directories",
		   a_closed_image_is_not_looked_for_while_its_directory_is_renamed,
		   an_open_image_is_migrated_while_a_directory_is_renamed,
		   a_file_is_renamed_while_its_directory_is,
		   a_file_is_first_opened_while_its_directory_is_renamed);
	CHECK_CASE(s, "before", the_first_sync_of_a_file_syncs_what_was_there_before,
		   a_clean_image_whose_inode_is_another_file_now_is_forgotten);
	CHECK_CASE(s, "after", a_cache_with_a_pending_truncate_stays_listed);
	return s;
}

CHECK_MAIN(make_suite)
