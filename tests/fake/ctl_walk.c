// SPDX-License-Identifier: GPL-2.0-or-later
/* Files of the control tree by path. */
#include "tests/fake/ctl_walk.h"

#include <check.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/fake/ctl_stub.h"

struct ctlfs *tree;

const struct ctlfs_conf *tree_conf(void)
{
	static struct ctlfs_conf conf;

	conf = (struct ctlfs_conf){
		.dir = stub_imagedir(),
		.source = "/srv/images",
		.cache_path = "/dev/cache",
		.mount = "/mnt/lc",
		.config = "ctldir = hidden\n",
		.version = "1.2.3",
		.transport = "dev",
		.caches = &stub_caches,
		.ctx = &stub,
		.uid = 12,
		.gid = 34,
	};
	return &conf;
}

void tree_setup(void)
{
	stub_reset();
	ck_assert_int_eq(ctlfs_new(&tree, tree_conf()), 0);
}

void tree_teardown(void)
{
	ck_assert_int_eq(stub_refs(), 0);
	ck_assert_int_eq(stub.held, 0);
	ctlfs_free(tree);
}

int tree_find(const char *path, struct ctl_attr *attr)
{
	char copy[128], *rest = copy, *name;
	int err = ctlfs_getattr(tree, CTL_ROOT, attr);

	snprintf(copy, sizeof(copy), "%s", path);
	while (!err && (name = strsep(&rest, "/")))
		err = ctlfs_lookup(tree, attr->node, name, attr);
	return err;
}

struct ctl_file *tree_open(const char *path, int flags)
{
	struct ctl_file *f = NULL;
	struct ctl_attr attr;

	ck_assert_msg(tree_find(path, &attr) == 0, "%s is not there", path);
	ck_assert_int_eq(ctlfs_open(tree, attr.node, flags, &f), 0);
	return f;
}

char *tree_read(const char *path, size_t piece)
{
	struct ctl_file *f = tree_open(path, O_RDONLY);
	char *text = malloc(piece + 1);
	size_t len = 0;
	ssize_t n;

	ck_assert_ptr_nonnull(text);
	while ((n = ctlfs_read(f, text + len, piece, len)) > 0) {
		len += (size_t)n;
		text = realloc(text, len + piece + 1);
		ck_assert_ptr_nonnull(text);
	}
	ck_assert_int_eq(n, 0);
	text[len] = '\0';
	ctlfs_release(f);
	return text;
}

void assert_reads(const char *path, const char *text)
{
	char *found = tree_read(path, 1024);

	ck_assert_str_eq(found, text);
	free(found);
}

ssize_t tree_write(const char *path, const char *data, size_t len)
{
	struct ctl_file *f = tree_open(path, O_WRONLY);
	ssize_t n = ctlfs_write(f, data, len);

	ctlfs_release(f);
	return n;
}

ssize_t echo(const char *path, const char *text)
{
	return tree_write(path, text, strlen(text));
}
