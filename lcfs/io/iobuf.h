/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Memory for I/O: aligned, faulted in and locked before it is needed, so that the write path
 * neither allocates nor waits for a page.
 */
#ifndef LCFS_IO_IOBUF_H
#define LCFS_IO_IOBUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/compiler.h"

/*
 * Maps the file, or anonymous memory when fd is -1 (shared and private), at an address that
 * suits huge pages. *mem is NULL on failure. 0 or -errno.
 */
int iobuf_map(void **mem, size_t bytes, int prot, int fd) must_check;

/*
 * Faults [mem, mem + bytes) in for writing, contents unchanged, puts it into huge pages where the
 * kernel can (a transfer of 1 MiB is one piece then, not 256), and locks it. 0; or -errno if it
 * could not be locked (-ENOMEM, -EPERM: RLIMIT_MEMLOCK), which is worth a warning and no reason
 * to stop: the memory is faulted in all the same. Nobody else writes to the memory meanwhile.
 */
int iobuf_lock(void *mem, size_t bytes) must_check;

/*
 * Address space for what is rarely used as a whole: a page is there, and locked, from its first use
 * on; zero, in small pages, aligned to 4096. *lock_error is 0, or why it does not get locked. 0 or
 * -ENOMEM; to be unmapped.
 */
int iobuf_reserve(void **mem, size_t bytes, int *lock_error) must_check;
/* The first use of a part of it. */
void iobuf_populate(void *mem, size_t bytes);

/* A piece of anonymous memory. */
struct iobuf_region {
	void *mem;	/* aligned to 4096 and zero */
	size_t bytes;	/* a multiple of 4096 */
	int lock_error; /* 0, or why it is not locked (-errno) */
};

/* bytes is rounded up to 4096. 0 or -ENOMEM. */
int iobuf_region_alloc(struct iobuf_region *r, size_t bytes) must_check;
/* A zeroed region is allowed. */
void iobuf_region_free(struct iobuf_region *r);

/*
 * Buffers of a few sizes, all made at the start. Any thread.
 */
struct iobuf_pool;

struct iobuf_class {
	size_t bytes; /* a multiple of 4096, rising from class to class */
	unsigned int count;
};

#define IOBUF_CLASSES_MAX 8

/* *lock_error is 0, or why the memory is not locked. 0 or -errno. */
int iobuf_pool_open(struct iobuf_pool **out, const struct iobuf_class *classes, unsigned int nr,
		    int *lock_error) must_check;
/* All buffers are back. NULL is allowed. */
void iobuf_pool_close(struct iobuf_pool *p);
/*
 * A buffer of the smallest class that holds bytes; never one of a larger class, which others wait
 * for. NULL when there is none free and may_wait is false, or when no class is large enough.
 * Contents are anything.
 */
void *iobuf_get(struct iobuf_pool *p, size_t bytes, bool may_wait) must_check;
/* NULL is allowed. */
void iobuf_put(struct iobuf_pool *p, void *buf);
/* The whole memory, for registration with a ring. */
const struct iobuf_region *iobuf_pool_region(const struct iobuf_pool *p);

#endif
