// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * lcctl drain and detach.
 *
 * Drain asks the daemon image by image (`devices/<id>/drain` answers when that image is durably
 * clean), with force_migrate on for a drain of all, so that the images behind are on their way
 * already. At the end it looks again: an image that was written meanwhile is not drained.
 */
#include "lcfs/tools/lcctl_drain.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/align.h"
#include "common/cleanup.h"
#include "common/messages.h"
#include "lcfs/ondisk/version.h"
#include "lcfs/tools/lcctl_image.h"
#include "lcfs/tools/lcctl_job.h"
#include "lcfs/tools/lcctl_meter.h"
#include "lcfs/tools/lcctl_table.h"

struct drain {
	const char *what;
	const char *file, *value; /* of devices/<id>/, what to write to it */
	struct meter meter;
	struct image_ref *image;
	size_t nr;
	const struct tree *all; /* the images are all of this mount; NULL: some */
	uint64_t held;		/* of all: bytes that cannot go now */
	bool has_failed;
};

/* ---------------------------------------------------------------- what is left */

static uint64_t image_left(const struct image_ref *ref)
{
	struct image_facts f;

	if (!ref->id || !image_facts(&ref->tree, ref->id, &f) || f.is_removed)
		return 0;
	return f.dirty;
}

static uint64_t caches_left(const struct tree *t)
{
	CLEANUP_FREE uint32_t *ids = NULL;
	uint64_t sum = 0, blocks;
	size_t nr;

	if (!tree_ids(t, "caches", &ids, &nr))
		return 0;
	for (size_t i = 0; i < nr; i++)
		if (tree_number(t, &blocks, "caches/%u/nr_dirty_caches", ids[i]))
			sum += blocks * BLOCK_BYTES;
	return sum;
}

static uint64_t drain_left(const struct drain *d)
{
	uint64_t sum = 0;

	if (d->all) {
		sum = caches_left(d->all);
		return sum - min(sum, d->held);
	}
	for (size_t i = 0; i < d->nr; i++)
		sum += image_left(&d->image[i]);
	return sum;
}

/* ---------------------------------------------------------------- doing it */

printf_like(3, 4) static void drain_fails(struct drain *d, const struct image_ref *ref,
					  const char *format, ...)
{
	char text[MSG_MAX];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	meter_clear(&d->meter);
	msg_err("%s/%s: %s", ref->tree.where, ref->name, text);
	d->has_failed = true;
}

/*
 * An image that waits for somebody's decision; or, if it was tried, for its backing file to work
 * again: whether that is so is known only then, for in error the daemon may not try it by itself.
 */
static bool drain_refuses(struct drain *d, struct image_ref *ref, bool was_tried)
{
	struct image_facts f;
	char bytes[CELL_TEXT_MAX];

	if (!ref->id || !image_facts(&ref->tree, ref->id, &f) || f.is_removed ||
	    !image_is_held(&f) || (!was_tried && strcmp(f.state, "error") == 0))
		return false;
	d->held += f.dirty;
	drain_fails(d, ref, "%s%s%s: %s stay in the cache: %s", f.state, *f.reason ? ": " : "",
		    f.reason, cell_format(bytes, CELL_BYTES, f.dirty, false),
		    strcmp(f.state, "error") == 0 ? "drain it when that is over" :
						    "see 'lcctl help resolve'");
	ref->id = 0;
	return true;
}

/* What was dirty is in its file, or has been written again; whether the log knows that it is clean
 * if it is by now is not known. */
static void drain_was_busy(struct drain *d, struct image_ref *ref)
{
	char bytes[CELL_TEXT_MAX];

	drain_fails(d, ref, "was written while it was drained: %s are dirty again",
		    cell_format(bytes, CELL_BYTES, image_left(ref), false));
	ref->id = 0;
}

/* False: interrupted. */
static bool drain_image(struct drain *d, struct image_ref *ref)
{
	struct job job;
	int result = job_start(&job, &ref->tree, d->value, "devices/%u/%s", ref->id, d->file);

	if (result == 0) {
		while (!job_wait(&job, METER_PAUSE_MS, &result)) {
			if (job_is_interrupted()) {
				job_abandon(&job);
				return false;
			}
			meter_update(&d->meter, drain_left(d));
		}
	}
	if (result == -EINPROGRESS) {
		drain_was_busy(d, ref);
	} else if (result == -ENOENT) {
		ref->id = 0; /* removed meanwhile, or forgotten once it was clean */
	} else if (result < 0 && !drain_refuses(d, ref, true)) {
		drain_fails(d, ref, "%s: %s", d->what, tree_why(result));
		ref->id = 0;
	}
	return true;
}

/* Each is looked at once more: somebody may have written to it. */
static void drain_verify(struct drain *d)
{
	char bytes[CELL_TEXT_MAX];

	for (size_t i = 0; i < d->nr; i++) {
		uint64_t left = image_left(&d->image[i]);

		if (left)
			drain_fails(d, &d->image[i],
				    "was written while it was drained: %s are dirty again",
				    cell_format(bytes, CELL_BYTES, left, false));
	}
}

static int drain_run(struct drain *d, bool is_quiet)
{
	bool is_whole = true;

	job_catch_signals();
	for (size_t i = 0; i < d->nr; i++)
		(void)drain_refuses(d, &d->image[i], false);
	meter_begin(&d->meter, d->what, is_quiet, drain_left(d));
	for (size_t i = 0; i < d->nr && is_whole; i++)
		if (d->image[i].id)
			is_whole = drain_image(d, &d->image[i]);
	meter_update(&d->meter, drain_left(d));
	if (is_whole)
		drain_verify(d);
	meter_end(&d->meter, is_whole && !d->has_failed);
	if (!is_whole)
		msg_err("%s: interrupted; what was asked for goes on in the daemon", d->what);
	return is_whole && !d->has_failed ? EXIT_DONE : EXIT_FAILED;
}

/* ---------------------------------------------------------------- some images */

static int drain_some(const struct lcctl *c, struct drain *d)
{
	CLEANUP_FREE struct image_ref *list = calloc((size_t)c->nr_operands, sizeof(*list));
	int status = EXIT_DONE;

	if (!list) {
		msg_err("out of memory");
		return EXIT_FAILED;
	}
	d->image = list;
	for (int i = 0; i < c->nr_operands && status == EXIT_DONE; i++) {
		if (imgref_find(c, c->operand[i], &list[i]))
			d->nr++;
		else
			status = EXIT_FAILED;
	}
	if (status == EXIT_DONE)
		status = drain_run(d, lcctl_has(c, OPT_QUIET));
	for (size_t i = 0; i < d->nr; i++)
		imgref_done(&list[i]);
	return status;
}

/* ---------------------------------------------------------------- all of them */

/* The images with something dirty that is owed to a file. Their trees are t, and are not closed. */
static bool find_dirty(const struct tree *t, struct drain *d)
{
	CLEANUP_FREE uint32_t *ids = NULL;
	size_t nr;

	if (!tree_ids(t, "devices", &ids, &nr))
		return false;
	d->image = calloc(nr + 1, sizeof(*d->image));
	if (!d->image) {
		msg_err("out of memory");
		return false;
	}
	for (size_t i = 0; i < nr; i++) {
		struct image_facts f;
		struct image_ref *ref = &d->image[d->nr];

		if (!image_facts(t, ids[i], &f) || !f.dirty || f.is_removed)
			continue;
		ref->tree = *t;
		ref->id = ids[i];
		snprintf(ref->name, sizeof(ref->name), "%s", f.name);
		d->nr++;
	}
	return true;
}

#define CACHES_MAX 256

/* Switches force_migrate on; which caches had it off goes to was_off. */
static size_t force_on(const struct tree *t, uint32_t *was_off)
{
	CLEANUP_FREE uint32_t *ids = NULL;
	size_t nr, n = 0;
	uint64_t value;

	if (!tree_ids(t, "caches", &ids, &nr))
		return 0;
	for (size_t i = 0; i < nr && n < CACHES_MAX; i++)
		if (tree_number(t, &value, "caches/%u/force_migrate", ids[i]) && value == 0 &&
		    tree_write(t, "1", "caches/%u/force_migrate", ids[i]) == 0)
			was_off[n++] = ids[i];
	return n;
}

static void force_off(const struct tree *t, const uint32_t *was_off, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (tree_write(t, "0", "caches/%u/force_migrate", was_off[i]) < 0)
			msg_warn("%s: force_migrate of cache %u stays 1", t->where, was_off[i]);
}

int drain_all(const struct tree *t, bool is_quiet)
{
	struct drain d = { .what = "drain", .file = "drain", .value = "1", .all = t };
	uint32_t was_off[CACHES_MAX];
	int status = EXIT_FAILED;
	size_t n;

	if (find_dirty(t, &d)) {
		job_catch_signals();
		n = force_on(t, was_off);
		status = drain_run(&d, is_quiet);
		force_off(t, was_off, n);
	}
	free(d.image);
	return status;
}

int lcctl_drain(const struct lcctl *c)
{
	struct drain d = { .what = "drain", .file = "drain", .value = "1" };
	CLEANUP_TREE struct tree t = { .fd = -1 };

	if (c->nr_operands)
		return drain_some(c, &d);
	return tree_pick(c, NULL, &t) ? drain_all(&t, lcctl_has(c, OPT_QUIET)) : EXIT_FAILED;
}

int lcctl_detach(const struct lcctl *c)
{
	struct drain d = { .what = "detach", .file = "cache_id", .value = "0" };

	return drain_some(c, &d);
}
