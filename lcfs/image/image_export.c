// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * An image that is held, as a new file: piece by piece what its backing file has now, if it has
 * one, and what the cache has laid over it. Pieces in which neither has anything are left out, and
 * so are blocks of zeros: they are holes.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/align.h"
#include "common/cleanup.h"
#include "lcfs/image/corecall.h"
#include "lcfs/image/image_private.h"

#define PIECE_BYTES (1u << 20)

struct export
{
	struct image *img;
	struct cache_image *cached;
	uint64_t size;
	int from, to; /* from: -1 if there is no file */
	uint8_t *buf; /* PIECE_BYTES */
};

/* Where the file has data at or behind off; size: nowhere. */
static uint64_t next_data(const struct export *x, uint64_t off)
{
	off_t at = x->from < 0 ? -1 : lseek(x->from, (off_t)off, SEEK_DATA);

	if (at >= 0)
		return min((uint64_t)at, x->size);
	/* one that does not know where it has holes has data everywhere */
	return x->from < 0 || errno == ENXIO ? x->size : off;
}

/* The block at or behind off, where one begins, that may have anything; size or more: none. */
static uint64_t next_piece(const struct export *x, uint64_t off)
{
	uint64_t end = div_round_up(x->size, BLOCK_BYTES), data, cached;

	if (off >= x->size)
		return off;
	data = next_data(x, off);
	cached = cache_find(image_host(x->img)->cache, x->cached, off / BLOCK_BYTES, end, true);
	if (data >= x->size)
		return cached * BLOCK_BYTES;
	return min(align_down(data, BLOCK_BYTES), cached * BLOCK_BYTES);
}

/* Zeros behind its end. */
static int read_file(const struct export *x, uint32_t len, uint64_t off)
{
	uint32_t n = 0;

	while (x->from >= 0 && n < len) {
		ssize_t r = pread(x->from, x->buf + n, len - n, (off_t)(off + n));

		if (r < 0)
			return -errno;
		if (r == 0)
			break;
		n += (uint32_t)r;
	}
	memset(x->buf + n, 0, len - n);
	return 0;
}

static int read_piece(const struct export *x, uint32_t len, uint64_t off)
{
	struct read_call *call;
	int r = read_file(x, len, off);

	if (r < 0)
		return r;
	call = malloc(sizeof(*call));
	if (!call)
		return -ENOMEM;
	read_call_init(call);
	call->r.image = x->cached;
	call->r.off = off;
	call->r.len = len;
	call->r.buf = x->buf;
	call->r.is_overlay = true;
	r = corecall_read(image_host(x->img), call);
	free(call);
	return r < 0 ? r : 0;
}

static int write_whole(int fd, const uint8_t *buf, uint64_t len, uint64_t off)
{
	while (len) {
		ssize_t r = pwrite(fd, buf, len, (off_t)off);

		if (r <= 0)
			return r < 0 ? -errno : -EIO;
		buf += r;
		off += (uint64_t)r;
		len -= (uint64_t)r;
	}
	return 0;
}

static bool is_zero(const uint8_t *block)
{
	return block[0] == 0 && memcmp(block, block + 1, BLOCK_BYTES - 1) == 0;
}

static int write_piece(const struct export *x, uint32_t len, uint64_t off)
{
	int r = 0;

	for (uint32_t at = 0, end; at < len && r == 0; at = end) {
		bool zero = is_zero(x->buf + at);

		for (end = at + BLOCK_BYTES; end < len && is_zero(x->buf + end) == zero;)
			end += BLOCK_BYTES;
		if (!zero)
			r = write_whole(x->to, x->buf + at, min(off + end, x->size) - (off + at),
					off + at);
	}
	return r;
}

static int copy(const struct export *x)
{
	uint64_t off = 0;
	int r = ftruncate(x->to, (off_t)x->size) < 0 ? -errno : 0;

	while (r == 0 && (off = next_piece(x, off)) < x->size) {
		uint32_t len =
			(uint32_t)min(align_up(x->size - off, BLOCK_BYTES), (uint64_t)PIECE_BYTES);

		r = read_piece(x, len, off);
		if (r == 0)
			r = write_piece(x, len, off);
		off += len;
	}
	if (r == 0 && fsync(x->to) < 0)
		r = -errno;
	return r == 0 && !atomic_load(&x->img->bad) ? -EBUSY : r;
}

/* While it is held open, whoever decides for the file waits. */
static int export_held(struct image *img, struct cache_image *cached, int to)
{
	char path[PATHNAME_BYTES];
	CLEANUP_FD int from = -1;
	CLEANUP_FREE uint8_t *buf = aligned_alloc(BLOCK_BYTES, PIECE_BYTES);
	struct export x = { .img = img, .cached = cached, .to = to, .buf = buf };

	if (!buf)
		return -ENOMEM;
	cache_image_path(image_host(img)->cache, cached, path);
	from = pathname_open_file(img->dir->root_fd, path, O_RDONLY);
	if (from < 0 && from != -ENOENT && from != -ENOTDIR)
		return from;
	x.from = from < 0 ? -1 : from;
	x.size = cache_image_size(cached);
	return copy(&x);
}

int image_export(struct image *img, const char *path)
{
	CLEANUP_FD int to = -1;
	struct cache_image *cached;
	int r = -EINVAL;

	if (*path != '/')
		return -EINVAL;
	cached = image_hold(img);
	if (cached && atomic_load(&img->bad)) {
		to = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
		r = to < 0 ? -errno : export_held(img, cached, to);
		if (to >= 0 && r < 0)
			(void)unlink(path);
	}
	image_unhold(img);
	return r;
}
