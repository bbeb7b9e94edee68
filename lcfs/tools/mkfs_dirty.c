// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Does a cache that was unmounted in order still hold data that is nowhere else?
 *
 * Its log is seldom empty: its tail moves by whole segments, and what stands behind it may be dead,
 * migrated or operations. Who knows is recovery, so the cache is recovered here, on a device whose
 * writes stay in memory and go away with it.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/align.h"
#include "common/cleanup.h"
#include "common/list.h"
#include "common/messages.h"
#include "lcfs/cache/cache.h"
#include "lcfs/io/cachedev.h"
#include "lcfs/io/iobuf.h"
#include "lcfs/io/uuid.h"
#include "lcfs/tools/mkfs.h"

/* ------------------------------------------------------------------ writes that stay here */

struct kept_block {
	struct list node;
	uint64_t off;
	uint8_t data[BLOCK_BYTES];
};

struct overlay {
	struct blkdev dev;
	struct blkdev *below;
	struct list blocks; /* newest first; recovery writes but a few */
};

static void overlay_lay(const struct overlay *o, uint8_t *buf, uint64_t off)
{
	const struct kept_block *b;

	list_for_each_entry(b, &o->blocks, node) {
		if (b->off == off) {
			memcpy(buf, b->data, BLOCK_BYTES);
			return;
		}
	}
}

static int overlay_read(struct blkdev *dev, void *buf, uint64_t len, uint64_t off)
{
	const struct overlay *o = container_of(dev, struct overlay, dev);
	int err = blkdev_read(o->below, buf, len, off);

	for (uint64_t i = 0; !err && i < len; i += BLOCK_BYTES)
		overlay_lay(o, (uint8_t *)buf + i, off + i);
	return err;
}

static int overlay_write(struct blkdev *dev, const void *buf, uint64_t len, uint64_t off)
{
	struct overlay *o = container_of(dev, struct overlay, dev);

	for (uint64_t i = 0; i < len; i += BLOCK_BYTES) {
		struct kept_block *b = malloc(sizeof(*b));

		if (!b)
			return -ENOMEM;
		b->off = off + i;
		memcpy(b->data, (const uint8_t *)buf + i, BLOCK_BYTES);
		list_add_head(&o->blocks, &b->node);
	}
	return 0;
}

static int overlay_flush(struct blkdev *dev)
{
	(void)dev;
	return 0;
}

static const struct blkdev_ops overlay_ops = {
	.read = overlay_read,
	.write = overlay_write,
	.flush = overlay_flush,
};

static void overlay_init(struct overlay *o, struct blkdev *below)
{
	o->dev = (struct blkdev){ .ops = &overlay_ops, .bytes = below->bytes };
	o->below = below;
	list_init(&o->blocks);
}

static void overlay_free(struct overlay *o)
{
	struct kept_block *b;

	while ((b = list_pop_head(&o->blocks, struct kept_block, node)))
		free(b);
}

/* ------------------------------------------------------------------ recovery on it */

/* An image that is not simply clean: something of it may be in the log only. */
static bool has_open_image(struct cache *c)
{
	struct cache_image *img = NULL;

	while ((img = cache_image_next(c, img))) {
		struct cache_image_info info;

		cache_image_info(c, img, &info);
		if (info.dirty_blocks || info.is_touching || info.state >= IMAGE_CONFLICT)
			return true;
	}
	return false;
}

static must_check int recover(struct overlay *o, struct iobuf_region *pool, char *text, size_t size)
{
	struct cache_mount_info info = { 0 };
	struct cache_recovery_report report = { 0 };
	struct cache_conf conf;
	struct cache *c;
	int err = uuid_random(info.mount_id);

	if (!err)
		err = uuid_boot(info.boot_id);
	if (err)
		return err;
	cache_conf_default(&conf);
	conf.pool_buffers = 2;
	err = cache_open(&c, &o->dev, pool->mem, pool->bytes, &conf, &info, &report);
	if (err) {
		snprintf(text, size, "%s", report.error);
		return err;
	}
	err = report.dirty_blocks || has_open_image(c);
	cache_free(c);
	return err;
}

int mkfs_is_dirty(const struct mkfs_target *t, const struct superblock *sb)
{
	struct cache_pool_layout layout;
	struct iobuf_region pool;
	struct overlay o;
	char text[512] = "";
	int ret;

	cache_pool_layout(sb, 2, &layout);
	ret = iobuf_region_alloc(&pool, layout.bytes);
	if (ret < 0)
		return ret;
	overlay_init(&o, cachedev_blkdev(t->dev));
	ret = recover(&o, &pool, text, sizeof(text));
	if (ret < 0)
		msg_warn("%s: its log cannot be read: %s", t->path,
			 text[0] ? text : strerror(-ret));
	overlay_free(&o);
	iobuf_region_free(&pool);
	return ret;
}
