/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The mark of a file that left a cache whose device was lost (F3): the extended attribute
 * user.lcfs.left. For each such cache it says one of two things:
 *
 *	UUID LSN	the file was changed past the log, which had it up to that LSN
 *	UUID void LSN	the binding that was logged there means nothing any more: the file has all
 *			that the log holds for it, or that was given up; as an UNBIND would say that
 *			the log could not take
 *
 * with a semicolon between two. No LSN comes twice in a log, unless what it named was lost: a new
 * binding takes away what the mark says of its cache (image_state.c).
 */
#ifndef LCFS_IMAGE_LEFT_H
#define LCFS_IMAGE_LEFT_H

#include <stdbool.h>
#include <stdint.h>

#include "common/compiler.h"
#include "lcfs/io/uuid.h"

struct left {
	uint8_t uuid[UUID_BYTES];
	uint64_t lsn;
	bool is_void;
};

/* fd may be O_PATH in all of them. The eldest goes where there are too many caches. 0 or -errno of
 * the filesystem; not synced. */
int left_put(int fd, const struct left *l) must_check;
/* -ENODATA: it says nothing of that cache. */
int left_get(int fd, const uint8_t *uuid, struct left *l) must_check;
int left_remove(int fd, const uint8_t *uuid) must_check;

#endif
