// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Caches come to a mount, and go.
 *
 * To go, a cache first takes no more images (is_leaving), and those that it has move out, each as
 * in move.c; then nobody finds it any more, those who use it let go of it, and what entered it in
 * between moves out as well; then its log ends in order, marked clean, and it is taken off the
 * list. Killed at any moment, it still is what its log says.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "common/clock.h"
#include "common/messages.h"
#include "lcfs/image/admit.h"
#include "lcfs/image/corecall.h"
#include "lcfs/image/engine.h"
#include "lcfs/image/image_private.h"

#define UNLINKED_WAIT_NS (60 * NSEC_PER_SEC)

/* ---- they come ---- */

/* The engine runs before the list is written, which may fail: then the log can be ended in order.
 * Nothing is logged before. */
static int add_one(struct imagedir *d, const struct imagedir_cache *spec, char *text, size_t size)
{
	struct cachehost *h = NULL;
	uint32_t id = 0;
	int r = admit_id(d, spec->sb->cache_uuid, &id, text, size);

	if (r == 0)
		r = cachehost_start(&h, d, spec, id);
	if (r == 0)
		r = admit_list(d, spec->sb->cache_uuid, id, text, size);
	if (h) {
		int err = cachehost_publish(h);

		r = r ? r : err;
	}
	return r;
}

/* While no name changes: a file that is looked for must not be missed. */
static int add_all(struct imagedir *d, const struct imagedir_cache *c, unsigned int nr, char *text,
		   size_t size)
{
	int r = 0;

	pthread_rwlock_wrlock(&d->names);
	for (unsigned int i = 0; i < nr && r == 0; i++)
		r = add_one(d, &c[i], text, size);
	if (r == 0 && !d->maintainer)
		r = maintain_start(d);
	if (r == 0)
		r = match_images(d);
	pthread_rwlock_unlock(&d->names);
	return r == 0 ? match_log(d) : r;
}

/* That an image has left them is durable before it may be bound there again. */
static void join_all(struct imagedir *d)
{
	struct cachehost *list[IMAGEDIR_CACHES_MAX];
	unsigned int nr = cachehost_hold_all(d, list);

	for (unsigned int i = 0; i < nr; i++) {
		if (atomic_exchange(&list[i]->has_void, false) && corecall_sync(list[i], NULL) < 0)
			msg_debug("cache %u: it has failed again", (unsigned int)list[i]->id);
		atomic_store(&list[i]->is_joining, false);
	}
	cachehost_release_all(list, nr);
}

/* ---- they go ---- */

/* A size or a hole that the file has not got yet is dirty, too. */
static int is_owed(struct image *img, void *arg)
{
	struct cache_image_info info;

	LOCK_SCOPE(&img->lock);
	if (image_host(img) != arg)
		return 0;
	image_core_info(img, &info);
	return info.is_bound && info.state >= IMAGE_DIRTY;
}

/* Has it data that the files have not got? */
static bool is_dirty(struct cachehost *h)
{
	struct cache_status st;

	cache_status(h->cache, &st);
	return st.dirty_blocks || imagedir_for_each(h->dir, is_owed, h);
}

int cachehost_end(struct cachehost *h)
{
	int r = h->engine ? engine_stop(h->engine) : 0;

	if (r == ENGINE_HANGS)
		return r;
	cachehost_tell_lost(h);
	if (r == 0 && h->engine && !is_dirty(h))
		r = admit_unlist(h->dir, h->uuid, h->id);
	h->engine = NULL;
	return r;
}

/* Nobody finds it any more, and who had it has let go of it. */
static void withdraw(struct cachehost *h)
{
	struct imagedir *d = h->dir;

	mutex_lock(&d->lock);
	d->leaving = h;
	mutex_unlock(&d->lock);
	cachehost_withdraw(h);
	cachehost_wait(h);
}

static int drop_image(struct image *img, void *arg)
{
	LOCK_SCOPE(&img->lock);

	if (image_host(img) == arg) {
		image_fds_close(img);
		image_drop_cached(img);
	}
	return 0;
}

/* Its log has ended, or cannot be used. */
static void let_go(struct cachehost *h, bool hangs)
{
	struct imagedir *d = h->dir;

	(void)imagedir_for_each(d, drop_image, h);
	mutex_lock(&d->lock);
	d->leaving = NULL;
	mutex_unlock(&d->lock);
	if (!hangs)
		cachehost_free(h);
}

/* It came, but not all of its images did. */
static void send_back(struct cachehost *h)
{
	int r;

	withdraw(h);
	r = cachehost_end(h);
	if (r < 0)
		msg_debug("cache: it does not end in order");
	let_go(h, r == ENGINE_HANGS);
}

/* Of those that came together, at the start of a mount, all end with it. */
static void send_back_new(struct imagedir *d, const struct imagedir_cache *c, unsigned int nr)
{
	for (unsigned int i = 0; i < nr; i++) {
		struct cachehost *h = cachehost_hold(d, imagedir_cache_id(d, c[i].sb->cache_uuid));

		if (!h)
			continue;
		cachehost_release(h);
		send_back(h);
	}
}

int imagedir_add_caches(struct imagedir *d, const struct imagedir_cache *c, unsigned int nr,
			char *text, size_t size)
{
	bool is_first;
	int r;

	LOCK_SCOPE(&d->caches_lock);
	*text = '\0';
	if (imagedir_caches(d, NULL, 0) + nr > IMAGEDIR_CACHES_MAX)
		return -E2BIG; /* imagedir_admit() has said so */
	is_first = imagedir_caches(d, NULL, 0) == 0;
	r = admit_renumber(d, c, nr);
	if (r == 0)
		r = add_all(d, c, nr, text, size);
	if (r == 0)
		join_all(d);
	if (r < 0 && !is_first)
		send_back_new(d, c, nr);
	if (r == -EBUSY && !*text)
		snprintf(text, size,
			 "it holds data of a file that is in use: unmount, and mount with "
			 "this cache");
	else if (r < 0 && !*text)
		snprintf(text, size, "the images cannot be served: %s", strerror(-r));
	return r;
}

struct leaving {
	struct cachehost *h;
	unsigned int nr_left; /* whose last name is gone: they go by themselves */
	int error;
	char path[PATHNAME_BYTES]; /* of the first that cannot leave */
};

static int leave(struct image *img, void *arg)
{
	struct leaving *l = arg;
	int r = move_out(img, l->h);

	if (r == -ENOENT)
		l->nr_left++;
	if (r == 0 || r == -ENOENT)
		return 0;
	l->error = r;
	mutex_lock(&img->lock);
	image_describe(img, l->path);
	mutex_unlock(&img->lock);
	return r;
}

/* All of its images, and those that are about to be forgotten anyway. */
static int empty(struct leaving *l)
{
	uint64_t until = clock_mono_ns() + UNLINKED_WAIT_NS;

	for (;;) {
		int r;

		l->nr_left = 0;
		r = imagedir_for_each(l->h->dir, leave, l);
		if (r < 0 || l->nr_left == 0)
			return r;
		if (clock_mono_ns() > until) {
			snprintf(l->path, sizeof(l->path), "a file that was removed");
			return -EBUSY;
		}
		maintain_hurry(l->h->dir);
		image_pause();
	}
}

static int stays(struct leaving *l, int error, char *text, size_t size)
{
	const char *what = strerror(-error);

	atomic_store(&l->h->is_leaving, false);
	if (error == -ETIMEDOUT && engine_is_hanging(l->h->engine)) {
		snprintf(text, size,
			 "a request to its device still hangs: say it again when that has come "
			 "back, or unmount");
		return -EBUSY;
	}
	if (cache_is_lost(l->h->cache) && error == -EIO)
		what = "data of it that only the lost device has cannot be read: bring the device "
		       "back and say it again, or give that up with lcctl resolve --keep-backing";
	snprintf(text, size, "%s cannot leave the cache: %s", l->path, what);
	return -EBUSY;
}

static void put_back(struct cachehost *h)
{
	mutex_lock(&h->dir->lock);
	h->dir->leaving = NULL;
	mutex_unlock(&h->dir->lock);
	if (cachehost_publish(h) < 0)
		msg_debug("cache: there is no place for it any more");
}

static int remove_host(struct cachehost *h, char *text, size_t size)
{
	struct leaving l = { .h = h };
	int r;

	atomic_store(&h->is_leaving, true);
	r = empty(&l);
	/* with nothing sent to it any more, what hangs can only become less */
	if (r == 0 && engine_is_hanging(h->engine))
		r = -ETIMEDOUT;
	if (r < 0)
		return stays(&l, r, text, size);
	withdraw(h);
	r = empty(&l);
	if (r < 0) {
		put_back(h);
		return stays(&l, r, text, size);
	}
	r = cachehost_end(h);
	if (r < 0)
		snprintf(text, size, "it could not be ended in order: %s", strerror(-r));
	let_go(h, r == ENGINE_HANGS);
	return r < 0 ? r : 0;
}

int imagedir_remove_cache(struct imagedir *d, uint32_t id, char *text, size_t size)
{
	struct cachehost *h;

	LOCK_SCOPE(&d->caches_lock);
	*text = '\0';
	h = cachehost_hold(d, id);
	if (!h) {
		snprintf(text, size, "there is no cache %u", (unsigned int)id);
		return -ENOENT;
	}
	cachehost_release(h); /* only we could take it away */
	return remove_host(h, text, size);
}
