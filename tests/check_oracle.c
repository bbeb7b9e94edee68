// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The oracle accepts every history that is right and none that is wrong: each rule with one of
 * either. `now` stands for a disk image that the test composes by hand.
 */
#include <stdlib.h>
#include <string.h>

#include "tests/check_main.h"
#include "tests/sim/oracle.h"

#define BLOCKS 4u
#define BYTES (BLOCKS * ORACLE_BLOCK)

static struct oracle *o;
static struct oracle_image *img, *other;
static uint8_t now[BYTES], other_now[BYTES];

static void setup(void)
{
	o = oracle_new();
	img = oracle_image_new(o, 0, 11, BLOCKS, BYTES);
	other = oracle_image_new(o, 1, 12, BLOCKS, BYTES);
	oracle_image_initial(img, now, BYTES);
	oracle_image_initial(other, other_now, BYTES);
}

static void teardown(void)
{
	oracle_free(o);
}

/* Starts a write; its bytes go to data. */
static struct oracle_event *start(struct oracle_image *i, uint64_t off, uint64_t len, uint8_t *data)
{
	return oracle_write(i, off, len, data);
}

static void write_done(struct oracle_image *i, uint64_t off, uint64_t len, uint8_t *data)
{
	oracle_end(i, start(i, off, len, data), len, false);
}

static bool read_is_good(uint64_t since)
{
	return oracle_check_read(img, 0, BLOCKS, now, since);
}

static bool recovery_is_good(enum oracle_loss loss)
{
	const struct oracle_recovered rec[2] = {
		{ .img = img, .data = now, .size = BYTES },
		{ .img = other, .data = other_now, .size = BYTES },
	};

	return oracle_check_recovered(o, rec, 2, loss, false);
}

START_TEST(test_read_of_what_was_answered)
{
	write_done(img, 100, 5000, now + 100);
	ck_assert(read_is_good(oracle_now(o)));
}
END_TEST

START_TEST(test_read_misses_what_was_answered)
{
	uint8_t lost[5000];

	write_done(img, 100, sizeof(lost), lost);
	ck_assert(!read_is_good(oracle_now(o)));
}
END_TEST

START_TEST(test_read_of_foreign_bytes)
{
	now[5000] ^= 1;
	ck_assert(!read_is_good(oracle_now(o)));
}
END_TEST

START_TEST(test_read_of_a_block_of_another_place)
{
	memcpy(now, now + ORACLE_BLOCK, ORACLE_BLOCK);
	ck_assert(!read_is_good(oracle_now(o)));
}
END_TEST

START_TEST(test_concurrent_write_may_show_or_not)
{
	uint8_t data[512], before[BYTES];

	memcpy(before, now, BYTES);
	start(img, 512, sizeof(data), data);
	ck_assert(read_is_good(oracle_now(o)));
	memcpy(now + 512, data, sizeof(data));
	ck_assert(read_is_good(oracle_now(o)));
	/* But once it has been seen, it may not go away again. */
	memcpy(now, before, BYTES);
	ck_assert(!read_is_good(oracle_now(o)));
}
END_TEST

START_TEST(test_read_that_began_before_the_answer_may_be_old)
{
	uint64_t since = oracle_now(o);
	uint8_t data[4096];

	write_done(img, 0, sizeof(data), data);
	ck_assert(read_is_good(since));
	ck_assert(!read_is_good(oracle_now(o)));
}
END_TEST

START_TEST(test_block_mixes_two_concurrent_writes)
{
	uint8_t a[4096], b[4096];

	start(img, 0, sizeof(a), a);
	start(img, 0, sizeof(b), b);
	memcpy(now, a, 2048);
	memcpy(now + 2048, b + 2048, 2048);
	ck_assert(!read_is_good(oracle_now(o)));
	memcpy(now, b, 2048);
	ck_assert(read_is_good(oracle_now(o)));
}
END_TEST

START_TEST(test_block_mixes_old_and_new)
{
	uint8_t a[4096];

	start(img, 0, sizeof(a), a);
	memcpy(now, a, 512);
	ck_assert(!read_is_good(oracle_now(o)));
}
END_TEST

START_TEST(test_straight_write_shows_by_sectors_until_it_is_answered)
{
	uint8_t a[4096];
	struct oracle_event *e = start(img, 0, sizeof(a), a);

	oracle_straight(e);
	memcpy(now + 512, a + 512, 512);
	ck_assert(read_is_good(oracle_now(o)));
	memcpy(now + 1024, a + 1024, 3072);
	ck_assert(read_is_good(oracle_now(o)));
	oracle_end(img, e, sizeof(a), false);
	ck_assert(!read_is_good(oracle_now(o)));
	memcpy(now, a, sizeof(a));
	ck_assert(read_is_good(oracle_now(o)));
}
END_TEST

START_TEST(test_sector_of_a_straight_write_does_not_go_away)
{
	uint8_t a[4096], before[BYTES];

	memcpy(before, now, BYTES);
	oracle_straight(start(img, 0, sizeof(a), a));
	memcpy(now, a, 512);
	ck_assert(read_is_good(oracle_now(o)));
	memcpy(now, before, BYTES);
	ck_assert(!read_is_good(oracle_now(o)));
}
END_TEST

START_TEST(test_straight_write_beyond_the_end_shows_up_to_it)
{
	uint8_t a[4096];
	struct oracle_event *e;

	/* an image that ends at byte 1000 of its first block, and writes beyond */
	oracle_end(img, oracle_truncate(img, 1000), 1, false);
	memset(now + 1000, 0, BYTES - 1000);
	e = start(img, 0, sizeof(a), a);
	oracle_straight(e);
	memcpy(now, a, 1000);
	ck_assert(read_is_good(oracle_now(o)));
	ck_assert(read_is_good(oracle_now(o)));
	oracle_end(img, e, sizeof(a), false);
	ck_assert(!read_is_good(oracle_now(o)));
}
END_TEST

START_TEST(test_straight_write_that_failed_may_be_there_in_part)
{
	uint8_t a[4096];
	struct oracle_event *e = start(img, 0, sizeof(a), a);

	oracle_straight(e);
	oracle_end(img, e, 0, false);
	memcpy(now, a, 2048);
	ck_assert(read_is_good(oracle_now(o)));
}
END_TEST

START_TEST(test_write_before_a_straight_one_is_whole)
{
	uint8_t a[4096], b[4096];

	write_done(img, 0, sizeof(a), a);
	oracle_straight(start(img, 0, sizeof(b), b));
	memcpy(now, b, 512);
	memcpy(now + 512, a + 512, 2048);
	ck_assert(!read_is_good(oracle_now(o))); /* 1536 bytes are older than a */
	memcpy(now + 2560, a + 2560, 1536);
	ck_assert(read_is_good(oracle_now(o)));
}
END_TEST

START_TEST(test_order_shown_by_a_read_is_remembered)
{
	uint8_t a[4096], b[4096];
	struct oracle_event *ea = start(img, 0, sizeof(a), a);
	struct oracle_event *eb = start(img, 0, sizeof(b), b);

	oracle_end(img, ea, sizeof(a), false);
	oracle_end(img, eb, sizeof(b), false);
	memcpy(now, a, sizeof(a));
	ck_assert(read_is_good(oracle_now(o)));
	memcpy(now, b, sizeof(b));
	ck_assert(!read_is_good(oracle_now(o)));
}
END_TEST

START_TEST(test_lost_update_within_a_sector)
{
	uint8_t a[100], b[100];

	write_done(img, 0, sizeof(a), a);
	write_done(img, 200, sizeof(b), b);
	memcpy(now + 200, b, sizeof(b));
	ck_assert(!read_is_good(oracle_now(o)));
	memcpy(now, a, sizeof(a));
	ck_assert(read_is_good(oracle_now(o)));
}
END_TEST

START_TEST(test_punched_bytes_come_back)
{
	oracle_end(img, oracle_punch(img, 1000, 3000), 1, true);
	ck_assert(!read_is_good(oracle_now(o)));
	memset(now + 1000, 0, 3000);
	ck_assert(read_is_good(oracle_now(o)));
}
END_TEST

START_TEST(test_death_may_not_lose_what_was_answered)
{
	uint8_t data[4096];

	write_done(img, 0, sizeof(data), data);
	oracle_crash(o);
	ck_assert(recovery_is_good(ORACLE_LOSS_UNSYNCED));
	ck_assert(!recovery_is_good(ORACLE_LOSS_NONE));
	memcpy(now, data, sizeof(data));
	ck_assert(recovery_is_good(ORACLE_LOSS_NONE));
}
END_TEST

START_TEST(test_power_cut_may_not_lose_what_was_synced)
{
	uint8_t data[4096];

	write_done(img, 0, sizeof(data), data);
	oracle_synced(o, img, oracle_now(o));
	oracle_crash(o);
	ck_assert(!recovery_is_good(ORACLE_LOSS_UNSYNCED));
	memcpy(now, data, sizeof(data));
	ck_assert(recovery_is_good(ORACLE_LOSS_UNSYNCED));
}
END_TEST

START_TEST(test_sync_that_began_before_the_answer_promises_nothing)
{
	uint64_t since = oracle_now(o);
	uint8_t data[4096];

	write_done(img, 0, sizeof(data), data);
	oracle_synced(o, img, since);
	oracle_crash(o);
	ck_assert(recovery_is_good(ORACLE_LOSS_UNSYNCED));
}
END_TEST

START_TEST(test_later_write_survives_without_earlier_one)
{
	uint8_t first[4096], second[512];

	write_done(img, 0, sizeof(first), first);
	write_done(other, 4096, sizeof(second), second);
	oracle_crash(o);
	memcpy(other_now + 4096, second, sizeof(second));
	ck_assert(!recovery_is_good(ORACLE_LOSS_UNSYNCED));
	memcpy(now, first, sizeof(first));
	ck_assert(recovery_is_good(ORACLE_LOSS_UNSYNCED));
}
END_TEST

START_TEST(test_concurrent_writes_may_survive_one_without_the_other)
{
	uint8_t first[4096], second[512];
	struct oracle_event *e = start(img, 0, sizeof(first), first);

	write_done(other, 4096, sizeof(second), second);
	oracle_end(img, e, sizeof(first), false);
	oracle_crash(o);
	memcpy(other_now + 4096, second, sizeof(second));
	ck_assert(recovery_is_good(ORACLE_LOSS_UNSYNCED));
}
END_TEST

START_TEST(test_sync_of_one_image_keeps_what_was_before_it_on_others)
{
	uint8_t first[4096], second[512];

	write_done(img, 0, sizeof(first), first);
	write_done(other, 4096, sizeof(second), second);
	oracle_synced(o, other, oracle_now(o));
	oracle_crash(o);
	memcpy(other_now + 4096, second, sizeof(second));
	ck_assert(!recovery_is_good(ORACLE_LOSS_UNSYNCED));
}
END_TEST

START_TEST(test_unanswered_write_may_be_cut_at_a_block_only)
{
	uint8_t data[3 * 4096];

	start(img, 0, sizeof(data), data);
	oracle_crash(o);
	memcpy(now, data, 4096);
	ck_assert(recovery_is_good(ORACLE_LOSS_NONE));
	memcpy(now + 4096, data + 4096, 512);
	ck_assert(!recovery_is_good(ORACLE_LOSS_NONE));
}
END_TEST

START_TEST(test_abandoned_data_comes_back)
{
	const struct oracle_recovered rec = { .img = img, .data = now, .size = BYTES };
	uint8_t data[4096];

	write_done(img, 0, sizeof(data), data);
	oracle_crash(o);
	ck_assert(oracle_check_recovered(o, &rec, 1, ORACLE_LOSS_UNSYNCED, true));
	oracle_crash(o);
	memcpy(now, data, sizeof(data));
	ck_assert(!oracle_check_recovered(o, &rec, 1, ORACLE_LOSS_UNSYNCED, true));
}
END_TEST

START_TEST(test_recovered_data_may_not_be_lost_again)
{
	const struct oracle_recovered rec = { .img = img, .data = now, .size = BYTES };
	uint8_t data[4096], old[4096];

	memcpy(old, now, sizeof(old));
	write_done(img, 0, sizeof(data), data);
	oracle_crash(o);
	memcpy(now, data, sizeof(data));
	ck_assert(oracle_check_recovered(o, &rec, 1, ORACLE_LOSS_UNSYNCED, true));
	memcpy(now, old, sizeof(old));
	ck_assert(!oracle_check_recovered(o, &rec, 1, ORACLE_LOSS_UNSYNCED, true));
}
END_TEST

START_TEST(test_size_after_truncate_and_extending_write)
{
	uint8_t data[100];

	oracle_end(img, oracle_truncate(img, 5000), 1, true);
	ck_assert(oracle_check_size(img, 5000, oracle_now(o)));
	ck_assert(!oracle_check_size(img, BYTES, oracle_now(o)));
	write_done(img, 6000, sizeof(data), data);
	ck_assert(oracle_check_size(img, 6100, oracle_now(o)));
	ck_assert(!oracle_check_size(img, 5000, oracle_now(o)));
}
END_TEST

START_TEST(test_size_of_concurrent_truncate_and_write)
{
	uint8_t data[100];
	struct oracle_event *e = oracle_truncate(img, 5000);

	write_done(img, 6000, sizeof(data), data);
	oracle_end(img, e, 1, true);
	ck_assert(oracle_check_size(img, 5000, oracle_now(o)));
	ck_assert(oracle_check_size(img, 6100, oracle_now(o)));
	ck_assert(!oracle_check_size(img, 6050, oracle_now(o)));
	ck_assert(!oracle_check_size(img, BYTES, oracle_now(o)));
}
END_TEST

START_TEST(test_every_byte_tells_its_version)
{
	uint8_t a[16], b[16];

	for (uint32_t v = 1; v < 250; v++) {
		oracle_content(img, 2, 32, 48, v, a);
		for (uint32_t u = 0; u < v; u++) {
			oracle_content(img, 2, 32, 48, u, b);
			for (int i = 0; i < 16; i++)
				ck_assert_uint_ne(a[i], b[i]);
		}
	}
}
END_TEST

static Suite *make_suite(void)
{
	Suite *suite = suite_create("oracle");
	TCase *tc = tcase_create("oracle");
	const TTest *const tests[] = {
		test_read_of_what_was_answered,
		test_read_misses_what_was_answered,
		test_read_of_foreign_bytes,
		test_read_of_a_block_of_another_place,
		test_concurrent_write_may_show_or_not,
		test_read_that_began_before_the_answer_may_be_old,
		test_block_mixes_two_concurrent_writes,
		test_block_mixes_old_and_new,
		test_straight_write_shows_by_sectors_until_it_is_answered,
		test_sector_of_a_straight_write_does_not_go_away,
		test_straight_write_beyond_the_end_shows_up_to_it,
		test_straight_write_that_failed_may_be_there_in_part,
		test_write_before_a_straight_one_is_whole,
		test_order_shown_by_a_read_is_remembered,
		test_lost_update_within_a_sector,
		test_punched_bytes_come_back,
		test_death_may_not_lose_what_was_answered,
		test_power_cut_may_not_lose_what_was_synced,
		test_sync_that_began_before_the_answer_promises_nothing,
		test_later_write_survives_without_earlier_one,
		test_concurrent_writes_may_survive_one_without_the_other,
		test_sync_of_one_image_keeps_what_was_before_it_on_others,
		test_unanswered_write_may_be_cut_at_a_block_only,
		test_abandoned_data_comes_back,
		test_recovered_data_may_not_be_lost_again,
		test_size_after_truncate_and_extending_write,
		test_size_of_concurrent_truncate_and_write,
		test_every_byte_tells_its_version,
	};

	tcase_add_checked_fixture(tc, setup, teardown);
	for (size_t i = 0; i < sizeof(tests) / sizeof(tests[0]); i++)
		tcase_add_test(tc, tests[i]);
	suite_add_tcase(suite, tc);
	return suite;
}

CHECK_MAIN(make_suite)
