// SPDX-License-Identifier: GPL-2.0-or-later
/* Requests of a bed's images, waited for. */
#include <stdlib.h>
#include <string.h>

#include "common/align.h"
#include "common/mutex.h"
#include "tests/fake/imagebed.h"

struct waiting {
	struct image_io io;
	struct cache_read read;
	struct mutex lock;
	struct cond done;
	bool is_done;
};

static void io_done(struct image_io *io)
{
	struct waiting *w = io->owner;

	mutex_lock(&w->lock);
	w->is_done = true;
	cond_signal(&w->done);
	mutex_unlock(&w->lock);
}

static int run(struct waiting *w)
{
	int result;

	mutex_init(&w->lock, 1, "test");
	cond_init(&w->done);
	w->io.owner = w;
	w->io.done = io_done;
	if (image_io_start(&w->io, true) == CACHE_WAIT) {
		mutex_lock(&w->lock);
		while (!w->is_done)
			cond_wait(&w->done, &w->lock);
		mutex_unlock(&w->lock);
	}
	result = w->io.result;
	cond_destroy(&w->done);
	mutex_destroy(&w->lock);
	free(w);
	return result;
}

static struct waiting *prepare(enum image_io_kind kind, struct image *img, void *buf, uint32_t len,
			       uint64_t off)
{
	struct waiting *w = calloc(1, sizeof(*w));

	w->io.kind = kind;
	w->io.img = img;
	w->io.buf = buf;
	w->io.len = len;
	w->io.off = off;
	w->io.mem.read = &w->read;
	return w;
}

static int write_as(struct image *img, const void *data, uint32_t len, uint64_t off, bool sync)
{
	char *copy = malloc(len + 1);
	struct waiting *w = prepare(IMAGE_WRITE, img, copy, len, off);
	int r;

	memcpy(copy, data, len);
	w->io.sync = sync;
	r = run(w);
	free(copy);
	return r;
}

int bed_write(struct image *img, const void *data, uint32_t len, uint64_t off)
{
	return write_as(img, data, len, off, false);
}

int bed_write_sync(struct image *img, const void *data, uint32_t len, uint64_t off)
{
	return write_as(img, data, len, off, true);
}

int bed_fill(struct image *img, char fill, uint32_t len, uint64_t off)
{
	char *buf = malloc(len + 1);
	int r;

	memset(buf, fill, len);
	r = bed_write(img, buf, len, off);
	free(buf);
	return r;
}

int bed_read(struct image *img, void *buf, uint32_t len, uint64_t off)
{
	char *room = aligned_alloc(BLOCK_BYTES, align_up(len, BLOCK_BYTES) + 2 * BLOCK_BYTES);
	int r = run(prepare(IMAGE_READ, img, room, len, off));

	if (r > 0)
		memcpy(buf, room + off % BLOCK_BYTES, (size_t)r);
	free(room);
	return r;
}

int bed_sync(struct image *img)
{
	return run(prepare(IMAGE_SYNC, img, NULL, 0, 0));
}

bool bed_reads(struct image *img, char fill, uint32_t len, uint64_t off)
{
	char *buf = malloc(len + 1);
	bool is_same = bed_read(img, buf, len, off) == (int)len;

	for (uint32_t i = 0; is_same && i < len; i++)
		is_same = buf[i] == fill;
	free(buf);
	return is_same;
}
