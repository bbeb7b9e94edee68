/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How a task's progress looks on a line: a bar on a terminal, written over and over. */
#ifndef LCFS_TOOLS_BAR_H
#define LCFS_TOOLS_BAR_H

#include <stddef.h>
#include <stdio.h>

#define BAR_LINE_MAX 512

/* Columns of the terminal that out is; 80 if that is not known. */
unsigned int bar_columns(FILE *out);
/*
 * "WHAT [=====>      ]  45%  TAIL" that fills the columns; without the bar where they have no room
 * for one (0: none at all). line has BAR_LINE_MAX bytes.
 */
void bar_line(char *line, unsigned int columns, const char *what, unsigned int percent,
	      const char *tail);
/* On a terminal, in the place of the one before; and away without a trace. */
void bar_show(FILE *out, const char *line);
void bar_wipe(FILE *out);

#endif
