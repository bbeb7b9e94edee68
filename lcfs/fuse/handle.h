/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * File handles: the 64 bits that the kernel keeps for us with each open file.
 *
 * That of a regular file holds all there is to know of the open (the node stands in each request),
 * so that another daemon could go on with it. Those of directories and control files name an object
 * in a table.
 */
#ifndef LCFS_FUSE_HANDLE_H
#define LCFS_FUSE_HANDLE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/compiler.h"
#include "common/mutex.h"

enum handle_kind {
	HANDLE_FILE = 1,
	HANDLE_DIR,
	HANDLE_CTL,
};

#define HANDLE_FILE_WRITE (1u << 8)   /* opened for writing */
#define HANDLE_FILE_DIRECT (1u << 9)  /* opened with O_DIRECT */
#define HANDLE_FILE_BYPASS (1u << 10) /* the kernel bypasses its page cache (FOPEN_DIRECT_IO) */

static inline enum handle_kind handle_kind(uint64_t fh)
{
	return (enum handle_kind)(fh & 0xff);
}

struct handle_slot {
	void *object; /* NULL: free */
	uint32_t kind;
	uint32_t seq;
	uint32_t next_free;
};

struct handles {
	struct mutex lock; /* of all below */
	struct handle_slot *slots;
	uint32_t nr, first_free;
	uint32_t seq;
};

void handles_init(struct handles *h);
/* Frees the table, not what is in it. */
void handles_free(struct handles *h);
/* 0 or -ENFILE. */
int handle_add(struct handles *h, enum handle_kind kind, void *object, uint64_t *fh) must_check;
/*
 * NULL if there is no such handle of this kind. The object lives until its handle is removed: the
 * kernel sees to that.
 */
void *handle_find(struct handles *h, enum handle_kind kind, uint64_t fh);
/* The same, and it is no handle any more. */
void *handle_remove(struct handles *h, enum handle_kind kind, uint64_t fh);
/* Any one object of this kind, removed; NULL: none is left. For the end. */
void *handle_remove_any(struct handles *h, enum handle_kind kind);

#endif
