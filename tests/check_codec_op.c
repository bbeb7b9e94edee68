// SPDX-License-Identifier: GPL-2.0-or-later
/* Operations: round trips, refusals, what is skipped, the end of a block, half written ones. */
#include <errno.h>
#include <string.h>

#include "common/byteorder.h"
#include "tests/check_main.h"
#include "tests/ondisk_samples.h"

static union {
	struct op_disk d; /* the first operation */
	uint8_t bytes[BLOCK_BYTES];
	uint64_t align;
} block;

static uint32_t append(const struct op *op)
{
	uint32_t pos = 0;

	memset(&block, 0, sizeof(block));
	ck_assert_int_eq(op_append(block.bytes, &pos, op), 0);
	ck_assert_uint_eq(pos, op_bytes(op));
	return pos;
}

static void append_sample(enum op_type type)
{
	struct op op;

	sample_op(&op, type - 1);
	append(&op);
}

/* Reads the first operation of the block: FORMAT_OK when there is one, or the end. */
static enum format_reason read_first(void)
{
	enum format_reason why;
	uint32_t pos = 0;
	struct op op;
	int ret;

	ret = op_next(block.bytes, &pos, &op, &why);
	ck_assert_int_eq(ret < 0, why != FORMAT_OK);
	if (ret < 0) {
		ck_assert_int_eq(ret, -EINVAL);
		ck_assert_uint_eq(pos, 0);
		ck_assert_int_eq(op_block_verify(block.bytes), why);
	}
	return why;
}

static void check_same(const struct op *a, const struct op *b)
{
	ck_assert_int_eq(a->type, b->type);
	ck_assert_uint_eq(a->image, b->image);
	ck_assert_uint_eq(a->arg0, b->arg0);
	ck_assert_uint_eq(a->arg1, b->arg1);
	ck_assert_int_eq(a->has_stamp, b->has_stamp);
	ck_assert_int_eq(a->has_identity, b->has_identity);
	ck_assert_uint_eq(a->stamp.size, b->stamp.size);
	ck_assert_int_eq(a->stamp.mtime_ns, b->stamp.mtime_ns);
	ck_assert_int_eq(a->stamp.ctime_ns, b->stamp.ctime_ns);
	ck_assert_uint_eq(a->identity.ino, b->identity.ino);
	ck_assert_int_eq(a->identity.btime_ns, b->identity.btime_ns);
	ck_assert_mem_eq(a->identity.fsid, b->identity.fsid, sizeof(a->identity.fsid));
	ck_assert_uint_eq(a->identity.handle_type, b->identity.handle_type);
	ck_assert_uint_eq(a->identity.handle_bytes, b->identity.handle_bytes);
	ck_assert_uint_eq(a->identity.strength, b->identity.strength);
	ck_assert_mem_eq(a->identity.handle, b->identity.handle, OP_HANDLE_MAX);
	ck_assert_uint_eq(a->path_bytes, b->path_bytes);
	ck_assert_uint_eq(a->path2_bytes, b->path2_bytes);
	if (a->path_bytes)
		ck_assert_mem_eq(a->path, b->path, a->path_bytes);
	if (a->path2_bytes)
		ck_assert_mem_eq(a->path2, b->path2, a->path2_bytes);
}

START_TEST(operations_come_back_in_order)
{
	enum format_reason why;
	uint32_t pos = 0;
	struct op op, want;

	ck_assert_uint_eq(sample_op_block(block.bytes), SAMPLE_OPS);
	for (uint32_t i = 0; i < SAMPLE_OPS; i++) {
		sample_op(&want, i);
		ck_assert_int_eq(op_next(block.bytes, &pos, &op, &why), 1);
		check_same(&op, &want);
	}
	ck_assert_int_eq(op_next(block.bytes, &pos, &op, &why), 0);
	ck_assert_int_eq(why, FORMAT_OK);
	ck_assert_int_eq(op_block_verify(block.bytes), FORMAT_OK);
}
END_TEST

START_TEST(the_largest_operation_fits_a_block)
{
	char path[OP_PATH_MAX], path2[OP_PATH_MAX];
	enum format_reason why;
	uint32_t pos = 0;
	struct op op, out;

	memset(path, 'a', sizeof(path));
	memset(path2, 'b', sizeof(path2));
	sample_op(&op, OP_BIND - 1);
	op.path = path;
	op.path2 = path2;
	op.path_bytes = op.path2_bytes = OP_PATH_MAX;
	op.identity.handle_bytes = OP_HANDLE_MAX;
	memset(op.identity.handle, 0xff, OP_HANDLE_MAX);
	ck_assert_uint_le(append(&op), BLOCK_BYTES);
	ck_assert_int_eq(op_next(block.bytes, &pos, &out, &why), 1);
	check_same(&out, &op);
}
END_TEST

START_TEST(a_block_is_filled_to_its_last_byte)
{
	struct op op = { .type = OP_UNBIND, .image = 1 };
	enum format_reason why;
	uint32_t pos = 0, n = 0;

	memset(&block, 0, sizeof(block));
	while (op_append(block.bytes, &pos, &op) == 0)
		n++;
	ck_assert_uint_eq(n, BLOCK_BYTES / sizeof(struct op_disk));
	ck_assert_uint_eq(pos, BLOCK_BYTES);
	ck_assert_int_eq(op_append(block.bytes, &pos, &op), -ENOSPC);
	for (pos = 0; op_next(block.bytes, &pos, &op, &why) == 1; n--)
		;
	ck_assert_uint_eq(n, 0);
	ck_assert_int_eq(why, FORMAT_OK);
	ck_assert_uint_eq(pos, BLOCK_BYTES);
	ck_assert_int_eq(op_next(block.bytes, &pos, &op, &why), 0);
	ck_assert_int_eq(op_block_verify(block.bytes), FORMAT_OK);
}
END_TEST

START_TEST(an_operation_that_does_not_fit_changes_nothing)
{
	struct op op = { .type = OP_UNBIND, .image = 1 };
	uint8_t before[BLOCK_BYTES];

	memset(&block, 0x11, sizeof(block));
	memset(before, 0x11, sizeof(before));
	for (uint32_t at = BLOCK_BYTES - 24; at <= BLOCK_BYTES; at += 8) {
		uint32_t pos = at;

		ck_assert_int_eq(op_append(block.bytes, &pos, &op), -ENOSPC);
		ck_assert_uint_eq(pos, at);
	}
	for (uint32_t at = BLOCK_BYTES + 8; at != 0; at <<= 1) {
		uint32_t pos = at;

		ck_assert_int_eq(op_append(block.bytes, &pos, &op), -ENOSPC);
	}
	ck_assert_mem_eq(block.bytes, before, sizeof(before));
}
END_TEST

START_TEST(parts_that_are_not_there_are_not_looked_at)
{
	struct op op = { .type = OP_CHECKPOINT, .path = "x", .path_bytes = 1 }, garbage = op;
	uint8_t clean[BLOCK_BYTES];

	append(&op);
	memcpy(clean, block.bytes, sizeof(clean));
	memset(&garbage.stamp, 0xff, sizeof(garbage.stamp));
	memset(&garbage.identity, 0xff, sizeof(garbage.identity));
	append(&garbage);
	ck_assert_mem_eq(block.bytes, clean, sizeof(clean));
}
END_TEST

START_TEST(what_would_be_refused_is_not_written)
{
	struct op ops[] = {
		{ .type = OP_END, .image = 1 },
		{ .type = (enum op_type)(OP_TYPE_LAST + 1), .image = 1 },
		{ .type = OP_UNBIND, .image = 0 },
		{ .type = OP_UNBIND, .image = IMAGE_ID_MAX + 1 },
		{ .type = OP_SIZE, .image = 1, .arg0 = IMAGE_BYTES_MAX + 1 },
		{ .type = OP_CHECKPOINT, .path = "/x", .path_bytes = 2 },
		{ .type = OP_UNBIND,
		  .image = 1,
		  .has_identity = true,
		  .identity = { .handle_bytes = OP_HANDLE_MAX + 1 } },
	};
	uint8_t zero[BLOCK_BYTES] = { 0 };

	memset(&block, 0, sizeof(block));
	for (size_t i = 0; i < array_size(ops); i++) {
		uint32_t pos = 0;

		ck_assert_int_ne(op_check(&ops[i]), FORMAT_OK);
		ck_assert_int_eq(op_append(block.bytes, &pos, &ops[i]), -EINVAL);
		ck_assert_uint_eq(pos, 0);
	}
	ck_assert_mem_eq(block.bytes, zero, sizeof(zero));
}
END_TEST

START_TEST(a_path_over_the_limit_is_not_written)
{
	static char path[UINT16_MAX];
	struct op op = { .type = OP_CHECKPOINT, .path = path };
	uint32_t pos = 0;

	memset(path, 'x', sizeof(path));
	memset(&block, 0, sizeof(block));
	op.path_bytes = OP_PATH_MAX + 1;
	ck_assert_int_eq(op_append(block.bytes, &pos, &op), -EINVAL);
	op.path_bytes = UINT16_MAX;
	ck_assert_int_eq(op_append(block.bytes, &pos, &op), -EINVAL);
	op.path_bytes = OP_PATH_MAX;
	ck_assert_int_eq(op_append(block.bytes, &pos, &op), 0);
}
END_TEST

#define GIVES(reason, type, field, value)                                                   \
	do {                                                                                \
		append_sample(type);                                                        \
		block.d.field = (value);                                                    \
		ck_assert_msg(read_first() == (reason), #type " " #field " " #value ": %s", \
			      format_reason_text(read_first()));                            \
	} while (0)

START_TEST(unknown_types_are_skipped_unless_they_must_be_understood)
{
	static const uint16_t types[] = { OP_TYPE_LAST + 1, 0x1234, 0x7fff };
	enum format_reason why;
	struct op op;

	for (size_t i = 0; i < array_size(types); i++) {
		uint32_t pos = append(&(struct op){ .type = OP_UNBIND, .image = 7 });

		ck_assert_int_eq(op_append(block.bytes, &pos,
					   &(struct op){ .type = OP_UNBIND, .image = 8 }),
				 0);
		memset(block.bytes + 4, 0xff, sizeof(block.d) - 4); /* whatever it means */
		block.d.type = le16_make(types[i]);
		pos = 0;
		ck_assert_int_eq(op_next(block.bytes, &pos, &op, &why), 1);
		ck_assert_uint_eq(op.image, 8);
		ck_assert_int_eq(op_next(block.bytes, &pos, &op, &why), 0);

		block.d.type = le16_make(types[i] | OP_MUST);
		ck_assert_int_eq(read_first(), FORMAT_UNKNOWN_TYPE);
	}
	GIVES(FORMAT_UNKNOWN_TYPE, OP_UNBIND, type, le16_make(OP_END | OP_MUST));
}
END_TEST

START_TEST(a_known_type_without_its_must_bit_is_refused)
{
	for (int type = 1; type <= OP_TYPE_LAST; type++) {
		append_sample((enum op_type)type);
		ck_assert_uint_eq(le16_get(block.d.type), (unsigned int)type | OP_MUST);
		ck_assert_int_eq(read_first(), FORMAT_OK);
		block.d.type = le16_make((uint16_t)type);
		ck_assert_int_eq(read_first(), FORMAT_BAD_OP);
	}
}
END_TEST

START_TEST(wrong_lengths_are_refused)
{
	for (unsigned int bytes = 0; bytes <= UINT16_MAX; bytes += bytes < 4200 ? 1 : 999) {
		append_sample(OP_RENAME);
		if (bytes == le16_get(block.d.bytes))
			continue;
		block.d.bytes = le16_make((uint16_t)bytes);
		ck_assert_int_eq(read_first(), FORMAT_BAD_LENGTH);
		/* an unknown one may have any length that fits */
		block.d.type = le16_make(OP_TYPE_LAST + 1);
		if (bytes < sizeof(block.d) || bytes % 8 || bytes > BLOCK_BYTES)
			ck_assert_int_eq(read_first(), FORMAT_BAD_LENGTH);
	}
	GIVES(FORMAT_BAD_LENGTH, OP_RENAME, path_bytes, le16_make(UINT16_MAX));
	GIVES(FORMAT_BAD_LENGTH, OP_RENAME, path2_bytes, le16_make(UINT16_MAX));
	GIVES(FORMAT_BAD_LENGTH, OP_CLEAN, has_stamp, 0);
	GIVES(FORMAT_BAD_LENGTH, OP_CLEAN, has_identity, 1);
}
END_TEST

START_TEST(an_operation_cut_by_the_end_of_the_block_is_refused)
{
	enum format_reason why;
	struct op op;

	for (uint32_t at = BLOCK_BYTES - 56; at < BLOCK_BYTES; at += 8) {
		struct op_disk *d = (void *)(block.bytes + at);
		uint32_t pos = at;

		memset(&block, 0, sizeof(block));
		d->type = le16_make(OP_RENAME | OP_MUST);
		if (at + 4 <= BLOCK_BYTES)
			d->bytes = le16_make(64);
		ck_assert_int_eq(op_next(block.bytes, &pos, &op, &why), -EINVAL);
		ck_assert_int_eq(why, FORMAT_BAD_LENGTH);
		ck_assert_uint_eq(pos, at);
	}
}
END_TEST

START_TEST(a_position_outside_or_askew_is_an_error)
{
	static const uint32_t bad[] = {
		1, 4, BLOCK_BYTES - 1, BLOCK_BYTES + 8, UINT32_MAX - 7, UINT32_MAX
	};
	enum format_reason why;
	struct op op;

	memset(&block, 0, sizeof(block));
	for (size_t i = 0; i < array_size(bad); i++) {
		uint32_t pos = bad[i];

		ck_assert_int_eq(op_next(block.bytes, &pos, &op, &why), -EINVAL);
		ck_assert_int_eq(why, FORMAT_BAD_LENGTH);
	}
	for (uint32_t at = 1; at < 8; at++) {
		uint32_t pos = at;

		op = (struct op){ .type = OP_UNBIND, .image = 1 };
		ck_assert_int_eq(op_append(block.bytes, &pos, &op), -EINVAL);
	}
}
END_TEST

START_TEST(padding_and_reserved_bytes_are_zero)
{
	GIVES(FORMAT_RESERVED_NOT_ZERO, OP_UNBIND, reserved[0], 1);
	GIVES(FORMAT_RESERVED_NOT_ZERO, OP_UNBIND, reserved[1], 0x80);

	append_sample(OP_EXCHANGE); /* "a", "b/..c": 6 of 8 bytes */
	for (unsigned int i = 38; i < 40; i++) {
		block.bytes[i] = 1;
		ck_assert_int_eq(read_first(), FORMAT_RESERVED_NOT_ZERO);
		block.bytes[i] = 0;
	}
	ck_assert_int_eq(read_first(), FORMAT_OK);

	append_sample(OP_BIND); /* behind the handle of 20 bytes */
	for (unsigned int i = 56 + 40 + 20; i < 56 + 168; i++) {
		block.bytes[i] = 1;
		ck_assert_int_eq(read_first(), FORMAT_RESERVED_NOT_ZERO);
		block.bytes[i] = 0;
	}
	block.bytes[56 + 39] = 1;
	ck_assert_int_eq(read_first(), FORMAT_RESERVED_NOT_ZERO);
}
END_TEST

START_TEST(malformed_parts_are_refused)
{
	struct op_identity_disk *identity;

	GIVES(FORMAT_BAD_OP, OP_CLEAN, has_stamp, 2);
	GIVES(FORMAT_BAD_OP, OP_CLEAN, has_identity, 0xff);

	append_sample(OP_BIND);
	identity = (void *)(block.bytes + 56);
	identity->handle_bytes = le16_make(OP_HANDLE_MAX + 1);
	ck_assert_int_eq(read_first(), FORMAT_BAD_LENGTH);
	identity->handle_bytes = le16_make(UINT16_MAX);
	ck_assert_int_eq(read_first(), FORMAT_BAD_LENGTH);

	append_sample(OP_BIND);
	identity->strength = IDENTITY_HANDLE + 1;
	ck_assert_int_eq(read_first(), FORMAT_BAD_OP);
	identity->strength = IDENTITY_HANDLE;
	identity->handle_bytes = le16_make(0);
	ck_assert_int_eq(read_first(), FORMAT_BAD_OP);
}
END_TEST

START_TEST(an_operation_has_the_parts_that_its_type_needs)
{
	static const uint8_t images = 1, stamps = 2, identities = 4, paths = 8, paths2 = 16;
	const uint8_t needs[OP_TYPE_LAST + 1] = {
		[OP_BIND] = images | stamps | identities | paths,
		[OP_SIZE] = images,
		[OP_TRUNCATE] = images,
		[OP_PUNCH] = images,
		[OP_RENAME] = paths | paths2,
		[OP_EXCHANGE] = paths | paths2,
		[OP_UNBIND] = images,
		[OP_CLEAN] = images | stamps,
		[OP_TOUCH] = images | stamps,
		[OP_INTENT] = images | paths,
		[OP_DONE] = images,
		[OP_STATE] = images,
		[OP_ATTACH] = images,
		[OP_INVALIDATE] = images,
		[OP_DROP] = images,
		[OP_CHECKPOINT] = paths,
		[OP_NAMED] = images,
	};

	for (uint32_t type = 1; type <= OP_TYPE_LAST; type++) {
		struct op op, cut;

		sample_op(&op, type - 1);
		ck_assert_int_eq(op_check(&op), FORMAT_OK);
		cut = op;
		cut.image = 0;
		ck_assert_int_eq(op_check(&cut), needs[type] & images ? FORMAT_BAD_OP : FORMAT_OK);
		cut = op;
		cut.has_stamp = false;
		ck_assert_int_eq(op_check(&cut), needs[type] & stamps ? FORMAT_BAD_OP : FORMAT_OK);
		cut = op;
		cut.has_identity = false;
		ck_assert_int_eq(op_check(&cut),
				 needs[type] & identities ? FORMAT_BAD_OP : FORMAT_OK);
		cut = op;
		cut.path2_bytes = 0;
		ck_assert_int_eq(op_check(&cut),
				 needs[type] & paths2 ? FORMAT_BAD_PATH : FORMAT_OK);
		cut.path_bytes = 0;
		ck_assert_int_eq(op_check(&cut),
				 needs[type] & (paths | paths2) ? FORMAT_BAD_PATH : FORMAT_OK);
	}
}
END_TEST

START_TEST(a_second_path_needs_a_first)
{
	struct op op = { .type = OP_UNBIND, .image = 1, .path2 = "x", .path2_bytes = 1 };

	ck_assert_int_eq(op_check(&op), FORMAT_BAD_PATH);
	op.path = "y";
	op.path_bytes = 1;
	ck_assert_int_eq(op_check(&op), FORMAT_OK);
}
END_TEST

START_TEST(arguments_out_of_range_are_refused)
{
	GIVES(FORMAT_BAD_OP, OP_UNBIND, image, le32_make(IMAGE_ID_MAX + 1));
	GIVES(FORMAT_BAD_OP, OP_RENAME, image, le32_make(UINT32_MAX));
	GIVES(FORMAT_BAD_OP, OP_BIND, arg0, le64_make(IMAGE_BYTES_MAX + 1));
	GIVES(FORMAT_BAD_OP, OP_BIND, arg1, le64_make(BIND_NEW + 1));
	GIVES(FORMAT_OK, OP_BIND, arg1, le64_make(BIND_NEW));
	GIVES(FORMAT_BAD_OP, OP_SIZE, arg0, le64_make(IMAGE_BYTES_MAX + 1));
	GIVES(FORMAT_BAD_OP, OP_TRUNCATE, arg0, le64_make(UINT64_MAX));
	GIVES(FORMAT_BAD_OP, OP_PUNCH, arg1, le64_make(0));
	GIVES(FORMAT_BAD_OP, OP_PUNCH, arg0, le64_make(IMAGE_BYTES_MAX));
	GIVES(FORMAT_BAD_OP, OP_PUNCH, arg0, le64_make(UINT64_MAX));
	GIVES(FORMAT_BAD_OP, OP_PUNCH, arg1, le64_make(UINT64_MAX));
	GIVES(FORMAT_BAD_OP, OP_INVALIDATE, arg0, le64_make(1));
	GIVES(FORMAT_BAD_OP, OP_DROP, arg1, le64_make(2));
	GIVES(FORMAT_BAD_OP, OP_INTENT, arg0, le64_make(0));
	GIVES(FORMAT_BAD_OP, OP_INTENT, arg0, le64_make(OP_INTENT_RENAME_OVER + 1));
	GIVES(FORMAT_BAD_OP, OP_DONE, arg0, le64_make(2));
	GIVES(FORMAT_BAD_OP, OP_STATE, arg0, le64_make(TABLE_STATE_ERROR + 1));
	GIVES(FORMAT_BAD_OP, OP_STATE, arg1, le64_make(OP_ERRNO_MAX + 1));
	GIVES(FORMAT_BAD_OP, OP_ATTACH, arg0, le64_make(TABLE_MODE_WRITEAROUND + 1));
	GIVES(FORMAT_OK, OP_DONE, arg0, le64_make(0));
	GIVES(FORMAT_OK, OP_CLEAN, arg0, le64_make(UINT64_MAX));
}
END_TEST

START_TEST(only_relative_paths_without_tricks_are_valid)
{
	static const char *const good[] = { "a",       "a/b", "...", "a/...", "..a",
					    "a/..b/c", ".a",  "a.",  " ",     "\xff\xfe" };
	static const char *const bad[] = {
		"",    "/",    "/a",  "a/",   "a//b",  ".",	 "..",
		"./a", "../a", "a/.", "a/..", "a/./b", "a/../b", "//",
	};
	char longest[OP_PATH_MAX + 1];

	for (size_t i = 0; i < array_size(good); i++)
		ck_assert_msg(op_path_is_valid(good[i], strlen(good[i])), "'%s'", good[i]);
	for (size_t i = 0; i < array_size(bad); i++)
		ck_assert_msg(!op_path_is_valid(bad[i], strlen(bad[i])), "'%s'", bad[i]);
	ck_assert(!op_path_is_valid("a\0b", 3));
	ck_assert(!op_path_is_valid("a\0", 2));
	ck_assert(!op_path_is_valid("\0", 1));
	memset(longest, 'x', sizeof(longest));
	ck_assert(op_path_is_valid(longest, OP_PATH_MAX));
	ck_assert(!op_path_is_valid(longest, OP_PATH_MAX + 1));
}
END_TEST

START_TEST(an_invalid_path_is_refused_when_read)
{
	append_sample(OP_EXCHANGE);
	block.bytes[32] = '/';
	ck_assert_int_eq(read_first(), FORMAT_BAD_PATH);
	block.bytes[32] = '\0';
	ck_assert_int_eq(read_first(), FORMAT_BAD_PATH);
	block.bytes[32] = '.';
	ck_assert_int_eq(read_first(), FORMAT_BAD_PATH);
	append_sample(OP_EXCHANGE);
	block.bytes[37] = '/'; /* "b/../" */
	ck_assert_int_eq(read_first(), FORMAT_BAD_PATH);
}
END_TEST

/*
 * The writer's process may die after any store. As the type is stored last, by one store, all
 * other bytes of the operation may be there without it, and none of them with it missing counts.
 */
START_TEST(a_half_written_operation_reads_as_the_end)
{
	enum format_reason why;
	uint32_t first, pos;
	struct op op, bind;

	sample_op(&bind, OP_BIND - 1);
	first = append(&(struct op){ .type = OP_UNBIND, .image = 7 });
	pos = first;
	ck_assert_int_eq(op_append(block.bytes, &pos, &bind), 0);
	((struct op_disk *)(void *)(block.bytes + first))->type = le16_make(0);

	pos = 0;
	ck_assert_int_eq(op_next(block.bytes, &pos, &op, &why), 1);
	ck_assert_int_eq(op_next(block.bytes, &pos, &op, &why), 0);
	ck_assert_uint_eq(pos, first);
	/* such a block is trimmed before it goes to the device */
	ck_assert_int_eq(op_block_verify(block.bytes), FORMAT_RESERVED_NOT_ZERO);
	ck_assert_int_eq(op_block_trim(block.bytes), FORMAT_OK);
	ck_assert_int_eq(op_block_verify(block.bytes), FORMAT_OK);
	pos = first;
	ck_assert_int_eq(op_append(block.bytes, &pos, &bind), 0);
	ck_assert_int_eq(op_block_verify(block.bytes), FORMAT_OK);
}
END_TEST

START_TEST(a_malformed_block_is_not_trimmed)
{
	uint8_t before[BLOCK_BYTES];

	append_sample(OP_RENAME);
	block.d.bytes = le16_make(8);
	block.bytes[BLOCK_BYTES - 1] = 1;
	memcpy(before, block.bytes, sizeof(before));
	ck_assert_int_eq(op_block_trim(block.bytes), FORMAT_BAD_LENGTH);
	ck_assert_mem_eq(block.bytes, before, sizeof(before));
}
END_TEST

START_TEST(all_behind_the_end_is_zero)
{
	for (unsigned int i = 40; i < BLOCK_BYTES; i++) {
		append_sample(OP_EXCHANGE);
		block.bytes[i] = 1;
		ck_assert_int_ne(op_block_verify(block.bytes), FORMAT_OK);
	}
}
END_TEST

static Suite *make_suite(void)
{
	Suite *s = suite_create("codec_op");

	CHECK_CASE(s, "append", operations_come_back_in_order, the_largest_operation_fits_a_block,
		   a_block_is_filled_to_its_last_byte,
		   an_operation_that_does_not_fit_changes_nothing,
		   parts_that_are_not_there_are_not_looked_at, what_would_be_refused_is_not_written,
		   a_path_over_the_limit_is_not_written);
	CHECK_CASE(s, "refusals", unknown_types_are_skipped_unless_they_must_be_understood,
		   a_known_type_without_its_must_bit_is_refused, wrong_lengths_are_refused,
		   an_operation_cut_by_the_end_of_the_block_is_refused,
		   a_position_outside_or_askew_is_an_error, padding_and_reserved_bytes_are_zero,
		   malformed_parts_are_refused, an_operation_has_the_parts_that_its_type_needs,
		   a_second_path_needs_a_first, arguments_out_of_range_are_refused);
	CHECK_CASE(s, "paths", only_relative_paths_without_tricks_are_valid,
		   an_invalid_path_is_refused_when_read);
	CHECK_CASE(s, "end", a_half_written_operation_reads_as_the_end,
		   a_malformed_block_is_not_trimmed, all_behind_the_end_is_zero);
	return s;
}

CHECK_MAIN(make_suite)
