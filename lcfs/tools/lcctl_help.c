// SPDX-License-Identifier: GPL-2.0-or-later
/* lcctl help: verbs, and the knobs of the control tree. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/messages.h"
#include "lcfs/tools/lcctl.h"

struct knob {
	const char *name, *unit;
	uint64_t min, max, initial;
	const char *help;
};

static const struct knob knobs[] = {
#define KNOB(knob_, name_, unit_, min_, max_, default_, help_) \
	{ .name = #name_,                                      \
	  .unit = (unit_),                                     \
	  .min = (min_),                                       \
	  .max = (max_),                                       \
	  .initial = (default_),                               \
	  .help = (help_) },
#include "lcfs/ctl/knobs.def"
#undef KNOB
};

static void print_knob(const struct knob *k)
{
	printf("%s (cache): %s\n"
	       "  unit %s, %" PRIu64 " to %" PRIu64 ", by default %" PRIu64 "\n",
	       k->name, k->help, k->unit, k->min, k->max, k->initial);
}

static void list_knobs(void)
{
	for (size_t i = 0; i < array_size(knobs); i++)
		printf("knob\t%s\tcache\t%s\t%s\n", knobs[i].name, knobs[i].unit, knobs[i].help);
}

int lcctl_help(const struct lcctl *c)
{
	const char *name = c->nr_operands ? c->operand[0] : NULL;
	const struct lcctl_verb *verb = name ? lcctl_find_verb(name) : NULL;

	if (lcctl_has(c, OPT_SCRIPT)) {
		lcctl_list_verbs();
		list_knobs();
		return EXIT_DONE;
	}
	if (!name) {
		lcctl_print_verbs();
		return EXIT_DONE;
	}
	if (verb) {
		lcctl_print_verb(verb);
		return EXIT_DONE;
	}
	for (size_t i = 0; i < array_size(knobs); i++) {
		if (strcmp(knobs[i].name, name) == 0) {
			print_knob(&knobs[i]);
			return EXIT_DONE;
		}
	}
	msg_err("%s: neither a verb nor a knob: 'lcctl help' and 'lcctl get' list them", name);
	return EXIT_FAILED;
}
