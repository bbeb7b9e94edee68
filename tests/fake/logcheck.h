/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Walks a log of logbuild and holds whatever the walker hands out against what was written: each
 * record must be one that was written to that very place, the first follows the super block's tail,
 * each further one its predecessor, and blocks that were checked are as written. (For libcheck.)
 */
#ifndef TESTS_FAKE_LOGCHECK_H
#define TESTS_FAKE_LOGCHECK_H

#include <stddef.h>
#include <stdint.h>

#include "lcfs/cache/logscan.h"
#include "tests/fake/logbuild.h"

struct logcheck {
	struct logbuild *b;
	int ret;
	struct logscan_result result;
	const struct logbuild_record **got; /* what was handed out, in order */
	size_t nr, room;
	uint64_t first_checked; /* LSN of the first record that was_checked, 0: none */
	uint64_t rotten;        /* blocks that had not their sum */
	int stop_at,
		stop_with; /* when stop_with is not 0: fn returns it at the stop_at'th record */
};

/* *w is zero, but for stop_at and stop_with, or was used before; logcheck_free frees what is in
 * it. */
void logcheck_walk(struct logcheck *w, struct logbuild *b);
void logcheck_walk_conf(struct logcheck *w, struct logbuild *b, const struct logscan_conf *conf);
void logcheck_free(struct logcheck *w);

/* Walk and expect an ordinary end behind the record of this LSN. */
void logcheck_expect_end(struct logbuild *b, uint64_t last_lsn);
/* Walk and expect damage, with this record missing and nothing handed out. */
void logcheck_expect_damage(struct logbuild *b, uint64_t missing_lsn);
/* Walk and expect a refusal whose text has this in it. */
void logcheck_expect_refusal(struct logbuild *b, const char *text);

#endif
