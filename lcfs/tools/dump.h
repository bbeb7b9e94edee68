/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The parts of dump.lcfs: each prints one kind of thing, and goes on where something is damaged. */
#ifndef LCFS_TOOLS_DUMP_H
#define LCFS_TOOLS_DUMP_H

#include <stdbool.h>
#include <stdint.h>

#include "common/compiler.h"
#include "lcfs/tools/offline.h"
#include "lcfs/tools/report.h"

struct dump {
	struct offline cache;
	struct offline_copies copies;
	const struct superblock *sb; /* the newest valid one, or NULL */
	struct report report;
	bool has_problem; /* something did not decode, or could not be read */
};

/* A fact named "problem", which decides about the exit status. */
void dump_problem(struct dump *d, const char *format, ...) printf_like(2, 3);

/* dump_super.c */
void dump_superblocks(struct dump *d);

/* The others want d->sb. dump_table.c */
void dump_tables(struct dump *d);

/* dump_log.c: what the log holds from its tail to its end */
void dump_segments(struct dump *d);
void dump_records(struct dump *d);
/* dump_segment.c: whatever stands where this segment does */
void dump_segment(struct dump *d, uint64_t id);

/* dump_record.c: one record. read() gets data block i of its entries. */
typedef int (*dump_read_fn)(void *ctx, uint32_t i, void *buf);
/* The facts of the header, inside an object of the caller's. */
void dump_record_facts(struct dump *d, const struct record_disk *h);
void dump_record_entries(struct dump *d, const struct record_disk *h, dump_read_fn read, void *ctx);

/* dump_block.c: all versions of a block that are in the log, and the contents of the newest. */
struct dump_block_request {
	const char *image; /* its number or path */
	uint64_t block;
	const char *output; /* where the raw contents go; NULL: hex among the rest */
};
void dump_block(struct dump *d, const struct dump_block_request *q);

#endif
