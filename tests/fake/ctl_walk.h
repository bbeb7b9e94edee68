/* SPDX-License-Identifier: GPL-2.0-or-later */
/* For tests of lcfs/ctl/: a tree over the stub, and files of it by path. What is not told to fail
 * and fails ends the test. */
#ifndef TESTS_FAKE_CTL_WALK_H
#define TESTS_FAKE_CTL_WALK_H

#include <stddef.h>
#include <sys/types.h>

#include "lcfs/ctl/ctlfs.h"

extern struct ctlfs *tree;

/* What tree_setup() makes it of; valid until the next call. */
const struct ctlfs_conf *tree_conf(void);
/* Fixtures; the second looks that nothing is held any more. */
void tree_setup(void);
void tree_teardown(void);

/* The node at path ("" is the root): 0 or -errno. */
int tree_find(const char *path, struct ctl_attr *attr);
struct ctl_file *tree_open(const char *path, int flags);
/* The whole text, in pieces of so many bytes; to be freed. */
char *tree_read(const char *path, size_t piece);
void assert_reads(const char *path, const char *text);
/* What ctlfs_write() answers. */
ssize_t tree_write(const char *path, const char *data, size_t len);
ssize_t echo(const char *path, const char *text);

#endif
