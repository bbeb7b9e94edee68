/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Commands to one descriptor by way of an io_uring of their own (IORING_OP_URING_CMD): a driver
 * keeps each until it has something to say, perhaps for ever.
 *
 * One thread owns the ring: it alone begins, sends, looks and waits, and the kernel does its part
 * of the work in that thread's waits only. Any thread may wake the owner.
 */
#ifndef LCFS_IO_CMDRING_H
#define LCFS_IO_CMDRING_H

#include <stddef.h>
#include <stdint.h>

#include "common/compiler.h"

struct cmdring;

/* Bytes of a command's own part. */
#define CMDRING_BYTES 80u

struct cmdring_cmd {
	uint32_t op;	  /* the driver's */
	const void *addr; /* with len: whatever the driver takes them for */
	uint32_t len;
	const void *own; /* own_bytes <= CMDRING_BYTES; copied, the rest is zero */
	size_t own_bytes;
	void *owner; /* not NULL: comes back with the answer */
};

/*
 * For at most nr commands at a time to fd, which stays the caller's. Not begun yet. 0 or -errno;
 * -ENOSYS, -EINVAL, -EPERM: not with this kernel, or not for this process.
 */
int cmdring_open(struct cmdring **out, unsigned int nr, int fd) must_check;
/* Not begun, or its owner has ended. What is under way ends with -ECANCELED. NULL is allowed. */
void cmdring_close(struct cmdring *r);

/* The calling thread is the owner from now on. Once. 0 or -errno. */
int cmdring_begin(struct cmdring *r) must_check;
/* Queues a command for the next submission. 0; -errno: the kernel does not take what is queued. */
int cmdring_send(struct cmdring *r, const struct cmdring_cmd *cmd) must_check;
/* Submits what is queued: what the driver refuses has its answer when this returns. 0 or -errno. */
int cmdring_submit(struct cmdring *r) must_check;
/* What has been answered: its owner, with *result; NULL: nothing. */
void *cmdring_next(struct cmdring *r, int *result);
/* Submits what is queued, and waits for an answer or cmdring_wake(). 0 or -errno. */
int cmdring_wait(struct cmdring *r) must_check;
/* The owner's next or current wait ends. Any thread. */
void cmdring_wake(struct cmdring *r);

#endif
