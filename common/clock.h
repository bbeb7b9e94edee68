/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The clocks, in nanoseconds. */
#ifndef COMMON_CLOCK_H
#define COMMON_CLOCK_H

#include <stdint.h>
#include <time.h>

#include "common/nsec.h"

static inline uint64_t clock_ns_(clockid_t id)
{
	struct timespec ts;

	clock_gettime(id, &ts);
	return (uint64_t)ts.tv_sec * NSEC_PER_SEC + (uint64_t)ts.tv_nsec;
}

/* Since some moment of the past; never goes back. The clock of every deadline. */
static inline uint64_t clock_mono_ns(void)
{
	return clock_ns_(CLOCK_MONOTONIC);
}

/* Since 1970. May jump. */
static inline uint64_t clock_real_ns(void)
{
	return clock_ns_(CLOCK_REALTIME);
}

#endif
