// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The rules of the walk, A1 to A5 and A7: for each the sequence of events that breaks without it.
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
	ck_assert_uint_eq(superblock_segment_blocks(&b.sb), BLOCKS);
}

static void teardown(void)
{
	logbuild_free(&b);
}

/* ---- an orderly log ---- */

START_TEST(an_empty_log_ends_where_the_super_block_says)
{
	logcheck_expect_end(&b, 0);
	b.sb.pool_segments = 0; /* never mounted */
	logcheck_expect_end(&b, 0);
}
END_TEST

START_TEST(records_of_all_sizes_are_walked_across_segments)
{
	for (uint32_t nr = 1; nr < BLOCKS; nr++)
		logbuild_append(&b, nr);
	for (uint32_t nr = BLOCKS - 1; nr > 0; nr--)
		logbuild_append(&b, nr);
	logcheck_expect_end(&b, 2 * (BLOCKS - 1));
}
END_TEST

START_TEST(the_walk_begins_at_the_tail)
{
	struct logbuild_record *tail;

	logbuild_append_many(&b, 8, 1);
	tail = logbuild_append(&b, 1);
	logbuild_append_many(&b, 20, 1);
	logbuild_tail(&b, tail);
	logcheck_expect_end(&b, 29);
	/* nothing before it is looked at */
	memset(b.mem->bytes + logbuild_byte(&b, 1, 0), 0xee, BLOCKS * BLOCK_BYTES);
	logcheck_expect_end(&b, 29);
}
END_TEST

START_TEST(the_log_wraps_but_is_at_most_one_lap_long)
{
	struct logbuild_record *tail = NULL, *r;

	/* 3 laps; the tail is 20 segments behind */
	for (uint32_t i = 0; i < 3 * 32; i++) {
		r = logbuild_append(&b, BLOCKS - 1);
		logbuild_flush(&b);
		if (r->segment > 20)
			tail = b.records[r->lsn - 20 - 1];
	}
	logbuild_tail(&b, tail);
	logcheck_expect_end(&b, 96);

	/* full to the last segment: the tail's own slot must not be taken for the next one */
	tail = b.records[96 - 32];
	logbuild_tail(&b, tail);
	logcheck_expect_end(&b, 96);
	b.sb.last_migrated_segment_id--;
	b.sb.tail_lsn--;
	logcheck_expect_damage(&b, 64);
}
END_TEST

START_TEST(the_result_counts_live_entries_and_segments)
{
	struct logcheck w = { 0 };
	struct record_disk h;

	logbuild_header(&b, &h, 5);
	h.dirty[1] = 0;
	h.dirty[3] = 0x18;
	logbuild_write(&b, &h, 1, 0);
	logbuild_append_many(&b, 3, 7);
	logcheck_walk(&w, &b);
	ck_assert_int_eq(w.ret, 0);
	ck_assert_uint_eq(w.result.records, 4);
	ck_assert_uint_eq(w.result.entries, 4 + 3 * 7);
	ck_assert_uint_eq(w.result.segments, 2);
	ck_assert_uint_eq(w.result.highest_branch, 1 << 16);
	logcheck_free(&w);
}
END_TEST

START_TEST(entries_without_data_have_no_block)
{
	struct record_disk h;

	logbuild_header(&b, &h, 5);
	h.nr_blocks = le16_make(2);
	h.entry_flags[0] = ENTRY_ZERO;
	h.entry_flags[2] = ENTRY_POISON;
	h.dirty[3] = 0;
	h.entry_flags[4] = ENTRY_ZERO;
	ck_assert_uint_eq(record_blocks(&h), 3);
	logbuild_write(&b, &h, 1, 0);
	logbuild_append(&b, 1);
	logcheck_expect_end(&b, 2);
}
END_TEST

START_TEST(what_the_callback_returns_ends_the_walk)
{
	struct logcheck w = { .stop_at = 3, .stop_with = -ECANCELED };

	logbuild_append_many(&b, 9, 2);
	logcheck_walk(&w, &b);
	ck_assert_int_eq(w.ret, -ECANCELED);
	ck_assert_uint_eq(w.nr, 3);
	w.stop_with = 7;
	logcheck_walk(&w, &b);
	ck_assert_int_eq(w.ret, 7);
	logcheck_free(&w);
}
END_TEST

START_TEST(a_super_block_that_does_not_fit_is_refused)
{
	struct logbuild other = b;

	b.mem->dev.bytes -= BLOCK_BYTES;
	logcheck_expect_refusal(&b, "does not fit the device");
	b.mem->dev.bytes += BLOCK_BYTES;
	b.sb.nr_segments = 1ull << 40;
	logcheck_expect_refusal(&b, "does not fit the device");
	b.sb = other.sb;
	b.sb.last_migrated_segment_id = UINT64_MAX - 5;
	logcheck_expect_refusal(&b, "does not fit");
	b.sb = other.sb;
	b.sb.epoch = 1ull << 48;
	logcheck_expect_refusal(&b, "impossible");
}
END_TEST

/* ---- A1: headers first, blocks only above what is known durable ---- */

START_TEST(A1_a_torn_block_above_D_ends_the_log)
{
	struct logbuild_record *r;

	logbuild_append_many(&b, 5, 3);
	logbuild_flush(&b);
	logbuild_append(&b, 3);
	r = logbuild_append(&b, 3);
	logbuild_append_many(&b, 4, 3);
	logbuild_rot(&b, r, 2 * BLOCK_BYTES + 77);
	logcheck_expect_end(&b, 6);
}
END_TEST

START_TEST(A1_blocks_up_to_D_are_not_checked)
{
	struct logcheck w = { 0 };
	struct logbuild_record *r;

	logbuild_append_many(&b, 4, 3);
	r = logbuild_append(&b, 3);
	logbuild_flush(&b);
	logbuild_append_many(&b, 4, 3);
	logbuild_rot(&b, r, BLOCK_BYTES);
	logcheck_walk(&w, &b);
	ck_assert_int_eq(w.ret, 0);
	ck_assert_uint_eq(w.result.last_lsn, 9);
	ck_assert_uint_eq(w.result.durable_lsn, 5);
	ck_assert_uint_eq(w.first_checked, 6);
	ck_assert_uint_eq(w.rotten, 1);
	logcheck_free(&w);
}
END_TEST

START_TEST(A1_the_super_block_and_the_table_raise_D)
{
	struct logscan_conf conf = { .must_reach = 7 };
	struct logcheck w = { 0 };

	logbuild_append_many(&b, 9, 3);
	b.sb.durable_lsn = 5;
	logbuild_rot(&b, b.records[4], BLOCK_BYTES);
	logcheck_walk(&w, &b);
	ck_assert_uint_eq(w.result.last_lsn, 9);
	ck_assert_uint_eq(w.first_checked, 6);
	logbuild_rot(&b, b.records[6], BLOCK_BYTES);
	logcheck_walk_conf(&w, &b, &conf);
	ck_assert_uint_eq(w.result.last_lsn, 9);
	ck_assert_uint_eq(w.result.durable_lsn, 7);
	ck_assert_uint_eq(w.first_checked, 8);
	logcheck_free(&w);
}
END_TEST

START_TEST(A1_a_later_record_of_the_chain_vouches_for_a_rotten_one)
{
	struct logcheck w = { 0 };

	/* 6 is rotten, not torn: 9 was written when 6 was durable. Even if 8 is torn. */
	logbuild_append_many(&b, 8, 3);
	logbuild_flush(&b);
	b.durable_lsn = 6;
	logbuild_append(&b, 3);
	logbuild_rot(&b, b.records[5], BLOCK_BYTES);
	logbuild_rot(&b, b.records[7], BLOCK_BYTES);
	logcheck_walk(&w, &b);
	ck_assert_int_eq(w.ret, 0);
	ck_assert_uint_eq(w.result.last_lsn, 7);
	ck_assert_uint_eq(w.result.durable_lsn, 6);
	ck_assert_uint_eq(w.rotten, 1);
	logcheck_free(&w);
}
END_TEST

START_TEST(A1_a_record_that_is_not_connected_vouches_too)
{
	struct logcheck w = { 0 };

	logbuild_append_many(&b, 8, 3);
	b.durable_lsn = 6;
	logbuild_append(&b, 3);
	logbuild_rot(&b, b.records[5], BLOCK_BYTES);
	logbuild_undo_all(&b, b.records[7]);
	logcheck_walk(&w, &b);
	ck_assert_int_eq(w.ret, 0);
	ck_assert_uint_eq(w.result.last_lsn, 7);
	ck_assert_uint_eq(w.result.durable_lsn, 6);
	logcheck_free(&w);
}
END_TEST

START_TEST(A1_dead_entries_are_not_checked)
{
	struct logbuild_record *r;
	struct record_disk h;

	logbuild_header(&b, &h, 4);
	h.dirty[2] = 0;
	r = logbuild_write(&b, &h, 1, 0);
	logbuild_append(&b, 1);
	logbuild_rot(&b, r, 3 * BLOCK_BYTES + 5);
	logcheck_expect_end(&b, 2);
	logbuild_rot(&b, r, 4 * BLOCK_BYTES + 5);
	logcheck_expect_end(&b, 0);
}
END_TEST

START_TEST(A1_unwritten_sectors_are_part_of_the_sum)
{
	struct logbuild_record *r;
	struct record_disk h;

	logbuild_header(&b, &h, 1);
	h.dirty[0] = 0x01;
	r = logbuild_write(&b, &h, 1, 0);
	logbuild_rot(&b, r, 2 * BLOCK_BYTES - 1);
	logcheck_expect_end(&b, 0);
}
END_TEST

/* ---- A2: the exact place ---- */

/* 5 short records, and a sixth, whole and sealed, that is wrong in one thing only. */
static struct record_disk *sixth_record(void)
{
	logbuild_append_many(&b, 5, 1);
	logbuild_append(&b, 1);
	logcheck_expect_end(&b, 6);
	return logbuild_at(&b, 1, 10);
}

START_TEST(A2_another_lsn_does_not_count)
{
	sixth_record()->lsn = le64_make(7);
	logbuild_seal(&b, 1, 10);
	logcheck_expect_end(&b, 5);
}
END_TEST

START_TEST(A2_another_link_does_not_count)
{
	struct record_disk *h = sixth_record();

	h->link = le64_make(le64_get(h->link) ^ 1);
	logbuild_seal(&b, 1, 10);
	logcheck_expect_end(&b, 5);
}
END_TEST

START_TEST(A2_a_lower_branch_does_not_count)
{
	sixth_record()->branch = le64_make((1 << 16) - 1);
	logbuild_seal(&b, 1, 10);
	logcheck_expect_end(&b, 5);
}
END_TEST

START_TEST(A2_the_id_of_another_segment_in_the_same_slot_does_not_count)
{
	sixth_record()->segment_id = le64_make(1 + 32);
	logbuild_seal(&b, 1, 10);
	logcheck_expect_end(&b, 5);
}
END_TEST

START_TEST(A2_a_record_of_the_lap_before_does_not_count)
{
	struct record_disk h;

	/* it would continue the chain, were it not for the segment id */
	logbuild_append_many(&b, 8, 1);
	logbuild_header(&b, &h, 1);
	h.segment_id = le64_make(1);
	logbuild_write(&b, &h, 2, 0);
	logcheck_expect_end(&b, 8);
}
END_TEST

START_TEST(A2_an_abandoned_tail_does_not_come_back_under_its_segment_ids)
{
	/* records 6 to 13 of epoch 1 were cut off; epoch 2 writes other ones over the first two */
	logbuild_append_many(&b, 13, 3);
	logbuild_epoch(&b, 5, 3);
	b.seed = 2;
	logbuild_append_many(&b, 2, 3);
	logcheck_expect_end(&b, 7);
	/* and if these are lost, it must not be the old ones that are found */
	logbuild_undo_all(&b, b.records[14]);
	logbuild_undo_all(&b, b.records[13]);
	logcheck_expect_end(&b, 5);
}
END_TEST

/* ---- A3: branches ---- */

/* 5 durable records in segment 1, two more there; an error: 6 and 7 again, and 8, in segment 3. */
static void failed_attempt(void)
{
	logbuild_append_many(&b, 5, 1);
	logbuild_flush(&b);
	logbuild_append_many(&b, 2, 1);
	logbuild_branch(&b, b.branch + 1, 5, 3);
	b.seed = 2;
	logbuild_append_many(&b, 3, 1);
}

START_TEST(A3_the_higher_branch_wins_though_the_lower_one_is_nearer)
{
	struct logcheck w = { 0 };

	failed_attempt();
	logcheck_walk(&w, &b);
	ck_assert_int_eq(w.ret, 0);
	ck_assert_uint_eq(w.nr, 8);
	ck_assert_ptr_eq(w.got[5], b.records[7]);
	ck_assert_ptr_eq(w.got[7], b.records[9]);
	ck_assert_uint_eq(w.result.highest_branch, (1 << 16) + 1);
	logcheck_free(&w);
}
END_TEST

START_TEST(A3_abandoned_records_do_not_count_even_if_they_chain)
{
	/* of the new branch only the second record arrived: it proves that it began at 6 */
	failed_attempt();
	logbuild_undo_all(&b, b.records[7]);
	logcheck_expect_end(&b, 5);
}
END_TEST

START_TEST(A3_without_proof_of_a_newer_branch_the_older_one_counts)
{
	failed_attempt();
	for (uint32_t i = 7; i < 10; i++)
		logbuild_undo_all(&b, b.records[i]);
	logcheck_expect_end(&b, 7);
}
END_TEST

START_TEST(A3_a_torn_record_of_the_newer_branch_is_the_end)
{
	failed_attempt();
	logbuild_undo_blocks(&b, b.records[7]);
	logcheck_expect_end(&b, 5);
}
END_TEST

START_TEST(A3_abandoned_records_are_no_evidence)
{
	/* 7 is missing on the old branch, and 9, behind it, says that it was durable */
	logbuild_append_many(&b, 7, 1);
	b.durable_lsn = 7;
	logbuild_append_many(&b, 2, 1);
	logbuild_undo_all(&b, b.records[6]);
	logcheck_expect_damage(&b, 7);
	/* a newer branch went on behind 6: what 9 said is void */
	logbuild_branch(&b, b.branch + 1, 6, 3);
	b.durable_lsn = 5;
	b.seed = 2;
	logbuild_append(&b, 1);
	logcheck_expect_end(&b, 7);
	logbuild_undo_blocks(&b, b.records[9]);
	logcheck_expect_end(&b, 6);
}
END_TEST

START_TEST(A3_the_super_block_abandons_older_epochs)
{
	/* the new epoch is in the super block, none of its records on the device yet */
	logbuild_append_many(&b, 5, 1);
	logbuild_append_many(&b, 3, 1);
	logbuild_epoch(&b, 5, 2);
	logcheck_expect_end(&b, 5);
	/* and what the old one said is no evidence */
	logbuild_at(&b, 1, 14)->durable_lsn = le64_make(7);
	logbuild_seal(&b, 1, 14);
	logcheck_expect_end(&b, 5);
}
END_TEST

START_TEST(A3_proof_behind_the_first_block_is_found_and_the_walk_cut)
{
	/* The old branch reaches into segment 3. Of the new one, from segment 4 on, the first block
	 * is lost, so that only looking ahead finds out about it. */
	logbuild_append_many(&b, 5, 1);
	logbuild_flush(&b);
	logbuild_append_many(&b, 13, 1);
	logbuild_branch(&b, b.branch + 1, 5, 4);
	b.seed = 2;
	logbuild_append_many(&b, 3, 1);
	logbuild_undo_all(&b, b.records[18]);
	logcheck_expect_end(&b, 5);
}
END_TEST

START_TEST(A3_the_branch_before_the_tail_abandons_lower_ones)
{
	struct logbuild_record *tail;

	/* an attempt of epoch 1 left record 9 in segment 4, which says that 8 was durable; the next
	 * one got as far as record 5, and the tail is behind it: nothing else tells of it */
	logbuild_append_many(&b, 4, 1);
	b.lsn = 8;
	b.durable_lsn = 8;
	logbuild_move(&b, 4, 2);
	logbuild_append(&b, 1);
	logbuild_branch(&b, b.branch + 1, 4, 2);
	logbuild_append(&b, 1);
	logbuild_move(&b, 3, 0);
	tail = logbuild_append(&b, 1);
	logbuild_tail(&b, tail);
	logcheck_expect_end(&b, 6);
	logbuild_undo_all(&b, tail);
	logcheck_expect_end(&b, 5);
}
END_TEST

START_TEST(A3_proof_that_is_found_behind_a_torn_record_cuts_the_walk_further)
{
	struct record_disk h;

	/* The chain: 1 to 4 in segment 1, 5 to 7 in 5. 5 is torn, so the log ends behind 4; and
	 * there stands a header of a branch that began at 3. */
	logbuild_append_many(&b, 4, 1);
	logbuild_move(&b, 5, 0);
	logbuild_append_many(&b, 3, 1);
	logbuild_undo_blocks(&b, b.records[4]);
	b.branch++;
	b.branch_lsn = 3;
	logbuild_header(&b, &h, 1);
	logbuild_write(&b, &h, 1, 12);
	logcheck_expect_end(&b, 2);
}
END_TEST

START_TEST(A3_branches_without_end_are_a_refusal)
{
	struct record_disk h;

	/* behind each record stands the proof that it, and it only, is abandoned */
	for (uint64_t segment = 1; segment < 31; segment++) {
		logbuild_move(&b, segment, 0);
		logbuild_append(&b, 1);
	}
	for (uint64_t segment = 1; segment < 31; segment++) {
		logbuild_header(&b, &h, 1);
		h.branch = le64_make((1 << 16) + 100 - segment);
		h.branch_lsn = le64_make(segment);
		logbuild_write(&b, &h, segment, 8);
	}
	logcheck_expect_refusal(&b, "contradict each other");
}
END_TEST

START_TEST(A3_several_branches_in_one_log)
{
	uint64_t lsn = 0;

	for (uint32_t i = 0; i < 12; i++) {
		logbuild_append_many(&b, 5, 2);
		lsn += 3;
		if (i % 3 == 0)
			logbuild_epoch(&b, lsn, b.segment + 1);
		else
			logbuild_branch(&b, b.branch + 1, lsn, b.segment + 1);
		b.seed++;
	}
	logbuild_append_many(&b, 2, 2);
	logcheck_expect_end(&b, lsn + 2);
}
END_TEST

static void add_orderly_cases(Suite *s)
{
	TCase *tc = tcase_create("orderly logs");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, an_empty_log_ends_where_the_super_block_says);
	tcase_add_test(tc, records_of_all_sizes_are_walked_across_segments);
	tcase_add_test(tc, the_walk_begins_at_the_tail);
	tcase_add_test(tc, the_log_wraps_but_is_at_most_one_lap_long);
	tcase_add_test(tc, the_result_counts_live_entries_and_segments);
	tcase_add_test(tc, entries_without_data_have_no_block);
	tcase_add_test(tc, what_the_callback_returns_ends_the_walk);
	tcase_add_test(tc, a_super_block_that_does_not_fit_is_refused);
	suite_add_tcase(s, tc);
}

static void add_rule_cases(Suite *s)
{
	TCase *tc = tcase_create("rules A1 to A3");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, A1_a_torn_block_above_D_ends_the_log);
	tcase_add_test(tc, A1_blocks_up_to_D_are_not_checked);
	tcase_add_test(tc, A1_the_super_block_and_the_table_raise_D);
	tcase_add_test(tc, A1_a_later_record_of_the_chain_vouches_for_a_rotten_one);
	tcase_add_test(tc, A1_a_record_that_is_not_connected_vouches_too);
	tcase_add_test(tc, A1_dead_entries_are_not_checked);
	tcase_add_test(tc, A1_unwritten_sectors_are_part_of_the_sum);
	tcase_add_test(tc, A2_another_lsn_does_not_count);
	tcase_add_test(tc, A2_another_link_does_not_count);
	tcase_add_test(tc, A2_a_lower_branch_does_not_count);
	tcase_add_test(tc, A2_the_id_of_another_segment_in_the_same_slot_does_not_count);
	tcase_add_test(tc, A2_a_record_of_the_lap_before_does_not_count);
	tcase_add_test(tc, A2_an_abandoned_tail_does_not_come_back_under_its_segment_ids);
	tcase_add_test(tc, A3_the_higher_branch_wins_though_the_lower_one_is_nearer);
	tcase_add_test(tc, A3_abandoned_records_do_not_count_even_if_they_chain);
	tcase_add_test(tc, A3_without_proof_of_a_newer_branch_the_older_one_counts);
	tcase_add_test(tc, A3_a_torn_record_of_the_newer_branch_is_the_end);
	tcase_add_test(tc, A3_abandoned_records_are_no_evidence);
	tcase_add_test(tc, A3_the_super_block_abandons_older_epochs);
	tcase_add_test(tc, A3_proof_behind_the_first_block_is_found_and_the_walk_cut);
	tcase_add_test(tc, A3_the_branch_before_the_tail_abandons_lower_ones);
	tcase_add_test(tc, A3_proof_that_is_found_behind_a_torn_record_cuts_the_walk_further);
	tcase_add_test(tc, A3_branches_without_end_are_a_refusal);
	tcase_add_test(tc, A3_several_branches_in_one_log);
	suite_add_tcase(s, tc);
}

static Suite *make_suite(void)
{
	Suite *s = suite_create("logscan");

	add_orderly_cases(s);
	add_rule_cases(s);
	return s;
}

CHECK_MAIN(make_suite)
