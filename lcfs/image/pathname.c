// SPDX-License-Identifier: GPL-2.0-or-later
/* Names below the backing directory. */
#include "lcfs/image/pathname.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/beneath.h"
#include "common/cleanup.h"
#include "lcfs/image/privdir.h"

#define FULL_BYTES 4096 /* the most that readlink of a magic link gives */

void pathname_magic_link(int fd, char *link)
{
	snprintf(link, PATHNAME_LINK_BYTES, "/proc/self/fd/%d", fd);
}

/* lcfs's own files are nobody's images, whatever a log says. */
static bool is_private(const char *path)
{
	size_t n = strlen(PRIVDIR_NAME);

	return strncmp(path, PRIVDIR_NAME, n) == 0 && (path[n] == '\0' || path[n] == '/');
}

int pathname_open(int dirfd, const char *path, int flags)
{
	return is_private(path) ? -ENOENT : beneath_open(dirfd, path, flags);
}

int pathname_open_file(int dirfd, const char *path, int flags)
{
	CLEANUP_FD int fd = pathname_open(dirfd, path, O_PATH | O_NOFOLLOW);
	struct stat st;

	if (fd < 0)
		return fd;
	if (fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -ENOENT;
	return flags & O_PATH ? steal_fd(&fd) : pathname_reopen(fd, flags);
}

int pathname_reopen(int fd, int flags)
{
	char link[PATHNAME_LINK_BYTES];
	int new;

	pathname_magic_link(fd, link);
	new = open(link, flags | O_CLOEXEC);
	return new < 0 ? -errno : new;
}

static int full_path(int fd, char *full)
{
	char link[PATHNAME_LINK_BYTES];
	ssize_t n;

	pathname_magic_link(fd, link);
	n = readlink(link, full, FULL_BYTES);
	if (n < 0)
		return -errno;
	if (n == FULL_BYTES)
		return -ENAMETOOLONG;
	full[n] = '\0';
	return 0;
}

/* The rest of full below root, or NULL. */
static const char *below(const char *root, const char *full)
{
	size_t n = strlen(root);

	if (n == 1) /* "/" */
		return full + 1;
	if (strncmp(root, full, n) != 0)
		return NULL;
	if (full[n] == '\0')
		return full + n;
	return full[n] == '/' ? full + n + 1 : NULL;
}

static int leads_to(int dirfd, const char *path, int fd)
{
	struct stat want, have;
	CLEANUP_FD int found = pathname_open(dirfd, path, O_PATH | O_NOFOLLOW);

	if (found < 0)
		return found;
	if (fstat(fd, &want) < 0 || fstat(found, &have) < 0)
		return -errno;
	return want.st_dev == have.st_dev && want.st_ino == have.st_ino ? 0 : -ENOENT;
}

int pathname_said_of_fd(int dirfd, int fd, char *path)
{
	char root[FULL_BYTES], full[FULL_BYTES];
	const char *rest;
	int r = full_path(dirfd, root);

	if (r == 0)
		r = full_path(fd, full);
	if (r < 0)
		return r;
	rest = below(root, full);
	if (!rest)
		return -ENOENT;
	if (strlen(rest) > OP_PATH_MAX)
		return -ENAMETOOLONG;
	strcpy(path, rest);
	return 0;
}

int pathname_of_fd(int dirfd, int fd, char *path)
{
	int r = pathname_said_of_fd(dirfd, fd, path);

	if (r == 0)
		r = leads_to(dirfd, path, fd);
	return r == -ENOTDIR || r == -ELOOP ? -ENOENT : r;
}

bool pathname_is_outside(int dirfd, int fd)
{
	static const char deleted[] = " (deleted)";
	char root[FULL_BYTES], full[FULL_BYTES];
	size_t n, end = strlen(deleted);

	if (full_path(dirfd, root) < 0 || full_path(fd, full) < 0)
		return false;
	n = strlen(full);
	if (n > end && strcmp(full + n - end, deleted) == 0)
		return false;
	return !below(root, full);
}

int pathname_of_entry(int dirfd, int parentfd, const char *name, char *path)
{
	size_t n, bytes = strlen(name);
	int r = pathname_of_fd(dirfd, parentfd, path);

	if (r < 0)
		return r;
	n = strlen(path);
	if (n + 1 + bytes > OP_PATH_MAX)
		return -ENAMETOOLONG;
	if (n)
		path[n++] = '/';
	memcpy(path + n, name, bytes + 1);
	return 0;
}

int pathname_sync_dir(int fd)
{
	CLEANUP_FD int dir = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct stat st;

	if (dir < 0)
		return -errno;
	if (fstat(dir, &st) < 0)
		return -errno;
	if (st.st_nlink == 0)
		return syncfs(dir) < 0 ? -errno : 0;
	return fsync(dir) < 0 ? -errno : 0;
}

int pathname_sync_parents(int dirfd, const char *path)
{
	char dir[PATHNAME_BYTES];
	char *slash;

	snprintf(dir, sizeof(dir), "%s", path);
	while ((slash = strrchr(dir, '/')) != NULL) {
		CLEANUP_FD int fd = -1;
		int r;

		*slash = '\0';
		fd = pathname_open(dirfd, dir, O_RDONLY | O_DIRECTORY);
		if (fd < 0) {
			CLEANUP_FD int root = pathname_open(dirfd, "", O_RDONLY | O_DIRECTORY);

			if (root < 0)
				return root;
			return syncfs(root) < 0 ? -errno : 0;
		}
		r = pathname_sync_dir(fd);
		if (r < 0)
			return r;
	}
	return pathname_sync_dir(dirfd);
}
