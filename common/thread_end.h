/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Threads that may hang in a system call when they are to end. */
#ifndef COMMON_THREAD_END_H
#define COMMON_THREAD_END_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <time.h>

#define THREAD_HANGS_S 15

/*
 * Waits for the thread, as long as it gets something done: *progress changes. False: for
 * THREAD_HANGS_S it has not. It must find all that it uses when it comes back, and the process is
 * to end soon.
 */
static inline bool thread_join_or_leave(pthread_t thread, const _Atomic(unsigned int) *progress)
{
	unsigned int before;
	struct timespec until;

	do {
		before = atomic_load(progress);
		clock_gettime(CLOCK_REALTIME, &until);
		until.tv_sec += THREAD_HANGS_S;
		if (pthread_timedjoin_np(thread, NULL, &until) == 0)
			return true;
	} while (atomic_load(progress) != before);
	return false;
}

#endif
