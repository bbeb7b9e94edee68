// SPDX-License-Identifier: GPL-2.0-or-later
/* Directories: large, deep, read while they change. */
#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/fs_posix.h"

#define MANY 10000

static void make_many(int n)
{
	char name[32];

	for (int i = 0; i < n; i++) {
		snprintf(name, sizeof(name), "entry-number-%05d", i);
		OK(close((int)OK(open(name, O_WRONLY | O_CREAT | O_EXCL, 0644))));
	}
}

/* How many entries; each of the numbered ones once. */
static int count_many(DIR *d, int max)
{
	char *seen = calloc(1, (size_t)max);
	struct dirent *e;
	int n = 0;

	while ((errno = 0, e = readdir(d)) != NULL) {
		int i;

		n++;
		if (sscanf(e->d_name, "entry-number-%d", &i) != 1)
			continue;
		TRUE(i >= 0 && i < max && !seen[i]);
		TRUE(e->d_type == DT_REG || e->d_type == DT_UNKNOWN);
		seen[i] = 1;
	}
	SAME(errno, 0);
	free(seen);
	return n;
}

static void many_entries(void)
{
	DIR *d;

	make_many(MANY);
	d = opendir(".");
	TRUE(d);
	SAME(count_many(d, MANY), MANY + 2);
	rewinddir(d);
	SAME(count_many(d, MANY), MANY + 2);
	OK(close((int)OK(open("entry-number-10000", O_WRONLY | O_CREAT, 0644))));
	rewinddir(d);
	SAME(count_many(d, MANY + 1), MANY + 3);
	closedir(d);
}

static void read_while_deleting(void)
{
	struct dirent *e;
	int removed = 0;
	DIR *d;

	make_many(3000);
	d = opendir(".");
	TRUE(d);
	while ((e = readdir(d)) != NULL) {
		if (e->d_name[0] == '.')
			continue;
		OK(unlink(e->d_name));
		removed++;
	}
	closedir(d);
	SAME(removed, 3000);
	d = opendir(".");
	SAME(count_many(d, 1), 2);
	closedir(d);
}

static void read_while_creating(void)
{
	struct dirent *e;
	char name[32];
	int old = 0, made = 0;
	DIR *d;

	make_many(2000);
	d = opendir(".");
	TRUE(d);
	while ((e = readdir(d)) != NULL) {
		old += strncmp(e->d_name, "entry-", 6) == 0;
		if (made < 500) {
			snprintf(name, sizeof(name), "new-%d", made++);
			OK(close((int)OK(open(name, O_WRONLY | O_CREAT, 0644))));
		}
	}
	closedir(d);
	/* Those that were there are seen, each once. */
	SAME(old, 2000);
}

static void positions(void)
{
	char names[50][64];
	long at[50];
	struct dirent *e;
	DIR *d;

	make_many(48);
	d = opendir(".");
	TRUE(d);
	for (int i = 0; i < 50; i++) {
		at[i] = telldir(d);
		e = readdir(d);
		TRUE(e);
		snprintf(names[i], sizeof(names[i]), "%.63s", e->d_name);
	}
	TRUE(readdir(d) == NULL);
	for (int i = 49; i >= 0; i -= 7) {
		seekdir(d, at[i]);
		e = readdir(d);
		TRUE(e && strcmp(e->d_name, names[i]) == 0);
	}
	closedir(d);
}

static void kinds_in_listing(void)
{
	struct dirent *e;
	int n = 0;
	DIR *d;

	OK(mkdir("d", 0755));
	fs_write("f", "");
	OK(symlink("f", "l"));
	OK(mkfifo("p", 0600));
	d = opendir(".");
	while ((e = readdir(d)) != NULL) {
		unsigned char type = 0;

		switch (e->d_name[0]) {
		case 'd':
		case '.':
			type = DT_DIR;
			break;
		case 'f':
			type = DT_REG;
			break;
		case 'l':
			type = DT_LNK;
			break;
		case 'p':
			type = DT_FIFO;
			break;
		}
		TRUE(e->d_type == type || e->d_type == DT_UNKNOWN);
		if (e->d_name[0] != '.')
			SAME(e->d_ino, fs_stat(e->d_name).st_ino);
		n++;
	}
	SAME(n, 6);
	closedir(d);
}

static void not_empty(void)
{
	OK(mkdir("d", 0755));
	fs_write("d/.hidden", "");
	ERR(rmdir("d"), ENOTEMPTY);
	OK(unlink("d/.hidden"));
	OK(mkdir("d/e", 0755));
	ERR(rmdir("d"), ENOTEMPTY);
	SAME(fs_stat("d").st_nlink, 3);
	OK(rmdir("d/e"));
	SAME(fs_stat("d").st_nlink, 2);
	OK(rmdir("d"));
}

static void removed_while_in_use(void)
{
	struct stat st;
	int dir;
	DIR *d;

	OK(mkdir("d", 0755));
	dir = (int)OK(open("d", O_RDONLY | O_DIRECTORY));
	OK(chdir("d"));
	OK(rmdir("../d"));
	ERR(open("f", O_RDWR | O_CREAT, 0644), ENOENT);
	ERR(mkdirat(dir, "e", 0755), ENOENT);
	OK(fstat(dir, &st));
	SAME(st.st_nlink, 0);
	d = fdopendir(dir);
	TRUE(d);
	TRUE(readdir(d) == NULL);
	closedir(d);
	OK(chdir(".."));
}

/* Deeper than any path can say. */
static void deeper_than_a_path(void)
{
	char name[201];
	const int depth = PATH_MAX / 200 + 10;

	memset(name, 'x', 200);
	name[200] = 0;
	for (int i = 0; i < depth; i++) {
		OK(mkdir(name, 0755));
		OK(chdir(name));
	}
	fs_write("f", "bottom");
	HAS("f", "bottom");
	OK(unlink("f"));
	for (int i = 0; i < depth; i++) {
		OK(chdir(".."));
		OK(rmdir(name));
	}
}

static void many_levels(void)
{
	for (int i = 0; i < 600; i++) {
		OK(mkdir("l", 0755));
		OK(chdir("l"));
	}
	for (int i = 0; i < 600; i++) {
		OK(chdir(".."));
		OK(rmdir("l"));
	}
}

static void synced(void)
{
	int dir;

	OK(mkdir("d", 0755));
	fs_write("d/f", "x");
	dir = (int)OK(open("d", O_RDONLY | O_DIRECTORY));
	OK(fsync(dir));
	OK(fdatasync(dir));
	OK(renameat(dir, "f", dir, "g"));
	OK(fsync(dir));
	OK(close(dir));
}

const struct fs_case fs_cases_dirs[] = {
	{ "dir_many_entries", many_entries, false },
	{ "dir_read_while_deleting", read_while_deleting, false },
	{ "dir_read_while_creating", read_while_creating, false },
	{ "dir_positions", positions, false },
	{ "dir_kinds_in_listing", kinds_in_listing, false },
	{ "dir_not_empty", not_empty, false },
	{ "dir_removed_while_in_use", removed_while_in_use, false },
	{ "dir_deeper_than_a_path", deeper_than_a_path, false },
	{ "dir_many_levels", many_levels, false },
	{ "dir_synced", synced, false },
	{ 0 },
};
