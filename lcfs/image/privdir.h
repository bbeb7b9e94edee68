/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * `.lcfs/` in the root of the backing directory, hidden in the mount:
 *
 *	lock    flock'ed by the daemon that serves the directory; its pid as text
 *	uuid    of the directory
 *	caches  the caches that it has met, one a line: UUID, id, "dirty" if one may hold data of
 *	        files in it that they have not got yet, else "clean"
 *	clock   touched to read the backing store's clock
 *
 * A file that is written is replaced whole: new file, fsync, rename, fsync of the directory.
 */
#ifndef LCFS_IMAGE_PRIVDIR_H
#define LCFS_IMAGE_PRIVDIR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/compiler.h"
#include "lcfs/io/uuid.h"

#define PRIVDIR_NAME ".lcfs"
#define PRIVDIR_CACHES_MAX 64

struct privdir {
	int fd; /* -1: the directory cannot be written and has none */
	int lock_fd;
	bool has_uuid; /* there is a uuid file; else uuid is a new one that is not stored yet */
	uint8_t uuid[UUID_BYTES];
};

/*
 * Makes and locks it. may_write false (or a read-only filesystem): uses what is there, and no lock
 * is taken when there is nothing. -EBUSY: locked; text names the holder. text gets one line on
 * error.
 */
int privdir_open(struct privdir *p, int dirfd, bool may_write, char *text, size_t size) must_check;
/* The same directory in the new root: its files are used from now on. -EREMCHG: it is another one,
 * -EBUSY: somebody else uses it. */
int privdir_renew(struct privdir *p, int dirfd) must_check;
void privdir_close(struct privdir *p);

/* Stores the UUID, durable, if it is not yet. dirfd: as for open. */
int privdir_keep_uuid(struct privdir *p, int dirfd) must_check;

struct privdir_cache {
	uint8_t uuid[UUID_BYTES];
	uint32_t id; /* 0: none was given yet */
	bool is_dirty;
};

struct privdir_caches {
	unsigned int nr;
	struct privdir_cache cache[PRIVDIR_CACHES_MAX];
};
/* The contents of that file: text, which is taken apart, has bytes and a NUL behind them. */
int privdir_caches_parse(char *text, size_t bytes, struct privdir_caches *c) must_check;
/* -EUCLEAN: not understood. No file: none. A line with an UUID alone counts as dirty. */
int privdir_caches_read(struct privdir *p, struct privdir_caches *c) must_check;
/* NULL: it is not among them. */
struct privdir_cache *privdir_caches_find(struct privdir_caches *c, const uint8_t *cache_uuid);
/*
 * Notes the cache, in place of a clean one if there are too many (-ENOSPC: of dirty ones); durable
 * when it returns. Nothing is written when it is noted so already.
 */
int privdir_caches_set(struct privdir *p, const struct privdir_cache *cache) must_check;
/* Takes their ids from all clean ones. What the mark of one of them says stays known to be old. */
int privdir_caches_forget(struct privdir *p) must_check;

/* Now by the backing store's clock, ns since 1970; the system's where there is no .lcfs. */
int privdir_clock(struct privdir *p, int64_t *now_ns) must_check;

#endif
