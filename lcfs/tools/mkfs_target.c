// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The device or file that becomes a cache: open it, and make sure that nobody uses it.
 *
 * A block device is opened with O_EXCL, which fails while it is mounted, used as swap or held by
 * another layer of the kernel or by a daemon of ours. For a file O_EXCL means nothing: there it is
 * a lock, the one that our daemon takes, and a look at the loop devices and the swap files.
 *
 * A file is given all its blocks here. A cache must never run out of space in the middle of a
 * write that it has promised to keep, so a sparse file would be a trap; where the filesystem cannot
 * allocate in advance, a sparse file is refused, and one whose blocks are all there is taken.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/messages.h"
#include "lcfs/io/holder.h"
#include "lcfs/tools/mkfs.h"

/* Says why path could not be opened. */
static must_check int say_open_error(const char *path, int err)
{
	const char *advice = "";

	if (err == EACCES || err == EPERM)
		advice = ": are you root?";
	else if (err == EROFS)
		advice = ": it must be writable";
	msg_err("%s: %s%s", path, strerror(err), advice);
	return -err;
}

/* The second word of the line of /proc/self/mountinfo whose third is MAJOR:MINOR: "" if none. */
static void find_mount(dev_t dev, char *where, size_t size)
{
	FILE *f = fopen("/proc/self/mountinfo", "re");
	CLEANUP_FREE char *line = NULL;
	unsigned int major, minor;
	char mnt[PATH_MAX];
	size_t room = 0;

	where[0] = '\0';
	while (f && getline(&line, &room, f) > 0) {
		if (sscanf(line, "%*d %*d %u:%u %*s %4095s", &major, &minor, mnt) == 3 &&
		    makedev(major, minor) == dev)
			snprintf(where, size, "%s", mnt);
	}
	if (f)
		fclose(f);
}

static bool is_swap(const char *path)
{
	FILE *f = fopen("/proc/swaps", "re");
	CLEANUP_FREE char *real = realpath(path, NULL);
	CLEANUP_FREE char *line = NULL;
	size_t room = 0;
	bool found = false;

	while (f && real && getline(&line, &room, f) > 0) {
		line[strcspn(line, " \t\n")] = '\0';
		found = found || strcmp(line, real) == 0;
	}
	if (f)
		fclose(f);
	return found;
}

/* The name of one that stands on the block device (device mapper, md, …): "" if none. */
static void find_stacked(dev_t dev, char *name, size_t size)
{
	char path[64];
	struct dirent *d;
	DIR *dir;

	name[0] = '\0';
	snprintf(path, sizeof(path), "/sys/dev/block/%u:%u/holders", major(dev), minor(dev));
	dir = opendir(path);
	while (dir && (d = readdir(dir))) {
		if (d->d_name[0] != '.')
			snprintf(name, size, "%s", d->d_name);
	}
	if (dir)
		closedir(dir);
}

static must_check int say_busy(const char *path, const struct stat *st)
{
	char where[PATH_MAX];
	struct holder h;

	if (S_ISBLK(st->st_mode)) {
		find_mount(st->st_rdev, where, sizeof(where));
		if (where[0]) {
			msg_err("%s: is mounted on %s: unmount it first", path, where);
			return -EBUSY;
		}
		find_stacked(st->st_rdev, where, sizeof(where));
		if (where[0]) {
			msg_err("%s: is in use by /dev/%s", path, where);
			return -EBUSY;
		}
	}
	if (is_swap(path))
		msg_err("%s: is in use as swap", path);
	else if (holder_find(path, &h) == 1)
		msg_err("%s: is in use by %s (pid %d)", path, h.comm, (int)h.pid);
	else
		msg_err("%s: is in use", path);
	return -EBUSY;
}

/* The loop device whose backing file path is: "" if none. */
static void find_loop(const char *path, char *name, size_t size)
{
	CLEANUP_FREE char *real = realpath(path, NULL);
	char file[64], backing[PATH_MAX];
	struct dirent *d;
	DIR *dir = real ? opendir("/sys/block") : NULL;

	name[0] = '\0';
	while (dir && (d = readdir(dir))) {
		FILE *f;

		if (strncmp(d->d_name, "loop", 4) != 0)
			continue;
		snprintf(file, sizeof(file), "/sys/block/%.20s/loop/backing_file", d->d_name);
		f = fopen(file, "re");
		if (!f)
			continue;
		if (fgets(backing, sizeof(backing), f)) {
			backing[strcspn(backing, "\n")] = '\0';
			if (strcmp(backing, real) == 0)
				snprintf(name, size, "%s", d->d_name);
		}
		fclose(f);
	}
	if (dir)
		closedir(dir);
}

static must_check int open_block(struct mkfs_target *t, const struct stat *st,
				 const struct mkfs_options *o)
{
	if (o->size) {
		msg_err("%s: --size is for files; to use a part of a device, make a partition",
			t->path);
		return -EINVAL;
	}
	t->is_block = true;
	t->fd = open(t->path, O_RDWR | O_EXCL | O_CLOEXEC);
	if (t->fd < 0)
		return errno == EBUSY ? say_busy(t->path, st) : say_open_error(t->path, errno);
	if (ioctl(t->fd, BLKGETSIZE64, &t->bytes) < 0)
		return say_open_error(t->path, errno);
	return 0;
}

static must_check int lock_file(const struct mkfs_target *t)
{
	char loop[NAME_MAX + 1];
	struct stat st;

	if (fstat(t->fd, &st) < 0)
		return say_open_error(t->path, errno);
	if (flock(t->fd, LOCK_EX | LOCK_NB) < 0)
		return errno == EWOULDBLOCK ? say_busy(t->path, &st) :
					      say_open_error(t->path, errno);
	find_loop(t->path, loop, sizeof(loop));
	if (loop[0]) {
		msg_err("%s: is in use by /dev/%s: detach it first", t->path, loop);
		return -EBUSY;
	}
	return is_swap(t->path) ? say_busy(t->path, &st) : 0;
}

static must_check int open_file(struct mkfs_target *t, const struct stat *st,
				const struct mkfs_options *o)
{
	t->fd = open(t->path, O_RDWR | O_CLOEXEC);
	if (t->fd < 0)
		return say_open_error(t->path, errno);
	t->bytes = (uint64_t)st->st_size;
	if (!t->bytes && !o->size) {
		msg_err("%s: is empty: give its size with --size", t->path);
		return -EINVAL;
	}
	return lock_file(t);
}

static must_check int create_file(struct mkfs_target *t, const struct mkfs_options *o)
{
	if (!o->size) {
		msg_err("%s: does not exist: to create a file, give its --size", t->path);
		return -ENOENT;
	}
	t->fd = open(t->path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (t->fd < 0)
		return say_open_error(t->path, errno);
	t->is_created = true;
	return lock_file(t);
}

int mkfs_target_open(struct mkfs_target *t, const struct mkfs_options *o)
{
	struct stat st;

	*t = (struct mkfs_target){ .path = o->path, .fd = -1 };
	if (stat(t->path, &st) < 0)
		return errno == ENOENT ? create_file(t, o) : say_open_error(t->path, errno);
	if (S_ISBLK(st.st_mode))
		return open_block(t, &st, o);
	if (S_ISREG(st.st_mode))
		return open_file(t, &st, o);
	msg_err("%s: is neither a block device nor a regular file", t->path);
	return -ENOTBLK;
}

static must_check int say_allocate_error(const struct mkfs_target *t, uint64_t bytes, int err)
{
	struct stat st;

	if (err == ENOSPC || err == EDQUOT || err == EFBIG) {
		msg_err("%s: no room for all of its %" PRIu64 " bytes: %s", t->path, bytes,
			strerror(err));
		return -err;
	}
	if (err != EOPNOTSUPP)
		return say_open_error(t->path, err);
	if (fstat(t->fd, &st) == 0 && (uint64_t)st.st_blocks * 512 >= bytes)
		return 0;
	msg_err("%s: this filesystem cannot allocate a file in advance, and a cache must not run "
		"out of space: write it full first (dd if=/dev/zero)",
		t->path);
	return -err;
}

int mkfs_target_allocate(struct mkfs_target *t, const struct mkfs_options *o)
{
	uint64_t bytes = o->size ? o->size : t->bytes;

	if (t->is_block)
		return 0;
	if (o->size && ftruncate(t->fd, (off_t)bytes) < 0)
		return say_allocate_error(t, bytes, errno);
	t->bytes = bytes;
	/* Blocks that are there stay as they are. */
	if (fallocate(t->fd, 0, 0, (off_t)bytes) < 0)
		return say_allocate_error(t, bytes, errno);
	return 0;
}

void mkfs_target_close(struct mkfs_target *t, bool is_complete)
{
	if (t->is_created && !is_complete)
		unlink(t->path);
	if (t->fd >= 0)
		close(t->fd);
	t->fd = -1;
}
