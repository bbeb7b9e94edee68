// SPDX-License-Identifier: GPL-2.0-or-later
/* What the offline tools share: reports, progress, writes that stay in memory. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/compiler.h"
#include "lcfs/ondisk/version.h"
#include "lcfs/tools/bar.h"
#include "lcfs/tools/overlay.h"
#include "lcfs/tools/progress.h"
#include "lcfs/tools/report.h"
#include "tests/check_main.h"
#include "tests/fake/memdev.h"

/* ------------------------------------------------------------------ reports */

static char *text;
static size_t bytes;
static FILE *stream;

static void begin(struct report *r, bool is_json)
{
	stream = open_memstream(&text, &bytes);
	ck_assert_ptr_nonnull(stream);
	report_start(r, stream, is_json);
}

static void expect(struct report *r, const char *want)
{
	report_finish(r);
	ck_assert_int_eq(fclose(stream), 0);
	ck_assert_str_eq(text, want);
	free(text);
}

static void fill(struct report *r)
{
	report_u64(r, "count", UINT64_MAX);
	report_array(r, "things");
	report_line(r, "thing");
	report_i64(r, "below", -1);
	report_bool(r, "is_good", true);
	report_end(r);
	report_line(r, "thing");
	report_hex(r, "sum", 0xabc, 8);
	report_array(r, "parts");
	report_line(r, "part");
	report_u64(r, "n", 1);
	report_end(r);
	report_end(r);
	report_end(r);
	report_end(r);
	report_object(r, "empty");
	report_end(r);
}

START_TEST(json_nests)
{
	struct report r;

	begin(&r, true);
	fill(&r);
	expect(&r, "{\n  \"count\": 18446744073709551615,\n  \"things\": [\n    {\n"
		   "      \"below\": -1,\n      \"is_good\": true\n    },\n    {\n"
		   "      \"sum\": \"00000abc\",\n      \"parts\": [\n        {\n"
		   "          \"n\": 1\n        }\n      ]\n    }\n  ],\n  \"empty\": {}\n}\n");
}
END_TEST

START_TEST(text_has_a_fact_or_an_object_a_line)
{
	struct report r;

	begin(&r, false);
	fill(&r);
	expect(&r, "count                      18446744073709551615\nthings:\n"
		   "  thing below=-1 is_good=yes\n  thing sum=00000abc\n    parts:\n"
		   "      part n=1\nempty:\n");
}
END_TEST

static const struct {
	const char *raw, *json, *text;
} strings[] = {
	{ "", "", "" },
	{ "a b/c", "a b/c", "a b/c" },
	{ "\"\\", "\\\"\\\\", "\"\\\\" },
	{ "\n\x7f", "\\u000a\\u007f", "\\x0a\\x7f" },
	{ "\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80", "\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80",
	  "\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80" },
	{ "a\xc3", "a\\\\xc3", "a\\xc3" },
	{ "\xc0\xaf", "\\\\xc0\\\\xaf", "\\xc0\\xaf" },
};

START_TEST(strings_are_escaped)
{
	char want[128];
	struct report r;

	snprintf(want, sizeof(want), "{\n  \"s\": \"%s\"\n}\n", strings[_i].json);
	begin(&r, true);
	report_text(&r, "s", strings[_i].raw);
	expect(&r, want);
	snprintf(want, sizeof(want), "%-26s %s\n", "s", strings[_i].text);
	begin(&r, false);
	report_text(&r, "s", strings[_i].raw);
	expect(&r, want);
}
END_TEST

/* ------------------------------------------------------------------ overlay */

#define BLOCKS 20000u

static uint8_t buf[4 * BLOCK_BYTES] __attribute__((aligned(4096)));

static void write_block(struct blkdev *dev, uint64_t block, uint8_t value)
{
	memset(buf, value, BLOCK_BYTES);
	ck_assert_int_eq(blkdev_write(dev, buf, BLOCK_BYTES, block * BLOCK_BYTES), 0);
}

static void expect_block(struct blkdev *dev, uint64_t block, uint8_t value)
{
	ck_assert_int_eq(blkdev_read(dev, buf, BLOCK_BYTES, block * BLOCK_BYTES), 0);
	ck_assert_uint_eq(buf[0], value);
	ck_assert_uint_eq(buf[BLOCK_BYTES - 1], value);
}

START_TEST(an_overlay_keeps_writes_to_itself)
{
	struct memdev *below = memdev_new(BLOCKS * (uint64_t)BLOCK_BYTES);
	struct blkdev *dev = &below->dev;
	struct overlay o;

	for (uint64_t i = 0; i < BLOCKS; i++)
		write_block(dev, i, 1);
	ck_assert_int_eq(overlay_init(&o, dev), 0);
	expect_block(&o.dev, 7, 1);
	for (uint64_t i = 0; i < BLOCKS; i += 2)
		write_block(&o.dev, i, (uint8_t)(2 + i % 100));
	write_block(&o.dev, 4, 99);
	ck_assert_int_eq(blkdev_flush(&o.dev), 0);

	expect_block(&o.dev, 4, 99);
	expect_block(&o.dev, 5, 1);
	for (uint64_t i = 100; i < BLOCKS; i++) {
		expect_block(&o.dev, i, i % 2 ? 1 : (uint8_t)(2 + i % 100));
		expect_block(dev, i, 1);
	}
	/* one read over blocks of both */
	ck_assert_int_eq(blkdev_read(&o.dev, buf, 3 * BLOCK_BYTES, 3 * BLOCK_BYTES), 0);
	ck_assert_uint_eq(buf[0], 1);
	ck_assert_uint_eq(buf[BLOCK_BYTES], 99);
	ck_assert_uint_eq(buf[2 * BLOCK_BYTES], 1);
	overlay_free(&o);
	memdev_free(below);
}
END_TEST

/* ------------------------------------------------------------------ progress */

static void begin_progress(struct progress *p, enum progress_style style)
{
	stream = open_memstream(&text, &bytes);
	ck_assert_ptr_nonnull(stream);
	*p = (struct progress){ .out = stream, .style = style };
	progress_start(p, "dev");
}

static void expect_text(const char *want)
{
	ck_assert_int_eq(fclose(stream), 0);
	ck_assert_str_eq(text, want);
	free(text);
}

START_TEST(what_is_quick_shows_no_progress)
{
	struct progress p;

	begin_progress(&p, PROGRESS_LINES);
	progress_update(&p, 50, 100);
	progress_clear(&p);
	expect_text("");
}
END_TEST

START_TEST(progress_is_a_line_each_time)
{
	struct progress p;

	begin_progress(&p, PROGRESS_LINES);
	p.shown_ns = 0;
	progress_update(&p, 50, 100);
	progress_update(&p, 51, 100);
	progress_start(&p, "dev");
	p.shown_ns = 0;
	progress_update(&p, 200, 100);
	p.shown_ns = 0;
	progress_update(&p, 1, 0);
	expect_text("1 50 100 dev\n2 100 100 dev\n");
}
END_TEST

START_TEST(a_bar_goes_away_without_a_trace)
{
	struct progress p;

	begin_progress(&p, PROGRESS_BAR);
	p.shown_ns = 0;
	progress_update(&p, 50, 100);
	ck_assert(p.is_shown);
	progress_clear(&p);
	progress_clear(&p);
	ck_assert_int_eq(fclose(stream), 0);
	ck_assert_ptr_eq(strstr(text, "\rdev [========"), text);
	ck_assert_ptr_nonnull(strstr(text, ">"));
	ck_assert_ptr_nonnull(strstr(text, "]  50%  0:0"));
	ck_assert_str_eq(strrchr(text, '\r'), "\r\033[K");
	ck_assert_ptr_eq(strstr(text, "\033[K\r\033[K") + 7, text + strlen(text));
	free(text);
}
END_TEST

START_TEST(a_bar_fills_what_the_columns_have)
{
	char line[BAR_LINE_MAX];

	bar_line(line, 30, "dev", 45, "tail");
	ck_assert_str_eq(line, "dev [=====>      ]  45%  tail");
	bar_line(line, 30, "dev", 0, "tail");
	ck_assert_str_eq(line, "dev [>           ]   0%  tail");
	bar_line(line, 30, "dev", 100, "tail");
	ck_assert_str_eq(line, "dev [============] 100%  tail");
	bar_line(line, 27, "dev", 45, "tail");
	ck_assert_str_eq(line, "dev  45%  tail");
	bar_line(line, 0, "dev", 45, "tail");
	ck_assert_str_eq(line, "dev  45%  tail");
	bar_line(line, 1000, "dev", 45, "tail");
	ck_assert_uint_eq(strlen(line), 199);
}
END_TEST

START_TEST(no_terminal_shows_no_progress)
{
	struct progress p;
	FILE *null = fopen("/dev/null", "we");

	progress_on_terminal(&p, null);
	ck_assert_int_eq(p.style, PROGRESS_NONE);
	progress_start(&p, "dev");
	p.shown_ns = 0;
	progress_update(&p, 50, 100);
	ck_assert(!p.is_shown);
	fclose(null);
}
END_TEST

static Suite *make_suite(void)
{
	Suite *s = suite_create("tools");
	TCase *t = tcase_create("strings");

	CHECK_CASE(s, "report", json_nests, text_has_a_fact_or_an_object_a_line);
	tcase_add_loop_test(t, strings_are_escaped, 0, (int)array_size(strings));
	suite_add_tcase(s, t);
	CHECK_CASE(s, "progress", what_is_quick_shows_no_progress, progress_is_a_line_each_time,
		   a_bar_goes_away_without_a_trace, a_bar_fills_what_the_columns_have,
		   no_terminal_shows_no_progress);
	CHECK_CASE(s, "overlay", an_overlay_keeps_writes_to_itself);
	return s;
}

CHECK_MAIN(make_suite)
