// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * lcctl export: the dirty data of a cache as new, sparse files.
 *
 * What the cache does not have is a hole there, so a file is the whole image only if all of it was
 * written since it was last clean; otherwise it is what is to be laid over the backing file.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/align.h"
#include "common/cleanup.h"
#include "common/messages.h"
#include "common/parse.h"
#include "lcfs/image/pathname.h"
#include "lcfs/tools/offline_apply.h"
#include "lcfs/tools/settle.h"

struct exporting {
	const struct export_options *o;
	struct settle s;
	int dirfd; /* of the target if it is a directory, else -1 */
	unsigned int files, failed;
};

/* ------------------------------------------------------------------ places */

/* Opens the directory that path's last component is in, making those that are not there, and
 * following no link. *name is the last component. */
static must_check int make_parents(int dirfd, char *path, char **name)
{
	CLEANUP_FD int at = openat(dirfd, ".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	char *slash;

	while (at >= 0 && (slash = strchr(path, '/'))) {
		int next;

		*slash = '\0';
		if (mkdirat(at, path, 0777) < 0 && errno != EEXIST)
			return -errno;
		next = openat(at, path, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		cleanup_fd(&at);
		at = next;
		path = slash + 1;
	}
	if (at < 0)
		return -errno;
	*name = path;
	return steal_fd(&at);
}

/* Not everything that is there may be overwritten: the cache itself, for one. */
static must_check int check_file(const struct exporting *x, int fd)
{
	struct stat st, cache;

	if (fstat(fd, &st) < 0 || fstat(cachedev_fd(x->s.cache.dev), &cache) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -EINVAL;
	return st.st_dev == cache.st_dev && st.st_ino == cache.st_ino ? -EBUSY : 0;
}

static must_check int create(const struct exporting *x, int dirfd, const char *name)
{
	int flags = O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK |
		    (x->o->is_forced ? 0 : O_EXCL);
	CLEANUP_FD int fd = openat(dirfd, name, flags, 0600);
	int err = fd < 0 ? -errno : check_file(x, fd);

	if (err)
		return err;
	return ftruncate(fd, 0) < 0 ? -errno : steal_fd(&fd);
}

static must_check int create_in_tree(const struct exporting *x, const struct settle_image *img)
{
	CLEANUP_FREE char *path = strdup(img->path);
	CLEANUP_FD int parent = -1;
	char *name = path;

	if (!path)
		return -ENOMEM;
	parent = make_parents(x->dirfd, path, &name);
	return parent < 0 ? parent : create(x, parent, name);
}

static must_check int create_file(const struct exporting *x, const struct settle_image *img,
				  const char *name)
{
	int fd = x->dirfd >= 0 ? create_in_tree(x, img) : create(x, AT_FDCWD, x->o->target);

	if (fd == -EEXIST)
		msg_err("%s: exists already: to overwrite it, use --force", name);
	else if (fd == -EBUSY)
		msg_err("%s: is the cache itself", name);
	else if (fd < 0)
		msg_err("%s: %s", name, strerror(-fd));
	return fd;
}

/* ------------------------------------------------------------------ one image */

static void print_range(const struct settle_image *img, uint64_t from, uint64_t to)
{
	if (to > from)
		printf("%" PRIu64 "\t%" PRIu64 "\t%s\n", from, to - from, img->path);
}

static void list_ranges(const struct settle_image *img)
{
	uint64_t from = 0, to = 0;

	for (size_t i = 0; i < img->nr_blocks; i++) {
		uint64_t start = entry_key_block(img->blocks[i].key) * BLOCK_BYTES;

		for (unsigned int j = 0; j < SECTORS_PER_BLOCK; j++) {
			uint64_t at = start + (uint64_t)j * SECTOR_BYTES;

			if (!(img->blocks[i].mask & 1u << j) || at >= img->info.size)
				continue;
			if (at != to) {
				print_range(img, from, to);
				from = at;
			}
			to = min(at + SECTOR_BYTES, img->info.size);
		}
	}
	print_range(img, from, to);
}

static void say_image(struct exporting *x, const struct settle_image *img, const char *name,
		      const struct settle_count *n)
{
	progress_clear(&x->s.progress);
	if (x->o->is_list)
		list_ranges(img);
	else if (!x->o->is_quiet)
		printf("%s: %" PRIu64 " KiB of %" PRIu64 " bytes\n", name,
		       n->blocks * (BLOCK_BYTES >> 10), img->info.size);
	if (n->partial)
		msg_warn("%s: of %" PRIu64 " blocks only some sectors are in the cache: the others "
			 "are zero here",
			 name, n->partial);
}

/* Makes durable that the file is there. */
static must_check int sync_name(const struct exporting *x, const struct settle_image *img)
{
	const char *slash = strrchr(x->o->target, '/');
	CLEANUP_FREE char *dir = NULL;
	CLEANUP_FD int fd = -1;

	if (x->dirfd >= 0)
		return pathname_sync_parents(x->dirfd, img->path);
	dir = slash ? strndup(x->o->target, (size_t)(slash - x->o->target) + 1) : strdup(".");
	fd = dir ? open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
	return fd < 0 || fsync(fd) < 0 ? -errno : 0;
}

static must_check int fill_file(struct exporting *x, const struct settle_image *img, int fd,
				const char *name)
{
	struct settle_count n = { 0 };
	int err = settle_write(&x->s, img, fd, name, &n);

	if (err)
		return err;
	if (ftruncate(fd, (off_t)img->info.size) < 0 || fsync(fd) < 0)
		err = -errno;
	if (!err)
		err = sync_name(x, img);
	if (err) {
		msg_err("%s: %s", name, strerror(-err));
		return err;
	}
	say_image(x, img, name, &n);
	return n.lost ? -EIO : 0;
}

static void export_image(struct exporting *x, const struct settle_image *img)
{
	char name[OP_PATH_MAX + 300];
	int err;

	if (x->dirfd >= 0)
		snprintf(name, sizeof(name), "%.256s/%s", x->o->target, img->path);
	else
		snprintf(name, sizeof(name), "%s", x->o->target);
	{
		CLEANUP_FD int fd = create_file(x, img, name);

		err = fd < 0 ? fd : fill_file(x, img, fd, name);
	}
	x->files++;
	x->failed += err != 0;
}

/* ------------------------------------------------------------------ all */

static bool is_wanted(const struct export_options *o, const struct settle_image *img)
{
	uint64_t id;

	/* the image table may know images of whose data nothing is left */
	if (o->accept_damage && !img->nr_blocks)
		return false;
	if (!o->image || strcmp(o->image, img->path) == 0)
		return true;
	return parse_u64(o->image, 1, IMAGE_ID_MAX, &id) == 0 && id == img->info.id;
}

static unsigned int count_wanted(struct exporting *x)
{
	struct settle_image img = { 0 };
	unsigned int n = 0;

	while (settle_next(&x->s, img.image, &img))
		n += is_wanted(x->o, &img);
	return n;
}

static must_check int check_target(struct exporting *x)
{
	unsigned int n = count_wanted(x);
	struct stat st;

	if (x->o->image && !n) {
		msg_err("%s: there is no dirty data of an image %s in it", x->s.cache.path,
			x->o->image);
		return -ENOENT;
	}
	if (stat(x->o->target, &st) == 0 && S_ISDIR(st.st_mode)) {
		x->dirfd = open(x->o->target, O_PATH | O_DIRECTORY | O_CLOEXEC);
		if (x->dirfd >= 0)
			return 0;
		msg_err("%s: %s", x->o->target, strerror(errno));
		return -EIO;
	}
	if (n < 2)
		return 0;
	msg_err("%s: is no directory, and there is dirty data of %u images: name one with --image",
		x->o->target, n);
	return -ENOTDIR;
}

static must_check int export_images(struct exporting *x)
{
	struct settle_image img = { 0 };

	progress_start(&x->s.progress, x->s.cache.path);
	while (settle_next(&x->s, img.image, &img))
		if (is_wanted(x->o, &img))
			export_image(x, &img);
	progress_clear(&x->s.progress);
	if (!x->files && !x->o->is_quiet && !x->o->is_list)
		printf("%s: no dirty data\n", x->s.cache.path);
	return x->failed ? -EIO : 0;
}

int offline_export(const struct export_options *o)
{
	struct exporting x = { .o = o, .dirfd = -1 };
	unsigned int flags = (o->ignore_lost ? REHEARSE_LOST : 0) |
			     (o->accept_damage ? REHEARSE_DAMAGED : 0);
	int err = settle_open(&x.s, o->cache, flags);

	if (!err)
		err = check_target(&x);
	if (!err) {
		if (!o->is_quiet)
			progress_on_terminal(&x.s.progress, stderr);
		err = export_images(&x);
	}
	cleanup_fd(&x.dirfd);
	settle_close(&x.s);
	return err;
}
