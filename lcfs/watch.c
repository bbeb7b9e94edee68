// SPDX-License-Identifier: GPL-2.0-or-later
/* What the service manager hears of a mount. */
#include "lcfs/watch.h"

#include <inttypes.h>
#include <string.h>

#include "common/clock.h"
#include "common/nsec.h"

#define RANK 1000 /* nothing is locked while it is held */

/* More time, each time that something has moved; what a device may take for one request. */
#define MORE_US (30 * UINT64_C(1000000))
/* Once, for writing out what is in RAM and the super block. */
#define CLOSE_US (120 * UINT64_C(1000000))

static _Atomic uint64_t recovery_bytes; /* that recovery has read */
static _Atomic uint64_t files_looked_at; /* for those of the images */

/* ------------------------------------------------------------------ the thread */

/* Until `end` of the monotonic clock, 0: for ever, or until the state is no more `state`. */
static void wait_locked(struct watch *w, enum watch_state state, uint64_t end)
{
	bool in_time = true;

	while (w->state == state && in_time) {
		if (end)
			in_time = cond_timedwait_ns(&w->changed, &w->lock, end) == 0;
		else
			cond_wait(&w->changed, &w->lock);
	}
}

struct seen {
	uint64_t bytes, files;
};

/* One look at a recovery, and at what comes behind it. */
static void tell_starting(struct watch *w, struct seen *seen)
{
	struct seen now = { .bytes = atomic_load(&recovery_bytes),
			    .files = atomic_load(&files_looked_at) };

	if (now.files != seen->files)
		notify_send(&w->notify,
			    "EXTEND_TIMEOUT_USEC=%" PRIu64
			    "\nSTATUS=%s: finding the images, %" PRIu64 " files looked at",
			    MORE_US, w->mnt, now.files);
	else if (now.bytes != seen->bytes)
		notify_send(&w->notify,
			    "EXTEND_TIMEOUT_USEC=%" PRIu64
			    "\nSTATUS=%s: recovering the cache, %" PRIu64 " MiB read",
			    MORE_US, w->mnt, now.bytes >> 20);
	*seen = now;
}

/* A sign of life, if the engine answers. Called and returns with the lock held, but lets it go. */
static void prove_locked(struct watch *w)
{
	int err;

	w->is_proving = true;
	mutex_unlock(&w->lock);
	err = w->prove(w->ctx);
	mutex_lock(&w->lock);
	w->is_proving = false;
	cond_broadcast(&w->changed);
	if (err && w->state == WATCH_SERVING)
		notify_send(&w->notify, "WATCHDOG=1\nSTATUS=%s: the cache cannot be synced: %s",
			    w->mnt, strerror(-err));
	else
		notify_send(&w->notify, "WATCHDOG=1");
}

static void *watch_run(void *arg)
{
	struct watch *w = arg;
	uint64_t half = w->notify.watchdog_us * NSEC_PER_USEC / 2;
	struct seen seen = { 0 };

	mutex_lock(&w->lock);
	while (w->state != WATCH_END) {
		enum watch_state state = w->state;
		uint64_t now = clock_mono_ns();

		switch (state) {
		case WATCH_STARTING:
			tell_starting(w, &seen);
			wait_locked(w, state, now + w->tick_ns);
			break;
		case WATCH_SERVING:
		case WATCH_STOPPING:
			if (half)
				prove_locked(w);
			wait_locked(w, state, half ? now + half : 0);
			break;
		case WATCH_CLOSING:
		case WATCH_END:
			wait_locked(w, state, 0);
			break;
		}
	}
	mutex_unlock(&w->lock);
	return NULL;
}

/* ------------------------------------------------------------------ recovery */

static int dev_read(struct blkdev *dev, void *buf, uint64_t len, uint64_t off)
{
	struct watch_dev *d = (struct watch_dev *)dev;
	int err = blkdev_read(d->below, buf, len, off);

	if (!err)
		atomic_fetch_add(&recovery_bytes, len);
	return err;
}

static int dev_write(struct blkdev *dev, const void *buf, uint64_t len, uint64_t off)
{
	return blkdev_write(((struct watch_dev *)dev)->below, buf, len, off);
}

static int dev_flush(struct blkdev *dev)
{
	return blkdev_flush(((struct watch_dev *)dev)->below);
}

static void dev_prefetch(struct blkdev *dev, uint64_t len, uint64_t off)
{
	blkdev_prefetch(((struct watch_dev *)dev)->below, len, off);
}

static const struct blkdev_ops watch_dev_ops = {
	.read = dev_read,
	.write = dev_write,
	.flush = dev_flush,
	.prefetch = dev_prefetch,
};

struct blkdev *watch_dev(struct watch_dev *d, struct blkdev *below)
{
	*d = (struct watch_dev){
		.dev = { .ops = &watch_dev_ops, .bytes = below->bytes },
		.below = below,
	};
	return &d->dev;
}

void watch_looked(void)
{
	atomic_fetch_add(&files_looked_at, 1);
}

/* ------------------------------------------------------------------ the states */

int watch_start(struct watch *w, const char *mnt, unsigned int tick_ms)
{
	int err;

	*w = (struct watch){
		.mnt = mnt,
		.tick_ns = (tick_ms ? tick_ms : 1000) * NSEC_PER_MSEC,
		.state = WATCH_STARTING,
	};
	notify_open(&w->notify);
	mutex_init(&w->lock, RANK, "watch");
	cond_init(&w->changed);
	if (w->notify.fd < 0)
		return 0;
	notify_send(&w->notify, "STATUS=%s: opening the cache", mnt);
	err = pthread_create(&w->thread, NULL, watch_run, w);
	w->has_thread = !err;
	if (err)
		notify_close(&w->notify);
	return -err;
}

static void set_state_locked(struct watch *w, enum watch_state state)
{
	w->state = state;
	cond_broadcast(&w->changed);
}

void watch_serving(struct watch *w, watch_prove_fn prove, void *ctx)
{
	mutex_lock(&w->lock);
	w->prove = prove;
	w->ctx = ctx;
	/* a signal may have been faster */
	if (w->state == WATCH_STARTING)
		set_state_locked(w, prove ? WATCH_SERVING : WATCH_CLOSING);
	mutex_unlock(&w->lock);
	notify_send(&w->notify, "READY=1\nSTATUS=%s: serving", w->mnt);
}

void watch_stopping(struct watch *w)
{
	bool is_first;

	mutex_lock(&w->lock);
	is_first = !w->is_told_stopping;
	w->is_told_stopping = true;
	if (w->state == WATCH_SERVING)
		set_state_locked(w, WATCH_STOPPING);
	mutex_unlock(&w->lock);
	if (is_first)
		notify_send(&w->notify, "STOPPING=1\nSTATUS=%s: waiting for its last user", w->mnt);
}

void watch_closing(struct watch *w)
{
	watch_stopping(w);
	mutex_lock(&w->lock);
	set_state_locked(w, WATCH_CLOSING);
	while (w->is_proving)
		cond_wait(&w->changed, &w->lock);
	mutex_unlock(&w->lock);
	notify_send(&w->notify, "EXTEND_TIMEOUT_USEC=%" PRIu64 "\nSTATUS=%s: closing the cache",
		    CLOSE_US, w->mnt);
}

void watch_end(struct watch *w)
{
	mutex_lock(&w->lock);
	set_state_locked(w, WATCH_END);
	mutex_unlock(&w->lock);
	if (w->has_thread)
		pthread_join(w->thread, NULL);
	notify_close(&w->notify);
	cond_destroy(&w->changed);
	mutex_destroy(&w->lock);
}
