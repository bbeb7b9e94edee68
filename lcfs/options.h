/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The command line of lcfs, also as mount(8) gives it to mount.lcfs. The options stand in
 * options.def; their values are looked up by id.
 */
#ifndef LCFS_OPTIONS_H
#define LCFS_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/compiler.h"
#include "lcfs/cache/cache.h"

#define OPTION_AUTO UINT64_MAX

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
	uint64_t number; /* of all types but TEXT; a WORD's place in its list */
	char *text;	 /* TEXT; owned */
	char **list;	 /* LIST: nr of them, in the order given, NULL behind; owned */
	unsigned int nr;
};

enum options_action {
	OPTIONS_MOUNT,
	OPTIONS_FAKE, /* check, do not mount (mount -f) */
	OPTIONS_HELP,
	OPTIONS_VERSION,
};

struct options {
	bool is_helper; /* called as mount.SOMETHING, with that command line and exit status */
	enum options_action action;
	bool is_foreground, is_debug, is_sloppy;
	const char *dir, *mnt;	    /* not owned */
	unsigned long mount_flags;  /* MS_* */
	struct option_value *value; /* option_rows of them */
};

/*
 * Reads argv; what it points to must outlive *o. 0, or -EINVAL with one line in text (size bytes):
 * wrong usage; -ENOMEM. options_free() follows in either case.
 */
int options_parse(struct options *o, int argc, const char *const *argv, char *text,
		  size_t size) must_check;
void options_free(struct options *o);

/* The value or its default. */
uint64_t options_number(const struct options *o, enum option_id id);
/* The text, or NULL if the option was not given. */
const char *options_text(const struct options *o, enum option_id id);
/* The texts of a LIST, NULL at the end; or NULL if the option was not given. */
const char *const *options_list(const struct options *o, enum option_id id);
/* A FLAG whose default is OPTION_AUTO: `automatic` is what that means now. */
bool options_flag(const struct options *o, enum option_id id, bool automatic);

/* Lines "name = value" of what is in effect, but for the caches and their knobs, which can change.
 * To be freed; NULL: no memory. */
char *options_config(const struct options *o) must_check;

void options_print_help(void);

#endif
