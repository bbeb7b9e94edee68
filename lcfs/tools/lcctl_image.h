/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Private to lcctl: which image is meant, and what the control tree says of it. */
#ifndef LCFS_TOOLS_LCCTL_IMAGE_H
#define LCFS_TOOLS_LCCTL_IMAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lcfs/tools/lcctl_tree.h"

struct image_ref {
	struct tree tree;	  /* open */
	uint32_t id;		  /* its directory in devices; 0: no cache knows it */
	char name[TREE_PATH_MAX]; /* in the mount */
};

/*
 * The image that arg means: a path in a mount or of a backing file, a name in the mount (in the one
 * of --mount, or in any if only one has it), or its number. False, said: there is none, or several.
 */
bool imgref_find(const struct lcctl *c, const char *arg, struct image_ref *out) must_check;
void imgref_done(struct image_ref *ref);
#define CLEANUP_IMAGE __attribute__((cleanup(imgref_done)))

/* Where the name is in devices; 0: nowhere. */
uint32_t imgref_id_of_name(const struct tree *t, const char *name);

/* What `devices/<id>/` says. */
struct image_facts {
	char name[TREE_PATH_MAX];
	char state[32];	  /* empty: not known */
	char reason[256]; /* behind the state; empty: none */
	bool has_size, has_dirty, has_age, has_cache;
	bool is_removed; /* it has no name any more: what is dirty of it is owed to no file */
	uint64_t size, dirty, age_ms, cache; /* bytes */
};
/* False: the image has gone. */
bool image_facts(const struct tree *t, uint32_t id, struct image_facts *f) must_check;
/* conflict, missing, error: it is not migrated before somebody has decided. */
bool image_is_held(const struct image_facts *f);

#endif
