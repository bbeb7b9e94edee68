// SPDX-License-Identifier: GPL-2.0-or-later
/* A few threads for what may block. */
#include "lcfs/image/taskpool.h"

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>

#include "common/mutex.h"
#include "common/thread_end.h"
#include "lcfs/image/image_rank.h"

struct taskpool {
	struct mutex lock;
	struct cond wakeup;
	struct list tasks;	    /* lock: lock */
	bool is_stopping;	    /* lock: lock */
	const char *name;	    /* const after start */
	_Atomic(unsigned int) done; /* tasks */
	unsigned int started;	    /* owner: who starts and stops */
	pthread_t thread[];
};

/* The next task, or NULL when the pool ends. */
static struct task *next_task(struct taskpool *p)
{
	LOCK_SCOPE(&p->lock);

	while (list_is_empty(&p->tasks) && !p->is_stopping)
		cond_wait(&p->wakeup, &p->lock);
	return list_pop_head(&p->tasks, struct task, node);
}

static void *run_tasks(void *arg)
{
	struct taskpool *p = arg;
	struct task *t;

	pthread_setname_np(pthread_self(), p->name);
	while ((t = next_task(p)) != NULL) {
		t->run(t);
		atomic_fetch_add(&p->done, 1);
	}
	return NULL;
}

int taskpool_start(struct taskpool **out, unsigned int threads, const char *name)
{
	struct taskpool *p = calloc(1, sizeof(*p) + threads * sizeof(p->thread[0]));
	int r = 0;

	*out = NULL;
	if (!p)
		return -ENOMEM;
	mutex_init(&p->lock, RANK_TASKPOOL, "task pool");
	cond_init(&p->wakeup);
	list_init(&p->tasks);
	p->name = name;
	while (p->started < threads && r == 0) {
		r = pthread_create(&p->thread[p->started], NULL, run_tasks, p);
		if (r == 0)
			p->started++;
	}
	if (r) {
		(void)taskpool_stop(p);
		return -r;
	}
	*out = p;
	return 0;
}

void taskpool_add(struct taskpool *p, struct task *t)
{
	mutex_lock(&p->lock);
	list_add_tail(&p->tasks, &t->node);
	cond_signal(&p->wakeup);
	mutex_unlock(&p->lock);
}

bool taskpool_stop(struct taskpool *p)
{
	if (!p)
		return true;
	mutex_lock(&p->lock);
	p->is_stopping = true;
	cond_broadcast(&p->wakeup);
	mutex_unlock(&p->lock);
	for (; p->started; p->started--)
		if (!thread_join_or_leave(p->thread[p->started - 1], &p->done))
			return false;
	cond_destroy(&p->wakeup);
	mutex_destroy(&p->lock);
	free(p);
	return true;
}
