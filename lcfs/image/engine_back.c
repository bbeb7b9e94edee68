// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The backing threads: calls on backing files that may block for as long as the store likes.
 *
 * Of each image one call is out at a time, in the order in which they were issued. So an image
 * whose store hangs holds one thread. Where all threads are held, and none has come back for a
 * second while somebody waits, there become more of them, up to ENGINE_BACK_THREADS_MAX: so many
 * images may hang before checks and syncs of the rest, and so their migration, wait. Cached reads
 * and writes never do.
 */
#include <errno.h>

#include "common/align.h"
#include "lcfs/image/engine_impl.h"

static bool is_busy(const struct engine_back *back, const struct cache_image *img)
{
	for (unsigned int i = 0; i < back->nr_started; i++) {
		if (back->busy[i] == img)
			return true;
	}
	return false;
}

/* The first call whose image has none out; it counts as out from now on. */
static struct action *take_locked(struct engine_back *back, unsigned int self)
{
	struct action *a;

	mutex_assert_held(&back->lock);
	list_for_each_entry(a, &back->queue, node) {
		if (!is_busy(back, a->image)) {
			list_del(&a->node);
			back->busy[self] = a->image;
			return a;
		}
	}
	return NULL;
}

/* The next call, or NULL at the end. */
static struct action *next_call(struct engine_back *back, unsigned int self)
{
	struct action *a = NULL;
	LOCK_SCOPE(&back->lock);

	while (!back->is_ending && !(a = take_locked(back, self)))
		cond_wait(&back->changed, &back->lock);
	return a;
}

static void call_ended(struct engine_back *back, unsigned int self)
{
	LOCK_SCOPE(&back->lock);

	back->busy[self] = NULL;
	back->nr_ended++;
	/* Another thread may have passed over a call of this image. */
	if (!list_is_empty(&back->queue))
		cond_broadcast(&back->changed);
}

static unsigned int register_self(struct engine_back *back)
{
	LOCK_SCOPE(&back->lock);

	return back->nr_started++;
}

static void *back_main(void *arg)
{
	struct engine *e = arg;
	struct engine_back *back = &e->back;
	unsigned int self = register_self(back);
	struct action *a;

	while ((a = next_call(back, self))) {
		int result;

		engine_flight(e, a, true);
		result = e->conf.ops->backing_call(e->conf.ctx, a);
		engine_flight(e, a, false);
		call_ended(back, self);
		engine_complete(e, a, result);
	}
	return NULL;
}

void engine_back_init(struct engine *e)
{
	struct engine_back *back = &e->back;

	mutex_init(&back->lock, ENGINE_BACK_RANK, "backing calls");
	cond_init(&back->changed);
	list_init(&back->queue);
}

int engine_back_start(struct engine *e)
{
	struct engine_back *back = &e->back;
	unsigned int wanted = min(e->conf.backing_threads, (unsigned int)ENGINE_BACK_THREADS_MAX);
	LOCK_SCOPE(&back->lock); /* the I/O thread looks already whether more are wanted */

	while (back->nr_threads < wanted) {
		int err = engine_thread_create(&back->thread[back->nr_threads], "lcfs-back",
					       back_main, e);

		if (err)
			return err;
		back->nr_threads++;
	}
	return 0;
}

/* A call that could be made, and nobody to make it? */
static bool is_short_of_threads(const struct engine_back *back)
{
	const struct action *a;

	for (unsigned int i = 0; i < back->nr_threads; i++)
		if (!back->busy[i])
			return false;
	list_for_each_entry(a, &back->queue, node)
		if (!is_busy(back, a->image))
			return true;
	return false;
}

void engine_back_relieve(struct engine *e)
{
	struct engine_back *back = &e->back;
	LOCK_SCOPE(&back->lock);
	bool is_stuck = back->nr_ended == back->nr_ended_before;
	unsigned int wanted = min(2 * back->nr_threads, (unsigned int)ENGINE_BACK_THREADS_MAX);

	back->nr_ended_before = back->nr_ended;
	if (back->is_ending || !is_stuck || !is_short_of_threads(back))
		return;
	while (back->nr_threads < wanted && engine_thread_create(&back->thread[back->nr_threads],
								 "lcfs-back", back_main, e) == 0)
		back->nr_threads++;
}

void engine_back_join(struct engine *e)
{
	struct engine_back *back = &e->back;

	mutex_lock(&back->lock);
	back->is_ending = true;
	cond_broadcast(&back->changed);
	mutex_unlock(&back->lock);
	for (unsigned int i = 0; i < back->nr_threads; i++)
		pthread_join(back->thread[i], NULL);
}

void engine_back_free(struct engine *e)
{
	mutex_destroy(&e->back.lock);
	cond_destroy(&e->back.changed);
}

void engine_back_post(struct engine *e, struct list *actions)
{
	LOCK_SCOPE(&e->back.lock);

	if (list_is_empty(actions))
		return;
	list_splice_tail(&e->back.queue, actions);
	cond_broadcast(&e->back.changed);
}
