// SPDX-License-Identifier: GPL-2.0-or-later
/* Parsing: what is taken, what is refused and how, and that a refused text changes nothing. */
#include "common/parse.h"

#include <errno.h>

#include "tests/check_main.h"

#define UNTOUCHED UINT64_C(0xdeadbeefdeadbeef)

struct number_case {
	const char *text;
	int ret;
	uint64_t value;
};

typedef int number_parser(const char *text, uint64_t min, uint64_t max, uint64_t *out);

static void check_numbers(number_parser *parse, uint64_t min, uint64_t max,
			  const struct number_case *cases, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		uint64_t value = UNTOUCHED;
		int ret = parse(cases[i].text, min, max, &value);

		ck_assert_msg(ret == cases[i].ret, "'%s' gives %d, not %d", cases[i].text, ret,
			      cases[i].ret);
		ck_assert_msg(value == (ret ? UNTOUCHED : cases[i].value), "'%s' gives %llu",
			      cases[i].text, (unsigned long long)value);
	}
}

#define CHECK_NUMBERS(parse, min, max, ...)                                         \
	check_numbers(parse, min, max, (const struct number_case[]){ __VA_ARGS__ }, \
		      array_size(((const struct number_case[]){ __VA_ARGS__ })))

START_TEST(numbers_are_digits_and_nothing_else)
{
	CHECK_NUMBERS(parse_u64, 0, UINT64_MAX, { "0", 0, 0 }, { "007", 0, 7 }, { "42", 0, 42 },
		      { "18446744073709551615", 0, UINT64_MAX },
		      { "18446744073709551616", -ERANGE, 0 },
		      { "99999999999999999999999999", -ERANGE, 0 },
		      { "99999999999999999999999999x", -EINVAL, 0 }, { "", -EINVAL, 0 },
		      { " 1", -EINVAL, 0 }, { "1 ", -EINVAL, 0 }, { "1\n", -EINVAL, 0 },
		      { "-1", -EINVAL, 0 }, { "+1", -EINVAL, 0 }, { "0x10", -EINVAL, 0 },
		      { "1.5", -EINVAL, 0 }, { "1k", -EINVAL, 0 }, { "\xd9\xa1", -EINVAL, 0 });
}
END_TEST

START_TEST(numbers_outside_the_bounds_are_out_of_range)
{
	CHECK_NUMBERS(parse_u64, 4, 13, { "3", -ERANGE, 0 }, { "4", 0, 4 }, { "13", 0, 13 },
		      { "14", -ERANGE, 0 });
}
END_TEST

START_TEST(sizes_are_binary_with_any_common_suffix)
{
	CHECK_NUMBERS(parse_size, 0, UINT64_MAX, { "4096", 0, 4096 }, { "4096B", 0, 4096 },
		      { "4k", 0, 4096 }, { "4K", 0, 4096 }, { "4KB", 0, 4096 }, { "4KiB", 0, 4096 },
		      { "4kib", 0, 4096 }, { "3M", 0, UINT64_C(3) << 20 },
		      { "3GiB", 0, UINT64_C(3) << 30 }, { "16T", 0, UINT64_C(16) << 40 },
		      { "1P", 0, UINT64_C(1) << 50 }, { "16384P", -ERANGE, 0 },
		      { "16383P", 0, UINT64_C(16383) << 50 }, { "4i", -EINVAL, 0 },
		      { "4Ki", -EINVAL, 0 }, { "4iB", -EINVAL, 0 }, { "4 K", -EINVAL, 0 },
		      { "K", -EINVAL, 0 }, { "4E", -EINVAL, 0 }, { "4KBB", -EINVAL, 0 },
		      { "1.5G", -EINVAL, 0 }, { "", -EINVAL, 0 }, { "-4K", -EINVAL, 0 });
}
END_TEST

START_TEST(sizes_are_bounded_in_bytes)
{
	CHECK_NUMBERS(parse_size, 4096, 1 << 20, { "3K", -ERANGE, 0 }, { "4K", 0, 4096 },
		      { "1M", 0, 1 << 20 }, { "1025K", -ERANGE, 0 });
}
END_TEST

START_TEST(durations_are_milliseconds_unless_they_say)
{
	CHECK_NUMBERS(parse_duration_ms, 0, UINT64_MAX, { "3", 0, 3 }, { "3ms", 0, 3 },
		      { "3s", 0, 3000 }, { "2m", 0, 120000 }, { "2min", 0, 120000 },
		      { "1h", 0, 3600000 }, { "18446744073709551615s", -ERANGE, 0 },
		      { "3us", -EINVAL, 0 }, { "s", -EINVAL, 0 }, { "1h3m", -EINVAL, 0 },
		      { "", -EINVAL, 0 });
}
END_TEST

START_TEST(percentages_end_at_100)
{
	unsigned int v = 7;

	ck_assert_int_eq(parse_percent("101", &v), -ERANGE);
	ck_assert_int_eq(parse_percent("-1", &v), -EINVAL);
	ck_assert_int_eq(parse_percent("%", &v), -EINVAL);
	ck_assert_int_eq(parse_percent("5%%", &v), -EINVAL);
	ck_assert_uint_eq(v, 7);
	ck_assert_int_eq(parse_percent("70%", &v), 0);
	ck_assert_uint_eq(v, 70);
	ck_assert_int_eq(parse_percent("100", &v), 0);
	ck_assert_uint_eq(v, 100);
	ck_assert_int_eq(parse_percent("0", &v), 0);
	ck_assert_uint_eq(v, 0);
}
END_TEST

START_TEST(booleans_have_eight_words)
{
	static const char *const yes[] = { "1", "on", "yes", "true", "TRUE" };
	static const char *const no[] = { "0", "off", "no", "false", "Off" };
	static const char *const bad[] = { "", "2", "y", "n", "on\n", " on", "truex", "00" };
	bool v;

	for (size_t i = 0; i < array_size(yes); i++) {
		v = false;
		ck_assert_int_eq(parse_bool(yes[i], &v), 0);
		ck_assert(v);
	}
	for (size_t i = 0; i < array_size(no); i++) {
		v = true;
		ck_assert_int_eq(parse_bool(no[i], &v), 0);
		ck_assert(!v);
	}
	for (size_t i = 0; i < array_size(bad); i++) {
		v = true;
		ck_assert_int_eq(parse_bool(bad[i], &v), -EINVAL);
		ck_assert(v);
	}
}
END_TEST

static Suite *parse_suite(void)
{
	Suite *s = suite_create("parse");

	CHECK_CASE(s, "parse", numbers_are_digits_and_nothing_else,
		   numbers_outside_the_bounds_are_out_of_range,
		   sizes_are_binary_with_any_common_suffix, sizes_are_bounded_in_bytes,
		   durations_are_milliseconds_unless_they_say, percentages_end_at_100,
		   booleans_have_eight_words);
	return s;
}

CHECK_MAIN(parse_suite)
