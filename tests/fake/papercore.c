// SPDX-License-Identifier: GPL-2.0-or-later
/* A core of paper for tests of the engine. */
#include "tests/fake/papercore.h"

#include <assert.h>
#include <string.h>

#include "common/align.h"
#include "lcfs/cache/hanging.h"

void papercore_init(struct cache *c)
{
	memset(c, 0, sizeof(*c));
	mutex_init(&c->lock, 200, "core"); /* as the core's */
	cond_init(&c->changed);
	atomic_store(&c->deadline, UINT64_MAX);
}

void papercore_wait(struct cache *c, const unsigned int *counter, unsigned int n)
{
	LOCK_SCOPE(&c->lock);

	while (*counter < n)
		cond_wait(&c->changed, &c->lock);
}

void cache_complete(struct cache *c, struct action *a, int result, uint64_t now, struct outbox *ob)
{
	LOCK_SCOPE(&c->lock);

	a->complete(c, a, result, now, ob);
	c->nr_completed++;
	cond_broadcast(&c->changed);
}

void cache_encode(struct cache *c, struct action *a)
{
	c->encode_thread = pthread_self();
	if (c->nr_encoded < array_size(c->encoded))
		c->encoded[c->nr_encoded] = (unsigned int)a->arg;
	c->nr_encoded++;
}

int cache_work(unused_ struct cache *c, struct action *a)
{
	return (int)a->arg;
}

void cache_tick(struct cache *c, uint64_t now, unused_ struct outbox *ob)
{
	LOCK_SCOPE(&c->lock);

	assert(atomic_load(&c->deadline) <= now);
	atomic_store(&c->deadline, UINT64_MAX);
	c->nr_ticks++;
	cond_broadcast(&c->changed);
}

uint64_t cache_deadline(struct cache *c)
{
	return atomic_load(&c->deadline);
}

void cache_governor(struct cache *c, int percent, unused_ uint64_t now, unused_ struct outbox *ob)
{
	LOCK_SCOPE(&c->lock);

	c->nr_samples++;
	c->last_sample = percent;
	cond_broadcast(&c->changed);
}

uint64_t cache_knob_get(unused_ struct cache *c, enum cache_knob k)
{
	assert(k == KNOB_UPDATE_INTERVAL);
	return 1;
}

void cache_shutdown(struct cache *c, struct action *act, unused_ uint64_t now, struct outbox *ob)
{
	act->type = ACTION_DONE;
	act->arg = (uint64_t)c->shutdown_error;
	outbox_add(ob, act);
}

void cache_image_path(unused_ struct cache *c, unused_ struct cache_image *img, char *path)
{
	strcpy(path, "paper");
}

bool cache_is_lost(const struct cache *c)
{
	return atomic_load(&c->is_lost);
}

void cache_status(unused_ struct cache *c, struct cache_status *st)
{
	memset(st, 0, sizeof(*st));
}

bool cache_tell_hanging(unused_ struct cache *c, unused_ char path[OP_PATH_MAX + 1],
			unused_ uint64_t *since_ns)
{
	return false;
}

void cache_leave(unused_ struct cache *c)
{
}

void cache_device_hangs(unused_ struct cache *c, unused_ uint64_t for_ns, unused_ uint64_t now,
			unused_ struct outbox *ob)
{
}
