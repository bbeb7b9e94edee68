/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How requests come and replies go: one small interface, with back ends below it.
 *
 * A worker is a thread that calls transport_next() and hands what it gets to the dispatcher; each
 * has its own way to the kernel, and a reply goes the way its request came. Back ends:
 * transport_dev.c, transport_uring.c.
 *
 * All memory that the kernel copies from or to is locked: a page fault in the middle of a copy can
 * end a request with EIO when the daemon is killed at that moment.
 */
#ifndef LCFS_FUSE_TRANSPORT_H
#define LCFS_FUSE_TRANSPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "common/compiler.h"
#include "lcfs/fuse/request.h"

struct transport;

struct transport_ops {
	/* See the functions below, which are the only callers. */
	int (*next)(struct transport *t, unsigned int worker, struct request **rq);
	int (*wait_ready)(struct transport *t); /* NULL: nothing to wait for */
	struct request *(*keep)(struct request *rq, size_t room);
	struct request *(*copy)(struct request *rq);
	void (*reply)(struct request *rq, struct iovec *iov, int nr);
	int (*reply_packed)(struct request *rq, const void *msg, size_t len);
	void (*end)(struct request *rq);
	int (*notify)(struct transport *t, struct iovec *iov, int nr);
	void (*stop)(struct transport *t);
	void (*drain)(struct transport *t);
	void (*close)(struct transport *t);
};

struct transport {
	const struct transport_ops *ops;
	unsigned int nr_workers; /* const */
	int lock_error;		 /* const: 0, or why not all memory is locked (-errno) */
	bool lends_workers;	 /* const: one that blocks keeps nothing from the others */
};

/*
 * Waits for the next request of this worker; whatever the last one left in the worker's hands is
 * used again. 0; -ENODEV: unmounted, -ECONNABORTED: aborted, -EINTR: transport_stop() was called;
 * or -errno.
 */
static inline int must_check transport_next(struct transport *t, unsigned int worker,
					    struct request **rq)
{
	return t->ops->next(t, worker, rq);
}

/*
 * Waits until all workers, which have been started, can get requests. 0, or -errno: the kernel has
 * not taken what it needs for that, and they end; some have the reason.
 */
static inline int must_check transport_wait_ready(struct transport *t)
{
	return t->ops->wait_ready ? t->ops->wait_ready(t) : 0;
}

/*
 * Moves a READ, WRITE or FSYNC to memory that lasts, with its payload and an area of at least
 * `room` bytes: the caller goes on with what it returns and forgets rq. Waits for memory; never
 * fails. Worker only.
 */
static inline must_check struct request *request_keep(struct request *rq, size_t room)
{
	return rq->transport->ops->keep(rq, room);
}

/* The same for any other request, with msg; NULL: no memory, rq is still the caller's. */
static inline must_check struct request *request_copy(struct request *rq)
{
	return rq->transport->ops->copy(rq);
}

/*
 * Answers and ends it. error is 0 or -errno. iov (nr <= REQUEST_IOV_MAX) is the reply behind its
 * header, in locked memory, and may be in the request itself.
 */
#define REQUEST_IOV_MAX 2
void request_reply(struct request *rq, int error, const struct iovec *iov, int nr);

/*
 * Answers and ends it: msg is the whole reply, header included, in locked memory. 0, or -errno: the
 * kernel has not taken it, and what it would have made the kernel hold is to be undone.
 */
static inline int request_reply_packed(struct request *rq, const void *msg, size_t len)
{
	return rq->transport->ops->reply_packed(rq, msg, len);
}

/* Ends a request that gets no answer. */
static inline void request_end(struct request *rq)
{
	rq->transport->ops->end(rq);
}

/*
 * Tells the kernel something (FUSE_NOTIFY_*). 0 or -errno; -ENOENT: it does not know the inode. Any
 * thread.
 */
int transport_notify(struct transport *t, int code, const void *body, size_t len);

/* All workers' transport_next() return -EINTR from now on. Any thread, not a signal handler. */
static inline void transport_stop(struct transport *t)
{
	t->ops->stop(t);
}

/* Waits until no request that was kept or copied is left. The workers have ended. */
static inline void transport_drain(struct transport *t)
{
	t->ops->drain(t);
}

/* Drained. The descriptors stay their owner's. NULL is allowed. */
static inline void transport_close(struct transport *t)
{
	if (t)
		t->ops->close(t);
}

/*
 * Blocking reads of /dev/fuse. fds: one descriptor a worker, clones of each other (or the same one
 * more than once); main_fd: for notifications. stop_signal: its handler is installed, without
 * SA_RESTART, and does nothing. All stay the caller's. 0 or -ENOMEM.
 */
int transport_dev_open(struct transport **out, struct session *session, int main_fd, const int *fds,
		       unsigned int nr, int stop_signal) must_check;

/*
 * FUSE over io_uring: a ring a processor, and the first worker of `dev` for what the kernel never
 * sends there (FORGET) or has sent before. main_fd stays the caller's. All memory is there when
 * this returns, so that INIT can be answered with PROTO_OVER_IO_URING; the workers register with
 * the kernel when they begin. 0: *t, which was dev, is both, and closes both. -errno: *t is as it
 * was; -ENOSYS, -EINVAL, -EPERM: io_uring is not to be had; -ERANGE: there are too many processors.
 */
int transport_uring_open(struct transport **t, struct session *session, int main_fd) must_check;

#endif
