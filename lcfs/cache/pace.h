/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Pacing of writers near the full log: instead of running into a wall and waiting there for a
 * whole batch of migration, they are slowed down on the way, the more the less is free, until
 * they come in as fast as space is made.
 *
 * While the log is short, the time in which segments become free gives the cost of a block, in
 * ns. A write of n blocks is admitted at the end of the queue, and moves that end by n * cost *
 * factor. The factor is 0 where the log begins to be short, 1 half way to the user's last
 * segment, 4 there, and grows with the square of the way between: an inflow that is larger than
 * the outflow comes to rest about half way, where the two are the same. Without a measured cost
 * nobody is delayed, and nobody ever for more than PACE_DELAY_MAX_NS: it only ever delays.
 *
 * Pure, but for the queue of waiters, which write.c keeps. Times in ns.
 */
#ifndef LCFS_CACHE_PACE_H
#define LCFS_CACHE_PACE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/list.h"

#define PACE_DELAY_MAX_NS UINT64_C(1000000000)
#define PACE_COST_MAX_NS UINT64_C(50000000)

struct pace {
	uint64_t cost_ns;     /* of a block, 0: not known */
	uint64_t since_ns;    /* when space was last freed, or the log became short; 0: it is not */
	uint64_t next_ns;     /* when the next write is admitted */
	uint64_t wall, start; /* free segments: none for users at or below; paced below `start` */
	struct list waiters;  /* cache_waiter of writes, in order of admission */
};

void pace_init(struct pace *p, uint64_t wall, uint64_t start);
/* The number of free segments is now `nr_free`, less than before. */
void pace_taken(struct pace *p, uint64_t nr_free, uint64_t now);
/* `blocks` became free. True: the log is not short any more, nobody has to wait. */
bool pace_freed(struct pace *p, uint64_t nr_free, uint64_t blocks, uint64_t now);
/* When a write of so many blocks may begin: at or before now means at once. */
uint64_t pace_admit(struct pace *p, uint64_t nr_free, uint64_t blocks, uint64_t now);
/* Would it have to wait? Changes nothing. */
bool pace_is_due(const struct pace *p, uint64_t nr_free, uint64_t now);

#endif
