/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Private to lcctl: mounts, and the files of their control trees.
 *
 * What a tree does not have (another version of lcfs) is no error: the readers say -ENOENT or
 * false, and the verbs show `-`.
 */
#ifndef LCFS_TOOLS_LCCTL_TREE_H
#define LCFS_TOOLS_LCCTL_TREE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "common/compiler.h"
#include "common/mountinfo.h"
#include "lcfs/tools/lcctl.h"

#define TREE_PATH_MAX 4096

/* A mount of lcfs. */
struct tree {
	dev_t dev;
	char where[MOUNTINFO_TEXT_MAX];
	char source[MOUNTINFO_TEXT_MAX]; /* the backing directory, unless fsname= says another */
	int fd;				 /* of .lcctl; -1: not open */
};

/* ---- finding it ---- */

struct trees {
	struct tree *list;
	size_t nr;
	bool is_short; /* of memory */
};

/* All mounts of lcfs, each filesystem once. Not opened. */
void trees_load(struct trees *t);
void trees_free(struct trees *t);

/*
 * The mount that the path is in; rest: where in it, without a slash in front. False: in none of
 * lcfs, or it cannot be looked at. Symlinks are followed. rest has TREE_PATH_MAX bytes; or NULL.
 */
bool tree_of_path(const char *path, struct tree *out, char *rest) must_check;

/* Is it the mount point of an lcfs, alive or dead? */
bool tree_is_mount(const char *path) must_check;
/*
 * The mount that --mount or path (or NULL) says, or the only one; opened. False, said: there is
 * none, or there are several.
 */
bool tree_pick(const struct lcctl *c, const char *path, struct tree *out) must_check;
/* False, said: it does not answer. */
bool tree_open(struct tree *t) must_check;
void tree_close(struct tree *t);
#define CLEANUP_TREE __attribute__((cleanup(tree_close)))

/* ---- files of it; paths below .lcctl ---- */

/* The value without its newline, cut to size - 1 bytes: its length, or -errno. */
ssize_t tree_text(const struct tree *t, char *buf, size_t size, const char *path, ...)
	printf_like(4, 5);
/* All of it, allocated; NULL: -errno is in errno. */
char *tree_all(const struct tree *t, const char *path, ...) printf_like(2, 3) must_check;
/* False: not there, or no number. */
bool tree_number(const struct tree *t, uint64_t *value, const char *path, ...) printf_like(3, 4);
/* Where a link leads, as tree_text(). */
ssize_t tree_link(const struct tree *t, char *buf, size_t size, const char *path, ...)
	printf_like(4, 5);
/* Writes the value: 0 or -errno. May take as long as what it does. */
int tree_write(const struct tree *t, const char *value, const char *path, ...)
	printf_like(3, 4) must_check;
bool tree_has(const struct tree *t, const char *path, ...) printf_like(2, 3);

/* The numbers that are directories in `caches` or `devices`, ascending; *ids is the caller's to
 * free(). False, said. */
bool tree_ids(const struct tree *t, const char *dir, uint32_t **ids, size_t *nr) must_check;
/* One line that says that the mount has no cache of this number. */
void tree_has_no_cache(const struct tree *t, uint64_t id);

/* Why a control file refused a value, in a few words. */
const char *tree_why(int err);

#endif
