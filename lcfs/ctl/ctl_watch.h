/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Private to lcfs/ctl/: looks after the open files that somebody waits for. It compares their
 * values with what was read, ten times a second, on a thread of its own that exists once somebody
 * has waited.
 *
 *	locks: wake_lock; lock -> ctl_file.lock. Nothing of the layers below is called with any of
 *	them held, and ctlfs_set_wake()'s function with wake_lock only.
 */
#ifndef LCFS_CTL_CTL_WATCH_H
#define LCFS_CTL_CTL_WATCH_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/compiler.h"
#include "common/list.h"
#include "common/mutex.h"

struct ctl_file;
struct ctlfs;

/* Inner ones: see common/mutex.h. */
#define CTL_WAKE_RANK 998
#define CTL_WATCH_RANK 999
#define CTL_FILE_RANK 1000

struct ctl_watch {
	struct mutex lock;
	struct cond changed;
	struct list open;    /* ctl_file.open_node; lock */
	struct list waiting; /* ctl_file.wait_node; lock */
	bool is_ending;	     /* lock */
	bool has_thread;     /* lock */
	pthread_t thread;    /* lock, while it starts */

	struct mutex wake_lock;
	void (*wake)(void *ctx, uint64_t handle); /* lock: wake_lock */
	void *wake_ctx;				  /* lock: wake_lock */
};

void ctl_watch_init(struct ctl_watch *w);
/* No file is open. */
void ctl_watch_end(struct ctl_watch *w);

void ctl_watch_opened(struct ctl_file *f);
/* Drops the open file's reference: it may be gone. */
void ctl_watch_closed(struct ctl_file *f);
/* The handle is woken once when the value changes. 0, or -errno of a thread that cannot start. */
int ctl_watch_wait(struct ctl_file *f, uint64_t handle) must_check;
/* It is not to be woken. */
void ctl_watch_stop(struct ctl_file *f);
/* A value was written: who has read the file must look again. */
void ctl_watch_stored(struct ctlfs *t, uint64_t node);

#endif
