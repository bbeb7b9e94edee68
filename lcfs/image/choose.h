/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which cache is to have an image that none has yet.
 *
 * What the admin said of this very image (attach, detach) counts first: it is an attribute of the
 * backing file, the UUID of a cache or "none", or, where the file takes none, kept in memory. Else
 * the patterns of the mount tell whether it is to be cached at all, and its policy where.
 */
#ifndef LCFS_IMAGE_CHOOSE_H
#define LCFS_IMAGE_CHOOSE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/compiler.h"
#include "lcfs/image/image.h"

struct cachehost;

struct choose {
	/* const */
	enum imagedir_policy policy;
	char **include, **exclude; /* NULL at the end, or no list */
	_Atomic unsigned int turn; /* of the round */
};

int choose_init(struct choose *c, const struct imagedir_conf *conf) must_check;
void choose_free(struct choose *c);

/*
 * image->lock held, its descriptors open. The caches that may take it, held, the best first; list
 * has IMAGEDIR_CACHES_MAX. 0: it is to be uncached. -errno: the attribute cannot be read.
 */
int choose_hosts(struct image *img, struct cachehost **list) must_check;

/*
 * image->lock held, the descriptors open, the image in no cache: notes what the admin said; NULL:
 * uncached. The attribute moves the file's ctime and is not synced yet.
 */
int choose_assign(struct image *img, const struct cachehost *h) must_check;
/* image->lock held, with a reference: the file is gone, and what was said of it. */
void choose_forget(struct image *img);

#endif
