// SPDX-License-Identifier: GPL-2.0-or-later
/* smoke */
#include <errno.h>
#include <stdio.h>
#include "lcfs/cache/logscan.h"
#include "tests/check_main.h"
#include "tests/fake/logbuild.h"
static int fn(struct logscan *s, const struct logscan_record *r, void *arg)
{
	(void)arg;
	static _Alignas(4096) char buf[4096];
	ck_assert_int_eq(logscan_block(s, r, 0, buf), 0);
	return 0;
}
START_TEST(smoke)
{
	struct logbuild b; struct logscan_result res;
	logbuild_init(&b, 7, 16, 4);
	logbuild_append_many(&b, 20, 3);
	int ret = logscan_walk(&b.mem->dev, &b.sb, 0, fn, NULL, &res);
	printf("%d %lu %lu %lu %u next %lu-%lu %s\n", ret, res.last_lsn, res.records, res.end_segment, res.end_offset, res.next_first, res.next_last, res.text);
	logbuild_free(&b);
}
END_TEST
static Suite *make_suite(void)
{
	Suite *s = suite_create("logscan");
	CHECK_CASE(s, "all", smoke);
	return s;
}
CHECK_MAIN(make_suite)
