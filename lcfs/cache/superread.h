/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Finding the super block on a device. */
#ifndef LCFS_CACHE_SUPERREAD_H
#define LCFS_CACHE_SUPERREAD_H

#include "lcfs/cache/cache.h"

/* As cache_superblock_read(), and which copy it was: 0 or 1. */
int superblock_find(struct blkdev *dev, struct superblock *sb, uint32_t *copy, char *text,
		    size_t size) must_check;

#endif
