/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The inside of the node table, shared by node.c (table, lives) and node_hold.c (descriptors). */
#ifndef LCFS_FUSE_NODE_IMPL_H
#define LCFS_FUSE_NODE_IMPL_H

#include "common/mutex.h"
#include "lcfs/fuse/node.h"

#define NODE_SLOT_BITS 24
#define NODE_CHUNK 1024u
#define NODE_CHUNKS ((1u << NODE_SLOT_BITS) / NODE_CHUNK)
#define NODE_BUCKETS (1u << 16)

struct nodes {
	struct imagedir *images; /* const */
	_Atomic dev_t root_dev;
	uint64_t revived; /* owner: who calls nodes_renew_root() */
	unsigned int max_held;	 /* const */
	struct mutex lock;	 /* of all below, and of what struct node says */
	uint64_t next_seq;
	unsigned int next_slot; /* slots below were used at least once; 0 is not a slot */
	unsigned int alive, held;
	struct list lru; /* those held, the one used last at its tail */
	struct list free;
	struct list buckets[NODE_BUCKETS];
	_Atomic(struct node *) chunks[NODE_CHUNKS];
};

/* What holds an inode: a descriptor of our own, or an image and its descriptor. */
struct hold {
	int fd; /* -1: nothing */
	struct image *image;
};

/* Takes fd over. 0 or -errno. */
int hold_make(struct nodes *n, int fd, const struct stat *st, struct hold *h) must_check;
/* Blocks at most as long as a close() does. No lock is held. */
void hold_drop(struct hold *h);
void hold_install_locked(struct nodes *n, struct node *node, struct hold *h);
struct hold hold_remove_locked(struct nodes *n, struct node *node);
/* Of the inode at fd; 0: unknown. */
uint64_t hold_generation(int fd);
/* Lets go of idle nodes if there are more than max_held, or (force) in any case. */
void nodes_shrink(struct nodes *n, bool force);

/* It is used now. */
void hold_used_locked(struct nodes *n, struct node *node);

struct node *nodes_lookup_locked(struct nodes *n, dev_t dev, ino_t ino);
struct node *nodes_slot(struct nodes *n, unsigned int slot);
/* One user less; frees what nobody needs any more. Takes the lock. */
void nodes_unuse(struct nodes *n, struct node *node);

#endif
