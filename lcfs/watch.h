/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the service manager hears of a mount, from one thread: how the recovery goes on, that the
 * mount serves, signs of life, that it ends. Without a service manager that listens there is no
 * thread, and nothing here does anything.
 *
 * A sign of life is sent when the engine has answered, never because time has passed; and more time
 * is asked for only while something moves: who hangs is found out.
 */
#ifndef LCFS_WATCH_H
#define LCFS_WATCH_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/compiler.h"
#include "common/mutex.h"
#include "lcfs/io/blkdev.h"
#include "lcfs/notify.h"

/* Returns when the engine has done a piece of real work, whatever came of it: 0 or -errno. */
typedef int (*watch_prove_fn)(void *ctx);

enum watch_state {
	WATCH_STARTING,
	WATCH_SERVING,
	WATCH_STOPPING, /* serves those who still use it */
	WATCH_CLOSING,	/* nobody is left; the cache is brought to its end */
	WATCH_END,
};

struct watch {
	struct notify notify;
	const char *mnt;  /* const */
	uint64_t tick_ns; /* const */
	pthread_t thread; /* of whom watch_end() waits, if has_thread */
	bool has_thread;
	struct mutex lock; /* of what follows; the last in any order */
	struct cond changed;
	bool is_proving, is_told_stopping;
	enum watch_state state;
	watch_prove_fn prove;
	void *ctx;
};

/*
 * A block device that counts what is read through it as a sign that recovery goes on: of this
 * process, which has one mount, whichever cache it is.
 */
struct watch_dev {
	struct blkdev dev;
	struct blkdev *below;
};

/*
 * The signals that the caller has blocked stay blocked in the thread. mnt outlives *w. tick_ms: how
 * often it looks, 0: once a second. -errno if there can be no thread.
 */
int watch_start(struct watch *w, const char *mnt, unsigned int tick_ms) must_check;
/* *d is good as long as it and below are. */
struct blkdev *watch_dev(struct watch_dev *d, struct blkdev *below);
/* Another file was looked at, so that images meet their files: goes on, too. Any thread. */
void watch_looked(void);
/* The mount serves. prove may be called with ctx, by the thread, until watch_closing() returns. */
void watch_serving(struct watch *w, watch_prove_fn prove, void *ctx);
/* Its end has begun. Any thread, as often as one likes. */
void watch_stopping(struct watch *w);
/* The last user has gone. */
void watch_closing(struct watch *w);
/* Ends the thread. Once, after a watch_start() that returned 0, in whatever state. */
void watch_end(struct watch *w);

#endif
