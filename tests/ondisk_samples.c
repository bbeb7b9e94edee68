// SPDX-License-Identifier: GPL-2.0-or-later
/* The sample structures of the format's tests. */
#include "tests/ondisk_samples.h"

#include <stdlib.h>
#include <string.h>

#include "common/byteorder.h"
#include "common/checksum.h"

void sample_uuid(uint8_t *uuid, uint8_t first)
{
	for (int i = 0; i < FORMAT_UUID_BYTES; i++)
		uuid[i] = (uint8_t)(first + i);
}

/* Bytes without a pattern that a shift or a swap of blocks would keep. */
static void fill(uint8_t *bytes, size_t n, uint64_t seed)
{
	for (size_t i = 0; i < n; i++) {
		seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
		bytes[i] = (uint8_t)(seed >> 56);
	}
}

void sample_superblock(struct superblock *sb)
{
	memset(sb, 0, sizeof(*sb));
	if (superblock_layout(sb, SAMPLE_DEVICE_BYTES, SEGMENT_ORDER_DEFAULT, 0))
		abort();
	sample_uuid(sb->cache_uuid, 0x10);
	sample_uuid(sb->device_uuid, 0x30);
	memcpy(sb->label, "vm images, g\xc3\xbcnstig", sizeof("vm images, g\xc3\xbcnstig"));
	sb->feature_compat = UINT64_C(1) << 40;
	sb->feature_ro_compat = UINT64_C(1) << 41;
	sb->checksum_algorithm = CHECKSUM_XXH3_64;
	sb->pool_segments = 8;
	sb->key = SAMPLE_KEY;
	sb->table[0].table_lsn = 41;
	sb->table[0].generation = 6;
	sb->table[1].table_lsn = 52;
	sb->table[1].generation = 7;
	sb->format_time = 1700000000;
	sb->epoch = 4;
	sb->generation = 1234;
	sample_uuid(sb->mount_id, 0x50);
	sample_uuid(sb->boot_id, 0x70);
	sb->last_migrated_segment_id = 2;
	sb->tail_lsn = 77;
	sb->tail_link = UINT64_C(0x0123456789abcdef);
	sb->tail_branch = 4 << 16 | 1;
	sb->durable_lsn = 99;
	sb->epoch_start_lsn = 60;
	sb->epoch_start_segment = 2;
	sb->table_current = 1;
	sb->state = SUPERBLOCK_CLEAN;
	sb->lease_ns = UINT64_C(1700000123456789012);
	sb->write_time_ns = UINT64_C(1700000113456789012);
	sample_uuid(sb->dir_uuid, 0x90);
}

static void sample_entry(struct sample_record *r, uint32_t i, uint64_t key, uint8_t dirty,
			 uint8_t flags)
{
	struct record_disk *h = &r->header;
	uint32_t block;

	h->key[i] = le64_make(key);
	h->dirty[i] = dirty;
	h->entry_flags[i] = flags;
	h->nr_entries = le16_make((uint16_t)(i + 1));
	block = record_entry_block(h, i);
	if (block == 0)
		return;
	h->nr_blocks = le16_make((uint16_t)block);
	if (flags & ENTRY_OP) {
		sample_op_block(r->data[block - 1]);
	} else {
		for (uint32_t s = 0; s < SECTORS_PER_BLOCK; s++) {
			if (dirty & 1u << s)
				fill(r->data[block - 1] + s * SECTOR_BYTES, SECTOR_BYTES, key + s);
		}
	}
	if (dirty)
		h->sum[i] = le32_make(checksum_block(r->data[block - 1]));
}

void sample_record(struct sample_record *r, uint64_t address)
{
	struct record_disk *h = &r->header;

	memset(r, 0, sizeof(*r));
	sample_uuid(h->cache_uuid, 0x10);
	h->branch = le64_make(4 << 16 | 2);
	h->branch_lsn = le64_make(70);
	h->lsn = le64_make(SAMPLE_RECORD_LSN);
	h->link = le64_make(UINT64_C(0x0123456789abcdef));
	h->segment_id = le64_make(SAMPLE_RECORD_SEGMENT);
	h->address = le64_make(address);
	h->durable_lsn = le64_make(75);
	h->origin_lsn = le64_make(33);
	h->time_ns = le64_make(UINT64_C(1700000100000000001));

	sample_entry(r, 0, entry_key(5, 7), 0xff, ENTRY_EXTENDS);
	sample_entry(r, 1, entry_key(5, 8), 0x0f, 0);
	sample_entry(r, 2, 0, 0xff, ENTRY_OP);
	sample_entry(r, 3, entry_key(9, IMAGE_BLOCK_MAX), 0xf0, ENTRY_POISON);
	sample_entry(r, 4, entry_key(IMAGE_ID_MAX, 1), 0x81, ENTRY_RELOCATED);
	sample_entry(r, 5, 0, 0, 0); /* handed out and never published */
	record_finish(h, SAMPLE_KEY);
}

static void sample_stamp(struct op_stamp *stamp, uint32_t i)
{
	stamp->size = UINT64_C(0x100000) + i;
	stamp->mtime_ns = INT64_C(1600000000000000000) + i;
	stamp->ctime_ns = -INT64_C(2000000000) - i;
}

static void sample_identity(struct op_identity *identity, uint32_t i)
{
	identity->ino = 131072 + i;
	identity->btime_ns = INT64_C(1500000000000000000) + i;
	sample_uuid(identity->fsid, (uint8_t)(0xb0 + i));
	identity->handle_type = 0x81;
	identity->handle_bytes = 20;
	identity->strength = IDENTITY_HANDLE;
	fill(identity->handle, identity->handle_bytes, i);
}

#define IMAGE 5
#define ARGS(a, b) .image = IMAGE, .arg0 = (a), .arg1 = (b)
#define PATH(p) .path = (p), .path_bytes = sizeof(p) - 1
#define PATH2(p) .path2 = (p), .path2_bytes = sizeof(p) - 1

void sample_op(struct op *op, uint32_t i)
{
	static const struct op ops[] = {
		{ .type = OP_BIND,
		  ARGS(0, 0),
		  .has_stamp = true,
		  .has_identity = true,
		  PATH("rack 1/vm1.img") },
		{ .type = OP_SIZE, ARGS(IMAGE_BYTES_MAX, 0) },
		{ .type = OP_TRUNCATE, ARGS(4097, 0) },
		{ .type = OP_PUNCH, ARGS(512, 65536) },
		{ .type = OP_RENAME, PATH("rack 1"), PATH2("rack 2/old") },
		{ .type = OP_EXCHANGE, PATH("a"), PATH2("b/..c") },
		{ .type = OP_UNBIND, ARGS(0, 0) },
		{ .type = OP_CLEAN, ARGS(70, 0), .has_stamp = true },
		{ .type = OP_TOUCH, ARGS(0, 0), .has_stamp = true },
		{ .type = OP_INTENT, ARGS(OP_INTENT_RENAME_OVER, 0), PATH("rack 2/vm1.img") },
		{ .type = OP_DONE, ARGS(1, 0) },
		{ .type = OP_STATE, ARGS(TABLE_STATE_ERROR, 28) },
		{ .type = OP_ATTACH, ARGS(TABLE_MODE_WRITEBACK, 0) },
		{ .type = OP_INVALIDATE, ARGS(0, IMAGE_BYTES_MAX) },
		{ .type = OP_DROP, ARGS(IMAGE_BYTES_MAX - 1, 1) },
		{ .type = OP_CHECKPOINT, PATH("before the upgrade") },
		{ .type = OP_NAMED, ARGS(0, 0) },
	};
	static_assert(array_size(ops) == OP_TYPE_LAST, "one of each type");

	*op = ops[i];
	if (op->has_stamp)
		sample_stamp(&op->stamp, i);
	if (op->has_identity)
		sample_identity(&op->identity, i);
}

uint32_t sample_op_block(void *block)
{
	uint32_t pos = 0, i;
	struct op op;

	memset(block, 0, BLOCK_BYTES);
	for (i = 0; i < SAMPLE_OPS; i++) {
		sample_op(&op, i);
		if (op_append(block, &pos, &op))
			break;
	}
	return i;
}

void sample_table_entry(struct table_entry *e, uint32_t i)
{
	static struct table_punch_disk punches[2];

	punches[0] = (struct table_punch_disk){ le64_make(512), le64_make(1536) };
	punches[1] = (struct table_punch_disk){ le64_make(UINT64_C(1) << 33), le64_make(4096) };
	*e = (struct table_entry){
		.image = 5 + i,
		.bind_lsn = 20 + i,
		.clean_lsn = 30 + i,
		.applied_lsn = 40 + i,
		.size = (UINT64_C(1) << 34) + i,
		.backing_valid = i == 0 ? UINT64_MAX : 8192,
		.mtime_ns = INT64_C(1699999999999999999) - i,
		.quota_blocks = i,
	};
	sample_stamp(&e->stamp, 100 + i);
	if (i != 1)
		sample_identity(&e->identity, 100 + i);
	if (i == 0) {
		e->flags = TABLE_TOUCHING | TABLE_INTENT;
		e->punches = punches;
		e->nr_punches = 2;
	} else if (i == 1) {
		e->state = TABLE_STATE_ERROR;
		e->error = 5;
	} else {
		e->flags = TABLE_UNBOUND;
		return;
	}
	e->path = i == 0 ? "rack 2/vm1.img" : "vm2.img";
	e->path_bytes = (uint16_t)strlen(e->path);
}

void sample_table(struct sample_table *t, struct table_header *h)
{
	struct table_entry e;
	uint64_t pos = 0;

	memset(t, 0, sizeof(*t));
	memset(h, 0, sizeof(*h));
	for (uint32_t i = 0; i < SAMPLE_TABLE_ENTRIES; i++) {
		sample_table_entry(&e, i);
		if (table_entry_append(t->payload, sizeof(t->payload), &pos, &e))
			abort();
	}
	sample_uuid(h->cache_uuid, 0x10);
	h->nr_entries = SAMPLE_TABLE_ENTRIES;
	h->next_image_id = 8;
	h->epoch = 4;
	h->generation = 7;
	h->table_lsn = 52;
	h->payload_bytes = sizeof(t->payload);
	h->payload_checksum = checksum64(t->payload, sizeof(t->payload), 0);
	table_header_encode(h, t->header, SAMPLE_TABLE_ADDRESS);
}
