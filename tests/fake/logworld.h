/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * An honest writer with a pool of W segments, on random paths: records of all sizes, flushes that
 * the headers tell of sooner or later, a moving tail, errors that begin a new branch, power cuts
 * that keep any part of what was not flushed, restarts. And an oracle that says, from the list of
 * what was written and what of it still stands, where a walk must end.
 */
#ifndef TESTS_FAKE_LOGWORLD_H
#define TESTS_FAKE_LOGWORLD_H

#include "tests/fake/logbuild.h"

struct logworld {
	struct logbuild b;
	uint64_t rng;
	const struct logbuild_record **chain; /* by LSN: the record that is in the log */
	size_t room;
	size_t flushed;           /* records written before the last flush */
	uint64_t durable_lsn;     /* what the flush covered, acknowledged */
	uint64_t durable_segment; /* where it ended */
};

/* What the rules say of what stands on the device. */
struct logworld_verdict {
	const struct logbuild_record *last; /* NULL: none; the chain is found by the links */
	uint64_t last_lsn, durable_lsn;
	bool is_damaged;
};

void logworld_init(struct logworld *w, uint64_t seed);
void logworld_free(struct logworld *w);
/* A number below n. */
uint64_t logworld_draw(struct logworld *w, uint64_t n);
/* The writer does a few dozen things. */
void logworld_run(struct logworld *w);
/* Power cut: of each write since the last flush, any part is lost. */
void logworld_cut(struct logworld *w);
/* A mount found the log ends behind this record (NULL: none) and begins a new epoch in one of these
 * segments; when there is no room, the tail moves first. */
void logworld_restart(struct logworld *w, const struct logbuild_record *last, uint64_t next_first,
		      uint64_t next_last);
/* knows_all: it has seen every header on the device; else only those that a walk gets to see. Where
 * nothing but power cuts happened that makes no difference. */
struct logworld_verdict logworld_judge(struct logworld *w, bool knows_all);

#endif
