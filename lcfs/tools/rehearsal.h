/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Recovery as the next mount would do it, with nothing written: on an overlay, and with a copy of
 * what a dead daemon left in its RAM buffers. What comes of it can be looked at and read from.
 */
#ifndef LCFS_TOOLS_REHEARSAL_H
#define LCFS_TOOLS_REHEARSAL_H

#include <stdbool.h>

#include "common/compiler.h"
#include "lcfs/cache/cache.h"
#include "lcfs/io/iobuf.h"
#include "lcfs/tools/overlay.h"

struct rehearsal {
	struct overlay overlay; /* blocks of the recovered log are read from overlay.dev */
	struct iobuf_region pool;
	bool has_buffers;    /* a dead daemon's were found and are part of the log */
	struct cache *cache; /* NULL unless recovery succeeded */
	struct cache_recovery_report report;
};

/* Go on although RAM buffers that should be there are not; although the log is damaged, with what
 * is before that: then report.error says so. */
#define REHEARSE_LOST 1u
#define REHEARSE_DAMAGED 2u

/*
 * dev stays the caller's and outlives *r; sb: its super block. 0, or -errno with the reason in
 * r->report.error. rehearsal_free() in either case.
 */
int rehearse(struct rehearsal *r, struct blkdev *dev, const struct superblock *sb,
	     unsigned int flags) must_check;
/* Zeroed memory is allowed. */
void rehearsal_free(struct rehearsal *r);

/* Is there something of the image that is, or may be, in the log only? */
bool rehearsal_owes(const struct cache_image_info *info);

#endif
