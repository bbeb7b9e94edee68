// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The control tree as files. They have no size and bypass the page cache; one write(2) is one
 * value; truncation and times are taken and ignored, so that `>` and touch work.
 */
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "common/cleanup.h"
#include "lcfs/ctl/ctlfs.h"
#include "lcfs/fuse/meta.h"
#include "lcfs/fuse/ops.h"

static uint64_t node_of(fuse_ino_t ino)
{
	return ino & ~CTL_INO;
}

static void to_stat(const struct ctl_attr *attr, struct stat *st)
{
	*st = (struct stat){
		.st_ino = attr->node | CTL_INO,
		.st_mode = attr->mode,
		.st_nlink = attr->nlink,
		.st_uid = attr->uid,
		.st_gid = attr->gid,
		.st_size = attr->size,
		.st_blksize = 4096,
	};
	clock_gettime(CLOCK_REALTIME, &st->st_mtim);
	st->st_atim = st->st_ctim = st->st_mtim;
}

int ctl_enter(struct session *s, fuse_ino_t parent, const char *name, struct fuse_entry_param *e)
{
	struct ctl_attr attr;
	int error;

	if (!s->conf.ctl)
		return -ENOENT;
	if (ops_is_ctl(parent))
		error = ctlfs_lookup(s->conf.ctl, node_of(parent), name, &attr);
	else
		error = ctlfs_getattr(s->conf.ctl, CTL_ROOT, &attr);
	if (error)
		return error;
	/* caches and images come and go: the kernel keeps nothing of them */
	memset(e, 0, sizeof(*e));
	e->ino = attr.node | CTL_INO;
	to_stat(&attr, &e->attr);
	return 0;
}

void ctl_getattr(fuse_req_t req, fuse_ino_t ino)
{
	struct session *s = ops_session(req);
	struct ctl_attr attr;
	struct stat st;
	int error = s->conf.ctl ? ctlfs_getattr(s->conf.ctl, node_of(ino), &attr) : -ESTALE;

	if (error) {
		ops_reply(req, error);
		return;
	}
	to_stat(&attr, &st);
	fuse_reply_attr(req, &st, 0);
}

void ctl_setattr(fuse_req_t req, fuse_ino_t ino, int set)
{
	if (set & (FUSE_SET_ATTR_MODE | FUSE_SET_ATTR_UID | FUSE_SET_ATTR_GID))
		ops_reply(req, -EPERM);
	else
		ctl_getattr(req, ino);
}

void ctl_readlink(fuse_req_t req, fuse_ino_t ino)
{
	struct session *s = ops_session(req);
	char target[PATH_MAX];
	ssize_t n = s->conf.ctl ?
			    ctlfs_readlink(s->conf.ctl, node_of(ino), target, sizeof(target) - 1) :
			    -ESTALE;

	if (n < 0) {
		ops_reply(req, (int)n);
		return;
	}
	target[n] = 0;
	fuse_reply_readlink(req, target);
}

void ctl_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct session *s = ops_session(req);
	struct ctl_file *f = NULL;
	int error = s->conf.ctl ? ctlfs_open(s->conf.ctl, node_of(ino), fi->flags, &f) : -ESTALE;

	if (!error)
		error = handle_add(&s->handles, HANDLE_CTL, f, &fi->fh);
	if (error) {
		if (f)
			ctlfs_release(f);
		ops_reply(req, error);
		return;
	}
	fi->direct_io = 1;
	if (fuse_reply_open(req, fi) < 0)
		ctlfs_release(handle_remove(&s->handles, HANDLE_CTL, fi->fh));
}

void ctl_release(fuse_req_t req, struct fuse_file_info *fi)
{
	struct ctl_file *f = handle_remove(&ops_session(req)->handles, HANDLE_CTL, fi->fh);

	if (f)
		ctlfs_release(f);
	ops_reply(req, 0);
}

void ctl_read(fuse_req_t req, size_t size, off_t off, struct fuse_file_info *fi)
{
	struct ctl_file *f = handle_find(&ops_session(req)->handles, HANDLE_CTL, fi->fh);
	CLEANUP_FREE char *buf = NULL;
	ssize_t n = -EBADF;

	if (size > OPS_REPLY_MAX)
		size = OPS_REPLY_MAX;
	if (f) {
		buf = malloc(size ? size : 1);
		n = buf ? ctlfs_read(f, buf, size, (uint64_t)off) : -ENOMEM;
	}
	if (n < 0)
		ops_reply(req, (int)n);
	else
		fuse_reply_buf(req, buf, (size_t)n);
}

void ctl_write(fuse_req_t req, const char *data, size_t size, struct fuse_file_info *fi)
{
	struct ctl_file *f = handle_find(&ops_session(req)->handles, HANDLE_CTL, fi->fh);
	ssize_t n = f ? ctlfs_write(f, data, size) : -EBADF;

	if (n < 0)
		ops_reply(req, (int)n);
	else
		fuse_reply_write(req, (size_t)n);
}

/* As sysfs: a change is an exceptional condition. */
void ctl_poll(fuse_req_t req, struct fuse_file_info *fi)
{
	struct ctl_file *f = handle_find(&ops_session(req)->handles, HANDLE_CTL, fi->fh);
	bool is_changed = false;
	uint64_t handle;
	int error = -EBADF;

	if (f)
		error = ctlfs_poll(f, meta_poll_handle(&handle) ? &handle : NULL, &is_changed);
	if (error)
		ops_reply(req, error);
	else
		fuse_reply_poll(req, POLLIN | POLLRDNORM | POLLOUT | POLLWRNORM |
					     (is_changed ? POLLPRI | POLLERR : 0u));
}

static void wake(void *ctx, uint64_t handle)
{
	const struct session *s = ctx;
	const struct fuse_notify_poll_wakeup_out out = { .kh = handle };

	/* fails when the file was closed meanwhile, or all of the mount */
	(void)transport_notify(s->transport, FUSE_NOTIFY_POLL, &out, sizeof(out));
}

void ctl_start(struct session *s)
{
	if (s->conf.ctl)
		ctlfs_set_wake(s->conf.ctl, wake, s);
}

/* A reply in the making: entries from the position `off` on. */
struct ctl_listing {
	fuse_req_t req;
	bool is_plus;
	char *buf;
	size_t size, used;
	off_t off, position; /* of the next entry */
};

/*
 * Nothing is looked up, with attributes or without: the kernel asks if someone wants to know.
 * False: it does not fit.
 */
static bool add(struct ctl_listing *l, const char *name, uint64_t node, mode_t type)
{
	const struct stat st = { .st_ino = node | CTL_INO, .st_mode = type };
	const struct fuse_entry_param e = { .attr = st };
	char *at = l->buf + l->used;
	size_t room = l->size - l->used;
	size_t n;

	if (l->position++ < l->off)
		return true;
	if (l->is_plus)
		n = fuse_add_direntry_plus(l->req, at, room, name, &e, l->position);
	else
		n = fuse_add_direntry(l->req, at, room, name, &st, l->position);
	if (n > room)
		return false;
	l->used += n;
	return true;
}

static mode_t type_of(enum ctl_type type)
{
	switch (type) {
	case CTL_DIR:
		return S_IFDIR;
	case CTL_FILE:
		return S_IFREG;
	case CTL_LINK:
		return S_IFLNK;
	}
	return 0;
}

/*
 * The cookie of an entry is its position: what appears or goes meanwhile may be missed, as in
 * /proc.
 */
void ctl_readdir(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off, bool is_plus)
{
	struct session *s = ops_session(req);
	CLEANUP_FREE struct ctl_entry *entries = NULL;
	CLEANUP_FREE char *buf = NULL;
	struct ctl_listing l = { .req = req, .is_plus = is_plus, .off = off };
	size_t nr = 0;
	bool fits;
	int error = s->conf.ctl ? ctlfs_list(s->conf.ctl, node_of(ino), &entries, &nr) : -ESTALE;

	l.size = size < OPS_REPLY_MAX ? size : OPS_REPLY_MAX;
	if (!error) {
		l.buf = buf = malloc(l.size ? l.size : 1);
		error = buf ? 0 : -ENOMEM;
	}
	if (error) {
		ops_reply(req, error);
		return;
	}
	fits = add(&l, ".", node_of(ino), S_IFDIR) && add(&l, "..", node_of(ino), S_IFDIR);
	for (size_t i = 0; i < nr && fits; i++)
		fits = add(&l, entries[i].name, entries[i].node, type_of(entries[i].type));
	fuse_reply_buf(req, buf, l.used);
}

void ctl_close(struct session *s)
{
	struct ctl_file *f;

	if (s->conf.ctl)
		ctlfs_set_wake(s->conf.ctl, NULL, NULL);
	while ((f = handle_remove_any(&s->handles, HANDLE_CTL)) != NULL)
		ctlfs_release(f);
}
