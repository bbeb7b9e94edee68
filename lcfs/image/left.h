/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The mark of a file that left a cache whose device was lost (F3): the extended attribute
 * user.lcfs.left. For each such cache it says one of two things:
 *
 *	UUID LSN	the file was changed past the log, which had it up to that LSN
 *	UUID void EPOCH LSN	bindings up to there mean nothing any more, to a log that ends in
 *			that epoch: the file has all that it holds for them, or that was given up;
 *			as an UNBIND would say that the log could not take
 *
 * with a semicolon between two.
 */
#ifndef LCFS_IMAGE_LEFT_H
#define LCFS_IMAGE_LEFT_H

#include <stdbool.h>
#include <stdint.h>

#include "common/compiler.h"
#include "lcfs/io/uuid.h"

struct left {
	uint8_t uuid[UUID_BYTES];
	uint64_t lsn, epoch; /* epoch: if is_void */
	bool is_void;
};

/* fd may be O_PATH in all of them. The eldest goes where there are too many caches. 0 or -errno of
 * the filesystem; not synced. */
int left_put(int fd, const struct left *l) must_check;
/* -ENODATA: it says nothing of that cache. */
int left_get(int fd, const uint8_t *uuid, struct left *l) must_check;
int left_remove(int fd, const uint8_t *uuid) must_check;

#endif
