// SPDX-License-Identifier: GPL-2.0-or-later
/* The files that the kernel knows. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/align.h"
#include "common/cleanup.h"
#include "tests/stand/faultdir/faultdir.h"

struct fault_node *node_of(fuse_ino_t ino)
{
	return ino == FUSE_ROOT_ID ? &store.root : (struct fault_node *)(uintptr_t)ino;
}

static struct fault_node *find_locked(const struct stat *st)
{
	struct fault_node *node;

	list_for_each_entry(node, &store.buckets[st->st_ino % array_size(store.buckets)], hash)
		if (node->ino == st->st_ino && node->dev == st->st_dev)
			return node;
	return NULL;
}

static struct fault_node *make_locked(int *fd, const struct stat *st)
{
	struct fault_node *node = calloc(1, sizeof(*node));

	if (!node)
		return NULL;
	node->fd = steal_fd(fd);
	node->dev = st->st_dev;
	node->ino = st->st_ino;
	undo_init(&node->undo);
	list_add_head(&store.buckets[st->st_ino % array_size(store.buckets)], &node->hash);
	return node;
}

int node_enter(int fd, struct fuse_entry_param *e)
{
	CLEANUP_FD int own = fd;
	struct fault_node *node;

	memset(e, 0, sizeof(*e));
	if (fstatat(fd, "", &e->attr, AT_EMPTY_PATH) < 0)
		return errno;
	LOCK_SCOPE(&store.lock);
	node = find_locked(&e->attr);
	if (!node)
		node = make_locked(&own, &e->attr);
	if (!node)
		return ENOMEM;
	node->nlookup++;
	e->ino = (fuse_ino_t)(uintptr_t)node;
	return 0;
}

void node_forget(fuse_ino_t ino, uint64_t count)
{
	struct fault_node *node = node_of(ino);

	if (ino == FUSE_ROOT_ID || ino == FAULT_CTL_INO)
		return;
	mutex_lock(&store.lock);
	node->nlookup -= count;
	/* what was not synced is to be known to the end */
	if (node->nlookup || store.keeps_undo) {
		mutex_unlock(&store.lock);
		return;
	}
	list_del(&node->hash);
	mutex_unlock(&store.lock);
	undo_free(&node->undo);
	close(node->fd);
	free(node);
}

static bool link_of(int fd, char *path)
{
	char link[64];
	ssize_t n;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = readlink(link, path, FAULT_PATH_BYTES - 1);
	path[n > 0 ? n : 0] = '\0';
	return n > 0;
}

void node_path(const struct fault_node *node, const char *name, char *path)
{
	char root[FAULT_PATH_BYTES], full[FAULT_PATH_BYTES];
	const char *rest = full;
	size_t n;

	if (link_of(store.root.fd, root) && link_of(node->fd, full) &&
	    strncmp(root, full, strlen(root)) == 0)
		rest = full + strlen(root);
	rest += *rest == '/';
	n = strlen(rest);
	memcpy(path, rest, n + 1);
	if (!name || n + strlen(name) + 2 > FAULT_PATH_BYTES)
		return;
	if (n)
		path[n++] = '/';
	strcpy(path + n, name);
}

int node_fault(fuse_ino_t ino, const char *name, enum fault_op op, bool *lose)
{
	char path[FAULT_PATH_BYTES];

	node_path(node_of(ino), name, path);
	return rules_apply(op, path, lose);
}

int node_open(const struct fault_node *node, int flags)
{
	char link[64];
	int fd;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", node->fd);
	fd = open(link, (flags & ~(O_NOFOLLOW | O_DIRECT | O_CREAT | O_EXCL)) | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

static void lose(struct fault_node *node)
{
	CLEANUP_FD int fd = node_open(node, O_RDWR);

	if (fd >= 0)
		undo_apply(&node->undo, fd);
}

/* The kernel may have read what is lost. */
void node_lose(fuse_ino_t ino)
{
	lose(node_of(ino));
	(void)fuse_lowlevel_notify_inval_inode(store.session, ino, 0, 0);
}

void node_lose_all(void)
{
	struct fault_node *node;
	LOCK_SCOPE(&store.lock);

	for (size_t i = 0; i < array_size(store.buckets); i++)
		list_for_each_entry(node, &store.buckets[i], hash)
			if (!list_is_empty(&node->undo.changes))
				lose(node);
}
