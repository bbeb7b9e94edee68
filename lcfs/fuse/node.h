/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Nodes: what the kernel knows by number. One node stands for one inode of the backing tree, by
 * (device, inode, generation), whatever its names; its number is never used again.
 *
 * A node is held by an O_PATH descriptor: its own, or for a regular file that of its image.
 * Descriptors are few, nodes may be many: where they run short, idle nodes are let go of and found
 * again by the name under which they were last seen (parent node and name), if what is found there
 * still is the same inode.
 *
 * A node lives while the kernel knows it (lookups), someone uses it, or it is the parent by which
 * another one is to be found.
 */
#ifndef LCFS_FUSE_NODE_H
#define LCFS_FUSE_NODE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

#include "common/compiler.h"
#include "common/list.h"
#include "lcfs/image/image.h"

struct nodes;

/* May the file have something that a write has to take away? Set when in doubt. */
enum node_priv {
	NODE_PRIV_SUID = 1, /* set-user-id or set-group-id */
	NODE_PRIV_CAPS = 2, /* security.capability */
};

struct node {
	_Atomic uint64_t id; /* 0: free slot */
	unsigned int slot;   /* const */
	mode_t type;	     /* S_IFMT bits; const while it lives, as dev, ino, generation */
	dev_t dev;
	ino_t ino;
	uint64_t generation; /* hash of the file handle; 0: the filesystem has none */
	struct list hash;    /* nodes->lock, as everything down to `write_opens` */
	uint64_t nlookup;
	uint32_t users;
	uint32_t children; /* nodes whose parent this is */
	int fd;		   /* -1: let go of */
	struct list lru;   /* while held */
	bool is_hashed;
	struct node *parent; /* with `name`: where it was last seen; NULL: nowhere */
	char *name;
	uint32_t opens;		       /* file handles; it is not let go of meanwhile */
	uint32_t direct_opens;	       /* those with HANDLE_FILE_DIRECT */
	uint32_t bypass_opens;	       /* those with HANDLE_FILE_BYPASS */
	uint32_t write_opens;	       /* those with HANDLE_FILE_WRITE */
	_Atomic(struct image *) image; /* regular files while held */
	_Atomic uint32_t priv;	       /* enum node_priv */
	_Atomic uint64_t version;      /* image_version() of what the kernel may have cached */
};

/*
 * root_fd: O_PATH or O_DIRECTORY descriptor of the backing directory, duplicated. max_fds: how many
 * nodes may be held at a time. images: for image_get(). 0 or -errno.
 */
int nodes_open(struct nodes **out, struct imagedir *images, int root_fd,
	       unsigned int max_fds) must_check;
/* Nobody uses any. NULL is allowed. */
void nodes_close(struct nodes *n);
struct node *nodes_root(struct nodes *n);
/* The filesystem of the backing directory may be another one now (imagedir_revived()): its root
 * takes the place of the old one. One thread. */
void nodes_renew_root(struct nodes *n);
dev_t nodes_root_dev(const struct nodes *n);

/*
 * The node of a number, or NULL. Takes no lock and no reference: for a request that is not answered
 * yet, since the kernel forgets no node of which one is under way.
 */
struct node *nodes_find(struct nodes *n, uint64_t id);

/*
 * The node of the file open at fd, found or made, for a reply that makes the kernel know it: its
 * lookup count is raised. fd: O_PATH, or O_RDWR where it has just been created; taken over in any
 * case. st: of fd. It was found as `name` in parent. -ENFILE: no node left; or what image_get()
 * says.
 */
int nodes_enter(struct nodes *n, struct node *parent, const char *name, int fd,
		const struct stat *st, struct node **out) must_check;
/* The kernel forgets `count` lookups. Unknown ids are ignored. */
void nodes_forget(struct nodes *n, uint64_t id, uint64_t count);

/*
 * Holds the node: its O_PATH descriptor, valid until node_put(). -ESTALE: it is not where it was
 * last seen; or -errno of the way there. The caller knows that it lives.
 */
int node_get(struct nodes *n, struct node *node) must_check;
/* The same by its number; -ESTALE also if there is no such node. */
int nodes_get(struct nodes *n, uint64_t id, struct node **node) must_check;
void node_put(struct nodes *n, struct node *node);

/*
 * A file is opened (its node is held by node_get()): for writing and with O_DIRECT or not. The file
 * handle, which says whether the kernel is to bypass its page cache:
 * - with O_DIRECT, and while it is open so, for one open through the cache would end parallel
 *   writes for all;
 * - but with writeback (the kernel may know of data and of an end that lcfs does not), a file is
 *   opened either way by all or by none.
 */
uint64_t node_opened(struct nodes *n, struct node *node, bool for_write, bool is_direct,
		     bool writeback);
/* The node is held. False: nothing is open in this way. */
bool node_released(struct nodes *n, struct node *node, uint64_t fh) must_check;
/*
 * May the kernel hold data of it that was not written to us yet: by way of a map, or with
 * writeback?
 */
bool node_may_be_dirty(struct nodes *n, struct node *node);

/*
 * For what changes names. nodes_seize(): the node that `name` in the directory leads to, held
 * (node_put() it), or NULL if there is none or the kernel knows nothing of it. Then, after success,
 * node_moved() tells its new place or node_unlinked() that the name is gone.
 */
struct node *nodes_seize(struct nodes *n, int dirfd, const char *name);
void node_moved(struct nodes *n, struct node *node, struct node *parent, const char *name);
void node_unlinked(struct nodes *n, struct node *node, const struct node *parent, const char *name);

/*
 * Opens `name` in the directory at dirfd with O_PATH and stats it: the descriptor is the caller's.
 * Lets go of idle nodes where descriptors run short. -ELOOP: an lcfs mount below the backing
 * directory, which is not entered.
 */
int nodes_open_at(struct nodes *n, int dirfd, const char *name, struct stat *st) must_check;

/*
 * After a call failed with `error`: if it was for want of descriptors, lets go of idle nodes, and
 * true: try once more.
 */
bool nodes_make_room(struct nodes *n, int error) must_check;

/* How many nodes are alive and how many are held; for tests. */
void nodes_count(struct nodes *n, unsigned int *alive, unsigned int *held);

#endif
