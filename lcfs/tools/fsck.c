// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * fsck.lcfs: is a cache what it should be?
 *
 *	super blocks ─▶ image tables ─▶ recovery, rehearsed ─▶ data of each record
 *
 * Recovery is what decides about a log, so it is asked, not imitated; what it does not read, the
 * data of records that are known to be durable, is compared with its sums afterwards. Repairs are
 * of what the device holds twice, and of nothing else: the log is never written to.
 */
#include "lcfs/tools/fsck.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/messages.h"
#include "common/parse.h"
#include "config.h"

/* ------------------------------------------------------------------ findings */

static void say(struct fsck *f, const char *format, va_list args)
	__attribute__((format(printf, 2, 0)));
static void say(struct fsck *f, const char *format, va_list args)
{
	progress_clear(&f->progress);
	printf("%s: ", f->cache.path);
	vprintf(format, args);
}

void fsck_say(struct fsck *f, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	say(f, format, args);
	va_end(args);
	putchar('\n');
}

bool fsck_problem(struct fsck *f, enum fsck_repair needed, const char *format, ...)
{
	bool is_allowed = needed != FSCK_NONE && f->options->repair >= needed;
	va_list args;

	va_start(args, format);
	say(f, format, args);
	va_end(args);
	if (is_allowed)
		return true;
	f->status |= FSCK_UNCORRECTED;
	if (needed == FSCK_SAFE)
		printf(" (-p or -y repairs it)");
	else if (needed == FSCK_ALL)
		printf(" (-y repairs it)");
	putchar('\n');
	return false;
}

void fsck_repaired(struct fsck *f, int err, const char *what)
{
	if (err)
		printf(": cannot be repaired: %s\n", strerror(-err));
	else
		printf(": %s\n", what);
	f->status |= err ? FSCK_UNCORRECTED : FSCK_CORRECTED;
}

/* ------------------------------------------------------------------ signals */

static volatile sig_atomic_t is_cancelled;

static void cancel(int signal)
{
	(void)signal;
	is_cancelled = 1;
}

bool fsck_is_cancelled(void)
{
	return is_cancelled;
}

static void catch_signals(void)
{
	struct sigaction sa = { .sa_handler = cancel, .sa_flags = SA_RESTART };

	sigaction(SIGINT, &sa, NULL);
	sigaction(SIGTERM, &sa, NULL);
}

/* ------------------------------------------------------------------ command line */

static void print_help(void)
{
	printf("Usage: fsck.lcfs [OPTION]... CACHE\n"
	       "Check CACHE, an lcfs cache that is not mounted: a device, a file, UUID=uuid or\n"
	       "LABEL=label.\n"
	       "\n"
	       "  -n        change nothing (default)\n"
	       "  -p, -a    repair what leaves no doubt; of a cache that was unmounted in order,\n"
	       "            do not read all data\n"
	       "  -y        repair all that can be repaired without losing anything\n"
	       "  -f        with -p: read all data nevertheless\n"
	       "  -v        say more: each image, and blocks that nobody needs\n"
	       "  -C[FD]    show how far it has come: a bar, or lines to descriptor FD\n"
	       "  -h, --help     print this and exit\n"
	       "  -V, --version  print the version and exit\n"
	       "\n"
	       "Exit status, the sum of: 0 in order, 1 errors corrected, 4 errors left,\n"
	       "8 could not be checked, 16 wrong usage, 32 cancelled. See fsck.lcfs(8).\n");
}

noreturn_ static void usage_error(void)
{
	fprintf(stderr, "Try 'fsck.lcfs -h' for more information.\n");
	exit(FSCK_USAGE);
}

static void parse_fd(struct fsck_options *o, const char *text)
{
	uint64_t fd = 0;

	if (text && parse_u64(text, 0, INT32_MAX, &fd) < 0) {
		msg_err("-C: '%s' is no descriptor", text);
		usage_error();
	}
	o->progress_fd = (int)fd;
}

static void parse_repair(struct fsck_options *o, enum fsck_repair repair, bool *is_set)
{
	if (*is_set && o->repair != repair) {
		msg_err("only one of -n, -p or -a, and -y can be given");
		usage_error();
	}
	*is_set = true;
	o->repair = repair;
}

static void parse_option(struct fsck_options *o, int option, bool *is_set)
{
	switch (option) {
	case 'n':
		parse_repair(o, FSCK_NONE, is_set);
		break;
	case 'a':
	case 'p':
		parse_repair(o, FSCK_SAFE, is_set);
		break;
	case 'y':
		parse_repair(o, FSCK_ALL, is_set);
		break;
	case 'f':
		o->is_forced = true;
		break;
	case 'v':
		o->is_verbose = true;
		break;
	case 'C':
		parse_fd(o, optarg);
		break;
	case 'h':
		print_help();
		exit(EXIT_SUCCESS);
	case 'V':
		printf("fsck.lcfs (%s) %s\n", PACKAGE_NAME, PACKAGE_VERSION);
		exit(EXIT_SUCCESS);
	default:
		usage_error();
	}
}

static void parse_command_line(struct fsck_options *o, int argc, char **argv)
{
	static const struct option long_options[] = {
		{ "help", no_argument, NULL, 'h' },
		{ "version", no_argument, NULL, 'V' },
		{ 0 },
	};
	bool is_set = false;
	int option;

	while ((option = getopt_long(argc, argv, "napyfvC::hV", long_options, NULL)) != -1)
		parse_option(o, option, &is_set);
	if (argc - optind == 1) {
		o->cache = argv[optind];
		return;
	}
	if (optind == argc)
		msg_err("which cache?");
	else
		msg_err("one cache at a time, not %d", argc - optind);
	usage_error();
}

/* ------------------------------------------------------------------ the check */

static must_check int start_progress(struct fsck *f)
{
	int fd = f->options->progress_fd;

	if (fd < 0)
		return 0;
	progress_on_terminal(&f->progress, stdout);
	if (fd == 0)
		return 0;
	f->progress = (struct progress){ .out = fdopen(fd, "w"), .style = PROGRESS_LINES };
	if (f->progress.out)
		return 0;
	msg_err("-C: descriptor %d: %s", fd, strerror(errno));
	return -EBADF;
}

/* All data is read unless it is a matter of course that it is there. */
static bool wants_data(const struct fsck *f)
{
	return f->options->repair != FSCK_SAFE || f->options->is_forced ||
	       !(f->sb.state & SUPERBLOCK_CLEAN);
}

static void check(struct fsck *f)
{
	int err = fsck_superblocks(f);

	if (!err)
		err = fsck_tables(f);
	if (!err)
		err = fsck_log(f);
	if (!err && wants_data(f))
		err = fsck_data(f);
	progress_clear(&f->progress);
	if (!err)
		fsck_mark(f);
	if (err == -EINTR)
		f->status |= FSCK_CANCELLED;
	else if (err && !f->status)
		f->status |= FSCK_OPERATIONAL;
	rehearsal_free(&f->rehearsal);
}

int main(int argc, char **argv)
{
	struct fsck_options options = { .progress_fd = -1 };
	static struct fsck f;
	enum offline_access access;

	msg_set_program("fsck.lcfs");
	parse_command_line(&options, argc, argv);
	f.options = &options;
	catch_signals();
	if (start_progress(&f) < 0)
		return FSCK_USAGE;
	access = options.repair == FSCK_NONE ? OFFLINE_READ : OFFLINE_REPAIR;
	if (offline_open(&f.cache, options.cache, access) < 0)
		f.status = FSCK_OPERATIONAL;
	else
		check(&f);
	if (f.status & FSCK_CANCELLED)
		fsck_say(&f, "cancelled");
	offline_close(&f.cache);
	if (fflush(stdout) != 0) {
		msg_err("standard output: %s", strerror(errno));
		f.status |= FSCK_OPERATIONAL;
	}
	return f.status;
}
