/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Private to lcctl: the command line. What the verbs share: lcctl_tree.h (mounts and control
 * files), lcctl_image.h, lcctl_table.h (output), lcctl_meter.h.
 *
 * A verb says what went wrong, in one line by msg_err(), and returns one of these.
 */
#ifndef LCFS_TOOLS_LCCTL_H
#define LCFS_TOOLS_LCCTL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/compiler.h"

#define EXIT_DONE 0
#define EXIT_FAILED 1 /* or: it does not hold */
#define EXIT_USAGE 2

#define BIT(n) (1u << (n))

enum lcctl_option {
#define OPTION(id, letter, name, arg, help) id,
#include "lcfs/tools/lcctl_verbs.def"
#undef OPTION
	NR_OPTIONS
};

struct lcctl_verb;

struct lcctl {
	const struct lcctl_verb *verb;
	unsigned int given;	       /* BIT(enum lcctl_option) */
	const char *value[NR_OPTIONS]; /* of options with an argument; NULL: not given */
	int nr_operands;
	char **operand;
};

struct lcctl_verb {
	const char *name, *operands, *help;
	unsigned int options; /* BIT(enum lcctl_option) */
	int least, most;      /* operands */
	int (*run)(const struct lcctl *c);
	/* or one that has a command line of its own; argv[0] is the verb */
	int (*main)(int argc, char **argv);
	const char *own_options; /* as text */
};

extern const struct lcctl_verb lcctl_verbs[];
extern const size_t lcctl_nr_verbs;

static inline bool lcctl_has(const struct lcctl *c, enum lcctl_option option)
{
	return c->given & BIT(option);
}

/* Of --cache: 0 if it is not given. False, said: no number. */
bool lcctl_cache(const struct lcctl *c, uint64_t *id) must_check;
/* Seconds with or without a fraction, more than 0; false, said. */
bool lcctl_interval(const char *text, uint64_t *ns) must_check;

/* `lcctl help [VERB | KNOB]` */
void lcctl_print_verbs(void);
void lcctl_print_verb(const struct lcctl_verb *verb);
void lcctl_list_verbs(void);
const struct lcctl_verb *lcctl_find_verb(const char *name);

#define VERB(name, options, operands, least, most, help) int lcctl_##name(const struct lcctl *c);
#include "lcfs/tools/lcctl_verbs.def"
#undef VERB

#endif
