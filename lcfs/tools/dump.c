// SPDX-License-Identifier: GPL-2.0-or-later
/* dump.lcfs: show what stands on a cache. */
#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/messages.h"
#include "common/parse.h"
#include "config.h"
#include "lcfs/tools/dump.h"

#define EXIT_USAGE 2

struct dump_options {
	bool super, table, segments, records, is_json;
	uint64_t segment; /* of records; 0: the whole log */
	const char *output;
	struct dump_block_request block; /* image NULL: none */
	const char *cache;
};

static void print_help(void)
{
	printf("Usage: dump.lcfs [OPTION]... CACHE\n"
	       "Show what stands on CACHE, an lcfs cache: a device, a file, UUID=uuid or\n"
	       "LABEL=label. Nothing is changed.\n"
	       "\n"
	       "  -s, --super               the super block, both copies (default)\n"
	       "  -t, --table               the image table, both areas\n"
	       "  -S, --segments            the segments from tail to end, and where that is\n"
	       "  -r, --records[=SEGMENT]   the records of the log; with SEGMENT: all that can be\n"
	       "                            found there, in the log or not\n"
	       "  -a, --all                 all of these\n"
	       "  -b, --block=IMAGE:BLOCK   the versions of block number BLOCK of an image, by\n"
	       "                            number or path, and the contents of the newest\n"
	       "  -o, --output=FILE         with --block: the raw contents to FILE, - for standard\n"
	       "                            output\n"
	       "  -j, --json                as JSON\n"
	       "  -h, --help                print this and exit\n"
	       "  -V, --version             print the version and exit\n"
	       "\n"
	       "Exit status: 0 shown, 1 something is damaged or cannot be read, 2 wrong usage.\n"
	       "See dump.lcfs(8).\n");
}

noreturn_ static void usage_error(void)
{
	fprintf(stderr, "Try 'dump.lcfs --help' for more information.\n");
	exit(EXIT_USAGE);
}

static const struct option options[] = {
	{ "super", no_argument, NULL, 's' },
	{ "table", no_argument, NULL, 't' },
	{ "segments", no_argument, NULL, 'S' },
	{ "records", optional_argument, NULL, 'r' },
	{ "all", no_argument, NULL, 'a' },
	{ "block", required_argument, NULL, 'b' },
	{ "output", required_argument, NULL, 'o' },
	{ "json", no_argument, NULL, 'j' },
	{ "help", no_argument, NULL, 'h' },
	{ "version", no_argument, NULL, 'V' },
	{ 0 },
};

static void parse_segment(struct dump_options *o, const char *text)
{
	o->records = true;
	if (!text || parse_u64(text, 1, UINT64_MAX / 2, &o->segment) == 0)
		return;
	msg_err("--records: '%s' is no number of a segment", text);
	usage_error();
}

/* IMAGE:BLOCK, where a path may have colons: the last one counts. */
static void parse_block(struct dump_options *o, char *text)
{
	char *colon = strrchr(text, ':');

	if (!colon || colon == text ||
	    parse_u64(colon + 1, 0, IMAGE_BLOCK_MAX, &o->block.block) < 0) {
		msg_err("--block: '%s' is not IMAGE:BLOCK", text);
		usage_error();
	}
	*colon = '\0';
	o->block.image = text;
}

static void parse_option(struct dump_options *o, int option)
{
	switch (option) {
	case 's':
		o->super = true;
		break;
	case 't':
		o->table = true;
		break;
	case 'S':
		o->segments = true;
		break;
	case 'r':
		parse_segment(o, optarg);
		break;
	case 'a':
		o->super = o->table = o->segments = o->records = true;
		break;
	case 'b':
		parse_block(o, optarg);
		break;
	case 'o':
		o->output = optarg;
		break;
	case 'j':
		o->is_json = true;
		break;
	case 'h':
		print_help();
		exit(EXIT_SUCCESS);
	case 'V':
		printf("dump.lcfs (%s) %s\n", PACKAGE_NAME, PACKAGE_VERSION);
		exit(EXIT_SUCCESS);
	default:
		usage_error();
	}
}

static void parse_command_line(struct dump_options *o, int argc, char **argv)
{
	int option;

	while ((option = getopt_long(argc, argv, "stSr::ab:o:jhV", options, NULL)) != -1)
		parse_option(o, option);
	if (argc - optind != 1) {
		if (optind == argc)
			msg_err("which cache?");
		else
			msg_err("one cache at a time, not %d", argc - optind);
		usage_error();
	}
	if (o->output && !o->block.image) {
		msg_err("--output: only with --block");
		usage_error();
	}
	o->cache = argv[optind];
	o->block.output = o->output;
	if (!o->table && !o->segments && !o->records && !o->block.image)
		o->super = true;
}

void dump_problem(struct dump *d, const char *format, ...)
{
	char text[1024];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	report_text(&d->report, "problem", text);
	d->has_problem = true;
}

static must_check int check_superblock(struct dump *d)
{
	const struct offline_copies *c = &d->copies;

	if (c->newest < 0)
		return c->is_refused || c->why[0] != FORMAT_NO_MAGIC ||
				       c->why[1] != FORMAT_NO_MAGIC ?
			       -EUCLEAN :
			       -ENOENT;
	d->sb = &c->sb[c->newest];
	if (d->sb->device_bytes <= d->cache.blkdev->bytes)
		return 0;
	msg_err("%s: the device has %llu bytes, but was formatted with %llu", d->cache.path,
		(unsigned long long)d->cache.blkdev->bytes,
		(unsigned long long)d->sb->device_bytes);
	d->sb = NULL;
	return -EUCLEAN;
}

static void print_parts(struct dump *d, const struct dump_options *o)
{
	if (o->super)
		dump_superblocks(d);
	if (!d->sb)
		return;
	if (o->table)
		dump_tables(d);
	if (o->segments)
		dump_segments(d);
	if (o->records && o->segment)
		dump_segment(d, o->segment);
	else if (o->records)
		dump_records(d);
	if (o->block.image)
		dump_block(d, &o->block);
}

static FILE *open_output(const struct dump_options *o)
{
	/* raw contents have standard output for themselves */
	return o->output && strcmp(o->output, "-") == 0 ? fopen("/dev/null", "we") : stdout;
}

static must_check int print_all(struct dump *d, const struct dump_options *o)
{
	FILE *out = open_output(o);
	int err;

	if (!out) {
		msg_err("/dev/null: %s", strerror(errno));
		return -EIO;
	}
	report_start(&d->report, out, o->is_json);
	print_parts(d, o);
	report_finish(&d->report);
	err = ferror(out) || fclose(out) != 0 ? -EIO : 0;
	if (err)
		msg_err("standard output: %s", strerror(errno));
	return err;
}

static must_check int run(struct dump *d, const struct dump_options *o)
{
	int err = offline_open(&d->cache, o->cache, OFFLINE_LOOK);

	if (!err)
		err = offline_copies(&d->cache, &d->copies);
	if (err)
		return err;
	err = check_superblock(d);
	if (err == -ENOENT) {
		msg_err("%s: there is no lcfs cache here (mkfs.lcfs makes one)", d->cache.path);
		return err;
	}
	if (err && !o->super)
		msg_err("%s: no copy of the super block can be used: see dump.lcfs --super",
			d->cache.path);
	if (print_all(d, o) < 0)
		return -EIO;
	if (d->has_problem && o->output)
		msg_err("%s: the block cannot be shown whole: see it without --output",
			d->cache.path);
	return err || d->has_problem ? -EUCLEAN : 0;
}

int main(int argc, char **argv)
{
	struct dump_options o = { 0 };
	static struct dump d;
	int err;

	msg_set_program("dump.lcfs");
	parse_command_line(&o, argc, argv);
	err = run(&d, &o);
	offline_close(&d.cache);
	return err ? EXIT_FAILURE : EXIT_SUCCESS;
}
