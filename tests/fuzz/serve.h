/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A cache on a device in memory and nothing behind it: carries out whatever the core wants, in
 * order, one after the other, and looks that each action makes sense. Backing files take any write
 * and read as zeros.
 */
#ifndef TESTS_FUZZ_SERVE_H
#define TESTS_FUZZ_SERVE_H

#include "common/compiler.h"
#include "lcfs/cache/cache.h"
#include "tests/fake/memdev.h"

struct serve {
	struct memdev *mem;
	struct cache *cache;
	uint64_t now;
	struct outbox todo;
	struct action end; /* of cache_shutdown() */
	bool has_ended;
};

/* Recovery, then the invariants. 0 or what cache_open() said, with a text in rep. */
int serve_open(struct serve *s, struct memdev *mem, void *pool, uint64_t pool_bytes,
	       struct cache_recovery_report *rep) must_check;
/* Carries out what is to be done, until nothing is or so many actions are. */
void serve_run(struct serve *s, unsigned int actions);
/* An orderly end, in a bounded number of steps. */
void serve_shutdown(struct serve *s);
/* As by SIGKILL. */
void serve_kill(struct serve *s);
void serve_check(struct serve *s);

#endif
