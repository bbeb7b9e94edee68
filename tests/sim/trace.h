/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The last steps of a run, kept without being formatted, printed when something fails.
 *
 * A step is a static text in which each % stands for the next number: cheap enough to note every
 * one.
 */
#ifndef TESTS_SIM_TRACE_H
#define TESTS_SIM_TRACE_H

#include <stdbool.h>
#include <stdint.h>

#define TRACE_ARGS 6

struct trace;

struct trace *trace_new(uint32_t nr_kept);
void trace_free(struct trace *t);
/* Print each step at once, too. */
void trace_set_verbose(struct trace *t, bool is_verbose);
void trace_add(struct trace *t, uint64_t turn, const char *text, const uint64_t *arg);
void trace_print(const struct trace *t);

#define TRACE(w, text, ...) \
	trace_add((w)->trace, (w)->turn, text, (const uint64_t[TRACE_ARGS]){ __VA_ARGS__ })

/* For all worlds made from now on. */
extern bool trace_is_verbose;
extern uint32_t trace_nr_kept;

#endif
