// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The device or file that becomes a cache: opened and locked as the daemon does it, so that nobody
 * else uses it.
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
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/messages.h"
#include "lcfs/io/cachedev.h"
#include "lcfs/tools/mkfs.h"

static must_check int say_error(const char *path, int err)
{
	const char *advice = "";

	if (err == EACCES || err == EPERM)
		advice = ": are you root?";
	msg_err("%s: %s%s", path, strerror(err), advice);
	return -err;
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

static must_check int create_file(struct mkfs_target *t, const struct mkfs_options *o)
{
	CLEANUP_FD int fd = -1;

	if (!o->size) {
		msg_err("%s: does not exist: to create a file, give its --size", t->path);
		return -ENOENT;
	}
	fd = open(t->path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return say_error(t->path, errno);
	t->is_created = true;
	return 0;
}

static must_check int check_file(const struct mkfs_target *t, const struct mkfs_options *o)
{
	char loop[NAME_MAX + 1];

	if (!t->bytes && !o->size) {
		msg_err("%s: is empty: give its size with --size", t->path);
		return -EINVAL;
	}
	find_loop(t->path, loop, sizeof(loop));
	if (loop[0]) {
		msg_err("%s: is in use by /dev/%s: detach it first", t->path, loop);
		return -EBUSY;
	}
	return 0;
}

static must_check int check_block(const struct mkfs_target *t, const struct mkfs_options *o)
{
	if (!o->size)
		return 0;
	msg_err("%s: --size is for files; to use a part of a device, make a partition", t->path);
	return -EINVAL;
}

static must_check int open_target(struct mkfs_target *t)
{
	struct cachedev_conf conf = { .path = t->path };
	struct cachedev_info info;
	char text[512];
	int err = cachedev_open(&t->dev, &conf, text, sizeof(text));

	if (err) {
		msg_err("%s", text);
		return err;
	}
	cachedev_info(t->dev, &info);
	t->fd = cachedev_fd(t->dev);
	/* Small reads at any place, a few writes and a flush: the page cache will do. */
	if (fcntl(t->fd, F_SETFL, O_RDWR) < 0)
		return say_error(t->path, errno);
	t->bytes = info.bytes;
	t->is_block = info.is_block;
	return 0;
}

int mkfs_target_open(struct mkfs_target *t, const struct mkfs_options *o)
{
	struct stat st;
	int err = 0;

	*t = (struct mkfs_target){ .path = o->path, .fd = -1 };
	if (stat(t->path, &st) < 0)
		err = errno == ENOENT ? create_file(t, o) : say_error(t->path, errno);
	if (!err)
		err = open_target(t);
	if (!err)
		err = t->is_block ? check_block(t, o) : check_file(t, o);
	return err;
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
		return say_error(t->path, err);
	if (fstat(t->fd, &st) == 0 && (uint64_t)st.st_blocks * 512 >= bytes)
		return 0;
	msg_err("%s: this filesystem cannot allocate a file in advance, and a cache must not run "
		"out of space: write it full first (dd if=/dev/zero)",
		t->path);
	return -err;
}

/* Asked first: filling the filesystem to find out takes from others what they need meanwhile. */
static bool has_room(const struct mkfs_target *t, uint64_t bytes)
{
	struct statvfs fs;
	struct stat st;
	uint64_t has;

	if (fstat(t->fd, &st) < 0 || fstatvfs(t->fd, &fs) < 0 || fs.f_blocks == 0)
		return true;
	has = (uint64_t)st.st_blocks * 512;
	return bytes <= has || (bytes - has) / fs.f_frsize <= fs.f_bfree;
}

int mkfs_target_allocate(struct mkfs_target *t, const struct mkfs_options *o)
{
	uint64_t bytes = o->size ? o->size : t->bytes;

	if (t->is_block)
		return 0;
	if (!has_room(t, bytes))
		return say_allocate_error(t, bytes, ENOSPC);
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
	cachedev_close(t->dev);
	t->dev = NULL;
	t->fd = -1;
}
