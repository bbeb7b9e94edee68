// SPDX-License-Identifier: GPL-2.0-or-later
/* What the control tree tells in texts of several lines: JSON, OpenMetrics, status, config. */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "lcfs/ctl/ctl_table.h"
#include "tests/check_json.h"
#include "tests/check_main.h"
#include "tests/fake/ctl_stub.h"
#include "tests/fake/ctl_walk.h"

#define UGLY "a \"b\" \\ \n\t\x01 \xc3\xa9 \xff\xfe \xed\xa0\x80 \xf4\x90\x80\x80.img"

static void assert_has(const char *path, const char *what)
{
	char *text = tree_read(path, 4096);

	ck_assert_msg(strstr(text, what) != NULL, "%s has no '%s':\n%s", path, what, text);
	free(text);
}

static void assert_has_not(const char *path, const char *what)
{
	char *text = tree_read(path, 4096);

	ck_assert_msg(strstr(text, what) == NULL, "%s has '%s':\n%s", path, what, text);
	free(text);
}

/* ------------------------------------------------------------------ JSON */

START_TEST(stats_are_json_whatever_the_names_are)
{
	char *text;

	stub.image[0].path = UGLY;
	stub.image[1].path = "\xf0\x9f\x98\x80\xc2";
	text = tree_read("stats.json", 1 << 16);
	assert_json(text);
	ck_assert_ptr_nonnull(strstr(text,
				     "\"name\": \"a \\\"b\\\" \\\\ \\u000a\\u0009\\u0001 \xc3\xa9 "
				     "\\\\xff\\\\xfe \\\\xed\\\\xa0\\\\x80 "
				     "\\\\xf4\\\\x90\\\\x80\\\\x80.img\""));
	ck_assert_ptr_nonnull(strstr(text, "\"name\": \"\xf0\x9f\x98\x80\\\\xc2\""));
	free(text);
}
END_TEST

START_TEST(stats_have_every_number)
{
	char key[64];

	for (int i = 0; i < CTL_NR_CACHE_NUMBERS; i++) {
		ck_assert_ptr_nonnull(ctl_cache_numbers[i].name);
		snprintf(key, sizeof(key), "\"%s\": ", ctl_cache_numbers[i].name);
		assert_has("stats.json", key);
	}
	for (int i = 0; i < CTL_NR_DEVICE_NUMBERS; i++) {
		ck_assert_ptr_nonnull(ctl_device_numbers[i].name);
		snprintf(key, sizeof(key), "\"%s\": ", ctl_device_numbers[i].name);
		assert_has("stats.json", key);
	}
	assert_has("stats.json", "\"id\": 1, \"device\": \"/dev/cache\", \"state\": \"ok\"");
	assert_has("stats.json",
		   "\"id\": 7, \"name\": \"a.img\", \"cache_id\": 1, \"state\": \"dirty\"");
}
END_TEST

START_TEST(an_image_that_is_worked_on_holds_nobody_up)
{
	stub.image[0].is_locked = true;
	stub.image[0].counts[IMAGE_WRITE].requests = 77;
	assert_has("stats.json", "\"id\": 7, \"name\": null, \"cache_id\": 1, \"state\": null");
	assert_has("stats.json", "\"writes\": 77");
	assert_has("metrics", "lcfs_image_writes_total{mount=\"/mnt/lc\",image=\"7\"} 77\n");
	assert_has_not("metrics", "lcfs_image_size_bytes{mount=\"/mnt/lc\",image=\"7\"}");
	assert_has("status", "images: 2, 1 clean\n");
}
END_TEST

/* ------------------------------------------------------------------ metrics */

START_TEST(metrics_end_with_eof_and_have_no_empty_line)
{
	char *text = tree_read("metrics", 4096);

	ck_assert_ptr_null(strstr(text, "\n\n"));
	ck_assert_str_eq(strstr(text, "# EOF"), "# EOF\n");
	free(text);
}
END_TEST

START_TEST(metrics_tell_units_and_types)
{
	stub.status.dirty_blocks = 3;
	stub.status.migrate_errors = 9;
	stub.status.busy_percent = 7;
	assert_has("metrics",
		   "# TYPE lcfs_dirty_bytes gauge\n# UNIT lcfs_dirty_bytes bytes\n# HELP ");
	assert_has("metrics", "\nlcfs_dirty_bytes{mount=\"/mnt/lc\",cache=\"1\"} 12288\n");
	assert_has("metrics", "# TYPE lcfs_migrate_errors counter\n# HELP ");
	assert_has("metrics", "\nlcfs_migrate_errors_total{mount=\"/mnt/lc\",cache=\"1\"} 9\n");
	assert_has("metrics", "\nlcfs_backing_busy_ratio{mount=\"/mnt/lc\",cache=\"1\"} 0.07\n");
	stub.status.busy_percent = -1;
	assert_has_not("metrics", "\nlcfs_backing_busy_ratio{");
}
END_TEST

START_TEST(labels_are_escaped)
{
	stub.image[0].path = UGLY;
	assert_has(
		"metrics",
		"lcfs_image_info{mount=\"/mnt/lc\",image=\"7\",cache=\"1\",state=\"dirty\","
		"name=\"a \\\"b\\\" \\\\ \\n\t\x01 \xc3\xa9 \\\\xff\\\\xfe \\\\xed\\\\xa0\\\\x80 "
		"\\\\xf4\\\\x90\\\\x80\\\\x80.img\"} 1\n");
}
END_TEST

START_TEST(histograms_are_cumulative)
{
	histogram_add(&stub.io[IMAGE_WRITE], 1000);	    /* below the first bound */
	histogram_add(&stub.io[IMAGE_WRITE], 5000);	    /* below 8.192 us */
	histogram_add(&stub.io[IMAGE_WRITE], 500000000000); /* beyond the last */
	histogram_add(&stub.flush, 1500000000);
	assert_has("metrics", "# TYPE lcfs_write_seconds histogram\n# UNIT lcfs_write_seconds "
			      "seconds\n# HELP ");
#define WRITE_BUCKET "\nlcfs_write_seconds_bucket{mount=\"/mnt/lc\",cache=\"1\",le=\""
	assert_has("metrics", WRITE_BUCKET "0.000001024\"} 1\n");
	assert_has("metrics", WRITE_BUCKET "0.000004096\"} 1\n");
	assert_has("metrics", WRITE_BUCKET "0.000008192\"} 2\n");
	assert_has("metrics", WRITE_BUCKET "+Inf\"} 3\n");
	assert_has("metrics", "\nlcfs_write_seconds_count{mount=\"/mnt/lc\",cache=\"1\"} 3\n");
	assert_has("metrics", "\nlcfs_write_seconds_sum{mount=\"/mnt/lc\",cache=\"1\"} "
			      "500.000006\n");
	assert_has("metrics", "\nlcfs_flush_seconds_sum{mount=\"/mnt/lc\",cache=\"1\"} 1.5\n");
	assert_has("metrics", "\nlcfs_read_seconds_sum{mount=\"/mnt/lc\",cache=\"1\"} 0.0\n");
}
END_TEST

/* ------------------------------------------------------------------ the age of dirty data */

static uint64_t number_at(const char *path)
{
	char *text = tree_read(path, 64);
	uint64_t value = strtoull(text, NULL, 10);

	free(text);
	return value;
}

START_TEST(the_age_of_dirty_data_is_shown)
{
	int64_t now = (int64_t)clock_mono_ns();

	assert_reads("caches/1/dirty_age_ms", "0\n");
	stub.status.dirty_blocks = 1;
	stub.status.dirty_since_ns = now - (int64_t)(90 * NSEC_PER_SEC);
	ck_assert_uint_ge(number_at("caches/1/dirty_age_ms"), 90000);
	ck_assert_uint_lt(number_at("caches/1/dirty_age_ms"), 150000);
	/* from before the boot */
	stub.image[0].info.dirty_since_ns = -(int64_t)NSEC_PER_SEC;
	ck_assert_uint_ge(number_at("devices/7/dirty_age_ms"),
			  (uint64_t)now / NSEC_PER_MSEC + 1000);
	/* the clock went back */
	stub.status.dirty_since_ns = now + (int64_t)(900 * NSEC_PER_SEC);
	assert_reads("caches/1/dirty_age_ms", "0\n");
	assert_reads("devices/3/dirty_age_ms", "0\n");
	assert_reads("devices/7/dirty_bytes", "20480\n");
}
END_TEST

/* ------------------------------------------------------------------ status, config */

START_TEST(status_says_what_is_wrong)
{
	assert_has("status", "state: ok\nmount: /mnt/lc\nsource: /srv/images\n"
			     "transport: dev\ncache 1: ok: /dev/cache: ");
	assert_has("status", "images: 2, 1 clean, 1 dirty\n");
	stub.image[0].info.state = IMAGE_CONFLICT;
	stub.image[0].reason = "its size";
	stub.image[0].path = "a\nb\xff";
	assert_has("status", "state: degraded\n");
	assert_has("status", "image 7: conflict: a\\x0ab\\xff: somebody else changed its backing "
			     "file: its size\n");
	stub.status.is_failed = true;
	stub.status.state = CACHE_FAILED;
	stub.status.error = EIO;
	assert_has("status", "state: failed\n");
	assert_has("status", "given up (Input/output error)");
}
END_TEST

START_TEST(a_reason_stands_beside_the_state)
{
	assert_reads("caches/1/reason", "\n");
	assert_reads("devices/7/reason", "\n");
	stub.status.is_failed = true;
	stub.status.state = CACHE_FAILED;
	stub.status.error = ENOSPC;
	assert_reads("caches/1/state", "failed\n");
	assert_reads("caches/1/reason", "the cache device is given up (No space left on device): "
					"writes go straight to the image files until "
					"lcctl remove and add replace it\n");
	stub.image[0].info.state = IMAGE_MISSING;
	assert_reads("devices/7/state", "missing\n");
	assert_reads("devices/7/reason", "its backing file is not there\n");
	stub.image[0].info.state = IMAGE_ERROR;
	stub.image[0].info.error = EROFS;
	assert_reads("devices/7/reason",
		     "it cannot be migrated, and is tried again: Read-only file system\n");
}
END_TEST

START_TEST(config_has_options_and_knobs)
{
	stub.knob[KNOB_UPDATE_INTERVAL] = 17;
	assert_has("config", "[/mnt/lc]\ndirectory = /srv/images\ncache = /dev/cache\n"
			     "ctldir = hidden\n");
	assert_has("config", "\nupdate_interval = 17\n");
}
END_TEST

START_TEST(an_image_tells_what_was_done_with_it)
{
	stub.image[0].counts[IMAGE_READ] = (struct image_io_counts){ 1, 2, 0 };
	stub.image[0].counts[IMAGE_WRITE] = (struct image_io_counts){ 3, 4, 0 };
	stub.image[0].counts[IMAGE_SYNC] = (struct image_io_counts){ 5, 0, 0 };
	assert_reads("devices/7/stat",
		     "reads 1\nwrites 3\nfsyncs 5\nread_bytes 2\nwrite_bytes 4\n");
	assert_reads("devices/3/identity", "none\n");
	stub.image[0].info.identity.strength = IDENTITY_HANDLE;
	assert_reads("devices/7/identity", "handle\n");
}
END_TEST

START_TEST(long_texts_are_read_in_pieces_of_one_moment)
{
	static char name[2][1000];
	char *whole, *pieces, *buf = malloc(1 << 20);
	struct ctl_file *f;
	ssize_t n;

	stub.image[0].info.dirty_blocks = 0; /* no age that goes on */
	whole = tree_read("metrics", 1 << 20);
	pieces = tree_read("metrics", 7);
	ck_assert_str_eq(whole, pieces);
	ck_assert_ptr_nonnull(buf);
	f = tree_open("metrics", O_RDONLY);
	ck_assert_int_eq(ctlfs_read(f, buf, 100, 0), 100);
	memset(name[0], 'x', sizeof(name[0]) - 1);
	stub.image[0].path = name[0];
	n = ctlfs_read(f, buf + 100, 1 << 19, 100);
	ck_assert_int_eq(n, (ssize_t)strlen(whole) - 100);
	ck_assert_mem_eq(buf, whole, strlen(whole));
	ctlfs_release(f);
	free(buf);
	free(whole);
	free(pieces);
}
END_TEST

/* ------------------------------------------------------------------ what a write does */

START_TEST(the_whole_mount_is_flushed_and_drained_at_once)
{
	ck_assert_int_eq(echo("flush", "1\n"), 2);
	ck_assert_int_eq(stub.syncs, 1);
	ck_assert_int_eq(echo("drain", "1"), 1);
	ck_assert_int_eq(stub.image[0].drains, 1);
	ck_assert_int_eq(stub.image[1].drains, 0); /* it is in no cache */
	ck_assert_int_eq(echo("caches/1/drain", "1"), 1);
	ck_assert_int_eq(stub.image[0].drains, 2);
	ck_assert_int_eq(echo("devices/7/flush", "1"), 1);
	ck_assert_int_eq(stub.image[0].syncs, 1);
	ck_assert_int_eq(echo("drain", "0"), -ERANGE);
	assert_reads("drain", "0\n");
	assert_reads("flush", "0\n");
}
END_TEST

static Suite *make_suite(void)
{
	Suite *s = suite_create("ctl_stats");
	TCase *tc = tcase_create("texts");

	tcase_add_checked_fixture(tc, tree_setup, tree_teardown);
	tcase_add_test(tc, stats_are_json_whatever_the_names_are);
	tcase_add_test(tc, stats_have_every_number);
	tcase_add_test(tc, an_image_that_is_worked_on_holds_nobody_up);
	tcase_add_test(tc, metrics_end_with_eof_and_have_no_empty_line);
	tcase_add_test(tc, metrics_tell_units_and_types);
	tcase_add_test(tc, labels_are_escaped);
	tcase_add_test(tc, histograms_are_cumulative);
	tcase_add_test(tc, the_age_of_dirty_data_is_shown);
	tcase_add_test(tc, status_says_what_is_wrong);
	tcase_add_test(tc, a_reason_stands_beside_the_state);
	tcase_add_test(tc, config_has_options_and_knobs);
	tcase_add_test(tc, an_image_tells_what_was_done_with_it);
	tcase_add_test(tc, long_texts_are_read_in_pieces_of_one_moment);
	tcase_add_test(tc, the_whole_mount_is_flushed_and_drained_at_once);
	suite_add_tcase(s, tc);
	return s;
}

CHECK_MAIN(make_suite)
