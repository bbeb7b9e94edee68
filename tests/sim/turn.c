// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Random runs: each turn one thing happens, picked by the mood of the cycle.
 *
 * A request that has waited for very long makes the world calm: everything that can happen does,
 * conflicts are lifted, time passes, until it is answered. If it never is, drive.c reports the
 * hang.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/align.h"
#include "tests/sim/plan.h"

#define PATIENCE_TURNS 3000u

/* ---- starting requests ---- */

static struct sim_image *pick_image(struct sim_world *w)
{
	struct sim_image *img = &w->image[rng_below(&w->rng, w->conf.nr_images)];

	return img->is_busy ? NULL : img;
}

static void pick_range(struct sim_world *w, const struct plan *p, uint64_t *off, uint64_t *len)
{
	uint64_t bytes = (uint64_t)w->conf.image_blocks * ORACLE_BLOCK;
	uint64_t hot = rng_chance(&w->rng, 4, 5) ? (uint64_t)p->hot_blocks * ORACLE_BLOCK : bytes;
	uint64_t unit = ORACLE_BLOCK, most = (uint64_t)p->max_blocks * ORACLE_BLOCK;

	if (rng_below(&w->rng, 100) < p->unaligned_percent)
		unit = 1;
	else if (rng_below(&w->rng, 100) < p->sector_percent)
		unit = SECTOR_BYTES;
	*off = align_down(rng_below(&w->rng, hot), unit);
	*len = rng_range(&w->rng, 1,
			 rng_chance(&w->rng, 1, 2) ? min(most, (uint64_t)ORACLE_BLOCK) : most);
	*len = align_up(*len, unit);
	*len = min(*len, bytes - *off);
}

static void start_write(struct sim_world *w, const struct plan *p, struct sim_image *img)
{
	struct sim_request *r;
	uint64_t off, len;

	pick_range(w, p, &off, &len);
	if (!oracle_has_room(img->model, off, len))
		return;
	r = sim_start_write(w, img, off, (uint32_t)len, rng_below(&w->rng, 100) < p->sync_percent);
	r->may_wait = rng_chance(&w->rng, 1, 2);
}

static void start_read(struct sim_world *w, struct sim_image *img)
{
	uint32_t n = w->conf.image_blocks;
	uint64_t block = rng_below(&w->rng, n);
	struct sim_request *r =
		sim_start_read(w, img, block, (uint32_t)rng_range(&w->rng, 1, n - block));

	r->may_wait = rng_chance(&w->rng, 1, 2);
}

/* One truncate or punch of an image at a time, as the inode's lock has it; writes and reads go on.
 */
static bool has_operation(const struct sim_world *w, const struct sim_image *img)
{
	const struct sim_request *r;

	list_for_each_entry(r, &w->requests, node)
		if (r->img == img && r->event && r->event->kind != ORACLE_WRITE)
			return true;
	return false;
}

static void start_truncate(struct sim_world *w, struct sim_image *img)
{
	uint64_t bytes = (uint64_t)w->conf.image_blocks * ORACLE_BLOCK;
	uint64_t size = rng_below(&w->rng, bytes + 1);

	if (rng_chance(&w->rng, 1, 2))
		size = align_down(size, rng_chance(&w->rng, 1, 2) ? ORACLE_BLOCK : SECTOR_BYTES);
	if (!has_operation(w, img) && oracle_has_room(img->model, size, bytes - size))
		sim_start_truncate(w, img, size);
}

static void start_punch(struct sim_world *w, const struct plan *p, struct sim_image *img)
{
	uint64_t off, len;
	struct cache_image_info info;

	pick_range(w, p, &off, &len);
	cache_image_info(w->cache, img->cached, &info);
	if (off >= info.size)
		return;
	/* Beside writes that extend the image it would be cut at an end that is none. */
	len = min(len, info.size - off);
	if (!has_operation(w, img) && oracle_has_room(img->model, off, len))
		sim_start_punch(w, img, off, len);
}

static bool is_bound(struct sim_world *w, struct sim_image *img)
{
	struct cache_image_info info;

	cache_image_info(w->cache, img->cached, &info);
	return info.is_bound;
}

/* Names change only while nothing else goes on with the image. */
static void start_name(struct sim_world *w, struct sim_image *img, bool is_unlink)
{
	if (img->nr_requests || img->is_conflict || img->is_missing || !is_bound(w, img))
		return;
	if (is_unlink)
		sim_start_unlink(w, img);
	else
		sim_start_rename(w, img);
}

/* Somebody changes the plain file of an image that is clean, durably so (E5). */
static void edit_file(struct sim_world *w, struct sim_image *img)
{
	struct cache_image_info info;
	struct cache_status st;
	uint64_t size = img->file->view.stamp.size, off, len;
	uint8_t *data;

	cache_image_info(w->cache, img->cached, &info);
	cache_status(w->cache, &st);
	if (img->nr_requests || info.is_touching || info.dirty_blocks ||
	    info.last_lsn > st.durable_lsn || info.state > IMAGE_CLEAN ||
	    !list_is_empty(&img->file->changes) || !size || info.size != size)
		return;
	off = rng_below(&w->rng, size);
	len = rng_range(&w->rng, 1, min_t(uint64_t, size - off, 3 * ORACLE_BLOCK));
	if (!oracle_has_room(img->model, off, len))
		return;
	data = malloc(len);
	if (!data)
		abort();
	TRACE(w, "edit file of image % off % len %", img->index, off, len);
	oracle_edit(img->model, off, len, data);
	sim_pass_time(w, 1);
	simfile_edit(img->file, data, len, off);
	free(data);
	img->is_edited = true;
	sim_refresh(w, img);
}

/* The admin decides for the cache (G4), if that can be now; a request waits for it. */
static bool accept_file(struct sim_world *w, struct sim_image *img)
{
	const struct simstamp *st = &img->file->stable.stamp;
	struct op_stamp stamp;
	struct cache_image_info info;
	struct sim_request *r;
	enum cache_step step;
	struct outbox ob;

	cache_image_info(w->cache, img->cached, &info);
	if (info.state != IMAGE_CONFLICT && info.state != IMAGE_MISSING)
		return false;
	/* after a power cut it must not look older than what is recorded now */
	simfile_sync_done(img->file, simfile_sync_issue(img->file));
	stamp = (struct op_stamp){ .size = st->size, .mtime_ns = st->mtime, .ctime_ns = st->ctime };
	r = sim_start_sync(w, img);
	outbox_init(&ob);
	step = cache_image_accept(w->cache, img->cached, &info.identity, &stamp, &r->u.sync, w->now,
				  &ob);
	TRACE(w, "accept the file of image %: %", img->index, step);
	/* told to come again, it goes on as the sync that it is otherwise */
	r->is_started = step != CACHE_AGAIN;
	if (step == CACHE_WAIT)
		r->phase = SIM_PARKED;
	else if (step == CACHE_DONE)
		sim_request_ended(w, r);
	sim_take(w, &ob);
	return step != CACHE_AGAIN;
}

/* The file is as it was, for whoever looks. */
static void end_conflict(struct sim_world *w, struct sim_image *img)
{
	TRACE(w, "lift conflict of image %", img->index);
	img->is_conflict = img->is_missing = false;
	/* What was looked at before is looked at again. */
	for (uint32_t i = 0; i < w->nr_actions; i++)
		if (w->action[i]->action->type == ACTION_BACK_CHECK &&
		    cache_image_owner(w->action[i]->action->image) == img)
			w->action[i]->is_carried = false;
}

static void lift(struct sim_world *w, struct sim_image *img)
{
	struct outbox ob;

	img->is_refusing = img->is_hanging = false;
	if (!img->is_conflict && !img->is_missing)
		return;
	end_conflict(w, img);
	if (rng_chance(&w->rng, 1, 2) && accept_file(w, img))
		return;
	outbox_init(&ob);
	cache_image_set_state(w->cache, img->cached, IMAGE_CLEAN, 0, w->now, &ob);
	sim_take(w, &ob);
}

/* For the cache, once the core knows of the conflict; told to come again, the admin does. */
static void decide(struct sim_world *w, struct sim_image *img)
{
	if (rng_chance(&w->rng, 1, 32))
		lift(w, img);
	else if (accept_file(w, img))
		end_conflict(w, img);
}

/* What waits for the log waits for an image in conflict too: it is lifted sooner or later. */
static void toggle_conflict(struct sim_world *w, const struct plan *p, struct sim_image *img)
{
	if (img->is_conflict || img->is_missing) {
		if (p->is_deciding)
			decide(w, img);
		else
			lift(w, img);
		return;
	}
	if (rng_chance(&w->rng, 1, 2))
		img->is_conflict = true;
	else
		img->is_missing = true;
	img->may_fail = img->had_conflict = true;
	TRACE(w, "image %: conflict %, missing %", img->index, img->is_conflict, img->is_missing);
}

static void turn_knob(struct sim_world *w)
{
	struct outbox ob;

	switch (rng_below(&w->rng, 11)) {
	case 0:
		sim_knob(w, KNOB_ALLOW_MIGRATE, rng_below(&w->rng, 2));
		break;
	case 1:
		sim_knob(w, KNOB_FORCE_MIGRATE, rng_below(&w->rng, 2));
		break;
	case 2:
		sim_knob(w, KNOB_BARRIER_DEADLINE_MS, rng_below(&w->rng, 5));
		break;
	case 3:
		sim_knob(w, KNOB_COMMIT_SUPER_BLOCK, 1);
		break;
	case 4:
		sim_knob(w, KNOB_FLUSH_CURRENT_BUFFER, 1);
		break;
	case 5:
		sim_knob(w, KNOB_FLUSH_CURRENT_BUFFER_INTERVAL, rng_below(&w->rng, 3));
		break;
	case 6:
		sim_knob(w, KNOB_NR_MAX_BATCHED_MIGRATION, rng_range(&w->rng, 1, 20));
		break;
	case 8:
		sim_knob(w, KNOB_SCRUB, rng_below(&w->rng, 4) != 0);
		break;
	case 9:
		sim_knob(w, KNOB_SCRUB_RATE, rng_below(&w->rng, 3));
		break;
	case 7:
		sim_knob(w, KNOB_COMMIT_SUPER_BLOCK_INTERVAL, rng_below(&w->rng, 3));
		break;
	default:
		outbox_init(&ob);
		cache_governor(w->cache, (int)rng_range(&w->rng, 0, 101) - 1, w->now, &ob);
		sim_take(w, &ob);
	}
}

static enum plan_kind pick_kind(struct sim_world *w, const struct plan *p)
{
	uint64_t sum = 0, at;

	for (int k = 0; k < NR_PLAN_KINDS; k++)
		sum += p->kind[k];
	at = rng_below(&w->rng, sum);
	for (int k = 0; k < NR_PLAN_KINDS; k++) {
		if (at < p->kind[k])
			return (enum plan_kind)k;
		at -= p->kind[k];
	}
	return PLAN_WRITE;
}

static bool wants_decision(struct sim_world *w, const struct plan *p, const struct sim_image *img)
{
	return p->is_deciding && (img->is_conflict || img->is_missing) && rng_chance(&w->rng, 1, 2);
}

static void turn_start(struct sim_world *w, const struct plan *p)
{
	struct sim_image *img = pick_image(w);

	if (w->nr_requests >= p->max_requests || !img)
		return;
	switch (wants_decision(w, p, img) ? PLAN_CONFLICT : pick_kind(w, p)) {
	case PLAN_WRITE:
		start_write(w, p, img);
		break;
	case PLAN_READ:
		start_read(w, img);
		break;
	case PLAN_SYNC:
		sim_start_sync(w, rng_chance(&w->rng, 1, 4) ? NULL : img);
		break;
	case PLAN_TRUNCATE:
		start_truncate(w, img);
		break;
	case PLAN_PUNCH:
		start_punch(w, p, img);
		break;
	case PLAN_CLEAN:
		sim_start_clean(w, img)->u.op.len = w->next_id % 2 ? CACHE_AS_OF_NOW : 0;
		break;
	case PLAN_RENAME:
		start_name(w, img, false);
		break;
	case PLAN_UNLINK:
		start_name(w, img, true);
		break;
	case PLAN_KNOB:
		turn_knob(w);
		break;
	case PLAN_EDIT:
		edit_file(w, img);
		break;
	case PLAN_CONFLICT:
		toggle_conflict(w, p, img);
		break;
	case PLAN_REFUSE:
		if (img->is_hanging || rng_chance(&w->rng, 1, 2))
			img->is_hanging = !img->is_hanging;
		else
			img->is_refusing = !img->is_refusing;
		img->may_fail = true;
		TRACE(w, "image %: refusing %, hanging %", img->index, img->is_refusing,
		      img->is_hanging);
		break;
	case NR_PLAN_KINDS:
		break;
	}
}

/* ---- one turn ---- */

static void turn_advance(struct sim_world *w)
{
	struct sim_request *r, *picked = NULL;
	uint64_t n = 0;

	list_for_each_entry(r, &w->requests, node)
		if (sim_can_advance(r) && rng_below(&w->rng, ++n) == 0)
			picked = r;
	if (picked)
		sim_advance(w, picked);
}

static void turn_act(struct sim_world *w, const struct plan *p)
{
	struct sim_action *sa;

	if (!w->nr_actions || (rng_chance(&w->rng, 1, 8) && sim_renew_lease(w)))
		return;
	sa = w->action[rng_below(&w->rng, w->nr_actions)];
	if (rng_below(&w->rng, 100) < p->reluctance[sa->action->type])
		return;
	if (sim_may_carry(w, sa)) {
		sim_carry(w, sa, &w->rng);
		/* An encoder hands back at once: it works in order. */
		if (sa->action->type != ACTION_ENCODE && rng_chance(&w->rng, 1, 2))
			return;
	}
	if (sim_may_return(w, sa))
		sim_return(w, sa);
}

static bool has_impatient(const struct sim_world *w)
{
	const struct sim_request *r;

	list_for_each_entry(r, &w->requests, node)
		if (r->turn + PATIENCE_TURNS < w->turn)
			return true;
	return false;
}

static void calm_down(struct sim_world *w)
{
	TRACE(w, "calm down", 0);
	for (uint32_t i = 0; i < w->conf.nr_images; i++)
		lift(w, &w->image[i]);
	sim_settle_down(w);
	for (uint32_t i = 0; i < w->conf.nr_images; i++)
		w->image[i].may_fail = false;
}

static void check_now_and_then(struct sim_world *w)
{
	struct sim_image *img = &w->image[rng_below(&w->rng, w->conf.nr_images)];
	struct cache_image_info info;

	if (w->turn % 16)
		return;
	sim_check_core(w);
	if (img->is_busy)
		return;
	cache_image_info(w->cache, img->cached, &info);
	sim_check(w, oracle_check_size(img->model, info.size, oracle_now(w->oracle)));
}

static void turn(struct sim_world *w, const struct plan *p)
{
	uint64_t at = rng_below(&w->rng, p->start + p->advance + p->act + p->tick);

	sim_next_turn(w);
	if (at < p->start)
		turn_start(w, p);
	else if (at < p->start + p->advance)
		turn_advance(w);
	else if (at < p->start + p->advance + p->act)
		turn_act(w, p);
	else
		sim_pass_time(w, rng_below(&w->rng, p->tick_ns));
	check_now_and_then(w);
	if (w->turn % 256 == 0 && has_impatient(w))
		calm_down(w);
}

/* ---- a device that fails ---- */

static bool is_device_write(const struct action *a)
{
	return a->type == ACTION_LOG_WRITE || a->type == ACTION_DEV_WRITE ||
	       a->type == ACTION_FLUSH;
}

/* Now and then one fails, and nobody is to notice; not so many in a row that the device is given
 * up. */
static int fail_rarely(struct sim_world *w, const struct action *a)
{
	if (!is_device_write(a))
		return 0;
	if (w->has_fault) {
		w->has_fault = a->type != ACTION_FLUSH;
		return 0;
	}
	w->has_fault = rng_chance(&w->rng, 1, 30);
	return w->has_fault ? -EIO : 0;
}

static int fail_all(struct sim_world *w, const struct action *a)
{
	(void)w;
	return is_device_write(a) ? -EIO : 0;
}

/* The device takes no more writes, in the middle of everything: all goes on, and in the end all is
 * in the plain files. */
static void lose_device(struct sim_world *w, struct plan *p)
{
	calm_down(w);
	p->kind[PLAN_EDIT] = p->kind[PLAN_CONFLICT] = 0;
	p->kind[PLAN_RENAME] = p->kind[PLAN_UNLINK] = p->kind[PLAN_REFUSE] = 0;
	for (uint64_t n = rng_range(&w->rng, 1, 400); n; n--)
		turn(w, p);
	TRACE(w, "*** the device fails", 0);
	w->fault = fail_all;
	for (uint64_t n = rng_range(&w->rng, 1, 1500); n; n--)
		turn(w, p);
	calm_down(w);
	(void)sim_wait(w, sim_start_sync(w, NULL));
	if (sim_wait(w, sim_start_sync(w, NULL)))
		sim_fail(w, "a sync has failed");
	if (cache_is_lost(w->cache))
		for (uint32_t i = 0; i < w->conf.nr_images; i++)
			sim_check_left(w, &w->image[i]);
	w->fault = NULL;
	sim_daemon_death(w, true);
}

/* ---- cycles ---- */

static void crash(struct sim_world *w, const struct plan *p)
{
	if (rng_below(&w->rng, 100) < p->death_percent)
		sim_daemon_death(w, rng_chance(&w->rng, 1, 4));
	else
		sim_power_cut(w, (enum cut_policy)rng_below(&w->rng, NR_CUT_POLICIES));
}

static void end_cycle(struct sim_world *w, const struct plan *p)
{
	if (rng_below(&w->rng, 100) >= p->shutdown_percent) {
		crash(w, p);
		return;
	}
	calm_down(w);
	w->image[0].is_hanging = rng_chance(&w->rng, 1, 4);
	sim_shutdown(w);
	if (rng_chance(&w->rng, 1, 2))
		sim_power_cut(w, CUT_DROP_ALL);
	else if (rng_chance(&w->rng, 1, 2)) /* a new size of the pool next time */
		w->conf.cache.pool_buffers = (uint32_t)rng_range(&w->rng, 2, 6);
}

/* Crashes in the middle of recovery, and right after it before anything was looked at. */
static void recover(struct sim_world *w, const struct plan *p)
{
	if (rng_chance(&w->rng, 1, 30)) {
		enum sim_crash kind = rng_chance(&w->rng, 1, 2) ? SIM_POWER_CUT : SIM_DAEMON_DEATH;

		sim_mount_everywhere(w, kind,
				     kind == SIM_DAEMON_DEATH || w->loss == ORACLE_LOSS_UNSYNCED);
		return;
	}
	while (rng_chance(&w->rng, 1, 4)) {
		int err = sim_open(w, rng_range(&w->rng, 1, 10));

		if (err && !w->dev->is_dead)
			sim_fail(w, "cache_open: %d: %s", err, w->report.error);
		if (!err && rng_chance(&w->rng, 1, 2)) {
			sim_attach(w);
			for (uint64_t n = rng_below(&w->rng, 40); n; n--)
				if (!sim_calm_turn(w))
					sim_pass_time(w, rng_below(&w->rng, 2000 * SIM_MS));
		}
		crash(w, p);
	}
	sim_mount(w);
	if (rng_below(&w->rng, 100) < p->rot_percent)
		sim_rot(w);
}

/* What was lost is written again. */
static void make_good(struct sim_world *w, struct sim_image *img)
{
	for (uint32_t b = 0; b < img->model->nr_blocks; b++)
		if (img->model->block[b].lost)
			sim_do_write(w, img, (uint64_t)b * ORACLE_BLOCK, ORACLE_BLOCK);
}

/* Everything in the plain files, and nothing left to do after that. */
static void end_life(struct sim_world *w)
{
	calm_down(w);
	for (uint32_t i = 0; i < w->conf.nr_images; i++) {
		make_good(w, &w->image[i]);
		sim_do_clean(w, &w->image[i]);
	}
	sim_shutdown(w);
	simdev_power_cut(w->dev, CUT_DROP_ALL, 0);
	simstore_power_cut(w->store, CUT_DROP_ALL, 0);
	sim_mount(w);
	if (!w->report.was_clean || w->report.dirty_blocks)
		sim_fail(w, "after drain and shutdown: was_clean %d, %u dirty blocks",
			 w->report.was_clean, w->report.dirty_blocks);
	sim_daemon_death(w, true);
}

uint64_t plan_run(const struct sim_conf *conf, const struct plan_run *run)
{
	struct sim_world *w = sim_new(conf);
	struct plan p;
	uint64_t crashes;

	sim_mount(w);
	for (w->cycle = 1; w->cycle <= run->cycles; w->cycle++) {
		plan_mood(&p, &w->conf, &w->rng);
		w->has_fault = false;
		w->fault = rng_chance(&w->rng, 1, 3) ? fail_rarely : NULL;
		TRACE(w, "=== cycle %: % requests at once, up to % blocks, % hot", w->cycle,
		      p.max_requests, p.max_blocks, p.hot_blocks);
		for (uint64_t n = rng_range(&w->rng, 1, 2 * run->turns); n; n--)
			turn(w, &p);
		end_cycle(w, &p);
		w->fault = NULL;
		recover(w, &p);
	}
	if (rng_chance(&w->rng, 1, 3))
		lose_device(w, &p);
	else
		end_life(w);
	crashes = w->crashes;
	sim_free(w);
	return crashes;
}
