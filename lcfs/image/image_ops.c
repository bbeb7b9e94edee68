// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Size, space, holes and times of an image. For threads that may block.
 *
 * While an image is not bound, the backing file is the image and is changed by plain system calls,
 * with the gate shut so that no write binds it meanwhile; once it is bound, the core does it in the
 * order of the log (E1).
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/align.h"
#include "common/messages.h"
#include "common/nsec.h"
#include "lcfs/image/corecall.h"
#include "lcfs/image/image_private.h"

#define DRAIN_POLL_NS (200 * NSEC_PER_MSEC)
#define ALLOWED_MODES (FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE | FALLOC_FL_ZERO_RANGE)

/* The core has it in memory only: its size is that of the backing file. */
static void tell_size(struct image *img)
{
	struct cachehost *h = image_host(img);
	struct outbox ob;

	image_restamp(img);
	if (!img->cached || !img->is_stamp_known)
		return;
	outbox_init(&ob);
	/* of an image that is not bound it is in memory only */
	if (cache_image_refresh(h->cache, img->cached, &img->stamp, engine_now(h->engine), &ob) < 0)
		msg_debug("cache: the new size of a file is not taken over");
	engine_carry(h->engine, &ob);
}

/* image->lock held. 1: done; 0: it is bound; -EAGAIN: the first write is on its way; or -errno. */
static int try_plain(struct image *img, int (*change)(int fd, const void *arg), const void *arg,
		     int *result)
{
	bool was_ready = atomic_load(&img->is_ready);
	int r;

	if (image_is_bound(img))
		return 0;
	if (!gate_try_close(img))
		return -EAGAIN;
	if (image_is_bound(img)) {
		if (was_ready)
			gate_open(img);
		return 0;
	}
	r = image_check(img);
	if (r == 0) {
		image_keep_floor(img);
		*result = change(atomic_load(&img->fd[GUARD_BUFFERED]), arg);
		tell_size(img);
		atomic_fetch_add(&img->sync_wanted, 1);
		img->is_ahead_of_log = true;
	}
	if (was_ready) {
		image_sync_ahead(img);
		gate_open(img);
	}
	return r < 0 ? r : 1;
}

/*
 * Calls change() on the backing file if the image is not bound: 1 and *result; 0 if it is bound,
 * and then it is prepared for cached writes; or -errno.
 */
static int change_plain(struct image *img, int (*change)(int fd, const void *arg), const void *arg,
			int *result)
{
	int r;

	for (;;) {
		mutex_lock(&img->lock);
		r = try_plain(img, change, arg, result);
		if (r == 0)
			r = image_prepare(img);
		mutex_unlock(&img->lock);
		if (r != -EAGAIN)
			return r;
		image_pause();
	}
}

static int core_op(struct image *img, enum cache_op_type type, uint64_t off, uint64_t len)
{
	struct op_call call;

	op_call_init(&call);
	call.op.type = type;
	call.op.image = atomic_load(&img->cached);
	call.op.off = off;
	call.op.len = len;
	return corecall_op(image_host(img), &call);
}

/* ---- size ---- */

static int plain_truncate(int fd, const void *arg)
{
	const uint64_t *size = arg;

	return ftruncate(fd, (off_t)*size) < 0 ? -errno : 0;
}

static int truncate_open(struct image *img, uint64_t size)
{
	int result, r;

	if (size > atomic_load(&img->max_bytes))
		return -EFBIG;
	atomic_store(&img->is_mtime_set, false);
	r = change_plain(img, plain_truncate, &size, &result);
	if (r != 0)
		return r == 1 ? result : r;
	return core_op(img, CACHE_OP_TRUNCATE, size, 0);
}

int image_truncate(struct image *img, uint64_t size)
{
	int r = image_open(img, true);

	if (r < 0)
		return r;
	image_enter(img);
	r = truncate_open(img, size);
	image_leave(img);
	image_release(img, true);
	return r;
}

/* ---- space ---- */

struct fallocate_args {
	int mode;
	uint64_t off, len;
};

static int plain_fallocate(int fd, const void *arg)
{
	const struct fallocate_args *a = arg;

	/* ext4 makes the file longer by what it had found before there was no more */
	if (a->mode == 0 && fallocate(fd, FALLOC_FL_KEEP_SIZE, (off_t)a->off, (off_t)a->len) < 0 &&
	    errno != EOPNOTSUPP)
		return -errno;
	return fallocate(fd, a->mode, (off_t)a->off, (off_t)a->len) < 0 ? -errno : 0;
}

/* Space in the backing file; the size is the core's. */
static int reserve_space(struct image *img, const struct fallocate_args *a)
{
	int r = image_touching_inside(img);

	if (r < 0)
		return r;
	if (fallocate(atomic_load(&img->fd[GUARD_BUFFERED]), FALLOC_FL_KEEP_SIZE, (off_t)a->off,
		      (off_t)a->len) < 0)
		r = -errno;
	image_touched_inside(img);
	return r;
}

static int fallocate_bound(struct image *img, const struct fallocate_args *a)
{
	uint64_t end = a->off + a->len;
	bool extends = !(a->mode & FALLOC_FL_KEEP_SIZE) && end > image_size_inside(img);
	bool zeroes = a->mode & FALLOC_FL_ZERO_RANGE;
	int r = 0;

	/* what can be refused is so before anything changes: the kernel would keep old pages */
	if (!(a->mode & FALLOC_FL_PUNCH_HOLE))
		r = reserve_space(img, a);
	if (r == -EOPNOTSUPP && zeroes)
		r = 0;
	if (r == 0 && a->mode & (FALLOC_FL_PUNCH_HOLE | FALLOC_FL_ZERO_RANGE))
		r = core_op(img, CACHE_OP_PUNCH, a->off, a->len);
	/* zeros are there now, whether they take space or not */
	if (r == 0 && zeroes)
		(void)!reserve_space(img, a);
	if (r == 0 && extends)
		r = core_op(img, CACHE_OP_TRUNCATE, end, CACHE_ONLY_GROW);
	return r;
}

static int fallocate_open(struct image *img, const struct fallocate_args *a)
{
	int result, r;

	if (a->off + a->len > atomic_load(&img->max_bytes))
		return -EFBIG;
	atomic_store(&img->is_mtime_set, false);
	r = change_plain(img, plain_fallocate, a, &result);
	if (r != 0)
		return r == 1 ? result : r;
	return fallocate_bound(img, a);
}

int image_fallocate(struct image *img, int mode, uint64_t off, uint64_t len)
{
	struct fallocate_args a = { .mode = mode, .off = off, .len = len };
	uint64_t end;
	int r;

	if (mode & ~ALLOWED_MODES)
		return -EOPNOTSUPP;
	if (mode & FALLOC_FL_PUNCH_HOLE && mode != (FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE))
		return -EOPNOTSUPP;
	if (len == 0)
		return -EINVAL;
	if (checked_add_u64(off, len, &end) || end > IMAGE_BYTES_MAX)
		return -EFBIG;
	r = image_open(img, true);
	if (r < 0)
		return r;
	image_enter(img);
	r = fallocate_open(img, &a);
	image_leave(img);
	image_release(img, true);
	return r;
}

/* ---- holes ---- */

/* Of the backing file alone, below end; end when there is none, off where it does not say. */
static uint64_t seek_backing(int fd, uint64_t off, int whence, uint64_t end)
{
	off_t r = lseek(fd, (off_t)off, whence);

	if (r >= 0)
		return min((uint64_t)r, end);
	if (errno == ENXIO) /* beyond its end, or nothing but a hole */
		return whence == SEEK_DATA ? end : off;
	return whence == SEEK_DATA ? off : end;
}

/* The first byte of the first cached (not cached) block at or behind off; end when there is none.
 */
static uint64_t seek_cached(struct image *img, uint64_t off, uint64_t end, bool cached)
{
	struct cache_image *ci = atomic_load(&img->cached);
	uint64_t last = div_round_up(end, BLOCK_BYTES), block;

	if (!ci)
		return cached ? end : off;
	block = cache_find(image_host(img)->cache, ci, off >> BLOCK_SHIFT, last, cached);
	if (block >= last)
		return end;
	return min(max(off, block << BLOCK_SHIFT), end);
}

static uint64_t seek_data(struct image *img, int fd, uint64_t off, uint64_t end)
{
	/* in this order: what is cached no more by then is in the file */
	uint64_t cached = seek_cached(img, off, end, true);

	return min(cached, seek_backing(fd, off, SEEK_DATA, end));
}

static uint64_t seek_hole(struct image *img, int fd, uint64_t off, uint64_t end)
{
	while (off < end) {
		uint64_t next = seek_cached(img, off, end, false);

		if (next > off) {
			off = next;
			continue;
		}
		next = seek_backing(fd, off, SEEK_HOLE, end);
		if (next == off)
			break;
		off = next;
	}
	return off;
}

int image_seek(struct image *img, uint64_t off, int whence, uint64_t *result)
{
	uint64_t end;
	int fd, r;

	if (whence != SEEK_DATA && whence != SEEK_HOLE)
		return -EINVAL;
	r = image_open(img, false);
	if (r < 0)
		return r;
	image_enter(img);
	end = image_size_inside(img);
	fd = atomic_load(&img->fd[GUARD_BUFFERED]);
	if (off >= end) {
		r = -ENXIO;
	} else if (whence == SEEK_HOLE) {
		*result = seek_hole(img, fd, off, end);
	} else {
		*result = seek_data(img, fd, off, end);
		r = *result < end ? 0 : -ENXIO;
	}
	image_leave(img);
	image_release(img, false);
	return r;
}

/* ---- times ---- */

/* The time that was set is the image's from now on, until the next write; the backing file's is set
 * again when all of it has been migrated. */
static void tell_mtime(struct image *img, const struct timespec *ts)
{
	int64_t ns = (int64_t)ts->tv_sec * (int64_t)NSEC_PER_SEC + ts->tv_nsec;
	struct cachehost *h = image_host(img);
	struct op_stamp now;
	struct outbox ob;

	if (!image_is_bound(img))
		return;
	if (ts->tv_nsec == UTIME_NOW) {
		if (identity_stamp(img->path_fd, &now) < 0)
			return;
		ns = now.mtime_ns;
	}
	atomic_store(&img->is_mtime_set, true);
	outbox_init(&ob);
	cache_image_set_mtime(h->cache, img->cached, ns, engine_now(h->engine), &ob);
	engine_carry(h->engine, &ob);
}

static int set_times_locked(struct image *img, const struct timespec ts[2])
{
	char link[PATHNAME_LINK_BYTES];
	int r = image_change_begin(img);

	if (r < 0)
		return r;
	pathname_magic_link(img->path_fd, link);
	if (utimensat(AT_FDCWD, link, ts, 0) < 0)
		r = -errno;
	else if (ts[1].tv_nsec != UTIME_OMIT)
		tell_mtime(img, &ts[1]);
	image_change_end(img);
	return r;
}

int image_set_times(struct image *img, const struct timespec ts[2])
{
	for (;;) {
		int r;

		mutex_lock(&img->lock);
		r = set_times_locked(img, ts);
		mutex_unlock(&img->lock);
		if (r != -EAGAIN)
			return r;
		image_pause();
	}
}

bool image_is_removed(const struct image *img)
{
	return atomic_load(&img->is_unlinked);
}

/*
 * What has no name any more is about to be forgotten: there is nothing to drain it to, nor may
 * there be a way to its file. And it cannot be forgotten while it is held.
 */
static int drain_named(struct image *img)
{
	struct op_call *call =
		corecall_drain(image_host(img), atomic_load(&img->cached), CACHE_AS_OF_NOW);

	if (!call)
		return -ENOMEM;
	while (!corecall_op_wait(call, DRAIN_POLL_NS)) {
		if (!image_is_removed(img))
			continue;
		corecall_op_abandon(call);
		return 0;
	}
	return corecall_drain_end(call);
}

int image_drain(struct image *img)
{
	int r = 0;

	if (image_is_removed(img))
		return 0;
	if (image_hold(img))
		r = drain_named(img);
	image_unhold(img);
	return r;
}
