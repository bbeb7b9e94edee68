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
#include "lcfs/image/names.h"

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
	image_core_info(img, &info);
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
	return corecall_log(image_host(img), img->cached, &op, true);
}

int last_name_goes(struct image *img, enum op_intent how, const char *path)
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
	if (corecall_log(image_host(img), img->cached, &op, false) < 0)
		msg_debug("cache: the end of an unlink is not logged");
}

void last_name_stays(struct image *img)
{
	log_done(img, false);
	LOCK_SCOPE(&img->lock);
	img->has_intent = false;
	names_changed(img);
}

void last_name_went(struct image *img, int parent)
{
	mutex_lock(&img->lock);
	img->is_unlinked = true;
	mutex_unlock(&img->lock);
	log_done(img, true);
	LOCK_SCOPE(&img->lock);
	image_forget_inode(img);
	choose_forget(img);
	if (img->cached)
		maintain_add_unlinked(img, parent);
	names_changed(img);
}

void name_ahead(struct image *img, int n)
{
	LOCK_SCOPE(&img->lock);
	img->renames += (unsigned int)n;
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
	name_ahead(img, 1);
	r = plain_unlink(dirfd, name);
	if (r == 0)
		last_name_went(img, dirfd);
	name_ahead(img, -1);
	if (r < 0)
		last_name_stays(img);
	return r;
}

void one_name_went(struct image *img, const char *path)
{
	char recorded[PATHNAME_BYTES];

	LOCK_SCOPE(&img->lock);
	if (!img->cached)
		return;
	cache_image_path(image_host(img)->cache, img->cached, recorded);
	if (!path || strcmp(path, recorded) == 0)
		atomic_store(&img->is_name_lost, true);
	naming_is_vague(img);
}

static int unlink_one_of_several(struct image *img, int dirfd, const char *name)
{
	char path[PATHNAME_BYTES];
	bool has_path = pathname_of_entry(img->dir->root_fd, dirfd, name, path) == 0;
	int r = image_touching_inside(img);

	if (r < 0)
		return r;
	r = plain_unlink(dirfd, name);
	if (r == 0)
		one_name_went(img, has_path ? path : NULL);
	image_touched_inside(img);
	return r;
}

int open_entry(int dirfd, const char *name, struct stat *st)
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
	image_enter(img);
	pthread_rwlock_rdlock(&d->names);
	r = st.st_nlink == 1 ? unlink_last(img, dirfd, name) :
			       unlink_one_of_several(img, dirfd, name);
	pthread_rwlock_unlock(&d->names);
	image_leave(img);
	image_put(img);
	return r;
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
		if (img && r == 0) {
			remember_link(img, newdirfd);
			(void)!naming_is_durable(img); /* not if the log has failed */
		}
		if (img)
			image_touched(img);
	}
	if (img)
		image_put(img);
	return r;
}

int imagedir_sync_dir(struct imagedir *d, int dirfd)
{
	struct naming n;
	int r;

	naming_begin(&n, d, dirfd);
	r = naming_end(&n, pathname_sync_dir(dirfd));
	return r == 0 ? imagedir_sync(d) : r;
}
