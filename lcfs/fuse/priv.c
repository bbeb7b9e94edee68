// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What a write takes away: set-user-id, set-group-id (of a file with group execute),
 * security.capability.
 *
 * With HANDLE_KILLPRIV_V2 this is the filesystem's work. node->priv says what there may be: it is
 * set after such a thing was given to the file, and cleared before a look at the file, so that of
 * two that meet, one sees the other.
 */
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#include "lcfs/fuse/ops.h"

#define CAPS_XATTR "security.capability"

static bool has_suid(mode_t mode)
{
	return (mode & S_ISUID) || (mode & (S_ISGID | S_IXGRP)) == (S_ISGID | S_IXGRP);
}

static mode_t without_suid(mode_t mode)
{
	mode &= ~(mode_t)S_ISUID;
	if (mode & S_IXGRP)
		mode &= ~(mode_t)S_ISGID;
	return mode & 07777;
}

static int drop(const struct ops_use *u, bool mode, mode_t new_mode, bool caps)
{
	struct ops_path path = ops_path(u->fd);
	int error = ops_touching(u);

	if (error)
		return error;
	if (mode && chmod(path.text, new_mode) < 0)
		error = -errno;
	if (!error && caps && removexattr(path.text, CAPS_XATTR) < 0 && errno != ENODATA)
		error = -errno;
	ops_touched(u);
	return error;
}

/* Looks, and leaves in node->priv what it found. */
static uint32_t look(const struct ops_use *u, struct stat *st)
{
	struct ops_path path = ops_path(u->fd);
	uint32_t found = 0;

	atomic_store(&u->node->priv, 0);
	if (fstatat(u->fd, "", st, AT_EMPTY_PATH) < 0) {
		found = NODE_PRIV_SUID | NODE_PRIV_CAPS;
		st->st_mode = 0;
	} else if (has_suid(st->st_mode))
		found |= NODE_PRIV_SUID;
	if (getxattr(path.text, CAPS_XATTR, NULL, 0) >= 0)
		found |= NODE_PRIV_CAPS;
	atomic_fetch_or(&u->node->priv, found);
	return found;
}

void priv_look(const struct ops_use *u)
{
	struct stat st;

	look(u, &st);
}

int priv_kill(const struct ops_use *u, bool kill_suid)
{
	struct stat st;
	uint32_t found;
	int error;

	if (atomic_load(&u->node->priv) == 0)
		return 0;
	found = look(u, &st);
	if (!kill_suid)
		found &= ~(uint32_t)NODE_PRIV_SUID;
	if (!found)
		return 0;
	error = drop(u, found & NODE_PRIV_SUID, without_suid(st.st_mode), found & NODE_PRIV_CAPS);
	if (!error)
		look(u, &st);
	return error;
}
