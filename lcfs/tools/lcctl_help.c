// SPDX-License-Identifier: GPL-2.0-or-later
/* lcctl help: verbs, and the files of the control tree from their own table. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "common/messages.h"
#include "lcfs/ctl/ctlfs.h"
#include "lcfs/tools/lcctl.h"

static const char *where(const struct ctl_description *d)
{
	return !*d->dir ? "mount" : strncmp(d->dir, "caches", 6) == 0 ? "cache" : "image";
}

static bool can_write(const struct ctl_description *d)
{
	return d->type == CTL_FILE && (d->mode & S_IWUSR);
}

static void print_range(const struct ctl_description *d)
{
	if (d->is_text && !d->words)
		return;
	if (d->words) {
		for (size_t i = 0; d->words[i]; i++)
			printf("%s%s", i ? " or " : "takes ", d->words[i]);
	} else if (d->is_trigger) {
		printf("write 1");
	} else {
		printf("takes %" PRIu64 " to %" PRIu64, d->min, d->max);
	}
	if (d->has_default)
		printf(", by default %" PRIu64, d->initial);
}

static void print_knob(const struct ctl_description *d)
{
	printf("%s (%s): %s.\n  ", d->name, where(d), d->help);
	if (*d->unit)
		printf("unit %s, ", d->unit);
	if (can_write(d))
		print_range(d);
	else
		printf("read only");
	printf("\n");
}

static void list_knobs(void)
{
	struct ctl_description d;

	for (size_t i = 0; ctlfs_describe(i, &d); i++)
		if (d.type != CTL_DIR)
			printf("knob\t%s\t%s\t%s\t%s\t%s\n", d.name, where(&d), d.unit,
			       can_write(&d) ? "rw" : "ro", d.help);
}

/* One of the name a place. False: there is none. */
static bool print_knobs(const char *name)
{
	struct ctl_description d;
	bool is_found = false;

	for (size_t i = 0; ctlfs_describe(i, &d); i++) {
		if (d.type == CTL_DIR || strcmp(d.name, name) != 0)
			continue;
		print_knob(&d);
		is_found = true;
	}
	return is_found;
}

static void print_main(const struct lcctl_verb *verb)
{
	char name[16], help[] = "--help";
	char *argv[] = { name, help, NULL };

	snprintf(name, sizeof(name), "%s", verb->name);
	(void)verb->main(2, argv);
}

int lcctl_help(const struct lcctl *c)
{
	const char *name = c->nr_operands ? c->operand[0] : NULL;
	const struct lcctl_verb *verb = name ? lcctl_find_verb(name) : NULL;
	bool is_found = true;

	if (lcctl_has(c, OPT_SCRIPT)) {
		lcctl_list_verbs();
		list_knobs();
	} else if (!name) {
		lcctl_print_verbs();
	} else {
		if (verb && verb->main)
			print_main(verb);
		else if (verb)
			lcctl_print_verb(verb);
		is_found = print_knobs(name) || verb;
	}
	if (!is_found)
		msg_err("%s: neither a verb nor a knob: 'lcctl help' and 'lcctl get' list them",
			name);
	return is_found ? EXIT_DONE : EXIT_FAILED;
}
