// SPDX-License-Identifier: GPL-2.0-or-later
/* The small headers of common/: compiler, cleanup, byteorder, align, clock, bitmap, checksum. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/align.h"
#include "common/bitmap.h"
#include "common/byteorder.h"
#include "common/checksum.h"
#include "common/checksum_variants.h"
#include "common/cleanup.h"
#include "common/clock.h"
#include "common/compiler.h"
#include "tests/check_main.h"

START_TEST(container_of_finds_the_outer_struct)
{
	struct outer {
		int first;
		struct {
			int x;
		} inner;
	} o;

	ck_assert_ptr_eq(container_of(&o.inner, struct outer, inner), &o);
	ck_assert_uint_eq(array_size(((int[7]){ 0 })), 7);
}
END_TEST

static int open_and_leave(int *seen)
{
	CLEANUP_FD int fd = open("/dev/null", O_RDONLY);
	CLEANUP_FREE char *mem = malloc(10);

	ck_assert_int_ge(fd, 0);
	ck_assert_ptr_nonnull(mem);
	*seen = fd;
	errno = ENOSPC;
	return -1;
}

START_TEST(cleanup_closes_at_the_end_of_the_scope_and_keeps_errno)
{
	int fd = -1;

	ck_assert_int_eq(open_and_leave(&fd), -1);
	ck_assert_int_eq(errno, ENOSPC);
	ck_assert_int_eq(fcntl(fd, F_GETFD), -1);
	ck_assert_int_eq(errno, EBADF);
}
END_TEST

START_TEST(cleanup_of_a_closed_descriptor_keeps_errno)
{
	int fd = 1 << 20;

	errno = ENOSPC;
	cleanup_fd(&fd);
	ck_assert_int_eq(errno, ENOSPC);
}
END_TEST

static int open_and_steal(void)
{
	CLEANUP_FD int fd = open("/dev/null", O_RDONLY);

	return steal_fd(&fd);
}

static char *alloc_and_steal(void)
{
	CLEANUP_FREE char *mem = strdup("kept");
	char *out = steal_ptr(mem);

	ck_assert_ptr_null(mem);
	return out;
}

START_TEST(what_is_stolen_outlives_the_scope)
{
	int fd = open_and_steal();
	char *mem = alloc_and_steal();

	ck_assert_int_ne(fcntl(fd, F_GETFD), -1);
	ck_assert_str_eq(mem, "kept");
	free(mem);
	close(fd);
}
END_TEST

START_TEST(little_endian_values_have_their_low_byte_first)
{
	le16_t a = le16_make(0x0102);
	le32_t b = le32_make(0x01020304);
	le64_t c = le64_make(UINT64_C(0x0102030405060708));

	ck_assert_mem_eq(&a, "\x02\x01", 2);
	ck_assert_mem_eq(&b, "\x04\x03\x02\x01", 4);
	ck_assert_mem_eq(&c, "\x08\x07\x06\x05\x04\x03\x02\x01", 8);
	ck_assert_uint_eq(le16_get(a), 0x0102);
	ck_assert_uint_eq(le32_get(b), 0x01020304);
	ck_assert_uint_eq(le64_get(c), UINT64_C(0x0102030405060708));
}
END_TEST

START_TEST(rounding_is_right_at_the_edges)
{
	ck_assert_uint_eq(align_up(0, 4096), 0);
	ck_assert_uint_eq(align_up(1, 4096), 4096);
	ck_assert_uint_eq(align_up(4096, 4096), 4096);
	ck_assert_uint_eq(align_down(4095, 4096), 0);
	ck_assert_uint_eq(align_down(UINT64_MAX, 4096), UINT64_MAX - 4095);
	ck_assert(is_aligned(8192, 4096));
	ck_assert(!is_aligned(8193, 4096));
	ck_assert_uint_eq(div_round_up(0, 3), 0);
	ck_assert_uint_eq(div_round_up(7, 3), 3);
	ck_assert_uint_eq(div_round_up(UINT64_MAX, 2), UINT64_C(1) << 63);
}
END_TEST

START_TEST(zero_is_no_power_of_two)
{
	ck_assert(!is_pow2(0));
	ck_assert(is_pow2(1));
	ck_assert(!is_pow2(3));
	ck_assert(is_pow2(UINT64_C(1) << 63));
}
END_TEST

START_TEST(min_and_max_evaluate_once_and_nest)
{
	int calls = 0;
	int smallest = min(min(++calls, 5), max(2, 3));

	ck_assert_int_eq(smallest, 1);
	ck_assert_int_eq(calls, 1);
	ck_assert_int_eq(max(-1, 1), 1);
	ck_assert_uint_eq(min_t(uint64_t, 3, UINT32_MAX), 3);
	ck_assert_uint_eq(max_t(uint64_t, 3, UINT32_MAX), UINT32_MAX);
}
END_TEST

START_TEST(checked_arithmetic_tells_of_overflow)
{
	uint64_t v;

	ck_assert(!checked_add_u64(UINT64_MAX - 1, 1, &v));
	ck_assert_uint_eq(v, UINT64_MAX);
	ck_assert(checked_add_u64(UINT64_MAX, 1, &v));
	ck_assert(!checked_mul_u64(UINT64_C(1) << 32, (UINT64_C(1) << 32) - 1, &v));
	ck_assert_uint_eq(v, (UINT64_MAX >> 32) << 32);
	ck_assert(checked_mul_u64(UINT64_C(1) << 32, UINT64_C(1) << 32, &v));
}
END_TEST

START_TEST(a_number_that_no_integer_holds_becomes_the_nearest)
{
	volatile double zero = 0;

	ck_assert_uint_eq(u64_of_double(0.999), 0);
	ck_assert_uint_eq(u64_of_double(12.5), 12);
	ck_assert_uint_eq(u64_of_double(-1e300), 0);
	ck_assert_uint_eq(u64_of_double(zero / zero), 0);
	ck_assert_uint_eq(u64_of_double(1 / zero), UINT64_MAX);
	ck_assert_uint_eq(u64_of_double(7.5507e+20), UINT64_MAX);
	ck_assert_uint_eq(u64_of_double(18446744073709551616.0), UINT64_MAX);
	ck_assert_uint_eq(u64_of_double(18446744073709549568.0), 18446744073709549568ull);
}
END_TEST

START_TEST(clocks_run)
{
	uint64_t a = clock_mono_ns();
	uint64_t b = clock_mono_ns();

	ck_assert_uint_ge(b, a);
	ck_assert_uint_gt(a, 0);
	/* After 2020: not the monotonic clock by mistake. */
	ck_assert_uint_gt(clock_real_ns(), UINT64_C(1577836800) * NSEC_PER_SEC);
}
END_TEST

START_TEST(bitmap_finds_what_a_plain_search_finds)
{
	uint64_t map[BITMAP_WORDS(200)];

	/* Bits beyond the end are set, so that a search that looks there is caught. */
	for (size_t nbits = 1; nbits <= 200; nbits++) {
		memset(map, 0, sizeof(map));
		for (size_t bit = nbits; bit < sizeof(map) * 8; bit++)
			bitmap_set(map, bit);
		for (size_t bit = 0; bit < nbits; bit += 37)
			bitmap_set(map, bit);
		for (size_t from = 0; from <= nbits; from++) {
			size_t want = (from + 36) / 37 * 37;

			ck_assert_uint_eq(bitmap_find_next_set(map, nbits, from), min(want, nbits));
		}
		for (size_t word = 0; word < array_size(map); word++)
			map[word] = ~map[word];
		for (size_t from = 0; from <= nbits; from++) {
			size_t want = (from + 36) / 37 * 37;

			ck_assert_uint_eq(bitmap_find_next_zero(map, nbits, from),
					  min(want, nbits));
		}
	}
}
END_TEST

START_TEST(bitmap_set_clear_and_test_touch_one_bit)
{
	uint64_t map[2] = { 0, 0 };

	bitmap_set(map, 63);
	bitmap_set(map, 64);
	ck_assert_uint_eq(map[0], UINT64_C(1) << 63);
	ck_assert_uint_eq(map[1], 1);
	ck_assert(bitmap_test(map, 64));
	ck_assert(!bitmap_test(map, 65));
	bitmap_clear(map, 64);
	ck_assert_uint_eq(map[1], 0);
	ck_assert_uint_eq(bitmap_find_first_zero(map, 128), 0);
}
END_TEST

/* The values stand in caches on disk: they must never change, whatever the compiler, the CPU or
 * xxHash's version. */
START_TEST(checksums_have_the_values_of_the_format)
{
	static unsigned char block[CHECKSUM_BLOCK_SIZE + 1];

	ck_assert_uint_eq(checksum64("", 0, 0), UINT64_C(0x2d06800538d394c2));
	for (size_t i = 0; i < sizeof(block); i++)
		block[i] = (unsigned char)(i * 131 >> 3);
	ck_assert_uint_eq(checksum64(block, CHECKSUM_BLOCK_SIZE, 0), UINT64_C(0x0e6e0796ab5608ab));
	ck_assert_uint_eq(checksum64(block + 1, 1000, 0), UINT64_C(0xa1b3a280e1416309));
	ck_assert_uint_eq(checksum64(block + 1, 1000, UINT64_C(0x123456789abcdef0)),
			  UINT64_C(0x28ff571cdbf3d9b8));
	ck_assert_uint_eq(checksum_block(block), 0xab5608ab);
}
END_TEST

START_TEST(every_checksum_variant_gives_the_same_value)
{
	static unsigned char buf[2 * CHECKSUM_BLOCK_SIZE];
	uint32_t rnd = 1;

	for (size_t i = 0; i < sizeof(buf); i++) {
		rnd = rnd * 1664525 + 1013904223;
		buf[i] = (unsigned char)(rnd >> 24);
	}
	for (size_t len = 0; len < sizeof(buf) - 64; len += 1 + len / 8) {
		for (size_t offset = 0; offset < 64; offset += 13) {
			uint64_t seed = len * UINT64_C(0x9e3779b97f4a7c15);
			uint64_t base = checksum64_base(buf + offset, len, seed);

			ck_assert_uint_eq(checksum64(buf + offset, len, seed), base);
#ifdef HAVE_CHECKSUM_AVX2
			if (__builtin_cpu_supports("avx2"))
				ck_assert_uint_eq(checksum64_avx2(buf + offset, len, seed), base);
#endif
		}
	}
}
END_TEST

START_TEST(block_checksum_sees_each_bit)
{
	static unsigned char block[CHECKSUM_BLOCK_SIZE];
	uint32_t zero = checksum_block(block);

	for (size_t bit = 0; bit < CHECKSUM_BLOCK_SIZE * 8; bit++) {
		block[bit / 8] ^= (unsigned char)(1 << bit % 8);
		ck_assert_uint_ne(checksum_block(block), zero);
		block[bit / 8] ^= (unsigned char)(1 << bit % 8);
	}
}
END_TEST

static Suite *base_suite(void)
{
	Suite *s = suite_create("common");

	CHECK_CASE(s, "compiler", container_of_finds_the_outer_struct);
	CHECK_CASE(s, "cleanup", cleanup_closes_at_the_end_of_the_scope_and_keeps_errno,
		   cleanup_of_a_closed_descriptor_keeps_errno, what_is_stolen_outlives_the_scope);
	CHECK_CASE(s, "byteorder", little_endian_values_have_their_low_byte_first);
	CHECK_CASE(s, "align", rounding_is_right_at_the_edges, zero_is_no_power_of_two,
		   min_and_max_evaluate_once_and_nest, checked_arithmetic_tells_of_overflow,
		   a_number_that_no_integer_holds_becomes_the_nearest);
	CHECK_CASE(s, "clock", clocks_run);
	CHECK_CASE(s, "bitmap", bitmap_finds_what_a_plain_search_finds,
		   bitmap_set_clear_and_test_touch_one_bit);
	CHECK_CASE(s, "checksum", checksums_have_the_values_of_the_format,
		   every_checksum_variant_gives_the_same_value, block_checksum_sees_each_bit);
	return s;
}

CHECK_MAIN(base_suite)
