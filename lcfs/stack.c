// SPDX-License-Identifier: GPL-2.0-or-later
/* The stack below the mount, from the cache devices up. */
#include "lcfs/stack.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <time.h>
#include <unistd.h>

#include "common/align.h"
#include "common/cleanup.h"
#include "common/clock.h"
#include "common/messages.h"
#include "config.h"
#include "lcfs/cache/cache.h"
#include "lcfs/ctl/ctlfs.h"
#include "lcfs/daemon.h"
#include "lcfs/image/engine.h"
#include "lcfs/image/image.h"
#include "lcfs/watch.h"

#define TEXT_MAX 1024
#define STACK_RANK 10 /* before all others: a cache comes or goes */

/*
 * Who has the directory may be a daemon that serves, which would keep it for ever, or one whose
 * mount has just gone and that needs a moment to find out and then to write what it has.
 */
#define GRACE_MS 1500
#define CLOSING_MS 60000
#define POLL_MS 50

static bool is_closing(const char *text)
{
	return strstr(text, "(" DAEMON_CLOSING ")");
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
		.policy = (enum imagedir_policy)options_number(o, OPT_POLICY),
		.include = options_list(o, OPT_INCLUDE),
		.exclude = options_list(o, OPT_EXCLUDE),
		.looked = watch_looked,
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
	if (err)
		msg_err("%s", text);
	return err;
}

/* ------------------------------------------------------------------ caches */

static must_check int open_devices(struct stack *s, const struct places *p)
{
	int err = 0;

	for (unsigned int i = 0; !err && i < p->nr_caches; i++)
		err = cachestack_open(&s->cache[s->nr_caches++], p->caches[i]);
	return err;
}

static must_check int admit(struct stack *s, unsigned int first)
{
	const struct superblock *sb[IMAGEDIR_CACHES_MAX];
	char text[TEXT_MAX];
	int err;

	for (unsigned int i = first; i < s->nr_caches; i++)
		sb[i - first] = &s->cache[i].sb;
	err = imagedir_admit(s->dir, sb, s->nr_caches - first, text, sizeof(text));
	if (err)
		msg_err("%s", text);
	return err;
}

static must_check int join(struct stack *s, unsigned int first)
{
	struct imagedir_cache spec[IMAGEDIR_CACHES_MAX];
	char text[TEXT_MAX];
	int err = 0;

	for (unsigned int i = first; !err && i < s->nr_caches; i++) {
		err = cachestack_recover(&s->cache[i], s->dir, s->options);
		spec[i - first] = cachestack_spec(&s->cache[i]);
	}
	if (err)
		return err;
	err = imagedir_add_caches(s->dir, spec, s->nr_caches - first, text, sizeof(text));
	if (err)
		msg_err("%s: %s", s->places->dir, text);
	return err;
}

static must_check int set_knob(struct stack *s, uint32_t id, const struct option_row *row,
			       uint64_t value)
{
	struct engine *e = imagedir_engine(s->dir, id);
	struct outbox ob;
	int err;

	outbox_init(&ob);
	err = cache_knob_set(imagedir_cache(s->dir, id), (enum cache_knob)row->knob, value,
			     engine_now(e), &ob);
	engine_carry(e, &ob);
	if (err)
		msg_err("%s=%" PRIu64 ": %s", row->name, value, strerror(-err));
	return err;
}

/* Those that were given for the place-th cache. */
static must_check int set_knobs(struct stack *s, const struct cachestack *c, unsigned int place)
{
	uint32_t id = imagedir_cache_id(s->dir, c->sb.cache_uuid);
	uint64_t value;
	int err = 0;

	for (size_t i = 0; !err && i < option_rows; i++)
		if (option_table[i].knob >= 0 && options_knob(s->options, i, place, &value))
			err = set_knob(s, id, &option_table[i], value);
	return err;
}

static must_check int set_all_knobs(struct stack *s)
{
	int err = 0;

	for (unsigned int i = 0; !err && i < s->nr_caches; i++)
		err = set_knobs(s, &s->cache[i], i);
	return err;
}

/* ------------------------------------------------------------------ caches that come and go */

/* Where it is not there any more, nothing is left behind; what has been said is said. */
static int give_up_last(struct stack *s, int err, char *text, size_t size)
{
	struct cachestack *c = &s->cache[s->nr_caches - 1];

	snprintf(text, size, "%s: it cannot be used, see the log of lcfs: %s", c->path,
		 strerror(-err));
	if (cachestack_close(c, cachestack_is_clean(c)) < 0)
		msg_debug("a cache that was refused is not closed in order");
	s->nr_caches--;
	return err;
}

static bool has_path(const struct stack *s, const char *path)
{
	for (unsigned int i = 0; i < s->nr_caches; i++)
		if (strcmp(s->cache[i].path, path) == 0)
			return true;
	return false;
}

int stack_add_cache(struct stack *s, const char *name, char *text, size_t size)
{
	CLEANUP_FREE char *path = NULL;
	unsigned int at;
	int err = places_find_cache(s->places, name, &path, text, size);

	if (err)
		return err;
	LOCK_SCOPE(&s->lock);
	at = s->nr_caches;
	if (at == IMAGEDIR_CACHES_MAX) {
		snprintf(text, size, "%s: a mount takes %u caches", path, IMAGEDIR_CACHES_MAX);
		return -ENOSPC;
	}
	if (has_path(s, path)) { /* or it would be waited for */
		snprintf(text, size, "%s: it is a cache of this mount already", path);
		return -EEXIST;
	}
	s->nr_caches++;
	err = cachestack_open(&s->cache[at], path);
	if (!err)
		err = admit(s, at);
	if (!err)
		err = join(s, at);
	if (err)
		return give_up_last(s, err, text, size);
	/* it is none of those that had numbers of their own */
	if (set_knobs(s, &s->cache[at], IMAGEDIR_CACHES_MAX) < 0)
		msg_debug("a new cache has not all knobs of the others");
	return 0;
}

static struct cachestack *find_cache(struct stack *s, uint32_t id)
{
	for (unsigned int i = 0; id && i < s->nr_caches; i++)
		if (imagedir_cache_id(s->dir, s->cache[i].sb.cache_uuid) == id)
			return &s->cache[i];
	return NULL;
}

int stack_remove_cache(struct stack *s, uint32_t id, char *text, size_t size)
{
	struct cachestack *c;
	int err;

	LOCK_SCOPE(&s->lock);
	c = find_cache(s, id);
	err = imagedir_remove_cache(s->dir, id, text, size);
	if (!c || err == -ENOENT || err == -EBUSY)
		return err;
	if (cachestack_close(c, !err || (err < 0 && cachestack_is_clean(c))) < 0)
		msg_debug("the RAM buffers of a cache are left behind");
	*c = s->cache[--s->nr_caches];
	return err;
}

/* ------------------------------------------------------------------ control tree */

static int add_cache(void *ctx, const char *name, char *text, size_t size)
{
	int err = stack_add_cache(ctx, name, text, size);

	if (err)
		msg_warn("%s", text);
	return err;
}

static int remove_cache(void *ctx, uint32_t id, char *text, size_t size)
{
	int err = stack_remove_cache(ctx, id, text, size);

	if (err)
		msg_warn("%s", text);
	return err;
}

static const struct ctl_caches_ops caches_ops = { .add = add_cache, .remove = remove_cache };

static must_check int open_ctl(struct stack *s, const struct places *p, const struct options *o)
{
	bool over_uring = options_number(o, OPT_TRANSPORT) == OPTION_TRANSPORT_URING;
	CLEANUP_FREE char *config = options_config(o);
	struct ctlfs_conf conf = {
		.dir = s->dir,
		.source = p->dir,
		.cache_path = p->caches[0],
		.mount = p->mnt,
		.config = config,
		.version = PACKAGE_VERSION,
		.transport = over_uring ? "uring" : "dev",
		.caches = &caches_ops,
		.ctx = s,
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

	*s = (struct stack){ .places = p, .options = o };
	mutex_init(&s->lock, STACK_RANK, "stack");
	err = open_devices(s, p);
	if (!err)
		err = open_directory(s, p, o);
	if (!err)
		err = admit(s, 0);
	if (!err)
		err = join(s, 0);
	if (!err)
		err = set_all_knobs(s);
	if (!err)
		err = open_ctl(s, p, o);
	if (err && stack_close(s) < 0)
		msg_debug("the stack did not come down in order");
	return err;
}

static void tell_end(const struct stack *s, int err)
{
	if (err == IMAGEDIR_HANGS) {
		msg_err("%s: image files do not answer: what they have not got stays in the cache, "
			"for the next mount; this process ends when they answer",
			s->places->dir);
		return;
	}
	for (unsigned int i = 0; i < s->nr_caches; i++)
		if (s->cache[i].cache && cache_is_lost(s->cache[i].cache)) {
			msg_err("%s: the cache device is lost, and what is owed to the images is "
				"only there: mount with it again if it can be brought back",
				s->cache[i].path);
			return;
		}
	msg_err("the cache could not be closed in order: %s: what was synced is safe, and the next "
		"mount recovers it",
		strerror(-err));
}

#define LEFT_TOLD_MAX 10u

/* Of an image whose file has not taken it, and that is not for want of time. */
static int tell_left(struct image *img, void *arg)
{
	char path[OP_PATH_MAX + 1];
	struct cache_image_info info;
	unsigned int *told = arg;
	const char *why;

	if (image_try_info(img, &info, path, &why) <= 0 || info.state != IMAGE_ERROR ||
	    !info.dirty_blocks || info.poisoned || (*told)++ >= LEFT_TOLD_MAX)
		return 0;
	msg_warn("%s: %" PRIu64 " KiB are only in the cache, since its image file %s%s%s: end that "
		 "and mount with the cache again, which migrates them",
		 path, info.dirty_blocks * (BLOCK_BYTES / 1024),
		 info.hangs ? "does not answer" : "does not take them (",
		 info.hangs ? "" : strerror(info.error), info.hangs ? "" : ")");
	return 0;
}

static void tell_all_left(struct imagedir *d)
{
	unsigned int told = 0;

	(void)imagedir_for_each(d, tell_left, &told);
	if (told > LEFT_TOLD_MAX)
		msg_warn("and so of %u images more", told - LEFT_TOLD_MAX);
}

int stack_close(struct stack *s)
{
	bool had_engine[IMAGEDIR_CACHES_MAX] = { false };
	int end, err = 0;

	/* without an engine nothing marks the cache clean */
	for (unsigned int i = 0; i < s->nr_caches; i++)
		had_engine[i] =
			s->dir &&
			imagedir_engine(s->dir,
					imagedir_cache_id(s->dir, s->cache[i].sb.cache_uuid));
	ctlfs_free(s->ctl);
	if (s->dir)
		tell_all_left(s->dir);
	if (s->dir)
		err = imagedir_close(s->dir);
	if (err)
		tell_end(s, err);
	end = err;
	for (unsigned int i = 0; i < s->nr_caches; i++) {
		struct cachestack *c = &s->cache[i];
		bool is_clean = had_engine[i] && (end >= 0 || cachestack_is_clean(c));
		int close_err = cachestack_close(c, is_clean);

		err = err ? err : close_err;
	}
	mutex_destroy(&s->lock);
	*s = (struct stack){ 0 };
	return err == IMAGEDIR_HANGS ? -EBUSY : err;
}
