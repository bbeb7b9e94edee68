// SPDX-License-Identifier: GPL-2.0-or-later
/* A cache below the mount: device, RAM buffers, core. */
#include "lcfs/cachestack.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/messages.h"
#include "lcfs/cache/cache.h"
#include "lcfs/daemon.h"
#include "lcfs/io/cachedev.h"
#include "lcfs/io/poolfile.h"
#include "lcfs/io/uuid.h"
#include "lcfs/watch.h"

#define TEXT_MAX 1024

/*
 * Who has the cache or the directory may be a daemon that serves, which would keep it for ever, or
 * one whose mount has just gone and that needs a moment to find out and then to write what it has.
 */
#define GRACE_MS 1500
#define CLOSING_MS 60000

static bool is_serving(const char *text)
{
	return strstr(text, "(" DAEMON_SERVING ")");
}

static void tell_waiting(void *ctx, const char *text)
{
	bool *told = ctx;

	if (!*told && !is_serving(text))
		msg_info("%s: waiting", text);
	*told = *told || !is_serving(text);
}

/* ------------------------------------------------------------------ cache device */

static must_check int open_device(struct cachestack *s)
{
	bool told = false;
	struct cachedev_conf conf = {
		.path = s->path,
		.wait_ms = GRACE_MS,
		.waiting = tell_waiting,
		.ctx = &told,
	};
	char text[TEXT_MAX];
	int err = cachedev_open(&s->dev, &conf, text, sizeof(text));

	if (err == -EBUSY && told && !is_serving(text)) {
		conf.wait_ms = CLOSING_MS;
		err = cachedev_open(&s->dev, &conf, text, sizeof(text));
	}
	if (err)
		msg_err("%s", text);
	return err;
}

static must_check int read_superblock(struct cachestack *s)
{
	struct cachedev_info info;
	char text[TEXT_MAX];
	int err = cache_superblock_read(cachedev_blkdev(s->dev), &s->sb, text, sizeof(text));

	if (err == -ENOENT)
		msg_err("%s: there is no lcfs cache on it: make one with mkfs.lcfs %s", s->path,
			s->path);
	else if (err)
		msg_err("%s: %s", s->path, text);
	if (err)
		return err;
	if (*text)
		msg_warn("%s: %s", s->path, text);
	cachedev_info(s->dev, &info);
	if (!info.is_direct)
		msg_warn("%s: its filesystem has no direct I/O: each write passes the page cache",
			 s->path);
	return 0;
}

/* ------------------------------------------------------------------ RAM buffers */

static void warn_of_pool(const struct poolfile *pool)
{
	int err = poolfile_lock_error(pool);

	if (err)
		msg_warn("%s: the RAM buffers are not locked in memory (%s): raise the limit of "
			 "locked memory (ulimit -l)",
			 poolfile_path(pool), strerror(-err));
	if (!poolfile_is_in_ram(pool))
		msg_warn("%s: the RAM buffers are on a disk, which slows each write: mount a tmpfs "
			 "there",
			 poolfile_path(pool));
}

/* Buffers that are not of the mount that wrote the log are no part of it. */
static must_check int drop_stale_pool(struct cachestack *s, const uint8_t *boot_id)
{
	char text[TEXT_MAX];
	int err;

	if (!s->pool ||
	    cache_pool_is_valid(poolfile_memory(s->pool), poolfile_bytes(s->pool), &s->sb, boot_id))
		return 0;
	msg_warn("%s: these RAM buffers are not those of the last mount of this cache: set aside",
		 poolfile_path(s->pool));
	err = poolfile_set_aside(s->pool, text, sizeof(text));
	s->pool = NULL;
	if (err)
		msg_err("%s", text);
	return err;
}

/* Those of a dead daemon, or new ones. */
static must_check int open_pool(struct cachestack *s, const uint8_t *boot_id,
				struct cache_conf *conf, bool *is_new)
{
	struct cache_pool_layout layout;
	char text[TEXT_MAX];
	int err = poolfile_open(&s->pool, NULL, s->sb.cache_uuid, text, sizeof(text));

	if (err && err != -ENOENT) {
		msg_err("%s", text);
		return err;
	}
	err = drop_stale_pool(s, boot_id);
	if (err)
		return err;
	cache_pool_layout(&s->sb, conf->pool_buffers, &layout);
	*is_new = !s->pool;
	if (*is_new) {
		err = poolfile_create(&s->pool, NULL, s->sb.cache_uuid, layout.bytes, text,
				      sizeof(text));
		if (err)
			msg_err("%s", text);
		return err;
	}
	/* What is in them decides about their size: another one has to wait for a clean start. */
	while (conf->pool_buffers > 2 && layout.bytes > poolfile_bytes(s->pool))
		cache_pool_layout(&s->sb, --conf->pool_buffers, &layout);
	return 0;
}

/*
 * A start that failed leaves no new buffers behind that the next one would have to set aside. Those
 * that the newest super block knows stay: they are part of the log.
 */
static void drop_new_pool(struct cachestack *s, const uint8_t *boot_id)
{
	struct superblock sb;
	char text[TEXT_MAX];

	if (cache_superblock_read(cachedev_blkdev(s->dev), &sb, text, sizeof(text)) < 0 ||
	    cache_pool_is_valid(poolfile_memory(s->pool), poolfile_bytes(s->pool), &sb, boot_id))
		return;
	if (poolfile_remove(s->pool) < 0)
		msg_debug("new RAM buffers are left behind");
	s->pool = NULL;
}

/* ------------------------------------------------------------------ cache */

static void tell_recovery(const char *path, const struct cache_recovery_report *r)
{
	if (r->was_clean && !r->drained_records) {
		msg_debug("%s: clean, %" PRIu32 " dirty blocks", path, r->dirty_blocks);
		return;
	}
	msg_info("%s: was not unmounted in order: recovered %" PRIu64 " records, %" PRIu64
		 " of them from RAM; %" PRIu32 " dirty blocks of %" PRIu32 " images",
		 path, r->records + r->drained_records, r->drained_records, r->dirty_blocks,
		 r->images);
}

int cachestack_recover(struct cachestack *s, struct imagedir *dir, const struct options *o)
{
	struct cache_mount_info info = { 0 };
	struct cache_recovery_report report = { 0 };
	struct watch_dev watched;
	struct cache_conf conf;
	bool is_new_pool = false;
	int err = uuid_random(info.mount_id);

	if (!err)
		err = uuid_boot(info.boot_id);
	if (err) {
		msg_err("no random numbers or no /proc: %s", strerror(-err));
		return err;
	}
	memcpy(info.dir_uuid, imagedir_uuid(dir), sizeof(info.dir_uuid));
	info.now_ns = clock_mono_ns();
	info.real_ns = (int64_t)(clock_real_ns() - info.now_ns);
	cache_conf_default(&conf);
	conf.pool_buffers = (uint32_t)options_number(o, OPT_RAM_BUFFERS);
	conf.ignore_lost_buffers = options_flag(o, OPT_LOST_BUFFERS, false);

	err = open_pool(s, info.boot_id, &conf, &is_new_pool);
	if (err)
		return err;
	warn_of_pool(s->pool);
	err = cache_open(&s->cache, watch_dev(&watched, cachedev_blkdev(s->dev)),
			 poolfile_memory(s->pool), poolfile_bytes(s->pool), &conf, &info, &report);
	if (!err) {
		tell_recovery(s->path, &report);
		return 0;
	}
	msg_err("%s: %s", s->path, report.error);
	if (is_new_pool)
		drop_new_pool(s, info.boot_id);
	return err;
}

/* ------------------------------------------------------------------ up and down */

int cachestack_open(struct cachestack *s, const char *path)
{
	int err;

	*s = (struct cachestack){ .path = strdup(path) };
	if (!s->path)
		return -ENOMEM;
	err = open_device(s);
	return err ? err : read_superblock(s);
}

struct imagedir_cache cachestack_spec(const struct cachestack *s)
{
	return (struct imagedir_cache){ .cache = s->cache,
					.sb = &s->sb,
					.log_fd = cachedev_fd(s->dev),
					.device = s->path };
}

bool cachestack_is_clean(const struct cachestack *s)
{
	struct superblock sb;
	char text[TEXT_MAX];

	return s->cache && !cache_is_lost(s->cache) &&
	       cache_superblock_read(cachedev_blkdev(s->dev), &sb, text, sizeof(text)) == 0 &&
	       (sb.state & SUPERBLOCK_CLEAN);
}

int cachestack_close(struct cachestack *s, bool is_clean)
{
	/* The buffers are part of the log until the cache is marked clean. */
	bool has_log = !is_clean || (s->cache && cache_is_lost(s->cache));
	int err = 0;

	if (s->cache)
		cache_free(s->cache);
	if (s->pool && !has_log)
		err = poolfile_remove(s->pool);
	else
		poolfile_close(s->pool);
	cachedev_close(s->dev);
	free(s->path);
	*s = (struct cachestack){ 0 };
	return err;
}
