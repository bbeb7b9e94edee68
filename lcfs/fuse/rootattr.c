// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * One thread asks the store, whoever wants to know waits for it with a limit. While an answer is
 * overdue nobody waits.
 */
#include "lcfs/fuse/rootattr.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>

#include "common/clock.h"
#include "common/mutex.h"
#include "lcfs/fuse/node.h"
#include "lcfs/fuse/ranks.h"

#define PATIENCE_NS NSEC_PER_SEC

struct rootattr {
	struct nodes *nodes; /* const */
	pthread_t thread;
	struct mutex lock; /* of all below */
	struct cond asked, answered;
	uint64_t nr_asked, nr_answered;
	bool is_overdue, is_stopping;
	struct stat last;
};

/* What is asked for next; false: stop. */
static bool next(struct rootattr *r, uint64_t *number)
{
	LOCK_SCOPE(&r->lock);

	while (r->nr_answered == r->nr_asked && !r->is_stopping)
		cond_wait(&r->asked, &r->lock);
	*number = r->nr_asked;
	return !r->is_stopping;
}

static void answer(struct rootattr *r, uint64_t number, const struct stat *st)
{
	LOCK_SCOPE(&r->lock);

	if (st)
		r->last = *st;
	r->nr_answered = number;
	r->is_overdue = false;
	cond_broadcast(&r->answered);
}

static int root_fd(const struct rootattr *r)
{
	return nodes_root(r->nodes)->fd;
}

static void *run(void *arg)
{
	struct rootattr *r = arg;
	struct stat st;
	uint64_t number;

	pthread_setname_np(pthread_self(), "lcfs-root");
	while (next(r, &number)) {
		nodes_renew_root(r->nodes);
		answer(r, number, fstatat(root_fd(r), "", &st, AT_EMPTY_PATH) < 0 ? NULL : &st);
	}
	return NULL;
}

void rootattr_get(struct rootattr *r, struct stat *st)
{
	uint64_t number, deadline = clock_mono_ns() + PATIENCE_NS;

	LOCK_SCOPE(&r->lock);
	number = ++r->nr_asked;
	cond_signal(&r->asked);
	while (r->nr_answered < number && !r->is_overdue)
		if (cond_timedwait_ns(&r->answered, &r->lock, deadline) == -ETIMEDOUT)
			r->is_overdue = r->nr_answered < number;
	*st = r->last;
}

static void destroy(struct rootattr *r)
{
	cond_destroy(&r->asked);
	cond_destroy(&r->answered);
	mutex_destroy(&r->lock);
	free(r);
}

int rootattr_start(struct rootattr **out, struct nodes *nodes)
{
	struct rootattr *r = calloc(1, sizeof(*r));
	int error;

	*out = NULL;
	if (!r)
		return -ENOMEM;
	r->nodes = nodes;
	mutex_init(&r->lock, RANK_ROOTATTR, "root attributes");
	cond_init(&r->asked);
	cond_init(&r->answered);
	error = fstatat(root_fd(r), "", &r->last, AT_EMPTY_PATH) < 0 ? errno : 0;
	if (!error)
		error = pthread_create(&r->thread, NULL, run, r);
	if (error) {
		destroy(r);
		return -error;
	}
	*out = r;
	return 0;
}

void rootattr_stop(struct rootattr *r)
{
	if (!r)
		return;
	mutex_lock(&r->lock);
	r->is_stopping = true;
	cond_signal(&r->asked);
	mutex_unlock(&r->lock);
	pthread_join(r->thread, NULL);
	destroy(r);
}
