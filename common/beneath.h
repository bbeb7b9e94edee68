/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Opening by a path that somebody else wrote: a log, a table, a directory of others.
 *
 * The walk never leaves the directory where it begins, neither by `..` nor by an absolute path, and
 * goes through no symlink and no magic link, whatever is renamed meanwhile.
 */
#ifndef COMMON_BENEATH_H
#define COMMON_BENEATH_H

#include "common/compiler.h"

/*
 * open(2) of path below dirfd; "" is dirfd's own directory. flags with O_CLOEXEC added, and without
 * O_CREAT. A descriptor, or -errno: -EXDEV if the path leads out, -ELOOP or -ENOTDIR if there is a
 * symlink on the way. A symlink at the end is opened with O_PATH and O_NOFOLLOW only.
 */
int beneath_open(int dirfd, const char *path, int flags) must_check;

/*
 * The same without openat2(2), which kernels before 5.6 do not have and some containers do not
 * allow: step by step. It refuses every `..`, even one that stays inside.
 */
int beneath_walk(int dirfd, const char *path, int flags) must_check;

#endif
