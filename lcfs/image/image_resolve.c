// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What the admin decides about an image that is held (conflict, missing; rules G4, E5):
 *
 *	keep the cache	  the file that has its name now is its base as it is, whatever it was
 *			  before; all that the log holds goes over it (cache_image_accept)
 *	keep the backing  UNBIND: the log forgets it, the plain file is the image
 *
 * The latter also for an image of which only a lost cache device had data: that is given up.
 *
 * In both cases nothing is changed, told or served before the decision is durable; killed before
 * that, the image is held as it was. Whoever has the image open goes on with keep the cache, if the
 * file is the same one; else it must be closed first, since there would be two files behind one
 * handle.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/messages.h"
#include "lcfs/image/corecall.h"
#include "lcfs/image/image_private.h"

#define TRIES 5000 /* with image_pause() each: 10 s */

static bool is_held(struct image *img)
{
	return img->cached && atomic_load(&img->bad) && !img->is_unlinked;
}

/* Data of it was only on a cache device that is lost. */
static bool has_lost(struct image *img)
{
	struct cache_image_info info = { .lost_blocks = 0 };

	if (img->cached && !img->is_unlinked)
		image_core_info(img, &info);
	return info.lost_blocks;
}

static void serve_again(struct image *img)
{
	img->reason = NULL;
	img->is_marked = false; /* it is looked for anew */
	atomic_fetch_add(&img->version, 1);
	atomic_store(&img->bad, 0);
}

/* ---- keep the cache ---- */

/* The regular file that has the image's name now. */
static int open_named(struct image *img)
{
	char path[PATHNAME_BYTES];

	cache_image_path(image_host(img)->cache, img->cached, path);
	return pathname_open_file(img->dir->root_fd, path, O_PATH);
}

static bool has_inode(struct image *img, const struct stat *st)
{
	LOCK_SCOPE(&img->dir->lock);

	return list_is_linked(&img->node) && img->dev == st->st_dev && img->ino == st->st_ino;
}

/* Nobody but the caller has it: its inode number may come to mean another file. */
static bool let_go_of_inode(struct image *img)
{
	int path_fd;

	if (img->openers || atomic_load(&img->fd[GUARD_BUFFERED]) >= 0)
		return false;
	mutex_lock(&img->dir->lock);
	if (img->users > 1) {
		mutex_unlock(&img->dir->lock);
		return false;
	}
	path_fd = img->path_fd;
	img->path_fd = -1;
	list_del(&img->node);
	mutex_unlock(&img->dir->lock);
	cleanup_fd(&path_fd);
	return true;
}

static int take_inode(struct image *img, int fd)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return -errno;
	if (has_inode(img, &st))
		return 0;
	return let_go_of_inode(img) && image_adopt_inode(img, fd) ? 0 : -EBUSY;
}

/* It was about to go once, before this: it is not any more. */
static void take_back_intent(struct image *img)
{
	struct cache_image_info info;
	struct op op = { .type = OP_DONE, .arg0 = 0 };

	image_core_info(img, &info);
	op.image = info.id;
	if (info.has_intent && corecall_log(image_host(img), img->cached, &op, true) < 0)
		msg_debug("cache: an intent is not taken back");
}

static int sync_fd(int path_fd)
{
	CLEANUP_FD int fd = pathname_reopen(path_fd, O_RDONLY);

	if (fd < 0)
		return fd;
	return fsync(fd) < 0 ? -errno : 0;
}

/* -EAGAIN: not now. */
static int accept_file(struct image *img, int fd)
{
	struct cachehost *h = image_host(img);
	struct op_identity identity;
	struct op_stamp stamp;
	struct sync_call call;
	struct outbox ob;
	enum cache_step step;
	int r = identity_read(fd, &identity);

	/* after a power cut it must not look older than what is recorded now */
	if (r == 0)
		r = sync_fd(fd);
	if (r == 0)
		r = identity_stamp(fd, &stamp);
	/* what is touching is compared with the lease at the next mount (G2) */
	if (r == 0)
		r = lease_ensure(h);
	if (r < 0)
		return r;
	outbox_init(&ob);
	sync_call_init(&call);
	step = cache_image_accept(h->cache, img->cached, &identity, &stamp, &call.s,
				  engine_now(h->engine), &ob);
	r = corecall_finish(h, &call, step, &ob);
	if (step == CACHE_AGAIN)
		return -EAGAIN;
	if (r < 0)
		return r;
	img->is_weak = identity.strength == IDENTITY_WEAK;
	img->stamp = stamp;
	img->is_stamp_known = true;
	atomic_store(&img->is_changed, false);
	return 0;
}

static int keep_cache(struct image *img)
{
	CLEANUP_FD int fd = open_named(img);
	int r = fd < 0 ? fd : take_inode(img, fd);

	if (r == 0)
		r = accept_file(img, fd);
	if (r < 0)
		return r;
	take_back_intent(img);
	image_is_back(fd, image_host(img));
	image_restamp(img);
	if (img->is_weak && img->path_fd < 0)
		img->path_fd = steal_fd(&fd);
	serve_again(img);
	maintain_add(img);
	return 0;
}

/* ---- keep the backing file ---- */

/* The mark says that the cache has newer data, which it has not any more. */
static void remove_mark(int fd, const struct cachehost *h, const char *path)
{
	if (!cache_is_lost(h->cache))
		image_is_back(fd, h);
	if (guard_is_marked_by(fd, h->uuid) && guard_mark_clear(fd) < 0)
		msg_debug("%s: the mark cannot be removed", path);
}

/* The log of a lost cache, which would say so, cannot: the file does, if it is there. */
static int leave_lost(struct image *img, int fd)
{
	return fd >= 0 ? image_leave_for_good(img, fd, image_host(img)) : 0;
}

static int unbind_durably(struct image *img, int fd)
{
	struct cache *c = image_host(img)->cache;
	int r = cache_is_lost(c) ? leave_lost(img, fd) : 0;

	if (r == 0)
		r = corecall_unbind(image_host(img), img->cached);
	if (r < 0)
		return r;
	r = corecall_sync(image_host(img), NULL);
	/* perhaps only now */
	return cache_is_lost(c) ? leave_lost(img, fd) : r;
}

/* With nobody inside. */
static int forget(struct image *img)
{
	const struct cachehost *h = image_host(img);
	char path[PATHNAME_BYTES];
	CLEANUP_FD int fd = -1;
	int r;

	cache_image_path(h->cache, img->cached, path);
	fd = pathname_open_file(img->dir->root_fd, path, O_RDWR);
	r = unbind_durably(img, fd);
	if (r < 0)
		return r;
	atomic_store(&img->is_in_use, false);
	atomic_store(&img->is_changed, false);
	atomic_store(&img->is_ready, false);
	img->is_stamp_known = false;
	img->has_intent = false;
	image_fds_close(img);
	image_drop_cached(img);
	if (fd >= 0)
		remove_mark(fd, h, path);
	serve_again(img);
	return 0;
}

static int keep_backing(struct image *img)
{
	int r = -EAGAIN;

	if (img->openers)
		return -EBUSY;
	gate_shut(img);
	if (gate_is_empty(img))
		r = forget(img);
	gate_unshut(img);
	return r;
}

/* ---- the door ---- */

static int try_resolve(struct image *img, enum image_resolution how)
{
	LOCK_SCOPE(&img->lock);

	if (img->dir->read_only)
		return -EROFS;
	if (!is_held(img) && !(how == IMAGE_KEEP_BACKING && has_lost(img)))
		return -EINVAL;
	return how == IMAGE_KEEP_CACHE ? keep_cache(img) : keep_backing(img);
}

int image_resolve(struct image *img, enum image_resolution how)
{
	char path[PATHNAME_BYTES];
	int r = -EAGAIN;

	mutex_lock(&img->move_lock);
	for (int i = 0; i < TRIES && r == -EAGAIN; i++) {
		if (i)
			image_pause();
		r = try_resolve(img, how);
	}
	mutex_unlock(&img->move_lock);
	if (r == -EAGAIN)
		return -ENOSPC;
	if (r == 0) {
		mutex_lock(&img->lock);
		image_describe(img, path);
		mutex_unlock(&img->lock);
		msg_warn("%s: resolved: %s", path,
			 how == IMAGE_KEEP_CACHE ? "what the cache holds goes over the file" :
						   "what the cache held is dropped");
	}
	return r;
}
