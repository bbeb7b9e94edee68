/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The cache device: a block device or a regular file, opened for one user at a time.
 *
 * The lock (O_EXCL of a block device, flock of a file) belongs to the open file description
 * behind cachedev_fd(), and the log is written through that one and no other. So it lasts until
 * the last write has landed, even one that was in flight when its process was killed, and whoever
 * gets the lock sees the device at rest. For the same reason nobody else may hold a duplicate of
 * the descriptor, and it is never inherited (fork only before the open).
 */
#ifndef LCFS_IO_CACHEDEV_H
#define LCFS_IO_CACHEDEV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/compiler.h"
#include "lcfs/io/blkdev.h"

struct cachedev;

struct cachedev_conf {
	const char *path;
	bool read_only;
	bool is_shared;	      /* no lock, read_only only: for looking at a cache in use */
	unsigned int wait_ms; /* how long to wait for another user to let go; 0: not at all */
	/*
	 * Told at once and then every second while waiting, with a line that names the holder;
	 * or NULL.
	 */
	void (*waiting)(void *ctx, const char *text);
	void *ctx;
};

/*
 * -errno, with one line in text (size bytes): -EBUSY held by another (named where it can be
 * found), -ENOTBLK neither a block device nor a regular file, -EINVAL sectors larger than 4096
 * bytes, or what open said. A mounted device is refused without waiting.
 */
int cachedev_open(struct cachedev **out, const struct cachedev_conf *conf, char *text,
		  size_t size) must_check;
/* Closes and unlocks; no I/O is in flight. NULL is allowed. */
void cachedev_close(struct cachedev *d);

/* Blocking access for recovery and tools; closing it does nothing, cachedev_close() does. */
struct blkdev *cachedev_blkdev(struct cachedev *d);
/* The descriptor to write the log through; stays the cachedev's. */
int cachedev_fd(const struct cachedev *d);

struct cachedev_info {
	uint64_t bytes;	       /* as the device has it; blkdev->bytes is rounded down to 4096 */
	uint32_t sector_bytes; /* smallest direct write */
	bool is_block;
	bool is_direct; /* false: its filesystem has none, the page cache lies between */
	uint32_t major, minor; /* of the block device, or of the filesystem of the file */
};
void cachedev_info(const struct cachedev *d, struct cachedev_info *info);

#endif
