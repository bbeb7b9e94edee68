// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The descriptors that an image's backing file is read and written through: one that goes through
 * the page cache, and where the filesystem can, one that does not.
 *
 * The I/O thread reads the numbers without a lock and may be about to use one. So a number, once
 * given, leads to this file until the core has nothing to do with it any more; where a descriptor
 * must be opened anew (for writing), the new one takes over the number.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/align.h"
#include "common/cleanup.h"
#include "common/messages.h"
#include "lcfs/image/image_private.h"

#define LOCK_WAIT_NS (30 * NSEC_PER_SEC)
#define LOCK_PAUSE_NS (100 * NSEC_PER_MSEC)

/* Offsets and lengths where nobody says what O_DIRECT wants. */
#define DIRECT_ALIGN_DEFAULT BLOCK_BYTES

/* 0: no direct I/O on this file, though it could be opened for it. */
static uint32_t direct_align(int fd)
{
#ifdef STATX_DIOALIGN
	struct statx sx;

	if (statx(fd, "", AT_EMPTY_PATH, STATX_DIOALIGN, &sx) == 0 &&
	    sx.stx_mask & STATX_DIOALIGN) {
		if (sx.stx_dio_mem_align > BLOCK_BYTES || sx.stx_dio_offset_align > BLOCK_BYTES)
			return 0;
		return sx.stx_dio_offset_align ? max(sx.stx_dio_offset_align, SECTOR_BYTES) : 0;
	}
#else
	(void)fd;
#endif
	return DIRECT_ALIGN_DEFAULT;
}

/*
 * A file of FUSE says that it can be polled, and io_uring (of Linux 6.9 and later) takes that for
 * leave to start a request where it is submitted. There it waits for the daemon when as many are
 * under way as that takes at a time (12, mostly), or for what the file's attributes are.
 */
static bool blocks_submission(int fd)
{
	return identity_on_fuse(fd) > 0;
}

static bool takes_size(int fd, uint64_t size)
{
	return lseek(fd, (off_t)size, SEEK_SET) >= 0;
}

/*
 * The largest size that this file may get: lseek knows the filesystem's limit. It may depend on the
 * file, but mostly is what the last one's was (*guess).
 */
static uint64_t size_limit(int fd, _Atomic uint64_t *guess)
{
	uint64_t good = 0, bad = IMAGE_BYTES_MAX, like = atomic_load(guess);

	if (takes_size(fd, bad))
		return bad;
	if (like && like < bad && takes_size(fd, like) && !takes_size(fd, like + 1))
		return like;
	while (bad - good > 1) {
		uint64_t mid = good + (bad - good) / 2;

		if (takes_size(fd, mid))
			good = mid;
		else
			bad = mid;
	}
	atomic_store(guess, good);
	return good;
}

/* A descriptor that the file can be opened from, or -errno; BACK_CONFLICT: another file is
 * there. */
static int source(struct image *img, int *own)
{
	char path[PATHNAME_BYTES];
	struct cache_image_info info;
	struct op_identity id;
	struct stat st;
	int r, fd = image_borrow_fd(img, own);

	if (fd >= 0)
		return fd;
	if (!img->cached)
		return -EBADF;
	cache_image_path(image_host(img)->cache, img->cached, path);
	fd = pathname_open(img->dir->root_fd, path, O_PATH | O_NOFOLLOW);
	if (fd < 0)
		return fd;
	*own = fd;
	if (fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return BACK_CONFLICT;
	image_core_info(img, &info);
	r = identity_read(fd, &id);
	if (r < 0)
		return r;
	return identity_compare(&id, &info.identity) == IDENTITY_OTHER ? BACK_CONFLICT : fd;
}

static int pause_until(uint64_t deadline)
{
	struct timespec ts = { .tv_nsec = (long)LOCK_PAUSE_NS };

	if (clock_mono_ns() >= deadline)
		return -EBUSY;
	nanosleep(&ts, NULL);
	return 0;
}

static int lock_descriptor(int fd, enum guard_descriptor which, bool may_wait)
{
	uint64_t deadline = clock_mono_ns() + LOCK_WAIT_NS;
	int r;

	while ((r = guard_lock(fd, which)) == -EAGAIN && may_wait) {
		r = pause_until(deadline);
		if (r < 0)
			return r;
	}
	return r;
}

static int lock_both(struct image *img, int buffered, int direct, bool may_wait)
{
	int r;

	if (!img->is_writable && guard_is_foreign(buffered))
		return -EBUSY;
	r = lock_descriptor(buffered, GUARD_BUFFERED, may_wait);
	if (r == 0 && direct >= 0)
		r = lock_descriptor(direct, GUARD_DIRECT, may_wait);
	return r;
}

/* fd, or the number that had its part before. */
static int install(struct image *img, enum guard_descriptor which, int *fd)
{
	int old = atomic_load(&img->fd[which]);

	if (*fd < 0)
		return 0;
	if (old < 0)
		atomic_store(&img->fd[which], steal_fd(fd));
	else if (dup3(*fd, old, O_CLOEXEC) < 0)
		return -errno;
	return 0;
}

static int open_buffered(struct image *img, int from, int mode)
{
	int fd = pathname_reopen(from, mode | O_NOCTTY);

	if (fd == -EACCES && mode == O_RDWR && img->spare_fd >= 0)
		return steal_fd(&img->spare_fd);
	return fd;
}

static int open_direct(int from, int mode, uint32_t *align)
{
	CLEANUP_FD int fd = pathname_reopen(from, mode | O_DIRECT | O_NOCTTY);

	if (fd < 0)
		return -1;
	*align = direct_align(fd);
	return *align ? steal_fd(&fd) : -1;
}

/* Both, or their successors in the same numbers, of the file at `from`. */
static int open_from(struct image *img, int from, bool for_write, bool may_wait)
{
	CLEANUP_FD int buffered = -1, direct = -1;
	bool is_new = atomic_load(&img->fd[GUARD_BUFFERED]) < 0;
	int mode = for_write ? O_RDWR : O_RDONLY;
	uint32_t align = 0;
	int r = 0;

	buffered = open_buffered(img, from, mode);
	if (buffered < 0)
		return buffered;
	direct = open_direct(from, mode, &align);
	if (for_write)
		r = lock_both(img, buffered, direct, may_wait);
	if (r == 0 && is_new)
		atomic_store(&img->max_bytes, size_limit(buffered, &img->dir->size_guess));
	if (r == 0 && align)
		atomic_store(&img->direct_align, align);
	if (r == 0)
		atomic_store(&img->is_blocking, blocks_submission(buffered));
	if (r == 0)
		r = install(img, GUARD_BUFFERED, &buffered);
	if (r == 0)
		r = install(img, GUARD_DIRECT, &direct);
	if (r < 0)
		return r;
	atomic_store(&img->is_direct_writable, for_write && align);
	img->is_writable = for_write;
	if (is_new)
		atomic_fetch_add(&img->dir->nr_open, 1);
	cleanup_fd(&img->spare_fd);
	img->spare_fd = -1;
	return 0;
}

int image_fds_open(struct image *img, bool for_write, bool may_wait)
{
	CLEANUP_FD int own = -1;
	int from;

	mutex_assert_held(&img->lock);
	if (atomic_load(&img->fd[GUARD_BUFFERED]) >= 0 && (img->is_writable || !for_write))
		return 0;
	from = source(img, &own);
	return from < 0 ? from : open_from(img, from, for_write, may_wait);
}

int image_fds_renew(struct image *img, int from)
{
	bool was_writable = img->is_writable;
	int r;

	mutex_assert_held(&img->lock);
	if (atomic_load(&img->fd[GUARD_BUFFERED]) < 0)
		return 0;
	img->is_writable = false;
	r = open_from(img, from, was_writable, false);
	img->is_writable = was_writable;
	return r;
}

void image_fds_close(struct image *img)
{
	if (atomic_load(&img->fd[GUARD_BUFFERED]) < 0)
		return;
	for (int i = 0; i < 2; i++) {
		int fd = atomic_exchange(&img->fd[i], -1);

		cleanup_fd(&fd);
	}
	img->is_writable = false;
	atomic_fetch_sub(&img->dir->nr_open, 1);
}
