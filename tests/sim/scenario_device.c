// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A cache device that fails: each of its requests in turn, once or for ever, under a script of all
 * kinds of requests; then a crash, and a device that works again. While it fails, whatever is read
 * is right, or EIO where only the device had it; afterwards nothing is replayed over what went past
 * the log (F3).
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/align.h"
#include "tests/sim/scenario.h"

/* ---- faults ---- */

static struct {
	uint64_t nr;	   /* requests of the device so far */
	uint64_t from, to; /* those fail */
	bool with_reads;   /* reads count, too */
	bool has_failed;
} faults;

static int fail_some(struct sim_world *w, const struct action *a)
{
	(void)w;
	if (a->type != ACTION_LOG_WRITE && a->type != ACTION_DEV_WRITE && a->type != ACTION_FLUSH &&
	    !(faults.with_reads && a->type == ACTION_DEV_READ))
		return 0;
	faults.nr++;
	if (faults.nr < faults.from || faults.nr > faults.to)
		return 0;
	faults.has_failed = true;
	return -EIO;
}

static void arm(struct sim_world *w, uint64_t from, uint64_t to, bool with_reads)
{
	memset(&faults, 0, sizeof(faults));
	faults.from = from;
	faults.to = to;
	faults.with_reads = with_reads;
	w->fault = fail_some;
	/* of blocks that only the device has, reads and what needs to read them may fail */
	for (uint32_t i = 0; i < w->conf.nr_images; i++)
		w->image[i].may_fail = with_reads;
}

/* From the next request of the device on. */
static void break_device(struct sim_world *w, bool with_reads)
{
	arm(w, 1, UINT64_MAX, with_reads);
}

/* ---- what is checked ---- */

/* Which blocks of the image are lost? */
static void find_lost(struct sim_world *w, const struct sim_image *img, bool *is_lost)
{
	uint64_t block[128], n = cache_lost_blocks(w->cache, img->cached, block, 128);

	memset(is_lost, 0, 128 * sizeof(*is_lost));
	for (uint64_t i = 0; i < n; i++)
		is_lost[block[i]] = true;
}

/* The plain files have all that was answered, but for what is lost. */
static void check_files(struct sim_world *w)
{
	for (uint32_t i = 0; i < w->conf.nr_images; i++) {
		struct sim_image *img = &w->image[i];
		uint64_t bytes = (uint64_t)img->model->nr_blocks * BLOCK, since;
		const struct simface *face = &img->file->view;
		uint8_t *data = calloc(1, bytes);
		bool is_lost[128];

		ck_assert_ptr_nonnull(data);
		memcpy(data, face->bytes, min(bytes, face->stamp.size));
		find_lost(w, img, is_lost);
		since = oracle_now(w->oracle);
		for (uint32_t b = 0; b < img->model->nr_blocks; b++)
			if (!is_lost[b])
				sim_check(w, oracle_check_read(img->model, b, 1, data + b * BLOCK,
							       since));
		sim_check(w, oracle_check_size(img->model, face->stamp.size, since));
		free(data);
	}
}

/* Each block by itself: the oracle looks at what can be read. */
static void read_all(struct sim_world *w)
{
	for (uint32_t i = 0; i < w->conf.nr_images; i++)
		for (uint32_t b = 0; b < w->image[i].model->nr_blocks; b++)
			(void)sim_wait(w, sim_start_read(w, &w->image[i], b, 1));
}

static bool is_held(struct sim_world *w, const struct sim_image *img)
{
	struct cache_image_info info;

	cache_image_info(w->cache, img->cached, &info);
	return info.state == IMAGE_CONFLICT;
}

/* With the device as it was left, and working. Images that have left it are held, and migration
 * leaves their files alone; the others are as they should be. */
static void mount_again(struct sim_world *w)
{
	struct simface before[SIM_IMAGES_MAX];
	int err;

	w->fault = NULL;
	err = sim_open(w, 0);
	if (err)
		sim_fail(w, "cache_open: %d: %s", err, w->report.error);
	sim_attach(w);
	scenario_quiet(w);
	for (uint32_t i = 0; i < w->conf.nr_images; i++) {
		const struct simface *f = &w->image[i].file->view;

		before[i] = *f;
		before[i].bytes = malloc(f->stamp.size + 1);
		ck_assert_ptr_nonnull(before[i].bytes);
		memcpy(before[i].bytes, f->bytes, f->stamp.size);
	}
	sim_knob(w, KNOB_FORCE_MIGRATE, 1);
	scenario_run(w, 5000 * SIM_MS);
	for (uint32_t i = 0; i < w->conf.nr_images; i++) {
		struct sim_image *img = &w->image[i];
		const struct simface *f = &img->file->view;

		if (!is_held(w, img)) {
			sim_do_read(w, img);
		} else if (f->stamp.size != before[i].stamp.size ||
			   memcmp(f->bytes, before[i].bytes, f->stamp.size)) {
			sim_fail(w, "the file of image %u, which is held, was changed", i);
		}
		free(before[i].bytes);
	}
}

/* ---- the script ---- */

static void write_some(struct sim_world *w, uint64_t off, uint32_t len)
{
	(void)sim_wait(w, sim_start_write(w, &w->image[off / 512 % 2], off, len, false));
}

static void sync_all(struct sim_world *w)
{
	(void)sim_wait(w, sim_start_sync(w, NULL));
}

/* Something of everything. More than the RAM buffers hold, so that some of it is on the device
 * alone. */
static void run_script(struct sim_world *w)
{
	struct sim_image *x = &w->image[0], *y = &w->image[1];

	for (uint32_t b = 0; b < 40; b++)
		(void)sim_wait(w,
			       sim_start_write(w, b % 3 ? x : y, b % 16 * BLOCK, BLOCK, b == 20));
	sync_all(w);
	write_some(w, 5000, 3000);
	write_some(w, 10 * BLOCK + 512, 512);
	sync_all(w);
	sim_knob(w, KNOB_FORCE_MIGRATE, 1);
	scenario_run(w, 30 * SIM_MS);
	(void)sim_wait(w, sim_start_truncate(w, x, 9 * BLOCK + 700));
	sim_knob(w, KNOB_FORCE_MIGRATE, 0);
	for (uint32_t b = 0; b < 12; b++)
		write_some(w, (b + 3) * 2900, 2900);
	(void)sim_wait(w, sim_start_punch(w, y, 3 * BLOCK + 100, 2 * BLOCK));
	(void)sim_wait(w, sim_start_read(w, x, 0, 16));
	sim_knob(w, KNOB_COMMIT_SUPER_BLOCK, 1);
	scenario_run(w, 2000 * SIM_MS);
	(void)sim_wait(w, sim_start_truncate(w, x, 15 * BLOCK + 1));
	(void)sim_wait(w, sim_start_write(w, y, 14 * BLOCK - 100, 5000, true));
	(void)sim_wait(w, sim_start_clean(w, y));
	for (uint32_t b = 0; b < 9; b++)
		write_some(w, (b * 5 % 15) * BLOCK + b * 100, 700);
	sync_all(w);
	read_all(w);
}

static struct sim_world *begin(void)
{
	struct sim_world *w = scenario_begin(NULL);

	w->pool_fate = SIM_POOL_ANY;
	return w;
}

/* How many requests of the device has the script? */
static uint64_t count_requests(bool with_reads)
{
	struct sim_world *w = begin();

	arm(w, 0, 0, with_reads);
	run_script(w);
	scenario_end(w);
	return faults.nr;
}

/* ---- the tests ---- */

/* B3. One that fails once is repeated with all that it stands for, and nobody hears of it. */
START_TEST(test_b3_each_request_may_fail_once)
{
	uint64_t nr = count_requests(false);

	ck_assert_uint_ge(nr, 20);
	for (uint64_t n = 1; n <= nr; n++) {
		struct sim_world *w = begin();

		arm(w, n, n, false);
		run_script(w);
		ck_assert(faults.has_failed);
		ck_assert(!cache_is_lost(w->cache));
		oracle_synced(w->oracle, NULL, oracle_now(w->oracle));
		sim_power_cut(w, CUT_DROP_ALL);
		w->fault = NULL;
		scenario_mount(w);
		scenario_end(w);
	}
}
END_TEST

/* Two in a row, whichever they are. */
START_TEST(test_b3_what_is_repeated_may_fail_again)
{
	uint64_t nr = count_requests(false);

	for (uint64_t n = 1; n <= nr; n += 3) {
		struct sim_world *w = begin();

		arm(w, n, n + 1, false);
		run_script(w);
		ck_assert(!cache_is_lost(w->cache));
		oracle_synced(w->oracle, NULL, oracle_now(w->oracle));
		sim_power_cut(w, CUT_DROP_ALL);
		w->fault = NULL;
		scenario_mount(w);
		scenario_end(w);
	}
}
END_TEST

static void check_lost_from(uint64_t n, bool with_reads)
{
	struct sim_world *w = begin();
	struct cache_status st;

	arm(w, n, UINT64_MAX, with_reads);
	run_script(w);
	ck_assert(faults.has_failed);
	sync_all(w);
	/* reads that fail are not always enough to give it up */
	if (cache_is_lost(w->cache)) {
		if (sim_wait(w, sim_start_sync(w, NULL)))
			sim_fail(w, "a sync past the log has failed");
		cache_status(w->cache, &st);
		ck_assert(!st.is_saving);
		ck_assert_int_eq(st.state, st.lost_blocks ? CACHE_FAILED : CACHE_DEGRADED);
		ck_assert(with_reads || !st.lost_blocks);
		ck_assert_uint_eq(st.lost_blocks, st.dirty_blocks);
		check_files(w);
	}
	if (n % 2 && !with_reads && cache_is_lost(w->cache))
		sim_shutdown(w);
	else
		sim_daemon_death(w, true);
	mount_again(w);
	sim_free(w);
}

/* What can be read is saved, and nobody sees an error. */
START_TEST(test_f3_no_write_succeeds_any_more)
{
	uint64_t nr = count_requests(false);

	for (uint64_t n = 1; n <= nr; n++)
		check_lost_from(n, false);
}
END_TEST

/* Nothing can be read either. */
START_TEST(test_f3_nothing_succeeds_any_more)
{
	uint64_t nr = count_requests(true);

	for (uint64_t n = 1; n <= nr; n++)
		check_lost_from(n, true);
}
END_TEST

/*
 * F3. X = v1 synced, in the log; the device fails; X = v2 straight to the file. Were the file not
 * marked before, a power cut right then and the device come back would put v1 over v2.
 */
START_TEST(test_f3_file_is_marked_before_the_first_straight_write)
{
	struct sim_world *w = begin();
	struct sim_image *x = &w->image[0];
	struct sim_request *r;
	uint64_t before;

	scenario_write_block(w, x, 0);
	sim_do_sync(w, x);
	break_device(w, false);
	scenario_hold(w, ACTION_BACK_LEAVE);
	r = sim_start_write(w, x, 0, BLOCK, true);
	r->is_kept = true;
	scenario_run(w, 5000 * SIM_MS);
	ck_assert(cache_is_lost(w->cache));
	before = w->counts[ACTION_BACK_WRITE] + w->counts[ACTION_BACK_TRUNCATE];
	ck_assert_uint_eq(before, 0);
	ck_assert_int_ne(r->phase, SIM_ENDED);
	scenario_release(w, ACTION_BACK_LEAVE);
	ck_assert_int_eq(sim_wait(w, r), (int)BLOCK);
	ck_assert(x->has_left);
	ck_assert_uint_gt(w->counts[ACTION_BACK_WRITE], 0);
	sim_power_cut(w, CUT_KEEP_ALL);
	mount_again(w);
	ck_assert(is_held(w, x));
	sim_free(w);
}
END_TEST

/* F3. Where no mark can be set nothing goes past the log: the log is still the truth. */
START_TEST(test_f3_without_a_mark_an_image_is_read_only)
{
	struct sim_world *w = begin();
	struct sim_image *x = &w->image[0], *y = &w->image[1];

	x->takes_no_mark = true;
	for (uint64_t b = 0; b < 3; b++)
		scenario_write_block(w, x, b);
	sim_do_sync(w, x);
	break_device(w, false);
	scenario_write_block(w, x, 1);
	x->may_fail = true;
	ck_assert_int_eq(sim_wait(w, sim_start_sync(w, x)), -EIO);
	ck_assert_int_eq(sim_wait(w, sim_start_write(w, x, 0, BLOCK, false)), -EROFS);
	ck_assert_int_eq(sim_wait(w, sim_start_truncate(w, x, 100)), -EROFS);
	sim_do_read(w, x);
	scenario_write_block(w, y, 4);
	ck_assert_int_eq(sim_wait(w, sim_start_sync(w, y)), 0);
	ck_assert(list_is_empty(&x->file->changes));
	sim_daemon_death(w, true);
	mount_again(w);
	ck_assert(!is_held(w, x));
	sim_free(w);
}
END_TEST

/* 14 blocks of x on the device alone. */
static struct sim_world *begin_on_device(void)
{
	struct sim_world *w = begin();

	for (uint64_t b = 0; b < 14; b++)
		scenario_write_block(w, &w->image[0], b);
	sim_do_sync(w, &w->image[0]);
	for (uint64_t i = 0; i < 35; i++) /* pushes them out of the RAM buffers */
		scenario_write_block(w, &w->image[1], i % 16);
	sim_do_sync(w, NULL);
	return w;
}

/* A lost block is EIO, until it is overwritten whole, punched or cut off. */
START_TEST(test_lost_blocks_become_readable_by_what_covers_them)
{
	struct sim_world *w = begin_on_device();
	struct sim_image *x = &w->image[0];
	struct cache_image_info info;

	break_device(w, true);
	scenario_write_block(w, x, 15);
	ck_assert_int_eq(sim_wait(w, sim_start_sync(w, x)), 0);
	ck_assert_int_eq(sim_wait(w, sim_start_read(w, x, 2, 1)), -EIO);
	cache_image_info(w->cache, x->cached, &info);
	ck_assert_int_eq(info.state, IMAGE_ERROR);
	ck_assert_uint_eq(info.lost_blocks, 14);
	scenario_write_block(w, x, 2);
	ck_assert_int_eq(sim_wait(w, sim_start_read(w, x, 2, 1)), (int)BLOCK);
	ck_assert_int_eq(sim_wait(w, sim_start_write(w, x, 3 * BLOCK + 100, 100, false)), -EIO);
	ck_assert_int_eq(sim_wait(w, sim_start_punch(w, x, 4 * BLOCK, BLOCK)), 0);
	ck_assert_int_eq(sim_wait(w, sim_start_read(w, x, 4, 1)), (int)BLOCK);
	ck_assert_int_eq(sim_wait(w, sim_start_truncate(w, x, 6 * BLOCK)), 0);
	ck_assert_int_eq(sim_wait(w, sim_start_truncate(w, x, 16 * BLOCK)), 0);
	ck_assert_int_eq(sim_wait(w, sim_start_read(w, x, 6, 10)), (int)(10 * BLOCK));
	cache_image_info(w->cache, x->cached, &info);
	ck_assert_uint_eq(info.lost_blocks, 4);
	ck_assert_int_eq(sim_wait(w, sim_start_clean(w, x)), -EIO);
	check_files(w);
	sim_free(w);
}
END_TEST

static uint64_t lost_of(struct sim_world *w, const struct sim_image *img)
{
	struct cache_image_info info;

	cache_image_info(w->cache, img->cached, &info);
	return info.lost_blocks;
}

static uint64_t reads_to_fail;

static int fail_writes_and_some_reads(struct sim_world *w, const struct action *a)
{
	if (a->type == ACTION_DEV_READ)
		return reads_to_fail && reads_to_fail-- ? -EIO : 0;
	return fail_some(w, a);
}

/* P12. What cannot be read at once may be there a moment later. */
START_TEST(test_reads_that_fail_for_a_moment_lose_nothing)
{
	struct sim_world *w = begin_on_device();
	struct sim_image *x = &w->image[0];

	break_device(w, false);
	w->fault = fail_writes_and_some_reads;
	reads_to_fail = 5;
	scenario_write_block(w, x, 15);
	ck_assert_int_eq(sim_wait(w, sim_start_sync(w, x)), 0);
	ck_assert_uint_eq(reads_to_fail, 0);
	ck_assert_uint_eq(lost_of(w, x), 0);
	check_files(w);
	sim_free(w);
}
END_TEST

/* P12. A device that was lost and is back has what only it had: a drain gets it. What was written
 * over since stays as it is. */
START_TEST(test_drain_gets_what_can_be_read_again)
{
	struct sim_world *w = begin_on_device();
	struct sim_image *x = &w->image[0];

	break_device(w, true);
	scenario_write_block(w, x, 15);
	ck_assert_int_eq(sim_wait(w, sim_start_sync(w, x)), 0);
	ck_assert_uint_eq(lost_of(w, x), 14);
	ck_assert_int_eq(sim_wait(w, sim_start_clean(w, x)), -EIO);
	ck_assert_uint_eq(lost_of(w, x), 14);
	scenario_write_block(w, x, 2);
	ck_assert_int_eq(sim_wait(w, sim_start_write(w, x, 4 * BLOCK, 512, false)), 512);
	faults.with_reads = false;
	ck_assert_int_eq(sim_wait(w, sim_start_clean(w, x)), 0);
	ck_assert_uint_eq(lost_of(w, x), 0);
	for (uint64_t b = 0; b < 14; b++)
		ck_assert_int_eq(sim_wait(w, sim_start_read(w, x, b, 1)), (int)BLOCK);
	check_files(w);
	sim_free(w);
}
END_TEST

/* The device's oldest request has been under way for so long. */
static void hangs_for(struct sim_world *w, uint64_t ns)
{
	struct outbox ob;

	outbox_init(&ob);
	cache_device_hangs(w->cache, ns, w->now, &ob);
	sim_take(w, &ob);
}

static struct sim_request *hang_in_write(struct sim_world *w, uint64_t off)
{
	struct sim_request *r;

	scenario_hold(w, ACTION_LOG_WRITE);
	r = sim_start_write(w, &w->image[0], off, BLOCK, true);
	r->is_kept = true;
	scenario_run(w, 1000 * SIM_MS);
	return r;
}

/* One that hangs is given up without it: nobody waits for what may never come back. */
START_TEST(test_request_that_hangs_does_not_wedge)
{
	struct sim_world *w = begin();
	struct sim_image *x = &w->image[0];
	struct cache_status st;
	struct sim_request *r;

	scenario_write_block(w, x, 0);
	sim_do_sync(w, x);
	r = hang_in_write(w, BLOCK);
	hangs_for(w, 3000 * SIM_MS);
	cache_status(w->cache, &st);
	ck_assert_int_eq(st.state, CACHE_DEGRADED);
	ck_assert(!cache_is_lost(w->cache));
	hangs_for(w, 30000 * SIM_MS);
	ck_assert(cache_is_lost(w->cache));
	ck_assert_int_eq(sim_wait(w, r), (int)BLOCK);
	sim_do_read(w, x);
	check_files(w);
	ck_assert(scenario_is_out(w, ACTION_LOG_WRITE));
	sim_daemon_death(w, false);
	scenario_release(w, ACTION_LOG_WRITE);
	mount_again(w);
	ck_assert(is_held(w, x));
	sim_free(w);
}
END_TEST

/* P12. It comes back after it was given up: what only it had is saved after all. */
START_TEST(test_device_that_hung_gives_what_it_has)
{
	struct sim_world *w = begin_on_device();
	struct sim_image *x = &w->image[0];
	struct sim_request *r;

	r = hang_in_write(w, 15 * BLOCK);
	hangs_for(w, 30000 * SIM_MS);
	ck_assert_int_eq(sim_wait(w, r), (int)BLOCK);
	ck_assert_uint_eq(lost_of(w, x), 14);
	scenario_release(w, ACTION_LOG_WRITE);
	scenario_run(w, 1000 * SIM_MS);
	hangs_for(w, 0);
	scenario_run(w, 1000 * SIM_MS);
	ck_assert_uint_eq(lost_of(w, x), 0);
	sim_do_read(w, x);
	check_files(w);
	sim_free(w);
}
END_TEST

/* Its file takes long over what it is given: that is not lost, nor does a sync say it is there. */
START_TEST(test_what_a_slow_file_is_given_is_not_lost)
{
	struct sim_world *w = begin_on_device();
	struct sim_image *x = &w->image[0];
	struct sim_request *drain, *sync;

	sim_knob(w, KNOB_STALL_TIMEOUT, 0);
	break_device(w, false);
	w->fault = fail_writes_and_some_reads;
	reads_to_fail = 1;
	scenario_write_block(w, x, 15);
	sync = sim_start_sync(w, x);
	drain = sim_start_clean(w, x);
	sync->is_kept = drain->is_kept = true;
	for (int i = 0; i < 5000 && scenario_info(w, x).dirty_blocks != 1; i++) {
		scenario_run(w, SIM_MS);
		sim_pass_time(w, SIM_MS);
	}
	x->is_hanging = true; /* in what could not be read at once */
	x->hangs_in = ACTION_BACK_SYNC;
	scenario_run(w, 30000 * SIM_MS);
	ck_assert(scenario_is_out(w, ACTION_BACK_SYNC));
	ck_assert_uint_eq(lost_of(w, x), 0);
	ck_assert_int_ne(sync->phase, SIM_ENDED);
	ck_assert_int_ne(drain->phase, SIM_ENDED);
	x->is_hanging = false;
	ck_assert_int_eq(sim_wait(w, sync), 0);
	ck_assert_int_eq(sim_wait(w, drain), 0);
	check_files(w);
	sim_free(w);
}
END_TEST

/* Many worlds a test: more than the usual seconds where much else is running. */
#define LIMIT_SECONDS 120

static Suite *make_suite(void)
{
	Suite *suite = suite_create("device");
	TCase *tc = tcase_create("device");

	tcase_set_timeout(tc, LIMIT_SECONDS);
	tcase_add_test(tc, test_b3_each_request_may_fail_once);
	tcase_add_test(tc, test_b3_what_is_repeated_may_fail_again);
	tcase_add_test(tc, test_f3_no_write_succeeds_any_more);
	tcase_add_test(tc, test_f3_nothing_succeeds_any_more);
	tcase_add_test(tc, test_f3_file_is_marked_before_the_first_straight_write);
	tcase_add_test(tc, test_f3_without_a_mark_an_image_is_read_only);
	tcase_add_test(tc, test_lost_blocks_become_readable_by_what_covers_them);
	tcase_add_test(tc, test_reads_that_fail_for_a_moment_lose_nothing);
	tcase_add_test(tc, test_drain_gets_what_can_be_read_again);
	tcase_add_test(tc, test_request_that_hangs_does_not_wedge);
	tcase_add_test(tc, test_device_that_hung_gives_what_it_has);
	tcase_add_test(tc, test_what_a_slow_file_is_given_is_not_lost);
	suite_add_tcase(suite, tc);
	return suite;
}

CHECK_MAIN(make_suite)
