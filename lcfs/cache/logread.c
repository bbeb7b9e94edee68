// SPDX-License-Identifier: GPL-2.0-or-later
/* Reads of the log by segment and block. */
#include <errno.h>
#include <stdlib.h>

#include "common/align.h"
#include "lcfs/cache/logread.h"

/* Segment ids stay below this, so that no sum of one and a window overflows. A device that writes a
 * segment a nanosecond gets there in a century. */
#define SEGMENT_ID_MAX (1ull << 62)

int logread_init(struct logread *r, struct blkdev *dev, const struct superblock *sb)
{
	*r = (struct logread){ .dev = dev, .sb = sb };

	if (superblock_check_geometry(sb) || sb->device_bytes > dev->bytes)
		return -EUCLEAN;
	if (sb->last_migrated_segment_id >= SEGMENT_ID_MAX ||
	    sb->last_migrated_segment_id + 1 < sb->ring_base_id)
		return -EUCLEAN;
	r->segment_blocks = superblock_segment_blocks(sb);
	r->first = sb->last_migrated_segment_id + 1;
	r->last = sb->last_migrated_segment_id + sb->nr_segments;
	r->buf = aligned_alloc(BLOCK_BYTES, superblock_segment_bytes(sb));
	return r->buf ? 0 : -ENOMEM;
}

void logread_free(struct logread *r)
{
	free(r->buf);
	r->buf = NULL;
}

uint64_t logread_address(const struct logread *r, uint64_t segment, uint32_t offset)
{
	return superblock_segment_address(r->sb, segment) + offset;
}

int logread_into(struct logread *r, uint64_t segment, uint32_t offset, uint32_t blocks, void *buf)
{
	int ret;

	assert(segment >= r->first && segment <= r->last);
	assert(offset <= r->segment_blocks && blocks <= r->segment_blocks - offset);

	ret = blkdev_read(r->dev, buf, (uint64_t)blocks << BLOCK_SHIFT,
			  logread_address(r, segment, offset) << BLOCK_SHIFT);
	if (ret) {
		r->error = ret;
		r->error_segment = segment;
		r->error_offset = offset;
	}
	return ret;
}

const void *logread_peek(const struct logread *r, uint64_t segment, uint32_t offset,
			 uint32_t blocks)
{
	uint64_t end = (uint64_t)offset + blocks;

	if (segment != r->buf_segment || offset < r->buf_offset ||
	    end > r->buf_offset + r->buf_blocks)
		return NULL;
	return r->buf + ((uint64_t)(offset - r->buf_offset) << BLOCK_SHIFT);
}

int logread_load(struct logread *r, uint64_t segment, uint32_t offset, uint32_t blocks,
		 const void **blocks_at)
{
	int ret;

	*blocks_at = logread_peek(r, segment, offset, blocks);
	if (*blocks_at)
		return 0;

	r->buf_blocks = 0;
	ret = logread_into(r, segment, offset, blocks, r->buf);
	if (ret)
		return ret;
	r->buf_segment = segment;
	r->buf_offset = offset;
	r->buf_blocks = blocks;
	*blocks_at = r->buf;
	return 0;
}

int logread_segment(struct logread *r, uint64_t segment, uint64_t until, const uint8_t **blocks_at)
{
	const void *at = NULL;
	int ret;

	if (!logread_peek(r, segment, 0, r->segment_blocks)) {
		if (r->hinted_segment != segment)
			logread_hint(r, segment, 0, r->segment_blocks);
		r->hinted_segment = 0;
		if (segment < until) {
			logread_hint(r, segment + 1, 0, r->segment_blocks);
			r->hinted_segment = segment + 1;
		}
	}
	ret = logread_load(r, segment, 0, r->segment_blocks, &at);
	*blocks_at = at;
	return ret;
}

void logread_hint(const struct logread *r, uint64_t segment, uint32_t offset, uint32_t blocks)
{
	if (segment < r->first || segment > r->last || blocks == 0)
		return;
	blkdev_prefetch(r->dev, (uint64_t)blocks << BLOCK_SHIFT,
			logread_address(r, segment, offset) << BLOCK_SHIFT);
}
