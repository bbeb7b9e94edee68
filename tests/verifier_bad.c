// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Blocks of 4 KiB that the verifier expects to be unreadable.
 *
 * LIST is a file with lines FILE FIRST LAST: the blocks FIRST to LAST of that file (from 0) may
 * give EIO. It is looked at whenever something does, so it can grow. Nothing else may be wrong with
 * such a block: what can be read of it must be right. EIO of any other block is an error.
 */
#include "tests/verifier.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "common/align.h"

static bool is_expected(const struct run *r, uint64_t block)
{
	FILE *f = fopen(r->bad_path, "re");
	uint64_t file, first, last;
	bool is_found = false;

	if (!f)
		return false;
	while (!is_found &&
	       fscanf(f, "%" SCNu64 " %" SCNu64 " %" SCNu64, &file, &first, &last) == 3)
		is_found = file == r->index && first <= block && block <= last;
	fclose(f);
	return is_found;
}

/* A part of one block. */
static bool check_part(struct run *r, uint64_t first, uint64_t count)
{
	uint64_t block = first / SECTORS_A_BLOCK;
	uint8_t sectors[SECTORS_A_BLOCK * SECTOR] __attribute__((aligned(4096)));

	if (pread(r->fd, sectors, count * SECTOR, (off_t)(first * SECTOR)) >= 0)
		return verifier_check_range(r, first, count);
	if (errno == EIO && is_expected(r, block)) {
		r->is_bad[block] = true;
		return true;
	}
	fprintf(stderr, "%s: block %" PRIu64 ": %s\n", r->path, block, strerror(errno));
	return false;
}

bool bad_check_range(struct run *r, uint64_t first, uint64_t count)
{
	bool is_right = true;

	for (uint64_t s = first, end = first + count; s < end;) {
		uint64_t part = min(end - s, SECTORS_A_BLOCK - s % SECTORS_A_BLOCK);

		is_right = check_part(r, s, part) && is_right;
		s += part;
	}
	return is_right;
}

/* Whole blocks: no old version of them is needed. */
static bool write_anew(struct run *r, uint64_t first, uint64_t count)
{
	uint64_t version = ++r->j->file[r->index].next_version;

	verifier_begin(r, first, count, version);
	for (uint64_t i = 0; i < count; i++)
		verifier_fill_sector(r, r->buf + i * SECTOR, first + i, version);
	if (pwrite(r->fd, r->buf, count * SECTOR, (off_t)(first * SECTOR)) !=
	    (ssize_t)(count * SECTOR)) {
		fprintf(stderr, "%s: sectors %" PRIu64 " and on cannot be written anew: %s\n",
			r->path, first, strerror(errno));
		return false;
	}
	verifier_acknowledge(r);
	return true;
}

bool bad_settle(struct run *r)
{
	struct journal_file *f = &r->j->file[r->index];
	uint64_t first = align_down(f->first, SECTORS_A_BLOCK);
	uint64_t end = align_up(f->first + f->count, SECTORS_A_BLOCK);
	bool is_some_expected = false;

	for (uint64_t s = first; s < end; s += SECTORS_A_BLOCK)
		is_some_expected = is_some_expected || is_expected(r, s / SECTORS_A_BLOCK);
	if (!is_some_expected || !bad_check_range(r, first, end - first)) {
		errno = EIO;
		return false;
	}
	for (uint64_t s = first; s < end; s += CHUNK_SECTORS)
		if (!write_anew(r, s, min_t(uint64_t, CHUNK_SECTORS, end - s)))
			return false;
	return true;
}

bool bad_end_check(struct run *r)
{
	struct journal_file *f = &r->j->file[r->index];
	uint64_t blocks = r->j->sectors / SECTORS_A_BLOCK;
	bool is_settled = true;

	for (uint64_t b = 0; b < blocks; b++) {
		uint64_t at = b * SECTORS_A_BLOCK;

		if (!r->is_bad[b])
			continue;
		printf("unreadable %" PRIu32 " %" PRIu64 "\n", r->index, b);
		if (r->may_mend && !write_anew(r, at, SECTORS_A_BLOCK))
			return false;
		is_settled = is_settled && (r->may_mend || at >= f->first + f->count ||
					    at + SECTORS_A_BLOCK <= f->first);
	}
	if (is_settled)
		f->count = 0;
	return true;
}
