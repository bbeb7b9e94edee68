/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Private to lcctl: how far something is that takes bytes away until none is left. A bar with rate
 * and remaining time on a terminal, now and then a line elsewhere, on standard output.
 */
#ifndef LCFS_TOOLS_LCCTL_PROGRESS_H
#define LCFS_TOOLS_LCCTL_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

#define PROGRESS_PAUSE_MS 200 /* between two looks */

struct progress {
	const char *what; /* "drain" */
	bool is_quiet, is_terminal;
	uint64_t all, left; /* bytes; all grows when there is more left than ever */
	uint64_t moved;	    /* since the start, whatever came meanwhile */
	uint64_t start_ns, last_ns, shown_ns;
	double rate; /* bytes a second, smoothed */
};

void progress_begin(struct progress *p, const char *what, bool is_quiet, uint64_t left);
/* Shows it if it is time. */
void progress_update(struct progress *p, uint64_t left);
/* Before a message: takes the bar off the screen. */
void progress_clear(const struct progress *p);
/* The last line; is_done: it holds. */
void progress_end(struct progress *p, bool is_done);

#endif
