/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the parts of verifier share. */
#ifndef TESTS_VERIFIER_H
#define TESTS_VERIFIER_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#define SECTOR 512u
#define SECTORS_A_BLOCK 8u
#define CHUNK_SECTORS 2048u /* 1 MiB: the largest write, and what check reads at a time */
#define JOURNAL_MAGIC UINT64_C(0x6c63766572696679)

struct journal_file {
	uint64_t next_version;
	uint64_t first, count; /* in flight, sectors; count 0: nothing */
	uint64_t version;      /* of what is in flight */
	uint64_t writes, syncs, punches;
};

struct journal {
	uint64_t magic, files, sectors, seed;
	struct journal_file file[];
};

struct run {
	struct journal *j;
	uint32_t index;
	const char *path;
	uint32_t *versions; /* of this file's sectors, in the journal */
	bool is_direct, is_unsynced, is_strict, may_refuse, may_mend, has_no_punches;
	const char *bad_path; /* LIST, or NULL */
	bool *is_bad;	      /* a block: was found unreadable */
	FILE *log; /* or NULL */
	uint64_t end_ns;
	int fd;
	uint8_t *buf; /* CHUNK_SECTORS, aligned */
	uint64_t random;
	bool has_failed;
};

/* The version of a sector; the first words say which it is, for whoever looks at a wrong one. */
void verifier_fill_sector(const struct run *r, uint8_t *buf, uint64_t sector, uint64_t version);
/* Reads and checks [first, first + count) in blocks; at the most CHUNK_SECTORS. Says what is wrong.
 */
bool verifier_check_range(struct run *r, uint64_t first, uint64_t count);
/* The journal says first what is about to happen, and afterwards that it has. */
void verifier_begin(struct run *r, uint64_t first, uint64_t count, uint64_t version);
void verifier_acknowledge(struct run *r);

/* verifier_check_range() of what gave EIO: block by block. */
bool bad_check_range(struct run *r, uint64_t first, uint64_t count);
/* After a write or punch that gave EIO: it has happened or not, and what cannot be read is written
 * anew. False: that is not what was to be expected. */
bool bad_settle(struct run *r);
/* All was compared: prints what is unreadable, writes it anew if it is to. False: cannot. */
bool bad_end_check(struct run *r);

#endif
