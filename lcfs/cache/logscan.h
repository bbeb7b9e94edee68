/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The one walker of the log: recovery, fsck.lcfs and dump.lcfs all see the log through it.
 *
 * It starts at the tail the super block names, follows the chain record by record, and decides
 * where the log ends and whether that is an ordinary torn end or damage. Reads only; blocking;
 * works on any bytes. Memory, for the duration of the walk: one segment, one block for each segment
 * of the pool, and LOGSCAN_KEEP_BYTES at most for headers.
 */
#ifndef LCFS_CACHE_LOGSCAN_H
#define LCFS_CACHE_LOGSCAN_H

#include <stdbool.h>
#include <stdint.h>

#include "common/compiler.h"
#include "lcfs/io/blkdev.h"
#include "lcfs/ondisk/codec.h"

/* What 4 GiB of the shortest records leave between the passes; beyond it headers are read twice. */
#define LOGSCAN_KEEP_BYTES (80ull << 20)

struct logscan;

struct logscan_record {
	const struct record_disk *header; /* 4096 bytes, valid during the call */
	uint64_t lsn, segment_id, branch;
	uint64_t link;   /* this record's own checksum */
	uint32_t offset; /* of the header, in blocks from the start of the segment */
	bool is_checked; /* its blocks' sums were verified (it is above the durable LSN) */
};

/* Called for each record that counts, in LSN order, once all is known to be in order (second pass).
 * Non-zero ends the walk and is returned by logscan_walk. */
typedef int (*logscan_record_fn)(struct logscan *s, const struct logscan_record *r, void *arg);

struct logscan_result {
	uint64_t records, entries, segments; /* that count; entries: live ones */
	uint64_t durable_lsn;                /* D of rule A1: highest LSN known durable */
	/* the last record that counts; when there is none, what the super block says of the tail */
	uint64_t last_lsn, last_link, last_branch;
	/* where its segment goes on: segment id and block offset behind it; the next record may
	 * stand there. With no record at all: the tail segment, offset 0 */
	uint64_t end_segment;
	uint32_t end_offset;
	/* the next epoch may begin at the first block of one of these segments, best the first;
	 * there is no room for it when next_first > next_last */
	uint64_t next_first, next_last;
	uint64_t highest_branch; /* of any self-valid header seen, abandoned ones included */
	bool is_damaged;         /* -EUCLEAN: a durable record is missing ... */
	bool is_refused;         /* ... or something is there that must not be ignored */
	char text[400];          /* one line: which LSN is missing, where, what proves it; or the
				  * refusal; or what could not be read */
};

struct logscan_conf {
	uint64_t must_reach;  /* a further LSN that is known to have been durable, 0 = none */
	uint64_t keep_bytes;  /* instead of LOGSCAN_KEEP_BYTES, 0 = that */
	bool deliver_damaged; /* fn sees what there is of a damaged or refused log, too */
};

/*
 * Walks the log of sb. must_reach: a further LSN that is known to have been durable (the image
 * table's table_lsn), 0 = none. Returns 0; -EUCLEAN with result->text for damage or something that
 * is refused (newer epoch than the super block, unknown version, type or flag); the device's error
 * (a read error is never an end); -ENOMEM; -EIO when the device gives other contents at the second
 * reading; or what fn returned. fn may be NULL. On damage fn is not called at all. *result is
 * filled as far as the walk came, whatever is returned.
 *
 * The walk trusts sb->pool_segments to be no smaller than the pool of any mount that wrote records
 * between tail and end.
 */
int logscan_walk(struct blkdev *dev, const struct superblock *sb, uint64_t must_reach,
		 logscan_record_fn fn, void *arg, struct logscan_result *result) must_check;
/* The same for tools and tests. With deliver_damaged -EUCLEAN is returned after fn has had all. */
int logscan_walk_conf(struct blkdev *dev, const struct superblock *sb,
		      const struct logscan_conf *conf, logscan_record_fn fn, void *arg,
		      struct logscan_result *result) must_check;

/*
 * From within fn: data block of entry i of the record (4096 bytes into buf, aligned to 4096).
 * Verifies its sum: -EUCLEAN when it does not hold, -EINVAL when the entry is dead or has no block,
 * or the device's error. Blocks of operations are hinted to the device ahead of the call.
 */
int logscan_block(struct logscan *s, const struct logscan_record *r, uint32_t i,
		  void *buf) must_check;

#endif
