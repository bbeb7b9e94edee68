// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The gate that writes pass.
 *
 * A writer counts itself in and then looks whether the gate is open; who shuts it does that first
 * and then looks at the count. Both in one total order (seq_cst), so one of the two sees the other.
 * A writer has the image open until it has left, so the image outlives it.
 *
 * Nobody waits for the writers inside while holding image->lock: a writer may wait for space, space
 * for migration, and migration for image->lock.
 */
#include "lcfs/image/image_private.h"

bool gate_enter(struct image *img)
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
