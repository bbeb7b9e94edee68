/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Private to lcctl: what the control tree says of a cache. */
#ifndef LCFS_TOOLS_LCCTL_STATUS_H
#define LCFS_TOOLS_LCCTL_STATUS_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

#include "lcfs/tools/lcctl_tree.h"

/* What is not known is empty, or its has_ is false. */
struct cache_facts {
	uint32_t id;
	char device[PATH_MAX], state[32], reason[256];
	bool has_dirty, has_age, has_log, has_migrating, has_allowed, has_forced;
	uint64_t dirty, age_ms; /* bytes */
	uint64_t segments, flushed, migrated;
	uint64_t migrating, allowed, forced;
};

void cache_facts(const struct tree *t, uint32_t id, struct cache_facts *f);
bool cache_is_well(const struct cache_facts *f);
/* running, forced, idle or held; NULL: not known. */
const char *cache_migration(const struct cache_facts *f);

#endif
