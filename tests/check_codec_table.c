// SPDX-License-Identifier: GPL-2.0-or-later
/* The image table: header, payload, entries. */
#include <errno.h>
#include <string.h>

#include "common/byteorder.h"
#include "common/checksum.h"
#include "tests/check_main.h"
#include "tests/ondisk_samples.h"

#define ADDRESS SAMPLE_TABLE_ADDRESS

static struct sample_table table;
static struct table_disk *const header = (void *)table.header;
static struct table_entry_disk *const first = (void *)table.payload;
static struct table_header sample_header;

static void make_sample(void)
{
	sample_table(&table, &sample_header);
}

static enum format_reason decode_header(void)
{
	struct table_header h;

	return table_header_decode(&h, table.header, ADDRESS);
}

static void seal_header(void)
{
	header->checksum = le64_make(0);
	header->checksum = le64_make(checksum64(header, sizeof(*header), ADDRESS));
}

/* The payload with the checksum that it should have. */
static enum format_reason verify_payload(void)
{
	struct table_header h = sample_header;

	h.payload_checksum = checksum64(table.payload, sizeof(table.payload), 0);
	return table_payload_verify(&h, table.payload);
}

START_TEST(the_header_comes_back)
{
	uint8_t again[BLOCK_BYTES];
	struct table_header h;

	make_sample();
	ck_assert_int_eq(table_header_decode(&h, table.header, ADDRESS), FORMAT_OK);
	ck_assert_uint_eq(h.nr_entries, SAMPLE_TABLE_ENTRIES);
	ck_assert_uint_eq(h.next_image_id, 8);
	ck_assert_uint_eq(h.epoch, 4);
	ck_assert_uint_eq(h.generation, 7);
	ck_assert_uint_eq(h.table_lsn, 52);
	ck_assert_uint_eq(h.payload_bytes, BLOCK_BYTES);
	ck_assert_mem_eq(h.cache_uuid, sample_header.cache_uuid, FORMAT_UUID_BYTES);
	memset(again, 0xa5, sizeof(again));
	table_header_encode(&h, again, ADDRESS);
	ck_assert_mem_eq(again, table.header, sizeof(again));
	ck_assert_int_eq(table_payload_verify(&h, table.payload), FORMAT_OK);
}
END_TEST

START_TEST(every_flipped_bit_of_a_table_is_noticed)
{
	make_sample();
	for (unsigned int bit = 0; bit < 8 * BLOCK_BYTES; bit++) {
		enum format_reason why;

		table.header[bit / 8] ^= (uint8_t)(1u << bit % 8);
		why = decode_header();
		ck_assert_int_eq(why, bit < 64 ? FORMAT_NO_MAGIC : FORMAT_BAD_CHECKSUM);
		table.header[bit / 8] ^= (uint8_t)(1u << bit % 8);

		table.payload[bit / 8] ^= (uint8_t)(1u << bit % 8);
		why = table_payload_verify(&sample_header, table.payload);
		ck_assert_int_eq(why, FORMAT_BAD_CHECKSUM);
		table.payload[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
	ck_assert_int_eq(decode_header(), FORMAT_OK);
}
END_TEST

START_TEST(a_header_at_another_address_is_absent)
{
	struct table_header h;

	make_sample();
	ck_assert_int_eq(table_header_decode(&h, table.header, ADDRESS + 4096),
			 FORMAT_BAD_CHECKSUM);
	ck_assert_int_eq(table_header_decode(&h, table.header, 0), FORMAT_BAD_CHECKSUM);
}
END_TEST

#define HEADER_GIVES(why, field, value)                                \
	do {                                                           \
		make_sample();                                         \
		header->field = (value);                               \
		seal_header();                                         \
		ck_assert_msg(decode_header() == (why), #field ": %s", \
			      format_reason_text(decode_header()));    \
	} while (0)

START_TEST(a_header_that_contradicts_itself_is_refused)
{
	HEADER_GIVES(FORMAT_UNKNOWN_VERSION, version, le32_make(TABLE_VERSION + 1));
	HEADER_GIVES(FORMAT_UNKNOWN_VERSION, version, le32_make(0));
	HEADER_GIVES(FORMAT_BAD_LENGTH, payload_bytes, le64_make(4095));
	HEADER_GIVES(FORMAT_BAD_LENGTH, payload_bytes, le64_make(TABLE_AREA_BYTES_MAX));
	HEADER_GIVES(FORMAT_BAD_LENGTH, payload_bytes, le64_make(UINT64_MAX & ~UINT64_C(4095)));
	HEADER_GIVES(FORMAT_BAD_COUNT, payload_bytes, le64_make(0));
	HEADER_GIVES(FORMAT_BAD_COUNT, nr_entries, le32_make(16));
	HEADER_GIVES(FORMAT_BAD_COUNT, nr_entries, le32_make(UINT32_MAX));
	HEADER_GIVES(FORMAT_BAD_COUNT, next_image_id, le32_make(IMAGE_ID_MAX + 1));
	HEADER_GIVES(FORMAT_OK, nr_entries, le32_make(15)); /* of 272 bytes in 4096 */
	for (unsigned int i = 0; i < sizeof(header->reserved); i++)
		HEADER_GIVES(FORMAT_RESERVED_NOT_ZERO, reserved[i], 1);
}
END_TEST

START_TEST(entries_come_back_in_order)
{
	struct table_entry e, want;
	enum format_reason why;
	uint64_t pos = 0;

	make_sample();
	for (uint32_t i = 0; i < SAMPLE_TABLE_ENTRIES; i++) {
		sample_table_entry(&want, i);
		ck_assert_int_eq(table_entry_next(table.payload, 4096, &pos, &e, &why), 1);
		ck_assert_uint_eq(e.image, want.image);
		ck_assert_uint_eq(e.bind_lsn, want.bind_lsn);
		ck_assert_uint_eq(e.clean_lsn, want.clean_lsn);
		ck_assert_uint_eq(e.applied_lsn, want.applied_lsn);
		ck_assert_uint_eq(e.size, want.size);
		ck_assert_uint_eq(e.backing_valid, want.backing_valid);
		ck_assert_int_eq(e.mtime_ns, want.mtime_ns);
		ck_assert_uint_eq(e.quota_blocks, want.quota_blocks);
		ck_assert_uint_eq(e.state, want.state);
		ck_assert_uint_eq(e.mode, want.mode);
		ck_assert_uint_eq(e.flags, want.flags);
		ck_assert_uint_eq(e.error, want.error);
		ck_assert_uint_eq(e.stamp.size, want.stamp.size);
		ck_assert_int_eq(e.stamp.ctime_ns, want.stamp.ctime_ns);
		ck_assert_uint_eq(e.identity.ino, want.identity.ino);
		ck_assert_mem_eq(e.identity.handle, want.identity.handle, OP_HANDLE_MAX);
		ck_assert_uint_eq(e.path_bytes, want.path_bytes);
		if (want.path_bytes)
			ck_assert_mem_eq(e.path, want.path, want.path_bytes);
		ck_assert_uint_eq(e.nr_punches, want.nr_punches);
		if (want.nr_punches)
			ck_assert_mem_eq(e.punches, want.punches,
					 want.nr_punches * sizeof(*want.punches));
	}
	ck_assert_int_eq(table_entry_next(table.payload, 4096, &pos, &e, &why), 0);
	ck_assert_int_eq(why, FORMAT_OK);
}
END_TEST

START_TEST(an_entry_takes_its_bytes_and_no_more)
{
	struct table_entry e;
	uint64_t pos = 0, need;

	ck_assert_uint_eq(table_entry_bytes(0, 0), 272);
	ck_assert_uint_eq(table_entry_bytes(1, 0), 280);
	ck_assert_uint_eq(table_entry_bytes(8, 1), 296);
	ck_assert_uint_eq(table_entry_bytes(UINT16_MAX, UINT16_MAX), 272 + 16 * 65535 + 65536);
	sample_table_entry(&e, 0);
	need = table_entry_bytes(e.path_bytes, e.nr_punches);
	memset(&table, 0, sizeof(table));
	ck_assert_int_eq(table_entry_append(table.payload, need - 1, &pos, &e), -ENOSPC);
	ck_assert_uint_eq(pos, 0);
	ck_assert_int_eq(first->image.raw, 0);
	ck_assert_int_eq(table_entry_append(table.payload, need, &pos, &e), 0);
	ck_assert_uint_eq(pos, need);
	ck_assert_int_eq(table_entry_append(table.payload, need, &pos, &e), -ENOSPC);
	pos = need + 8;
	ck_assert_int_eq(table_entry_append(table.payload, need, &pos, &e), -ENOSPC);
	pos = UINT64_MAX - 7;
	ck_assert_int_eq(table_entry_append(table.payload, need, &pos, &e), -ENOSPC);
}
END_TEST

#define ENTRY_GIVES(why, field, value)                                             \
	do {                                                                       \
		make_sample();                                                     \
		first->field = (value);                                            \
		ck_assert_msg(verify_payload() == (why), #field " " #value ": %s", \
			      format_reason_text(verify_payload()));               \
	} while (0)

START_TEST(malformed_entries_are_refused)
{
	struct table_punch_disk *punch = (void *)(first + 1);

	ENTRY_GIVES(FORMAT_BAD_ENTRY, image, le32_make(0));
	ENTRY_GIVES(FORMAT_BAD_ENTRY, image, le32_make(IMAGE_ID_MAX + 1));
	ENTRY_GIVES(FORMAT_BAD_ENTRY, size, le64_make(IMAGE_BYTES_MAX + 1));
	ENTRY_GIVES(FORMAT_BAD_ENTRY, backing_valid, le64_make(IMAGE_BYTES_MAX + 1));
	ENTRY_GIVES(FORMAT_BAD_ENTRY, state, TABLE_STATE_ERROR + 1);
	ENTRY_GIVES(FORMAT_BAD_ENTRY, mode, TABLE_MODE_WRITEAROUND + 1);
	ENTRY_GIVES(FORMAT_BAD_ENTRY, error, le32_make(5)); /* not in this state */
	for (int bit = 5; bit < 8; bit++)
		ENTRY_GIVES(FORMAT_UNKNOWN_FLAG, flags, (uint8_t)(1 << bit));
	ENTRY_GIVES(FORMAT_RESERVED_NOT_ZERO, reserved0, 1);
	ENTRY_GIVES(FORMAT_RESERVED_NOT_ZERO, reserved1, le32_make(1));
	ENTRY_GIVES(FORMAT_RESERVED_NOT_ZERO, identity.reserved, 1);
	ENTRY_GIVES(FORMAT_RESERVED_NOT_ZERO, identity.handle[20], 1);
	ENTRY_GIVES(FORMAT_BAD_LENGTH, identity.handle_bytes, le16_make(OP_HANDLE_MAX + 1));
	ENTRY_GIVES(FORMAT_BAD_OP, identity.strength, IDENTITY_HANDLE + 1);
	ENTRY_GIVES(FORMAT_OK, size, le64_make(IMAGE_BYTES_MAX));
	ENTRY_GIVES(FORMAT_OK, backing_valid, le64_make(IMAGE_BYTES_MAX));

	make_sample();
	punch->bytes = le64_make(0);
	ck_assert_int_eq(verify_payload(), FORMAT_BAD_ENTRY);
	punch->bytes = le64_make(IMAGE_BYTES_MAX - 511);
	ck_assert_int_eq(verify_payload(), FORMAT_BAD_ENTRY);
	punch->bytes = le64_make(IMAGE_BYTES_MAX - 512);
	ck_assert_int_eq(verify_payload(), FORMAT_OK);
}
END_TEST

START_TEST(errors_have_an_errno_in_range)
{
	struct table_entry e;
	uint64_t pos = 0;

	sample_table_entry(&e, 1);
	e.error = OP_ERRNO_MAX + 1;
	ck_assert_int_eq(table_entry_append(table.payload, 4096, &pos, &e), -EINVAL);
	e.error = OP_ERRNO_MAX;
	memset(&table, 0, sizeof(table));
	ck_assert_int_eq(table_entry_append(table.payload, 4096, &pos, &e), 0);
}
END_TEST

START_TEST(what_would_be_refused_is_not_written)
{
	struct table_entry e;
	uint64_t pos = 4;

	sample_table_entry(&e, 1);
	ck_assert_int_eq(table_entry_append(table.payload, 4096, &pos, &e), -EINVAL);
	pos = 0;
	e.image = 0;
	ck_assert_int_eq(table_entry_append(table.payload, 4096, &pos, &e), -EINVAL);
	sample_table_entry(&e, 1);
	e.identity.handle_bytes = OP_HANDLE_MAX + 1;
	ck_assert_int_eq(table_entry_append(table.payload, 4096, &pos, &e), -EINVAL);
	ck_assert_uint_eq(pos, 0);
}
END_TEST

START_TEST(wrong_lengths_are_refused)
{
	uint32_t bytes;

	make_sample();
	bytes = le32_get(first->bytes);
	ENTRY_GIVES(FORMAT_BAD_LENGTH, bytes, le32_make(bytes + 8));
	ENTRY_GIVES(FORMAT_BAD_LENGTH, bytes, le32_make(bytes - 8));
	ENTRY_GIVES(FORMAT_BAD_LENGTH, bytes, le32_make(bytes + 1));
	ENTRY_GIVES(FORMAT_BAD_LENGTH, bytes, le32_make(8));
	ENTRY_GIVES(FORMAT_BAD_LENGTH, bytes, le32_make(4104));
	ENTRY_GIVES(FORMAT_BAD_LENGTH, bytes, le32_make(UINT32_MAX & ~7u));
	ENTRY_GIVES(FORMAT_BAD_LENGTH, path_bytes, le16_make(UINT16_MAX));
	ENTRY_GIVES(FORMAT_BAD_LENGTH, nr_punches, le16_make(UINT16_MAX));
	ENTRY_GIVES(FORMAT_BAD_LENGTH, nr_punches, le16_make(0));
	/* length 0 is the end: entries behind it are not */
	ENTRY_GIVES(FORMAT_RESERVED_NOT_ZERO, bytes, le32_make(0));
}
END_TEST

START_TEST(an_entry_cut_by_the_end_of_the_payload_is_refused)
{
	struct table_entry e;
	enum format_reason why;

	make_sample();
	for (uint64_t bytes = 8; bytes < le32_get(first->bytes); bytes += 8) {
		uint64_t pos = 0;

		ck_assert_int_eq(table_entry_next(table.payload, bytes, &pos, &e, &why), -EINVAL);
		ck_assert_int_eq(why, FORMAT_BAD_LENGTH);
	}
	for (uint64_t pos = 1; pos < 8; pos++) {
		uint64_t at = pos;

		ck_assert_int_eq(table_entry_next(table.payload, 4096, &at, &e, &why), -EINVAL);
		ck_assert_int_eq(table_entry_next(table.payload, 4096 + pos, &at, &e, &why),
				 -EINVAL);
	}
}
END_TEST

START_TEST(padding_is_zero)
{
	uint64_t pos = 0;
	struct table_entry e;
	enum format_reason why;

	make_sample();
	/* behind the path, inside the entry: 14 bytes of 16 */
	table.payload[272 + 2 * 16 + 14] = 'x';
	ck_assert_int_eq(verify_payload(), FORMAT_RESERVED_NOT_ZERO);

	make_sample();
	while (table_entry_next(table.payload, 4096, &pos, &e, &why) > 0)
		;
	for (uint64_t i = pos; i < 4096; i++) {
		table.payload[i] = 1;
		ck_assert_int_ne(verify_payload(), FORMAT_OK);
		table.payload[i] = 0;
	}
	ck_assert_int_eq(verify_payload(), FORMAT_OK);
}
END_TEST

START_TEST(paths_are_checked_on_both_ways)
{
	static const char *const bad[] = { "", "/a", "a/", "..", "a/../b", "./a" };
	struct table_entry e;
	uint64_t pos = 0;

	for (size_t i = 0; i < array_size(bad); i++) {
		sample_table_entry(&e, 0);
		e.path = bad[i];
		e.path_bytes = (uint16_t)strlen(bad[i]);
		ck_assert_int_eq(table_entry_append(table.payload, 4096, &pos, &e), -EINVAL);
	}
	make_sample();
	table.payload[272 + 2 * 16] = '/';
	ck_assert_int_eq(verify_payload(), FORMAT_BAD_PATH);
}
END_TEST

START_TEST(only_an_unbound_image_may_have_no_path)
{
	struct table_entry e;
	uint64_t pos = 0;

	memset(&table, 0, sizeof(table));
	sample_table_entry(&e, 2);
	ck_assert_uint_eq(e.path_bytes, 0);
	ck_assert_int_eq(table_entry_append(table.payload, 4096, &pos, &e), 0);
	e.flags = 0;
	ck_assert_int_eq(table_entry_append(table.payload, 4096, &pos, &e), -EINVAL);
	ENTRY_GIVES(FORMAT_OK, flags, TABLE_UNBOUND); /* one with a path */
}
END_TEST

START_TEST(too_many_punches_are_refused)
{
	static struct table_punch_disk punches[TABLE_PUNCHES_MAX + 1];
	static uint64_t payload[1024];
	struct table_entry_disk *d = (void *)payload;
	enum format_reason why;
	struct table_entry e;
	uint64_t pos = 0;

	for (size_t i = 0; i < array_size(punches); i++)
		punches[i] = (struct table_punch_disk){ le64_make(i), le64_make(1) };
	sample_table_entry(&e, 0);
	e.punches = punches;
	e.nr_punches = TABLE_PUNCHES_MAX + 1;
	ck_assert_int_eq(table_entry_append(payload, sizeof(payload), &pos, &e), -EINVAL);
	e.nr_punches = TABLE_PUNCHES_MAX;
	ck_assert_int_eq(table_entry_append(payload, sizeof(payload), &pos, &e), 0);

	/* one more, where the path of 14 bytes was */
	d->nr_punches = le16_make(TABLE_PUNCHES_MAX + 1);
	d->path_bytes = le16_make(0);
	d->flags = TABLE_UNBOUND;
	pos = 0;
	ck_assert_int_eq(table_entry_next(payload, sizeof(payload), &pos, &e, &why), -EINVAL);
	ck_assert_int_eq(why, FORMAT_BAD_COUNT);
}
END_TEST

START_TEST(the_payload_is_what_the_header_says)
{
	struct table_header h;

	make_sample();
	h = sample_header;
	h.nr_entries++;
	ck_assert_int_eq(table_payload_verify(&h, table.payload), FORMAT_BAD_COUNT);
	h.nr_entries -= 2;
	ck_assert_int_eq(table_payload_verify(&h, table.payload), FORMAT_BAD_COUNT);
	h = sample_header;
	h.payload_checksum ^= 1;
	ck_assert_int_eq(table_payload_verify(&h, table.payload), FORMAT_BAD_CHECKSUM);
}
END_TEST

START_TEST(a_payload_has_no_blocks_to_spare)
{
	static uint64_t two_blocks[1024];
	struct table_header h;

	make_sample();
	memcpy(two_blocks, table.payload, sizeof(table.payload));
	h = sample_header;
	h.payload_bytes = sizeof(two_blocks);
	h.payload_checksum = checksum64(two_blocks, sizeof(two_blocks), 0);
	ck_assert_int_eq(table_payload_verify(&h, two_blocks), FORMAT_BAD_LENGTH);
}
END_TEST

START_TEST(a_table_may_be_empty)
{
	struct table_header h = { .payload_checksum = checksum64("", 0, 0) }, out;

	table_header_encode(&h, table.header, ADDRESS);
	ck_assert_int_eq(table_header_decode(&out, table.header, ADDRESS), FORMAT_OK);
	ck_assert_int_eq(table_payload_verify(&out, table.payload), FORMAT_OK);
}
END_TEST

static Suite *make_suite(void)
{
	Suite *s = suite_create("codec_table");

	CHECK_CASE(s, "header", the_header_comes_back, every_flipped_bit_of_a_table_is_noticed,
		   a_header_at_another_address_is_absent,
		   a_header_that_contradicts_itself_is_refused);
	CHECK_CASE(s, "entries", entries_come_back_in_order, an_entry_takes_its_bytes_and_no_more,
		   malformed_entries_are_refused, errors_have_an_errno_in_range,
		   what_would_be_refused_is_not_written, wrong_lengths_are_refused,
		   an_entry_cut_by_the_end_of_the_payload_is_refused, padding_is_zero,
		   paths_are_checked_on_both_ways, only_an_unbound_image_may_have_no_path,
		   too_many_punches_are_refused);
	CHECK_CASE(s, "payload", the_payload_is_what_the_header_says,
		   a_payload_has_no_blocks_to_spare, a_table_may_be_empty);
	return s;
}

CHECK_MAIN(make_suite)
