/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * `.lcfs/` in the root of the backing directory, hidden in the mount:
 *
 *	lock    flock'ed by the daemon that serves the directory; its pid as text
 *	uuid    of the directory
 *	caches  UUIDs of the caches that hold dirty data of files in it, one a line
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
void privdir_close(struct privdir *p);

/* Stores the UUID, durable, if it is not yet. dirfd: as for open. */
int privdir_keep_uuid(struct privdir *p, int dirfd) must_check;

struct privdir_caches {
	unsigned int nr;
	uint8_t uuid[PRIVDIR_CACHES_MAX][UUID_BYTES];
};
/* -EUCLEAN: not understood. No file: none. */
int privdir_caches_read(struct privdir *p, struct privdir_caches *c) must_check;
/* Puts the cache on the list or takes it off; durable when it returns. */
int privdir_caches_set(struct privdir *p, const uint8_t *cache_uuid, bool is_listed) must_check;

/* Now by the backing store's clock, ns since 1970; the system's where there is no .lcfs. */
int privdir_clock(struct privdir *p, int64_t *now_ns) must_check;

#endif
