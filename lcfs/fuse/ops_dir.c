// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Directories. Cookies are the backing filesystem's own, so that any stream can go on from any of
 * them. lcfs's own names are left out; `.lcctl`, where it is to be listed, travels with the first
 * entry of the directory and has its cookie, so that no position of its own is needed.
 */
#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "common/mutex.h"
#include "lcfs/fuse/ops.h"
#include "lcfs/fuse/ranks.h"

#define CHUNK (32u << 10)

/* What getdents64(2) gives. */
struct dirent_raw {
	uint64_t d_ino;
	int64_t d_off;
	unsigned short d_reclen;
	unsigned char d_type;
	char d_name[];
};

struct dir {
	struct mutex lock; /* of all below but fd */
	int fd;		   /* const */
	off_t next;	   /* cookie of what stands at `at`, or is to be read */
	size_t at, end;	   /* in chunk */
	_Alignas(8) char chunk[CHUNK];
};

/* A reply in the making. */
struct listing {
	fuse_req_t req;
	struct session *s;
	struct ops_use u;
	bool is_plus;
	char *buf;
	size_t size, used;
};

static int open_dir(struct ops_use *u)
{
	int fd = openat(u->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

static void dir_close(struct dir *d)
{
	if (d->fd >= 0)
		close(d->fd);
	mutex_destroy(&d->lock);
	free(d);
}

void op_opendir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct session *s = ops_session(req);
	OPS_USE u = OPS_NO_USE;
	struct dir *d;
	int error;

	if (ops_is_ctl(ino)) {
		fi->fh = 0;
		fuse_reply_open(req, fi);
		return;
	}
	error = ops_use(s, ino, &u);
	if (error) {
		ops_reply(req, error);
		return;
	}
	d = malloc(sizeof(*d));
	if (!d) {
		ops_reply(req, -ENOMEM);
		return;
	}
	d->next = 0;
	d->at = d->end = 0;
	d->fd = open_dir(&u);
	if (nodes_make_room(s->nodes, d->fd))
		d->fd = open_dir(&u);
	mutex_init(&d->lock, RANK_HANDLE_DIR, "directory");
	error = d->fd < 0 ? d->fd : handle_add(&s->handles, HANDLE_DIR, d, &fi->fh);
	if (error) {
		dir_close(d);
		ops_reply(req, error);
		return;
	}
	fuse_reply_open(req, fi);
}

/* The next entry, or NULL at the end; *error on error. */
static const struct dirent_raw *dir_next_locked(struct dir *d, int *error)
{
	long n;

	*error = 0;
	if (d->at < d->end)
		return (const void *)(d->chunk + d->at);
	n = syscall(SYS_getdents64, d->fd, d->chunk, sizeof(d->chunk));
	if (n < 0)
		*error = -errno;
	d->at = 0;
	d->end = n > 0 ? (size_t)n : 0;
	return n > 0 ? (const void *)d->chunk : NULL;
}

static void dir_advance_locked(struct dir *d, const struct dirent_raw *e)
{
	d->next = e->d_off;
	d->at += e->d_reclen;
}

static int dir_seek_locked(struct dir *d, off_t off)
{
	if (off == d->next)
		return 0;
	d->at = d->end = 0;
	if (lseek(d->fd, off, SEEK_SET) < 0) {
		d->next = -1;
		return -errno;
	}
	d->next = off;
	return 0;
}

static bool is_dots(const char *name)
{
	return name[0] == '.' && (name[1] == 0 || (name[1] == '.' && name[2] == 0));
}

/* Adds a name alone. False: it does not fit. */
static bool add_plain(struct listing *l, const char *name, const struct stat *st, off_t cookie)
{
	size_t n = fuse_add_direntry(l->req, l->buf + l->used, l->size - l->used, name, st, cookie);

	if (n > l->size - l->used)
		return false;
	l->used += n;
	return true;
}

/* Adds a name with its attributes: a lookup. */
static bool add_plus(struct listing *l, const char *name, const struct stat *st, off_t cookie)
{
	struct fuse_entry_param e = { 0 };
	OPS_USE u = OPS_NO_USE;
	size_t room = l->size - l->used;
	size_t n;

	if (fuse_add_direntry_plus(l->req, NULL, 0, name, NULL, 0) > room)
		return false;
	/* What cannot be looked up is listed all the same; its number is 0. */
	if (is_dots(name) || ops_enter(l->s, &l->u, name, &e, &u)) {
		memset(&e, 0, sizeof(e));
		e.attr = *st;
	}
	n = fuse_add_direntry_plus(l->req, l->buf + l->used, room, name, &e, cookie);
	l->used += n;
	return true;
}

static bool add(struct listing *l, const char *name, const struct stat *st, off_t cookie)
{
	return l->is_plus ? add_plus(l, name, st, cookie) : add_plain(l, name, st, cookie);
}

static bool add_ctl(struct listing *l, off_t cookie)
{
	const struct stat st = { .st_ino = CTL_INO, .st_mode = S_IFDIR };

	if (!l->s->conf.ctl || !l->s->conf.ctl_visible || l->u.node != nodes_root(l->s->nodes))
		return true;
	/* Not looked up: the kernel asks if someone wants to know. */
	if (l->is_plus) {
		struct fuse_entry_param e = { .attr = st };
		size_t room = l->size - l->used;
		size_t n = fuse_add_direntry_plus(l->req, l->buf + l->used, room, CTL_NAME, &e,
						  cookie);

		if (n <= room)
			l->used += n;
		return n <= room;
	}
	return add_plain(l, CTL_NAME, &st, cookie);
}

static int fill_locked(struct listing *l, struct dir *d, off_t off)
{
	const struct dirent_raw *e;
	int error = dir_seek_locked(d, off);

	if (error)
		return error;
	while ((e = dir_next_locked(d, &error)) != NULL) {
		const struct stat st = {
			.st_ino = e->d_ino,
			.st_mode = (mode_t)e->d_type << 12,
		};
		bool is_first = d->next == 0;

		if (!ops_is_hidden(l->s, &l->u, e->d_name)) {
			if (!add(l, e->d_name, &st, e->d_off))
				break;
			if (is_first && !add_ctl(l, e->d_off))
				break;
		}
		dir_advance_locked(d, e);
	}
	return l->used ? 0 : error;
}

/* What was looked up for a reply that did not arrive. */
static void undo_plus(struct listing *l)
{
	size_t at = 0;

	while (at + sizeof(struct fuse_direntplus) <= l->used) {
		const struct fuse_direntplus *p = (const void *)(l->buf + at);

		if (p->entry_out.nodeid)
			nodes_forget(l->s->nodes, p->entry_out.nodeid, 1);
		at += FUSE_DIRENTPLUS_SIZE(p);
	}
}

static void list_dir(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off, uint64_t fh,
		     bool is_plus)
{
	struct session *s = ops_session(req);
	struct listing l = { .req = req, .s = s, .is_plus = is_plus, .u = OPS_NO_USE };
	struct dir *d = handle_find(&s->handles, HANDLE_DIR, fh);
	int error;

	if (!d) {
		ops_reply(req, -EBADF);
		return;
	}
	l.size = size < OPS_REPLY_MAX ? size : OPS_REPLY_MAX;
	l.buf = malloc(l.size ? l.size : 1);
	error = l.buf ? ops_use(s, ino, &l.u) : -ENOMEM;
	if (!error) {
		mutex_lock(&d->lock);
		error = fill_locked(&l, d, off);
		mutex_unlock(&d->lock);
	}
	if (error)
		ops_reply(req, error);
	else if (fuse_reply_buf(req, l.buf, l.used) < 0 && is_plus)
		undo_plus(&l);
	ops_unuse(&l.u);
	free(l.buf);
}

void op_readdir(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off, struct fuse_file_info *fi)
{
	if (ops_is_ctl(ino))
		ctl_readdir(req, ino, size, off, false);
	else
		list_dir(req, ino, size, off, fi->fh, false);
}

void op_readdirplus(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off,
		    struct fuse_file_info *fi)
{
	if (ops_is_ctl(ino))
		ctl_readdir(req, ino, size, off, true);
	else
		list_dir(req, ino, size, off, fi->fh, true);
}

void op_releasedir(fuse_req_t req, fuse_ino_t ino unused_, struct fuse_file_info *fi)
{
	struct dir *d = handle_remove(&ops_session(req)->handles, HANDLE_DIR, fi->fh);

	if (d)
		dir_close(d);
	ops_reply(req, 0);
}

void op_fsyncdir(fuse_req_t req, fuse_ino_t ino, int datasync unused_, struct fuse_file_info *fi)
{
	struct session *s = ops_session(req);
	struct dir *d = handle_find(&s->handles, HANDLE_DIR, fi->fh);

	if (ops_is_ctl(ino))
		ops_reply(req, 0);
	else
		ops_reply(req, d ? imagedir_sync_dir(s->conf.images, d->fd) : -EBADF);
}

void dirs_close(struct session *s)
{
	struct dir *d;

	while ((d = handle_remove_any(&s->handles, HANDLE_DIR)) != NULL)
		dir_close(d);
}
