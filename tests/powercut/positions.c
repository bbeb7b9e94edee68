// SPDX-License-Identifier: GPL-2.0-or-later
/* Looks at which positions (check.h) an image may be. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/align.h"
#include "tests/powercut/view.h"

static void find_runs(const struct pc_image *img, struct view *v)
{
	for (uint32_t k = 1; k <= img->nr_ops; k++) {
		struct loose *last = v->nr_runs ? &v->run[v->nr_runs - 1] : NULL;

		if (!img->ops[k - 1].is_loose || k <= v->due)
			continue;
		if (last && last->to == k - 1) {
			last->to = k;
			continue;
		}
		if (v->nr_runs == RUNS)
			pc_die("runs", "too many");
		v->run[v->nr_runs++] = (struct loose){ .from = k - 1, .to = k };
	}
}

static void add_interval(struct view *v, uint32_t first, uint32_t last)
{
	v->count[first]++;
	v->count[last + 1]--;
}

/* But for positions within runs, which have rules of their own. */
static void add_strict(struct view *v, uint32_t first, uint32_t last)
{
	for (uint32_t i = 0; i < v->nr_runs; i++) {
		uint32_t from = 2 * v->run[i].from + 1, to = 2 * v->run[i].to;

		if (to < first || from > last)
			continue;
		if (from > first)
			add_interval(v, first, from - 1);
		first = to + 1;
	}
	if (first <= last)
		add_interval(v, first, last);
}

/* What operation n makes of the expected sectors of a block; false: nothing else than before. */
static bool change_block(const struct pc_image *img, uint32_t n, uint32_t block, uint32_t *expected)
{
	const struct pc_op *op = &img->ops[n - 1];
	uint32_t from = op->first, to = op->first + op->count, s = block * SECTORS_A_BLOCK;
	uint32_t version = op->kind == PC_WRITE ? img->first_version + n : 0;
	bool has_changed = false;

	if (op->kind == PC_TRUNCATE) {
		from = op->size;
		to = IMAGE_SECTORS;
	}
	if (op->kind == PC_CREATE || to <= s || from >= s + SECTORS_A_BLOCK)
		return false;
	for (uint32_t i = 0; i < SECTORS_A_BLOCK; i++) {
		if (s + i < from || s + i >= to || expected[i] == version)
			continue;
		expected[i] = version;
		has_changed = true;
	}
	return has_changed;
}

/* Each sector of it may be of any time of a run. */
struct loose_block {
	const uint32_t *found;
	uint32_t run; /* next, or the one that it is in */
	bool fits[SECTORS_A_BLOCK];
};

static void loose_look(struct loose_block *l, const uint32_t *expected)
{
	for (uint32_t i = 0; i < SECTORS_A_BLOCK; i++)
		l->fits[i] |= l->found[i] == expected[i];
}

static void loose_begin(const struct view *v, struct loose_block *l, uint32_t block)
{
	for (uint32_t i = 0; i < SECTORS_A_BLOCK; i++)
		l->fits[i] = block * SECTORS_A_BLOCK + i >= v->size;
}

static void loose_end(struct view *v, struct loose_block *l)
{
	bool is_good = true;

	for (uint32_t i = 0; i < SECTORS_A_BLOCK; i++)
		is_good = is_good && l->fits[i];
	if (is_good)
		add_interval(v, 2 * v->run[l->run].from + 1, 2 * v->run[l->run].to);
	l->run++;
}

/* Adds the positions within runs at which the block may be what it is. */
static void count_loose_block(const struct pc_image *img, struct view *v, uint32_t block)
{
	struct loose_block l = { .found = v->version + block * SECTORS_A_BLOCK };
	uint32_t expected[SECTORS_A_BLOCK];

	memcpy(expected, img->base + block * SECTORS_A_BLOCK, sizeof(expected));
	for (uint32_t k = 1; l.run < v->nr_runs; k++) {
		const struct loose *run = &v->run[l.run];

		if (k == run->from + 1) {
			loose_begin(v, &l, block);
			loose_look(&l, expected);
		}
		if (change_block(img, k, block, expected) && k > run->from)
			loose_look(&l, expected);
		if (k == run->to)
			loose_end(v, &l);
	}
}

/* Adds the positions at which the block may be what it is. */
static void count_block(const struct pc_image *img, struct view *v, uint32_t block, uint32_t n)
{
	const uint32_t *found = v->version + block * SECTORS_A_BLOCK;
	uint32_t expected[SECTORS_A_BLOCK], start = 0;
	bool is_same;

	memcpy(expected, img->base + block * SECTORS_A_BLOCK, sizeof(expected));
	is_same = memcmp(expected, found, sizeof(expected)) == 0;
	for (uint32_t k = 1; k <= n; k++) {
		if (!change_block(img, k, block, expected))
			continue;
		if (is_same)
			add_strict(v, start, 2 * k - 1);
		is_same = memcmp(expected, found, sizeof(expected)) == 0;
		start = 2 * k - 1;
	}
	if (is_same)
		add_strict(v, start, 2 * n);
}

uint32_t pc_size_after(const struct pc_image *img, uint32_t n)
{
	return n ? img->ops[n - 1].size : img->base_size;
}

static void count_loose_size(const struct pc_image *img, struct view *v)
{
	for (uint32_t i = 0; i < v->nr_runs; i++) {
		const struct loose *run = &v->run[i];
		uint32_t least = UINT32_MAX, most = 0;

		for (uint32_t k = run->from; k <= run->to; k++) {
			least = min(least, pc_size_after(img, k));
			most = max(most, pc_size_after(img, k));
		}
		if (v->size >= least && v->size <= most)
			add_interval(v, 2 * run->from + 1, 2 * run->to);
	}
}

static void count_size(const struct pc_image *img, struct view *v, uint32_t n)
{
	uint32_t expected = img->base_size, start = 0;

	for (uint32_t k = 1; k <= n; k++) {
		const struct pc_op *op = &img->ops[k - 1];

		if (op->size == expected)
			continue;
		if (expected == v->size)
			add_strict(v, start, 2 * k - 1);
		else if (op->kind == PC_WRITE && v->size > expected && v->size < op->size &&
			 v->size % SECTORS_A_BLOCK == 0)
			add_strict(v, 2 * k - 1, 2 * k - 1);
		expected = op->size;
		start = 2 * k - 1;
	}
	if (expected == v->size)
		add_strict(v, start, 2 * n);
	count_loose_size(img, v);
}

/* The best position for all that is not: for a message. */
static void explain(const struct pc_image *img, const struct view *v, uint32_t image,
		    uint32_t first)
{
	uint32_t expected[SECTORS_A_BLOCK], best = first, told = 0;

	for (uint32_t p = first; p < v->nr_positions; p++) {
		if (v->count[p] > v->count[best])
			best = p;
	}
	pc_complain(image,
		    "no position: promised %" PRIu32 " of %u operations; at position %" PRIu32
		    "/2 %" PRIu32 " of %u blocks and the size fit (size %" PRIu32 ")",
		    v->due, img->nr_ops, best, v->count[best], NR_BLOCKS + 1, v->size);
	for (uint32_t b = 0; b < NR_BLOCKS && told < 4; b++) {
		const uint32_t *found = v->version + b * SECTORS_A_BLOCK;

		memcpy(expected, img->base + b * SECTORS_A_BLOCK, sizeof(expected));
		for (uint32_t k = 1; k <= best / 2; k++)
			(void)change_block(img, k, b, expected);
		for (uint32_t i = 0; i < SECTORS_A_BLOCK; i++) {
			if (found[i] == expected[i])
				continue;
			pc_complain(image,
				    "there, sector %" PRIu32 " would be version %" PRIu32
				    " and is %" PRIu32,
				    b * SECTORS_A_BLOCK + i, expected[i], found[i]);
			told++;
			break;
		}
	}
}

static bool is_valid(const struct view *v, uint32_t position)
{
	return v->count[position] == NR_BLOCKS + 1;
}

uint32_t pc_next_valid(const struct view *v, uint32_t position)
{
	while (position < v->nr_positions && !is_valid(v, position))
		position++;
	return position;
}

void pc_find_positions(const struct pc_journal *j, struct view *v, uint32_t image)
{
	const struct pc_image *img = &j->image[image];
	uint32_t n = img->nr_ops;

	v->nr_positions = 2 * n + 1;
	v->count = calloc(v->nr_positions + 1, sizeof(*v->count));
	if (!v->count)
		pc_die("memory", "none");
	find_runs(img, v);
	for (uint32_t b = 0; b < NR_BLOCKS; b++) {
		count_block(img, v, b, n);
		count_loose_block(img, v, b);
	}
	count_size(img, v, n);
	for (uint32_t p = 1; p < v->nr_positions; p++)
		v->count[p] += v->count[p - 1];
	v->position = pc_next_valid(v, 2 * v->due);
	if (v->position == v->nr_positions)
		explain(img, v, image, 2 * v->due);
}
