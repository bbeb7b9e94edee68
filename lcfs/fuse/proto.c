// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A check of requests. The kernel is trusted to send what is well formed, but the cost of asking
 * is nothing beside the request's own, and neither libfuse nor the operations look twice.
 */
#include "lcfs/fuse/proto.h"

#include <errno.h>
#include <string.h>

/* What follows the fixed argument. */
enum tail {
	TAIL_NONE,
	TAIL_NAME,   /* a name in a directory */
	TAIL_NAMES,  /* two of them */
	TAIL_TARGET, /* a name and any string */
	TAIL_STRING, /* any string */
	TAIL_VALUE,  /* a string and as many bytes as the first word of the argument says */
	TAIL_DATA,   /* as many bytes as fuse_write_in.size says */
	TAIL_FORGET, /* as many fuse_forget_one as the first word says */
};

struct rule {
	bool is_known;
	unsigned char tail;
	unsigned short arg; /* bytes */
};

#define RULE(opcode, bytes, rest) [opcode] = { true, (rest), (bytes) }

static const struct rule rules[] = {
	RULE(FUSE_LOOKUP, 0, TAIL_NAME),
	RULE(FUSE_FORGET, sizeof(struct fuse_forget_in), TAIL_NONE),
	RULE(FUSE_GETATTR, sizeof(struct fuse_getattr_in), TAIL_NONE),
	RULE(FUSE_SETATTR, sizeof(struct fuse_setattr_in), TAIL_NONE),
	RULE(FUSE_READLINK, 0, TAIL_NONE),
	RULE(FUSE_SYMLINK, 0, TAIL_TARGET),
	RULE(FUSE_MKNOD, sizeof(struct fuse_mknod_in), TAIL_NAME),
	RULE(FUSE_MKDIR, sizeof(struct fuse_mkdir_in), TAIL_NAME),
	RULE(FUSE_UNLINK, 0, TAIL_NAME),
	RULE(FUSE_RMDIR, 0, TAIL_NAME),
	RULE(FUSE_RENAME, sizeof(struct fuse_rename_in), TAIL_NAMES),
	RULE(FUSE_LINK, sizeof(struct fuse_link_in), TAIL_NAME),
	RULE(FUSE_OPEN, sizeof(struct fuse_open_in), TAIL_NONE),
	RULE(FUSE_READ, sizeof(struct fuse_read_in), TAIL_NONE),
	RULE(FUSE_WRITE, sizeof(struct fuse_write_in), TAIL_DATA),
	RULE(FUSE_STATFS, 0, TAIL_NONE),
	RULE(FUSE_RELEASE, sizeof(struct fuse_release_in), TAIL_NONE),
	RULE(FUSE_FSYNC, sizeof(struct fuse_fsync_in), TAIL_NONE),
	RULE(FUSE_SETXATTR, sizeof(struct fuse_setxattr_in), TAIL_VALUE),
	RULE(FUSE_GETXATTR, sizeof(struct fuse_getxattr_in), TAIL_STRING),
	RULE(FUSE_LISTXATTR, sizeof(struct fuse_getxattr_in), TAIL_NONE),
	RULE(FUSE_REMOVEXATTR, 0, TAIL_STRING),
	RULE(FUSE_INIT, 16, TAIL_NONE),
	RULE(FUSE_OPENDIR, sizeof(struct fuse_open_in), TAIL_NONE),
	RULE(FUSE_READDIR, sizeof(struct fuse_read_in), TAIL_NONE),
	RULE(FUSE_RELEASEDIR, sizeof(struct fuse_release_in), TAIL_NONE),
	RULE(FUSE_FSYNCDIR, sizeof(struct fuse_fsync_in), TAIL_NONE),
	RULE(FUSE_CREATE, sizeof(struct fuse_create_in), TAIL_NAME),
	RULE(FUSE_INTERRUPT, sizeof(struct fuse_interrupt_in), TAIL_NONE),
	RULE(FUSE_DESTROY, 0, TAIL_NONE),
	RULE(FUSE_IOCTL, sizeof(struct fuse_ioctl_in), TAIL_NONE),
	RULE(FUSE_POLL, sizeof(struct fuse_poll_in), TAIL_NONE),
	RULE(FUSE_BATCH_FORGET, sizeof(struct fuse_batch_forget_in), TAIL_FORGET),
	RULE(FUSE_FALLOCATE, sizeof(struct fuse_fallocate_in), TAIL_NONE),
	RULE(FUSE_READDIRPLUS, sizeof(struct fuse_read_in), TAIL_NONE),
	RULE(FUSE_RENAME2, sizeof(struct fuse_rename2_in), TAIL_NAMES),
	RULE(FUSE_LSEEK, sizeof(struct fuse_lseek_in), TAIL_NONE),
};

/* The bytes behind a string that begins at p, or NULL if it does not end before `end`. */
static const char *string_end(const char *p, const char *end)
{
	const char *nul = p < end ? memchr(p, 0, (size_t)(end - p)) : NULL;

	return nul ? nul + 1 : NULL;
}

static const char *name_end(const char *p, const char *end)
{
	const char *after = string_end(p, end);

	if (!after || *p == 0 || strchr(p, '/') || strcmp(p, ".") == 0 || strcmp(p, "..") == 0)
		return NULL;
	return after;
}

static bool tail_fits(enum tail tail, const void *arg, const char *p, const char *end)
{
	size_t left = (size_t)(end - p);
	uint32_t first;

	switch (tail) {
	case TAIL_NONE:
		return true;
	case TAIL_NAME:
		return name_end(p, end);
	case TAIL_NAMES:
		p = name_end(p, end);
		return p && name_end(p, end);
	case TAIL_TARGET:
		p = name_end(p, end);
		return p && string_end(p, end);
	case TAIL_STRING:
		return string_end(p, end);
	case TAIL_VALUE:
		memcpy(&first, arg, sizeof(first));
		p = string_end(p, end);
		return p && (size_t)(end - p) >= first;
	case TAIL_DATA:
		return ((const struct fuse_write_in *)arg)->size <= left;
	case TAIL_FORGET:
		memcpy(&first, arg, sizeof(first));
		return first <= left / sizeof(struct fuse_forget_one);
	}
	return false;
}

int proto_check(const void *msg, size_t len, bool setxattr_ext)
{
	const struct fuse_in_header *in = msg;
	const char *arg = (const char *)msg + sizeof(*in);
	struct rule rule;

	if (len < sizeof(*in) || in->len != len)
		return -EINVAL;
	if (in->opcode >= array_size(rules) || !rules[in->opcode].is_known)
		return -ENOSYS;
	rule = rules[in->opcode];
	if (in->opcode == FUSE_SETXATTR && !setxattr_ext)
		rule.arg = FUSE_COMPAT_SETXATTR_IN_SIZE;
	if (len - sizeof(*in) < rule.arg)
		return -EINVAL;
	if (!tail_fits(rule.tail, arg, arg + rule.arg, (const char *)msg + len))
		return -EINVAL;
	return 0;
}
