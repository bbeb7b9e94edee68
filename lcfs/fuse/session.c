// SPDX-License-Identifier: GPL-2.0-or-later
/* The session: its parts, its threads, its end. */
#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/messages.h"
#include "common/nsec.h"
#include "lcfs/fuse/init.h"
#include "lcfs/fuse/meta.h"
#include "lcfs/fuse/ops.h"
#include "lcfs/fuse/ranks.h"
#include "lcfs/fuse/rootattr.h"
#include "lcfs/fuse/session_impl.h"

#define STOP_SIGNAL SIGUSR2
#define WORKER_STACK (512u << 10)
#define DEFAULT_BACKGROUND 128
#define DEFAULT_META_THREADS 8
#define DEFAULT_TIMEOUT_MS 1000
#define FEWEST_FDS 64u
#define LEFT_POLL_NS (100 * NSEC_PER_MSEC)
#define ENABLE_URING "/sys/module/fuse/parameters/enable_uring"

static bool wants_no_reply(uint32_t opcode)
{
	return opcode == FUSE_FORGET || opcode == FUSE_BATCH_FORGET;
}

static void refuse(struct request *rq, uint32_t opcode, int error)
{
	if (wants_no_reply(opcode))
		request_end(rq);
	else
		request_reply(rq, error, NULL, 0);
}

/* The way to the control tree begins in the root. */
static enum meta_queue queue_of(const void *msg)
{
	const struct fuse_in_header *in = msg;

	if (in->nodeid & CTL_INO)
		return in->opcode == FUSE_WRITE ? META_STEER : META_LOOK;
	if (in->nodeid != FUSE_ROOT_ID)
		return META_FILES;
	if (in->opcode == FUSE_GETATTR)
		return META_LOOK;
	return in->opcode == FUSE_LOOKUP && strcmp(proto_arg(msg), CTL_NAME) == 0 ? META_LOOK :
										    META_FILES;
}

void session_dispatch(struct session *s, struct request *rq)
{
	const struct fuse_in_header *in = rq->msg;
	uint32_t opcode = in->opcode;
	struct request *copy;
	int error = proto_check(rq->msg, rq->msg_len, s->setxattr_ext);

	if (unlikely(msg_is_enabled(MSG_DEBUG)))
		msg_debug("request %llu: opcode %u, node %llx, %u bytes: %d",
			  (unsigned long long)in->unique, opcode, (unsigned long long)in->nodeid,
			  rq->msg_len, error);
	if (error) {
		refuse(rq, opcode, error);
		return;
	}
	switch (opcode) {
	case FUSE_READ:
	case FUSE_WRITE:
	case FUSE_FSYNC:
		if (io_dispatch(s, rq))
			return;
		break;
	case FUSE_INTERRUPT: /* nothing is interruptible: the kernel need not ask again */
		refuse(rq, opcode, -ENOSYS);
		return;
	case FUSE_INIT:
		refuse(rq, opcode, -EIO);
		return;
	case FUSE_DESTROY:
		refuse(rq, opcode, 0);
		return;
	}
	copy = request_copy(rq);
	if (copy)
		meta_submit(s->meta, queue_of(copy->msg), copy);
	else
		refuse(rq, opcode, -ENOMEM);
}

static void *worker_main(void *arg)
{
	struct session_worker *w = arg;
	struct session *s = w->session;
	struct request *rq;

	if (s->transport->lends_workers && s->nr_workers > 1)
		image_thread_lend(&w->is_away);
	while ((w->result = transport_next(s->transport, w->index, &rq)) == 0) {
		session_dispatch(s, rq);
		if (atomic_load_explicit(&s->has_left, memory_order_relaxed))
			return NULL;
	}
	mutex_lock(&s->lock);
	atomic_store(&w->has_ended, true);
	cond_signal(&s->ended);
	mutex_unlock(&s->lock);
	return NULL;
}

static int start_worker(struct session *s, unsigned int i)
{
	struct session_worker *w = &s->workers[i];
	pthread_attr_t attr;
	char name[24];
	int error;

	w->session = s;
	w->index = i;
	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, WORKER_STACK);
	error = -pthread_create(&w->thread, &attr, worker_main, w);
	pthread_attr_destroy(&attr);
	if (error)
		return error;
	snprintf(name, sizeof(name), "lcfs-work%u", i);
	pthread_setname_np(w->thread, name);
	return 0;
}

/*
 * Descriptors are what nodes cost: as many as allowed, half of them for nodes, the rest for images.
 */
static unsigned int raise_fd_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return FEWEST_FDS;
	limit.rlim_cur = limit.rlim_max;
	(void)setrlimit(RLIMIT_NOFILE, &limit);
	if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur / 2 < FEWEST_FDS)
		return FEWEST_FDS;
	return limit.rlim_cur / 2 > UINT_MAX ? UINT_MAX : (unsigned int)(limit.rlim_cur / 2);
}

static int fail(char *text, size_t size, int error, const char *format, ...) printf_like(4, 5);

static int fail(char *text, size_t size, int error, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(text, size, format, args);
	va_end(args);
	return error;
}

/* The kernel does not offer it: why, and what can be done. */
static int fail_offer(char *text, size_t size)
{
	if (access(ENABLE_URING, F_OK) < 0)
		return fail(text, size, -EOPNOTSUPP,
			    "transport=uring: this kernel has no FUSE over io_uring, which Linux "
			    "6.14 brought (CONFIG_FUSE_IO_URING): mount without it");
	return fail(text, size, -EOPNOTSUPP,
		    "transport=uring: FUSE over io_uring is switched off in the kernel: switch it "
		    "on (echo Y >" ENABLE_URING "; at boot: fuse.enable_uring=1), or mount without "
		    "it");
}

/* By io_uring from now on. */
static int go_over_uring(struct session *s, const struct request *init, char *text, size_t size)
{
	int error;

	if (!init_offers_uring(init->msg, init->msg_len))
		return fail_offer(text, size);
	error = transport_uring_open(&s->transport, s, s->conf.fd);
	if (error == -ERANGE)
		return fail(text, size, error,
			    "transport=uring: more processors than it can serve (1024): mount "
			    "without it");
	if (error)
		return fail(text, size, error,
			    "transport=uring: io_uring cannot be used (%s): see sysctl "
			    "kernel.io_uring_disabled and what a container forbids, or mount "
			    "without it",
			    strerror(-error));
	return 0;
}

/* Reads INIT, the first request, and agrees. */
static int negotiate(struct session *s, char *text, size_t size)
{
	const struct init_conf conf = {
		.writeback_cache = s->conf.writeback_cache,
		.over_uring = s->conf.over_uring,
		.max_background = (uint16_t)s->conf.max_background,
	};
	struct init_result r;
	struct request *rq;
	int error = transport_next(s->transport, 0, &rq);

	if (error)
		return fail(text, size, error,
			    "/dev/fuse: cannot read the kernel's first request: %s",
			    strerror(-error));
	if (conf.over_uring) {
		error = go_over_uring(s, rq, text, size);
		if (error) {
			request_reply(rq, error, NULL, 0);
			return error;
		}
	}
	error = init_answer(rq->msg, rq->msg_len, &conf, &r);
	if (error) {
		request_reply(rq, error, NULL, 0);
		return fail(text, size, error,
			    "/dev/fuse: this kernel's FUSE protocol is not one that lcfs speaks");
	}
	s->setxattr_ext = r.flags & FUSE_SETXATTR_EXT;
	meta_feed(s, rq->msg, rq->msg_len);
	error = request_reply_packed(rq, &r, r.head.len);
	if (error)
		return fail(text, size, error, "/dev/fuse: the kernel did not take INIT: %s",
			    strerror(-error));
	msg_debug("INIT: flags %#llx", (unsigned long long)r.flags);
	return 0;
}

static int open_transport(struct session *s)
{
	const int shared[] = { s->conf.fd, s->conf.fd };
	bool has_clones = s->conf.nr_clones > 0;
	unsigned int nr = has_clones ? s->conf.nr_clones : array_size(shared);

	return transport_dev_open(&s->transport, s, s->conf.fd,
				  has_clones ? s->conf.clones : shared,
				  s->conf.over_uring ? 1 : nr, STOP_SIGNAL);
}

/* The first nr workers, of a session that does not come to serve. */
static void end_workers(struct session *s, unsigned int nr)
{
	transport_stop(s->transport);
	while (nr-- > 0)
		pthread_join(s->workers[nr].thread, NULL);
	s->nr_workers = 0;
}

static int start_workers(struct session *s)
{
	sigset_t set, before;
	int error = 0;

	s->nr_workers = s->transport->nr_workers;
	s->workers = calloc(s->nr_workers, sizeof(s->workers[0]));
	if (!s->workers)
		return -ENOMEM;
	sigemptyset(&set);
	sigaddset(&set, STOP_SIGNAL);
	pthread_sigmask(SIG_UNBLOCK, &set, &before);
	for (unsigned int i = 0; i < s->nr_workers && !error; i++) {
		error = start_worker(s, i);
		if (error)
			end_workers(s, i);
	}
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return error;
}

static int start_all(struct session *s, char *text, size_t size)
{
	int error = nodes_open(&s->nodes, s->conf.images, imagedir_fd(s->conf.images),
			       raise_fd_limit());

	if (error)
		return fail(text, size, error, "the backing directory cannot be used: %s",
			    strerror(-error));
	error = rootattr_start(&s->rootattr, s->nodes);
	if (error)
		return fail(text, size, error, "the backing directory cannot be looked at: %s",
			    strerror(-error));
	error = open_transport(s);
	if (error)
		return fail(text, size, error, "no memory for requests: %s", strerror(-error));
	error = meta_start(s, s->conf.meta_threads);
	if (error)
		return fail(text, size, error, "metadata threads cannot start: %s",
			    strerror(-error));
	error = negotiate(s, text, size);
	if (error)
		return error;
	if (s->transport->lock_error)
		msg_warn("memory for requests is not locked (%s): raise RLIMIT_MEMLOCK",
			 strerror(-s->transport->lock_error));
	ctl_start(s);
	error = start_workers(s);
	if (error)
		return fail(text, size, error, "workers cannot start: %s", strerror(-error));
	error = transport_wait_ready(s->transport);
	if (error) {
		end_workers(s, s->nr_workers);
		return fail(text, size, error,
			    "transport=uring: the kernel has not taken all memory for requests: "
			    "%s: mount without it",
			    strerror(-error));
	}
	return 0;
}

int session_start(struct session **out, const struct session_conf *conf, char *text, size_t size)
{
	struct session *s = calloc(1, sizeof(*s));
	int error;

	*out = NULL;
	if (!s)
		return fail(text, size, -ENOMEM, "no memory");
	s->conf = *conf;
	if (s->conf.max_background == 0 || s->conf.max_background > UINT16_MAX)
		s->conf.max_background = DEFAULT_BACKGROUND;
	if (s->conf.meta_threads == 0)
		s->conf.meta_threads = DEFAULT_META_THREADS;
	if (s->conf.timeout_ms == 0)
		s->conf.timeout_ms = DEFAULT_TIMEOUT_MS;
	handles_init(&s->handles);
	mutex_init(&s->lock, RANK_SESSION, "session");
	cond_init(&s->ended);
	error = start_all(s, text, size);
	if (error) {
		meta_stop(s);
		session_free(s);
		return error;
	}
	*out = s;
	return 0;
}

/* How many workers have not ended; *all_away: these are lent to a device. */
static unsigned int nr_there(const struct session *s, bool *all_away)
{
	unsigned int n = 0;

	*all_away = true;
	for (unsigned int i = 0; i < s->nr_workers; i++) {
		if (atomic_load(&s->workers[i].has_ended))
			continue;
		n++;
		*all_away = *all_away && atomic_load(&s->workers[i].is_away);
	}
	return n;
}

/* Waits until another worker has ended, for a moment if one has. As nr_there(). */
static unsigned int wait_worker(struct session *s, bool *all_away)
{
	unsigned int n;
	LOCK_SCOPE(&s->lock);

	n = nr_there(s, all_away);
	if (n == s->nr_workers)
		cond_wait(&s->ended, &s->lock);
	else if (n)
		(void)cond_timedwait_ns(&s->ended, &s->lock, clock_mono_ns() + LEFT_POLL_NS);
	return nr_there(s, all_away);
}

/* Until all workers have ended, but for one that is lent to a device which hangs. */
static void wait_workers(struct session *s)
{
	bool all_away;

	while (wait_worker(s, &all_away) && !atomic_load(&s->has_left))
		if (all_away && imagedir_leave_lent(s->conf.images))
			atomic_store(&s->has_left, true);
}

int session_wait(struct session *s)
{
	int result = 0;

	wait_workers(s);
	for (unsigned int i = 0; i < s->nr_workers; i++) {
		int error;

		if (!atomic_load(&s->workers[i].has_ended))
			continue;
		pthread_join(s->workers[i].thread, NULL);
		error = s->workers[i].result;
		if (error != -ENODEV && (result == 0 || result == -EINTR))
			result = error;
	}
	meta_stop(s);
	transport_drain(s->transport);
	return result;
}

void session_stop(struct session *s)
{
	transport_stop(s->transport);
}

/* For tools that look for memory that nobody has any more. */
static struct session *volatile left_behind;

void session_free(struct session *s)
{
	if (!s)
		return;
	rootattr_stop(s->rootattr);
	dirs_close(s);
	ctl_close(s);
	if (atomic_load(&s->has_left)) {
		left_behind = s;
		return;
	}
	mutex_destroy(&s->lock);
	cond_destroy(&s->ended);
	transport_close(s->transport);
	nodes_close(s->nodes);
	handles_free(&s->handles);
	free(s->workers);
	free(s);
}
