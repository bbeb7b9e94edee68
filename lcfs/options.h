/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The options of lcfs: their table, which options.def fills, and their values, which are looked up
 * by id. They come from the command line, also as mount(8) gives it to mount.lcfs, and from the
 * configuration file (conffile.h).
 *
 * Functions that can fail return 0 or -errno with one line in text (size bytes). One thread.
 */
#ifndef LCFS_OPTIONS_H
#define LCFS_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mount.h>

#include "common/compiler.h"
#include "lcfs/cache/cache.h"

#define OPTION_AUTO UINT64_MAX
#define OPTION_TRANSPORT_URING 1 /* its place in "dev|uring" */
#define OPTIONS_MOUNT_FLAGS (MS_NOSUID | MS_NODEV) /* unless somebody decides */

enum option_type {
	OPTION_TEXT,
	OPTION_LIST,
	OPTION_NUMBER,
	OPTION_FLAG,
	OPTION_WORD,
};

enum option_id {
#define OPTION(id_, name_, type_, min_, max_, default_, value_, help_) id_,
#include "lcfs/options.def"
#undef OPTION
	NR_OPTIONS
};

/* A row of the table: the options of options.def by id, then the knobs. */
struct option_row {
	const char *name;
	enum option_type type;
	uint64_t min, max, initial;
	const char *value; /* what stands behind the = in --help; "" where there is none */
	const char *unit;
	const char *help;
	int knob; /* enum cache_knob, or -1 */
};

extern const struct option_row option_table[];
extern const size_t option_rows;

struct option_value {
	bool is_set;
	uint64_t number; /* NUMBER, FLAG; a WORD's place in its list */
	char *text;	 /* TEXT; owned */
	char **list;	 /* LIST: nr of them, in the order given, NULL behind; owned */
	uint64_t *each;	 /* a knob: nr of them, one a cache in their order; NULL: number; owned */
	unsigned int nr;
};

/* A flag of mount(2) and its opposite. */
struct mount_word {
	const char *word;
	unsigned long set, clear; /* MS_* */
};

extern const struct mount_word option_mount_words[];
extern const size_t nr_option_mount_words;

enum options_action {
	OPTIONS_MOUNT,
	OPTIONS_FAKE, /* check, do not mount (mount -f) */
	OPTIONS_HELP,
	OPTIONS_VERSION,
	OPTIONS_TABLE, /* print the table for programs */
};

struct options {
	bool is_helper; /* called as mount.SOMETHING, with that command line and exit status */
	enum options_action action;
	bool is_foreground, is_debug, is_sloppy;
	const char *dir, *mnt;	    /* not owned; NULL: not given */
	unsigned long mount_flags;  /* MS_* */
	unsigned long mount_given;  /* those of them that somebody decided about */
	struct option_value *value; /* option_rows of them */
};

/* No option given. options_free() follows, also after a failure. */
int options_init(struct options *o) must_check;
void options_free(struct options *o);

/*
 * Reads argv; what it points to must outlive *o. -EINVAL: wrong usage; -ENOMEM. options_free()
 * follows in either case.
 */
int options_parse(struct options *o, int argc, const char *const *argv, char *text,
		  size_t size) must_check;
/*
 * Is all there that a mount needs, whoever gave it? o->dir is that of the command line or of
 * `directory`. -EINVAL if not.
 */
int options_complete(struct options *o, char *text, size_t size) must_check;

/* The row whose name is the len bytes at name, where - stands for _; NULL if there is none. */
const struct option_row *options_find(const char *name, size_t len);
/* Sets it, or adds to a LIST. value is NULL where no = was given. */
int options_set(struct options *o, const struct option_row *row, const char *value, char *text,
		size_t size) must_check;
/* NULL: it is none. */
const struct mount_word *options_mount_word(const char *word);
/* on: what the word says, else the opposite. */
void options_set_mount_word(struct options *o, const struct mount_word *w, bool on);
/* Is it a word for mount(8), systemd and others? */
bool options_is_neutral(const char *word);
/* Is it one that says "this once, although"? In a file it would go on saying so. */
bool options_is_for_once(const struct option_row *row);
/* What is set in *other and not in *o goes to *o. options_free(other) follows. */
void options_merge(struct options *o, struct options *other);

/* What was said of the knob of this row for the place-th cache, from 0; false: nothing. */
bool options_knob(const struct options *o, size_t row, unsigned int place,
		  uint64_t *value) must_check;
/* The value or its default. */
uint64_t options_number(const struct options *o, enum option_id id);
/* The text, or NULL if the option was not given. */
const char *options_text(const struct options *o, enum option_id id);
/* The texts of a LIST, NULL at the end; or NULL if the option was not given. */
const char *const *options_list(const struct options *o, enum option_id id);
/* A FLAG whose default is OPTION_AUTO: `automatic` is what that means now. */
bool options_flag(const struct options *o, enum option_id id, bool automatic);

/* Lines of lcfs.conf(5) with what is in effect, but for directory, caches and their knobs, which
 * can change. To be freed; NULL: no memory. */
char *options_config(const struct options *o) must_check;

void options_print_help(void);
/*
 * A line an option for programs such as the completion of a shell, tabs between: name, type (text,
 * list, number, flag, word), what stands behind the = in --help or min-max of a number, help.
 */
void options_print_list(void);

/* Writes the line; returns -EINVAL. */
int options_complain(char *text, size_t size, const char *format, ...) printf_like(3, 4);

#endif
