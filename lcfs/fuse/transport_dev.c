// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The transport by blocking reads of /dev/fuse.
 *
 * Each worker reads its own clone of the descriptor into a buffer of the largest size, so that the
 * payload of a WRITE begins on a page; the reply goes to the descriptor the request came from. A
 * request that is answered at once never leaves that buffer. One that must wait is copied to a
 * buffer of a size that suits it, or, where copying would be dear, takes the worker's buffer with
 * it. The pool of buffers bounds what may wait: when it is empty the worker stops reading until an
 * answer frees one, and the kernel queues. What goes to the metadata threads is copied to the heap
 * instead, so that slow metadata never takes a buffer from data.
 */
#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "common/align.h"
#include "common/messages.h"
#include "common/mutex.h"
#include "lcfs/fuse/ranks.h"
#include "lcfs/fuse/transport.h"
#include "lcfs/io/iobuf.h"

/* Layout of a buffer of the pool: the request, then its area. */
#define HEAD align_up(sizeof(struct request), 4096)
/*
 * In a worker's buffer the message ends its head at a page's end, so that its payload begins a
 * page.
 */
#define MSG_PAGE 4096u

#define SMALL_ROOM (4096u + 2 * 4096)
#define MEDIUM_ROOM ((128u << 10) + 2 * 4096)
#define LARGE_ROOM (PROTO_MAX_IO + 2 * 4096)

#define SYNC_COUNT 512u
#define SMALL_COUNT 256u
#define MEDIUM_COUNT 64u
#define LARGE_COUNT 16u

enum origin {
	ORIGIN_WORKER,
	ORIGIN_POOL,
	ORIGIN_HEAP
};

struct worker {
	int fd;		    /* const */
	struct request *rq; /* owner: the worker's thread; NULL: taken along */
	_Atomic pid_t tid;  /* in read(), or about to be; 0: not */
};

struct dev {
	struct transport t;
	struct session *session; /* const */
	int main_fd;		 /* const */
	int stop_signal;	 /* const */
	struct iobuf_pool *pool; /* const */
	atomic_bool is_stopping;
	struct mutex lock;
	struct cond drained;
	unsigned long outstanding; /* lock: kept and copied requests */
	struct worker workers[];
};

static struct dev *dev_of(struct transport *t)
{
	return container_of(t, struct dev, t);
}

static void outstanding_add(struct dev *d)
{
	LOCK_SCOPE(&d->lock);
	d->outstanding++;
}

static void outstanding_sub(struct dev *d)
{
	LOCK_SCOPE(&d->lock);
	assert(d->outstanding > 0);
	if (--d->outstanding == 0)
		cond_broadcast(&d->drained);
}

/* A request at the head of a buffer, with its area of `room` bytes at `area` in the buffer. */
static struct request *request_init(struct dev *d, void *buf, enum origin origin, size_t area,
				    size_t room)
{
	struct request *rq = buf;

	memset(rq, 0, offsetof(struct request, io));
	rq->transport = &d->t;
	rq->session = d->session;
	rq->origin = origin;
	rq->area = (char *)buf + area;
	rq->area_bytes = room;
	list_init(&rq->node);
	return rq;
}

/* Reads one message. Its length, or -errno. */
static ssize_t read_message(struct dev *d, struct worker *w, void *msg, size_t bytes)
{
	static _Thread_local pid_t self;
	ssize_t n;
	int error;

	if (!self)
		self = (pid_t)syscall(SYS_gettid);
	atomic_store(&w->tid, self);
	if (atomic_load(&d->is_stopping)) {
		atomic_store(&w->tid, 0);
		return -EINTR;
	}
	n = read(w->fd, msg, bytes);
	error = errno;
	from_kernel(d);
	atomic_store(&w->tid, 0);
	return n < 0 ? -error : n;
}

static int dev_next(struct transport *t, unsigned int worker, struct request **out)
{
	struct dev *d = dev_of(t);
	struct worker *w = &d->workers[worker];
	struct request *rq;
	char *msg;
	ssize_t n;

	if (!w->rq)
		w->rq = iobuf_get(d->pool, HEAD + MSG_PAGE + LARGE_ROOM, true);
	msg = (char *)w->rq + HEAD + MSG_PAGE - PROTO_WRITE_HEAD;
	for (;;) {
		n = read_message(d, w, msg, PROTO_WRITE_HEAD + LARGE_ROOM);
		if (n >= (ssize_t)sizeof(struct fuse_in_header))
			break;
		if (n == 0)
			return -ENODEV;
		/* ENOENT: the request went away before it could be read; EIO: the kernel could not
		 * copy it and has ended it. */
		if (n > 0 || n == -ENOENT || n == -EAGAIN || n == -EIO)
			continue;
		if (n == -EINTR && !atomic_load(&d->is_stopping))
			continue;
		return (int)n;
	}
	rq = request_init(d, w->rq, ORIGIN_WORKER, HEAD + MSG_PAGE, LARGE_ROOM);
	rq->worker = worker;
	rq->channel = w->fd;
	rq->unique = ((const struct fuse_in_header *)(const void *)msg)->unique;
	rq->msg = msg;
	rq->msg_len = (uint32_t)n;
	*out = rq;
	return 0;
}

static void keep_params(struct request *to, const struct request *from)
{
	to->unique = from->unique;
	to->channel = from->channel;
	to->target = from->target;
	to->kind = from->kind;
	to->off = from->off;
	to->len = from->len;
	to->is_sync = from->is_sync;
	to->is_datasync = from->is_datasync;
	to->kill_suid = from->kill_suid;
}

static struct request *dev_keep(struct request *rq, size_t room)
{
	struct dev *d = dev_of(rq->transport);
	struct request *kept;

	outstanding_add(d);
	if (room > MEDIUM_ROOM) {
		assert(rq->origin == ORIGIN_WORKER);
		d->workers[rq->worker].rq = NULL;
		rq->origin = ORIGIN_POOL;
		rq->msg = NULL;
		return rq;
	}
	kept = request_init(d, iobuf_get(d->pool, HEAD + room, true), ORIGIN_POOL, HEAD, room);
	keep_params(kept, rq);
	if (rq->data) {
		kept->data = kept->area;
		memcpy(kept->data, rq->data, rq->len);
	}
	return kept;
}

static struct request *dev_copy(struct request *rq)
{
	struct dev *d = dev_of(rq->transport);
	/* io and read are of no use here. */
	struct request *copy = malloc(HEAD + rq->msg_len);

	if (!copy)
		return NULL;
	outstanding_add(d);
	request_init(d, copy, ORIGIN_HEAP, HEAD, 0);
	keep_params(copy, rq);
	copy->msg = copy->area;
	copy->msg_len = rq->msg_len;
	memcpy(copy->msg, rq->msg, rq->msg_len);
	return copy;
}

static void dev_end(struct request *rq)
{
	struct dev *d = dev_of(rq->transport);

	switch ((enum origin)rq->origin) {
	case ORIGIN_WORKER:
		return;
	case ORIGIN_POOL:
		iobuf_put(d->pool, rq);
		break;
	case ORIGIN_HEAP:
		free(rq);
		break;
	}
	outstanding_sub(d);
}

/* Requests that the kernel has given up meanwhile (aborted, unmounted) are worth no message. */
static int reply_result(const struct request *rq, ssize_t n, size_t len)
{
	int error = n < 0 ? errno : EIO;

	if (n == (ssize_t)len)
		return 0;
	if (error != ENOENT && error != ENODEV && error != ECONNABORTED)
		msg_err_ratelimited("/dev/fuse: reply to request %llu of %zu bytes failed: %s",
				    (unsigned long long)rq->unique, len, strerror(error));
	return -error;
}

static void dev_reply(struct request *rq, struct iovec *iov, int nr)
{
	ssize_t n;

	to_kernel(dev_of(rq->transport));
	/* One piece needs no vector, and is what most replies are. */
	if (nr == 1)
		n = write(rq->channel, iov->iov_base, iov->iov_len);
	else
		n = writev(rq->channel, iov, nr);
	(void)reply_result(rq, n, rq->out.len);
	dev_end(rq);
}

static int dev_reply_packed(struct request *rq, const void *msg, size_t len)
{
	int error;

	to_kernel(dev_of(rq->transport));
	error = reply_result(rq, write(rq->channel, msg, len), len);
	dev_end(rq);
	return error;
}

static int dev_notify(struct transport *t, struct iovec *iov, int nr)
{
	to_kernel(dev_of(t));
	return writev(dev_of(t)->main_fd, iov, nr) < 0 ? -errno : 0;
}

/* A signal that arrives just before read() is lost: so until the worker is seen outside of it. */
static void dev_stop(struct transport *t)
{
	struct dev *d = dev_of(t);
	const struct timespec pause = { .tv_nsec = 1000000 };

	atomic_store(&d->is_stopping, true);
	for (unsigned int i = 0; i < t->nr_workers; i++) {
		pid_t tid;

		while ((tid = atomic_load(&d->workers[i].tid)) != 0) {
			syscall(SYS_tgkill, getpid(), tid, d->stop_signal);
			nanosleep(&pause, NULL);
		}
	}
}

static void dev_drain(struct transport *t)
{
	struct dev *d = dev_of(t);

	LOCK_SCOPE(&d->lock);
	while (d->outstanding)
		cond_wait(&d->drained, &d->lock);
}

static void dev_close(struct transport *t)
{
	struct dev *d = dev_of(t);

	for (unsigned int i = 0; i < t->nr_workers; i++)
		iobuf_put(d->pool, d->workers[i].rq);
	iobuf_pool_close(d->pool);
	cond_destroy(&d->drained);
	mutex_destroy(&d->lock);
	free(d);
}

static const struct transport_ops dev_ops = {
	.next = dev_next,
	.keep = dev_keep,
	.copy = dev_copy,
	.reply = dev_reply,
	.reply_packed = dev_reply_packed,
	.end = dev_end,
	.notify = dev_notify,
	.stop = dev_stop,
	.drain = dev_drain,
	.close = dev_close,
};

static int open_pool(struct dev *d)
{
	const struct iobuf_class classes[] = {
		{ HEAD, SYNC_COUNT },
		{ HEAD + SMALL_ROOM, SMALL_COUNT },
		{ HEAD + MEDIUM_ROOM, MEDIUM_COUNT },
		{ HEAD + MSG_PAGE + LARGE_ROOM, LARGE_COUNT + d->t.nr_workers },
	};

	return iobuf_pool_open(&d->pool, classes, array_size(classes), &d->t.lock_error);
}

static void on_stop_signal(int sig unused_)
{
}

int transport_dev_open(struct transport **out, struct session *session, int main_fd, const int *fds,
		       unsigned int nr, int stop_signal)
{
	const struct sigaction action = { .sa_handler = on_stop_signal };
	struct dev *d = calloc(1, sizeof(*d) + nr * sizeof(d->workers[0]));
	int error;

	*out = NULL;
	if (!d)
		return -ENOMEM;
	d->t.ops = &dev_ops;
	d->t.nr_workers = nr;
	d->t.lends_workers = true;
	d->session = session;
	d->main_fd = main_fd;
	d->stop_signal = stop_signal;
	for (unsigned int i = 0; i < nr; i++)
		d->workers[i].fd = fds[i];
	error = open_pool(d);
	if (error) {
		free(d);
		return error;
	}
	mutex_init(&d->lock, RANK_TRANSPORT, "transport");
	cond_init(&d->drained);
	sigaction(stop_signal, &action, NULL);
	*out = &d->t;
	return 0;
}
