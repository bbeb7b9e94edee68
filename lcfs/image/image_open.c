// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Open handles, and what stat shows.
 *
 * The first open makes the image known to the core (in memory: it is bound by its first cached
 * write), the last release of one that was never written lets go of it again.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "common/align.h"
#include "common/messages.h"
#include "lcfs/image/image_private.h"

#define OPEN_TRIES 5000 /* with image_pause() each: 10 s */

/* ---- the mark of a file that no cache of the mount knows ---- */

/* Is it an image of that cache whose file is not known, or not known to be its own? */
static int is_adrift(struct image *img, void *host)
{
	return image_host(img) == host &&
	       (atomic_load(&img->bad) || atomic_load(&img->is_unmatched));
}

/* Nothing of the cache can be data of a file that none of its images leads to. */
static bool is_all_found(struct imagedir *d, struct cachehost *h)
{
	return !cache_is_lost(h->cache) && !atomic_load(&h->is_joining) &&
	       imagedir_for_each(d, is_adrift, h) == 0;
}

/* Without its list of caches the directory says nothing. */
static bool is_noted_clean(struct imagedir *d, const uint8_t *uuid)
{
	struct privdir_caches list;
	const struct privdir_cache *c;

	if (privdir_caches_read(&d->priv, &list) < 0)
		return false;
	c = privdir_caches_find(&list, uuid);
	return c && !c->is_dirty;
}

/* The daemon died before the file was bound, or after it was unbound. */
int image_judge_mark(struct image *img, const uint8_t *uuid)
{
	struct imagedir *d = img->dir;
	struct cachehost *h = cachehost_hold(d, imagedir_cache_id(d, uuid));
	bool is_stale;

	if (!h)
		return is_noted_clean(d, uuid) ? 1 : -ENOENT;
	is_stale = is_all_found(d, h);
	cachehost_release(h);
	return is_stale;
}

static void remove_stale_mark(struct image *img)
{
	if (img->dir->read_only || image_change_begin(img) < 0)
		return;
	if (guard_mark_clear(atomic_load(&img->fd[GUARD_BUFFERED])) < 0)
		msg_debug("backing file: an old mark cannot be removed");
	image_change_end(img);
}

/*
 * A mark of a cache that is not there: that one has dirty data of this file, so what stands here is
 * old. One that is there knows best what it has.
 */
static int look_at_mark(struct image *img)
{
	uint8_t uuid[FORMAT_UUID_BYTES];
	char text[UUID_TEXT_BYTES], path[PATHNAME_BYTES];
	int r;

	if (guard_mark_get(atomic_load(&img->fd[GUARD_BUFFERED]), uuid) < 0 || img->dir->force)
		return 0;
	r = image_judge_mark(img, uuid);
	if (r > 0)
		remove_stale_mark(img);
	if (r >= 0)
		return 0;
	uuid_text(uuid, text);
	image_describe(img, path);
	msg_warn_ratelimited(
		"%s: not opened: it is marked as having newer data in cache %s: mount with that "
		"cache, or remove its attribute user.lcfs.dirty if that data is given up",
		path, text);
	return -EIO;
}

/* ---- into a cache ---- */

/*
 * The core is told of each rename, but of none that was under way when it got the path. -EAGAIN:
 * one is.
 */
static int new_in_core(struct image *img, struct cachehost *h, const struct op_identity *id,
		       struct cache_image **ci)
{
	struct imagedir *d = img->dir;
	char path[PATHNAME_BYTES];
	int r;

	if (img->changes || pthread_rwlock_tryrdlock(&d->names))
		return -EAGAIN;
	r = pathname_of_fd(d->root_fd, atomic_load(&img->fd[GUARD_BUFFERED]), path);
	if (r == 0)
		r = cache_image_new(h->cache, id, &img->stamp, path, ci);
	pthread_rwlock_unlock(&d->names);
	return r;
}

int image_enter_host(struct image *img, struct cachehost *h)
{
	struct cache_image *ci;
	struct op_identity id;
	int r = identity_read(atomic_load(&img->fd[GUARD_BUFFERED]), &id);

	mutex_assert_held(&img->lock);
	if (r == 0)
		r = new_in_core(img, h, &id, &ci);
	if (r == -EAGAIN)
		return r;
	if (r == -ENOSPC || maintain_is_room_short(h))
		maintain_want_room(h);
	if (r < 0)
		return r;
	img->is_weak = id.strength == IDENTITY_WEAK;
	if (img->direct_align > SECTOR_BYTES)
		cache_image_set_align(ci, BLOCK_BYTES);
	naming_enters(img, h, ci);
	image_set_cached(img, h, ci);
	return 0;
}

/* Where no id is left, no room in the table, or no name that can be stored: the next one. */
static int enter_one(struct image *img, struct cachehost *const *list, unsigned int nr)
{
	for (unsigned int i = 0; i < nr; i++) {
		int r = image_enter_host(img, list[i]);

		if (r == 0 || r == -EAGAIN)
			return r;
	}
	img->is_uncached = true;
	return 0;
}

/* Gives the image to a cache, or finds that it must do without. */
static int enter_core(struct image *img)
{
	struct cachehost *list[IMAGEDIR_CACHES_MAX];
	int r, nr;

	if (img->cached || img->is_uncached)
		return 0;
	r = image_check(img);
	if (r == 0)
		r = look_at_mark(img);
	if (r < 0)
		return r;
	nr = choose_hosts(img, list);
	if (nr < 0)
		return nr;
	r = enter_one(img, list, (unsigned int)nr);
	cachehost_release_all(list, (unsigned int)nr);
	return r;
}

static void leave_core(struct image *img)
{
	if (img->cached && !image_is_bound(img)) {
		if (!image_unprepare(img))
			return;
		image_drop_cached(img);
	}
	img->is_uncached = false;
	if (!img->cached)
		image_fds_close(img);
}

static int open_locked(struct image *img, bool for_write)
{
	char path[PATHNAME_BYTES];
	int r = -atomic_load(&img->bad);

	if (r == 0 && for_write && img->dir->read_only)
		r = -EROFS;
	if (r == 0)
		r = image_fds_open(img, for_write, true);
	if (r == 0)
		r = enter_core(img);
	if (r == 0)
		r = image_check(img);
	if (r == -EBUSY) {
		image_describe(img, path);
		msg_warn_ratelimited(
			"%s: not opened for writing: another program has locked the backing file "
			"(a virtual machine?): end that first",
			path);
	}
	return r;
}

static int try_open(struct image *img, bool for_write)
{
	int r;

	LOCK_SCOPE(&img->lock);
	r = open_locked(img, for_write);
	if (r < 0) {
		if (img->openers == 0)
			leave_core(img);
		return r == BACK_CONFLICT ? -ESTALE : r;
	}
	img->openers++;
	img->writers += for_write;
	image_number(img);
	return 0;
}

/* A change of the file by others may be found that cannot be taken over while migration is at work
 * on the file, or while the log is full: that passes. */
int image_open(struct image *img, bool for_write)
{
	for (int i = 0; i < OPEN_TRIES; i++) {
		int r = try_open(img, for_write);

		if (r != -EAGAIN)
			return r;
		image_pause();
	}
	return -EBUSY;
}

void image_release_locked(struct image *img, bool for_write)
{
	mutex_assert_held(&img->lock);
	img->openers--;
	img->writers -= for_write;
	if (img->is_uncached && for_write)
		image_restamp(img);
	if (img->openers)
		return;
	leave_core(img);
	if (img->cached)
		maintain_add(img);
}

void image_release(struct image *img, bool for_write)
{
	LOCK_SCOPE(&img->lock);

	image_release_locked(img, for_write);
}

/* Is what the core says of size and times newer than the backing file? */
static bool is_overlaid(struct image *img, const struct cache_image_info *info)
{
	return info->is_bound && (info->state >= IMAGE_DIRTY || atomic_load(&img->is_ready));
}

static struct timespec timespec_of(int64_t ns)
{
	struct timespec ts = { .tv_sec = ns / (int64_t)NSEC_PER_SEC,
			       .tv_nsec = ns % (int64_t)NSEC_PER_SEC };

	if (ts.tv_nsec < 0) {
		ts.tv_sec--;
		ts.tv_nsec += (long)NSEC_PER_SEC;
	}
	return ts;
}

/* Programs that look for holes take a file with few blocks for one: never fewer than there is data.
 */
static void overlay_blocks(struct stat *st, const struct cache_image_info *info)
{
	uint64_t whole = div_round_up(info->size, BLOCK_BYTES) * SECTORS_PER_BLOCK;
	uint64_t most = (uint64_t)st->st_blocks + info->dirty_blocks * SECTORS_PER_BLOCK;

	st->st_blocks = (blkcnt_t)max((uint64_t)st->st_blocks, min(whole, most));
}

/* Migration moves the backing file's ctime, though nobody changed the image: what is shown moves
 * with changes only. */
static void overlay_ctime(struct image *img, struct stat *st, const struct cache_image_info *info)
{
	if (!img->shown_ctime_ns)
		img->shown_ctime_ns = img->is_stamp_known ? img->stamp.ctime_ns :
							    info->stamp.ctime_ns;
	if (!atomic_load(&img->is_mtime_set))
		img->shown_ctime_ns = max(img->shown_ctime_ns, info->mtime_ns);
	st->st_ctim = timespec_of(img->shown_ctime_ns);
}

static void overlay(struct image *img, struct stat *st, const struct cache_image_info *info)
{
	st->st_size = (off_t)info->size;
	overlay_blocks(st, info);
	if (info->mtime_ns)
		st->st_mtim = timespec_of(info->mtime_ns);
	overlay_ctime(img, st, info);
}

/*
 * The file is asked after the core, and under the lock, without which a clean image becomes no
 * other: what the file said while it was migrated to, of its size above all, is never shown.
 */
int image_stat(struct image *img, int fd, struct stat *st)
{
	struct cache_image_info info = { 0 };

	LOCK_SCOPE(&img->lock);
	if (img->cached)
		image_core_info(img, &info);
	if (fstatat(fd, "", st, AT_EMPTY_PATH) < 0)
		return -errno;
	if (!img->cached)
		return 0;
	if (is_overlaid(img, &info))
		overlay(img, st, &info);
	else if (img->openers == 0)
		img->shown_ctime_ns = 0;
	else if (img->shown_ctime_ns)
		st->st_ctim = timespec_of(img->shown_ctime_ns);
	return 0;
}

uint64_t image_size_inside(struct image *img)
{
	struct cache_image *ci = atomic_load(&img->cached);
	struct stat st;
	int fd = atomic_load(&img->fd[GUARD_BUFFERED]);

	if (ci)
		return cache_image_size(ci);
	return fstat(fd >= 0 ? fd : img->path_fd, &st) < 0 ? 0 : (uint64_t)st.st_size;
}

/* In a cache or not, it need not be open: the last close may take it out just now. */
static bool size_looked(struct image *img, uint64_t *size)
{
	struct cache_image *ci;
	LOCK_SCOPE(&img->look);

	ci = atomic_load(&img->cached);
	if (ci)
		*size = cache_image_size(ci);
	return ci;
}

uint64_t image_size(struct image *img)
{
	uint64_t size;

	if (size_looked(img, &size))
		return size;
	/* it is about to change its cache, under the lock */
	LOCK_SCOPE(&img->lock);
	return image_size_inside(img);
}
