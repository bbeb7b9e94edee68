/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A trace of blockfile, in memory. */
#ifndef TESTS_STAND_TRACEREAD_H
#define TESTS_STAND_TRACEREAD_H

#include <stddef.h>

#include "common/compiler.h"
#include "tests/stand/trace_format.h"

struct trace_item {
	struct trace_record r;
	const uint8_t *data; /* r.data_bytes, not aligned; not owned */
};

struct traceread {
	struct trace_head head;
	struct trace_item *items; /* by their end */
	size_t nr_items;
	void *map;
	size_t map_bytes;
};

/*
 * 0 or -errno; -EINVAL: it is none. What stands behind the last whole record is left out: the trace
 * may still be growing.
 */
int traceread_open(struct traceread *t, const char *path) must_check;
void traceread_close(struct traceread *t);

#endif
