/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The control tree: `.lcctl` in the root of the mount, as a table of files. No FUSE in it.
 *
 *	version transport status stats.json metrics config flush drain add_cache remove_cache
 *	caches/<id>/    knobs and numbers of a cache
 *	devices/<id>/   of an image that is open or that a cache knows
 *
 * Manners are those of sysfs: a file holds one value and a newline (or, where it says so, a few
 * lines); one write(2) is one value, taken whole or refused with nothing changed (-EINVAL: it does
 * not parse, -ERANGE: out of range); a file that cannot be written has mode 0444, for root too.
 *
 * A node is a number, below 2^48 and never 0, that means the same file for as long as the image
 * id in it means the same image; nothing is held between calls. All calls may be made from any
 * thread; they may block (an image may be drained before a write returns).
 */
#ifndef LCFS_CTL_CTLFS_H
#define LCFS_CTL_CTLFS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "common/compiler.h"

struct ctlfs;
struct ctl_file;
struct imagedir;

#define CTL_NAME_MAX 63
#define CTL_ROOT (UINT64_C(1) << 44) /* the node of `.lcctl` itself */

enum ctl_type {
	CTL_DIR,
	CTL_FILE,
	CTL_LINK,
};

/* Caches that come and go, by who puts the stack together: any thread that may block; -errno with a
 * line in text. */
struct ctl_caches_ops {
	int (*add)(void *ctx, const char *name, char *text, size_t size);
	int (*remove)(void *ctx, uint32_t id, char *text, size_t size);
};

struct ctlfs_conf {
	struct imagedir *dir;		     /* must outlive the tree */
	const char *source;		     /* the backing directory as an absolute path; copied */
	const char *cache_path;		     /* of the cache device, absolute; copied */
	const char *mount;		     /* where it is mounted, absolute; copied */
	const char *version;		     /* of the program; copied */
	const char *transport;		     /* how requests come, as -o has it; copied */
	const char *config;		     /* lines "option = value" of what is no knob; copied */
	const struct ctl_caches_ops *caches; /* NULL: they are those of the mount */
	void *ctx;			     /* for them */
	uid_t uid;			     /* who owns the files */
	gid_t gid;
};

/* -ENOMEM. */
int ctlfs_new(struct ctlfs **out, const struct ctlfs_conf *conf) must_check;
/* No file is open. NULL is allowed. */
void ctlfs_free(struct ctlfs *t);

struct ctl_attr {
	uint64_t node;
	enum ctl_type type;
	mode_t mode; /* with the bits of the type */
	nlink_t nlink;
	uid_t uid;
	gid_t gid;
	off_t size; /* length of a link's target; 0 of everything else */
};

/* -ENOENT; -ENOTDIR if dir is not a directory. */
int ctlfs_lookup(struct ctlfs *t, uint64_t dir, const char *name, struct ctl_attr *attr) must_check;
/* -ENOENT if there is no such node (any more). */
int ctlfs_getattr(struct ctlfs *t, uint64_t node, struct ctl_attr *attr) must_check;

struct ctl_entry {
	uint64_t node;
	enum ctl_type type;
	char name[CTL_NAME_MAX + 1];
};

/*
 * What is in a directory now, without "." and "..". *out is the caller's to free(). -ENOTDIR,
 * -ENOENT, -ENOMEM.
 */
int ctlfs_list(struct ctlfs *t, uint64_t dir, struct ctl_entry **out, size_t *nr) must_check;

/* The target's length, cut to size bytes, not terminated. -EINVAL if node is no link. */
ssize_t ctlfs_readlink(struct ctlfs *t, uint64_t node, char *buf, size_t size) must_check;

/*
 * flags as of open(2). -EACCES if the file cannot be read or written in that way, -EISDIR, -ELOOP
 * for a link, -ENOENT, -ENOMEM.
 */
int ctlfs_open(struct ctlfs *t, uint64_t node, int flags, struct ctl_file **out) must_check;
/* A read at offset 0 looks at the value anew, others go on in what it found. 0 at the end. */
ssize_t ctlfs_read(struct ctl_file *f, void *buf, size_t size, uint64_t off) must_check;
/* len, or what the value was refused with; the offset of the write does not matter. */
ssize_t ctlfs_write(struct ctl_file *f, const void *data, size_t len) must_check;
/*
 * For poll(2): is the value another one than what was last read from f, or was f not read yet? If
 * not, and handle is not NULL, *handle is woken, once, when that changes. 0, or -errno: nobody
 * can be woken.
 */
int ctlfs_poll(struct ctl_file *f, const uint64_t *handle, bool *is_changed) must_check;
/* How: any thread, must not call the tree. NULL: nobody any more; calls under way have ended. */
void ctlfs_set_wake(struct ctlfs *t, void (*wake)(void *ctx, uint64_t handle), void *ctx);
void ctlfs_release(struct ctl_file *f);

/* ---- the table itself, for help and the manual; needs no tree ---- */

struct ctl_description {
	const char *dir;  /* "", "caches/ID/" or "devices/ID/" */
	const char *name; /* of the file */
	enum ctl_type type;
	mode_t mode;		  /* with the bits of the type */
	const char *unit;	  /* "" where there is none */
	bool is_trigger;	  /* writing does something, reads as 0 */
	uint64_t min, max;	  /* what may be written, where mode says that it can, */
	const char *const *words; /* or one of these; NULL ends */
	bool is_text;		  /* or, without words, what `help` says */
	bool has_default;	  /* it keeps what is written, and begins with `initial` */
	uint64_t initial;
	const char *help; /* a few words, without a full stop */
};

/* The rows in order, from 0. False: there are no more. */
bool ctlfs_describe(size_t row, struct ctl_description *d);

#endif
