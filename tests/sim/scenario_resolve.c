// SPDX-License-Identifier: GPL-2.0-or-later
/* Named scenarios of rule G4: an image in conflict goes on when the admin says so. */
#include <errno.h>

#include "tests/sim/scenario.h"

static struct op_stamp stamp_of(const struct sim_image *img)
{
	const struct simstamp *st = &img->file->view.stamp;

	return (struct op_stamp){ .size = st->size, .mtime_ns = st->mtime, .ctime_ns = st->ctime };
}

static struct cache_image_info info_of(struct sim_world *w, struct cache_image *ci)
{
	struct cache_image_info info;

	cache_image_info(w->cache, ci, &info);
	return info;
}

/* Somebody writes rubbish over blocks of the plain file. */
static void overwrite(struct sim_world *w, struct sim_image *img, uint64_t block, uint64_t nr)
{
	uint8_t rubbish[4 * BLOCK];

	ck_assert_uint_le(nr, 4);
	memset(rubbish, 0xa5, sizeof(rubbish));
	sim_pass_time(w, 1);
	simfile_edit(img->file, rubbish, nr * BLOCK, block * BLOCK);
}

/* x has block 3 dirty, block 5 migrated, and somebody has overwritten both: it is in conflict. */
static struct sim_world *begin_conflict(void)
{
	struct sim_world *w = scenario_begin(NULL);
	struct sim_image *x = &w->image[0];
	struct sim_request *r;

	/* another image's block keeps the tail where it is */
	scenario_write_block(w, &w->image[1], 0);
	scenario_write_block(w, x, 5);
	sim_do_clean(w, x);
	scenario_write_block(w, x, 6);
	scenario_write_block(w, x, 3);
	sim_do_sync(w, NULL);
	overwrite(w, x, 3, 4);
	x->is_conflict = x->may_fail = x->had_conflict = true;
	r = sim_start_clean(w, x); /* of x alone */
	r->is_kept = true;
	scenario_run(w, 10000 * SIM_MS);
	ck_assert_int_eq((int)info_of(w, x->cached).state, (int)IMAGE_CONFLICT);
	ck_assert_uint_eq(info_of(w, x->cached).dirty_blocks, 2);
	ck_assert_int_eq(r->result, -EIO);
	sim_free_request(w, r);
	sim_do_sync(w, NULL);
	return w;
}

/* Asks until it is not told to ask again; the request ends when it is durable. */
static struct sim_request *start_accept(struct sim_world *w, struct sim_image *img,
					struct cache_image *ci)
{
	struct sim_request *r = sim_start_sync(w, img);
	struct op_identity identity = info_of(w, ci).identity;
	struct op_stamp stamp = stamp_of(img);
	enum cache_step step;

	r->is_kept = r->is_started = true;
	r->phase = SIM_PARKED;
	for (int i = 0; i < 1000; i++) {
		struct outbox ob;

		outbox_init(&ob);
		step = cache_image_accept(w->cache, ci, &identity, &stamp, &r->u.sync, w->now, &ob);
		if (step == CACHE_DONE)
			sim_request_ended(w, r);
		sim_take(w, &ob);
		if (step != CACHE_AGAIN)
			break;
		scenario_run(w, SIM_MS);
	}
	ck_assert_int_ne((int)step, (int)CACHE_AGAIN);
	return r;
}

static void end_accept(struct sim_world *w, struct sim_request *r)
{
	for (int i = 0; i < 1000 && r->phase != SIM_ENDED; i++)
		scenario_run(w, SIM_MS);
	ck_assert_int_eq((int)r->phase, (int)SIM_ENDED);
	ck_assert_int_eq(r->result, 0);
	sim_free_request(w, r);
}

/* What the log holds goes over the file, what had been migrated, too, as far as the tail has not
 * passed it. */
START_TEST(test_g4_what_the_log_holds_goes_over_the_changed_file)
{
	struct sim_world *w = begin_conflict();
	struct sim_image *x = &w->image[0];

	x->is_conflict = x->may_fail = false;
	end_accept(w, start_accept(w, x, x->cached));
	ck_assert_int_eq((int)info_of(w, x->cached).state, (int)IMAGE_DIRTY);
	ck_assert_uint_eq(info_of(w, x->cached).dirty_blocks, 3);
	scenario_quiet(w);
	/* blocks 3, 5 and 6 as written; 4 was never cached: it is put back for the oracle's sake */
	scenario_write_block(w, x, 4);
	sim_do_read(w, x);
	scenario_end(w);
}
END_TEST

/* Once it has been answered, a power cut at any place finds the very same blocks. */
START_TEST(test_g4_an_accepted_image_stays_so)
{
	struct sim_world *w = begin_conflict();
	struct sim_image *x = &w->image[0];

	x->is_conflict = x->may_fail = false;
	end_accept(w, start_accept(w, x, x->cached));
	scenario_write_block(w, x, 4);
	sim_do_sync(w, x);
	sim_power_cut(w, CUT_DROP_ALL);
	x->had_conflict = false;
	ck_assert_int_eq(sim_open(w, 0), 0);
	for (struct cache_image *ci = NULL; (ci = cache_image_next(w->cache, ci));) {
		if (info_of(w, ci).identity.ino != x->file->ino)
			continue;
		ck_assert_int_eq((int)info_of(w, ci).state, (int)IMAGE_DIRTY);
		ck_assert_uint_eq(info_of(w, ci).dirty_blocks, 4);
		ck_assert(info_of(w, ci).is_touching);
	}
	sim_attach(w);
	sim_judge(w, true);
	scenario_quiet(w);
	scenario_end(w);
}
END_TEST

/* Before that it is still in conflict: nothing was told, nothing was written to the file. */
START_TEST(test_g4_a_power_cut_before_the_answer_leaves_the_conflict)
{
	struct sim_world *w = begin_conflict();
	struct sim_image *x = &w->image[0];
	struct sim_request *r;
	struct cache_image *ci = NULL;

	scenario_hold(w, ACTION_FLUSH);
	r = start_accept(w, x, x->cached);
	scenario_run(w, 100 * SIM_MS);
	ck_assert_int_ne((int)r->phase, (int)SIM_ENDED);
	ck_assert(!scenario_is_out(w, ACTION_BACK_WRITE));
	sim_power_cut(w, CUT_DROP_ALL);
	scenario_release(w, ACTION_FLUSH);
	ck_assert_int_eq(sim_open(w, 0), 0);
	while ((ci = cache_image_next(w->cache, ci)))
		if (info_of(w, ci).identity.ino == x->file->ino)
			break;
	ck_assert_ptr_nonnull(ci);
	ck_assert_int_eq((int)info_of(w, ci).state, (int)IMAGE_CONFLICT);
	x->is_conflict = x->may_fail = false;
	end_accept(w, start_accept(w, x, ci));
	sim_attach(w);
	scenario_quiet(w);
	scenario_write_block(w, x, 4);
	scenario_end(w);
}
END_TEST

/* The file has grown: what was appended does not show when the image grows. */
START_TEST(test_g4_what_was_appended_to_the_file_does_not_show)
{
	struct sim_conf conf = scenario_conf();
	struct sim_world *w;
	struct sim_image *x;

	conf.image_bytes = 8 * BLOCK;
	w = scenario_begin(&conf);
	x = &w->image[0];
	scenario_write_block(w, x, 3);
	sim_do_sync(w, x);
	overwrite(w, x, 8, 4);
	x->is_conflict = x->may_fail = x->had_conflict = true;
	sim_knob(w, KNOB_FORCE_MIGRATE, 1);
	scenario_run(w, 10000 * SIM_MS);
	sim_knob(w, KNOB_FORCE_MIGRATE, 0);
	x->is_conflict = x->may_fail = false;
	end_accept(w, start_accept(w, x, x->cached));
	ck_assert_uint_eq(info_of(w, x->cached).size, 8 * BLOCK);
	scenario_write_block(w, x, 13);
	sim_do_read(w, x);
	scenario_end(w);
}
END_TEST

START_TEST(test_an_image_that_is_not_stopped_cannot_be_accepted)
{
	struct sim_world *w = scenario_begin(NULL);
	struct sim_image *x = &w->image[0];
	struct op_stamp stamp = stamp_of(x);
	struct op_identity identity;
	struct cache_sync s = { .result = 0 };
	struct outbox ob;

	scenario_write_block(w, x, 3);
	identity = info_of(w, x->cached).identity;
	outbox_init(&ob);
	ck_assert_int_eq((int)cache_image_accept(w->cache, x->cached, &identity, &stamp, &s, w->now,
						 &ob),
			 (int)CACHE_DONE);
	ck_assert_int_eq(s.result, -EINVAL);
	sim_take(w, &ob);
	scenario_end(w);
}
END_TEST

SCENARIO_SUITE("resolve", test_g4_what_the_log_holds_goes_over_the_changed_file,
	       test_g4_an_accepted_image_stays_so,
	       test_g4_a_power_cut_before_the_answer_leaves_the_conflict,
	       test_g4_what_was_appended_to_the_file_does_not_show,
	       test_an_image_that_is_not_stopped_cannot_be_accepted)
