// SPDX-License-Identifier: GPL-2.0-or-later
/* What the options are: for people, and for programs that help people. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"
#include "config.h"
#include "lcfs/ctl/ctl_config.h"
#include "lcfs/options.h"

static void print_row(const struct option_row *row)
{
	char left[64], initial[48] = "";

	if (row->type == OPTION_FLAG)
		snprintf(left, sizeof(left), "[no]%s", row->name);
	else
		snprintf(left, sizeof(left), "%s=%s", row->name, row->value);
	if (row->type == OPTION_NUMBER)
		snprintf(initial, sizeof(initial), " (%" PRIu64 "%s%s)", row->initial,
			 row->unit[0] && strcmp(row->unit, "0/1") != 0 ? " " : "",
			 strcmp(row->unit, "0/1") != 0 ? row->unit : "");
	printf("  %-33s %s%s\n", left, row->help, initial);
}

void options_print_help(void)
{
	printf("Usage: lcfs -o cache=CACHE[,OPTION...] DIR MNT\n"
	       "       lcfs MNT\n"
	       "       mount -t lcfs -o cache=CACHE[,OPTION...] DIR MNT\n"
	       "Mount the directory of disk images DIR on MNT, its files cached on CACHE.\n"
	       "What is not given is taken from the section [MNT] of " CONFIG_FILE ",\n"
	       "see lcfs.conf(5).\n"
	       "\n"
	       "  -o OPTION[,OPTION...]  see below\n"
	       "  -f, --foreground       stay in the foreground\n"
	       "  -d, --debug            tell more; stay in the foreground\n"
	       "  -h, --help             print this and exit\n"
	       "      --list-options     print the options below for programs and exit\n"
	       "  -V, --version          print the version and exit\n"
	       "\n"
	       "Options, for -o or with -- before them; defaults in parentheses:\n");
	for (size_t i = 0; i < option_rows; i++)
		print_row(&option_table[i]);
	printf("\n"
	       "Flags passed on to the mount:");
	for (size_t i = 0; i < nr_option_mount_words; i++)
		printf(" %s", option_mount_words[i].word);
	printf("\n"
	       "Words for others are ignored: nofail, _netdev, noauto, user, x-..., and so on.\n"
	       "\n"
	       "Exit status: 0 mounted, 1 refused or failed, 2 wrong usage. See lcfs(8).\n");
}

static void print_row_list(const struct option_row *row)
{
	static const char *const types[] = {
		[OPTION_TEXT] = "text", [OPTION_LIST] = "list", [OPTION_NUMBER] = "number",
		[OPTION_FLAG] = "flag", [OPTION_WORD] = "word",
	};

	printf("%s\t%s\t", row->name, types[row->type]);
	if (row->type == OPTION_NUMBER)
		printf("%" PRIu64 "-%" PRIu64, row->min, row->max);
	else
		printf("%s", row->value);
	printf("\t%s\n", row->help);
}

void options_print_list(void)
{
	for (size_t i = 0; i < option_rows; i++)
		print_row_list(&option_table[i]);
	for (size_t i = 0; i < nr_option_mount_words; i++)
		printf("%s\tmount\t\t\n", option_mount_words[i].word);
}

/* ------------------------------------------------------------------ values in effect */

static bool print_text(FILE *f, const char *name, const char *value, bool is_item)
{
	CLEANUP_FREE char *line = ctl_config_line(name, value, is_item);

	return line && fputs(line, f) >= 0;
}

/* False: no memory. */
static bool print_value(FILE *f, const struct options *o, size_t i)
{
	const struct option_row *row = &option_table[i];
	const struct option_value *v = &o->value[i];
	uint64_t number = v->is_set ? v->number : row->initial;
	const char *word = row->value;
	bool ok = true;

	switch (row->type) {
	case OPTION_TEXT:
		if (v->text)
			ok = print_text(f, row->name, v->text, false);
		break;
	case OPTION_LIST:
		for (unsigned int n = 0; ok && n < v->nr; n++)
			ok = print_text(f, row->name, v->list[n], true);
		break;
	case OPTION_NUMBER:
		fprintf(f, "%s = %" PRIu64 "\n", row->name, number);
		break;
	case OPTION_FLAG:
		if (number != OPTION_AUTO)
			fprintf(f, "%s = %s\n", row->name, number ? "on" : "off");
		break;
	case OPTION_WORD:
		while (number--)
			word = strchr(word, '|') + 1;
		fprintf(f, "%s = %.*s\n", row->name, (int)strcspn(word, "|"), word);
		break;
	}
	return ok;
}

/* Every word that is true and makes a difference: nosuid is the default, suid is not. */
static void print_mount_words(FILE *f, const struct options *o)
{
	for (size_t i = 0; i < nr_option_mount_words; i++) {
		const struct mount_word *w = &option_mount_words[i];

		if ((o->mount_flags & w->set) || (w->clear & OPTIONS_MOUNT_FLAGS & ~o->mount_flags))
			fprintf(f, "%s = on\n", w->word);
	}
}

/* Told by who knows them better, or not for a file. */
static bool is_left_out(size_t i)
{
	return option_table[i].knob >= 0 || i == OPT_CACHE || i == OPT_DIRECTORY ||
	       i == OPT_CONFIG || options_is_for_once(&option_table[i]);
}

char *options_config(const struct options *o)
{
	char *text = NULL;
	size_t size;
	FILE *f = open_memstream(&text, &size);
	bool ok = true;

	if (!f)
		return NULL;
	for (size_t i = 0; ok && i < option_rows; i++)
		if (!is_left_out(i))
			ok = print_value(f, o, i);
	print_mount_words(f, o);
	ok = ok && !ferror(f);
	if (fclose(f) == 0 && ok)
		return text;
	free(text);
	return NULL;
}
