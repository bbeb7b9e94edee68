// SPDX-License-Identifier: GPL-2.0-or-later
/* The backing directory: taken, joined with its cache, let go. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/align.h"
#include "common/cleanup.h"
#include "common/messages.h"
#include "lcfs/image/corecall.h"
#include "lcfs/image/image_private.h"

#define POOL_THREADS 8
#define BACKING_THREADS 2

static struct list *make_buckets(void)
{
	struct list *b = calloc(IMAGEDIR_BUCKETS, sizeof(*b));

	for (unsigned int i = 0; b && i < IMAGEDIR_BUCKETS; i++)
		list_init(&b[i]);
	return b;
}

static void init(struct imagedir *d, const struct imagedir_conf *conf)
{
	d->root_fd = -1;
	d->priv.fd = d->priv.lock_fd = -1;
	d->busy.fd = -1;
	d->read_only = conf->read_only;
	d->force = conf->force;
	lease_init(&d->lease);
	mutex_init(&d->lock, RANK_TABLE, "images");
	pthread_rwlock_init(&d->names, NULL);
	list_init(&d->maintain);
	list_init(&d->all);
	d->by_inode = make_buckets();
	d->by_id = make_buckets();
}

static void destroy(struct imagedir *d)
{
	taskpool_stop(d->pool);
	if (d->by_inode && d->by_id)
		image_free_all(d);
	free(d->by_inode);
	free(d->by_id);
	busy_close(&d->busy);
	privdir_close(&d->priv);
	cleanup_fd(&d->root_fd);
	pthread_rwlock_destroy(&d->names);
	mutex_destroy(&d->lock);
	lease_destroy(&d->lease);
	free(d);
}

/* Each image has two descriptors, and as many again may be wanted by open handles and by the layer
 * above. */
static uint64_t fd_budget(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return 128;
	return limit.rlim_cur / 8;
}

static int open_parts(struct imagedir *d, int dirfd, char *text, size_t size)
{
	int r;

	if (!d->by_inode || !d->by_id)
		return -ENOMEM;
	d->root_fd = openat(dirfd, ".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (d->root_fd < 0)
		return -errno;
	r = privdir_open(&d->priv, d->root_fd, !d->read_only, text, size);
	if (r < 0)
		return r;
	d->fd_budget = fd_budget();
	busy_open(&d->busy, d->root_fd);
	return taskpool_start(&d->pool, POOL_THREADS, "lcfs-image");
}

int imagedir_open(struct imagedir **out, const struct imagedir_conf *conf, char *text, size_t size)
{
	struct imagedir *d = calloc(1, sizeof(*d));
	int r;

	*out = NULL;
	*text = '\0';
	if (!d)
		return -ENOMEM;
	init(d, conf);
	r = open_parts(d, conf->dirfd, text, size);
	if (r < 0) {
		if (!*text)
			snprintf(text, size, "the directory cannot be opened: %s", strerror(-r));
		destroy(d);
		return r;
	}
	*out = d;
	return 0;
}

const uint8_t *imagedir_uuid(const struct imagedir *d)
{
	return d->priv.uuid;
}

int imagedir_fd(const struct imagedir *d)
{
	return d->root_fd;
}

#define ONLY_ID 1

static bool is_there(struct imagedir *d, uint32_t id)
{
	return d->cache && id == ONLY_ID;
}

unsigned int imagedir_caches(struct imagedir *d, uint32_t *ids, unsigned int most)
{
	if (!d->cache)
		return 0;
	if (most)
		ids[0] = ONLY_ID;
	return 1;
}

bool imagedir_hold_cache(struct imagedir *d, uint32_t id)
{
	return is_there(d, id);
}

void imagedir_release_cache(unused_ struct imagedir *d, unused_ uint32_t id)
{
}

struct engine *imagedir_engine(struct imagedir *d, uint32_t id)
{
	return is_there(d, id) ? d->engine : NULL;
}

struct cache *imagedir_cache(struct imagedir *d, uint32_t id)
{
	return is_there(d, id) ? d->cache : NULL;
}

const char *imagedir_cache_device(unused_ struct imagedir *d, unused_ uint32_t id)
{
	return NULL;
}

int imagedir_sync_cache(struct imagedir *d, uint32_t id)
{
	return is_there(d, id) ? imagedir_sync(d) : -ENOENT;
}

bool imagedir_is_private(const struct imagedir *d, int dirfd, const char *name)
{
	struct stat root, dir;

	if (strcmp(name, PRIVDIR_NAME) != 0)
		return false;
	return fstat(d->root_fd, &root) == 0 && fstat(dirfd, &dir) == 0 &&
	       root.st_dev == dir.st_dev && root.st_ino == dir.st_ino;
}

/* ---- which cache goes with which directory (G3) ---- */

static bool is_zero(const uint8_t uuid[UUID_BYTES])
{
	static const uint8_t zero[UUID_BYTES];

	return memcmp(uuid, zero, UUID_BYTES) == 0;
}

static int refuse(const struct imagedir *d, const char *text)
{
	if (!d->force)
		return -EPERM;
	msg_warn("%s: used all the same, as told", text);
	return 0;
}

static int admit_directory(struct imagedir *d, const struct superblock *sb, char *text, size_t size)
{
	char theirs[UUID_TEXT_BYTES], ours[UUID_TEXT_BYTES];
	int r;

	if (is_zero(sb->dir_uuid) || memcmp(sb->dir_uuid, d->priv.uuid, UUID_BYTES) == 0)
		return 0;
	uuid_text(sb->dir_uuid, theirs);
	uuid_text(d->priv.uuid, ours);
	snprintf(
		text, size,
		"the cache belongs to directory %s, this is %s%s: mount the right directory (is its filesystem "
		"mounted?), or make the cache anew with mkfs.lcfs",
		theirs, ours, d->priv.has_uuid ? "" : " (new)");
	r = refuse(d, text);
	if (r == 0) { /* from now on it is the cache's directory */
		memcpy(d->priv.uuid, sb->dir_uuid, UUID_BYTES);
		d->priv.has_uuid = false;
	}
	return r;
}

static int admit_cache(const struct imagedir *d, const struct privdir_caches *list,
		       const struct superblock *sb, char *text, size_t size)
{
	char uuid[UUID_TEXT_BYTES];
	int r = 0;

	for (unsigned int i = 0; i < list->nr && r == 0; i++) {
		if (memcmp(list->uuid[i], sb->cache_uuid, UUID_BYTES) == 0)
			continue;
		uuid_text(list->uuid[i], uuid);
		snprintf(
			text, size,
			"the directory has newer data in cache %s: mount with that cache; if it is lost, take its "
			"line out of " PRIVDIR_NAME "/caches",
			uuid);
		r = refuse(d, text);
	}
	return r;
}

static int not_written(int error, char *text, size_t size)
{
	snprintf(text, size,
		 PRIVDIR_NAME ": cannot be written: %s: lcfs must be able to write to the "
			      "directory, unless it is mounted with -o ro",
		 strerror(-error));
	return error;
}

/*
 * Before the cache is told whose it is: or it would belong to a directory that nobody can ever show
 * it. One that cannot be written to stays without a name.
 */
static int keep_uuid(struct imagedir *d, char *text, size_t size)
{
	int r = privdir_keep_uuid(&d->priv, d->root_fd);

	if (r == -EROFS && d->read_only) {
		memset(d->priv.uuid, 0, UUID_BYTES);
		r = 0;
	}
	return r < 0 ? not_written(r, text, size) : 0;
}

int imagedir_admit(struct imagedir *d, const struct superblock *sb, char *text, size_t size)
{
	struct privdir_caches list;
	int r = privdir_caches_read(&d->priv, &list);

	*text = '\0';
	if (r < 0) {
		snprintf(
			text, size,
			PRIVDIR_NAME
			"/caches: cannot be read (%s): it must hold the UUIDs of the caches with data "
			"of this directory, one a line",
			strerror(-r));
		return r;
	}
	r = admit_directory(d, sb, text, size);
	if (r == 0)
		r = admit_cache(d, &list, sb, text, size);
	if (r == 0)
		r = keep_uuid(d, text, size);
	return r;
}

/* ---- with the cache ---- */

static int list_cache(struct imagedir *d, char *text, size_t size)
{
	int r = privdir_caches_set(&d->priv, d->cache_uuid, true);

	if (r == -EROFS && d->read_only)
		r = 0;
	return r < 0 ? not_written(r, text, size) : 0;
}

static int start_engine(struct imagedir *d, int log_fd)
{
	struct engine_conf conf = {
		.cache = d->cache,
		.log_fd = log_fd,
		.ops = &image_engine_ops,
		.ctx = d,
		.backing_threads = BACKING_THREADS,
	};

	return engine_start(&d->engine, &conf);
}

int imagedir_attach_cache(struct imagedir *d, struct cache *c, const struct superblock *sb,
			  int log_fd, char *text, size_t size)
{
	int r;

	*text = '\0';
	memcpy(d->cache_uuid, sb->cache_uuid, sizeof(d->cache_uuid));
	d->old_lease_ns = (int64_t)sb->lease_ns;
	r = list_cache(d, text, size);
	if (r < 0)
		return r;
	d->cache = c;
	r = match_prepare(d);
	if (r == 0)
		r = start_engine(d, log_fd);
	if (r == 0)
		r = maintain_start(d);
	if (r == 0)
		r = match_images(d);
	if (r < 0 && !*text)
		snprintf(text, size, "the images cannot be served: %s", strerror(-r));
	return r;
}

/* A size or a hole that the file has not got yet is dirty, too. */
static int is_owed(struct image *img, void *arg)
{
	struct cache_image_info info;

	(void)arg;
	return image_info(img, &info, NULL) && info.is_bound && info.state >= IMAGE_DIRTY;
}

/* No cache has dirty data of the directory any more, if this one has none. */
static int unlist_cache(struct imagedir *d)
{
	struct cache_status st;
	int r;

	cache_status(d->cache, &st);
	if (st.dirty_blocks || imagedir_for_each(d, is_owed, NULL))
		return 0;
	r = privdir_caches_set(&d->priv, d->cache_uuid, false);
	return r == -EROFS ? 0 : r;
}

int imagedir_close(struct imagedir *d)
{
	int r = 0;

	maintain_stop(d);
	taskpool_stop(d->pool);
	d->pool = NULL;
	if (d->engine) {
		r = engine_stop(d->engine);
		if (r == 0)
			r = unlist_cache(d);
	}
	destroy(d);
	return r;
}
