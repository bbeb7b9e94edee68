// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The event loop on threads, for kernels that give no io_uring.
 *
 * Attempts stand in a queue; the threads make them by blocking calls and put them into a list of
 * what has ended, from where the owner takes them. The owner sleeps on the eventfd, which tells of
 * that list and of the inbox.
 */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/align.h"
#include "common/clock.h"
#include "lcfs/io/loop_impl.h"

#define THREADS_MAX 64

struct threads {
	struct loop *loop;
	pthread_t thread[THREADS_MAX];
	unsigned int nr_threads;
	struct mutex lock;
	struct cond has_work;
	struct list queue; /* lock */
	struct list ended; /* lock */
	bool is_ending;	   /* lock */
};

static void threads_start(struct loop *l, struct loop_op *op)
{
	struct threads *t = l->impl;
	LOCK_SCOPE(&t->lock);

	list_add_tail(&t->queue, &op->node);
	cond_signal(&t->has_work);
}

static void threads_submit(unused_ struct loop *l)
{
}

/* The next attempt, or NULL at the end. */
static struct loop_op *next_attempt(struct threads *t)
{
	LOCK_SCOPE(&t->lock);

	while (list_is_empty(&t->queue) && !t->is_ending)
		cond_wait(&t->has_work, &t->lock);
	return list_pop_head(&t->queue, struct loop_op, node);
}

static void *work(void *arg)
{
	struct threads *t = arg;
	struct loop_op *op;

	while ((op = next_attempt(t))) {
		bool is_first;

		op->result = loop_attempt_now(op);
		mutex_lock(&t->lock);
		is_first = list_is_empty(&t->ended);
		list_add_tail(&t->ended, &op->node);
		mutex_unlock(&t->lock);
		if (is_first)
			loop_wake(t->loop);
	}
	return NULL;
}

static void sleep_until(struct loop *l, uint64_t deadline_ns)
{
	struct pollfd p = { .fd = l->wake_fd, .events = POLLIN };
	uint64_t now = deadline_ns ? clock_mono_ns() : 0;
	uint64_t left = deadline_ns > now ? deadline_ns - now : 0;
	struct timespec ts = {
		.tv_sec = (time_t)(left / NSEC_PER_SEC),
		.tv_nsec = (long)(left % NSEC_PER_SEC),
	};
	uint64_t count;

	if (ppoll(&p, 1, deadline_ns == UINT64_MAX ? NULL : &ts, NULL) > 0) {
		ssize_t n = read(l->wake_fd, &count, sizeof(count));

		(void)n;
	}
}

static void threads_wait(struct loop *l, uint64_t deadline_ns)
{
	struct threads *t = l->impl;
	struct list ended;
	struct loop_op *op;

	sleep_until(l, deadline_ns);
	list_init(&ended);
	mutex_lock(&t->lock);
	list_splice_tail(&ended, &t->ended);
	mutex_unlock(&t->lock);
	while ((op = list_pop_head(&ended, struct loop_op, node)))
		loop_attempt_done(l, op, op->result);
}

static void threads_close(struct loop *l)
{
	struct threads *t = l->impl;

	mutex_lock(&t->lock);
	t->is_ending = true;
	cond_broadcast(&t->has_work);
	mutex_unlock(&t->lock);
	for (unsigned int i = 0; i < t->nr_threads; i++)
		pthread_join(t->thread[i], NULL);
	cond_destroy(&t->has_work);
	mutex_destroy(&t->lock);
	free(t);
	l->impl = NULL;
}

static const struct loop_engine threads_engine = {
	.name = "threads",
	.start = threads_start,
	.submit = threads_submit,
	.wait = threads_wait,
	.close = threads_close,
};

int loop_threads_open(struct loop *l, const struct loop_conf *conf)
{
	unsigned int wanted = conf->blocking ? conf->blocking : conf->depth;
	struct threads *t = calloc(1, sizeof(*t));
	sigset_t all, old;
	int err = 0;

	if (!t)
		return -ENOMEM;
	t->loop = l;
	mutex_init(&t->lock, LOOP_THREADS_RANK, "loop threads");
	cond_init(&t->has_work);
	list_init(&t->queue);
	list_init(&t->ended);
	l->impl = t;
	l->engine = &threads_engine;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	while (t->nr_threads < min(max(wanted, 1u), (unsigned int)THREADS_MAX) && !err) {
		err = -pthread_create(&t->thread[t->nr_threads], NULL, work, t);
		if (!err)
			t->nr_threads++;
	}
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return t->nr_threads ? 0 : err;
}
