// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Mount time: images that lead to one file.
 *
 * Two caches may know one file: one of them was not there when the other got it. It had nothing
 * that the file has not, then (G3), and its image is forgotten. Should both hold data of it, nobody
 * can say which is newer: both are in conflict.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "lcfs/image/image_private.h"
#include "lcfs/image/match.h"

/* Its file is that of another image, too. */
struct twice {
	struct list node;
	struct image *img; /* pinned */
	int fd;
	char path[];
};

void match_add_twice(struct match *m, struct image *img, int fd, const char *path)
{
	size_t n = strlen(path) + 1;
	struct twice *t = calloc(1, sizeof(*t) + n);

	if (!t || (t->fd = fcntl(fd, F_DUPFD_CLOEXEC, 0)) < 0) {
		free(t);
		image_set_conflict(img, IMAGE_CONFLICT, "two images lead to one file", true);
		return;
	}
	memcpy(t->path, path, n);
	t->img = img;
	image_pin(img);
	list_add_tail(&m->twice, &t->node);
}

struct facts {
	struct cachehost *host;
	bool is_owed; /* the file has not got all that the cache holds of it */
};

static struct facts facts_of(struct image *img)
{
	struct facts f = { .host = NULL };
	struct cache_image_info info;

	LOCK_SCOPE(&img->lock);
	f.host = image_host(img);
	if (f.host) {
		image_core_info(img, &info);
		f.is_owed = info.dirty_blocks || info.state >= IMAGE_DIRTY;
	}
	return f;
}

static void give_way(struct image *img)
{
	LOCK_SCOPE(&img->lock);

	image_forget_inode(img);
	cleanup_fd(&img->path_fd);
	img->path_fd = -1;
	match_forget(img);
}

static void both_conflict(struct image *img)
{
	LOCK_SCOPE(&img->lock);

	image_set_conflict(img, IMAGE_CONFLICT, "another image or cache holds data of it, too",
			   true);
}

static void found_after_all(struct match *m, struct twice *t)
{
	struct cache_image_info info;

	LOCK_SCOPE(&t->img->lock);
	image_core_info(t->img, &info);
	match_found(m, t->img, t->fd, &info, t->path);
}

/* -EBUSY: the other one is in use. */
static int settle(struct match *m, struct twice *t)
{
	struct image *other = image_at_inode(m->d, t->fd);
	struct facts mine = facts_of(t->img), theirs;
	int r = 0;

	if (!other) {
		found_after_all(m, t);
		return 0;
	}
	theirs = facts_of(other);
	if (mine.host != theirs.host && !mine.is_owed) {
		give_way(t->img);
	} else if (!atomic_load(&other->is_unmatched)) {
		r = -EBUSY;
	} else if (mine.host != theirs.host && !theirs.is_owed) {
		give_way(other);
		found_after_all(m, t);
	} else {
		both_conflict(t->img);
		both_conflict(other);
	}
	image_unpin(other);
	return r;
}

int match_settle_twice(struct match *m, int r)
{
	struct twice *t;

	while ((t = list_pop_head(&m->twice, struct twice, node)) != NULL) {
		if (r == 0)
			r = settle(m, t);
		image_unpin(t->img);
		close(t->fd);
		free(t);
	}
	return r;
}
