// SPDX-License-Identifier: GPL-2.0-or-later
/* Operations on names and attributes that change no name. */
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "lcfs/fuse/ops.h"
#include "lcfs/fuse/rootattr.h"

void op_lookup(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	struct session *s = ops_session(req);
	struct fuse_entry_param e;
	OPS_USE p = OPS_NO_USE;
	OPS_USE u = OPS_NO_USE;
	int error;

	if (ops_is_ctl(parent)) {
		ops_reply_entry(req, ctl_enter(s, parent, name, &e), &e);
		return;
	}
	error = ops_use(s, parent, &p);
	if (!error && ops_is_hidden(s, &p, name)) {
		error = -ENOENT;
		if (s->conf.ctl && strcmp(name, CTL_NAME) == 0)
			error = ctl_enter(s, parent, name, &e);
	} else if (!error)
		error = ops_enter(s, &p, name, &e, &u);
	ops_reply_entry(req, error, &e);
	if (u.node)
		ops_check_version(s, &u);
}

void op_getattr(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi unused_)
{
	struct session *s = ops_session(req);
	OPS_USE u = OPS_NO_USE;
	struct stat st;
	int error;

	if (ops_is_ctl(ino)) {
		ctl_getattr(req, ino);
		return;
	}
	if (ino == FUSE_ROOT_ID) {
		rootattr_get(s->rootattr, &st);
		fuse_reply_attr(req, &st, ops_timeout(s));
		return;
	}
	error = ops_use(s, ino, &u);
	if (!error)
		error = ops_stat(s, &u, &st);
	if (error) {
		ops_reply(req, error);
		return;
	}
	fuse_reply_attr(req, &st, ops_timeout(s));
	ops_check_version(s, &u);
}

static int change_owner(const struct ops_use *u, const struct stat *attr, int set)
{
	uid_t uid = set & FUSE_SET_ATTR_UID ? attr->st_uid : (uid_t)-1;
	gid_t gid = set & FUSE_SET_ATTR_GID ? attr->st_gid : (gid_t)-1;

	if (fchownat(u->fd, "", uid, gid, AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	return 0;
}

static int change_mode(const struct ops_use *u, mode_t mode)
{
	struct ops_path path = ops_path(u->fd);

	if (chmod(path.text, mode & 07777) < 0)
		return -errno;
	if (mode & (S_ISUID | S_ISGID))
		atomic_fetch_or(&u->node->priv, NODE_PRIV_SUID);
	return 0;
}

/* What changes the backing inode past the image. */
static int change_inode(const struct ops_use *u, const struct stat *attr, int set)
{
	int error = ops_touching(u);

	if (error)
		return error;
	if (set & (FUSE_SET_ATTR_UID | FUSE_SET_ATTR_GID))
		error = change_owner(u, attr, set);
	if (!error && (set & FUSE_SET_ATTR_MODE))
		error = change_mode(u, attr->st_mode);
	ops_touched(u);
	return error;
}

static int change_size(const struct ops_use *u, off_t size, int set)
{
	struct image *img = ops_image(u);
	int error;

	if (!img)
		return u->node->type == S_IFDIR ? -EISDIR : -EINVAL;
	/* FATTR_KILL_SUIDGID has the number of what libfuse calls KILL_SUID. */
	error = priv_kill(u, set & FUSE_SET_ATTR_KILL_SUID);
	return error ? error : image_truncate(img, (uint64_t)size);
}

static struct timespec time_to_set(int set, int is_set, int is_now, struct timespec given)
{
	if (set & is_now)
		return (struct timespec){ .tv_nsec = UTIME_NOW };
	if (set & is_set)
		return given;
	return (struct timespec){ .tv_nsec = UTIME_OMIT };
}

static int change_times(const struct ops_use *u, const struct stat *attr, int set)
{
	struct image *img = ops_image(u);
	struct ops_path path = ops_path(u->fd);
	const struct timespec ts[2] = {
		time_to_set(set, FUSE_SET_ATTR_ATIME, FUSE_SET_ATTR_ATIME_NOW, attr->st_atim),
		time_to_set(set, FUSE_SET_ATTR_MTIME, FUSE_SET_ATTR_MTIME_NOW, attr->st_mtim),
	};

	if (img)
		return image_set_times(img, ts);
	return utimensat(AT_FDCWD, path.text, ts, 0) < 0 ? -errno : 0;
}

static int change(const struct ops_use *u, const struct stat *attr, int set)
{
	const int times = FUSE_SET_ATTR_ATIME | FUSE_SET_ATTR_ATIME_NOW | FUSE_SET_ATTR_MTIME |
			  FUSE_SET_ATTR_MTIME_NOW;
	int error = 0;

	if (set & (FUSE_SET_ATTR_MODE | FUSE_SET_ATTR_UID | FUSE_SET_ATTR_GID))
		error = change_inode(u, attr, set);
	if (!error && (set & FUSE_SET_ATTR_SIZE))
		error = change_size(u, attr->st_size, set);
	if (!error && (set & times))
		error = change_times(u, attr, set);
	return error;
}

void op_setattr(fuse_req_t req, fuse_ino_t ino, struct stat *attr, int set,
		struct fuse_file_info *fi unused_)
{
	struct session *s = ops_session(req);
	OPS_USE u = OPS_NO_USE;
	struct stat st;
	int error;

	if (ops_is_ctl(ino)) {
		ctl_setattr(req, ino, set);
		return;
	}
	error = ops_use(s, ino, &u);
	if (!error)
		error = change(&u, attr, set);
	if (!error)
		error = ops_stat(s, &u, &st);
	if (error)
		ops_reply(req, error);
	else
		fuse_reply_attr(req, &st, ops_timeout(s));
}

void op_readlink(fuse_req_t req, fuse_ino_t ino)
{
	struct session *s = ops_session(req);
	OPS_USE u = OPS_NO_USE;
	char target[PATH_MAX + 1];
	ssize_t n;
	int error;

	if (ops_is_ctl(ino)) {
		ctl_readlink(req, ino);
		return;
	}
	error = ops_use(s, ino, &u);
	if (error) {
		ops_reply(req, error);
		return;
	}
	n = readlinkat(u.fd, "", target, sizeof(target) - 1);
	if (n < 0) {
		ops_reply(req, -errno);
		return;
	}
	target[n] = 0;
	fuse_reply_readlink(req, target);
}

void op_statfs(fuse_req_t req, fuse_ino_t ino)
{
	struct session *s = ops_session(req);
	OPS_USE u = OPS_NO_USE;
	struct statvfs st;
	int error = ops_use(s, ops_is_ctl(ino) ? FUSE_ROOT_ID : ino, &u);

	if (!error && fstatvfs(u.fd, &st) < 0)
		error = -errno;
	if (error)
		ops_reply(req, error);
	else
		fuse_reply_statfs(req, &st);
}
