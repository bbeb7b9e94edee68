// SPDX-License-Identifier: GPL-2.0-or-later
/* Lays a log on a memory device, record by record. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "common/align.h"
#include "common/checksum.h"
#include "tests/fake/logbuild.h"

uint64_t logbuild_random(uint64_t *state)
{
	uint64_t z = (*state += 0x9e3779b97f4a7c15ull);

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
	return z ^ (z >> 31);
}

static void *allocate(size_t bytes)
{
	void *p = malloc(bytes);

	if (!p)
		abort();
	return p;
}

void logbuild_init(struct logbuild *b, uint32_t order, uint64_t nr_segments, uint32_t pool_segments)
{
	uint64_t segment_bytes = 1ull << (order + SECTOR_SHIFT);
	uint64_t device_bytes = (2ull << 20) + (nr_segments + 1) * segment_bytes;

	*b = (struct logbuild){ .seed = 1, .branch = 1ull << 16, .branch_lsn = 1, .segment = 1 };
	b->sb = (struct superblock){
		.device_count = 1,
		.checksum_algorithm = CHECKSUM_XXH3_64,
		.pool_segments = pool_segments,
		.key = 0x0123456789abcdefull,
		.ring_base_id = 1,
		.epoch = 1,
		.generation = 1,
		.tail_lsn = 1,
		.epoch_start_lsn = 1,
		.epoch_start_segment = 1,
		.table_current = SUPERBLOCK_TABLE_NONE,
	};
	memcpy(b->sb.cache_uuid, "cache under test", sizeof(b->sb.cache_uuid));
	if (superblock_layout(&b->sb, device_bytes, order, TABLE_AREA_BYTES_MIN))
		abort();
	assert(b->sb.nr_segments >= nr_segments);
	b->sb.nr_segments = nr_segments;
	b->sb.ring_base_id = 1;
	if (superblock_check_geometry(&b->sb))
		abort();
	b->mem = memdev_new(b->sb.device_bytes);
}

void logbuild_free(struct logbuild *b)
{
	for (size_t i = 0; i < b->nr; i++) {
		free(b->records[i]->bytes);
		free(b->records[i]->before);
		free(b->records[i]);
	}
	free(b->records);
	memdev_free(b->mem);
	*b = (struct logbuild){ 0 };
}

uint64_t logbuild_byte(const struct logbuild *b, uint64_t segment, uint32_t offset)
{
	return (superblock_segment_address(&b->sb, segment) + offset) << BLOCK_SHIFT;
}

void logbuild_move(struct logbuild *b, uint64_t segment, uint32_t offset)
{
	b->segment = segment;
	b->offset = offset;
}

void logbuild_flush(struct logbuild *b)
{
	b->durable_lsn = b->lsn;
}

static const struct logbuild_record *newest_of(const struct logbuild *b, uint64_t lsn)
{
	for (size_t i = b->nr; i > 0; i--) {
		if (b->records[i - 1]->lsn == lsn)
			return b->records[i - 1];
	}
	return NULL;
}

void logbuild_branch_after(struct logbuild *b, uint64_t branch, const struct logbuild_record *after,
			   uint64_t segment)
{
	b->lsn = after ? after->lsn : b->sb.tail_lsn - 1;
	b->link = after ? after->checksum : b->sb.tail_link;
	b->branch = branch;
	b->branch_lsn = b->lsn + 1;
	b->durable_lsn = min(b->durable_lsn, b->lsn);
	logbuild_move(b, segment, 0);
}

void logbuild_branch(struct logbuild *b, uint64_t branch, uint64_t after_lsn, uint64_t segment)
{
	const struct logbuild_record *after = newest_of(b, after_lsn);

	assert(after || after_lsn == b->sb.tail_lsn - 1);
	logbuild_branch_after(b, branch, after, segment);
}

void logbuild_epoch_after(struct logbuild *b, const struct logbuild_record *after, uint64_t segment)
{
	uint64_t lsn = after ? after->lsn : b->sb.tail_lsn - 1;

	b->sb.epoch++;
	b->sb.generation++;
	b->sb.epoch_start_lsn = lsn + 1;
	b->sb.epoch_start_segment = segment;
	b->sb.durable_lsn = lsn;
	logbuild_branch_after(b, b->sb.epoch << 16, after, segment);
	b->durable_lsn = lsn;
}

void logbuild_epoch(struct logbuild *b, uint64_t after_lsn, uint64_t segment)
{
	const struct logbuild_record *after = newest_of(b, after_lsn);

	assert(after || after_lsn == b->sb.tail_lsn - 1);
	logbuild_epoch_after(b, after, segment);
}

void logbuild_tail(struct logbuild *b, const struct logbuild_record *r)
{
	assert(r->offset == 0);
	b->sb.last_migrated_segment_id = r->segment - 1;
	b->sb.tail_lsn = r->lsn;
	b->sb.tail_link = r->link;
	b->sb.tail_branch = 0;
	for (size_t i = b->nr; i > 0 && r->lsn > 1; i--) {
		const struct logbuild_record *before = b->records[i - 1];

		if (before->lsn == r->lsn - 1 && before->checksum == r->link)
			b->sb.tail_branch = before->branch;
	}
	b->sb.durable_lsn = max(b->sb.durable_lsn, r->lsn - 1);
}

void logbuild_header(const struct logbuild *b, struct record_disk *h, uint32_t nr)
{
	memset(h, 0, sizeof(*h));
	memcpy(h->cache_uuid, b->sb.cache_uuid, sizeof(h->cache_uuid));
	h->branch = le64_make(b->branch);
	h->branch_lsn = le64_make(b->branch_lsn);
	h->lsn = le64_make(b->lsn + 1);
	h->link = le64_make(b->link);
	h->durable_lsn = le64_make(b->durable_lsn);
	h->time_ns = le64_make(b->seed);
	h->nr_entries = le16_make((uint16_t)nr);
	h->nr_blocks = le16_make((uint16_t)nr);
	for (uint32_t i = 0; i < nr; i++) {
		h->key[i] = le64_make(entry_key(1, b->lsn * RECORD_ENTRIES_MAX + i));
		h->dirty[i] = 0xff;
	}
}

static struct logbuild_record *add_record(struct logbuild *b)
{
	if (b->nr == b->room) {
		b->room = b->room ? 2 * b->room : 64;
		b->records = realloc(b->records, b->room * sizeof(*b->records));
		if (!b->records)
			abort();
	}
	return b->records[b->nr++] = allocate(sizeof(**b->records));
}

static void draw_blocks(const struct logbuild *b, struct record_disk *h, uint8_t *bytes)
{
	uint64_t state = b->seed ^ le64_get(h->lsn) << 20 ^ le64_get(h->branch) << 40;
	uint32_t nr = le16_get(h->nr_entries), block = 0;

	for (uint32_t i = 0; i < nr; i++) {
		uint64_t *words;

		if (h->entry_flags[i] & ENTRY_NO_DATA)
			continue;
		words = (uint64_t *)(void *)(bytes + ((size_t)++block << BLOCK_SHIFT));
		for (size_t w = 0; w < BLOCK_BYTES / sizeof(*words); w++)
			words[w] = logbuild_random(&state);
		if (h->dirty[i] == 0)
			memset(words, 0, BLOCK_BYTES);
		h->sum[i] = le32_make(checksum_block(words));
	}
}

struct logbuild_record *logbuild_write(struct logbuild *b, struct record_disk *h, uint64_t segment,
				       uint32_t offset)
{
	struct logbuild_record *r = add_record(b);
	uint64_t at = logbuild_byte(b, segment, offset);
	size_t bytes = (size_t)record_blocks(h) << BLOCK_SHIFT;

	*r = (struct logbuild_record){ .segment = segment, .offset = offset };
	r->blocks = record_blocks(h);
	r->bytes = allocate(bytes);
	r->before = allocate(bytes);
	memcpy(r->before, b->mem->bytes + at, bytes);
	draw_blocks(b, h, r->bytes);
	if (le64_get(h->segment_id) == 0)
		h->segment_id = le64_make(segment);
	if (le64_get(h->address) == 0)
		h->address = le64_make(at >> BLOCK_SHIFT);
	r->checksum = record_finish(h, b->sb.key);
	memcpy(r->bytes, h, sizeof(*h));
	memcpy(b->mem->bytes + at, r->bytes, bytes);

	r->lsn = le64_get(h->lsn);
	r->branch = le64_get(h->branch);
	r->branch_lsn = le64_get(h->branch_lsn);
	r->link = le64_get(h->link);
	r->durable_lsn = le64_get(h->durable_lsn);
	b->lsn = r->lsn;
	b->link = r->checksum;
	logbuild_move(b, segment, offset + r->blocks);
	return r;
}

struct logbuild_record *logbuild_append(struct logbuild *b, uint32_t nr)
{
	struct record_disk h;

	assert(nr + 1 <= superblock_segment_blocks(&b->sb));
	logbuild_header(b, &h, nr);
	if (b->offset + 1 + nr > superblock_segment_blocks(&b->sb))
		logbuild_move(b, b->segment + 1, 0);
	return logbuild_write(b, &h, b->segment, b->offset);
}

struct logbuild_record *logbuild_append_many(struct logbuild *b, uint32_t nr, uint32_t entries)
{
	struct logbuild_record *r = NULL;

	while (nr-- > 0)
		r = logbuild_append(b, entries);
	return r;
}

void logbuild_undo(struct logbuild *b, const struct logbuild_record *r, uint32_t first, uint32_t nr)
{
	size_t at = (size_t)first << SECTOR_SHIFT, bytes = (size_t)nr << SECTOR_SHIFT;

	assert(first + nr <= r->blocks * SECTORS_PER_BLOCK);
	memcpy(b->mem->bytes + logbuild_byte(b, r->segment, r->offset) + at, r->before + at, bytes);
}

void logbuild_undo_header(struct logbuild *b, const struct logbuild_record *r)
{
	logbuild_undo(b, r, 0, SECTORS_PER_BLOCK);
}

void logbuild_undo_blocks(struct logbuild *b, const struct logbuild_record *r)
{
	logbuild_undo(b, r, SECTORS_PER_BLOCK, (r->blocks - 1) * SECTORS_PER_BLOCK);
}

void logbuild_undo_all(struct logbuild *b, const struct logbuild_record *r)
{
	logbuild_undo(b, r, 0, r->blocks * SECTORS_PER_BLOCK);
}

void logbuild_rot(struct logbuild *b, const struct logbuild_record *r, uint32_t byte)
{
	assert(byte < r->blocks << BLOCK_SHIFT);
	b->mem->bytes[logbuild_byte(b, r->segment, r->offset) + byte] ^= 0xff;
}

struct record_disk *logbuild_at(const struct logbuild *b, uint64_t segment, uint32_t offset)
{
	return (void *)(b->mem->bytes + logbuild_byte(b, segment, offset));
}

void logbuild_seal(const struct logbuild *b, uint64_t segment, uint32_t offset)
{
	struct record_disk *h = logbuild_at(b, segment, offset);
	uint64_t address = logbuild_byte(b, segment, offset) >> BLOCK_SHIFT;

	h->checksum = le64_make(0);
	h->checksum = le64_make(checksum64(h, sizeof(*h), record_seed(b->sb.key, address)));
}

const struct logbuild_record *logbuild_find(const struct logbuild *b, uint64_t segment,
					    uint32_t offset, uint64_t checksum)
{
	for (size_t i = b->nr; i > 0; i--) {
		const struct logbuild_record *r = b->records[i - 1];

		if (r->segment == segment && r->offset == offset && r->checksum == checksum)
			return r;
	}
	return NULL;
}
