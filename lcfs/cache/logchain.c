// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The chain of records.
 *
 * First blocks of segments are read once, in order, W segments ahead of the chain, into a ring that
 * holds one window of them. The chain follows the LSNs in the ring: headers that are of another
 * lap, or abandoned, or not there, have none. Segment id tail + nr_segments is the tail's slot
 * again, so nothing at or behind it is looked at.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/align.h"
#include "lcfs/cache/logchain.h"

/* First blocks are hinted this many segments before they are read, the other headers of a segment
 * this many segments before the chain gets there. */
#define HINT_FIRST_SEGMENTS 64
#define HINT_REST_SEGMENTS 8

/* Epochs fit a branch. */
#define EPOCH_SHIFT 16
#define EPOCH_MAX (UINT64_MAX >> EPOCH_SHIFT)

/* What the super block alone proves: no record from tail_lsn on is of a lower branch than the one
 * before it, and epochs before this one have ended where this one began. */
static int learn_from_superblock(struct logchain *c)
{
	const struct superblock *sb = c->read.sb;
	int ret;

	if (sb->epoch > EPOCH_MAX || sb->tail_lsn == 0) {
		snprintf(c->text, c->text_size, "the super block names impossible log positions");
		return -EUCLEAN;
	}
	ret = branches_add(&c->branches, sb->tail_branch, sb->tail_lsn);
	if (!ret && sb->epoch_start_lsn != 0)
		ret = branches_add(&c->branches, sb->epoch << EPOCH_SHIFT, sb->epoch_start_lsn);
	return ret;
}

/* W, but never the segment of *pos again. */
static uint64_t window_of(const struct superblock *sb)
{
	return min_t(uint64_t, sb->pool_segments, sb->nr_segments - 1);
}

int logchain_init(struct logchain *c, struct blkdev *dev, const struct superblock *sb, char *text,
		  size_t size)
{
	int ret;

	*c = (struct logchain){ .text = text, .text_size = size };
	ret = logread_init(&c->read, dev, sb);
	if (ret == -EUCLEAN)
		snprintf(text, size,
			 "the super block does not fit the device (%" PRIu64 " bytes, %" PRIu64
			 " wanted) or itself",
			 dev->bytes, sb->device_bytes);
	if (ret)
		return ret;

	c->window = window_of(sb);
	c->window_slots = (uint32_t)c->window + 1;
	c->window_header = aligned_alloc(BLOCK_BYTES, (size_t)c->window_slots << BLOCK_SHIFT);
	c->window_lsn = calloc(c->window_slots, sizeof(*c->window_lsn));
	if (!c->window_header || !c->window_lsn)
		return -ENOMEM;
	return learn_from_superblock(c);
}

void logchain_free(struct logchain *c)
{
	free(c->window_lsn);
	free(c->window_header);
	branches_free(&c->branches);
	logread_free(&c->read);
}

struct logchain_pos logchain_start(struct logchain *c)
{
	const struct superblock *sb = c->read.sb;

	c->window_next = c->read.first;
	c->window_hinted = c->read.first;
	c->rest_hinted = c->read.first;
	for (uint32_t i = 0; i < c->window_slots; i++)
		c->window_lsn[i] = 0;
	return (struct logchain_pos){
		.lsn = sb->tail_lsn - 1,
		.link = sb->tail_link,
		.branch = sb->tail_branch,
		.segment = c->read.first,
	};
}

struct logchain_pos logchain_behind(const struct logchain *c, const struct record_disk *h)
{
	uint64_t segment = le64_get(h->segment_id);
	uint64_t offset = le64_get(h->address) - logread_address(&c->read, segment, 0);

	return (struct logchain_pos){
		.has_record = true,
		.lsn = le64_get(h->lsn),
		.link = le64_get(h->checksum),
		.branch = le64_get(h->branch),
		.blocks = record_blocks(h),
		.offset = (uint32_t)offset + record_blocks(h),
		.segment = segment,
	};
}

static void successors(const struct superblock *sb, const struct logchain_pos *pos, uint64_t *first,
		       uint64_t *last)
{
	*first = pos->segment + (pos->has_record ? 1 : 0);
	*last = min(pos->segment + window_of(sb), sb->last_migrated_segment_id + sb->nr_segments);
}

void logchain_successors(const struct logchain *c, const struct logchain_pos *pos, uint64_t *first,
			 uint64_t *last)
{
	successors(c->read.sb, pos, first, last);
}

bool logchain_may_stand(const struct superblock *sb, const struct logchain_pos *pos,
			uint64_t segment, uint32_t offset)
{
	uint64_t first, last;

	if (pos->has_record && segment == pos->segment && offset == pos->offset)
		return superblock_segment_blocks(sb) - offset >= 2;
	successors(sb, pos, &first, &last);
	return offset == 0 && segment >= first && segment <= last;
}

bool logchain_is_abandoned(const struct logchain *c, uint64_t branch, uint64_t lsn)
{
	return lsn >= branches_limit(&c->branches, branch);
}

static int refuse(struct logchain *c, const struct record_disk *h, uint64_t segment,
		  uint32_t offset, const char *why)
{
	snprintf(c->text, c->text_size,
		 "segment %" PRIu64 ", block %" PRIu32 " (byte %" PRIu64
		 " of the device): a record header that cannot be ignored: %s (LSN %" PRIu64
		 ", epoch %" PRIu64 ", version %u)",
		 segment, offset, logread_address(&c->read, segment, offset) << BLOCK_SHIFT, why,
		 le64_get(h->lsn), le64_get(h->branch) >> EPOCH_SHIFT, le16_get(h->version));
	return -EUCLEAN;
}

int logchain_inspect(struct logchain *c, const struct record_disk *h, uint64_t segment,
		     uint32_t offset)
{
	const struct superblock *sb = c->read.sb;
	uint64_t branch = le64_get(h->branch);
	enum format_reason why;
	int ret;

	why = record_verify(h, sb->cache_uuid, sb->key, logread_address(&c->read, segment, offset));
	if (format_is_refusal(why))
		return refuse(c, h, segment, offset, format_reason_text(why));
	if (why)
		return 0;
	if (branch >> EPOCH_SHIFT > sb->epoch)
		return refuse(c, h, segment, offset, "newer than the super block");
	if (record_blocks(h) > c->read.segment_blocks - offset)
		return refuse(c, h, segment, offset, "it does not fit its segment");

	c->highest_branch = max(c->highest_branch, branch);
	ret = branches_add(&c->branches, branch, le64_get(h->branch_lsn));
	return ret ? ret : le64_get(h->segment_id) == segment;
}

/* Where the next header of the segment will be looked for, if the chain goes on in this way. */
static void hint_rest(struct logchain *c, uint64_t reached)
{
	uint64_t to = min(reached + HINT_REST_SEGMENTS + 1, c->window_next);

	for (c->rest_hinted = max(c->rest_hinted, reached); c->rest_hinted < to; c->rest_hinted++) {
		uint32_t slot = (uint32_t)(c->rest_hinted % c->window_slots), blocks;

		if (!c->window_lsn[slot])
			continue;
		blocks = record_blocks(&c->window_header[slot]);
		if (c->read.segment_blocks - blocks >= 2)
			logread_hint(&c->read, c->rest_hinted, blocks,
				     logread_stride(&c->read, blocks, blocks));
	}
}

static int read_first(struct logchain *c, uint64_t segment)
{
	uint32_t slot = (uint32_t)(segment % c->window_slots);
	struct record_disk *h = &c->window_header[slot];
	uint64_t hint_to = min(segment + HINT_FIRST_SEGMENTS, c->read.last);
	int ret;

	for (; c->window_hinted <= hint_to; c->window_hinted++)
		logread_hint(&c->read, c->window_hinted, 0, 1);

	c->window_lsn[slot] = 0;
	ret = logread_into(&c->read, segment, 0, 1, h);
	if (!ret)
		ret = logchain_inspect(c, h, segment, 0);
	if (ret > 0)
		c->window_lsn[slot] = le64_get(h->lsn);
	return ret < 0 ? ret : 0;
}

/* Reads the first blocks of all segments up to `last`. */
static int fill_window(struct logchain *c, uint64_t last)
{
	int ret;

	for (; c->window_next <= last; c->window_next++) {
		ret = read_first(c, c->window_next);
		if (ret)
			return ret;
	}
	return 0;
}

static bool follows(const struct logchain *c, const struct logchain_pos *pos,
		    const struct record_disk *h)
{
	uint64_t branch = le64_get(h->branch), lsn = le64_get(h->lsn);

	return lsn == pos->lsn + 1 && le64_get(h->link) == pos->link && branch >= pos->branch &&
	       !logchain_is_abandoned(c, branch, lsn);
}

/* The header right behind *pos in the same segment, if it counts: 1. */
static int next_in_segment(struct logchain *c, const struct logchain_pos *pos,
			   const struct record_disk **h)
{
	const void *at;
	uint32_t stride;
	int ret;

	if (!pos->has_record || c->read.segment_blocks - pos->offset < 2)
		return 0;
	at = logread_peek(&c->read, pos->segment, pos->offset, 1);
	if (!at) {
		stride = logread_stride(&c->read, pos->offset, pos->blocks);
		ret = logread_load(&c->read, pos->segment, pos->offset, stride, &at);
		if (ret && stride > 1) /* a block behind the header, perhaps */
			ret = logread_load(&c->read, pos->segment, pos->offset, 1, &at);
		if (ret)
			return ret;
	}
	ret = logchain_inspect(c, at, pos->segment, pos->offset);
	if (ret <= 0 || !follows(c, pos, at))
		return ret < 0 ? ret : 0;
	*h = at;
	return 1;
}

/*
 * The header at the start of one of the next segments that counts, if its branch is higher than
 * that of *best; else *best stays. The window holds the segments where it may stand and that of
 * *pos itself, whose first record the chain has passed.
 */
static void next_segments(const struct logchain *c, const struct logchain_pos *pos,
			  const struct record_disk **best)
{
	for (uint32_t slot = 0; slot < c->window_slots; slot++) {
		const struct record_disk *h = &c->window_header[slot];

		if (c->window_lsn[slot] != pos->lsn + 1 || !follows(c, pos, h))
			continue;
		if (!*best || le64_get(h->branch) > le64_get((*best)->branch))
			*best = h;
	}
}

int logchain_next(struct logchain *c, struct logchain_pos *pos, const struct record_disk **h)
{
	uint64_t first, last;
	int ret;

	*h = NULL;
	if (pos->lsn == UINT64_MAX)
		return 0;
	logchain_successors(c, pos, &first, &last);
	ret = fill_window(c, last);
	if (ret)
		return ret;
	hint_rest(c, pos->segment);
	ret = next_in_segment(c, pos, h);
	if (ret < 0)
		return ret;
	next_segments(c, pos, h);
	if (!*h)
		return 0;
	*pos = logchain_behind(c, *h);
	return 1;
}
