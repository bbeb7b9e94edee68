// SPDX-License-Identifier: GPL-2.0-or-later
/* Who holds a device or a file, as far as /proc and /sys tell. */
#include "lcfs/io/holder.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <sys/types.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/compiler.h"

static void cleanup_file(FILE **f)
{
	if (*f)
		fclose(*f);
}

static void cleanup_dir(DIR **d)
{
	if (*d)
		closedir(*d);
}

#define CLEANUP_FILE __attribute__((cleanup(cleanup_file)))
#define CLEANUP_DIR __attribute__((cleanup(cleanup_dir)))

/* Is dev the whole device itself or one of its partitions? */
static bool is_part_of(dev_t dev, dev_t whole)
{
	char path[128];

	if (dev == whole)
		return true;
	/* The directory of a partition lies in that of its disk. */
	snprintf(path, sizeof(path), "/sys/dev/block/%u:%u/../dev", major(dev), minor(dev));
	CLEANUP_FILE FILE *f = fopen(path, "re");
	unsigned int maj, min;

	return f && fscanf(f, "%u:%u", &maj, &min) == 2 && makedev(maj, min) == whole;
}

static bool find_mount(dev_t whole, char *text, size_t size)
{
	CLEANUP_FILE FILE *f = fopen("/proc/self/mountinfo", "re");
	CLEANUP_FREE char *line = NULL;
	size_t room = 0;

	while (f && getline(&line, &room, f) > 0) {
		unsigned int maj, min;
		char where[512];

		if (sscanf(line, "%*d %*d %u:%u %*s %511s", &maj, &min, where) != 3)
			continue;
		if (is_part_of(makedev(maj, min), whole)) {
			snprintf(text, size, "it is mounted on %s", where);
			return true;
		}
	}
	return false;
}

static bool find_swap(dev_t whole, char *text, size_t size)
{
	CLEANUP_FILE FILE *f = fopen("/proc/swaps", "re");
	CLEANUP_FREE char *line = NULL;
	size_t room = 0;

	while (f && getline(&line, &room, f) > 0) {
		char path[512];
		struct stat st;

		if (sscanf(line, "%511s", path) == 1 && stat(path, &st) == 0 &&
		    S_ISBLK(st.st_mode) && is_part_of(st.st_rdev, whole)) {
			snprintf(text, size, "it is used as swap");
			return true;
		}
	}
	return false;
}

static bool find_stacked(dev_t dev, char *text, size_t size)
{
	char path[64];

	snprintf(path, sizeof(path), "/sys/dev/block/%u:%u/holders", major(dev), minor(dev));
	CLEANUP_DIR DIR *d = opendir(path);
	struct dirent *e;

	while (d && (e = readdir(d))) {
		if (e->d_name[0] != '.') {
			snprintf(text, size, "it is part of %s", e->d_name);
			return true;
		}
	}
	return false;
}

/* "pid N (name)" */
static void process_text(long pid, char *text, size_t size)
{
	char path[64], name[32] = "";

	snprintf(path, sizeof(path), "/proc/%ld/comm", pid);
	CLEANUP_FILE FILE *f = fopen(path, "re");

	if (!f || !fgets(name, sizeof(name), f)) {
		snprintf(text, size, "pid %ld", pid);
		return;
	}
	name[strcspn(name, "\n")] = '\0';
	snprintf(text, size, "pid %ld (%s)", pid, name);
}

/* What is looked for among the descriptors of a process. */
struct target {
	char path[PATH_MAX]; /* resolved */
	const struct stat *st;
};

static void target_init(struct target *t, const char *path, const struct stat *st)
{
	t->st = st;
	if (!realpath(path, t->path))
		snprintf(t->path, sizeof(t->path), "%s", path);
}

/* Is the file that a descriptor's link names the target? Only names in /dev are looked up. */
static bool is_target(const struct target *t, const char *link)
{
	struct stat other;

	if (strcmp(link, t->path) == 0)
		return true;
	return S_ISBLK(t->st->st_mode) && strncmp(link, "/dev/", 5) == 0 &&
	       stat(link, &other) == 0 && S_ISBLK(other.st_mode) && other.st_rdev == t->st->st_rdev;
}

static bool has_open(long pid, const struct target *t)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%ld/fd", pid);
	CLEANUP_DIR DIR *d = opendir(path);
	struct dirent *e;

	while (d && (e = readdir(d))) {
		char link[PATH_MAX];
		ssize_t n = readlinkat(dirfd(d), e->d_name, link, sizeof(link) - 1);

		if (n <= 0)
			continue;
		link[n] = '\0';
		if (is_target(t, link))
			return true;
	}
	return false;
}

/* Another process than this one that has it open; those of other users are seen by root only. */
static bool find_process(const struct target *t, char *text, size_t size)
{
	CLEANUP_DIR DIR *d = opendir("/proc");
	struct dirent *e;

	while (d && (e = readdir(d))) {
		long pid = strtol(e->d_name, NULL, 10);

		if (pid > 0 && pid != getpid() && has_open(pid, t)) {
			process_text(pid, text, size);
			return true;
		}
	}
	return false;
}

bool holder_of_device(const char *path, const struct stat *st, char *text, size_t size,
		      bool *is_kernel)
{
	struct target t;

	*is_kernel = true;
	if (find_mount(st->st_rdev, text, size) || find_swap(st->st_rdev, text, size) ||
	    find_stacked(st->st_rdev, text, size))
		return true;
	*is_kernel = false;
	target_init(&t, path, st);
	return find_process(&t, text, size);
}

/* The pid of the line of /proc/locks that is a flock of the file, or 0. */
static long find_flock(const struct stat *st)
{
	CLEANUP_FILE FILE *f = fopen("/proc/locks", "re");
	CLEANUP_FREE char *line = NULL;
	size_t room = 0;

	while (f && getline(&line, &room, f) > 0) {
		unsigned int maj, min;
		unsigned long ino;
		long pid;

		if (sscanf(line, "%*d: FLOCK %*s %*s %ld %x:%x:%lu", &pid, &maj, &min, &ino) == 4 &&
		    makedev(maj, min) == st->st_dev && ino == st->st_ino)
			return pid;
	}
	return 0;
}

bool holder_of_lock(const char *path, const struct stat *st, char *text, size_t size)
{
	struct target t;
	long pid = find_flock(st);

	target_init(&t, path, st);
	if (pid > 0 && has_open(pid, &t)) {
		process_text(pid, text, size);
		return true;
	}
	return find_process(&t, text, size);
}
