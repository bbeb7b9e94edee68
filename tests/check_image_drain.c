// SPDX-License-Identifier: GPL-2.0-or-later
/* Drains of images that are removed meanwhile, while the store hangs: no other end is in sight. */
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "tests/check_main.h"
#include "tests/fake/imagebed.h"

#define BYTES 100000
#define PATIENCE_S 20

static _Atomic ino_t hanging; /* the file whose syncs do not return */
static sem_t is_hanging, may_return;

int __real_fsync(int fd);
int __wrap_fsync(int fd);

int __wrap_fsync(int fd)
{
	struct stat st;

	if (atomic_load(&hanging) && fstat(fd, &st) == 0 && st.st_ino == atomic_load(&hanging)) {
		sem_post(&is_hanging);
		while (sem_wait(&may_return) < 0)
			;
		sem_post(&may_return); /* from now on for all */
	}
	return __real_fsync(fd);
}

struct drain {
	pthread_t thread;
	struct image *img;
	int result;
};

static void *drain(void *arg)
{
	struct drain *d = arg;

	d->result = image_drain(d->img);
	return NULL;
}

/* A dirty image whose drain waits for its file. */
static struct bed *begin(struct drain *d)
{
	struct bed *b = bed_new();
	struct stat st;

	sem_init(&is_hanging, 0, 0);
	sem_init(&may_return, 0, 0);
	bed_make_file(b, "a", 'o', BYTES);
	ck_assert_int_eq(fstatat(b->fd, "a", &st, 0), 0);
	bed_must_mount(b);
	bed_knob(b, KNOB_STALL_TIMEOUT, 0);
	d->img = bed_open(b, "a");
	ck_assert_int_eq(bed_fill(d->img, 'n', BYTES, 0), BYTES);
	atomic_store(&hanging, st.st_ino);
	ck_assert_int_eq(pthread_create(&d->thread, NULL, drain, d), 0);
	ck_assert_int_eq(sem_wait(&is_hanging), 0);
	return b;
}

static bool ends(struct drain *d)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	ts.tv_sec += PATIENCE_S;
	return pthread_timedjoin_np(d->thread, NULL, &ts) == 0;
}

static void end_hang(void)
{
	atomic_store(&hanging, 0);
	sem_post(&may_return);
}

START_TEST(a_drain_ends_when_its_image_is_removed)
{
	struct drain d;
	struct bed *b = begin(&d);

	ck_assert_int_eq(imagedir_unlink(b->dir, b->fd, "a"), 0);
	ck_assert(ends(&d));
	ck_assert_int_eq(d.result, 0);
	ck_assert_int_eq(image_drain(d.img), 0);
	/* who has it open has its data */
	ck_assert(bed_reads(d.img, 'n', BYTES, 0));
	end_hang();
	bed_close(d.img);
	bed_wait_clean(b);
	bed_unmount(b);
	ck_assert(!bed_exists(b, "a"));
	bed_free(b);
}
END_TEST

/* What is replaced is removed. */
START_TEST(a_drain_ends_when_another_image_takes_the_name)
{
	struct drain d;
	struct bed *b = begin(&d);
	struct image *other = bed_make_image(b, "b", 'b', BYTES);

	ck_assert_int_eq(imagedir_rename(b->dir, b->fd, "b", b->fd, "a", 0), 0);
	ck_assert(ends(&d));
	ck_assert_int_eq(d.result, 0);
	end_hang();
	bed_close(d.img);
	bed_drain(b, other);
	bed_close(other);
	bed_wait_clean(b);
	bed_unmount(b);
	ck_assert(bed_plain_is(b, "a", 'b', BYTES));
	bed_free(b);
}
END_TEST

/* One that is only renamed is drained. */
START_TEST(a_drain_goes_on_when_its_image_is_renamed)
{
	struct drain d;
	struct bed *b = begin(&d);

	ck_assert_int_eq(imagedir_rename(b->dir, b->fd, "a", b->fd, "z", 0), 0);
	end_hang();
	ck_assert(ends(&d));
	ck_assert_int_eq(d.result, 0);
	ck_assert(bed_plain_is(b, "z", 'n', BYTES));
	bed_close(d.img);
	bed_free(b);
}
END_TEST

static Suite *make_suite(void)
{
	Suite *s = suite_create("image_drain");

	CHECK_CASE(s, "drain", a_drain_ends_when_its_image_is_removed,
		   a_drain_ends_when_another_image_takes_the_name,
		   a_drain_goes_on_when_its_image_is_renamed);
	return s;
}

CHECK_MAIN(make_suite)
