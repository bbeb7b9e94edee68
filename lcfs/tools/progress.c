// SPDX-License-Identifier: GPL-2.0-or-later
/* How far a long task has come. */
#include "lcfs/tools/progress.h"

#include <inttypes.h>
#include <unistd.h>

#include "common/clock.h"
#include "lcfs/tools/bar.h"

#define SHOW_AFTER_NS (NSEC_PER_SEC / 2)
#define SHOW_EVERY_NS (NSEC_PER_SEC / 5)

void progress_on_terminal(struct progress *p, FILE *out)
{
	*p = (struct progress){ .out = out };
	if (isatty(fileno(out)))
		p->style = PROGRESS_BAR;
}

void progress_start(struct progress *p, const char *device)
{
	p->device = device;
	p->pass++;
	p->started_ns = clock_mono_ns();
	p->shown_ns = p->started_ns + SHOW_AFTER_NS - SHOW_EVERY_NS;
}

/* Seconds that are left at the speed so far. */
static uint64_t seconds_left(const struct progress *p, uint64_t now, uint64_t done, uint64_t total)
{
	double spent = (double)(now - p->started_ns) / (double)NSEC_PER_SEC;

	return done ? (uint64_t)(spent * (double)(total - done) / (double)done) : 0;
}

static void show_bar(struct progress *p, uint64_t now, uint64_t done, uint64_t total)
{
	uint64_t left = seconds_left(p, now, done, total);
	unsigned int percent = (unsigned int)((double)done / (double)total * 100);
	char tail[64], line[BAR_LINE_MAX];

	snprintf(tail, sizeof(tail), "%" PRIu64 ":%02" PRIu64 " left", left / 60, left % 60);
	bar_line(line, bar_columns(p->out), p->device, percent, tail);
	bar_show(p->out, line);
	p->is_shown = true;
}

void progress_update(struct progress *p, uint64_t done, uint64_t total)
{
	uint64_t now;

	if (p->style == PROGRESS_NONE || !total)
		return;
	done = done < total ? done : total;
	now = clock_mono_ns();
	if (now < p->shown_ns + SHOW_EVERY_NS)
		return;
	p->shown_ns = now;
	if (p->style == PROGRESS_BAR) {
		show_bar(p, now, done, total);
		return;
	}
	fprintf(p->out, "%u %" PRIu64 " %" PRIu64 " %s\n", p->pass, done, total, p->device);
	fflush(p->out);
}

void progress_clear(struct progress *p)
{
	if (p->is_shown)
		bar_wipe(p->out);
	p->is_shown = false;
}
