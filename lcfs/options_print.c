// SPDX-License-Identifier: GPL-2.0-or-later
/* What the options are: for people, and for programs that help people. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config.h"
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

/* As lcfs.conf(5) takes it: a comma or backslash of a text has a backslash before it. */
static void print_list(FILE *f, const char *name, const struct option_value *v)
{
	for (unsigned int n = 0; n < v->nr; n++) {
		fprintf(f, "%s", n ? ", " : name);
		if (n == 0)
			fputs(" = ", f);
		for (const char *p = v->list[n]; *p; p++)
			fprintf(f, "%s%c", *p == ',' || *p == '\\' ? "\\" : "", *p);
	}
	if (v->nr)
		fputc('\n', f);
}

static void print_value(FILE *f, const struct options *o, size_t i)
{
	const struct option_row *row = &option_table[i];
	uint64_t number = o->value[i].is_set ? o->value[i].number : row->initial;
	const char *word = row->value;

	switch (row->type) {
	case OPTION_TEXT:
		if (o->value[i].text)
			fprintf(f, "%s = %s\n", row->name, o->value[i].text);
		break;
	case OPTION_LIST:
		print_list(f, row->name, &o->value[i]);
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
}

char *options_config(const struct options *o)
{
	char *text = NULL;
	size_t size;
	FILE *f = open_memstream(&text, &size);
	bool is_bad;

	if (!f)
		return NULL;
	for (size_t i = 0; i < option_rows; i++)
		if (option_table[i].knob < 0 && i != OPT_CACHE)
			print_value(f, o, i);
	for (size_t i = 0; i < nr_option_mount_words; i++)
		if (o->mount_flags & option_mount_words[i].set)
			fprintf(f, "%s = on\n", option_mount_words[i].word);
	is_bad = ferror(f);
	if (fclose(f) == 0 && !is_bad)
		return text;
	free(text);
	return NULL;
}
