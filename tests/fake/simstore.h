/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Backing files in memory, as unkind as a filesystem may be.
 *
 * A change (write, truncate, punch, time) is issued, applied (readers see it) and returned, as a
 * write of simdev. A sync makes stable the changes of the file that had returned when it was
 * issued. At a power cut each other one is kept, dropped, or (a write) torn by 512-byte sectors.
 *
 * A file may be made new: then a power cut may take it whole, until a sync of it, or whoever uses
 * the store, makes its name durable. What a power cut leaves is durable.
 *
 * Bytes beyond the size read as zeros and are zeros after an extension. Times are those of
 * simstore.now_ns when a change is applied.
 */
#ifndef TESTS_FAKE_SIMSTORE_H
#define TESTS_FAKE_SIMSTORE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>

#include "common/list.h"
#include "tests/fake/powercut.h"
#include "tests/fake/rng.h"

enum simchange_kind {
	SIMCHANGE_WRITE,
	SIMCHANGE_TRUNCATE,
	SIMCHANGE_PUNCH,
	SIMCHANGE_TIMES
};

struct simchange {
	struct list node; /* simfile.changes, in order of issue */
	enum simchange_kind kind;
	uint64_t off, len; /* bytes; TRUNCATE: off is the new size */
	int64_t set_mtime; /* TIMES */
	uint8_t *data;	   /* WRITE */
	uint8_t *is_done;  /* WRITE: one a sector: applied */
	bool is_applied;   /* in part at least */
	bool is_returned;
	uint64_t returned_at; /* simfile.clock */
	int64_t mtime, ctime; /* of the file after it */
};

struct simstamp {
	uint64_t size;
	int64_t mtime, ctime; /* ns */
};

/* One state of a file. */
struct simface {
	uint8_t *bytes; /* capacity of them, zeros beyond stamp.size */
	struct simstamp stamp;
};

struct simfile {
	struct list node;
	struct simstore *store;
	uint64_t ino;
	char path[64];
	bool is_gone; /* unlinked (that is durable at once), or lost with its name */
	bool is_named;	  /* its name is durable; a power cut may take one without */
	bool is_promised; /* and somebody was told so, as whoever uses the store says */
	uint64_t capacity;
	struct simface view, stable;
	struct list changes;
	uint64_t clock;
};

struct simstore {
	struct list files;
	uint64_t next_ino;
	int64_t now_ns; /* wall clock */
};

struct simstore *simstore_new(void);
void simstore_free(struct simstore *st);
struct simstore *simstore_clone(const struct simstore *st);
/* A new durable file of zeros. */
struct simfile *simstore_create(struct simstore *st, const char *path, uint64_t size);
/* NULL: no such file, or it is gone. */
struct simfile *simstore_find(struct simstore *st, uint64_t ino);

struct simchange *simfile_write_issue(struct simfile *f, const struct iovec *iov, int nr_iov,
				      uint64_t off);
struct simchange *simfile_truncate_issue(struct simfile *f, uint64_t size);
struct simchange *simfile_punch_issue(struct simfile *f, uint64_t off, uint64_t len);
struct simchange *simfile_times_issue(struct simfile *f, int64_t mtime_ns);
bool simchange_is_unchanged(const struct simchange *ch, const struct iovec *iov, int nr_iov);
/* rng: of a write a random part; NULL: the rest. */
void simfile_apply(struct simfile *f, struct simchange *ch, struct rng *rng);
void simfile_return(struct simfile *f, struct simchange *ch);
/* It was answered with an error: what was not applied never will be. */
void simfile_fail(struct simfile *f, struct simchange *ch);

/* Reads view; zeros beyond the end. */
void simfile_read(const struct simfile *f, const struct iovec *iov, int nr_iov, uint64_t off);

uint64_t simfile_sync_issue(struct simfile *f);
void simfile_sync_done(struct simfile *f, uint64_t ticket);
/* It failed: what it covered is lost in part, for readers too. */
void simfile_sync_fail(struct simfile *f, uint64_t ticket, struct rng *rng);

/* Somebody else writes the plain file; durable at once. Only when no change is pending. */
void simfile_edit(struct simfile *f, const void *data, uint64_t len, uint64_t off);

/* The daemon died: changes under way are applied, in part, or never. rng NULL: all are. */
void simstore_settle(struct simstore *st, struct rng *rng);
void simstore_power_cut(struct simstore *st, enum cut_policy policy, uint64_t seed);

#endif
