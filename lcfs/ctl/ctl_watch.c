// SPDX-License-Identifier: GPL-2.0-or-later
/* Who waits for values to change, and the thread that looks for changes. */
#include <errno.h>
#include <signal.h>

#include "common/clock.h"
#include "lcfs/ctl/ctl_file.h"

#define LOOK_NS (NSEC_PER_SEC / 10)

void ctl_watch_init(struct ctl_watch *w)
{
	mutex_init(&w->lock, CTL_WATCH_RANK, "ctl_watch");
	mutex_init(&w->wake_lock, CTL_WAKE_RANK, "ctl_wake");
	cond_init(&w->changed);
	list_init(&w->open);
	list_init(&w->waiting);
}

void ctl_watch_end(struct ctl_watch *w)
{
	mutex_lock(&w->lock);
	w->is_ending = true;
	cond_signal(&w->changed);
	mutex_unlock(&w->lock);
	if (w->has_thread)
		pthread_join(w->thread, NULL);
	cond_destroy(&w->changed);
	mutex_destroy(&w->wake_lock);
	mutex_destroy(&w->lock);
}

void ctlfs_set_wake(struct ctlfs *t, void (*wake)(void *ctx, uint64_t handle), void *ctx)
{
	LOCK_SCOPE(&t->watch.wake_lock);
	t->watch.wake = wake;
	t->watch.wake_ctx = ctx;
}

static void wake(struct ctl_watch *w, uint64_t handle)
{
	LOCK_SCOPE(&w->wake_lock);
	if (w->wake)
		w->wake(w->wake_ctx, handle);
}

static void put(struct ctl_watch *w, struct ctl_file *f)
{
	bool is_last;

	mutex_lock(&w->lock);
	is_last = --f->refs == 0;
	mutex_unlock(&w->lock);
	if (is_last)
		ctl_file_free(f);
}

void ctl_watch_opened(struct ctl_file *f)
{
	struct ctl_watch *w = &f->tree->watch;

	LOCK_SCOPE(&w->lock);
	f->refs = 1;
	list_init(&f->wait_node);
	list_add_tail(&w->open, &f->open_node);
}

void ctl_watch_closed(struct ctl_file *f)
{
	struct ctl_watch *w = &f->tree->watch;

	mutex_lock(&w->lock);
	list_del(&f->open_node);
	list_del(&f->wait_node);
	mutex_unlock(&w->lock);
	put(w, f);
}

/* ------------------------------------------------------------------ the thread */

/* Takes the file from those waiting; false: it is none of them any more. */
static bool stop_waiting(struct ctl_watch *w, struct ctl_file *f, uint64_t *handle)
{
	LOCK_SCOPE(&w->lock);
	if (!list_is_linked(&f->wait_node))
		return false;
	list_del(&f->wait_node);
	*handle = f->handle;
	return true;
}

void ctl_watch_stop(struct ctl_file *f)
{
	LOCK_SCOPE(&f->tree->watch.lock);
	list_del(&f->wait_node);
}

static void look_at(struct ctl_watch *w, struct ctl_file *f)
{
	uint64_t handle;

	if (ctl_file_differs(f, true) && stop_waiting(w, f, &handle))
		wake(w, handle);
	put(w, f);
}

/* The first that waits, which goes to the end of the queue, with a reference. NULL: none is left.
 */
static struct ctl_file *next_to_look_at(struct ctl_watch *w, unsigned int *left)
{
	struct ctl_file *f;

	LOCK_SCOPE(&w->lock);
	if (!*left || list_is_empty(&w->waiting) || w->is_ending)
		return NULL;
	--*left;
	f = list_first_entry(&w->waiting, struct ctl_file, wait_node);
	list_del(&f->wait_node);
	list_add_tail(&w->waiting, &f->wait_node);
	f->refs++;
	return f;
}

static unsigned int nr_waiting(struct ctl_watch *w)
{
	struct ctl_file *f;
	unsigned int n = 0;

	list_for_each_entry(f, &w->waiting, wait_node)
		n++;
	return n;
}

/* Until it is time to look again: how many files are to be looked at; 0: it is the end. */
static unsigned int wait_for_work(struct ctl_watch *w, uint64_t due)
{
	LOCK_SCOPE(&w->lock);
	for (;;) {
		if (w->is_ending)
			return 0;
		if (list_is_empty(&w->waiting))
			cond_wait(&w->changed, &w->lock);
		else if (cond_timedwait_ns(&w->changed, &w->lock, due) == -ETIMEDOUT)
			return nr_waiting(w);
	}
}

static void *watch_main(void *arg)
{
	struct ctl_watch *w = arg;
	unsigned int left;

	while ((left = wait_for_work(w, clock_mono_ns() + LOOK_NS)) != 0) {
		struct ctl_file *f;

		while ((f = next_to_look_at(w, &left)) != NULL)
			look_at(w, f);
	}
	return NULL;
}

static must_check int start_thread(struct ctl_watch *w)
{
	sigset_t all, old;
	int err;

	if (w->has_thread)
		return 0;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	err = -pthread_create(&w->thread, NULL, watch_main, w);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (err)
		return err;
	(void)pthread_setname_np(w->thread, "lcfs-watch");
	w->has_thread = true;
	return 0;
}

int ctl_watch_wait(struct ctl_file *f, uint64_t handle)
{
	struct ctl_watch *w = &f->tree->watch;
	int err;

	LOCK_SCOPE(&w->lock);
	err = start_thread(w);
	if (err)
		return err;
	f->handle = handle;
	if (!list_is_linked(&f->wait_node))
		list_add_tail(&w->waiting, &f->wait_node);
	cond_signal(&w->changed);
	return 0;
}

/* ------------------------------------------------------------------ writes */

/* Marks one more of the files of the node; false: there is none left that waits. */
static bool mark_next(struct ctl_watch *w, uint64_t node, uint64_t *handle)
{
	struct ctl_file *f;

	LOCK_SCOPE(&w->lock);
	list_for_each_entry(f, &w->open, open_node) {
		if (f->node != node)
			continue;
		mutex_lock(&f->lock);
		f->is_changed = true;
		mutex_unlock(&f->lock);
		if (!list_is_linked(&f->wait_node))
			continue;
		list_del(&f->wait_node);
		*handle = f->handle;
		return true;
	}
	return false;
}

void ctl_watch_stored(struct ctlfs *t, uint64_t node)
{
	uint64_t handle;

	while (mark_next(&t->watch, node, &handle))
		wake(&t->watch, handle);
}
