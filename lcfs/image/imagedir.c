// SPDX-License-Identifier: GPL-2.0-or-later
/* The backing directory: taken, joined with its caches, let go. */
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
#include "lcfs/image/admit.h"
#include "lcfs/image/corecall.h"
#include "lcfs/image/engine.h"
#include "lcfs/image/image_private.h"

#define POOL_THREADS 8

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
	d->read_only = conf->read_only;
	d->force = conf->force;
	d->looked = conf->looked;
	mutex_init(&d->caches_lock, RANK_CACHES, "caches");
	mutex_init(&d->lock, RANK_TABLE, "images");
	flight_init(&d->flight);
	pthread_rwlock_init(&d->names, NULL);
	list_init(&d->maintain);
	list_init(&d->all);
	d->by_inode = make_buckets();
	d->by_id = make_buckets();
}

static void destroy(struct imagedir *d)
{
	(void)taskpool_stop(d->pool);
	if (d->by_inode && d->by_id)
		image_free_all(d);
	while (d->nr_hosts)
		cachehost_free(d->hosts[--d->nr_hosts]);
	free(d->by_inode);
	free(d->by_id);
	choose_free(&d->choose);
	free(d->root_path);
	free(d->iostat);
	privdir_close(&d->priv);
	cleanup_fd(&d->root_fd);
	pthread_rwlock_destroy(&d->names);
	flight_destroy(&d->flight);
	mutex_destroy(&d->lock);
	mutex_destroy(&d->caches_lock);
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

static int open_parts(struct imagedir *d, const struct imagedir_conf *conf, char *text, size_t size)
{
	int r;

	if (!d->by_inode || !d->by_id)
		return -ENOMEM;
	d->root_fd = openat(conf->dirfd, ".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (d->root_fd < 0)
		return -errno;
	r = revive_init(d);
	if (r < 0)
		return r;
	r = privdir_open(&d->priv, d->root_fd, !d->read_only, text, size);
	if (r < 0)
		return r;
	r = choose_init(&d->choose, conf);
	if (r < 0)
		return r;
	d->fd_budget = fd_budget();
	d->counts_flight = !busy_has_device(d->root_fd);
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
	d->iostat = iostat_new();
	r = d->iostat ? open_parts(d, conf, text, size) : -ENOMEM;
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

uint64_t imagedir_revived(struct imagedir *d)
{
	return atomic_load(&d->revived);
}

bool imagedir_is_private(const struct imagedir *d, int dirfd, const char *name)
{
	struct stat root, dir;

	if (strcmp(name, PRIVDIR_NAME) != 0)
		return false;
	return fstat(d->root_fd, &root) == 0 && fstat(dirfd, &dir) == 0 &&
	       root.st_dev == dir.st_dev && root.st_ino == dir.st_ino;
}

/* For tools that look for memory that nobody has any more. */
static struct imagedir *volatile left_behind;

bool imagedir_leave_lent(struct imagedir *d)
{
	struct cachehost *list[IMAGEDIR_CACHES_MAX];
	unsigned int nr = cachehost_hold_all(d, list);

	for (unsigned int i = 0; i < nr; i++)
		if (list[i]->engine && engine_leave_lent(list[i]->engine))
			d->is_left = true;
	cachehost_release_all(list, nr);
	return d->is_left;
}

int imagedir_close(struct imagedir *d)
{
	bool hangs = !maintain_stop(d);
	int r = 0;

	hangs |= !taskpool_stop(d->pool);
	d->pool = NULL;
	for (unsigned int i = 0; i < d->nr_hosts; i++) {
		int err;

		if (hangs && d->hosts[i]->engine)
			engine_keep(d->hosts[i]->engine);
		err = cachehost_end(d->hosts[i]);

		hangs |= err == ENGINE_HANGS;
		r = r ? r : err;
	}
	if (!hangs && !d->is_left)
		destroy(d);
	else
		left_behind = d;
	return r;
}
