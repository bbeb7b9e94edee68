// SPDX-License-Identifier: GPL-2.0-or-later
/* How the core's engine reaches backing files: descriptors, and calls that block. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/align.h"
#include "common/cleanup.h"
#include "common/clock.h"
#include "common/messages.h"
#include "lcfs/image/corecall.h"
#include "lcfs/image/image_private.h"
#include "lcfs/image/zeros.h"

#define LOCK_TRIES 50

static int backing_fd(void *ctx, struct cache_image *ci, bool is_write, uint64_t off, uint64_t len)
{
	struct image *img = cache_image_owner(ci);
	int fd, direct;

	if (!img)
		return -EBADF;
	fd = atomic_load(&img->fd[GUARD_BUFFERED]);
	direct = atomic_load(&img->fd[GUARD_DIRECT]);
	/* without a log, writes of any size go beside those of migration (F5) */
	if (cache_is_lost(((struct cachehost *)ctx)->cache))
		direct = -1;
	if (is_write) {
		if (!lease_is_good(ctx))
			return -EAGAIN;
		atomic_store(&img->is_changed, true);
		if (!atomic_load(&img->is_direct_writable))
			direct = -1;
	}
	if (direct >= 0 && is_aligned(off | len, atomic_load(&img->direct_align)))
		return direct;
	return fd < 0 ? -EBADF : fd;
}

static bool backing_blocks(unused_ void *ctx, struct cache_image *ci)
{
	struct image *img = cache_image_owner(ci);

	return img && atomic_load(&img->is_blocking);
}

/* ---- BACK_CHECK ---- */

/* Is it the file at fd that has this name? 0, BACK_CONFLICT: another one has it, or what open
 * said. */
static int has_name(int root_fd, const char *path, int fd)
{
	CLEANUP_FD int there = pathname_open(root_fd, path, O_PATH | O_NOFOLLOW);
	struct stat have, want;

	if (there < 0)
		return there;
	if (fstat(there, &have) < 0 || fstat(fd, &want) < 0)
		return -errno;
	return have.st_dev == want.st_dev && have.st_ino == want.st_ino ? 0 : BACK_CONFLICT;
}

/*
 * BACK_CONFLICT: another file has the recorded name. That the file is elsewhere and its old name
 * free is no conflict: it was moved, or had several names. BACK_MISSING: it was moved out of the
 * directory; nothing is to be written there. While a directory is renamed no name can be
 * told; that may wait for space in the log, and so must not be waited for: the change time tells
 * then, where there is one (-EAGAIN).
 */
static int check_name(struct image *img, int fd)
{
	struct imagedir *d = img->dir;
	char recorded[PATHNAME_BYTES];
	int r;

	if (img->changes)
		return 0;
	if (pthread_rwlock_tryrdlock(&d->names))
		return img->is_weak ? -EAGAIN : 0;
	cache_image_path(image_host(img)->cache, img->cached, recorded);
	r = has_name(d->root_fd, recorded, fd);
	pthread_rwlock_unlock(&d->names);
	if (r < 0 && pathname_is_outside(d->root_fd, fd))
		return BACK_MISSING;
	return r == BACK_CONFLICT && !atomic_load(&img->is_name_lost) ? r : 0;
}

/* Is it still the file that we know (F2)? image->lock held, descriptors open. */
static int check_file(struct image *img)
{
	int fd = atomic_load(&img->fd[GUARD_BUFFERED]);
	struct stat st;
	int r;

	if (fstat(fd, &st) < 0)
		return -errno;
	if (st.st_nlink == 0 && !img->is_unlinked && !img->has_intent) {
		image_set_conflict(img, IMAGE_MISSING, "deleted", false);
		return BACK_MISSING;
	}
	r = img->is_unlinked ? 0 : check_name(img, fd);
	if (r == BACK_CONFLICT)
		image_set_conflict(img, IMAGE_CONFLICT, "another file has its name", false);
	if (r == BACK_MISSING) {
		image_set_conflict(img, IMAGE_MISSING, "moved out of the directory", false);
		return r;
	}
	if (r == 0)
		r = image_check(img);
	return atomic_load(&img->bad) ? BACK_CONFLICT : r;
}

/* One that nobody holds is opened by its name, which leads nowhere while its directory is renamed.
 */
static int open_fds(struct image *img)
{
	struct imagedir *d = img->dir;
	int r;

	if (atomic_load(&img->fd[GUARD_BUFFERED]) >= 0)
		return image_fds_open(img, true, false);
	if (img->renames)
		return -EAGAIN;
	if (pthread_rwlock_tryrdlock(&d->names))
		return -EAGAIN;
	r = image_fds_open(img, true, false);
	pthread_rwlock_unlock(&d->names);
	return r;
}

static bool has_descriptor(struct image *img)
{
	CLEANUP_FD int own = -1;

	return image_borrow_fd(img, &own) >= 0;
}

static int open_for_core(struct image *img)
{
	int r;

	/* Its last name went, and its descriptors with it: it is about to be unbound. One that has
	 * them may well be migrated until then: the log may need the space to log that. */
	if (img->is_unlinked && !has_descriptor(img))
		return -EAGAIN;
	r = open_fds(img);
	if (r == -ENOENT || r == -ENOTDIR || r == -ELOOP) {
		image_set_conflict(img, IMAGE_MISSING, "not found", false);
		return BACK_MISSING;
	}
	if (r == BACK_CONFLICT)
		image_set_conflict(img, IMAGE_CONFLICT, "another file has its name", false);
	return r == -EBUSY ? -EAGAIN : r;
}

bool image_lock_patiently(struct image *img)
{
	for (int i = 0; i < LOCK_TRIES; i++) {
		if (mutex_trylock(&img->lock))
			return true;
		image_pause();
	}
	return false;
}

static int check_locked(struct image *img, const struct cache_image *ci)
{
	int r;

	if (atomic_load(&img->cached) != ci)
		return -EAGAIN;
	if (atomic_load(&img->bad))
		return BACK_CONFLICT;
	r = open_for_core(img);
	if (r < 0)
		return r;
	atomic_store(&img->is_in_use, true);
	image_look_for_mark(img);
	maintain_add(img);
	return check_file(img);
}

/* BACK_CONFLICT, BACK_MISSING, -EAGAIN: not now; or what the store says. Descriptors are open and
 * stay so if it returns 0. */
static int back_check(struct cachehost *h, struct image *img, const struct action *a)
{
	int r, error;

	if (lease_ensure(h) < 0) {
		error = atomic_load(&h->lease.store_error);
		return error ? error : -EAGAIN;
	}
	if (!image_lock_patiently(img))
		return -EAGAIN;
	r = check_locked(img, a->image);
	mutex_unlock(&img->lock);
	return r;
}

/* ---- BACK_LEAVE ---- */

static int back_leave(struct cachehost *h, struct image *img, const struct action *a)
{
	int r;

	if (!image_lock_patiently(img))
		return -EAGAIN;
	r = check_locked(img, a->image);
	if (r == 0)
		r = image_leave_cache(img, h, a->arg);
	mutex_unlock(&img->lock);
	return r;
}

/* ---- BACK_GROW, BACK_TRUNCATE, BACK_PUNCH ---- */

static int back_grow(struct cachehost *h, struct image *img, const struct action *a)
{
	int fd = atomic_load(&img->fd[GUARD_BUFFERED]);
	struct stat st;

	if (!lease_is_good(h))
		return -EAGAIN;
	if (fstat(fd, &st) < 0)
		return -errno;
	if ((uint64_t)st.st_size >= a->off)
		return 0;
	atomic_store(&img->is_changed, true);
	return ftruncate(fd, (off_t)a->off) < 0 ? -errno : 0;
}

static int back_change(struct cachehost *h, struct image *img, const struct action *a)
{
	int fd, r = back_check(h, img, a);

	if (r < 0)
		return r;
	fd = atomic_load(&img->fd[GUARD_BUFFERED]);
	atomic_store(&img->is_changed, true);
	if (a->type == ACTION_BACK_PUNCH)
		return zeros_punch(fd, a->off, a->len);
	return ftruncate(fd, (off_t)a->off) < 0 ? -errno : 0;
}

/* ---- BACK_SYNC ---- */

/* All of the image is in the file: its size and time are brought there, too. */
static int set_size_and_time(int fd, const struct action *a)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return -errno;
	if ((uint64_t)st.st_size != a->off && ftruncate(fd, (off_t)a->off) < 0)
		return -errno;
	return a->stamp.mtime_ns ? identity_set_mtime(fd, a->stamp.mtime_ns) : 0;
}

static int record_stamp(struct image *img, int fd, struct action *a, uint64_t seq)
{
	struct op_stamp stamp;
	int r;

	if (!image_lock_patiently(img))
		return -EAGAIN;
	r = identity_stamp(fd, &stamp);
	if (r == 0) {
		a->stamp.size = stamp.size;
		a->stamp.mtime_ns = stamp.mtime_ns;
		a->stamp.ctime_ns = stamp.ctime_ns;
		/* without a log, writes go on meanwhile */
		atomic_store(&img->is_changed, cache_is_lost(image_host(img)->cache));
		img->is_stamp_known = img->changes == 0;
		img->stamp = stamp;
		image_floor_is_synced(img, seq);
	}
	mutex_unlock(&img->lock);
	return r;
}

/*
 * A full fsync: fdatasync leaves the ctime in memory, and the stamp that is recorded must be what a
 * power cut leaves. The core has no write out on the image meanwhile.
 */
static int back_sync(struct cachehost *h, struct image *img, struct action *a)
{
	int fd, r = back_check(h, img, a);
	uint64_t seq;

	if (r < 0)
		return r;
	/* of a change that is under way now, the end counts, too */
	seq = atomic_load(&img->floor_seq);
	fd = atomic_load(&img->fd[GUARD_BUFFERED]);
	if (a->arg == 1) {
		atomic_store(&img->is_changed, true);
		r = set_size_and_time(fd, a);
	}
	if (r == 0 && fsync(fd) < 0)
		r = -errno;
	return r < 0 ? r : record_stamp(img, fd, a, seq);
}

static int backing_call(void *ctx, struct action *a)
{
	struct image *img = cache_image_owner(a->image);

	if (!img || atomic_load(&img->is_unmatched))
		return -EAGAIN;
	switch (a->type) {
	case ACTION_BACK_CHECK:
		return back_check(ctx, img, a);
	case ACTION_BACK_LEAVE:
		return back_leave(ctx, img, a);
	case ACTION_BACK_GROW:
		return back_grow(ctx, img, a);
	case ACTION_BACK_TRUNCATE:
	case ACTION_BACK_PUNCH:
		return back_change(ctx, img, a);
	case ACTION_BACK_SYNC:
		return back_sync(ctx, img, a);
	default:
		return -EINVAL;
	}
}

static void request(void *ctx, struct action *a)
{
	if (a->arg == REQUEST_SYNC_CALL || a->arg == REQUEST_OP_CALL || a->arg == REQUEST_READ_CALL)
		corecall_request(ctx, a);
	else
		image_io_request(a);
}

void image_flight(struct imagedir *d, bool begins)
{
	if (!d->counts_flight)
		return;
	if (begins)
		flight_begin(&d->flight, clock_mono_ns());
	else
		flight_end(&d->flight, clock_mono_ns());
}

static void flight(void *ctx, bool begins)
{
	image_flight(((struct cachehost *)ctx)->dir, begins);
}

static int busy_percent(void *ctx)
{
	struct cachehost *h = ctx;

	return busy_sample(&h->busy, clock_mono_ns());
}

const struct engine_ops image_engine_ops = {
	.backing_fd = backing_fd,
	.backing_blocks = backing_blocks,
	.backing_call = backing_call,
	.request = request,
	.flight = flight,
	.busy_percent = busy_percent,
};
