/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The scrub: passes over the log that read and check what it holds. Part of core.h. */
#ifndef LCFS_CACHE_SCRUB_H
#define LCFS_CACHE_SCRUB_H

#include <stdbool.h>
#include <stdint.h>

#include "common/compiler.h"

struct action;
struct cache;
struct outbox;

int scrub_init(struct cache *c) must_check;
void scrub_free(struct cache *c);
uint64_t scrub_ram(const struct cache *c);
/* Reads the next segment if a pass is asked for, and it is time. */
void scrub_kick(struct cache *c, uint64_t now, struct outbox *ob);
bool scrub_is_busy(const struct cache *c);
uint64_t scrub_deadline(const struct cache *c);
/* A new pass from the start, whatever is under way. */
void scrub_restart(struct cache *c);
/* A header that a recovery would need is damaged: the tail is to pass it, whatever the load is. */
bool scrub_wants_tail(const struct cache *c);

#endif
