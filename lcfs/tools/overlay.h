/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A device whose writes stay in memory and go away with it, laid over another one that is only
 * read. Recovery can so be run on a cache that must not change by a byte.
 */
#ifndef LCFS_TOOLS_OVERLAY_H
#define LCFS_TOOLS_OVERLAY_H

#include <stddef.h>
#include <stdint.h>

#include "common/compiler.h"
#include "lcfs/io/blkdev.h"

struct overlay_block;

struct overlay {
	struct blkdev dev;
	struct blkdev *below;
	struct overlay_block **bucket;
	size_t nr_buckets;
};

/* below stays the caller's and outlives it. 0 or -ENOMEM; overlay_free() in either case. */
int overlay_init(struct overlay *o, struct blkdev *below) must_check;
/* Zeroed memory is allowed. */
void overlay_free(struct overlay *o);

#endif
