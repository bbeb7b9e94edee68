/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the parts of image_torture share: the model of the files, in shared memory. */
#ifndef TESTS_IMAGE_TORTURE_H
#define TESTS_IMAGE_TORTURE_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <unistd.h>

#include "tests/fake/imagebed.h"
#include "tests/filemodel.h"

#define THREADS 3

extern struct model *models;
extern uint64_t seed;

/* Says what went wrong, and what lcfs said so far; ends the process. */
void fail(const char *fmt, ...) __attribute__((format(printf, 1, 2), noreturn));

/* The directory of a thread, under either of its names. */
int open_dir(struct bed *b, int index);
bool is_complaint(struct bed *b);
void must_mount(struct bed *b);
/* What the thread of this model is about to do; and the main thread. Static text. */
void doing(struct model *m, int slot, const char *what);
void main_does(const char *what);
/* In a child process: ends it, with a description of all that is waited for, if it takes too long.
 */
void watch_start(struct bed *b);
/* Waits for a child, not for ever; its status. */
int watch_child(pid_t pid);
/* In a child process: compares all files; does not return. */
void run_verifier(struct bed *b, uint64_t random);

#endif
