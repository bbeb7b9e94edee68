// SPDX-License-Identifier: GPL-2.0-or-later
/* Generations of dirty blocks. */
#include "lcfs/cache/age.h"

#include "common/align.h"
#include "common/nsec.h"

#define STEP_MIN_NS ((int64_t)(NSEC_PER_SEC / 4))
#define FINE_STEPS 12 /* of the span, while more than COARSE generations are free */
#define COARSE 14u

static uint32_t nr_free(const struct ages *a, uint32_t *one)
{
	uint32_t n = 0;

	for (uint32_t g = 0; g < AGE_GENERATIONS; g++) {
		if (a->all.nr[g] || g == a->current)
			continue;
		*one = g;
		n++;
	}
	return n;
}

/* The current generation has been going on for a while: is a new one due, and is there one? */
static void begin_next(struct ages *a, int64_t at)
{
	uint32_t one = a->current;
	uint32_t n = nr_free(a, &one);
	int64_t span = at - ages_oldest(a, &a->all);
	int64_t step = max(n > COARSE ? span / FINE_STEPS : span / 2, STEP_MIN_NS);

	a->next = at + STEP_MIN_NS;
	if (!n || at - a->since[a->current] < step)
		return;
	a->current = one;
	a->since[one] = at;
}

uint32_t ages_current(struct ages *a, int64_t at)
{
	if (!a->all.nr[a->current]) {
		a->since[a->current] = at;
		a->next = at + STEP_MIN_NS;
	} else if (at >= a->next) {
		begin_next(a, at);
	}
	/* the clock went back */
	a->since[a->current] = min(a->since[a->current], at);
	return a->current;
}

void age_add(struct age_count *n, uint32_t generation, int64_t at)
{
	n->since = n->total++ ? min(n->since, at) : at;
	n->nr[generation]++;
}

void age_remove(struct age_count *n, uint32_t generation)
{
	n->nr[generation]--;
	n->total--;
}

int64_t ages_oldest(const struct ages *a, const struct age_count *n)
{
	int64_t oldest = INT64_MAX;

	for (uint32_t g = 0; g < AGE_GENERATIONS; g++)
		if (n->nr[g])
			oldest = min(oldest, a->since[g]);
	return max(oldest, n->since);
}
