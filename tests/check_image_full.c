// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Names while the log is full to the last segment that operations may take: whatever waits for
 * space must not keep migration, or anybody else, from getting on (H1).
 */
#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/clock.h"
#include "lcfs/cache/core.h"
#include "lcfs/image/image_private.h"
#include "tests/check_main.h"
#include "tests/fake/imagebed.h"

#define LIMIT_NS (40 * NSEC_PER_SEC)
#define STILL_NS (300 * NSEC_PER_MSEC)
#define MIB (1u << 20)

/*
 * "tail" has the oldest data, and the test its lock, so that nothing of it migrates and no space is
 * made. One thread fills the log with it, another one with operations on "ops".
 */
struct full {
	struct bed *b;
	struct image *tail, *ops;
	pthread_t writer, truncater;
	atomic_uint steps; /* of both */
	atomic_bool is_ending;
	atomic_int tid; /* of the thread with the name */
	pthread_t holder;
	sem_t held, let_go;
};

static void *write_on(void *arg)
{
	struct full *f = arg;

	for (unsigned int i = 1; !f->is_ending; i++, f->steps++)
		if (bed_fill(f->tail, 't', MIB, (uint64_t)i * MIB) != MIB)
			return f;
	return NULL;
}

static void *truncate_on(void *arg)
{
	struct full *f = arg;

	for (unsigned int i = 1; !f->is_ending; i++, f->steps++)
		if (image_truncate(f->ops, 1000 + i) < 0 || bed_sync(f->ops) < 0)
			return f;
	return NULL;
}

static uint64_t free_segments(struct bed *b)
{
	struct cache_status st;

	cache_status(b->cache, &st);
	return st.free_segments;
}

/* The lock of "tail" is another thread's: no one takes locks of two images. */
static void *hold(void *arg)
{
	struct full *f = arg;

	mutex_lock(&f->tail->lock);
	sem_post(&f->held);
	while (sem_wait(&f->let_go) < 0)
		;
	mutex_unlock(&f->tail->lock);
	return NULL;
}

static void let_go(struct full *f)
{
	sem_post(&f->let_go);
	ck_assert_int_eq(pthread_join(f->holder, NULL), 0);
}

/* Nobody gets on any more. */
static void wait_until_full(struct full *f)
{
	uint64_t deadline = clock_mono_ns() + LIMIT_NS, since = 0;
	unsigned int steps = 0;

	while (!since || clock_mono_ns() < since + STILL_NS) {
		ck_assert_uint_lt(clock_mono_ns(), deadline);
		if (steps != f->steps || free_segments(f->b) > PURPOSE_OP || !since) {
			steps = f->steps;
			since = clock_mono_ns();
		}
		usleep(1000);
	}
}

/* Returns with the lock of "tail" held, until let_go(). */
static void fill_up(struct full *f, struct bed *b)
{
	f->b = b;
	f->tail = bed_create(b, "tail");
	ck_assert_int_eq(image_open(f->tail, true), 0);
	ck_assert_int_eq(bed_fill(f->tail, 't', MIB, 0), MIB);
	f->ops = bed_create(b, "ops");
	ck_assert_int_eq(image_open(f->ops, true), 0);
	ck_assert_int_eq(bed_fill(f->ops, 'o', 1000, 0), 1000);
	ck_assert_int_eq(bed_sync(f->ops), 0);
	sem_init(&f->held, 0, 0);
	sem_init(&f->let_go, 0, 0);
	ck_assert_int_eq(pthread_create(&f->holder, NULL, hold, f), 0);
	while (sem_wait(&f->held) < 0)
		;
	ck_assert_int_eq(pthread_create(&f->writer, NULL, write_on, f), 0);
	ck_assert_int_eq(pthread_create(&f->truncater, NULL, truncate_on, f), 0);
	wait_until_full(f);
}

static void all_ends(struct full *f)
{
	void *failed;

	f->is_ending = true;
	ck_assert_int_eq(pthread_join(f->writer, &failed), 0);
	ck_assert_ptr_null(failed);
	ck_assert_int_eq(pthread_join(f->truncater, &failed), 0);
	ck_assert_ptr_null(failed);
	bed_close(f->tail);
	bed_close(f->ops);
}

static bool is_asleep(int tid)
{
	char path[64], state = 0;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/self/task/%d/stat", tid);
	file = fopen(path, "r");
	if (!file)
		return true; /* it has ended */
	if (fscanf(file, "%*d (%*[^)]) %c", &state) != 1)
		state = 0;
	fclose(file);
	return state == 'S';
}

/* Starts the thread, and waits until it waits for something. */
static pthread_t go(struct full *f, void *(*run)(void *arg))
{
	uint64_t deadline = clock_mono_ns() + LIMIT_NS;
	pthread_t thread;

	ck_assert_int_eq(pthread_create(&thread, NULL, run, f), 0);
	while (!f->tid || !is_asleep(f->tid)) {
		ck_assert_uint_lt(clock_mono_ns(), deadline);
		usleep(1000);
	}
	return thread;
}

static void *unlink_tail(void *arg)
{
	struct full *f = arg;

	f->tid = gettid();
	return imagedir_unlink(f->b->dir, f->b->fd, "tail") == 0 ? NULL : f;
}

static void *rename_over_tail(void *arg)
{
	struct full *f = arg;

	f->tid = gettid();
	if (imagedir_rename(f->b->dir, f->b->fd, "other", f->b->fd, "tail", 0) < 0)
		return f;
	return NULL;
}

static void names_go_while_full(void *(*name_goes)(void *arg))
{
	struct bed *b = bed_new();
	struct full f = { .steps = 0 };
	pthread_t thread;
	void *failed;

	bed_must_mount(b);
	bed_make_file(b, "other", 'n', 1000);
	fill_up(&f, b);
	/* it is next to have the lock, and then waits for space */
	thread = go(&f, name_goes);
	let_go(&f);
	ck_assert_int_eq(pthread_join(thread, &failed), 0);
	ck_assert_ptr_null(failed);
	all_ends(&f);
	ck_assert_str_eq(b->said, "");
	bed_unmount(b);
	bed_must_mount(b);
	ck_assert_str_eq(b->said, "");
	bed_free(b);
}

START_TEST(the_image_at_the_tail_can_be_unlinked)
{
	names_go_while_full(unlink_tail);
}
END_TEST

START_TEST(the_image_at_the_tail_can_be_renamed_over)
{
	names_go_while_full(rename_over_tail);
}
END_TEST

static atomic_bool is_renamed;

static void *rename_directory(void *arg)
{
	struct full *f = arg;
	int r;

	f->tid = gettid();
	r = imagedir_rename(f->b->dir, f->b->fd, "d", f->b->fd, "e", 0);
	is_renamed = true;
	return r == 0 ? NULL : f;
}

START_TEST(a_directory_waiting_to_be_renamed_keeps_no_file_from_being_opened)
{
	struct bed *b = bed_new();
	struct full f = { .steps = 0 };
	struct image *img;
	pthread_t thread;
	void *failed;

	bed_must_mount(b);
	ck_assert_int_eq(mkdirat(b->fd, "d", 0755), 0);
	img = bed_create(b, "d/a");
	ck_assert_int_eq(image_open(img, true), 0);
	ck_assert_int_eq(bed_fill(img, 'a', 1000, 0), 1000);
	bed_make_file(b, "other", 'n', 1000);
	fill_up(&f, b);
	thread = go(&f, rename_directory);
	for (int i = 0; i < 20; i++) {
		struct image *other = bed_get(b, "other");
		uint64_t start = clock_mono_ns();

		ck_assert_int_eq(image_open(other, false), 0);
		ck_assert_uint_lt(clock_mono_ns() - start, 5 * NSEC_PER_SEC);
		image_release(other, false);
		image_put(other);
	}
	ck_assert(!is_renamed);
	let_go(&f);
	ck_assert_int_eq(pthread_join(thread, &failed), 0);
	ck_assert_ptr_null(failed);
	all_ends(&f);
	ck_assert(bed_reads(img, 'a', 1000, 0));
	bed_close(img);
	img = bed_open(b, "e/a");
	ck_assert(bed_reads(img, 'a', 1000, 0));
	bed_close(img);
	ck_assert_str_eq(b->said, "");
	bed_free(b);
}
END_TEST

static Suite *make_suite(void)
{
	Suite *s = suite_create("image_full");
	TCase *names = tcase_create("names");

	tcase_set_timeout(names, 60);
	tcase_add_test(names, the_image_at_the_tail_can_be_unlinked);
	tcase_add_test(names, the_image_at_the_tail_can_be_renamed_over);
	tcase_add_test(names, a_directory_waiting_to_be_renamed_keeps_no_file_from_being_opened);
	suite_add_tcase(s, names);
	return s;
}

CHECK_MAIN(make_suite)
