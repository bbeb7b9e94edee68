// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * lcctl scrub: a pass over the log of one cache or of all.
 *
 * The daemon makes the pass (`caches/<id>/scrub`), and goes on with it if lcctl is interrupted.
 * What it has found is what its counters say more than before.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/cleanup.h"
#include "common/messages.h"
#include "lcfs/tools/lcctl.h"
#include "lcfs/tools/lcctl_job.h"
#include "lcfs/tools/lcctl_meter.h"
#include "lcfs/tools/lcctl_table.h"

struct counts {
	uint64_t passes, checked, clean, dirty, headers;
};

struct scrubbed {
	uint32_t id;
	struct counts before;
};

static void counts_read(const struct tree *t, uint32_t id, struct counts *n)
{
	*n = (struct counts){ 0 };
	(void)tree_number(t, &n->passes, "caches/%u/scrub_passes", id);
	(void)tree_number(t, &n->checked, "caches/%u/scrubbed_bytes", id);
	(void)tree_number(t, &n->clean, "caches/%u/scrub_clean_errors", id);
	(void)tree_number(t, &n->dirty, "caches/%u/scrub_dirty_errors", id);
	(void)tree_number(t, &n->headers, "caches/%u/scrub_header_errors", id);
}

static bool scrub_start(const struct tree *t, struct scrubbed *s)
{
	int err;

	counts_read(t, s->id, &s->before);
	err = tree_write(t, "1", "caches/%u/scrub", s->id);
	if (err)
		msg_err("%s: cache %u cannot be scrubbed: %s", t->where, s->id, tree_why(err));
	return !err;
}

static bool is_scrubbing(const struct tree *t, uint32_t id)
{
	uint64_t value;

	return tree_number(t, &value, "caches/%u/scrub", id) && value != 0;
}

static uint64_t scrub_left(const struct tree *t, const struct scrubbed *list, size_t nr)
{
	uint64_t sum = 0, left;

	for (size_t i = 0; i < nr; i++)
		if (tree_number(t, &left, "caches/%u/scrub_left_bytes", list[i].id))
			sum += left;
	return sum;
}

/* False: interrupted. */
static bool scrub_wait(const struct tree *t, const struct scrubbed *list, size_t nr, bool is_quiet)
{
	struct meter meter;
	bool is_over = false;

	meter_begin(&meter, "scrub", is_quiet, scrub_left(t, list, nr));
	while (!is_over && !job_is_interrupted()) {
		job_pause(METER_PAUSE_MS);
		is_over = true;
		for (size_t i = 0; i < nr; i++)
			is_over = is_over && !is_scrubbing(t, list[i].id);
		meter_update(&meter, scrub_left(t, list, nr));
	}
	meter_end(&meter, is_over);
	return is_over;
}

/* False, said: it is not as it was written, or not all of it was looked at. */
static bool scrub_tell(const struct tree *t, const struct scrubbed *s, bool is_quiet)
{
	char size[CELL_TEXT_MAX];
	struct counts n;

	counts_read(t, s->id, &n);
	if (n.passes == s->before.passes) {
		msg_err("%s: cache %u: the pass has not come to its end: see 'lcctl status'",
			t->where, s->id);
		return false;
	}
	cell_format(size, CELL_BYTES, n.checked - s->before.checked, false);
	if (n.clean != s->before.clean)
		msg_warn("%s: cache %u: %" PRIu64 " damaged blocks dropped; their backing files "
			 "have them, but look after the device",
			 t->where, s->id, n.clean - s->before.clean);
	if (n.dirty != s->before.dirty)
		msg_err("%s: cache %u: %" PRIu64 " blocks are lost that no backing file has: see "
			"'lcctl list' and the log of lcfs for which",
			t->where, s->id, n.dirty - s->before.dirty);
	if (n.headers != s->before.headers)
		msg_err("%s: cache %u: %" PRIu64 " segments could not be recovered after a crash: "
			"they are migrated now, 'lcctl drain' waits for it",
			t->where, s->id, n.headers - s->before.headers);
	if (n.clean == s->before.clean && n.dirty == s->before.dirty &&
	    n.headers == s->before.headers) {
		if (!is_quiet)
			printf("cache %u: %s read, nothing is damaged\n", s->id, size);
		return true;
	}
	return false;
}

int lcctl_scrub(const struct lcctl *c)
{
	CLEANUP_TREE struct tree t = { .fd = -1 };
	CLEANUP_FREE uint32_t *ids = NULL;
	CLEANUP_FREE struct scrubbed *list = NULL;
	bool is_quiet = lcctl_has(c, OPT_QUIET), is_sound = true;
	uint64_t only;
	size_t nr, n = 0;

	if (!lcctl_cache(c, &only))
		return EXIT_USAGE;
	if (!tree_pick(c, c->nr_operands ? c->operand[0] : NULL, &t) ||
	    !tree_ids(&t, "caches", &ids, &nr))
		return EXIT_FAILED;
	list = calloc(nr + 1, sizeof(*list));
	if (!list) {
		msg_err("out of memory");
		return EXIT_FAILED;
	}
	for (size_t i = 0; i < nr; i++)
		if (!only || ids[i] == only)
			list[n++].id = ids[i];
	if (!n) {
		tree_has_no_cache(&t, only);
		return EXIT_FAILED;
	}
	job_catch_signals();
	for (size_t i = 0; i < n; i++)
		if (!scrub_start(&t, &list[i]))
			return EXIT_FAILED;
	if (!scrub_wait(&t, list, n, is_quiet)) {
		msg_err("scrub: interrupted; the daemon goes on: 'lcctl set scrub 0' ends it");
		return EXIT_FAILED;
	}
	for (size_t i = 0; i < n; i++)
		is_sound &= scrub_tell(&t, &list[i], is_quiet);
	return is_sound ? EXIT_DONE : EXIT_FAILED;
}
