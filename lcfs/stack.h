/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The stack below the mount: caches (device with its lock, shared RAM buffers, core), backing
 * directory with its lock, images with their engines, control tree. Put together in stack_open()
 * and nowhere else.
 */
#ifndef LCFS_STACK_H
#define LCFS_STACK_H

#include <stdbool.h>

#include "common/compiler.h"
#include "common/mutex.h"
#include "lcfs/cachestack.h"
#include "lcfs/image/image.h"
#include "lcfs/options.h"
#include "lcfs/places.h"

struct stack {
	/* const */
	const struct places *places;
	const struct options *options;
	struct imagedir *dir;
	struct ctlfs *ctl;

	struct mutex lock;
	unsigned int nr_caches;			      /* lock */
	struct cachestack cache[IMAGEDIR_CACHES_MAX]; /* lock */
};

/*
 * Waits for an ending daemon to let go of the caches, recovers them and starts the engines: there
 * are threads from here on. p and o must outlive it. 0, or -errno with the reason said and
 * everything let go again.
 */
int stack_open(struct stack *s, const struct places *p, const struct options *o) must_check;
/* Orderly end: all is on the cache devices, which are marked clean. The first error, said. */
int stack_close(struct stack *s) must_check;

/*
 * A cache comes while the mount serves, by its path from the root, UUID=... or LABEL=...; one
 * goes, drained, by its id. Any thread that may block. -errno with a line in text.
 */
int stack_add_cache(struct stack *s, const char *name, char *text, size_t size) must_check;
int stack_remove_cache(struct stack *s, uint32_t id, char *text, size_t size) must_check;

#endif
