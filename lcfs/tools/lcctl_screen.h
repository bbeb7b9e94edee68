/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Private to lcctl: the terminal while a live screen is on it: no echo, single keys, the other
 * screen of terminals that have one. Given back as it was at the end, and when a signal ends or
 * stops lcctl. ECMA-48 sequences that every terminal of today knows; no library.
 */
#ifndef LCFS_TOOLS_LCCTL_SCREEN_H
#define LCFS_TOOLS_LCCTL_SCREEN_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "common/compiler.h"

/* Not a letter, so never a key. */
#define SCREEN_TIMEOUT 0
#define SCREEN_END (-1)	   /* a signal, or the terminal has gone */
#define SCREEN_REDRAW (-2) /* its size has changed, or it was in the background */

/* False, said: standard input or output is no terminal. */
bool screen_begin(void) must_check;
void screen_end(void);

void screen_size(unsigned int *columns, unsigned int *rows);
/* Shows the text, cut to the screen's size, and nothing else. */
void screen_show(const char *text);
/* The next key, or one of the above; waits until the time on the monotonic clock at most. */
int screen_key(uint64_t until_ns);

#endif
