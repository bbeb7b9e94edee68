// SPDX-License-Identifier: GPL-2.0-or-later
/* mkfs.lcfs: make an empty cache on a block device or in a file. */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/messages.h"
#include "common/parse.h"
#include "config.h"
#include "lcfs/io/uuid.h"
#include "lcfs/tools/mkfs.h"

#define EXIT_USAGE 2

static void print_help(void)
{
	printf("Usage: mkfs.lcfs [OPTION]... CACHE\n"
	       "Make an empty lcfs cache on CACHE, a block device or a file.\n"
	       "\n"
	       "  -f, --force            overwrite what CACHE holds, dirty segments included\n"
	       "  -K, --nodiscard        do not tell the device to forget what is in its blocks\n"
	       "  -L, --label=LABEL      a name for it, at most %d bytes\n"
	       "      --segment-order=N  segments of 2^N sectors of 512 bytes, N %u to %u (%u)\n"
	       "  -s, --size=SIZE        size of a file, with K, M, G or T behind; it is created\n"
	       "                         if it is not there\n"
	       "      --uuid=UUID        its UUID (default: a random one)\n"
	       "  -q, --quiet            say nothing unless something is wrong\n"
	       "  -h, --help             print this and exit\n"
	       "  -V, --version          print the version and exit\n"
	       "\n"
	       "Exit status: 0 done, 1 refused or failed, 2 wrong usage. See mkfs.lcfs(8).\n",
	       FORMAT_LABEL_BYTES, SEGMENT_ORDER_MIN, SEGMENT_ORDER_MAX, SEGMENT_ORDER_DEFAULT);
}

noreturn_ static void usage_error(void)
{
	fprintf(stderr, "Try 'mkfs.lcfs --help' for more information.\n");
	exit(EXIT_USAGE);
}

static void parse_label(struct mkfs_options *o, const char *text)
{
	size_t len = strlen(text);

	if (len > FORMAT_LABEL_BYTES) {
		msg_err("--label: '%s' has %zu bytes, at most %d are possible", text, len,
			FORMAT_LABEL_BYTES);
		usage_error();
	}
	for (size_t i = 0; i < len; i++) {
		if ((unsigned char)text[i] < 0x20 || text[i] == 0x7f) {
			msg_err("--label: '%s' has a control character", text);
			usage_error();
		}
	}
	o->label = text;
}

static void parse_number(const char *option, int err, const char *text, const char *wanted)
{
	if (!err)
		return;
	msg_err("%s: '%s' %s: give %s", option, text,
		err == -ERANGE ? "is out of range" : "is no number", wanted);
	usage_error();
}

enum {
	OPTION_SEGMENT_ORDER = 256,
	OPTION_UUID,
};

static const struct option options[] = {
	{ "force", no_argument, NULL, 'f' },
	{ "nodiscard", no_argument, NULL, 'K' },
	{ "label", required_argument, NULL, 'L' },
	{ "segment-order", required_argument, NULL, OPTION_SEGMENT_ORDER },
	{ "size", required_argument, NULL, 's' },
	{ "uuid", required_argument, NULL, OPTION_UUID },
	{ "quiet", no_argument, NULL, 'q' },
	{ "help", no_argument, NULL, 'h' },
	{ "version", no_argument, NULL, 'V' },
	{ 0 },
};

static void parse_option(struct mkfs_options *o, int option)
{
	char wanted[48];
	uint64_t order;

	switch (option) {
	case 'f':
		o->force = true;
		break;
	case 'K':
		o->keeps_blocks = true;
		break;
	case 'L':
		parse_label(o, optarg);
		break;
	case 's':
		parse_number("--size", parse_size(optarg, 1, INT64_MAX, &o->size), optarg,
			     "bytes, or a number with K, M, G or T behind it");
		break;
	case 'q':
		o->quiet = true;
		break;
	case OPTION_SEGMENT_ORDER:
		snprintf(wanted, sizeof(wanted), "a number from %u to %u",
			 (unsigned int)SEGMENT_ORDER_MIN, (unsigned int)SEGMENT_ORDER_MAX);
		parse_number("--segment-order",
			     parse_u64(optarg, SEGMENT_ORDER_MIN, SEGMENT_ORDER_MAX, &order),
			     optarg, wanted);
		o->segment_order = (uint32_t)order;
		break;
	case OPTION_UUID:
		if (uuid_parse(optarg, o->uuid) < 0) {
			msg_err("--uuid: '%s' is no UUID", optarg);
			usage_error();
		}
		o->has_uuid = true;
		break;
	case 'h':
		print_help();
		exit(EXIT_SUCCESS);
	case 'V':
		printf("mkfs.lcfs (%s) %s\n", PACKAGE_NAME, PACKAGE_VERSION);
		exit(EXIT_SUCCESS);
	default:
		usage_error();
	}
}

static void parse_command_line(struct mkfs_options *o, int argc, char **argv)
{
	int option;

	while ((option = getopt_long(argc, argv, "fKL:s:qhV", options, NULL)) != -1)
		parse_option(o, option);
	if (argc - optind == 1) {
		o->path = argv[optind];
		return;
	}
	if (optind == argc)
		msg_err("which device or file is to be the cache?");
	else
		msg_err("one device or file at a time, not %d", argc - optind);
	usage_error();
}

static void print_result(const struct mkfs_options *o, const struct superblock *sb)
{
	char uuid[UUID_TEXT_BYTES];

	uuid_text(sb->cache_uuid, uuid);
	printf("%s: lcfs cache, UUID %s", o->path, uuid);
	if (sb->label[0])
		printf(", label \"%s\"", sb->label);
	printf(", %" PRIu64 " segments of %" PRIu64 " KiB\n", sb->nr_segments,
	       superblock_segment_bytes(sb) >> 10);
}

static must_check int make_cache(struct mkfs_target *t, const struct mkfs_options *o,
				 struct superblock *sb)
{
	struct superblock former;
	bool had_cache = false;
	int err = mkfs_probe(t, o);

	if (!err && !t->is_created)
		had_cache = mkfs_read_superblock(t, &former) == 1;
	if (!err)
		err = mkfs_layout(sb, t, o);
	if (!err)
		err = mkfs_target_allocate(t, o);
	if (!err)
		err = mkfs_format(t, sb, o);
	if (!err && had_cache)
		mkfs_drop_buffers(&former);
	return err;
}

int main(int argc, char **argv)
{
	struct mkfs_options o = { .label = "", .segment_order = SEGMENT_ORDER_DEFAULT };
	struct mkfs_target target = { .fd = -1 };
	struct superblock sb = { 0 };
	int err;

	msg_set_program("mkfs.lcfs");
	parse_command_line(&o, argc, argv);
	err = mkfs_target_open(&target, &o);
	if (!err)
		err = make_cache(&target, &o, &sb);
	mkfs_target_close(&target, !err);
	if (err)
		return EXIT_FAILURE;
	if (!o.quiet)
		print_result(&o, &sb);
	return EXIT_SUCCESS;
}
