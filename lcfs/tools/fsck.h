/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The parts of fsck.lcfs. Findings go to standard output, one line each; the status is collected
 * as fsck(8) wants it.
 */
#ifndef LCFS_TOOLS_FSCK_H
#define LCFS_TOOLS_FSCK_H

#include <stdbool.h>
#include <stdint.h>

#include "common/compiler.h"
#include "lcfs/tools/offline.h"
#include "lcfs/tools/progress.h"
#include "lcfs/tools/rehearsal.h"

/* Exit status: the sum of what holds. */
enum {
	FSCK_CORRECTED = 1,
	FSCK_UNCORRECTED = 4,
	FSCK_OPERATIONAL = 8,
	FSCK_USAGE = 16,
	FSCK_CANCELLED = 32,
};

enum fsck_repair {
	FSCK_NONE, /* -n */
	FSCK_SAFE, /* -p: what leaves no doubt */
	FSCK_ALL,  /* -y */
};

struct fsck_options {
	const char *cache;
	enum fsck_repair repair;
	bool is_verbose, is_forced;
	int progress_fd; /* -1: none; 0: a bar on standard output */
};

struct fsck {
	const struct fsck_options *options;
	struct offline cache;
	struct offline_copies copies;
	struct superblock sb; /* what the rest is checked by */
	struct rehearsal rehearsal;
	struct progress progress;
	int status;
};

/* fsck.c. A line, behind the name of the cache. */
void fsck_say(struct fsck *f, const char *format, ...) printf_like(2, 3);
/*
 * Something is wrong. Returns whether it is to be repaired now: then fsck_repaired() follows.
 * needed is the least that must be allowed for it, or FSCK_NONE: there is no repair.
 */
bool fsck_problem(struct fsck *f, enum fsck_repair needed, const char *format, ...)
	printf_like(3, 4);
/* err: 0, or why the repair has failed. */
void fsck_repaired(struct fsck *f, int err, const char *what);
bool fsck_is_cancelled(void);

/* All below return -errno when there is no use in going on. fsck_super.c */
int fsck_superblocks(struct fsck *f) must_check;
/* Writes f->sb, changed by the caller, to both copies, one after the other. */
int fsck_write_superblock(struct fsck *f) must_check;

/* fsck_table.c */
int fsck_tables(struct fsck *f) must_check;

/* fsck_log.c: what recovery says of it; f->rehearsal is made. */
int fsck_log(struct fsck *f) must_check;
/* The data of all records that count. */
int fsck_data(struct fsck *f) must_check;
/* At the end: a cache with nothing to be recovered is marked clean, if anything may be repaired. */
void fsck_mark(struct fsck *f);

#endif
