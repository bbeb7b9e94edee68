// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The geometry of a cache device.
 *
 *   0                 super block, copy 0
 *   1 MiB             super block, copy 1
 *   1 MiB + 64 KiB    image table area A, then area B
 *   segments_start    nr_segments segments, from a multiple of the segment size; what is left
 *                     behind the last whole one is not used
 */
#include <errno.h>
#include <string.h>

#include "common/align.h"
#include "lcfs/ondisk/codec.h"

#define DEVICE_BYTES_MAX (CACHE_BLOCKS_MAX << BLOCK_SHIFT)

static bool table_area_is_valid(const struct superblock_table_area *area, uint64_t segments_start)
{
	if (!is_aligned(area->start, BLOCK_BYTES) || !is_aligned(area->bytes, BLOCK_BYTES))
		return false;
	if (area->bytes < TABLE_AREA_BYTES_MIN || area->bytes > TABLE_AREA_BYTES_MAX)
		return false;
	/* segments_start is a place on the device: no sum here can overflow */
	return area->start >= SUPERBLOCK_AREA_BYTES && area->start <= segments_start &&
	       area->bytes <= segments_start - area->start;
}

static bool table_areas_are_valid(const struct superblock *sb)
{
	const struct superblock_table_area *a = &sb->table[0], *b = &sb->table[1];

	return table_area_is_valid(a, sb->segments_start) &&
	       table_area_is_valid(b, sb->segments_start) &&
	       (a->start + a->bytes <= b->start || b->start + b->bytes <= a->start);
}

static bool segments_are_valid(const struct superblock *sb)
{
	if (sb->segment_order < SEGMENT_ORDER_MIN || sb->segment_order > SEGMENT_ORDER_MAX)
		return false;
	if (!is_aligned(sb->segments_start, superblock_segment_bytes(sb)) ||
	    sb->segments_start > sb->device_bytes)
		return false;
	return sb->nr_segments >= NR_SEGMENTS_MIN &&
	       sb->nr_segments <=
		       (sb->device_bytes - sb->segments_start) / superblock_segment_bytes(sb);
}

enum format_reason superblock_check_geometry(const struct superblock *sb)
{
	if (sb->device_index != 0 || sb->device_count != 1)
		return FORMAT_BAD_GEOMETRY;
	if (!is_aligned(sb->device_bytes, BLOCK_BYTES) || sb->device_bytes > DEVICE_BYTES_MAX)
		return FORMAT_BAD_GEOMETRY;
	if (!segments_are_valid(sb) || !table_areas_are_valid(sb))
		return FORMAT_BAD_GEOMETRY;
	if (sb->ring_base_id == 0 || sb->ring_base_slot >= sb->nr_segments)
		return FORMAT_BAD_GEOMETRY;
	if (sb->pool_segments > sb->nr_segments / 4)
		return FORMAT_BAD_GEOMETRY;
	return FORMAT_OK;
}

/* Bytes for one table area if the default shall leave room for enough segments; 0: it cannot. */
static uint64_t default_table_bytes(uint64_t device_bytes, uint64_t segment_bytes)
{
	uint64_t bytes = device_bytes >> TABLE_AREA_DEFAULT_SHIFT;
	uint64_t before_segments, room;

	if (device_bytes < NR_SEGMENTS_MIN * segment_bytes)
		return 0;
	before_segments = align_down(device_bytes - NR_SEGMENTS_MIN * segment_bytes, segment_bytes);
	if (before_segments < SUPERBLOCK_AREA_BYTES + 2 * TABLE_AREA_BYTES_MIN)
		return 0;
	room = align_down((before_segments - SUPERBLOCK_AREA_BYTES) / 2, BLOCK_BYTES);

	bytes = max_t(uint64_t, bytes, TABLE_AREA_DEFAULT_MIN);
	bytes = min_t(uint64_t, bytes, TABLE_AREA_DEFAULT_MAX);
	return min_t(uint64_t, align_down(bytes, BLOCK_BYTES), room);
}

/* device_bytes and segment_order are set. */
static int layout_place(struct superblock *sb, uint64_t table_bytes)
{
	uint64_t segment_bytes = superblock_segment_bytes(sb);
	uint64_t end = SUPERBLOCK_AREA_BYTES;

	for (int i = 0; i < 2; i++) {
		sb->table[i].start = end;
		sb->table[i].bytes = table_bytes;
		end += table_bytes;
	}
	sb->segments_start = align_up(end, segment_bytes);
	if (sb->segments_start > sb->device_bytes)
		return -ENOSPC;
	sb->nr_segments = (sb->device_bytes - sb->segments_start) / segment_bytes;
	return sb->nr_segments < NR_SEGMENTS_MIN ? -ENOSPC : 0;
}

int superblock_layout(struct superblock *sb, uint64_t device_bytes, uint32_t segment_order,
		      uint64_t table_bytes)
{
	struct superblock new = *sb;
	int err;

	if (segment_order < SEGMENT_ORDER_MIN || segment_order > SEGMENT_ORDER_MAX)
		return -EINVAL;
	if (table_bytes > TABLE_AREA_BYTES_MAX)
		return -EINVAL;
	if (table_bytes != 0 && table_bytes < TABLE_AREA_BYTES_MIN)
		return -EINVAL;
	if (align_down(device_bytes, BLOCK_BYTES) > DEVICE_BYTES_MAX)
		return -EFBIG;

	new.device_bytes = align_down(device_bytes, BLOCK_BYTES);
	new.segment_order = segment_order;
	new.device_index = 0;
	new.device_count = 1;
	new.ring_base_id = 1;
	new.ring_base_slot = 0;
	if (table_bytes == 0)
		table_bytes = default_table_bytes(new.device_bytes, superblock_segment_bytes(&new));
	if (table_bytes == 0)
		return -ENOSPC;
	err = layout_place(&new, align_up(table_bytes, BLOCK_BYTES));
	if (err)
		return err;
	*sb = new;
	return 0;
}

int superblock_compare(const struct superblock *a, const struct superblock *b)
{
	if (a->epoch != b->epoch)
		return a->epoch < b->epoch ? -1 : 1;
	if (a->generation != b->generation)
		return a->generation < b->generation ? -1 : 1;
	return 0;
}

uint64_t superblock_slot(const struct superblock *sb, uint64_t segment_id)
{
	return ((segment_id - sb->ring_base_id) % sb->nr_segments + sb->ring_base_slot) %
	       sb->nr_segments;
}

uint64_t superblock_segment_address(const struct superblock *sb, uint64_t segment_id)
{
	return (sb->segments_start >> BLOCK_SHIFT) +
	       superblock_slot(sb, segment_id) * superblock_segment_blocks(sb);
}

bool superblock_is_same_cache(const struct superblock *a, const struct superblock *b)
{
	for (int i = 0; i < 2; i++)
		if (a->table[i].start != b->table[i].start ||
		    a->table[i].bytes != b->table[i].bytes)
			return false;
	return memcmp(a->cache_uuid, b->cache_uuid, FORMAT_UUID_BYTES) == 0 && a->key == b->key &&
	       a->segment_order == b->segment_order && a->nr_segments == b->nr_segments &&
	       a->segments_start == b->segments_start && a->device_bytes == b->device_bytes;
}
