/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The kernel's protocol: what <linux/fuse.h> may be too old to have, and a check of requests. */
#ifndef LCFS_FUSE_PROTO_H
#define LCFS_FUSE_PROTO_H

#include <linux/fuse.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/compiler.h"

#ifndef FOPEN_PARALLEL_DIRECT_WRITES
#define FOPEN_PARALLEL_DIRECT_WRITES (1 << 6)
#endif

/* INIT flags are 64 bits wide; the upper half travels in flags2. */
#define PROTO_INIT_EXT (UINT64_C(1) << 30)
#define PROTO_DIRECT_IO_ALLOW_MMAP (UINT64_C(1) << 36)
#define PROTO_OVER_IO_URING (UINT64_C(1) << 41)

/* Largest READ and WRITE, in bytes, and the same in pages. */
#define PROTO_MAX_IO (1u << 20)
#define PROTO_MAX_PAGES (PROTO_MAX_IO / 4096)

/* Header and argument of a WRITE: what stands before its data. */
#define PROTO_WRITE_HEAD (sizeof(struct fuse_in_header) + sizeof(struct fuse_write_in))

/*
 * FUSE over io_uring: for each request that the kernel can have under way on a processor the daemon
 * registers a head and a payload; the kernel fills both in and completes the command, the daemon
 * puts the answer in their place and commits it, which fetches the next one.
 */
enum proto_ring_cmd {
	PROTO_RING_REGISTER = 1, /* addr: two iovecs, the head and the payload */
	PROTO_RING_COMMIT = 2,	 /* and fetch */
};

struct proto_ring_head {
	union {
		struct fuse_in_header in;
		struct fuse_out_header out;
		char in_out[128];
	};
	char op_in[128]; /* the fixed argument of the request */
	uint64_t flags;
	uint64_t commit_id; /* to be sent back */
	uint32_t payload_bytes;
	uint32_t pad;
	uint64_t reserved;
};
size_assert(struct proto_ring_head, 288);

struct proto_ring_cmd_arg {
	uint64_t flags;
	uint64_t commit_id;
	uint16_t queue; /* the processor's number */
	uint8_t pad[6];
};
size_assert(struct proto_ring_cmd_arg, 24);

/*
 * Whether the len bytes at msg are a request that can be read without looking beyond its end:
 * lengths agree, the argument is there, names end and are no paths. setxattr_ext: SETXATTR has its
 * longer argument. 0; -EINVAL: malformed; -ENOSYS: an operation that lcfs does not have.
 */
int proto_check(const void *msg, size_t len, bool setxattr_ext) must_check;

/* The argument of a request that proto_check() has passed. */
static inline const void *proto_arg(const void *msg)
{
	return (const char *)msg + sizeof(struct fuse_in_header);
}

#endif
