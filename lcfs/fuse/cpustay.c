// SPDX-License-Identifier: GPL-2.0-or-later
/* Staying on a processor, or not. */
#include "lcfs/fuse/cpustay.h"

#include <pthread.h>

/* After so many waits it is looked how many requests each has brought, in 1/16. */
#define CROWD_WAITS 64u
#define CROWD_BEGINS 32u
#define CROWD_ENDS 19u

static void stay(struct cpustay *c)
{
	cpu_set_t one;

	CPU_ZERO(&one);
	CPU_SET(c->cpu, &one);
	c->is_free = pthread_setaffinity_np(pthread_self(), sizeof(one), &one) != 0;
}

void cpustay_begin(struct cpustay *c, unsigned int cpu)
{
	*c = (struct cpustay){ .cpu = cpu };
	c->is_fixed = pthread_getaffinity_np(pthread_self(), sizeof(c->allowed), &c->allowed) != 0;
	if (!c->is_fixed)
		stay(c);
}

static void look(struct cpustay *c)
{
	unsigned int each = c->nr_got * 16 / CROWD_WAITS;

	c->nr_waits = c->nr_got = 0;
	if (!c->is_free && each >= CROWD_BEGINS)
		c->is_free = pthread_setaffinity_np(pthread_self(), sizeof(c->allowed),
						    &c->allowed) == 0;
	else if (c->is_free && each <= CROWD_ENDS)
		stay(c);
}

void cpustay_wait(struct cpustay *c)
{
	if (!c->is_fixed && ++c->nr_waits == CROWD_WAITS)
		look(c);
}
