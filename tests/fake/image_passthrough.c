// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Images without a cache: names, sizes and attributes; reads and writes stand in
 * image_passthrough_io.c.
 */
#include "tests/fake/image_passthrough.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/fake/image_passthrough_impl.h"

int passthrough_open(struct imagedir **out, int dirfd, const struct passthrough_conf *conf)
{
	struct imagedir *d = calloc(1, sizeof(*d));

	if (!d)
		return -ENOMEM;
	d->conf = *conf;
	d->fd = openat(dirfd, ".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (d->fd < 0) {
		free(d);
		return -errno;
	}
	pthread_mutex_init(&d->lock, NULL);
	for (unsigned int i = 0; i < PASSTHROUGH_BUCKETS; i++)
		list_init(&d->images[i]);
	passthrough_pool_start(d);
	*out = d;
	return 0;
}

unsigned int passthrough_images(struct imagedir *d)
{
	struct image *img;
	unsigned int n = 0;

	pthread_mutex_lock(&d->lock);
	for (unsigned int i = 0; i < PASSTHROUGH_BUCKETS; i++) {
		list_for_each_entry(img, &d->images[i], node)
			n++;
	}
	pthread_mutex_unlock(&d->lock);
	return n;
}

int imagedir_fd(const struct imagedir *d)
{
	return d->fd;
}

uint64_t imagedir_revived(struct imagedir *d unused_)
{
	return 0;
}

bool imagedir_is_private(const struct imagedir *d, int dirfd, const char *name)
{
	struct stat here, root;

	return strcmp(name, ".lcfs") == 0 && fstat(dirfd, &here) == 0 && fstat(d->fd, &root) == 0 &&
	       here.st_ino == root.st_ino && here.st_dev == root.st_dev;
}

static void image_free(struct image *img)
{
	close(img->fd);
	if (img->io_fd >= 0)
		close(img->io_fd);
	free(img);
}

bool imagedir_leave_lent(unused_ struct imagedir *d)
{
	return false;
}

void image_thread_lend(unused_ _Atomic bool *is_away)
{
}

int imagedir_close(struct imagedir *d)
{
	struct image *img;

	passthrough_pool_stop(d);
	for (unsigned int i = 0; i < PASSTHROUGH_BUCKETS; i++) {
		while ((img = list_pop_head(&d->images[i], struct image, node)) != NULL)
			image_free(img);
	}
	close(d->fd);
	pthread_mutex_destroy(&d->lock);
	free(d);
	return 0;
}

static struct image *find_locked(struct imagedir *d, const struct stat *st)
{
	struct image *img;

	list_for_each_entry(img, &d->images[st->st_ino % PASSTHROUGH_BUCKETS], node) {
		if (img->dev == st->st_dev && img->ino == st->st_ino)
			return img;
	}
	return NULL;
}

int image_get(struct imagedir *d, int fd, struct image **out)
{
	struct image *img;
	struct stat st;
	int error = 0;

	*out = NULL;
	if (fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -EINVAL;
	pthread_mutex_lock(&d->lock);
	img = find_locked(d, &st);
	if (img)
		img->refs++;
	else {
		char path[64];

		snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
		img = calloc(1, sizeof(*img));
		img->dir = d;
		img->refs = 1;
		img->dev = st.st_dev;
		img->ino = st.st_ino;
		img->io_fd = -1;
		img->is_ours = true;
		if ((fcntl(fd, F_GETFL) & (O_PATH | O_ACCMODE)) == O_RDWR)
			img->io_fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
		img->fd = open(path, O_PATH | O_CLOEXEC);
		if (img->fd < 0) {
			error = -errno;
			free(img);
			img = NULL;
		} else
			list_add_head(&d->images[st.st_ino % PASSTHROUGH_BUCKETS], &img->node);
	}
	pthread_mutex_unlock(&d->lock);
	*out = img;
	return error;
}

struct image *image_ref(struct image *img)
{
	pthread_mutex_lock(&img->dir->lock);
	img->refs++;
	pthread_mutex_unlock(&img->dir->lock);
	return img;
}

void image_put(struct image *img)
{
	struct imagedir *d = img->dir;
	bool is_last;

	pthread_mutex_lock(&d->lock);
	is_last = --img->refs == 0;
	if (is_last)
		list_del(&img->node);
	pthread_mutex_unlock(&d->lock);
	if (is_last)
		image_free(img);
}

int image_fd(const struct image *img)
{
	return img->fd;
}

void image_created(struct image *img unused_)
{
}

static int open_again(struct image *img, int flags)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", img->fd);
	fd = open(path, flags | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

/* The descriptor for I/O; read-only where nothing else is possible. */
static int io_fd_locked(struct image *img)
{
	int fd = img->io_fd;

	if (fd >= 0)
		return fd;
	fd = open_again(img, O_RDWR);
	if (fd == -EACCES || fd == -EROFS || fd == -ETXTBSY)
		fd = open_again(img, O_RDONLY);
	if (fd >= 0)
		img->io_fd = fd;
	return fd;
}

int passthrough_fd(struct image *img)
{
	int fd;

	pthread_mutex_lock(&img->dir->lock);
	fd = io_fd_locked(img);
	pthread_mutex_unlock(&img->dir->lock);
	return fd;
}

int image_open(struct image *img, bool for_write unused_)
{
	int fd = passthrough_fd(img);

	if (fd >= 0)
		atomic_fetch_add(&img->opens, 1);
	return fd < 0 ? fd : 0;
}

void image_release(struct image *img, bool for_write unused_)
{
	int fd = -1;

	unsigned int before = atomic_fetch_sub(&img->opens, 1);

	if (before == 0)
		abort();
	if (before > 1)
		return;
	/* Descriptors are for open files. */
	pthread_mutex_lock(&img->dir->lock);
	if (atomic_load(&img->opens) == 0) {
		fd = img->io_fd;
		img->io_fd = -1;
	}
	pthread_mutex_unlock(&img->dir->lock);
	if (fd >= 0)
		close(fd);
}

/* A change that is not ours moves size or mtime while nothing of ours did. */
uint64_t image_version(struct image *img)
{
	struct stat st;
	uint64_t version;

	if (fstat(img->fd, &st) < 0)
		return 0;
	pthread_mutex_lock(&img->dir->lock);
	if (atomic_exchange(&img->is_ours, false) == false &&
	    (img->size != st.st_size || img->mtime.tv_sec != st.st_mtim.tv_sec ||
	     img->mtime.tv_nsec != st.st_mtim.tv_nsec))
		img->version++;
	img->size = st.st_size;
	img->mtime = st.st_mtim;
	version = img->version;
	pthread_mutex_unlock(&img->dir->lock);
	return version;
}

int image_stat(struct image *img unused_, int fd, struct stat *st)
{
	return fstatat(fd, "", st, AT_EMPTY_PATH) < 0 ? -errno : 0;
}

uint64_t image_size(struct image *img)
{
	struct stat st;

	return fstat(img->fd, &st) < 0 ? 0 : (uint64_t)st.st_size;
}

int image_truncate(struct image *img, uint64_t size)
{
	int fd = passthrough_fd(img);

	if (fd < 0)
		return fd;
	atomic_store(&img->is_ours, true);
	return ftruncate(fd, (off_t)size) < 0 ? -errno : 0;
}

int image_fallocate(struct image *img, int mode, uint64_t off, uint64_t len)
{
	int fd = passthrough_fd(img);

	if (fd < 0)
		return fd;
	atomic_store(&img->is_ours, true);
	return fallocate(fd, mode, (off_t)off, (off_t)len) < 0 ? -errno : 0;
}

int image_seek(struct image *img, uint64_t off, int whence, uint64_t *result)
{
	int fd = open_again(img, O_RDONLY);
	off_t at;

	if (fd < 0)
		return fd;
	at = lseek(fd, (off_t)off, whence);
	*result = (uint64_t)at;
	close(fd);
	return at < 0 ? -errno : 0;
}

int image_sync(struct image *img, bool datasync)
{
	int fd = passthrough_fd(img);

	if (fd < 0)
		return fd;
	return (datasync ? fdatasync(fd) : fsync(fd)) < 0 ? -errno : 0;
}

int image_set_times(struct image *img, const struct timespec ts[2])
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", img->fd);
	atomic_store(&img->is_ours, true);
	return utimensat(AT_FDCWD, path, ts, 0) < 0 ? -errno : 0;
}

int image_touching(struct image *img)
{
	atomic_store(&img->is_ours, true);
	return 0;
}

void image_touched(struct image *img unused_)
{
}

bool image_xattr_is_private(const char *name)
{
	return strncmp(name, "user.lcfs.", 10) == 0;
}

int imagedir_unlink(struct imagedir *d unused_, int dirfd, const char *name)
{
	return unlinkat(dirfd, name, 0) < 0 ? -errno : 0;
}

int imagedir_rename(struct imagedir *d unused_, int dirfd, const char *name, int newdirfd,
		    const char *newname, unsigned int flags)
{
	return renameat2(dirfd, name, newdirfd, newname, flags) < 0 ? -errno : 0;
}

int imagedir_link(struct imagedir *d unused_, int fd, int newdirfd, const char *newname)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return linkat(AT_FDCWD, path, newdirfd, newname, AT_SYMLINK_FOLLOW) < 0 ? -errno : 0;
}

int imagedir_sync_dir(struct imagedir *d unused_, int dirfd)
{
	int fd = openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int error;

	if (fd < 0)
		return -errno;
	error = fsync(fd) < 0 ? -errno : 0;
	close(fd);
	return error;
}
