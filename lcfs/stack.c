// SPDX-License-Identifier: GPL-2.0-or-later
/* The stack below the mount, from the cache device up. */
#include "lcfs/stack.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <time.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/clock.h"
#include "common/messages.h"
#include "config.h"
#include "lcfs/cache/cache.h"
#include "lcfs/ctl/ctlfs.h"
#include "lcfs/daemon.h"
#include "lcfs/image/engine.h"
#include "lcfs/image/image.h"
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
#define POLL_MS 50

static bool is_serving(const char *text)
{
	return strstr(text, "(" DAEMON_SERVING ")");
}

static bool is_closing(const char *text)
{
	return strstr(text, "(" DAEMON_CLOSING ")");
}

static void tell_waiting(void *ctx, const char *text)
{
	bool *told = ctx;

	if (!*told && !is_serving(text))
		msg_info("%s: waiting", text);
	*told = *told || !is_serving(text);
}

/* ------------------------------------------------------------------ cache device */

static must_check int open_device(struct stack *s, const struct places *p)
{
	bool told = false;
	struct cachedev_conf conf = {
		.path = p->cache,
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

static must_check int read_superblock(struct stack *s, const struct places *p)
{
	struct cachedev_info info;
	char text[TEXT_MAX];
	int err = cache_superblock_read(cachedev_blkdev(s->dev), &s->sb, text, sizeof(text));

	if (err == -ENOENT)
		msg_err("%s: there is no lcfs cache on it: make one with mkfs.lcfs %s", p->cache,
			p->cache);
	else if (err)
		msg_err("%s: %s", p->cache, text);
	if (err)
		return err;
	cachedev_info(s->dev, &info);
	if (!info.is_direct)
		msg_warn("%s: its filesystem has no direct I/O: each write passes the page cache",
			 p->cache);
	return 0;
}

/* ------------------------------------------------------------------ backing directory */

static void pause_ms(long ms)
{
	struct timespec ts = { .tv_nsec = ms * (long)NSEC_PER_MSEC };

	clock_nanosleep(CLOCK_MONOTONIC, 0, &ts, NULL);
}

static must_check int open_directory(struct stack *s, const struct places *p,
				     const struct options *o)
{
	struct imagedir_conf conf = {
		.dirfd = p->dirfd,
		.read_only = o->mount_flags & MS_RDONLY,
		.force = options_flag(o, OPT_FORCE, false),
	};
	uint64_t start = clock_mono_ns();
	char text[TEXT_MAX];
	int err;

	for (;;) {
		uint64_t limit_ms;

		err = imagedir_open(&s->dir, &conf, text, sizeof(text));
		if (err != -EBUSY)
			break;
		limit_ms = is_closing(text) ? CLOSING_MS : GRACE_MS;
		if (clock_mono_ns() - start > limit_ms * NSEC_PER_MSEC)
			break;
		pause_ms(POLL_MS);
	}
	if (!err)
		err = imagedir_admit(s->dir, &s->sb, text, sizeof(text));
	if (err)
		msg_err("%s", text);
	return err;
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
static must_check int drop_stale_pool(struct stack *s, const uint8_t *boot_id)
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
static must_check int open_pool(struct stack *s, const uint8_t *boot_id, struct cache_conf *conf,
				bool *is_new)
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
static void drop_new_pool(struct stack *s, const uint8_t *boot_id)
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

static void tell_recovery(const struct places *p, const struct cache_recovery_report *r)
{
	if (r->was_clean && !r->drained_records) {
		msg_debug("%s: clean, %" PRIu32 " dirty blocks", p->cache, r->dirty_blocks);
		return;
	}
	msg_info("%s: was not unmounted in order: recovered %" PRIu64 " records, %" PRIu64
		 " of them from RAM; %" PRIu32 " dirty blocks of %" PRIu32 " images",
		 p->cache, r->records + r->drained_records, r->drained_records, r->dirty_blocks,
		 r->images);
}

static must_check int open_cache(struct stack *s, const struct places *p, const struct options *o)
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
	memcpy(info.dir_uuid, imagedir_uuid(s->dir), sizeof(info.dir_uuid));
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
		tell_recovery(p, &report);
		return 0;
	}
	msg_err("%s: %s", p->cache, report.error);
	if (is_new_pool)
		drop_new_pool(s, info.boot_id);
	return err;
}

static must_check int attach(struct stack *s, const struct places *p)
{
	char text[TEXT_MAX];
	int err;

	err = imagedir_attach_cache(s->dir, s->cache, &s->sb, cachedev_fd(s->dev), text,
				    sizeof(text));
	if (err)
		msg_err("%s: %s", p->dir, text);
	return err;
}

static must_check int set_knobs(struct stack *s, const struct options *o)
{
	struct engine *e = imagedir_engine(s->dir, 1);
	int err = 0;

	for (size_t i = 0; !err && i < option_rows; i++) {
		const struct option_row *row = &option_table[i];
		struct outbox ob;

		if (row->knob < 0 || !o->value[i].is_set)
			continue;
		outbox_init(&ob);
		err = cache_knob_set(s->cache, (enum cache_knob)row->knob, o->value[i].number,
				     engine_now(e), &ob);
		engine_carry(e, &ob);
		if (err)
			msg_err("%s=%" PRIu64 ": %s", row->name, o->value[i].number,
				strerror(-err));
	}
	return err;
}

static must_check int open_ctl(struct stack *s, const struct places *p, const struct options *o)
{
	CLEANUP_FREE char *config = options_config(o);
	struct ctlfs_conf conf = {
		.dir = s->dir,
		.source = p->dir,
		.cache_path = p->cache,
		.mount = p->mnt,
		.config = config,
		.version = PACKAGE_VERSION,
		.uid = geteuid(),
		.gid = getegid(),
	};
	int err = config ? ctlfs_new(&s->ctl, &conf) : -ENOMEM;

	if (err)
		msg_err("out of memory");
	return err;
}

/* ------------------------------------------------------------------ up and down */

int stack_open(struct stack *s, const struct places *p, const struct options *o)
{
	int err;

	*s = (struct stack){ 0 };
	err = open_device(s, p);
	if (!err)
		err = read_superblock(s, p);
	if (!err)
		err = open_directory(s, p, o);
	if (!err)
		err = open_cache(s, p, o);
	if (!err)
		err = attach(s, p);
	if (!err)
		err = set_knobs(s, o);
	if (!err)
		err = open_ctl(s, p, o);
	if (err && stack_close(s) < 0)
		msg_debug("the stack did not come down in order");
	return err;
}

int stack_close(struct stack *s)
{
	/* without an engine nothing marks the cache clean */
	bool had_engine = s->dir && imagedir_engine(s->dir, 1);
	int err = 0;

	ctlfs_free(s->ctl);
	if (s->dir)
		err = imagedir_close(s->dir);
	if (err)
		msg_err("the cache could not be closed in order: %s: what was synced is safe, and "
			"the next mount recovers it",
			strerror(-err));
	if (s->cache)
		cache_free(s->cache);
	/* The buffers are part of the log until the cache is marked clean. */
	if (s->pool && had_engine && !err)
		err = poolfile_remove(s->pool);
	else
		poolfile_close(s->pool);
	cachedev_close(s->dev);
	*s = (struct stack){ 0 };
	return err;
}
