// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Several caches in a mount: their ids, which one gets an image, files that two of them know;
 * caches that come and go.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lcfs/image/image_private.h"
#include "tests/check_main.h"
#include "tests/fake/imagebed.h"

#define BYTES 100000

/* ---- ids ---- */

START_TEST(a_cache_has_its_id_in_whatever_order_they_are_given)
{
	struct bed *b = bed_two_mounted();
	struct bed_cache *a = b->caches[0], *c = b->caches[1];
	uint32_t ids[3];

	ck_assert_uint_eq(a->id, 1);
	ck_assert_uint_eq(c->id, 2);
	ck_assert_uint_eq(imagedir_caches(b->dir, ids, 3), 2);
	ck_assert_uint_eq(ids[0], 1);
	ck_assert_uint_eq(ids[1], 2);
	bed_unmount(b);
	bed_turn_round(b);
	bed_must_mount(b);
	ck_assert_uint_eq(a->id, 1);
	ck_assert_uint_eq(c->id, 2);
	ck_assert_uint_eq(imagedir_caches(b->dir, ids, 1), 2);
	ck_assert_uint_eq(ids[0], 1);
	bed_unmount(b);
	b->nr_caches = 1; /* the second one alone */
	bed_must_mount(b);
	ck_assert_uint_eq(c->id, 2);
	bed_unmount(b);
	b->nr_caches = 2;
	bed_free(b);
}
END_TEST

START_TEST(a_new_cache_takes_no_id_that_another_one_has)
{
	struct bed *b = bed_two_mounted();

	bed_unmount(b);
	bed_format(b);
	bed_must_mount(b);
	ck_assert_uint_eq(b->caches[0]->id, 3);
	ck_assert_uint_eq(b->caches[1]->id, 2);
	bed_unmount(b);
	bed_turn_round(b);
	bed_format(b);
	bed_turn_round(b);
	bed_format(b);
	bed_must_mount(b); /* none but new ones */
	ck_assert_uint_eq(b->caches[0]->id, 1);
	ck_assert_uint_eq(b->caches[1]->id, 2);
	bed_free(b);
}
END_TEST

START_TEST(a_cache_with_dirty_data_must_not_be_left_out)
{
	struct bed *b = bed_two_mounted();
	struct image *img = bed_make_image(b, "a", 'a', BYTES);

	ck_assert_int_eq(image_attach(img, 2), 0);
	ck_assert_int_eq(bed_fill(img, 'b', BYTES, 0), BYTES);
	bed_close(img);
	bed_unmount(b);
	b->nr_caches = 1;
	ck_assert_int_eq(bed_mount(b), -EPERM);
	ck_assert_ptr_nonnull(strstr(b->text, "newer data in cache"));
	b->force = true;
	bed_must_mount(b);
	img = bed_get(b, "a");
	/* even so its file is not taken for what it is not */
	ck_assert_int_eq(image_open(img, false), 0);
	image_release(img, false);
	image_put(img);
	bed_unmount(b);
	b->force = false;
	b->nr_caches = 2;
	bed_must_mount(b);
	img = bed_open(b, "a");
	ck_assert_uint_eq(image_cache_id(img), 2);
	ck_assert(bed_reads(img, 'b', BYTES, 0));
	bed_close(img);
	bed_free(b);
}
END_TEST

START_TEST(a_cache_is_given_once)
{
	struct bed *b = bed_two_caches();
	struct superblock sb = { .cache_uuid = { 1 } };
	const struct superblock *twice[2] = { &sb, &sb };

	bed_must_mount(b);
	ck_assert_int_eq(imagedir_admit(b->dir, twice, 2, b->text, sizeof(b->text)), -EEXIST);
	bed_free(b);
}
END_TEST

/* ---- which one gets an image ---- */

/* Makes n images, and says where they are: "12" for the first in cache 1, the second in 2. */
static void where(struct bed *b, const char *const *paths, unsigned int n, char *text)
{
	for (unsigned int i = 0; i < n; i++) {
		struct image *img = bed_make_image(b, paths[i], 'x', BYTES);

		text[i] = (char)('0' + image_cache_id(img));
		bed_close(img);
	}
	text[n] = '\0';
}

START_TEST(the_policy_says_where_images_go)
{
	static const char *const paths[] = { "a", "b", "c", "d" };
	struct bed *b = bed_two_caches();
	char at[8];

	bed_must_mount(b);
	where(b, paths, 4, at);
	ck_assert_str_eq(at, "1111");
	bed_free(b);

	b = bed_two_caches();
	b->policy = IMAGEDIR_ROUND_ROBIN;
	bed_must_mount(b);
	where(b, paths, 4, at);
	ck_assert_str_eq(at, "1212");
	bed_free(b);

	b = bed_two_caches();
	b->policy = IMAGEDIR_LEAST_DIRTY;
	bed_must_mount(b);
	where(b, paths, 4, at);
	ck_assert_str_eq(at, "1212");
	bed_free(b);
}
END_TEST

START_TEST(patterns_say_what_is_cached)
{
	static const char *const paths[] = { "a.img", "d/b.img", "c.iso", "d/skip.img" };
	static const char *const include[] = { "*.img", "*.raw", NULL };
	static const char *const exclude[] = { "*/skip*", NULL };
	struct bed *b = bed_two_caches();
	struct image *img;
	char at[8];

	ck_assert_int_eq(mkdirat(b->fd, "d", 0755), 0);
	b->include = include;
	b->exclude = exclude;
	bed_must_mount(b);
	where(b, paths, 4, at);
	ck_assert_str_eq(at, "1100");
	ck_assert(bed_plain_is(b, "c.iso", 'x', BYTES));
	/* what was said of this one counts more */
	img = bed_open(b, "c.iso");
	ck_assert_int_eq(image_attach(img, 2), 0);
	ck_assert_uint_eq(image_cache_id(img), 2);
	bed_close(img);
	bed_unmount(b);
	bed_must_mount(b);
	img = bed_open(b, "c.iso");
	ck_assert_uint_eq(image_cache_id(img), 2);
	ck_assert(bed_reads(img, 'x', BYTES, 0));
	bed_close(img);
	bed_free(b);
}
END_TEST

/* ---- one file, two caches ---- */

START_TEST(a_file_that_two_caches_know_stays_with_the_one_that_has_data_of_it)
{
	struct bed *b = bed_two_mounted();
	struct image *img = bed_make_image(b, "a", 'a', BYTES);

	bed_drain(b, img);
	bed_close(img);
	bed_unmount(b);
	/* the second one alone, while the first keeps clean blocks of the file */
	bed_turn_round(b);
	b->nr_caches = 1;
	bed_must_mount(b);
	img = bed_open(b, "a");
	ck_assert_uint_eq(image_cache_id(img), 2);
	ck_assert_int_eq(bed_fill(img, 'b', 5000, 0), 5000);
	bed_close(img);
	bed_unmount(b);
	b->nr_caches = 2;
	for (int i = 0; i < 3; i++) {
		bed_turn_round(b);
		bed_must_mount(b);
		img = bed_open(b, "a");
		ck_assert_uint_eq(image_cache_id(img), 2);
		ck_assert(bed_reads(img, 'b', 5000, 0));
		ck_assert(bed_reads(img, 'a', BYTES - 5000, 5000));
		bed_close(img);
		ck_assert_str_eq(b->said, "");
		bed_unmount(b);
	}
	bed_free(b);
}
END_TEST

START_TEST(a_file_that_two_caches_hold_data_of_is_a_conflict)
{
	struct bed *b = bed_two_mounted();
	struct image *img = bed_make_image(b, "a", 'a', BYTES);

	bed_close(img);
	bed_unmount(b);
	bed_turn_round(b);
	b->nr_caches = 1;
	b->force = true;
	bed_must_mount(b);
	img = bed_open(b, "a");
	ck_assert_int_eq(bed_fill(img, 'b', 5000, 0), 5000);
	bed_close(img);
	bed_unmount(b);
	b->nr_caches = 2;
	b->force = false;
	b->said[0] = '\0';
	bed_must_mount(b);
	ck_assert(bed_said(b, "a: conflict"));
	img = bed_get(b, "a");
	ck_assert_int_eq(image_open(img, false), -EIO);
	image_put(img);
	ck_assert_uint_eq(bed_nr_bound(b->caches[0]), 1);
	ck_assert_uint_eq(bed_nr_bound(b->caches[1]), 1);
	bed_free(b);
}
END_TEST

/* ---- names ---- */

START_TEST(a_renamed_directory_takes_along_the_images_of_all_caches)
{
	static const char *const paths[] = { "d/a", "d/b" };
	struct bed *b = bed_two_caches();
	char at[8];

	ck_assert_int_eq(mkdirat(b->fd, "d", 0755), 0);
	b->policy = IMAGEDIR_ROUND_ROBIN;
	bed_must_mount(b);
	where(b, paths, 2, at);
	ck_assert_str_eq(at, "12");
	ck_assert_int_eq(imagedir_rename(b->dir, b->fd, "d", b->fd, "e", 0), 0);
	ck_assert(cache_has_path(b->caches[0]->cache, "e"));
	ck_assert(cache_has_path(b->caches[1]->cache, "e"));
	ck_assert(!cache_has_path(b->caches[1]->cache, "d"));
	ck_assert_int_eq(imagedir_rename(b->dir, b->fd, "nothing", b->fd, "f", 0), -ENOENT);
	/* not made after all: the log has the way back in both */
	ck_assert_int_eq(mkdirat(b->fd, "full", 0755), 0);
	bed_make_file(b, "full/x", 'x', 1);
	ck_assert_int_eq(imagedir_rename(b->dir, b->fd, "e", b->fd, "full", 0), -ENOTEMPTY);
	ck_assert(cache_has_path(b->caches[0]->cache, "e"));
	ck_assert(cache_has_path(b->caches[1]->cache, "e"));
	bed_unmount(b);
	bed_turn_round(b);
	bed_must_mount(b);
	for (unsigned int i = 0; i < 2; i++) {
		struct image *img = bed_open(b, i ? "e/b" : "e/a");

		ck_assert_uint_eq(image_cache_id(img), i + 1);
		ck_assert(bed_reads(img, 'x', BYTES, 0));
		bed_close(img);
	}
	ck_assert_str_eq(b->said, "");
	bed_free(b);
}
END_TEST

/* ---- caches come and go ---- */

START_TEST(a_cache_comes_while_mounted)
{
	struct bed *b = bed_two_caches();
	struct bed_cache *late = b->caches[1];
	struct image *img;

	b->nr_caches = 1;
	bed_must_mount(b);
	img = bed_make_image(b, "a", 'a', BYTES);
	ck_assert_int_eq(bed_join(b, late), 0);
	ck_assert_uint_eq(late->id, 2);
	ck_assert_int_eq(image_attach(img, 2), 0);
	ck_assert_int_eq(bed_fill(img, 'b', 5000, 0), 5000);
	ck_assert_uint_eq(bed_nr_bound(late), 1);
	bed_close(img);
	b->nr_caches = 2;
	bed_unmount(b);
	bed_must_mount(b);
	img = bed_open(b, "a");
	ck_assert(bed_reads(img, 'b', 5000, 0));
	bed_close(img);
	bed_free(b);
}
END_TEST

START_TEST(a_cache_goes_and_its_images_with_all_data_are_in_the_others)
{
	struct bed *b = bed_two_mounted();
	struct image *open = bed_make_image(b, "open", 'o', BYTES);
	struct image *closed = bed_make_image(b, "closed", 'c', BYTES);
	struct image *gone = bed_make_image(b, "gone", 'g', BYTES);

	bed_close(closed);
	ck_assert_int_eq(imagedir_unlink(b->dir, b->fd, "gone"), 0);
	ck_assert_int_eq(bed_part(b, b->caches[0]), 0);
	ck_assert_uint_eq(image_cache_id(open), 2);
	ck_assert(bed_plain_is(b, "closed", 'c', BYTES));
	ck_assert(bed_reads(open, 'o', BYTES, 0));
	ck_assert(bed_reads(gone, 'g', BYTES, 0));
	ck_assert_int_eq(bed_fill(open, 'p', BYTES, 0), BYTES);
	bed_close(gone);
	bed_close(open);
	/* it is not needed any more */
	bed_turn_round(b);
	b->nr_caches = 1;
	bed_unmount(b);
	bed_must_mount(b);
	open = bed_open(b, "open");
	ck_assert(bed_reads(open, 'p', BYTES, 0));
	bed_close(open);
	b->nr_caches = 2;
	ck_assert_int_eq(bed_join(b, b->caches[1]), 0);
	ck_assert_uint_eq(b->caches[1]->id, 1);
	ck_assert_str_eq(b->said, "");
	bed_free(b);
}
END_TEST

START_TEST(the_last_cache_may_go)
{
	struct bed *b = bed_new();
	struct image *img;

	bed_must_mount(b);
	img = bed_make_image(b, "a", 'a', BYTES);
	ck_assert_int_eq(bed_part(b, b->caches[0]), 0);
	ck_assert_uint_eq(imagedir_caches(b->dir, NULL, 0), 0);
	ck_assert_uint_eq(image_cache_id(img), 0);
	ck_assert_int_eq(bed_fill(img, 'b', 5000, 0), 5000);
	ck_assert(bed_reads(img, 'b', 5000, 0));
	ck_assert_int_eq(image_sync(img, false), 0);
	bed_close(img);
	ck_assert_int_eq(bed_join(b, b->caches[0]), 0);
	img = bed_open(b, "a");
	ck_assert_uint_eq(image_cache_id(img), 1);
	ck_assert(bed_reads(img, 'b', 5000, 0));
	bed_close(img);
	bed_free(b);
}
END_TEST

START_TEST(a_cache_with_an_image_in_conflict_stays)
{
	struct bed *b = bed_two_mounted();
	struct image *img = bed_make_image(b, "a", 'a', BYTES);

	bed_close(img);
	bed_unmount(b);
	bed_make_file(b, "a", 'z', BYTES / 2);
	bed_must_mount(b);
	ck_assert_int_eq(bed_part(b, b->caches[0]), -EBUSY);
	ck_assert_ptr_nonnull(strstr(b->text, "a cannot leave"));
	ck_assert_int_eq(imagedir_remove_cache(b->dir, 7, b->text, sizeof(b->text)), -ENOENT);
	/* as before */
	img = bed_make_image(b, "b", 'b', BYTES);
	ck_assert_uint_eq(image_cache_id(img), 1);
	bed_close(img);
	bed_free(b);
}
END_TEST

START_TEST(a_cache_that_holds_data_of_a_file_in_use_does_not_come)
{
	struct bed *b = bed_two_mounted();
	struct image *img = bed_make_image(b, "a", 'a', BYTES);

	bed_close(img);
	bed_unmount(b);
	bed_turn_round(b);
	b->nr_caches = 1;
	b->force = true;
	bed_must_mount(b);
	img = bed_open(b, "a");
	ck_assert_int_eq(bed_join(b, b->caches[1]), -EBUSY);
	ck_assert_ptr_nonnull(strstr(b->text, "in use"));
	bed_close(img);
	b->nr_caches = 2;
	bed_free(b);
}
END_TEST

static Suite *make_suite(void)
{
	Suite *s = suite_create("image_caches");
	TCase *ids = tcase_create("ids");
	TCase *caches = tcase_create("caches");

	tcase_set_timeout(ids, 120);
	tcase_add_test(ids, a_cache_has_its_id_in_whatever_order_they_are_given);
	tcase_add_test(ids, a_new_cache_takes_no_id_that_another_one_has);
	tcase_add_test(ids, a_cache_with_dirty_data_must_not_be_left_out);
	tcase_add_test(ids, a_cache_is_given_once);
	tcase_add_test(ids, the_policy_says_where_images_go);
	tcase_add_test(ids, patterns_say_what_is_cached);
	suite_add_tcase(s, ids);
	tcase_set_timeout(caches, 120);
	tcase_add_test(caches, a_file_that_two_caches_know_stays_with_the_one_that_has_data_of_it);
	tcase_add_test(caches, a_file_that_two_caches_hold_data_of_is_a_conflict);
	tcase_add_test(caches, a_renamed_directory_takes_along_the_images_of_all_caches);
	tcase_add_test(caches, a_cache_comes_while_mounted);
	tcase_add_test(caches, a_cache_goes_and_its_images_with_all_data_are_in_the_others);
	tcase_add_test(caches, the_last_cache_may_go);
	tcase_add_test(caches, a_cache_with_an_image_in_conflict_stays);
	tcase_add_test(caches, a_cache_that_holds_data_of_a_file_in_use_does_not_come);
	suite_add_tcase(s, caches);
	return s;
}

CHECK_MAIN(make_suite)
