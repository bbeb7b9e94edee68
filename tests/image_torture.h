/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the parts of image_torture share: the model of the files, in shared memory. */
#ifndef TESTS_IMAGE_TORTURE_H
#define TESTS_IMAGE_TORTURE_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <unistd.h>

#include "tests/fake/imagebed.h"

#define THREADS 3
#define SLOTS 5
#define SIZE_MAX_ (192u << 10)

struct slot {
	bool exists;
	uint32_t size;
	uint8_t data[SIZE_MAX_];
};

/* In shared memory, one a thread. */
struct model {
	struct slot now[SLOTS], next[2];
	int under_way; /* number of slots, 0: nothing */
	int slot[2];   /* which */
	bool is_write; /* byte by byte */
	unsigned long ops;
	/* for whoever waits in vain */
	const char *doing;
	int doing_slot;
	uint64_t doing_since;
};

extern struct model *models;
extern uint64_t seed;

/* Says what went wrong, and what lcfs said so far; ends the process. */
void fail(const char *fmt, ...) __attribute__((format(printf, 1, 2), noreturn));

static inline uint32_t below(uint64_t *random, uint32_t n)
{
	*random = *random * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)((*random >> 33) % n);
}

void name_of(int slot, char *name);
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
