/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the files of mount time share: match.c, match_twice.c, match_log.c. */
#ifndef LCFS_IMAGE_MATCH_H
#define LCFS_IMAGE_MATCH_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>

#include "common/compiler.h"
#include "common/list.h"
#include "lcfs/image/image_private.h"
#include "lcfs/image/pathname.h"

struct lost;

/* One more image, or piece of the tree, was looked at: for who waits for the mount. */
static inline void match_note_looked(const struct imagedir *d)
{
	if (d->looked)
		d->looked();
}

struct match {
	struct imagedir *d;
	struct list twice;
	struct lost *lost;
	size_t nr_lost, room;
	size_t nr_found;
	size_t nr_cut_off;
	bool is_search_partial; /* some of the tree could not be looked at */
	char path[PATHNAME_BYTES]; /* of the walk */
};

/* ---- match.c: image->lock held ---- */

/* The file at fd is the image's, and stands at path. */
void match_found(struct match *m, struct image *img, int fd, const struct cache_image_info *info,
		 const char *path);
/* It is no image any more. Maintenance unbinds it: that may have to wait for space in the log,
 * which the mount must not. */
void match_forget(struct image *img);

/* The file at that path of the backing directory, O_PATH, or -errno. */
int match_open(const struct match *m, const char *path) must_check;
/* Nothing is there. A file that cannot be looked at for now says nothing about the image: the mount
 * fails rather than guess. */
static inline bool match_is_absent(int error)
{
	return error == -ENOENT || error == -ENOTDIR || error == -ELOOP || error == -EXDEV;
}

/* ---- match_vague.c: image->lock held ---- */

/* Its file is gone, whatever has its name now. */
bool match_has_gone(struct image *img, const struct cache_image_info *info);
/* The same, since the file at fd, which has its name, is that of a later image. */
bool match_has_heir(struct image *img, int fd, const struct cache_image_info *info);
/* match_open() for one with a weak identity; path may become that of before the last rename.
 * -EEXIST: either of the two may be it. */
int match_open_weak(const struct match *m, struct image *img, const struct cache_image_info *info,
		    char *path) must_check;

/* ---- match_twice.c ---- */

/* image->lock held: its file is that of another image, too. */
void match_add_twice(struct match *m, struct image *img, int fd, const char *path);
/* Who is to have them? Not if r < 0, which comes back. -EBUSY: a file whose data a new cache holds
 * is in use. */
int match_settle_twice(struct match *m, int r) must_check;

#endif
