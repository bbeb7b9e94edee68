// SPDX-License-Identifier: GPL-2.0-or-later
/* The places of a mount, and what people mix up. */
#include "lcfs/places.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/mountinfo.h"
#include "lcfs/cachefind.h"
#include "lcfs/io/poolfile.h"

static int fail(int err, char *text, size_t size, const char *format, ...) printf_like(4, 5);
static int fail(int err, char *text, size_t size, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(text, size, format, args);
	va_end(args);
	return err;
}

bool places_is_below(const char *path, const char *dir)
{
	size_t len = strlen(dir);

	if (len == 1) /* "/" */
		return true;
	return strncmp(path, dir, len) == 0 && (path[len] == '\0' || path[len] == '/');
}

/* What keeps a directory from being used, in words; `what` says which it is to be. */
static int say_dir_error(const char *what, const char *path, int err, char *text, size_t size)
{
	switch (err) {
	case ENOENT:
		return fail(-err, text, size, "%s '%s' does not exist: make it with mkdir", what,
			    path);
	case ENOTDIR:
		return fail(-err, text, size, "%s '%s' is not a directory", what, path);
	case ENOTCONN:
	case ECONNABORTED: /* it is dying */
		return fail(-err, text, size,
			    "%s '%s': a filesystem whose daemon has died is mounted there: unmount "
			    "it first (umount -l %s)",
			    what, path, path);
	default:
		return fail(-err, text, size, "%s '%s': %s", what, path, strerror(err));
	}
}

/* Opens a directory and finds its path without symlinks. */
static must_check int open_dir(const char *what, const char *path, int *fd, char **real, char *text,
			       size_t size)
{
	*fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (*fd < 0)
		return say_dir_error(what, path, errno, text, size);
	*real = realpath(path, NULL);
	return *real ? 0 : say_dir_error(what, path, errno, text, size);
}

static must_check int find_dir(struct places *p, const char *dir, char *text, size_t size)
{
	const char *what = "backing directory";
	struct mountinfo m;
	struct stat st;
	int err = open_dir(what, dir, &p->dirfd, &p->dir, text, size);

	if (err)
		return err;
	if (fstat(p->dirfd, &st) < 0)
		return say_dir_error(what, dir, errno, text, size);
	if (mountinfo_of_device(st.st_dev, &m) && m.is_lcfs)
		return fail(-EBUSY, text, size, "%s '%s' is served by lcfs already, mounted on %s",
			    what, dir, m.where);
	return 0;
}

static must_check int check_empty(int fd, const char *mnt, char *text, size_t size)
{
	int copy = dup(fd);
	DIR *dir = copy < 0 ? NULL : fdopendir(copy);
	struct dirent *d;
	int err = 0;

	if (!dir)
		return say_dir_error("mount point", mnt, errno, text, size);
	while (!err && (d = readdir(dir))) {
		if (strcmp(d->d_name, ".") == 0 || strcmp(d->d_name, "..") == 0)
			continue;
		err = fail(
			-ENOTEMPTY, text, size,
			"mount point '%s' is not empty (it has '%s'): use an empty directory, the "
			"backing directory itself, or -o nonempty",
			mnt, d->d_name);
	}
	closedir(dir);
	return err;
}

static must_check int find_mnt(struct places *p, const struct places_conf *conf, char *text,
			       size_t size)
{
	const char *what = "mount point";
	CLEANUP_FD int fd = -1;
	struct stat dir, mnt;
	struct mountinfo m;
	int err = open_dir(what, conf->mnt, &fd, &p->mnt, text, size);

	if (err)
		return err;
	if (mountinfo_at(p->mnt, &m) && m.is_lcfs)
		return fail(-EBUSY, text, size, "%s '%s': lcfs is mounted there already, for %s",
			    what, conf->mnt, m.source);
	if (fstat(p->dirfd, &dir) < 0 || fstat(fd, &mnt) < 0)
		return say_dir_error(what, conf->mnt, errno, text, size);
	p->is_over = dir.st_dev == mnt.st_dev && dir.st_ino == mnt.st_ino;
	if (p->is_over)
		return 0;
	if (places_is_below(p->mnt, p->dir))
		return fail(
			-EINVAL, text, size,
			"%s '%s' is inside the backing directory: mount elsewhere, or over '%s' "
			"itself",
			what, conf->mnt, conf->dir);
	return conf->may_be_nonempty ? 0 : check_empty(fd, conf->mnt, text, size);
}

/* Nothing that lcfs needs to serve the mount may be reached through it. */
static must_check int check_outside(const struct places *p, const char *what, const char *path,
				    char *text, size_t size)
{
	if (places_is_below(path, p->dir))
		return fail(-EINVAL, text, size,
			    "%s '%s' is inside the backing directory '%s': put it elsewhere", what,
			    path, p->dir);
	if (places_is_below(path, p->mnt))
		return fail(-EINVAL, text, size,
			    "%s '%s' is below the mount point '%s': put it elsewhere", what, path,
			    p->mnt);
	return 0;
}

static must_check int check_pool(const struct places *p, char *text, size_t size)
{
	char path[PATH_MAX];
	int err = poolfile_directory(path, sizeof(path), text, size);

	return err ? err : check_outside(p, "the directory of the RAM buffers", path, text, size);
}

int places_find_cache(const struct places *p, const char *cache, char **path, char *text,
		      size_t size)
{
	CLEANUP_FREE char *found = NULL, *real = NULL;
	struct stat st;
	int err = cachefind(cache, &found, text, size);

	*path = NULL;
	if (err)
		return err;
	real = realpath(found, NULL);
	if (!real && errno == ENOENT)
		return fail(-ENOENT, text, size,
			    "cache '%s' does not exist: make it with mkfs.lcfs, or check the name",
			    cache);
	if (!real || stat(real, &st) < 0)
		return fail(-errno, text, size, "cache '%s': %s", cache, strerror(errno));
	if (S_ISDIR(st.st_mode))
		return fail(
			-EISDIR, text, size,
			"cache '%s' is a directory: it must be a block device or a file made by "
			"mkfs.lcfs",
			cache);
	/* The node of a device is only a name. */
	err = S_ISREG(st.st_mode) ? check_outside(p, "cache", real, text, size) : 0;
	if (!err)
		*path = steal_ptr(real);
	return err;
}

static must_check int find_next_cache(struct places *p, const char *cache, char *text, size_t size)
{
	char **at = &p->caches[p->nr_caches];
	int err = places_find_cache(p, cache, at, text, size);

	for (unsigned int i = 0; !err && i < p->nr_caches; i++) {
		if (strcmp(p->caches[i], *at) != 0)
			continue;
		err = fail(-EINVAL, text, size, "cache '%s' is given twice: give each cache once",
			   cache);
		free(*at);
	}
	return err;
}

static must_check int find_caches(struct places *p, const char *const *caches, char *text,
				  size_t size)
{
	unsigned int nr = 0;
	int err = 0;

	while (caches[nr])
		nr++;
	p->caches = calloc(nr, sizeof(*p->caches));
	if (!p->caches)
		return fail(-ENOMEM, text, size, "out of memory");
	for (; !err && p->nr_caches < nr; p->nr_caches += !err)
		err = find_next_cache(p, caches[p->nr_caches], text, size);
	return err;
}

int places_find(struct places *p, const struct places_conf *conf, char *text, size_t size)
{
	int err;

	*p = (struct places){ .dirfd = -1 };
	err = find_dir(p, conf->dir, text, size);
	if (!err)
		err = find_mnt(p, conf, text, size);
	if (!err)
		err = find_caches(p, conf->caches, text, size);
	if (!err)
		err = check_pool(p, text, size);
	return err;
}

void places_free(struct places *p)
{
	free(p->dir);
	free(p->mnt);
	for (unsigned int i = 0; i < p->nr_caches; i++)
		free(p->caches[i]);
	free(p->caches);
	if (p->dirfd >= 0)
		close(p->dirfd);
	*p = (struct places){ .dirfd = -1 };
}
