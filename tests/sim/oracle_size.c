// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Which sizes can an image have?
 *
 * The events that can change the size (truncates, and writes that end beyond the smallest size it
 * ever had) are applied in every order that time allows, cut off where everything that must be
 * there has been applied. A state is what has been applied and the size; each is visited once.
 * Writes that were not fully answered may have reached any block boundary; only the size that is
 * looked for matters.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/align.h"
#include "tests/sim/oracle.h"

#define EVENTS_MAX 256
#define STATES_MAX 8192

struct change {
	const struct oracle_event *event;
	bool must;
};

struct state {
	uint32_t next;	/* all before it are applied */
	uint64_t ahead; /* of next, next + 1, ...: which are applied too */
	uint64_t size;
};

struct search {
	struct change change[EVENTS_MAX];
	uint32_t nr;
	uint64_t wanted;
	struct state *seen;
	uint32_t nr_seen;
};

static uint64_t smallest_size(const struct oracle_image *img)
{
	uint64_t size = img->base_size;
	const struct oracle_event *e;

	list_for_each_entry(e, &img->events, node)
		if (e->kind == ORACLE_TRUNCATE)
			size = min(size, e->off);
	return size;
}

static bool must_have_happened(const struct oracle_event *e, uint64_t before, bool is_recovery)
{
	return e->is_ok && !e->is_vague &&
	       (e->is_base || e->end < before || (is_recovery && e->is_durable));
}

static bool collect(struct search *s, const struct oracle_image *img, uint64_t before,
		    bool is_recovery)
{
	uint64_t smallest = smallest_size(img);
	const struct oracle_event *e;

	list_for_each_entry(e, &img->events, node) {
		if (e->kind == ORACLE_PUNCH)
			continue;
		if (e->kind == ORACLE_WRITE && e->off + e->len <= smallest)
			continue;
		if (s->nr == EVENTS_MAX)
			return false;
		s->change[s->nr++] =
			(struct change){ .event = e,
					 .must = must_have_happened(e, before, is_recovery) };
	}
	return true;
}

static bool is_applied(const struct state *st, uint32_t i)
{
	return i < st->next || (i - st->next < 64 && st->ahead >> (i - st->next) & 1);
}

static bool is_final(const struct search *s, const struct state *st)
{
	if (st->size != s->wanted)
		return false;
	for (uint32_t i = st->next; i < s->nr; i++)
		if (s->change[i].must && !is_applied(st, i))
			return false;
	return true;
}

/* May i come next: has all that ended before it began been applied? */
static bool is_ready(const struct search *s, const struct state *st, uint32_t i)
{
	for (uint32_t k = st->next; k < i; k++)
		if (!is_applied(st, k) && s->change[k].event->end < s->change[i].event->start)
			return false;
	return true;
}

static struct state with(const struct state *st, uint32_t i, uint64_t size)
{
	struct state to = { .next = st->next,
			    .ahead = st->ahead | 1ull << (i - st->next),
			    .size = size };

	while (to.ahead & 1) {
		to.ahead >>= 1;
		to.next++;
	}
	return to;
}

static void visit(struct search *s, struct state st)
{
	for (uint32_t i = 0; i < s->nr_seen; i++)
		if (s->seen[i].next == st.next && s->seen[i].ahead == st.ahead &&
		    s->seen[i].size == st.size)
			return;
	if (s->nr_seen < STATES_MAX)
		s->seen[s->nr_seen++] = st;
}

static void follow(struct search *s, const struct state *from, uint32_t i)
{
	const struct oracle_event *e = s->change[i].event;
	struct state st = *from;

	if (e->is_vague || e->end == ORACLE_NEVER)
		visit(s, with(&st, i, st.size));
	if (e->kind == ORACLE_TRUNCATE) {
		visit(s, with(&st, i, e->off));
		return;
	}
	if ((e->is_vague || e->end == ORACLE_NEVER || !s->change[i].must) && s->wanted > e->off &&
	    s->wanted < e->off + e->len && is_aligned(s->wanted, ORACLE_BLOCK))
		visit(s, with(&st, i, max(st.size, s->wanted)));
	visit(s, with(&st, i, max(st.size, e->off + e->len)));
}

bool oracle_size_is_possible(const struct oracle_image *img, uint64_t size, uint64_t before,
			     bool is_recovery)
{
	struct search s = { .wanted = size };
	bool is_found = false;

	if (!collect(&s, img, before, is_recovery))
		return true;
	if (!s.nr)
		return size == img->base_size;
	s.seen = malloc(STATES_MAX * sizeof(*s.seen));
	if (!s.seen)
		abort();
	visit(&s, (struct state){ .size = img->base_size });
	for (uint32_t at = 0; !is_found && at < s.nr_seen; at++) {
		struct state st = s.seen[at];

		is_found = is_final(&s, &st);
		for (uint32_t i = st.next; i < s.nr && i - st.next < 64; i++)
			if (!is_applied(&st, i) && is_ready(&s, &st, i))
				follow(&s, &st, i);
	}
	/* Too many to tell is not a verdict. */
	is_found = is_found || s.nr_seen == STATES_MAX;
	free(s.seen);
	return is_found;
}

bool oracle_check_size(struct oracle_image *img, uint64_t size, uint64_t since)
{
	struct oracle *o = img->oracle;

	if (oracle_size_is_possible(img, size, since, false))
		return true;
	snprintf(o->text, sizeof(o->text),
		 "image %u: size %" PRIu64 ", nothing explains it (since %" PRIu64 ", base %" PRIu64
		 ")",
		 img->index, size, since, img->base_size);
	return false;
}
