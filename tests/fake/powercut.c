// SPDX-License-Identifier: GPL-2.0-or-later
/* Keep, drop or tear un-flushed writes by policy and seed. */
#include "tests/fake/powercut.h"

const char *powercut_text(enum cut_policy policy)
{
	static const char *const text[NR_CUT_POLICIES] = {
		[CUT_KEEP_ALL] = "keep all",
		[CUT_DROP_ALL] = "drop all",
		[CUT_PER_WRITE] = "per write",
		[CUT_PER_SECTOR] = "per sector",
		[CUT_DROP_ONE] = "drop one",
		[CUT_KEEP_ONE] = "keep one",
		[CUT_DROP_IN_FLIGHT] = "drop in flight",
		[CUT_KEEP_NEWEST] = "keep newest",
	};

	return text[policy];
}

void powercut_init(struct powercut *pc, enum cut_policy policy, uint64_t seed, uint64_t nr_writes)
{
	*pc = (struct powercut){ .policy = policy, .nr_writes = nr_writes };
	rng_seed(&pc->rng, seed);
	pc->chosen = nr_writes ? rng_below(&pc->rng, nr_writes) : 0;
}

void powercut_next_write(struct powercut *pc, bool is_in_flight)
{
	bool is_chosen = pc->index == pc->chosen;
	uint64_t coin = rng_below(&pc->rng, 100);

	pc->is_torn = false;
	switch (pc->policy) {
	case CUT_KEEP_ALL:
		pc->is_kept = true;
		break;
	case CUT_DROP_ALL:
		pc->is_kept = false;
		break;
	case CUT_PER_WRITE:
		pc->is_torn = coin < 20;
		pc->is_kept = coin < 60;
		break;
	case CUT_PER_SECTOR:
		pc->is_torn = true;
		break;
	case CUT_DROP_ONE:
		pc->is_kept = !is_chosen;
		pc->is_torn = is_chosen && coin < 50;
		break;
	case CUT_KEEP_ONE:
		pc->is_kept = is_chosen;
		break;
	case CUT_DROP_IN_FLIGHT:
		pc->is_kept = !is_in_flight;
		break;
	case CUT_KEEP_NEWEST:
		pc->is_kept = rng_below(&pc->rng, pc->nr_writes + 1) <= pc->index;
		break;
	case NR_CUT_POLICIES:
		break;
	}
	pc->index++;
}

bool powercut_keeps_sector(struct powercut *pc)
{
	return pc->is_torn ? rng_chance(&pc->rng, 1, 2) : pc->is_kept;
}
