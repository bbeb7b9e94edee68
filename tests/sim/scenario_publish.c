// SPDX-License-Identifier: GPL-2.0-or-later
/* Named scenarios of RULES D: writing, publishing, reading. */
#include <errno.h>

#include "tests/sim/scenario.h"

/*
 * D1. X = v1 is published in the open record; v2 is under way, copied and not published; the daemon
 * dies: the slot of v1 must not have been touched. The same once more with v2 published: now it is
 * v2.
 */
START_TEST(test_d1_overwrite_takes_a_fresh_slot)
{
	struct sim_world *w = scenario_begin(NULL);
	struct sim_image *x = &w->image[0];
	struct sim_request *r;

	scenario_write_block(w, x, 5);
	r = sim_start_write(w, x, 5 * BLOCK, BLOCK, false);
	scenario_take_to(w, r, SIM_COPIED);
	sim_do_read(w, x);
	sim_daemon_death(w, true);
	scenario_mount(w);
	scenario_write_block(w, x, 5);
	scenario_write_block(w, x, 5);
	sim_do_write(w, x, 5 * BLOCK + 512, 512);
	sim_do_read(w, x);
	sim_daemon_death(w, true);
	scenario_mount(w);
	scenario_end(w);
}
END_TEST

/* Promise 1. The device does nothing at all: writes are answered all the same. Each takes as few
 * copies as there are records that it lies in, whatever its size. */
START_TEST(test_a_write_is_answered_from_memory)
{
	struct sim_world *w = scenario_begin(NULL);
	struct sim_request *r;
	uint32_t copies = 0;

	scenario_hold(w, ACTION_LOG_WRITE);
	scenario_hold(w, ACTION_FLUSH);
	r = sim_start_write(w, &w->image[0], 0, 14 * BLOCK, false);
	r->is_kept = true;
	while (r->phase != SIM_ENDED && sim_can_advance(r)) {
		copies += r->phase == SIM_COPY;
		sim_advance(w, r);
	}
	ck_assert_int_eq(sim_wait(w, r), 14 * (int)BLOCK);
	ck_assert_uint_le(copies, 3); /* the first record begins with the bind */
	scenario_end(w);
}
END_TEST

/* D1. A read has found X = v1 in RAM and not copied it yet; X is overwritten many times: the read
 * shows v1 or newer. */
START_TEST(test_d1_slot_is_not_handed_out_under_a_reader)
{
	struct sim_world *w = scenario_begin(NULL);
	struct sim_image *x = &w->image[0];
	struct sim_request *r;

	scenario_write_block(w, x, 5);
	r = sim_start_read(w, x, 5, 1);
	scenario_take_to(w, r, SIM_COPY);
	for (int i = 0; i < 5; i++)
		scenario_write_block(w, x, 5);
	ck_assert_int_eq(sim_wait(w, r), (int)BLOCK);
	scenario_end(w);
}
END_TEST

/*
 * D2. X is written twice, so that a slot of the record is free again; then an operation is appended
 * (the first write to another image binds it); then that image's data comes. In the freed slot it
 * would stand before its own bind, and replay would not know it.
 */
START_TEST(test_d2_slots_are_handed_out_behind_the_last_operation)
{
	struct sim_world *w = scenario_begin(NULL);
	struct sim_image *x = &w->image[0], *y = &w->image[1];

	scenario_write_block(w, x, 0);
	scenario_write_block(w, x, 0);
	scenario_write_block(w, y, 0);
	scenario_write_block(w, y, 1);
	sim_daemon_death(w, true);
	scenario_mount(w);
	scenario_end(w);
}
END_TEST

/* D2. An extension of the size between two versions: the order of the entries is the order of
 * replay. */
START_TEST(test_d2_truncate_up_and_data_in_one_record)
{
	struct sim_conf conf = scenario_conf();
	struct sim_world *w;
	struct sim_image *x;

	conf.image_bytes = 3 * BLOCK + 100;
	w = scenario_begin(&conf);
	x = &w->image[0];
	scenario_write_block(w, x, 0);
	scenario_write_block(w, x, 0);
	ck_assert_int_eq(sim_wait(w, sim_start_truncate(w, x, 9 * BLOCK)), 0);
	scenario_write_block(w, x, 8);
	scenario_write_block(w, x, 0);
	sim_daemon_death(w, true);
	scenario_mount(w);
	scenario_end(w);
}
END_TEST

/*
 * D3. Two writes to X reserve their slots in one order and publish in the other: the higher
 * position wins, now, after a death, and after a power cut behind a sync.
 */
static void publish_in_reverse(struct sim_world *w, struct sim_image *x)
{
	struct sim_request *a = sim_start_write(w, x, 3 * BLOCK, BLOCK, false);
	struct sim_request *b = sim_start_write(w, x, 3 * BLOCK, BLOCK, false);

	scenario_take_to(w, a, SIM_COPIED);
	b->is_kept = true;
	sim_advance(w, b);
	if (sim_can_advance(b) && b->phase == SIM_COPY) {
		scenario_take_to(w, b, SIM_COPIED);
		sim_advance(w, b);
	}
	sim_wait(w, a);
	sim_wait(w, b);
	sim_do_read(w, x);
}

START_TEST(test_d3_highest_position_wins)
{
	struct sim_world *w = scenario_begin(NULL);
	struct sim_image *x = &w->image[0];

	publish_in_reverse(w, x);
	sim_daemon_death(w, true);
	scenario_mount(w);
	publish_in_reverse(w, x);
	sim_do_sync(w, x);
	sim_do_read(w, x);
	sim_power_cut(w, CUT_DROP_ALL);
	scenario_mount(w);
	scenario_end(w);
}
END_TEST

/* D3. The same with the record sealed between the two: the later slot stands in the next record. */
START_TEST(test_d3_highest_position_wins_across_records)
{
	struct sim_world *w = scenario_begin(NULL);
	struct sim_image *x = &w->image[0];
	struct sim_request *a, *b, *sync;

	scenario_write_block(w, x, 0);
	a = sim_start_write(w, x, 3 * BLOCK, BLOCK, false);
	scenario_take_to(w, a, SIM_COPIED);
	/* Seals the record of a, which must wait for its publication. */
	sync = sim_start_sync(w, x);
	sync->is_kept = true;
	scenario_take_to(w, sync, SIM_PARKED);
	b = sim_start_write(w, x, 3 * BLOCK, BLOCK, false);
	b->is_kept = true;
	while (sim_can_advance(b))
		sim_advance(w, b);
	ck_assert_uint_eq(w->counts[ACTION_LOG_WRITE], 0);
	sim_wait(w, a);
	sim_wait(w, b);
	sim_wait(w, sync);
	sim_do_read(w, x);
	sim_daemon_death(w, true);
	scenario_mount(w);
	scenario_end(w);
}
END_TEST

/*
 * D4. A sub-sector write must read the backing file first, which takes long. Meanwhile a full write
 * to the same block comes and is answered, then the first one ends: it must not put back what the
 * full write has replaced.
 */
START_TEST(test_d4_read_modify_write_excludes_other_writes)
{
	struct sim_world *w = scenario_begin(NULL);
	struct sim_image *x = &w->image[0];
	struct sim_request *a, *b;

	scenario_hold(w, ACTION_BACK_READ);
	a = sim_start_write(w, x, 2 * BLOCK + 10, 20, false);
	scenario_take_to(w, a, SIM_PARKED);
	b = sim_start_write(w, x, 2 * BLOCK, BLOCK, false);
	b->is_kept = true;
	scenario_run(w, SIM_MS);
	ck_assert(scenario_is_out(w, ACTION_BACK_READ));
	scenario_release(w, ACTION_BACK_READ);
	ck_assert_int_eq(sim_wait(w, a), 20);
	ck_assert_int_eq(sim_wait(w, b), (int)BLOCK);
	sim_do_read(w, x);
	sim_daemon_death(w, true);
	scenario_mount(w);
	scenario_end(w);
}
END_TEST

/* D4. Two sub-sector writes to one sector at once: neither is lost. */
START_TEST(test_d4_two_writes_to_one_sector)
{
	struct sim_world *w = scenario_begin(NULL);
	struct sim_image *x = &w->image[0];
	struct sim_request *a, *b;

	scenario_hold(w, ACTION_BACK_READ);
	a = sim_start_write(w, x, 2 * BLOCK + 10, 20, false);
	scenario_take_to(w, a, SIM_PARKED);
	b = sim_start_write(w, x, 2 * BLOCK + 100, 20, false);
	b->is_kept = true;
	scenario_run(w, SIM_MS);
	scenario_release(w, ACTION_BACK_READ);
	ck_assert_int_eq(sim_wait(w, a), 20);
	ck_assert_int_eq(sim_wait(w, b), 20);
	sim_do_read(w, x);
	scenario_end(w);
}
END_TEST

/* D4. A write that waits for its read holds no slot: nobody's sync waits for it. */
START_TEST(test_d4_slow_read_holds_up_no_sync)
{
	struct sim_world *w = scenario_begin(NULL);
	struct sim_image *x = &w->image[0], *y = &w->image[1];
	struct sim_request *a;

	scenario_hold(w, ACTION_BACK_READ);
	a = sim_start_write(w, x, 2 * BLOCK + 10, 20, false);
	a->is_kept = true;
	scenario_run(w, SIM_MS);
	scenario_write_block(w, y, 0);
	sim_do_sync(w, y);
	sim_do_sync(w, NULL);
	ck_assert_int_ne(a->phase, SIM_ENDED);
	scenario_release(w, ACTION_BACK_READ);
	ck_assert_int_eq(sim_wait(w, a), 20);
	scenario_end(w);
}
END_TEST

/*
 * D5. A read is assembled from the log and the backing file; the file's part was read early, then
 * that block is written and migrated and its place in the log reused, and then the read ends: it
 * may not show the old part beside a newer one of the same block.
 */
START_TEST(test_d5_read_notices_what_changed_meanwhile)
{
	struct sim_world *w = scenario_begin(NULL);
	struct sim_image *x = &w->image[0];
	struct sim_request *r;

	sim_do_write(w, x, 2 * BLOCK + 512, 512);
	sim_do_sync(w, x);
	r = sim_start_read(w, x, 1, 3);
	r->is_kept = true;
	w->hold_return[ACTION_BACK_READ] = true;
	scenario_run(w, SIM_MS);
	ck_assert(scenario_is_out(w, ACTION_BACK_READ));
	scenario_write_block(w, x, 1);
	scenario_write_block(w, x, 2);
	sim_do_sync(w, x);
	scenario_release(w, ACTION_BACK_READ);
	ck_assert_int_eq(sim_wait(w, r), (int)(3 * BLOCK));
	scenario_end(w);
}
END_TEST

/*
 * D5. The same with the file's part read late: by then the block was written as a whole and
 * migrated. The older sector from the log may not be laid over it.
 */
START_TEST(test_d5_read_finds_the_file_ahead_of_the_log)
{
	struct sim_world *w = scenario_begin(NULL);
	struct sim_image *x = &w->image[0];
	struct sim_request *r;

	sim_do_write(w, x, 2 * BLOCK + 512, 512);
	sim_do_sync(w, x);
	scenario_hold(w, ACTION_BACK_READ);
	r = sim_start_read(w, x, 2, 1);
	r->is_kept = true;
	scenario_run(w, SIM_MS);
	ck_assert(scenario_is_out(w, ACTION_BACK_READ));
	scenario_write_block(w, x, 2);
	sim_do_clean(w, x);
	scenario_release(w, ACTION_BACK_READ);
	ck_assert_int_eq(sim_wait(w, r), (int)BLOCK);
	scenario_end(w);
}
END_TEST

static int fail_punches(struct sim_world *w, const struct action *a)
{
	(void)w;
	return a->type == ACTION_BACK_PUNCH ? -EIO : 0;
}

/* D5. A write completes its sector from the file while a pending punch of it is carried out there:
 * what it has read is from before, and nothing says so any more but the file. */
START_TEST(test_d5_write_completes_a_sector_that_is_punched)
{
	struct sim_world *w = scenario_begin(NULL);
	struct sim_image *x = &w->image[0];
	struct sim_request *r;
	uint64_t punches;

	w->fault = fail_punches;
	ck_assert_int_eq(sim_wait(w, sim_start_punch(w, x, 2 * BLOCK, BLOCK)), 0);
	w->fault = NULL;
	punches = w->counts[ACTION_BACK_PUNCH];
	w->hold_return[ACTION_BACK_READ] = true;
	r = sim_start_write(w, x, 2 * BLOCK + 10, 100, false);
	r->is_kept = true;
	scenario_run(w, SIM_MS);
	ck_assert(scenario_is_out(w, ACTION_BACK_READ));
	scenario_write_block(w, x, 9);
	sim_knob(w, KNOB_FORCE_MIGRATE, 1);
	scenario_run(w, 5000 * SIM_MS);
	ck_assert_uint_gt(w->counts[ACTION_BACK_PUNCH], punches);
	scenario_release(w, ACTION_BACK_READ);
	ck_assert_int_eq(sim_wait(w, r), 100);
	sim_do_read(w, x);
	scenario_end(w);
}
END_TEST

/* D5. The place in the log that a slow read reads is not given to others meanwhile, or the read
 * finds out. */
START_TEST(test_d5_slot_is_reused_under_a_slow_read)
{
	struct sim_world *w = scenario_begin(NULL);
	struct sim_image *x = &w->image[0], *y = &w->image[1];
	struct sim_request *r;

	scenario_write_block(w, x, 1);
	sim_do_clean(w, x);
	for (uint64_t b = 0; b < 16; b++)
		scenario_write_block(w, y, b);
	sim_do_sync(w, y);
	r = sim_start_read(w, x, 1, 1);
	r->is_kept = true;
	scenario_hold(w, ACTION_DEV_READ);
	scenario_run(w, SIM_MS);
	sim_knob(w, KNOB_FORCE_MIGRATE, 1);
	for (int i = 0; i < 100; i++) {
		struct sim_request *write =
			sim_start_write(w, y, (uint64_t)i % 16 * BLOCK, BLOCK, false);

		write->is_kept = true;
		scenario_run(w, SIM_MS);
		if (write->phase != SIM_ENDED)
			break; /* the log waits for the reader: that is one way to do it */
		sim_free_request(w, write);
	}
	scenario_release(w, ACTION_DEV_READ);
	ck_assert_int_eq(sim_wait(w, r), (int)BLOCK);
	scenario_end(w);
}
END_TEST

static int write_at(struct sim_world *w, uint64_t off)
{
	struct cache_write write = { .image = w->image[0].cached,
				     .off = off,
				     .len = 4096,
				     .data = w->pool };
	struct outbox ob;

	outbox_init(&ob);
	ck_assert_int_eq((int)cache_write_run(w->cache, &write, false, w->now, &ob),
			 (int)CACHE_DONE);
	sim_take(w, &ob);
	return write.result;
}

/* D6. Offsets of 2^52 and above: EFBIG. */
START_TEST(test_d6_offset_beyond_the_largest)
{
	struct sim_world *w = scenario_begin(NULL);

	scenario_write_block(w, &w->image[0], 0);
	ck_assert_int_eq(write_at(w, IMAGE_BYTES_MAX), -EFBIG);
	ck_assert_int_eq(write_at(w, IMAGE_BYTES_MAX + 4096), -EFBIG);
	ck_assert_int_eq(write_at(w, UINT64_MAX - 100), -EFBIG);
	scenario_end(w);
}
END_TEST

SCENARIO_SUITE("publish", test_a_write_is_answered_from_memory,
	       test_d1_overwrite_takes_a_fresh_slot,
	       test_d1_slot_is_not_handed_out_under_a_reader,
	       test_d2_slots_are_handed_out_behind_the_last_operation,
	       test_d2_truncate_up_and_data_in_one_record, test_d3_highest_position_wins,
	       test_d3_highest_position_wins_across_records,
	       test_d4_read_modify_write_excludes_other_writes, test_d4_two_writes_to_one_sector,
	       test_d4_slow_read_holds_up_no_sync, test_d5_read_notices_what_changed_meanwhile,
	       test_d5_read_finds_the_file_ahead_of_the_log,
	       test_d5_write_completes_a_sector_that_is_punched,
	       test_d5_slot_is_reused_under_a_slow_read, test_d6_offset_beyond_the_largest)
