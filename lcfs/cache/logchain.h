/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The chain of records: which header is the successor of which. One owner, no locks; blocking.
 *
 * The successor of a record that ended at (s, e) stands at (s, e) if 2 blocks are left there, or at
 * the first block of one of the segments s+1 .. s+W; of several that count the highest branch wins,
 * and what is known to be abandoned does not count. Every header that is looked at, a successor or
 * not, tells which records are abandoned, and refuses the log when it must not be ignored.
 */
#ifndef LCFS_CACHE_LOGCHAIN_H
#define LCFS_CACHE_LOGCHAIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/compiler.h"
#include "lcfs/cache/branches.h"
#include "lcfs/cache/logread.h"
#include "lcfs/ondisk/codec.h"

/* A place between two records. */
struct logchain_pos {
	bool has_record;            /* false: the start, what the super block says of the tail */
	uint64_t lsn, link, branch; /* of the record before it */
	uint32_t blocks;            /* of that record */
	uint32_t offset;            /* where it ended, in blocks from the start of ... */
	uint64_t segment;           /* ... this segment; at the start 0 and the tail */
};

struct logchain {
	struct logread read;
	struct branches branches;
	uint64_t window;         /* W, segments; const after init */
	uint64_t highest_branch; /* of any self-valid header seen */
	/* The first blocks of segments [window_next - window_slots, window_next), segment id modulo
	 * window_slots; window_lsn is 0 where no header of that very segment stands. */
	struct record_disk *window_header;
	uint64_t *window_lsn;
	uint32_t window_slots;
	uint64_t window_next, window_hinted, rest_hinted;
	char *text; /* the caller's: why the log is refused */
	size_t text_size;
};

/* sb, and text of `size` bytes, must stay. 0, -ENOMEM, or -EUCLEAN with text when sb cannot be that
 * of dev. logchain_free also after an error. */
int logchain_init(struct logchain *c, struct blkdev *dev, const struct superblock *sb, char *text,
		  size_t size) must_check;
void logchain_free(struct logchain *c);

/* The place before the first record. What has been learnt about abandoned records is kept. */
struct logchain_pos logchain_start(struct logchain *c);
/* The place behind a record. */
struct logchain_pos logchain_behind(const struct logchain *c, const struct record_disk *h);
/*
 * Finds the record that follows *pos and moves *pos behind it. Returns 1 with *h, valid until the
 * next call; 0 when none follows; -EUCLEAN with text when the log is refused; or the device's
 * error.
 */
int logchain_next(struct logchain *c, struct logchain_pos *pos,
		  const struct record_disk **h) must_check;
/* Range of segments at whose first block the successor of *pos may stand; empty: *first > *last. */
void logchain_successors(const struct logchain *c, const struct logchain_pos *pos, uint64_t *first,
			 uint64_t *last);
/* Would the walk find the successor of *pos there? sb as logchain_init() takes it. */
bool logchain_may_stand(const struct superblock *sb, const struct logchain_pos *pos,
			uint64_t segment, uint32_t offset);
/*
 * Looks at the block that was read from there. Returns 1 for a self-valid header of that segment, 0
 * for anything else that may be ignored, -EUCLEAN with text for a header that must not, or -ENOMEM.
 */
int logchain_inspect(struct logchain *c, const struct record_disk *h, uint64_t segment,
		     uint32_t offset) must_check;
/* Is the record known to be abandoned? */
bool logchain_is_abandoned(const struct logchain *c, uint64_t branch, uint64_t lsn);

#endif
