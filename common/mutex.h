/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A mutex that knows its rank and its owner.
 *
 * Ranks are the lock order: a thread takes a mutex only if its rank is higher than that of every
 * mutex it holds, and this is checked at each lock where PARANOID is defined. Ownership is always
 * checked: to lock a mutex again, to unlock or wait on one that another thread holds, or to destroy
 * a held one, ends the program with a message.
 */
#ifndef COMMON_MUTEX_H
#define COMMON_MUTEX_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/compiler.h"

struct mutex {
	pthread_mutex_t lock;
	_Atomic(const void *) owner; /* identifies the owning thread; NULL when free */
	struct mutex *below;	     /* owner's: held by the same thread, taken before (PARANOID) */
	unsigned int rank;	     /* const after init */
	const char *name;	     /* const after init; not owned */
};

void mutex_init(struct mutex *m, unsigned int rank, const char *name);
/* No one holds it. */
void mutex_destroy(struct mutex *m);
void mutex_lock(struct mutex *m);
/* False: another thread holds it. Needs the same order as mutex_lock(). */
bool mutex_trylock(struct mutex *m) must_check;
void mutex_unlock(struct mutex *m);

/* Ends the program with a message; for mutex_assert_held(). */
noreturn_ void mutex_fail_not_held(const struct mutex *m);

/* Its address is what tells threads apart. */
extern _Thread_local char mutex_thread_key;

/* Ends the program unless the calling thread holds m. Cheap enough for each *_locked() function. */
static inline void mutex_assert_held(const struct mutex *m)
{
	if (unlikely(atomic_load_explicit(&m->owner, memory_order_relaxed) != &mutex_thread_key))
		mutex_fail_not_held(m);
}

static inline struct mutex *mutex_scope_enter_(struct mutex *m)
{
	mutex_lock(m);
	return m;
}

static inline void mutex_scope_leave_(struct mutex *const *m)
{
	mutex_unlock(*m);
}

#define mutex_paste__(a, b) a##b
#define mutex_paste_(a, b) mutex_paste__(a, b)

/* Holds m to the end of the scope. */
#define lock_scope_(name, m)                                                            \
	__attribute__((cleanup(mutex_scope_leave_), unused)) struct mutex *const name = \
		mutex_scope_enter_(m)
#define LOCK_SCOPE(m) lock_scope_(mutex_paste_(lock_scope_, __COUNTER__), m)

/* A condition variable on the monotonic clock. */
struct cond {
	pthread_cond_t cond;
};

void cond_init(struct cond *c);
void cond_destroy(struct cond *c);
/* The caller holds m, before and after. May wake for no reason. */
void cond_wait(struct cond *c, struct mutex *m);
/* As cond_wait(), until deadline_ns of clock_mono_ns(): 0, or -ETIMEDOUT. */
int cond_timedwait_ns(struct cond *c, struct mutex *m, uint64_t deadline_ns);
void cond_signal(struct cond *c);
void cond_broadcast(struct cond *c);

#endif
