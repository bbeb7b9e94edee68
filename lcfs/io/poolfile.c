// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The file that holds the shared RAM buffers.
 *
 * The directory is opened once, without following a link, and must be a directory that only its
 * owner, this user, can change; everything else is done by name in it. The file likewise: no
 * link, one name, mode 0600, own. A lock that is got on a file that has been renamed or removed
 * meanwhile is no lock: it is looked up again.
 */
#include "lcfs/io/poolfile.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/magic.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "common/align.h"
#include "common/cleanup.h"
#include "common/clock.h"
#include "lcfs/io/holder.h"
#include "lcfs/io/iobuf.h"

#define SUFFIX ".pool"
#define STALE ".stale-"
#define NEW ".new"
#define LOOKUPS 10

struct poolfile {
	int dir_fd, fd;
	char path[512]; /* for messages */
	char name[UUID_HEX_BYTES + sizeof(SUFFIX)];
	void *mem;
	uint64_t bytes;
	int lock_error;
	bool is_in_ram;
};

static int fail(int err, char *text, size_t size, const char *format, ...) printf_like(4, 5);
static int fail(int err, char *text, size_t size, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	vsnprintf(text, size, format, ap);
	va_end(ap);
	return err;
}

/* ------------------------------------------------------------------ directory */

int poolfile_directory(char *path, size_t path_size, char *text, size_t size)
{
	const char *run = geteuid() == 0 ? "/run" : getenv("XDG_RUNTIME_DIR");

	if (!run || run[0] != '/')
		return fail(
			-ENOENT, text, size,
			"no place for the shared RAM buffers: XDG_RUNTIME_DIR is not set; log in "
			"properly, or run as root");
	if ((size_t)snprintf(path, path_size, "%s/lcfs", run) >= path_size)
		return fail(-ENAMETOOLONG, text, size, "XDG_RUNTIME_DIR is too long");
	return 0;
}

static int open_directory(const char *path, bool may_create, char *text, size_t size)
{
	CLEANUP_FD int fd = -1;
	struct stat st;

	if (may_create && mkdir(path, 0700) < 0 && errno != EEXIST)
		return fail(-errno, text, size, "%s: cannot create: %s", path, strerror(errno));
	fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return fail(-errno, text, size, "%s: %s", path, strerror(errno));
	if (fstat(fd, &st) < 0)
		return fail(-errno, text, size, "%s: %s", path, strerror(errno));
	if (st.st_uid != geteuid() || (st.st_mode & 022))
		return fail(-EPERM, text, size,
			    "%s: must belong to uid %u and be writable by nobody else; remove it",
			    path, (unsigned int)geteuid());
	return steal_fd(&fd);
}

static int poolfile_new(struct poolfile **out, const char *dir, const uint8_t *uuid,
			bool may_create, char *text, size_t size)
{
	char standard[400], hex[UUID_HEX_BYTES];
	struct poolfile *p;
	int err = 0;

	if (!dir)
		err = poolfile_directory(standard, sizeof(standard), text, size);
	if (err)
		return err;
	p = calloc(1, sizeof(*p));
	if (!p)
		return fail(-ENOMEM, text, size, "out of memory");
	dir = dir ? dir : standard;
	uuid_hex(uuid, hex);
	snprintf(p->name, sizeof(p->name), "%s%s", hex, SUFFIX);
	snprintf(p->path, sizeof(p->path), "%s/%s", dir, p->name);
	p->fd = -1;
	p->dir_fd = open_directory(dir, may_create, text, size);
	if (p->dir_fd < 0) {
		err = p->dir_fd;
		poolfile_close(p);
		return err;
	}
	*out = p;
	return 0;
}

/* ------------------------------------------------------------------ file */

static int check_private(const struct poolfile *p, const struct stat *st, char *text, size_t size)
{
	if (!S_ISREG(st->st_mode) || st->st_uid != geteuid() || (st->st_mode & 077) ||
	    st->st_nlink != 1)
		return fail(
			-EPERM, text, size,
			"%s: not a private file of uid %u with one name; remove it if nothing of "
			"it is needed",
			p->path, (unsigned int)geteuid());
	return 0;
}

/* Opens what the name leads to, and locks it. */
static int open_locked(struct poolfile *p, char *text, size_t size)
{
	char who[64];
	struct stat st, now;
	int err;

	p->fd = openat(p->dir_fd, p->name, O_RDWR | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
	if (p->fd < 0)
		return fail(errno == ELOOP ? -EPERM : -errno, text, size, "%s: %s", p->path,
			    errno == ELOOP ? "is a symbolic link; remove it" : strerror(errno));
	if (fstat(p->fd, &st) < 0)
		return fail(-errno, text, size, "%s: %s", p->path, strerror(errno));
	err = check_private(p, &st, text, size);
	if (err)
		return err;
	if (flock(p->fd, LOCK_EX | LOCK_NB) < 0) {
		err = -errno;
		if (!holder_of_lock(p->path, &st, who, sizeof(who)))
			snprintf(who, sizeof(who), "another process");
		return fail(err == -EWOULDBLOCK ? -EBUSY : err, text, size, "%s: held by %s",
			    p->path, err == -EWOULDBLOCK ? who : strerror(-err));
	}
	if (fstatat(p->dir_fd, p->name, &now, AT_SYMLINK_NOFOLLOW) < 0 || now.st_ino != st.st_ino ||
	    now.st_dev != st.st_dev) {
		close(steal_fd(&p->fd));
		return -EAGAIN;
	}
	p->bytes = (uint64_t)st.st_size;
	return 0;
}

static int open_existing(struct poolfile *p, char *text, size_t size)
{
	int err = -EAGAIN;

	for (int i = 0; i < LOOKUPS && err == -EAGAIN; i++)
		err = open_locked(p, text, size);
	if (err == -EAGAIN)
		return fail(err, text, size, "%s: is being replaced all the time", p->path);
	return err;
}

/*
 * Every block of it gets allocated. fallocate proper, not posix_fallocate, whose stand-in for
 * filesystems that cannot do it is not atomic; there the file is written.
 */
static int allocate(int fd, uint64_t bytes)
{
	static const char zeros[4096];

	if (fallocate(fd, 0, 0, (off_t)bytes) == 0)
		return 0;
	if (errno != EOPNOTSUPP && errno != ENOSYS)
		return -errno;
	for (uint64_t at = 0; at < bytes; at += sizeof(zeros)) {
		ssize_t n = pwrite(fd, zeros, sizeof(zeros), (off_t)at);

		if (n != (ssize_t)sizeof(zeros))
			return n < 0 ? -errno : -ENOSPC;
	}
	return 0;
}

/* It gets its name when it is whole: the daemon may be killed at any moment. */
static int create_file(struct poolfile *p, uint64_t bytes, char *text, size_t size)
{
	char name[sizeof(p->name) + sizeof(NEW)];
	int err;

	snprintf(name, sizeof(name), "%s%s", p->name, NEW);
	(void)unlinkat(p->dir_fd, name, 0); /* of one that was killed here */
	p->fd = openat(p->dir_fd, name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (p->fd < 0)
		return fail(-errno, text, size, "%s: cannot create: %s", p->path, strerror(errno));
	p->bytes = bytes;
	err = flock(p->fd, LOCK_EX | LOCK_NB) < 0 ? -errno : 0;
	if (!err)
		err = allocate(p->fd, bytes);
	if (!err && renameat2(p->dir_fd, name, p->dir_fd, p->name, RENAME_NOREPLACE) == 0)
		return 0;
	if (!err)
		err = -errno;
	(void)unlinkat(p->dir_fd, name, 0);
	if (err == -EEXIST)
		return fail(err, text, size, "%s: is there already", p->path);
	return fail(err, text, size,
		    "%s: cannot allocate %" PRIu64 " KiB for the shared RAM buffers: %s; make room "
		    "there, or use fewer buffers",
		    p->path, bytes >> 10, strerror(-err));
}

/* ------------------------------------------------------------------ memory */

static bool is_ram_filesystem(int fd)
{
	struct statfs fs;

	return fstatfs(fd, &fs) == 0 && ((unsigned long)fs.f_type == TMPFS_MAGIC ||
					 (unsigned long)fs.f_type == RAMFS_MAGIC ||
					 (unsigned long)fs.f_type == HUGETLBFS_MAGIC);
}

static int map(struct poolfile *p, bool is_writable, char *text, size_t size)
{
	int prot = PROT_READ | (is_writable ? PROT_WRITE : 0);
	int err;

	if (p->bytes == 0 || !is_aligned(p->bytes, 4096))
		return fail(-EINVAL, text, size,
			    "%s: has an impossible size of %" PRIu64
			    " bytes; remove it if nothing of "
			    "it is needed",
			    p->path, p->bytes);
	err = iobuf_map(&p->mem, p->bytes, prot, p->fd);
	if (err)
		return fail(err, text, size, "%s: cannot map: %s", p->path, strerror(-err));
	p->is_in_ram = is_ram_filesystem(p->fd);
	if (is_writable)
		p->lock_error = iobuf_lock(p->mem, p->bytes);
	return 0;
}

/* Hands the pool over, or ends it. */
static int finish(struct poolfile **out, struct poolfile *p, int err)
{
	if (err)
		poolfile_close(p);
	else
		*out = p;
	return err;
}

int poolfile_open(struct poolfile **out, const char *dir, const uint8_t uuid[UUID_BYTES],
		  char *text, size_t size)
{
	struct poolfile *p;
	int err;

	*out = NULL;
	err = poolfile_new(&p, dir, uuid, false, text, size);
	if (err)
		return err;
	err = open_existing(p, text, size);
	if (!err && p->bytes) {
		err = allocate(p->fd, p->bytes);
		if (err)
			(void)fail(err, text, size, "%s: cannot allocate: %s", p->path,
				   strerror(-err));
	}
	if (!err)
		err = map(p, true, text, size);
	return finish(out, p, err);
}

int poolfile_peek(struct poolfile **out, const char *dir, const uint8_t uuid[UUID_BYTES],
		  char *text, size_t size)
{
	struct poolfile *p;
	struct stat st;
	int err;

	*out = NULL;
	err = poolfile_new(&p, dir, uuid, false, text, size);
	if (err)
		return err;
	p->fd = openat(p->dir_fd, p->name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
	if (p->fd < 0 || fstat(p->fd, &st) < 0)
		return finish(out, p, fail(-errno, text, size, "%s: %s", p->path, strerror(errno)));
	err = check_private(p, &st, text, size);
	p->bytes = (uint64_t)st.st_size;
	if (!err)
		err = map(p, false, text, size);
	return finish(out, p, err);
}

int poolfile_create(struct poolfile **out, const char *dir, const uint8_t uuid[UUID_BYTES],
		    uint64_t bytes, char *text, size_t size)
{
	struct poolfile *p;
	int err;

	*out = NULL;
	err = poolfile_new(&p, dir, uuid, true, text, size);
	if (err)
		return err;
	err = create_file(p, align_up(bytes, 4096), text, size);
	if (!err) {
		err = map(p, true, text, size);
		if (err)
			(void)unlinkat(p->dir_fd, p->name, 0);
	}
	return finish(out, p, err);
}

/* ------------------------------------------------------------------ use and end */

void *poolfile_memory(const struct poolfile *p)
{
	return p->mem;
}

uint64_t poolfile_bytes(const struct poolfile *p)
{
	return p->bytes;
}

const char *poolfile_path(const struct poolfile *p)
{
	return p->path;
}

int poolfile_lock_error(const struct poolfile *p)
{
	return p->lock_error;
}

bool poolfile_is_in_ram(const struct poolfile *p)
{
	return p->is_in_ram;
}

void poolfile_close(struct poolfile *p)
{
	if (!p)
		return;
	if (p->mem)
		munmap(p->mem, p->bytes);
	if (p->fd >= 0)
		close(p->fd);
	if (p->dir_fd >= 0)
		close(p->dir_fd);
	free(p);
}

int poolfile_remove(struct poolfile *p)
{
	int err = unlinkat(p->dir_fd, p->name, 0) < 0 ? -errno : 0;

	poolfile_close(p);
	return err;
}

/* Removes what was set aside before, but for `keep`. */
static void remove_stale(const struct poolfile *p, const char *keep)
{
	char prefix[sizeof(p->name) + sizeof(STALE)];
	int fd = openat(p->dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *e;

	snprintf(prefix, sizeof(prefix), "%s%s", p->name, STALE);
	while (d && (e = readdir(d))) {
		if (strncmp(e->d_name, prefix, strlen(prefix)) == 0 && strcmp(e->d_name, keep) != 0)
			(void)unlinkat(p->dir_fd, e->d_name, 0);
	}
	if (d)
		closedir(d);
}

int poolfile_set_aside(struct poolfile *p, char *text, size_t size)
{
	char name[sizeof(p->name) + sizeof(STALE) + 24];
	int err = 0;

	snprintf(name, sizeof(name), "%s%s%" PRIu64, p->name, STALE,
		 clock_real_ns() / NSEC_PER_SEC);
	if (renameat(p->dir_fd, p->name, p->dir_fd, name) < 0)
		err = fail(-errno, text, size, "%s: cannot rename to %s: %s", p->path, name,
			   strerror(errno));
	else
		remove_stale(p, name);
	poolfile_close(p);
	return err;
}
