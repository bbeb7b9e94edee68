// SPDX-License-Identifier: GPL-2.0-or-later
/* What an operation and its parts must satisfy, on the way to the device and back: one table. */
#include "common/byteorder.h"
#include "lcfs/ondisk/codec_private.h"

enum op_args {
	ARGS_ANY,
	ARGS_SIZE,   /* arg0 is a size */
	ARGS_BIND,   /* arg0 is a size, arg1 is 0 or BIND_NEW */
	ARGS_RANGE,  /* arg0 and arg1 are offset and length */
	ARGS_INTENT, /* arg0 is an enum op_intent */
	ARGS_BOOL,   /* arg0 is 0 or 1 */
	ARGS_STATE,  /* arg0 is an enum table_state, arg1 an errno */
	ARGS_MODE,   /* arg0 is an enum table_mode */
};

#define NEEDS_IMAGE 0x01u
#define NEEDS_STAMP 0x02u
#define NEEDS_IDENTITY 0x04u
#define NEEDS_PATH 0x08u
#define NEEDS_PATH2 0x10u

static const struct op_rule {
	uint8_t needs;
	uint8_t args; /* enum op_args */
} op_rules[] = {
	[OP_END] = { 0, ARGS_ANY },
	[OP_BIND] = { NEEDS_IMAGE | NEEDS_STAMP | NEEDS_IDENTITY | NEEDS_PATH, ARGS_BIND },
	[OP_SIZE] = { NEEDS_IMAGE, ARGS_SIZE },
	[OP_TRUNCATE] = { NEEDS_IMAGE, ARGS_SIZE },
	[OP_PUNCH] = { NEEDS_IMAGE, ARGS_RANGE },
	[OP_RENAME] = { NEEDS_PATH | NEEDS_PATH2, ARGS_ANY },
	[OP_EXCHANGE] = { NEEDS_PATH | NEEDS_PATH2, ARGS_ANY },
	[OP_UNBIND] = { NEEDS_IMAGE, ARGS_ANY },
	[OP_CLEAN] = { NEEDS_IMAGE | NEEDS_STAMP, ARGS_ANY },
	[OP_TOUCH] = { NEEDS_IMAGE | NEEDS_STAMP, ARGS_ANY },
	[OP_INTENT] = { NEEDS_IMAGE | NEEDS_PATH, ARGS_INTENT },
	[OP_DONE] = { NEEDS_IMAGE, ARGS_BOOL },
	[OP_STATE] = { NEEDS_IMAGE, ARGS_STATE },
	[OP_ATTACH] = { NEEDS_IMAGE, ARGS_MODE },
	[OP_INVALIDATE] = { NEEDS_IMAGE, ARGS_RANGE },
	[OP_DROP] = { NEEDS_IMAGE, ARGS_RANGE },
	[OP_CHECKPOINT] = { NEEDS_PATH, ARGS_ANY },
	[OP_NAMED] = { NEEDS_IMAGE, ARGS_ANY },
};
static_assert(array_size(op_rules) == OP_TYPE_LAST + 1, "each type has a rule");

static bool component_is_valid(const char *name, size_t bytes)
{
	if (bytes == 0 || (bytes == 1 && name[0] == '.'))
		return false;
	return !(bytes == 2 && name[0] == '.' && name[1] == '.');
}

bool op_path_is_valid(const char *path, size_t bytes)
{
	const char *end, *slash;

	if (bytes == 0 || bytes > OP_PATH_MAX || memchr(path, '\0', bytes))
		return false;
	for (end = path + bytes;; path = slash + 1) {
		slash = memchr(path, '/', (size_t)(end - path));
		if (!component_is_valid(path, (size_t)((slash ? slash : end) - path)))
			return false;
		if (!slash)
			return true;
	}
}

static bool args_are_valid(enum op_args args, uint64_t arg0, uint64_t arg1)
{
	switch (args) {
	case ARGS_ANY:
		return true;
	case ARGS_SIZE:
		return arg0 <= IMAGE_BYTES_MAX;
	case ARGS_BIND:
		return arg0 <= IMAGE_BYTES_MAX && arg1 <= BIND_NEW;
	case ARGS_RANGE:
		return range_is_valid(arg0, arg1);
	case ARGS_INTENT:
		return arg0 == OP_INTENT_UNLINK || arg0 == OP_INTENT_RENAME_OVER;
	case ARGS_BOOL:
		return arg0 <= 1;
	case ARGS_STATE:
		return arg0 <= TABLE_STATE_ERROR && arg1 <= OP_ERRNO_MAX;
	case ARGS_MODE:
		return arg0 <= TABLE_MODE_WRITEAROUND;
	}
	return false;
}

/* Are the paths valid as far as they are there? */
static enum format_reason check_paths(const struct op *op, uint8_t needs)
{
	if ((needs & NEEDS_PATH && op->path_bytes == 0) ||
	    (needs & NEEDS_PATH2 && op->path2_bytes == 0))
		return FORMAT_BAD_PATH;
	if (op->path2_bytes && op->path_bytes == 0)
		return FORMAT_BAD_PATH;
	if (op->path_bytes && !op_path_is_valid(op->path, op->path_bytes))
		return FORMAT_BAD_PATH;
	if (op->path2_bytes && !op_path_is_valid(op->path2, op->path2_bytes))
		return FORMAT_BAD_PATH;
	return FORMAT_OK;
}

enum format_reason op_check(const struct op *op)
{
	const struct op_rule *rule;
	enum format_reason why;

	if (op->type == OP_END || (unsigned int)op->type > OP_TYPE_LAST)
		return FORMAT_UNKNOWN_TYPE;
	rule = &op_rules[op->type];
	if (op->image > IMAGE_ID_MAX || (rule->needs & NEEDS_IMAGE && op->image == 0))
		return FORMAT_BAD_OP;
	if ((rule->needs & NEEDS_STAMP && !op->has_stamp) ||
	    (rule->needs & NEEDS_IDENTITY && !op->has_identity))
		return FORMAT_BAD_OP;
	if (!args_are_valid((enum op_args)rule->args, op->arg0, op->arg1))
		return FORMAT_BAD_OP;
	if (op->has_identity) {
		why = identity_check(&op->identity);
		if (why)
			return why;
	}
	return check_paths(op, rule->needs);
}

void stamp_encode(struct op_stamp_disk *d, const struct op_stamp *stamp)
{
	d->size = le64_make(stamp->size);
	d->mtime_ns = le64_make((uint64_t)stamp->mtime_ns);
	d->ctime_ns = le64_make((uint64_t)stamp->ctime_ns);
}

void stamp_decode(struct op_stamp *stamp, const struct op_stamp_disk *d)
{
	stamp->size = le64_get(d->size);
	stamp->mtime_ns = (int64_t)le64_get(d->mtime_ns);
	stamp->ctime_ns = (int64_t)le64_get(d->ctime_ns);
}

enum format_reason identity_check(const struct op_identity *identity)
{
	if (identity->handle_bytes > OP_HANDLE_MAX)
		return FORMAT_BAD_LENGTH;
	if (identity->strength > IDENTITY_HANDLE)
		return FORMAT_BAD_OP;
	if (identity->strength == IDENTITY_HANDLE && identity->handle_bytes == 0)
		return FORMAT_BAD_OP;
	return FORMAT_OK;
}

void identity_encode(struct op_identity_disk *d, const struct op_identity *identity)
{
	d->ino = le64_make(identity->ino);
	d->btime_ns = le64_make((uint64_t)identity->btime_ns);
	memcpy(d->fsid, identity->fsid, sizeof(d->fsid));
	d->handle_type = le32_make(identity->handle_type);
	d->handle_bytes = le16_make(identity->handle_bytes);
	d->strength = identity->strength;
	memcpy(d->handle, identity->handle, identity->handle_bytes);
}

enum format_reason identity_decode(struct op_identity *identity, const struct op_identity_disk *d)
{
	enum format_reason why;

	identity->ino = le64_get(d->ino);
	identity->btime_ns = (int64_t)le64_get(d->btime_ns);
	memcpy(identity->fsid, d->fsid, sizeof(identity->fsid));
	identity->handle_type = le32_get(d->handle_type);
	identity->handle_bytes = le16_get(d->handle_bytes);
	identity->strength = d->strength;
	memcpy(identity->handle, d->handle, sizeof(identity->handle));
	why = identity_check(identity);
	if (why)
		return why;
	if (d->reserved != 0 || !bytes_are_zero(d->handle + identity->handle_bytes,
						sizeof(d->handle) - identity->handle_bytes))
		return FORMAT_RESERVED_NOT_ZERO;
	return FORMAT_OK;
}
