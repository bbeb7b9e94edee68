// SPDX-License-Identifier: GPL-2.0-or-later
/* The command line, as people and as mount(8) write it. */
#include "lcfs/options.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/align.h"
#include "common/cleanup.h"
#include "config.h"

/* "noNAME" of a flag. */
static bool take_negated(struct options *o, const char *word)
{
	const struct option_row *row;

	if (strncmp(word, "no", 2) != 0)
		return false;
	row = options_find(word + 2, strlen(word + 2));
	if (!row || row->type != OPTION_FLAG)
		return false;
	o->value[row - option_table] = (struct option_value){ .is_set = true };
	return true;
}

/* mount(8) says rw to its helpers where nobody has said anything. */
static bool take_mount_word(struct options *o, const char *word)
{
	const struct mount_word *w = options_mount_word(word);
	unsigned long given = o->mount_given;

	if (!w)
		return false;
	options_set_mount_word(o, w, true);
	if (o->is_helper && strcmp(word, "rw") == 0)
		o->mount_given = given;
	return true;
}

/* One word of -o. */
static must_check int take_word(struct options *o, const char *word, char *text, size_t size)
{
	size_t len = strcspn(word, "=");
	const struct option_row *row = options_find(word, len);

	if (!word[0])
		return 0;
	if (row)
		return options_set(o, row, word[len] ? word + len + 1 : NULL, text, size);
	if (take_mount_word(o, word) || take_negated(o, word) || options_is_neutral(word))
		return 0;
	if (strcmp(word, "debug") == 0) {
		o->is_debug = true;
		return 0;
	}
	if (strcmp(word, "remount") == 0)
		return options_complain(text, size,
					"remount: a mount stays as it is: unmount and mount again; "
					"knobs are changed by lcctl set");
	if (o->is_sloppy)
		return 0;
	return options_complain(text, size, "unknown option '%.*s': see lcfs --help", (int)len,
				word);
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

/*
 * --name, --name=value, or --name and the value in the next argument. Returns how many arguments
 * were used.
 */
static must_check int take_long(struct options *o, const char *arg, const char *next, char *text,
				size_t size)
{
	size_t len = strcspn(arg, "=");
	const struct option_row *row = options_find(arg, len);
	bool takes_next = row && row->type != OPTION_FLAG && !arg[len] && next;
	const char *value = arg[len] ? arg + len + 1 : NULL;
	int err;

	if (row) {
		err = options_set(o, row, takes_next ? next : value, text, size);
		return err ? err : 1 + takes_next;
	}
	if (strcmp(arg, "help") == 0)
		o->action = OPTIONS_HELP;
	else if (strcmp(arg, "version") == 0)
		o->action = OPTIONS_VERSION;
	else if (strcmp(arg, "list-options") == 0)
		o->action = OPTIONS_TABLE;
	else if (strcmp(arg, "foreground") == 0)
		o->is_foreground = true;
	else if (strcmp(arg, "debug") == 0)
		o->is_debug = true;
	else
		return options_complain(text, size, "unknown option '--%.*s': see lcfs --help",
					(int)len, arg);
	return 1;
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
	return options_complain(text, size, "unknown option '-%c': see lcfs --help", letter);
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
			return options_complain(text, size, "-%c needs a value", *arg);
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
		return options_complain(
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
		return take_long(o, arg + 2, next, text, size);
	if (arg[0] == '-' && arg[1] && arg[1] != '-')
		return take_letters(o, arg, next, text, size);
	err = take_place(o, arg, text, size);
	return err ? err : 1;
}

/* A single place is the mount point, and so is the second of two. */
static void settle_places(struct options *o)
{
	if (!o->mnt) {
		o->mnt = o->dir;
		o->dir = NULL;
	}
	/* what people write in fstab(5) where nothing is to stand */
	if (o->is_helper && o->dir && strcmp(o->dir, "none") == 0)
		o->dir = NULL;
}

/* mount.lcfs, mount.fuse.lcfs, wherever they are. */
static bool is_helper_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return strncmp(slash ? slash + 1 : path, "mount.", 6) == 0;
}

int options_parse(struct options *o, int argc, const char *const *argv, char *text, size_t size)
{
	bool only_places = false;

	if (options_init(o) < 0)
		return -ENOMEM;
	o->is_helper = argc > 0 && is_helper_name(argv[0]);
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
	settle_places(o);
	return 0;
}

/* One number, or as many as there are caches. */
static must_check int check_knobs(const struct options *o, char *text, size_t size)
{
	unsigned int nr = o->value[OPT_CACHE].nr;

	for (size_t i = 0; i < option_rows; i++) {
		const struct option_value *v = &o->value[i];

		if (v->each && v->nr != nr)
			return options_complain(text, size,
						"%s has %u numbers, and there are %u caches: give "
						"one for all, or one for each of them",
						option_table[i].name, v->nr, nr);
	}
	return 0;
}

int options_complete(struct options *o, char *text, size_t size)
{
	const char *dir = options_text(o, OPT_DIRECTORY);

	if (!o->mnt)
		return options_complain(text, size,
					"the backing directory and the mount point are needed: "
					"lcfs -o cache=CACHE DIR MNT");
	if (!o->dir)
		o->dir = dir;
	if (!o->dir)
		return options_complain(text, size,
					"the backing directory and the mount point are needed, and "
					"only '%s' is given: lcfs -o cache=CACHE DIR MNT, or write "
					"directory = DIR into a section [%s] of " CONFIG_FILE,
					o->mnt, o->mnt);
	if (!options_list(o, OPT_CACHE))
		return options_complain(
			text, size,
			"no cache is given: -o cache=CACHE (made with mkfs.lcfs CACHE)");
	return check_knobs(o, text, size);
}
