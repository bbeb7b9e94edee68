/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The parts of mkfs.lcfs. Each function says itself what is wrong, in one line; 0 or -errno tell
 * the caller only that it has been said.
 */
#ifndef LCFS_TOOLS_MKFS_H
#define LCFS_TOOLS_MKFS_H

#include <stdbool.h>
#include <stdint.h>

#include "common/compiler.h"
#include "lcfs/ondisk/codec.h"

struct mkfs_options {
	const char *path;
	const char *label; /* "" where there is none */
	uint32_t segment_order;
	uint64_t size; /* 0: as it is */
	bool has_uuid, force, quiet;
	bool keeps_blocks; /* a device is not told to forget what is in the segments */
	uint8_t uuid[FORMAT_UUID_BYTES];
};

struct cachedev;

/* What is to be formatted. */
struct mkfs_target {
	const char *path;
	struct cachedev *dev; /* holds the lock */
	int fd;		      /* of dev */
	bool is_block;
	bool is_created; /* by us: removed again on failure */
	uint64_t bytes;
};

/* mkfs_target.c: opens, and makes sure that nobody uses it. A file that is not there is created. */
int mkfs_target_open(struct mkfs_target *t, const struct mkfs_options *o) must_check;
/* A file gets its size and all its blocks. After the checks: this may cut off what was in it. */
int mkfs_target_allocate(struct mkfs_target *t, const struct mkfs_options *o) must_check;
/* Closes; removes a file that was created here unless it is complete. */
void mkfs_target_close(struct mkfs_target *t, bool is_complete);

/* mkfs_probe.c: refuses what holds data, unless o->force. */
int mkfs_probe(const struct mkfs_target *t, const struct mkfs_options *o) must_check;
/* The newest valid super block, if there is one: 1, else 0, or -errno of a read. */
int mkfs_read_superblock(const struct mkfs_target *t, struct superblock *sb) must_check;
/* What a killed daemon left in RAM of a cache that is no more. */
void mkfs_drop_buffers(const struct superblock *sb);

/*
 * mkfs_dirty.c: does a cache that is marked clean hold data that is nowhere else? 1 or 0; or, with
 * a warning, -errno if its log cannot be read.
 */
int mkfs_is_dirty(const struct mkfs_target *t, const struct superblock *sb) must_check;

/*
 * mkfs_format.c: lays out, wipes what was there and writes an empty cache. *sb is what was written.
 */
int mkfs_layout(struct superblock *sb, const struct mkfs_target *t,
		const struct mkfs_options *o) must_check;
int mkfs_format(const struct mkfs_target *t, const struct superblock *sb,
		const struct mkfs_options *o) must_check;

/* Whole reads and writes at a place, with a message on failure. */
int mkfs_read(const struct mkfs_target *t, void *buf, uint64_t len, uint64_t off) must_check;
int mkfs_write(const struct mkfs_target *t, const void *buf, uint64_t len, uint64_t off) must_check;
int mkfs_flush(const struct mkfs_target *t) must_check;

#endif
