// SPDX-License-Identifier: GPL-2.0-or-later
/* The last steps of a run. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/sim/trace.h"

bool trace_is_verbose;
uint32_t trace_nr_kept = 120;

struct step {
	uint64_t turn;
	const char *text;
	uint64_t arg[TRACE_ARGS];
};

struct trace {
	struct step *step;
	uint32_t nr_kept;
	uint64_t nr;
	bool is_verbose;
};

struct trace *trace_new(uint32_t nr_kept)
{
	struct trace *t = calloc(1, sizeof(*t));

	if (!t)
		abort();
	t->nr_kept = nr_kept ? nr_kept : 1;
	t->step = calloc(t->nr_kept, sizeof(*t->step));
	if (!t->step)
		abort();
	t->is_verbose = trace_is_verbose;
	return t;
}

void trace_free(struct trace *t)
{
	if (!t)
		return;
	free(t->step);
	free(t);
}

void trace_set_verbose(struct trace *t, bool is_verbose)
{
	t->is_verbose = is_verbose;
}

static void print_step(const struct step *s)
{
	uint32_t arg = 0;

	printf("%8" PRIu64 "  ", s->turn);
	for (const char *p = s->text; *p; p++) {
		if (*p == '%' && arg < TRACE_ARGS)
			printf("%" PRId64, (int64_t)s->arg[arg++]);
		else
			putchar(*p);
	}
	putchar('\n');
}

void trace_add(struct trace *t, uint64_t turn, const char *text, const uint64_t *arg)
{
	struct step *s = &t->step[t->nr++ % t->nr_kept];

	s->turn = turn;
	s->text = text;
	memcpy(s->arg, arg, sizeof(s->arg));
	if (t->is_verbose)
		print_step(s);
}

void trace_print(const struct trace *t)
{
	uint64_t first = t->nr > t->nr_kept ? t->nr - t->nr_kept : 0;

	printf("the last %" PRIu64 " steps (turn, what):\n", t->nr - first);
	for (uint64_t i = first; i < t->nr; i++)
		print_step(&t->step[i % t->nr_kept]);
}
