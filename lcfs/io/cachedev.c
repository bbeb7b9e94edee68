// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The cache device.
 *
 * An open with O_EXCL, or a flock, fails as long as a write of a killed process is in flight, since
 * the write holds the open file description. No process is found then; the message says so.
 */
#include "lcfs/io/cachedev.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "common/align.h"
#include "common/cleanup.h"
#include "common/clock.h"
#include "lcfs/io/holder.h"
#include "lcfs/io/loop.h"

#define POLL_NS (20 * NSEC_PER_MSEC)
#define SECTOR_MAX 4096u

struct cachedev {
	struct blkdev dev;
	struct cachedev_info info;
	int fd;
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

/* ------------------------------------------------------------------ blocking access */

static int dev_read(struct blkdev *dev, void *buf, uint64_t len, uint64_t off)
{
	return loop_read_now(container_of(dev, struct cachedev, dev)->fd, buf, len, off);
}

static int dev_write(struct blkdev *dev, const void *buf, uint64_t len, uint64_t off)
{
	return loop_write_now(container_of(dev, struct cachedev, dev)->fd, buf, len, off);
}

static int dev_flush(struct blkdev *dev)
{
	return fdatasync(container_of(dev, struct cachedev, dev)->fd) < 0 ? -errno : 0;
}

/* Direct reads take nothing from the page cache; there the hint would only cost. */
static void dev_prefetch(struct blkdev *dev, uint64_t len, uint64_t off)
{
	struct cachedev *d = container_of(dev, struct cachedev, dev);

	if (!d->info.is_direct)
		(void)posix_fadvise(d->fd, (off_t)off, (off_t)len, POSIX_FADV_WILLNEED);
}

static const struct blkdev_ops dev_ops = {
	.read = dev_read,
	.write = dev_write,
	.flush = dev_flush,
	.prefetch = dev_prefetch,
};

/* ------------------------------------------------------------------ open and lock */

/* One try: the descriptor with its lock, or -errno; -EBUSY when another has it. */
static int try_open(const struct cachedev_conf *conf, const struct stat *st, bool is_direct)
{
	int flags = O_CLOEXEC | (conf->read_only ? O_RDONLY : O_RDWR) | (is_direct ? O_DIRECT : 0);
	bool has_lock = !conf->is_shared;
	CLEANUP_FD int fd = -1;

	if (S_ISBLK(st->st_mode) && has_lock)
		flags |= O_EXCL;
	fd = open(conf->path, flags);
	if (fd < 0)
		return -errno;
	if (S_ISREG(st->st_mode) && has_lock && flock(fd, LOCK_EX | LOCK_NB) < 0)
		return errno == EWOULDBLOCK ? -EBUSY : -errno;
	return steal_fd(&fd);
}

/* Filesystems without direct I/O refuse O_DIRECT with EINVAL. */
static int open_once(const struct cachedev_conf *conf, const struct stat *st, bool *is_direct)
{
	int fd = try_open(conf, st, true);

	*is_direct = fd != -EINVAL;
	if (fd == -EINVAL && S_ISREG(st->st_mode))
		fd = try_open(conf, st, false);
	return fd;
}

/* Says who has it. Returns whether it may let go soon. */
static bool describe_holder(const struct cachedev_conf *conf, const struct stat *st, char *text,
			    size_t size)
{
	bool is_block = S_ISBLK(st->st_mode), is_kernel = false;
	char who[600];

	if (!(is_block ? holder_of_device(conf->path, st, who, sizeof(who), &is_kernel) :
			 holder_of_lock(conf->path, st, who, sizeof(who)))) {
		fail(-EBUSY, text, size,
		     "%s: cache is still being closed: writes of a process that has ended have not "
		     "landed yet",
		     conf->path);
		return true;
	}
	if (is_kernel)
		fail(-EBUSY, text, size, "%s: in use: %s", conf->path, who);
	else
		fail(-EBUSY, text, size, "%s: cache is still in use or being closed by %s",
		     conf->path, who);
	return !is_kernel;
}

static void poll_pause(void)
{
	struct timespec ts = { .tv_nsec = POLL_NS };

	clock_nanosleep(CLOCK_MONOTONIC, 0, &ts, NULL);
}

/* There is nothing to wait on for a device to become free: it is asked again and again. */
static int open_waiting(const struct cachedev_conf *conf, const struct stat *st, bool *is_direct,
			char *text, size_t size)
{
	uint64_t start = clock_mono_ns(), tell_at = start;
	uint64_t deadline = start + conf->wait_ms * NSEC_PER_MSEC;

	for (;;) {
		int fd = open_once(conf, st, is_direct);
		uint64_t now = clock_mono_ns();

		if (fd != -EBUSY)
			return fd;
		if (now >= deadline) {
			(void)describe_holder(conf, st, text, size);
			return -EBUSY;
		}
		if (now >= tell_at) {
			if (!describe_holder(conf, st, text, size))
				return -EBUSY;
			if (conf->waiting)
				conf->waiting(conf->ctx, text);
			tell_at = now + NSEC_PER_SEC;
		}
		poll_pause();
	}
}

/* ------------------------------------------------------------------ facts */

static uint32_t file_sector(int fd, bool is_direct)
{
#ifdef STATX_DIOALIGN
	struct statx stx;

	if (is_direct && statx(fd, "", AT_EMPTY_PATH, STATX_DIOALIGN, &stx) == 0 &&
	    (stx.stx_mask & STATX_DIOALIGN) && stx.stx_dio_offset_align)
		return stx.stx_dio_offset_align;
#else
	(void)fd;
	(void)is_direct;
#endif
	return 512;
}

static int find_facts(struct cachedev *d, const struct stat *st)
{
	dev_t dev = d->info.is_block ? st->st_rdev : st->st_dev;
	int sector = 0;

	d->info.major = major(dev);
	d->info.minor = minor(dev);
	if (!d->info.is_block) {
		d->info.bytes = (uint64_t)st->st_size;
		d->info.sector_bytes = file_sector(d->fd, d->info.is_direct);
	} else if (ioctl(d->fd, BLKGETSIZE64, &d->info.bytes) < 0 ||
		   ioctl(d->fd, BLKSSZGET, &sector) < 0) {
		return -errno;
	} else {
		d->info.sector_bytes = (uint32_t)sector;
	}
	d->dev.ops = &dev_ops;
	d->dev.bytes = align_down(d->info.bytes, 4096);
	return 0;
}

/* The name may lead elsewhere since it was looked at. */
static int check_same(const struct cachedev *d, const struct stat *st, struct stat *now)
{
	if (fstat(d->fd, now) < 0)
		return -errno;
	if (now->st_dev != st->st_dev || now->st_ino != st->st_ino || now->st_rdev != st->st_rdev ||
	    (now->st_mode & S_IFMT) != (st->st_mode & S_IFMT))
		return -EAGAIN;
	return 0;
}

static int open_device(struct cachedev *d, const struct cachedev_conf *conf, char *text,
		       size_t size)
{
	struct stat st, now;
	int err;

	if (stat(conf->path, &st) < 0)
		return fail(-errno, text, size, "%s: %s", conf->path, strerror(errno));
	if (!S_ISBLK(st.st_mode) && !S_ISREG(st.st_mode))
		return fail(-ENOTBLK, text, size, "%s: not a block device or regular file",
			    conf->path);
	d->info.is_block = S_ISBLK(st.st_mode);
	d->fd = open_waiting(conf, &st, &d->info.is_direct, text, size);
	if (d->fd == -EBUSY)
		return -EBUSY;
	if (d->fd < 0)
		return fail(d->fd, text, size, "%s: cannot open%s: %s", conf->path,
			    conf->read_only ? "" : " for writing", strerror(-d->fd));
	err = check_same(d, &st, &now);
	if (!err)
		err = find_facts(d, &now);
	if (err)
		return fail(err, text, size, "%s: %s", conf->path, strerror(-err));
	if (d->info.sector_bytes > SECTOR_MAX)
		return fail(-EINVAL, text, size,
			    "%s: has sectors of %u bytes, at most %u can be used", conf->path,
			    d->info.sector_bytes, SECTOR_MAX);
	return 0;
}

int cachedev_open(struct cachedev **out, const struct cachedev_conf *conf, char *text, size_t size)
{
	struct cachedev *d = calloc(1, sizeof(*d));
	int err;

	*out = NULL;
	if (!d)
		return fail(-ENOMEM, text, size, "%s: out of memory", conf->path);
	assert(conf->read_only || !conf->is_shared);
	d->fd = -1;
	err = open_device(d, conf, text, size);
	if (err) {
		cachedev_close(d);
		return err;
	}
	*out = d;
	return 0;
}

void cachedev_close(struct cachedev *d)
{
	if (!d)
		return;
	if (d->fd >= 0)
		close(d->fd);
	free(d);
}

struct blkdev *cachedev_blkdev(struct cachedev *d)
{
	return &d->dev;
}

int cachedev_fd(const struct cachedev *d)
{
	return d->fd;
}

void cachedev_info(const struct cachedev *d, struct cachedev_info *info)
{
	*info = d->info;
}
