// SPDX-License-Identifier: GPL-2.0-or-later
/* The configuration file: what it says, and each way in which it can be wrong, with its line. */
#include "lcfs/conffile.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/align.h"
#include "lcfs/confscan.h"
#include "lcfs/options.h"
#include "tests/check_main.h"

static struct options o;
static char text[512];

static void setup(void)
{
	ck_assert_int_eq(options_init(&o), 0);
	o.mnt = "/mnt/lc";
}

static void teardown(void)
{
	options_free(&o);
}

static int apply(const char *content)
{
	text[0] = '\0';
	return conffile_apply_text(&o, "FILE", content, strlen(content), text, sizeof(text));
}

static void applies(const char *content)
{
	int err = apply(content);

	ck_assert_msg(err == 0, "refused with %d: %s", err, text);
}

/* Refused in one line, which begins with `begin` and has `part`; *o is as it was. */
static void refuses(const char *content, const char *begin, const char *part)
{
	int err = apply(content);

	ck_assert_msg(err == -EINVAL, "%d: %s: %s", err, text, content);
	ck_assert_msg(strncmp(text, begin, strlen(begin)) == 0, "'%s' begins '%s'", begin, text);
	ck_assert_msg(strstr(text, part) != NULL, "'%s' is not in '%s'", part, text);
	ck_assert_ptr_null(strchr(text, '\n'));
	for (size_t i = 0; i < option_rows; i++)
		ck_assert(!o.value[i].is_set);
	ck_assert_uint_eq(o.mount_given, 0);
}

static uint64_t knob(const char *name)
{
	const struct option_row *row = options_find(name, strlen(name));

	ck_assert_ptr_nonnull(row);
	return o.value[row - option_table].number;
}

START_TEST(the_section_of_the_mount_point_counts)
{
	applies("# a comment\n"
		"; another\n"
		"\n"
		"[/mnt/other]\n"
		"directory = /srv/other\n"
		"cache = /dev/other\n"
		"  [ /mnt/lc ]   # the one\n"
		"\tdirectory=/srv/images\n"
		"cache = /dev/x # fast\n"
		"migrate-threshold = 33\n"
		"allow_other = no\n"
		"writeback_cache = on\n"
		"ctldir = visible ; see .lcctl\n"
		"[/mnt/lc2]\n"
		"cache = /dev/y");
	ck_assert_str_eq(options_text(&o, OPT_DIRECTORY), "/srv/images");
	ck_assert_str_eq(options_list(&o, OPT_CACHE)[0], "/dev/x");
	ck_assert_ptr_null(options_list(&o, OPT_CACHE)[1]);
	ck_assert_uint_eq(knob("migrate_threshold"), 33);
	ck_assert(!options_flag(&o, OPT_ALLOW_OTHER, true));
	ck_assert(options_flag(&o, OPT_WRITEBACK_CACHE, false));
	ck_assert_uint_eq(options_number(&o, OPT_CTLDIR), 1);
}
END_TEST

START_TEST(without_a_section_nothing_is_set)
{
	applies("");
	applies("\n# nothing\n");
	applies("[/mnt/LC]\ncache = /dev/x\n[/mnt/l]\ncache = /dev/y\n[/mnt/lc/d]\ncache=/dev/z\n");
	for (size_t i = 0; i < option_rows; i++)
		ck_assert(!o.value[i].is_set);
}
END_TEST

START_TEST(a_mount_point_may_have_slashes_behind)
{
	applies("[/mnt/lc/]\ncache = a\n");
	ck_assert_str_eq(options_list(&o, OPT_CACHE)[0], "a");
	teardown();
	setup();
	o.mnt = "/mnt/lc//";
	applies("[/mnt/lc]\ncache = b\n");
	ck_assert_str_eq(options_list(&o, OPT_CACHE)[0], "b");
}
END_TEST

START_TEST(a_mount_point_is_found_without_symlinks)
{
	o.mnt = "/proc/self/root"; /* a link to / */
	applies("[/]\ncache = a\n");
	ck_assert_str_eq(options_list(&o, OPT_CACHE)[0], "a");
}
END_TEST

START_TEST(the_command_line_wins)
{
	const char *const argv[] = {
		"lcfs",	  "-o",	     "cache=mine,migrate_threshold=5,rw,noallow_other",
		"/mydir", "/mnt/lc", NULL
	};

	teardown();
	ck_assert_int_eq(options_parse(&o, 5, argv, text, sizeof(text)), 0);
	applies("[/mnt/lc]\n"
		"directory = /srv/images\n"
		"cache = a, b\n"
		"ro = on\n"
		"noexec = on\n"
		"suid = on\n"
		"allow_other = on\n"
		"migrate_threshold = 50\n"
		"update_interval = 7\n");
	ck_assert_int_eq(options_complete(&o, text, sizeof(text)), 0);
	ck_assert_str_eq(o.dir, "/mydir");
	ck_assert_str_eq(options_list(&o, OPT_CACHE)[0], "mine");
	ck_assert_ptr_null(options_list(&o, OPT_CACHE)[1]);
	ck_assert_uint_eq(knob("migrate_threshold"), 5);
	ck_assert_uint_eq(knob("update_interval"), 7);
	ck_assert(!options_flag(&o, OPT_ALLOW_OTHER, true));
	ck_assert_uint_eq(o.mount_flags, MS_NODEV | MS_NOEXEC);
}
END_TEST

/* mount(8) says rw where fstab has no word about it. */
START_TEST(rw_of_mount_is_no_decision)
{
	const char *const argv[] = { "mount.lcfs", "none", "/mnt/lc", "-o", "rw", NULL };

	teardown();
	ck_assert_int_eq(options_parse(&o, 5, argv, text, sizeof(text)), 0);
	applies("[/mnt/lc]\ndirectory = d\ncache = c\nro = on\n");
	ck_assert_int_eq(options_complete(&o, text, sizeof(text)), 0);
	ck_assert_str_eq(o.dir, "d");
	ck_assert(o.mount_flags & MS_RDONLY);
}
END_TEST

START_TEST(a_list_is_separated_by_commas)
{
	applies("[/mnt/lc]\ncache = /dev/a ,/dev/b,\t/dev/with\\,comma , LABEL=two words\n");
	ck_assert_str_eq(options_list(&o, OPT_CACHE)[0], "/dev/a");
	ck_assert_str_eq(options_list(&o, OPT_CACHE)[1], "/dev/b");
	ck_assert_str_eq(options_list(&o, OPT_CACHE)[2], "/dev/with,comma");
	ck_assert_str_eq(options_list(&o, OPT_CACHE)[3], "LABEL=two words");
	ck_assert_ptr_null(options_list(&o, OPT_CACHE)[4]);
	teardown();
	setup();
	applies("[/mnt/lc]\ninclude = *.raw, vm?/*\nexclude = '*.iso'\npolicy = least_dirty\n");
	ck_assert_str_eq(options_list(&o, OPT_INCLUDE)[1], "vm?/*");
	ck_assert_str_eq(options_list(&o, OPT_EXCLUDE)[0], "*.iso");
	ck_assert_uint_eq(options_number(&o, OPT_POLICY), 2);
	teardown();
	setup();
	refuses("[/mnt/lc]\ncache = a,,b\n", "FILE:2: cache=", "missing");
	refuses("[/mnt/lc]\ncache = a,\n", "FILE:2: cache=", "missing");
}
END_TEST

START_TEST(a_list_may_have_several_lines)
{
	applies("[/mnt/lc]\ncache = a, b\npolicy = first\ncache = c\\,d\n");
	ck_assert_str_eq(options_list(&o, OPT_CACHE)[0], "a");
	ck_assert_str_eq(options_list(&o, OPT_CACHE)[1], "b");
	ck_assert_str_eq(options_list(&o, OPT_CACHE)[2], "c,d");
	ck_assert_ptr_null(options_list(&o, OPT_CACHE)[3]);
}
END_TEST

START_TEST(quotes_keep_what_is_in_them)
{
	applies("[/mnt/lc]\n"
		"fsname = \"a # b ; c\" # a comment\n"
		"cache = ' lead'\n"
		"directory = \"/it's = here\"\r\n");
	ck_assert_str_eq(options_text(&o, OPT_FSNAME), "a # b ; c");
	ck_assert_str_eq(options_text(&o, OPT_DIRECTORY), "/it's = here");
	ck_assert_str_eq(options_list(&o, OPT_CACHE)[0], "lead");
}
END_TEST

START_TEST(letters_keep_their_size)
{
	o.mnt = "/Mnt/LC";
	applies("[/mnt/lc]\ncache = /dev/a\n[/Mnt/LC]\ncache = /Dev/B\n");
	ck_assert_str_eq(options_list(&o, OPT_CACHE)[0], "/Dev/B");
}
END_TEST

START_TEST(syntax_is_strict)
{
	refuses("cache = a\n", "FILE:1: 'cache'", "before the first section");
	refuses("[/mnt/lc\n", "FILE:1: ", "] of [SECTION]");
	refuses("\n[/mnt/lc] x\n", "FILE:2: ", "behind the ]");
	refuses("[]\n", "FILE:1: ", "without a name");
	refuses("[/a]\nhello\n", "FILE:2: 'hello'", "KEY = VALUE");
	refuses("[/a]\n= 5\n", "FILE:2: ", "no key");
	refuses("[/a]\ncache = \"x\n", "FILE:2: ", "closing \"");
	refuses("[/a]\ncache = 'x' y\n", "FILE:2: ", "behind the closing '");
	refuses("[/a]\ncache = x \\\n", "FILE:2: ", "continued");
	refuses("[/a]\ncache = \x01\n", "FILE:2: ", "0x01");
	refuses("[/a]\npa\xc2\xadth = x\n", "FILE:2: unknown key", "th");
}
END_TEST

START_TEST(what_is_there_twice_is_refused)
{
	refuses("[/a]\n[/b]\n[/a]\n", "FILE:3: section [/a]", "line 1");
	refuses("[/mnt/lc]\ncache = x\n[/mnt/lc/]\n", "FILE:3: section [/mnt/lc/]", "line 1");
	refuses("[/a]\n[/a/]\n", "FILE:2: section [/a/]", "line 1");
	refuses("[/a]\nfsname = x\n\nfsname = y\n", "FILE:4: 'fsname'", "line 2");
	refuses("[/a]\nram_buffers = 4\nram-buffers = 4\n", "FILE:3: 'ram-buffers'", "line 2");
	refuses("[/a]\nro = on\nrw = on\n", "FILE:3: 'rw'", "line before");
}
END_TEST

START_TEST(keys_and_values_are_checked_in_all_sections)
{
	refuses("[/a]\ncach = x\n", "FILE:2: unknown key 'cach'", "lcfs.conf(5)");
	refuses("[/a]\nCache = x\n", "FILE:2: unknown key 'Cache'", "");
	refuses("[/a]\nnoallow_other = on\n", "FILE:2: ", "'allow_other = off'");
	refuses("[/a]\n_netdev = on\n", "FILE:2: ", "fstab(5)");
	refuses("[/a]\nx-systemd.requires = b\n", "FILE:2: ", "fstab(5)");
	refuses("[/a]\nconfig = b\n", "FILE:2: ", "command line");
	refuses("[/a]\nforce = on\n", "FILE:2: 'force'", "command line");
	refuses("[/a]\nlost_buffers = off\n", "FILE:2: 'lost_buffers'", "command line");
	refuses("[/a]\nmigrate_threshold = 101\n", "FILE:2: ", "from 0 to 100 %");
	refuses("[/a]\nmigrate_threshold =\n", "FILE:2: ", "from 0 to 100 %");
	refuses("[/a]\nwriteback_cache = perhaps\n", "FILE:2: ", "on or off");
	refuses("[/a]\nro = perhaps\n", "FILE:2: ", "on or off");
	refuses("[/a]\nctldir = gone\n", "FILE:2: ", "hidden|visible");
	refuses("[/a]\ncache =\n", "FILE:2: ", "missing");
	refuses("[/a]\ndirectory = \"\"\n", "FILE:2: ", "missing");
	refuses("[images]\n", "FILE:1: [images]", "from / on");
}
END_TEST

/* A line may be anything, but not too long. */
START_TEST(long_lines_are_refused)
{
	char content[2048];

	snprintf(content, sizeof(content), "[/a]\ndirectory = /%01000d\n", 0);
	refuses(content, "FILE:2: a line of more than", "bytes");
	snprintf(content, sizeof(content), "[/mnt/lc]\ndirectory = /%0800d\n", 0);
	applies(content);
	ck_assert_uint_eq(strlen(options_text(&o, OPT_DIRECTORY)), 801);
}
END_TEST

START_TEST(any_bytes_are_survived)
{
	static const char alphabet[] = "[]=#;\"'\\, \t\r\n/acnhe_-\x7f\x80";
	char content[64];

	srandom(1);
	for (int round = 0; round < 20000; round++) {
		size_t len = (size_t)random() % sizeof(content);

		for (size_t i = 0; i < len; i++)
			content[i] = alphabet[(size_t)random() % sizeof(alphabet)];
		(void)!conffile_apply_text(&o, "FILE", content, len, text, sizeof(text));
	}
}
END_TEST

/* ------------------------------------------------------------------ the file itself */

static char path[] = "/tmp/check_conffile.XXXXXX";

static void given(mode_t mode)
{
	int fd;

	strcpy(path, "/tmp/check_conffile.XXXXXX");
	fd = mkstemp(path);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, "[/mnt/lc]\ncache = c\n", 20), 20);
	ck_assert_int_eq(fchmod(fd, mode), 0);
	close(fd);
	setup();
	o.value[OPT_CONFIG] = (struct option_value){ .is_set = true, .text = strdup(path) };
}

static void assert_not_read(int err, const char *part)
{
	ck_assert_int_eq(conffile_apply(&o, text, sizeof(text)), err);
	ck_assert_msg(strstr(text, part) != NULL, "'%s' is not in '%s'", part, text);
	ck_assert_ptr_null(options_list(&o, OPT_CACHE));
}

START_TEST(a_file_is_read)
{
	given(0644);
	ck_assert_int_eq(conffile_apply(&o, text, sizeof(text)), 0);
	ck_assert_str_eq(options_list(&o, OPT_CACHE)[0], "c");
	unlink(path);
}
END_TEST

START_TEST(a_file_that_everybody_may_write_is_not_read)
{
	given(0646);
	assert_not_read(-EPERM, "chmod o-w");
	unlink(path);
}
END_TEST

START_TEST(what_is_no_file_is_not_read)
{
	given(0600);
	unlink(path);
	assert_not_read(-ENOENT, "No such file");
	ck_assert_int_eq(mkfifo(path, 0600), 0);
	assert_not_read(-EINVAL, "no regular file");
	unlink(path);
	ck_assert_int_eq(mkdir(path, 0700), 0);
	assert_not_read(-EINVAL, "no regular file");
	rmdir(path);
}
END_TEST

START_TEST(a_huge_file_is_not_read)
{
	given(0600);
	ck_assert_int_eq(truncate(path, CONFSCAN_BYTES_MAX + 1), 0);
	assert_not_read(-EFBIG, "more than 256 KiB");
	ck_assert_int_eq(truncate(path, CONFSCAN_BYTES_MAX), 0);
	assert_not_read(-EINVAL, ":3: a line of more than");
	unlink(path);
}
END_TEST

static Suite *make_suite(void)
{
	Suite *s = suite_create("conffile");
	TCase *tc = tcase_create("content"), *file = tcase_create("file");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, the_section_of_the_mount_point_counts);
	tcase_add_test(tc, without_a_section_nothing_is_set);
	tcase_add_test(tc, a_mount_point_may_have_slashes_behind);
	tcase_add_test(tc, a_mount_point_is_found_without_symlinks);
	tcase_add_test(tc, the_command_line_wins);
	tcase_add_test(tc, rw_of_mount_is_no_decision);
	tcase_add_test(tc, a_list_is_separated_by_commas);
	tcase_add_test(tc, quotes_keep_what_is_in_them);
	tcase_add_test(tc, letters_keep_their_size);
	tcase_add_test(tc, syntax_is_strict);
	tcase_add_test(tc, a_list_may_have_several_lines);
	tcase_add_test(tc, what_is_there_twice_is_refused);
	tcase_add_test(tc, keys_and_values_are_checked_in_all_sections);
	tcase_add_test(tc, long_lines_are_refused);
	tcase_add_test(tc, any_bytes_are_survived);
	suite_add_tcase(s, tc);
	tcase_add_checked_fixture(file, NULL, teardown);
	tcase_add_test(file, a_file_is_read);
	tcase_add_test(file, a_file_that_everybody_may_write_is_not_read);
	tcase_add_test(file, what_is_no_file_is_not_read);
	tcase_add_test(file, a_huge_file_is_not_read);
	suite_add_tcase(s, file);
	return s;
}

CHECK_MAIN(make_suite)
