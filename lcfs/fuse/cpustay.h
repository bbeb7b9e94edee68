/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where a thread runs that serves the requests of one processor.
 *
 * One that stays on that processor is woken there, where the caller has just gone to sleep: one
 * request at a time goes fastest. Where requests come in crowds the caller goes on meanwhile, and
 * the thread is better off wherever there is room; so it lets go of its processor then, and comes
 * back to it when the crowd has gone.
 */
#ifndef LCFS_FUSE_CPUSTAY_H
#define LCFS_FUSE_CPUSTAY_H

#include <sched.h>
#include <stdbool.h>

/* The thread's own. */
struct cpustay {
	unsigned int cpu;
	unsigned int nr_waits, nr_got; /* requests, since it was last looked at */
	bool is_free;		       /* of its processor */
	bool is_fixed;		       /* it stays as it is */
	cpu_set_t allowed;	       /* where it may run when it is free */
};

/* For the calling thread. The processor may be one where it may not run: then anywhere. */
void cpustay_begin(struct cpustay *c, unsigned int cpu);

static inline void cpustay_got(struct cpustay *c)
{
	c->nr_got++;
}

/* Before each wait for requests. */
void cpustay_wait(struct cpustay *c);

#endif
