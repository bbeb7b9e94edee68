/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Finding a cache by its name: a path, or UUID=… or LABEL=… of one on a block device. */
#ifndef LCFS_CACHEFIND_H
#define LCFS_CACHEFIND_H

#include <stddef.h>

#include "common/compiler.h"

/*
 * *path is the caller's to free(). A path comes back as it is, whatever is there. For UUID= and
 * LABEL= all block devices are looked at: -ENOENT if none has it, -ENOTUNIQ if several have,
 * -EINVAL if it is no UUID; with one line in text (size bytes).
 */
int cachefind(const char *name, char **path, char *text, size_t size) must_check;

#endif
