// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What a cache owes.
 *
 * The cache is read in its own order, in large pieces: random writes stand one behind the other
 * there. The files are written through the page cache, which sorts; what follows each other both
 * here and there is written by one call.
 */
#include "lcfs/tools/settle.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/align.h"
#include "common/checksum.h"
#include "common/cleanup.h"
#include "common/messages.h"

#define SPAN_BYTES (1024u << 10)
#define GAP_BYTES (64u << 10) /* what is read in vain rather than read twice */
#define ALL_SECTORS 0xffu

/* ------------------------------------------------------------------ open */

static must_check int recover(struct settle *s, unsigned int flags)
{
	int err = rehearse(&s->rehearsal, s->cache.blkdev, &s->sb, flags);

	if (err == -ENOENT)
		msg_err("%s: the RAM buffers of the last mount are missing, though the machine was "
			"not restarted since: bring them back, or go on without them with "
			"--lost-buffers",
			s->cache.path);
	else if (err)
		msg_err("%s: %s", s->cache.path, s->rehearsal.report.error);
	else if (s->rehearsal.report.error[0])
		msg_warn("%s: %s: this is what was before that", s->cache.path,
			 s->rehearsal.report.error);
	return err;
}

int settle_open(struct settle *s, const char *name, unsigned int flags)
{
	int err;

	*s = (struct settle){ 0 };
	err = offline_open(&s->cache, name, OFFLINE_READ);
	if (!err)
		err = offline_superblock(&s->cache, &s->sb);
	if (!err)
		err = recover(s, flags);
	if (err)
		return err;
	err = owed_blocks(s->rehearsal.cache, &s->blocks, &s->nr_blocks);
	s->buf = aligned_alloc(BLOCK_BYTES, SPAN_BYTES);
	if (!err && !s->buf)
		err = -ENOMEM;
	if (err)
		msg_err("%s: %s", s->cache.path, strerror(-err));
	return err;
}

void settle_close(struct settle *s)
{
	progress_clear(&s->progress);
	free(s->buf);
	free(s->blocks);
	rehearsal_free(&s->rehearsal);
	offline_close(&s->cache);
	*s = (struct settle){ 0 };
}

/* ------------------------------------------------------------------ images */

/* The first block whose key is not below. */
static size_t find_block(const struct settle *s, uint64_t key)
{
	size_t lo = 0, hi = s->nr_blocks;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (s->blocks[mid].key < key)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

static void fill_image(struct settle *s, struct settle_image *img)
{
	size_t first = find_block(s, entry_key(img->info.id, 0));

	img->blocks = s->blocks + first;
	img->nr_blocks = find_block(s, entry_key(img->info.id + 1, 0)) - first;
	cache_image_path(s->rehearsal.cache, img->image, img->path);
	owed_effects(img->image, &img->effects);
}

bool settle_next(struct settle *s, struct cache_image *prev, struct settle_image *img)
{
	struct cache *c = s->rehearsal.cache;

	img->image = prev;
	while ((img->image = cache_image_next(c, img->image))) {
		cache_image_info(c, img->image, &img->info);
		if (!img->info.is_bound || !rehearsal_owes(&img->info))
			continue;
		fill_image(s, img);
		return true;
	}
	return false;
}

/* ------------------------------------------------------------------ blocks */

struct writing {
	struct settle *s;
	const struct settle_image *img;
	int fd;
	const char *name;
	struct settle_count *count;
};

static must_check int write_bytes(const struct writing *w, const uint8_t *buf, uint64_t off,
				  uint64_t len)
{
	uint64_t size = w->img->info.size;

	/* exact bytes up to the image's end, never beyond it */
	len = off >= size ? 0 : min(len, size - off);
	while (len) {
		ssize_t n = pwrite(w->fd, buf, len, (off_t)off);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			int err = n < 0 ? errno : ENOSPC;

			msg_err("%s: cannot be written at byte %" PRIu64 ": %s", w->name, off,
				strerror(err));
			return -err;
		}
		buf += n;
		off += (uint64_t)n;
		len -= (uint64_t)n;
	}
	return 0;
}

/* All sectors of the block that are within the image. */
static bool is_whole(const struct settle_image *img, const struct owed_block *b)
{
	uint64_t start = entry_key_block(b->key) * BLOCK_BYTES, end = start + BLOCK_BYTES;

	for (uint64_t at = start; at < min(end, img->info.size); at += SECTOR_BYTES)
		if (!(b->mask & 1u << (at - start) / SECTOR_BYTES))
			return false;
	return true;
}

/* Those sectors of a block that the cache has. */
static must_check int write_sectors(const struct writing *w, const struct owed_block *b,
				    const uint8_t *buf)
{
	uint64_t start = entry_key_block(b->key) * BLOCK_BYTES;
	unsigned int from = 0, to;
	int err = 0;

	w->count->partial += !is_whole(w->img, b);
	while (!err && from < SECTORS_PER_BLOCK) {
		for (to = from; to < SECTORS_PER_BLOCK && (b->mask & 1u << to); to++)
			;
		if (to > from)
			err = write_bytes(w, buf + from * SECTOR_BYTES, start + from * SECTOR_BYTES,
					  (to - from) * SECTOR_BYTES);
		from = max(to, from + 1);
	}
	return err;
}

static void say_lost(const struct writing *w, const struct owed_block *b, const char *why)
{
	w->count->lost++;
	msg_err("%s: 4096 bytes at byte %" PRIu64 " are lost: in the cache, byte %" PRIu64 ", %s",
		w->name, entry_key_block(b->key) * BLOCK_BYTES, b->offset, why);
}

static bool is_good(const struct owed_block *b, const uint8_t *buf)
{
	return !b->is_poison && checksum_block(buf) == b->sum;
}

/* One block that was read to buf. */
static must_check int write_block(const struct writing *w, const struct owed_block *b,
				  const uint8_t *buf)
{
	if (!is_good(b, buf)) {
		say_lost(w, b,
			 b->is_poison ? "it was noted that they are damaged" :
					"they are not what their sum says");
		return 0;
	}
	w->count->blocks++;
	if (b->mask != ALL_SECTORS)
		return write_sectors(w, b, buf);
	return write_bytes(w, buf, entry_key_block(b->key) * BLOCK_BYTES, BLOCK_BYTES);
}

/* How many whole, good blocks from here on follow each other here and there; 0: not even one. */
static size_t group_length(const struct owed_block *b, size_t left, const uint8_t *buf)
{
	size_t n = 0;

	while (n < left && b[n].mask == ALL_SECTORS && b[n].key == b->key + n &&
	       b[n].offset == b->offset + n * BLOCK_BYTES && is_good(&b[n], buf + n * BLOCK_BYTES))
		n++;
	return n;
}

static must_check int write_group(const struct writing *w, const struct owed_block *b, size_t n,
				  const uint8_t *buf)
{
	w->count->blocks += n;
	return write_bytes(w, buf, entry_key_block(b->key) * BLOCK_BYTES, n * BLOCK_BYTES);
}

/* A span of the device could not be read at once. */
static must_check int write_one_by_one(const struct writing *w, const struct owed_block *b,
				       size_t n)
{
	int err = 0;

	for (size_t i = 0; !err && i < n; i++) {
		int ret = blkdev_read(&w->s->rehearsal.overlay.dev, w->s->buf, BLOCK_BYTES,
				      b[i].offset);

		if (ret)
			say_lost(w, &b[i], strerror(-ret));
		else
			err = write_block(w, &b[i], w->s->buf);
	}
	return err;
}

/* n blocks, ascending on the device, whose span is at most SPAN_BYTES. */
static must_check int write_span(const struct writing *w, const struct owed_block *b, size_t n)
{
	uint64_t bytes = b[n - 1].offset + BLOCK_BYTES - b->offset;
	int err = 0;

	if (blkdev_read(&w->s->rehearsal.overlay.dev, w->s->buf, bytes, b->offset) < 0)
		return write_one_by_one(w, b, n);
	for (size_t i = 0; !err && i < n;) {
		const uint8_t *at = w->s->buf + (b[i].offset - b->offset);
		size_t group = group_length(&b[i], n - i, at);

		err = group ? write_group(w, &b[i], group, at) : write_block(w, &b[i], at);
		i += max(group, (size_t)1);
	}
	return err;
}

static size_t span_length(const struct owed_block *b, size_t left)
{
	size_t n = 1;

	while (n < left && b[n].offset + BLOCK_BYTES - b->offset <= SPAN_BYTES &&
	       b[n].offset - b[n - 1].offset <= GAP_BYTES)
		n++;
	return n;
}

static int compare_offsets(const void *a, const void *b)
{
	const struct owed_block *x = a, *y = b;

	return (x->offset > y->offset) - (x->offset < y->offset);
}

static must_check int write_sorted(const struct writing *w, const struct owed_block *b, size_t nr)
{
	struct settle *s = w->s;
	int err = 0;

	for (size_t i = 0; !err && i < nr;) {
		size_t n = span_length(&b[i], nr - i);

		err = write_span(w, &b[i], n);
		i += n;
		s->done += n;
		progress_update(&s->progress, s->done, s->nr_blocks);
	}
	return err;
}

int settle_write(struct settle *s, const struct settle_image *img, int fd, const char *name,
		 struct settle_count *count)
{
	const struct writing w = { .s = s, .img = img, .fd = fd, .name = name, .count = count };
	CLEANUP_FREE struct owed_block *sorted = calloc(img->nr_blocks + 1, sizeof(*sorted));

	if (!sorted) {
		msg_err("%s: out of memory", name);
		return -ENOMEM;
	}
	if (img->nr_blocks)
		memcpy(sorted, img->blocks, img->nr_blocks * sizeof(*sorted));
	qsort(sorted, img->nr_blocks, sizeof(*sorted), compare_offsets);
	return write_sorted(&w, sorted, img->nr_blocks);
}
