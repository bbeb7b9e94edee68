/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Assertions of child processes, where libcheck's do not work. */
#ifndef TESTS_CHECK_CHILD_H
#define TESTS_CHECK_CHILD_H

#include <stdio.h>
#include <unistd.h>

#define must(cond)                                                                 \
	do {                                                                       \
		if (!(cond)) {                                                     \
			fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #cond); \
			_exit(1);                                                  \
		}                                                                  \
	} while (0)

#endif
