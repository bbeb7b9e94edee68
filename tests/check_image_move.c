// SPDX-License-Identifier: GPL-2.0-or-later
/* An image goes from one cache to another: what it holds, who waits, what a kill leaves. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "common/clock.h"
#include "lcfs/image/image_private.h"
#include "tests/check_child.h"
#include "tests/check_main.h"
#include "tests/fake/imagebed.h"

#define BYTES 100000
#define LIMIT_NS (20 * NSEC_PER_SEC)

static bool has_mark(struct bed *b, const char *path)
{
	char full[400], value[64];

	snprintf(full, sizeof(full), "%s/back/%s", b->root, path);
	return getxattr(full, "user.lcfs.dirty", value, sizeof(value)) > 0;
}

/* ---- moving ---- */

START_TEST(an_image_moves_with_all_its_data_while_it_is_open)
{
	struct bed *b = bed_two_mounted();
	struct image *img = bed_make_image(b, "a", 'a', BYTES);

	ck_assert_uint_eq(image_cache_id(img), 1);
	ck_assert_int_eq(image_attach(img, 2), 0);
	ck_assert_uint_eq(image_cache_id(img), 2);
	ck_assert(bed_plain_is(b, "a", 'a', BYTES));
	ck_assert(bed_reads(img, 'a', BYTES, 0));
	ck_assert_uint_eq(bed_nr_bound(b->caches[0]), 0);
	ck_assert_int_eq(bed_fill(img, 'b', 5000, 0), 5000);
	ck_assert_uint_eq(bed_nr_bound(b->caches[1]), 1);
	ck_assert(bed_reads(img, 'b', 5000, 0));
	ck_assert(bed_reads(img, 'a', BYTES - 5000, 5000));
	ck_assert_int_eq(image_attach(img, 1), 0);
	ck_assert_int_eq(bed_fill(img, 'c', 500, BYTES), 500);
	ck_assert(bed_reads(img, 'b', 5000, 0));
	ck_assert(bed_reads(img, 'c', 500, BYTES));
	bed_close(img);
	bed_unmount(b);
	bed_must_mount(b);
	img = bed_open(b, "a");
	ck_assert_uint_eq(image_cache_id(img), 1);
	ck_assert(bed_reads(img, 'b', 5000, 0));
	ck_assert(bed_reads(img, 'a', BYTES - 5000, 5000));
	ck_assert(bed_reads(img, 'c', 500, BYTES));
	ck_assert_str_eq(b->said, "");
	bed_close(img);
	bed_free(b);
}
END_TEST

START_TEST(a_detached_image_is_its_plain_file_until_it_is_attached)
{
	struct bed *b = bed_two_mounted();
	struct image *img = bed_make_image(b, "a", 'a', BYTES);

	ck_assert_int_eq(image_attach(img, 0), 0);
	ck_assert_uint_eq(image_cache_id(img), 0);
	ck_assert(!has_mark(b, "a"));
	ck_assert(bed_plain_is(b, "a", 'a', BYTES));
	ck_assert_int_eq(bed_fill(img, 'b', BYTES, 0), BYTES);
	ck_assert(bed_plain_is(b, "a", 'b', BYTES));
	ck_assert_int_eq(bed_sync(img), 0);
	ck_assert_int_eq(image_truncate(img, 777), 0);
	ck_assert_uint_eq(image_size(img), 777);
	bed_close(img);
	img = bed_open(b, "a");
	ck_assert_uint_eq(image_cache_id(img), 0);
	bed_close(img);
	bed_unmount(b);
	bed_must_mount(b);
	img = bed_open(b, "a");
	ck_assert_uint_eq(image_cache_id(img), 0);
	ck_assert_int_eq(image_attach(img, 2), 0);
	ck_assert_int_eq(bed_fill(img, 'c', 10, 0), 10);
	ck_assert(bed_reads(img, 'b', 767, 10));
	ck_assert(bed_plain_is(b, "a", 'b', 777));
	bed_close(img);
	ck_assert_str_eq(b->said, "");
	bed_free(b);
}
END_TEST

START_TEST(an_image_that_is_not_open_can_be_moved)
{
	struct bed *b = bed_two_mounted();
	struct image *img = bed_make_image(b, "a", 'a', BYTES);
	uint32_t number = image_id(img);

	bed_close(img);
	img = imagedir_by_id(b->dir, number);
	ck_assert_ptr_nonnull(img);
	ck_assert_int_eq(image_attach(img, 2), 0);
	image_put(img);
	img = bed_open(b, "a");
	ck_assert_uint_eq(image_cache_id(img), 2);
	ck_assert(bed_reads(img, 'a', BYTES, 0));
	bed_close(img);
	bed_free(b);
}
END_TEST

START_TEST(what_cannot_be_moved_stays)
{
	struct bed *b = bed_two_mounted();
	struct image *img = bed_make_image(b, "a", 'a', BYTES);

	ck_assert_int_eq(image_attach(img, 3), -ENOENT);
	ck_assert_int_eq(image_attach(img, 1), 0);
	ck_assert_uint_eq(image_cache_id(img), 1);
	ck_assert_int_eq(imagedir_unlink(b->dir, b->fd, "a"), 0);
	ck_assert_int_eq(image_attach(img, 2), -ENOENT);
	ck_assert(bed_reads(img, 'a', BYTES, 0));
	ck_assert_int_eq(image_attach(img, 0), 0); /* it may go on without a cache */
	ck_assert_uint_eq(image_cache_id(img), 0);
	ck_assert(bed_reads(img, 'a', BYTES, 0));
	ck_assert_int_eq(bed_fill(img, 'b', BYTES, 0), BYTES);
	ck_assert(bed_reads(img, 'b', BYTES, 0));
	bed_close(img);
	ck_assert_str_eq(b->said, "");
	bed_free(b);
}
END_TEST

START_TEST(an_image_in_conflict_is_not_moved)
{
	struct bed *b = bed_two_mounted();
	struct image *img = bed_make_image(b, "a", 'a', BYTES);

	bed_close(img);
	bed_unmount(b);
	bed_make_file(b, "a", 'z', BYTES / 2);
	bed_must_mount(b);
	ck_assert(bed_said(b, "a: conflict"));
	img = bed_get(b, "a");
	ck_assert_int_eq(image_attach(img, 2), -EIO);
	ck_assert_int_eq(image_attach(img, 0), -EIO);
	ck_assert_uint_eq(image_cache_id(img), 1);
	image_put(img);
	ck_assert(bed_plain_is(b, "a", 'z', BYTES / 2));
	bed_free(b);
}
END_TEST

START_TEST(an_image_that_cannot_be_drained_stays_where_it_is)
{
	struct bed *b = bed_two_mounted();
	struct image *img = bed_make_image(b, "a", 'a', BYTES);
	struct rlimit limit = { .rlim_cur = 2 * BED_CACHE_BYTES, .rlim_max = RLIM_INFINITY };

	signal(SIGXFSZ, SIG_IGN);
	ck_assert_int_eq(bed_fill(img, 'b', 5000, 3 * BED_CACHE_BYTES), 5000);
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
	ck_assert_int_eq(image_attach(img, 2), -EFBIG);
	ck_assert_uint_eq(image_cache_id(img), 1);
	ck_assert(bed_reads(img, 'b', 5000, 3 * BED_CACHE_BYTES));
	ck_assert_int_eq(bed_fill(img, 'c', 100, 0), 100);
	limit.rlim_cur = RLIM_INFINITY;
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
	ck_assert_int_eq(image_attach(img, 2), 0);
	ck_assert_uint_eq(image_cache_id(img), 2);
	ck_assert(bed_reads(img, 'b', 5000, 3 * BED_CACHE_BYTES));
	ck_assert(bed_reads(img, 'c', 100, 0));
	bed_close(img);
	bed_free(b);
}
END_TEST

/* ---- under load ---- */

struct load {
	struct bed *b;
	struct image *img;
	unsigned int first; /* block of 4096 */
	uint32_t written[8];
	atomic_bool is_ending;
	atomic_uint rounds;
	int error;
};

/* Each block has its number of rounds in every word. */
static void *write_on(void *arg)
{
	struct load *l = arg;
	static _Thread_local uint32_t block[1024], back[1024];

	for (uint32_t round = 1; !l->is_ending && !l->error; round++) {
		unsigned int i = round % 8;

		for (unsigned int w = 0; w < 1024; w++)
			block[w] = round;
		if (bed_write(l->img, block, sizeof(block), (l->first + i) * 4096u) != 4096)
			l->error = 1;
		l->written[i] = round;
		i = round * 7 % 8;
		if (bed_read(l->img, back, sizeof(back), (l->first + i) * 4096u) != 4096)
			l->error = 2;
		if (back[0] != l->written[i] || back[1023] != l->written[i])
			l->error = 3;
		if (round % 16 == 0 && bed_sync(l->img) < 0)
			l->error = 4;
		l->rounds = round;
	}
	return NULL;
}

static bool is_written(struct load *l)
{
	uint32_t back[1024];

	for (unsigned int i = 0; i < 8; i++)
		if (bed_read(l->img, back, sizeof(back), (l->first + i) * 4096u) != 4096 ||
		    back[0] != l->written[i] || back[1023] != l->written[i])
			return false;
	return true;
}

START_TEST(an_image_under_load_moves_back_and_forth)
{
	struct bed *b = bed_two_mounted();
	struct image *img = bed_create(b, "a");
	struct load load[3] = { { .b = b } };
	pthread_t thread[3];

	ck_assert_int_eq(image_open(img, true), 0);
	ck_assert_int_eq(bed_fill(img, 0, 24 * 4096, 0), 24 * 4096);
	for (unsigned int i = 0; i < 3; i++) {
		load[i] = (struct load){ .b = b, .img = img, .first = i * 8 };
		ck_assert_int_eq(pthread_create(&thread[i], NULL, write_on, &load[i]), 0);
	}
	for (uint32_t i = 0; i < 12; i++) {
		uint32_t was = load[i % 3].rounds;
		uint64_t deadline = clock_mono_ns() + LIMIT_NS;

		ck_assert_int_eq(image_attach(img, i % 3), 0);
		ck_assert_uint_eq(image_cache_id(img), i % 3);
		while (load[i % 3].rounds < was + 20 && !load[i % 3].error)
			ck_assert_uint_lt(clock_mono_ns(), deadline);
	}
	for (unsigned int i = 0; i < 3; i++) {
		load[i].is_ending = true;
		ck_assert_int_eq(pthread_join(thread[i], NULL), 0);
		ck_assert_int_eq(load[i].error, 0);
		ck_assert(is_written(&load[i]));
	}
	bed_close(img);
	bed_unmount(b);
	bed_turn_round(b);
	bed_must_mount(b);
	img = bed_open(b, "a");
	for (unsigned int i = 0; i < 3; i++) {
		load[i].img = img;
		ck_assert(is_written(&load[i]));
	}
	bed_close(img);
	ck_assert_str_eq(b->said, "");
	bed_free(b);
}
END_TEST

/* ---- the gates ---- */

struct mover {
	struct image *img;
	uint32_t to;
	atomic_bool is_done;
	int result;
};

static void *move_it(void *arg)
{
	struct mover *m = arg;

	m->result = image_attach(m->img, m->to);
	m->is_done = true;
	return NULL;
}

static void wait_shut(struct image *img, bool is_shut)
{
	uint64_t deadline = clock_mono_ns() + LIMIT_NS;

	while (atomic_load(&img->is_shut) != is_shut)
		ck_assert_uint_lt(clock_mono_ns(), deadline);
}

START_TEST(a_move_waits_for_who_is_inside_and_lets_the_others_go_on)
{
	struct bed *b = bed_two_mounted();
	struct mover m = { .img = bed_make_image(b, "a", 'a', BYTES), .to = 2 };
	pthread_t thread;

	image_enter(m.img);
	ck_assert_int_eq(pthread_create(&thread, NULL, move_it, &m), 0);
	for (int i = 0; i < 2; i++) {
		wait_shut(m.img, true);
		wait_shut(m.img, false); /* it takes too long */
		ck_assert(!m.is_done);
		ck_assert_ptr_eq(image_host(m.img), b->dir->hosts[0]);
		ck_assert_int_eq(bed_fill(m.img, (char)('b' + i), BYTES, 0), BYTES);
	}
	image_leave(m.img);
	ck_assert_int_eq(pthread_join(thread, NULL), 0);
	ck_assert_int_eq(m.result, 0);
	ck_assert_uint_eq(image_cache_id(m.img), 2);
	ck_assert(bed_plain_is(b, "a", 'c', BYTES));
	bed_close(m.img);
	bed_free(b);
}
END_TEST

struct parked {
	struct image *img;
	char op;
	atomic_bool is_done;
	bool is_right;
};

static void *request(void *arg)
{
	struct parked *p = arg;

	if (p->op == 'r')
		p->is_right = bed_reads(p->img, 'a', 1000, 8192);
	else if (p->op == 'w')
		p->is_right = bed_fill(p->img, 'w', 4096, 0) == 4096;
	else
		p->is_right = bed_sync(p->img) == 0;
	p->is_done = true;
	return NULL;
}

static unsigned int nr_parked(struct image *img)
{
	struct task *t;
	unsigned int n = 0;

	LOCK_SCOPE(&img->dir->lock);
	list_for_each_entry(t, &img->parked, node)
		n++;
	return n;
}

START_TEST(requests_wait_while_the_gate_is_shut)
{
	struct bed *b = bed_two_mounted();
	struct image *img = bed_make_image(b, "a", 'a', BYTES);
	struct parked p[] = { { .op = 'r' }, { .op = 'w' }, { .op = 's' } };
	uint64_t deadline = clock_mono_ns() + LIMIT_NS;
	pthread_t thread[3];

	gate_shut(img);
	for (int i = 0; i < 3; i++) {
		p[i].img = img;
		ck_assert_int_eq(pthread_create(&thread[i], NULL, request, &p[i]), 0);
	}
	while (nr_parked(img) < 3)
		ck_assert_uint_lt(clock_mono_ns(), deadline);
	ck_assert(gate_is_empty(img));
	ck_assert(!p[0].is_done && !p[1].is_done && !p[2].is_done);
	gate_unshut(img);
	for (int i = 0; i < 3; i++) {
		ck_assert_int_eq(pthread_join(thread[i], NULL), 0);
		ck_assert(p[i].is_right);
	}
	ck_assert(gate_is_empty(img));
	ck_assert(bed_reads(img, 'w', 4096, 0));
	bed_close(img);
	bed_free(b);
}
END_TEST

/* ---- kills ---- */

static void move_and_write(struct bed *b)
{
	struct image *img = bed_open(b, "a");

	must(image_attach(img, 2) == 0);
	must(bed_fill(img, 'b', 5000, 0) == 5000);
}

START_TEST(what_was_written_after_a_move_survives_a_kill)
{
	struct bed *b = bed_two_mounted();
	struct image *img = bed_make_image(b, "a", 'a', BYTES);

	bed_close(img);
	bed_unmount(b);
	bed_die(b, move_and_write);
	bed_turn_round(b);
	bed_must_mount(b);
	img = bed_open(b, "a");
	ck_assert_uint_eq(image_cache_id(img), 2);
	ck_assert(bed_reads(img, 'b', 5000, 0));
	ck_assert(bed_reads(img, 'a', BYTES - 5000, 5000));
	bed_close(img);
	ck_assert_str_eq(b->said, "");
	bed_free(b);
}
END_TEST

static void detach_and_write(struct bed *b)
{
	struct image *img = bed_open(b, "a");

	must(image_attach(img, 0) == 0);
	must(bed_fill(img, 'b', 5000, 0) == 5000);
}

START_TEST(nothing_of_the_log_is_written_over_a_detached_image)
{
	struct bed *b = bed_two_mounted();
	struct image *img = bed_make_image(b, "a", 'a', BYTES);

	bed_close(img);
	bed_unmount(b);
	bed_die(b, detach_and_write);
	bed_must_mount(b);
	img = bed_open(b, "a");
	ck_assert_uint_eq(image_cache_id(img), 0);
	ck_assert(bed_reads(img, 'b', 5000, 0));
	ck_assert(bed_reads(img, 'a', BYTES - 5000, 5000));
	bed_close(img);
	ck_assert_str_eq(b->said, "");
	bed_free(b);
}
END_TEST

static unsigned int kill_after_us;

static void *kill_later(void *arg)
{
	(void)arg;
	usleep(kill_after_us);
	kill(getpid(), SIGKILL);
	return NULL;
}

/* Every move before the one that the kill hits is followed by a write that says so. */
static void move_until_killed(struct bed *b)
{
	struct image *img = bed_open(b, "a");
	pthread_t thread;

	must(pthread_create(&thread, NULL, kill_later, NULL) == 0);
	for (unsigned int i = 1;; i++) {
		char fill = (char)('a' + i % 26);

		must(bed_fill(img, fill, BYTES, 0) == BYTES);
		must(image_attach(img, i % 3) == 0);
		must(bed_reads(img, fill, BYTES, 0));
	}
}

START_TEST(a_kill_at_any_moment_of_moves_loses_nothing)
{
	struct bed *b = bed_two_caches();

	bed_make_file(b, "a", 'a', BYTES);
	for (unsigned int i = 0; i < 25; i++) {
		char first;
		struct image *img;
		unsigned int cut = 0;

		kill_after_us = 3000 + i * 2711 % 40000;
		bed_die(b, move_until_killed);
		bed_turn_round(b);
		bed_must_mount(b);
		ck_assert_str_eq(b->said, "");
		img = bed_open(b, "a");
		ck_assert_uint_eq(image_size(img), BYTES);
		/* the write under way may be there in part, block by block: two fills at most */
		ck_assert_int_eq(bed_read(img, &first, 1, 0), 1);
		while (cut < BYTES && bed_reads(img, first, 1, cut))
			cut = cut + 4096 < BYTES ? cut + 4096 : BYTES;
		if (cut < BYTES) {
			char rest;

			ck_assert_int_eq(bed_read(img, &rest, 1, cut), 1);
			ck_assert(bed_reads(img, rest, BYTES - cut, cut));
			ck_assert_int_eq((first - 'a' + 25) % 26, rest - 'a');
		}
		ck_assert_int_eq(bed_fill(img, 'a', BYTES, 0), BYTES);
		bed_close(img);
		bed_unmount(b);
	}
	bed_free(b);
}
END_TEST

static Suite *make_suite(void)
{
	Suite *s = suite_create("image_move");
	TCase *moves = tcase_create("moves");

	tcase_set_timeout(moves, 120);
	tcase_add_test(moves, an_image_moves_with_all_its_data_while_it_is_open);
	tcase_add_test(moves, a_detached_image_is_its_plain_file_until_it_is_attached);
	tcase_add_test(moves, an_image_that_is_not_open_can_be_moved);
	tcase_add_test(moves, what_cannot_be_moved_stays);
	tcase_add_test(moves, an_image_in_conflict_is_not_moved);
	tcase_add_test(moves, an_image_that_cannot_be_drained_stays_where_it_is);
	tcase_add_test(moves, an_image_under_load_moves_back_and_forth);
	tcase_add_test(moves, a_move_waits_for_who_is_inside_and_lets_the_others_go_on);
	tcase_add_test(moves, requests_wait_while_the_gate_is_shut);
	tcase_add_test(moves, what_was_written_after_a_move_survives_a_kill);
	tcase_add_test(moves, nothing_of_the_log_is_written_over_a_detached_image);
	tcase_add_test(moves, a_kill_at_any_moment_of_moves_loses_nothing);
	suite_add_tcase(s, moves);
	return s;
}

CHECK_MAIN(make_suite)
