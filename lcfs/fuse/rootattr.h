/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The attributes of the root, from a store that may hang or fail. The kernel asks for them on every
 * way into the mount, the one to the control tree included: so what was last seen is the answer
 * where the store gives none in time.
 */
#ifndef LCFS_FUSE_ROOTATTR_H
#define LCFS_FUSE_ROOTATTR_H

#include <sys/stat.h>

#include "common/compiler.h"

struct rootattr;

struct nodes;

/* They stay, and outlive it. 0 or -errno. */
int rootattr_start(struct rootattr **out, struct nodes *nodes) must_check;
/* Any thread; waits a second at most. */
void rootattr_get(struct rootattr *r, struct stat *st);
/* Waits for the store. NULL is allowed. */
void rootattr_stop(struct rootattr *r);

#endif
