// SPDX-License-Identifier: GPL-2.0-or-later
/* Renames: every kind over every kind, and the flags. */
#include <linux/fs.h>
#include <stdio.h>

#include "tests/fs_posix.h"

#ifndef RENAME_NOREPLACE
#define RENAME_NOREPLACE (1 << 0)
#define RENAME_EXCHANGE (1 << 1)
#endif

static void files(void)
{
	ino_t ino;
	struct stat st;

	fs_write("a", "A");
	fs_write("b", "B");
	ino = fs_stat("a").st_ino;
	OK(rename("a", "c"));
	ERR(stat("a", &st), ENOENT);
	HAS("c", "A");
	SAME(fs_stat("c").st_ino, ino);
	OK(rename("c", "b"));
	HAS("b", "A");
	SAME(fs_stat("b").st_ino, ino);
	OK(rename("b", "b"));
	HAS("b", "A");
	OK(mkdir("d", 0755));
	OK(rename("b", "d/b"));
	HAS("d/b", "A");
	OK(rename("d/b", "e"));
	HAS("e", "A");
	ERR(rename("no", "e"), ENOENT);
	ERR(rename("e", "no/e"), ENOENT);
	HAS("e", "A");
}

static void kinds(void)
{
	fs_write("f", "F");
	OK(mkdir("empty", 0755));
	OK(mkdir("full", 0755));
	fs_write("full/x", "X");
	OK(mkdir("dir", 0755));
	fs_write("dir/y", "Y");
	OK(symlink("f", "s"));
	ERR(rename("f", "empty"), EISDIR);
	ERR(rename("dir", "f"), ENOTDIR);
	ERR(rename("dir", "s"), ENOTDIR);
	ERR(rename("dir", "full"), ENOTEMPTY);
	ERR(rename("dir", "dir/sub"), EINVAL);
	ERR(rename("full/x", "f/x"), ENOTDIR);
	OK(rename("dir", "empty"));
	HAS("empty/y", "Y");
	OK(rename("f", "s"));
	TRUE(S_ISREG(fs_stat("s").st_mode));
	HAS("s", "F");
	OK(symlink("nowhere", "t"));
	OK(rename("t", "u"));
	TRUE(S_ISLNK(fs_stat("u").st_mode));
}

/* Two names of one file: nothing happens, both stay. */
static void same_file(void)
{
	fs_write("a", "A");
	OK(link("a", "b"));
	OK(rename("a", "b"));
	SAME(fs_stat("a").st_nlink, 2);
	HAS("a", "A");
	HAS("b", "A");
	OK(unlink("a"));
	HAS("b", "A");
}

static void directories_move_their_tree(void)
{
	int fd, dir;
	char buf[4];
	ino_t ino;

	OK(mkdir("a", 0755));
	OK(mkdir("a/b", 0755));
	OK(mkdir("a/b/c", 0755));
	OK(mkdir("z", 0755));
	fs_write("a/b/c/f", "deep");
	ino = fs_stat("a/b/c/f").st_ino;
	dir = (int)OK(open("a/b/c", O_RDONLY | O_DIRECTORY));
	fd = (int)OK(open("a/b/c/f", O_RDWR));
	OK(rename("a/b", "z/moved"));
	HAS("z/moved/c/f", "deep");
	SAME(fs_stat("z/moved/c/f").st_ino, ino);
	SAME(fs_stat("a").st_nlink, 2);
	SAME(fs_stat("z").st_nlink, 3);
	SAME(pread(fd, buf, 4, 0), 4);
	OK(close((int)OK(openat(dir, "new", O_RDWR | O_CREAT, 0644))));
	OK(fs_stat("z/moved/c/new").st_size);
	OK(chdir("z/moved/c"));
	OK(rename("../../moved", "../../../again"));
	HAS("f", "deep");
	HAS("../c/f", "deep");
	OK(chdir("../../"));
	HAS("again/c/f", "deep");
}

static void no_replace(void)
{
	fs_write("a", "A");
	fs_write("b", "B");
	ERR(renameat2(AT_FDCWD, "a", AT_FDCWD, "b", RENAME_NOREPLACE), EEXIST);
	HAS("a", "A");
	HAS("b", "B");
	OK(renameat2(AT_FDCWD, "a", AT_FDCWD, "c", RENAME_NOREPLACE));
	HAS("c", "A");
	OK(mkdir("d", 0755));
	ERR(renameat2(AT_FDCWD, "c", AT_FDCWD, "d", RENAME_NOREPLACE), EEXIST);
}

static void exchange(void)
{
	fs_write("a", "A");
	fs_write("b", "B");
	OK(renameat2(AT_FDCWD, "a", AT_FDCWD, "b", RENAME_EXCHANGE));
	HAS("a", "B");
	HAS("b", "A");
	OK(mkdir("d", 0755));
	fs_write("d/in", "IN");
	OK(renameat2(AT_FDCWD, "a", AT_FDCWD, "d", RENAME_EXCHANGE));
	HAS("a/in", "IN");
	HAS("d", "B");
	OK(mkdir("e", 0755));
	OK(renameat2(AT_FDCWD, "a", AT_FDCWD, "e/x", RENAME_NOREPLACE));
	fs_write("e/y", "Y");
	OK(renameat2(AT_FDCWD, "b", AT_FDCWD, "e/y", RENAME_EXCHANGE));
	HAS("b", "Y");
	HAS("e/y", "A");
	ERR(renameat2(AT_FDCWD, "b", AT_FDCWD, "no", RENAME_EXCHANGE), ENOENT);
	ERR(renameat2(AT_FDCWD, "e", AT_FDCWD, "e/x", RENAME_EXCHANGE), EINVAL);
	ERR(renameat2(AT_FDCWD, "b", AT_FDCWD, "d", RENAME_EXCHANGE | RENAME_NOREPLACE), EINVAL);
}

/*
 * The way databases and editors replace files: the name is always there, and its content is always
 * whole.
 */
static void replaced_in_a_loop(void)
{
	pid_t pid = (pid_t)OK(fork());

	if (pid == 0) {
		for (int i = 0; i < 500; i++) {
			fs_write("tmp", i & 1 ? "odd" : "even");
			OK(rename("tmp", "f"));
		}
		_exit(0);
	}
	for (int i = 0; i < 500; i++) {
		char buf[8] = "";
		int fd = open("f", O_RDONLY);

		if (fd < 0)
			continue;
		TRUE(read(fd, buf, 8) >= 3);
		OK(close(fd));
	}
	fs_reap(pid);
	HAS("f", "odd");
}

const struct fs_case fs_cases_rename[] = {
	{ "rename_files", files, false },
	{ "rename_kinds", kinds, false },
	{ "rename_same_file", same_file, false },
	{ "rename_directories_move_their_tree", directories_move_their_tree, false },
	{ "rename_no_replace", no_replace, false },
	{ "rename_exchange", exchange, false },
	{ "rename_replaced_in_a_loop", replaced_in_a_loop, false },
	{ 0 },
};
