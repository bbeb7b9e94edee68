/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Ranks of this layer's mutexes. Each is held for a few instructions and, but for directory
 * handles, never across a call into another module.
 */
#ifndef LCFS_FUSE_RANKS_H
#define LCFS_FUSE_RANKS_H

enum {
	RANK_HANDLE_DIR = 100, /* one directory stream; below whatever the images take */
	RANK_HANDLES = 810,
	RANK_NODES = 820,
	RANK_META = 830,
	RANK_ROOTATTR = 835,
	RANK_TRANSPORT = 840,
	RANK_SESSION = 845,
};

#endif
