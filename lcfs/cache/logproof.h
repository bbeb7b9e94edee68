/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What is known to have been durable, and whether the log's end is an ordinary one or damage.
 *
 * D is the highest LSN that anything says was durable: the super block, the image table, the
 * records of the chain, and those found behind its end, unless they are abandoned. One owner, no
 * locks; blocking where it reads.
 */
#ifndef LCFS_CACHE_LOGPROOF_H
#define LCFS_CACHE_LOGPROOF_H

#include <stddef.h>
#include <stdint.h>

#include "common/compiler.h"
#include "lcfs/cache/logchain.h"

enum logproof_source {
	LOGPROOF_SUPERBLOCK,
	LOGPROOF_TABLE,
	LOGPROOF_RECORD,
};

/* Someone says that all records up to durable_lsn were durable. */
struct logproof_claim {
	enum logproof_source source;
	uint64_t durable_lsn;
	uint64_t lsn, branch, segment; /* of the record that says so */
	uint32_t offset;
};

struct logproof {
	struct logproof_claim best;   /* its durable_lsn is D */
	struct logproof_claim *found; /* behind the end, abandoned ones included */
	size_t nr_found, room;
};

/* Zeroed memory knows nothing. */
void logproof_free(struct logproof *p);
/* Begins anew with what does not come from records. */
void logproof_start(struct logproof *p, const struct superblock *sb, uint64_t table_lsn);
/* Takes the word of a record of the chain. */
void logproof_record(struct logproof *p, const struct record_disk *h);
/*
 * Looks for headers of this log behind *end, in each block of the rest of the segment and of the
 * next W + 1 segments, and takes the word of those that are not abandoned. 0, -EUCLEAN with the
 * chain's text when the log is refused, -ENOMEM, or the device's error.
 */
int logproof_look_ahead(struct logproof *p, struct logchain *c,
			const struct logchain_pos *end) must_check;
/* 0 when *end is an ordinary end; -EUCLEAN when a durable record is missing there, with a line that
 * says which, where, and how that is known. */
int logproof_judge(const struct logproof *p, const struct logchain *c,
		   const struct logchain_pos *end, char *text, size_t size) must_check;

#endif
