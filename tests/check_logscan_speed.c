// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What a walk costs on a device of 2 GB/s with a latency of 100 us, by the clock of the fake
 * device: no real time is measured. Logs are walked as large as 4 GiB where records are long, and a
 * part of that where they are short. Blocks of data are all zero and cost no memory.
 */
#include <stdio.h>

#include "common/checksum.h"
#include "lcfs/cache/logscan.h"
#include "tests/check_main.h"
#include "tests/fake/logbuild.h"

#define LATENCY_NS 100000
#define BYTES_PER_US 2000
#define MIB (1ull << 20)
#define SEGMENT_BLOCKS 256u

static struct logbuild b;

static void fill_entries(struct record_disk *h, bool has_op)
{
	static uint8_t zeros[BLOCK_BYTES];
	uint32_t nr = le16_get(h->nr_entries), sum = checksum_block(zeros);

	for (uint32_t i = 0; i < nr; i++)
		h->sum[i] = le32_make(sum);
	if (has_op) {
		h->key[0] = le64_make(0);
		h->entry_flags[0] = ENTRY_OP;
	}
}

/* nr_segments full of records of nr entries each, all but the last 64 MiB known durable. With
 * op_every an entry of each so many records is a block of operations. */
static void build(uint64_t nr_segments, uint32_t nr, uint32_t op_every)
{
	uint64_t durable_from = nr_segments > 64 ? nr_segments - 64 : 0, lsn = 0;

	logbuild_init(&b, SEGMENT_ORDER_DEFAULT, 8192, 64);
	for (uint64_t segment = 1; segment <= nr_segments; segment++) {
		uint32_t offset = 0;

		for (; SEGMENT_BLOCKS - offset > nr; offset += nr + 1) {
			struct record_disk *h = logbuild_at(&b, segment, offset);

			logbuild_header(&b, h, nr);
			fill_entries(h, op_every && b.lsn % op_every == 0);
			h->segment_id = le64_make(segment);
			h->address = le64_make(logbuild_byte(&b, segment, offset) >> BLOCK_SHIFT);
			b.link = record_finish(h, b.sb.key);
			b.lsn++;
		}
		lsn = segment <= durable_from ? b.lsn : lsn;
		b.durable_lsn = lsn;
	}
	b.mem->latency_ns = LATENCY_NS;
	b.mem->bytes_per_us = BYTES_PER_US;
}

static int read_ops(struct logscan *s, const struct logscan_record *r, void *arg)
{
	static _Alignas(BLOCK_BYTES) uint8_t buf[BLOCK_BYTES];

	(void)arg;
	return r->header->entry_flags[0] & ENTRY_OP ? logscan_block(s, r, 0, buf) : 0;
}

/* Returns the ms that the walk took. */
static double walk(void)
{
	struct logscan_result result;
	double ms;

	ck_assert_int_eq(logscan_walk(&b.mem->dev, &b.sb, 0, read_ops, NULL, &result), 0);
	ck_assert_uint_eq(result.last_lsn, b.lsn);
	ms = (double)b.mem->now_ns / 1e6;
	printf("%8.1f ms: %ju records, %ju segments, %ju reads, %ju of them announced, %.1f MiB\n",
	       ms, (uintmax_t)result.records, (uintmax_t)result.segments, (uintmax_t)b.mem->reads,
	       (uintmax_t)b.mem->hints_used, (double)b.mem->read_bytes / (double)MIB);
	return ms;
}

START_TEST(the_look_ahead_of_an_empty_log)
{
	build(0, 1, 0);
	ck_assert(walk() < 60);
	logbuild_free(&b);
}
END_TEST

START_TEST(four_gib_of_full_records)
{
	build(4096, 255, 0);
	ck_assert(walk() < 200);
	/* a header a record; and, whole, the segments not known durable and those ahead */
	ck_assert_uint_le(b.mem->reads, 4096 + 2 * 66 + 2 * 64 + 8);
	logbuild_free(&b);
}
END_TEST

START_TEST(four_gib_of_long_records_read_header_by_header)
{
	build(4096, 127, 0);
	ck_assert(walk() < 400);
	ck_assert_uint_lt(b.mem->read_bytes, 256 * MIB);
	logbuild_free(&b);
	build(4096, 63, 0);
	ck_assert(walk() < 1500);
	ck_assert_uint_lt(b.mem->read_bytes, 256 * MIB);
	logbuild_free(&b);
}
END_TEST

/* Short records: everything is read once, at the device's speed. */
static void expect_one_reading(uint32_t nr, uint32_t op_every)
{
	const uint64_t segments = 512;
	double least_ms = (double)(segments + 130) * (double)MIB / BYTES_PER_US / 1000;

	build(segments, nr, op_every);
	ck_assert(walk() < least_ms * 1.1 + 5);
	ck_assert_uint_lt(b.mem->reads, 2 * segments + 260 + (op_every ? b.lsn / op_every + 1 : 0));
	logbuild_free(&b);
}

START_TEST(short_records_are_read_by_whole_segments_once)
{
	expect_one_reading(1, 0);
	expect_one_reading(7, 0);
	expect_one_reading(31, 0);
}
END_TEST

START_TEST(blocks_of_operations_are_announced)
{
	build(4096, 255, 2);
	ck_assert(walk() < 250);
	logbuild_free(&b);
	expect_one_reading(15, 4);
}
END_TEST

static Suite *make_suite(void)
{
	Suite *s = suite_create("logscan, its cost");
	TCase *tc = tcase_create("cost");

	tcase_set_timeout(tc, 120);
	tcase_add_test(tc, the_look_ahead_of_an_empty_log);
	tcase_add_test(tc, four_gib_of_full_records);
	tcase_add_test(tc, four_gib_of_long_records_read_header_by_header);
	tcase_add_test(tc, short_records_are_read_by_whole_segments_once);
	tcase_add_test(tc, blocks_of_operations_are_announced);
	suite_add_tcase(s, tc);
	return s;
}

CHECK_MAIN(make_suite)
