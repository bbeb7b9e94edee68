/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Writes a trace; several threads at a time. */
#ifndef TESTS_STAND_TRACEWRITER_H
#define TESTS_STAND_TRACEWRITER_H

#include <pthread.h>
#include <stdatomic.h>

#include "common/compiler.h"
#include "tests/stand/trace_format.h"

struct tracewriter {
	int fd; /* const; -1: nothing is written */
	atomic_uint_fast64_t clock;
	pthread_mutex_t lock;
	int error; /* lock: why it could not be written; nothing is, after that */
};

/* path NULL: counts only. 0 or -errno. */
int tracewriter_open(struct tracewriter *t, const char *path,
		     const struct trace_head *head) must_check;
/* The start of a request. */
uint64_t tracewriter_start(struct tracewriter *t);
/* Its end, which goes to r->end; time_ns, too. 0, or -errno of a trace that cannot be written. */
int tracewriter_end(struct tracewriter *t, struct trace_record *r, const void *data) must_check;
/* The end of what has no record. */
uint64_t tracewriter_now(struct tracewriter *t);

#endif
