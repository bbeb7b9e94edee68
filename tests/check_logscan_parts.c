// SPDX-License-Identifier: GPL-2.0-or-later
/* The parts of the walker by themselves: abandoned branches, kept headers. */
#include <string.h>

#include "lcfs/cache/branches.h"
#include "lcfs/cache/logkeep.h"
#include "tests/check_main.h"
#include "tests/fake/logbuild.h"

/* ---- branches ---- */

#define STARTS 12
#define VALUES 10

static uint64_t naive_limit(const struct branch_start *start, size_t nr, uint64_t branch)
{
	uint64_t limit = UINT64_MAX;

	for (size_t i = 0; i < nr; i++) {
		if (start[i].branch > branch && start[i].lsn < limit)
			limit = start[i].lsn;
	}
	return limit;
}

START_TEST(a_branch_is_abandoned_from_where_the_first_of_all_higher_ones_begins)
{
	uint64_t rng = 1;

	for (int round = 0; round < 2000; round++) {
		struct branch_start start[STARTS];
		struct branches b = { 0 };

		for (size_t nr = 0; nr < STARTS; nr++) {
			start[nr].branch = logbuild_random(&rng) % VALUES;
			start[nr].lsn = logbuild_random(&rng) % VALUES;
			if (branches_add(&b, start[nr].branch, start[nr].lsn))
				ck_abort();
			for (uint64_t branch = 0; branch <= VALUES; branch++) {
				if (branches_limit(&b, branch) !=
				    naive_limit(start, nr + 1, branch))
					ck_abort_msg("round %d, %zu starts, branch %d", round,
						     nr + 1, (int)branch);
			}
		}
		branches_free(&b);
	}
}
END_TEST

START_TEST(only_what_is_new_is_learnt)
{
	struct branches b = { 0 };

	for (int i = 0; i < 3; i++) {
		ck_assert_int_eq(branches_add(&b, 5, 100), 0);
		ck_assert_int_eq(branches_add(&b, 5, 101), 0);
		ck_assert_int_eq(branches_add(&b, 4, 100), 0);
		ck_assert_uint_eq(b.learnt, 1);
	}
	ck_assert_int_eq(branches_add(&b, 6, 100), 0);
	ck_assert_uint_eq(b.learnt, 2);
	ck_assert_uint_eq(b.nr, 1);
	branches_free(&b);
}
END_TEST

START_TEST(many_branches_are_kept)
{
	struct branches b = { 0 };

	for (uint64_t i = 1; i <= 1000; i++)
		ck_assert_int_eq(branches_add(&b, i << 16, i * 10), 0);
	ck_assert_uint_eq(b.nr, 1000);
	for (uint64_t i = 1; i < 1000; i++)
		ck_assert_uint_eq(branches_limit(&b, i << 16), (i + 1) * 10);
	ck_assert_uint_eq(branches_limit(&b, 1000 << 16), UINT64_MAX);
	ck_assert_uint_eq(branches_limit(&b, 0), 10);
	branches_free(&b);
}
END_TEST

/* ---- kept headers ---- */

#define HEADERS 2000

static struct record_disk headers[HEADERS];

static void draw_headers(void)
{
	struct logbuild b = { .branch = 1 << 16, .branch_lsn = 1 };
	uint64_t rng = 7;

	for (uint32_t i = 0; i < HEADERS; i++) {
		struct record_disk *h = &headers[i];
		uint32_t nr = 1 + (uint32_t)(logbuild_random(&rng) % RECORD_ENTRIES_MAX);

		if (logbuild_random(&rng) % 4)
			nr = 1 + nr % 4;
		b.lsn = 100 + i;
		logbuild_header(&b, h, nr);
		for (uint32_t e = 0; e < nr; e++) {
			h->sum[e] = le32_make((uint32_t)logbuild_random(&rng));
			h->dirty[e] = (uint8_t)logbuild_random(&rng);
			h->entry_flags[e] = (uint8_t)logbuild_random(&rng);
		}
		record_finish(h, 1);
	}
}

/* Are these the newest ones, all in a row, as they were? Returns how many. */
static uint32_t check_kept(const struct logkeep *k)
{
	struct logkeep_pos pos = logkeep_begin(k);
	struct record_disk h;
	uint32_t nr = 0;

	for (uint64_t lsn = k->first_lsn; logkeep_next(&pos, &h); lsn++, nr++) {
		ck_assert_uint_eq(le64_get(h.lsn), lsn);
		ck_assert_mem_eq(&h, &headers[lsn - 101], sizeof(h));
	}
	ck_assert(!logkeep_next(&pos, &h));
	return nr;
}

static void keep_all(struct logkeep *k)
{
	for (uint32_t i = 0; i < HEADERS; i++)
		ck_assert_int_eq(logkeep_add(k, &headers[i]), 0);
}

START_TEST(headers_are_kept_byte_for_byte)
{
	struct logkeep k;

	draw_headers();
	logkeep_init(&k, 64 << 20);
	ck_assert_uint_eq(check_kept(&k), 0);
	keep_all(&k);
	ck_assert_uint_eq(k.first_lsn, 101);
	ck_assert_uint_eq(check_kept(&k), HEADERS);
	logkeep_clear(&k);
	ck_assert_uint_eq(k.first_lsn, UINT64_MAX);
	ck_assert_uint_eq(check_kept(&k), 0);
}
END_TEST

START_TEST(the_newest_headers_are_kept_in_the_memory_there_is)
{
	static const uint64_t max[] = { 0, 1, 10000, 100000, 400000 };
	uint32_t last = 0;

	draw_headers();
	for (size_t i = 0; i < sizeof(max) / sizeof(max[0]); i++) {
		struct logkeep k;
		uint32_t nr;

		logkeep_init(&k, max[i]);
		keep_all(&k);
		nr = check_kept(&k);
		ck_assert_uint_ge(nr, 1);
		ck_assert_uint_ge(nr, last);
		ck_assert_uint_eq(k.first_lsn, 101 + HEADERS - nr);
		ck_assert(k.bytes <= max[i] || k.oldest == k.newest);
		last = nr;
		logkeep_clear(&k);
	}
	ck_assert_uint_gt(last, 100);
	ck_assert_uint_lt(last, HEADERS);
}
END_TEST

static Suite *make_suite(void)
{
	Suite *s = suite_create("logscan, its parts");

	CHECK_CASE(s, "branches",
		   a_branch_is_abandoned_from_where_the_first_of_all_higher_ones_begins,
		   only_what_is_new_is_learnt, many_branches_are_kept);
	CHECK_CASE(s, "kept headers", headers_are_kept_byte_for_byte,
		   the_newest_headers_are_kept_in_the_memory_there_is);
	return s;
}

CHECK_MAIN(make_suite)
