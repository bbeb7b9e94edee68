/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What every libcheck program shares. Include it once; the file ends with CHECK_MAIN(). */
#ifndef TESTS_CHECK_MAIN_H
#define TESTS_CHECK_MAIN_H

#include <check.h>
#include <stdlib.h>

/* Environment: CK_FORK=no, CK_RUN_CASE=name, CK_VERBOSITY=verbose as libcheck has them. */
static inline int check_run(Suite *suite)
{
	SRunner *runner = srunner_create(suite);
	int failed;

	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

/* The test case name of suite, with the tests that follow as arguments. */
static inline void check_add_case(Suite *suite, const char *name, const TTest *const *tests,
				  size_t n)
{
	TCase *tc = tcase_create(name);

	for (size_t i = 0; i < n; i++)
		tcase_add_test(tc, tests[i]);
	suite_add_tcase(suite, tc);
}

#define CHECK_CASE(suite, name, ...)                                       \
	check_add_case(suite, name, (const TTest *const[]){ __VA_ARGS__ }, \
		       sizeof((const TTest *const[]){ __VA_ARGS__ }) / sizeof(TTest *))

#define CHECK_MAIN(make_suite)                  \
	int main(void)                          \
	{                                       \
		return check_run(make_suite()); \
	}

#endif
