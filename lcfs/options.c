// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The command line. Three kinds of words come in -o: those of the table, flags of mount(2), which
 * are passed on, and neutral ones that are for mount(8), systemd and others and mean nothing here.
 */
#include "lcfs/options.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>

#include "common/align.h"
#include "common/cleanup.h"
#include "common/parse.h"

const struct option_row option_table[] = {
#define OPTION(id_, name_, type_, min_, max_, default_, value_, help_) \
	[id_] = { #name_, OPTION_##type_, min_, max_, default_, value_, "", help_, -1 },
#include "lcfs/options.def"
#undef OPTION
#define KNOB(knob_, name_, unit_, min_, max_, default_, help_) \
	{ #name_, OPTION_NUMBER, min_, max_, default_, "N", unit_, help_, knob_ },
#include "lcfs/ctl/knobs.def"
#undef KNOB
};

const size_t option_rows = array_size(option_table);

static int complain(char *text, size_t size, const char *format, ...) printf_like(3, 4);
static int complain(char *text, size_t size, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(text, size, format, args);
	va_end(args);
	return -EINVAL;
}

/* ------------------------------------------------------------------ words of mount(8) */

struct mount_word {
	const char *word;
	unsigned long set, clear;
};

static const struct mount_word mount_words[] = {
	{ "ro", MS_RDONLY, 0 },		  { "rw", 0, MS_RDONLY },
	{ "nosuid", MS_NOSUID, 0 },	  { "suid", 0, MS_NOSUID },
	{ "nodev", MS_NODEV, 0 },	  { "dev", 0, MS_NODEV },
	{ "noexec", MS_NOEXEC, 0 },	  { "exec", 0, MS_NOEXEC },
	{ "sync", MS_SYNCHRONOUS, 0 },	  { "async", 0, MS_SYNCHRONOUS },
	{ "dirsync", MS_DIRSYNC, 0 },	  { "noatime", MS_NOATIME, 0 },
	{ "atime", 0, MS_NOATIME },	  { "nodiratime", MS_NODIRATIME, 0 },
	{ "diratime", 0, MS_NODIRATIME },
};

/* Not for us. One that ends in * stands for all that begin so. */
static const char *const neutral_words[] = {
	"nofail",     "_netdev",  "user",	"user=*",      "users",		"nouser",
	"nousers",    "owner",	  "noowner",	"group",       "nogroup",	"noauto",
	"auto",	      "relatime", "norelatime", "strictatime", "nostrictatime", "lazytime",
	"nolazytime", "defaults", "comment=*",	"x-*",	       "X-*",		"subtype=*",
};

static bool word_matches(const char *pattern, const char *word)
{
	size_t len = strlen(pattern);

	if (len && pattern[len - 1] == '*')
		return strncmp(pattern, word, len - 1) == 0;
	return strcmp(pattern, word) == 0;
}

static bool take_mount_word(struct options *o, const char *word)
{
	for (size_t i = 0; i < array_size(mount_words); i++) {
		if (strcmp(mount_words[i].word, word) == 0) {
			o->mount_flags |= mount_words[i].set;
			o->mount_flags &= ~mount_words[i].clear;
			return true;
		}
	}
	return false;
}

static bool is_neutral(const char *word)
{
	for (size_t i = 0; i < array_size(neutral_words); i++) {
		if (word_matches(neutral_words[i], word))
			return true;
	}
	return false;
}

/* ------------------------------------------------------------------ options of the table */

/* The row whose name is the len bytes at name, where - stands for _; NULL if there is none. */
static const struct option_row *find_row(const char *name, size_t len)
{
	for (size_t i = 0; i < option_rows; i++) {
		const char *known = option_table[i].name;
		size_t n = 0;

		while (n < len && known[n] &&
		       (known[n] == name[n] || (known[n] == '_' && name[n] == '-')))
			n++;
		if (n == len && !known[n])
			return &option_table[i];
	}
	return NULL;
}

/* The place of word in "a|b|c", or -1. */
static int word_place(const char *words, const char *word)
{
	size_t len = strlen(word);
	int place = 0;

	for (;;) {
		size_t n = strcspn(words, "|");

		if (n == len && strncmp(words, word, n) == 0)
			return place;
		if (!words[n])
			return -1;
		words += n + 1;
		place++;
	}
}

static must_check int set_number(const struct option_row *row, struct option_value *v,
				 const char *value, char *text, size_t size)
{
	bool has_unit = row->unit[0] && strcmp(row->unit, "0/1") != 0;
	int err = parse_u64(value, row->min, row->max, &v->number);

	if (err && row->min == 0 && row->max == 1)
		return complain(text, size, "%s=%s: give 0 or 1", row->name, value);
	if (err)
		return complain(text, size,
				"%s=%s: give a number from %" PRIu64 " to %" PRIu64 "%s%s",
				row->name, value, row->min, row->max, has_unit ? " " : "",
				has_unit ? row->unit : "");
	return 0;
}

static must_check int set_flag(const struct option_row *row, struct option_value *v,
			       const char *value, char *text, size_t size)
{
	bool on = true;

	if (value && parse_bool(value, &on) < 0)
		return complain(text, size, "%s=%s: give on or off", row->name, value);
	v->number = on;
	return 0;
}

static must_check int set_text(const struct option_row *row, struct option_value *v,
			       const char *value, char *text, size_t size)
{
	if (!value[0])
		return complain(text, size, "%s=: the value is missing", row->name);
	free(v->text);
	v->text = strdup(value);
	return v->text ? 0 : -ENOMEM;
}

/* One more of a LIST. */
static must_check int add_text(const struct option_row *row, struct option_value *v,
			       const char *value, char *text, size_t size)
{
	char **list;

	if (!value[0])
		return complain(text, size, "%s=: the value is missing", row->name);
	list = reallocarray(v->list, v->nr + 2, sizeof(*list));
	if (!list)
		return -ENOMEM;
	v->list = list;
	v->list[v->nr] = strdup(value);
	if (!v->list[v->nr])
		return -ENOMEM;
	v->list[++v->nr] = NULL;
	return 0;
}

/* value is NULL where no = was given. */
static must_check int set_option(struct options *o, const struct option_row *row, const char *value,
				 char *text, size_t size)
{
	struct option_value *v = &o->value[row - option_table];
	int err = 0, place;

	if (!value && row->type != OPTION_FLAG)
		return complain(text, size, "%s needs a value: %s=%s", row->name, row->name,
				row->value);
	switch (row->type) {
	case OPTION_TEXT:
		err = set_text(row, v, value, text, size);
		break;
	case OPTION_LIST:
		err = add_text(row, v, value, text, size);
		break;
	case OPTION_NUMBER:
		err = set_number(row, v, value, text, size);
		break;
	case OPTION_FLAG:
		err = set_flag(row, v, value, text, size);
		break;
	case OPTION_WORD:
		place = word_place(row->value, value);
		if (place < 0)
			return complain(text, size, "%s=%s: give one of %s", row->name, value,
					row->value);
		v->number = (uint64_t)place;
		break;
	}
	if (!err)
		v->is_set = true;
	return err;
}

/* "noNAME" of a flag. */
static bool take_negated(struct options *o, const char *word)
{
	const struct option_row *row;

	if (strncmp(word, "no", 2) != 0)
		return false;
	row = find_row(word + 2, strlen(word + 2));
	if (!row || row->type != OPTION_FLAG)
		return false;
	o->value[row - option_table] = (struct option_value){ .is_set = true };
	return true;
}

/* One word of -o. */
static must_check int take_word(struct options *o, const char *word, char *text, size_t size)
{
	size_t len = strcspn(word, "=");
	const struct option_row *row = find_row(word, len);

	if (!word[0])
		return 0;
	if (row)
		return set_option(o, row, word[len] ? word + len + 1 : NULL, text, size);
	if (take_mount_word(o, word) || take_negated(o, word) || is_neutral(word))
		return 0;
	if (strcmp(word, "debug") == 0) {
		o->is_debug = true;
		return 0;
	}
	if (o->is_sloppy)
		return 0;
	return complain(text, size, "unknown option '%.*s': see lcfs --help", (int)len, word);
}

/* The words of one -o, separated by commas; a backslash takes the next character as it is. */
static must_check int take_words(struct options *o, const char *words, char *text, size_t size)
{
	CLEANUP_FREE char *word = malloc(strlen(words) + 1);
	size_t n = 0;
	int err = 0;

	if (!word)
		return -ENOMEM;
	for (; !err; words++) {
		if (*words == '\\' && words[1]) {
			word[n++] = *++words;
		} else if (*words == ',' || !*words) {
			word[n] = '\0';
			n = 0;
			err = take_word(o, word, text, size);
			if (!*words)
				break;
		} else {
			word[n++] = *words;
		}
	}
	return err;
}

/* ------------------------------------------------------------------ the command line */

/* --name or --name=value. */
static must_check int take_long(struct options *o, const char *arg, char *text, size_t size)
{
	size_t len = strcspn(arg, "=");
	const struct option_row *row = find_row(arg, len);

	if (strcmp(arg, "help") == 0)
		o->action = OPTIONS_HELP;
	else if (strcmp(arg, "version") == 0)
		o->action = OPTIONS_VERSION;
	else if (strcmp(arg, "foreground") == 0)
		o->is_foreground = true;
	else if (strcmp(arg, "debug") == 0)
		o->is_debug = true;
	else if (row)
		return set_option(o, row, arg[len] ? arg + len + 1 : NULL, text, size);
	else
		return complain(text, size, "unknown option '--%.*s': see lcfs --help", (int)len,
				arg);
	return 0;
}

/* The letters that both command lines have, or that only one has. */
static must_check int take_letter(struct options *o, int letter, char *text, size_t size)
{
	switch (letter) {
	case 'h':
		o->action = OPTIONS_HELP;
		return 0;
	case 'V':
		o->action = OPTIONS_VERSION;
		return 0;
	case 'f':
		if (o->is_helper)
			o->action = OPTIONS_FAKE;
		else
			o->is_foreground = true;
		return 0;
	case 'd':
		if (o->is_helper)
			break;
		o->is_debug = true;
		return 0;
	case 's':
	case 'n':
	case 'v':
		if (!o->is_helper)
			break;
		o->is_sloppy = o->is_sloppy || letter == 's';
		return 0;
	default:
		break;
	}
	return complain(text, size, "unknown option '-%c': see lcfs --help", letter);
}

/*
 * An argument that begins with one hyphen: letters, the last of which may be one with a value, here
 * or in the next argument. Returns how many arguments were used.
 */
static must_check int take_letters(struct options *o, const char *arg, const char *next, char *text,
				   size_t size)
{
	for (arg++; *arg; arg++) {
		const char *value = arg[1] ? arg + 1 : next;
		int used = arg[1] ? 1 : 2;
		int err;

		if (*arg != 'o' && !(o->is_helper && (*arg == 't' || *arg == 'N'))) {
			err = take_letter(o, *arg, text, size);
			if (err)
				return err;
			continue;
		}
		if (!value)
			return complain(text, size, "-%c needs a value", *arg);
		err = *arg == 'o' ? take_words(o, value, text, size) : 0;
		return err ? err : used;
	}
	return 1;
}

static must_check int take_place(struct options *o, const char *arg, char *text, size_t size)
{
	if (!o->dir)
		o->dir = arg;
	else if (!o->mnt)
		o->mnt = arg;
	else
		return complain(
			text, size,
			"'%s' is one argument too many: lcfs -o cache=CACHE[,OPTION...] DIR MNT",
			arg);
	return 0;
}

/* Returns how many arguments were used. */
static must_check int take_argument(struct options *o, const char *arg, const char *next,
				    char *text, size_t size)
{
	int err;

	if (arg[0] == '-' && arg[1] == '-' && arg[2])
		err = take_long(o, arg + 2, text, size);
	else if (arg[0] == '-' && arg[1] && arg[1] != '-')
		return take_letters(o, arg, next, text, size);
	else
		err = take_place(o, arg, text, size);
	return err ? err : 1;
}

static must_check int check_complete(const struct options *o, char *text, size_t size)
{
	if (o->action == OPTIONS_HELP || o->action == OPTIONS_VERSION)
		return 0;
	if (!o->dir || !o->mnt)
		return complain(text, size,
				"the backing directory and the mount point are needed: lcfs -o "
				"cache=CACHE DIR MNT");
	if (!o->value[OPT_CACHE].is_set)
		return complain(text, size,
				"no cache is given: -o cache=CACHE (made with mkfs.lcfs CACHE)");
	return 0;
}

int options_parse(struct options *o, int argc, const char *const *argv, char *text, size_t size)
{
	const char *name = argc > 0 ? argv[0] : "";
	const char *slash = strrchr(name, '/');
	bool only_places = false;

	*o = (struct options){ .mount_flags = MS_NOSUID | MS_NODEV };
	o->is_helper = strncmp(slash ? slash + 1 : name, "mount.", 6) == 0;
	o->value = calloc(option_rows, sizeof(*o->value));
	if (!o->value)
		return -ENOMEM;
	for (int i = 1; i < argc;) {
		int used = 1;

		if (only_places)
			used = take_place(o, argv[i], text, size) ?: 1;
		else if (strcmp(argv[i], "--") == 0)
			only_places = true;
		else
			used = take_argument(o, argv[i], argv[i + 1], text, size);
		if (used < 0)
			return used;
		i += used;
	}
	if (o->is_debug)
		o->is_foreground = true;
	return check_complete(o, text, size);
}

void options_free(struct options *o)
{
	for (size_t i = 0; o->value && i < option_rows; i++) {
		for (unsigned int n = 0; n < o->value[i].nr; n++)
			free(o->value[i].list[n]);
		free(o->value[i].list);
		free(o->value[i].text);
	}
	free(o->value);
	o->value = NULL;
}

/* ------------------------------------------------------------------ values */

uint64_t options_number(const struct options *o, enum option_id id)
{
	return o->value[id].is_set ? o->value[id].number : option_table[id].initial;
}

const char *options_text(const struct options *o, enum option_id id)
{
	return o->value[id].text;
}

const char *const *options_list(const struct options *o, enum option_id id)
{
	return (const char *const *)o->value[id].list;
}

bool options_flag(const struct options *o, enum option_id id, bool automatic)
{
	uint64_t value = options_number(o, id);

	return value == OPTION_AUTO ? automatic : value != 0;
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
		for (size_t n = 0; n < o->value[i].nr; n++)
			fprintf(f, "%s = %s\n", row->name, o->value[i].list[n]);
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
	for (size_t i = 0; i < array_size(mount_words); i++)
		if (o->mount_flags & mount_words[i].set)
			fprintf(f, "%s = on\n", mount_words[i].word);
	is_bad = ferror(f);
	if (fclose(f) == 0 && !is_bad)
		return text;
	free(text);
	return NULL;
}

/* ------------------------------------------------------------------ help */

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
	       "       mount -t lcfs -o cache=CACHE[,OPTION...] DIR MNT\n"
	       "Mount the directory of disk images DIR on MNT, its files cached on CACHE.\n"
	       "\n"
	       "  -o OPTION[,OPTION...]  see below\n"
	       "  -f, --foreground       stay in the foreground\n"
	       "  -d, --debug            tell more; stay in the foreground\n"
	       "  -h, --help             print this and exit\n"
	       "  -V, --version          print the version and exit\n"
	       "\n"
	       "Options, for -o or with -- before them; defaults in parentheses:\n");
	for (size_t i = 0; i < option_rows; i++)
		print_row(&option_table[i]);
	printf("\n"
	       "Flags passed on to the mount:");
	for (size_t i = 0; i < array_size(mount_words); i++)
		printf(" %s", mount_words[i].word);
	printf("\n"
	       "Words for others are ignored: nofail, _netdev, noauto, user, x-..., and so on.\n"
	       "\n"
	       "Exit status: 0 mounted, 1 refused or failed, 2 wrong usage. See lcfs(8).\n");
}
