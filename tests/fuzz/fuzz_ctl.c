// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The control tree takes any write to any of its files, or refuses it with nothing changed; what is
 * read from it afterwards is text of whole lines.
 *
 * The input: two bytes that say which file, then what is written.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "common/align.h"
#include "lcfs/ctl/ctl_table.h"
#include "tests/fake/ctl_stub.h"
#include "tests/fake/ctl_walk.h"
#include "tests/fuzz/fuzz.h"

/* libcheck's assertions, which the tests' own setup uses, want to be in a test. */
static void setup(void)
{
	stub_reset();
	FUZZ_CHECK(ctlfs_new(&tree, tree_conf()) == 0);
}

static void teardown(void)
{
	FUZZ_CHECK(stub_refs() == 0 && stub.held == 0);
	ctlfs_free(tree);
}

static void check_text(const char *path)
{
	struct ctl_file *f = NULL;
	struct ctl_attr attr;
	static char buf[1 << 16];
	ssize_t n;

	FUZZ_CHECK(tree_find(path, &attr) == 0);
	if (ctlfs_open(tree, attr.node, O_RDONLY, &f) < 0)
		return;
	n = ctlfs_read(f, buf, sizeof(buf), 0);
	FUZZ_CHECK(n >= 0 && !memchr(buf, '\0', (size_t)n));
	FUZZ_CHECK(n == 0 || buf[n - 1] == '\n');
	ctlfs_release(f);
}

static void fuzz_write(const char *path, const uint8_t *data, size_t size)
{
	struct stub before = stub;
	struct ctl_file *f = NULL;
	struct ctl_attr attr;
	ssize_t n;

	FUZZ_CHECK(tree_find(path, &attr) == 0);
	if (ctlfs_open(tree, attr.node, O_WRONLY, &f) < 0)
		return;
	n = ctlfs_write(f, data, size);
	FUZZ_CHECK(n == (ssize_t)size || n < 0);
	if (n == -EINVAL || n == -ERANGE)
		FUZZ_CHECK(memcmp(before.knob, stub.knob, sizeof(stub.knob)) == 0 &&
			   before.clears == stub.clears);
	ctlfs_release(f);
	check_text(path);
}

/* A name as the kernel may look up: found or not, nothing else. */
static void fuzz_lookup(const uint8_t *data, size_t size)
{
	char name[CTL_NAME_MAX * 2];
	size_t n = min(size, sizeof(name) - 1);
	struct ctl_attr attr;

	memcpy(name, data, n);
	name[n] = '\0';
	for (const char *const *dir = (const char *const[]){ "", "caches", "devices", NULL }; *dir;
	     dir++) {
		int err = **dir ? tree_find(*dir, &attr) : ctlfs_getattr(tree, CTL_ROOT, &attr);

		FUZZ_CHECK(err == 0);
		err = ctlfs_lookup(tree, attr.node, name, &attr);
		FUZZ_CHECK(err == 0 || err == -ENOENT);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const dirs[CTL_NR_KINDS] = {
		[CTL_IN_ROOT] = "",
		[CTL_IN_CACHE] = "caches/1/",
		[CTL_IN_DEVICE] = "devices/7/",
	};
	const struct ctl_item *item;
	char path[128];

	if (size < 2)
		return 0;
	setup();
	item = &ctl_table[(data[0] << 8 | data[1]) % ctl_table_rows];
	fuzz_lookup(data + 2, size - 2);
	if (dirs[item->kind] && !item->child && !item->link) {
		snprintf(path, sizeof(path), "%s%s", dirs[item->kind], item->name);
		fuzz_write(path, data + 2, size - 2);
	}
	check_text("metrics");
	check_text("stats.json");
	check_text("status");
	teardown();
	return 0;
}
