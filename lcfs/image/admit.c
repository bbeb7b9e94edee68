// SPDX-License-Identifier: GPL-2.0-or-later
/* Which caches go with which directory (G3), and the ids they have there. */
#include "lcfs/image/admit.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "common/messages.h"
#include "lcfs/image/image_private.h"

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

static bool is_among(const struct superblock *const *sb, unsigned int nr, const uint8_t *uuid)
{
	for (unsigned int i = 0; i < nr; i++)
		if (memcmp(sb[i]->cache_uuid, uuid, UUID_BYTES) == 0)
			return true;
	return false;
}

static int check_once(struct imagedir *d, const struct superblock *const *sb, unsigned int nr,
		      char *text, size_t size)
{
	char uuid[UUID_TEXT_BYTES];

	for (unsigned int i = 0; i < nr; i++) {
		if (!imagedir_cache_id(d, sb[i]->cache_uuid) && !is_among(sb, i, sb[i]->cache_uuid))
			continue;
		uuid_text(sb[i]->cache_uuid, uuid);
		snprintf(text, size, "cache %s is given twice: give each cache once", uuid);
		return -EEXIST;
	}
	return 0;
}

/* No other cache may have newer data of the directory. */
static int check_complete(struct imagedir *d, const struct superblock *const *sb, unsigned int nr,
			  char *text, size_t size)
{
	char uuid[UUID_TEXT_BYTES];
	struct privdir_caches list;
	int r = privdir_caches_read(&d->priv, &list);

	if (r < 0) {
		snprintf(
			text, size,
			PRIVDIR_NAME
			"/caches: cannot be read (%s): it must hold the UUIDs of the caches with data "
			"of this directory, one a line",
			strerror(-r));
		return r;
	}
	for (unsigned int i = 0; i < list.nr && r == 0; i++) {
		const struct privdir_cache *c = &list.cache[i];

		if (!c->is_dirty || is_among(sb, nr, c->uuid) || imagedir_cache_id(d, c->uuid))
			continue;
		uuid_text(c->uuid, uuid);
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

int imagedir_admit(struct imagedir *d, const struct superblock *const *sb, unsigned int nr,
		   char *text, size_t size)
{
	int r;

	*text = '\0';
	if (imagedir_caches(d, NULL, 0) + nr > IMAGEDIR_CACHES_MAX) {
		snprintf(text, size, "too many caches: a mount takes %u", IMAGEDIR_CACHES_MAX);
		return -E2BIG;
	}
	r = check_once(d, sb, nr, text, size);
	for (unsigned int i = 0; i < nr && r == 0; i++)
		r = admit_directory(d, sb[i], text, size);
	if (r == 0)
		r = check_complete(d, sb, nr, text, size);
	if (r == 0)
		r = keep_uuid(d, text, size);
	return r;
}

/* ---- ids ---- */

static bool is_taken(struct imagedir *d, const struct privdir_caches *list, uint32_t id)
{
	struct cachehost *h = cachehost_hold(d, id);

	if (h) {
		cachehost_release(h);
		return true;
	}
	for (unsigned int i = 0; i < list->nr; i++)
		if (list->cache[i].id == id)
			return true;
	return false;
}

static uint32_t choose_id(struct imagedir *d, struct privdir_caches *list, const uint8_t *uuid)
{
	const struct privdir_cache *c = privdir_caches_find(list, uuid);
	struct cachehost *h = c && c->id ? cachehost_hold(d, c->id) : NULL;
	uint32_t id = 1;

	if (h)
		cachehost_release(h);
	else if (c && c->id)
		return c->id;
	while (is_taken(d, list, id))
		id++;
	return id;
}

int admit_id(struct imagedir *d, const uint8_t *uuid, uint32_t *id, char *text, size_t size)
{
	struct privdir_caches list;
	int r = privdir_caches_read(&d->priv, &list);

	if (r < 0)
		return not_written(r, text, size);
	*id = choose_id(d, &list, uuid);
	return 0;
}

int admit_list(struct imagedir *d, const uint8_t *uuid, uint32_t id, char *text, size_t size)
{
	struct privdir_cache cache = { .id = id, .is_dirty = true };
	int r;

	memcpy(cache.uuid, uuid, sizeof(cache.uuid));
	r = privdir_caches_set(&d->priv, &cache);
	if (r == -EROFS && d->read_only)
		r = 0;
	return r < 0 ? not_written(r, text, size) : 0;
}

int admit_unlist(struct imagedir *d, const uint8_t *uuid, uint32_t id)
{
	struct privdir_cache cache = { .id = id };
	int r;

	memcpy(cache.uuid, uuid, sizeof(cache.uuid));
	r = privdir_caches_set(&d->priv, &cache);
	return r == -EROFS ? 0 : r;
}

int admit_renumber(struct imagedir *d, const struct imagedir_cache *c, unsigned int nr)
{
	struct privdir_caches list;
	int r = privdir_caches_read(&d->priv, &list);

	if (r < 0 || imagedir_caches(d, NULL, 0))
		return r;
	for (unsigned int i = 0; i < list.nr; i++)
		for (unsigned int j = 0; j < nr; j++)
			if (memcmp(list.cache[i].uuid, c[j].sb->cache_uuid, UUID_BYTES) == 0)
				return 0;
	r = privdir_caches_forget(&d->priv);
	return r == -EROFS ? 0 : r;
}
