// SPDX-License-Identifier: GPL-2.0-or-later
/* Encode and decode the super block. superblock_format.h says when a copy counts. */
#include "common/byteorder.h"
#include "lcfs/ondisk/codec_private.h"

static void encode_fixed(struct superblock_disk *d, const struct superblock *sb)
{
	memcpy(d->magic, SUPERBLOCK_MAGIC, sizeof(d->magic));
	d->version = le32_make(FORMAT_VERSION);
	d->header_bytes = le32_make(sizeof(*d));
	d->feature_compat = le64_make(sb->feature_compat);
	d->feature_ro_compat = le64_make(sb->feature_ro_compat);
	d->feature_incompat = le64_make(sb->feature_incompat);
	memcpy(d->cache_uuid, sb->cache_uuid, sizeof(d->cache_uuid));
	memcpy(d->device_uuid, sb->device_uuid, sizeof(d->device_uuid));
	d->device_index = le32_make(sb->device_index);
	d->device_count = le32_make(sb->device_count);
	memcpy(d->label, sb->label, strnlen(sb->label, sizeof(d->label)));
	d->checksum_algorithm = le32_make(sb->checksum_algorithm);
	d->segment_order = le32_make(sb->segment_order);
	d->block_bytes = le32_make(BLOCK_BYTES);
	d->pool_segments = le32_make(sb->pool_segments);
	d->key = le64_make(sb->key);
	d->device_bytes = le64_make(sb->device_bytes);
	d->segments_start = le64_make(sb->segments_start);
	d->nr_segments = le64_make(sb->nr_segments);
	d->ring_base_id = le64_make(sb->ring_base_id);
	d->ring_base_slot = le64_make(sb->ring_base_slot);
	for (int i = 0; i < 2; i++) {
		d->table[i].start = le64_make(sb->table[i].start);
		d->table[i].bytes = le64_make(sb->table[i].bytes);
		d->table[i].table_lsn = le64_make(sb->table[i].table_lsn);
		d->table[i].generation = le64_make(sb->table[i].generation);
	}
	d->format_time = le64_make(sb->format_time);
}

static void encode_changing(struct superblock_disk *d, const struct superblock *sb)
{
	d->epoch = le64_make(sb->epoch);
	d->generation = le64_make(sb->generation);
	memcpy(d->mount_id, sb->mount_id, sizeof(d->mount_id));
	memcpy(d->boot_id, sb->boot_id, sizeof(d->boot_id));
	d->last_migrated_segment_id = le64_make(sb->last_migrated_segment_id);
	d->tail_lsn = le64_make(sb->tail_lsn);
	d->tail_link = le64_make(sb->tail_link);
	d->tail_branch = le64_make(sb->tail_branch);
	d->durable_lsn = le64_make(sb->durable_lsn);
	d->epoch_start_lsn = le64_make(sb->epoch_start_lsn);
	d->epoch_start_segment = le64_make(sb->epoch_start_segment);
	d->table_current = le32_make(sb->table_current);
	d->state = le32_make(sb->state);
	d->lease_ns = le64_make(sb->lease_ns);
	d->write_time_ns = le64_make(sb->write_time_ns);
	memcpy(d->dir_uuid, sb->dir_uuid, sizeof(d->dir_uuid));
}

void superblock_encode(const struct superblock *sb, void *block, uint64_t address)
{
	struct superblock_disk *d = block;

	memset(d, 0, sizeof(*d));
	encode_fixed(d, sb);
	encode_changing(d, sb);
	d->checksum = le64_make(header_checksum(d, address));
}

static void decode_fixed(struct superblock *sb, const struct superblock_disk *d)
{
	sb->feature_compat = le64_get(d->feature_compat);
	sb->feature_ro_compat = le64_get(d->feature_ro_compat);
	sb->feature_incompat = le64_get(d->feature_incompat);
	memcpy(sb->cache_uuid, d->cache_uuid, sizeof(sb->cache_uuid));
	memcpy(sb->device_uuid, d->device_uuid, sizeof(sb->device_uuid));
	sb->device_index = le32_get(d->device_index);
	sb->device_count = le32_get(d->device_count);
	memcpy(sb->label, d->label, sizeof(d->label));
	sb->label[sizeof(d->label)] = '\0';
	sb->checksum_algorithm = le32_get(d->checksum_algorithm);
	sb->segment_order = le32_get(d->segment_order);
	sb->pool_segments = le32_get(d->pool_segments);
	sb->key = le64_get(d->key);
	sb->device_bytes = le64_get(d->device_bytes);
	sb->segments_start = le64_get(d->segments_start);
	sb->nr_segments = le64_get(d->nr_segments);
	sb->ring_base_id = le64_get(d->ring_base_id);
	sb->ring_base_slot = le64_get(d->ring_base_slot);
	for (int i = 0; i < 2; i++) {
		sb->table[i].start = le64_get(d->table[i].start);
		sb->table[i].bytes = le64_get(d->table[i].bytes);
		sb->table[i].table_lsn = le64_get(d->table[i].table_lsn);
		sb->table[i].generation = le64_get(d->table[i].generation);
	}
	sb->format_time = le64_get(d->format_time);
}

static void decode_changing(struct superblock *sb, const struct superblock_disk *d)
{
	sb->epoch = le64_get(d->epoch);
	sb->generation = le64_get(d->generation);
	memcpy(sb->mount_id, d->mount_id, sizeof(sb->mount_id));
	memcpy(sb->boot_id, d->boot_id, sizeof(sb->boot_id));
	sb->last_migrated_segment_id = le64_get(d->last_migrated_segment_id);
	sb->tail_lsn = le64_get(d->tail_lsn);
	sb->tail_link = le64_get(d->tail_link);
	sb->tail_branch = le64_get(d->tail_branch);
	sb->durable_lsn = le64_get(d->durable_lsn);
	sb->epoch_start_lsn = le64_get(d->epoch_start_lsn);
	sb->epoch_start_segment = le64_get(d->epoch_start_segment);
	sb->table_current = le32_get(d->table_current);
	sb->state = le32_get(d->state);
	sb->lease_ns = le64_get(d->lease_ns);
	sb->write_time_ns = le64_get(d->write_time_ns);
	memcpy(sb->dir_uuid, d->dir_uuid, sizeof(sb->dir_uuid));
}

/* What must hold before the other fields may be read as those of this version. */
static enum format_reason check_known(const struct superblock_disk *d)
{
	if (le32_get(d->version) != FORMAT_VERSION)
		return FORMAT_UNKNOWN_VERSION;
	if (le32_get(d->header_bytes) != sizeof(*d))
		return FORMAT_BAD_LENGTH;
	if (le64_get(d->feature_incompat) & ~FEATURE_INCOMPAT_KNOWN)
		return FORMAT_UNKNOWN_FEATURE;
	if (!bytes_are_zero(d->reserved, sizeof(d->reserved)))
		return FORMAT_RESERVED_NOT_ZERO;
	return FORMAT_OK;
}

/* What the host order struct cannot show. */
static enum format_reason check_raw(const struct superblock_disk *d)
{
	size_t label_bytes = strnlen((const char *)d->label, sizeof(d->label));

	if (!bytes_are_zero(d->label + label_bytes, sizeof(d->label) - label_bytes))
		return FORMAT_RESERVED_NOT_ZERO;
	if (le32_get(d->block_bytes) != BLOCK_BYTES)
		return FORMAT_BAD_GEOMETRY;
	return FORMAT_OK;
}

static enum format_reason check_changing(const struct superblock *sb)
{
	if (sb->checksum_algorithm != CHECKSUM_XXH3_64)
		return FORMAT_UNKNOWN_TYPE;
	if (sb->state & ~SUPERBLOCK_STATE_KNOWN)
		return FORMAT_UNKNOWN_FLAG;
	if (sb->table_current > SUPERBLOCK_TABLE_NONE)
		return FORMAT_BAD_GEOMETRY;
	if (sb->last_migrated_segment_id < sb->ring_base_id - 1 ||
	    sb->last_migrated_segment_id == UINT64_MAX)
		return FORMAT_BAD_GEOMETRY;
	if (sb->tail_lsn == 0 || sb->tail_lsn - 1 > sb->durable_lsn)
		return FORMAT_BAD_LSN;
	if (sb->epoch_start_lsn != 0 && sb->epoch_start_lsn - 1 > sb->durable_lsn)
		return FORMAT_BAD_LSN;
	if (sb->table_current != SUPERBLOCK_TABLE_NONE &&
	    sb->table[sb->table_current].table_lsn > sb->durable_lsn)
		return FORMAT_BAD_LSN;
	return FORMAT_OK;
}

enum format_reason superblock_decode(struct superblock *sb, const void *block, uint64_t address)
{
	const struct superblock_disk *d = block;
	struct superblock new = { 0 };
	enum format_reason why;

	why = header_check(block, SUPERBLOCK_MAGIC, address);
	if (!why)
		why = check_known(d);
	if (!why)
		why = check_raw(d);
	if (why)
		return why;

	decode_fixed(&new, d);
	decode_changing(&new, d);
	why = superblock_check_geometry(&new);
	if (!why)
		why = check_changing(&new);
	if (!why)
		*sb = new;
	return why;
}
