/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What shall go wrong with the files of blockfile: rules, added by commands, one a line.
 *
 *	fail FILE OP [error=EIO] ...	the request is not carried out and gets the error
 *	torn FILE write [error=EIO] ...	its first half is carried out, it gets the error
 *	short FILE read|write ...	its first half is carried out, and answered so
 *	lose FILE write|discard ...	answered as done, and forgotten
 *	rot FILE read ...		bit 0 of the byte at from= is wrong where it is read
 *	slow FILE OP us=N ...		takes so much longer; random=1: between nothing and that
 *	hang FILE OP ...		is not answered before release or clear
 *	vanish FILE			as fail FILE any error=ENODEV
 *	readonly FILE			as fail FILE write+discard error=EROFS
 *	size FILE BYTES			it is smaller: nothing beyond is read or written
 *	release				rules to hang go, what hangs is carried out
 *	clear				all rules go, sizes are as at the start, as release
 *
 * FILE is a name or *; OP is read, write, sync, discard, several joined by +, or any. What may
 * stand behind: from=BYTES to=BYTES, only requests that touch this range (to is the first byte
 * behind it); after=N, the first N of these pass; times=N, then N of them are hit and no more
 * (without it all); ms=N, it lasts so long and no longer; heals=1, until something is written to
 * that range. Sizes may have K, M or G behind. Several rules may hit one request. An unknown word
 * is refused and changes nothing.
 */
#ifndef TESTS_STAND_FAULTS_H
#define TESTS_STAND_FAULTS_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/compiler.h"
#include "tests/stand/trace_format.h"

#define FAULT_RULES 32

enum fault_op {
	FAULT_READ = 1,
	FAULT_WRITE = 2,
	FAULT_SYNC = 4,
	FAULT_DISCARD = 8
};

enum fault_action {
	FAULT_FAIL,
	FAULT_TORN,
	FAULT_SHORT,
	FAULT_LOSE,
	FAULT_ROT,
	FAULT_SLOW,
	FAULT_HANG,
	NR_FAULT_ACTIONS
};

struct fault_rule {
	enum fault_action action;
	unsigned int file, ops; /* file: its index, or FAULT_ANY_FILE */
	uint64_t from, to, after, times;
	uint64_t us, end_ns; /* end_ns 0: it lasts */
	bool is_random, heals, is_over;
	int error;
	uint64_t seen, hits;
};

#define FAULT_ANY_FILE UINT32_MAX

struct faults {
	pthread_mutex_t lock;
	unsigned int nr_files;		  /* const */
	const char *names[TRACE_FILES];	  /* const, not owned */
	uint64_t full_bytes[TRACE_FILES]; /* const */
	uint64_t bytes[TRACE_FILES];	  /* lock */
	struct fault_rule rules[FAULT_RULES];
	unsigned int nr_rules; /* lock */
	uint64_t random;       /* lock */
};

/* What is to happen to one request. */
struct fault_fate {
	bool is_hanging, is_torn, is_short, is_lost;
	int error; /* 0: none */
	uint64_t us;
	unsigned int nr_rotten;
	uint64_t rotten[FAULT_RULES]; /* bytes of the file */
	uint64_t bytes; /* of the file, now */
};

/* What a command wants of the caller. */
enum fault_wish {
	FAULT_WISH_NOTHING,
	FAULT_WISH_RELEASE
};

void faults_init(struct faults *f);
/* Before all else; name stays the caller's. */
void faults_add_file(struct faults *f, const char *name, uint64_t bytes);
/* One line, which is changed. 0, or -EINVAL, -ENOENT (no such file), -ENOSPC (too many rules). */
int faults_command(struct faults *f, char *line, enum fault_wish *wish) must_check;
void faults_decide(struct faults *f, unsigned int file, enum fault_op op, uint64_t off,
		   uint64_t bytes, struct fault_fate *fate);
uint64_t faults_file_bytes(struct faults *f, unsigned int file);
/* The rules and how often each has hit, a line each; how many characters that took. */
size_t faults_print(struct faults *f, char *text, size_t size);

#endif
