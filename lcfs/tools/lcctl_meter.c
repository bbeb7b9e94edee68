// SPDX-License-Identifier: GPL-2.0-or-later
/* A bar with rate and remaining time, or plain lines. */
#include "lcfs/tools/lcctl_meter.h"

#include <stdio.h>
#include <unistd.h>

#include "common/align.h"
#include "common/clock.h"
#include "lcfs/tools/bar.h"
#include "lcfs/tools/lcctl_table.h"

#define LINE_PAUSE_NS (2 * NSEC_PER_SEC) /* between lines where there is no terminal */
#define SMOOTH_S 3.0			 /* over which the rate is taken */

static unsigned int percent(const struct meter *p)
{
	return p->all ? (unsigned int)((p->all - p->left) * 100.0 / p->all) : 100;
}

static void show(struct meter *p)
{
	char left[CELL_TEXT_MAX], all[CELL_TEXT_MAX], rate[CELL_TEXT_MAX], eta[CELL_TEXT_MAX] = "-";
	char tail[128], line[BAR_LINE_MAX];

	if (p->rate >= 1)
		cell_format(eta, CELL_SECONDS,
			    u64_of_double((double)p->left / p->rate * 1000 + 999), false);
	snprintf(tail, sizeof(tail), "%s of %s left  %s/s  ETA %s",
		 cell_format(left, CELL_BYTES, p->left, false),
		 cell_format(all, CELL_BYTES, p->all, false),
		 cell_format(rate, CELL_BYTES, u64_of_double(p->rate), false), eta);
	bar_line(line, p->is_terminal ? bar_columns(stdout) : 0, p->what, percent(p), tail);
	if (p->is_terminal)
		bar_show(stdout, line);
	else
		printf("%s\n", line);
	fflush(stdout);
	p->shown_ns = p->last_ns;
}

void meter_begin(struct meter *p, const char *what, bool is_quiet, uint64_t left)
{
	*p = (struct meter){ .what = what, .is_quiet = is_quiet, .all = left, .left = left };
	p->is_terminal = isatty(STDOUT_FILENO);
	p->start_ns = p->last_ns = clock_mono_ns();
	if (!is_quiet && left)
		show(p);
}

void meter_update(struct meter *p, uint64_t left)
{
	uint64_t now = clock_mono_ns();
	double seconds = (double)(now - p->last_ns) / NSEC_PER_SEC;
	uint64_t moved = p->left > left ? p->left - left : 0;
	double weight = min(seconds / SMOOTH_S, 1.0);

	if (seconds <= 0)
		return;
	p->moved += moved;
	/* from the first look on there is a rate */
	p->rate = p->rate > 0 ? p->rate * (1 - weight) + (double)moved / seconds * weight :
				(double)p->moved * NSEC_PER_SEC / (double)(now - p->start_ns);
	p->left = left;
	p->all = max(p->all, left);
	p->last_ns = now;
	if (!p->is_quiet && p->all && (p->is_terminal || now - p->shown_ns >= LINE_PAUSE_NS))
		show(p);
}

void meter_clear(const struct meter *p)
{
	if (p->is_terminal && !p->is_quiet)
		bar_wipe(stdout);
}

void meter_end(struct meter *p, bool is_done)
{
	double seconds = (double)(clock_mono_ns() - p->start_ns) / NSEC_PER_SEC;
	char left[CELL_TEXT_MAX], moved[CELL_TEXT_MAX], took[CELL_TEXT_MAX], rate[CELL_TEXT_MAX];

	if (p->is_quiet)
		return;
	meter_clear(p);
	if (is_done)
		p->moved += p->left;
	cell_format(moved, CELL_BYTES, p->moved, false);
	cell_format(took, CELL_SECONDS, u64_of_double(seconds * 1000), false);
	cell_format(rate, CELL_BYTES, u64_of_double((double)p->moved / max(seconds, 0.001)), false);
	if (is_done && p->all == 0)
		printf("%s: done: nothing was dirty\n", p->what);
	else if (is_done)
		printf("%s: done: %s in %s, %s/s\n", p->what, moved, took, rate);
	else
		printf("%s: not done: %s in %s, %s are left\n", p->what, moved, took,
		       cell_format(left, CELL_BYTES, p->left, false));
	fflush(stdout);
}
