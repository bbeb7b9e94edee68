// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * lcctl attach and flush.
 *
 * An image gets its directory in `devices` when it is open for writing: attach holds it open while
 * it writes cache_id.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/clock.h"
#include "common/messages.h"
#include "lcfs/tools/lcctl_image.h"
#include "lcfs/tools/lcctl_job.h"
#include "lcfs/tools/lcctl_table.h"

/* ---------------------------------------------------------------- attach */

/* -1, said. */
static int open_image(const struct image_ref *ref)
{
	CLEANUP_FD int dir = open(ref->tree.where, O_PATH | O_DIRECTORY | O_CLOEXEC);
	int fd = dir < 0 ? -1 : openat(dir, ref->name, O_RDWR | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0)
		msg_err("%s/%s: cannot be opened for writing: %s", ref->tree.where, ref->name,
			strerror(errno));
	return fd;
}

/* The cache to attach to: the only one, if none is named. False, said. */
static bool choose_cache(const struct tree *t, uint64_t *cache)
{
	CLEANUP_FREE uint32_t *ids = NULL;
	size_t nr;

	if (*cache) {
		if (tree_has(t, "caches/%" PRIu64, *cache))
			return true;
		tree_has_no_cache(t, *cache);
		return false;
	}
	if (!tree_ids(t, "caches", &ids, &nr))
		return false;
	if (nr == 1) {
		*cache = ids[0];
		return true;
	}
	msg_err("%s: has %zu caches: say which with --cache", t->where, nr);
	return false;
}

static bool attach(struct image_ref *ref, uint64_t cache, bool is_quiet)
{
	CLEANUP_FD int fd = -1;
	uint64_t now = 0;
	char value[24];
	int err;

	if (!choose_cache(&ref->tree, &cache))
		return false;
	fd = open_image(ref);
	if (fd < 0)
		return false;
	if (!ref->id)
		ref->id = imgref_id_of_name(&ref->tree, ref->name);
	if (!ref->id) {
		msg_err("%s/%s: cannot be cached: its name is too long, or the cache's table of "
			"images is full",
			ref->tree.where, ref->name);
		return false;
	}
	if (tree_number(&ref->tree, &now, "devices/%u/cache_id", ref->id) && now == cache) {
		if (!is_quiet)
			printf("%s: is attached to cache %" PRIu64 " already\n", ref->name, cache);
		return true;
	}
	snprintf(value, sizeof(value), "%" PRIu64, cache);
	err = tree_write(&ref->tree, value, "devices/%u/cache_id", ref->id);
	if (err) {
		msg_err("%s/%s: cannot be attached to cache %" PRIu64 ": %s", ref->tree.where,
			ref->name, cache, tree_why(err));
		return false;
	}
	if (!is_quiet)
		printf("%s: attached to cache %" PRIu64 "\n", ref->name, cache);
	return true;
}

int lcctl_attach(const struct lcctl *c)
{
	uint64_t cache;
	bool is_done = true;

	if (!lcctl_cache(c, &cache))
		return EXIT_USAGE;
	for (int i = 0; i < c->nr_operands; i++) {
		CLEANUP_IMAGE struct image_ref ref;

		is_done &= imgref_find(c, c->operand[i], &ref) &&
			   attach(&ref, cache, lcctl_has(c, OPT_QUIET));
	}
	return is_done ? EXIT_DONE : EXIT_FAILED;
}

/* ---------------------------------------------------------------- flush */

/* False, said. */
static bool flush_cache(const struct tree *t, uint32_t id)
{
	struct job job;
	int result = job_start(&job, t, "1", "caches/%u/flush_current_buffer", id);

	if (result == 0 && !job_finish(&job, &result)) {
		msg_err("flush: interrupted");
		return false;
	}
	if (result < 0)
		msg_err("%s: cache %u: not flushed: %s", t->where, id, tree_why(result));
	return result == 0;
}

int lcctl_flush(const struct lcctl *c)
{
	CLEANUP_TREE struct tree t = { .fd = -1 };
	CLEANUP_FREE uint32_t *ids = NULL;
	uint64_t start = clock_mono_ns();
	bool is_done = true;
	size_t nr;

	if (!tree_pick(c, c->nr_operands ? c->operand[0] : NULL, &t) ||
	    !tree_ids(&t, "caches", &ids, &nr))
		return EXIT_FAILED;
	job_catch_signals();
	for (size_t i = 0; i < nr && !job_is_interrupted(); i++)
		is_done &= flush_cache(&t, ids[i]);
	is_done &= !job_is_interrupted();
	if (is_done && !lcctl_has(c, OPT_QUIET)) {
		char took[CELL_TEXT_MAX];

		printf("flush: done in %s\n",
		       cell_format(took, CELL_SECONDS, (clock_mono_ns() - start) / NSEC_PER_MSEC,
				   false));
	}
	return is_done ? EXIT_DONE : EXIT_FAILED;
}
