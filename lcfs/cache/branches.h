/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which records are abandoned.
 *
 * A branch that begins at LSN l abandons all records with an LSN >= l of lower branches, and any
 * self-valid header of a branch proves when it began. Of those proofs only the strongest are kept:
 * sorted by branch, a later one never begins lower than an earlier one, so that the first of all
 * higher branches says from where on a branch is abandoned. One owner, no locks.
 */
#ifndef LCFS_CACHE_BRANCHES_H
#define LCFS_CACHE_BRANCHES_H

#include <stddef.h>
#include <stdint.h>

#include "common/compiler.h"

struct branches {
	struct branch_start {
		uint64_t branch, lsn;
	} *start; /* both fields strictly ascending */
	size_t nr, room;
	uint64_t learnt; /* times that something new was added */
};

/* Zeroed memory is an empty set. */
void branches_free(struct branches *b);
/* There was a branch `branch` that began at `lsn`. 0 or -ENOMEM. */
int branches_add(struct branches *b, uint64_t branch, uint64_t lsn) must_check;
/* Records of this branch are abandoned from this LSN on; UINT64_MAX when none is known to be. */
uint64_t branches_limit(const struct branches *b, uint64_t branch);

#endif
