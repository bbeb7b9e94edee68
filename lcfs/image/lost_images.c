// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Images of a cache whose device is lost: the mark that says so (F3), and what is told of blocks
 * that only the device had.
 *
 * One that goes from a lost cache, to another or to none, cannot be unbound in its log. The mark
 * says it instead: all bindings up to that LSN are void. The mount that gets the device back leaves
 * their data alone and unbinds them, durably, before the cache takes any image. To a later mount
 * the mark says no more than that the image had left: should the log have lost its end, its LSNs
 * are given out once more, and a new binding, which takes the mark away, must not be taken for one
 * of those even if the mark is still there after a power cut.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/align.h"
#include "common/cleanup.h"
#include "common/messages.h"
#include "lcfs/image/image_private.h"
#include "lcfs/image/left.h"

#define RANGES_TOLD 4

/* ---- the mark ---- */

static int put_mark(int fd, const struct cachehost *h, struct left *l)
{
	int r;

	memcpy(l->uuid, h->uuid, sizeof(l->uuid));
	r = left_put(fd, l);
	return r == 0 && fsync(fd) < 0 ? -errno : r;
}

int image_leave_cache(struct image *img, const struct cachehost *h, uint64_t lsn)
{
	struct left l = { .lsn = lsn };
	char path[PATHNAME_BYTES];
	int r;

	mutex_assert_held(&img->lock);
	atomic_store(&img->is_changed, true);
	r = put_mark(atomic_load(&img->fd[GUARD_BUFFERED]), h, &l);
	if (r < 0) {
		image_describe(img, path);
		msg_err("%s: read-only from now on: its cache device is lost, and its file cannot "
			"be marked as newer than the cache (extended attribute user.lcfs.left: %s)",
			path, strerror(-r));
	}
	return r;
}

int image_leave_for_good(struct image *img, int fd, const struct cachehost *h)
{
	struct left l = { .is_void = true };
	struct cache_image_info info;
	int r;

	mutex_assert_held(&img->lock);
	image_core_info(img, &info);
	if (!info.bind_lsn || img->is_unlinked)
		return 0;
	l.lsn = info.bind_lsn;
	l.epoch = cache_epoch(h->cache);
	atomic_store(&img->is_changed, true);
	r = put_mark(fd, h, &l);
	return r == -EOPNOTSUPP ? -EROFS : r;
}

bool image_has_left(int fd, const struct cachehost *h, uint64_t bind_lsn)
{
	struct left l;

	return left_get(fd, h->uuid, &l) == 0 && bind_lsn <= l.lsn;
}

void image_is_back(int fd, const struct cachehost *h)
{
	int r = left_remove(fd, h->uuid);

	if (r < 0 && r != -EOPNOTSUPP)
		msg_debug("backing file: the mark that it left the cache cannot be removed");
}

bool image_is_void(int fd, const struct cachehost *h, const struct cache_image_info *info)
{
	struct left l;

	return left_get(fd, h->uuid, &l) == 0 && l.is_void && info->bind_lsn <= l.lsn &&
	       l.epoch == h->old_epoch;
}

/* ---- what is lost ---- */

static int compare(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

static void put_ranges(const uint64_t *block, uint64_t nr, char *text, size_t size)
{
	unsigned int told = 0;
	size_t at = 0;

	for (uint64_t i = 0, k; i < nr && at < size; i = k, told++) {
		for (k = i + 1; k < nr && block[k] == block[k - 1] + 1; k++)
			;
		if (told == RANGES_TOLD) {
			snprintf(text + at, size - at, ", and more");
			return;
		}
		at += (size_t)snprintf(text + at, size - at, "%s%" PRIu64 " to %" PRIu64,
				       told ? ", " : "", block[i] * BLOCK_BYTES,
				       (block[k - 1] + 1) * BLOCK_BYTES - 1);
	}
}

void image_tell_lost(struct image *img)
{
	struct cache_image_info info;
	CLEANUP_FREE uint64_t *block = NULL;
	char path[PATHNAME_BYTES], ranges[400] = "?";
	uint64_t nr;

	mutex_assert_held(&img->lock);
	if (!img->cached || !cache_is_lost(image_host(img)->cache))
		return;
	image_core_info(img, &info);
	/* it is none while it is tried once more */
	if (info.lost_blocks <= img->lost_told)
		return;
	img->lost_told = info.lost_blocks;
	block = calloc(info.lost_blocks, sizeof(*block));
	nr = block ? cache_lost_blocks(image_host(img)->cache, img->cached, block,
				       info.lost_blocks) :
		     0;
	if (nr) {
		qsort(block, nr, sizeof(*block), compare);
		put_ranges(block, nr, ranges, sizeof(ranges));
	}
	image_describe(img, path);
	msg_err("%s: %" PRIu64 " blocks of 4 KiB were only on the cache device that is lost (bytes "
		"%s): reading them fails until they are overwritten",
		path, info.lost_blocks, ranges);
}

static int tell_at_end(struct image *img, void *arg)
{
	LOCK_SCOPE(&img->lock);

	if (image_host(img) == arg) {
		img->lost_told = 0;
		image_tell_lost(img);
	}
	return 0;
}

void cachehost_tell_lost(struct cachehost *h)
{
	struct cache_status st;

	if (!h->cache || !cache_is_lost(h->cache))
		return;
	(void)imagedir_for_each(h->dir, tell_at_end, h);
	cache_status(h->cache, &st);
	if (st.dirty_blocks > st.lost_blocks)
		msg_err("cache %u: %" PRIu64 " blocks of 4 KiB could not be written to their image "
			"files",
			(unsigned int)h->id, st.dirty_blocks - st.lost_blocks);
}
