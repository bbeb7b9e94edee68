// SPDX-License-Identifier: GPL-2.0-or-later
/* Locked memory, the buffer pool, identities, and the busy time of a store. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "common/align.h"
#include "common/clock.h"
#include "lcfs/io/busy.h"
#include "lcfs/io/iobuf.h"
#include "lcfs/io/uuid.h"
#include "tests/check_main.h"

/* The sanitizers turn mlock into nothing. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define HAS_FAKE_MLOCK
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define HAS_FAKE_MLOCK
#endif
#endif

/* ------------------------------------------------------------------ regions */

static bool is_resident(void *mem, size_t bytes)
{
	unsigned char vec[64];

	ck_assert_uint_le(bytes / 4096, sizeof(vec));
	ck_assert_int_eq(mincore(mem, bytes, vec), 0);
	for (size_t i = 0; i < bytes / 4096; i++) {
		if (!(vec[i] & 1))
			return false;
	}
	return true;
}

START_TEST(a_region_is_aligned_zero_and_resident)
{
	static const char zeros[65536];
	struct iobuf_region r;

	ck_assert_int_eq(iobuf_region_alloc(&r, 65000), 0);
	ck_assert_uint_eq(r.bytes, 65536);
	ck_assert(is_aligned((uintptr_t)r.mem, 4096));
	ck_assert(is_resident(r.mem, r.bytes));
	ck_assert_mem_eq(r.mem, zeros, sizeof(zeros));
	iobuf_region_free(&r);
	ck_assert_ptr_null(r.mem);
	iobuf_region_free(&r);
}
END_TEST

START_TEST(memory_that_must_not_be_locked_is_faulted_in_all_the_same)
{
	struct rlimit none = { 0, 0 };
	struct iobuf_region r;

	ck_assert_int_eq(setrlimit(RLIMIT_MEMLOCK, &none), 0);
	if (geteuid() == 0)
		ck_assert_int_eq(seteuid(65534), 0);
	ck_assert_int_eq(iobuf_region_alloc(&r, 65536), 0);
#ifndef HAS_FAKE_MLOCK
	ck_assert_int_lt(r.lock_error, 0);
#endif
	ck_assert(is_resident(r.mem, r.bytes));
	iobuf_region_free(&r);
	if (getuid() == 0)
		ck_assert_int_eq(seteuid(0), 0); /* the leak check at exit needs it */
}
END_TEST

START_TEST(locking_keeps_the_contents)
{
	size_t bytes = 8 * 4096;
	char *mem = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int err;

	ck_assert_ptr_ne(mem, MAP_FAILED);
	mem[0] = 1;
	mem[5 * 4096 + 7] = 42;
	err = iobuf_lock(mem, bytes);
	ck_assert_int_le(err, 0);
	ck_assert_int_eq(mem[0], 1);
	ck_assert_int_eq(mem[5 * 4096 + 7], 42);
	ck_assert(is_resident(mem, bytes));
	munmap(mem, bytes);
}
END_TEST

/* ------------------------------------------------------------------ buffers */

static const struct iobuf_class classes[] = { { 16384, 4 }, { 1u << 20, 2 } };
static struct iobuf_pool *pool;

static void setup_pool(void)
{
	int lock_error;

	ck_assert_int_eq(iobuf_pool_open(&pool, classes, 2, &lock_error), 0);
}

static void teardown_pool(void)
{
	iobuf_pool_close(pool);
}

START_TEST(buffers_do_not_overlap_and_come_from_their_class)
{
	char *buf[6];

	for (int i = 0; i < 6; i++) {
		buf[i] = iobuf_get(pool, i < 4 ? 16384 - (size_t)i : 16385, false);
		ck_assert_ptr_nonnull(buf[i]);
		ck_assert(is_aligned((uintptr_t)buf[i], 4096));
		memset(buf[i], i, i < 4 ? 16384 : 1u << 20);
	}
	for (int i = 0; i < 6; i++) {
		size_t last = (i < 4 ? 16384 : 1u << 20) - 1;

		ck_assert_int_eq(buf[i][0], i);
		ck_assert_int_eq(buf[i][last], i);
		iobuf_put(pool, buf[i]);
	}
}
END_TEST

START_TEST(a_small_request_does_not_take_a_large_buffer)
{
	void *buf[4];

	for (int i = 0; i < 4; i++)
		buf[i] = iobuf_get(pool, 4096, false);
	ck_assert_ptr_null(iobuf_get(pool, 4096, false));
	iobuf_put(pool, buf[2]);
	ck_assert_ptr_eq(iobuf_get(pool, 4096, false), buf[2]);
	for (int i = 0; i < 4; i++)
		iobuf_put(pool, buf[i]);
	iobuf_put(pool, NULL);
}
END_TEST

START_TEST(too_large_a_request_gets_nothing_even_if_it_may_wait)
{
	ck_assert_ptr_null(iobuf_get(pool, (1u << 20) + 1, true));
}
END_TEST

static void *get_and_put(unused_ void *arg)
{
	for (int i = 0; i < 2000; i++) {
		size_t bytes = i % 3 ? 16384 : 1u << 20;
		volatile char *buf = iobuf_get(pool, bytes, true);

		buf[0] = (char)i;
		buf[bytes - 1] = (char)i;
		iobuf_put(pool, (void *)(uintptr_t)buf);
	}
	return NULL;
}

START_TEST(who_waits_gets_what_others_give_back)
{
	pthread_t thread[8];

	for (size_t i = 0; i < array_size(thread); i++)
		ck_assert_int_eq(pthread_create(&thread[i], NULL, get_and_put, NULL), 0);
	for (size_t i = 0; i < array_size(thread); i++)
		pthread_join(thread[i], NULL);
	for (int i = 0; i < 4; i++)
		ck_assert_ptr_nonnull(iobuf_get(pool, 16384, false));
	for (int i = 0; i < 2; i++)
		ck_assert_ptr_nonnull(iobuf_get(pool, 1u << 20, false));
}
END_TEST

/* ------------------------------------------------------------------ identities */

START_TEST(text_of_an_identity_leads_back_to_it)
{
	uint8_t a[UUID_BYTES], b[UUID_BYTES] = { 0 };
	char text[UUID_TEXT_BYTES], hex[UUID_HEX_BYTES];

	ck_assert_int_eq(uuid_random(a), 0);
	uuid_text(a, text);
	uuid_hex(a, hex);
	ck_assert_uint_eq(strlen(text), UUID_TEXT_BYTES - 1);
	ck_assert_int_eq(text[14], '4');
	ck_assert_int_eq(uuid_parse(text, b), 0);
	ck_assert_mem_eq(a, b, UUID_BYTES);
	memset(b, 0, sizeof(b));
	ck_assert_int_eq(uuid_parse(hex, b), 0);
	ck_assert_mem_eq(a, b, UUID_BYTES);
}
END_TEST

START_TEST(what_is_no_identity_is_refused_and_changes_nothing)
{
	static const char *const texts[] = {
		"",
		"0",
		"00112233-4455-6677-8899-aabbccddeef",
		"00112233-4455-6677-8899-aabbccddeeffa",
		"00112233445566778899aabbccddeefg",
		"0011-2233-4455-6677-8899-aabbccddeeff",
		"00112233-4455-6677-8899_aabbccddeeff",
		" 0112233445566778899aabbccddeeff",
	};
	uint8_t uuid[UUID_BYTES] = { 1, 2, 3 }, same[UUID_BYTES] = { 1, 2, 3 };

	for (size_t i = 0; i < array_size(texts); i++)
		ck_assert_int_eq(uuid_parse(texts[i], uuid), -EINVAL);
	ck_assert_mem_eq(uuid, same, UUID_BYTES);
	ck_assert_int_eq(uuid_parse("00112233-4455-6677-8899-AABBccddeeff", uuid), 0);
	ck_assert_int_eq(uuid[10], 0xaa);
	ck_assert_int_eq(uuid[15], 0xff);
}
END_TEST

START_TEST(the_boot_has_one_identity_and_random_ones_differ)
{
	uint8_t a[UUID_BYTES], b[UUID_BYTES];

	ck_assert_int_eq(uuid_boot(a), 0);
	ck_assert_int_eq(uuid_boot(b), 0);
	ck_assert_mem_eq(a, b, UUID_BYTES);
	ck_assert_int_eq(uuid_random(a), 0);
	ck_assert_int_eq(uuid_random(b), 0);
	ck_assert_mem_ne(a, b, UUID_BYTES);
}
END_TEST

/* ------------------------------------------------------------------ busy time */

START_TEST(a_filesystem_without_a_device_is_unknown)
{
	struct busy b;
	int fd = open("/proc", O_PATH);

	busy_open(&b, fd, NULL);
	ck_assert_int_eq(busy_sample(&b, 1 * NSEC_PER_SEC), -1);
	ck_assert_int_eq(busy_sample(&b, 2 * NSEC_PER_SEC), -1);
	busy_close(&b);
	close(fd);
}
END_TEST

/* The counter is read from a file made here. */
static void put_ticks(int fd, unsigned int ticks)
{
	char text[256];
	int n = snprintf(text, sizeof(text), " 1 2 3 4 5 6 7 8 9 %8u 11 0 0 0 0\n", ticks);

	ck_assert_int_eq(pwrite(fd, text, (size_t)n, 0), n);
}

START_TEST(the_share_of_busy_time_is_told)
{
	char name[] = "check_io_memory.XXXXXX";
	struct busy b = { .fd = mkstemp(name) };

	unlink(name);
	put_ticks(b.fd, 4294967000u);
	ck_assert_int_eq(busy_sample(&b, 1 * NSEC_PER_SEC), -1);
	put_ticks(b.fd, 204); /* 500 ms later, past the end of its 32 bits */
	ck_assert_int_eq(busy_sample(&b, 2 * NSEC_PER_SEC), 50);
	ck_assert_int_eq(busy_sample(&b, 3 * NSEC_PER_SEC), 0);
	put_ticks(b.fd, 204 + 5000);
	ck_assert_int_eq(busy_sample(&b, 4 * NSEC_PER_SEC), 100);
	busy_close(&b);
	ck_assert_int_eq(busy_sample(&b, 5 * NSEC_PER_SEC), -1);
}
END_TEST

/* What is out for a while counts once, however much of it there is. */
START_TEST(a_filesystem_without_a_device_is_as_busy_as_its_requests_say)
{
	struct flight f;
	struct busy b;
	int fd = open("/proc", O_PATH);
	const uint64_t s = NSEC_PER_SEC, ms = NSEC_PER_MSEC;

	ck_assert(!busy_has_device(fd));
	flight_init(&f);
	busy_open(&b, fd, &f);
	flight_begin(&f, s / 2);
	ck_assert_int_eq(busy_sample(&b, 1 * s), -1);
	flight_end(&f, 1 * s + 200 * ms);
	ck_assert_int_eq(busy_sample(&b, 2 * s), 20);
	ck_assert_int_eq(busy_sample(&b, 3 * s), 0);
	/* two at a time, then one; the other thread's clock reading is a little older */
	flight_begin(&f, 3 * s + 100 * ms);
	flight_begin(&f, 3 * s + 99 * ms);
	flight_end(&f, 3 * s + 300 * ms);
	flight_end(&f, 3 * s + 500 * ms);
	ck_assert_int_eq(busy_sample(&b, 4 * s), 40);
	/* one that does not come back */
	flight_begin(&f, 4 * s + 750 * ms);
	ck_assert_int_eq(busy_sample(&b, 5 * s), 25);
	ck_assert_int_eq(busy_sample(&b, 6 * s), 100);
	flight_end(&f, 6 * s);
	ck_assert_int_eq(busy_sample(&b, 7 * s), 0);
	busy_close(&b);
	flight_destroy(&f);
	close(fd);
}
END_TEST

START_TEST(a_filesystem_on_a_device_is_sampled)
{
	struct stat st;
	struct busy b;
	char path[64];
	int fd = open(".", O_PATH);

	ck_assert_int_eq(fstat(fd, &st), 0);
	snprintf(path, sizeof(path), "/sys/dev/block/%u:%u/stat", major(st.st_dev),
		 minor(st.st_dev));
	busy_open(&b, fd, NULL);
	ck_assert_int_eq(b.fd >= 0, access(path, R_OK) == 0);
	ck_assert_int_eq(busy_has_device(fd), b.fd >= 0);
	if (b.fd >= 0) {
		int percent;

		ck_assert_int_eq(busy_sample(&b, 1 * NSEC_PER_SEC), -1);
		percent = busy_sample(&b, 2 * NSEC_PER_SEC);
		ck_assert_int_ge(percent, 0);
		ck_assert_int_le(percent, 100);
	}
	busy_close(&b);
	close(fd);
}
END_TEST

static Suite *make_suite(void)
{
	Suite *suite = suite_create("io memory");
	TCase *buffers = tcase_create("buffers");

	CHECK_CASE(suite, "regions", a_region_is_aligned_zero_and_resident,
		   memory_that_must_not_be_locked_is_faulted_in_all_the_same,
		   locking_keeps_the_contents);
	tcase_add_checked_fixture(buffers, setup_pool, teardown_pool);
	tcase_add_test(buffers, buffers_do_not_overlap_and_come_from_their_class);
	tcase_add_test(buffers, a_small_request_does_not_take_a_large_buffer);
	tcase_add_test(buffers, too_large_a_request_gets_nothing_even_if_it_may_wait);
	tcase_add_test(buffers, who_waits_gets_what_others_give_back);
	suite_add_tcase(suite, buffers);
	CHECK_CASE(suite, "identities", text_of_an_identity_leads_back_to_it,
		   what_is_no_identity_is_refused_and_changes_nothing,
		   the_boot_has_one_identity_and_random_ones_differ);
	CHECK_CASE(suite, "busy", a_filesystem_without_a_device_is_unknown,
		   a_filesystem_without_a_device_is_as_busy_as_its_requests_say,
		   the_share_of_busy_time_is_told, a_filesystem_on_a_device_is_sampled);
	return suite;
}

CHECK_MAIN(make_suite)
