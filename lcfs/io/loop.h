/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The event loop of one thread: reads and writes in flight, a clock, and an inbox for others.
 *
 * A loop has one owner, the thread that opened it; every function but loop_post() and loop_poke()
 * is the owner's alone. It runs on an io_uring, or, where the kernel has none to give (old, sysctl
 * kernel.io_uring_disabled, a container's seccomp filter), on a few threads that call preadv and
 * pwritev. Nothing but speed differs.
 *
 * An operation ends with all of its bytes or with -errno, never with a part: short transfers are
 * continued, EINTR and EAGAIN retried.
 */
#ifndef LCFS_IO_LOOP_H
#define LCFS_IO_LOOP_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>

#include "common/compiler.h"
#include "common/list.h"

struct loop;

/* One read or write; embedded in what it serves, which lives until done is called. */
struct loop_op {
	/* by the caller */
	int fd;
	bool is_write;
	bool zero_beyond_end;	 /* a read beyond the end of the file gives zeros, not -EIO */
	bool may_block;		 /* starting it may block the kernel: never in the owner's thread */
	int nr_iov;		 /* <= IOV_MAX */
	const struct iovec *iov; /* stays valid and unchanged; less than 2 GiB in all */
	uint64_t off;		 /* bytes */
	/*
	 * Owner's thread, out of loop_run(): result is the length of iov or -errno. May start
	 * operations.
	 */
	void (*done)(struct loop_op *op, int result);
	/* the loop's */
	struct list node;
	struct iovec rest; /* what is left of one element, after a short transfer */
	uint32_t len;	   /* of iov */
	uint32_t have;	   /* bytes transferred from the start on, without a gap */
	uint32_t pos;	   /* where the present attempt began: 0 (iov) or have (rest) */
	uint32_t attempts; /* EAGAIN, EINTR in a row */
	uint32_t best;	   /* where the one that got furthest ended */
	uint32_t restarts; /* attempts in a row that got no further */
	int16_t buf_index; /* registered buffer, -1: none */
	int result;
};

struct loop_conf {
	unsigned int depth; /* of the submission queue; more operations may be in flight */
	/* So many operations may be stuck in a store that blocks before others wait; 0: depth. */
	unsigned int blocking;
	bool no_uring; /* use threads at any rate */
	/*
	 * Memory worth registering with the kernel, where it takes it; stays valid until
	 * loop_close().
	 */
	const struct iovec *fixed;
	unsigned int nr_fixed;
};

/* -errno: out of memory, descriptors or threads. */
int loop_open(struct loop **out, const struct loop_conf *conf) must_check;
/* Nothing is in flight. NULL is allowed. */
void loop_close(struct loop *l);

/* "io_uring", or "threads"; *error is why it is not io_uring (-errno), 0 else. */
const char *loop_engine(const struct loop *l, int *error);

/* Queues op; it goes out with the next loop_submit() or loop_run(). Ops may finish in any order. */
void loop_start(struct loop *l, struct loop_op *op);
/* Hands what is queued to the kernel without waiting. */
void loop_submit(struct loop *l);
/* Operations started and not done. */
unsigned int loop_in_flight(const struct loop *l);

/*
 * Submits, waits until an operation has ended, something is in the inbox, or clock_mono_ns() has
 * reached deadline_ns (0: do not wait; UINT64_MAX: no limit), and calls what is done. Returns the
 * number of operations done.
 */
unsigned int loop_run(struct loop *l, uint64_t deadline_ns);

/*
 * Any thread: moves all of nodes to the end of the inbox, in order, and ends the owner's wait.
 * What the caller wrote before is seen by who takes the nodes out.
 */
void loop_post(struct loop *l, struct list *nodes);
/* Any thread: ends the owner's wait, or its next one if it does not wait now. */
void loop_poke(struct loop *l);
/* Moves the inbox to the end of nodes. False if it was empty. */
bool loop_take(struct loop *l, struct list *nodes);
/* Is there something in the inbox? A hint, unless it is about the caller's own posts. */
bool loop_has_posts(struct loop *l);

/*
 * The same as one operation, by blocking calls; any thread, no loop. 0 or -errno. A read beyond
 * the end of the file is -EIO.
 */
int loop_read_now(int fd, void *buf, uint64_t len, uint64_t off) must_check;
int loop_write_now(int fd, const void *buf, uint64_t len, uint64_t off) must_check;
/*
 * fd, is_write, zero_beyond_end, iov, nr_iov and off of op are used; returns what done would
 * get.
 */
int loop_op_now(struct loop_op *op) must_check;

#endif
