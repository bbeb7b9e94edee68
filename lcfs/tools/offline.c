// SPDX-License-Identifier: GPL-2.0-or-later
/* A cache that is not mounted. */
#include "lcfs/tools/offline.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/messages.h"
#include "lcfs/cache/cache.h"
#include "lcfs/cachefind.h"

#define TEXT_MAX 1024

/* Who asks for the lock and lets go of it at once disturbs only those who ask in that moment, and
 * they ask again. */
static void warn_if_in_use(const char *path)
{
	struct cachedev_conf conf = { .path = path, .read_only = true };
	struct cachedev *dev;
	char text[TEXT_MAX];
	int err = cachedev_open(&dev, &conf, text, sizeof(text));

	if (err == -EBUSY)
		msg_warn("%s: what is shown changes while it is read", text);
	cachedev_close(dev);
}

int offline_open(struct offline *o, const char *name, enum offline_access access)
{
	struct cachedev_conf conf = {
		.read_only = access != OFFLINE_REPAIR,
		.is_shared = access == OFFLINE_LOOK,
	};
	char text[TEXT_MAX];
	int err;

	*o = (struct offline){ 0 };
	err = cachefind(name, &o->path, text, sizeof(text));
	if (!err) {
		conf.path = o->path;
		if (access == OFFLINE_LOOK)
			warn_if_in_use(o->path);
		err = cachedev_open(&o->dev, &conf, text, sizeof(text));
	}
	if (err)
		msg_err("%s", text);
	else
		o->blkdev = cachedev_blkdev(o->dev);
	return err;
}

void offline_close(struct offline *o)
{
	cachedev_close(o->dev);
	free(o->path);
	*o = (struct offline){ 0 };
}

int offline_superblock(const struct offline *o, struct superblock *sb)
{
	char text[TEXT_MAX] = "out of memory";
	int err = cache_superblock_read(o->blkdev, sb, text, sizeof(text));

	if (err)
		msg_err("%s: %s", o->path, text);
	return err;
}

static void decode_copy(const struct offline *o, struct offline_copies *c, int i, void *block)
{
	uint64_t address = SUPERBLOCK_ADDRESS(i);

	c->why[i] = FORMAT_NO_MAGIC;
	if (address + BLOCK_BYTES > o->blkdev->bytes)
		return;
	c->error[i] = blkdev_read(o->blkdev, block, BLOCK_BYTES, address);
	if (c->error[i])
		return;
	c->why[i] = superblock_decode(&c->sb[i], block, address);
	c->is_refused |= format_is_refusal(c->why[i]);
	if (c->why[i] == FORMAT_OK &&
	    (c->newest < 0 || superblock_compare(&c->sb[i], &c->sb[c->newest]) > 0))
		c->newest = i;
}

int offline_copies(const struct offline *o, struct offline_copies *c)
{
	CLEANUP_FREE uint8_t *block = aligned_alloc(BLOCK_BYTES, BLOCK_BYTES);

	*c = (struct offline_copies){ .newest = -1 };
	if (!block) {
		msg_err("out of memory");
		return -ENOMEM;
	}
	for (int i = 0; i < SUPERBLOCK_COPIES; i++)
		decode_copy(o, c, i, block);
	return 0;
}
