// SPDX-License-Identifier: GPL-2.0-or-later
/* The paths of images, and what renames do to them. */
#include "lcfs/cache/core.h"
#include "lcfs/cache/naming.h"

#include <stdlib.h>

/* The rest of path behind prefix: "" for itself, "/..." below it, NULL for neither. */
static const char *below(const char *path, const char *prefix, size_t n)
{
	if (strncmp(path, prefix, n) != 0 || (path[n] != '\0' && path[n] != '/'))
		return NULL;
	return path + n;
}

static void move_path(struct cache *c, struct cache_image *img, const char *to, size_t to_bytes,
		      const char *rest)
{
	size_t n = to_bytes + strlen(rest);
	char *p = malloc(n + 1);

	if (!p)
		return; /* the identity finds it at the next mount all the same */
	memcpy(p, to, to_bytes);
	memcpy(p + to_bytes, rest, strlen(rest) + 1);
	if (op_path_is_valid(p, n)) {
		free(img->old_path);
		img->old_path = img->path;
		img->path = p;
		imgtab_account(c, img);
	} else {
		free(p);
		img->is_new = false; /* which directory has it is not known any more */
	}
}

static void rename_one(struct cache *c, struct cache_image *img, const char *old, size_t old_bytes,
		       const char *to, size_t to_bytes, bool is_exchange)
{
	const char *rest = below(img->path, old, old_bytes);

	if (rest)
		move_path(c, img, to, to_bytes, rest);
	else if (is_exchange && (rest = below(img->path, to, to_bytes)))
		move_path(c, img, old, old_bytes, rest);
}

void imgtab_rename(struct cache *c, struct cache_image *img, const char *old, size_t old_bytes,
		   const char *to, size_t to_bytes, bool is_exchange)
{
	if (img) {
		rename_one(c, img, old, old_bytes, to, to_bytes, is_exchange);
		return;
	}
	list_for_each_entry(img, &c->images, node)
		rename_one(c, img, old, old_bytes, to, to_bytes, is_exchange);
}

/* How long the image's path would be after the rename. */
static size_t renamed_bytes(const struct cache_image *img, const char *old, const char *to,
			    bool is_exchange)
{
	const char *rest = below(img->path, old, strlen(old));

	if (rest)
		return strlen(to) + strlen(rest);
	rest = is_exchange ? below(img->path, to, strlen(to)) : NULL;
	return rest ? strlen(old) + strlen(rest) : strlen(img->path);
}

bool cache_rename_fits(struct cache *c, const char *old, const char *to, bool is_exchange)
{
	LOCK_SCOPE(&c->lock);
	const struct cache_image *img;
	uint64_t bytes = 0;

	if (strlen(to) <= strlen(old) && !is_exchange)
		return true;
	list_for_each_entry(img, &c->images, node) {
		size_t n = img->is_unbound ? 0 : renamed_bytes(img, old, to, is_exchange);

		bytes += table_entry_bytes((uint16_t)min(n, (size_t)OP_PATH_MAX), 2);
	}
	return bytes <= super_room(c);
}

void cache_rename(struct cache *c, const char *old, const char *to, bool is_exchange)
{
	LOCK_SCOPE(&c->lock);

	imgtab_rename(c, NULL, old, strlen(old), to, strlen(to), is_exchange);
}

void cache_image_moved(struct cache *c, struct cache_image *img, const char *path)
{
	LOCK_SCOPE(&c->lock);

	move_path(c, img, path, strlen(path), "");
}

bool cache_image_old_path(struct cache *c, struct cache_image *img, char *path)
{
	LOCK_SCOPE(&c->lock);

	if (img->old_path)
		memcpy(path, img->old_path, strlen(img->old_path) + 1);
	return img->old_path;
}

static bool is_heir(const struct cache_image *img, const struct cache_image *of)
{
	return img->is_bound && !img->is_unbound && !img->has_intent && !img->old_path &&
	       img->bind_lsn > of->bind_lsn && strcmp(img->path, of->path) == 0;
}

struct cache_image *cache_image_heir(struct cache *c, const struct cache_image *of)
{
	LOCK_SCOPE(&c->lock);
	struct cache_image *img;

	list_for_each_entry(img, &c->images, node)
		if (is_heir(img, of))
			return img;
	return NULL;
}

bool cache_has_path(struct cache *c, const char *path)
{
	LOCK_SCOPE(&c->lock);
	struct cache_image *img;

	list_for_each_entry(img, &c->images, node)
		if (img->is_bound && !img->is_unbound && below(img->path, path, strlen(path)))
			return true;
	return false;
}
