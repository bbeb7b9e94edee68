/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The first look at a configuration file: is it well formed, and what stands in which line?
 *
 * iniparser gives no lines, takes the last of two keys, makes letters small and reads lines that
 * make no sense in some way; this look is strict and refuses all that, so that whoever reads the
 * values from iniparser afterwards can say where each stood. What iniparser gets is a plain copy in
 * which sections and keys have numbers for names.
 */
#ifndef LCFS_CONFSCAN_H
#define LCFS_CONFSCAN_H

#include <stdbool.h>
#include <stddef.h>

#include "common/compiler.h"

#define CONFSCAN_BYTES_MAX (256u << 10) /* of a file */

struct confscan_section {
	char *name; /* as it stands between the brackets, blanks around it left out */
	unsigned int line;
};

struct confscan_key {
	char *name; /* - for _ left as it is */
	unsigned int section;
	unsigned int line;
};

struct confscan {
	struct confscan_section *section;
	unsigned int nr_sections;
	struct confscan_key *key; /* in the order of the file */
	unsigned int nr_keys;
	char *plain; /* for iniparser: the value of key k of section s is that of "sS:kK" */
	size_t plain_bytes;
};

/*
 * Looks at len bytes. A key stands once in a section, unless may_repeat() says true of its name;
 * NULL: of none. -EINVAL with "LINE: what is wrong" in text (size bytes), -ENOMEM. No pointer
 * into buf is kept. confscan_free() follows in either case.
 */
int confscan(struct confscan *s, const char *buf, size_t len, bool (*may_repeat)(const char *name),
	     char *text, size_t size) must_check;
void confscan_free(struct confscan *s);

/* Are these two the same name, where - stands for _? */
bool confscan_same(const char *a, const char *b);

#endif
