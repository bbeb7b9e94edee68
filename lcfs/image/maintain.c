// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What is left to do when nobody waits for it, about once a second on a thread of its own:
 *
 *	- the lease is renewed while it is used;
 *	- damage of what only the cache device has is told;
 *	- images whose last name went: sync the directories, then, once nobody has them open,
 * UNBIND;
 *	- images that have become clean and are idle: remove the mark, close the descriptors;
 *	- now and then, images of which nothing is cached any more: UNBIND;
 *	- when the image table fills up, clean images that nobody has open: UNBIND, the longest
 *	  unwritten first.
 *
 * What was unbound needs its room until the tail has passed that. So this begins before the table
 * is full, and goes on until the images that stay need no more than half of it.
 *
 * A directory is synced for all unlinks in it at once. Beyond DIRS_MAX of them, or where one cannot
 * be synced (it was removed itself), the whole filesystem is synced instead.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/align.h"
#include "common/cleanup.h"
#include "common/messages.h"
#include "common/thread_end.h"
#include "lcfs/image/corecall.h"
#include "lcfs/image/image_private.h"

#define PASS_NS NSEC_PER_SEC
#define ROOM_PASS_NS (100 * NSEC_PER_MSEC)
#define PASS_IMAGES 4096u
#define IDLE_PASSES 5u
#define REAP_PASSES 30u
#define DIRS_MAX 256u

struct dir {
	int fd;
	uint64_t dev, ino;
};

struct dirs {
	unsigned int nr;
	bool is_whole; /* too many, or one is missing: sync the filesystem */
	struct dir dir[DIRS_MAX];
};

struct maintain {
	struct imagedir *d;
	pthread_t thread;
	struct mutex lock;
	struct cond wakeup;
	bool is_stopping;	    /* lock: lock */
	bool is_early;		    /* a pass is wanted soon; lock: lock */
	uint64_t unlinks;	    /* how many so far; lock: lock */
	struct dirs *dirs;	    /* of unlinks since the last sync of directories; lock: lock */
	struct dirs *syncing;	    /* owner: the thread */
	uint64_t synced;	    /* unlinks up to here are durable; owner: the thread */
	unsigned int passes;	    /* owner: the thread */
	bool is_last;		    /* this pass is the last; owner: the thread */
	_Atomic(unsigned int) done; /* images */
};

/* ---- directories to sync ---- */

static void dirs_clear(struct dirs *s)
{
	while (s->nr)
		cleanup_fd(&s->dir[--s->nr].fd);
	s->is_whole = false;
}

/* The most recent ones are looked at first: rm -r stays in one directory for a while. */
static bool dirs_has(const struct dirs *s, const struct stat *st)
{
	for (unsigned int i = s->nr; i-- > 0;)
		if (s->dir[i].dev == st->st_dev && s->dir[i].ino == st->st_ino)
			return true;
	return false;
}

static void dirs_add(struct dirs *s, int dirfd)
{
	struct stat st;

	if (s->is_whole || fstat(dirfd, &st) < 0) {
		s->is_whole = true;
		return;
	}
	if (dirs_has(s, &st))
		return;
	if (s->nr == DIRS_MAX) {
		s->is_whole = true;
		return;
	}
	s->dir[s->nr].fd = openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	s->dir[s->nr].dev = st.st_dev;
	s->dir[s->nr].ino = st.st_ino;
	if (s->dir[s->nr].fd < 0)
		s->is_whole = true;
	else
		s->nr++;
}

static int dirs_sync(const struct dirs *s, int root_fd)
{
	bool is_whole = s->is_whole;

	for (unsigned int i = 0; i < s->nr && !is_whole; i++)
		is_whole = pathname_sync_dir(s->dir[i].fd) < 0;
	if (is_whole) {
		CLEANUP_FD int root = openat(root_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

		return root < 0 || syncfs(root) < 0 ? -errno : 0;
	}
	return 0;
}

static void sync_dirs(struct maintain *m)
{
	struct dirs *s;
	uint64_t upto;

	mutex_lock(&m->lock);
	s = m->dirs;
	m->dirs = m->syncing;
	m->syncing = s;
	upto = m->unlinks;
	mutex_unlock(&m->lock);
	if (upto == m->synced)
		return;
	if (dirs_sync(s, m->d->root_fd) == 0) {
		m->synced = upto;
	} else {
		mutex_lock(&m->lock);
		m->dirs->is_whole = true;
		mutex_unlock(&m->lock);
	}
	dirs_clear(s);
}

void maintain_add_gone(struct image *img)
{
	struct maintain *m = img->dir->maintainer;

	mutex_assert_held(&img->lock);
	mutex_lock(&m->lock);
	m->dirs->is_whole = true;
	img->unlink_seq = ++m->unlinks;
	mutex_unlock(&m->lock);
	maintain_add(img);
}

void maintain_add_unlinked(struct image *img, int dirfd)
{
	struct maintain *m = img->dir->maintainer;

	mutex_assert_held(&img->lock);
	mutex_lock(&m->lock);
	dirs_add(m->dirs, dirfd);
	img->unlink_seq = ++m->unlinks;
	mutex_unlock(&m->lock);
	maintain_add(img);
}

/* ---- images ---- */

void maintain_add(struct image *img)
{
	struct imagedir *d = img->dir;

	mutex_lock(&d->lock);
	if (!list_is_linked(&img->maintain_node))
		list_add_tail(&d->maintain, &img->maintain_node);
	mutex_unlock(&d->lock);
}

void maintain_hurry(struct imagedir *d)
{
	struct maintain *m = d->maintainer;

	mutex_lock(&m->lock);
	m->is_early = true;
	cond_signal(&m->wakeup);
	mutex_unlock(&m->lock);
}

void maintain_want_room(struct cachehost *h)
{
	atomic_store(&h->is_room_wanted, true);
	maintain_hurry(h->dir);
}

bool maintain_unbind(struct image *img)
{
	if (corecall_unbind(image_host(img), img->cached) < 0)
		return false;
	atomic_store(&img->is_in_use, false);
	image_fds_close(img);
	image_drop_cached(img);
	return true;
}

static bool is_idle(struct image *img, const struct cache_image_info *info,
		    const struct maintain *m)
{
	if (m->is_last)
		return true;
	if (img->idle_lsn != info->last_lsn) {
		img->idle_lsn = info->last_lsn;
		img->idle_passes = 0;
	}
	return img->idle_passes++ >= IDLE_PASSES;
}

/* Clean and idle: the mark goes, and the descriptors once the core has let go of them. True: done.
 */
static bool put_away(struct image *img)
{
	struct cache_image_info info;

	/* to remove the mark that a daemon has left that died */
	if (image_has_mark(img) && !img->is_writable && !img->openers &&
	    image_fds_open(img, true, false) != 0)
		msg_debug("a clean image that is marked as dirty cannot be opened");
	if (!image_unprepare(img))
		return false;
	image_core_info(img, &info);
	if (img->openers)
		return true;
	if (info.dirty_blocks || info.is_touching)
		return false;
	atomic_store(&img->is_in_use, false);
	atomic_store(&img->is_changed, false);
	img->is_stamp_known = false;
	image_fds_close(img);
	return true;
}

/* Nobody can get at it any more, not by a descriptor with O_PATH either. */
static bool is_unreachable(struct image *img)
{
	LOCK_SCOPE(&img->dir->lock);

	return img->users == 0;
}

static void tell_damage(struct image *img, const struct cache_image_info *info)
{
	char path[PATHNAME_BYTES];

	if (info->damaged == img->damage_told || cache_is_lost(image_host(img)->cache))
		return;
	img->damage_told = info->damaged;
	image_describe(img, path);
	msg_err("%s: byte %" PRIu64 ": the only copy of this block, on the cache device, is "
		"damaged: reading it fails until it is overwritten; the rest of the image is migrated",
		path, info->damaged_block * BLOCK_BYTES);
}

/* image->lock held. True: nothing is left to do. */
static bool maintain_image(struct maintain *m, struct image *img)
{
	struct cache_image_info info;

	if (!img->cached || atomic_load(&img->bad))
		return true;
	image_core_info(img, &info);
	tell_damage(img, &info);
	image_tell_lost(img);
	if (img->is_unlinked && img->openers == 0)
		return is_unreachable(img) && img->unlink_seq <= m->synced && maintain_unbind(img);
	if (info.state >= IMAGE_DIRTY || info.dirty_blocks) {
		if (img->openers == 0 && !atomic_load(&img->is_in_use) &&
		    atomic_load(&m->d->nr_open) > m->d->fd_budget)
			image_fds_close(img);
		return false;
	}
	return is_idle(img, &info, m) && put_away(img);
}

static size_t count(struct imagedir *d)
{
	struct image *img;
	size_t n = 0;

	LOCK_SCOPE(&d->lock);
	list_for_each_entry(img, &d->maintain, maintain_node)
		n++;
	return n;
}

/* Takes up to PASS_IMAGES images off the list, pinned. */
static size_t take(struct imagedir *d, struct image **list)
{
	size_t n = 0;

	LOCK_SCOPE(&d->lock);
	while (n < PASS_IMAGES) {
		struct image *img = list_pop_head(&d->maintain, struct image, maintain_node);

		if (!img)
			break;
		img->pins++;
		list[n++] = img;
	}
	return n;
}

/* Whoever waits for a store that hangs has it: the other images' turn comes all the same. */
static bool lock_image(const struct maintain *m, struct image *img)
{
	return m->is_last ? image_lock_patiently(img) : mutex_trylock(&img->lock);
}

static void maintain_images(struct maintain *m)
{
	CLEANUP_FREE struct image **list = calloc(PASS_IMAGES, sizeof(*list));
	size_t n = list ? take(m->d, list) : 0;

	for (size_t i = 0; i < n; i++) {
		bool is_done = false;

		if (lock_image(m, list[i])) {
			is_done = maintain_image(m, list[i]);
			atomic_fetch_add(&m->done, 1);
			mutex_unlock(&list[i]->lock);
		}
		if (!is_done)
			maintain_add(list[i]);
		image_unpin(list[i]);
	}
}

/* ---- images that the core need not know any more ---- */

struct idle_image {
	struct image *img;
	uint64_t last_lsn;
};

/* Those that could be unbound, referenced. */
struct idle_images {
	struct cachehost *h;
	struct idle_image *list;
	size_t nr, room;
	bool with_cached; /* blocks, too: room is wanted */
};

static bool is_reapable(struct image *img, const struct cachehost *h, bool with_cached,
			struct cache_image_info *info)
{
	if (image_host(img) != h || img->openers || img->is_unlinked || atomic_load(&img->bad) ||
	    atomic_load(&img->is_unmatched))
		return false;
	image_core_info(img, info);
	return info->state < IMAGE_DIRTY && !info->dirty_blocks && !info->is_touching &&
	       (with_cached || !info->cached_blocks);
}

static int note_idle_locked(struct image *img, struct idle_images *idle)
{
	struct cache_image_info info;

	if (!is_reapable(img, idle->h, idle->with_cached, &info))
		return 0;
	if (idle->nr == idle->room) {
		size_t room = max(2 * idle->room, (size_t)256);
		struct idle_image *list = reallocarray(idle->list, room, sizeof(*list));

		if (!list)
			return -ENOMEM;
		idle->list = list;
		idle->room = room;
	}
	idle->list[idle->nr++] =
		(struct idle_image){ .img = image_ref(img), .last_lsn = info.last_lsn };
	return 0;
}

static int note_idle(struct image *img, void *arg)
{
	int r;

	if (!mutex_trylock(&img->lock))
		return 0;
	r = note_idle_locked(img, arg);
	mutex_unlock(&img->lock);
	return r;
}

static int by_age(const void *a, const void *b)
{
	const struct idle_image *x = a, *y = b;

	return (x->last_lsn > y->last_lsn) - (x->last_lsn < y->last_lsn);
}

static bool reap_image(struct image *img, struct cachehost *h, bool with_cached)
{
	struct cache_image_info info;

	LOCK_SCOPE(&img->lock);
	if (!is_reapable(img, h, with_cached, &info))
		return false;
	/* The file is changed past the log from now on: that it is clean must be durable (E5). */
	if (corecall_sync(h, img->cached) < 0 || cache_is_lost(h->cache) || !image_unprepare(img))
		return false;
	if (maintain_unbind(img))
		return true;
	msg_debug("cache: an unused image cannot be unbound");
	return false;
}

static bool is_crowded(struct cachehost *h)
{
	struct cache_table_room room;

	cache_table_room(h->cache, &room);
	return room.bound > room.all / 2;
}

bool maintain_is_room_short(struct cachehost *h)
{
	struct cache_table_room room;

	cache_table_room(h->cache, &room);
	return room.bound > room.all / 2 && room.bound + room.unbound > room.all / 4 * 3;
}

/* Those with cached blocks only for as long as the table is crowded. How many were unbound. */
static size_t reap_images(struct cachehost *h, bool with_cached)
{
	struct idle_images idle = { .h = h, .with_cached = with_cached };
	size_t nr = 0;

	(void)imagedir_for_each(h->dir, note_idle, &idle);
	if (idle.nr)
		qsort(idle.list, idle.nr, sizeof(*idle.list), by_age);
	for (size_t i = 0; i < idle.nr; i++) {
		if (!with_cached || is_crowded(h))
			nr += reap_image(idle.list[i].img, h, with_cached);
		image_put(idle.list[i].img);
	}
	free(idle.list);
	return nr;
}

/* Ids and entries of the table are free once both super block copies have passed the unbinds: that
 * need not wait for their turn. */
static void commit_super_block(struct cachehost *h)
{
	struct outbox ob;

	outbox_init(&ob);
	if (cache_knob_set(h->cache, KNOB_COMMIT_SUPER_BLOCK, 1, engine_now(h->engine), &ob) < 0)
		msg_debug("cache: no super block is written for the sake of room");
	engine_carry(h->engine, &ob);
}

static void reap(struct maintain *m, struct cachehost *h)
{
	bool is_room_wanted = atomic_exchange(&h->is_room_wanted, false);

	if (cache_is_lost(h->cache))
		return;
	/* names may have grown, too, until the table cannot be written any more */
	is_room_wanted |= maintain_is_room_short(h);
	if (is_room_wanted && reap_images(h, true))
		commit_super_block(h);
	else if (m->passes % REAP_PASSES == 0)
		(void)reap_images(h, false);
}

/* ---- the thread ---- */

static void pass(struct maintain *m)
{
	struct cachehost *list[IMAGEDIR_CACHES_MAX];
	unsigned int nr = cachehost_hold_all(m->d, list);

	m->passes++;
	revive_if_lost(m->d);
	for (unsigned int i = 0; i < nr; i++)
		lease_keep(list[i]);
	sync_dirs(m);
	maintain_images(m);
	for (unsigned int i = 0; i < nr; i++)
		reap(m, list[i]);
	cachehost_release_all(list, nr);
}

/*
 * False: stop. Where room is wanted the next pass comes early, but what was unbound needs a moment
 * to be out of the log.
 */
static bool wait_for_pass(struct maintain *m)
{
	uint64_t start = clock_mono_ns();

	LOCK_SCOPE(&m->lock);
	while (!m->is_stopping) {
		uint64_t deadline = start + (m->is_early ? ROOM_PASS_NS : PASS_NS);

		if (cond_timedwait_ns(&m->wakeup, &m->lock, deadline) == -ETIMEDOUT)
			break;
	}
	m->is_early = false;
	return !m->is_stopping;
}

static void *maintain_run(void *arg)
{
	struct maintain *m = arg;

	pthread_setname_np(pthread_self(), "lcfs-maintain");
	while (wait_for_pass(m))
		pass(m);
	m->is_last = true;
	sync_dirs(m);
	for (size_t left = count(m->d) / PASS_IMAGES + 1; left; left--)
		maintain_images(m);
	return NULL;
}

static void maintain_free(struct maintain *m)
{
	if (m->dirs)
		dirs_clear(m->dirs);
	free(m->dirs);
	free(m->syncing);
	cond_destroy(&m->wakeup);
	mutex_destroy(&m->lock);
	free(m);
}

int maintain_start(struct imagedir *d)
{
	struct maintain *m = calloc(1, sizeof(*m));
	int r;

	if (!m)
		return -ENOMEM;
	m->d = d;
	mutex_init(&m->lock, RANK_MAINTAIN, "maintenance");
	cond_init(&m->wakeup);
	m->dirs = calloc(1, sizeof(*m->dirs));
	m->syncing = calloc(1, sizeof(*m->syncing));
	r = m->dirs && m->syncing ? 0 : ENOMEM;
	d->maintainer = m;
	if (r == 0)
		r = pthread_create(&m->thread, NULL, maintain_run, m);
	if (r) {
		d->maintainer = NULL;
		maintain_free(m);
	}
	return -r;
}

bool maintain_stop(struct imagedir *d)
{
	struct maintain *m = d->maintainer;

	if (!m)
		return true;
	mutex_lock(&m->lock);
	m->is_stopping = true;
	cond_signal(&m->wakeup);
	mutex_unlock(&m->lock);
	if (!thread_join_or_leave(m->thread, &m->done))
		return false;
	d->maintainer = NULL;
	maintain_free(m);
	return true;
}
