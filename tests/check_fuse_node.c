// SPDX-License-Identifier: GPL-2.0-or-later
/* The table of nodes: identity, lives, letting go and finding again. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "lcfs/fuse/handle.h"
#include "lcfs/fuse/node_impl.h"
#include "lcfs/fuse/proto.h"
#include "tests/check_main.h"
#include "tests/fake/image_passthrough.h"

static char dir[] = "/tmp/check_fuse_node.XXXXXX";
static struct imagedir *images;
static struct nodes *nodes;
static int dirfd;

static void setup(void)
{
	const struct passthrough_conf conf = { 0 };

	strcpy(dir + strlen(dir) - 6, "XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	dirfd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	ck_assert_int_ge(dirfd, 0);
	ck_assert_int_eq(passthrough_open(&images, dirfd, &conf), 0);
	ck_assert_int_eq(nodes_open(&nodes, images, dirfd, 1000), 0);
}

static void teardown(void)
{
	char command[128];

	nodes_close(nodes);
	ck_assert_uint_eq(passthrough_images(images), 0);
	ck_assert_int_eq(imagedir_close(images), 0);
	close(dirfd);
	snprintf(command, sizeof(command), "rm -rf %s", dir);
	ck_assert_int_eq(system(command), 0);
}

static void make_file(const char *name, const char *text)
{
	int fd = openat(dirfd, name, O_WRONLY | O_CREAT | O_TRUNC, 0644);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	close(fd);
}

static struct node *enter(struct node *parent, const char *name)
{
	struct node *node = NULL;
	struct stat st;
	int at = node_get(nodes, parent);
	int fd;

	ck_assert_int_ge(at, 0);
	fd = nodes_open_at(nodes, at, name, &st);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(nodes_enter(nodes, parent, name, fd, &st, &node), 0);
	node_put(nodes, parent);
	return node;
}

static struct node *enter_root(const char *name)
{
	return enter(nodes_root(nodes), name);
}

static void let_all_go(void)
{
	for (int i = 0; i < 10; i++)
		nodes_shrink(nodes, true);
}

static unsigned int alive(void)
{
	unsigned int n, held;

	nodes_count(nodes, &n, &held);
	return n;
}

static unsigned int held(void)
{
	unsigned int n, h;

	nodes_count(nodes, &n, &h);
	return h;
}

static ino_t inode_at(int fd)
{
	struct stat st;

	ck_assert_int_eq(fstat(fd, &st), 0);
	return st.st_ino;
}

START_TEST(root_has_the_kernels_number)
{
	ck_assert_uint_eq(atomic_load(&nodes_root(nodes)->id), FUSE_ROOT_ID);
	ck_assert_ptr_eq(nodes_find(nodes, FUSE_ROOT_ID), nodes_root(nodes));
	nodes_forget(nodes, FUSE_ROOT_ID, 1000);
	ck_assert_ptr_eq(nodes_find(nodes, FUSE_ROOT_ID), nodes_root(nodes));
}
END_TEST

START_TEST(one_inode_is_one_node)
{
	struct node *a, *b, *c;

	make_file("a", "x");
	make_file("c", "x");
	ck_assert_int_eq(linkat(dirfd, "a", dirfd, "b", 0), 0);
	a = enter_root("a");
	b = enter_root("b");
	c = enter_root("c");
	ck_assert_ptr_eq(a, b);
	ck_assert_ptr_ne(a, c);
	ck_assert_uint_eq(alive(), 3);
	ck_assert_uint_eq(passthrough_images(images), 2);
}
END_TEST

START_TEST(forgotten_numbers_are_not_used_again)
{
	uint64_t first, second;
	struct node *node;

	make_file("a", "x");
	node = enter_root("a");
	ck_assert_ptr_eq(enter_root("a"), node);
	first = atomic_load(&node->id);
	nodes_forget(nodes, first, 1);
	ck_assert_ptr_eq(nodes_find(nodes, first), node);
	nodes_forget(nodes, first, 1);
	ck_assert_ptr_null(nodes_find(nodes, first));
	ck_assert_uint_eq(alive(), 1);
	ck_assert_uint_eq(passthrough_images(images), 0);
	second = atomic_load(&enter_root("a")->id);
	ck_assert_uint_ne(first, second);
	ck_assert_ptr_null(nodes_find(nodes, first));
}
END_TEST

START_TEST(wrong_numbers_are_nobodys)
{
	static const uint64_t wrong[] = { 0,	    2,		1 << 24,	   (1 << 24) - 1,
					  0xffffff, UINT64_MAX, UINT64_C(1) << 62, 1 | 1 << 24 };

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		ck_assert_ptr_null(nodes_find(nodes, wrong[i]));
		nodes_forget(nodes, wrong[i], 1);
	}
}
END_TEST

START_TEST(a_parent_lives_as_long_as_its_children)
{
	struct node *d, *f;
	uint64_t id;

	ck_assert_int_eq(mkdirat(dirfd, "d", 0755), 0);
	make_file("d/f", "x");
	d = enter_root("d");
	f = enter(d, "f");
	id = atomic_load(&d->id);
	nodes_forget(nodes, id, 1);
	ck_assert_ptr_eq(nodes_find(nodes, id), d);
	nodes_forget(nodes, atomic_load(&f->id), 1);
	ck_assert_ptr_null(nodes_find(nodes, id));
	ck_assert_uint_eq(alive(), 1);
}
END_TEST

START_TEST(let_go_and_found_again)
{
	struct node *a, *b, *f;
	ino_t ino;
	int fd;

	ck_assert_int_eq(mkdirat(dirfd, "a", 0755), 0);
	ck_assert_int_eq(mkdirat(dirfd, "a/b", 0755), 0);
	make_file("a/b/f", "x");
	a = enter_root("a");
	b = enter(a, "b");
	f = enter(b, "f");
	ino = f->ino;
	let_all_go();
	ck_assert_uint_eq(held(), 1);
	ck_assert_uint_eq(passthrough_images(images), 0);
	fd = node_get(nodes, f);
	ck_assert_int_ge(fd, 0);
	ck_assert_uint_eq(inode_at(fd), ino);
	/* What is in use stays. */
	let_all_go();
	ck_assert_uint_eq(inode_at(fd), ino);
	node_put(nodes, f);
	let_all_go();
	ck_assert_uint_eq(held(), 1);
	ck_assert_ptr_eq(enter(b, "f"), f);
}
END_TEST

START_TEST(open_files_are_not_let_go_of)
{
	struct node *f;
	uint64_t fh;
	int fd;

	make_file("f", "x");
	f = enter_root("f");
	fd = node_get(nodes, f);
	ck_assert_int_ge(fd, 0);
	fh = node_opened(nodes, f, true, false, false);
	node_put(nodes, f);
	let_all_go();
	ck_assert_uint_eq(held(), 2);
	ck_assert_ptr_nonnull(atomic_load(&f->image));
	ck_assert(node_released(nodes, f, fh));
	let_all_go();
	ck_assert_uint_eq(held(), 1);
}
END_TEST

START_TEST(moves_are_followed)
{
	struct node *d, *f, *seized;
	ino_t ino;
	int fd;

	ck_assert_int_eq(mkdirat(dirfd, "d", 0755), 0);
	make_file("f", "x");
	d = enter_root("d");
	f = enter_root("f");
	ino = f->ino;
	seized = nodes_seize(nodes, dirfd, "f");
	ck_assert_ptr_eq(seized, f);
	ck_assert_int_eq(renameat(dirfd, "f", dirfd, "d/g"), 0);
	node_moved(nodes, f, d, "g");
	node_put(nodes, f);
	let_all_go();
	fd = node_get(nodes, f);
	ck_assert_int_ge(fd, 0);
	ck_assert_uint_eq(inode_at(fd), ino);
	node_put(nodes, f);
	/* The directory, too. */
	ck_assert_ptr_eq(nodes_seize(nodes, dirfd, "d"), d);
	ck_assert_int_eq(renameat(dirfd, "d", dirfd, "e"), 0);
	node_moved(nodes, d, nodes_root(nodes), "e");
	node_put(nodes, d);
	let_all_go();
	fd = node_get(nodes, f);
	ck_assert_int_ge(fd, 0);
	ck_assert_uint_eq(inode_at(fd), ino);
	node_put(nodes, f);
}
END_TEST

START_TEST(unlinked_files_are_kept)
{
	struct node *f;
	int fd;

	make_file("f", "x");
	f = enter_root("f");
	let_all_go();
	ck_assert_ptr_eq(nodes_seize(nodes, dirfd, "f"), f);
	ck_assert_int_eq(unlinkat(dirfd, "f", 0), 0);
	node_unlinked(nodes, f, nodes_root(nodes), "f");
	node_put(nodes, f);
	let_all_go();
	fd = node_get(nodes, f);
	ck_assert_int_ge(fd, 0);
	node_put(nodes, f);
	nodes_forget(nodes, atomic_load(&f->id), 1);
	ck_assert_uint_eq(alive(), 1);
}
END_TEST

START_TEST(changed_behind_is_stale)
{
	struct node *f, *again;

	make_file("f", "x");
	f = enter_root("f");
	let_all_go();
	ck_assert_int_eq(renameat(dirfd, "f", dirfd, "g"), 0);
	ck_assert_int_eq(node_get(nodes, f), -ESTALE);
	make_file("f", "y");
	ck_assert_int_eq(node_get(nodes, f), -ESTALE);
	again = enter_root("f");
	ck_assert_ptr_ne(again, f);
	/* Where it is found again, it is the same. */
	ck_assert_ptr_eq(enter_root("g"), f);
	ck_assert_int_ge(node_get(nodes, f), 0);
	node_put(nodes, f);
}
END_TEST

/* Filesystems give the number of a removed file to the next one. */
START_TEST(a_reused_inode_number_is_another_file)
{
	struct node *old, *new;
	struct stat st;
	ino_t ino;

	make_file("f", "x");
	old = enter_root("f");
	ino = old->ino;
	let_all_go();
	for (int i = 0; i < 1000; i++) {
		ck_assert_int_eq(unlinkat(dirfd, "f", 0), 0);
		make_file("f", "y");
		ck_assert_int_eq(fstatat(dirfd, "f", &st, 0), 0);
		if (st.st_ino == ino)
			break;
	}
	if (st.st_ino != ino || old->generation == 0)
		return; /* this filesystem does not, or has no generations */
	ck_assert_int_eq(node_get(nodes, old), -ESTALE);
	new = enter_root("f");
	ck_assert_ptr_ne(old, new);
	ck_assert_int_ge(node_get(nodes, new), 0);
	node_put(nodes, new);
	ck_assert_int_eq(node_get(nodes, old), -ESTALE);
	nodes_forget(nodes, atomic_load(&old->id), 1);
	ck_assert_ptr_eq(enter_root("f"), new);
}
END_TEST

/* a/b, then someone makes b/a of it, and the kernel finds a in b before it finds b in the root. */
START_TEST(no_circle_of_parents)
{
	struct node *a, *b;

	ck_assert_int_eq(mkdirat(dirfd, "a", 0755), 0);
	ck_assert_int_eq(mkdirat(dirfd, "a/b", 0755), 0);
	a = enter_root("a");
	b = enter(a, "b");
	ck_assert_int_eq(renameat(dirfd, "a/b", dirfd, "b"), 0);
	ck_assert_int_eq(renameat(dirfd, "a", dirfd, "b/a"), 0);
	ck_assert_ptr_eq(enter(b, "a"), a);
	let_all_go();
	(void)!node_get(nodes, a);
	if (a->users)
		node_put(nodes, a);
	nodes_forget(nodes, atomic_load(&a->id), 2);
	nodes_forget(nodes, atomic_load(&b->id), 1);
	ck_assert_uint_eq(alive(), 1);
}
END_TEST

START_TEST(opens_bypass_the_cache_together)
{
	struct node *f;
	uint64_t fh[4];

	make_file("f", "x");
	f = enter_root("f");
	ck_assert_int_ge(node_get(nodes, f), 0);
	fh[0] = node_opened(nodes, f, false, false, false);
	ck_assert_uint_eq(fh[0] & HANDLE_FILE_BYPASS, 0);
	fh[1] = node_opened(nodes, f, true, true, false);
	ck_assert_uint_ne(fh[1] & HANDLE_FILE_BYPASS, 0);
	fh[2] = node_opened(nodes, f, false, false, false);
	ck_assert_uint_ne(fh[2] & HANDLE_FILE_BYPASS, 0);
	ck_assert(node_may_be_dirty(nodes, f));
	ck_assert(node_released(nodes, f, fh[1]));
	ck_assert(!node_may_be_dirty(nodes, f));
	fh[3] = node_opened(nodes, f, false, false, false);
	ck_assert_uint_eq(fh[3] & HANDLE_FILE_BYPASS, 0);
	ck_assert(node_released(nodes, f, fh[0]));
	ck_assert(node_released(nodes, f, fh[2]));
	ck_assert(node_released(nodes, f, fh[3]));
	ck_assert(!node_released(nodes, f, fh[3]));
	node_put(nodes, f);
	ck_assert_uint_eq(f->opens | f->direct_opens | f->bypass_opens | f->write_opens, 0);
}
END_TEST

START_TEST(with_writeback_all_bypass_or_none)
{
	struct node *f;
	uint64_t fh[4];

	make_file("f", "x");
	f = enter_root("f");
	ck_assert_int_ge(node_get(nodes, f), 0);
	fh[0] = node_opened(nodes, f, true, false, true);
	fh[1] = node_opened(nodes, f, true, true, true);
	ck_assert_uint_eq((fh[0] | fh[1]) & HANDLE_FILE_BYPASS, 0);
	ck_assert(node_released(nodes, f, fh[0]));
	ck_assert(node_released(nodes, f, fh[1]));
	fh[0] = node_opened(nodes, f, true, true, true);
	fh[1] = node_opened(nodes, f, true, false, true);
	ck_assert_uint_ne(fh[0] & fh[1] & HANDLE_FILE_BYPASS, 0);
	ck_assert(node_released(nodes, f, fh[0]));
	fh[2] = node_opened(nodes, f, false, false, true);
	ck_assert_uint_ne(fh[2] & HANDLE_FILE_BYPASS, 0);
	ck_assert(node_released(nodes, f, fh[1]));
	ck_assert(node_released(nodes, f, fh[2]));
	node_put(nodes, f);
}
END_TEST

static Suite *make_suite(void)
{
	const TTest *const tests[] = {
		root_has_the_kernels_number,
		one_inode_is_one_node,
		forgotten_numbers_are_not_used_again,
		wrong_numbers_are_nobodys,
		a_parent_lives_as_long_as_its_children,
		let_go_and_found_again,
		open_files_are_not_let_go_of,
		moves_are_followed,
		unlinked_files_are_kept,
		changed_behind_is_stale,
		a_reused_inode_number_is_another_file,
		no_circle_of_parents,
		opens_bypass_the_cache_together,
		with_writeback_all_bypass_or_none,
	};
	Suite *suite = suite_create("fuse_node");
	TCase *tc = tcase_create("node");

	tcase_add_checked_fixture(tc, setup, teardown);
	for (size_t i = 0; i < sizeof(tests) / sizeof(tests[0]); i++)
		tcase_add_test(tc, tests[i]);
	suite_add_tcase(suite, tc);
	return suite;
}

CHECK_MAIN(make_suite)
