// SPDX-License-Identifier: GPL-2.0-or-later
/* Named scenarios of RULES C: RAM buffers as a second log; and a device that fails in a mount. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lcfs/cache/core.h"
#include "lcfs/cache/pool.h"
#include "tests/sim/scenario.h"

#define SEGMENT_BLOCKS 8u /* of scenario_conf() */

static uint8_t *copy_pool(const struct sim_world *w)
{
	uint8_t *copy = malloc(w->pool_bytes);

	ck_assert_ptr_nonnull(copy);
	memcpy(copy, w->pool, w->pool_bytes);
	return copy;
}

/* C1. Power cut; a pool of the boot before is still there: it is set aside, never replayed. */
START_TEST(test_c1_pool_of_another_boot_is_not_replayed)
{
	struct sim_world *w = scenario_begin(NULL);

	scenario_write_block(w, &w->image[0], 0);
	w->pool_fate = SIM_POOL_STALE;
	sim_power_cut(w, CUT_DROP_ALL);
	sim_mount(w);
	ck_assert_uint_eq(w->report.drained_records, 0);
	scenario_end(w);
}
END_TEST

/* C1. A pool of this boot but of an earlier mount of the cache holds older data: never replayed
 * over newer. */
START_TEST(test_c1_pool_of_another_mount_is_not_replayed)
{
	struct sim_world *w = scenario_begin(NULL);
	struct sim_image *x = &w->image[0];
	uint8_t *old;
	int err;

	scenario_write_block(w, x, 0);
	sim_daemon_death(w, true);
	old = copy_pool(w);
	scenario_mount(w);
	scenario_write_block(w, x, 0);
	sim_do_sync(w, x);
	scenario_write_block(w, x, 1);
	sim_daemon_death(w, true);
	memcpy(w->pool, old, w->pool_bytes);
	free(old);
	/* The right pool is lost: that is refused (C3), unless the admin says so. */
	err = sim_open(w, 0);
	ck_assert_int_ne(err, 0);
	w->conf.cache.ignore_lost_buffers = true;
	w->loss = ORACLE_LOSS_UNSYNCED;
	sim_mount(w);
	ck_assert_uint_eq(w->report.drained_records, 0);
	scenario_end(w);
}
END_TEST

/* C2. Buffers half filled, sealed, in flight, written and not flushed; slots handed out and not
 * published. */
static void fill_pool(struct sim_world *w)
{
	struct sim_image *x = &w->image[0], *y = &w->image[1];
	struct sim_request *r;

	scenario_hold(w, ACTION_FLUSH);
	for (uint64_t b = 0; b < 8; b++)
		scenario_write_block(w, x, b);
	scenario_run(w, SIM_MS);
	scenario_hold(w, ACTION_LOG_WRITE);
	for (uint64_t b = 4; b < 12; b++)
		scenario_write_block(w, y, b);
	sim_do_write(w, y, 100, 300);
	/* Reserved, half way through: it must not be there after the death. */
	r = sim_start_write(w, x, 2 * BLOCK, 2 * BLOCK, false);
	scenario_take_to(w, r, SIM_COPY);
	r = sim_start_write(w, y, 2 * BLOCK, BLOCK, false);
	scenario_take_to(w, r, SIM_COPIED);
	scenario_write_block(w, x, 12);
}

/* What the device had under way never comes to it: the buffers have it. */
static void die_with_full_pool(struct sim_world *w)
{
	sim_daemon_death(w, false);
	scenario_release(w, ACTION_LOG_WRITE);
	scenario_release(w, ACTION_FLUSH);
	scenario_mount(w);
	ck_assert_uint_gt(w->report.drained_records, 0);
	scenario_end(w);
}

START_TEST(test_c2_death_loses_nothing_that_was_answered)
{
	struct sim_world *w = scenario_begin(NULL);

	fill_pool(w);
	die_with_full_pool(w);
}
END_TEST

/* C2. Death between the stores that hand out entries of the open record: their keys and flags are
 * there, the count does not have them yet. */
START_TEST(test_c2_death_while_entries_are_handed_out)
{
	struct sim_world *w = scenario_begin(NULL);
	struct record *open;

	fill_pool(w);
	open = w->cache->log.open;
	ck_assert_ptr_nonnull(open);
	for (uint32_t i = open->nr_entries; i < open->nr_entries + 3u; i++)
		open->h->key[i] = open->h->key[0];
	open->h->entry_flags[open->nr_entries] = ENTRY_OP;
	die_with_full_pool(w);
}
END_TEST

/* C2. Recovery can be killed and repeated at every point: the buffers are there until all is
 * durable elsewhere. */
START_TEST(test_c2_recovery_can_be_killed_at_every_point)
{
	struct sim_world *w = scenario_begin(NULL);

	fill_pool(w);
	sim_daemon_death(w, false);
	scenario_release(w, ACTION_LOG_WRITE);
	scenario_release(w, ACTION_FLUSH);
	ck_assert_uint_ge(sim_mount_everywhere(w, SIM_DAEMON_DEATH, true), 4);
	scenario_quiet(w);
	scenario_end(w);
}
END_TEST

START_TEST(test_c2_power_can_fail_at_every_point_of_recovery)
{
	struct sim_world *w = scenario_begin(NULL);

	fill_pool(w);
	sim_daemon_death(w, false);
	scenario_release(w, ACTION_LOG_WRITE);
	scenario_release(w, ACTION_FLUSH);
	ck_assert_uint_ge(sim_mount_everywhere(w, SIM_POWER_CUT, false), 4);
	scenario_quiet(w);
	scenario_end(w);
}
END_TEST

/* C2. Killed twice in a row, with writes in between: the second pool is the newer one. */
START_TEST(test_c2_death_after_death)
{
	struct sim_world *w = scenario_begin(NULL);

	for (int i = 0; i < 5; i++) {
		sim_do_clean(w, &w->image[0]);
		sim_do_clean(w, &w->image[1]);
		fill_pool(w);
		sim_daemon_death(w, i % 2);
		scenario_release(w, ACTION_LOG_WRITE);
		scenario_release(w, ACTION_FLUSH);
		scenario_mount(w);
	}
	scenario_end(w);
}
END_TEST

/* A dead daemon's buffers with one record, which is alone in a segment of its own. */
static struct pool_ctl *lone_record(struct sim_world *w, struct record_disk **h)
{
	struct sim_image *x = &w->image[0];

	scenario_write_block(w, x, 0);
	sim_do_sync(w, x);
	sim_daemon_death(w, true);
	scenario_mount(w);
	scenario_write_block(w, x, 1);
	sim_daemon_death(w, true);
	for (uint32_t i = 0; i < w->conf.cache.pool_buffers; i++) {
		const uint8_t *mem;
		const struct pool_ctl *ctl = pool_peek(w->pool, i, &mem);

		if (!ctl->segment_id)
			continue;
		ck_assert_uint_eq(ctl->last_record, 0);
		*h = (struct record_disk *)(uintptr_t)mem;
		ck_assert_uint_gt(le16_get((*h)->nr_entries), 0);
		return (struct pool_ctl *)(uintptr_t)ctl;
	}
	ck_abort_msg("no buffer is in use");
}

/* The buffers are refused with nothing written, and when the right ones are back all is there. */
static void expect_refused(struct sim_world *w, const uint8_t *right, const char *text)
{
	ck_assert_int_eq(sim_open(w, 0), -EUCLEAN);
	ck_assert_msg(strstr(w->report.error, text), "%s", w->report.error);
	ck_assert_msg(strstr(w->report.error, "lost_buffers"), "%s", w->report.error);
	ck_assert_uint_eq(w->dev->blocking_writes, 0);
	memcpy(w->pool, right, w->pool_bytes);
	scenario_mount(w);
	ck_assert_uint_eq(w->report.drained_records, 1);
	scenario_end(w);
}

/* C2, A4. A record is taken over where the walk of the next mount finds it, and nowhere else: it
 * would be lost there, or the log taken for damaged. */
START_TEST(test_c2_buffers_where_no_walk_looks_are_refused)
{
	for (uint32_t by = 0; by < 7; by++) {
		struct sim_world *w = scenario_begin(NULL);
		struct record_disk *h;
		struct pool_ctl *ctl = lone_record(w, &h);
		uint8_t *right = copy_pool(w);

		ctl->segment_id += by;
		h->segment_id = le64_make(ctl->segment_id);
		h->address = le64_make(le64_get(h->address) + by * SEGMENT_BLOCKS);
		if (by < w->conf.cache.pool_buffers) {
			scenario_mount(w);
			ck_assert_uint_eq(w->report.drained_records, 1);
			sim_daemon_death(w, true);
			scenario_mount(w);
			scenario_end(w);
		} else {
			expect_refused(w, right, "cannot follow the log");
		}
		free(right);
	}
}
END_TEST

/* Changes the record with the statement. */
#define EXPECT_REFUSED(h, change, text)                     \
	do {                                                \
		struct sim_world *w = scenario_begin(NULL); \
		struct record_disk *h;                      \
		uint8_t *right;                             \
		lone_record(w, &h);                         \
		right = copy_pool(w);                       \
		change;                                     \
		expect_refused(w, right, text);             \
		free(right);                                \
	} while (0)

/* C2, A3. Of another branch than the last mount wrote, or one that would make records of the log
 * abandoned. */
START_TEST(test_c2_buffers_of_another_branch_are_refused)
{
	uint64_t epoch = 1 << 16;

	EXPECT_REFUSED(h, h->branch = le64_make(le64_get(h->branch) + epoch), "cannot follow");
	EXPECT_REFUSED(h, h->branch = le64_make(le64_get(h->branch) - epoch), "cannot follow");
	EXPECT_REFUSED(h, h->branch_lsn = le64_make(1), "cannot follow");
}
END_TEST

/* C2. What cannot be replayed is not put into the log either. */
START_TEST(test_c2_buffers_that_make_no_sense_change_nothing)
{
	EXPECT_REFUSED(h, h->lsn = le64_make(le64_get(h->lsn) + 1), "neither in the log nor");
	EXPECT_REFUSED(h, h->key[0] = le64_make(entry_key(77, 0)), "image 77");
	EXPECT_REFUSED(h, h->entry_flags[0] = 0x40, "unknown flag");
}
END_TEST

/* C3. The daemon died and its buffers are gone, same boot: refused, unless the admin says that they
 * are lost. */
START_TEST(test_c3_lost_pool_is_refused)
{
	struct sim_world *w = scenario_begin(NULL);

	scenario_write_block(w, &w->image[0], 0);
	sim_daemon_death(w, true);
	memset(w->pool, 0, w->pool_bytes);
	ck_assert_int_ne(sim_open(w, 0), 0);
	ck_assert_str_ne(w->report.error, "");
	w->conf.cache.ignore_lost_buffers = true;
	w->loss = ORACLE_LOSS_UNSYNCED;
	scenario_mount(w);
	scenario_end(w);
}
END_TEST

/* C3. After an orderly end there is nothing to be lost. */
START_TEST(test_c3_pool_is_not_needed_after_shutdown)
{
	struct sim_world *w = scenario_begin(NULL);

	scenario_write_block(w, &w->image[0], 0);
	sim_shutdown(w);
	memset(w->pool, 0, w->pool_bytes);
	scenario_mount(w);
	ck_assert(w->report.was_clean);
	scenario_end(w);
}
END_TEST

/* C5. Writes of the dead daemon land in part before recovery reads: the same records are drained
 * over them. */
START_TEST(test_c5_writes_of_a_dead_daemon_land_in_part)
{
	for (uint64_t seed = 1; seed <= 20; seed++) {
		struct sim_conf conf = scenario_conf();
		struct sim_world *w;

		conf.seed = seed;
		w = scenario_begin(&conf);
		scenario_hold(w, ACTION_LOG_WRITE);
		for (uint64_t b = 0; b < 16; b++)
			scenario_write_block(w, &w->image[0], b);
		sim_daemon_death(w, false);
		scenario_release(w, ACTION_LOG_WRITE);
		scenario_mount(w);
		scenario_end(w);
	}
}
END_TEST

/* H1. Buffers that all wait for space in the log leave room for what makes it. */
START_TEST(test_h1_the_pool_is_a_quarter_of_the_log_at_most)
{
	struct sim_world *w = scenario_begin(NULL);
	struct cache_pool_layout l;
	struct superblock sb;
	char text[512];

	ck_assert_int_eq(cache_superblock_read(&w->dev->blk, &sb, text, sizeof(text)), 0);
	cache_pool_layout(&sb, 64, &l);
	ck_assert_uint_eq(l.nr_buffers, sb.nr_segments / 4);
	scenario_end(w);
}
END_TEST

/* ---- the device fails in recovery ---- */

static void leave_something(struct sim_world *w)
{
	for (uint64_t b = 0; b < 14; b++)
		scenario_write_block(w, &w->image[b % 2], b);
	sim_do_sync(w, NULL);
	sim_knob(w, KNOB_COMMIT_SUPER_BLOCK, 1);
	scenario_run(w, 100 * SIM_MS);
	for (uint64_t b = 0; b < 5; b++)
		scenario_write_block(w, &w->image[b % 2], b);
	sim_daemon_death(w, true);
}

/* Each read, write and flush of a mount fails once: it goes on or is refused with a reason, and the
 * next one finds all that there was. */
START_TEST(test_each_request_of_recovery_may_fail)
{
	bool has_failed = true;

	for (uint64_t n = 1; has_failed; n++) {
		struct sim_world *w = scenario_begin(NULL);
		int err;

		w->pool_fate = SIM_POOL_ANY;
		leave_something(w);
		w->dev->ops = 0;
		w->dev->fail_at = n;
		err = sim_open(w, 0);
		has_failed = w->dev->ops >= n;
		w->dev->fail_at = 0;
		if (err) {
			ck_assert_int_eq(err, -EIO);
			scenario_mount(w);
		} else {
			sim_attach(w);
			sim_judge(w, true);
			scenario_quiet(w);
		}
		scenario_end(w);
	}
}
END_TEST

/* A6. Of the two super block copies either will do, and both are there again after a mount. */
START_TEST(test_a6_one_superblock_copy_cannot_be_read)
{
	for (uint64_t copy = 0; copy < SUPERBLOCK_COPIES; copy++) {
		struct sim_world *w = scenario_begin(NULL);

		w->pool_fate = SIM_POOL_ANY;
		leave_something(w);
		w->dev->ops = 0;
		w->dev->fail_at = SUPERBLOCK_COPIES + 1 + copy; /* the pool's size is asked first */
		scenario_mount(w);
		w->dev->fail_at = 0;
		sim_daemon_death(w, true);
		scenario_mount(w);
		scenario_end(w);
	}
}
END_TEST

SCENARIO_SUITE("pool", test_c1_pool_of_another_boot_is_not_replayed,
	       test_c1_pool_of_another_mount_is_not_replayed,
	       test_c2_death_loses_nothing_that_was_answered,
	       test_c2_death_while_entries_are_handed_out,
	       test_c2_recovery_can_be_killed_at_every_point,
	       test_c2_power_can_fail_at_every_point_of_recovery, test_c2_death_after_death,
	       test_c2_buffers_where_no_walk_looks_are_refused,
	       test_c2_buffers_of_another_branch_are_refused,
	       test_c2_buffers_that_make_no_sense_change_nothing, test_c3_lost_pool_is_refused,
	       test_c3_pool_is_not_needed_after_shutdown,
	       test_c5_writes_of_a_dead_daemon_land_in_part,
	       test_h1_the_pool_is_a_quarter_of_the_log_at_most,
	       test_each_request_of_recovery_may_fail, test_a6_one_superblock_copy_cannot_be_read)
