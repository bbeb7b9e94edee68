// SPDX-License-Identifier: GPL-2.0-or-later
/* INIT: what is agreed with the kernel. */
#include "lcfs/fuse/init.h"

#include <errno.h>
#include <string.h>

#include "common/align.h"

/* The replies of older kernels have another shape. */
#define MINOR_MIN 23

/*
 * Wanted where the kernel offers it. Not wanted, on purpose:
 * - ATOMIC_O_TRUNC: a truncating open must be a SETATTR, which the kernel orders with writes.
 * - AUTO_INVAL_DATA: would drop the page cache whenever mtime moves, which it does with each write;
 *   lcfs says itself when a file was changed behind it (EXPLICIT_INVAL_DATA).
 * - POSIX_LOCKS, FLOCK_LOCKS: the kernel's own locks are local to the mount, and what qemu needs.
 * - SPLICE_*: payloads are wanted in locked memory.
 * - EXPORT_SUPPORT: no NFS export.
 *
 * DONT_MASK with POSIX_ACL: the backing filesystem applies the umask, or a default ACL instead
 * (ident.h); the kernel checks permissions with the backing file's ACL. Without POSIX_ACL it would
 * take the mode's group bits, which are only the ACL's mask, for the group's rights.
 */
#define WANTED                                                                                    \
	(FUSE_ASYNC_READ | FUSE_BIG_WRITES | FUSE_DONT_MASK | FUSE_DO_READDIRPLUS |               \
	 FUSE_READDIRPLUS_AUTO | FUSE_ASYNC_DIO | FUSE_PARALLEL_DIROPS | FUSE_POSIX_ACL |         \
	 FUSE_ABORT_ERROR | FUSE_MAX_PAGES | FUSE_EXPLICIT_INVAL_DATA | FUSE_HANDLE_KILLPRIV_V2 | \
	 FUSE_SETXATTR_EXT | PROTO_INIT_EXT | PROTO_DIRECT_IO_ALLOW_MMAP)

static uint64_t offered(const struct fuse_init_in *in, size_t len)
{
	uint64_t flags = in->flags;

	if ((flags & PROTO_INIT_EXT) && len >= offsetof(struct fuse_init_in, flags2) + 4)
		flags |= (uint64_t)in->flags2 << 32;
	return flags;
}

/* Older kernels' argument is shorter. Bytes that there are, or 0: it is no INIT. */
static size_t get_arg(const void *msg, size_t len, struct fuse_init_in *in)
{
	const struct fuse_in_header *head = msg;
	size_t arg = len - sizeof(*head);

	if (proto_check(msg, len, false) || head->opcode != FUSE_INIT)
		return 0;
	memcpy(in, proto_arg(msg), min(arg, sizeof(*in)));
	return arg;
}

bool init_offers_uring(const void *msg, size_t len)
{
	struct fuse_init_in in = { 0 };
	size_t arg = get_arg(msg, len, &in);

	return offered(&in, arg) & PROTO_OVER_IO_URING;
}

int init_answer(const void *msg, size_t len, const struct init_conf *conf, struct init_result *r)
{
	const struct fuse_in_header *head = msg;
	struct fuse_init_in in = { 0 };
	size_t arg = get_arg(msg, len, &in);

	memset(r, 0, sizeof(*r));
	if (!arg)
		return -EPROTO;
	if (in.major != FUSE_KERNEL_VERSION || in.minor < MINOR_MIN)
		return -EPROTO;
	r->flags = offered(&in, arg) &
		   (WANTED | (conf->writeback_cache ? FUSE_WRITEBACK_CACHE : 0) |
		    (conf->over_uring ? PROTO_OVER_IO_URING : 0));
	r->head = (struct fuse_out_header){
		.len = sizeof(r->head) + sizeof(r->out),
		.unique = head->unique,
	};
	r->out = (struct fuse_init_out){
		.major = FUSE_KERNEL_VERSION,
		.minor = FUSE_KERNEL_MINOR_VERSION,
		.max_readahead = in.max_readahead,
		.flags = (uint32_t)r->flags,
		.flags2 = (uint32_t)(r->flags >> 32),
		.max_background = conf->max_background,
		.congestion_threshold = (uint16_t)(conf->max_background * 3 / 4),
		.max_write = PROTO_MAX_IO,
		.max_pages = PROTO_MAX_PAGES,
		.time_gran = 1,
	};
	return 0;
}
