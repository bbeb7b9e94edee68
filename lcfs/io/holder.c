// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Finding who has a file open, in /proc/PID/fd.
 *
 * The links there are read, not followed: to follow one into a hung mount would hang us as well. A
 * link is compared by its text, and below /dev, where nothing hangs, by device number too, because a
 * device may have several nodes.
 */
#include "lcfs/io/holder.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/cleanup.h"

struct wanted {
	char *path; /* without symlinks */
	struct stat st;
};

static bool link_is_wanted(int dirfd, const char *name, const struct wanted *w)
{
	char target[PATH_MAX];
	struct stat st;
	ssize_t n = readlinkat(dirfd, name, target, sizeof(target) - 1);

	if (n <= 0)
		return false;
	target[n] = '\0';
	if (strcmp(target, w->path) == 0)
		return true;
	return S_ISBLK(w->st.st_mode) && strncmp(target, "/dev/", 5) == 0 &&
	       stat(target, &st) == 0 && S_ISBLK(st.st_mode) && st.st_rdev == w->st.st_rdev;
}

static bool process_has_open(pid_t pid, const struct wanted *w)
{
	char name[64];
	struct dirent *d;
	bool found = false;
	DIR *dir;

	snprintf(name, sizeof(name), "/proc/%d/fd", (int)pid);
	dir = opendir(name);
	if (!dir)
		return false;
	while (!found && (d = readdir(dir)))
		found = link_is_wanted(dirfd(dir), d->d_name, w);
	closedir(dir);
	return found;
}

static void process_comm(pid_t pid, char *comm, size_t size)
{
	char name[64];
	FILE *f;

	comm[0] = '\0';
	snprintf(name, sizeof(name), "/proc/%d/comm", (int)pid);
	f = fopen(name, "re");
	if (!f)
		return;
	if (fgets(comm, (int)size, f))
		comm[strcspn(comm, "\n")] = '\0';
	fclose(f);
}

static void holder_describe(pid_t pid, struct holder *h)
{
	h->pid = pid;
	process_comm(pid, h->comm, sizeof(h->comm));
	h->is_closing = strcmp(h->comm, HOLDER_CLOSING) == 0;
	h->is_lcfs = h->is_closing || strcmp(h->comm, HOLDER_SERVING) == 0;
}

int holder_find(const char *path, struct holder *h)
{
	CLEANUP_FREE char *real = realpath(path, NULL);
	struct wanted w = { .path = real };
	struct dirent *d;
	int found = 0;
	DIR *proc;

	if (!real || stat(real, &w.st) < 0)
		return -errno;
	proc = opendir("/proc");
	if (!proc)
		return 0;
	while ((d = readdir(proc))) {
		pid_t pid = isdigit((unsigned char)d->d_name[0]) ? (pid_t)atoi(d->d_name) : 0;

		if (pid <= 0 || pid == getpid() || !process_has_open(pid, &w))
			continue;
		holder_describe(pid, h);
		found = 1;
		if (h->is_lcfs)
			break;
	}
	closedir(proc);
	return found;
}

void holder_set_comm(const char *comm)
{
	prctl(PR_SET_NAME, comm);
}
