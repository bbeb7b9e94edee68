// SPDX-License-Identifier: GPL-2.0-or-later
/* The super block: what comes back, is absent or refused, and how a device is laid out. */
#include <errno.h>
#include <string.h>

#include "common/align.h"
#include "common/byteorder.h"
#include "common/checksum.h"
#include "tests/check_main.h"
#include "tests/ondisk_samples.h"

#define ADDRESS SUPERBLOCK_ADDRESS(1)

static union {
	struct superblock_disk d;
	uint8_t bytes[BLOCK_BYTES];
} block;

static void encode_sample(void)
{
	struct superblock sb;

	sample_superblock(&sb);
	superblock_encode(&sb, block.bytes, ADDRESS);
}

static enum format_reason decode(void)
{
	struct superblock sb;

	return superblock_decode(&sb, block.bytes, ADDRESS);
}

/* As a writer of another version or a broken one would have left it. */
static void seal(void)
{
	block.d.checksum = le64_make(0);
	block.d.checksum = le64_make(checksum64(block.bytes, sizeof(block), ADDRESS));
}

START_TEST(what_was_decoded_encodes_to_the_same_bytes)
{
	uint8_t again[BLOCK_BYTES];
	struct superblock sb;

	encode_sample();
	ck_assert_int_eq(superblock_decode(&sb, block.bytes, ADDRESS), FORMAT_OK);
	memset(again, 0xa5, sizeof(again));
	superblock_encode(&sb, again, ADDRESS);
	ck_assert_mem_eq(again, block.bytes, sizeof(again));
}
END_TEST

START_TEST(a_label_may_fill_its_field)
{
	struct superblock in, out;

	sample_superblock(&in);
	memset(in.label, 'x', FORMAT_LABEL_BYTES);
	in.label[FORMAT_LABEL_BYTES] = '\0';
	superblock_encode(&in, block.bytes, ADDRESS);
	ck_assert_int_eq(superblock_decode(&out, block.bytes, ADDRESS), FORMAT_OK);
	ck_assert_str_eq(out.label, in.label);
}
END_TEST

START_TEST(every_flipped_bit_makes_a_copy_absent)
{
	encode_sample();
	for (unsigned int bit = 0; bit < 8 * BLOCK_BYTES; bit++) {
		enum format_reason why;

		block.bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
		why = decode();
		ck_assert_msg(why == (bit < 64 ? FORMAT_NO_MAGIC : FORMAT_BAD_CHECKSUM),
			      "bit %u: %s", bit, format_reason_text(why));
		ck_assert(!format_is_refusal(why));
		block.bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
	ck_assert_int_eq(decode(), FORMAT_OK);
}
END_TEST

START_TEST(a_copy_at_another_address_is_absent)
{
	struct superblock sb;

	encode_sample();
	ck_assert_int_eq(superblock_decode(&sb, block.bytes, 0), FORMAT_BAD_CHECKSUM);
	ck_assert_int_eq(superblock_decode(&sb, block.bytes, ADDRESS + 4096), FORMAT_BAD_CHECKSUM);
}
END_TEST

START_TEST(what_is_not_accepted_changes_nothing)
{
	struct superblock sb, before;

	memset(&sb, 0xa5, sizeof(sb));
	memset(&before, 0xa5, sizeof(before));
	encode_sample();
	block.d.nr_segments = le64_make(1);
	seal();
	ck_assert_int_eq(superblock_decode(&sb, block.bytes, ADDRESS), FORMAT_BAD_GEOMETRY);
	ck_assert_mem_eq(&sb, &before, sizeof(sb));
}
END_TEST

#define REFUSED(why, field, value)                                           \
	do {                                                                 \
		encode_sample();                                             \
		block.d.field = (value);                                     \
		seal();                                                      \
		ck_assert_msg(decode() == (why), #field " = " #value ": %s", \
			      format_reason_text(decode()));                 \
		ck_assert(format_is_refusal(why));                           \
	} while (0)

START_TEST(what_this_version_does_not_know_is_refused)
{
	REFUSED(FORMAT_UNKNOWN_VERSION, version, le32_make(0));
	REFUSED(FORMAT_UNKNOWN_VERSION, version, le32_make(2));
	REFUSED(FORMAT_BAD_LENGTH, header_bytes, le32_make(8192));
	REFUSED(FORMAT_BAD_LENGTH, header_bytes, le32_make(0));
	for (int bit = 0; bit < 64; bit++)
		REFUSED(FORMAT_UNKNOWN_FEATURE, feature_incompat, le64_make(UINT64_C(1) << bit));
	REFUSED(FORMAT_UNKNOWN_TYPE, checksum_algorithm, le32_make(0));
	REFUSED(FORMAT_UNKNOWN_TYPE, checksum_algorithm, le32_make(2));
	REFUSED(FORMAT_UNKNOWN_FLAG, state, le32_make(2));
	REFUSED(FORMAT_UNKNOWN_FLAG, state, le32_make(UINT32_C(1) << 31));
}
END_TEST

START_TEST(unknown_compat_and_ro_compat_features_are_the_callers)
{
	struct superblock sb;

	encode_sample();
	block.d.feature_compat = le64_make(UINT64_MAX);
	block.d.feature_ro_compat = le64_make(UINT64_MAX);
	seal();
	ck_assert_int_eq(superblock_decode(&sb, block.bytes, ADDRESS), FORMAT_OK);
	ck_assert_uint_eq(sb.feature_compat, UINT64_MAX);
	ck_assert_uint_eq(sb.feature_ro_compat, UINT64_MAX);
}
END_TEST

START_TEST(reserved_bytes_are_zero)
{
	for (unsigned int i = 0; i < sizeof(block.d.reserved); i++)
		REFUSED(FORMAT_RESERVED_NOT_ZERO, reserved[i], 1);
	/* behind the label's end */
	REFUSED(FORMAT_RESERVED_NOT_ZERO, label[FORMAT_LABEL_BYTES - 1], 'x');
}
END_TEST

START_TEST(contradictory_geometry_is_refused)
{
	struct superblock s;

	sample_superblock(&s);
	REFUSED(FORMAT_BAD_GEOMETRY, device_index, le32_make(1));
	REFUSED(FORMAT_BAD_GEOMETRY, device_count, le32_make(0));
	REFUSED(FORMAT_BAD_GEOMETRY, device_count, le32_make(2));
	REFUSED(FORMAT_BAD_GEOMETRY, block_bytes, le32_make(512));
	REFUSED(FORMAT_BAD_GEOMETRY, segment_order, le32_make(SEGMENT_ORDER_MIN - 1));
	REFUSED(FORMAT_BAD_GEOMETRY, segment_order, le32_make(SEGMENT_ORDER_MAX + 1));
	REFUSED(FORMAT_BAD_GEOMETRY, segment_order, le32_make(UINT32_MAX));
	REFUSED(FORMAT_BAD_GEOMETRY, pool_segments, le32_make((uint32_t)s.nr_segments / 4 + 1));
	REFUSED(FORMAT_BAD_GEOMETRY, device_bytes, le64_make(0));
	REFUSED(FORMAT_BAD_GEOMETRY, device_bytes, le64_make(s.device_bytes - 4096));
	REFUSED(FORMAT_BAD_GEOMETRY, device_bytes, le64_make(s.device_bytes + 512));
	REFUSED(FORMAT_BAD_GEOMETRY, device_bytes, le64_make((CACHE_BLOCKS_MAX + 1) * 4096));
	REFUSED(FORMAT_BAD_GEOMETRY, segments_start, le64_make(s.segments_start + 4096));
	REFUSED(FORMAT_BAD_GEOMETRY, segments_start, le64_make(s.segments_start - (1 << 20)));
	REFUSED(FORMAT_BAD_GEOMETRY, segments_start, le64_make(s.segments_start + (1 << 20)));
	REFUSED(FORMAT_BAD_GEOMETRY, segments_start, le64_make(align_down(UINT64_MAX, 1 << 20)));
	REFUSED(FORMAT_BAD_GEOMETRY, nr_segments, le64_make(NR_SEGMENTS_MIN - 1));
	REFUSED(FORMAT_BAD_GEOMETRY, nr_segments, le64_make(s.nr_segments + 1));
	REFUSED(FORMAT_BAD_GEOMETRY, nr_segments, le64_make(UINT64_C(1) << 44));
	REFUSED(FORMAT_BAD_GEOMETRY, nr_segments, le64_make(UINT64_MAX));
	REFUSED(FORMAT_BAD_GEOMETRY, ring_base_id, le64_make(0));
	REFUSED(FORMAT_BAD_GEOMETRY, ring_base_id, le64_make(4));
	REFUSED(FORMAT_BAD_GEOMETRY, ring_base_slot, le64_make(s.nr_segments));
	REFUSED(FORMAT_BAD_GEOMETRY, last_migrated_segment_id, le64_make(UINT64_MAX));
	REFUSED(FORMAT_BAD_GEOMETRY, table_current, le32_make(SUPERBLOCK_TABLE_NONE + 1));
}
END_TEST

START_TEST(table_areas_out_of_place_are_refused)
{
	struct superblock s;
	uint64_t a, b;

	sample_superblock(&s);
	a = s.table[0].start;
	b = s.table[1].start;
	REFUSED(FORMAT_BAD_GEOMETRY, table[0].start, le64_make(a - 4096));
	REFUSED(FORMAT_BAD_GEOMETRY, table[0].start, le64_make(0));
	REFUSED(FORMAT_BAD_GEOMETRY, table[0].start, le64_make(a + 4096));
	REFUSED(FORMAT_BAD_GEOMETRY, table[0].bytes, le64_make(s.table[0].bytes + 4096));
	REFUSED(FORMAT_BAD_GEOMETRY, table[0].bytes, le64_make(TABLE_AREA_BYTES_MIN - 4096));
	REFUSED(FORMAT_BAD_GEOMETRY, table[0].bytes, le64_make(TABLE_AREA_BYTES_MIN + 512));
	REFUSED(FORMAT_BAD_GEOMETRY, table[0].bytes, le64_make(UINT64_MAX & ~UINT64_C(4095)));
	REFUSED(FORMAT_BAD_GEOMETRY, table[1].start, le64_make(b - 4096));
	REFUSED(FORMAT_BAD_GEOMETRY, table[1].start, le64_make(b + 512));
	REFUSED(FORMAT_BAD_GEOMETRY, table[1].start, le64_make(a));
	REFUSED(FORMAT_BAD_GEOMETRY, table[1].start, le64_make(s.segments_start));
	REFUSED(FORMAT_BAD_GEOMETRY, table[1].start, le64_make(UINT64_MAX & ~UINT64_C(4095)));
	REFUSED(FORMAT_BAD_GEOMETRY, table[1].bytes, le64_make(s.segments_start - b + 4096));
}
END_TEST

START_TEST(contradictory_log_positions_are_refused)
{
	REFUSED(FORMAT_BAD_LSN, tail_lsn, le64_make(0));
	REFUSED(FORMAT_BAD_LSN, tail_lsn, le64_make(101)); /* durable is 99 */
	REFUSED(FORMAT_BAD_LSN, epoch_start_lsn, le64_make(101));
	REFUSED(FORMAT_BAD_LSN, epoch_start_lsn, le64_make(UINT64_MAX));
	REFUSED(FORMAT_BAD_LSN, table[1].table_lsn, le64_make(100));

	encode_sample();
	block.d.tail_lsn = le64_make(0);
	block.d.durable_lsn = le64_make(UINT64_MAX);
	seal();
	ck_assert_int_eq(decode(), FORMAT_BAD_LSN);

	encode_sample();
	block.d.tail_lsn = le64_make(100);
	block.d.epoch_start_lsn = le64_make(100);
	block.d.table[0].table_lsn = le64_make(UINT64_MAX); /* not the current one */
	seal();
	ck_assert_int_eq(decode(), FORMAT_OK);
}
END_TEST

START_TEST(a_device_that_was_never_mounted_is_taken)
{
	encode_sample();
	block.d.tail_lsn = le64_make(1);
	block.d.durable_lsn = le64_make(0);
	block.d.epoch_start_lsn = le64_make(0);
	block.d.pool_segments = le32_make(0);
	block.d.last_migrated_segment_id = le64_make(0);
	block.d.table_current = le32_make(SUPERBLOCK_TABLE_NONE);
	seal();
	ck_assert_int_eq(decode(), FORMAT_OK);
}
END_TEST

/* Where the other numbers leave room, each limit holds by itself. */
START_TEST(limits_of_geometry_hold_on_a_large_device)
{
	struct superblock sb = { 0 }, bad;

	ck_assert_int_eq(superblock_layout(&sb, UINT64_C(1) << 40, SEGMENT_ORDER_MAX, 0), 0);
	bad = sb;
	bad.segments_start += UINT64_C(1) << 33;
	bad.nr_segments = NR_SEGMENTS_MIN;
	ck_assert_int_eq(superblock_check_geometry(&bad), FORMAT_OK);
	bad.table[1].bytes = TABLE_AREA_BYTES_MAX;
	ck_assert_int_eq(superblock_check_geometry(&bad), FORMAT_OK);
	bad.table[1].bytes += BLOCK_BYTES;
	ck_assert_int_eq(superblock_check_geometry(&bad), FORMAT_BAD_GEOMETRY);

	bad.table[1].bytes = TABLE_AREA_BYTES_MAX;
	bad.segments_start = UINT64_C(1) << 33;
	ck_assert_int_eq(superblock_check_geometry(&bad), FORMAT_OK);
	bad.segment_order = SEGMENT_ORDER_MAX + 1;
	ck_assert_int_eq(superblock_check_geometry(&bad), FORMAT_BAD_GEOMETRY);
	bad.segment_order = SEGMENT_ORDER_MAX;
	bad.segments_start += BLOCK_BYTES;
	ck_assert_int_eq(superblock_check_geometry(&bad), FORMAT_BAD_GEOMETRY);

	bad = sb;
	bad.ring_base_id = 0;
	ck_assert_int_eq(superblock_check_geometry(&bad), FORMAT_BAD_GEOMETRY);
}
END_TEST

START_TEST(copies_are_ordered_by_epoch_then_generation)
{
	struct superblock a = { .epoch = 3, .generation = 10 }, b = a;

	ck_assert_int_eq(superblock_compare(&a, &b), 0);
	b.generation = 11;
	ck_assert_int_eq(superblock_compare(&a, &b), -1);
	ck_assert_int_eq(superblock_compare(&b, &a), 1);
	b.epoch = 2;
	ck_assert_int_eq(superblock_compare(&a, &b), 1);
	ck_assert_int_eq(superblock_compare(&b, &a), -1);
}
END_TEST

START_TEST(segments_go_round_the_ring)
{
	struct superblock sb;

	sample_superblock(&sb);
	ck_assert_uint_eq(sb.nr_segments, 62);
	ck_assert_uint_eq(superblock_slot(&sb, 1), 0);
	ck_assert_uint_eq(superblock_slot(&sb, 62), 61);
	ck_assert_uint_eq(superblock_slot(&sb, 63), 0);
	ck_assert_uint_eq(superblock_segment_address(&sb, 1), sb.segments_start / 4096);
	ck_assert_uint_eq(superblock_segment_address(&sb, 64), sb.segments_start / 4096 + 256);
	sb.ring_base_id = 1000;
	sb.ring_base_slot = 61;
	ck_assert_uint_eq(superblock_slot(&sb, 1000), 61);
	ck_assert_uint_eq(superblock_slot(&sb, 1001), 0);
	ck_assert_uint_eq(superblock_slot(&sb, UINT64_MAX), ((UINT64_MAX - 1000) % 62 + 61) % 62);
}
END_TEST

/* Lays out, and checks what every layout must satisfy. */
static void check_layout(uint64_t bytes, uint32_t order, uint64_t table_bytes)
{
	struct superblock sb = { 0 };

	ck_assert_int_eq(superblock_layout(&sb, bytes, order, table_bytes), 0);
	ck_assert_int_eq(superblock_check_geometry(&sb), FORMAT_OK);
	ck_assert_uint_eq(sb.device_bytes, align_down(bytes, 4096));
	ck_assert_uint_eq(sb.table[0].start, SUPERBLOCK_AREA_BYTES);
	ck_assert_uint_eq(sb.table[1].start, SUPERBLOCK_AREA_BYTES + sb.table[0].bytes);
	ck_assert_uint_eq(sb.table[0].bytes, sb.table[1].bytes);
	if (table_bytes)
		ck_assert_uint_eq(sb.table[0].bytes, align_up(table_bytes, 4096));
	/* no whole segment is left over, before or behind */
	ck_assert_uint_lt(sb.segments_start - sb.table[1].start - sb.table[1].bytes,
			  superblock_segment_bytes(&sb));
	ck_assert_uint_lt(sb.device_bytes - sb.segments_start -
				  sb.nr_segments * superblock_segment_bytes(&sb),
			  superblock_segment_bytes(&sb));
}

START_TEST(a_layout_passes_the_check_of_geometry)
{
	for (uint32_t order = SEGMENT_ORDER_MIN; order <= SEGMENT_ORDER_MAX; order++) {
		check_layout(UINT64_C(128) << 20, order, 0);
		check_layout((UINT64_C(128) << 20) + 4095, order, 0);
		check_layout((UINT64_C(1) << 34) + 512, order, 0);
		check_layout(CACHE_BLOCKS_MAX * 4096, order, 0);
		check_layout(CACHE_BLOCKS_MAX * 4096, order, TABLE_AREA_BYTES_MIN);
		check_layout(CACHE_BLOCKS_MAX * 4096 + 4095, order, TABLE_AREA_BYTES_MAX);
		check_layout(UINT64_C(1) << 30, order, (1 << 20) + 1);
	}
}
END_TEST

START_TEST(the_table_area_follows_the_size)
{
	static const struct {
		uint64_t device, table;
	} cases[] = {
		{ UINT64_C(64) << 20, 256 << 10 },     { UINT64_C(128) << 20, 256 << 10 },
		{ UINT64_C(256) << 20, 512 << 10 },    { UINT64_C(1) << 40, 64 << 20 },
		{ CACHE_BLOCKS_MAX * 4096, 64 << 20 },
	};

	for (size_t i = 0; i < array_size(cases); i++) {
		struct superblock sb = { 0 };

		ck_assert_int_eq(superblock_layout(&sb, cases[i].device, 11, 0), 0);
		ck_assert_uint_eq(sb.table[0].bytes, cases[i].table);
	}
}
END_TEST

START_TEST(the_smallest_device_gives_up_table_space_first)
{
	/* super blocks, two areas of 64 KiB, 16 segments of the smallest size */
	uint64_t least = SUPERBLOCK_AREA_BYTES + 2 * TABLE_AREA_BYTES_MIN +
			 16 * (512ull << SEGMENT_ORDER_MIN);
	struct superblock sb = { 0 };

	ck_assert_int_eq(superblock_layout(&sb, least, SEGMENT_ORDER_MIN, 0), 0);
	ck_assert_uint_eq(sb.table[0].bytes, TABLE_AREA_BYTES_MIN);
	ck_assert_uint_eq(sb.nr_segments, NR_SEGMENTS_MIN);
	ck_assert_int_eq(superblock_layout(&sb, least - 1, SEGMENT_ORDER_MIN, 0), -ENOSPC);
	for (uint64_t more = 0; more < UINT64_C(1) << 20; more += 4096)
		check_layout(least + more, SEGMENT_ORDER_MIN, 0);
}
END_TEST

START_TEST(a_device_that_cannot_be_laid_out_is_refused)
{
	struct superblock sb, before;

	memset(&sb, 0xa5, sizeof(sb));
	memset(&before, 0xa5, sizeof(before));
	ck_assert_int_eq(superblock_layout(&sb, 0, 11, 0), -ENOSPC);
	ck_assert_int_eq(superblock_layout(&sb, 4096, 11, TABLE_AREA_BYTES_MIN), -ENOSPC);
	ck_assert_int_eq(superblock_layout(&sb, 17 << 20, 11, 0), -ENOSPC);
	ck_assert_int_eq(superblock_layout(&sb, 18 << 20, 11, 1 << 20), -ENOSPC);
	ck_assert_int_eq(superblock_layout(&sb, 64 << 20, SEGMENT_ORDER_MIN - 1, 0), -EINVAL);
	ck_assert_int_eq(superblock_layout(&sb, 64 << 20, SEGMENT_ORDER_MAX + 1, 0), -EINVAL);
	ck_assert_int_eq(superblock_layout(&sb, 64 << 20, 11, TABLE_AREA_BYTES_MIN - 1), -EINVAL);
	ck_assert_int_eq(superblock_layout(&sb, 64 << 20, 11, TABLE_AREA_BYTES_MAX + 1), -EINVAL);
	ck_assert_int_eq(superblock_layout(&sb, 64 << 20, 11, UINT64_MAX), -EINVAL);
	ck_assert_int_eq(superblock_layout(&sb, (CACHE_BLOCKS_MAX + 1) * 4096, 11, 0), -EFBIG);
	ck_assert_int_eq(superblock_layout(&sb, UINT64_MAX, 11, 0), -EFBIG);
	ck_assert_mem_eq(&sb, &before, sizeof(sb));
}
END_TEST

START_TEST(every_reason_has_its_own_text)
{
	for (int i = 0; i < FORMAT_NR_REASONS; i++) {
		ck_assert_str_ne(format_reason_text((enum format_reason)i), "unknown reason");
		for (int j = 0; j < i; j++)
			ck_assert_str_ne(format_reason_text((enum format_reason)i),
					 format_reason_text((enum format_reason)j));
	}
	ck_assert_str_eq(format_reason_text(FORMAT_NR_REASONS), "unknown reason");
	ck_assert(!format_is_refusal(FORMAT_OK));
	ck_assert(!format_is_refusal(FORMAT_OTHER_UUID));
	ck_assert(format_is_refusal(FORMAT_UNKNOWN_VERSION));
}
END_TEST

static Suite *make_suite(void)
{
	Suite *s = suite_create("codec_superblock");

	CHECK_CASE(s, "codec", what_was_decoded_encodes_to_the_same_bytes,
		   a_label_may_fill_its_field, every_flipped_bit_makes_a_copy_absent,
		   a_copy_at_another_address_is_absent, what_is_not_accepted_changes_nothing);
	CHECK_CASE(s, "refusals", what_this_version_does_not_know_is_refused,
		   unknown_compat_and_ro_compat_features_are_the_callers, reserved_bytes_are_zero,
		   contradictory_geometry_is_refused, table_areas_out_of_place_are_refused,
		   contradictory_log_positions_are_refused,
		   a_device_that_was_never_mounted_is_taken,
		   limits_of_geometry_hold_on_a_large_device, every_reason_has_its_own_text);
	CHECK_CASE(s, "layout", copies_are_ordered_by_epoch_then_generation,
		   segments_go_round_the_ring, a_layout_passes_the_check_of_geometry,
		   the_table_area_follows_the_size, the_smallest_device_gives_up_table_space_first,
		   a_device_that_cannot_be_laid_out_is_refused);
	return s;
}

CHECK_MAIN(make_suite)
