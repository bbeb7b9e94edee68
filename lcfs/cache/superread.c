// SPDX-License-Identifier: GPL-2.0-or-later
/* Finding the super block: both copies are read, the newest valid one wins (A6). One that cannot be
 * read counts as torn: nothing is let go before both have passed it. Copies of two caches are
 * refused: the log is of one of them, and the newest need not be that. */
#include "lcfs/cache/superread.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"

static int say(char *text, size_t size, int error, const char *what)
{
	if (size)
		snprintf(text, size, "%s", what);
	return error;
}

int superblock_find(struct blkdev *dev, struct superblock *sb, uint32_t *copy, char *text,
		    size_t size)
{
	enum format_reason why[SUPERBLOCK_COPIES];
	struct superblock found[SUPERBLOCK_COPIES];
	CLEANUP_FREE uint8_t *block = aligned_alloc(BLOCK_BYTES, BLOCK_BYTES);
	int best = -1, error = 0;

	if (!block)
		return -ENOMEM;
	if (size)
		*text = '\0';
	for (int i = 0; i < SUPERBLOCK_COPIES; i++) {
		int ret;

		why[i] = FORMAT_NO_MAGIC;
		if (SUPERBLOCK_ADDRESS(i) + BLOCK_BYTES > dev->bytes)
			continue;
		ret = blkdev_read(dev, block, BLOCK_BYTES, SUPERBLOCK_ADDRESS(i));
		if (ret < 0) {
			error = ret;
			if (size)
				snprintf(
					text, size,
					"super block copy %d cannot be read (%s): the other one is used",
					i, strerror(-ret));
			continue;
		}
		why[i] = superblock_decode(&found[i], block, SUPERBLOCK_ADDRESS(i));
		if (why[i] == FORMAT_OK &&
		    (best < 0 || superblock_compare(&found[i], &found[best]) > 0))
			best = i;
	}
	/* Something newer than this program knows must not be outvoted by an older copy. */
	for (int i = 0; i < SUPERBLOCK_COPIES; i++)
		if (format_is_refusal(why[i])) {
			if (size)
				snprintf(text, size, "super block copy %d is not understood: %s", i,
					 format_reason_text(why[i]));
			return -EUCLEAN;
		}
	if (best < 0 && error)
		return say(text, size, error, "the super block cannot be read");
	if (best < 0 && (why[0] == FORMAT_BAD_CHECKSUM || why[1] == FORMAT_BAD_CHECKSUM))
		return say(text, size, -EUCLEAN, "both copies of the super block are damaged");
	if (best < 0)
		return say(text, size, -ENOENT,
			   "there is no lcfs cache here (mkfs.lcfs makes one)");
	if (!why[0] && !why[1] && !superblock_is_same_cache(&found[0], &found[1]))
		return say(text, size, -EUCLEAN,
			   "the copies of the super block are of different caches: one of them was "
			   "overwritten; dump.lcfs shows both");
	if (found[best].device_bytes > dev->bytes) {
		if (size)
			snprintf(text, size,
				 "the device has %llu bytes, but was formatted with %llu",
				 (unsigned long long)dev->bytes,
				 (unsigned long long)found[best].device_bytes);
		return -EUCLEAN;
	}
	*sb = found[best];
	*copy = (uint32_t)best;
	return 0;
}

int cache_superblock_read(struct blkdev *dev, struct superblock *sb, char *text, size_t size)
{
	uint32_t copy;

	return superblock_find(dev, sb, &copy, text, size);
}
