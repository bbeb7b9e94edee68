// SPDX-License-Identifier: GPL-2.0-or-later
/* The scrub: what of the log is read, what is done about damage (F4, A5). */
#include "common/align.h"
#include "lcfs/cache/scrub_status.h"
#include "lcfs/ondisk/segment_format.h"
#include "tests/sim/scenario.h"

#include <errno.h>
#include <string.h>

static struct cache_scrub_status scrub(struct sim_world *w, uint64_t ns)
{
	struct cache_scrub_status st;

	sim_knob(w, KNOB_SCRUB, 1);
	scenario_run(w, ns);
	cache_scrub_status(w->cache, &st);
	return st;
}

/* Where the block stands on the device: the copy that a read of it gives. */
static uint8_t *find_copy(struct sim_world *w, struct sim_image *img, uint32_t block)
{
	struct sim_request *r = sim_start_read(w, img, block, 1);
	uint64_t at = 0;

	r->is_kept = true;
	scenario_run(w, 0);
	ck_assert_int_eq(r->result, (int)BLOCK);
	while (at < w->dev->blk.bytes && memcmp(w->dev->view + at, r->data, BLOCK) != 0)
		at += BLOCK;
	ck_assert_uint_lt(at, w->dev->blk.bytes);
	sim_free_request(w, r);
	return w->dev->view + at;
}

static void damage(struct sim_world *w, const uint8_t *at)
{
	uint64_t off = (uint64_t)(at - w->dev->view) + 20;

	w->dev->view[off] ^= 1;
	w->dev->stable[off] ^= 1;
}

/* A world whose log has something and whose RAM buffers have nothing. */
static struct sim_world *begin_on_device(void)
{
	struct sim_world *w = scenario_begin(NULL);

	for (uint64_t i = 0; i < 10; i++) {
		scenario_write_block(w, &w->image[0], i);
		scenario_write_block(w, &w->image[1], i);
	}
	sim_do_sync(w, NULL);
	sim_power_cut(w, CUT_KEEP_ALL);
	scenario_mount(w);
	return w;
}

START_TEST(test_a_pass_over_what_is_sound_finds_nothing)
{
	struct sim_world *w = begin_on_device();
	struct cache_scrub_status st = scrub(w, 100 * SIM_MS);

	ck_assert(!st.is_running);
	ck_assert_uint_eq(cache_knob_get(w->cache, KNOB_SCRUB), 0);
	ck_assert_uint_eq(st.passes, 1);
	ck_assert_uint_eq(st.done, st.total);
	ck_assert_int_gt(st.last_ns, 0);
	ck_assert_uint_ge(st.blocks, 20);
	ck_assert_uint_eq(st.bad_clean + st.bad_dirty + st.bad_headers, 0);
	scenario_end(w);
}
END_TEST

/* F4. The file has it, too, so it is dropped before anybody meets it. */
START_TEST(test_f4_scrub_drops_rot_in_a_clean_block)
{
	struct sim_world *w = begin_on_device();
	struct sim_image *x = &w->image[0];
	struct cache_scrub_status st;
	struct cache_image_info info;

	sim_do_clean(w, x);
	damage(w, find_copy(w, x, 3));
	st = scrub(w, 100 * SIM_MS);
	ck_assert_uint_eq(st.passes, 1);
	ck_assert_uint_eq(st.bad_clean, 1);
	ck_assert_uint_eq(st.bad_dirty, 0);
	cache_image_info(w->cache, x->cached, &info);
	ck_assert_uint_eq(info.cached_blocks, 9);
	ck_assert_uint_eq(info.damaged, 0);
	sim_do_read(w, x);
	scenario_end(w);
}
END_TEST

/* F4. A write of a part of a block reads the rest, which is rotten: of a clean one the file has it,
 * of a dirty one nobody, and what is merged with it would have a good sum. */
START_TEST(test_f4_rot_under_a_write_of_a_part)
{
	struct sim_world *w = begin_on_device();
	struct sim_image *x = &w->image[0], *y = &w->image[1];

	sim_do_clean(w, x);
	damage(w, find_copy(w, x, 3));
	sim_do_write(w, x, 3 * BLOCK + 512, 512);
	sim_do_read(w, x);
	damage(w, find_copy(w, y, 5));
	y->may_fail = true;
	ck_assert_int_eq(sim_wait(w, sim_start_write(w, y, 5 * BLOCK + 512, 512, false)), -EIO);
	y->may_fail = false;
	scenario_write_block(w, y, 5);
	sim_do_read(w, y);
	scenario_end(w);
}
END_TEST

/* F4. It is said which block is lost; the others of both images are not. */
START_TEST(test_f4_scrub_reports_rot_in_a_dirty_block)
{
	struct sim_world *w = begin_on_device();
	struct sim_image *x = &w->image[0];
	struct cache_scrub_status st;
	struct cache_image_info info;

	damage(w, find_copy(w, x, 5));
	x->may_fail = true;
	st = scrub(w, 100 * SIM_MS);
	ck_assert(st.is_running); /* it looks again before it gives the block up */
	scenario_run(w, 3000 * SIM_MS);
	cache_scrub_status(w->cache, &st);
	ck_assert_uint_eq(st.passes, 1);
	ck_assert_uint_eq(st.bad_dirty, 1);
	cache_image_info(w->cache, x->cached, &info);
	ck_assert_uint_eq(info.damaged, 1);
	ck_assert_uint_eq(info.damaged_block, 5);
	ck_assert_uint_eq(info.poisoned, 1);
	ck_assert_int_eq(sim_wait(w, sim_start_read(w, x, 5, 1)), -EIO);
	ck_assert_int_eq(sim_wait(w, sim_start_read(w, x, 4, 1)), (int)BLOCK);
	sim_do_read(w, &w->image[1]);
	scenario_write_block(w, x, 5);
	x->may_fail = false;
	sim_do_read(w, x);
	scenario_end(w);
}
END_TEST

/* Damages the first record: its header, or a block behind it. */
static void damage_record(struct sim_world *w, uint64_t offset)
{
	struct cache_scrub_status st;
	struct cache_status status;
	const uint8_t *at = find_copy(w, &w->image[0], 0);

	while (memcmp(at, RECORD_MAGIC, 8) != 0)
		at -= BLOCK;
	damage(w, at + offset);
	st = scrub(w, 100 * SIM_MS);
	ck_assert_uint_eq(st.bad_headers, 1);
	scenario_run(w, 10000 * SIM_MS);
	cache_scrub_status(w->cache, &st);
	ck_assert_uint_eq(st.bad_segment, 0);
	cache_status(w->cache, &status);
	ck_assert_uint_eq(status.dirty_blocks, 0);
	sim_power_cut(w, CUT_DROP_ALL);
	scenario_mount(w);
	sim_do_read(w, &w->image[0]);
	sim_do_read(w, &w->image[1]);
	scenario_end(w);
}

/*
 * A5. A header goes bad that a recovery needs: no read would ever notice, and the cache would be
 * refused after a crash. All that is behind it migrates, so that it is needed no more.
 */
START_TEST(test_a5_scrub_gets_the_tail_past_a_damaged_header)
{
	damage_record(begin_on_device(), 0);
}
END_TEST

START_TEST(test_a5_scrub_gets_the_tail_past_damaged_operations)
{
	damage_record(begin_on_device(), BLOCK);
}
END_TEST

static struct {
	uint64_t off, left;
} bad_place;

static int fail_reads(struct sim_world *w, const struct action *a)
{
	(void)w;
	if (a->type != ACTION_DEV_READ || a->off > bad_place.off ||
	    a->off + a->len <= bad_place.off || !bad_place.left)
		return 0;
	bad_place.left--;
	return -EIO;
}

/* A pass during which block 3 of the image cannot be read, so often. */
static void scrub_with_bad_place(struct sim_world *w, struct sim_image *img, uint64_t times,
				 struct cache_scrub_status *st, struct cache_image_info *info)
{
	bad_place.off = (uint64_t)(find_copy(w, img, 3) - w->dev->view);
	bad_place.left = times;
	w->fault = fail_reads;
	*st = scrub(w, 3000 * SIM_MS);
	w->fault = NULL;
	ck_assert_uint_eq(st->passes, 1);
	cache_image_info(w->cache, img->cached, info);
}

/* One block that cannot be read is one block: the others of the piece are looked at. */
START_TEST(test_f4_scrub_finds_the_block_that_cannot_be_read)
{
	struct sim_world *w = begin_on_device();
	struct sim_image *x = &w->image[0];
	struct cache_scrub_status st;
	struct cache_image_info info;

	sim_do_clean(w, x);
	scrub_with_bad_place(w, x, UINT64_MAX, &st, &info);
	ck_assert_uint_eq(st.bad_clean, 1);
	ck_assert_uint_eq(info.cached_blocks, 9);
	sim_do_read(w, x);
	scenario_end(w);
}
END_TEST

/* A read that failed once and then works has found nothing. */
START_TEST(test_f4_scrub_excuses_a_read_that_works_again)
{
	struct sim_world *w = begin_on_device();
	struct sim_image *x = &w->image[0];
	struct cache_scrub_status st;
	struct cache_image_info info;

	scrub_with_bad_place(w, x, 1, &st, &info);
	ck_assert_uint_eq(st.bad_dirty, 0);
	ck_assert_uint_eq(info.poisoned, 0);
	sim_do_read(w, x);
	scenario_end(w);
}
END_TEST

static uint32_t most_reads; /* of one block, out at the same time */

static int fail_and_count_reads(struct sim_world *w, const struct action *a)
{
	if (a->type == ACTION_DEV_READ && a->iov1.iov_len == ORACLE_BLOCK)
		most_reads = max(most_reads, sim_count_actions(w, ACTION_DEV_READ));
	return fail_reads(w, a);
}

/* F4. Whoever reads several blocks, one of which cannot be read, again and again: that one alone is
 * given up. They are read one after the other: the device may make one request of neighbours. */
START_TEST(test_f4_reads_beside_a_bad_place_lose_nothing)
{
	struct sim_world *w = scenario_begin(NULL);
	struct sim_image *x = &w->image[0];
	struct cache_image_info info;

	for (uint64_t i = 0; i < 6; i++)
		scenario_write_block(w, x, i);
	sim_do_sync(w, NULL);
	sim_power_cut(w, CUT_KEEP_ALL);
	scenario_mount(w);
	bad_place.off = (uint64_t)(find_copy(w, x, 3) - w->dev->view);
	bad_place.left = UINT64_MAX;
	w->fault = fail_and_count_reads;
	x->may_fail = true;
	most_reads = 0;
	for (int i = 0; i < 4; i++) {
		ck_assert_int_eq(sim_wait(w, sim_start_read(w, x, 0, 6)), -EIO);
		ck_assert_uint_eq(most_reads, 1);
		scenario_run(w, 2000 * SIM_MS);
	}
	cache_image_info(w->cache, x->cached, &info);
	ck_assert_uint_eq(info.poisoned, 1);
	ck_assert_uint_eq(info.damaged_block, 3);
	w->fault = NULL;
	x->may_fail = false;
	scenario_write_block(w, x, 3);
	sim_do_read(w, x);
	scenario_end(w);
}
END_TEST

/* In the background: at its rate, again and again, while images are written. */
START_TEST(test_the_background_goes_on_at_its_rate)
{
	struct sim_world *w = begin_on_device();
	struct cache_scrub_status st;

	sim_knob(w, KNOB_SCRUB_RATE, 1);
	scenario_run(w, 20 * SIM_MS);
	cache_scrub_status(w->cache, &st);
	ck_assert(st.is_running);
	ck_assert_uint_le(st.blocks, 16); /* 20 ms of 1 MiB/s are 5 blocks, and a piece is 8 */
	for (uint64_t i = 0; i < 4; i++) {
		scenario_write_block(w, &w->image[0], i);
		scenario_run(w, 1000 * SIM_MS);
	}
	cache_scrub_status(w->cache, &st);
	ck_assert_uint_ge(st.passes, 2);
	sim_knob(w, KNOB_SCRUB_RATE, 0);
	scenario_run(w, 100 * SIM_MS);
	cache_scrub_status(w->cache, &st);
	ck_assert(!st.is_running);
	scenario_end(w);
}
END_TEST

/* A pass that is under way when the cache is closed does not keep it, nor is it kept by it. */
START_TEST(test_a_pass_ends_with_the_cache)
{
	struct sim_world *w = begin_on_device();

	sim_knob(w, KNOB_SCRUB_RATE, 1000);
	sim_knob(w, KNOB_SCRUB, 1);
	scenario_end(w);
}
END_TEST

SCENARIO_SUITE("scrub", test_a_pass_over_what_is_sound_finds_nothing,
	       test_f4_scrub_drops_rot_in_a_clean_block, test_f4_rot_under_a_write_of_a_part,
	       test_f4_scrub_reports_rot_in_a_dirty_block,
	       test_a5_scrub_gets_the_tail_past_a_damaged_header,
	       test_a5_scrub_gets_the_tail_past_damaged_operations,
	       test_f4_scrub_finds_the_block_that_cannot_be_read,
	       test_f4_scrub_excuses_a_read_that_works_again,
	       test_f4_reads_beside_a_bad_place_lose_nothing,
	       test_the_background_goes_on_at_its_rate,
	       test_a_pass_ends_with_the_cache)
