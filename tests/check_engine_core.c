// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Engine and core together, on a real file as the cache: threads that write, read, sync, while
 * the log wraps and images migrate; kills and power cuts; and then every byte is compared.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "common/align.h"
#include "tests/check_main.h"
#include "tests/fake/cacherig.h"

#define CACHE_BYTES (24u << 20)
#define ORDER 8u /* segments of 128 KiB */
#define NR_IMAGES 2u
#define THREADS 4u
#define REGION (1u << 20) /* of one thread in one image */
#define IMAGE_SIZE (THREADS * REGION)

static struct cacherig rig;
static char name[] = "check_engine_core.XXXXXX";
static int backing[NR_IMAGES];
/* What each image must hold; each byte is its thread's. */
static unsigned char oracle[NR_IMAGES][IMAGE_SIZE];
static _Alignas(4096) unsigned char back[IMAGE_SIZE];

static int temp_file(void)
{
	char temp[] = "check_engine_core.XXXXXX";
	int fd = mkstemp(temp);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(unlink(temp), 0);
	return fd;
}

static void open_all(void)
{
	cacherig_open(&rig);
	for (unsigned int i = 0; i < NR_IMAGES; i++)
		cacherig_image(&rig, i, backing[i]);
}

static void setup(void)
{
	int fd;

	strcpy(name, "check_engine_core.XXXXXX");
	fd = mkstemp(name);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(ftruncate(fd, CACHE_BYTES), 0);
	close(fd);
	for (unsigned int i = 0; i < NR_IMAGES; i++) {
		backing[i] = temp_file();
		ck_assert_int_eq(ftruncate(backing[i], IMAGE_SIZE), 0);
	}
	memset(oracle, 0, sizeof(oracle));
	cacherig_init(&rig, name);
	ck_assert_int_eq(unlink(name), 0);
	cacherig_format(&rig, 0, ORDER);
	rig.conf.pool_buffers = 8;
	open_all();
}

static void teardown(void)
{
	cacherig_free(&rig);
	for (unsigned int i = 0; i < NR_IMAGES; i++)
		close(backing[i]);
}

static void assert_images(void)
{
	for (unsigned int i = 0; i < NR_IMAGES; i++) {
		for (uint32_t off = 0; off < IMAGE_SIZE; off += 256 << 10)
			ck_assert_int_eq(cacherig_read(&rig, i, back + off, 256 << 10, off),
					 256 << 10);
		for (uint32_t at = 0; at < IMAGE_SIZE; at++)
			if (back[at] != oracle[i][at])
				ck_abort_msg("image %u differs at byte %u: %02x, not %02x", i, at,
					     back[at], oracle[i][at]);
	}
}

/* ------------------------------------------------------------------ threads that write */

struct writer {
	pthread_t thread;
	unsigned int number, rounds;
	unsigned int seed;
	bool has_syncs, has_reads;
};

static void write_some(struct writer *w)
{
	unsigned int i = (unsigned int)rand_r(&w->seed) % NR_IMAGES;
	uint32_t len = (uint32_t)rand_r(&w->seed) % 5 ? 4096 :
							1 + (uint32_t)rand_r(&w->seed) % 70000;
	uint32_t off = (uint32_t)rand_r(&w->seed) % (REGION - len);
	unsigned char *data;

	if (len == 4096 && rand_r(&w->seed) % 8)
		off = (uint32_t)align_down(off, 4096);
	off += w->number * REGION;
	data = &oracle[i][off];
	for (uint32_t b = 0; b < len; b += 61)
		data[b] = (unsigned char)rand_r(&w->seed);
	ck_assert_int_eq(cacherig_write(&rig, i, data, len, off,
					w->has_syncs && rand_r(&w->seed) % 16 == 0),
			 (int)len);
	if (w->has_syncs && rand_r(&w->seed) % 16 == 0)
		ck_assert_int_eq(cacherig_sync(&rig, (int)i), 0);
}

/* Whole blocks of its own region: nobody else changes them. */
static void read_some(struct writer *w)
{
	unsigned int i = (unsigned int)rand_r(&w->seed) % NR_IMAGES;
	uint32_t off =
		w->number * REGION + ((uint32_t)rand_r(&w->seed) % (REGION / 4096 - 16)) * 4096;
	unsigned char *buf = back + off;

	ck_assert_int_eq(cacherig_read(&rig, i, buf, 16 * 4096, off), 16 * 4096);
	ck_assert_mem_eq(buf, &oracle[i][off], 16 * 4096);
}

static void *write_all(void *arg)
{
	struct writer *w = arg;

	for (unsigned int n = 0; n < w->rounds; n++) {
		write_some(w);
		if (w->has_reads && n % 4 == 0)
			read_some(w);
	}
	return NULL;
}

static void run_writers(unsigned int rounds, bool has_syncs, bool has_reads)
{
	static unsigned int seed = 1;
	struct writer w[THREADS];

	for (unsigned int t = 0; t < THREADS; t++) {
		w[t] = (struct writer){ .number = t,
					.rounds = rounds,
					.seed = seed++,
					.has_syncs = has_syncs,
					.has_reads = has_reads };
		ck_assert_int_eq(pthread_create(&w[t].thread, NULL, write_all, &w[t]), 0);
	}
	for (unsigned int t = 0; t < THREADS; t++)
		pthread_join(w[t].thread, NULL);
}

/* ------------------------------------------------------------------ tests */

START_TEST(what_was_written_is_read_back_before_and_after_an_orderly_end)
{
	run_writers(200, false, true);
	assert_images();
	ck_assert_int_eq(cacherig_stop(&rig), 0);
	open_all();
	ck_assert(rig.report.was_clean);
	assert_images();
}
END_TEST

START_TEST(acknowledged_writes_survive_a_kill)
{
	for (int round = 0; round < 4; round++) {
		run_writers(150, round % 2, false);
		cacherig_kill(&rig);
		open_all();
		assert_images();
	}
}
END_TEST

START_TEST(synced_writes_survive_a_power_cut)
{
	for (int round = 0; round < 4; round++) {
		run_writers(150, true, false);
		ck_assert_int_eq(cacherig_sync(&rig, -1), 0);
		cacherig_cut(&rig);
		open_all();
		assert_images();
	}
}
END_TEST

START_TEST(the_log_wraps_while_images_migrate)
{
	run_writers(3000, true, true);
	assert_images();
	ck_assert_uint_gt(rig.report.first_lsn + 1, 0);
	cacherig_kill(&rig);
	open_all();
	assert_images();
}
END_TEST

START_TEST(a_cleaned_image_is_a_plain_file)
{
	run_writers(500, false, false);
	for (unsigned int i = 0; i < NR_IMAGES; i++) {
		ck_assert_int_eq(cacherig_clean(&rig, i), 0);
		ck_assert_int_eq(pread(backing[i], back, IMAGE_SIZE, 0), IMAGE_SIZE);
		ck_assert_mem_eq(back, oracle[i], IMAGE_SIZE);
	}
}
END_TEST

/* As a container's filter does: io_uring_setup gives EPERM. */
static void forbid_uring(void)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_io_uring_setup, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog filter = { .len = array_size(code), .filter = code };

	ck_assert_int_eq(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
	ck_assert_int_eq(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter, 0, 0), 0);
}

START_TEST(all_of_it_works_where_io_uring_is_forbidden)
{
	if (getenv("CK_FORK") && strcmp(getenv("CK_FORK"), "no") == 0)
		return; /* the filter would stay for the other tests */
	ck_assert_int_eq(cacherig_stop(&rig), 0);
	forbid_uring();
	open_all();
	run_writers(1000, true, true);
	cacherig_kill(&rig);
	open_all();
	assert_images();
}
END_TEST

static Suite *make_suite(void)
{
	const TTest *const tests[] = {
		what_was_written_is_read_back_before_and_after_an_orderly_end,
		acknowledged_writes_survive_a_kill,
		synced_writes_survive_a_power_cut,
		the_log_wraps_while_images_migrate,
		a_cleaned_image_is_a_plain_file,
		all_of_it_works_where_io_uring_is_forbidden,
	};
	Suite *suite = suite_create("engine and core");
	TCase *tc = tcase_create("rig");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 300);
	for (size_t i = 0; i < array_size(tests); i++)
		tcase_add_test(tc, tests[i]);
	suite_add_tcase(suite, tc);
	return suite;
}

CHECK_MAIN(make_suite)
