// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Reads, writes and syncs without a cache: at once, or put off to a few threads that take them in
 * any order.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "tests/fake/image_passthrough_impl.h"

static int do_read(struct image *img, struct image_io *io)
{
	char *at = (char *)io->buf + io->off % 4096;
	uint32_t done = 0;

	while (done < io->len) {
		ssize_t n = pread(passthrough_fd(img), at + done, io->len - done,
				  (off_t)(io->off + done));

		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		done += (uint32_t)n;
	}
	return (int)done;
}

static int do_write(struct image *img, struct image_io *io)
{
	uint32_t done = 0;

	atomic_store(&img->is_ours, true);
	while (done < io->len) {
		ssize_t n = pwrite(passthrough_fd(img), (char *)io->buf + done, io->len - done,
				   (off_t)(io->off + done));

		if (n < 0)
			return -errno;
		done += (uint32_t)n;
	}
	atomic_store(&img->is_ours, true);
	if (io->sync && fdatasync(passthrough_fd(img)) < 0)
		return -errno;
	return (int)done;
}

static char null_source[(1 << 20) + 8192];

static int do_null(struct image_io *io)
{
	enum {
		SINK = 4 << 20
	};
	static _Thread_local char *sink;
	static _Thread_local size_t at;

	if (!sink && !(sink = malloc(SINK)))
		return -ENOMEM;
	if (io->kind == IMAGE_READ)
		memcpy((char *)io->buf + io->off % 4096, null_source, io->len);
	if (io->kind == IMAGE_WRITE) {
		if (at + io->len > SINK)
			at = 0;
		memcpy(sink + at, io->buf, io->len);
		at += io->len;
	}
	return io->kind == IMAGE_SYNC ? 0 : (int)io->len;
}

static int carry_out(struct image_io *io)
{
	if (io->img->dir->conf.is_null)
		return do_null(io);
	switch (io->kind) {
	case IMAGE_READ:
		return do_read(io->img, io);
	case IMAGE_WRITE:
		return do_write(io->img, io);
	case IMAGE_SYNC:
		return image_sync(io->img, io->datasync);
	}
	return -EINVAL;
}

static unsigned int draw_locked(struct imagedir *d)
{
	return (unsigned int)rand_r(&d->random);
}

/* Any one of the queue. */
static struct image_io *pick_locked(struct imagedir *d)
{
	unsigned int n = 0, k;
	struct image_io *io;

	list_for_each_entry(io, &d->queue, write.act.node)
		n++;
	if (n == 0)
		return NULL;
	k = draw_locked(d) % n;
	list_for_each_entry(io, &d->queue, write.act.node) {
		if (k-- == 0)
			break;
	}
	list_del(&io->write.act.node);
	return io;
}

static void *pool_main(void *arg)
{
	struct imagedir *d = arg;
	struct image_io *io;

	for (;;) {
		struct timespec pause = { 0 };

		pthread_mutex_lock(&d->pool_lock);
		while (list_is_empty(&d->queue) && !d->is_stopping)
			pthread_cond_wait(&d->pool_wake, &d->pool_lock);
		io = pick_locked(d);
		if (draw_locked(d) % 8 == 0)
			pause.tv_nsec = draw_locked(d) % 500000;
		pthread_mutex_unlock(&d->pool_lock);
		if (!io)
			return NULL;
		if (pause.tv_nsec)
			nanosleep(&pause, NULL);
		io->result = carry_out(io);
		io->done(io);
	}
}

void passthrough_pool_start(struct imagedir *d)
{
	pthread_mutex_init(&d->pool_lock, NULL);
	pthread_cond_init(&d->pool_wake, NULL);
	list_init(&d->queue);
	d->random = d->conf.async_seed;
	for (int i = 0; i < PASSTHROUGH_THREADS; i++) {
		if (pthread_create(&d->threads[i], NULL, pool_main, d) != 0)
			abort();
	}
}

void passthrough_pool_stop(struct imagedir *d)
{
	pthread_mutex_lock(&d->pool_lock);
	d->is_stopping = true;
	pthread_cond_broadcast(&d->pool_wake);
	pthread_mutex_unlock(&d->pool_lock);
	for (int i = 0; i < PASSTHROUGH_THREADS; i++)
		pthread_join(d->threads[i], NULL);
	pthread_cond_destroy(&d->pool_wake);
	pthread_mutex_destroy(&d->pool_lock);
}

enum cache_step image_io_start(struct image_io *io, bool may_wait)
{
	struct imagedir *d = io->img->dir;

	if (d->conf.async_seed) {
		bool put_off;

		pthread_mutex_lock(&d->pool_lock);
		put_off = draw_locked(d) % 4 != 0;
		if (put_off && may_wait) {
			list_init(&io->write.act.node);
			list_add_tail(&d->queue, &io->write.act.node);
			pthread_cond_signal(&d->pool_wake);
		}
		pthread_mutex_unlock(&d->pool_lock);
		if (put_off)
			return may_wait ? CACHE_WAIT : CACHE_AGAIN;
	}
	io->result = carry_out(io);
	return CACHE_DONE;
}
