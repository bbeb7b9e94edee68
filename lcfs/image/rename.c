// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Rename. What the log must know of it: names.c.
 *
 * It goes into the log of each cache that has an image at or below the names, of all before the
 * system call. Where one log has no space now, the others get the way back, and all is tried
 * again, that one first.
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
	/* the caches of the mount, held; those whose log must have it */
	struct cachehost *hosts[IMAGEDIR_CACHES_MAX];
	bool is_logged[IMAGEDIR_CACHES_MAX];
	unsigned int nr_hosts;
	uint32_t full_id; /* whose log had no space the last time */
};

static int plain_rename(const struct rename *r)
{
	if (renameat2(r->dirfd, r->name, r->newdirfd, r->newname, r->flags) < 0)
		return -errno;
	return 0;
}

/* The one image that a rename is about, which a cache knows; NULL: all at or below the names. */
static struct cache_image *only(const struct rename *r)
{
	return r->img && !r->is_exchange ? atomic_load(&r->img->cached) : NULL;
}

/*
 * Does it concern all images that have the names, or names below them? A file that no cache knows
 * takes no image with it: who has its name in a cache is another one, gone since or not its file's
 * any more. To rename those would also rename, on the way back, the image that the file was to
 * replace.
 */
static bool is_of_paths(const struct rename *r)
{
	return r->has_paths && !only(r) && (r->is_exchange || S_ISDIR(r->st.st_mode));
}

/* Must it go through the log of this cache? Else that is told when it has happened. */
static bool must_log(const struct rename *r, const struct cachehost *h)
{
	if (r->has_paths && only(r))
		return image_host(r->img) == h;
	if (!is_of_paths(r))
		return false;
	return cache_has_path(h->cache, r->path) ||
	       (r->is_exchange && cache_has_path(h->cache, r->newpath));
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
static int log_rename(const struct rename *r, struct cachehost *h, bool is_reverse)
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
	return corecall_op(h, &call);
}

/* The table must hold the new paths (E6). */
static int check_room(const struct rename *r, struct cachehost *h)
{
	if (cache_rename_fits(h->cache, r->path, r->newpath, r->is_exchange))
		return 0;
	msg_warn_ratelimited(
		"%s: not renamed: the cache's table of images has no room for so long new names: use "
		"shorter ones, or drain, unmount and rename in the backing directory",
		r->path);
	maintain_want_room(h);
	return -ENOSPC;
}

static void take_back(struct rename *r)
{
	for (unsigned int i = 0; i < r->nr_hosts; i++) {
		if (r->is_logged[i] && log_rename(r, r->hosts[i], true) < 0)
			msg_debug("%s: the failed rename is not taken back in the log", r->path);
		r->is_logged[i] = false;
	}
}

static int log_one(struct rename *r, unsigned int i)
{
	struct cachehost *h = r->hosts[i];
	int result;

	if (r->is_logged[i] || !must_log(r, h))
		return 0;
	result = check_room(r, h);
	if (result == 0)
		result = log_rename(r, h, false);
	r->is_logged[i] = result == 0;
	if (result == -EAGAIN)
		r->full_id = h->id;
	return result;
}

/* In the logs of all caches concerned, or of none. */
static int log_all(struct rename *r)
{
	int result = 0;

	for (unsigned int i = 0; i < r->nr_hosts && result == 0; i++)
		if (r->hosts[i]->id == r->full_id)
			result = log_one(r, i);
	for (unsigned int i = 0; i < r->nr_hosts && result == 0; i++)
		result = log_one(r, i);
	if (result < 0)
		take_back(r);
	return result;
}

/* Those whose log need not have it. */
static void tell_others(const struct rename *r)
{
	for (unsigned int i = 0; i < r->nr_hosts; i++)
		if (!r->is_logged[i] && is_of_paths(r))
			cache_rename(r->hosts[i]->cache, r->path, r->newpath, r->is_exchange);
}

static int log_and_rename(struct rename *r)
{
	int result = log_all(r);

	if (result < 0)
		return result;
	result = plain_rename(r);
	if (result == 0)
		tell_others(r);
	else
		take_back(r);
	return result;
}

/* Between log and system call the core has names that lead to another file, or to none: whoever
 * would open an image by its name then would take it for replaced or missing. So would he with what
 * stands at the new name, until the caller has noted what became of it. */
static int rename_logged(struct rename *r)
{
	int result;

	if (r->img)
		name_ahead(r->img, 1);
	result = log_and_rename(r);
	if (r->img)
		name_ahead(r->img, -1);
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
	name_ahead(victim, 1);
	result = rename_logged(r);
	if (result == 0)
		last_name_went(victim, r->newdirfd);
	name_ahead(victim, -1);
	if (result < 0)
		last_name_stays(victim);
	return result;
}

/* The target is there, and its inode stays: exchanged, or one of several names. */
static int rename_beside(struct rename *r)
{
	int result = image_try_touching(r->newimg);

	if (result < 0)
		return result;
	name_ahead(r->newimg, 1);
	result = rename_logged(r);
	if (result == 0 && !r->is_exchange)
		one_name_went(r->newimg, r->has_paths ? r->newpath : NULL);
	name_ahead(r->newimg, -1);
	image_touched_inside(r->newimg);
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
	result = image_try_touching(r->img);
	if (result == 0) {
		result = rename_target(r);
		if (result == 0 && !r->has_paths)
			one_name_went(r->img, NULL);
		image_touched_inside(r->img);
	}
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
	/* not to be taken back: that would take the file along to the directory's name */
	if (r->newfd >= 0 && S_ISDIR(r->st.st_mode) && !S_ISDIR(r->newst.st_mode) &&
	    !r->is_exchange)
		return -ENOTDIR;
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
	r->nr_hosts = cachehost_hold_all(r->d, r->hosts);
	memset(r->is_logged, 0, sizeof(r->is_logged));
	r->has_paths = find_paths(r);
	if (!r->has_paths && (is_weak(r->img) || is_weak(r->newimg)))
		result = -ENAMETOOLONG;
	else
		result = rename_source(r);
	cachehost_release_all(r->hosts, r->nr_hosts);
	pthread_rwlock_unlock(&r->d->names);
	return result;
}

/* The source stays in its cache meanwhile, and neither changes it. */
static int rename_inside(struct rename *r)
{
	int result;

	if (r->newimg && !image_try_enter(r->newimg))
		return -EAGAIN;
	if (r->img)
		image_hold(r->img);
	result = rename_named(r);
	if (r->img)
		image_unhold(r->img);
	if (r->newimg)
		image_leave(r->newimg);
	return result;
}

static int rename_looked(struct rename *r)
{
	int result;

	if (is_same_file(r))
		return plain_rename(r);
	while ((result = rename_inside(r)) == -EAGAIN)
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
