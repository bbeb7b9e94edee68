// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What holds nodes: descriptors, letting go of them, and finding them again.
 *
 * A node that was let go of is opened again by its name in its parent, which may itself have to be
 * opened again first. What is found there must be the same inode (device, number, file handle): if
 * someone changed the backing tree behind lcfs, the answer is ESTALE, upon which the kernel looks
 * the path up anew.
 *
 * Never let go of: the root, what is in use or open, and what has no name any more.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "common/checksum.h"
#include "common/cleanup.h"
#include "lcfs/fuse/node_impl.h"

#define SWEEP_BATCH 64u

int hold_make(struct nodes *n, int fd, const struct stat *st, struct hold *h)
{
	CLEANUP_FD int own = fd;
	int error;

	*h = (struct hold){ .fd = -1 };
	if (!S_ISREG(st->st_mode)) {
		h->fd = steal_fd(&own);
		return 0;
	}
	error = image_get(n->images, own, &h->image);
	if (nodes_make_room(n, error))
		error = image_get(n->images, own, &h->image);
	if (error)
		return error;
	h->fd = image_fd(h->image);
	return 0;
}

void hold_drop(struct hold *h)
{
	if (h->image)
		image_put(h->image);
	else if (h->fd >= 0)
		close(h->fd);
	*h = (struct hold){ .fd = -1 };
}

void hold_install_locked(struct nodes *n, struct node *node, struct hold *h)
{
	mutex_assert_held(&n->lock);
	node->fd = h->fd;
	list_add_tail(&n->lru, &node->lru);
	atomic_store_explicit(&node->image, h->image, memory_order_release);
	n->held++;
	*h = (struct hold){ .fd = -1 };
}

struct hold hold_remove_locked(struct nodes *n, struct node *node)
{
	struct hold h = { .fd = node->fd, .image = atomic_load(&node->image) };

	mutex_assert_held(&n->lock);
	if (node->fd >= 0) {
		n->held--;
		list_del(&node->lru);
	}
	node->fd = -1;
	atomic_store(&node->image, NULL);
	return h;
}

void hold_used_locked(struct nodes *n, struct node *node)
{
	mutex_assert_held(&n->lock);
	if (node->fd < 0)
		return;
	list_del(&node->lru);
	list_add_tail(&n->lru, &node->lru);
}

uint64_t hold_generation(int fd)
{
	struct {
		struct file_handle head;
		unsigned char bytes[MAX_HANDLE_SZ];
	} handle;
	uint64_t hash;
	int mount_id;

	memset(&handle, 0, sizeof(handle));
	handle.head.handle_bytes = MAX_HANDLE_SZ;
	if (name_to_handle_at(fd, "", &handle.head, &mount_id, AT_EMPTY_PATH) < 0)
		return 0;
	hash = checksum64(handle.head.f_handle, handle.head.handle_bytes,
			  (uint64_t)handle.head.handle_type);
	return hash ? hash : 1;
}

/* The root has no parent. */
static bool is_idle(const struct node *node)
{
	return node->users == 0 && node->parent && node->opens == 0;
}

/* Those unused the longest, each looked at once. */
static unsigned int sweep_locked(struct nodes *n, unsigned int want, struct hold *out)
{
	unsigned int found = 0;

	mutex_assert_held(&n->lock);
	for (unsigned int left = n->held; left > 0 && found < want; left--) {
		struct node *node = list_first_entry(&n->lru, struct node, lru);

		if (is_idle(node))
			out[found++] = hold_remove_locked(n, node);
		else
			hold_used_locked(n, node);
	}
	return found;
}

void nodes_shrink(struct nodes *n, bool force)
{
	struct hold holds[SWEEP_BATCH];
	unsigned int nr = 0;

	mutex_lock(&n->lock);
	if (force || n->held > n->max_held)
		nr = sweep_locked(n, SWEEP_BATCH, holds);
	mutex_unlock(&n->lock);
	for (unsigned int i = 0; i < nr; i++)
		hold_drop(&holds[i]);
}

/*
 * Is the file open at fd in an lcfs mount? Known without asking that mount, which may be our own
 * and wait for us. In doubt: yes.
 */
static bool is_in_lcfs_mount(int fd)
{
	char path[64], line[4096], type[256];
	int want = -1, id;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	f = fopen(path, "re");
	if (!f)
		return true;
	while (fgets(line, sizeof(line), f)) {
		if (sscanf(line, "mnt_id: %d", &want) == 1)
			break;
	}
	fclose(f);
	f = fopen("/proc/self/mountinfo", "re");
	if (!f)
		return true;
	while (fgets(line, sizeof(line), f)) {
		const char *dash = strstr(line, " - ");

		if (sscanf(line, "%d ", &id) != 1 || id != want || !dash)
			continue;
		fclose(f);
		return sscanf(dash, " - %255s", type) != 1 || strcmp(type, "fuse.lcfs") == 0;
	}
	fclose(f);
	return true;
}

/* Opens without crossing into another mount, or with a look at which one it is. */
static int open_path(int dirfd, const char *name)
{
	struct open_how how = {
		.flags = O_PATH | O_NOFOLLOW | O_CLOEXEC,
		.resolve = RESOLVE_NO_XDEV,
	};
	int fd = (int)syscall(SYS_openat2, dirfd, name, &how, sizeof(how));

	if (fd >= 0)
		return fd;
	/* EPERM: a filter of system calls that is older than this one */
	if (errno != EXDEV && errno != ENOSYS && errno != EPERM)
		return -errno;
	fd = openat(dirfd, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (is_in_lcfs_mount(fd)) {
		close(fd);
		return -ELOOP;
	}
	return fd;
}

bool nodes_make_room(struct nodes *n, int error)
{
	if (error != -EMFILE && error != -ENFILE)
		return false;
	nodes_shrink(n, true);
	return true;
}

int nodes_open_at(struct nodes *n, int dirfd, const char *name, struct stat *st)
{
	CLEANUP_FD int fd = open_path(dirfd, name);

	if (nodes_make_room(n, fd))
		fd = open_path(dirfd, name);
	if (fd < 0)
		return fd;
	if (fstatat(fd, "", st, AT_EMPTY_PATH) < 0)
		return -errno;
	return steal_fd(&fd);
}

/* Opens node by `name` in the directory at dirfd. Takes the lock. */
static int load(struct nodes *n, struct node *node, int dirfd, const char *name)
{
	struct hold h;
	struct stat st;
	int error;
	int fd = nodes_open_at(n, dirfd, name, &st);

	if (fd < 0)
		return fd == -ENOENT || fd == -ENOTDIR ? -ESTALE : fd;
	if (st.st_dev != node->dev || st.st_ino != node->ino ||
	    (st.st_mode & S_IFMT) != node->type || hold_generation(fd) != node->generation) {
		close(fd);
		return -ESTALE;
	}
	error = hold_make(n, fd, &st, &h);
	if (error)
		return error;
	mutex_lock(&n->lock);
	if (node->fd < 0)
		hold_install_locked(n, node, &h);
	mutex_unlock(&n->lock);
	hold_drop(&h);
	return 0;
}

/*
 * The lowest ancestor that must be opened first: its parent is held. Both get a user; -ESTALE if
 * there is none.
 */
static int find_gap_locked(struct nodes *n, struct node *node, struct node **gap)
{
	mutex_assert_held(&n->lock);
	while (node->parent && node->parent->fd < 0)
		node = node->parent;
	if (!node->parent)
		return -ESTALE;
	node->users++;
	node->parent->users++;
	*gap = node;
	return 0;
}

static int close_gap(struct nodes *n, struct node *node)
{
	CLEANUP_FREE char *name = NULL;
	struct node *gap, *parent;
	int error, dirfd;

	mutex_lock(&n->lock);
	error = find_gap_locked(n, node, &gap);
	if (error) {
		mutex_unlock(&n->lock);
		return error;
	}
	parent = gap->parent;
	dirfd = parent->fd;
	name = strdup(gap->name);
	mutex_unlock(&n->lock);
	error = name ? load(n, gap, dirfd, name) : -ENOMEM;
	nodes_shrink(n, false);
	nodes_unuse(n, gap);
	nodes_unuse(n, parent);
	return error;
}

/* It has got a user more, and had this descriptor then. */
static int finish_get(struct nodes *n, struct node *node, int fd)
{
	int error;

	while (fd < 0) {
		error = close_gap(n, node);
		if (error) {
			nodes_unuse(n, node);
			return error;
		}
		mutex_lock(&n->lock);
		fd = node->fd;
		mutex_unlock(&n->lock);
	}
	return fd;
}

static int use_locked(struct nodes *n, struct node *node)
{
	mutex_assert_held(&n->lock);
	node->users++;
	hold_used_locked(n, node);
	return node->fd;
}

int node_get(struct nodes *n, struct node *node)
{
	int fd;

	mutex_lock(&n->lock);
	fd = use_locked(n, node);
	mutex_unlock(&n->lock);
	return finish_get(n, node, fd);
}

int nodes_get(struct nodes *n, uint64_t id, struct node **out)
{
	struct node *node;
	int fd = -1;

	/* Under the lock: what has been found stays. */
	mutex_lock(&n->lock);
	node = nodes_find(n, id);
	if (node)
		fd = use_locked(n, node);
	mutex_unlock(&n->lock);
	*out = node;
	return node ? finish_get(n, node, fd) : -ESTALE;
}

void node_put(struct nodes *n, struct node *node)
{
	nodes_unuse(n, node);
}
