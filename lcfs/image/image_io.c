// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Reads, writes and syncs: the way that must not block.
 *
 * What the core can do at once is done at once, on the caller's thread. What needs a system call on
 * the backing file first (the first write of an image, the first sync after a change of names) and
 * all I/O of images that the core does not know goes to the thread pool.
 *
 *	start ---> core -----------> DONE       each arrow into `core` or `pool` may end in
 *	  |         | ^                         CACHE_AGAIN if the caller cannot wait
 *	  |         v | RESUME
 *	  |        parked
 *	  +-----> pool: prepare or sync, then as above; or pread, pwrite, fdatasync
 *
 * All of it is inside the image (gate.c), or passed the inner gate; what finds the outer one shut
 * is parked before it has begun.
 */
#include "lcfs/image/image.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/align.h"
#include "common/clock.h"
#include "lcfs/image/corecall.h"
#include "lcfs/image/image_private.h"

#define WINDOW_SHIFT(io) ((io)->off & (BLOCK_BYTES - 1))

static void leave(struct image_io *io)
{
	if (io->is_inside)
		image_leave(io->img);
	io->is_inside = false;
}

static void finish(struct image_io *io, int result)
{
	io->result = result;
	leave(io);
	iostat_count(io);
	io->done(io);
}

/* The image's cache, which is counted from now on. */
static struct cachehost *host_of(struct image_io *io)
{
	struct cachehost *h = atomic_load(&io->img->host);

	io->stat = iostat_of(io->img->dir, h->id);
	return h;
}

static enum cache_step to_pool(struct image_io *io, bool may_wait, void (*run)(struct task *t))
{
	if (!may_wait)
		return CACHE_AGAIN;
	io->task.run = run;
	taskpool_add(io->img->dir->pool, &io->task);
	return CACHE_WAIT;
}

/* ---- reads ---- */

/* Bytes of [off, off + len) that lie below size. */
static uint32_t below_size(uint64_t off, uint32_t len, uint64_t size)
{
	return off >= size ? 0 : (uint32_t)min((uint64_t)len, size - off);
}

/* The image may have been cut meanwhile: what lies beyond its end is not shown as zeros. */
static int read_result(struct image_io *io)
{
	uint64_t size = image_size_inside(io->img);

	if (io->mem.read->result < 0)
		return io->mem.read->result;
	return (int)below_size(io->off, io->len, min(size, io->size_before));
}

static enum cache_step run_read(struct image_io *io, bool may_wait, uint64_t now)
{
	struct cachehost *h = host_of(io);
	enum cache_step step;
	struct outbox ob;

	outbox_init(&ob);
	cachehost_carry_begin(h);
	step = cache_read_run(h->cache, io->mem.read, may_wait, now, &ob);
	engine_carry(h->engine, &ob);
	cachehost_carry_end(h);
	return step;
}

static ssize_t pread_all(int fd, char *buf, size_t len, uint64_t off)
{
	size_t done = 0;

	while (done < len) {
		ssize_t n = pread(fd, buf + done, len - done, (off_t)(off + done));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return done ? (ssize_t)done : -errno;
		if (n == 0)
			break;
		done += (size_t)n;
	}
	return (ssize_t)done;
}

static void pool_read(struct task *t)
{
	struct image_io *io = container_of(t, struct image_io, task);
	int fd = atomic_load(&io->img->fd[GUARD_BUFFERED]);
	ssize_t n;

	image_flight(io->img->dir, true);
	n = pread_all(fd, (char *)io->buf + WINDOW_SHIFT(io), io->len, io->off);
	image_flight(io->img->dir, false);
	finish(io, (int)n);
}

static enum cache_step start_read(struct image_io *io, bool may_wait)
{
	struct image *img = io->img;
	struct cache_image *ci = atomic_load(&img->cached);
	struct cache_read *r = io->mem.read;
	enum cache_step step;
	uint32_t len;

	if (!ci)
		return to_pool(io, may_wait, pool_read);
	io->size_before = image_size_inside(img);
	len = below_size(io->off, io->len, io->size_before);
	if (len == 0) {
		io->result = 0;
		return CACHE_DONE;
	}
	r->act.arg = REQUEST_IO_READ;
	r->owner = io;
	r->image = ci;
	r->off = align_down(io->off, BLOCK_BYTES);
	r->len = (uint32_t)(align_up(io->off + len, BLOCK_BYTES) - r->off);
	r->buf = io->buf;
	step = run_read(io, may_wait, io->started_ns);
	if (step == CACHE_DONE)
		io->result = read_result(io);
	return step;
}

/* ---- writes ---- */

static enum cache_step run_write(struct image_io *io, bool may_wait, uint64_t now)
{
	struct cachehost *h = host_of(io);
	enum cache_step step;
	struct outbox ob;

	outbox_init(&ob);
	cachehost_carry_begin(h);
	step = cache_write_run(h->cache, &io->write, may_wait, now, &ob);
	engine_carry(h->engine, &ob);
	cachehost_carry_end(h);
	return step;
}

static int write_result(struct image_io *io)
{
	gate_leave(io->img);
	return io->write.result;
}

static ssize_t pwrite_all(int fd, const char *buf, size_t len, uint64_t off)
{
	size_t done = 0;

	while (done < len) {
		ssize_t n = pwrite(fd, buf + done, len - done, (off_t)(off + done));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return done ? (ssize_t)done : -errno;
		done += (size_t)n;
	}
	return (ssize_t)done;
}

static int write_uncached(struct image_io *io)
{
	int fd = atomic_load(&io->img->fd[GUARD_BUFFERED]);
	ssize_t n;

	image_flight(io->img->dir, true);
	n = pwrite_all(fd, io->buf, io->len, io->off);
	image_flight(io->img->dir, false);
	atomic_fetch_add(&io->img->sync_wanted, 1);
	if (n > 0 && io->sync) {
		int r = image_sync_backing(io->img);

		if (r < 0)
			return r;
	}
	return (int)n;
}

/* The gate was passed: on with the core. */
static enum cache_step write_inside(struct image_io *io, bool may_wait, uint64_t now)
{
	struct image *img = io->img;
	struct cache_write *w = &io->write;
	enum cache_step step;

	w->act.arg = REQUEST_IO_WRITE;
	w->owner = io;
	w->image = atomic_load(&img->cached);
	w->off = io->off;
	w->len = io->len;
	w->data = io->buf;
	w->sync = io->sync;
	if (atomic_load(&img->is_mtime_set))
		atomic_store(&img->is_mtime_set, false);
	step = run_write(io, may_wait, now);
	if (step == CACHE_DONE)
		io->result = write_result(io);
	else if (step == CACHE_AGAIN)
		gate_leave(img);
	return step;
}

static int prepare(struct image *img)
{
	for (;;) {
		int r;

		mutex_lock(&img->lock);
		r = image_prepare(img);
		mutex_unlock(&img->lock);
		if (r != -EAGAIN)
			return r;
		image_pause();
	}
}

/*
 * Opens the gate for a write, and passes it; others may shut it again in between. What a
 * synchronous write must sync of the backing file is synced before the gate is passed: whoever
 * shuts the gate waits for those inside. 0, 1: uncached, -errno.
 */
static int prepare_and_enter(struct image_io *io)
{
	for (;;) {
		int r = prepare(io->img);

		if (r == 0 && io->sync && image_is_sync_wanted(io->img))
			r = image_sync_backing(io->img);
		if (r != 0 || gate_enter_inside(io->img))
			return r;
	}
}

static void pool_write(struct task *t)
{
	struct image_io *io = container_of(t, struct image_io, task);
	int r = prepare_and_enter(io);

	if (r < 0) {
		finish(io, r);
	} else if (r == 1) {
		finish(io, write_uncached(io));
	} else if (write_inside(io, true, clock_mono_ns()) == CACHE_DONE) {
		finish(io, io->result);
	}
}

static enum cache_step start_write(struct image_io *io, bool may_wait)
{
	if ((io->sync && image_is_sync_wanted(io->img)) || !gate_enter_inside(io->img))
		return to_pool(io, may_wait, pool_write);
	return write_inside(io, may_wait, io->started_ns);
}

/* ---- syncs ---- */

static _Thread_local _Atomic bool *is_lent_away; /* NULL: it is not lent */

void image_thread_lend(_Atomic bool *is_away)
{
	is_lent_away = is_away;
}

static void carry_sync(struct cachehost *h, struct outbox *ob)
{
	if (!is_lent_away) {
		engine_carry(h->engine, ob);
		return;
	}
	atomic_store(is_lent_away, true);
	engine_carry_lent(h->engine, ob);
	atomic_store(is_lent_away, false);
}

static enum cache_step sync_core(struct image_io *io, uint64_t now)
{
	struct cachehost *h;
	enum cache_step step;
	struct outbox ob;

	io->csync.act.arg = REQUEST_IO_SYNC;
	io->csync.owner = io;
	io->csync.image = atomic_load(&io->img->cached);
	if (!io->csync.image) {
		io->result = 0;
		return CACHE_DONE;
	}
	h = host_of(io);
	outbox_init(&ob);
	cachehost_carry_begin(h);
	step = cache_sync_start(h->cache, &io->csync, now, &ob);
	carry_sync(h, &ob);
	cachehost_carry_end(h);
	if (step == CACHE_DONE)
		io->result = io->csync.result;
	return step;
}

static void pool_sync(struct task *t)
{
	struct image_io *io = container_of(t, struct image_io, task);
	int r = image_sync_backing(io->img);

	if (r < 0)
		finish(io, r);
	else if (sync_core(io, clock_mono_ns()) == CACHE_DONE)
		finish(io, io->result);
}

static enum cache_step start_sync(struct image_io *io, bool may_wait)
{
	if (image_is_sync_wanted(io->img))
		return to_pool(io, may_wait, pool_sync);
	if (!may_wait)
		return CACHE_AGAIN;
	return sync_core(io, io->started_ns);
}

/* ---- all ---- */

static enum cache_step start(struct image_io *io, bool may_wait);

static void pool_restart(struct task *t)
{
	struct image_io *io = container_of(t, struct image_io, task);

	if (start(io, true) == CACHE_DONE)
		finish(io, io->result);
}

/* CACHE_COPY: it is inside. */
static enum cache_step come_in(struct image_io *io, bool may_wait)
{
	while (!image_try_enter(io->img)) {
		if (!may_wait)
			return CACHE_AGAIN;
		io->task.run = pool_restart;
		if (gate_park(io->img, &io->task))
			return CACHE_WAIT;
	}
	io->is_inside = true;
	return CACHE_COPY;
}

static enum cache_step start_inside(struct image_io *io, bool may_wait)
{
	switch (io->kind) {
	case IMAGE_READ:
		return start_read(io, may_wait);
	case IMAGE_WRITE:
		return start_write(io, may_wait);
	case IMAGE_SYNC:
		return start_sync(io, may_wait);
	}
	abort();
}

/* False: there is nothing to be done, and the result is there. */
static bool has_work(struct image_io *io)
{
	uint64_t most = atomic_load(&io->img->max_bytes);
	int bad = atomic_load(&io->img->bad);

	if (bad && io->kind != IMAGE_SYNC) {
		io->result = -bad;
		return false;
	}
	if (io->kind != IMAGE_WRITE)
		return true;
	io->result = io->off >= most ? -EFBIG : 0;
	if (io->len == 0)
		io->result = 0;
	if (io->len == 0 || io->off >= most)
		return false;
	io->len = (uint32_t)min((uint64_t)io->len, most - io->off);
	return true;
}

static enum cache_step start(struct image_io *io, bool may_wait)
{
	enum cache_step step;

	io->is_inside = false;
	if (!has_work(io))
		return CACHE_DONE;
	/* most writes pass the inner gate alone */
	if (io->kind == IMAGE_WRITE && !(io->sync && image_is_sync_wanted(io->img)) &&
	    gate_enter(io->img))
		return write_inside(io, may_wait, io->started_ns);
	step = come_in(io, may_wait);
	if (step != CACHE_COPY)
		return step;
	step = start_inside(io, may_wait);
	if (step != CACHE_WAIT)
		leave(io);
	return step;
}

enum cache_step image_io_start(struct image_io *io, bool may_wait)
{
	enum cache_step step;

	io->started_ns = clock_mono_ns();
	io->stat = iostat_of(io->img->dir, 0);
	step = start(io, may_wait);
	if (step == CACHE_DONE)
		iostat_count(io);
	return step;
}

void image_io_request(struct action *a)
{
	struct image_io *io;

	switch (a->arg) {
	case REQUEST_IO_READ:
		io = container_of(a, struct cache_read, act)->owner;
		if (a->type == ACTION_DONE || run_read(io, true, clock_mono_ns()) == CACHE_DONE)
			finish(io, read_result(io));
		break;
	case REQUEST_IO_WRITE:
		io = container_of(a, struct image_io, write.act);
		if (a->type == ACTION_DONE || run_write(io, true, clock_mono_ns()) == CACHE_DONE)
			finish(io, write_result(io));
		break;
	default:
		io = container_of(a, struct image_io, csync.act);
		finish(io, io->csync.result);
		break;
	}
}
