// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Nothing outside of the backing directory is opened or written to, whatever the cache says and
 * whatever is put in the place of directories and files.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/checksum.h"
#include "lcfs/ondisk/codec.h"
#include "tests/check_main.h"
#include "tests/fake/imagebed.h"

#define BYTES 40000

/* ---- a cache with one dirty image ---- */

/* An image of that name with dirty data, unmounted; and a file outside. */
static struct bed *dirty_image(const char *path)
{
	struct bed *b = bed_new();
	char dir[64];
	struct image *img;

	snprintf(dir, sizeof(dir), "%s", path);
	if (strchr(dir, '/')) {
		*strchr(dir, '/') = '\0';
		ck_assert_int_eq(mkdirat(b->fd, dir, 0755), 0);
	}
	bed_make_file(b, path, 'o', BYTES);
	bed_make_file(b, "../xx", 's', BYTES);
	bed_must_mount(b);
	img = bed_open(b, path);
	ck_assert_int_eq(bed_fill(img, 'n', BYTES, 0), BYTES);
	bed_close(img);
	bed_unmount(b);
	return b;
}

static void expect_outside_untouched(struct bed *b)
{
	ck_assert(bed_plain_is(b, "../xx", 's', BYTES));
}

/* Migrates what can be: what cannot stays in the cache, and it takes no more than a moment. */
static void let_migrate(struct bed *b)
{
	bed_knob(b, KNOB_ALLOW_MIGRATE, 1);
	bed_knob(b, KNOB_FORCE_MIGRATE, 1);
	for (int i = 0; i < 200 && bed_dirty_blocks(b); i++)
		usleep(10000);
}

static enum image_state state_of(struct bed *b)
{
	struct image *img = imagedir_by_id(b->dir, 1);
	enum image_state state;

	ck_assert_ptr_nonnull(img);
	state = bed_state(img);
	image_put(img);
	return state;
}

/* ---- a table that says what it should not ---- */

static int open_device(struct bed *b)
{
	return openat(b->root_fd, b->caches[0]->file, O_RDWR | O_CLOEXEC);
}

/* The newest copy. */
static void read_superblock(int fd, struct superblock *sb)
{
	static _Alignas(8) uint8_t block[BLOCK_BYTES];
	struct superblock found;
	bool is_found = false;

	for (uint64_t i = 0; i < SUPERBLOCK_COPIES; i++) {
		ck_assert_int_eq(pread(fd, block, sizeof(block), (off_t)SUPERBLOCK_ADDRESS(i)),
				 sizeof(block));
		if (superblock_decode(&found, block, SUPERBLOCK_ADDRESS(i)) == FORMAT_OK &&
		    (!is_found || superblock_compare(&found, sb) > 0)) {
			*sb = found;
			is_found = true;
		}
	}
	ck_assert(is_found);
}

/* Puts one path in the place of another of the same length, and seals all of it again. */
static void change_table(struct bed *b, const char *old, const char *new, bool is_weak)
{
	static _Alignas(8) uint8_t area[TABLE_AREA_BYTES_MIN];
	struct table_entry_disk *e = (void *)(area + BLOCK_BYTES);
	const struct superblock_table_area *a;
	struct table_header h;
	struct superblock sb;
	int fd = open_device(b);
	uint8_t *at;

	read_superblock(fd, &sb);
	ck_assert_uint_lt(sb.table_current, 2);
	a = &sb.table[sb.table_current];
	ck_assert_int_eq(pread(fd, area, sizeof(area), (off_t)a->start), sizeof(area));
	ck_assert_int_eq(table_header_decode(&h, area, a->start), FORMAT_OK);
	ck_assert_uint_eq(h.nr_entries, 1);
	at = memmem(e, le32_get(e->bytes), old, strlen(old));
	ck_assert_ptr_nonnull(at);
	memcpy(at, new, strlen(old));
	if (is_weak)
		e->identity = (struct op_identity_disk){ .strength = IDENTITY_WEAK };
	h.payload_checksum = checksum64(area + BLOCK_BYTES, h.payload_bytes, 0);
	table_header_encode(&h, area, a->start);
	ck_assert_int_eq(pwrite(fd, area, sizeof(area), (off_t)a->start), sizeof(area));
	close(fd);
}

START_TEST(a_path_in_the_table_that_leads_out_refuses_the_mount)
{
	static const char *const paths[] = { "../xx", "/xxxx", "ab//x", "ab/..",
					     "./abx", "abcd/", "a/./x", "a\0bcd" };
	struct bed *b = dirty_image("ab/xx");

	change_table(b, "ab/xx", paths[_i], _i & 1);
	ck_assert_int_eq(bed_mount(b), -EUCLEAN);
	ck_assert_msg(strstr(b->text, "table") != NULL, "%s", b->text);
	expect_outside_untouched(b);
	bed_free(b);
}
END_TEST

START_TEST(lcfs_own_files_are_no_images)
{
	struct bed *b = dirty_image("slcfs/uuid");
	char before[64], after[64];
	size_t n = bed_plain_read(b, ".lcfs/uuid", before, sizeof(before), 0);

	change_table(b, "slcfs/uuid", ".lcfs/uuid", true);
	bed_must_mount(b);
	let_migrate(b);
	ck_assert_int_eq(state_of(b), IMAGE_MISSING);
	ck_assert_uint_eq(bed_plain_read(b, ".lcfs/uuid", after, sizeof(after), 0), n);
	ck_assert_mem_eq(before, after, n);
	bed_free(b);
}
END_TEST

/* ---- something else in the place of directories and files ---- */

/* The directory goes out, with the very file in it, and a symlink leads there. */
static void swap_directory(struct bed *b)
{
	ck_assert_int_eq(renameat(b->fd, "ab", b->root_fd, "gone"), 0);
	ck_assert_int_eq(symlinkat("../gone", b->fd, "ab"), 0);
}

START_TEST(a_symlink_for_a_directory_before_the_mount_is_not_followed)
{
	struct bed *b = dirty_image("ab/xx");

	if (_i)
		change_table(b, "ab/xx", "ab/xx", true);
	swap_directory(b);
	bed_must_mount(b);
	let_migrate(b);
	ck_assert_int_eq(state_of(b), IMAGE_MISSING);
	ck_assert(bed_plain_is(b, "../gone/xx", 'o', BYTES));
	bed_free(b);
}
END_TEST

START_TEST(a_symlink_for_a_directory_while_mounted_is_not_followed)
{
	struct bed *b = dirty_image("ab/xx");
	struct image *img = NULL;

	bed_must_mount(b);
	/* with descriptors of its file, or without */
	if (_i)
		img = bed_open(b, "ab/xx");
	swap_directory(b);
	let_migrate(b);
	ck_assert_int_eq(state_of(b), IMAGE_MISSING);
	ck_assert(bed_plain_is(b, "../gone/xx", 'o', BYTES));
	if (img)
		bed_close(img);
	bed_free(b);
}
END_TEST

static void put_symlink(struct bed *b)
{
	ck_assert_int_eq(symlinkat("../../xx", b->fd, "ab/xx"), 0);
}

static void put_fifo(struct bed *b)
{
	ck_assert_int_eq(mkfifoat(b->fd, "ab/xx", 0600), 0);
}

static void put_directory(struct bed *b)
{
	ck_assert_int_eq(mkdirat(b->fd, "ab/xx", 0700), 0);
}

static void (*const put[])(struct bed *) = { put_symlink, put_fifo, put_directory };

START_TEST(what_is_no_file_is_not_taken_for_one)
{
	struct bed *b = dirty_image("ab/xx");
	char path[300];
	struct image *img;

	if (_i / 3)
		change_table(b, "ab/xx", "ab/xx", true);
	ck_assert_int_eq(unlinkat(b->fd, "ab/xx", 0), 0);
	put[_i % 3](b);
	bed_must_mount(b);
	let_migrate(b);
	ck_assert_int_eq(state_of(b), IMAGE_MISSING);
	/* what lcctl resolve does with it must not wait for a fifo either */
	img = imagedir_by_id(b->dir, 1);
	snprintf(path, sizeof(path), "%s/exported", b->root);
	if (path[0] == '/')
		ck_assert_int_eq(image_export(img, path), 0);
	image_put(img);
	expect_outside_untouched(b);
	bed_free(b);
}
END_TEST

/* ---- a race ---- */

static _Atomic bool is_over;

static void *swap_all_the_time(void *arg)
{
	struct bed *b = arg;

	while (!atomic_load(&is_over))
		(void)renameat2(b->fd, "ab", b->fd, "link", RENAME_EXCHANGE);
	return NULL;
}

START_TEST(a_directory_that_is_swapped_with_a_symlink_all_the_time_leads_nowhere)
{
	struct bed *b = dirty_image("ab/xx");
	pthread_t thread;

	ck_assert_int_eq(mkdirat(b->root_fd, "trap", 0755), 0);
	bed_make_file(b, "../trap/xx", 's', BYTES);
	ck_assert_int_eq(symlinkat("../trap", b->fd, "link"), 0);
	atomic_store(&is_over, false);
	ck_assert_int_eq(pthread_create(&thread, NULL, swap_all_the_time, b), 0);
	for (int i = 0; i < 5; i++) {
		bed_must_mount(b);
		bed_knob(b, KNOB_ALLOW_MIGRATE, 1);
		bed_knob(b, KNOB_FORCE_MIGRATE, 1);
		usleep(20000);
		bed_unmount(b);
	}
	atomic_store(&is_over, true);
	pthread_join(thread, NULL);
	ck_assert(bed_plain_is(b, "../trap/xx", 's', BYTES));
	expect_outside_untouched(b);
	bed_free(b);
}
END_TEST

static Suite *make_suite(void)
{
	Suite *s = suite_create("image_hostile");
	TCase *tc = tcase_create("hostile");

	tcase_set_timeout(tc, 60);
	tcase_add_loop_test(tc, a_path_in_the_table_that_leads_out_refuses_the_mount, 0, 8);
	tcase_add_test(tc, lcfs_own_files_are_no_images);
	tcase_add_loop_test(tc, a_symlink_for_a_directory_before_the_mount_is_not_followed, 0, 2);
	tcase_add_loop_test(tc, a_symlink_for_a_directory_while_mounted_is_not_followed, 0, 2);
	tcase_add_loop_test(tc, what_is_no_file_is_not_taken_for_one, 0, 6);
	tcase_add_test(tc, a_directory_that_is_swapped_with_a_symlink_all_the_time_leads_nowhere);
	suite_add_tcase(s, tc);
	return s;
}

CHECK_MAIN(make_suite)
