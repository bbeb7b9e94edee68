// SPDX-License-Identifier: GPL-2.0-or-later
/* Finish and verify record headers; when one counts is said in segment_format.h. */
#include "common/byteorder.h"
#include "lcfs/ondisk/codec_private.h"

uint64_t record_seed(uint64_t key, uint64_t address)
{
	return key + address * RECORD_SEED_FACTOR;
}

uint64_t record_finish(struct record_disk *h, uint64_t key)
{
	uint64_t checksum;

	memcpy(h->magic, RECORD_MAGIC, sizeof(h->magic));
	h->version = le16_make(RECORD_VERSION);
	h->type = le16_make(RECORD_TYPE_LOG);
	checksum = header_checksum(h, record_seed(key, le64_get(h->address)));
	h->checksum = le64_make(checksum);
	return checksum;
}

static bool entry_has_data(const struct record_disk *h, uint32_t i)
{
	return !(h->entry_flags[i] & ENTRY_NO_DATA);
}

/* Is the key one that its flags and dirty bits allow? */
static bool entry_key_is_valid(const struct record_disk *h, uint32_t i)
{
	uint64_t key = le64_get(h->key[i]);
	uint8_t flags = h->entry_flags[i];

	if (flags & ENTRY_OP)
		return flags == ENTRY_OP && key == 0 && (h->dirty[i] == 0xff || h->dirty[i] == 0);
	if (h->dirty[i] == 0 && flags == 0 && key == 0)
		return true;
	return entry_key_image(key) != 0;
}

static enum format_reason check_entry(const struct record_disk *h, uint32_t i)
{
	uint8_t flags = h->entry_flags[i];

	if (flags & ~ENTRY_FLAGS_KNOWN)
		return FORMAT_UNKNOWN_FLAG;
	if ((flags & ENTRY_NO_DATA) == ENTRY_NO_DATA)
		return FORMAT_BAD_ENTRY;
	if (!entry_has_data(h, i) && le32_get(h->sum[i]) != 0)
		return FORMAT_BAD_ENTRY;
	if (!entry_key_is_valid(h, i))
		return FORMAT_BAD_ENTRY;
	if ((flags & ENTRY_RELOCATED) && h->dirty[i] != 0 && le64_get(h->origin_lsn) == 0)
		return FORMAT_BAD_ENTRY;
	return FORMAT_OK;
}

static enum format_reason check_entries(const struct record_disk *h)
{
	uint32_t nr = le16_get(h->nr_entries), blocks = 0, rest;
	enum format_reason why;

	if (nr == 0 || nr > RECORD_ENTRIES_MAX)
		return FORMAT_BAD_COUNT;
	for (uint32_t i = 0; i < nr; i++) {
		why = check_entry(h, i);
		if (why)
			return why;
		blocks += entry_has_data(h, i);
	}
	if (le16_get(h->nr_blocks) != blocks)
		return FORMAT_BAD_COUNT;

	rest = RECORD_ENTRIES_MAX - nr;
	if (!bytes_are_zero(h->key + nr, rest * sizeof(h->key[0])) ||
	    !bytes_are_zero(h->sum + nr, rest * sizeof(h->sum[0])) ||
	    !bytes_are_zero(h->dirty + nr, rest) || !bytes_are_zero(h->entry_flags + nr, rest))
		return FORMAT_RESERVED_NOT_ZERO;
	return FORMAT_OK;
}

static enum format_reason check_known(const struct record_disk *h)
{
	if (le16_get(h->version) != RECORD_VERSION)
		return FORMAT_UNKNOWN_VERSION;
	if (le16_get(h->type) != RECORD_TYPE_LOG)
		return FORMAT_UNKNOWN_TYPE;
	if (le32_get(h->flags) & ~RECORD_FLAGS_KNOWN)
		return FORMAT_UNKNOWN_FLAG;
	if (!bytes_are_zero(h->reserved0, sizeof(h->reserved0)) ||
	    !bytes_are_zero(h->reserved1, sizeof(h->reserved1)))
		return FORMAT_RESERVED_NOT_ZERO;
	return FORMAT_OK;
}

static enum format_reason check_place(const struct record_disk *h, uint64_t address)
{
	uint64_t lsn = le64_get(h->lsn), branch_lsn = le64_get(h->branch_lsn);

	if (le64_get(h->address) != address || le64_get(h->segment_id) == 0)
		return FORMAT_BAD_GEOMETRY;
	if (address < SUPERBLOCK_AREA_BYTES >> BLOCK_SHIFT || address >= CACHE_BLOCKS_MAX ||
	    record_blocks(h) > CACHE_BLOCKS_MAX - address)
		return FORMAT_BAD_GEOMETRY;
	if (branch_lsn == 0 || branch_lsn > lsn)
		return FORMAT_BAD_LSN;
	if (le64_get(h->durable_lsn) >= lsn || le64_get(h->origin_lsn) >= lsn)
		return FORMAT_BAD_LSN;
	return FORMAT_OK;
}

enum format_reason record_verify(const struct record_disk *h, const uint8_t *cache_uuid,
				 uint64_t key, uint64_t address)
{
	enum format_reason why;

	why = header_check(h, RECORD_MAGIC, record_seed(key, address));
	if (why)
		return why;
	if (memcmp(h->cache_uuid, cache_uuid, sizeof(h->cache_uuid)) != 0)
		return FORMAT_OTHER_UUID;
	why = check_known(h);
	if (!why)
		why = check_entries(h);
	if (!why)
		why = check_place(h, address);
	return why;
}

uint32_t record_entry_block(const struct record_disk *h, uint32_t i)
{
	uint32_t block = 1;

	if (i >= RECORD_ENTRIES_MAX || i >= le16_get(h->nr_entries) || !entry_has_data(h, i))
		return 0;
	for (uint32_t before = 0; before < i; before++)
		block += entry_has_data(h, before);
	return block;
}
