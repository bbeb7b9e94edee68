/* SPDX-License-Identifier: GPL-2.0-or-later */
/* State of one recovery. Inside of the core. */
#ifndef LCFS_CACHE_RECOVERY_H
#define LCFS_CACHE_RECOVERY_H

#include "lcfs/cache/core.h"
#include "lcfs/cache/logchain.h"
#include "lcfs/cache/logscan.h"

struct recovery_place {
	uint64_t lsn, end; /* position behind the record */
};

struct recovery {
	struct cache *c;
	struct blkdev *dev;
	struct cache_recovery_report *rep;
	struct logscan_result walk;
	uint64_t real_ns;
	uint64_t table_lsn;
	uint64_t last_lsn, last_link, last_branch;
	uint64_t branch_start;	 /* LSN of the first record here of last_branch; 0: before it */
	struct logchain_pos end; /* where that record ends; only the place */
	uint64_t next_segment;	 /* where the new epoch begins */
	bool is_cut;		 /* damaged, and what is before that was asked for */
	uint8_t *block;		 /* 4096 bytes for operations */
	struct recovery_place *places; /* of the records, ascending */
	size_t nr_places, places_room;
};

struct recovery_record {
	const struct record_disk *h;
	uint64_t lsn, segment_id;
	uint32_t offset;
	/* the data block of entry i */
	int (*read)(struct recovery *r, const struct recovery_record *rec, uint32_t i, void *buf);
	struct logscan *scan;
	const struct logscan_record *scan_record;
};

/* recovery.c */
int recovery_say(struct recovery *r, int error, const char *fmt, ...) printf_like(3, 4);
int recovery_apply_record(struct recovery *r, const struct recovery_record *rec) must_check;
/* recovery_pool.c: C3, C2 */
int recovery_check_pool(struct recovery *r, bool pool_valid) must_check;
int recovery_drain_pool(struct recovery *r) must_check;
/* recovery_op.c: one operation at its place in the log. 0 or -errno. */
int recovery_apply_op(struct recovery *r, const struct op *op, uint64_t lsn,
		      uint64_t position) must_check;

#endif
