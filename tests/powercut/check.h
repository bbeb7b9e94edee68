/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a power cut may leave of what the journal says.
 *
 * The position of an image is 2n if its first n operations are there and nothing else, and 2n - 1
 * if of the n-th one some blocks of 4 KiB are. A block has a history: one content after another,
 * each from an odd position to the next one. The image is right if there is a position for which
 * each block and the size are as they should be, not below what was promised. And all images
 * together: if anything of a write is there, then so is each that was answered, on any image,
 * before that one was issued: what remains is a prefix of the order of the log.
 *
 * With two caches there are two logs, each with an order of its own. What went past them, to a file
 * without a cache, is as in any file: until a sync, or a move to a cache, any sectors of it may be
 * there: of a row of such operations (a run) one position is as good as another.
 */
#ifndef TESTS_POWERCUT_CHECK_H
#define TESTS_POWERCUT_CHECK_H

#include "tests/powercut/journal.h"

/* marks: a file of promises. db_dir may be -1. 0, or 1 with messages on standard error. */
int pc_check(struct pc_journal *j, const char *marks, int dir, int db_dir) must_check;
/* What is there now becomes the beginning of the journal. */
int pc_settle(struct pc_journal *j, const char *marks, int dir) must_check;

#endif
