// SPDX-License-Identifier: GPL-2.0-or-later
/* Operations on open files. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "tests/stand/faultdir/faultdir.h"

static int fd_of(const struct fuse_file_info *fi)
{
	return (int)fi->fh;
}

static void reply_open(fuse_req_t req, int fd, struct fuse_file_info *fi)
{
	fi->fh = (uint64_t)fd;
	fi->direct_io = (fi->flags & O_DIRECT) != 0;
	if (fuse_reply_open(req, fi) < 0)
		close(fd);
}

static void op_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	int r;

	if (ino == FAULT_CTL_INO) {
		faultdir_ctl_open(req, fi);
		return;
	}
	r = -node_fault(ino, NULL, FAULT_OPEN, NULL);
	if (r == 0)
		r = node_open(node_of(ino), fi->flags & ~O_APPEND);
	if (r < 0)
		fuse_reply_err(req, -r);
	else
		reply_open(req, r, fi);
}

static void op_create(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode,
		      struct fuse_file_info *fi)
{
	int fd = -1, again = -1, error = node_fault(parent, name, FAULT_CREATE, NULL);
	struct fuse_entry_param e;

	if (error == 0) {
		fd = openat(node_of(parent)->fd, name,
			    (fi->flags & ~(O_NOFOLLOW | O_DIRECT | O_APPEND)) | O_CREAT | O_CLOEXEC,
			    mode);
		error = fd < 0 ? errno : 0;
	}
	if (error == 0) {
		again = openat(node_of(parent)->fd, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
		error = again < 0 ? errno : node_enter(again, &e);
	}
	if (error) {
		cleanup_fd(&fd);
		fuse_reply_err(req, error);
		return;
	}
	fi->fh = (uint64_t)fd;
	fi->direct_io = (fi->flags & O_DIRECT) != 0;
	fuse_reply_create(req, &e, fi);
}

static void op_release(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	if (ino == FAULT_CTL_INO) {
		faultdir_ctl_release(req, fi);
		return;
	}
	close(fd_of(fi));
	fuse_reply_err(req, 0);
}

static void op_read(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off,
		    struct fuse_file_info *fi)
{
	CLEANUP_FREE char *buf = NULL;
	ssize_t n;
	int error;

	if (ino == FAULT_CTL_INO) {
		faultdir_ctl_read(req, size, off, fi);
		return;
	}
	error = node_fault(ino, NULL, FAULT_READ, NULL);
	buf = malloc(size);
	if (error == 0) {
		n = buf ? pread(fd_of(fi), buf, size, off) : -1;
		error = n < 0 ? errno : 0;
	}
	if (error)
		fuse_reply_err(req, error);
	else
		fuse_reply_buf(req, buf, (size_t)n);
}

static void op_write(fuse_req_t req, fuse_ino_t ino, const char *buf, size_t size, off_t off,
		     struct fuse_file_info *fi)
{
	ssize_t n = 0;
	int error;

	if (ino == FAULT_CTL_INO) {
		faultdir_ctl_write(req, buf, size);
		return;
	}
	error = node_fault(ino, NULL, FAULT_WRITE, NULL);
	if (error == 0) {
		undo_note(&node_of(ino)->undo, fd_of(fi), (uint64_t)off, size);
		n = pwrite(fd_of(fi), buf, size, off);
		error = n < 0 ? errno : 0;
	}
	if (error)
		fuse_reply_err(req, error);
	else
		fuse_reply_write(req, (size_t)n);
}

static void op_fsync(fuse_req_t req, fuse_ino_t ino, int datasync, struct fuse_file_info *fi)
{
	struct fault_node *node = node_of(ino);
	bool lose = false;
	uint64_t mark;
	int error;

	if (ino == FAULT_CTL_INO) {
		fuse_reply_err(req, 0);
		return;
	}
	mark = undo_mark(&node->undo);
	error = node_fault(ino, NULL, FAULT_FSYNC, &lose);
	if (error == 0 && (datasync ? fdatasync(fd_of(fi)) : fsync(fd_of(fi))) < 0)
		error = errno;
	if (error == 0)
		undo_forget(&node->undo, mark);
	else if (lose)
		node_lose(ino);
	fuse_reply_err(req, error);
}

static void op_fallocate(fuse_req_t req, fuse_ino_t ino, int mode, off_t off, off_t len,
			 struct fuse_file_info *fi)
{
	int error = node_fault(ino, NULL, FAULT_FALLOCATE, NULL);

	if (error == 0) {
		undo_note(&node_of(ino)->undo, fd_of(fi), (uint64_t)off, (uint64_t)len);
		error = fallocate(fd_of(fi), mode, off, len) < 0 ? errno : 0;
	}
	fuse_reply_err(req, error == FAULT_IGNORED ? 0 : error);
}

static void op_lseek(fuse_req_t req, fuse_ino_t ino, off_t off, int whence,
		     struct fuse_file_info *fi)
{
	int error = node_fault(ino, NULL, FAULT_SEEK, NULL);
	off_t at = -1;

	if (error == 0) {
		at = lseek(fd_of(fi), off, whence);
		error = at < 0 ? errno : 0;
	}
	if (error)
		fuse_reply_err(req, error);
	else
		fuse_reply_lseek(req, at);
}

static int truncate_file(fuse_ino_t ino, off_t size)
{
	int fd, error = node_fault(ino, NULL, FAULT_TRUNCATE, NULL);

	if (error)
		return error;
	fd = node_open(node_of(ino), O_RDWR);
	if (fd < 0)
		return -fd;
	undo_note(&node_of(ino)->undo, fd, (uint64_t)size, UINT64_MAX);
	error = ftruncate(fd, size) < 0 ? errno : 0;
	close(fd);
	return error;
}

static struct timespec time_of(int set, int is_set, int is_now, struct timespec given)
{
	if (set & is_now)
		given = (struct timespec){ .tv_nsec = UTIME_NOW };
	else if (!(set & is_set))
		given = (struct timespec){ .tv_nsec = UTIME_OMIT };
	return given;
}

static int change_attr(const struct fault_node *node, const struct stat *attr, int set)
{
	const struct timespec ts[2] = {
		time_of(set, FUSE_SET_ATTR_ATIME, FUSE_SET_ATTR_ATIME_NOW, attr->st_atim),
		time_of(set, FUSE_SET_ATTR_MTIME, FUSE_SET_ATTR_MTIME_NOW, attr->st_mtim),
	};
	uid_t uid = set & FUSE_SET_ATTR_UID ? attr->st_uid : (uid_t)-1;
	gid_t gid = set & FUSE_SET_ATTR_GID ? attr->st_gid : (gid_t)-1;
	char link[64];

	snprintf(link, sizeof(link), "/proc/self/fd/%d", node->fd);
	if (set & FUSE_SET_ATTR_MODE && chmod(link, attr->st_mode & 07777) < 0)
		return errno;
	if (set & (FUSE_SET_ATTR_UID | FUSE_SET_ATTR_GID) &&
	    fchownat(node->fd, "", uid, gid, AT_EMPTY_PATH) < 0)
		return errno;
	return utimensat(AT_FDCWD, link, ts, 0) < 0 ? errno : 0;
}

static void reply_attr(fuse_req_t req, fuse_ino_t ino, int error)
{
	struct stat st;

	if (error == 0 && fstatat(node_of(ino)->fd, "", &st, AT_EMPTY_PATH) < 0)
		error = errno;
	if (error)
		fuse_reply_err(req, error);
	else
		fuse_reply_attr(req, &st, 0);
}

static void op_setattr(fuse_req_t req, fuse_ino_t ino, struct stat *attr, int set,
		       struct fuse_file_info *fi unused_)
{
	int error = 0;
	struct stat st;

	if (ino == FAULT_CTL_INO) {
		faultdir_ctl_stat(&st);
		fuse_reply_attr(req, &st, 0);
		return;
	}
	if (set & FUSE_SET_ATTR_SIZE)
		error = truncate_file(ino, attr->st_size);
	set &= ~FUSE_SET_ATTR_SIZE;
	if (error == 0 && set)
		error = node_fault(ino, NULL, FAULT_SETATTR, NULL);
	if (error == 0 && set)
		error = change_attr(node_of(ino), attr, set);
	reply_attr(req, ino, error);
}

static void op_getattr(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi unused_)
{
	struct stat st;

	if (ino == FAULT_CTL_INO) {
		faultdir_ctl_stat(&st);
		fuse_reply_attr(req, &st, 0);
		return;
	}
	reply_attr(req, ino, node_fault(ino, NULL, FAULT_GETATTR, NULL));
}

void faultdir_io_ops(struct fuse_lowlevel_ops *ops)
{
	ops->open = op_open;
	ops->create = op_create;
	ops->release = op_release;
	ops->read = op_read;
	ops->write = op_write;
	ops->fsync = op_fsync;
	ops->fallocate = op_fallocate;
	ops->lseek = op_lseek;
	ops->setattr = op_setattr;
	ops->getattr = op_getattr;
}
