// SPDX-License-Identifier: GPL-2.0-or-later
/* Operations on names, directories and attributes. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "tests/stand/faultdir/faultdir.h"

static int enter(fuse_ino_t parent, const char *name, struct fuse_entry_param *e)
{
	int fd = openat(node_of(parent)->fd, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);

	return fd < 0 ? errno : node_enter(fd, e);
}

static void reply_entry(fuse_req_t req, fuse_ino_t parent, const char *name, int error)
{
	struct fuse_entry_param e;

	if (error == 0)
		error = enter(parent, name, &e);
	if (error)
		fuse_reply_err(req, error);
	else
		fuse_reply_entry(req, &e);
}

static void op_lookup(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	struct fuse_entry_param e = { .ino = FAULT_CTL_INO };

	if (parent == FUSE_ROOT_ID && strcmp(name, FAULT_CTL_NAME) == 0) {
		faultdir_ctl_stat(&e.attr);
		fuse_reply_entry(req, &e);
		return;
	}
	reply_entry(req, parent, name, node_fault(parent, name, FAULT_LOOKUP, NULL));
}

static void op_forget(fuse_req_t req, fuse_ino_t ino, uint64_t count)
{
	node_forget(ino, count);
	fuse_reply_none(req);
}

static void op_readlink(fuse_req_t req, fuse_ino_t ino)
{
	char target[PATH_MAX + 1];
	ssize_t n = readlinkat(node_of(ino)->fd, "", target, PATH_MAX);

	if (n < 0) {
		fuse_reply_err(req, errno);
		return;
	}
	target[n] = '\0';
	fuse_reply_readlink(req, target);
}

static void op_mknod(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode, dev_t dev)
{
	int error = node_fault(parent, name, FAULT_CREATE, NULL);

	if (error == 0 && mknodat(node_of(parent)->fd, name, mode, dev) < 0)
		error = errno;
	reply_entry(req, parent, name, error);
}

static void op_mkdir(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode)
{
	int error = node_fault(parent, name, FAULT_MKDIR, NULL);

	if (error == 0 && mkdirat(node_of(parent)->fd, name, mode) < 0)
		error = errno;
	reply_entry(req, parent, name, error);
}

static void op_symlink(fuse_req_t req, const char *target, fuse_ino_t parent, const char *name)
{
	int error = node_fault(parent, name, FAULT_SYMLINK, NULL);

	if (error == 0 && symlinkat(target, node_of(parent)->fd, name) < 0)
		error = errno;
	reply_entry(req, parent, name, error);
}

static void op_link(fuse_req_t req, fuse_ino_t ino, fuse_ino_t parent, const char *name)
{
	int error = node_fault(parent, name, FAULT_LINK, NULL);
	char link[64];

	snprintf(link, sizeof(link), "/proc/self/fd/%d", node_of(ino)->fd);
	if (error == 0 && linkat(AT_FDCWD, link, node_of(parent)->fd, name, AT_SYMLINK_FOLLOW) < 0)
		error = errno;
	reply_entry(req, parent, name, error);
}

static void op_unlink(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	int error = node_fault(parent, name, FAULT_UNLINK, NULL);

	if (error == 0 && unlinkat(node_of(parent)->fd, name, 0) < 0)
		error = errno;
	fuse_reply_err(req, error);
}

static void op_rmdir(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	int error = node_fault(parent, name, FAULT_RMDIR, NULL);

	if (error == 0 && unlinkat(node_of(parent)->fd, name, AT_REMOVEDIR) < 0)
		error = errno;
	fuse_reply_err(req, error);
}

static void op_rename(fuse_req_t req, fuse_ino_t parent, const char *name, fuse_ino_t to,
		      const char *new, unsigned int flags)
{
	int error = node_fault(parent, name, FAULT_RENAME, NULL);

	if (error == 0 &&
	    syscall(SYS_renameat2, node_of(parent)->fd, name, node_of(to)->fd, new, flags) < 0)
		error = errno;
	fuse_reply_err(req, error);
}

/* ---- directories ---- */

static void op_opendir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	int fd = -1, error = node_fault(ino, NULL, FAULT_OPEN, NULL);
	DIR *dir = NULL;

	if (error == 0) {
		fd = openat(node_of(ino)->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		dir = fd < 0 ? NULL : fdopendir(fd);
		error = dir ? 0 : errno;
	}
	if (error) {
		cleanup_fd(&fd);
		fuse_reply_err(req, error);
		return;
	}
	fi->fh = (uint64_t)(uintptr_t)dir;
	fuse_reply_open(req, fi);
}

static size_t fill(fuse_req_t req, DIR *dir, char *buf, size_t size)
{
	const struct dirent *e;
	size_t used = 0, n;

	while ((e = readdir(dir))) {
		struct stat st = { .st_ino = e->d_ino, .st_mode = (mode_t)e->d_type << 12 };

		n = fuse_add_direntry(req, buf + used, size - used, e->d_name, &st, e->d_off);
		if (n > size - used)
			break;
		used += n;
	}
	return used;
}

static void op_readdir(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off,
		       struct fuse_file_info *fi)
{
	int error = node_fault(ino, NULL, FAULT_READDIR, NULL);
	CLEANUP_FREE char *buf = malloc(size);
	DIR *dir = (DIR *)(uintptr_t)fi->fh;

	if (error || !buf) {
		fuse_reply_err(req, error ? error : ENOMEM);
		return;
	}
	seekdir(dir, off);
	fuse_reply_buf(req, buf, fill(req, dir, buf, size));
}

static void op_releasedir(fuse_req_t req, fuse_ino_t ino unused_, struct fuse_file_info *fi)
{
	closedir((DIR *)(uintptr_t)fi->fh);
	fuse_reply_err(req, 0);
}

static void op_fsyncdir(fuse_req_t req, fuse_ino_t ino, int datasync unused_,
			struct fuse_file_info *fi)
{
	int error = node_fault(ino, NULL, FAULT_FSYNCDIR, NULL);

	if (error == 0 && fsync(dirfd((DIR *)(uintptr_t)fi->fh)) < 0)
		error = errno;
	fuse_reply_err(req, error);
}

/* ---- attributes ---- */

static void link_of(fuse_ino_t ino, char link[64])
{
	snprintf(link, 64, "/proc/self/fd/%d", ino == FAULT_CTL_INO ? -1 : node_of(ino)->fd);
}

static int xattr_fault(fuse_ino_t ino, enum fault_op op)
{
	return ino == FAULT_CTL_INO ? EOPNOTSUPP : node_fault(ino, NULL, op, NULL);
}

static void op_setxattr(fuse_req_t req, fuse_ino_t ino, const char *name, const char *value,
			size_t size, int flags)
{
	int error = xattr_fault(ino, FAULT_SETXATTR);
	char link[64];

	link_of(ino, link);
	if (error == 0 && setxattr(link, name, value, size, flags) < 0)
		error = errno;
	fuse_reply_err(req, error);
}

static void op_removexattr(fuse_req_t req, fuse_ino_t ino, const char *name)
{
	int error = xattr_fault(ino, FAULT_SETXATTR);
	char link[64];

	link_of(ino, link);
	if (error == 0 && removexattr(link, name) < 0)
		error = errno;
	fuse_reply_err(req, error);
}

static void reply_xattr(fuse_req_t req, ssize_t n, const char *buf, size_t size)
{
	if (n < 0)
		fuse_reply_err(req, errno);
	else if (size)
		fuse_reply_buf(req, buf, (size_t)n);
	else
		fuse_reply_xattr(req, (size_t)n);
}

static void op_getxattr(fuse_req_t req, fuse_ino_t ino, const char *name, size_t size)
{
	int error = xattr_fault(ino, FAULT_GETXATTR);
	CLEANUP_FREE char *buf = malloc(size + 1);
	char link[64];

	link_of(ino, link);
	if (error || !buf)
		fuse_reply_err(req, error ? error : ENOMEM);
	else
		reply_xattr(req, getxattr(link, name, buf, size), buf, size);
}

static void op_listxattr(fuse_req_t req, fuse_ino_t ino, size_t size)
{
	int error = xattr_fault(ino, FAULT_GETXATTR);
	CLEANUP_FREE char *buf = malloc(size + 1);
	char link[64];

	link_of(ino, link);
	if (error || !buf)
		fuse_reply_err(req, error ? error : ENOMEM);
	else
		reply_xattr(req, listxattr(link, buf, size), buf, size);
}

static void op_statfs(fuse_req_t req, fuse_ino_t ino unused_)
{
	int error = rules_apply(FAULT_STATFS, "", NULL);
	struct statvfs st;

	if (error == 0 && fstatvfs(store.root.fd, &st) < 0)
		error = errno;
	if (error)
		fuse_reply_err(req, error);
	else
		fuse_reply_statfs(req, &st);
}

void faultdir_name_ops(struct fuse_lowlevel_ops *ops)
{
	ops->lookup = op_lookup;
	ops->forget = op_forget;
	ops->readlink = op_readlink;
	ops->mknod = op_mknod;
	ops->mkdir = op_mkdir;
	ops->symlink = op_symlink;
	ops->link = op_link;
	ops->unlink = op_unlink;
	ops->rmdir = op_rmdir;
	ops->rename = op_rename;
	ops->opendir = op_opendir;
	ops->readdir = op_readdir;
	ops->releasedir = op_releasedir;
	ops->fsyncdir = op_fsyncdir;
	ops->setxattr = op_setxattr;
	ops->removexattr = op_removexattr;
	ops->getxattr = op_getxattr;
	ops->listxattr = op_listxattr;
	ops->statfs = op_statfs;
}
