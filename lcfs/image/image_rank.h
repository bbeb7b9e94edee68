/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The lock order of this layer, lowest first; the core's and the engine's locks come after all of
 * them. */
#ifndef LCFS_IMAGE_IMAGE_RANK_H
#define LCFS_IMAGE_IMAGE_RANK_H

enum image_rank {
	RANK_CACHES = 90,      /* imagedir->caches_lock: held while one comes or goes */
	RANK_MOVE,	       /* image->move_lock: held while it is drained */
	RANK_IMAGE_SYNC = 100, /* image->sync_lock: held across an fsync */
	RANK_IMAGE,	       /* image->lock: held across blocking calls */
	RANK_LEASE,	       /* lease->lock: held while a super block is written */
	RANK_MAINTAIN,	       /* maintain->lock: pointer work, and opening a directory */
	RANK_TABLE,	       /* imagedir->lock: pointer work only */
	RANK_LOOK,	       /* image->look: pointer work, and looks into the core */
	RANK_WAIT,	       /* of a thread that waits for the core */
	RANK_TASKPOOL,
};

#endif
