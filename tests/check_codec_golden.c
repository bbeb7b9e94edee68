// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The golden images of format version 1 mean what they always meant. Offsets, lengths and values
 * stand here as numbers, as lcfs-format(5) has them, and the checksums are computed from the ranges
 * given there: nothing of the codec, nor of its headers, takes part in the first half of each test.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "common/byteorder.h"
#include "tests/check_main.h"
#include "tests/ondisk_samples.h"

static uint8_t image[32768] __attribute__((aligned(4096)));

static void load(const char *name, size_t expected)
{
	const char *top = getenv("top_srcdir");
	char path[4096];
	size_t n;
	FILE *f;

	snprintf(path, sizeof(path), "%s/tests/golden/v1/%s", top ? top : ".", name);
	f = fopen(path, "rb");
	ck_assert_msg(f != NULL, "%s: %s", path, strerror(errno));
	n = fread(image, 1, sizeof(image), f);
	fclose(f);
	ck_assert_uint_eq(n, expected);
}

static uint64_t number_at(size_t offset, unsigned int bytes)
{
	uint64_t v = 0;

	while (bytes--)
		v = v << 8 | image[offset + bytes];
	return v;
}

struct field {
	size_t offset;
	unsigned int bytes;
	uint64_t value;
};

static void check_fields(size_t base, const struct field *fields, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		uint64_t v = number_at(base + fields[i].offset, fields[i].bytes);

		ck_assert_msg(v == fields[i].value, "offset %zu: %#" PRIx64 ", expected %#" PRIx64,
			      base + fields[i].offset, v, fields[i].value);
	}
}

#define FIELDS(base, ...)                                         \
	check_fields(base, (const struct field[]){ __VA_ARGS__ }, \
		     sizeof((const struct field[]){ __VA_ARGS__ }) / sizeof(struct field))

static void check_zero(size_t from, size_t to)
{
	for (size_t i = from; i < to; i++)
		ck_assert_msg(image[i] == 0, "offset %zu is not zero", i);
}

static void check_bytes(size_t offset, const char *bytes, size_t n)
{
	ck_assert_mem_eq(image + offset, bytes, n);
}

static void check_uuid(size_t offset, uint8_t first)
{
	for (unsigned int i = 0; i < 16; i++)
		ck_assert_uint_eq(image[offset + i], first + i);
}

/* XXH3-64 of the 4096 bytes at base, those at 8 to 15 as zeros */
static uint64_t header_sum(size_t base, uint64_t seed)
{
	uint8_t copy[4096];

	memcpy(copy, image + base, sizeof(copy));
	memset(copy + 8, 0, 8);
	return XXH3_64bits_withSeed(copy, sizeof(copy), seed);
}

static void check_superblock_bytes(uint64_t address)
{
	check_bytes(0, "\x89lcC\r\n\x1a\x01", 8);
	check_uuid(48, 0x10);
	check_uuid(64, 0x30);
	check_bytes(88, "vm images, g\xc3\xbcnstig", 20);
	check_zero(88 + 20, 152);
	FIELDS(0, { 16, 4, 1 }, { 20, 4, 4096 }, { 24, 8, UINT64_C(1) << 40 },
	       { 32, 8, UINT64_C(1) << 41 }, { 40, 8, 0 }, { 80, 4, 0 }, { 84, 4, 1 },
	       { 152, 4, 1 }, { 156, 4, 11 }, { 160, 4, 4096 }, { 164, 4, 8 },
	       { 168, 8, UINT64_C(0x243f6a8885a308d3) }, { 176, 8, 67108864 }, { 184, 8, 2097152 },
	       { 192, 8, 62 }, { 200, 8, 1 }, { 208, 8, 0 });
	FIELDS(0, { 216, 8, 1114112 }, { 224, 8, 262144 }, { 232, 8, 41 }, { 240, 8, 6 },
	       { 248, 8, 1376256 }, { 256, 8, 262144 }, { 264, 8, 52 }, { 272, 8, 7 },
	       { 280, 8, 1700000000 });
	check_uuid(304, 0x50);
	check_uuid(320, 0x70);
	FIELDS(0, { 288, 8, 4 }, { 296, 8, 1234 }, { 336, 8, 2 }, { 344, 8, 77 },
	       { 352, 8, UINT64_C(0x0123456789abcdef) }, { 360, 8, 0x40001 }, { 368, 8, 99 },
	       { 376, 8, 60 }, { 384, 8, 2 }, { 392, 4, 1 }, { 396, 4, 1 },
	       { 400, 8, UINT64_C(1700000123456789012) },
	       { 408, 8, UINT64_C(1700000113456789012) });
	check_uuid(416, 0x90);
	check_zero(432, 4096);
	ck_assert_uint_eq(number_at(8, 8), header_sum(0, address));
}

static void check_superblock(const char *name, uint64_t address)
{
	struct superblock sb, sample;
	uint8_t again[4096];

	load(name, 4096);
	check_superblock_bytes(address);

	ck_assert_int_eq(superblock_decode(&sb, image, address), FORMAT_OK);
	superblock_encode(&sb, again, address);
	ck_assert_mem_eq(again, image, sizeof(again));
	sample_superblock(&sample);
	superblock_encode(&sample, again, address);
	ck_assert_mem_eq(again, image, sizeof(again));

	ck_assert_str_eq(sb.label, "vm images, g\xc3\xbcnstig");
	ck_assert_uint_eq(sb.table[1].start, 1376256);
	ck_assert_uint_eq(sb.table[1].table_lsn, 52);
	ck_assert_uint_eq(sb.segments_start, 2097152);
	ck_assert_uint_eq(sb.tail_branch, 0x40001);
	ck_assert_uint_eq(sb.lease_ns, UINT64_C(1700000123456789012));
}

START_TEST(super_block_copy_at_0)
{
	check_superblock("superblock-0.bin", 0);
}
END_TEST

START_TEST(super_block_copy_at_1_mib)
{
	check_superblock("superblock-1.bin", 1048576);
}
END_TEST

/* Header fields and arrays of the record, which stands at block 1024. */
static void check_record_header(void)
{
	static const struct {
		uint64_t image, block;
		uint8_t dirty, flags;
		unsigned int data; /* block behind the header, 0 = none */
	} entries[] = {
		{ 5, 7, 0xff, 0x10, 1 },
		{ 5, 8, 0x0f, 0, 2 },
		{ 0, 0, 0xff, 0x01, 3 },
		{ 9, UINT64_C(0xffffffffff), 0xf0, 0x08, 0 },
		{ 0xffffff, 1, 0x81, 0x04, 4 },
		{ 0, 0, 0, 0, 0 }, /* dead: its block is there, its sum is not looked at */
	};

	check_bytes(0, "\x89lcR\r\n\x1a\x01", 8);
	check_uuid(16, 0x10);
	FIELDS(0, { 32, 2, 1 }, { 34, 2, 1 }, { 36, 4, 0 }, { 40, 8, 0x40002 }, { 48, 8, 70 },
	       { 56, 8, 77 }, { 64, 8, UINT64_C(0x0123456789abcdef) }, { 72, 8, 3 },
	       { 80, 8, 1024 }, { 88, 8, 75 }, { 96, 8, 33 },
	       { 104, 8, UINT64_C(1700000100000000001) }, { 112, 2, 6 }, { 114, 2, 5 });
	check_zero(116, 128);
	for (size_t i = 0; i < array_size(entries); i++) {
		uint64_t sum = 0;

		if (entries[i].data)
			sum = XXH3_64bits(image + 4096 * entries[i].data, 4096) & UINT32_MAX;
		FIELDS(0, { 128 + 8 * i, 8, entries[i].image << 40 | entries[i].block },
		       { 2168 + 4 * i, 4, sum }, { 3188 + i, 1, entries[i].dirty },
		       { 3443 + i, 1, entries[i].flags });
	}
	check_zero(128 + 8 * 6, 2168);
	check_zero(2168 + 4 * 6, 3188);
	check_zero(3188 + 6, 3443);
	check_zero(3443 + 6, 4096);
	ck_assert_uint_eq(number_at(8, 8),
			  header_sum(0, UINT64_C(0x243f6a8885a308d3) +
						UINT64_C(1024) * UINT64_C(0x9e3779b97f4a7c15)));
}

START_TEST(record)
{
	struct sample_record *r = (void *)image, sample;
	uint8_t uuid[16], before[4096];

	load("record.bin", 6 * 4096);
	check_record_header();
	check_zero(8192 + 4 * 512, 12288); /* unwritten sectors of entry 1 */
	check_zero(4 * 4096 + 512, 4 * 4096 + 7 * 512);
	check_zero(5 * 4096, 6 * 4096);

	sample_uuid(uuid, 0x10);
	ck_assert_int_eq(record_verify(&r->header, uuid, SAMPLE_KEY, 1024), FORMAT_OK);
	ck_assert_uint_eq(record_entry_block(&r->header, 4), 4);
	sample_record(&sample, 1024);
	ck_assert_mem_eq(&sample, image, sizeof(sample));
	memcpy(before, image, sizeof(before));
	memset(image, 0, 16);
	memset(image + 32, 0, 4);
	record_finish(&r->header, SAMPLE_KEY);
	ck_assert_mem_eq(image, before, sizeof(before));
}
END_TEST

/* Type, length, image, arguments, bytes of the paths and the two marks, one row an operation. */
static void check_op_heads(size_t at)
{
	static const struct {
		uint64_t type, bytes, image, arg0, arg1, path, path2, stamp, identity;
	} ops[] = {
		{ 0x8001, 240, 5, 0, 0, 14, 0, 1, 1 },
		{ 0x8002, 32, 5, UINT64_C(1) << 52, 0, 0, 0, 0, 0 },
		{ 0x8003, 32, 5, 4097, 0, 0, 0, 0, 0 },
		{ 0x8004, 32, 5, 512, 65536, 0, 0, 0, 0 },
		{ 0x8005, 48, 0, 0, 0, 6, 10, 0, 0 },
		{ 0x8006, 40, 0, 0, 0, 1, 5, 0, 0 },
		{ 0x8007, 32, 5, 0, 0, 0, 0, 0, 0 },
		{ 0x8008, 56, 5, 70, 0, 0, 0, 1, 0 },
		{ 0x8009, 56, 5, 0, 0, 0, 0, 1, 0 },
		{ 0x800a, 48, 5, 2, 0, 14, 0, 0, 0 },
		{ 0x800b, 32, 5, 1, 0, 0, 0, 0, 0 },
		{ 0x800c, 32, 5, 3, 28, 0, 0, 0, 0 },
		{ 0x800d, 32, 5, 0, 0, 0, 0, 0, 0 },
		{ 0x800e, 32, 5, 0, UINT64_C(1) << 52, 0, 0, 0, 0 },
		{ 0x800f, 32, 5, (UINT64_C(1) << 52) - 1, 1, 0, 0, 0, 0 },
		{ 0x8010, 56, 0, 0, 0, 18, 0, 0, 0 },
	};
	size_t end = at + 4096;

	for (size_t i = 0; i < array_size(ops); i++) {
		FIELDS(at, { 0, 2, ops[i].type }, { 2, 2, ops[i].bytes }, { 4, 4, ops[i].image },
		       { 8, 8, ops[i].arg0 }, { 16, 8, ops[i].arg1 }, { 24, 2, ops[i].path },
		       { 26, 2, ops[i].path2 }, { 28, 1, ops[i].stamp }, { 29, 1, ops[i].identity },
		       { 30, 2, 0 });
		at += ops[i].bytes;
	}
	check_zero(at, end);
}

START_TEST(operations)
{
	size_t at = 3 * 4096;
	enum format_reason why;
	uint8_t again[4096];
	uint32_t pos = 0, out = 0;
	struct op op;

	load("record.bin", 6 * 4096);
	check_op_heads(at);
	/* stamp and identity of the first */
	FIELDS(at + 32, { 0, 8, 0x100000 }, { 8, 8, UINT64_C(1600000000000000000) },
	       { 16, 8, (uint64_t)-INT64_C(2000000000) });
	FIELDS(at + 56, { 0, 8, 131072 }, { 8, 8, UINT64_C(1500000000000000000) }, { 32, 4, 0x81 },
	       { 36, 2, 20 }, { 38, 1, 2 }, { 39, 1, 0 });
	check_uuid(at + 56 + 16, 0xb0);
	check_zero(at + 56 + 40 + 20, at + 224);
	check_bytes(at + 224, "rack 1/vm1.img\0", 16);
	check_bytes(at + 240 + 96 + 32, "rack 1rack 2/old", 16);

	memset(again, 0, sizeof(again));
	while (op_next(image + at, &pos, &op, &why) > 0)
		ck_assert_int_eq(op_append(again, &out, &op), 0);
	ck_assert_int_eq(why, FORMAT_OK);
	ck_assert_mem_eq(again, image + at, sizeof(again));
}
END_TEST

static void check_table_bytes(void)
{
	check_bytes(0, "\x89lcT\r\n\x1a\x01", 8);
	check_uuid(16, 0x10);
	FIELDS(0, { 32, 4, 1 }, { 36, 4, 3 }, { 40, 8, 4 }, { 48, 8, 7 }, { 56, 8, 52 },
	       { 64, 8, 4096 }, { 80, 4, 8 });
	check_zero(84, 4096);
	ck_assert_uint_eq(number_at(72, 8), XXH3_64bits_withSeed(image + 4096, 4096, 0));
	ck_assert_uint_eq(number_at(8, 8), header_sum(0, 1114112));
}

static void check_table_entries(void)
{
	size_t at = 4096;

	FIELDS(at, { 0, 4, 320 }, { 4, 4, 5 }, { 8, 8, 20 }, { 16, 8, 30 }, { 24, 8, 40 },
	       { 32, 8, UINT64_C(1) << 34 }, { 40, 8, UINT64_MAX },
	       { 48, 8, UINT64_C(1699999999999999999) }, { 56, 8, 0 }, { 64, 1, 0 }, { 65, 1, 0 },
	       { 66, 1, 3 }, { 67, 1, 0 }, { 68, 4, 0 });
	FIELDS(at + 72, { 0, 8, 0x100064 }, { 8, 8, UINT64_C(1600000000000000100) },
	       { 16, 8, (uint64_t)-INT64_C(2000000100) });
	FIELDS(at + 96, { 0, 8, 131172 }, { 32, 4, 0x81 }, { 36, 2, 20 }, { 38, 1, 2 });
	FIELDS(at + 264, { 0, 2, 14 }, { 2, 2, 2 }, { 4, 4, 0 });
	FIELDS(at + 272, { 0, 8, 512 }, { 8, 8, 1536 }, { 16, 8, UINT64_C(1) << 33 },
	       { 24, 8, 4096 });
	check_bytes(at + 304, "rack 2/vm1.img\0", 16);

	FIELDS(at + 320, { 0, 4, 280 }, { 4, 4, 6 }, { 40, 8, 8192 }, { 56, 8, 1 }, { 64, 1, 3 },
	       { 66, 1, 0 }, { 68, 4, 5 }, { 264, 2, 7 }, { 266, 2, 0 });
	check_zero(at + 320 + 96, at + 320 + 264); /* weak: no identity */
	check_bytes(at + 320 + 272, "vm2.img", 8);

	FIELDS(at + 600, { 0, 4, 272 }, { 4, 4, 7 }, { 66, 1, 4 }, { 264, 2, 0 });
	check_zero(at + 872, 8192);
}

START_TEST(image_table)
{
	uint8_t again[4096];
	uint64_t pos = 0, out = 0;
	enum format_reason why;
	struct table_header h;
	struct table_entry e;

	load("table.bin", 8192);
	check_table_bytes();
	check_table_entries();

	ck_assert_int_eq(table_header_decode(&h, image, 1114112), FORMAT_OK);
	ck_assert_int_eq(table_payload_verify(&h, image + 4096), FORMAT_OK);
	table_header_encode(&h, again, 1114112);
	ck_assert_mem_eq(again, image, sizeof(again));
	memset(again, 0, sizeof(again));
	while (table_entry_next(image + 4096, 4096, &pos, &e, &why) > 0)
		ck_assert_int_eq(table_entry_append(again, sizeof(again), &out, &e), 0);
	ck_assert_int_eq(why, FORMAT_OK);
	ck_assert_mem_eq(again, image + 4096, sizeof(again));
}
END_TEST

static Suite *make_suite(void)
{
	Suite *s = suite_create("codec_golden");

	CHECK_CASE(s, "version 1", super_block_copy_at_0, super_block_copy_at_1_mib, record,
		   operations, image_table);
	return s;
}

CHECK_MAIN(make_suite)
