// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A mutex that knows its rank and its owner.
 *
 * A thread stores its own identity as owner after it has locked, and NULL before it unlocks. So a
 * relaxed load is enough to ask "is it me?": who reads its own identity wrote it itself, and
 * whatever else is read means "not me".
 *
 * With PARANOID each thread keeps the mutexes it holds as a list. Every new one has a higher rank
 * than the one before it, so the list stays sorted whatever the order of unlocking, and a look at
 * its top is the whole check.
 */
#include "common/mutex.h"

#include <errno.h>
#include <stdlib.h>

#include "common/clock.h"
#include "common/messages.h"

_Thread_local char mutex_thread_key;

static const void *owner_of(const struct mutex *m)
{
	return atomic_load_explicit(&m->owner, memory_order_relaxed);
}

static void set_owner(struct mutex *m, const void *owner)
{
	atomic_store_explicit(&m->owner, owner, memory_order_relaxed);
}

static cold_ noreturn_ void fail(const struct mutex *m, const char *what)
{
	msg_err("bug: mutex %s: %s", m->name, what);
	abort();
}

void mutex_fail_not_held(const struct mutex *m)
{
	fail(m, "not held by this thread");
}

#ifdef PARANOID
static _Thread_local struct mutex *held_top;

static void order_check(const struct mutex *m)
{
	if (!held_top || held_top->rank < m->rank)
		return;
	msg_err("bug: mutex %s (rank %u) locked while %s (rank %u) is held", m->name, m->rank,
		held_top->name, held_top->rank);
	abort();
}

static void order_enter(struct mutex *m)
{
	m->below = held_top;
	held_top = m;
}

static void order_leave(struct mutex *m)
{
	struct mutex **link = &held_top;

	while (*link != m)
		link = &(*link)->below;
	*link = m->below;
	m->below = NULL;
}
#else
static void order_check(unused_ const struct mutex *m)
{
}

static void order_enter(unused_ struct mutex *m)
{
}

static void order_leave(unused_ struct mutex *m)
{
}
#endif

void mutex_init(struct mutex *m, unsigned int rank, const char *name)
{
	*m = (struct mutex){ .rank = rank, .name = name };
	pthread_mutex_init(&m->lock, NULL);
}

void mutex_destroy(struct mutex *m)
{
	if (unlikely(owner_of(m) != NULL))
		fail(m, "destroyed while held");
	pthread_mutex_destroy(&m->lock);
}

static void taken(struct mutex *m)
{
	set_owner(m, &mutex_thread_key);
	order_enter(m);
}

static void release(struct mutex *m)
{
	mutex_assert_held(m);
	order_leave(m);
	set_owner(m, NULL);
}

void mutex_lock(struct mutex *m)
{
	if (unlikely(owner_of(m) == &mutex_thread_key))
		fail(m, "locked again by the thread that holds it");
	order_check(m);
	pthread_mutex_lock(&m->lock);
	taken(m);
}

bool mutex_trylock(struct mutex *m)
{
	if (unlikely(owner_of(m) == &mutex_thread_key))
		fail(m, "locked again by the thread that holds it");
	order_check(m);
	if (pthread_mutex_trylock(&m->lock) != 0)
		return false;
	taken(m);
	return true;
}

void mutex_unlock(struct mutex *m)
{
	release(m);
	pthread_mutex_unlock(&m->lock);
}

void cond_init(struct cond *c)
{
	pthread_condattr_t attr;

	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&c->cond, &attr);
	pthread_condattr_destroy(&attr);
}

void cond_destroy(struct cond *c)
{
	pthread_cond_destroy(&c->cond);
}

void cond_wait(struct cond *c, struct mutex *m)
{
	release(m);
	pthread_cond_wait(&c->cond, &m->lock);
	taken(m);
}

int cond_timedwait_ns(struct cond *c, struct mutex *m, uint64_t deadline_ns)
{
	struct timespec ts = {
		.tv_sec = (time_t)(deadline_ns / NSEC_PER_SEC),
		.tv_nsec = (long)(deadline_ns % NSEC_PER_SEC),
	};
	int err;

	release(m);
	err = pthread_cond_timedwait(&c->cond, &m->lock, &ts);
	taken(m);
	return -err;
}

void cond_signal(struct cond *c)
{
	pthread_cond_signal(&c->cond);
}

void cond_broadcast(struct cond *c)
{
	pthread_cond_broadcast(&c->cond);
}
