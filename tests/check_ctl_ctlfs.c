// SPDX-License-Identifier: GPL-2.0-or-later
/* The control tree: what is where, and the manners of its files. */
#include "lcfs/ctl/ctlfs.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "lcfs/ctl/ctl_table.h"
#include "tests/check_main.h"
#include "tests/fake/ctl_stub.h"
#include "tests/fake/ctl_walk.h"

/* ------------------------------------------------------------------ the table */

START_TEST(every_row_is_whole)
{
	for (size_t i = 0; i < ctl_table_rows; i++) {
		const struct ctl_item *item = &ctl_table[i];

		ck_assert_msg(item->name && item->unit && item->help, "row %zu", i);
		ck_assert_msg(strlen(item->name) <= CTL_NAME_MAX, "%s", item->name);
		ck_assert_msg(!!item->child + !!item->link +
					      (item->show || ctl_item_can_store(item)) ==
				      1,
			      "%s is one of directory, link, file", item->name);
		ck_assert_msg(!item->store || item->min < item->max, "%s has a range", item->name);
		for (size_t j = 0; j < i; j++)
			ck_assert_msg(ctl_table[j].kind != item->kind ||
					      strcmp(ctl_table[j].name, item->name) != 0,
				      "%s stands twice", item->name);
	}
}
END_TEST

START_TEST(names_of_dm_lc_are_there)
{
	static const char *const names[] = {
		"caches/1/allow_migrate",
		"caches/1/barrier_deadline_ms",
		"caches/1/commit_super_block",
		"caches/1/commit_super_block_interval",
		"caches/1/device",
		"caches/1/flush_current_buffer",
		"caches/1/flush_current_buffer_interval",
		"caches/1/force_migrate",
		"caches/1/last_flushed_segment_id",
		"caches/1/last_migrated_segment_id",
		"caches/1/nr_max_batched_migration",
		"caches/1/update_interval",
		"devices/7/cache_id",
		"devices/7/dev",
		"devices/7/device",
		"devices/7/migrate_threshold",
		"devices/7/nr_dirty_caches",
	};
	struct ctl_attr attr;

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		ck_assert_msg(tree_find(names[i], &attr) == 0, "%s", names[i]);
}
END_TEST

/* ------------------------------------------------------------------ directories */

START_TEST(lookup_and_list_agree)
{
	static const char *const dirs[] = { "caches", "caches/1", "devices", "devices/3" };

	for (size_t i = 0; i < sizeof(dirs) / sizeof(dirs[0]); i++) {
		struct ctl_entry *entries;
		struct ctl_attr dir, attr;
		size_t nr;

		ck_assert_int_eq(tree_find(dirs[i], &dir), 0);
		ck_assert_int_eq(dir.type, CTL_DIR);
		ck_assert_int_eq(ctlfs_list(tree, dir.node, &entries, &nr), 0);
		ck_assert_uint_gt(nr, 0);
		for (size_t j = 0; j < nr; j++) {
			ck_assert_int_eq(ctlfs_lookup(tree, dir.node, entries[j].name, &attr), 0);
			ck_assert_uint_eq(attr.node, entries[j].node);
			ck_assert_int_eq(attr.type, entries[j].type);
			ck_assert_uint_lt(attr.node, UINT64_C(1) << 48);
		}
		free(entries);
	}
}
END_TEST

START_TEST(images_without_an_id_are_not_listed)
{
	struct ctl_entry *entries;
	struct ctl_attr attr;
	size_t nr;

	ck_assert_int_eq(tree_find("devices", &attr), 0);
	ck_assert_int_eq(ctlfs_list(tree, attr.node, &entries, &nr), 0);
	ck_assert_uint_eq(nr, 2);
	ck_assert_str_eq(entries[0].name, "3");
	ck_assert_str_eq(entries[1].name, "7");
	free(entries);
}
END_TEST

START_TEST(a_thing_has_one_name)
{
	static const char *const wrong[] = { "devices/07",	 "devices/0",
					     "devices/ 7",	 "devices/7x",
					     "devices/8",	 "devices/4294967303",
					     "devices/-7",	 "caches/2",
					     "caches/0",	 "nothing",
					     "caches/1/nothing", "devices/7/nr_segments",
					     "version/x",	 "" };
	struct ctl_attr attr;

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		ck_assert_msg(tree_find(wrong[i], &attr) < 0, "%s", wrong[i]);
	ck_assert_int_eq(tree_find("version/x", &attr), -ENOTDIR);
	ck_assert_int_eq(tree_find("devices/8", &attr), -ENOENT);
}
END_TEST

START_TEST(any_number_is_a_node_or_is_not)
{
	struct ctl_entry *entries;
	struct ctl_attr attr;
	size_t nr;
	char buf[8];

	for (uint64_t kind = 0; kind < 16; kind++) {
		for (uint64_t low = 0; low < (8 << 12); low += 3) {
			uint64_t node = kind << 44 | low;
			int err = ctlfs_getattr(tree, node, &attr);

			ck_assert(err == 0 || err == -ENOENT);
			if (ctlfs_list(tree, node, &entries, &nr) == 0)
				free(entries);
			ck_assert_int_lt(ctlfs_readlink(tree, UINT64_MAX - low, buf, 8), 0);
		}
	}
}
END_TEST

START_TEST(attributes_follow_the_table)
{
	struct ctl_attr attr;

	ck_assert_int_eq(tree_find("caches", &attr), 0);
	ck_assert_uint_eq(attr.mode, S_IFDIR | 0755);
	ck_assert_uint_eq(attr.nlink, 2);
	ck_assert_int_eq(tree_find("version", &attr), 0);
	ck_assert_uint_eq(attr.mode, S_IFREG | 0444);
	ck_assert_uint_eq(attr.uid, 12);
	ck_assert_uint_eq(attr.gid, 34);
	ck_assert_int_eq(attr.size, 0);
	ck_assert_int_eq(tree_find("caches/1/allow_migrate", &attr), 0);
	ck_assert_uint_eq(attr.mode, S_IFREG | 0644);
	ck_assert_int_eq(tree_find("caches/1/device", &attr), 0);
	ck_assert_uint_eq(attr.mode, S_IFLNK | 0777);
	ck_assert_int_eq(attr.size, (off_t)strlen("/dev/cache"));
	ck_assert_int_eq(ctlfs_getattr(tree, CTL_ROOT, &attr), 0);
	ck_assert_uint_eq(attr.nlink, 4);
}
END_TEST

START_TEST(device_links_lead_to_the_real_things)
{
	struct ctl_attr attr;
	char buf[64];

	ck_assert_int_eq(tree_find("caches/1/device", &attr), 0);
	ck_assert_int_eq(ctlfs_readlink(tree, attr.node, buf, sizeof(buf)), 10);
	ck_assert_mem_eq(buf, "/dev/cache", 10);
	ck_assert_int_eq(tree_find("devices/3/device", &attr), 0);
	ck_assert_int_eq(ctlfs_readlink(tree, attr.node, buf, sizeof(buf)), 21);
	ck_assert_mem_eq(buf, "/srv/images/sub/b.img", 21);
	ck_assert_int_eq(ctlfs_readlink(tree, attr.node, buf, 4), 4);
	ck_assert_int_eq(ctlfs_readlink(tree, CTL_ROOT, buf, 4), -EINVAL);
}
END_TEST

/* ------------------------------------------------------------------ files */

START_TEST(open_asks_whether_it_can)
{
	struct ctl_file *f;
	struct ctl_attr attr;

	ck_assert_int_eq(tree_find("version", &attr), 0);
	ck_assert_int_eq(ctlfs_open(tree, attr.node, O_WRONLY, &f), -EACCES);
	ck_assert_int_eq(ctlfs_open(tree, attr.node, O_RDWR, &f), -EACCES);
	ck_assert_int_eq(tree_find("caches", &attr), 0);
	ck_assert_int_eq(ctlfs_open(tree, attr.node, O_RDONLY, &f), -EISDIR);
	ck_assert_int_eq(tree_find("caches/1/device", &attr), 0);
	ck_assert_int_eq(ctlfs_open(tree, attr.node, O_RDONLY, &f), -ELOOP);
	f = tree_open("caches/1/allow_migrate", O_RDONLY);
	ck_assert_int_eq(ctlfs_write(f, "1", 1), -EBADF);
	ctlfs_release(f);
	f = tree_open("caches/1/allow_migrate", O_WRONLY);
	ck_assert_int_eq(ctlfs_read(f, &attr, 1, 0), -EBADF);
	ctlfs_release(f);
}
END_TEST

START_TEST(a_value_is_written_whole_or_not_at_all)
{
	static const char *const invalid[] = { "",	"\n", "x",   " 1",  "1 ",
					       "1\n\n", "-1", "0x1", "1 2", "on" };

	stub.knob[KNOB_MIGRATE_THRESHOLD] = 70;
	for (size_t i = 0; i < sizeof(invalid) / sizeof(invalid[0]); i++)
		ck_assert_msg(echo("caches/1/migrate_threshold", invalid[i]) == -EINVAL, "'%s'",
			      invalid[i]);
	ck_assert_int_eq(tree_write("caches/1/migrate_threshold", "1\0002", 3), -EINVAL);
	ck_assert_int_eq(echo("caches/1/migrate_threshold", "101"), -ERANGE);
	ck_assert_int_eq(echo("caches/1/migrate_threshold", "18446744073709551616"), -ERANGE);
	ck_assert_int_eq(stub.knob_sets, 0);
	ck_assert_int_eq(echo("caches/1/migrate_threshold", "55\n"), 3);
	ck_assert_int_eq(echo("caches/1/migrate_threshold", "100"), 3);
	ck_assert_uint_eq(stub.knob[KNOB_MIGRATE_THRESHOLD], 100);
}
END_TEST

START_TEST(a_huge_write_is_refused)
{
	static char data[1 << 17];

	memset(data, '1', sizeof(data));
	ck_assert_int_eq(tree_write("caches/1/allow_migrate", data, sizeof(data)), -EINVAL);
}
END_TEST

static void check_knob(enum cache_knob knob, const char *path, uint64_t value)
{
	char text[32];

	snprintf(text, sizeof(text), "%llu\n", (unsigned long long)value);
	ck_assert_int_gt(echo(path, text), 0);
	ck_assert_uint_eq(stub.knob[knob], value);
	assert_reads(path, text);
}

START_TEST(each_knob_reads_what_was_written)
{
#define KNOB(knob_, name_, unit_, min_, max_, default_, help_) \
	check_knob(knob_, "caches/1/" #name_, max_);
#include "lcfs/ctl/knobs.def"
#undef KNOB
	ck_assert_int_eq(stub.carried, stub.knob_sets);
}
END_TEST

START_TEST(what_the_core_refuses_is_refused)
{
	stub.knob_error = -ERANGE;
	ck_assert_int_eq(echo("caches/1/update_interval", "5"), -ERANGE);
	ck_assert_uint_eq(stub.knob[KNOB_UPDATE_INTERVAL], 0);
}
END_TEST

START_TEST(the_threshold_of_a_device_is_that_of_its_cache)
{
	ck_assert_int_gt(echo("devices/7/migrate_threshold", "33"), 0);
	assert_reads("caches/1/migrate_threshold", "33\n");
}
END_TEST

START_TEST(triggers_take_one_or_more_and_read_zero)
{
	ck_assert_int_eq(echo("caches/1/flush_current_buffer", "0"), -ERANGE);
	ck_assert_int_eq(stub.syncs, 0);
	ck_assert_int_eq(echo("caches/1/flush_current_buffer", "1\n"), 2);
	ck_assert_int_eq(stub.syncs, 1);
	ck_assert_uint_eq(stub.knob[KNOB_FLUSH_CURRENT_BUFFER], 1);
	ck_assert_uint_eq(stub.knob[KNOB_ALLOW_MIGRATE], 0);
	stub.sync_error = -EIO;
	ck_assert_int_eq(echo("caches/1/flush_current_buffer", "1"), -EIO);
	ck_assert_int_eq(echo("caches/1/commit_super_block", "2"), 1);
	ck_assert_uint_eq(stub.knob[KNOB_COMMIT_SUPER_BLOCK], 2);
	ck_assert_int_eq(echo("caches/1/clear_stat", "1"), 1);
	ck_assert_int_eq(stub.clears, 1);
	ck_assert_int_eq(echo("devices/3/drain", "1"), 1);
	ck_assert_int_eq(stub.image[1].drains, 1);
	assert_reads("caches/1/commit_super_block", "0\n");
	assert_reads("caches/1/flush_current_buffer", "0\n");
	assert_reads("devices/3/drain", "0\n");
}
END_TEST

START_TEST(resolve_takes_its_words_and_no_others)
{
	assert_reads("devices/7/resolve", "none\n");
	stub.image[0].info.state = IMAGE_CONFLICT;
	assert_reads("devices/7/resolve", "keep-cache keep-backing export\n");
	ck_assert_int_eq(echo("devices/7/resolve", "keep"), -EINVAL);
	ck_assert_int_eq(echo("devices/7/resolve", "1"), -EINVAL);
	ck_assert_int_eq(echo("devices/7/resolve", ""), -EINVAL);
	ck_assert_int_eq(echo("devices/7/resolve", "keep-cache keep-backing"), -EINVAL);
	ck_assert_int_eq(stub.image[0].resolved, 0);
	ck_assert_int_eq(echo("devices/7/resolve", "keep-cache\n"), 11);
	ck_assert_int_eq(stub.image[0].resolved, 1 + IMAGE_KEEP_CACHE);
	ck_assert_int_eq(echo("devices/7/resolve", "keep-backing"), 12);
	ck_assert_int_eq(stub.image[0].resolved, 1 + IMAGE_KEEP_BACKING);
	ck_assert_int_eq(echo("devices/7/resolve", "export"), -EINVAL);
	ck_assert_str_eq(stub.image[0].exported, "");
	ck_assert_int_eq(echo("devices/7/resolve", "export /tmp/a b\n"), 16);
	ck_assert_str_eq(stub.image[0].exported, "/tmp/a b");
}
END_TEST

START_TEST(numbers_are_the_core_s)
{
	stub.status.nr_segments = 100;
	stub.status.last_flushed = 42;
	stub.status.last_migrated = 40;
	stub.status.dirty_blocks = 9;
	stub.status.is_migrating = true;
	assert_reads("caches/1/nr_segments", "100\n");
	assert_reads("caches/1/last_flushed_segment_id", "42\n");
	assert_reads("caches/1/last_migrated_segment_id", "40\n");
	assert_reads("caches/1/nr_dirty_caches", "9\n");
	assert_reads("caches/1/migrating", "1\n");
	assert_reads("caches/1/state", "ok\n");
	stub.status.is_failed = true;
	stub.status.state = CACHE_FAILED;
	assert_reads("caches/1/state", "failed\n");
}
END_TEST

#define COUNTERS                                                                         \
	"0 0 0 0 100\n1 0 0 0 101\n0 1 0 0 102\n1 1 0 0 103\n0 0 1 0 104\n1 0 1 0 105\n" \
	"0 1 1 0 106\n1 1 1 0 107\n0 0 0 1 108\n1 0 0 1 109\n0 1 0 1 110\n1 1 0 1 111\n" \
	"0 0 1 1 112\n1 0 1 1 113\n0 1 1 1 114\n1 1 1 1 115\n"

START_TEST(status_and_stat_have_dm_lc_s_form)
{
	stub.status.ram_bytes = 1;
	stub.knob[KNOB_ALLOW_MIGRATE] = 1;
	stub.status.nr_segments = 3;
	stub.status.last_migrated = 4;
	stub.status.last_flushed = 5;
	stub.status.current_segment = 6;
	stub.status.cursor = 7;
	for (int i = 0; i < 16; i++)
		stub.status.count[i] = 100u + (unsigned int)i;
	assert_reads("caches/1/status", "current cache_id_ptr: 1\n"
					"static RAM(approx.): 1 (byte)\n"
					"allow_migrate: 1\n"
					"nr_segments: 3\n"
					"last_migrated_segment_id: 4\n"
					"last_flushed_segment_id: 5\n"
					"current segment id: 6\n"
					"cursor: 7\n"
					"\n"
					"write? hit? on_buffer? fullsize?\n" COUNTERS);
	assert_reads("caches/1/stat", COUNTERS);
}
END_TEST

START_TEST(version_and_transport_are_the_program_s)
{
	assert_reads("version", "1.2.3\n");
	assert_reads("transport", "dev\n");
}
END_TEST

START_TEST(a_device_tells_of_its_image)
{
	assert_reads("devices/7/cache_id", "1\n");
	assert_reads("devices/3/cache_id", "0\n");
	assert_reads("devices/3/dev", "b.img\n");
	assert_reads("devices/3/name", "sub/b.img\n");
	assert_reads("devices/7/dev", "a.img\n");
	assert_reads("devices/7/nr_dirty_caches", "5\n");
	assert_reads("devices/7/size", "1048576\n");
	assert_reads("devices/7/state", "dirty\n");
}
END_TEST

START_TEST(caches_come_and_go_and_it_is_told_why_not)
{
	ck_assert_int_eq(echo("add_cache", "/dev/new\n"), 9);
	ck_assert_str_eq(stub.added, "/dev/new");
	assert_reads("add_cache", "\n");
	ck_assert_int_eq(echo("add_cache", "no"), -ENODEV);
	assert_reads("add_cache", "no: is none\n");
	ck_assert_int_eq(echo("add_cache", ""), -EINVAL);
	ck_assert_int_eq(echo("remove_cache", "3"), 1);
	ck_assert_uint_eq(stub.removed, 3);
	assert_reads("remove_cache", "\n");
	ck_assert_int_eq(echo("remove_cache", "9"), -ENOENT);
	assert_reads("remove_cache", "there is no cache 9\n");
	ck_assert_int_eq(echo("remove_cache", "0"), -ERANGE);
	ck_assert_int_eq(echo("remove_cache", "all"), -EINVAL);
	ck_assert_uint_eq(stub.removed, 9);
}
END_TEST

START_TEST(cache_id_takes_only_what_it_has)
{
	ck_assert_int_eq(echo("devices/7/cache_id", "1"), 1);
	ck_assert_int_eq(echo("devices/7/cache_id", "0"), -EOPNOTSUPP);
	ck_assert_int_eq(echo("devices/7/cache_id", "2"), -ERANGE);
	ck_assert_int_eq(echo("devices/7/cache_id", "256"), -ERANGE);
	ck_assert_int_eq(echo("devices/7/cache_id", "4294967296"), -ERANGE);
	ck_assert_int_eq(echo("devices/7/cache_id", "none"), -EINVAL);
}
END_TEST

START_TEST(a_read_goes_on_in_what_it_began)
{
	struct ctl_file *f = tree_open("caches/1/nr_dirty_caches", O_RDONLY);
	char buf[8] = "";

	stub.status.dirty_blocks = 123456;
	ck_assert_int_eq(ctlfs_read(f, buf, 3, 0), 3);
	stub.status.dirty_blocks = 7;
	ck_assert_int_eq(ctlfs_read(f, buf + 3, 5, 3), 4);
	ck_assert_str_eq(buf, "123456\n");
	ck_assert_int_eq(ctlfs_read(f, buf, 5, 7), 0);
	ck_assert_int_eq(ctlfs_read(f, buf, 5, UINT64_MAX), 0);
	ck_assert_int_eq(ctlfs_read(f, buf, 8, 0), 2);
	ck_assert_mem_eq(buf, "7\n", 2);
	ctlfs_release(f);
	f = tree_open("caches/1/nr_dirty_caches", O_RDONLY);
	ck_assert_int_eq(ctlfs_read(f, buf, 8, 1), 1);
	ctlfs_release(f);
}
END_TEST

START_TEST(a_file_of_an_image_that_has_gone_is_gone)
{
	struct ctl_file *f = tree_open("devices/7/drain", O_RDWR);
	struct ctl_attr attr;
	char buf[8];

	stub.image[0].is_gone = true;
	ck_assert_int_eq(ctlfs_read(f, buf, 8, 0), -ENOENT);
	ck_assert_int_eq(ctlfs_write(f, "1", 1), -ENOENT);
	ck_assert_int_eq(stub.image[0].drains, 0);
	ck_assert_int_eq(tree_find("devices/7", &attr), -ENOENT);
	ctlfs_release(f);
}
END_TEST

static Suite *make_suite(void)
{
	Suite *s = suite_create("ctlfs");
	TCase *tc = tcase_create("tree");

	tcase_add_checked_fixture(tc, tree_setup, tree_teardown);
	tcase_add_test(tc, every_row_is_whole);
	tcase_add_test(tc, names_of_dm_lc_are_there);
	tcase_add_test(tc, lookup_and_list_agree);
	tcase_add_test(tc, images_without_an_id_are_not_listed);
	tcase_add_test(tc, a_thing_has_one_name);
	tcase_add_test(tc, any_number_is_a_node_or_is_not);
	tcase_add_test(tc, attributes_follow_the_table);
	tcase_add_test(tc, device_links_lead_to_the_real_things);
	suite_add_tcase(s, tc);

	tc = tcase_create("files");
	tcase_add_checked_fixture(tc, tree_setup, tree_teardown);
	tcase_add_test(tc, open_asks_whether_it_can);
	tcase_add_test(tc, a_value_is_written_whole_or_not_at_all);
	tcase_add_test(tc, a_huge_write_is_refused);
	tcase_add_test(tc, each_knob_reads_what_was_written);
	tcase_add_test(tc, what_the_core_refuses_is_refused);
	tcase_add_test(tc, the_threshold_of_a_device_is_that_of_its_cache);
	tcase_add_test(tc, triggers_take_one_or_more_and_read_zero);
	tcase_add_test(tc, resolve_takes_its_words_and_no_others);
	tcase_add_test(tc, numbers_are_the_core_s);
	tcase_add_test(tc, status_and_stat_have_dm_lc_s_form);
	tcase_add_test(tc, version_and_transport_are_the_program_s);
	tcase_add_test(tc, a_device_tells_of_its_image);
	tcase_add_test(tc, caches_come_and_go_and_it_is_told_why_not);
	tcase_add_test(tc, cache_id_takes_only_what_it_has);
	tcase_add_test(tc, a_read_goes_on_in_what_it_began);
	tcase_add_test(tc, a_file_of_an_image_that_has_gone_is_gone);
	suite_add_tcase(s, tc);
	return s;
}

CHECK_MAIN(make_suite)
