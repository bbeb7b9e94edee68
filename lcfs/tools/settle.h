/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a cache that is not mounted owes, image by image, and the writing of it into a file. The
 * cache is only read. Messages are said here; 0 or -errno tell the caller only that they have been.
 */
#ifndef LCFS_TOOLS_SETTLE_H
#define LCFS_TOOLS_SETTLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/compiler.h"
#include "lcfs/cache/owed.h"
#include "lcfs/tools/offline.h"
#include "lcfs/tools/progress.h"
#include "lcfs/tools/rehearsal.h"

struct settle {
	struct offline cache;
	struct superblock sb;
	struct rehearsal rehearsal;
	struct owed_block *blocks; /* of all images */
	size_t nr_blocks;
	uint8_t *buf;
	struct progress progress;
	uint64_t done; /* blocks */
};

struct settle_image {
	struct cache_image *image;
	struct cache_image_info info;
	struct owed_effects effects;
	char path[OP_PATH_MAX + 1];
	const struct owed_block *blocks; /* by number */
	size_t nr_blocks;
};

/* What has come of an image. */
struct settle_count {
	uint64_t blocks;  /* written */
	uint64_t partial; /* of these: not all sectors are in the cache */
	uint64_t lost;	  /* damaged in the cache: not written */
};

/* The cache is locked and read; flags of rehearse(). settle_close() in either case. */
int settle_open(struct settle *s, const char *name, unsigned int flags) must_check;
void settle_close(struct settle *s);

/* The image after prev (NULL: the first) that something is owed to. False: there is none. */
bool settle_next(struct settle *s, struct cache_image *prev, struct settle_image *img);

/*
 * Writes the blocks of the image to the file open at fd; the size of the file is the caller's to
 * set. Blocks that are damaged in the cache are said, counted and left out. name is for messages.
 */
int settle_write(struct settle *s, const struct settle_image *img, int fd, const char *name,
		 struct settle_count *count) must_check;

#endif
