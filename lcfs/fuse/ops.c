// SPDX-License-Identifier: GPL-2.0-or-later
/* What the operations share. */
#include "lcfs/fuse/ops.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

/*
 * Not there, on purpose: flush (close(2) promises nothing; the kernel writes dirty pages back
 * without it), access (default_permissions), locks (the kernel's own are what qemu needs), bmap,
 * copy_file_range (the kernel copies by read and write).
 */
const struct fuse_lowlevel_ops ops_table = {
	.lookup = op_lookup,
	.getattr = op_getattr,
	.setattr = op_setattr,
	.readlink = op_readlink,
	.statfs = op_statfs,
	.mknod = op_mknod,
	.mkdir = op_mkdir,
	.symlink = op_symlink,
	.link = op_link,
	.unlink = op_unlink,
	.rmdir = op_rmdir,
	.rename = op_rename,
	.create = op_create,
	.open = op_open,
	.release = op_release,
	.read = op_read,
	.write = op_write,
	.fsync = op_fsync,
	.fallocate = op_fallocate,
	.lseek = op_lseek,
	.ioctl = op_ioctl,
	.poll = op_poll,
	.opendir = op_opendir,
	.readdir = op_readdir,
	.readdirplus = op_readdirplus,
	.releasedir = op_releasedir,
	.fsyncdir = op_fsyncdir,
	.setxattr = op_setxattr,
	.getxattr = op_getxattr,
	.listxattr = op_listxattr,
	.removexattr = op_removexattr,
};

int ops_use(struct session *s, fuse_ino_t ino, struct ops_use *u)
{
	struct node *node;
	int fd;

	if (ops_is_ctl(ino))
		return -EPERM;
	fd = nodes_get(s->nodes, ino, &node);
	if (fd < 0)
		return fd;
	*u = (struct ops_use){ .nodes = s->nodes, .node = node, .fd = fd };
	return 0;
}

void ops_unuse(struct ops_use *u)
{
	if (u->node)
		node_put(u->nodes, u->node);
	*u = (struct ops_use)OPS_NO_USE;
}

struct ops_path ops_path(int fd)
{
	struct ops_path path;

	snprintf(path.text, sizeof(path.text), "/proc/self/fd/%d", fd);
	return path;
}

int ops_touching(const struct ops_use *u)
{
	struct image *img = ops_image(u);

	return img ? image_touching(img) : 0;
}

void ops_touched(const struct ops_use *u)
{
	struct image *img = ops_image(u);

	if (img)
		image_touched(img);
}

double ops_timeout(const struct session *s)
{
	return s->conf.timeout_ms / 1000.0;
}

/* All of the mount is one device: numbers of others, mounted or nested below, are moved aside. */
static void mix_device(struct session *s, struct stat *st)
{
	if (st->st_dev != nodes_root_dev(s->nodes))
		st->st_ino ^= (uint64_t)(minor(st->st_dev) * 31 + major(st->st_dev) + 1) << 40;
}

/* present: what the file just said, NULL: it has not been asked. That of an image may have been in
 * the midst of migration, and is not used. */
static int lay_over(struct session *s, const struct ops_use *u, const struct stat *present,
		    struct stat *st)
{
	struct image *img = ops_image(u);
	int r = 0;

	if (img)
		r = image_stat(img, u->fd, st);
	else if (present)
		*st = *present;
	else if (fstatat(u->fd, "", st, AT_EMPTY_PATH) < 0)
		r = -errno;
	if (r == 0)
		mix_device(s, st);
	return r;
}

int ops_stat(struct session *s, const struct ops_use *u, struct stat *st)
{
	return lay_over(s, u, NULL, st);
}

void ops_forget(struct session *s, const struct ops_use *u, int64_t off)
{
	const struct fuse_notify_inval_inode_out what = {
		.ino = atomic_load(&u->node->id),
		.off = off,
	};

	(void)transport_notify(s->transport, FUSE_NOTIFY_INVAL_INODE, &what, sizeof(what));
}

void ops_check_version(struct session *s, const struct ops_use *u)
{
	struct image *img = ops_image(u);
	uint64_t version, old;

	if (!img)
		return;
	version = image_version(img) + 1;
	old = atomic_exchange(&u->node->version, version);
	if (old && old != version)
		ops_forget(s, u, 0);
}

int ops_enter_fd(struct session *s, const struct ops_use *parent, const char *name, int fd,
		 const struct stat *st, struct fuse_entry_param *e, struct ops_use *u)
{
	struct node *node;
	int error = nodes_enter(s->nodes, parent->node, name, fd, st, &node);

	if (error)
		return error;
	memset(e, 0, sizeof(*e));
	e->ino = atomic_load(&node->id);
	e->attr_timeout = ops_timeout(s);
	e->entry_timeout = ops_timeout(s);
	error = ops_use(s, e->ino, u);
	if (!error)
		error = lay_over(s, u, st, &e->attr);
	if (error)
		nodes_forget(s->nodes, e->ino, 1);
	return error;
}

int ops_enter(struct session *s, const struct ops_use *parent, const char *name,
	      struct fuse_entry_param *e, struct ops_use *u)
{
	struct stat st;
	int fd = nodes_open_at(s->nodes, parent->fd, name, &st);

	return fd < 0 ? fd : ops_enter_fd(s, parent, name, fd, &st, e, u);
}

void ops_reply_entry(fuse_req_t req, int error, const struct fuse_entry_param *e)
{
	struct session *s = ops_session(req);

	if (error)
		ops_reply(req, error);
	else if (fuse_reply_entry(req, e) < 0)
		nodes_forget(s->nodes, e->ino, 1);
}

bool ops_is_hidden(struct session *s, const struct ops_use *parent, const char *name)
{
	if (parent->node != nodes_root(s->nodes))
		return false;
	if (s->conf.ctl && strcmp(name, CTL_NAME) == 0)
		return true;
	return imagedir_is_private(s->conf.images, parent->fd, name);
}

int ops_name_allowed(struct session *s, const struct ops_use *parent, const char *name)
{
	return ops_is_hidden(s, parent, name) ? -EPERM : 0;
}
