/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the scrub has found: for the control tree. */
#ifndef LCFS_CACHE_SCRUB_STATUS_H
#define LCFS_CACHE_SCRUB_STATUS_H

#include <stdbool.h>
#include <stdint.h>

struct cache;

/* Passes over the log that read what it holds and check it. Numbers are since cache_open(). */
struct cache_scrub_status {
	bool is_running;
	uint64_t done, total; /* segments, of the pass under way or the last one */
	uint64_t passes;      /* that went to the end */
	int64_t last_ns;      /* end of the last one, wall clock; 0: none */
	uint64_t blocks;      /* read */
	/* damaged: clean blocks, which are dropped; dirty ones, which are lost; segments with a
	 * record header that a recovery would need */
	uint64_t bad_clean, bad_dirty, bad_headers;
	uint64_t bad_segment; /* the last of those, 0: the tail has passed all of them */
};
void cache_scrub_status(struct cache *c, struct cache_scrub_status *st);

#endif
