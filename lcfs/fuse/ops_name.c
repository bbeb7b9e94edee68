// SPDX-License-Identifier: GPL-2.0-or-later
/* Operations that make, remove and rename. */
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lcfs/fuse/ident.h"
#include "lcfs/fuse/ops.h"

/* Holds parent, in which `name` is to be made. */
static int use_for_new(struct session *s, fuse_ino_t parent, const char *name, struct ops_use *p)
{
	int error = ops_use(s, parent, p);

	return error ? error : ops_name_allowed(s, p, name);
}

static void assume_caller(fuse_req_t req)
{
	const struct fuse_ctx *caller = fuse_req_ctx(req);

	ident_assume(caller->uid, caller->gid, caller->umask);
}

static void reply_made(fuse_req_t req, int error, const struct ops_use *parent, const char *name)
{
	struct fuse_entry_param e;
	OPS_USE u = OPS_NO_USE;

	if (!error)
		error = ops_enter(ops_session(req), parent, name, &e, &u);
	ops_reply_entry(req, error, &e);
}

void op_mknod(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode, dev_t rdev)
{
	struct session *s = ops_session(req);
	struct fuse_entry_param e;
	OPS_USE p = OPS_NO_USE;
	OPS_USE u = OPS_NO_USE;
	int error = use_for_new(s, parent, name, &p);

	if (!error) {
		assume_caller(req);
		if (mknodat(p.fd, name, mode, rdev) < 0)
			error = -errno;
		ident_restore();
	}
	if (!error)
		error = ops_enter(s, &p, name, &e, &u);
	if (!error && S_ISREG(mode) && ops_image(&u))
		image_created(ops_image(&u));
	ops_reply_entry(req, error, &e);
}

void op_mkdir(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode)
{
	OPS_USE p = OPS_NO_USE;
	int error = use_for_new(ops_session(req), parent, name, &p);

	if (!error) {
		assume_caller(req);
		if (mkdirat(p.fd, name, mode) < 0)
			error = -errno;
		ident_restore();
	}
	reply_made(req, error, &p, name);
}

void op_symlink(fuse_req_t req, const char *target, fuse_ino_t parent, const char *name)
{
	OPS_USE p = OPS_NO_USE;
	int error = use_for_new(ops_session(req), parent, name, &p);

	if (!error) {
		assume_caller(req);
		if (symlinkat(target, p.fd, name) < 0)
			error = -errno;
		ident_restore();
	}
	reply_made(req, error, &p, name);
}

void op_link(fuse_req_t req, fuse_ino_t ino, fuse_ino_t parent, const char *name)
{
	struct session *s = ops_session(req);
	OPS_USE p = OPS_NO_USE;
	OPS_USE u = OPS_NO_USE;
	int error = use_for_new(s, parent, name, &p);

	if (!error)
		error = ops_use(s, ino, &u);
	if (!error)
		error = imagedir_link(s->conf.images, u.fd, p.fd, name);
	reply_made(req, error, &p, name);
}

static void remove_name(fuse_req_t req, fuse_ino_t parent, const char *name, bool is_dir)
{
	struct session *s = ops_session(req);
	OPS_USE p = OPS_NO_USE;
	struct node *victim = NULL;
	int error = use_for_new(s, parent, name, &p);

	if (!error) {
		victim = nodes_seize(s->nodes, p.fd, name);
		if (!is_dir)
			error = imagedir_unlink(s->conf.images, p.fd, name);
		else if (unlinkat(p.fd, name, AT_REMOVEDIR) < 0)
			error = -errno;
	}
	if (victim && !error)
		node_unlinked(s->nodes, victim, p.node, name);
	if (victim)
		node_put(s->nodes, victim);
	ops_reply(req, error);
}

void op_unlink(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	remove_name(req, parent, name, false);
}

void op_rmdir(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	remove_name(req, parent, name, true);
}

struct rename_end {
	const struct ops_use *dir;
	const char *name;
	struct node *node; /* what the name leads to before, if the kernel knows it */
};

static void renamed(struct session *s, const struct rename_end *from, const struct rename_end *to,
		    unsigned int flags)
{
	/* Two names of one file: rename(2) has done nothing. */
	if (from->node && from->node == to->node)
		return;
	if (to->node && !(flags & RENAME_EXCHANGE))
		node_unlinked(s->nodes, to->node, to->dir->node, to->name);
	if (from->node)
		node_moved(s->nodes, from->node, to->dir->node, to->name);
	if (to->node && (flags & RENAME_EXCHANGE))
		node_moved(s->nodes, to->node, from->dir->node, from->name);
}

static int rename_between(struct session *s, struct rename_end *from, struct rename_end *to,
			  unsigned int flags)
{
	int error;

	from->node = nodes_seize(s->nodes, from->dir->fd, from->name);
	to->node = nodes_seize(s->nodes, to->dir->fd, to->name);
	error = imagedir_rename(s->conf.images, from->dir->fd, from->name, to->dir->fd, to->name,
				flags);
	if (!error)
		renamed(s, from, to, flags);
	if (from->node)
		node_put(s->nodes, from->node);
	if (to->node)
		node_put(s->nodes, to->node);
	return error;
}

void op_rename(fuse_req_t req, fuse_ino_t parent, const char *name, fuse_ino_t newparent,
	       const char *newname, unsigned int flags)
{
	struct session *s = ops_session(req);
	OPS_USE p = OPS_NO_USE;
	OPS_USE q = OPS_NO_USE;
	struct rename_end from = { .dir = &p, .name = name };
	struct rename_end to = { .dir = &q, .name = newname };
	int error;

	if (flags & ~(unsigned int)(RENAME_NOREPLACE | RENAME_EXCHANGE))
		error = -EINVAL;
	else
		error = use_for_new(s, parent, name, &p);
	if (!error)
		error = use_for_new(s, newparent, newname, &q);
	if (!error)
		error = rename_between(s, &from, &to, flags);
	ops_reply(req, error);
}
