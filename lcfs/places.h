/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The three places of a mount: backing directory, mount point, cache. Whether they can be what they
 * shall be, with a line that helps whoever mixed something up.
 */
#ifndef LCFS_PLACES_H
#define LCFS_PLACES_H

#include <stdbool.h>
#include <stddef.h>

#include "common/compiler.h"

struct places {
	char *dir; /* without symlinks, absolute; as all three */
	char *mnt;
	char *cache;
	int dirfd;    /* of dir, opened before anything is mounted over it */
	bool is_over; /* mnt is dir itself */
};

struct places_conf {
	const char *dir, *mnt, *cache; /* as given; cache may be UUID=… or LABEL=… */
	bool may_be_nonempty;	       /* mnt */
};

/*
 * 0, or -errno with one line in text (size bytes). Waits for no lock: that nobody else uses dir and
 * cache is for those who open them. places_free() follows in either case.
 */
int places_find(struct places *p, const struct places_conf *conf, char *text,
		size_t size) must_check;
void places_free(struct places *p);

/* Is path dir itself or below it? Both are absolute and without symlinks. */
bool places_is_below(const char *path, const char *dir);

#endif
