// SPDX-License-Identifier: GPL-2.0-or-later
/* Recovery with nothing written. */
#include "lcfs/tools/rehearsal.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "lcfs/io/poolfile.h"
#include "lcfs/io/uuid.h"

/* The fewest that a cache can be opened with: none is ever filled. */
#define NEW_BUFFERS 2

static must_check int copy_pool(struct rehearsal *r, const struct poolfile *p)
{
	int err = iobuf_region_alloc(&r->pool, poolfile_bytes(p));

	if (err)
		return err;
	memcpy(r->pool.mem, poolfile_memory(p), poolfile_bytes(p));
	r->has_buffers = true;
	return 0;
}

/* Those of a dead daemon, or empty ones. */
static must_check int get_pool(struct rehearsal *r, const struct superblock *sb,
			       const uint8_t *boot_id)
{
	struct cache_pool_layout layout;
	struct poolfile *p = NULL;
	char text[512];
	int err = 0;

	if (poolfile_peek(&p, NULL, sb->cache_uuid, text, sizeof(text)) == 0) {
		if (cache_pool_is_valid(poolfile_memory(p), poolfile_bytes(p), sb, boot_id))
			err = copy_pool(r, p);
		poolfile_close(p);
	}
	if (err || r->has_buffers)
		return err;
	cache_pool_layout(sb, NEW_BUFFERS, &layout);
	return iobuf_region_alloc(&r->pool, layout.bytes);
}

static must_check int run(struct rehearsal *r, const struct superblock *sb, unsigned int flags)
{
	struct cache_mount_info info = { 0 };
	struct cache_conf conf;
	int err = uuid_random(info.mount_id);

	if (!err)
		err = uuid_boot(info.boot_id);
	if (!err)
		err = get_pool(r, sb, info.boot_id);
	if (err)
		return err;
	/* Whose directory it is does not matter here. */
	memcpy(info.dir_uuid, sb->dir_uuid, sizeof(info.dir_uuid));
	cache_conf_default(&conf);
	conf.ignore_lost_buffers = flags & REHEARSE_LOST;
	conf.accept_damage = flags & REHEARSE_DAMAGED;
	return cache_open(&r->cache, &r->overlay.dev, r->pool.mem, r->pool.bytes, &conf, &info,
			  &r->report);
}

int rehearse(struct rehearsal *r, struct blkdev *dev, const struct superblock *sb,
	     unsigned int flags)
{
	int err;

	*r = (struct rehearsal){ 0 };
	err = overlay_init(&r->overlay, dev);
	if (!err)
		err = run(r, sb, flags);
	if (err && !r->report.error[0])
		snprintf(r->report.error, sizeof(r->report.error), "%s", strerror(-err));
	return err;
}

void rehearsal_free(struct rehearsal *r)
{
	if (r->cache)
		cache_free(r->cache);
	iobuf_region_free(&r->pool);
	overlay_free(&r->overlay);
	*r = (struct rehearsal){ 0 };
}

bool rehearsal_owes(const struct cache_image_info *info)
{
	return info->dirty_blocks || info->is_touching || info->state >= IMAGE_DIRTY;
}
