/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a power cut leaves of writes that no flush had covered: each 512-byte sector of each of them
 * is there or not, by a policy and a seed. One object serves one cut of one device.
 */
#ifndef TESTS_FAKE_POWERCUT_H
#define TESTS_FAKE_POWERCUT_H

#include <stdbool.h>
#include <stdint.h>

#include "tests/fake/rng.h"

enum cut_policy {
	CUT_KEEP_ALL,
	CUT_DROP_ALL,
	CUT_PER_WRITE,       /* a coin a write; some are torn */
	CUT_PER_SECTOR,      /* a coin a sector */
	CUT_DROP_ONE,        /* all but one write */
	CUT_KEEP_ONE,
	CUT_DROP_IN_FLIGHT,  /* all that had returned, nothing that had not */
	CUT_KEEP_NEWEST,     /* a coin, more likely kept the newer the write is */
	NR_CUT_POLICIES
};

struct powercut {
	enum cut_policy policy;
	struct rng rng;
	uint64_t nr_writes, index, chosen;
	bool is_torn, is_kept;
};

/* nr_writes: how many writes will be asked about. */
void powercut_init(struct powercut *pc, enum cut_policy policy, uint64_t seed, uint64_t nr_writes);
/* On to the next write, oldest first. */
void powercut_next_write(struct powercut *pc, bool is_in_flight);
/* Is the next sector of this write kept? */
bool powercut_keeps_sector(struct powercut *pc);
const char *powercut_text(enum cut_policy policy);

#endif
