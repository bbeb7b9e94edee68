/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Names below the backing directory.
 *
 * lcfs may be mounted over its own backing directory, so nothing is ever resolved by an absolute
 * path: every walk starts at a descriptor of the directory below the mount and stays beneath it,
 * without symlinks. A path is relative to that directory, without leading or trailing slash; the
 * directory itself is "".
 */
#ifndef LCFS_IMAGE_PATHNAME_H
#define LCFS_IMAGE_PATHNAME_H

#include <stdbool.h>
#include <stdint.h>

#include "common/compiler.h"
#include "lcfs/ondisk/op_format.h"

#define PATHNAME_BYTES (OP_PATH_MAX + 1u)

/* An absolute path that leads to what is open at fd, whatever its name: for system calls without
 * AT_EMPTY_PATH. */
#define PATHNAME_LINK_BYTES 32
void pathname_magic_link(int fd, char *link);

/* beneath_open() of a path in a log, a table or /proc. lcfs's own files are -ENOENT. */
int pathname_open(int dirfd, const char *path, int flags) must_check;
/*
 * The regular file of that name, O_PATH or opened with flags; nothing else is so much as opened,
 * since that alone may wait or do something. -ENOENT: there is no such file.
 */
int pathname_open_file(int dirfd, const char *path, int flags) must_check;
/* A new open file description of the file or directory behind fd, which may be O_PATH. Or -errno.
 */
int pathname_reopen(int fd, int flags) must_check;
/*
 * Where the file or directory open at fd is now: path has PATHNAME_BYTES. -ENOENT: not below dirfd
 * (any more), -ENAMETOOLONG. The answer was verified, and may be out of date as soon as it is
 * given.
 */
int pathname_of_fd(int dirfd, int fd, char *path) must_check;
/* Has the file or directory open at fd been moved to where it is not below dirfd? False, too, where
 * its name is not known, since that one was removed. */
bool pathname_is_outside(int dirfd, int fd);
/* The same as the kernel last knew it, whether that is so or not: never waits for the store. */
int pathname_said_of_fd(int dirfd, int fd, char *path) must_check;
/* path = that of the directory open at parentfd, and name. */
int pathname_of_entry(int dirfd, int parentfd, const char *name, char *path) must_check;
/*
 * Makes durable that path can be reached: fsync of each directory from its parent up to dirfd.
 * Where one of them is not there any more, the whole filesystem is synced instead.
 */
int pathname_sync_parents(int dirfd, const char *path) must_check;
/* fsync of the directory open at fd (O_PATH is enough); of one that is removed: of its filesystem.
 */
int pathname_sync_dir(int fd) must_check;

#endif
