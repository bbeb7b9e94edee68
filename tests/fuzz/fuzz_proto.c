// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Any bytes are a request that can be read to its end, or are refused. What was let through is read
 * here as the operations read it, in memory that ends where the request does.
 */
#include <errno.h>
#include <string.h>

#include "common/align.h"
#include "lcfs/fuse/init.h"
#include "lcfs/fuse/proto.h"
#include "tests/fuzz/fuzz.h"

static const char *after_name(const char *p)
{
	FUZZ_CHECK(*p && !strchr(p, '/') && strcmp(p, ".") != 0 && strcmp(p, "..") != 0);
	return p + strlen(p) + 1;
}

static uint64_t sum_of(const void *p, size_t n)
{
	const uint8_t *bytes = p;
	uint64_t sum = 0;

	for (size_t i = 0; i < n; i++)
		sum += bytes[i];
	return sum;
}

/* Reads all that the request says it has. */
static uint64_t read_names(uint32_t opcode, const char *arg)
{
	switch (opcode) {
	case FUSE_LOOKUP:
	case FUSE_UNLINK:
	case FUSE_RMDIR:
		return (uint64_t)(after_name(arg) - arg);
	case FUSE_RENAME:
		return (uint64_t)(after_name(after_name(arg + sizeof(struct fuse_rename_in))) -
				  arg);
	case FUSE_RENAME2:
		return (uint64_t)(after_name(after_name(arg + sizeof(struct fuse_rename2_in))) -
				  arg);
	case FUSE_SYMLINK:
		return strlen(after_name(arg));
	case FUSE_MKNOD:
		return (uint64_t)(after_name(arg + sizeof(struct fuse_mknod_in)) - arg);
	case FUSE_MKDIR:
		return (uint64_t)(after_name(arg + sizeof(struct fuse_mkdir_in)) - arg);
	case FUSE_LINK:
		return (uint64_t)(after_name(arg + sizeof(struct fuse_link_in)) - arg);
	case FUSE_CREATE:
		return (uint64_t)(after_name(arg + sizeof(struct fuse_create_in)) - arg);
	case FUSE_REMOVEXATTR:
		return strlen(arg);
	case FUSE_GETXATTR:
		return strlen(arg + sizeof(struct fuse_getxattr_in));
	default:
		return 0;
	}
}

static uint64_t read_data(uint32_t opcode, const char *arg, bool setxattr_ext)
{
	const struct fuse_batch_forget_in *batch = (const void *)arg;
	struct fuse_setxattr_in set = { 0 };
	size_t head = setxattr_ext ? sizeof(set) : FUSE_COMPAT_SETXATTR_IN_SIZE;

	switch (opcode) {
	case FUSE_WRITE:
		return sum_of(arg + sizeof(struct fuse_write_in),
			      ((const struct fuse_write_in *)(const void *)arg)->size);
	case FUSE_BATCH_FORGET:
		return sum_of(batch + 1, batch->count * sizeof(struct fuse_forget_one));
	case FUSE_SETXATTR:
		memcpy(&set, arg, head);
		return sum_of(arg + head + strlen(arg + head) + 1, set.size);
	default:
		return 0;
	}
}

static void check_init(const void *msg, size_t size)
{
	struct init_conf conf = { .max_background = 128, .writeback_cache = true };
	struct init_result r;
	int err = init_answer(msg, size, &conf, &r);

	FUZZ_CHECK(err == 0 || err == -EPROTO);
	if (!err)
		FUZZ_CHECK(r.head.len == sizeof(r.head) + sizeof(r.out) && r.head.error == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuse_in_header *in = malloc(size ? size : 1);
	uint64_t sum = 0;

	FUZZ_CHECK(in);
	memcpy(in, data, size);
	if (size >= sizeof(*in)) {
		/* the first byte: should the length be right? the second: which operation */
		if (data[0] & 1)
			in->len = (uint32_t)size;
		if (data[0] & 2)
			in->opcode = data[4];
	}
	for (int ext = 0; ext < 2; ext++) {
		int err = proto_check(in, size, ext);

		FUZZ_CHECK(err == 0 || err == -EINVAL || err == -ENOSYS);
		if (err)
			continue;
		FUZZ_CHECK(size >= sizeof(*in) && in->len == size);
		sum += read_names(in->opcode, proto_arg(in));
		sum += read_data(in->opcode, proto_arg(in), ext);
	}
	FUZZ_CHECK(sum < UINT64_MAX); /* or nothing would have to be read */
	check_init(in, size);
	free(in);
	return 0;
}
