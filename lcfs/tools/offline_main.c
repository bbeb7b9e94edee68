// SPDX-License-Identifier: GPL-2.0-or-later
/* The command lines of lcctl apply and lcctl export. */
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "common/messages.h"
#include "lcfs/tools/offline_apply.h"

enum {
	OPTION_MARK_CLEAN = 256,
	OPTION_LOST_BUFFERS,
	OPTION_DAMAGED,
};

static int usage_error(const char *verb)
{
	fprintf(stderr, "Try 'lcctl %s --help' for more information.\n", verb);
	return OFFLINE_USAGE;
}

/* The two that must be there. */
static bool take_places(int argc, char **argv, const char **cache, const char **where,
			const char *second)
{
	if (argc - optind != 2) {
		msg_err("%s: a cache and %s are wanted, not %d names", argv[0], second,
			argc - optind);
		return false;
	}
	*cache = argv[optind];
	*where = argv[optind + 1];
	return true;
}

/* Of a verb: its options, and what each does to the struct at `to`; false: it knows none such. */
struct command {
	const char *verb, *letters;
	const struct option *names;
	bool (*take)(void *to, int option);
	void (*print_help)(void);
};

/* Reads the options. False: that was all, with *status. */
static bool take_options(const struct command *c, int argc, char **argv, void *to, int *status)
{
	int option;

	optind = 1;
	while ((option = getopt_long(argc, argv, c->letters, c->names, NULL)) != -1) {
		if (option == 'h') {
			c->print_help();
			*status = OFFLINE_DONE;
			return false;
		}
		if (!c->take(to, option)) {
			*status = usage_error(c->verb);
			return false;
		}
	}
	return true;
}

/* ------------------------------------------------------------------ apply */

static void print_apply_help(void)
{
	printf("Usage: lcctl apply [OPTION]... CACHE DIR\n"
	       "Write the dirty data of CACHE, which is not mounted, into the files under DIR.\n"
	       "The cache does not change, and a later mount of it will find that the files have:\n"
	       "for the cache's own directory, --mark-clean is right.\n"
	       "\n"
	       "      --mark-clean    as a mount does it: afterwards the cache is clean\n"
	       "  -f, --force         DIR is a copy: take its files by their paths, whatever\n"
	       "                      their times and inodes are\n"
	       "  -n, --dry-run       say what would be written\n"
	       "      --lost-buffers  go on although RAM buffers of a killed daemon are lost\n"
	       "  -q, --quiet         say only what is wrong\n"
	       "  -h, --help          print this and exit\n");
}

static const struct option apply_long[] = {
	{ "mark-clean", no_argument, NULL, OPTION_MARK_CLEAN },
	{ "force", no_argument, NULL, 'f' },
	{ "dry-run", no_argument, NULL, 'n' },
	{ "lost-buffers", no_argument, NULL, OPTION_LOST_BUFFERS },
	{ "quiet", no_argument, NULL, 'q' },
	{ "help", no_argument, NULL, 'h' },
	{ 0 },
};

struct apply_line {
	struct apply_options o;
	bool is_marking;
};

static bool take_apply(void *to, int option)
{
	struct apply_line *a = to;

	switch (option) {
	case OPTION_MARK_CLEAN:
		a->is_marking = true;
		return true;
	case 'f':
		a->o.is_forced = true;
		return true;
	case 'n':
		a->o.is_dry = true;
		return true;
	case OPTION_LOST_BUFFERS:
		a->o.ignore_lost = true;
		return true;
	case 'q':
		a->o.is_quiet = true;
		return true;
	default:
		return false;
	}
}

int lcctl_apply_main(int argc, char **argv)
{
	static const struct command apply = { "apply", "fnqh", apply_long, take_apply,
					      print_apply_help };
	struct apply_line a = { 0 };
	int status;

	if (!take_options(&apply, argc, argv, &a, &status))
		return status;
	if (!take_places(argc, argv, &a.o.cache, &a.o.dir, "its directory"))
		return usage_error("apply");
	if (a.is_marking && (a.o.is_forced || a.o.is_dry)) {
		msg_err("apply: --mark-clean goes neither with --force nor with --dry-run");
		return usage_error("apply");
	}
	status = a.is_marking ? offline_drain(&a.o) : offline_apply(&a.o);
	return status ? OFFLINE_FAILED : OFFLINE_DONE;
}

/* ------------------------------------------------------------------ export */

static void print_export_help(void)
{
	printf("Usage: lcctl export [OPTION]... CACHE FILE|DIR\n"
	       "Write the dirty data of CACHE, which is not mounted, into new sparse files: one\n"
	       "image to FILE, or all, by their paths, below the directory DIR. What the cache\n"
	       "does not have is a hole there. The cache does not change.\n"
	       "\n"
	       "  -i, --image=IMAGE   this one only, by path or number\n"
	       "  -l, --list          print offset, length and path of each range of data\n"
	       "  -f, --force         overwrite files that are there\n"
	       "      --damaged       of a damaged log, what is before the damage\n"
	       "      --lost-buffers  go on although RAM buffers of a killed daemon are lost\n"
	       "  -q, --quiet         say only what is wrong\n"
	       "  -h, --help          print this and exit\n");
}

static const struct option export_long[] = {
	{ "image", required_argument, NULL, 'i' },
	{ "list", no_argument, NULL, 'l' },
	{ "damaged", no_argument, NULL, OPTION_DAMAGED },
	{ "force", no_argument, NULL, 'f' },
	{ "lost-buffers", no_argument, NULL, OPTION_LOST_BUFFERS },
	{ "quiet", no_argument, NULL, 'q' },
	{ "help", no_argument, NULL, 'h' },
	{ 0 },
};

static bool take_export(void *to, int option)
{
	struct export_options *o = to;

	switch (option) {
	case 'i':
		o->image = optarg;
		return true;
	case 'l':
		o->is_list = true;
		return true;
	case OPTION_DAMAGED:
		o->accept_damage = true;
		return true;
	case 'f':
		o->is_forced = true;
		return true;
	case OPTION_LOST_BUFFERS:
		o->ignore_lost = true;
		return true;
	case 'q':
		o->is_quiet = true;
		return true;
	default:
		return false;
	}
}

int lcctl_export_main(int argc, char **argv)
{
	static const struct command export = { "export", "i:lfqh", export_long, take_export,
					       print_export_help };
	struct export_options o = { 0 };
	int status;

	if (!take_options(&export, argc, argv, &o, &status))
		return status;
	if (!take_places(argc, argv, &o.cache, &o.target, "a file or directory"))
		return usage_error("export");
	return offline_export(&o) ? OFFLINE_FAILED : OFFLINE_DONE;
}
