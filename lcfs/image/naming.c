// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * New files: which images the log is told of as such, and when it is told that they are so no more
 * (lcfs/cache/naming.h).
 *
 * A file is new from image_created() on, first here, then in the core for as long as the image is
 * in one; a sync of the file ends it, of the directory that has its name, or the admin's flush.
 * Each sync of a directory counts names_synced up before it begins. An image that is in no cache
 * then has no place among the names that the core knows, and is not new any more afterwards,
 * whichever directory it was; nor is one that enters its cache meanwhile.
 *
 * What has several names, or one that cannot be stored, is not new: any directory's sync may have
 * been a promise about it.
 */
#include <errno.h>

#include "common/messages.h"
#include "lcfs/cache/naming.h"
#include "lcfs/image/corecall.h"
#include "lcfs/image/image_private.h"

void image_created(struct image *img)
{
	LOCK_SCOPE(&img->lock);

	atomic_fetch_add(&img->sync_wanted, 1);
	if (img->cached)
		return; /* somebody was faster than who created it */
	img->is_new = true;
	img->new_since = atomic_load(&img->dir->names_synced);
}

static bool is_new(const struct image *img)
{
	return img->is_new && img->new_since == atomic_load(&img->dir->names_synced);
}

static int tell_named(struct cachehost *h, struct cache_image *ci)
{
	struct outbox ob;
	int r;

	outbox_init(&ob);
	r = cache_image_named(h->cache, ci, engine_now(h->engine), &ob);
	engine_carry(h->engine, &ob);
	return r;
}

void naming_enters(struct image *img, struct cachehost *h, struct cache_image *ci)
{
	mutex_assert_held(&img->lock);
	if (!is_new(img))
		return;
	cache_image_set_new(h->cache, ci);
	/* a sync of a directory looked for new ones just before; not bound: nothing is logged */
	if (!is_new(img))
		(void)tell_named(h, ci);
}

void naming_leaves(struct image *img)
{
	struct cache_image_info info;

	mutex_assert_held(&img->lock);
	image_core_info(img, &info);
	img->is_new = img->is_new && info.is_new;
}

int naming_is_durable(struct image *img)
{
	int r;

	do {
		mutex_lock(&img->lock);
		img->is_new = false;
		r = img->cached ? tell_named(image_host(img), img->cached) : 0;
		mutex_unlock(&img->lock);
		if (r == -EAGAIN)
			image_pause();
	} while (r == -EAGAIN);
	return r;
}

void naming_is_vague(struct image *img)
{
	mutex_assert_held(&img->lock);
	img->is_new = false;
	if (img->cached && tell_named(image_host(img), img->cached) < 0)
		msg_debug("cache: it still takes a file for new that has several names, or one too "
			  "long for it");
}

/* ---- all of a directory ---- */

static int tell_marked(struct cachehost *h, uint64_t mark)
{
	int r;

	do {
		struct outbox ob;

		outbox_init(&ob);
		r = cache_new_named(h->cache, mark, engine_now(h->engine), &ob);
		engine_carry(h->engine, &ob);
		if (r == -EAGAIN)
			image_pause();
	} while (r == -EAGAIN);
	return r;
}

/* path: of a directory; NULL: all. */
static void mark(struct naming *n, struct imagedir *d, const char *path)
{
	atomic_fetch_add(&d->names_synced, 1);
	n->nr = cachehost_hold_all(d, n->host);
	for (unsigned int i = 0; i < n->nr; i++)
		n->mark[i] = cache_new_mark(n->host[i]->cache, path);
}

void naming_begin(struct naming *n, struct imagedir *d, int dirfd)
{
	char path[PATHNAME_BYTES];

	/* no directory is renamed between its path and those of the images */
	pthread_rwlock_rdlock(&d->names);
	mark(n, d, pathname_of_fd(d->root_fd, dirfd, path) == 0 ? path : NULL);
	pthread_rwlock_unlock(&d->names);
}

int naming_end(struct naming *n, int r)
{
	for (unsigned int i = 0; i < n->nr && r == 0; i++)
		r = tell_marked(n->host[i], n->mark[i]);
	cachehost_release_all(n->host, n->nr);
	return r;
}

/* sync(2) for who cannot reach us with it; H3: it waits for no backing store, so that the names are
 * as good as they are. */
int imagedir_flush(struct imagedir *d, uint32_t id)
{
	struct naming n;
	int r;

	mark(&n, d, NULL);
	r = naming_end(&n, 0);
	if (r < 0)
		return r;
	return id ? imagedir_sync_cache(d, id) : imagedir_sync(d);
}
