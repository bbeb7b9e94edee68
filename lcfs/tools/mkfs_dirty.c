// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Does a cache that was unmounted in order still hold data that is nowhere else?
 *
 * Its log is seldom empty: its tail moves by whole segments, and what stands behind it may be dead,
 * migrated or operations. Who knows is recovery, so it is rehearsed.
 */
#include "common/messages.h"
#include "lcfs/io/cachedev.h"
#include "lcfs/tools/mkfs.h"
#include "lcfs/tools/rehearsal.h"

/* An image that is not simply clean: something of it may be in the log only. */
static bool has_open_image(struct cache *c)
{
	struct cache_image *img = NULL;

	while ((img = cache_image_next(c, img))) {
		struct cache_image_info info;

		cache_image_info(c, img, &info);
		if (rehearsal_owes(&info))
			return true;
	}
	return false;
}

int mkfs_is_dirty(const struct mkfs_target *t, const struct superblock *sb)
{
	struct rehearsal r;
	int ret = rehearse(&r, cachedev_blkdev(t->dev), sb, 0);

	if (ret)
		msg_warn("%s: its log cannot be read: %s", t->path, r.report.error);
	else
		ret = r.report.dirty_blocks || has_open_image(r.cache);
	rehearsal_free(&r);
	return ret;
}
