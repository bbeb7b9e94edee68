// SPDX-License-Identifier: GPL-2.0-or-later
/* lcctl: look at mounted lcfs and steer it, by the control tree of the mount. */
#include "lcfs/tools/lcctl.h"

#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/messages.h"
#include "common/nsec.h"
#include "common/parse.h"
#include "config.h"
#include "lcfs/tools/lcctl_tree.h"
#include "lcfs/tools/offline_apply.h"

static char program[] = "lcctl";

struct option_row {
	int letter;
	const char *name, *arg, *help;
};

static const struct option_row option_rows[NR_OPTIONS] = {
#define OPTION(id, letter_, name_, arg_, help_) \
	[id] = { .letter = (letter_), .name = (name_), .arg = (arg_), .help = (help_) },
#include "lcfs/tools/lcctl_verbs.def"
#undef OPTION
};

const struct lcctl_verb lcctl_verbs[] = {
#define VERB(name_, options_, operands_, least_, most_, help_) \
	{ .name = #name_,                                      \
	  .operands = (operands_),                             \
	  .help = (help_),                                     \
	  .options = (options_) | BIT(OPT_HELP),               \
	  .least = (least_),                                   \
	  .most = (most_),                                     \
	  .run = lcctl_##name_ },
#define MAIN(name_, options_, operands_, help_) \
	{ .name = #name_,                       \
	  .operands = (operands_),              \
	  .help = (help_),                      \
	  .main = lcctl_##name_##_main,         \
	  .own_options = (options_) },
#include "lcfs/tools/lcctl_verbs.def"
#undef MAIN
#undef VERB
};
const size_t lcctl_nr_verbs = array_size(lcctl_verbs);

/* Before the verb these are taken, too. */
#define GLOBAL_OPTIONS \
	(BIT(OPT_MOUNT) | BIT(OPT_JSON) | BIT(OPT_SCRIPT) | BIT(OPT_EXACT) | BIT(OPT_HELP))

const struct lcctl_verb *lcctl_find_verb(const char *name)
{
	for (size_t i = 0; i < lcctl_nr_verbs; i++)
		if (strcmp(lcctl_verbs[i].name, name) == 0)
			return &lcctl_verbs[i];
	return NULL;
}

/* ---------------------------------------------------------------- help */

static const char exit_text[] =
	"Exit status: 0 done, 1 failed or it does not hold, 2 wrong usage. See lcctl(8).";

static void print_option(const struct option_row *row)
{
	char text[64];

	snprintf(text, sizeof(text), "--%s%s%s", row->name, row->arg ? "=" : "",
		 row->arg ? row->arg : "");
	if (row->letter)
		printf("  -%c, %-18s %s\n", row->letter, text, row->help);
	else
		printf("      %-18s %s\n", text, row->help);
}

void lcctl_print_verb(const struct lcctl_verb *verb)
{
	printf("Usage: lcctl %s [OPTION]...%s%s\n%s.\n\n", verb->name, *verb->operands ? " " : "",
	       verb->operands, verb->help);
	for (unsigned int i = 0; i < NR_OPTIONS; i++)
		if (verb->options & BIT(i))
			print_option(&option_rows[i]);
	printf("\n%s\n", exit_text);
}

void lcctl_print_verbs(void)
{
	printf("Usage: lcctl VERB [OPTION]... [ARGUMENT]...\n"
	       "Look at mounted lcfs and steer it.\n\n");
	for (size_t i = 0; i < lcctl_nr_verbs; i++) {
		const struct lcctl_verb *v = &lcctl_verbs[i];
		char text[64];

		snprintf(text, sizeof(text), "%s %s", v->name, v->operands);
		printf("  %-26s %s\n", text, v->help);
	}
	printf("\n");
	for (unsigned int i = 0; i < NR_OPTIONS; i++)
		if (GLOBAL_OPTIONS & BIT(i))
			print_option(&option_rows[i]);
	printf("  -V, %-18s %s\n", "--version", "print the version and exit");
	printf("\n'lcctl VERB --help' has the options of a verb. IMAGE is a file in the mount,\n"
	       "its name there, its backing file, or its number in .lcctl/devices.\n"
	       "%s\n",
	       exit_text);
}

/* For completion: verb, name, operands, options, help. */
void lcctl_list_verbs(void)
{
	for (size_t i = 0; i < lcctl_nr_verbs; i++) {
		const struct lcctl_verb *v = &lcctl_verbs[i];
		const char *gap = "";

		printf("verb\t%s\t%s\t%s", v->name, v->operands,
		       v->own_options ? v->own_options : "");
		for (unsigned int o = 0; o < NR_OPTIONS; o++) {
			if (!(v->options & BIT(o)))
				continue;
			if (option_rows[o].letter)
				printf("%s-%c", gap, option_rows[o].letter);
			gap = *gap || option_rows[o].letter ? " " : "";
			printf("%s--%s%s", gap, option_rows[o].name, option_rows[o].arg ? "=" : "");
			gap = " ";
		}
		printf("\t%s\n", v->help);
	}
}

/* ---------------------------------------------------------------- command line */

static int try_help(const char *verb)
{
	fprintf(stderr, "Try 'lcctl %s--help' for more information.\n", verb);
	return EXIT_USAGE;
}

#define LONG_BASE 256 /* getopt's value of an option is this and its number */

/* The two tables that getopt wants, of the options in the set. */
static void make_getopt(unsigned int set, const char *start, char *letters, struct option *names)
{
	size_t n = 0;

	letters += sprintf(letters, "%s", start);
	for (unsigned int i = 0; i < NR_OPTIONS; i++) {
		const struct option_row *row = &option_rows[i];

		if (!(set & BIT(i)))
			continue;
		if (row->letter)
			letters += sprintf(letters, "%c%s", row->letter, row->arg ? ":" : "");
		names[n++] = (struct option){ .name = row->name,
					      .has_arg = row->arg ? required_argument : no_argument,
					      .val = LONG_BASE + (int)i };
	}
	names[n] = (struct option){ 0 };
}

static unsigned int option_of(int value, unsigned int set)
{
	if (value >= LONG_BASE)
		return (unsigned int)(value - LONG_BASE);
	for (unsigned int i = 0; i < NR_OPTIONS; i++)
		if ((set & BIT(i)) && option_rows[i].letter == value)
			return i;
	return NR_OPTIONS;
}

/* Those of the set that stand in front, or with verb anywhere. False, said by getopt. */
static bool parse_options(struct lcctl *c, unsigned int set, const char *start, int argc,
			  char **argv, bool *wants_version)
{
	char letters[4 * NR_OPTIONS + 4];
	struct option names[NR_OPTIONS + 2];
	int value;

	make_getopt(set, start, letters, names);
	if (wants_version) {
		size_t n = 0;

		strcat(letters, "V");
		while (names[n].name)
			n++;
		names[n] = (struct option){ .name = "version", .val = 'V' };
		names[n + 1] = (struct option){ 0 };
	}
	optind = 0; /* of GNU: begin anew */
	while ((value = getopt_long(argc, argv, letters, names, NULL)) != -1) {
		unsigned int i = option_of(value, set);

		if (value == 'V' && wants_version) {
			*wants_version = true;
			continue;
		}
		if (i == NR_OPTIONS)
			return false;
		c->given |= BIT(i);
		c->value[i] = optarg;
	}
	return true;
}

/* Knobs, numbers and KNOB=VALUE do not look like this. */
static bool looks_like_path(const char *text)
{
	size_t n = strcspn(text, "/=");

	return text[n] == '/' || strcmp(text, ".") == 0 || strcmp(text, "..") == 0;
}

static bool has_path_in_mount(const struct lcctl *c, int from)
{
	struct tree t;

	for (int i = from; i < c->nr_operands; i++)
		if (tree_of_path(c->operand[i], &t, NULL))
			return true;
	return false;
}

/* Does the first operand say which mount, and nothing else? See lcctl_verbs.def. */
static bool is_mount_operand(const struct lcctl *c)
{
	const char *text = c->operand[0], *operands = c->verb->operands;

	if (lcctl_has(c, OPT_MOUNT) || c->nr_operands <= c->verb->least || c->nr_operands == 0)
		return false;
	if (strncmp(operands, "[PATH] ", 7) == 0)
		return looks_like_path(text);
	return strncmp(operands, "[MNT] ", 6) == 0 && tree_is_mount(text) &&
	       !has_path_in_mount(c, 1);
}

static void take_mount(struct lcctl *c)
{
	if (!is_mount_operand(c))
		return;
	c->given |= BIT(OPT_MOUNT);
	c->value[OPT_MOUNT] = c->operand[0];
	c->operand++;
	c->nr_operands--;
}

static bool check_operands(const struct lcctl *c)
{
	const struct lcctl_verb *v = c->verb;

	if (c->nr_operands < v->least)
		msg_err("%s: %s is missing", v->name, v->operands);
	else if (c->nr_operands > v->most)
		msg_err("%s: '%s' is one argument too many", v->name, c->operand[v->most]);
	else
		return true;
	return false;
}

/* Options in front of the verb must be its own, too. */
static bool check_global(const struct lcctl *c)
{
	unsigned int wrong = c->given & ~c->verb->options;

	for (unsigned int i = 0; i < NR_OPTIONS; i++) {
		if (wrong & BIT(i)) {
			msg_err("%s has no option --%s", c->verb->name, option_rows[i].name);
			return false;
		}
	}
	return true;
}

static int run_main(const struct lcctl_verb *verb, int argc, char **argv)
{
	optind = 0; /* of GNU: begin anew */
	return verb->main(argc, argv);
}

static int run_verb(struct lcctl *c, int argc, char **argv)
{
	char verb[32];

	snprintf(verb, sizeof(verb), "%s ", c->verb->name);
	if (!parse_options(c, c->verb->options, "", argc, argv, NULL))
		return try_help(verb);
	if (lcctl_has(c, OPT_HELP)) {
		lcctl_print_verb(c->verb);
		return EXIT_DONE;
	}
	c->nr_operands = argc - optind;
	c->operand = argv + optind;
	take_mount(c);
	if (!check_global(c) || !check_operands(c))
		return try_help(verb);
	return c->verb->run(c);
}

bool lcctl_cache(const struct lcctl *c, uint64_t *id)
{
	const char *text = c->value[OPT_CACHE];

	*id = 0;
	if (!text || parse_u64(text, 1, UINT32_MAX, id) == 0)
		return true;
	msg_err("--cache: '%s' is no number of a cache: 'lcctl status' shows them", text);
	return false;
}

bool lcctl_interval(const char *text, uint64_t *ns)
{
	char *end;
	double seconds;

	errno = 0;
	seconds = strtod(text, &end);
	if (errno || end == text || *end || !(seconds >= 0.01 && seconds <= 86400)) {
		msg_err("'%s' is no interval: give seconds, from 0.01 to 86400", text);
		return false;
	}
	*ns = (uint64_t)(seconds * (double)NSEC_PER_SEC);
	return true;
}

/* What stands in front of the verb, and the verb. */
static int run(int argc, char **argv)
{
	struct lcctl c = { 0 };
	bool wants_version = false;

	if (!parse_options(&c, GLOBAL_OPTIONS, "+", argc, argv, &wants_version))
		return try_help("");
	if (wants_version) {
		printf("lcctl (%s) %s\n", PACKAGE_NAME, PACKAGE_VERSION);
		return EXIT_DONE;
	}
	if (lcctl_has(&c, OPT_HELP)) {
		lcctl_print_verbs();
		return EXIT_DONE;
	}
	if (optind == argc) {
		msg_err("what is to be done?");
		return try_help("");
	}
	c.verb = lcctl_find_verb(argv[optind]);
	if (!c.verb) {
		msg_err("'%s' is no verb of lcctl", argv[optind]);
		return try_help("");
	}
	argc -= optind;
	argv += optind;
	if (c.verb->main)
		return check_global(&c) ? run_main(c.verb, argc, argv) : try_help("");
	argv[0] = program;
	return run_verb(&c, argc, argv);
}

int main(int argc, char **argv)
{
	int status;

	msg_set_program(program);
	argv[0] = program; /* for getopt's messages, too */
	status = run(argc, argv);
	if (fflush(stdout) == 0 && !ferror(stdout))
		return status;
	msg_err("standard output: %s", strerror(errno));
	return EXIT_FAILED;
}
