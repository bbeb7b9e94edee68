// SPDX-License-Identifier: GPL-2.0-or-later
/* A cache in the mount: made, found, held, ended. */
#include "lcfs/image/cachehost.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lcfs/image/corecall.h"
#include "lcfs/image/image_private.h"

#define BACKING_THREADS 2

void cachehost_free(struct cachehost *h)
{
	busy_close(&h->busy);
	lease_destroy(&h->lease);
	free(h->device);
	free(h);
}

static int start_engine(struct cachehost *h, int log_fd)
{
	struct engine_conf conf = {
		.cache = h->cache,
		.name = h->device,
		.log_fd = log_fd,
		.ops = &image_engine_ops,
		.ctx = h,
		.backing_threads = BACKING_THREADS,
	};

	return engine_start(&h->engine, &conf);
}

int cachehost_start(struct cachehost **out, struct imagedir *d, const struct imagedir_cache *spec,
		    uint32_t id)
{
	struct cachehost *h = calloc(1, sizeof(*h));
	int r = 0;

	*out = NULL;
	if (!h)
		return -ENOMEM;
	h->dir = d;
	h->id = id;
	h->cache = spec->cache;
	h->old_lease_ns = (int64_t)spec->sb->lease_ns;
	h->old_epoch = spec->sb->epoch;
	atomic_store(&h->is_joining, true);
	memcpy(h->uuid, spec->sb->cache_uuid, sizeof(h->uuid));
	lease_init(&h->lease);
	busy_open(&h->busy, d->root_fd, &d->flight);
	if (spec->device) {
		h->device = strdup(spec->device);
		r = h->device ? 0 : -ENOMEM;
	}
	if (r == 0)
		r = match_prepare(h);
	if (r == 0)
		r = start_engine(h, spec->log_fd);
	*out = h; /* images refer to it, also after a failure */
	return r;
}

/* ---- which there are ---- */

int cachehost_publish(struct cachehost *h)
{
	struct imagedir *d = h->dir;
	unsigned int at;

	LOCK_SCOPE(&d->lock);
	if (d->nr_hosts == IMAGEDIR_CACHES_MAX)
		return -ENOSPC;
	for (at = d->nr_hosts; at > 0 && d->hosts[at - 1]->id > h->id; at--)
		d->hosts[at] = d->hosts[at - 1];
	d->hosts[at] = h;
	d->nr_hosts++;
	return 0;
}

void cachehost_withdraw(struct cachehost *h)
{
	struct imagedir *d = h->dir;
	unsigned int at = 0;

	LOCK_SCOPE(&d->lock);
	while (at < d->nr_hosts && d->hosts[at] != h)
		at++;
	if (at == d->nr_hosts)
		return;
	d->nr_hosts--;
	memmove(&d->hosts[at], &d->hosts[at + 1], (d->nr_hosts - at) * sizeof(d->hosts[0]));
}

static struct cachehost *find_locked(struct imagedir *d, uint32_t id)
{
	mutex_assert_held(&d->lock);
	for (unsigned int i = 0; i < d->nr_hosts; i++)
		if (d->hosts[i]->id == id)
			return d->hosts[i];
	return NULL;
}

struct cachehost *cachehost_hold(struct imagedir *d, uint32_t id)
{
	struct cachehost *h;

	LOCK_SCOPE(&d->lock);
	h = find_locked(d, id);
	if (h)
		h->holds++;
	return h;
}

void cachehost_release(struct cachehost *h)
{
	LOCK_SCOPE(&h->dir->lock);

	h->holds--;
}

unsigned int cachehost_hold_all(struct imagedir *d, struct cachehost **list)
{
	LOCK_SCOPE(&d->lock);

	for (unsigned int i = 0; i < d->nr_hosts; i++) {
		list[i] = d->hosts[i];
		list[i]->holds++;
	}
	return d->nr_hosts;
}

void cachehost_release_all(struct cachehost **list, unsigned int nr)
{
	while (nr)
		cachehost_release(list[--nr]);
}

void cachehost_wait(struct cachehost *h)
{
	unsigned int holds;

	for (;;) {
		mutex_lock(&h->dir->lock);
		holds = h->holds;
		mutex_unlock(&h->dir->lock);
		if (holds == 0 && atomic_load(&h->carriers) == 0)
			return;
		image_pause();
	}
}

/* ---- for the layers above ---- */

unsigned int imagedir_caches(struct imagedir *d, uint32_t *ids, unsigned int most)
{
	LOCK_SCOPE(&d->lock);

	for (unsigned int i = 0; i < d->nr_hosts && i < most; i++)
		ids[i] = d->hosts[i]->id;
	return d->nr_hosts;
}

bool imagedir_hold_cache(struct imagedir *d, uint32_t id)
{
	return cachehost_hold(d, id) != NULL;
}

/* Withdrawn or not, it is there for as long as it is held. */
void imagedir_release_cache(struct imagedir *d, uint32_t id)
{
	LOCK_SCOPE(&d->lock);
	struct cachehost *h = find_locked(d, id);

	if (!h && d->leaving && d->leaving->id == id)
		h = d->leaving;
	if (h)
		h->holds--;
}

static struct cachehost *find(struct imagedir *d, uint32_t id)
{
	LOCK_SCOPE(&d->lock);
	struct cachehost *h = find_locked(d, id);

	return !h && d->leaving && d->leaving->id == id ? d->leaving : h;
}

struct engine *imagedir_engine(struct imagedir *d, uint32_t id)
{
	struct cachehost *h = find(d, id);

	return h ? h->engine : NULL;
}

struct cache *imagedir_cache(struct imagedir *d, uint32_t id)
{
	struct cachehost *h = find(d, id);

	return h ? h->cache : NULL;
}

const char *imagedir_cache_device(struct imagedir *d, uint32_t id)
{
	struct cachehost *h = find(d, id);

	return h ? h->device : NULL;
}

uint32_t imagedir_cache_id(struct imagedir *d, const uint8_t *uuid)
{
	LOCK_SCOPE(&d->lock);

	for (unsigned int i = 0; i < d->nr_hosts; i++)
		if (memcmp(d->hosts[i]->uuid, uuid, FORMAT_UUID_BYTES) == 0)
			return d->hosts[i]->id;
	return 0;
}

int imagedir_sync_cache(struct imagedir *d, uint32_t id)
{
	struct cachehost *h = cachehost_hold(d, id);
	int r;

	if (!h)
		return -ENOENT;
	r = corecall_sync(h, NULL);
	cachehost_release(h);
	return r;
}

/* All begin before the first is waited for. */
int imagedir_sync(struct imagedir *d)
{
	struct cachehost *list[IMAGEDIR_CACHES_MAX];
	struct sync_call call[IMAGEDIR_CACHES_MAX];
	unsigned int nr = cachehost_hold_all(d, list);
	int r = 0;

	for (unsigned int i = 0; i < nr; i++)
		corecall_sync_start(list[i], &call[i]);
	for (unsigned int i = 0; i < nr; i++) {
		int err = corecall_sync_end(&call[i]);

		r = r ? r : err;
	}
	cachehost_release_all(list, nr);
	return r;
}
