/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How far a long task has come: a bar for a terminal, or lines for a program that asked for them.
 * Nothing is shown of what takes less than half a second.
 */
#ifndef LCFS_TOOLS_PROGRESS_H
#define LCFS_TOOLS_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

enum progress_style {
	PROGRESS_NONE,
	PROGRESS_BAR,	/* on one line that is written over and over */
	PROGRESS_LINES, /* "PASS DONE TOTAL DEVICE", as e2fsck -C gives them */
};

struct progress {
	FILE *out;
	enum progress_style style;
	unsigned int pass;
	const char *device;
	uint64_t started_ns, shown_ns;
	bool is_shown; /* the bar */
};

/* A bar on out if that is a terminal, else nothing. Zeroed memory shows nothing either. */
void progress_on_terminal(struct progress *p, FILE *out);
/* A new task begins. */
void progress_start(struct progress *p, const char *device);
/* done of total, whatever the unit; cheap. */
void progress_update(struct progress *p, uint64_t done, uint64_t total);
/* The bar goes away: before anything else is printed there, too. */
void progress_clear(struct progress *p);

#endif
