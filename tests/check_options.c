// SPDX-License-Identifier: GPL-2.0-or-later
/* The command line, as people and as mount(8) write it. */
#include "lcfs/options.h"

#include <errno.h>
#include <string.h>
#include <sys/mount.h>

#include "common/align.h"
#include "tests/check_main.h"

static struct options o;
static char text[512];

static void teardown(void)
{
	options_free(&o);
}

static int parse(int argc, const char *const *argv)
{
	int err = options_parse(&o, argc, argv, text, sizeof(text));

	if (!err && (o.action == OPTIONS_MOUNT || o.action == OPTIONS_FAKE))
		err = options_complete(&o, text, sizeof(text));
	return err;
}

#define PARSE(...)                                                 \
	({                                                         \
		const char *const argv_[] = { __VA_ARGS__, NULL }; \
		options_free(&o);                                  \
		text[0] = '\0';                                    \
		parse((int)array_size(argv_) - 1, argv_);          \
	})

#define ASSERT_PARSES(...)                                                   \
	do {                                                                 \
		int err_ = PARSE(__VA_ARGS__);                               \
		ck_assert_msg(err_ == 0, "refused with %d: %s", err_, text); \
	} while (0)

/* Refused, in one line that has all that is needed: `part` is in it. */
static void assert_refused(int err, const char *part)
{
	ck_assert_int_eq(err, -EINVAL);
	ck_assert_msg(strstr(text, part) != NULL, "'%s' is not in '%s'", part, text);
	ck_assert_ptr_null(strchr(text, '\n'));
}

START_TEST(the_plain_command_line)
{
	ASSERT_PARSES("lcfs", "-o", "cache=/dev/x", "/srv/images", "/mnt/lc");
	ck_assert_str_eq(o.dir, "/srv/images");
	ck_assert_str_eq(o.mnt, "/mnt/lc");
	ck_assert_str_eq(options_list(&o, OPT_CACHE)[0], "/dev/x");
	ck_assert_int_eq(o.action, OPTIONS_MOUNT);
	ck_assert(!o.is_helper);
	ck_assert(!o.is_foreground);
	ck_assert_uint_eq(o.mount_flags, MS_NOSUID | MS_NODEV);
}
END_TEST

START_TEST(options_may_stand_anywhere)
{
	ASSERT_PARSES("lcfs", "dir", "mnt", "-fo", "cache=c");
	ck_assert_str_eq(o.mnt, "mnt");
	ck_assert(o.is_foreground);
	ASSERT_PARSES("lcfs", "dir", "-ocache=c,ro", "mnt", "-d");
	ck_assert_uint_eq(o.mount_flags, MS_NOSUID | MS_NODEV | MS_RDONLY);
	ck_assert(o.is_debug);
	ck_assert(o.is_foreground);
	ASSERT_PARSES("lcfs", "--cache=c", "--", "-dir", "--mnt");
	ck_assert_str_eq(o.dir, "-dir");
	ck_assert_str_eq(o.mnt, "--mnt");
}
END_TEST

START_TEST(long_options_are_the_same_words)
{
	ASSERT_PARSES("lcfs", "--cache=c", "--migrate-threshold=50", "--writeback_cache",
		      "--ctldir=visible", "d", "m");
	ck_assert(options_flag(&o, OPT_WRITEBACK_CACHE, false));
	ASSERT_PARSES("lcfs", "--cache", "c", "--writeback-cache", "--migrate-threshold", "50", "d",
		      "m", "--ctldir", "visible");
	ck_assert_str_eq(options_list(&o, OPT_CACHE)[0], "c");
	ck_assert_str_eq(o.dir, "d");
	ck_assert(options_flag(&o, OPT_WRITEBACK_CACHE, false));
	ck_assert_uint_eq(options_number(&o, OPT_CTLDIR), 1);
	ck_assert_uint_eq(options_number(&o, OPT_RAM_BUFFERS), 64);
	for (size_t i = 0; i < option_rows; i++) {
		if (strcmp(option_table[i].name, "migrate_threshold") == 0) {
			ck_assert(o.value[i].is_set);
			ck_assert_uint_eq(o.value[i].number, 50);
			ck_assert_int_eq(option_table[i].knob, KNOB_MIGRATE_THRESHOLD);
		}
	}
}
END_TEST

START_TEST(flags_can_be_negated)
{
	ASSERT_PARSES("lcfs", "-o", "cache=c", "d", "m");
	ck_assert(options_flag(&o, OPT_ALLOW_OTHER, true));
	ck_assert(!options_flag(&o, OPT_ALLOW_OTHER, false));
	ASSERT_PARSES("lcfs", "-o", "cache=c,noallow_other", "d", "m");
	ck_assert(!options_flag(&o, OPT_ALLOW_OTHER, true));
	ASSERT_PARSES("lcfs", "-o", "cache=c,noallow_other,allow_other=on", "d", "m");
	ck_assert(options_flag(&o, OPT_ALLOW_OTHER, false));
	assert_refused(PARSE("lcfs", "-o", "cache=c,allow_other=maybe", "d", "m"), "on or off");
}
END_TEST

START_TEST(the_last_of_several_words_counts)
{
	ASSERT_PARSES("lcfs", "-o", "cache=c,fsname=a,ro,dev,suid", "-o", "rw,fsname=b", "d", "m");
	ck_assert_str_eq(options_text(&o, OPT_FSNAME), "b");
	ck_assert_uint_eq(o.mount_flags, 0);
}
END_TEST

START_TEST(a_list_has_all_of_its_words)
{
	ASSERT_PARSES("lcfs", "-o", "cache=a,ro", "--cache=b", "d", "m");
	ck_assert_str_eq(options_list(&o, OPT_CACHE)[0], "a");
	ck_assert_str_eq(options_list(&o, OPT_CACHE)[1], "b");
	ck_assert_ptr_null(options_list(&o, OPT_CACHE)[2]);
}
END_TEST

START_TEST(a_knob_has_one_number_or_one_for_each_cache)
{
	const struct option_row *row = options_find("migrate_threshold", 17);
	size_t i = (size_t)(row - option_table);
	uint64_t value = 7;

	ASSERT_PARSES("lcfs", "-o", "cache=a,cache=b,migrate_threshold=50", "d", "m");
	ck_assert(options_knob(&o, i, 0, &value) && value == 50);
	ck_assert(options_knob(&o, i, 5, &value) && value == 50);
	ASSERT_PARSES("lcfs", "-o", "cache=a,cache=b,migrate_threshold=50:60", "d", "m");
	ck_assert(options_knob(&o, i, 0, &value) && value == 50);
	ck_assert(options_knob(&o, i, 1, &value) && value == 60);
	ck_assert(!options_knob(&o, i, 2, &value));
	ASSERT_PARSES("lcfs", "-o", "cache=a,migrate_threshold=1:2:3,migrate_threshold=4", "d",
		      "m");
	ck_assert(options_knob(&o, i, 2, &value) && value == 4);
	ck_assert(!options_knob(&o, i + 1, 0, &value) || i + 1 == option_rows);
	assert_refused(PARSE("lcfs", "-o", "cache=a,migrate_threshold=50:60", "d", "m"),
		       "migrate_threshold has 2 numbers, and there are 1 caches");
	assert_refused(PARSE("lcfs", "-o", "cache=a,cache=b,migrate_threshold=50:101", "d", "m"),
		       "from 0 to 100");
	assert_refused(PARSE("lcfs", "-o", "cache=a,cache=b,migrate_threshold=50:", "d", "m"),
		       "from 0 to 100");
	assert_refused(PARSE("lcfs", "-o", "cache=a,cache=b,workers=1:2", "d", "m"), "from 0 to");
}
END_TEST

START_TEST(the_directory_may_be_an_option)
{
	ASSERT_PARSES("lcfs", "-o", "cache=c,directory=d", "m");
	ck_assert_str_eq(o.dir, "d");
	ck_assert_str_eq(o.mnt, "m");
	ASSERT_PARSES("lcfs", "-o", "cache=c,directory=d", "e", "m");
	ck_assert_str_eq(o.dir, "e");
	ASSERT_PARSES("mount.lcfs", "none", "m", "-o", "cache=c,directory=d");
	ck_assert_str_eq(o.dir, "d");
}
END_TEST

START_TEST(a_list_has_all_that_was_given_in_order)
{
	ASSERT_PARSES("lcfs", "-o", "cache=a,exclude=*.iso", "--cache=b", "-o", "cache=a", "d",
		      "m");
	ck_assert_str_eq(options_list(&o, OPT_CACHE)[0], "a");
	ck_assert_str_eq(options_list(&o, OPT_CACHE)[1], "b");
	ck_assert_str_eq(options_list(&o, OPT_CACHE)[2], "a");
	ck_assert_ptr_null(options_list(&o, OPT_CACHE)[3]);
	ck_assert_str_eq(options_list(&o, OPT_EXCLUDE)[0], "*.iso");
	ck_assert_ptr_null(options_list(&o, OPT_INCLUDE));
	assert_refused(PARSE("lcfs", "-o", "cache=", "d", "m"), "the value is missing");
}
END_TEST

START_TEST(a_backslash_keeps_a_comma)
{
	ASSERT_PARSES("lcfs", "-o", "cache=/a\\,b\\\\c,ro", "d", "m");
	ck_assert_str_eq(options_list(&o, OPT_CACHE)[0], "/a,b\\c");
	ck_assert(o.mount_flags & MS_RDONLY);
}
END_TEST

START_TEST(words_for_others_are_ignored)
{
	ASSERT_PARSES(
		"lcfs", "-o",
		"cache=c,nofail,_netdev,user,users,owner,group,noauto,auto,relatime,norelatime,"
		"strictatime,lazytime,nonempty,defaults,comment=a b,x-systemd.requires=x,X-y,"
		"user=joe,,",
		"d", "m");
	ck_assert_uint_eq(o.mount_flags, MS_NOSUID | MS_NODEV);
	ck_assert(options_flag(&o, OPT_NONEMPTY, false));
}
END_TEST

START_TEST(as_a_helper_of_mount)
{
	ASSERT_PARSES("/sbin/mount.lcfs", "d", "m", "-s", "-n", "-v", "-o",
		      "rw,cache=c,something_new");
	ck_assert(o.is_helper);
	ck_assert_int_eq(o.action, OPTIONS_MOUNT);
	ck_assert(!o.is_foreground);
	ASSERT_PARSES("mount.fuse.lcfs", "d", "m", "-f", "-o", "cache=c");
	ck_assert_int_eq(o.action, OPTIONS_FAKE);
	ASSERT_PARSES("mount.lcfs", "d", "m", "-t", "fuse.lcfs", "-N", "7", "-o", "cache=c");
	assert_refused(PARSE("mount.lcfs", "d", "m", "-o", "cache=c,something_new"),
		       "'something_new'");
	assert_refused(PARSE("mount.lcfs", "-d", "d", "m", "-o", "cache=c"), "-d");
	ck_assert(o.is_helper);
}
END_TEST

START_TEST(what_is_missing_is_said)
{
	assert_refused(PARSE("lcfs"), "backing directory and the mount point");
	assert_refused(PARSE("lcfs", "-o", "cache=c", "d"),
		       "backing directory and the mount point");
	assert_refused(PARSE("lcfs", "-o", "cache=c", "d"), "only 'd' is given");
	assert_refused(PARSE("mount.lcfs", "none", "m", "-o", "cache=c"), "only 'm' is given");
	assert_refused(PARSE("lcfs", "d", "m"), "mkfs.lcfs");
	assert_refused(PARSE("lcfs", "-o", "cache=c", "d", "m", "x"), "'x'");
	assert_refused(PARSE("lcfs", "d", "m", "-o"), "-o needs a value");
	assert_refused(PARSE("lcfs", "-o", "cache", "d", "m"), "cache=CACHE");
	assert_refused(PARSE("lcfs", "-o", "cache=", "d", "m"), "missing");
	assert_refused(PARSE("lcfs", "d", "m", "--cache"), "cache=CACHE");
}
END_TEST

START_TEST(what_is_wrong_is_named)
{
	assert_refused(PARSE("lcfs", "-o", "cache=c,foo=1", "d", "m"), "'foo'");
	assert_refused(PARSE("lcfs", "--foo=1", "-o", "cache=c", "d", "m"), "'--foo'");
	assert_refused(PARSE("lcfs", "-x", "-o", "cache=c", "d", "m"), "'-x'");
	assert_refused(PARSE("lcfs", "-n", "-o", "cache=c", "d", "m"), "'-n'");
	assert_refused(PARSE("lcfs", "-o", "cache=c,migrate_threshold=101", "d", "m"),
		       "from 0 to 100 %");
	assert_refused(PARSE("lcfs", "-o", "cache=c,ram_buffers=1", "d", "m"), "from 2 to 4096");
	assert_refused(PARSE("lcfs", "-o", "cache=c,ram_buffers=x", "d", "m"), "from 2 to 4096");
	assert_refused(PARSE("lcfs", "-o", "cache=c,ram_buffers", "d", "m"), "ram_buffers=N");
	assert_refused(PARSE("lcfs", "-o", "cache=c,ctldir=no", "d", "m"), "hidden|visible");
	assert_refused(PARSE("lcfs", "-o", "cache=c,ctldir=hidden|visible", "d", "m"),
		       "hidden|visible");
	assert_refused(PARSE("lcfs", "-o", "cache=c,nocache", "d", "m"), "'nocache'");
	assert_refused(PARSE("lcfs", "-o", "cache=c,cach=d", "d", "m"), "'cach'");
}
END_TEST

START_TEST(help_and_version_need_nothing_else)
{
	ASSERT_PARSES("lcfs", "--help");
	ck_assert_int_eq(o.action, OPTIONS_HELP);
	ASSERT_PARSES("lcfs", "-V");
	ck_assert_int_eq(o.action, OPTIONS_VERSION);
	ASSERT_PARSES("mount.lcfs", "-h");
	ck_assert_int_eq(o.action, OPTIONS_HELP);
}
END_TEST

START_TEST(defaults_lie_in_their_ranges)
{
	for (size_t i = 0; i < option_rows; i++) {
		const struct option_row *row = &option_table[i];

		ck_assert_msg(row->help[0], "%s", row->name);
		if (row->type == OPTION_NUMBER)
			ck_assert_msg(row->initial >= row->min && row->initial <= row->max, "%s",
				      row->name);
		for (size_t j = 0; j < i; j++)
			ck_assert_str_ne(option_table[j].name, row->name);
	}
}
END_TEST

static Suite *make_suite(void)
{
	Suite *s = suite_create("options");
	TCase *tc = tcase_create("options");

	tcase_add_checked_fixture(tc, NULL, teardown);
	tcase_add_test(tc, the_plain_command_line);
	tcase_add_test(tc, options_may_stand_anywhere);
	tcase_add_test(tc, long_options_are_the_same_words);
	tcase_add_test(tc, flags_can_be_negated);
	tcase_add_test(tc, the_last_of_several_words_counts);
	tcase_add_test(tc, a_list_has_all_of_its_words);
	tcase_add_test(tc, a_knob_has_one_number_or_one_for_each_cache);
	tcase_add_test(tc, the_directory_may_be_an_option);
	tcase_add_test(tc, a_list_has_all_that_was_given_in_order);
	tcase_add_test(tc, a_backslash_keeps_a_comma);
	tcase_add_test(tc, words_for_others_are_ignored);
	tcase_add_test(tc, as_a_helper_of_mount);
	tcase_add_test(tc, what_is_missing_is_said);
	tcase_add_test(tc, what_is_wrong_is_named);
	tcase_add_test(tc, help_and_version_need_nothing_else);
	tcase_add_test(tc, defaults_lie_in_their_ranges);
	suite_add_tcase(s, tc);
	return s;
}

CHECK_MAIN(make_suite)
