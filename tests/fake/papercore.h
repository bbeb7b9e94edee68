/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A core of paper for tests of the engine: the functions of the core that the engine calls, which
 * do nothing but take notes. What follows an action is up to its complete().
 */
#ifndef TESTS_FAKE_PAPERCORE_H
#define TESTS_FAKE_PAPERCORE_H

#include <pthread.h>
#include <stdatomic.h>

#include "common/mutex.h"
#include "lcfs/cache/cache.h"

struct cache {
	struct mutex lock;
	struct cond changed; /* something below it is not the same */
	_Atomic uint64_t deadline;
	unsigned int encoded[2048]; /* log thread: arg of each ENCODE */
	unsigned int nr_encoded;    /* log thread */
	pthread_t encode_thread;    /* log thread */
	unsigned int nr_completed;  /* lock */
	unsigned int nr_requests;   /* lock: for the test, RESUME and DONE seen */
	unsigned int nr_ticks;	    /* lock */
	unsigned int nr_samples;    /* lock */
	int last_sample;	    /* lock */
	int shutdown_error;	    /* by the test */
	_Atomic bool is_lost;	    /* by the test */
};

void papercore_init(struct cache *c);
/* Waits until *counter, which is under the core's lock, is at least n. */
void papercore_wait(struct cache *c, const unsigned int *counter, unsigned int n);

#endif
