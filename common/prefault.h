/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Memory that is there before it is needed. Whoever serves writes must not wait for a page of its
 * own: the kernel may look for one by waiting for the writes that it is to serve.
 */
#ifndef COMMON_PREFAULT_H
#define COMMON_PREFAULT_H

#include <stddef.h>
#include <stdint.h>

#define PREFAULT_STEP 4096

/* Stores a zero in each page of new memory, which is zero or means nothing yet. mem may be NULL. */
static inline void prefault(void *mem, size_t bytes)
{
	volatile uint8_t *p = mem;

	for (size_t at = 0; p && at < bytes; at += PREFAULT_STEP)
		p[at] = 0;
}

#endif
