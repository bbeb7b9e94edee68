/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A block device as recovery, mkfs.lcfs and the offline tools see it: plain blocking calls. (While
 * the log is served, the core itself does no I/O: it names what is to be done, see
 * lcfs/cache/action.h.)
 *
 * Contract of every implementation: offset and length are multiples of 4096 and lie inside the
 * device; buffers are aligned to 4096; a call either moves all of the bytes or fails; a write
 * counts as durable once a flush that was called after it returned has returned 0. One caller at
 * a time.
 */
#ifndef LCFS_IO_BLKDEV_H
#define LCFS_IO_BLKDEV_H

#include <stdint.h>

#include "common/compiler.h"

struct blkdev;

struct blkdev_ops {
	/* Each: 0 or -errno. */
	int (*read)(struct blkdev *dev, void *buf, uint64_t len, uint64_t off);
	int (*write)(struct blkdev *dev, const void *buf, uint64_t len, uint64_t off);
	int (*flush)(struct blkdev *dev);
	/* A hint that [off, off + len) will be read soon; may be NULL. */
	void (*prefetch)(struct blkdev *dev, uint64_t len, uint64_t off);
	void (*close)(struct blkdev *dev);
};

struct blkdev {
	const struct blkdev_ops *ops;
	uint64_t bytes; /* const after open, a multiple of 4096: an odd rest is unused */
};

static inline int must_check blkdev_read(struct blkdev *d, void *buf, uint64_t len, uint64_t off)
{
	return d->ops->read(d, buf, len, off);
}

static inline int must_check blkdev_write(struct blkdev *d, const void *buf, uint64_t len,
					  uint64_t off)
{
	return d->ops->write(d, buf, len, off);
}

static inline int must_check blkdev_flush(struct blkdev *d)
{
	return d->ops->flush(d);
}

static inline void blkdev_prefetch(struct blkdev *d, uint64_t len, uint64_t off)
{
	if (d->ops->prefetch)
		d->ops->prefetch(d, len, off);
}

static inline void blkdev_close(struct blkdev *d)
{
	if (d && d->ops->close)
		d->ops->close(d);
}

#endif
