// SPDX-License-Identifier: GPL-2.0-or-later
/* Which cache is to have an image. */
#include "lcfs/image/choose.h"

#include <errno.h>
#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>
#include <sys/xattr.h>

#include "common/messages.h"
#include "lcfs/image/image_private.h"

#define ASSIGNED_NAME GUARD_XATTR_PREFIX "cache"
#define ASSIGNED_NONE "none"

/* ---- the lists of patterns ---- */

static void free_list(char **list)
{
	for (char **p = list; p && *p; p++)
		free(*p);
	free(list);
}

static int copy_list(char ***out, const char *const *list)
{
	size_t n = 0;

	*out = NULL;
	if (!list || !list[0])
		return 0;
	while (list[n])
		n++;
	*out = calloc(n + 1, sizeof(**out));
	for (size_t i = 0; *out && i < n; i++) {
		(*out)[i] = strdup(list[i]);
		if (!(*out)[i])
			return -ENOMEM;
	}
	return *out ? 0 : -ENOMEM;
}

int choose_init(struct choose *c, const struct imagedir_conf *conf)
{
	int r;

	c->policy = conf->policy;
	r = copy_list(&c->include, conf->include);
	return r == 0 ? copy_list(&c->exclude, conf->exclude) : r;
}

void choose_free(struct choose *c)
{
	free_list(c->include);
	free_list(c->exclude);
}

/* A * takes slashes, too, so that *.iso is true of all of them in the tree. */
static bool matches(char *const *list, const char *path)
{
	for (; *list; list++)
		if (fnmatch(*list, path, 0) == 0)
			return true;
	return false;
}

static bool is_wanted(const struct choose *c, const char *path)
{
	if (c->exclude && matches(c->exclude, path))
		return false;
	return !c->include || matches(c->include, path);
}

/* ---- what the admin said ---- */

static int read_assigned(struct image *img)
{
	char text[UUID_TEXT_BYTES + 1];
	ssize_t n;

	if (img->is_assigned_here)
		return 0;
	img->assigned = ASSIGNED_NOT;
	n = fgetxattr(atomic_load(&img->fd[GUARD_BUFFERED]), ASSIGNED_NAME, text, sizeof(text) - 1);
	if (n < 0)
		return errno == ENODATA || errno == EOPNOTSUPP || errno == ERANGE ? 0 : -errno;
	text[n] = '\0';
	if (strcmp(text, ASSIGNED_NONE) == 0)
		img->assigned = ASSIGNED_UNCACHED;
	else if (uuid_parse(text, img->assigned_uuid) == 0)
		img->assigned = ASSIGNED_CACHE;
	return 0;
}

/* Known by its struct alone from now on, which must therefore stay. */
static void keep_here(struct image *img)
{
	if (img->is_assigned_here)
		return;
	atomic_store(&img->is_assigned_here, true);
	image_pin(img);
}

void choose_forget(struct image *img)
{
	mutex_assert_held(&img->lock);
	if (atomic_exchange(&img->is_assigned_here, false))
		image_unpin(img);
}

int choose_assign(struct image *img, const struct cachehost *h)
{
	char text[UUID_TEXT_BYTES] = ASSIGNED_NONE;
	int r;

	mutex_assert_held(&img->lock);
	if (h)
		uuid_text(h->uuid, text);
	r = fsetxattr(atomic_load(&img->fd[GUARD_BUFFERED]), ASSIGNED_NAME, text, strlen(text), 0) <
			    0 ?
		    -errno :
		    0;
	img->assigned = h ? ASSIGNED_CACHE : ASSIGNED_UNCACHED;
	if (h)
		memcpy(img->assigned_uuid, h->uuid, sizeof(img->assigned_uuid));
	if (r < 0) {
		msg_debug("backing file: its cache cannot be noted, it is for this mount: %s",
			  strerror(-r));
		keep_here(img);
	} else {
		choose_forget(img);
	}
	return 0;
}

/* ---- the choice ---- */

static bool takes_images(const struct cachehost *h)
{
	struct cache_status st;

	if (atomic_load(&h->is_leaving) || atomic_load(&h->is_joining))
		return false;
	cache_status(h->cache, &st);
	return !st.is_failed;
}

/* Keeps those that take images; the others are let go. */
static unsigned int keep_willing(struct cachehost **list, unsigned int nr)
{
	unsigned int n = 0;

	for (unsigned int i = 0; i < nr; i++) {
		if (takes_images(list[i]))
			list[n++] = list[i];
		else
			cachehost_release(list[i]);
	}
	return n;
}

/* Dirty parts per million of its log. */
static uint64_t dirtiness(const struct cachehost *h)
{
	struct cache_status st;
	uint64_t blocks;

	cache_status(h->cache, &st);
	blocks = st.nr_segments * (st.segment_bytes / BLOCK_BYTES);
	return blocks ? st.dirty_blocks * 1000000 / blocks : UINT64_MAX;
}

static void swap(struct cachehost **list, unsigned int a, unsigned int b)
{
	struct cachehost *h = list[a];

	list[a] = list[b];
	list[b] = h;
}

static void best_first(struct choose *c, struct cachehost **list, unsigned int nr)
{
	uint64_t least = UINT64_MAX;
	unsigned int best = 0;

	if (nr < 2 || c->policy == IMAGEDIR_FIRST)
		return;
	if (c->policy == IMAGEDIR_ROUND_ROBIN) {
		swap(list, 0, atomic_fetch_add(&c->turn, 1) % nr);
		return;
	}
	for (unsigned int i = 0; i < nr; i++) {
		uint64_t now = dirtiness(list[i]);

		if (now < least) {
			least = now;
			best = i;
		}
	}
	swap(list, 0, best);
}

/* The one that the image is assigned to, alone, if it is among them; else all stay. */
static unsigned int only_assigned(const struct image *img, struct cachehost **list, unsigned int nr)
{
	for (unsigned int i = 0; i < nr; i++) {
		if (memcmp(list[i]->uuid, img->assigned_uuid, sizeof(list[i]->uuid)) != 0)
			continue;
		swap(list, 0, i);
		cachehost_release_all(list + 1, nr - 1);
		return 1;
	}
	return nr;
}

int choose_hosts(struct image *img, struct cachehost **list)
{
	struct choose *c = &img->dir->choose;
	char path[PATHNAME_BYTES];
	unsigned int nr;
	int r = read_assigned(img);

	mutex_assert_held(&img->lock);
	if (r < 0 || img->assigned == ASSIGNED_UNCACHED)
		return r;
	if (img->assigned == ASSIGNED_NOT && (c->include || c->exclude)) {
		r = pathname_of_fd(img->dir->root_fd, atomic_load(&img->fd[GUARD_BUFFERED]), path);
		if (r < 0 || !is_wanted(c, path))
			return 0;
	}
	nr = keep_willing(list, cachehost_hold_all(img->dir, list));
	best_first(c, list, nr);
	if (img->assigned == ASSIGNED_CACHE)
		nr = only_assigned(img, list, nr);
	return (int)nr;
}
