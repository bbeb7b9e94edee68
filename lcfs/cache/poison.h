/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Damaged blocks (rule F4): see poison.c. Inside of the core. */
#ifndef LCFS_CACHE_POISON_H
#define LCFS_CACHE_POISON_H

#include "lcfs/cache/core.h"

/*
 * Somebody has read the slot at `position` (log_position(), taken when the read began), which was
 * the newest version of the block, and it is damaged: error is -EUCLEAN when its checksum did not
 * match, else what the read gave. A clean one is forgotten, its backing file serves. A dirty one is
 * counted, and becomes a poisoned block when it is found again so a second later: at once or, where
 * an operation or write holds the block or the log has no space, when it is found once more. For
 * every finder: reads, writes, migration, the cleaner, a scrub. Nothing happens if the index points
 * elsewhere by now. The finder's own range must be released.
 */
void poison_found(struct cache *c, struct cache_image *img, uint64_t block, uint64_t position,
		  int error, uint64_t now, struct outbox *ob);
/* The block was found damaged a moment ago: it is to be left alone until the next look is due. */
bool poison_is_suspect(struct cache *c, uint32_t cbn, uint64_t now);
/* When the next look is due, UINT64_MAX: never. */
uint64_t poison_deadline(const struct cache *c);
/* A poisoned block is logged again at the head. -EAGAIN: not now. */
int poison_move(struct cache *c, uint32_t cbn, enum log_purpose p, uint64_t now,
		struct outbox *ob) must_check;
/* Is what is dirty of the image poisoned, all of it, and is nothing else to be done? */
bool poison_is_all(const struct cache_image *img);

#endif
