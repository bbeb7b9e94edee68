// SPDX-License-Identifier: GPL-2.0-or-later
/* Encode and decode the image table. table_format.h says when one is valid. */
#include <errno.h>

#include "common/align.h"
#include "common/byteorder.h"
#include "lcfs/ondisk/codec_private.h"

uint32_t table_entry_bytes(uint16_t path_bytes, uint16_t nr_punches)
{
	uint32_t bytes = sizeof(struct table_entry_disk);

	bytes += nr_punches * (uint32_t)sizeof(struct table_punch_disk) + path_bytes;
	return (uint32_t)align_up(bytes, 8);
}

void table_header_encode(const struct table_header *h, void *block, uint64_t address)
{
	struct table_disk *d = block;

	memset(d, 0, sizeof(*d));
	memcpy(d->magic, TABLE_MAGIC, sizeof(d->magic));
	memcpy(d->cache_uuid, h->cache_uuid, sizeof(d->cache_uuid));
	d->version = le32_make(TABLE_VERSION);
	d->nr_entries = le32_make(h->nr_entries);
	d->epoch = le64_make(h->epoch);
	d->generation = le64_make(h->generation);
	d->table_lsn = le64_make(h->table_lsn);
	d->payload_bytes = le64_make(h->payload_bytes);
	d->payload_checksum = le64_make(h->payload_checksum);
	d->next_image_id = le32_make(h->next_image_id);
	d->checksum = le64_make(header_checksum(d, address));
}

static enum format_reason check_header(const struct table_disk *d)
{
	uint64_t payload_bytes = le64_get(d->payload_bytes);

	if (le32_get(d->version) != TABLE_VERSION)
		return FORMAT_UNKNOWN_VERSION;
	if (!bytes_are_zero(d->reserved, sizeof(d->reserved)))
		return FORMAT_RESERVED_NOT_ZERO;
	if (!is_aligned(payload_bytes, BLOCK_BYTES) ||
	    payload_bytes > TABLE_AREA_BYTES_MAX - BLOCK_BYTES)
		return FORMAT_BAD_LENGTH;
	if (le32_get(d->nr_entries) > payload_bytes / sizeof(struct table_entry_disk) ||
	    le32_get(d->next_image_id) > IMAGE_ID_MAX)
		return FORMAT_BAD_COUNT;
	return FORMAT_OK;
}

enum format_reason table_header_decode(struct table_header *h, const void *block, uint64_t address)
{
	const struct table_disk *d = block;
	enum format_reason why;

	why = header_check(block, TABLE_MAGIC, address);
	if (!why)
		why = check_header(d);
	if (why)
		return why;
	memcpy(h->cache_uuid, d->cache_uuid, sizeof(h->cache_uuid));
	h->nr_entries = le32_get(d->nr_entries);
	h->next_image_id = le32_get(d->next_image_id);
	h->epoch = le64_get(d->epoch);
	h->generation = le64_get(d->generation);
	h->table_lsn = le64_get(d->table_lsn);
	h->payload_bytes = le64_get(d->payload_bytes);
	h->payload_checksum = le64_get(d->payload_checksum);
	return FORMAT_OK;
}

static enum format_reason check_punches(const struct table_punch_disk *punches, uint32_t nr)
{
	if (nr > TABLE_PUNCHES_MAX)
		return FORMAT_BAD_COUNT;
	for (uint32_t i = 0; i < nr; i++) {
		if (!range_is_valid(le64_get(punches[i].offset), le64_get(punches[i].bytes)))
			return FORMAT_BAD_ENTRY;
	}
	return FORMAT_OK;
}

static bool path_is_valid(const struct table_entry *e)
{
	if (e->path_bytes == 0)
		return e->flags & TABLE_UNBOUND;
	return op_path_is_valid(e->path, e->path_bytes);
}

/* Form of an entry, on the way to the device and back. */
static enum format_reason check_entry(const struct table_entry *e)
{
	enum format_reason why;

	if (e->flags & ~TABLE_FLAGS_KNOWN)
		return FORMAT_UNKNOWN_FLAG;
	if (e->image == 0 || e->image > IMAGE_ID_MAX)
		return FORMAT_BAD_ENTRY;
	if (e->state > TABLE_STATE_ERROR || e->mode > TABLE_MODE_WRITEAROUND)
		return FORMAT_BAD_ENTRY;
	if (e->error > OP_ERRNO_MAX || (e->error != 0 && e->state != TABLE_STATE_ERROR))
		return FORMAT_BAD_ENTRY;
	if (e->size > IMAGE_BYTES_MAX)
		return FORMAT_BAD_ENTRY;
	if (e->backing_valid > IMAGE_BYTES_MAX && e->backing_valid != UINT64_MAX)
		return FORMAT_BAD_ENTRY;
	if (!path_is_valid(e))
		return FORMAT_BAD_PATH;
	why = identity_check(&e->identity);
	if (!why)
		why = check_punches(e->punches, e->nr_punches);
	return why;
}

static void encode_entry(struct table_entry_disk *d, const struct table_entry *e)
{
	d->image = le32_make(e->image);
	d->bind_lsn = le64_make(e->bind_lsn);
	d->clean_lsn = le64_make(e->clean_lsn);
	d->applied_lsn = le64_make(e->applied_lsn);
	d->size = le64_make(e->size);
	d->backing_valid = le64_make(e->backing_valid);
	d->mtime_ns = le64_make((uint64_t)e->mtime_ns);
	d->quota_blocks = le64_make(e->quota_blocks);
	d->state = e->state;
	d->mode = e->mode;
	d->flags = e->flags;
	d->error = le32_make(e->error);
	stamp_encode(&d->stamp, &e->stamp);
	identity_encode(&d->identity, &e->identity);
	d->path_bytes = le16_make(e->path_bytes);
	d->nr_punches = le16_make(e->nr_punches);
}

int table_entry_append(void *payload, uint64_t bytes, uint64_t *pos, const struct table_entry *e)
{
	struct table_entry_disk *d;
	size_t punches_bytes;
	uint32_t need;
	uint8_t *rest;

	if (check_entry(e) || !is_aligned(*pos, 8))
		return -EINVAL;
	need = table_entry_bytes(e->path_bytes, e->nr_punches);
	if (*pos > bytes || need > bytes - *pos)
		return -ENOSPC;

	d = (void *)((uint8_t *)payload + *pos);
	d->bytes = le32_make(need);
	encode_entry(d, e);
	rest = (uint8_t *)(d + 1);
	punches_bytes = e->nr_punches * sizeof(*e->punches);
	if (punches_bytes)
		memcpy(rest, e->punches, punches_bytes);
	if (e->path_bytes)
		memcpy(rest + punches_bytes, e->path, e->path_bytes);
	*pos += need;
	return 0;
}

/* d lies inside the payload with all the bytes that it names. */
static enum format_reason decode_entry(struct table_entry *e, const struct table_entry_disk *d)
{
	const uint8_t *end;

	*e = (struct table_entry){
		.image = le32_get(d->image),
		.bind_lsn = le64_get(d->bind_lsn),
		.clean_lsn = le64_get(d->clean_lsn),
		.applied_lsn = le64_get(d->applied_lsn),
		.size = le64_get(d->size),
		.backing_valid = le64_get(d->backing_valid),
		.mtime_ns = (int64_t)le64_get(d->mtime_ns),
		.quota_blocks = le64_get(d->quota_blocks),
		.state = d->state,
		.mode = d->mode,
		.flags = d->flags,
		.error = le32_get(d->error),
		.path_bytes = le16_get(d->path_bytes),
		.nr_punches = le16_get(d->nr_punches),
		.punches = (const void *)(d + 1),
	};
	if (d->reserved0 != 0 || le32_get(d->reserved1) != 0)
		return FORMAT_RESERVED_NOT_ZERO;
	if (le32_get(d->bytes) != table_entry_bytes(e->path_bytes, e->nr_punches))
		return FORMAT_BAD_LENGTH;
	e->path = (const char *)(e->punches + e->nr_punches);
	end = (const uint8_t *)e->path + e->path_bytes;
	if (!bytes_are_zero(end, (size_t)((const uint8_t *)d + le32_get(d->bytes) - end)))
		return FORMAT_RESERVED_NOT_ZERO;
	stamp_decode(&e->stamp, &d->stamp);
	return identity_decode(&e->identity, &d->identity);
}

static enum format_reason entry_at(const uint8_t *at, uint64_t left, struct table_entry *e)
{
	const struct table_entry_disk *d = (const void *)at;
	enum format_reason why;
	uint32_t bytes;

	if (left < sizeof(*d))
		return FORMAT_BAD_LENGTH;
	bytes = le32_get(d->bytes);
	if (bytes < sizeof(*d) || !is_aligned(bytes, 8) || bytes > left)
		return FORMAT_BAD_LENGTH;
	why = decode_entry(e, d);
	if (!why)
		why = check_entry(e);
	return why;
}

int table_entry_next(const void *payload, uint64_t bytes, uint64_t *pos, struct table_entry *e,
		     enum format_reason *why)
{
	const uint8_t *at;
	uint64_t left;

	*why = FORMAT_BAD_LENGTH;
	if (!is_aligned(*pos, 8) || !is_aligned(bytes, 8) || *pos > bytes)
		return -EINVAL;
	*why = FORMAT_OK;
	at = (const uint8_t *)payload + *pos;
	left = bytes - *pos;
	if (left == 0)
		return 0;
	if (bytes_are_zero(at, sizeof(le32_t))) {
		if (bytes_are_zero(at, left))
			return 0;
		*why = FORMAT_RESERVED_NOT_ZERO;
		return -EINVAL;
	}
	*why = entry_at(at, left, e);
	if (*why)
		return -EINVAL;
	*pos += le32_get(((const struct table_entry_disk *)(const void *)at)->bytes);
	return 1;
}

enum format_reason table_payload_verify(const struct table_header *h, const void *payload)
{
	enum format_reason why;
	struct table_entry e;
	uint64_t pos = 0;
	uint32_t nr = 0;
	int ret;

	if (checksum64(payload, h->payload_bytes, 0) != h->payload_checksum)
		return FORMAT_BAD_CHECKSUM;
	while ((ret = table_entry_next(payload, h->payload_bytes, &pos, &e, &why)) > 0)
		nr++;
	if (ret < 0)
		return why;
	if (nr != h->nr_entries)
		return FORMAT_BAD_COUNT;
	if (align_up(pos, BLOCK_BYTES) != h->payload_bytes)
		return FORMAT_BAD_LENGTH;
	return FORMAT_OK;
}
