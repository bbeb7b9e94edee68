// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The gates of an image.
 *
 * The inner one is passed by writes to the cache: it is open (is_ready) while the mark is set and
 * the core knows that the file is being changed. The outer one is passed by everything that uses
 * `cached` and `host` without the image's lock; it is shut (is_shut) for a moment when the image
 * goes from one cache to another (move.c). A write that finds the inner one open need not stop at
 * the outer one, which shuts both.
 *
 * Who passes counts itself in and then looks whether the gate is open; who shuts it does that first
 * and then looks at the count. Both in one total order (seq_cst), so one of the two sees the other.
 * Who is inside has the image open, or knows that it is not about to leave its cache for good: a
 * mere reference does not keep it there. Who only looks at it takes image->look instead.
 *
 * Nobody waits for those inside while holding image->lock: a writer may wait for space, space for
 * migration, and migration for image->lock. Nobody who is inside waits to come in again: he would
 * wait for who waits for him.
 *
 * Requests that must not block and find the outer gate shut are parked; they start again in the
 * pool when it opens.
 */
#include "lcfs/image/image_private.h"

/* ---- the inner one ---- */

bool gate_enter(struct image *img)
{
	atomic_fetch_add(&img->in_flight, 1);
	if (atomic_load(&img->is_ready) && !atomic_load(&img->is_shut))
		return true;
	atomic_fetch_sub(&img->in_flight, 1);
	return false;
}

bool gate_enter_inside(struct image *img)
{
	atomic_fetch_add(&img->in_flight, 1);
	if (atomic_load(&img->is_ready))
		return true;
	atomic_fetch_sub(&img->in_flight, 1);
	return false;
}

void gate_leave(struct image *img)
{
	atomic_fetch_sub(&img->in_flight, 1);
}

bool gate_try_close(struct image *img)
{
	bool was_ready = atomic_load(&img->is_ready);

	mutex_assert_held(&img->lock);
	atomic_store(&img->is_ready, false);
	if (atomic_load(&img->in_flight) == 0)
		return true;
	atomic_store(&img->is_ready, was_ready);
	return false;
}

void gate_open(struct image *img)
{
	mutex_assert_held(&img->lock);
	atomic_store(&img->is_ready, true);
}

/* ---- the outer one ---- */

bool image_try_enter(struct image *img)
{
	atomic_fetch_add(&img->inside, 1);
	if (!atomic_load(&img->is_shut))
		return true;
	atomic_fetch_sub(&img->inside, 1);
	return false;
}

void image_leave(struct image *img)
{
	atomic_fetch_sub(&img->inside, 1);
}

void image_enter(struct image *img)
{
	while (!image_try_enter(img))
		image_pause();
}

bool gate_park(struct image *img, struct task *t)
{
	LOCK_SCOPE(&img->dir->lock);

	if (!atomic_load(&img->is_shut))
		return false;
	list_add_tail(&img->parked, &t->node);
	return true;
}

void gate_shut(struct image *img)
{
	atomic_store(&img->is_shut, true);
}

bool gate_is_empty(struct image *img)
{
	return atomic_load(&img->inside) == 0 && atomic_load(&img->in_flight) == 0;
}

void gate_unshut(struct image *img)
{
	struct list parked;
	struct task *t;

	list_init(&parked);
	mutex_lock(&img->dir->lock);
	atomic_store(&img->is_shut, false);
	list_splice_tail(&parked, &img->parked);
	mutex_unlock(&img->dir->lock);
	while ((t = list_pop_head(&parked, struct task, node)) != NULL)
		taskpool_add(img->dir->pool, t);
}
