// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The backing directory's filesystem has died (the daemon of a FUSE filesystem, mostly), and was
 * mounted anew at the same place: every descriptor of it stays "not connected" for ever.
 *
 * The directory is opened again by its path, and must be the same one by its UUID, with nobody else
 * at it. Then each image of a cache is opened again by its name, and held against what was known of
 * it as at a mount (G1): what differs is a conflict. All new descriptors take over the numbers of
 * the old ones, which are in use without a lock. What was under way ends with an error and is done
 * again: nothing was marked clean by it.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/messages.h"
#include "lcfs/image/corecall.h"
#include "lcfs/image/image_private.h"

#define PATH_BYTES 4096

int revive_init(struct imagedir *d)
{
	char link[PATHNAME_LINK_BYTES], path[PATH_BYTES];
	ssize_t n;

	pathname_magic_link(d->root_fd, link);
	n = readlink(link, path, sizeof(path) - 1);
	if (n < 0)
		return -errno;
	path[n] = '\0';
	d->root_path = strdup(path);
	return d->root_path ? 0 : -ENOMEM;
}

static bool is_dead(int fd)
{
	struct stat st;

	return fstat(fd, &st) < 0 &&
	       (errno == ENOTCONN || errno == ECONNABORTED || errno == ESTALE);
}

/* ---- an image ---- */

/* The name's file: 0, or why it is not the one. */
static const char *compare(struct image *img, int fd, const struct cache_image_info *info)
{
	bool is_touching = info->is_touching || atomic_load(&img->is_changed);
	struct identity_facts f = {
		.recorded = img->is_stamp_known && !is_touching ? img->stamp : info->stamp,
		.is_weak = img->is_weak,
		.is_dirty = info->is_bound && info->state >= IMAGE_DIRTY,
		.is_touching = is_touching,
		.lease_ns = atomic_load(&image_host(img)->lease.there_ns),
	};
	const char *what = NULL;
	struct op_identity id;

	if (identity_read(fd, &id) < 0 || identity_stamp(fd, &f.present) < 0)
		return "its times cannot be read";
	if (identity_compare(&id, &info->identity) == IDENTITY_OTHER)
		return "another file has its name";
	return identity_judge(&f, &what) == IDENTITY_CONFLICT ? what : NULL;
}

/* Its place in the table is that of the new inode. */
static bool replace_inode(struct image *img, int fd)
{
	image_forget_inode(img);
	if (!image_adopt_inode(img, fd))
		return false;
	LOCK_SCOPE(&img->dir->lock);
	return img->path_fd < 0 || dup3(fd, img->path_fd, O_CLOEXEC) >= 0;
}

static int open_regular(struct image *img)
{
	CLEANUP_FD int fd = -1;
	char path[PATHNAME_BYTES];
	struct stat st;

	cache_image_path(image_host(img)->cache, img->cached, path);
	fd = pathname_open(img->dir->root_fd, path, O_PATH | O_NOFOLLOW);
	if (fd < 0)
		return fd;
	if (fstat(fd, &st) < 0)
		return -errno;
	return S_ISREG(st.st_mode) ? steal_fd(&fd) : -ENOENT;
}

/* What cannot be opened now keeps its old descriptors, and with them an error that says so. */
static int revive_image(struct image *img, void *arg)
{
	struct cache_image_info info;
	CLEANUP_FD int fd = -1;
	const char *what;
	int r = 0;

	(void)arg;
	LOCK_SCOPE(&img->lock);
	if (!img->cached || atomic_load(&img->bad) || img->is_unlinked)
		return 0;
	image_core_info(img, &info);
	fd = open_regular(img);
	if (fd == -ENOENT && info.state >= IMAGE_DIRTY)
		image_set_conflict(img, IMAGE_MISSING, "not found", true);
	if (fd < 0)
		return 0;
	what = compare(img, fd, &info);
	if (what)
		image_set_conflict(img, IMAGE_CONFLICT, what, true);
	else if (!replace_inode(img, fd) || (r = image_fds_renew(img, fd)) < 0)
		msg_warn("an image of the store that is back cannot be opened again: %s",
			 strerror(r < 0 ? -r : EEXIST));
	return 0;
}

/* ---- the directory ---- */

static int open_again(struct imagedir *d)
{
	CLEANUP_FD int fd = open(d->root_path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	int r;

	if (fd < 0)
		return -errno;
	if (is_dead(fd))
		return -ENOTCONN;
	r = privdir_renew(&d->priv, fd);
	if (r < 0) {
		msg_warn_ratelimited(
			"%s: what is there now is not the backing directory, or cannot "
			"be used: %s",
			d->root_path, strerror(-r));
		return r;
	}
	return dup3(fd, d->root_fd, O_CLOEXEC) < 0 ? -errno : 0;
}

void revive_if_lost(struct imagedir *d)
{
	if (!is_dead(d->root_fd) || open_again(d) < 0)
		return;
	msg_warn("%s: its filesystem had died; there is another one now with the same directory: "
		 "images are opened again",
		 d->root_path);
	(void)imagedir_for_each(d, revive_image, NULL);
	atomic_fetch_add(&d->revived, 1);
}
