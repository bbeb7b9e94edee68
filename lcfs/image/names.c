// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Names: unlink, rename, link, and the fsync of a directory.
 *
 * The log never redoes what happened to names; it only has to know enough to find each image again,
 * and not to miss one that we removed ourselves (E7):
 *
 *	last name of a bound image goes: INTENT durable -> system call -> DONE; the blocks stay live
 *	until the directory is synced and the last user has gone (maintain.c), then UNBIND
 *
 *	rename: RENAME in the log -> system call -> the core's table. Where the identity is weak
 *	the name is all there is, so RENAME is durable before the call; else the image is found by
 *	its identity, whatever its name
 *
 *	failure of the system call: the reverse is logged
 *
 * The kernel serialises what happens to one name and one inode through the mount; `names` keeps the
 * paths steady while directories are renamed.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/messages.h"
#include "lcfs/image/corecall.h"
#include "lcfs/image/image_private.h"

/* ---- the last name of an image ---- */

/*
 * Until it is unbound it must be possible to migrate what is dirty, or a full log might not find
 * the space to unbind it; and without a name it cannot be opened any more.
 */
static void keep_reachable(struct image *img)
{
	struct imagedir *d = img->dir;
	struct cache_image_info info;

	if (!img->cached || atomic_load(&d->nr_open) > d->fd_budget)
		return;
	cache_image_info(d->cache, img->cached, &info);
	if (info.is_bound && info.state >= IMAGE_DIRTY && image_fds_open(img, true, false) < 0)
		msg_debug("a dirty image is unlinked that cannot be opened");
}

/* image->lock held. May its last name go, as far as we know? */
static int may_go(struct image *img, const char *path)
{
	int r;

	if (atomic_load(&img->bad)) {
		msg_warn_ratelimited(
			"%s: not removed: the cache holds data of it that is in conflict: let lcctl "
			"resolve decide",
			path);
		return -EIO;
	}
	r = image_check(img);
	return r == -EAGAIN ? 0 : r; /* stale clean blocks: they go with it */
}

/*
 * Our change of its names begins and ends. In between the image stays in the core and its stamp is
 * not compared (the ctime moves, if the file is open), but the lock is not held: what waits for
 * space in the log may wait for the migration of this very image.
 */
static void names_change(struct image *img)
{
	mutex_assert_held(&img->lock);
	img->changes++;
	img->openers++;
}

static void names_changed(struct image *img)
{
	mutex_assert_held(&img->lock);
	img->changes--;
	image_restamp(img);
	image_release_locked(img, false);
}

/* bound or not: the first write may be past the gate, and then the intent goes with it */
static int log_intent(struct image *img, enum op_intent how, const char *path)
{
	struct op op = { .type = OP_INTENT,
			 .arg0 = how,
			 .path = path,
			 .path_bytes = (uint16_t)strlen(path) };

	if (!img->cached || img->has_intent)
		return 0;
	op.image = cache_image_id(img->cached);
	return corecall_log(img->dir, img->cached, &op, true);
}

/* Its last name is about to go. Undone by last_name_stays(). */
static int last_name_goes(struct image *img, enum op_intent how, const char *path)
{
	int r;

	mutex_lock(&img->lock);
	r = may_go(img, path);
	if (r == 0) {
		keep_reachable(img);
		names_change(img);
	}
	mutex_unlock(&img->lock);
	if (r < 0)
		return r;
	r = log_intent(img, how, path);
	LOCK_SCOPE(&img->lock);
	if (r < 0)
		names_changed(img);
	else
		img->has_intent = img->cached != NULL;
	return r;
}

static void log_done(struct image *img, bool is_gone)
{
	struct op op = { .type = OP_DONE, .arg0 = is_gone };

	if (!img->has_intent)
		return;
	op.image = cache_image_id(img->cached);
	if (corecall_log(img->dir, img->cached, &op, false) < 0)
		msg_debug("cache: the end of an unlink is not logged");
}

static void last_name_stays(struct image *img)
{
	log_done(img, false);
	LOCK_SCOPE(&img->lock);
	img->has_intent = false;
	names_changed(img);
}

/* parent: descriptor of the directory it was removed from. */
static void last_name_went(struct image *img, int parent)
{
	mutex_lock(&img->lock);
	img->is_unlinked = true;
	mutex_unlock(&img->lock);
	log_done(img, true);
	LOCK_SCOPE(&img->lock);
	image_forget_inode(img);
	if (img->cached)
		maintain_add_unlinked(img, parent);
	names_changed(img);
}

/* ---- unlink ---- */

static int plain_unlink(int dirfd, const char *name)
{
	return unlinkat(dirfd, name, 0) < 0 ? -errno : 0;
}

static int unlink_last(struct image *img, int dirfd, const char *name)
{
	char path[PATHNAME_BYTES];
	int r;

	if (pathname_of_entry(img->dir->root_fd, dirfd, name, path) < 0)
		snprintf(path, sizeof(path), "%.255s", name);
	r = last_name_goes(img, OP_INTENT_UNLINK, path);
	if (r < 0)
		return r;
	r = plain_unlink(dirfd, name);
	if (r < 0)
		last_name_stays(img);
	else
		last_name_went(img, dirfd);
	return r;
}

/* One of several names of img went: path, NULL if it cannot be told. Before image_touched(). */
static void one_name_went(struct image *img, const char *path)
{
	char recorded[PATHNAME_BYTES];

	LOCK_SCOPE(&img->lock);
	if (!img->cached)
		return;
	cache_image_path(img->dir->cache, img->cached, recorded);
	if (!path || strcmp(path, recorded) == 0)
		atomic_store(&img->is_name_lost, true);
}

static int unlink_one_of_several(struct image *img, int dirfd, const char *name)
{
	char path[PATHNAME_BYTES];
	bool has_path = pathname_of_entry(img->dir->root_fd, dirfd, name, path) == 0;
	int r = image_touching(img);

	if (r < 0)
		return r;
	r = plain_unlink(dirfd, name);
	if (r == 0)
		one_name_went(img, has_path ? path : NULL);
	image_touched(img);
	return r;
}

static int open_entry(int dirfd, const char *name, struct stat *st)
{
	CLEANUP_FD int fd = openat(dirfd, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0 || fstat(fd, st) < 0)
		return -errno;
	return steal_fd(&fd);
}

int imagedir_unlink(struct imagedir *d, int dirfd, const char *name)
{
	CLEANUP_FD int fd = -1;
	struct image *img;
	struct stat st;
	int r;

	if (imagedir_is_private(d, dirfd, name))
		return -EPERM;
	fd = open_entry(dirfd, name, &st);
	if (fd < 0)
		return fd;
	if (S_ISDIR(st.st_mode))
		return -EISDIR;
	img = S_ISREG(st.st_mode) ? image_lookup(d, fd) : NULL;
	if (!img)
		return plain_unlink(dirfd, name);
	pthread_rwlock_rdlock(&d->names);
	r = st.st_nlink == 1 ? unlink_last(img, dirfd, name) :
			       unlink_one_of_several(img, dirfd, name);
	pthread_rwlock_unlock(&d->names);
	image_put(img);
	return r;
}

/* ---- rename ---- */

struct rename {
	struct imagedir *d;
	int dirfd, newdirfd;
	const char *name, *newname;
	unsigned int flags;
	bool is_exchange;
	int fd, newfd; /* O_PATH; newfd -1: nothing there */
	struct stat st, newst;
	struct image *img, *newimg; /* or NULL */
	bool has_paths;		    /* they can be stored */
	char path[PATHNAME_BYTES], newpath[PATHNAME_BYTES];
};

static int plain_rename(const struct rename *r)
{
	if (renameat2(r->dirfd, r->name, r->newdirfd, r->newname, r->flags) < 0)
		return -errno;
	return 0;
}

/* The one image that a rename is about, which the core knows; NULL: all at or below the names. */
static struct cache_image *only(const struct rename *r)
{
	return r->img && !r->is_exchange ? image_cached(r->img) : NULL;
}

/* Must it go through the log? Else the core is told when it has happened. */
static bool is_logged(const struct rename *r)
{
	struct cache *c = r->d->cache;

	if (!c || !r->has_paths)
		return false;
	return only(r) || cache_has_path(c, r->path) ||
	       (r->is_exchange && cache_has_path(c, r->newpath));
}

static bool is_weak(const struct image *img)
{
	return img && img->is_weak;
}

/*
 * The paths in the core follow at once. Space in the log is not waited for: while names of
 * directories are held, images that nobody has open cannot be migrated. The way back must be
 * logged, and may take what migration would need.
 */
static int log_rename(const struct rename *r, bool is_reverse)
{
	struct op op = {
		.type = r->is_exchange ? OP_EXCHANGE : OP_RENAME,
		.path = is_reverse ? r->newpath : r->path,
		.path2 = is_reverse ? r->path : r->newpath,
	};
	bool is_durable = is_weak(r->img) || is_weak(r->newimg);
	struct op_call call;

	op.path_bytes = (uint16_t)strlen(op.path);
	op.path2_bytes = (uint16_t)strlen(op.path2);
	op_call_init(&call);
	call.op.type = CACHE_OP_LOG;
	call.op.image = only(r);
	call.op.op = op;
	call.op.no_wait = is_reverse || !is_durable;
	call.op.space = is_reverse ? CACHE_SPACE_LAST : CACHE_SPACE_NOW;
	return corecall_op(r->d, &call);
}

/* The table must hold the new paths (E6). */
static int check_room(const struct rename *r)
{
	if (cache_rename_fits(r->d->cache, r->path, r->newpath, r->is_exchange))
		return 0;
	msg_warn_ratelimited(
		"%s: not renamed: the cache's table of images has no room for so long new names: use "
		"shorter ones, or drain, unmount and rename in the backing directory",
		r->path);
	maintain_want_room(r->d);
	return -ENOSPC;
}

static int rename_logged(struct rename *r)
{
	bool must_log = is_logged(r);
	int result = must_log ? check_room(r) : 0;

	if (result == 0 && must_log)
		result = log_rename(r, false);
	if (result < 0)
		return result;
	result = plain_rename(r);
	if (result == 0 && !must_log && r->d->cache && r->has_paths)
		cache_rename(r->d->cache, r->path, r->newpath, r->is_exchange);
	else if (result < 0 && must_log && log_rename(r, true) < 0)
		msg_debug("%s: the failed rename is not taken back in the log", r->path);
	return result;
}

/* Another file takes the last name of newimg. */
static int rename_over(struct rename *r)
{
	struct image *victim = r->newimg;
	int result;

	result = last_name_goes(victim, OP_INTENT_RENAME_OVER,
				r->has_paths ? r->newpath : r->newname);
	if (result < 0)
		return result;
	result = rename_logged(r);
	if (result < 0)
		last_name_stays(victim);
	else
		last_name_went(victim, r->newdirfd);
	return result;
}

/* The target is there, and its inode stays: exchanged, or one of several names. */
static int rename_beside(struct rename *r)
{
	int result = image_try_touching(r->newimg);

	if (result < 0)
		return result;
	result = rename_logged(r);
	if (result == 0 && !r->is_exchange)
		one_name_went(r->newimg, r->has_paths ? r->newpath : NULL);
	image_touched(r->newimg);
	return result;
}

static int rename_target(struct rename *r)
{
	if (!r->newimg)
		return rename_logged(r);
	if (r->is_exchange || r->newst.st_nlink > 1)
		return rename_beside(r);
	return rename_over(r);
}

static int rename_source(struct rename *r)
{
	int result;

	if (!r->img)
		return rename_target(r);
	image_hold(r->img);
	result = image_try_touching(r->img);
	if (result == 0) {
		result = rename_target(r);
		if (result == 0 && !r->has_paths)
			one_name_went(r->img, NULL);
		image_touched(r->img);
	}
	image_release(r->img, false);
	return result;
}

/* Finds out what stands at both names. */
static int look(struct rename *r)
{
	r->fd = open_entry(r->dirfd, r->name, &r->st);
	if (r->fd < 0)
		return r->fd;
	r->newfd = open_entry(r->newdirfd, r->newname, &r->newst);
	if (r->newfd < 0 && r->newfd != -ENOENT)
		return r->newfd;
	if (r->newfd >= 0 && r->flags & RENAME_NOREPLACE)
		return -EEXIST;
	if (S_ISREG(r->st.st_mode))
		r->img = image_lookup(r->d, r->fd);
	if (r->newfd >= 0 && S_ISREG(r->newst.st_mode))
		r->newimg = image_lookup(r->d, r->newfd);
	return 0;
}

/* `names` held: or a directory may be moved before the log has it. */
static bool find_paths(struct rename *r)
{
	return pathname_of_entry(r->d->root_fd, r->dirfd, r->name, r->path) == 0 &&
	       pathname_of_entry(r->d->root_fd, r->newdirfd, r->newname, r->newpath) == 0;
}

static bool is_same_file(const struct rename *r)
{
	return r->newfd >= 0 && r->st.st_dev == r->newst.st_dev && r->st.st_ino == r->newst.st_ino;
}

static bool has_directory(const struct rename *r)
{
	return S_ISDIR(r->st.st_mode) || (r->newfd >= 0 && S_ISDIR(r->newst.st_mode));
}

/* -EAGAIN: the log has no space now. */
static int rename_named(struct rename *r)
{
	int result;

	if (has_directory(r))
		pthread_rwlock_wrlock(&r->d->names);
	else
		pthread_rwlock_rdlock(&r->d->names);
	r->has_paths = find_paths(r);
	if (!r->has_paths && (is_weak(r->img) || is_weak(r->newimg)))
		result = -ENAMETOOLONG;
	else
		result = rename_source(r);
	pthread_rwlock_unlock(&r->d->names);
	return result;
}

static int rename_looked(struct rename *r)
{
	int result;

	if (is_same_file(r))
		return plain_rename(r);
	while ((result = rename_named(r)) == -EAGAIN)
		image_pause();
	return result;
}

static void rename_end(struct rename *r)
{
	if (r->img)
		image_put(r->img);
	if (r->newimg)
		image_put(r->newimg);
	cleanup_fd(&r->fd);
	cleanup_fd(&r->newfd);
	free(r);
}

int imagedir_rename(struct imagedir *d, int dirfd, const char *name, int newdirfd,
		    const char *newname, unsigned int flags)
{
	struct rename *r;
	int result;

	if (flags != 0 && flags != RENAME_NOREPLACE && flags != RENAME_EXCHANGE)
		return -EINVAL;
	if (imagedir_is_private(d, dirfd, name) || imagedir_is_private(d, newdirfd, newname))
		return -EPERM;
	r = calloc(1, sizeof(*r));
	if (!r)
		return -ENOMEM;
	*r = (struct rename){ .d = d,
			      .dirfd = dirfd,
			      .newdirfd = newdirfd,
			      .name = name,
			      .newname = newname,
			      .flags = flags,
			      .is_exchange = flags == RENAME_EXCHANGE,
			      .fd = -1,
			      .newfd = -1 };
	result = look(r);
	if (result == 0)
		result = rename_looked(r);
	rename_end(r);
	return result;
}

/* ---- link ---- */

/* The new name's directory is to be synced with the image; where another one waits for that
 * already, now. */
static void remember_link(struct image *img, int newdirfd)
{
	struct imagedir *d = img->dir;
	char path[PATHNAME_BYTES] = "";
	bool has_path = pathname_of_fd(d->root_fd, newdirfd, path) == 0;
	bool is_kept;

	mutex_lock(&img->lock);
	if (has_path && !img->link_dir)
		img->link_dir = strdup(path);
	is_kept = has_path && img->link_dir && strcmp(img->link_dir, path) == 0;
	mutex_unlock(&img->lock);
	if (!is_kept && pathname_sync_dir(newdirfd) < 0)
		msg_debug("%s: the directory of a new link cannot be synced", path);
}

int imagedir_link(struct imagedir *d, int fd, int newdirfd, const char *newname)
{
	char link[PATHNAME_LINK_BYTES];
	struct image *img;
	int r = 0;

	if (imagedir_is_private(d, newdirfd, newname))
		return -EPERM;
	img = image_lookup(d, fd);
	pathname_magic_link(fd, link);
	if (img)
		r = image_touching(img);
	if (r == 0) {
		if (linkat(AT_FDCWD, link, newdirfd, newname, AT_SYMLINK_FOLLOW) < 0)
			r = -errno;
		if (img && r == 0)
			remember_link(img, newdirfd);
		if (img)
			image_touched(img);
	}
	if (img)
		image_put(img);
	return r;
}

int imagedir_sync_dir(struct imagedir *d, int dirfd)
{
	int r = pathname_sync_dir(dirfd);

	return r == 0 ? imagedir_sync(d) : r;
}
