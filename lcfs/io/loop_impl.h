/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Between loop.c and what it runs on. Owner's thread unless said otherwise. */
#ifndef LCFS_IO_LOOP_IMPL_H
#define LCFS_IO_LOOP_IMPL_H

#include "common/mutex.h"
#include "lcfs/io/loop.h"

/* Leaves of the lock order: nothing is taken below them. */
#define LOOP_INBOX_RANK 900
#define LOOP_THREADS_RANK 901

struct loop_engine {
	const char *name;
	/* Takes the attempt at op->pos; loop_attempt_done() later, out of wait. */
	void (*start)(struct loop *l, struct loop_op *op);
	void (*submit)(struct loop *l);
	/*
	 * Waits for the end of an attempt, for the eventfd, or for the deadline; calls
	 * loop_attempt_done().
	 */
	void (*wait)(struct loop *l, uint64_t deadline_ns);
	void (*close)(struct loop *l);
};

struct loop {
	const struct loop_engine *engine; /* const after open */
	void *impl;			  /* the engine's */
	int uring_error;		  /* const after open */
	int wake_fd;			  /* eventfd; const after open */
	/* owner: the thread */
	unsigned int in_flight;
	unsigned int nr_done; /* operations done in this loop_run() */
	struct list retries;  /* attempts to start again at retry_at */
	uint64_t retry_at;
	const struct iovec *fixed; /* registered; NULL: none */
	unsigned int nr_fixed;

	struct mutex lock;
	struct list inbox; /* lock */
	bool is_poked;	   /* lock: the next wait shall not wait */
	bool is_asleep;	   /* lock: the owner waits, or is about to */
};

/* The vector of the present attempt. */
static inline const struct iovec *loop_op_iov(const struct loop_op *op, int *nr)
{
	*nr = op->pos ? 1 : op->nr_iov;
	return op->pos ? &op->rest : op->iov;
}

/* The attempt at op->pos has ended: result in bytes or -errno. */
void loop_attempt_done(struct loop *l, struct loop_op *op, int result);

/* One attempt by a blocking call; any thread. */
int loop_attempt_now(const struct loop_op *op);

/* Writes the eventfd; any thread. */
void loop_wake(struct loop *l);
/* The pause between two tries of what the kernel does not take now; any thread. */
void loop_nap(void);

/* 0 or -errno. */
int loop_uring_open(struct loop *l, const struct loop_conf *conf) must_check;
int loop_threads_open(struct loop *l, const struct loop_conf *conf) must_check;

#endif
