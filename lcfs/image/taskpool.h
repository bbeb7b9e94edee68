/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A few threads for what may block, first come first served. */
#ifndef LCFS_IMAGE_TASKPOOL_H
#define LCFS_IMAGE_TASKPOOL_H

#include "common/compiler.h"
#include "common/list.h"

struct taskpool;

/* Embedded in what it serves, which stays alive until run() lets go of it. */
struct task {
	struct list node;
	void (*run)(struct task *t); /* once, on a thread of the pool */
};

/* Threads are named `name`. 0 or -errno. */
int taskpool_start(struct taskpool **out, unsigned int threads, const char *name) must_check;
/* Any thread. Never blocks for long, allocates nothing. */
void taskpool_add(struct taskpool *p, struct task *t);
/* Runs what is queued, then ends the threads. NULL is allowed. False: a task hangs, and the pool is
 * left behind with it. */
bool taskpool_stop(struct taskpool *p);

#endif
