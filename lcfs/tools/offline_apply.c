// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * lcctl apply: the dirty data of a cache goes into the backing files, and the cache is only read.
 *
 * Each file must be the one that the cache knows, unchanged since, as a mount would demand it; what
 * is not is left alone, and the other files go on. For a copy of the files, on another machine, the
 * admin may say that they are the right ones. A file is brought there in the order of migration:
 * first what becomes zero, then the blocks, then its exact size and time, then it is synced. All of
 * it can be repeated.
 */
#include "lcfs/tools/offline_apply.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/clock.h"
#include "common/messages.h"
#include "lcfs/image/guard.h"
#include "lcfs/image/identity.h"
#include "lcfs/image/left.h"
#include "lcfs/image/pathname.h"
#include "lcfs/image/privdir.h"
#include "lcfs/image/zeros.h"
#include "lcfs/tools/settle.h"

struct applying {
	const struct apply_options *o;
	struct settle s;
	struct privdir priv; /* with the lock of the directory */
	int dirfd;
	unsigned int files, failed;
};

/* ------------------------------------------------------------------ the directory */

static must_check int check_directory(const struct applying *a)
{
	static const uint8_t nobody[UUID_BYTES];
	const uint8_t *theirs = a->s.sb.dir_uuid;

	if (a->o->is_forced || memcmp(theirs, nobody, UUID_BYTES) == 0 ||
	    (a->priv.has_uuid && memcmp(theirs, a->priv.uuid, UUID_BYTES) == 0))
		return 0;
	msg_err("%s: is not the directory of this cache: give the right one, or, for a copy of it, "
		"--force",
		a->o->dir);
	return -EXDEV;
}

static must_check int open_private(struct applying *a, bool may_write)
{
	char text[512] = "";
	int err = privdir_open(&a->priv, a->dirfd, may_write, text, sizeof(text));

	if (err)
		msg_err("%s: %s", a->o->dir, text[0] ? text : strerror(-err));
	return err;
}

/* A directory that turns out to be the wrong one stays as it was. */
static must_check int take_directory(struct applying *a)
{
	int err;

	a->dirfd = open(a->o->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (a->dirfd < 0) {
		msg_err("%s: %s", a->o->dir, strerror(errno));
		return -EIO;
	}
	err = open_private(a, false);
	if (!err)
		err = check_directory(a);
	if (err || a->o->is_dry)
		return err;
	privdir_close(&a->priv);
	return open_private(a, true);
}

/* ------------------------------------------------------------------ the file */

static must_check int open_regular(const struct applying *a, const char *path)
{
	return pathname_open_file(a->dirfd, path, (a->o->is_dry ? O_RDONLY : O_RDWR) | O_NOCTTY);
}

/* F3: lcfs went on with the file alone when the cache device had failed. */
static bool has_left(const struct applying *a, const struct settle_image *img, int fd,
		     bool *is_void)
{
	struct left l;

	if (left_get(fd, a->s.sb.cache_uuid, &l) < 0 || img->info.bind_lsn > l.lsn)
		return false;
	*is_void = l.is_void && l.epoch == a->s.sb.epoch;
	return true;
}

/* Is it the file that the cache knows? NULL, or what is wrong. */
static const char *find_difference(const struct applying *a, const struct settle_image *img, int fd)
{
	struct identity_facts f = {
		.recorded = img->info.stamp,
		.is_weak = img->info.identity.strength == IDENTITY_WEAK,
		.is_dirty = true,
		.is_touching = identity_explains(&img->info.identity, img->info.is_touching,
						 img->info.has_intent),
		.lease_ns = (int64_t)a->s.sb.lease_ns,
	};
	struct op_identity id;
	const char *what;
	bool is_void;

	if (identity_read(fd, &id) < 0 || identity_stamp(fd, &f.present) < 0)
		return "its times cannot be read";
	if (identity_compare(&id, &img->info.identity) == IDENTITY_OTHER)
		return "it is another file";
	if (has_left(a, img, fd, &is_void))
		return is_void ? "it has left this cache, whose data of it is not needed any more" :
				 "it was written to while this cache was lost";
	return identity_judge(&f, &what) == IDENTITY_CONFLICT ? what : NULL;
}

/* A rename may have been logged and not made: then the file is still at the old name. */
static must_check int open_old(const struct applying *a, struct settle_image *img)
{
	char old[OP_PATH_MAX + 1];
	CLEANUP_FD int fd = -1;

	if (!cache_image_old_path(a->s.rehearsal.cache, img->image, old))
		return -ENOENT;
	fd = open_regular(a, old);
	if (fd < 0)
		return fd;
	if (find_difference(a, img, fd))
		return -ENOENT;
	strcpy(img->path, old);
	return steal_fd(&fd);
}

static must_check int say_refused(const struct settle_image *img, const char *why)
{
	msg_err("%s: not changed: %s", img->path, why);
	return -EPERM;
}

static must_check int check_file(const struct applying *a, const struct settle_image *img, int fd)
{
	const char *what;
	char text[200];

	if (guard_is_foreign(fd))
		return say_refused(img, "another program uses it");
	if (a->o->is_forced)
		return 0;
	if (img->info.state == IMAGE_CONFLICT)
		return say_refused(img, "it is in conflict with the cache");
	what = find_difference(a, img, fd);
	if (!what)
		return 0;
	snprintf(
		text, sizeof(text),
		"it has changed since the cache last knew it (%s): if it is the right one, --force",
		what);
	return say_refused(img, text);
}

/* A descriptor, or -errno, said; -ECANCELED: it is gone, and was to go. */
static must_check int open_file(const struct applying *a, struct settle_image *img)
{
	CLEANUP_FD int fd = open_regular(a, img->path);
	int err;

	if (fd == -ENOENT || fd == -ENOTDIR)
		fd = open_old(a, img);
	if (fd < 0 && img->info.has_intent)
		return -ECANCELED;
	if (fd < 0) {
		msg_err("%s: %s: to get at its data, lcctl export", img->path, strerror(-fd));
		return fd;
	}
	err = check_file(a, img, fd);
	if (err || a->o->is_dry)
		return err ? err : steal_fd(&fd);
	err = guard_lock(fd, GUARD_BUFFERED);
	if (err)
		return say_refused(img, "another lcfs is at work on it");
	return steal_fd(&fd);
}

/* ------------------------------------------------------------------ changes */

static must_check int make_zeros(const struct settle_image *img, int fd)
{
	const struct owed_effects *e = &img->effects;
	struct stat st;
	int err = 0;

	if (fstat(fd, &st) < 0)
		return -errno;
	if (e->valid < (uint64_t)st.st_size && ftruncate(fd, (off_t)e->valid) < 0)
		return -errno;
	for (uint32_t i = 0; !err && i < e->nr_punches; i++)
		err = zeros_punch(fd, e->punches[i].offset, e->punches[i].bytes);
	return err;
}

static must_check int finish_file(const struct settle_image *img, int fd)
{
	struct stat st;
	int err = 0;

	if (fstat(fd, &st) < 0)
		return -errno;
	if ((uint64_t)st.st_size != img->info.size && ftruncate(fd, (off_t)img->info.size) < 0)
		return -errno;
	if (img->info.mtime_ns)
		err = identity_set_mtime(fd, img->info.mtime_ns);
	return !err && fsync(fd) < 0 ? -errno : err;
}

static must_check int change_file(struct applying *a, const struct settle_image *img, int fd,
				  struct settle_count *n)
{
	int err = make_zeros(img, fd);

	if (!err) {
		err = settle_write(&a->s, img, fd, img->path, n);
		if (err)
			return err;
		err = finish_file(img, fd);
	}
	if (err)
		msg_err("%s: %s", img->path, strerror(-err));
	return err;
}

static void say_done(struct applying *a, const struct settle_image *img, uint64_t blocks)
{
	progress_clear(&a->s.progress);
	if (!a->o->is_quiet)
		printf("%s: %" PRIu64 " KiB of %" PRIu64 " bytes%s\n", img->path,
		       blocks * (BLOCK_BYTES >> 10), img->info.size,
		       a->o->is_dry ? " would be written" : "");
}

static must_check int apply_image(struct applying *a, struct settle_image *img)
{
	CLEANUP_FD int fd = open_file(a, img);
	struct settle_count n = { 0 };
	int err;

	if (fd < 0)
		return fd == -ECANCELED ? 0 : fd;
	if (a->o->is_dry) {
		say_done(a, img, img->nr_blocks);
		return 0;
	}
	err = change_file(a, img, fd, &n);
	if (err)
		return err;
	say_done(a, img, n.blocks);
	return n.lost ? -EIO : 0;
}

static must_check int apply_images(struct applying *a)
{
	struct settle_image img = { 0 };

	progress_start(&a->s.progress, a->s.cache.path);
	while (settle_next(&a->s, img.image, &img)) {
		a->files++;
		a->failed += apply_image(a, &img) != 0;
	}
	progress_clear(&a->s.progress);
	if (!a->files && !a->o->is_quiet)
		printf("%s: no dirty data\n", a->s.cache.path);
	return a->failed ? -EIO : 0;
}

int offline_apply(const struct apply_options *o)
{
	struct applying a = { .o = o, .dirfd = -1, .priv = { .fd = -1, .lock_fd = -1 } };
	int err = settle_open(&a.s, o->cache, o->ignore_lost ? REHEARSE_LOST : 0);

	if (!err)
		err = take_directory(&a);
	if (!err) {
		if (!o->is_quiet)
			progress_on_terminal(&a.s.progress, stderr);
		err = apply_images(&a);
	}
	privdir_close(&a.priv);
	cleanup_fd(&a.dirfd);
	settle_close(&a.s);
	return err;
}
