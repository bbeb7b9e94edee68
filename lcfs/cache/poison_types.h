/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the core keeps of blocks that were found damaged (poison.c). */
#ifndef LCFS_CACHE_POISON_TYPES_H
#define LCFS_CACHE_POISON_TYPES_H

#include <stdbool.h>
#include <stdint.h>

/* A dirty block that was found damaged, and may be poisoned when it is found so again. */
#define SUSPECTS_MAX 32u
struct suspect {
	uint64_t position; /* log_position(), 0: none */
	uint64_t since_ns, next_ns;
	uint64_t flushes; /* cache.nr_flushed at first */
	bool is_sure;
};

#endif
