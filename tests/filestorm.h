/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the two halves of filestorm share. */
#ifndef TESTS_FILESTORM_H
#define TESTS_FILESTORM_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "tests/filemodel.h"

struct worker {
	struct model *m;
	int index, dir, root;
	uint64_t random, end_ns;
	int fd[SLOTS], direct[SLOTS]; /* or -1 */
	bool may_refuse, may_map, has_failed;
	uint8_t *buf; /* SIZE_MAX_, aligned */
	FILE *log;    /* or NULL */
};

/* Is there a name that nobody gave? A second name may be left of an interrupted step. Says so. */
bool storm_has_strange_name(const struct worker *w);
/* Compares all files, and takes over what was under way. False: says what is wrong. */
bool storm_settle(struct worker *w);

#endif
