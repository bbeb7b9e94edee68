// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Extended attributes, ACLs among them: they pass through, but for lcfs's own, which are hidden.
 * The calls take a path, since an O_PATH descriptor is not enough for fsetxattr(2) and its like.
 */
#include <linux/limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#include "common/cleanup.h"
#include "lcfs/fuse/meta.h"
#include "lcfs/fuse/ops.h"

static bool is_acl(const char *name)
{
	return strncmp(name, "system.posix_acl_", strlen("system.posix_acl_")) == 0;
}

/*
 * What the kernel knows of the caller and the backing filesystem does not: an ACL set by one
 * outside of the file's group takes set-group-id away.
 */
static int drop_sgid(const struct ops_use *u)
{
	struct ops_path path = ops_path(u->fd);
	struct stat st;

	if (stat(path.text, &st) < 0)
		return -errno;
	if (!(st.st_mode & S_ISGID))
		return 0;
	return chmod(path.text, st.st_mode & 07777 & ~(mode_t)S_ISGID) < 0 ? -errno : 0;
}

static int set_value(const struct ops_use *u, const char *name, const char *value, size_t size,
		     int flags)
{
	struct ops_path path = ops_path(u->fd);

	if (setxattr(path.text, name, value, size, flags) < 0)
		return -errno;
	if (strcmp(name, "security.capability") == 0)
		atomic_fetch_or(&u->node->priv, NODE_PRIV_CAPS);
	if (meta_setxattr_flags() & FUSE_SETXATTR_ACL_KILL_SGID)
		return drop_sgid(u);
	return 0;
}

void op_setxattr(fuse_req_t req, fuse_ino_t ino, const char *name, const char *value, size_t size,
		 int flags)
{
	OPS_USE u = OPS_NO_USE;
	int error = image_xattr_is_private(name) ? -EPERM : ops_use(ops_session(req), ino, &u);

	if (!error)
		error = ops_touching(&u);
	if (!error) {
		error = set_value(&u, name, value, size, flags);
		ops_touched(&u);
	}
	ops_reply(req, error);
}

void op_removexattr(fuse_req_t req, fuse_ino_t ino, const char *name)
{
	OPS_USE u = OPS_NO_USE;
	int error = image_xattr_is_private(name) ? -EPERM : ops_use(ops_session(req), ino, &u);

	if (!error)
		error = ops_touching(&u);
	if (!error) {
		struct ops_path path = ops_path(u.fd);

		if (removexattr(path.text, name) < 0)
			error = -errno;
		ops_touched(&u);
	}
	ops_reply(req, error);
}

/* n bytes at buf, or only how many they are if the caller has room for none. */
static void reply_bytes(fuse_req_t req, const char *buf, ssize_t n, size_t room)
{
	if (n < 0)
		ops_reply(req, (int)n);
	else if (room == 0)
		fuse_reply_xattr(req, (size_t)n);
	else if ((size_t)n > room)
		ops_reply(req, -ERANGE);
	else
		fuse_reply_buf(req, buf, (size_t)n);
}

static ssize_t get(const struct ops_use *u, const char *name, char *buf, size_t size)
{
	struct ops_path path = ops_path(u->fd);
	ssize_t n = getxattr(path.text, name, buf, size);

	if (n >= 0)
		return n;
	/* The kernel asks for ACLs itself, and takes any other error for its own. */
	if (errno == EOPNOTSUPP && is_acl(name))
		return -ENODATA;
	return -errno;
}

void op_getxattr(fuse_req_t req, fuse_ino_t ino, const char *name, size_t size)
{
	OPS_USE u = OPS_NO_USE;
	CLEANUP_FREE char *buf = NULL;
	int error = ops_is_ctl(ino) ? -ENODATA : ops_use(ops_session(req), ino, &u);

	if (!error && image_xattr_is_private(name))
		error = -ENODATA;
	if (size > XATTR_SIZE_MAX)
		size = XATTR_SIZE_MAX;
	if (!error && size) {
		buf = malloc(size);
		error = buf ? 0 : -ENOMEM;
	}
	reply_bytes(req, buf, error ? error : get(&u, name, buf, size), size);
}

/* All names but lcfs's own, in a buffer of XATTR_LIST_MAX bytes. Their length, or -errno. */
static ssize_t list(const struct ops_use *u, char *buf)
{
	struct ops_path path = ops_path(u->fd);
	ssize_t n = listxattr(path.text, buf, XATTR_LIST_MAX);
	ssize_t at = 0;

	if (n < 0)
		return -errno;
	while (at < n) {
		size_t len = strlen(buf + at) + 1;

		if (image_xattr_is_private(buf + at)) {
			memmove(buf + at, buf + at + len, (size_t)n - (size_t)at - len);
			n -= (ssize_t)len;
		} else
			at += (ssize_t)len;
	}
	return n;
}

void op_listxattr(fuse_req_t req, fuse_ino_t ino, size_t size)
{
	OPS_USE u = OPS_NO_USE;
	CLEANUP_FREE char *buf = NULL;
	int error;

	if (ops_is_ctl(ino)) {
		reply_bytes(req, NULL, 0, size);
		return;
	}
	error = ops_use(ops_session(req), ino, &u);
	if (!error) {
		buf = malloc(XATTR_LIST_MAX);
		error = buf ? 0 : -ENOMEM;
	}
	reply_bytes(req, buf, error ? error : list(&u, buf), size);
}
