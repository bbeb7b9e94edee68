// SPDX-License-Identifier: GPL-2.0-or-later
/* Lists of processors. */
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "common/cpulist.h"
#include "tests/check_main.h"

static cpu_set_t set;

static int read_text(const char *text)
{
	char path[] = "/tmp/check_cpulist.XXXXXX";
	int fd = mkstemp(path), n;

	ck_assert_int_ge(fd, 0);
	ck_assert_int_ge(dprintf(fd, "%s", text), 0);
	close(fd);
	n = cpulist_read(path, &set);
	unlink(path);
	return n;
}

START_TEST(single_ones_and_ranges_are_read)
{
	ck_assert_int_eq(read_text("0\n"), 1);
	ck_assert(CPU_ISSET(0, &set));
	ck_assert_int_eq(read_text("0-3,8,10-11\n"), 7);
	for (unsigned int cpu = 0; cpu < 16; cpu++)
		ck_assert_int_eq(CPU_ISSET(cpu, &set) != 0,
				 cpu <= 3 || cpu == 8 || cpu == 10 || cpu == 11);
}
END_TEST

START_TEST(more_than_a_set_holds_is_an_error)
{
	ck_assert_int_eq(read_text("0-1023\n"), CPU_SETSIZE);
	ck_assert_int_eq(read_text("0-1024\n"), -ERANGE);
	ck_assert_int_eq(read_text("0-4294967295\n"), -ERANGE);
	ck_assert_int_eq(read_text("0,99999\n"), -ERANGE);
}
END_TEST

START_TEST(what_is_no_list_is_refused)
{
	const char *const bad[] = { "\n", "x\n", "1-\n", "3-1\n", "1 2\n", "1,,2\n" };

	for (size_t i = 0; i < array_size(bad); i++)
		ck_assert_msg(read_text(bad[i]) == -EINVAL, "%s", bad[i]);
	ck_assert_int_lt(read_text(""), 0);
	ck_assert_int_eq(cpulist_read("/nowhere/at/all", &set), -ENOENT);
}
END_TEST

static Suite *make_suite(void)
{
	Suite *s = suite_create("common_cpulist");

	CHECK_CASE(s, "read", single_ones_and_ranges_are_read, more_than_a_set_holds_is_an_error,
		   what_is_no_list_is_refused);
	return s;
}

CHECK_MAIN(make_suite)
