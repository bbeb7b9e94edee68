// SPDX-License-Identifier: GPL-2.0-or-later
/* The lease on changes of backing files. */
#include "lcfs/image/lease.h"

#include <string.h>

#include "common/messages.h"
#include "lcfs/image/corecall.h"
#include "lcfs/image/image_private.h"

void lease_init(struct lease *l)
{
	mutex_init(&l->lock, RANK_LEASE, "lease");
}

void lease_destroy(struct lease *l)
{
	mutex_destroy(&l->lock);
}

static bool has_left(struct lease *l, uint64_t now, uint64_t ns)
{
	return atomic_load(&l->until_ns) >= now + ns;
}

/*
 * The backing store's clock is read after `now`, so the end by that clock is not before the end by
 * ours, and we stop in time.
 */
static int renew(struct cachehost *h)
{
	uint64_t now = clock_mono_ns();
	struct sync_call call;
	struct outbox ob;
	enum cache_step step;
	int64_t there;
	int r = privdir_clock(&h->dir->priv, &there);

	atomic_store(&h->lease.store_error, r);
	if (r < 0) {
		msg_warn_ratelimited(PRIVDIR_NAME
				     "/clock: cannot be touched, so no backing file is changed: %s",
				     strerror(-r));
		return r;
	}
	sync_call_init(&call);
	outbox_init(&ob);
	step = cache_lease(h->cache, (uint64_t)there + LEASE_NS, &call.s, engine_now(h->engine),
			   &ob);
	r = corecall_finish(h, &call, step, &ob);
	if (r == 0) {
		atomic_store(&h->lease.there_ns, there + (int64_t)LEASE_NS);
		atomic_store(&h->lease.until_ns, now + LEASE_NS);
	} else if (!cache_is_lost(h->cache)) {
		msg_warn_ratelimited(
			"cache: the super block cannot be written, so no backing file is changed: %s",
			strerror(-r));
	}
	return r;
}

static int ensure(struct cachehost *h, uint64_t ns)
{
	LOCK_SCOPE(&h->lease.lock);
	int r = has_left(&h->lease, clock_mono_ns(), ns) ? 0 : renew(h);

	return r < 0 && cache_is_lost(h->cache) ? 0 : r;
}

bool lease_is_good(struct cachehost *h)
{
	uint64_t now = clock_mono_ns();

	atomic_store(&h->lease.last_used_ns, now);
	/* the mark on each file stands for it then (F3) */
	if (cache_is_lost(h->cache))
		return true;
	return has_left(&h->lease, now, LEASE_MARGIN_NS);
}

int lease_ensure(struct cachehost *h)
{
	if (lease_is_good(h))
		return 0;
	return ensure(h, LEASE_NS / 2);
}

void lease_keep(struct cachehost *h)
{
	uint64_t now = clock_mono_ns();

	if (atomic_load(&h->lease.last_used_ns) + LEASE_NS / 2 < now || cache_is_lost(h->cache))
		return;
	if (ensure(h, LEASE_NS / 2) < 0)
		msg_debug("cache: the lease is not renewed");
}
