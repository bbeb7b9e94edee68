/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The list of caches in .lcfs/caches, as the mount keeps it. imagedir_admit() (image.h) stands in
 * the same file.
 *
 * A cache has the same id in every mount of the directory: the list keeps it for clean ones, too. A
 * new cache takes the lowest one that no other has. Only when a mount has none but new ones, and no
 * other holds dirty data, the ids begin at 1 again.
 */
#ifndef LCFS_IMAGE_ADMIT_H
#define LCFS_IMAGE_ADMIT_H

#include <stddef.h>
#include <stdint.h>

#include "common/compiler.h"
#include "lcfs/image/image.h"

/* At the start of a mount, before the first is listed: does the counting begin anew? */
int admit_renumber(struct imagedir *d, const struct imagedir_cache *c, unsigned int nr) must_check;
/* The id that it has, or is to get. text gets one line on error, here and below. */
int admit_id(struct imagedir *d, const uint8_t *uuid, uint32_t *id, char *text,
	     size_t size) must_check;
/* Before its first record: it may have dirty data from now on. */
int admit_list(struct imagedir *d, const uint8_t *uuid, uint32_t id, char *text,
	       size_t size) must_check;
/* It has none any more. */
int admit_unlist(struct imagedir *d, const uint8_t *uuid, uint32_t id) must_check;

#endif
