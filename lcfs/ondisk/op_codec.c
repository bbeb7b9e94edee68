// SPDX-License-Identifier: GPL-2.0-or-later
/* Append and read operations in their blocks. op_format.h says when one is well formed. */
#include <errno.h>

#include "common/align.h"
#include "common/byteorder.h"
#include "lcfs/ondisk/codec_private.h"

#define OP_TYPE_MASK (OP_MUST - 1)

/* Where the parts of an operation begin, from its start; bytes is the whole length. */
struct op_parts {
	uint32_t stamp, identity, path, path2, end, bytes;
};

static struct op_parts op_parts(bool has_stamp, bool has_identity, uint32_t path_bytes,
				uint32_t path2_bytes)
{
	struct op_parts p;

	p.stamp = sizeof(struct op_disk);
	p.identity = p.stamp + (has_stamp ? sizeof(struct op_stamp_disk) : 0);
	p.path = p.identity + (has_identity ? sizeof(struct op_identity_disk) : 0);
	p.path2 = p.path + path_bytes;
	p.end = p.path2 + path2_bytes;
	p.bytes = (uint32_t)align_up(p.end, 8);
	return p;
}

uint32_t op_bytes(const struct op *op)
{
	return op_parts(op->has_stamp, op->has_identity, op->path_bytes, op->path2_bytes).bytes;
}

/* from may be NULL when bytes is 0. */
static void put(uint8_t *op, uint32_t offset, const void *from, size_t bytes)
{
	if (bytes)
		memcpy(op + offset, from, bytes);
}

int op_append(void *block, uint32_t *pos, const struct op *op)
{
	struct op_parts p;
	struct op_disk *d;
	uint8_t *start;

	if (op_check(op))
		return -EINVAL;
	p = op_parts(op->has_stamp, op->has_identity, op->path_bytes, op->path2_bytes);
	if (!is_aligned(*pos, 8))
		return -EINVAL;
	if (*pos > BLOCK_BYTES || p.bytes > BLOCK_BYTES - *pos)
		return -ENOSPC;

	start = (uint8_t *)block + *pos;
	d = (void *)start;
	d->bytes = le16_make((uint16_t)p.bytes);
	d->image = le32_make(op->image);
	d->arg0 = le64_make(op->arg0);
	d->arg1 = le64_make(op->arg1);
	d->path_bytes = le16_make(op->path_bytes);
	d->path2_bytes = le16_make(op->path2_bytes);
	d->has_stamp = op->has_stamp;
	d->has_identity = op->has_identity;
	if (op->has_stamp)
		stamp_encode((void *)(start + p.stamp), &op->stamp);
	if (op->has_identity)
		identity_encode((void *)(start + p.identity), &op->identity);
	put(start, p.path, op->path, op->path_bytes);
	put(start, p.path2, op->path2, op->path2_bytes);
	/* A process that dies before this leaves the end of the block. */
	__atomic_store_n(&d->type.raw, le16_make((uint16_t)(op->type | OP_MUST)).raw,
			 __ATOMIC_RELEASE);
	*pos += p.bytes;
	return 0;
}

/* Type of the operation at pos, 0 at the end. pos is a multiple of 8 up to BLOCK_BYTES. */
static uint16_t type_at(const uint8_t *block, uint32_t pos)
{
	const struct op_disk *d = (const void *)(block + pos);

	if (pos == BLOCK_BYTES)
		return OP_END;
	return le16_get((le16_t){ .raw = __atomic_load_n(&d->type.raw, __ATOMIC_ACQUIRE) });
}

/* Does the operation at pos, known or not, lie inside the block? *bytes is its length. */
static enum format_reason check_length(const uint8_t *block, uint32_t pos, uint32_t *bytes)
{
	const struct op_disk *d = (const void *)(block + pos);

	if (BLOCK_BYTES - pos < sizeof(*d))
		return FORMAT_BAD_LENGTH;
	*bytes = le16_get(d->bytes);
	if (*bytes < sizeof(*d) || !is_aligned(*bytes, 8) || *bytes > BLOCK_BYTES - pos)
		return FORMAT_BAD_LENGTH;
	return FORMAT_OK;
}

/* Its fields of fixed size, and that its parts are as long as it says. */
static enum format_reason decode_fixed(struct op *op, const struct op_disk *d, struct op_parts *p)
{
	if (d->has_stamp > 1 || d->has_identity > 1)
		return FORMAT_BAD_OP;
	if (!bytes_are_zero(d->reserved, sizeof(d->reserved)))
		return FORMAT_RESERVED_NOT_ZERO;
	op->image = le32_get(d->image);
	op->arg0 = le64_get(d->arg0);
	op->arg1 = le64_get(d->arg1);
	op->has_stamp = d->has_stamp;
	op->has_identity = d->has_identity;
	op->path_bytes = le16_get(d->path_bytes);
	op->path2_bytes = le16_get(d->path2_bytes);
	*p = op_parts(op->has_stamp, op->has_identity, op->path_bytes, op->path2_bytes);
	if (p->bytes != le16_get(d->bytes))
		return FORMAT_BAD_LENGTH;
	return FORMAT_OK;
}

/* d lies inside the block with all the bytes that it names, and its type is known. */
static enum format_reason decode_op(struct op *op, const struct op_disk *d, uint16_t type)
{
	const uint8_t *start = (const uint8_t *)d;
	enum format_reason why;
	struct op_parts p;

	*op = (struct op){ .type = (enum op_type)(type & OP_TYPE_MASK) };
	if (!(type & OP_MUST))
		return FORMAT_BAD_OP;
	why = decode_fixed(op, d, &p);
	if (why)
		return why;
	if (!bytes_are_zero(start + p.end, p.bytes - p.end))
		return FORMAT_RESERVED_NOT_ZERO;
	if (op->has_stamp)
		stamp_decode(&op->stamp, (const void *)(start + p.stamp));
	if (op->has_identity) {
		why = identity_decode(&op->identity, (const void *)(start + p.identity));
		if (why)
			return why;
	}
	op->path = (const char *)start + p.path;
	op->path2 = (const char *)start + p.path2;
	return op_check(op);
}

int op_next(const void *block, uint32_t *pos, struct op *op, enum format_reason *why)
{
	const uint8_t *b = block;
	uint32_t at = *pos, bytes;
	uint16_t type;

	*why = FORMAT_BAD_LENGTH;
	if (at > BLOCK_BYTES || !is_aligned(at, 8))
		return -EINVAL;
	for (; (type = type_at(b, at)) != OP_END; at += bytes) {
		*why = check_length(b, at, &bytes);
		if (*why)
			return -EINVAL;
		if ((type & OP_TYPE_MASK) == OP_END || (type & OP_TYPE_MASK) > OP_TYPE_LAST) {
			if (!(type & OP_MUST))
				continue;
			*why = FORMAT_UNKNOWN_TYPE;
			return -EINVAL;
		}
		*why = decode_op(op, (const void *)(b + at), type);
		if (*why)
			return -EINVAL;
		*pos = at + bytes;
		return 1;
	}
	*why = FORMAT_OK;
	*pos = at;
	return 0;
}

/* Walks all operations; *end is where they end. */
static enum format_reason walk(const void *block, uint32_t *end)
{
	enum format_reason why;
	struct op op;
	int ret;

	*end = 0;
	do {
		ret = op_next(block, end, &op, &why);
	} while (ret > 0);
	return why;
}

enum format_reason op_block_verify(const void *block)
{
	enum format_reason why;
	uint32_t end;

	why = walk(block, &end);
	if (!why && !bytes_are_zero((const uint8_t *)block + end, BLOCK_BYTES - end))
		why = FORMAT_RESERVED_NOT_ZERO;
	return why;
}

enum format_reason op_block_trim(void *block)
{
	enum format_reason why;
	uint32_t end;

	why = walk(block, &end);
	if (!why)
		memset((uint8_t *)block + end, 0, BLOCK_BYTES - end);
	return why;
}
