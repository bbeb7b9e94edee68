// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What a sync makes durable besides the log: the backing file's own changes (creation, names, size
 * and attributes set past the core), and that its name can be reached (B6).
 *
 * Each such change counts sync_wanted up; a sync that begins after the change covers it. fsync is
 * called on a descriptor of its own: the kernel tells an error of earlier writes once for each open
 * file description, and the one of BACK_SYNC must not miss it.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/messages.h"
#include "lcfs/image/corecall.h"
#include "lcfs/image/image_private.h"

bool image_is_sync_wanted(struct image *img)
{
	return atomic_load(&img->sync_wanted) != atomic_load(&img->sync_done);
}

/* What is needed off the lock: a descriptor to sync, the directory of a new link; and what the sync
 * will cover. */
static int begin(struct image *img, int *fd, char **link_dir, uint64_t *seq)
{
	CLEANUP_FD int own = -1;
	int from;

	LOCK_SCOPE(&img->lock);
	*seq = img->changes ? UINT64_MAX : atomic_load(&img->floor_seq);
	from = image_borrow_fd(img, &own);
	*link_dir = steal_ptr(img->link_dir);
	*fd = from < 0 ? -EBADF : pathname_reopen(from, O_RDONLY | O_NOCTTY);
	if (*fd == -EACCES && from != own)
		*fd = fcntl(from, F_DUPFD_CLOEXEC, 0);
	return *fd < 0 ? *fd : 0;
}

/* The stamp is durable now, if it is still the same. */
static void end_touching(struct image *img, uint64_t seq)
{
	struct cache_image_info info;

	LOCK_SCOPE(&img->lock);
	image_floor_is_synced(img, seq);
	if (!img->cached || atomic_load(&img->bad))
		return;
	cache_image_info(image_host(img)->cache, img->cached, &info);
	if (!info.is_bound || !info.is_touching || atomic_load(&img->is_changed) ||
	    image_check(img) < 0)
		return;
	if (!img->is_stamp_known || img->changes || img->touches || image_touch(img) < 0)
		return;
	image_touch_end(img, &img->stamp);
}

static int sync_names(struct image *img, int fd, const char *link_dir)
{
	char path[PATHNAME_BYTES];
	struct imagedir *d = img->dir;
	int r = pathname_of_fd(d->root_fd, fd, path);

	if (r == 0)
		r = pathname_sync_parents(d->root_fd, path);
	else if (r == -ENOENT) /* it has no name any more */
		r = 0;
	/* a directory that cannot be named, opened or synced */
	if (r == -ENAMETOOLONG || r == -EACCES || r == -EINVAL)
		r = syncfs(fd) < 0 ? -errno : 0;
	if (r == 0 && link_dir) {
		strcpy(path, link_dir);
		if (strlen(path) + 2 < sizeof(path))
			strcat(path, "/x"); /* any name in it: its parents are wanted */
		r = pathname_sync_parents(d->root_fd, *link_dir ? path : "x");
	}
	return r;
}

static int sync_file(struct image *img, int fd, const char *link_dir)
{
	int r;

	image_flight(img->dir, true);
	r = fsync(fd) < 0 ? -errno : sync_names(img, fd, link_dir);
	image_flight(img->dir, false);
	return r;
}

/* A store that refuses says so to whoever syncs. */
void image_sync_ahead(struct image *img)
{
	int fd = atomic_load(&img->fd[GUARD_BUFFERED]);

	mutex_assert_held(&img->lock);
	if (!img->is_ahead_of_log)
		return;
	img->is_ahead_of_log = false;
	if (!image_is_sync_wanted(img))
		return;
	image_flight(img->dir, true);
	if (fdatasync(fd) < 0)
		msg_debug("backing file: what was changed past the log is not synced: %s",
			  strerror(errno));
	image_flight(img->dir, false);
}

static void put_back(struct image *img, char **link_dir)
{
	LOCK_SCOPE(&img->lock);
	if (!img->link_dir)
		img->link_dir = steal_ptr(*link_dir);
}

static void tell_sync_failure(struct image *img, int error)
{
	char path[PATHNAME_BYTES];

	image_describe(img, path);
	msg_warn_ratelimited("%s: its backing file, or a directory above it, cannot be synced: %s",
			     path, strerror(error));
}

int image_sync_backing(struct image *img)
{
	CLEANUP_FREE char *link_dir = NULL;
	CLEANUP_FD int fd = -1;
	uint64_t wanted, seq;
	int r;

	LOCK_SCOPE(&img->sync_lock);
	wanted = atomic_load(&img->sync_wanted);
	if (wanted == atomic_load(&img->sync_done))
		return 0;
	r = begin(img, &fd, &link_dir, &seq);
	if (r == 0)
		r = sync_file(img, fd, link_dir);
	if (r < 0) {
		tell_sync_failure(img, -r);
		put_back(img, &link_dir);
		return r;
	}
	end_touching(img, seq);
	r = naming_is_durable(img);
	if (r < 0)
		return r;
	atomic_store(&img->sync_done, wanted);
	return 0;
}

int image_sync(struct image *img, bool datasync)
{
	struct cache_image *ci = image_hold(img);
	int r = image_is_sync_wanted(img) ? image_sync_backing(img) : 0;

	(void)datasync;
	if (r == 0 && ci)
		r = corecall_sync(image_host(img), ci);
	image_unhold(img);
	return r;
}
