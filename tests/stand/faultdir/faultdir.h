/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A directory on a store that fails on demand: what its files share.
 *
 * faultdir shows a directory as a FUSE filesystem of its own. The file .faultdir in its root, which
 * no listing shows, takes rules, one a line, and tells them with their counts:
 *
 *	OP PATTERN WHAT [after=N] [times=N] [percent=N] [delay=MS] [lose]
 *
 * OP: one of fault_op_name[], or `all`. PATTERN: as in the shell, of the path below the
 * directory; it matches / too. WHAT: the name of an error, `ok` (for the sake of the delay),
 * `ignored` (of fallocate: success, with nothing done) or `hang`, until the rule goes. The first
 * rule that fits counts. `clear` takes all rules away; `lose` gives up what was not synced, as a
 * server does that loses its power; the word in a rule for fsync does that to the file whose fsync
 * fails, as kernels do. Both need faultdir -u, which keeps what is overwritten.
 */
#ifndef TESTS_STAND_FAULTDIR_H
#define TESTS_STAND_FAULTDIR_H

#define FUSE_USE_VERSION 314

#include <fuse3/fuse_lowlevel.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "common/compiler.h"
#include "common/list.h"
#include "common/mutex.h"

enum fault_op {
	FAULT_LOOKUP,
	FAULT_GETATTR,
	FAULT_SETATTR,
	FAULT_TRUNCATE,
	FAULT_OPEN,
	FAULT_CREATE,
	FAULT_READ,
	FAULT_WRITE,
	FAULT_FSYNC,
	FAULT_FALLOCATE,
	FAULT_SEEK,
	FAULT_RENAME,
	FAULT_UNLINK,
	FAULT_LINK,
	FAULT_MKDIR,
	FAULT_RMDIR,
	FAULT_SYMLINK,
	FAULT_READDIR,
	FAULT_FSYNCDIR,
	FAULT_GETXATTR,
	FAULT_SETXATTR,
	FAULT_STATFS,
	FAULT_NR
};

extern const char *const fault_op_name[FAULT_NR];

#define FAULT_IGNORED 4096 /* no errno */

/* ---- faultdir_rules.c: any thread ---- */

#define FAULT_PATH_BYTES 4096

void rules_init(void);
/*
 * What is to become of the operation on this path: 0, or the error as a positive number. Sleeps or
 * hangs as the rule says. *lose: what is not synced is to be given up; NULL: nobody asks.
 */
int rules_apply(enum fault_op op, const char *path, bool *lose) must_check;
/* A line; false: it makes no sense. `lose` is not for here. */
bool rules_command(char *line);
/* Rules and counts, for a reader; malloced. */
char *rules_text(void);

/* ---- faultdir_undo.c ---- */

/* What was overwritten in a file since its last sync, the newest first. */
struct undo {
	struct mutex lock;
	struct list changes;
	uint64_t last; /* number of the newest */
};

void undo_init(struct undo *u);
void undo_free(struct undo *u);
/* Before [off, off + len) of the file open at fd changes, and perhaps its size. */
void undo_note(struct undo *u, int fd, uint64_t off, uint64_t len);
/* Before a sync; what it returns is for undo_forget() when that has succeeded. */
uint64_t undo_mark(struct undo *u);
void undo_forget(struct undo *u, uint64_t mark);
/* The file is as after its last sync. */
void undo_apply(struct undo *u, int fd);

/* ---- nodes: faultdir_node.c ---- */

struct fault_node {
	int fd; /* O_PATH; const */
	uint64_t dev, ino;
	uint64_t nlookup; /* store->lock */
	struct list hash; /* store->lock */
	struct undo undo;
};

struct fault_store {
	struct fuse_session *session;
	bool keeps_undo; /* const */
	struct mutex lock;
	struct list buckets[1024];
	struct fault_node root;
};

extern struct fault_store store;

/* The control file's number; nodes are known by their address, the root as always by 1. */
#define FAULT_CTL_INO UINT64_C(2)
#define FAULT_CTL_NAME ".faultdir"

struct fault_node *node_of(fuse_ino_t ino);
/* Found or made; one lookup more. fd is taken over. 0 or an error as a positive number. */
int node_enter(int fd, struct fuse_entry_param *e) must_check;
void node_forget(fuse_ino_t ino, uint64_t count);
/* Below the directory; for rules. */
void node_path(const struct fault_node *node, const char *name, char *path);
/* The rules for the node itself, or for a name in it. */
int node_fault(fuse_ino_t ino, const char *name, enum fault_op op, bool *lose) must_check;
/* Opens it; -errno. */
int node_open(const struct fault_node *node, int flags) must_check;
/* Gives up what is not synced of all files. */
void node_lose_all(void);
void node_lose(fuse_ino_t ino);

/* ---- operations ---- */

void faultdir_io_ops(struct fuse_lowlevel_ops *ops);   /* faultdir_io.c */
void faultdir_name_ops(struct fuse_lowlevel_ops *ops); /* faultdir_names.c */
/* faultdir_ctl.c: of the control file */
void faultdir_ctl_stat(struct stat *st);
void faultdir_ctl_open(fuse_req_t req, struct fuse_file_info *fi);
void faultdir_ctl_read(fuse_req_t req, size_t size, off_t off, struct fuse_file_info *fi);
void faultdir_ctl_write(fuse_req_t req, const char *buf, size_t size);
void faultdir_ctl_release(fuse_req_t req, struct fuse_file_info *fi);

#endif
