// SPDX-License-Identifier: GPL-2.0-or-later
/* Opening by a path that somebody else wrote. */
#include "common/beneath.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "common/cleanup.h"

/* RESOLVE_BENEATH gives up with EAGAIN when a rename or mount is made during the walk. */
#define OPEN_ATTEMPTS 100

static long try_openat2(int dirfd, const char *path, int flags)
{
	struct open_how how = {
		.flags = (uint64_t)(unsigned int)(flags | O_CLOEXEC),
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS,
	};

	return syscall(SYS_openat2, dirfd, path, &how, sizeof(how));
}

/* EPERM: a filter of system calls that is older than this one. */
static bool has_openat2(void)
{
	static _Atomic signed char known; /* 0: not yet */
	signed char has = atomic_load(&known);

	if (!has) {
		long fd = try_openat2(AT_FDCWD, ".", O_PATH);

		has = fd < 0 && (errno == ENOSYS || errno == EPERM) ? -1 : 1;
		if (fd >= 0)
			close((int)fd);
		atomic_store(&known, has);
	}
	return has > 0;
}

int beneath_open(int dirfd, const char *path, int flags)
{
	if (!has_openat2())
		return beneath_walk(dirfd, path, flags);
	for (int i = 0; i < OPEN_ATTEMPTS; i++) {
		long fd = try_openat2(dirfd, *path ? path : ".", flags);

		if (fd >= 0)
			return (int)fd;
		if (errno != EAGAIN && errno != EINTR)
			return -errno;
	}
	return -EAGAIN;
}

/* ---- step by step ---- */

/* One component, which is not followed if it is a symlink. */
static int step(int dirfd, const char *name, int flags)
{
	CLEANUP_FD int fd = -1;
	struct stat st;

	if (strcmp(name, "..") == 0)
		return -EXDEV;
	fd = openat(dirfd, name, flags | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if ((flags & O_PATH) && !(flags & O_NOFOLLOW)) {
		if (fstat(fd, &st) < 0)
			return -errno;
		if (S_ISLNK(st.st_mode))
			return -ELOOP;
	}
	return steal_fd(&fd);
}

int beneath_walk(int dirfd, const char *path, int flags)
{
	CLEANUP_FD int at = -1;
	char name[NAME_MAX + 1];

	if (*path == '/')
		return -EXDEV;
	for (;;) {
		size_t n = strcspn(path, "/");
		const char *rest = path + n + strspn(path + n, "/");
		int next;

		if (n > NAME_MAX)
			return -ENAMETOOLONG;
		memcpy(name, path, n);
		name[n] = '\0';
		if (!*rest) /* a slash at the end asks for a directory */
			return step(at < 0 ? dirfd : at, n ? name : ".",
				    flags | (path[n] ? O_DIRECTORY : 0));
		next = step(at < 0 ? dirfd : at, name, O_PATH | O_DIRECTORY);
		if (next < 0)
			return next;
		cleanup_fd(&at);
		at = next;
		path = rest;
	}
}
