// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Writes that stay in memory.
 *
 * Recovery writes the super blocks and what a dead daemon had in its RAM buffers: at most a few ten
 * thousand blocks, which a hash table of fixed size finds quickly enough.
 */
#include "lcfs/tools/overlay.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/align.h"
#include "lcfs/ondisk/version.h"

#define BUCKETS 8192

struct overlay_block {
	struct overlay_block *next;
	uint64_t off;
	uint8_t data[BLOCK_BYTES];
};

static struct overlay_block **bucket_of(const struct overlay *o, uint64_t off)
{
	return &o->bucket[off / BLOCK_BYTES % o->nr_buckets];
}

static struct overlay_block *find(const struct overlay *o, uint64_t off)
{
	struct overlay_block *b = *bucket_of(o, off);

	while (b && b->off != off)
		b = b->next;
	return b;
}

static int overlay_read(struct blkdev *dev, void *buf, uint64_t len, uint64_t off)
{
	const struct overlay *o = container_of(dev, struct overlay, dev);
	int err = blkdev_read(o->below, buf, len, off);

	for (uint64_t i = 0; !err && i < len; i += BLOCK_BYTES) {
		const struct overlay_block *b = find(o, off + i);

		if (b)
			memcpy((uint8_t *)buf + i, b->data, BLOCK_BYTES);
	}
	return err;
}

static int overlay_write(struct blkdev *dev, const void *buf, uint64_t len, uint64_t off)
{
	const struct overlay *o = container_of(dev, struct overlay, dev);

	for (uint64_t i = 0; i < len; i += BLOCK_BYTES) {
		struct overlay_block *b = find(o, off + i), **bucket = bucket_of(o, off + i);

		if (!b) {
			b = malloc(sizeof(*b));
			if (!b)
				return -ENOMEM;
			b->off = off + i;
			b->next = *bucket;
			*bucket = b;
		}
		memcpy(b->data, (const uint8_t *)buf + i, BLOCK_BYTES);
	}
	return 0;
}

static int overlay_flush(struct blkdev *dev)
{
	(void)dev;
	return 0;
}

static void overlay_prefetch(struct blkdev *dev, uint64_t len, uint64_t off)
{
	blkdev_prefetch(container_of(dev, struct overlay, dev)->below, len, off);
}

static const struct blkdev_ops overlay_ops = {
	.read = overlay_read,
	.write = overlay_write,
	.flush = overlay_flush,
	.prefetch = overlay_prefetch,
};

int overlay_init(struct overlay *o, struct blkdev *below)
{
	o->dev = (struct blkdev){ .ops = &overlay_ops, .bytes = below->bytes };
	o->below = below;
	o->nr_buckets = BUCKETS;
	o->bucket = calloc(BUCKETS, sizeof(struct overlay_block *));
	return o->bucket ? 0 : -ENOMEM;
}

void overlay_free(struct overlay *o)
{
	for (size_t i = 0; o->bucket && i < o->nr_buckets; i++) {
		struct overlay_block *b = o->bucket[i];

		while (b) {
			struct overlay_block *next = b->next;

			free(b);
			b = next;
		}
	}
	free(o->bucket);
	o->bucket = NULL;
}
