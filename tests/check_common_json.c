// SPDX-License-Identifier: GPL-2.0-or-later
/* The writer of JSON, and what is UTF-8. */
#include "common/json.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/align.h"
#include "common/utf8.h"
#include "tests/check_json.h"
#include "tests/check_main.h"

START_TEST(the_checker_of_json_is_strict)
{
	static const char *const bad[] = { "{\"a\":1,}", "[1 2]", "\"\n\"",   "\"\\x41\"",
					   "01",	 "{1:2}", "[",	      "nul",
					   "\"a",	 "",	  "\"\xff\"", "\"\\udcff\"" };

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		ck_assert_msg(!check_json_value(bad[i]) || *check_json_value(bad[i]), "%s", bad[i]);
	assert_json("{\"a\":[1,null,{\"b\\u0041\":\"c\"}],\"d\":{}}");
}
END_TEST

static struct json j;
static char *text;
static size_t bytes;

static void begin(unsigned int lines)
{
	FILE *out = open_memstream(&text, &bytes);

	ck_assert_ptr_nonnull(out);
	j = (struct json){ .out = out, .lines = lines };
}

static void expect(const char *want)
{
	ck_assert_int_eq(fclose(j.out), 0);
	ck_assert_str_eq(text, want);
	assert_json(text);
	free(text);
}

static void fill(void)
{
	json_open(&j, NULL, '{');
	json_number(&j, "n", UINT64_MAX);
	json_open(&j, "empty", '[');
	json_close(&j, ']');
	json_open(&j, "list", '[');
	json_bool(&j, NULL, true);
	json_open(&j, NULL, '{');
	json_null(&j, "a");
	json_text(&j, "b", NULL);
	json_close(&j, '}');
	json_close(&j, ']');
	json_close(&j, '}');
	json_end(&j);
}

START_TEST(members_have_lines_as_deep_as_is_wanted)
{
	begin(0);
	fill();
	expect("{\"n\": 18446744073709551615, \"empty\": [], \"list\": [true, "
	       "{\"a\": null, \"b\": null}]}\n");
	begin(1);
	fill();
	expect("{\n  \"n\": 18446744073709551615,\n  \"empty\": [],\n  \"list\": [true, "
	       "{\"a\": null, \"b\": null}]\n}\n");
	begin(JSON_DEPTH);
	fill();
	expect("{\n  \"n\": 18446744073709551615,\n  \"empty\": [],\n  \"list\": [\n    true,\n"
	       "    {\n      \"a\": null,\n      \"b\": null\n    }\n  ]\n}\n");
}
END_TEST

START_TEST(several_may_follow_each_other)
{
	begin(0);
	json_signed(&j, NULL, -5);
	json_end(&j);
	json_decimal(&j, NULL, 1.25, 3);
	json_end(&j);
	ck_assert_int_eq(fclose(j.out), 0);
	ck_assert_str_eq(text, "-5\n1.250\n");
	free(text);
}
END_TEST

static const struct {
	const char *raw, *json;
} strings[] = {
	{ "", "" },
	{ "a b/c", "a b/c" },
	{ "a\"b\\c", "a\\\"b\\\\c" },
	{ "\n\t\x01\x7f", "\\u000a\\u0009\\u0001\\u007f" },
	{ "\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80", "\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80" },
	/* a byte, a cut one, overlong, a surrogate, too high, a continuation alone */
	{ "a\xffz", "a\\\\xffz" },
	{ "a\xc3", "a\\\\xc3" },
	{ "\xc0\xaf", "\\\\xc0\\\\xaf" },
	{ "\xed\xa0\x80", "\\\\xed\\\\xa0\\\\x80" },
	{ "\xf4\x90\x80\x80", "\\\\xf4\\\\x90\\\\x80\\\\x80" },
	{ "\x80z", "\\\\x80z" },
	{ "\xe2\x82z", "\\\\xe2\\\\x82z" },
};

START_TEST(any_bytes_are_text)
{
	char want[128];

	snprintf(want, sizeof(want), "{\"%s\": \"%s\"}\n", strings[_i].json, strings[_i].json);
	begin(0);
	json_open(&j, NULL, '{');
	json_text(&j, strings[_i].raw, strings[_i].raw);
	json_close(&j, '}');
	json_end(&j);
	expect(want);
}
END_TEST

START_TEST(bytes_may_have_zeros)
{
	begin(0);
	json_bytes(&j, NULL, "a\0b\xc3", 4);
	json_end(&j);
	expect("\"a\\u0000b\\\\xc3\"\n");
}
END_TEST

START_TEST(characters_are_as_long_as_they_say)
{
	ck_assert_uint_eq(utf8_length("", 0), 0);
	ck_assert_uint_eq(utf8_length("", 1), 1);
	ck_assert_uint_eq(utf8_length("a", 1), 1);
	ck_assert_uint_eq(utf8_length("\xc3\xa4", 2), 2);
	ck_assert_uint_eq(utf8_length("\xc3\xa4", 1), 0);
	ck_assert_uint_eq(utf8_length("\xef\xbf\xbf", 3), 3);
	ck_assert_uint_eq(utf8_length("\xf4\x8f\xbf\xbf", 9), 4);
	ck_assert_uint_eq(utf8_length("\xc1\xbf", 2), 0);
	ck_assert_uint_eq(utf8_length("\xe0\x9f\xbf", 3), 0);
	ck_assert_uint_eq(utf8_length("\xf0\x8f\xbf\xbf", 4), 0);
	ck_assert_uint_eq(utf8_length("\xf5\x80\x80\x80", 4), 0);
}
END_TEST

static Suite *make_suite(void)
{
	Suite *s = suite_create("json");
	TCase *tc = tcase_create("strings");

	CHECK_CASE(s, "json", the_checker_of_json_is_strict,
		   members_have_lines_as_deep_as_is_wanted, several_may_follow_each_other,
		   bytes_may_have_zeros, characters_are_as_long_as_they_say);
	tcase_add_loop_test(tc, any_bytes_are_text, 0, array_size(strings));
	suite_add_tcase(s, tc);
	return s;
}

CHECK_MAIN(make_suite)
