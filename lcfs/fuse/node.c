// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The table of nodes.
 *
 * A node's number is (sequence << 24 | slot): the slot finds it without a lock, the sequence makes
 * it unique. Memory of a slot is never given back, so that a wrong number finds at worst another
 * node's memory, whose number differs.
 */
#include "lcfs/fuse/node.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "lcfs/fuse/handle.h"
#include "lcfs/fuse/node_impl.h"
#include "lcfs/fuse/proto.h"
#include "lcfs/fuse/ranks.h"

#define SLOT_MASK ((UINT64_C(1) << NODE_SLOT_BITS) - 1)
#define ROOT_SLOT 1u

struct node *nodes_slot(struct nodes *n, unsigned int slot)
{
	struct node *chunk =
		atomic_load_explicit(&n->chunks[slot / NODE_CHUNK], memory_order_acquire);

	return chunk ? &chunk[slot % NODE_CHUNK] : NULL;
}

struct node *nodes_find(struct nodes *n, uint64_t id)
{
	struct node *node = nodes_slot(n, id & SLOT_MASK);

	if (!node || id == 0 || atomic_load_explicit(&node->id, memory_order_acquire) != id)
		return NULL;
	return node;
}

static struct list *bucket(struct nodes *n, dev_t dev, ino_t ino)
{
	uint64_t h = ((uint64_t)ino + (uint64_t)dev * 31) * UINT64_C(0x9e3779b97f4a7c15);

	return &n->buckets[h >> 48];
}

struct node *nodes_lookup_locked(struct nodes *n, dev_t dev, ino_t ino)
{
	struct node *node;

	mutex_assert_held(&n->lock);
	list_for_each_entry(node, bucket(n, dev, ino), hash) {
		if (node->ino == ino && node->dev == dev)
			return node;
	}
	return NULL;
}

static void unhash_locked(struct node *node)
{
	list_del(&node->hash);
	node->is_hashed = false;
}

static bool grow_locked(struct nodes *n)
{
	struct node *chunk;
	unsigned int slot = n->next_slot;

	if (slot > SLOT_MASK)
		return false;
	if (!nodes_slot(n, slot)) {
		chunk = calloc(NODE_CHUNK, sizeof(*chunk));
		if (!chunk)
			return false;
		atomic_store_explicit(&n->chunks[slot / NODE_CHUNK], chunk, memory_order_release);
	}
	nodes_slot(n, slot)->slot = slot;
	list_add_tail(&n->free, &nodes_slot(n, slot)->hash);
	n->next_slot++;
	return true;
}

static struct node *add_locked(struct nodes *n, const struct stat *st, uint64_t generation)
{
	struct node *node;

	if (list_is_empty(&n->free) && !grow_locked(n))
		return NULL;
	node = list_pop_head(&n->free, struct node, hash);
	node->type = st->st_mode & S_IFMT;
	node->dev = st->st_dev;
	node->ino = st->st_ino;
	node->generation = generation;
	node->nlookup = node->users = node->children = 0;
	node->fd = -1;
	node->parent = NULL;
	node->name = NULL;
	node->opens = node->direct_opens = node->bypass_opens = node->write_opens = 0;
	atomic_store(&node->priv, NODE_PRIV_SUID | NODE_PRIV_CAPS);
	atomic_store(&node->version, 0);
	list_add_head(bucket(n, node->dev, node->ino), &node->hash);
	node->is_hashed = true;
	n->alive++;
	atomic_store_explicit(&node->id, n->next_seq++ << NODE_SLOT_BITS | node->slot,
			      memory_order_release);
	return node;
}

/* What nobody needs goes to trash, and its ancestors that only it needed. */
static void reap_locked(struct nodes *n, struct node *node, struct list *trash)
{
	mutex_assert_held(&n->lock);
	while (node && node != nodes_root(n) && !node->nlookup && !node->users && !node->children) {
		struct node *parent = node->parent;

		if (node->is_hashed)
			unhash_locked(node);
		atomic_store(&node->id, 0);
		list_add_tail(trash, &node->hash);
		n->alive--;
		if (parent)
			parent->children--;
		node->parent = NULL;
		node = parent;
	}
}

static void empty_trash(struct nodes *n, struct list *trash)
{
	struct node *node;

	while ((node = list_pop_head(trash, struct node, hash)) != NULL) {
		struct hold h;

		mutex_lock(&n->lock);
		h = hold_remove_locked(n, node);
		mutex_unlock(&n->lock);
		hold_drop(&h);
		free(steal_ptr(node->name));
		mutex_lock(&n->lock);
		list_add_head(&n->free, &node->hash);
		mutex_unlock(&n->lock);
	}
}

void nodes_unuse(struct nodes *n, struct node *node)
{
	struct list trash;

	list_init(&trash);
	mutex_lock(&n->lock);
	node->users--;
	reap_locked(n, node, &trash);
	mutex_unlock(&n->lock);
	empty_trash(n, &trash);
}

static void forget_place_locked(struct node *node)
{
	if (node->parent)
		node->parent->children--;
	node->parent = NULL;
	free(steal_ptr(node->name));
}

static bool is_below(const struct node *node, const struct node *ancestor)
{
	for (; node; node = node->parent) {
		if (node == ancestor)
			return true;
	}
	return false;
}

/*
 * Where it was seen. Changes of the backing tree behind lcfs can make this inconsistent with what
 * is known of its parent: no place is better than a circle.
 */
static void set_place_locked(struct nodes *n, struct node *node, struct node *parent,
			     const char *name, struct list *trash)
{
	struct node *old = node->parent;
	char *copy;

	if (node == nodes_root(n) || (old == parent && strcmp(node->name, name) == 0))
		return;
	copy = node->children && is_below(parent, node) ? NULL : strdup(name);
	forget_place_locked(node);
	if (copy) {
		parent->children++;
		node->parent = parent;
		node->name = copy;
	}
	if (old)
		reap_locked(n, old, trash);
}

/* Found and held: its lookup count is raised. */
static struct node *enter_known(struct nodes *n, struct node *parent, const char *name,
				const struct stat *st)
{
	struct list trash;
	struct node *node;

	list_init(&trash);
	mutex_lock(&n->lock);
	node = nodes_lookup_locked(n, st->st_dev, st->st_ino);
	if (node && node->fd >= 0) {
		node->nlookup++;
		hold_used_locked(n, node);
		set_place_locked(n, node, parent, name, &trash);
	} else
		node = NULL;
	mutex_unlock(&n->lock);
	empty_trash(n, &trash);
	return node;
}

int nodes_enter(struct nodes *n, struct node *parent, const char *name, int fd,
		const struct stat *st, struct node **out)
{
	struct list trash;
	struct hold h;
	struct node *node;
	uint64_t generation;
	int error;

	*out = enter_known(n, parent, name, st);
	if (*out) {
		close(fd);
		return 0;
	}
	generation = hold_generation(fd);
	error = hold_make(n, fd, st, &h);
	if (error)
		return error;
	list_init(&trash);
	mutex_lock(&n->lock);
	node = nodes_lookup_locked(n, st->st_dev, st->st_ino);
	/* The number was used again while nothing held the inode: the old node is no more. */
	if (node && node->fd < 0 &&
	    (node->generation != generation || node->type != (st->st_mode & S_IFMT))) {
		unhash_locked(node);
		node = NULL;
	}
	if (!node)
		node = add_locked(n, st, generation);
	if (node) {
		if (node->fd < 0)
			hold_install_locked(n, node, &h);
		node->nlookup++;
		set_place_locked(n, node, parent, name, &trash);
	}
	mutex_unlock(&n->lock);
	empty_trash(n, &trash);
	hold_drop(&h);
	nodes_shrink(n, false);
	*out = node;
	return node ? 0 : -ENFILE;
}

void nodes_forget(struct nodes *n, uint64_t id, uint64_t count)
{
	struct list trash;
	struct node *node;

	if (id == FUSE_ROOT_ID)
		return;
	list_init(&trash);
	mutex_lock(&n->lock);
	node = nodes_find(n, id);
	if (node) {
		node->nlookup -= count < node->nlookup ? count : node->nlookup;
		reap_locked(n, node, &trash);
	}
	mutex_unlock(&n->lock);
	empty_trash(n, &trash);
}

uint64_t node_opened(struct nodes *n, struct node *node, bool for_write, bool is_direct,
		     bool writeback)
{
	uint64_t fh = HANDLE_FILE;

	LOCK_SCOPE(&n->lock);
	if (for_write)
		fh |= HANDLE_FILE_WRITE;
	if (is_direct)
		fh |= HANDLE_FILE_DIRECT;
	if (writeback ? node->bypass_opens || (is_direct && !node->opens) :
			node->direct_opens || is_direct)
		fh |= HANDLE_FILE_BYPASS;
	node->opens++;
	node->direct_opens += is_direct;
	node->bypass_opens += (fh & HANDLE_FILE_BYPASS) != 0;
	node->write_opens += for_write;
	return fh;
}

bool node_released(struct nodes *n, struct node *node, uint64_t fh)
{
	const uint32_t is_direct = (fh & HANDLE_FILE_DIRECT) != 0;
	const uint32_t is_bypass = (fh & HANDLE_FILE_BYPASS) != 0;
	const uint32_t is_write = (fh & HANDLE_FILE_WRITE) != 0;

	LOCK_SCOPE(&n->lock);
	if (!node->opens || node->direct_opens < is_direct || node->bypass_opens < is_bypass ||
	    node->write_opens < is_write)
		return false;
	node->opens--;
	node->direct_opens -= is_direct;
	node->bypass_opens -= is_bypass;
	node->write_opens -= is_write;
	return true;
}

bool node_may_be_dirty(struct nodes *n, struct node *node)
{
	LOCK_SCOPE(&n->lock);
	return node->write_opens > 0;
}

struct node *nodes_seize(struct nodes *n, int dirfd, const char *name)
{
	struct node *node;
	struct stat st;

	if (fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return NULL;
	mutex_lock(&n->lock);
	node = nodes_lookup_locked(n, st.st_dev, st.st_ino);
	if (node)
		node->users++;
	mutex_unlock(&n->lock);
	if (!node)
		return NULL;
	if (node_get(n, node) < 0) {
		nodes_unuse(n, node);
		return NULL;
	}
	nodes_unuse(n, node);
	return node;
}

void node_moved(struct nodes *n, struct node *node, struct node *parent, const char *name)
{
	struct list trash;

	list_init(&trash);
	mutex_lock(&n->lock);
	set_place_locked(n, node, parent, name, &trash);
	mutex_unlock(&n->lock);
	empty_trash(n, &trash);
}

void node_unlinked(struct nodes *n, struct node *node, const struct node *parent, const char *name)
{
	struct list trash;

	list_init(&trash);
	mutex_lock(&n->lock);
	if (node->parent == parent && parent && strcmp(node->name, name) == 0) {
		struct node *old = node->parent;

		forget_place_locked(node);
		reap_locked(n, old, &trash);
	}
	mutex_unlock(&n->lock);
	empty_trash(n, &trash);
}

struct node *nodes_root(struct nodes *n)
{
	return nodes_slot(n, ROOT_SLOT);
}

dev_t nodes_root_dev(const struct nodes *n)
{
	return n->root_dev;
}

static int add_root(struct nodes *n, int root_fd)
{
	struct stat st;
	struct hold h = { .fd = openat(root_fd, ".", O_PATH | O_DIRECTORY | O_CLOEXEC) };
	struct node *root;
	int error = 0;

	if (h.fd < 0)
		return -errno;
	if (fstatat(h.fd, "", &st, AT_EMPTY_PATH) < 0) {
		error = -errno;
		hold_drop(&h);
		return error;
	}
	n->root_dev = st.st_dev;
	mutex_lock(&n->lock);
	root = add_locked(n, &st, 0);
	if (root) {
		root->nlookup = 1;
		hold_install_locked(n, root, &h);
	} else
		error = -ENOMEM;
	mutex_unlock(&n->lock);
	hold_drop(&h);
	return error;
}

void nodes_renew_root(struct nodes *n)
{
	uint64_t revived = imagedir_revived(n->images);
	struct node *root = nodes_root(n);
	struct stat st;

	if (revived == n->revived || dup3(imagedir_fd(n->images), root->fd, O_CLOEXEC) < 0 ||
	    fstatat(root->fd, "", &st, AT_EMPTY_PATH) < 0)
		return;
	LOCK_SCOPE(&n->lock);
	unhash_locked(root);
	root->dev = st.st_dev;
	root->ino = st.st_ino;
	list_add_head(bucket(n, root->dev, root->ino), &root->hash);
	root->is_hashed = true;
	n->root_dev = st.st_dev;
	n->revived = revived;
}

int nodes_open(struct nodes **out, struct imagedir *images, int root_fd, unsigned int max_fds)
{
	struct nodes *n = calloc(1, sizeof(*n));
	int error;

	*out = NULL;
	if (!n)
		return -ENOMEM;
	n->images = images;
	n->max_held = max_fds;
	n->next_slot = ROOT_SLOT;
	list_init(&n->lru);
	mutex_init(&n->lock, RANK_NODES, "nodes");
	list_init(&n->free);
	for (unsigned int i = 0; i < NODE_BUCKETS; i++)
		list_init(&n->buckets[i]);
	error = add_root(n, root_fd);
	if (error) {
		nodes_close(n);
		return error;
	}
	*out = n;
	return 0;
}

void nodes_close(struct nodes *n)
{
	if (!n)
		return;
	for (unsigned int slot = ROOT_SLOT; slot < n->next_slot; slot++) {
		struct node *node = nodes_slot(n, slot);
		struct hold h;

		if (atomic_load(&node->id) == 0)
			continue;
		mutex_lock(&n->lock);
		h = hold_remove_locked(n, node);
		mutex_unlock(&n->lock);
		hold_drop(&h);
		free(node->name);
	}
	for (unsigned int i = 0; i < NODE_CHUNKS; i++)
		free(atomic_load(&n->chunks[i]));
	mutex_destroy(&n->lock);
	free(n);
}

void nodes_count(struct nodes *n, unsigned int *alive, unsigned int *held)
{
	LOCK_SCOPE(&n->lock);
	*alive = n->alive;
	*held = n->held;
}
