// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The table of options and the values they have, whether they came on the command line or in the
 * configuration file. Besides the words of the table there are flags of mount(2), which are passed
 * on, and neutral ones that are for mount(8), systemd and others and mean nothing here.
 */
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
#include "config.h"
#include "lcfs/options.h"

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

int options_complain(char *text, size_t size, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(text, size, format, args);
	va_end(args);
	return -EINVAL;
}

/* ------------------------------------------------------------------ words of mount(8) */

const struct mount_word option_mount_words[] = {
	{ "ro", MS_RDONLY, 0 },		  { "rw", 0, MS_RDONLY },
	{ "nosuid", MS_NOSUID, 0 },	  { "suid", 0, MS_NOSUID },
	{ "nodev", MS_NODEV, 0 },	  { "dev", 0, MS_NODEV },
	{ "noexec", MS_NOEXEC, 0 },	  { "exec", 0, MS_NOEXEC },
	{ "sync", MS_SYNCHRONOUS, 0 },	  { "async", 0, MS_SYNCHRONOUS },
	{ "dirsync", MS_DIRSYNC, 0 },	  { "noatime", MS_NOATIME, 0 },
	{ "atime", 0, MS_NOATIME },	  { "nodiratime", MS_NODIRATIME, 0 },
	{ "diratime", 0, MS_NODIRATIME },
};

const size_t nr_option_mount_words = array_size(option_mount_words);

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

const struct mount_word *options_mount_word(const char *word)
{
	for (size_t i = 0; i < nr_option_mount_words; i++) {
		if (strcmp(option_mount_words[i].word, word) == 0)
			return &option_mount_words[i];
	}
	return NULL;
}

void options_set_mount_word(struct options *o, const struct mount_word *w, bool on)
{
	o->mount_flags |= on ? w->set : w->clear;
	o->mount_flags &= ~(on ? w->clear : w->set);
	o->mount_given |= w->set | w->clear;
}

bool options_is_neutral(const char *word)
{
	for (size_t i = 0; i < array_size(neutral_words); i++) {
		if (word_matches(neutral_words[i], word))
			return true;
	}
	return false;
}

/* ------------------------------------------------------------------ options of the table */

const struct option_row *options_find(const char *name, size_t len)
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
		return options_complain(text, size, "%s=%s: give 0 or 1", row->name, value);
	if (err)
		return options_complain(text, size,
					"%s=%s: give a number from %" PRIu64 " to %" PRIu64 "%s%s",
					row->name, value, row->min, row->max, has_unit ? " " : "",
					has_unit ? row->unit : "");
	return 0;
}

/* "70:50": a knob of several caches. */
static must_check int set_each(const struct option_row *row, struct option_value *v,
			       const char *value, char *text, size_t size)
{
	CLEANUP_FREE char *copy = strdup(value);
	unsigned int nr = 1;
	char *at = copy, *word;
	int err = 0;

	for (const char *p = value; (p = strchr(p, ':')) != NULL; p++)
		nr++;
	free(v->each);
	v->each = calloc(nr, sizeof(*v->each));
	v->nr = 0;
	if (!v->each || !copy)
		return -ENOMEM;
	while (!err && (word = strsep(&at, ":")) != NULL) {
		err = set_number(row, v, word, text, size);
		v->each[v->nr++] = v->number;
	}
	return err;
}

static must_check int set_one(const struct option_row *row, struct option_value *v,
			      const char *value, char *text, size_t size)
{
	free(v->each);
	v->each = NULL;
	v->nr = 0;
	return set_number(row, v, value, text, size);
}

static must_check int set_flag(const struct option_row *row, struct option_value *v,
			       const char *value, char *text, size_t size)
{
	bool on = true;

	if (value && parse_bool(value, &on) < 0)
		return options_complain(text, size, "%s=%s: give on or off", row->name, value);
	v->number = on;
	return 0;
}

static must_check int set_text(const struct option_row *row, struct option_value *v,
			       const char *value, char *text, size_t size)
{
	if (!value[0])
		return options_complain(text, size, "%s=: the value is missing", row->name);
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
		return options_complain(text, size, "%s=: the value is missing", row->name);
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

int options_set(struct options *o, const struct option_row *row, const char *value, char *text,
		size_t size)
{
	struct option_value *v = &o->value[row - option_table];
	int err = 0, place;

	if (!value && row->type != OPTION_FLAG)
		return options_complain(text, size, "%s needs a value: %s=%s", row->name, row->name,
					row->value);
	switch (row->type) {
	case OPTION_TEXT:
		err = set_text(row, v, value, text, size);
		break;
	case OPTION_LIST:
		err = add_text(row, v, value, text, size);
		break;
	case OPTION_NUMBER:
		err = row->knob >= 0 && strchr(value, ':') ? set_each(row, v, value, text, size) :
							     set_one(row, v, value, text, size);
		break;
	case OPTION_FLAG:
		err = set_flag(row, v, value, text, size);
		break;
	case OPTION_WORD:
		place = word_place(row->value, value);
		if (place < 0)
			return options_complain(text, size, "%s=%s: give one of %s", row->name,
						value, row->value);
		v->number = (uint64_t)place;
		break;
	}
	if (!err)
		v->is_set = true;
	return err;
}

/* ------------------------------------------------------------------ life */

int options_init(struct options *o)
{
	*o = (struct options){ .mount_flags = OPTIONS_MOUNT_FLAGS };
	o->value = calloc(option_rows, sizeof(*o->value));
	return o->value ? 0 : -ENOMEM;
}

static void free_value(struct option_value *v)
{
	for (unsigned int i = 0; v->list && i < v->nr; i++)
		free(v->list[i]);
	free(v->list);
	free(v->each);
	free(v->text);
	*v = (struct option_value){ 0 };
}

void options_free(struct options *o)
{
	for (size_t i = 0; o->value && i < option_rows; i++)
		free_value(&o->value[i]);
	free(o->value);
	o->value = NULL;
}

bool options_is_for_once(const struct option_row *row)
{
	return row == &option_table[OPT_FORCE] || row == &option_table[OPT_LOST_BUFFERS];
}

void options_merge(struct options *o, struct options *other)
{
	for (size_t i = 0; i < option_rows; i++) {
		if (o->value[i].is_set || !other->value[i].is_set)
			continue;
		free_value(&o->value[i]);
		o->value[i] = other->value[i];
		other->value[i] = (struct option_value){ 0 };
	}
	other->mount_given &= ~o->mount_given;
	o->mount_flags &= ~other->mount_given;
	o->mount_flags |= other->mount_flags & other->mount_given;
	o->mount_given |= other->mount_given;
}

/* ------------------------------------------------------------------ values */

bool options_knob(const struct options *o, size_t row, unsigned int place, uint64_t *value)
{
	const struct option_value *v = &o->value[row];

	if (!v->is_set || (v->each && place >= v->nr))
		return false;
	*value = v->each ? v->each[place] : v->number;
	return true;
}

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
