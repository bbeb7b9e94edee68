/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * New files: created through lcfs, and nobody has been promised since that they last.
 *
 * Until its name is durable in the backing filesystem a power cut may take a file, and no data of
 * it is worth anything then. So BIND says that the file is new (BIND_NEW), the image table too
 * (TABLE_NEW), and NAMED, or what implies it, that it is so no more. That is in the log before
 * whoever wanted the name durable is answered; the name itself is durable before NAMED is logged.
 * An image that nothing is known of counts as old: its file must be there.
 */
#ifndef LCFS_CACHE_NAMING_H
#define LCFS_CACHE_NAMING_H

#include <stdbool.h>
#include <stdint.h>

#include "common/compiler.h"

struct cache;
struct cache_image;
struct outbox;

/* Its file is new. Of an image that is not bound yet, and of which nothing is under way. */
void cache_image_set_new(struct cache *c, struct cache_image *img);

/*
 * The file and its name are durable in the backing filesystem, or somebody is about to be told so:
 * logged, not waited for (a sync after this covers it). Nothing to do for one that is not new.
 * -EAGAIN: no space in the log now, some is being made; or -errno.
 */
int cache_image_named(struct cache *c, struct cache_image *img, uint64_t now,
		      struct outbox *ob) must_check;

/*
 * The same of all new images whose files are directly in the directory dir, as in paths ("": the
 * root), or of all of them (NULL), in two steps: what is to be made durable is marked, then it is
 * made so, then those that were marked are told. Marks of others are told with them, if they came
 * later: their names are asked for, too. A call that ends with -EAGAIN is made again.
 */
uint64_t cache_new_mark(struct cache *c, const char *dir);
int cache_new_named(struct cache *c, uint64_t mark, uint64_t now, struct outbox *ob) must_check;

/* Its file is new, and there was a power cut since it was: it may be gone without anybody having
 * taken it away. Of an image of the table, after cache_open(). */
bool cache_image_may_be_lost(struct cache *c, const struct cache_image *img);
/* Its last name went through the last mount, and there was no power cut that may have brought it
 * back: whatever has that name is another file. Of an image of the table, after cache_open(). */
bool cache_image_has_gone(struct cache *c, const struct cache_image *img);
/* The image that was bound after that one, with the very path that it has, and is not about to go;
 * NULL: none. Of images of the table, after cache_open(). */
struct cache_image *cache_image_heir(struct cache *c, const struct cache_image *of);

#endif
