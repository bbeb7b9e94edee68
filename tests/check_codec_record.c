// SPDX-License-Identifier: GPL-2.0-or-later
/* Record headers: which are ours, which are absent, which are refused. */
#include <string.h>

#include "common/byteorder.h"
#include "common/checksum.h"
#include "tests/check_main.h"
#include "tests/ondisk_samples.h"

#define ADDRESS 1024

static struct sample_record record;
static struct record_disk *const h = &record.header;
static uint8_t uuid[FORMAT_UUID_BYTES];

static void make_sample(void)
{
	sample_uuid(uuid, 0x10);
	sample_record(&record, ADDRESS);
}

static enum format_reason verify(void)
{
	return record_verify(h, uuid, SAMPLE_KEY, ADDRESS);
}

/* The right checksum for whatever the header says, as a broken or newer writer would set it. */
static void seal(void)
{
	h->checksum = le64_make(0);
	h->checksum = le64_make(checksum64(h, sizeof(*h), record_seed(SAMPLE_KEY, ADDRESS)));
}

START_TEST(a_finished_header_verifies)
{
	uint64_t link;

	make_sample();
	ck_assert_int_eq(verify(), FORMAT_OK);
	link = record_finish(h, SAMPLE_KEY);
	ck_assert_uint_eq(link, le64_get(h->checksum));
	ck_assert_int_eq(verify(), FORMAT_OK);
	ck_assert_uint_eq(record_blocks(h), 1 + SAMPLE_RECORD_BLOCKS);
}
END_TEST

START_TEST(every_flipped_bit_makes_a_header_absent)
{
	uint8_t *bytes = (uint8_t *)h;

	make_sample();
	for (unsigned int bit = 0; bit < 8 * BLOCK_BYTES; bit++) {
		enum format_reason why;

		bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
		why = verify();
		ck_assert_msg(why == (bit < 64 ? FORMAT_NO_MAGIC : FORMAT_BAD_CHECKSUM),
			      "bit %u: %s", bit, format_reason_text(why));
		ck_assert(!format_is_refusal(why));
		bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
	ck_assert_int_eq(verify(), FORMAT_OK);
}
END_TEST

START_TEST(every_flipped_bit_of_a_block_changes_its_sum)
{
	uint8_t *data = record.data[0];

	make_sample();
	ck_assert_uint_eq(checksum_block(data), le32_get(h->sum[0]));
	for (unsigned int bit = 0; bit < 8 * BLOCK_BYTES; bit++) {
		data[bit / 8] ^= (uint8_t)(1u << bit % 8);
		ck_assert_uint_ne(checksum_block(data), le32_get(h->sum[0]));
		data[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
}
END_TEST

/*
 * An image may hold a copy of this very cache, so headers of it become data blocks in it. The copy
 * says ADDRESS and stands elsewhere; whoever does not know the key cannot make it fit.
 */
START_TEST(a_header_as_user_data_does_not_verify)
{
	struct record_disk forged;

	make_sample();
	for (uint64_t at = ADDRESS - 500; at < ADDRESS + 500; at++) {
		if (at != ADDRESS)
			ck_assert_int_eq(record_verify(h, uuid, SAMPLE_KEY, at),
					 FORMAT_BAD_CHECKSUM);
		memcpy(&forged, h, sizeof(forged));
		forged.address = le64_make(at);
		record_finish(&forged, SAMPLE_KEY + 1);
		ck_assert_int_eq(record_verify(&forged, uuid, SAMPLE_KEY, at), FORMAT_BAD_CHECKSUM);
	}
	/* sealed for its place, but written for another: a refusal, not an end */
	h->address = le64_make(ADDRESS + 1);
	seal();
	ck_assert_int_eq(verify(), FORMAT_BAD_GEOMETRY);
}
END_TEST

START_TEST(seeds_differ_by_key_and_by_address)
{
	ck_assert_uint_eq(record_seed(SAMPLE_KEY, 0), SAMPLE_KEY);
	ck_assert_uint_eq(record_seed(0, 1), UINT64_C(0x9e3779b97f4a7c15));
	ck_assert_uint_eq(record_seed(2, 3), UINT64_C(0xdaa66d2c7ddf743f) + 2);
	ck_assert_uint_ne(record_seed(SAMPLE_KEY, 1), record_seed(SAMPLE_KEY, 2));
	ck_assert_uint_ne(record_seed(SAMPLE_KEY, 1), record_seed(SAMPLE_KEY ^ 1, 1));
}
END_TEST

START_TEST(a_header_of_another_cache_is_absent)
{
	make_sample();
	uuid[15] ^= 1;
	ck_assert_int_eq(verify(), FORMAT_OTHER_UUID);
	ck_assert(!format_is_refusal(verify()));
}
END_TEST

#define GIVES(why, field, value)                                                      \
	do {                                                                          \
		make_sample();                                                        \
		h->field = (value);                                                   \
		seal();                                                               \
		ck_assert_msg(verify() == (why), #field ": %s, not %s",               \
			      format_reason_text(verify()), format_reason_text(why)); \
	} while (0)

START_TEST(what_this_version_does_not_know_is_refused)
{
	GIVES(FORMAT_UNKNOWN_VERSION, version, le16_make(0));
	GIVES(FORMAT_UNKNOWN_VERSION, version, le16_make(RECORD_VERSION + 1));
	GIVES(FORMAT_UNKNOWN_TYPE, type, le16_make(0));
	GIVES(FORMAT_UNKNOWN_TYPE, type, le16_make(RECORD_TYPE_LOG + 1));
	for (int bit = 0; bit < 32; bit++)
		GIVES(FORMAT_UNKNOWN_FLAG, flags, le32_make(UINT32_C(1) << bit));
	for (int bit = 5; bit < 8; bit++)
		GIVES(FORMAT_UNKNOWN_FLAG, entry_flags[1], (uint8_t)(1 << bit));
}
END_TEST

START_TEST(reserved_bytes_are_zero)
{
	for (unsigned int i = 0; i < sizeof(h->reserved0); i++)
		GIVES(FORMAT_RESERVED_NOT_ZERO, reserved0[i], 0x80);
	for (unsigned int i = 0; i < sizeof(h->reserved1); i++)
		GIVES(FORMAT_RESERVED_NOT_ZERO, reserved1[i], 1);
	for (unsigned int i = SAMPLE_RECORD_ENTRIES; i < RECORD_ENTRIES_MAX; i++) {
		GIVES(FORMAT_RESERVED_NOT_ZERO, key[i], le64_make(UINT64_C(1) << 63));
		GIVES(FORMAT_RESERVED_NOT_ZERO, sum[i], le32_make(1));
		GIVES(FORMAT_RESERVED_NOT_ZERO, dirty[i], 1);
		GIVES(FORMAT_RESERVED_NOT_ZERO, entry_flags[i], 1);
	}
}
END_TEST

START_TEST(counts_agree_with_the_entries)
{
	GIVES(FORMAT_BAD_COUNT, nr_entries, le16_make(0));
	GIVES(FORMAT_BAD_COUNT, nr_entries, le16_make(RECORD_ENTRIES_MAX + 1));
	GIVES(FORMAT_BAD_COUNT, nr_entries, le16_make(UINT16_MAX));
	GIVES(FORMAT_BAD_COUNT, nr_entries, le16_make(SAMPLE_RECORD_ENTRIES + 1));
	GIVES(FORMAT_BAD_COUNT, nr_entries, le16_make(SAMPLE_RECORD_ENTRIES - 1));
	GIVES(FORMAT_BAD_COUNT, nr_blocks, le16_make(SAMPLE_RECORD_BLOCKS + 1));
	GIVES(FORMAT_BAD_COUNT, nr_blocks, le16_make(SAMPLE_RECORD_BLOCKS - 1));
	GIVES(FORMAT_BAD_COUNT, nr_blocks, le16_make(UINT16_MAX));
}
END_TEST

START_TEST(a_record_has_an_entry)
{
	make_sample();
	memset(h->key, 0, sizeof(*h) - offsetof(struct record_disk, key));
	h->nr_entries = h->nr_blocks = le16_make(0);
	seal();
	ck_assert_int_eq(verify(), FORMAT_BAD_COUNT);
}
END_TEST

START_TEST(malformed_entries_are_refused)
{
	/* data without an image */
	GIVES(FORMAT_BAD_ENTRY, key[1], le64_make(0));
	GIVES(FORMAT_BAD_ENTRY, key[1], le64_make(entry_key(0, 8)));
	/* a dead one that still names a block, of no image */
	GIVES(FORMAT_BAD_ENTRY, key[5], le64_make(entry_key(0, 1)));
	GIVES(FORMAT_BAD_ENTRY, entry_flags[5], ENTRY_EXTENDS);
	/* operations with an image, a block, a part of the sectors, other flags */
	GIVES(FORMAT_BAD_ENTRY, key[2], le64_make(entry_key(1, 0)));
	GIVES(FORMAT_BAD_ENTRY, key[2], le64_make(entry_key(0, 1)));
	GIVES(FORMAT_BAD_ENTRY, dirty[2], 0x7f);
	GIVES(FORMAT_BAD_ENTRY, entry_flags[2], ENTRY_OP | ENTRY_RELOCATED);
	GIVES(FORMAT_BAD_ENTRY, entry_flags[2], ENTRY_OP | ENTRY_EXTENDS);
	GIVES(FORMAT_BAD_ENTRY, entry_flags[3], ENTRY_OP | ENTRY_POISON);
	GIVES(FORMAT_BAD_ENTRY, entry_flags[0], ENTRY_OP);
	/* no data twice over, or a sum of nothing */
	GIVES(FORMAT_BAD_ENTRY, entry_flags[3], ENTRY_ZERO | ENTRY_POISON);
	GIVES(FORMAT_BAD_ENTRY, sum[3], le32_make(1));
	/* a relocated one without its age */
	GIVES(FORMAT_BAD_ENTRY, origin_lsn, le64_make(0));
}
END_TEST

START_TEST(well_formed_entries_are_taken)
{
	GIVES(FORMAT_OK, dirty[0], 0); /* dead, with its key kept */
	GIVES(FORMAT_OK, dirty[2], 0); /* dead operations */
	GIVES(FORMAT_OK, dirty[4], 0);
	GIVES(FORMAT_OK, key[5], le64_make(entry_key(1, 0)));
	GIVES(FORMAT_OK, entry_flags[3], ENTRY_ZERO);
	GIVES(FORMAT_OK, entry_flags[3], ENTRY_POISON | ENTRY_RELOCATED | ENTRY_EXTENDS);
	GIVES(FORMAT_OK, key[0], le64_make(UINT64_MAX));
	make_sample();
	h->dirty[4] = 0; /* no live relocated entry: the age may be missing */
	h->origin_lsn = le64_make(0);
	seal();
	ck_assert_int_eq(verify(), FORMAT_OK);
}
END_TEST

START_TEST(contradictory_places_are_refused)
{
	GIVES(FORMAT_BAD_GEOMETRY, address, le64_make(0));
	GIVES(FORMAT_BAD_GEOMETRY, address, le64_make(UINT64_MAX));
	GIVES(FORMAT_BAD_GEOMETRY, segment_id, le64_make(0));
	GIVES(FORMAT_BAD_LSN, lsn, le64_make(0));
	GIVES(FORMAT_BAD_LSN, branch_lsn, le64_make(0));
	GIVES(FORMAT_BAD_LSN, branch_lsn, le64_make(SAMPLE_RECORD_LSN + 1));
	GIVES(FORMAT_OK, branch_lsn, le64_make(SAMPLE_RECORD_LSN));
	GIVES(FORMAT_BAD_LSN, durable_lsn, le64_make(SAMPLE_RECORD_LSN));
	GIVES(FORMAT_OK, durable_lsn, le64_make(SAMPLE_RECORD_LSN - 1));
	GIVES(FORMAT_BAD_LSN, origin_lsn, le64_make(SAMPLE_RECORD_LSN));
	GIVES(FORMAT_OK, origin_lsn, le64_make(SAMPLE_RECORD_LSN - 1));
}
END_TEST

START_TEST(a_record_lies_between_the_super_blocks_and_the_last_block)
{
	static const uint64_t bad[] = {
		0,
		(SUPERBLOCK_AREA_BYTES >> BLOCK_SHIFT) - 1,
		CACHE_BLOCKS_MAX - SAMPLE_RECORD_BLOCKS,
		CACHE_BLOCKS_MAX - 1,
		CACHE_BLOCKS_MAX,
		UINT64_MAX,
	};

	make_sample();
	for (size_t i = 0; i < array_size(bad); i++) {
		sample_record(&record, bad[i]);
		ck_assert_int_eq(record_verify(h, uuid, SAMPLE_KEY, bad[i]), FORMAT_BAD_GEOMETRY);
	}
	sample_record(&record, bad[1] + 1);
	ck_assert_int_eq(record_verify(h, uuid, SAMPLE_KEY, bad[1] + 1), FORMAT_OK);
	sample_record(&record, bad[2] - 1);
	ck_assert_int_eq(record_verify(h, uuid, SAMPLE_KEY, bad[2] - 1), FORMAT_OK);
}
END_TEST

START_TEST(data_blocks_are_counted_past_entries_without)
{
	make_sample();
	ck_assert_uint_eq(record_entry_block(h, 0), 1);
	ck_assert_uint_eq(record_entry_block(h, 1), 2);
	ck_assert_uint_eq(record_entry_block(h, 2), 3);
	ck_assert_uint_eq(record_entry_block(h, 3), 0);
	ck_assert_uint_eq(record_entry_block(h, 4), 4);
	ck_assert_uint_eq(record_entry_block(h, 5), 5);
	ck_assert_uint_eq(record_entry_block(h, 6), 0);
	ck_assert_uint_eq(record_entry_block(h, UINT32_MAX), 0);
	h->nr_entries = le16_make(UINT16_MAX); /* unverified */
	ck_assert_uint_eq(record_entry_block(h, RECORD_ENTRIES_MAX), 0);
	ck_assert_uint_eq(record_entry_block(h, UINT16_MAX - 1), 0);
}
END_TEST

START_TEST(a_full_record_has_255_blocks)
{
	make_sample();
	for (unsigned int i = 0; i < RECORD_ENTRIES_MAX; i++) {
		h->key[i] = le64_make(entry_key(1, i));
		h->sum[i] = le32_make(UINT32_MAX);
		h->dirty[i] = 0xff;
		h->entry_flags[i] = 0;
	}
	h->nr_entries = h->nr_blocks = le16_make(RECORD_ENTRIES_MAX);
	record_finish(h, SAMPLE_KEY);
	ck_assert_int_eq(verify(), FORMAT_OK);
	ck_assert_uint_eq(record_entry_block(h, RECORD_ENTRIES_MAX - 1), 255);
	ck_assert_uint_eq(record_blocks(h), 256);
}
END_TEST

static Suite *make_suite(void)
{
	Suite *s = suite_create("codec_record");

	CHECK_CASE(s, "ours", a_finished_header_verifies, every_flipped_bit_makes_a_header_absent,
		   every_flipped_bit_of_a_block_changes_its_sum,
		   a_header_as_user_data_does_not_verify, seeds_differ_by_key_and_by_address,
		   a_header_of_another_cache_is_absent);
	CHECK_CASE(s, "refusals", what_this_version_does_not_know_is_refused,
		   reserved_bytes_are_zero, counts_agree_with_the_entries, a_record_has_an_entry,
		   malformed_entries_are_refused, well_formed_entries_are_taken,
		   contradictory_places_are_refused,
		   a_record_lies_between_the_super_blocks_and_the_last_block);
	CHECK_CASE(s, "blocks", data_blocks_are_counted_past_entries_without,
		   a_full_record_has_255_blocks);
	return s;
}

CHECK_MAIN(make_suite)
