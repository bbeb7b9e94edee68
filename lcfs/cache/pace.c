// SPDX-License-Identifier: GPL-2.0-or-later
/* Pacing of writers near the full log: see pace.h. */
#include "lcfs/cache/pace.h"

#include "common/align.h"

void pace_init(struct pace *p, uint64_t wall, uint64_t start)
{
	*p = (struct pace){ .wall = wall, .start = max(start, wall + 1) };
	list_init(&p->waiters);
}

void pace_taken(struct pace *p, uint64_t nr_free, uint64_t now)
{
	if (nr_free < p->start && !p->since_ns)
		p->since_ns = now;
}

/* Space comes in bursts, a batch at a time: the mean of the last few. */
static void measure(struct pace *p, uint64_t blocks, uint64_t now)
{
	uint64_t cost = min((now - p->since_ns) / blocks, PACE_COST_MAX_NS);

	p->cost_ns = p->cost_ns ? (3 * p->cost_ns + cost) / 4 : cost;
}

bool pace_freed(struct pace *p, uint64_t nr_free, uint64_t blocks, uint64_t now)
{
	if (p->since_ns && blocks)
		measure(p, blocks, now);
	if (nr_free < p->start) {
		p->since_ns = now;
		return false;
	}
	p->since_ns = 0;
	p->next_ns = 0;
	return true;
}

/* What a block costs now, in ns. */
static uint64_t cost_at(const struct pace *p, uint64_t nr_free)
{
	uint64_t room = p->start - p->wall;
	uint64_t way = 1024 * min(p->start - nr_free, room) / room;

	return p->cost_ns * 4 * way * way >> 20;
}

uint64_t pace_admit(struct pace *p, uint64_t nr_free, uint64_t blocks, uint64_t now)
{
	uint64_t at;

	if (nr_free >= p->start || !p->cost_ns)
		return now;
	at = min(max(p->next_ns, now), now + PACE_DELAY_MAX_NS);
	p->next_ns = at + blocks * cost_at(p, nr_free);
	return at;
}

bool pace_is_due(const struct pace *p, uint64_t nr_free, uint64_t now)
{
	return nr_free < p->start && p->cost_ns && p->next_ns > now;
}
