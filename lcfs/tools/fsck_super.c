// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The two copies of the super block.
 *
 * They are written in turn, so that one may be torn at any time and the other is enough: nothing
 * that it names is overwritten before both have moved on. A bad one is therefore written anew from
 * the good one, even if that is the older.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/messages.h"
#include "lcfs/tools/fsck.h"

static must_check int write_copy(struct fsck *f, int i, void *block)
{
	struct blkdev *dev = f->cache.blkdev;
	struct superblock again;
	int err;

	superblock_encode(&f->sb, block, SUPERBLOCK_ADDRESS(i));
	err = blkdev_write(dev, block, BLOCK_BYTES, SUPERBLOCK_ADDRESS(i));
	if (!err)
		err = blkdev_flush(dev);
	if (!err)
		err = blkdev_read(dev, block, BLOCK_BYTES, SUPERBLOCK_ADDRESS(i));
	if (!err && superblock_decode(&again, block, SUPERBLOCK_ADDRESS(i)) != FORMAT_OK)
		err = -EIO;
	return err;
}

int fsck_write_superblock(struct fsck *f)
{
	CLEANUP_FREE uint8_t *block = aligned_alloc(BLOCK_BYTES, BLOCK_BYTES);
	int newest = f->copies.newest, err;

	if (!block)
		return -ENOMEM;
	f->sb.generation++;
	err = write_copy(f, newest ^ 1, block);
	if (err)
		return err;
	f->sb.generation++;
	return write_copy(f, newest, block);
}

static must_check int say_none(struct fsck *f)
{
	const struct offline_copies *c = &f->copies;

	for (int i = 0; i < SUPERBLOCK_COPIES; i++) {
		if (c->error[i]) {
			msg_err("%s: copy %d of the super block cannot be read: %s", f->cache.path,
				i, strerror(-c->error[i]));
			return -EIO;
		}
	}
	if (c->why[0] == FORMAT_NO_MAGIC && c->why[1] == FORMAT_NO_MAGIC) {
		msg_err("%s: there is no lcfs cache here (mkfs.lcfs makes one)", f->cache.path);
		return -ENOENT;
	}
	(void)fsck_problem(f, FSCK_NONE, "both copies of the super block are damaged: %s; %s",
			   format_reason_text(c->why[0]), format_reason_text(c->why[1]));
	return -EUCLEAN;
}

static must_check int say_refused(struct fsck *f)
{
	for (int i = 0; i < SUPERBLOCK_COPIES; i++)
		if (format_is_refusal(f->copies.why[i]))
			(void)fsck_problem(
				f, FSCK_NONE,
				"copy %d of the super block is not understood: %s: is it of a newer "
				"version of lcfs?",
				i, format_reason_text(f->copies.why[i]));
	return -EUCLEAN;
}

static void repair_copy(struct fsck *f, int i)
{
	CLEANUP_FREE uint8_t *block = aligned_alloc(BLOCK_BYTES, BLOCK_BYTES);

	fsck_repaired(f, block ? write_copy(f, i, block) : -ENOMEM,
		      "written anew from the other one");
}

static must_check int compare_copies(struct fsck *f)
{
	if (superblock_is_same_cache(&f->copies.sb[0], &f->copies.sb[1]))
		return 0;
	(void)fsck_problem(f, FSCK_NONE, "the copies of the super block are of different caches");
	return -EUCLEAN;
}

static must_check int check_copies(struct fsck *f)
{
	const struct offline_copies *c = &f->copies;

	for (int i = 0; i < SUPERBLOCK_COPIES; i++) {
		const char *why = c->error[i] ? strerror(-c->error[i]) :
						format_reason_text(c->why[i]);

		if (!c->error[i] && !c->why[i])
			continue;
		if (fsck_problem(f, FSCK_SAFE, "copy %d of the super block is damaged (%s)", i,
				 why))
			repair_copy(f, i);
		return 0;
	}
	return compare_copies(f);
}

int fsck_superblocks(struct fsck *f)
{
	int err = offline_copies(&f->cache, &f->copies);

	if (err)
		return err;
	if (f->copies.is_refused)
		return say_refused(f);
	if (f->copies.newest < 0)
		return say_none(f);
	f->sb = f->copies.sb[f->copies.newest];
	if (f->sb.device_bytes > f->cache.blkdev->bytes) {
		(void)fsck_problem(f, FSCK_NONE,
				   "the device has %" PRIu64
				   " bytes, but was formatted with %" PRIu64
				   ": the end of the log is missing",
				   f->cache.blkdev->bytes, f->sb.device_bytes);
		return -EUCLEAN;
	}
	return check_copies(f);
}
