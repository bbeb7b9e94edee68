/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Private to lcctl: how far something is that takes bytes away until none is left. A bar with rate
 * and remaining time on a terminal, now and then a line elsewhere, on standard output.
 */
#ifndef LCFS_TOOLS_LCCTL_METER_H
#define LCFS_TOOLS_LCCTL_METER_H

#include <stdbool.h>
#include <stdint.h>

#define METER_PAUSE_MS 200 /* between two looks */

struct meter {
	const char *what; /* "drain" */
	bool is_quiet, is_terminal;
	uint64_t all, left; /* bytes; all grows when there is more left than ever */
	uint64_t moved;	    /* since the start, whatever came meanwhile */
	uint64_t start_ns, last_ns, shown_ns;
	double rate; /* bytes a second, smoothed */
};

void meter_begin(struct meter *p, const char *what, bool is_quiet, uint64_t left);
/* Shows it if it is time. */
void meter_update(struct meter *p, uint64_t left);
/* Before a message: takes the bar off the screen. */
void meter_clear(const struct meter *p);
/* The last line; is_done: it holds. */
void meter_end(struct meter *p, bool is_done);

#endif
