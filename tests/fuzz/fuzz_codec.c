// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Decoding is safe on any bytes, and what it accepts encodes to the same bytes again.
 *
 * The first byte of the input says which structure the rest is (short input is padded with zeros);
 * with REPAIR in it magic, checksum and UUID are set right first, or no input would get past them.
 */
#include <string.h>

#include "common/byteorder.h"
#include "common/checksum.h"
#include "lcfs/ondisk/codec.h"
#include "tests/fuzz/fuzz.h"

#define REPAIR 0x80u
#define ADDRESS 4096
#define KEY 42
#define PAYLOAD_BYTES_MAX (4 * BLOCK_BYTES)

static const uint8_t zeros[PAYLOAD_BYTES_MAX];

/* A copy of exactly `bytes` bytes, aligned, zero behind the input. */
static void *copy_of(const uint8_t *data, size_t size, size_t bytes)
{
	uint8_t *copy = malloc(bytes);

	FUZZ_CHECK(copy);
	memset(copy, 0, bytes);
	memcpy(copy, data, size < bytes ? size : bytes);
	return copy;
}

/* checksum is the block's own field. */
static void repair(void *block, const char *magic, le64_t *checksum, uint64_t seed)
{
	memcpy(block, magic, 8);
	*checksum = le64_make(0);
	*checksum = le64_make(checksum64(block, BLOCK_BYTES, seed));
}

static void check_slots(const struct superblock *sb, uint64_t id)
{
	uint64_t address = superblock_segment_address(sb, id);

	FUZZ_CHECK(superblock_slot(sb, id) < sb->nr_segments);
	FUZZ_CHECK(address >= (sb->table[0].start + sb->table[0].bytes) >> BLOCK_SHIFT);
	FUZZ_CHECK(address >= (sb->table[1].start + sb->table[1].bytes) >> BLOCK_SHIFT);
	FUZZ_CHECK(address + superblock_segment_blocks(sb) <= sb->device_bytes >> BLOCK_SHIFT);
}

static void fuzz_superblock(const uint8_t *data, size_t size, bool with_repair)
{
	struct superblock_disk *d = copy_of(data, size, BLOCK_BYTES);
	struct superblock sb;
	uint8_t again[BLOCK_BYTES] __attribute__((aligned(8)));

	if (with_repair)
		repair(d, SUPERBLOCK_MAGIC, &d->checksum, ADDRESS);
	if (superblock_decode(&sb, d, ADDRESS) == FORMAT_OK) {
		superblock_encode(&sb, again, ADDRESS);
		FUZZ_CHECK(memcmp(again, d, sizeof(again)) == 0);
		FUZZ_CHECK(superblock_check_geometry(&sb) == FORMAT_OK);
		FUZZ_CHECK(superblock_compare(&sb, &sb) == 0);
		check_slots(&sb, sb.ring_base_id);
		check_slots(&sb, sb.last_migrated_segment_id + 1);
		check_slots(&sb, UINT64_MAX);
	}
	free(d);
}

static void fuzz_layout(const uint8_t *data, size_t size)
{
	struct {
		uint64_t device_bytes, table_bytes;
		uint32_t order;
	} in = { 0 };
	struct superblock sb = { 0 };

	memcpy(&in, data, size < sizeof(in) ? size : sizeof(in));
	if (superblock_layout(&sb, in.device_bytes, in.order, in.table_bytes) == 0) {
		FUZZ_CHECK(superblock_check_geometry(&sb) == FORMAT_OK);
		check_slots(&sb, 1);
		check_slots(&sb, sb.nr_segments);
	}
}

static void fuzz_record(const uint8_t *data, size_t size, bool with_repair)
{
	struct record_disk *h = copy_of(data, size, BLOCK_BYTES);
	uint64_t address = with_repair ? le64_get(h->address) : ADDRESS;
	uint32_t last = 0, block;

	if (with_repair)
		repair(h, RECORD_MAGIC, &h->checksum, record_seed(KEY, address));
	for (uint32_t i = 0; i <= UINT16_MAX; i += 5)
		FUZZ_CHECK(record_entry_block(h, i) <= RECORD_ENTRIES_MAX);
	if (record_verify(h, h->cache_uuid, KEY, address) == FORMAT_OK) {
		for (uint32_t i = 0; i < RECORD_ENTRIES_MAX; i++) {
			block = record_entry_block(h, i);
			FUZZ_CHECK(block == 0 || block == last + 1);
			if (block)
				last = block;
		}
		FUZZ_CHECK(record_blocks(h) == last + 1);
		FUZZ_CHECK(record_finish(h, KEY) == le64_get(h->checksum));
		FUZZ_CHECK(record_verify(h, h->cache_uuid, KEY, address) == FORMAT_OK);
	}
	free(h);
}

static void check_inside(const uint8_t *block, size_t block_bytes, const void *part, size_t bytes)
{
	const uint8_t *p = part;

	FUZZ_CHECK(p >= block && p + bytes <= block + block_bytes);
}

static void check_op(const uint8_t *block, uint32_t end, const struct op *op)
{
	uint8_t again[BLOCK_BYTES] __attribute__((aligned(8))) = { 0 };
	uint32_t pos = 0;

	check_inside(block, end, op->path, op->path_bytes);
	check_inside(block, end, op->path2, op->path2_bytes);
	FUZZ_CHECK(op_check(op) == FORMAT_OK);
	FUZZ_CHECK(op_append(again, &pos, op) == 0 && pos <= end && pos == op_bytes(op));
	FUZZ_CHECK(memcmp(again, block + end - pos, pos) == 0);
}

static void fuzz_ops(const uint8_t *data, size_t size)
{
	uint8_t *block = copy_of(data, size, BLOCK_BYTES);
	enum format_reason why, verified = op_block_verify(block);
	uint32_t pos = 0;
	struct op op;
	int ret;

	while ((ret = op_next(block, &pos, &op, &why)) > 0)
		check_op(block, pos, &op);
	FUZZ_CHECK((ret < 0) == (why != FORMAT_OK));
	FUZZ_CHECK(ret == 0 ? verified == FORMAT_OK || verified == FORMAT_RESERVED_NOT_ZERO :
			      verified == why);
	FUZZ_CHECK(op_block_trim(block) == why);
	FUZZ_CHECK(op_block_verify(block) == why);
	free(block);
}

/* An operation whose parts are taken from the input: written if and only if it can be read. */
static void fuzz_op_append(const uint8_t *data, size_t size)
{
	struct op_disk *d = copy_of(data, size, sizeof(*d) + sizeof(struct op_identity));
	uint8_t block[BLOCK_BYTES] __attribute__((aligned(8))) = { 0 };
	const char *path = (const char *)data;
	enum format_reason why;
	uint32_t pos = 0;
	struct op op, out;

	op = (struct op){
		.type = (enum op_type)(le16_get(d->type) & 0x1f),
		.image = le32_get(d->image),
		.arg0 = le64_get(d->arg0),
		.arg1 = le64_get(d->arg1),
		.has_stamp = d->has_stamp & 1,
		.has_identity = d->has_identity & 1,
		.path = path,
		.path2 = path,
		.path_bytes = (uint16_t)(le16_get(d->path_bytes) % (size + 1)),
		.path2_bytes = (uint16_t)(le16_get(d->path2_bytes) % (size + 1)),
	};
	memcpy(&op.identity, d + 1, sizeof(op.identity));
	if (op_append(block, &pos, &op) == 0) {
		pos = 0;
		FUZZ_CHECK(op_next(block, &pos, &out, &why) == 1);
		FUZZ_CHECK(pos == op_bytes(&op));
		check_op(block, pos, &out);
	} else {
		FUZZ_CHECK(op_check(&op) != FORMAT_OK && pos == 0);
		FUZZ_CHECK(memcmp(block, zeros, sizeof(block)) == 0);
	}
	free(d);
}

static bool has_component(const char *path, size_t bytes, const char *component)
{
	char copy[OP_PATH_MAX + 3], pattern[8];

	snprintf(copy, sizeof(copy), "/%.*s/", (int)bytes, path);
	snprintf(pattern, sizeof(pattern), "/%s/", component);
	return strstr(copy, pattern) != NULL;
}

static void fuzz_path(const uint8_t *data, size_t size)
{
	const char *path = (const char *)data;
	bool valid = size > 0 && size <= OP_PATH_MAX && !memchr(data, 0, size);

	if (valid)
		valid = !has_component(path, size, "") && !has_component(path, size, ".") &&
			!has_component(path, size, "..");
	FUZZ_CHECK(op_path_is_valid(path, size) == valid);
}

static void fuzz_table_header(const uint8_t *data, size_t size, bool with_repair)
{
	struct table_disk *d = copy_of(data, size, BLOCK_BYTES);
	uint8_t again[BLOCK_BYTES] __attribute__((aligned(8)));
	struct table_header h;

	if (with_repair)
		repair(d, TABLE_MAGIC, &d->checksum, ADDRESS);
	if (table_header_decode(&h, d, ADDRESS) == FORMAT_OK) {
		table_header_encode(&h, again, ADDRESS);
		FUZZ_CHECK(memcmp(again, d, sizeof(again)) == 0);
		FUZZ_CHECK(h.payload_bytes + BLOCK_BYTES <= TABLE_AREA_BYTES_MAX);
	}
	free(d);
}

static void check_table_entry(const uint8_t *payload, uint64_t start, uint64_t end,
			      const struct table_entry *e)
{
	static uint64_t again[PAYLOAD_BYTES_MAX / sizeof(uint64_t)];
	uint64_t pos = 0;

	memset(again, 0, sizeof(again));
	check_inside(payload + start, end - start, e->path, e->path_bytes);
	check_inside(payload + start, end - start, e->punches, e->nr_punches * sizeof(*e->punches));
	FUZZ_CHECK(table_entry_append(again, sizeof(again), &pos, e) == 0 && pos == end - start);
	FUZZ_CHECK(memcmp(again, payload + start, pos) == 0);
}

static void fuzz_table_payload(const uint8_t *data, size_t size)
{
	size_t bytes = (size < PAYLOAD_BYTES_MAX ? size : PAYLOAD_BYTES_MAX) & ~(size_t)7;
	uint8_t *payload = copy_of(data, size, bytes);
	struct table_header h = { .payload_bytes = bytes };
	enum format_reason why, verified;
	struct table_entry e;
	uint64_t pos = 0, start = 0;
	int ret;

	while ((ret = table_entry_next(payload, bytes, &pos, &e, &why)) > 0) {
		check_table_entry(payload, start, pos, &e);
		start = pos;
		h.nr_entries++;
	}
	FUZZ_CHECK((ret < 0) == (why != FORMAT_OK));
	FUZZ_CHECK(pos == start);
	h.payload_checksum = checksum64(payload, bytes, 0);
	verified = table_payload_verify(&h, payload);
	FUZZ_CHECK(ret == 0 ? verified == FORMAT_OK || verified == FORMAT_BAD_LENGTH :
			      verified == why);
	free(payload);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	bool with_repair;

	if (size == 0)
		return 0;
	with_repair = data[0] & REPAIR;
	data++;
	size--;
	switch (data[-1] & ~REPAIR) {
	case 'S':
		fuzz_superblock(data, size, with_repair);
		break;
	case 'L':
		fuzz_layout(data, size);
		break;
	case 'R':
		fuzz_record(data, size, with_repair);
		break;
	case 'O':
		fuzz_ops(data, size);
		break;
	case 'A':
		fuzz_op_append(data, size);
		break;
	case 'P':
		fuzz_path(data, size);
		break;
	case 'H':
		fuzz_table_header(data, size, with_repair);
		break;
	case 'T':
		fuzz_table_payload(data, size);
		break;
	}
	return 0;
}
