/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where the images of the power cut test live, on a mount with two caches: they are moved under
 * load, and each operation notes where it went.
 */
#ifndef TESTS_POWERCUT_HOMES_H
#define TESTS_POWERCUT_HOMES_H

#include "tests/powercut/journal.h"

#define NR_MOVERS 3u

struct homes;

/* Starts the movers, for the images of the journal below root, the root of a mount. may_die: that
 * the mount goes is no failure. */
struct homes *homes_start(struct pc_journal *j, const char *root, int mark, uint64_t end_ns,
			  bool may_die);
void homes_end(struct homes *h);
/* The image has just been opened by its newest name: from now on it may be moved. h may be NULL. */
void homes_opened(struct homes *h, uint32_t image);
/* Around an operation of the image, by the one thread that writes to it. */
struct pc_stay homes_begin(const struct pc_journal *j, uint32_t image);
void homes_note(const struct pc_journal *j, uint32_t image, struct pc_stay begun, struct pc_op *op);

#endif
