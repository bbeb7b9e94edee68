/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What keeps others off a backing file while lcfs has it: a mark that says which cache holds dirty
 * data of it, and locks that qemu respects. Both are best effort: not every filesystem has them.
 */
#ifndef LCFS_IMAGE_GUARD_H
#define LCFS_IMAGE_GUARD_H

#include <stdbool.h>
#include <stdint.h>

#include "common/compiler.h"
#include "lcfs/io/uuid.h"

/* Extended attributes with this prefix are lcfs's own and are hidden in the mount. */
#define GUARD_XATTR_PREFIX "user.lcfs."

/* The mark: the UUID of the cache, as text. fd may be O_PATH to get it, but not else. */
int guard_mark_set(int fd, const uint8_t *cache_uuid) must_check;
/* 0 with the UUID, -ENODATA no mark, -EINVAL a mark that is no UUID, or what the filesystem says.
 */
int guard_mark_get(int fd, uint8_t *cache_uuid) must_check;
/* Is it that cache's? */
bool guard_is_marked_by(int fd, const uint8_t *cache_uuid);
int guard_mark_clear(int fd) must_check;

/* Each open file description that lcfs writes an image through has a byte of its own. */
enum guard_descriptor {
	GUARD_BUFFERED,
	GUARD_DIRECT
};

/*
 * Locks on the open file description at fd, which is open for reading and writing; they go with its
 * last use, writes in flight of a killed daemon included. -EAGAIN: another lcfs (a dead one whose
 * writes have not landed yet) has it; wait. A filesystem without locks is no error.
 */
int guard_lock(int fd, enum guard_descriptor which) must_check;
/* Has another program locked the file so that nobody else may write to it (qemu)? Before
 * guard_lock(). */
bool guard_is_foreign(int fd);

#endif
