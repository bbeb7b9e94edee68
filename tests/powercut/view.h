/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the checker of the power cut test has found of an image. */
#ifndef TESTS_POWERCUT_VIEW_H
#define TESTS_POWERCUT_VIEW_H

#include "common/compiler.h"
#include "tests/powercut/journal.h"

#define NR_BLOCKS (IMAGE_SECTORS / SECTORS_A_BLOCK)

#define RUNS 256u

/*
 * Operations from + 1 to `to` went to the plain file, perhaps: of them any sectors may be there. Of
 * what was promised, and of what went to a cache before or after them, all is.
 */
struct loose {
	uint32_t from, to;
};

/* What an image is found to be. */
struct view {
	uint32_t due, due_gen; /* promised: operations, names */
	bool may_be_gone, must_be_gone;
	bool exists;
	uint32_t gen, size;
	uint32_t version[IMAGE_SECTORS];
	uint32_t nr_positions;
	uint32_t *count; /* for each position: blocks that may be so, and the size */
	uint32_t position;
	uint32_t nr_runs;
	struct loose run[RUNS];
};

/* A line on standard error; the first ones are enough. */
void pc_complain(uint32_t image, const char *format, ...) printf_like(2, 3);
/* Of an image that exists; complains if there is none that was promised. */
void pc_find_positions(const struct pc_journal *j, struct view *v, uint32_t image);
/* From the position given on; nr_positions: there is none. */
uint32_t pc_next_valid(const struct view *v, uint32_t position);
/* In sectors, after the first n operations. */
uint32_t pc_size_after(const struct pc_image *img, uint32_t n);

#endif
