// SPDX-License-Identifier: GPL-2.0-or-later
/* The images of a directory: found by inode, kept while somebody or the core needs them. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/messages.h"
#include "lcfs/image/image_private.h"

static struct list *inode_bucket(struct imagedir *d, uint64_t dev, uint64_t ino)
{
	return &d->by_inode[(ino * 0x9e3779b97f4a7c15u + dev) >> 32 & (IMAGEDIR_BUCKETS - 1)];
}

static struct list *number_bucket(struct imagedir *d, uint32_t number)
{
	return &d->by_id[number & (IMAGEDIR_BUCKETS - 1)];
}

static struct image *find_locked(struct imagedir *d, uint64_t dev, uint64_t ino)
{
	struct image *img;

	mutex_assert_held(&d->lock);
	list_for_each_entry(img, inode_bucket(d, dev, ino), node)
		if (img->dev == dev && img->ino == ino)
			return img;
	return NULL;
}

static void image_init(struct image *img, struct imagedir *d)
{
	img->dir = d;
	list_init(&img->all_node);
	list_init(&img->node);
	list_init(&img->id_node);
	list_init(&img->maintain_node);
	list_init(&img->parked);
	mutex_init(&img->move_lock, RANK_MOVE, "image move");
	mutex_init(&img->sync_lock, RANK_IMAGE_SYNC, "image sync");
	mutex_init(&img->lock, RANK_IMAGE, "image");
	mutex_init(&img->look, RANK_LOOK, "look at an image");
	img->path_fd = img->spare_fd = -1;
	img->fd[GUARD_BUFFERED] = img->fd[GUARD_DIRECT] = -1;
	img->max_bytes = IMAGE_BYTES_MAX;
	img->sync_wanted = 1; /* what was done to the file before, by whomever */
	img->pins = 1;
}

static void image_destroy(struct image *img)
{
	image_fds_close(img);
	cleanup_fd(&img->path_fd);
	cleanup_fd(&img->spare_fd);
	free(img->link_dir);
	mutex_destroy(&img->look);
	mutex_destroy(&img->lock);
	mutex_destroy(&img->sync_lock);
	mutex_destroy(&img->move_lock);
	free(img);
}

void image_pin(struct image *img)
{
	mutex_lock(&img->dir->lock);
	img->pins++;
	mutex_unlock(&img->dir->lock);
}

/* dir->lock held; true: nobody has it any more, and it is off all lists. */
static bool let_go_locked(struct image *img)
{
	if (img->users || img->pins)
		return false;
	list_del(&img->all_node);
	list_del(&img->node);
	list_del(&img->id_node);
	list_del(&img->maintain_node);
	return true;
}

void image_unpin(struct image *img)
{
	bool is_last;

	mutex_lock(&img->dir->lock);
	img->pins--;
	is_last = let_go_locked(img);
	mutex_unlock(&img->dir->lock);
	if (is_last)
		image_destroy(img);
}

struct image *image_ref(struct image *img)
{
	mutex_lock(&img->dir->lock);
	img->users++;
	mutex_unlock(&img->dir->lock);
	return img;
}

/* Without its descriptor it could not be found again. */
static bool needs_descriptor(const struct image *img)
{
	if (atomic_load(&img->is_assigned_here))
		return true;
	return atomic_load(&img->cached) && (img->is_weak || atomic_load(&img->is_name_lost));
}

/*
 * The last user is gone and the core still knows the image: it is known by its identity alone from
 * now on. A weak identity is none, so there the descriptor stays and with it the inode number.
 */
void image_put(struct image *img)
{
	int path_fd = -1;
	bool is_last;

	mutex_lock(&img->dir->lock);
	if (--img->users == 0 && !needs_descriptor(img)) {
		path_fd = img->path_fd;
		img->path_fd = -1;
	}
	is_last = let_go_locked(img);
	mutex_unlock(&img->dir->lock);
	cleanup_fd(&path_fd);
	if (is_last)
		image_destroy(img);
}

bool image_adopt_inode(struct image *img, int fd)
{
	struct imagedir *d = img->dir;
	struct stat st;

	if (fstat(fd, &st) < 0)
		return false;
	LOCK_SCOPE(&d->lock);
	if (find_locked(d, st.st_dev, st.st_ino))
		return false;
	img->dev = st.st_dev;
	img->ino = st.st_ino;
	list_add_head(inode_bucket(d, img->dev, img->ino), &img->node);
	return true;
}

struct image *image_at_inode(struct imagedir *d, int fd)
{
	struct image *img;
	struct stat st;

	if (fstat(fd, &st) < 0)
		return NULL;
	LOCK_SCOPE(&d->lock);
	img = find_locked(d, st.st_dev, st.st_ino);
	if (img)
		img->pins++;
	return img;
}

void image_forget_inode(struct image *img)
{
	mutex_lock(&img->dir->lock);
	list_del(&img->node);
	mutex_unlock(&img->dir->lock);
}

/* Puts it into the table, unless another one is there already: that one is returned, pinned. */
static struct image *insert(struct image *img, int fd, const struct stat *st)
{
	struct imagedir *d = img->dir;
	struct image *other = NULL;

	LOCK_SCOPE(&d->lock);
	if (fd >= 0) {
		img->dev = st->st_dev;
		img->ino = st->st_ino;
		other = find_locked(d, img->dev, img->ino);
		if (other)
			other->pins++;
		else
			list_add_head(inode_bucket(d, img->dev, img->ino), &img->node);
	}
	if (!other)
		list_add_tail(&d->all, &img->all_node);
	return other;
}

struct image *image_make(struct imagedir *d, int fd)
{
	struct image *img, *other;
	struct stat st;

	if (fd >= 0 && fstat(fd, &st) < 0)
		return NULL;
	img = calloc(1, sizeof(*img));
	if (!img)
		return NULL;
	image_init(img, d);
	other = insert(img, fd, &st);
	if (!other)
		return img;
	image_destroy(img);
	return other;
}

/*
 * The image has no descriptor that would keep its inode: is the file at fd still the one it stands
 * for? If not, the image's file is gone behind our back.
 */
static bool is_still(struct image *img, int fd)
{
	struct cache_image_info info;
	struct op_identity id;

	LOCK_SCOPE(&img->lock);
	if (!img->cached || atomic_load(&img->fd[GUARD_BUFFERED]) >= 0 || img->bad)
		return true;
	image_core_info(img, &info);
	if (identity_read(fd, &id) < 0 || identity_compare(&id, &info.identity) != IDENTITY_OTHER)
		return true;
	image_forget_inode(img);
	if (!img->is_unlinked && (info.dirty_blocks || info.state >= IMAGE_DIRTY)) {
		image_set_conflict(img, IMAGE_MISSING, "deleted", true);
	} else if (!img->is_unlinked) {
		img->is_unlinked = true;
		maintain_add_gone(img);
	}
	return false;
}

struct image *image_find(struct imagedir *d, int fd)
{
	struct image *img;
	struct stat st;
	bool is_held;

	if (fstat(fd, &st) < 0)
		return NULL;
	mutex_lock(&d->lock);
	img = find_locked(d, st.st_dev, st.st_ino);
	is_held = img && img->path_fd >= 0;
	if (img)
		img->pins++;
	mutex_unlock(&d->lock);
	if (!img || is_held || is_still(img, fd))
		return img;
	image_unpin(img);
	return NULL;
}

/* A user more; path_fd, if the image has none, from what the caller gives. Turns a pin into a user.
 */
static void pin_to_user(struct image *img, int *path_fd)
{
	mutex_lock(&img->dir->lock);
	img->users++;
	img->pins--;
	if (img->path_fd < 0) {
		img->path_fd = *path_fd;
		*path_fd = -1;
	}
	mutex_unlock(&img->dir->lock);
}

static void keep_spare(struct image *img, int fd)
{
	int flags = fcntl(fd, F_GETFL);

	if (flags < 0 || flags & O_PATH || (flags & O_ACCMODE) != O_RDWR ||
	    flags & (O_DIRECT | O_APPEND))
		return;
	LOCK_SCOPE(&img->lock);
	if (img->spare_fd < 0 && atomic_load(&img->fd[GUARD_BUFFERED]) < 0)
		img->spare_fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
}

int image_get(struct imagedir *d, int fd, struct image **out)
{
	CLEANUP_FD int path_fd = -1;
	struct image *img;
	struct stat st;

	*out = NULL;
	if (fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -EINVAL;
	path_fd = pathname_reopen(fd, O_PATH);
	if (path_fd < 0)
		return path_fd;
	img = image_find(d, fd);
	if (!img)
		img = image_make(d, fd);
	if (!img)
		return -ENOMEM;
	pin_to_user(img, &path_fd);
	keep_spare(img, fd);
	*out = img;
	return 0;
}

struct image *image_lookup(struct imagedir *d, int fd)
{
	CLEANUP_FD int path_fd = -1;
	struct image *img = image_find(d, fd);

	if (!img)
		return NULL;
	path_fd = pathname_reopen(fd, O_PATH);
	pin_to_user(img, &path_fd);
	return img;
}

int image_fd(const struct image *img)
{
	return img->path_fd;
}

uint64_t image_version(struct image *img)
{
	return atomic_load(&img->version);
}

void image_number(struct image *img)
{
	struct imagedir *d = img->dir;

	LOCK_SCOPE(&d->lock);
	if (atomic_load(&img->number))
		return;
	atomic_store(&img->number, ++d->last_number);
	list_add_head(number_bucket(d, d->last_number), &img->id_node);
}

void image_set_cached(struct image *img, struct cachehost *h, struct cache_image *ci)
{
	mutex_assert_held(&img->lock);
	cache_image_set_owner(ci, img);
	mutex_lock(&img->look);
	atomic_store(&img->host, h);
	atomic_store(&img->cached, ci);
	mutex_unlock(&img->look);
	image_pin(img);
	image_number(img);
}

void image_drop_cached(struct image *img)
{
	struct cachehost *h = image_host(img);
	struct cache_image *ci;

	mutex_assert_held(&img->lock);
	naming_leaves(img);
	mutex_lock(&img->look);
	ci = atomic_exchange(&img->cached, NULL);
	atomic_store(&img->host, NULL);
	mutex_unlock(&img->look);
	img->damage_told = 0;
	img->is_marked = img->has_old_mark = false; /* the next cache has to look */
	mutex_lock(&img->dir->lock);
	img->pins--; /* whoever holds the lock has one more */
	mutex_unlock(&img->dir->lock);
	cache_image_free(h->cache, ci);
}

uint32_t image_id(const struct image *img)
{
	return atomic_load(&img->number);
}

struct cache_image *image_hold(struct image *img)
{
	image_enter(img);
	LOCK_SCOPE(&img->lock);
	img->openers++;
	return atomic_load(&img->cached);
}

void image_unhold(struct image *img)
{
	image_release(img, false);
	image_leave(img);
}

static uint32_t host_id(struct image *img)
{
	LOCK_SCOPE(&img->look);
	const struct cachehost *h = image_host(img);

	return h ? h->id : 0;
}

uint32_t image_cache_id(struct image *img)
{
	uint32_t id;

	if (image_try_enter(img)) {
		id = host_id(img);
		image_leave(img);
		return id;
	}
	LOCK_SCOPE(&img->lock);
	return host_id(img);
}

/* Of one in no cache, as last seen: never waits for the store. */
static void plain_info(struct image *img, struct cache_image_info *info, char *path)
{
	CLEANUP_FD int own = -1;
	struct statx sx;
	int fd = image_borrow_fd(img, &own);

	memset(info, 0, sizeof(*info));
	info->state = IMAGE_UNCACHED;
	if (fd >= 0 && statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_SIZE, &sx) == 0)
		info->size = sx.stx_size;
	if (path && (fd < 0 || pathname_said_of_fd(img->dir->root_fd, fd, path) < 0))
		snprintf(path, PATHNAME_BYTES, "inode %llu", (unsigned long long)img->ino);
}

/* As the kernel says it of such a file: another one may have its name. */
static void core_path(struct image *img, struct cache_image *ci, char *path)
{
	static const char deleted[] = " (deleted)";
	size_t n;

	cache_image_path(image_host(img)->cache, ci, path);
	n = strlen(path);
	if (atomic_load(&img->is_unlinked) && n + sizeof(deleted) <= PATHNAME_BYTES)
		memcpy(path + n, deleted, sizeof(deleted));
}

/*
 * Of one that is in a cache, without its lock: who has that may wait for a store that hangs, and
 * what the core knows is to be seen all the same. A reference does not keep it in the cache.
 */
static bool info_looked(struct image *img, struct cache_image_info *info, char *path)
{
	struct cache_image *ci;
	LOCK_SCOPE(&img->look);

	ci = atomic_load(&img->cached);
	if (ci)
		image_core_info(img, info);
	if (ci && path)
		core_path(img, ci, path);
	return ci != NULL;
}

bool image_info(struct image *img, struct cache_image_info *info, char *path)
{
	if (info_looked(img, info, path))
		return true;
	/* it is about to change its cache, under the lock */
	LOCK_SCOPE(&img->lock);
	if (info_looked(img, info, path))
		return true;
	plain_info(img, info, path);
	return false;
}

int image_try_info(struct image *img, struct cache_image_info *info, char *path, const char **why)
{
	int r;

	*why = image_reason(img);
	if (info_looked(img, info, path))
		return 1;
	if (!mutex_trylock(&img->lock))
		return -EAGAIN;
	r = info_looked(img, info, path);
	if (!r)
		plain_info(img, info, path);
	mutex_unlock(&img->lock);
	return r;
}

const char *image_reason(struct image *img)
{
	const char *reason = atomic_load(&img->reason);

	return reason ? reason : "";
}

int image_borrow_fd(struct image *img, int *own)
{
	int fd = atomic_load(&img->fd[GUARD_BUFFERED]);

	if (fd >= 0)
		return fd;
	LOCK_SCOPE(&img->dir->lock);
	if (img->path_fd >= 0)
		*own = fcntl(img->path_fd, F_DUPFD_CLOEXEC, 0);
	return *own;
}

void image_describe(struct image *img, char *text)
{
	struct cache_image *ci = atomic_load(&img->cached);
	CLEANUP_FD int own = -1;
	int fd = image_borrow_fd(img, &own);

	if (fd >= 0 && pathname_of_fd(img->dir->root_fd, fd, text) == 0)
		return;
	if (ci)
		cache_image_path(image_host(img)->cache, ci, text);
	else
		snprintf(text, PATHNAME_BYTES, "inode %llu", (unsigned long long)img->ino);
}

/* ---- walks, for the control tree ---- */

struct image *imagedir_by_id(struct imagedir *d, uint32_t id)
{
	struct image *img;

	LOCK_SCOPE(&d->lock);
	list_for_each_entry(img, number_bucket(d, id), id_node) {
		if (image_id(img) == id) {
			img->users++;
			return img;
		}
	}
	return NULL;
}

static bool is_listed(const struct image *img)
{
	return atomic_load(&img->cached) || atomic_load(&img->openers);
}

/* The images of one bucket, referenced, in a malloc'ed array. */
static size_t collect(struct imagedir *d, unsigned int bucket, struct image ***out)
{
	struct image *img;
	size_t n = 0, room;

	*out = NULL;
	LOCK_SCOPE(&d->lock);
	list_for_each_entry(img, &d->by_id[bucket], id_node)
		n += is_listed(img);
	*out = n ? calloc(n, sizeof(**out)) : NULL;
	if (!*out)
		return 0;
	room = n;
	n = 0;
	list_for_each_entry(img, &d->by_id[bucket], id_node) {
		if (n == room || !is_listed(img))
			continue;
		img->users++;
		(*out)[n++] = img;
	}
	return n;
}

int imagedir_for_each(struct imagedir *d, int (*fn)(struct image *img, void *arg), void *arg)
{
	int r = 0;

	for (unsigned int b = 0; b < IMAGEDIR_BUCKETS && r == 0; b++) {
		CLEANUP_FREE struct image **list = NULL;
		size_t n = collect(d, b, &list);

		for (size_t i = 0; i < n; i++) {
			if (r == 0)
				r = fn(list[i], arg);
			image_put(list[i]);
		}
	}
	return r;
}

void image_free_all(struct imagedir *d)
{
	struct image *img;

	while ((img = list_pop_head(&d->all, struct image, all_node)) != NULL) {
		list_del(&img->node);
		list_del(&img->id_node);
		list_del(&img->maintain_node);
		image_destroy(img);
	}
}
