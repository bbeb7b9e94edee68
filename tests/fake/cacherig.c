// SPDX-License-Identifier: GPL-2.0-or-later
/* A cache on a real device with its engine. */
#include "tests/fake/cacherig.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/align.h"
#include "common/clock.h"
#include "lcfs/io/uuid.h"

static void need(int result, const char *what, const char *text)
{
	if (result >= 0)
		return;
	fprintf(stderr, "cache rig: %s: %s (%s)\n", what, text, strerror(-result));
	abort();
}

/* ------------------------------------------------------------------ what the engine asks for */

static struct cacherig_image *owner(struct cache_image *img)
{
	return cache_image_owner(img);
}

static int null_fd(void)
{
	static int fd = -1;

	if (fd < 0)
		fd = open("/dev/null", O_WRONLY | O_CLOEXEC);
	return fd;
}

static int backing_fd(unused_ void *ctx, struct cache_image *img, bool is_write,
		      unused_ uint64_t off, unused_ uint64_t len)
{
	struct cacherig_image *i = owner(img);

	return is_write && i->is_null ? null_fd() : i->fd;
}

static int64_t ns(const struct timespec *ts)
{
	return (int64_t)ts->tv_sec * 1000000000 + ts->tv_nsec;
}

static int sync_backing(int fd, struct action *a)
{
	struct stat st;

	if (a->arg == 1 && ftruncate(fd, (off_t)a->off) < 0)
		return -errno;
	if (fdatasync(fd) < 0 || fstat(fd, &st) < 0)
		return -errno;
	a->stamp.size = (uint64_t)st.st_size;
	a->stamp.mtime_ns = ns(&st.st_mtim);
	a->stamp.ctime_ns = ns(&st.st_ctim);
	return 0;
}

static int backing_call(unused_ void *ctx, struct action *a)
{
	int fd = owner(a->image)->fd;

	switch (a->type) {
	case ACTION_BACK_GROW:
		if (lseek(fd, 0, SEEK_END) >= (off_t)a->off)
			return 0;
		return ftruncate(fd, (off_t)a->off) < 0 ? -errno : 0;
	case ACTION_BACK_TRUNCATE:
		return ftruncate(fd, (off_t)a->off) < 0 ? -errno : 0;
	case ACTION_BACK_PUNCH:
		return fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)a->off,
				 (off_t)a->len) < 0 ?
			       -errno :
			       0;
	case ACTION_BACK_SYNC:
		return sync_backing(fd, a);
	default:
		return 0;
	}
}

/* A request's act.arg is the semaphore that its thread sleeps on. */
static void request(unused_ void *ctx, struct action *a)
{
	sem_post((sem_t *)(uintptr_t)a->arg);
}

static const struct engine_ops ops = {
	.backing_fd = backing_fd,
	.backing_call = backing_call,
	.request = request,
};

/* ------------------------------------------------------------------ life */

void cacherig_init(struct cacherig *r, const char *path)
{
	struct cachedev_conf conf = { .path = path };
	char text[700];

	memset(r, 0, sizeof(*r));
	need(cachedev_open(&r->dev, &conf, text, sizeof(text)), "open", text);
	cache_conf_default(&r->conf);
}

void cacherig_format(struct cacherig *r, uint64_t bytes, uint32_t segment_order)
{
	struct blkdev *dev = cachedev_blkdev(r->dev);
	static _Alignas(BLOCK_BYTES) char block[BLOCK_BYTES];
	struct superblock sb = {
		.device_count = 1,
		.checksum_algorithm = CHECKSUM_XXH3_64,
		.ring_base_id = 1,
		.tail_lsn = 1,
		.epoch_start_lsn = 1,
		.epoch_start_segment = 1,
		.table_current = SUPERBLOCK_TABLE_NONE,
		.state = SUPERBLOCK_CLEAN,
	};

	need(uuid_random(sb.cache_uuid), "random", "");
	need(uuid_random(sb.device_uuid), "random", "");
	need(random_fill(&sb.key, sizeof(sb.key)), "random", "");
	need(superblock_layout(&sb, bytes ? bytes : dev->bytes, segment_order, 0), "layout", "");
	for (int i = 0; i < SUPERBLOCK_COPIES; i++) {
		sb.generation = (uint64_t)i + 1;
		superblock_encode(&sb, block, SUPERBLOCK_ADDRESS(i));
		need(blkdev_write(dev, block, BLOCK_BYTES, SUPERBLOCK_ADDRESS(i)), "format", "");
	}
	need(blkdev_flush(dev), "format", "");
}

static void make_pool(struct cacherig *r)
{
	struct cache_pool_layout l;
	int fd;

	if (r->pool)
		return;
	cache_pool_layout(&r->sb, r->conf.pool_buffers, &l);
	fd = memfd_create("cacherig", MFD_CLOEXEC);
	if (fd < 0 || ftruncate(fd, (off_t)l.bytes) < 0)
		need(-errno, "pool", "");
	need(iobuf_map(&r->pool, l.bytes, PROT_READ | PROT_WRITE, fd), "pool", "");
	close(fd);
	r->pool_bytes = l.bytes;
	(void)!iobuf_lock(r->pool, l.bytes);
}

static void start_engine(struct cacherig *r)
{
	struct iovec fixed = { r->pool, r->pool_bytes };
	struct engine_conf conf = {
		.cache = r->cache,
		.log_fd = cachedev_fd(r->dev),
		.ops = &ops,
		.fixed = &fixed,
		.nr_fixed = 1,
	};

	need(engine_start(&r->engine, &conf), "engine", "");
}

void cacherig_open(struct cacherig *r)
{
	struct cache_mount_info info = {
		.real_ns = (int64_t)(clock_real_ns() - clock_mono_ns()),
		.now_ns = clock_mono_ns(),
	};
	uint64_t start;
	char text[300];

	need(cache_superblock_read(cachedev_blkdev(r->dev), &r->sb, text, sizeof(text)),
	     "super block", text);
	need(uuid_random(info.mount_id), "random", "");
	need(uuid_boot(info.boot_id), "boot id", "");
	make_pool(r);
	start = clock_mono_ns();
	need(cache_open(&r->cache, cachedev_blkdev(r->dev), r->pool, r->pool_bytes, &r->conf, &info,
			&r->report),
	     "recovery", r->report.error);
	r->open_ns = clock_mono_ns() - start;
	start_engine(r);
}

static struct cache_image *find_image(struct cacherig *r, uint64_t ino)
{
	struct cache_image *img = NULL;

	while ((img = cache_image_next(r->cache, img))) {
		struct cache_image_info info;

		cache_image_info(r->cache, img, &info);
		if (info.identity.ino == ino)
			return img;
	}
	return NULL;
}

void cacherig_image(struct cacherig *r, unsigned int i, int fd)
{
	struct cacherig_image *image = &r->image[i];
	struct op_identity identity = { .ino = i + 1 };
	struct op_stamp stamp = { 0 };
	char path[32];
	struct stat st;

	snprintf(path, sizeof(path), "image%u", i);
	if (fstat(fd, &st) < 0)
		need(-errno, "image", path);
	stamp.size = (uint64_t)st.st_size;
	image->img = find_image(r, i + 1);
	if (!image->img)
		need(cache_image_new(r->cache, &identity, &stamp, path, &image->img), "image",
		     path);
	image->rig = r;
	image->fd = fd;
	cache_image_set_owner(image->img, image);
}

static void close_cache(struct cacherig *r)
{
	cache_free(r->cache);
	r->cache = NULL;
	r->engine = NULL;
}

void cacherig_kill(struct cacherig *r)
{
	engine_abandon(r->engine);
	close_cache(r);
}

void cacherig_cut(struct cacherig *r)
{
	cacherig_kill(r);
	memset(r->pool, 0, r->pool_bytes);
	r->conf.ignore_lost_buffers = true;
}

int cacherig_stop(struct cacherig *r)
{
	int err = engine_stop(r->engine);

	close_cache(r);
	return err;
}

void cacherig_free(struct cacherig *r)
{
	if (r->engine)
		cacherig_kill(r);
	if (r->pool)
		munmap(r->pool, r->pool_bytes);
	cachedev_close(r->dev);
}

/* ------------------------------------------------------------------ requests */

int cacherig_write(struct cacherig *r, unsigned int i, const void *data, uint32_t len, uint64_t off,
		   bool sync)
{
	struct cache_write w = {
		.image = r->image[i].img,
		.off = off,
		.len = len,
		.data = data,
		.sync = sync,
	};
	enum cache_step step;
	struct outbox ob;
	sem_t sem;

	sem_init(&sem, 0, 0);
	w.act.arg = (uintptr_t)&sem;
	outbox_init(&ob);
	for (;;) {
		step = cache_write_run(r->cache, &w, true, engine_now(r->engine), &ob);
		engine_carry(r->engine, &ob);
		if (step == CACHE_DONE)
			break;
		sem_wait(&sem);
	}
	sem_destroy(&sem);
	return w.result;
}

int cacherig_read(struct cacherig *r, unsigned int i, void *buf, uint32_t len, uint64_t off)
{
	struct cache_read *read = calloc(1, sizeof(*read));
	enum cache_step step;
	struct outbox ob;
	sem_t sem;
	int result;

	sem_init(&sem, 0, 0);
	read->act.arg = (uintptr_t)&sem;
	read->image = r->image[i].img;
	read->off = off;
	read->len = len;
	read->buf = buf;
	outbox_init(&ob);
	for (;;) {
		step = cache_read_run(r->cache, read, true, engine_now(r->engine), &ob);
		engine_carry(r->engine, &ob);
		if (step == CACHE_DONE)
			break;
		sem_wait(&sem);
	}
	sem_destroy(&sem);
	result = read->result;
	free(read);
	return result;
}

int cacherig_sync(struct cacherig *r, int i)
{
	struct cache_sync s = { .image = i < 0 ? NULL : r->image[i].img };
	struct outbox ob;
	sem_t sem;

	sem_init(&sem, 0, 0);
	s.act.arg = (uintptr_t)&sem;
	outbox_init(&ob);
	if (cache_sync_start(r->cache, &s, engine_now(r->engine), &ob) == CACHE_WAIT) {
		engine_carry(r->engine, &ob);
		sem_wait(&sem);
	} else {
		engine_carry(r->engine, &ob);
	}
	sem_destroy(&sem);
	return s.result;
}

/* Steps the operation on each RESUME, until DONE. */
int cacherig_clean(struct cacherig *r, unsigned int i)
{
	struct cache_op op = { .type = CACHE_OP_CLEAN, .image = r->image[i].img };
	struct outbox ob;
	sem_t sem;

	sem_init(&sem, 0, 0);
	op.act.arg = (uintptr_t)&sem;
	outbox_init(&ob);
	cache_op_start(r->cache, &op, engine_now(r->engine), &ob);
	for (;;) {
		engine_carry(r->engine, &ob);
		sem_wait(&sem);
		if (op.act.type == ACTION_DONE)
			break;
		cache_op_step(r->cache, &op, engine_now(r->engine), &ob);
	}
	sem_destroy(&sem);
	return op.result;
}

void cacherig_knob(struct cacherig *r, enum cache_knob k, uint64_t value)
{
	struct outbox ob;

	outbox_init(&ob);
	need(cache_knob_set(r->cache, k, value, engine_now(r->engine), &ob), "knob", "");
	engine_carry(r->engine, &ob);
}
