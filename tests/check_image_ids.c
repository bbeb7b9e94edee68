// SPDX-License-Identifier: GPL-2.0-or-later
/* The numbers of images and their room in the image table, which both come back. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/clock.h"
#include "lcfs/cache/core.h"
#include "tests/check_main.h"
#include "tests/fake/imagebed.h"

#define WAIT_NS (20 * NSEC_PER_SEC)

static void pause_a_little(void)
{
	usleep(5000);
}

struct wanted {
	uint32_t id;
	struct image *img;
};

static int has_id(struct image *img, void *arg)
{
	struct wanted *w = arg;

	if (bed_image_id(img) != w->id)
		return 0;
	w->img = image_ref(img);
	return 1;
}

/* By the id that it has in the table of its cache; with a reference. */
static struct image *by_core_id(struct bed *b, uint32_t id)
{
	struct wanted w = { .id = id };

	imagedir_for_each(b->dir, has_id, &w);
	return w.img;
}

static void wait_until_unbound(struct bed *b, uint32_t id)
{
	uint64_t end = clock_mono_ns() + WAIT_NS;
	struct image *img;

	while ((img = by_core_id(b, id)) != NULL) {
		image_put(img);
		ck_assert_msg(clock_mono_ns() < end, "image %u is not unbound", id);
		pause_a_little();
	}
}

static bool is_known(struct bed *b, uint32_t id)
{
	bool is_there;

	mutex_lock(&b->cache->lock);
	is_there = imgtab_find(b->cache, id);
	mutex_unlock(&b->cache->lock);
	return is_there;
}

static void write_superblock(struct bed *b)
{
	struct engine *e = imagedir_engine(b->dir, 1);
	struct outbox ob;

	outbox_init(&ob);
	mutex_lock(&b->cache->lock);
	super_request(b->cache, engine_now(e), &ob);
	mutex_unlock(&b->cache->lock);
	engine_carry(e, &ob);
}

/* Moves the log on, by a file that has been opened, until the core has forgotten image id. */
static void push_out(struct bed *b, struct image *mover, uint32_t id)
{
	uint64_t end = clock_mono_ns() + WAIT_NS;

	while (is_known(b, id)) {
		ck_assert_int_eq(bed_fill(mover, 'm', 1u << 16, 0), 1 << 16);
		bed_drain(b, mover);
		write_superblock(b);
		ck_assert_msg(clock_mono_ns() < end, "image %u is not forgotten", id);
	}
}

static struct image *create(struct bed *b, const char *name)
{
	struct image *img = bed_create(b, name);

	ck_assert_int_eq(image_open(img, true), 0);
	return img;
}

/* Image 1 is opened first and written last; image 2 has come and gone meanwhile. */
static void bind_late(struct bed *b)
{
	struct image *early = create(b, "early"), *gone = create(b, "gone");
	struct image *mover = create(b, "mover");

	ck_assert_int_eq(bed_fill(gone, 'g', 9000, 0), 9000);
	ck_assert_int_eq(bed_image_id(gone), 2);
	bed_close(gone);
	ck_assert_int_eq(imagedir_unlink(b->dir, b->fd, "gone"), 0);
	wait_until_unbound(b, 2);
	push_out(b, mover, 2); /* by a super block with a table that still has it */
	ck_assert_int_eq(bed_fill(early, 'e', 5000, 0), 5000);
	ck_assert_int_eq(bed_image_id(early), 1);
	ck_assert_int_eq(bed_sync(early), 0);
}

static void make_another(struct bed *b)
{
	uint64_t end = clock_mono_ns() + WAIT_NS;
	struct image *img;

	while (is_known(b, 2) && clock_mono_ns() < end) {
		write_superblock(b);
		pause_a_little();
	}
	img = create(b, "another");
	ck_assert_int_eq(bed_fill(img, 'a', 7000, 0), 7000);
	ck_assert_int_eq(bed_sync(img), 0);
}

START_TEST(an_id_that_the_table_still_lists_as_unbound_can_be_used_again)
{
	struct bed *b = bed_new();
	struct image *img;

	bed_die(b, bind_late);
	bed_die(b, make_another);
	bed_must_mount(b);
	img = bed_open(b, "another");
	ck_assert(bed_reads(img, 'a', 7000, 0));
	bed_close(img);
	img = bed_open(b, "early");
	ck_assert(bed_reads(img, 'e', 5000, 0));
	bed_close(img);
	bed_free(b);
}
END_TEST

static void use_last_ids(struct bed *b)
{
	struct image *mover = create(b, "mover"), *img;

	b->cache->super.next_image_id = IMAGE_ID_MAX;
	img = create(b, "last");
	ck_assert_uint_eq(bed_image_id(img), IMAGE_ID_MAX);
	ck_assert_int_eq(bed_fill(img, 'l', 5000, 0), 5000);
	bed_drain(b, img);
	for (int i = 0; i < 40; i++) { /* a table is written right behind it */
		ck_assert_int_eq(bed_fill(mover, 'm', 1u << 16, 0), 1 << 16);
		bed_drain(b, mover);
	}
	write_superblock(b);
	ck_assert_int_eq(bed_sync(mover), 0);
}

START_TEST(behind_the_last_id_comes_the_first)
{
	struct bed *b = bed_new();
	struct image *img;

	bed_die(b, use_last_ids);
	bed_must_mount(b);
	img = bed_open(b, "last");
	ck_assert_uint_eq(bed_image_id(img), IMAGE_ID_MAX);
	ck_assert(bed_reads(img, 'l', 5000, 0));
	bed_close(img);
	img = create(b, "next");
	ck_assert_uint_eq(bed_image_id(img), 2); /* 1 is the mover's */
	bed_close(img);
	bed_free(b);
}
END_TEST

START_TEST(a_file_that_is_only_read_uses_up_no_id)
{
	struct bed *b = bed_new();
	struct image *img;

	bed_make_file(b, "a", 'o', 5000);
	bed_must_mount(b);
	for (int i = 0; i < 100; i++) {
		img = bed_get(b, "a");
		ck_assert_int_eq(image_open(img, false), 0);
		ck_assert_uint_eq(bed_image_id(img), 1);
		image_release(img, false);
		image_put(img);
	}
	bed_free(b);
}
END_TEST

#define NR_MANY 2500

static void name_of(int i, char *name)
{
	snprintf(name, 32, "d/f%d", i);
}

/* What has been unbound gives its room back as the log moves on. */
static void wait_for_room(struct bed *b, struct image *mover)
{
	uint64_t end = clock_mono_ns() + WAIT_NS;
	struct cache_table_room room;

	for (;;) {
		cache_table_room(b->cache, &room);
		if (room.bound + room.unbound <= room.all / 4 * 3)
			return;
		ck_assert_msg(clock_mono_ns() < end, "%u and %u of %u bytes", (uint32_t)room.bound,
			      (uint32_t)room.unbound, (uint32_t)room.all);
		ck_assert_int_eq(bed_fill(mover, 'k', 100000, 0), 100000);
		ck_assert_int_eq(bed_sync(mover), 0);
		pause_a_little();
	}
}

/* Makes files, each written and closed; returns how many of them were cached. */
static int make_many(struct bed *b, int first, int nr)
{
	int nr_cached = 0;

	for (int i = first; i < first + nr; i++) {
		struct image *img;
		char name[32];

		name_of(i, name);
		img = create(b, name);
		ck_assert_int_eq(bed_fill(img, (char)('a' + i % 26), 5000, 0), 5000);
		nr_cached += bed_image_id(img) != 0;
		bed_close(img);
	}
	return nr_cached;
}

static void expect_many(struct bed *b, int nr)
{
	for (int i = 0; i < nr; i++) {
		struct image *img;
		char name[32];

		name_of(i, name);
		img = bed_open(b, name);
		ck_assert_uint_eq(image_size(img), 5000);
		ck_assert(bed_reads(img, (char)('a' + i % 26), 5000, 0));
		bed_close(img);
	}
}

START_TEST(clean_images_give_their_room_to_new_ones)
{
	struct bed *b = bed_new();
	struct image *keep;
	int nr_cached = 0;

	ck_assert_int_eq(mkdirat(b->fd, "d", 0755), 0);
	bed_must_mount(b);
	bed_knob(b, KNOB_FORCE_MIGRATE, 1);
	keep = create(b, "keep"); /* in use: it keeps its number */
	ck_assert_int_eq(bed_fill(keep, 'k', 100000, 0), 100000);
	for (int i = 0; i < NR_MANY; i += 100) {
		nr_cached += make_many(b, i, 100);
		wait_for_room(b, keep);
	}
	ck_assert_int_eq(nr_cached, NR_MANY);
	ck_assert_uint_eq(bed_image_id(keep), 1);
	ck_assert(bed_reads(keep, 'k', 100000, 0));
	bed_close(keep);
	expect_many(b, NR_MANY);
	bed_unmount(b);
	bed_must_mount(b);
	expect_many(b, NR_MANY);
	ck_assert_str_eq(b->said, "");
	bed_free(b);
}
END_TEST

/* Path of a directory below directories with long names, which are made: *fd is its parent. */
static void make_deep(struct bed *b, char *path, size_t size, int *fd)
{
	*fd = dup(b->fd);
	*path = '\0';
	for (int i = 0; i < 5; i++) {
		char name[201];
		int next;

		memset(name, 'n' + i, 200);
		name[200] = '\0';
		ck_assert_int_eq(mkdirat(*fd, name, 0755), 0);
		next = openat(*fd, name, O_RDONLY | O_DIRECTORY);
		ck_assert_int_ge(next, 0);
		close(*fd);
		*fd = next;
		snprintf(path + strlen(path), size - strlen(path), "%s/", name);
	}
}

/* E6. What the table cannot hold must not get into the log: it could never be emptied again. */
START_TEST(names_that_outgrow_the_table_are_refused)
{
	struct bed *b = bed_new();
	struct image *img;
	char path[1500];
	int fd;

	ck_assert_int_eq(mkdirat(b->fd, "d", 0755), 0);
	bed_must_mount(b);
	img = create(b, "large");
	ck_assert_int_eq(make_many(b, 0, 500), 500);
	make_deep(b, path, sizeof(path), &fd);
	ck_assert_int_eq(imagedir_rename(b->dir, b->fd, "d", fd, "d", 0), -ENOSPC);
	ck_assert(bed_said(b, "no room for so long new names"));
	ck_assert_int_eq(imagedir_rename(b->dir, b->fd, "d", b->fd, "directory", 0), 0);
	ck_assert_int_eq(imagedir_rename(b->dir, b->fd, "directory", b->fd, "d", 0), 0);
	close(fd);
	bed_knob(b, KNOB_FORCE_MIGRATE, 1);
	for (int i = 0; i < 3 * (int)(BED_CACHE_BYTES >> 20); i++)
		ck_assert_int_eq(bed_fill(img, 'l', 1u << 20, (uint64_t)i << 20), 1 << 20);
	ck_assert_int_eq(bed_sync(img), 0);
	bed_close(img);
	expect_many(b, 500);
	bed_unmount(b);
	bed_must_mount(b);
	expect_many(b, 500);
	bed_free(b);
}
END_TEST

static Suite *make_suite(void)
{
	Suite *s = suite_create("image_ids");
	TCase *room = tcase_create("room");

	CHECK_CASE(s, "ids", an_id_that_the_table_still_lists_as_unbound_can_be_used_again,
		   behind_the_last_id_comes_the_first, a_file_that_is_only_read_uses_up_no_id);
	tcase_set_timeout(room, 60);
	tcase_add_test(room, clean_images_give_their_room_to_new_ones);
	tcase_add_test(room, names_that_outgrow_the_table_are_refused);
	suite_add_tcase(s, room);
	return s;
}

CHECK_MAIN(make_suite)
