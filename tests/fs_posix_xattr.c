// SPDX-License-Identifier: GPL-2.0-or-later
/* Extended attributes. */
#include <stdlib.h>
#include <string.h>
#include <sys/xattr.h>

#include "tests/fs_posix.h"

static void need_xattrs(const char *path)
{
	if (setxattr(path, "user.test", "", 0, 0) < 0) {
		if (errno == EOPNOTSUPP)
			fs_skip("no user xattrs");
		fs_fail(__FILE__, __LINE__, path, -errno, 0);
	}
	OK(removexattr(path, "user.test"));
}

static bool is_listed(const char *path, const char *name)
{
	char list[4096];
	ssize_t n = OK(listxattr(path, list, sizeof(list)));

	for (ssize_t at = 0; at < n; at += (ssize_t)strlen(list + at) + 1) {
		if (strcmp(list + at, name) == 0)
			return true;
	}
	return false;
}

static void values(void)
{
	char buf[4096], *big = malloc(3000);

	fs_write("f", "x");
	need_xattrs("f");
	ERR(getxattr("f", "user.a", buf, sizeof(buf)), ENODATA);
	OK(setxattr("f", "user.a", "value", 5, 0));
	SAME(getxattr("f", "user.a", buf, sizeof(buf)), 5);
	TRUE(memcmp(buf, "value", 5) == 0);
	SAME(getxattr("f", "user.a", NULL, 0), 5);
	ERR(getxattr("f", "user.a", buf, 4), ERANGE);
	ERR(setxattr("f", "user.a", "v", 1, XATTR_CREATE), EEXIST);
	OK(setxattr("f", "user.a", "longer value", 12, XATTR_REPLACE));
	SAME(getxattr("f", "user.a", buf, sizeof(buf)), 12);
	ERR(setxattr("f", "user.b", "v", 1, XATTR_REPLACE), ENODATA);
	OK(setxattr("f", "user.empty", "", 0, 0));
	SAME(getxattr("f", "user.empty", buf, sizeof(buf)), 0);
	fs_pattern(big, 3000, 9);
	OK(setxattr("f", "user.big", big, 3000, 0));
	SAME(getxattr("f", "user.big", buf, sizeof(buf)), 3000);
	TRUE(memcmp(buf, big, 3000) == 0);
	TRUE(is_listed("f", "user.a") && is_listed("f", "user.big") &&
	     is_listed("f", "user.empty"));
	ERR(listxattr("f", buf, 3), ERANGE);
	SAME(listxattr("f", NULL, 0), listxattr("f", buf, sizeof(buf)));
	OK(removexattr("f", "user.a"));
	ERR(removexattr("f", "user.a"), ENODATA);
	TRUE(!is_listed("f", "user.a"));
	free(big);
}

static void kinds(void)
{
	char buf[8];

	OK(mkdir("d", 0755));
	need_xattrs("d");
	OK(setxattr("d", "user.a", "dir", 3, 0));
	SAME(getxattr("d", "user.a", buf, 8), 3);
	OK(symlink("d", "s"));
	SAME(getxattr("s", "user.a", buf, 8), 3);
	ERR(lsetxattr("s", "user.a", "x", 1, 0), EPERM);
	ERR(lgetxattr("s", "user.a", buf, 8), ENODATA);
	OK(lsetxattr("s", "trusted.a", "link", 4, 0));
	SAME(lgetxattr("s", "trusted.a", buf, 8), 4);
	ERR(getxattr("d", "trusted.a", buf, 8), ENODATA);
	ERR(setxattr("d", "nonsense", "x", 1, 0), EOPNOTSUPP);
}

const struct fs_case fs_cases_xattr[] = {
	{ "xattr_values", values, false },
	{ "xattr_kinds", kinds, true },
	{ 0 },
};
