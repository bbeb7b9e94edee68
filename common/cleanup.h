/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Release at the end of the scope:
 *
 *	CLEANUP_FREE char *name = strdup(text);
 *	CLEANUP_FD int fd = open(...);
 *
 * A variable so marked must be initialised. Ownership leaves it by steal_ptr() or steal_fd().
 */
#ifndef COMMON_CLEANUP_H
#define COMMON_CLEANUP_H

#include "common/compiler.h"

/* *ptr is any pointer that came from malloc, or NULL. Keeps errno. */
void cleanup_free(void *ptr);
/* Closes *fd unless it is negative. Keeps errno. */
void cleanup_fd(const int *fd);

#define CLEANUP_FREE __attribute__((cleanup(cleanup_free)))
#define CLEANUP_FD __attribute__((cleanup(cleanup_fd)))

/* Returns the pointer in var and leaves NULL there. */
#define steal_ptr(var)                           \
	({                                       \
		__typeof__(var) stolen_ = (var); \
		(var) = NULL;                    \
		stolen_;                         \
	})

/* Returns the descriptor in *fd and leaves -1 there. */
static inline must_check int steal_fd(int *fd)
{
	int stolen = *fd;

	*fd = -1;
	return stolen;
}

#endif
