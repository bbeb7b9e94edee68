// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The metadata threads.
 *
 * libfuse parses the request, calls the operation, and replies through our writev function, on the
 * same thread and before it returns: the reply is put together in locked memory of the thread and
 * sent the way the request came. What libfuse is too old to know is patched on the way: flags of
 * OPEN, the long form of SETXATTR.
 */
#include "lcfs/fuse/meta.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/messages.h"
#include "common/mutex.h"
#include "lcfs/fuse/ident.h"
#include "lcfs/fuse/ops.h"
#include "lcfs/fuse/ranks.h"
#include "lcfs/fuse/session_impl.h"
#include "lcfs/io/iobuf.h"

#define LOOK_THREADS 2
#define STEER_THREADS 4
#define STACK_BYTES (1u << 20)
/* The largest reply, header included. */
#define REPLY_BYTES (OPS_REPLY_MAX + 4096)

struct meta_thread {
	struct meta *meta;
	enum meta_queue queue; /* which it serves; const */
	pthread_t thread;
	struct request *rq; /* unanswered; owner: the thread */
	uint32_t opcode;
	uint32_t open_flags;
	uint32_t setxattr_flags;
	struct fuse_poll_in poll;
	struct iobuf_region reply;
};

struct meta {
	struct session *session;
	struct mutex lock;
	struct cond wake[META_QUEUES];
	struct list queue[META_QUEUES]; /* lock */
	bool is_stopping;		/* lock */
	/* lock, while they start: */
	unsigned int nr_ready;
	int start_error;
	struct cond ready;
	unsigned int nr;
	struct meta_thread threads[];
};

static _Thread_local struct meta_thread *self;

void meta_add_open_flags(uint32_t flags)
{
	self->open_flags |= flags;
}

uint32_t meta_setxattr_flags(void)
{
	return self->setxattr_flags;
}

/* libfuse keeps it to itself, and would notify in its own way. */
bool meta_poll_handle(uint64_t *handle)
{
	*handle = self->poll.kh;
	return self->poll.flags & FUSE_POLL_SCHEDULE_NOTIFY;
}

/* Flags that libfuse's struct has no room for. */
static void patch_open(char *msg, size_t len)
{
	struct fuse_out_header out;
	struct fuse_open_out open;
	size_t at = sizeof(out);

	memcpy(&out, msg, sizeof(out));
	if (self->opcode == FUSE_CREATE)
		at += sizeof(struct fuse_entry_out);
	else if (self->opcode != FUSE_OPEN)
		return;
	if (out.error || len < at + sizeof(open))
		return;
	memcpy(&open, msg + at, sizeof(open));
	open.open_flags |= self->open_flags;
	memcpy(msg + at, &open, sizeof(open));
}

/* libfuse's way to reply. */
static ssize_t reply_writev(int fd unused_, struct iovec *iov, int count, void *userdata unused_)
{
	size_t len = 0;
	char *msg;
	int error;

	for (int i = 0; i < count; i++)
		len += iov[i].iov_len;
	if (!self) /* meta_feed() */
		return (ssize_t)len;
	if (len > self->reply.bytes || !self->rq) {
		errno = EMSGSIZE;
		return -1;
	}
	msg = self->reply.mem;
	for (int i = 0; i < count; i++) {
		memcpy(msg, iov[i].iov_base, iov[i].iov_len);
		msg += iov[i].iov_len;
	}
	patch_open(self->reply.mem, len);
	error = request_reply_packed(steal_ptr(self->rq), self->reply.mem, len);
	if (error) {
		errno = -error;
		return -1;
	}
	return (ssize_t)len;
}

static ssize_t no_read(int fd unused_, void *buf unused_, size_t len unused_,
		       void *userdata unused_)
{
	errno = ENODEV;
	return -1;
}

/* Takes the part of the argument away that libfuse does not know. */
static uint32_t shorten_setxattr(struct meta_thread *t, void *msg, uint32_t len)
{
	struct fuse_in_header *in = msg;
	struct fuse_setxattr_in arg;
	const uint32_t cut = sizeof(arg) - FUSE_COMPAT_SETXATTR_IN_SIZE;
	char *rest = (char *)msg + sizeof(*in) + FUSE_COMPAT_SETXATTR_IN_SIZE;

	memcpy(&arg, proto_arg(msg), sizeof(arg));
	t->setxattr_flags = arg.setxattr_flags;
	len -= cut;
	memmove(rest, rest + cut, len - (size_t)(rest - (char *)msg));
	in->len = len;
	return len;
}

static void forget(struct session *s, struct request *rq)
{
	const struct fuse_in_header *in = rq->msg;
	const struct fuse_batch_forget_in *batch = proto_arg(rq->msg);
	const struct fuse_forget_one *one = (const void *)(batch + 1);

	if (in->opcode == FUSE_FORGET) {
		const struct fuse_forget_in *arg = proto_arg(rq->msg);

		nodes_forget(s->nodes, in->nodeid, arg->nlookup);
	} else {
		for (uint32_t i = 0; i < batch->count; i++)
			nodes_forget(s->nodes, one[i].nodeid, one[i].nlookup);
	}
	request_end(rq);
}

static void reply_error(struct meta_thread *t, int error)
{
	struct request *rq = steal_ptr(t->rq);
	struct fuse_out_header *out = t->reply.mem;

	*out = (struct fuse_out_header){ sizeof(*out), error, rq->unique };
	request_reply_packed(rq, out, sizeof(*out));
}

static void serve(struct meta_thread *t, struct request *rq)
{
	struct session *s = t->meta->session;
	struct fuse_buf buf = { .mem = rq->msg, .size = rq->msg_len };

	t->opcode = ((const struct fuse_in_header *)rq->msg)->opcode;
	if (t->opcode == FUSE_FORGET || t->opcode == FUSE_BATCH_FORGET) {
		forget(s, rq);
		return;
	}
	t->rq = rq;
	t->open_flags = 0;
	t->setxattr_flags = 0;
	if (t->opcode == FUSE_POLL)
		memcpy(&t->poll, proto_arg(rq->msg), sizeof(t->poll));
	if (t->opcode == FUSE_SETXATTR && s->setxattr_ext)
		buf.size = shorten_setxattr(t, rq->msg, rq->msg_len);
	fuse_session_process_buf(s->fuse, &buf);
	if (t->rq)
		reply_error(t, -EIO);
}

static struct request *next_request(struct meta *m, enum meta_queue q)
{
	LOCK_SCOPE(&m->lock);
	while (list_is_empty(&m->queue[q]) && !m->is_stopping)
		cond_wait(&m->wake[q], &m->lock);
	return list_pop_head(&m->queue[q], struct request, node);
}

static void *thread_main(void *arg)
{
	struct meta_thread *t = arg;
	struct meta *m = t->meta;
	struct request *rq;
	int error = ident_init_thread();

	self = t;
	mutex_lock(&m->lock);
	m->nr_ready++;
	if (error)
		m->start_error = error;
	cond_signal(&m->ready);
	mutex_unlock(&m->lock);
	while ((rq = next_request(m, t->queue)) != NULL) {
		if (rq->run)
			rq->run(rq);
		else
			serve(t, rq);
	}
	return NULL;
}

void meta_submit(struct meta *m, enum meta_queue q, struct request *rq)
{
	LOCK_SCOPE(&m->lock);
	list_add_tail(&m->queue[q], &rq->node);
	cond_signal(&m->wake[q]);
}

void meta_feed(struct session *s, void *msg, uint32_t len)
{
	struct fuse_buf buf = { .mem = msg, .size = len };

	fuse_session_process_buf(s->fuse, &buf);
}

static void log_message(enum fuse_log_level level, const char *format, va_list args)
	printf_like(2, 0);

static void log_message(enum fuse_log_level level, const char *format, va_list args)
{
	char text[512];
	size_t len;

	vsnprintf(text, sizeof(text), format, args);
	len = strlen(text);
	if (len && text[len - 1] == '\n')
		text[len - 1] = 0;
	if (level <= FUSE_LOG_ERR)
		msg_err_ratelimited("libfuse: %s", text);
	else
		msg_debug("libfuse: %s", text);
}

static int make_fuse(struct session *s)
{
	static const struct fuse_custom_io io = { .writev = reply_writev, .read = no_read };
	char name[] = "lcfs";
	char *argv[] = { name, NULL };
	struct fuse_args args = FUSE_ARGS_INIT(1, argv);
	/* fuse_session_destroy() closes it. */
	int fd = fcntl(s->conf.fd, F_DUPFD_CLOEXEC, 0);
	int error;

	if (fd < 0)
		return -errno;
	fuse_set_log_func(log_message);
	s->fuse = fuse_session_new(&args, &ops_table, sizeof(ops_table), s);
	fuse_opt_free_args(&args);
	if (!s->fuse) {
		close(fd);
		return -ENOMEM;
	}
	error = fuse_session_custom_io(s->fuse, &io, fd);
	if (error)
		close(fd);
	return error;
}

static int start_thread(struct meta *m, unsigned int i, enum meta_queue q)
{
	struct meta_thread *t = &m->threads[i];
	pthread_attr_t attr;
	char name[24];
	int error;

	t->meta = m;
	t->queue = q;
	error = iobuf_region_alloc(&t->reply, REPLY_BYTES);
	if (error)
		return error;
	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, STACK_BYTES);
	error = -pthread_create(&t->thread, &attr, thread_main, t);
	pthread_attr_destroy(&attr);
	if (error) {
		iobuf_region_free(&t->reply);
		return error;
	}
	snprintf(name, sizeof(name), "lcfs-meta%u", i);
	pthread_setname_np(t->thread, name);
	return 0;
}

/* Waits for all threads to say whether they can work. */
static int wait_ready(struct meta *m)
{
	LOCK_SCOPE(&m->lock);
	while (m->nr_ready < m->nr)
		cond_wait(&m->ready, &m->lock);
	return m->start_error;
}

static enum meta_queue queue_of_thread(unsigned int i)
{
	return i < LOOK_THREADS			? META_LOOK :
	       i < LOOK_THREADS + STEER_THREADS ? META_STEER :
						  META_FILES;
}

int meta_start(struct session *s, unsigned int nr_threads)
{
	const unsigned int all = LOOK_THREADS + STEER_THREADS + nr_threads;
	struct meta *m = calloc(1, sizeof(*m) + all * sizeof(m->threads[0]));
	int error;

	if (!m)
		return -ENOMEM;
	m->session = s;
	s->meta = m;
	mutex_init(&m->lock, RANK_META, "metadata queue");
	cond_init(&m->ready);
	for (int q = 0; q < META_QUEUES; q++) {
		cond_init(&m->wake[q]);
		list_init(&m->queue[q]);
	}
	error = make_fuse(s);
	while (!error && m->nr < all) {
		error = start_thread(m, m->nr, queue_of_thread(m->nr));
		if (!error)
			m->nr++;
	}
	if (!error)
		error = wait_ready(m);
	if (error)
		meta_stop(s);
	return error;
}

void meta_stop(struct session *s)
{
	struct meta *m = s->meta;

	if (!m)
		return;
	mutex_lock(&m->lock);
	m->is_stopping = true;
	for (int q = 0; q < META_QUEUES; q++)
		cond_broadcast(&m->wake[q]);
	mutex_unlock(&m->lock);
	for (unsigned int i = 0; i < m->nr; i++) {
		pthread_join(m->threads[i].thread, NULL);
		iobuf_region_free(&m->threads[i].reply);
	}
	if (s->fuse)
		fuse_session_destroy(s->fuse);
	s->fuse = NULL;
	for (int q = 0; q < META_QUEUES; q++)
		cond_destroy(&m->wake[q]);
	cond_destroy(&m->ready);
	mutex_destroy(&m->lock);
	free(m);
	s->meta = NULL;
}
