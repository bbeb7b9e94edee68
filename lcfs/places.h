/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The places of a mount: backing directory, mount point, caches. Whether they can be what they
 * shall be, with a line that helps whoever mixed something up.
 */
#ifndef LCFS_PLACES_H
#define LCFS_PLACES_H

#include <stdbool.h>
#include <stddef.h>

#include "common/compiler.h"

struct places {
	char *dir; /* without symlinks, absolute; as all of them */
	char *mnt;
	char **caches;
	unsigned int nr_caches;
	int dirfd;    /* of dir, opened before anything is mounted over it */
	bool is_over; /* mnt is dir itself */
};

struct places_conf {
	const char *dir, *mnt;	   /* as given */
	const char *const *caches; /* the same; may be UUID=… or LABEL=…; NULL at the end */
	bool may_be_nonempty;	   /* mnt */
};

/*
 * 0, or -errno with one line in text (size bytes). Waits for no lock: that nobody else uses dir and
 * caches is for those who open them. places_free() follows in either case.
 */
int places_find(struct places *p, const struct places_conf *conf, char *text,
		size_t size) must_check;
void places_free(struct places *p);

/*
 * The path of a cache by what was given, as above. *path is the caller's to free().
 */
int places_find_cache(const struct places *p, const char *cache, char **path, char *text,
		      size_t size) must_check;

/* Is path dir itself or below it? Both are absolute and without symlinks. */
bool places_is_below(const char *path, const char *dir);

#endif
