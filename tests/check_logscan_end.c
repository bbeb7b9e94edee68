// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Rules A4, A5 and A7: where the next record can be, end or damage, and what cannot be forged.
 *
 * Segments of 16 blocks, 32 of them, W = 4. A short record is a header and one block.
 */
#include <errno.h>
#include <string.h>

#include "tests/check_main.h"
#include "tests/fake/logcheck.h"

#define BLOCKS 16u
#define W 4u

static struct logbuild b;

static void setup(void)
{
	logbuild_init(&b, 7, 32, W);
}

static void teardown(void)
{
	logbuild_free(&b);
}

/* ---- A4: where the next record can be ---- */

START_TEST(A4_the_first_record_stands_at_the_start_of_the_tail_or_of_the_W_next_segments)
{
	for (uint64_t segment = 1; segment <= 1 + W + 1; segment++) {
		teardown();
		setup();
		logbuild_move(&b, segment, 0);
		logbuild_append_many(&b, 3, 1);
		logcheck_expect_end(&b, segment <= 1 + W ? 3 : 0);
	}
}
END_TEST

START_TEST(A4_the_first_record_does_not_stand_inside_a_segment)
{
	logbuild_move(&b, 1, 2);
	logbuild_append(&b, 1);
	logcheck_expect_end(&b, 0);
}
END_TEST

START_TEST(A4_the_next_record_stands_at_the_start_of_the_W_next_segments)
{
	for (uint64_t jump = 0; jump <= W + 1; jump++) {
		teardown();
		setup();
		logbuild_append_many(&b, 3, 1);
		if (jump)
			logbuild_move(&b, 1 + jump, 0);
		logbuild_append_many(&b, 2, 1);
		logcheck_expect_end(&b, jump <= W ? 5 : 3);
	}
}
END_TEST

START_TEST(A4_the_next_record_does_not_stand_inside_the_next_segment)
{
	logbuild_append_many(&b, 3, 1);
	logbuild_move(&b, 2, 1);
	logbuild_append(&b, 1);
	logcheck_expect_end(&b, 3);
}
END_TEST

START_TEST(A4_a_gap_in_the_same_segment_ends_the_log)
{
	logbuild_append_many(&b, 3, 1);
	logbuild_move(&b, 1, b.offset + 1);
	logbuild_append(&b, 1);
	logcheck_expect_end(&b, 3);
}
END_TEST

START_TEST(A4_nothing_at_the_next_place_does_not_end_the_log)
{
	logbuild_append_many(&b, 3, 1);
	memset(b.mem->bytes + logbuild_byte(&b, 1, b.offset), 0xee, 2 * BLOCK_BYTES);
	logbuild_move(&b, 2, 0);
	logbuild_append(&b, 1);
	logcheck_expect_end(&b, 4);
}
END_TEST

START_TEST(A4_one_block_left_is_no_place_for_a_record)
{
	struct record_disk h;

	logbuild_append(&b, BLOCKS - 2);
	ck_assert_uint_eq(b.offset, BLOCKS - 1);
	logbuild_header(&b, &h, 1);
	h.nr_blocks = le16_make(0);
	h.entry_flags[0] = ENTRY_POISON;
	logbuild_write(&b, &h, 1, BLOCKS - 1);
	logcheck_expect_end(&b, 1);
}
END_TEST

START_TEST(A4_a_record_of_one_block_may_stand_where_two_are_left)
{
	struct record_disk h;

	logbuild_append(&b, BLOCKS - 3);
	logbuild_header(&b, &h, 1);
	h.nr_blocks = le16_make(0);
	h.entry_flags[0] = ENTRY_POISON;
	logbuild_write(&b, &h, 1, BLOCKS - 2);
	logbuild_append(&b, 1);
	logcheck_expect_end(&b, 3);
}
END_TEST

START_TEST(A4_the_window_of_a_pool_recorded_as_empty_is_only_the_segment_itself)
{
	b.sb.pool_segments = 0;
	logbuild_append_many(&b, 9, 1);
	logcheck_expect_end(&b, 8);
}
END_TEST

START_TEST(A4_the_next_epoch_may_begin_where_the_result_says)
{
	struct logcheck w = { 0 };
	uint64_t lsn = 3;

	logbuild_append_many(&b, 3, 1);
	for (int i = 0; i < 4; i++) {
		logcheck_walk(&w, &b);
		ck_assert_uint_eq(w.result.last_lsn, lsn);
		logbuild_epoch(&b, lsn, i % 2 ? w.result.next_first : w.result.next_last);
		logbuild_append(&b, 1);
		logcheck_expect_end(&b, ++lsn);
	}
	logcheck_free(&w);
}
END_TEST

START_TEST(A4_a_full_log_has_no_room_for_an_epoch)
{
	struct logcheck w = { 0 };

	logbuild_append_many(&b, 31, BLOCKS - 1);
	logcheck_walk(&w, &b);
	ck_assert_uint_eq(w.result.next_first, 32);
	ck_assert_uint_eq(w.result.next_last, 32);
	logbuild_append(&b, BLOCKS - 1);
	logcheck_walk(&w, &b);
	ck_assert_int_eq(w.ret, 0);
	ck_assert_uint_gt(w.result.next_first, w.result.next_last);
	logcheck_free(&w);
}
END_TEST

/* ---- A5: end or damage ---- */

START_TEST(A5_unconnected_records_that_prove_nothing_are_an_ordinary_end)
{
	logbuild_append_many(&b, 5, 1);
	logbuild_flush(&b);
	logbuild_append_many(&b, 20, 1);
	logbuild_undo_all(&b, b.records[5]);
	logcheck_expect_end(&b, 5);
}
END_TEST

/* 4 records in segment 1, then one with the proof that a fifth was durable, which is not there. */
static void put_proof(uint64_t segment, uint32_t offset)
{
	struct record_disk h;

	teardown();
	setup();
	logbuild_append_many(&b, 4, 1);
	b.lsn = 5;
	b.link = 4711;
	b.durable_lsn = 5;
	logbuild_header(&b, &h, 1);
	if (offset == BLOCKS - 1) {
		h.nr_blocks = le16_make(0);
		h.entry_flags[0] = ENTRY_POISON;
	}
	logbuild_write(&b, &h, segment, offset);
}

START_TEST(A5_proof_is_looked_for_in_the_rest_of_the_segment_and_the_W_plus_1_next)
{
	for (uint64_t segment = 1; segment <= 1 + W + 2; segment++) {
		for (uint32_t offset = segment == 1 ? 8 : 0; offset < BLOCKS; offset++) {
			put_proof(segment, offset);
			if (segment <= 1 + W + 1)
				logcheck_expect_damage(&b, 5);
			else
				logcheck_expect_end(&b, 4);
		}
	}
}
END_TEST

START_TEST(A5_proof_with_the_id_of_another_segment_is_none)
{
	put_proof(3, 2);
	logbuild_at(&b, 3, 2)->segment_id = le64_make(3 + 32);
	logbuild_seal(&b, 3, 2);
	logcheck_expect_end(&b, 4);
}
END_TEST

START_TEST(A5_proof_that_is_torn_in_its_blocks_is_proof_all_the_same)
{
	put_proof(3, 2);
	logbuild_undo_blocks(&b, b.records[4]);
	logcheck_expect_damage(&b, 5);
}
END_TEST

START_TEST(A5_proof_behind_a_torn_record_is_found_from_there)
{
	struct record_disk h;

	/* The chain: 1 to 4 in segment 1, 5 to 12 in 5, 13 in 9. 5 is torn; what proves that it was
	 * durable stands behind 4, where nobody looks from the end of the chain. */
	logbuild_append_many(&b, 4, 1);
	logbuild_move(&b, 5, 0);
	logbuild_append_many(&b, 8, 1);
	logbuild_move(&b, 9, 0);
	logbuild_append(&b, 1);
	logbuild_undo_blocks(&b, b.records[4]);
	logcheck_expect_end(&b, 4);
	b.lsn = 20;
	b.durable_lsn = 5;
	logbuild_header(&b, &h, 1);
	logbuild_write(&b, &h, 1, 12);
	logcheck_expect_damage(&b, 5);
}
END_TEST

START_TEST(A5_an_end_below_what_the_super_block_says_is_damage)
{
	logbuild_append_many(&b, 5, 1);
	b.sb.durable_lsn = 5;
	logcheck_expect_end(&b, 5);
	b.sb.durable_lsn = 6;
	logcheck_expect_damage(&b, 6);
	b.sb.durable_lsn = 5;
	b.sb.epoch_start_lsn = 7;
	logcheck_expect_damage(&b, 6);
}
END_TEST

START_TEST(A5_an_end_below_what_the_image_table_says_is_damage)
{
	struct logscan_conf conf = { .must_reach = 5 };
	struct logcheck w = { 0 };

	logbuild_append_many(&b, 5, 1);
	logcheck_walk_conf(&w, &b, &conf);
	ck_assert_int_eq(w.ret, 0);
	conf.must_reach = 6;
	logcheck_walk_conf(&w, &b, &conf);
	ck_assert_int_eq(w.ret, -EUCLEAN);
	ck_assert(w.result.is_damaged);
	ck_assert_ptr_nonnull(strstr(w.result.text, "image table"));
	logcheck_free(&w);
}
END_TEST

START_TEST(A5_damage_says_what_is_missing_where_and_how_that_is_known)
{
	struct logcheck w = { 0 };

	put_proof(3, 2);
	logcheck_walk(&w, &b);
	ck_assert_str_eq(w.result.text,
			 "record 5 is missing: nothing that counts as such stands in segment 1 at "
			 "block 8 or at the start of segments 2 to 5, but according to record 6 in "
			 "segment 3 at block 2 everything up to record 5 was durable");
	logcheck_free(&w);
}
END_TEST

START_TEST(A5_a_rotten_durable_header_in_the_middle_is_damage)
{
	logbuild_append_many(&b, 20, 3);
	logbuild_flush(&b);
	logbuild_append_many(&b, 4, 3);
	for (uint32_t i = 0; i < 20; i++) {
		logbuild_rot(&b, b.records[i], 100 + i);
		/* the proof stands in the records behind 20, which the look-ahead must reach */
		if (b.records[i]->segment + W + 1 >= b.records[20]->segment)
			logcheck_expect_damage(&b, i + 1);
		logbuild_rot(&b, b.records[i], 100 + i);
	}
	logcheck_expect_end(&b, 24);
}
END_TEST

START_TEST(A5_damage_can_be_handed_out_on_request)
{
	struct logscan_conf conf = { .deliver_damaged = true };
	struct logcheck w = { 0 };

	logbuild_append_many(&b, 9, 3);
	logbuild_flush(&b);
	logbuild_append_many(&b, 2, 3);
	logbuild_rot(&b, b.records[6], 0);
	logcheck_walk_conf(&w, &b, &conf);
	ck_assert_int_eq(w.ret, -EUCLEAN);
	ck_assert(w.result.is_damaged);
	ck_assert_uint_eq(w.nr, 6);
	/* refused: up to there */
	logbuild_rot(&b, b.records[6], 0);
	logbuild_at(&b, b.records[5]->segment, b.records[5]->offset)->flags = le32_make(2);
	logbuild_seal(&b, b.records[5]->segment, b.records[5]->offset);
	logcheck_walk_conf(&w, &b, &conf);
	ck_assert_int_eq(w.ret, -EUCLEAN);
	ck_assert(w.result.is_refused);
	ck_assert_uint_eq(w.nr, 5);
	logcheck_free(&w);
}
END_TEST

START_TEST(A5_a_read_error_is_never_an_end)
{
	struct logcheck w = { 0 };
	uint64_t reads;

	logbuild_append_many(&b, 12, 3);
	b.durable_lsn = 7;
	logbuild_append(&b, 3);
	memdev_reset(b.mem);
	b.mem->fail_at = UINT64_MAX;
	logcheck_walk(&w, &b);
	ck_assert_int_eq(w.ret, 0);
	reads = b.mem->reads;
	ck_assert_uint_gt(reads, 12);
	for (uint64_t i = 1; i <= reads; i++) {
		memdev_reset(b.mem);
		b.mem->fail_at = i;
		b.mem->fail_error = -EIO;
		b.mem->fail_for_ever = i % 2;
		logcheck_walk(&w, &b);
		if (w.ret == 0 && !b.mem->fail_for_ever) { /* it was read in pieces instead */
			ck_assert_uint_eq(w.result.last_lsn, 13);
			continue;
		}
		ck_assert_int_eq(w.ret, -EIO);
		ck_assert_ptr_nonnull(strstr(w.result.text, "cannot read segment"));
		ck_assert_ptr_nonnull(strstr(w.result.text, "Input/output error"));
	}
	logcheck_free(&w);
}
END_TEST

/* May a record that nothing else tells of be in that block? Record 12 is the last, and the only one
 * not known to be durable. */
static bool is_needed(uint64_t segment, uint32_t offset)
{
	const struct logbuild_record *last = b.records[b.nr - 1];

	for (size_t i = 0; i < b.nr; i++)
		if (b.records[i]->segment == segment && b.records[i]->offset == offset)
			return true;
	if (segment == last->segment && offset >= last->offset)
		return offset <= last->offset + last->blocks;
	return offset == 0 && segment > last->segment && segment <= last->segment + W;
}

START_TEST(A5_a_bad_place_is_an_error_only_where_a_record_may_be)
{
	struct logcheck w = { 0 };

	logbuild_append_many(&b, 11, 3);
	logbuild_flush(&b);
	logbuild_append(&b, 3);
	for (uint64_t segment = 1; segment <= b.segment + W + 2; segment++) {
		for (uint32_t offset = 0; offset < BLOCKS; offset++) {
			memdev_reset(b.mem);
			b.mem->bad_at = logbuild_byte(&b, segment, offset);
			b.mem->bad_bytes = BLOCK_BYTES;
			logcheck_walk(&w, &b);
			ck_assert_int_eq(w.ret, is_needed(segment, offset) ? -EIO : 0);
			if (!w.ret)
				ck_assert_uint_eq(w.nr, 12);
		}
	}
	logcheck_free(&w);
}
END_TEST

/* Changes one field of the header of record 7 of 9 with the statement, and walks. */
#define EXPECT_REFUSAL_OF(h, change, text)               \
	do {                                             \
		struct record_disk *h;                   \
		teardown();                              \
		setup();                                 \
		logbuild_append_many(&b, 9, 1);          \
		h = logbuild_at(&b, 1, 12);              \
		change;                                  \
		logbuild_seal(&b, 1, 12);                \
		logcheck_expect_refusal(&b, text);       \
		/* behind a torn record just the same */ \
		logbuild_undo_all(&b, b.records[3]);     \
		logcheck_expect_refusal(&b, text);       \
	} while (0)

START_TEST(A5_what_must_not_be_ignored_is_a_refusal)
{
	EXPECT_REFUSAL_OF(h, h->version = le16_make(2), "unknown version");
	EXPECT_REFUSAL_OF(h, h->type = le16_make(2), "unknown type");
	EXPECT_REFUSAL_OF(h, h->flags = le32_make(1u << 31), "unknown flag");
	EXPECT_REFUSAL_OF(h, h->entry_flags[0] = 0x20, "unknown flag");
	EXPECT_REFUSAL_OF(h, h->reserved1[5] = 1, "reserved");
	EXPECT_REFUSAL_OF(h, h->nr_blocks = le16_make(2), "wrong count");
	EXPECT_REFUSAL_OF(h, h->durable_lsn = le64_make(7), "log positions");
	EXPECT_REFUSAL_OF(h, h->branch = le64_make(2 << 16), "newer than the super block");
}
END_TEST

START_TEST(A5_a_record_that_leaves_its_segment_is_a_refusal)
{
	struct record_disk h;

	logbuild_append_many(&b, 7, 1);
	logbuild_header(&b, &h, 2);
	logbuild_write(&b, &h, 1, BLOCKS - 2);
	logcheck_expect_refusal(&b, "does not fit its segment");
}
END_TEST

START_TEST(A5_stale_headers_of_earlier_laps_are_neither_damage_nor_successors)
{
	struct logbuild_record *tail = NULL;

	/* two laps of short records; then a third over them, cut at every place */
	while (b.segment <= 64) {
		struct logbuild_record *r = logbuild_append(&b, 1 + b.lsn % 5);

		logbuild_flush(&b);
		if (r->segment == 50 && !tail)
			tail = r;
	}
	logbuild_tail(&b, tail);
	b.sb.durable_lsn = b.lsn;
	logcheck_expect_end(&b, b.lsn);
	for (int i = 0; i < 40; i++) {
		struct logbuild_record *r = logbuild_append(&b, 1 + b.lsn % 3);

		logcheck_expect_end(&b, r->lsn);
		logbuild_undo(&b, r, 3, 2);
		logcheck_expect_end(&b, r->lsn - 1);
		logbuild_undo_header(&b, r);
		logcheck_expect_end(&b, r->lsn - 1);
		memcpy(b.mem->bytes + logbuild_byte(&b, r->segment, r->offset), r->bytes,
		       (size_t)r->blocks << BLOCK_SHIFT);
	}
}
END_TEST

/* ---- A7: not forgeable ---- */

START_TEST(A7_a_header_at_another_address_is_nothing)
{
	/* a misdirected write, or an image that holds a copy of this cache */
	logbuild_append_many(&b, 4, 1);
	logbuild_append(&b, 1);
	memcpy(logbuild_at(&b, 2, 0), logbuild_at(&b, 1, 8), 2 * BLOCK_BYTES);
	logbuild_undo_all(&b, b.records[4]);
	logcheck_expect_end(&b, 4);
	/* nor does one that would be proof of damage */
	put_proof(3, 2);
	memcpy(logbuild_at(&b, 3, 6), logbuild_at(&b, 3, 2), 2 * BLOCK_BYTES);
	logbuild_undo_all(&b, b.records[4]);
	logcheck_expect_end(&b, 4);
}
END_TEST

START_TEST(A7_a_header_with_another_key_is_nothing)
{
	uint64_t key = b.sb.key;

	/* all is known but the secret key, own address included */
	logbuild_append_many(&b, 4, 1);
	b.sb.key = 1;
	logbuild_append(&b, 1);
	b.durable_lsn = 5;
	logbuild_append(&b, 1);
	b.sb.key = key;
	logcheck_expect_end(&b, 4);
}
END_TEST

START_TEST(A7_a_header_of_another_cache_is_nothing)
{
	logbuild_append_many(&b, 4, 1);
	logbuild_at(&b, 1, 6)->cache_uuid[3] ^= 1;
	logbuild_seal(&b, 1, 6);
	logcheck_expect_end(&b, 3);
}
END_TEST

START_TEST(A7_headers_inside_of_records_are_never_looked_at)
{
	struct record_disk h;

	/* A record whose blocks are self-valid headers, as if the key were known: as long as it is
	 * in the chain nothing in it is read as a header. */
	logbuild_append(&b, 6);
	b.durable_lsn = 1;
	logbuild_append(&b, 1);
	logbuild_header(&b, &h, 1);
	h.lsn = le64_make(99);
	h.durable_lsn = le64_make(98);
	logbuild_write(&b, &h, 1, 3);
	logcheck_expect_end(&b, 2);
}
END_TEST

static void add_place_cases(Suite *s)
{
	TCase *tc = tcase_create("rule A4");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(
		tc, A4_the_first_record_stands_at_the_start_of_the_tail_or_of_the_W_next_segments);
	tcase_add_test(tc, A4_the_first_record_does_not_stand_inside_a_segment);
	tcase_add_test(tc, A4_the_next_record_stands_at_the_start_of_the_W_next_segments);
	tcase_add_test(tc, A4_the_next_record_does_not_stand_inside_the_next_segment);
	tcase_add_test(tc, A4_a_gap_in_the_same_segment_ends_the_log);
	tcase_add_test(tc, A4_nothing_at_the_next_place_does_not_end_the_log);
	tcase_add_test(tc, A4_one_block_left_is_no_place_for_a_record);
	tcase_add_test(tc, A4_a_record_of_one_block_may_stand_where_two_are_left);
	tcase_add_test(tc, A4_the_window_of_a_pool_recorded_as_empty_is_only_the_segment_itself);
	tcase_add_test(tc, A4_the_next_epoch_may_begin_where_the_result_says);
	tcase_add_test(tc, A4_a_full_log_has_no_room_for_an_epoch);
	suite_add_tcase(s, tc);
}

static void add_end_cases(Suite *s)
{
	TCase *tc = tcase_create("rule A5");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, A5_unconnected_records_that_prove_nothing_are_an_ordinary_end);
	tcase_add_test(tc, A5_proof_is_looked_for_in_the_rest_of_the_segment_and_the_W_plus_1_next);
	tcase_add_test(tc, A5_proof_with_the_id_of_another_segment_is_none);
	tcase_add_test(tc, A5_proof_that_is_torn_in_its_blocks_is_proof_all_the_same);
	tcase_add_test(tc, A5_proof_behind_a_torn_record_is_found_from_there);
	tcase_add_test(tc, A5_an_end_below_what_the_super_block_says_is_damage);
	tcase_add_test(tc, A5_an_end_below_what_the_image_table_says_is_damage);
	tcase_add_test(tc, A5_damage_says_what_is_missing_where_and_how_that_is_known);
	tcase_add_test(tc, A5_a_rotten_durable_header_in_the_middle_is_damage);
	tcase_add_test(tc, A5_damage_can_be_handed_out_on_request);
	tcase_add_test(tc, A5_a_read_error_is_never_an_end);
	tcase_add_test(tc, A5_a_bad_place_is_an_error_only_where_a_record_may_be);
	tcase_add_test(tc, A5_what_must_not_be_ignored_is_a_refusal);
	tcase_add_test(tc, A5_a_record_that_leaves_its_segment_is_a_refusal);
	tcase_add_test(tc, A5_stale_headers_of_earlier_laps_are_neither_damage_nor_successors);
	suite_add_tcase(s, tc);
}

static void add_forgery_cases(Suite *s)
{
	TCase *tc = tcase_create("rule A7");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, A7_a_header_at_another_address_is_nothing);
	tcase_add_test(tc, A7_a_header_with_another_key_is_nothing);
	tcase_add_test(tc, A7_a_header_of_another_cache_is_nothing);
	tcase_add_test(tc, A7_headers_inside_of_records_are_never_looked_at);
	suite_add_tcase(s, tc);
}

static Suite *make_suite(void)
{
	Suite *s = suite_create("logscan, its end");

	add_place_cases(s);
	add_end_cases(s);
	add_forgery_cases(s);
	return s;
}

CHECK_MAIN(make_suite)
