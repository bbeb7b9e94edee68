// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Writing an empty cache.
 *
 * The segments are not written, so the time does not depend on the size. What stands in them, an
 * older cache's records included, never counts: their UUID and the key that seeds their checksums
 * are the old ones, and the new key is random even where the UUID was given. A device that can
 * forget what is in them is told to.
 *
 *   1. Wiped: the head up to the first image table, which holds both super blocks and most foreign
 *      signatures, the headers of the image tables, and the last MiB, where a few formats
 *      (GPT, md) have theirs. Flushed. From here on there is no cache.
 *   2. The segments are discarded, up to the last MiB: never what was just wiped, since some
 *      devices give anything back for what was discarded.
 *   3. Both super blocks, flushed. From here on there is one.
 */
#include <errno.h>
#include <inttypes.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "common/align.h"
#include "common/cleanup.h"
#include "common/messages.h"
#include "lcfs/io/uuid.h"
#include "lcfs/tools/mkfs.h"
#include "lcfs/tools/progress.h"

#define WIPE_TAIL_BYTES (UINT64_C(1) << 20)
#define DISCARD_BYTES (UINT64_C(1) << 30)

int mkfs_read(const struct mkfs_target *t, void *buf, uint64_t len, uint64_t off)
{
	char *at = buf;

	while (len) {
		ssize_t n = pread(t->fd, at, len, (off_t)off);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			int err = n < 0 ? errno : EIO;

			msg_err("%s: cannot read at byte %" PRIu64 ": %s", t->path, off,
				n < 0 ? strerror(err) : "it ends there");
			return -err;
		}
		at += n;
		off += (uint64_t)n;
		len -= (uint64_t)n;
	}
	return 0;
}

int mkfs_write(const struct mkfs_target *t, const void *buf, uint64_t len, uint64_t off)
{
	const char *at = buf;

	while (len) {
		ssize_t n = pwrite(t->fd, at, len, (off_t)off);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			int err = n < 0 ? errno : EIO;

			msg_err("%s: cannot write at byte %" PRIu64 ": %s", t->path, off,
				strerror(err));
			return -err;
		}
		at += n;
		off += (uint64_t)n;
		len -= (uint64_t)n;
	}
	return 0;
}

int mkfs_flush(const struct mkfs_target *t)
{
	int err;

	if (fsync(t->fd) == 0)
		return 0;
	err = errno;
	msg_err("%s: cannot make it durable: %s", t->path, strerror(err));
	return -err;
}

/* ------------------------------------------------------------------ layout */

/* The least number of bytes that has room for a cache with such segments. */
static uint64_t least_bytes(uint32_t segment_order)
{
	uint64_t low = 0, high = UINT64_C(1) << 40;

	while (high - low > BLOCK_BYTES) {
		uint64_t middle = align_down(low + (high - low) / 2, BLOCK_BYTES);
		struct superblock sb = { 0 };

		if (superblock_layout(&sb, middle, segment_order, 0) == -ENOSPC)
			low = middle;
		else
			high = middle;
	}
	return high;
}

static must_check int lay_out(struct superblock *sb, const struct mkfs_target *t, uint64_t bytes,
			      uint32_t order)
{
	const uint64_t most = CACHE_BLOCKS_MAX * BLOCK_BYTES;
	int err = superblock_layout(sb, bytes, order, 0);

	if (err == -EFBIG) {
		msg_warn("%s: only the first %" PRIu64 " TiB are used", t->path, most >> 40);
		err = superblock_layout(sb, most, order, 0);
	}
	if (err == -ENOSPC)
		msg_err("%s: is too small: %" PRIu64 " bytes, and %" PRIu64
			" are needed with segment order %" PRIu32,
			t->path, bytes, least_bytes(order), order);
	else if (err)
		msg_err("%s: cannot be laid out: %s", t->path, strerror(-err));
	return err;
}

static must_check int fill_identity(struct superblock *sb, const struct mkfs_options *o)
{
	int err = uuid_random(sb->device_uuid);

	if (!err && o->has_uuid)
		memcpy(sb->cache_uuid, o->uuid, sizeof(sb->cache_uuid));
	else if (!err)
		err = uuid_random(sb->cache_uuid);
	if (!err)
		err = random_fill(&sb->key, sizeof(sb->key));
	if (err)
		msg_err("no random numbers: %s", strerror(-err));
	return err;
}

int mkfs_layout(struct superblock *sb, const struct mkfs_target *t, const struct mkfs_options *o)
{
	int err = lay_out(sb, t, o->size ? o->size : t->bytes, o->segment_order);

	if (!err)
		err = fill_identity(sb, o);
	if (err)
		return err;
	strncpy(sb->label, o->label, FORMAT_LABEL_BYTES);
	sb->checksum_algorithm = CHECKSUM_XXH3_64;
	sb->format_time = (uint64_t)time(NULL);
	sb->write_time_ns = sb->format_time * 1000000000;

	/* An empty log: its first record will be LSN 1 at the start of segment 1. */
	sb->last_migrated_segment_id = 0;
	sb->tail_lsn = 1;
	sb->epoch_start_lsn = 1;
	sb->epoch_start_segment = 1;
	sb->table_current = SUPERBLOCK_TABLE_NONE;
	sb->state = SUPERBLOCK_CLEAN;
	return 0;
}

/* ------------------------------------------------------------------ writing */

static must_check int wipe(const struct mkfs_target *t, const struct superblock *sb,
			   const void *zeros)
{
	uint64_t tail = max_t(uint64_t, t->bytes - WIPE_TAIL_BYTES, SUPERBLOCK_AREA_BYTES);
	int err = mkfs_write(t, zeros, SUPERBLOCK_AREA_BYTES, 0);

	for (int i = 0; !err && i < 2; i++)
		err = mkfs_write(t, zeros, BLOCK_BYTES, sb->table[i].start);
	if (!err)
		err = mkfs_write(t, zeros, t->bytes - tail, tail);
	return err ? err : mkfs_flush(t);
}

/* In pieces, so that it can be seen how far it has come. That it cannot be done is no harm. */
static void discard(const struct mkfs_target *t, const struct superblock *sb, bool is_quiet)
{
	uint64_t range[2] = { sb->segments_start, 0 };
	uint64_t end = align_down(t->bytes - WIPE_TAIL_BYTES, BLOCK_BYTES);
	struct progress progress = { 0 };

	if (!is_quiet)
		progress_on_terminal(&progress, stdout);
	progress_start(&progress, t->path);
	for (; range[0] < end; range[0] += range[1]) {
		range[1] = min(end - range[0], DISCARD_BYTES);
		if (ioctl(t->fd, BLKDISCARD, range) < 0)
			break;
		progress_update(&progress, range[0] - sb->segments_start, end - sb->segments_start);
	}
	progress_clear(&progress);
	if (range[0] < end && errno != EOPNOTSUPP && errno != ENOTTY)
		msg_warn("%s: its blocks cannot be discarded: %s: no harm", t->path,
			 strerror(errno));
}

static must_check int write_superblocks(const struct mkfs_target *t, const struct superblock *sb,
					void *block)
{
	struct superblock copy = *sb;
	int err = 0;

	for (int i = 0; !err && i < SUPERBLOCK_COPIES; i++) {
		copy.generation = (uint64_t)i + 1;
		superblock_encode(&copy, block, SUPERBLOCK_ADDRESS(i));
		err = mkfs_write(t, block, BLOCK_BYTES, SUPERBLOCK_ADDRESS(i));
	}
	return err ? err : mkfs_flush(t);
}

int mkfs_format(const struct mkfs_target *t, const struct superblock *sb,
		const struct mkfs_options *o)
{
	CLEANUP_FREE char *buf = calloc(1, SUPERBLOCK_AREA_BYTES);
	int err;

	build_assert(WIPE_TAIL_BYTES <= SUPERBLOCK_AREA_BYTES);
	if (!buf) {
		msg_err("out of memory");
		return -ENOMEM;
	}
	err = wipe(t, sb, buf);
	if (!err && t->is_block && !o->keeps_blocks)
		discard(t, sb, o->quiet);
	return err ? err : write_superblocks(t, sb, buf);
}
