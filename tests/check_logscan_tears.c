// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Torn writes: whatever part of the newest records reached the device, all records before them are
 * found, nothing else is, and it is an ordinary end. In the slot that is written stands nothing, or
 * a whole record of the lap before: a torn newest segment must not be mistaken for that.
 */
#include <string.h>

#include "tests/check_main.h"
#include "tests/fake/logcheck.h"

#define SECTORS_SMALL (2 * SECTORS_PER_BLOCK)

static struct logbuild b;
static const struct logbuild_record *newest;

/* Segments of 2^order sectors, filled by records of nr entries: two laps less a bit, or one record
 * less than the first is long. The newest one is in the middle of the device. */
static void setup_log(uint32_t order, uint32_t nr, bool is_over_old_lap)
{
	uint64_t segments = is_over_old_lap ? 16 + 9 : 9;

	logbuild_init(&b, order, 16, 2);
	do {
		newest = logbuild_append(&b, nr);
		logbuild_flush(&b);
	} while (newest->segment < segments);
	if (is_over_old_lap) {
		for (size_t i = 0; i < b.nr; i++) {
			if (b.records[i]->segment == 14 && b.records[i]->offset == 0)
				logbuild_tail(&b, b.records[i]);
		}
	}
	newest = logbuild_append(&b, nr);
}

/* The sectors of the mask reached the device, the others did not. */
static void keep_sectors(const struct logbuild_record *r, uint64_t mask)
{
	uint8_t *at = b.mem->bytes + logbuild_byte(&b, r->segment, r->offset);

	for (uint32_t i = 0; i < r->blocks * SECTORS_PER_BLOCK; i++) {
		const uint8_t *from = mask >> i & 1 ? r->bytes : r->before;

		memcpy(at + i * SECTOR_BYTES, from + i * SECTOR_BYTES, SECTOR_BYTES);
	}
}

/* What is the same before and after the write cannot be torn. */
static bool is_whole(const struct logbuild_record *r)
{
	return memcmp(b.mem->bytes + logbuild_byte(&b, r->segment, r->offset), r->bytes,
		      (size_t)r->blocks << BLOCK_SHIFT) == 0;
}

START_TEST(every_tear_of_a_small_record_at_512_bytes)
{
	uint64_t whole = 0;

	setup_log(SEGMENT_ORDER_MIN, 1, _i);
	for (uint64_t mask = 0; mask < 1u << SECTORS_SMALL; mask++) {
		keep_sectors(newest, mask);
		whole += is_whole(newest);
		logcheck_expect_end(&b, newest->lsn - !is_whole(newest));
	}
	ck_assert_uint_ge(whole, 1);
	ck_assert_uint_lt(whole, 1u << SECTORS_SMALL >> 8);
	logbuild_free(&b);
}
END_TEST

START_TEST(every_subset_of_the_blocks_of_a_record)
{
	setup_log(7, 8, _i);
	for (uint32_t blocks = 0; blocks < 1u << 9; blocks++) {
		logbuild_undo_all(&b, newest);
		for (uint32_t i = 0; i < newest->blocks; i++) {
			size_t at = (size_t)i << BLOCK_SHIFT;

			if (blocks >> i & 1)
				memcpy(b.mem->bytes +
					       logbuild_byte(&b, newest->segment, newest->offset) +
					       at,
				       newest->bytes + at, BLOCK_BYTES);
		}
		logcheck_expect_end(&b, newest->lsn - (blocks != (1u << 9) - 1));
	}
	logbuild_free(&b);
}
END_TEST

START_TEST(every_subset_of_the_blocks_of_the_three_newest_records)
{
	const struct logbuild_record *r[3];

	/* two in one segment, the third in the next; none is known durable */
	setup_log(6, 2, _i);
	r[0] = newest;
	r[1] = logbuild_append(&b, 2);
	r[2] = logbuild_append(&b, 2);
	ck_assert_uint_ne(r[0]->segment, r[2]->segment);
	for (uint32_t blocks = 0; blocks < 1u << 9; blocks++) {
		uint32_t whole = 0;

		for (uint32_t i = 0; i < 9; i++) {
			if (!(blocks >> i & 1))
				logbuild_undo(&b, r[i / 3], i % 3 * SECTORS_PER_BLOCK,
					      SECTORS_PER_BLOCK);
		}
		while (whole < 3 && (blocks >> whole * 3 & 7) == 7)
			whole++;
		logcheck_expect_end(&b, r[0]->lsn - 1 + whole);
		for (uint32_t i = 0; i < 3; i++)
			keep_sectors(r[i], UINT64_MAX);
	}
	logbuild_free(&b);
}
END_TEST

START_TEST(an_old_header_over_new_data_drops_nothing_that_is_newer)
{
	setup_log(7, 15, true);
	logbuild_undo_header(&b, newest);
	logcheck_expect_end(&b, newest->lsn - 1);
	/* and with the footer end first: only the last sector is new */
	logbuild_undo_all(&b, newest);
	memcpy(b.mem->bytes + logbuild_byte(&b, newest->segment, 16) - SECTOR_BYTES,
	       newest->bytes + 16 * BLOCK_BYTES - SECTOR_BYTES, SECTOR_BYTES);
	logcheck_expect_end(&b, newest->lsn - 1);
	logbuild_free(&b);
}
END_TEST

START_TEST(a_torn_record_that_was_durable_is_damage)
{
	setup_log(6, 3, _i);
	logbuild_flush(&b);
	logbuild_append(&b, 3);
	for (uint32_t i = 0; i < SECTORS_PER_BLOCK; i++) {
		logbuild_undo(&b, newest, i, 1);
		if (is_whole(newest))
			logcheck_expect_end(&b, newest->lsn + 1);
		else
			logcheck_expect_damage(&b, newest->lsn);
		keep_sectors(newest, UINT64_MAX);
	}
	logbuild_free(&b);
}
END_TEST

static Suite *make_suite(void)
{
	Suite *s = suite_create("logscan, torn writes");
	TCase *tc = tcase_create("tears");

	tcase_set_timeout(tc, 120);
	tcase_add_loop_test(tc, every_tear_of_a_small_record_at_512_bytes, 0, 2);
	tcase_add_loop_test(tc, every_subset_of_the_blocks_of_a_record, 0, 2);
	tcase_add_loop_test(tc, every_subset_of_the_blocks_of_the_three_newest_records, 0, 2);
	tcase_add_test(tc, an_old_header_over_new_data_drops_nothing_that_is_newer);
	tcase_add_loop_test(tc, a_torn_record_that_was_durable_is_damage, 0, 2);
	suite_add_tcase(s, tc);
	return s;
}

CHECK_MAIN(make_suite)
