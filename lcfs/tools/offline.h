/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A cache that is not mounted, as the offline tools open it: by path, UUID= or LABEL=, with the
 * lock that the daemon would take. Each function says itself what is wrong, in one line; 0 or
 * -errno tell the caller only that it has been said.
 */
#ifndef LCFS_TOOLS_OFFLINE_H
#define LCFS_TOOLS_OFFLINE_H

#include <stdbool.h>

#include "common/compiler.h"
#include "lcfs/io/cachedev.h"
#include "lcfs/ondisk/codec.h"

enum offline_access {
	OFFLINE_LOOK,	/* no lock: with a warning if somebody else uses it */
	OFFLINE_READ,	/* locked, -EBUSY with the holder's name */
	OFFLINE_REPAIR, /* likewise, and may be written */
};

struct offline {
	char *path;
	struct cachedev *dev;
	struct blkdev *blkdev; /* of dev */
};

/* offline_close() follows in either case. */
int offline_open(struct offline *o, const char *name, enum offline_access access) must_check;
void offline_close(struct offline *o);

/* The newest valid super block, refused where the mount would refuse it. */
int offline_superblock(const struct offline *o, struct superblock *sb) must_check;

/* Both copies as they are. */
struct offline_copies {
	enum format_reason why[SUPERBLOCK_COPIES]; /* FORMAT_OK: sb[] is valid */
	int error[SUPERBLOCK_COPIES];		   /* of the read; then the others say nothing */
	struct superblock sb[SUPERBLOCK_COPIES];
	int newest;	 /* of the valid ones, or -1 */
	bool is_refused; /* one of them is ours and must not be ignored */
};

/* 0 or -ENOMEM. */
int offline_copies(const struct offline *o, struct offline_copies *c) must_check;

#endif
