// SPDX-License-Identifier: GPL-2.0-or-later
/* Letting the world run on without new requests: what scenarios and recoveries need. */
#include <errno.h>
#include <inttypes.h>

#include "tests/sim/world.h"

#define WAIT_TURNS_MAX 400000u
#define WAIT_NS_MAX (3600 * 1000 * SIM_MS)

static struct sim_request *pick_request(struct sim_world *w)
{
	struct sim_request *r, *picked = NULL;
	uint64_t n = 0;

	list_for_each_entry(r, &w->requests, node)
		if (sim_can_advance(r) && rng_below(&w->rng, ++n) == 0)
			picked = r;
	return picked;
}

static struct sim_action *pick_action(struct sim_world *w)
{
	uint32_t first = w->nr_actions ? (uint32_t)rng_below(&w->rng, w->nr_actions) : 0;

	for (uint32_t i = 0; i < w->nr_actions; i++) {
		struct sim_action *sa = w->action[(first + i) % w->nr_actions];

		if (sim_may_carry(w, sa) || sim_may_return(w, sa))
			return sa;
	}
	return NULL;
}

bool sim_calm_turn(struct sim_world *w)
{
	struct sim_request *r = pick_request(w);
	struct sim_action *sa;

	sim_next_turn(w);
	if (r && rng_chance(&w->rng, 1, 2)) {
		sim_advance(w, r);
		return true;
	}
	sa = pick_action(w);
	if (sa) {
		if (!sa->is_carried)
			sim_carry(w, sa, NULL);
		if (sim_may_return(w, sa))
			sim_return(w, sa);
		return true;
	}
	if (r)
		sim_advance(w, r);
	return r != NULL || sim_renew_lease(w);
}

static void print_stuck(struct sim_world *w)
{
	struct cache_status st;
	struct sim_request *r;

	list_for_each_entry(r, &w->requests, node)
		TRACE(w, "stuck: request % kind % phase % image % since turn %", r->id, r->kind,
		      r->phase, r->img ? r->img->index : UINT64_MAX, r->turn);
	for (uint32_t i = 0; i < w->nr_actions; i++)
		TRACE(w, "stuck: action #% type % since turn % is carried %", w->action[i]->id,
		      w->action[i]->action->type, w->action[i]->turn, w->action[i]->is_carried);
	cache_status(w->cache, &st);
	TRACE(w, "stuck: segment % last migrated % free % dirty % next lsn % durable %",
	      st.current_segment, st.last_migrated, st.free_segments, st.dirty_blocks, st.next_lsn,
	      st.durable_lsn);
}

void sim_calm_turn_or_tick(struct sim_world *w)
{
	uint64_t deadline;

	/* Time passes and leases are renewed also for those who are never idle. */
	if (w->turn % 256 == 255) {
		sim_pass_time(w, SIM_MS);
		sim_renew_lease(w);
	}
	if (sim_calm_turn(w))
		return;
	deadline = cache_deadline(w->cache);
	if (deadline == UINT64_MAX) {
		print_stuck(w);
		sim_fail(w, "stuck: %u requests wait, %u actions are out, no deadline",
			 w->nr_requests, w->nr_actions);
	}
	sim_pass_time(w, deadline > w->now ? deadline - w->now : 1);
}

struct limit {
	uint64_t turn, ns;
};

static struct limit limit_from(const struct sim_world *w)
{
	return (struct limit){ .turn = w->turn + WAIT_TURNS_MAX, .ns = w->now + WAIT_NS_MAX };
}

static void check_limit(struct sim_world *w, const struct limit *l)
{
	if (w->turn < l->turn && w->now < l->ns)
		return;
	print_stuck(w);
	sim_fail(w, "stuck: no end after %u turns and %" PRIu64 " s", WAIT_TURNS_MAX,
		 (uint64_t)(WAIT_NS_MAX / (1000 * SIM_MS)));
}

int sim_wait(struct sim_world *w, struct sim_request *r)
{
	struct limit l = limit_from(w);
	int result;

	r->is_kept = true;
	while (r->phase != SIM_ENDED) {
		sim_calm_turn_or_tick(w);
		check_limit(w, &l);
	}
	result = r->result;
	sim_free_request(w, r);
	return result;
}

void sim_settle_down(struct sim_world *w)
{
	struct limit l = limit_from(w);

	while (w->nr_requests || w->nr_actions) {
		sim_calm_turn_or_tick(w);
		check_limit(w, &l);
	}
}

void sim_do_write(struct sim_world *w, struct sim_image *img, uint64_t off, uint32_t len)
{
	if (sim_wait(w, sim_start_write(w, img, off, len, false)) != (int)len)
		sim_fail(w, "a write has failed");
}

void sim_do_sync(struct sim_world *w, struct sim_image *img)
{
	if (sim_wait(w, sim_start_sync(w, img)))
		sim_fail(w, "a sync has failed");
}

void sim_do_read(struct sim_world *w, struct sim_image *img)
{
	if (sim_wait(w, sim_start_read(w, img, 0, img->model->nr_blocks)) < 0)
		sim_fail(w, "a read has failed");
}

void sim_do_clean(struct sim_world *w, struct sim_image *img)
{
	if (sim_wait(w, sim_start_clean(w, img)))
		sim_fail(w, "a drain has failed");
}

void sim_knob(struct sim_world *w, enum cache_knob k, uint64_t value)
{
	struct outbox ob;

	outbox_init(&ob);
	TRACE(w, "knob % = %", k, value);
	if (cache_knob_set(w->cache, k, value, w->now, &ob))
		sim_fail(w, "knob %d cannot be set to %" PRIu64, (int)k, value);
	sim_take(w, &ob);
}

int sim_try_refresh(struct sim_world *w, struct sim_image *img)
{
	const struct simstamp *st = &img->file->view.stamp;
	struct op_stamp stamp = { .size = st->size, .mtime_ns = st->mtime, .ctime_ns = st->ctime };
	struct cache_image_info info;
	struct outbox ob;
	int ret;

	outbox_init(&ob);
	ret = cache_image_refresh(w->cache, img->cached, &stamp, w->now, &ob);
	TRACE(w, "refresh image %: %", img->index, (uint64_t)(int64_t)ret);
	sim_take(w, &ob);
	cache_image_info(w->cache, img->cached, &info);
	if (ret == 0 &&
	    (info.stamp.ctime_ns != st->ctime || info.size != st->size || info.cached_blocks))
		sim_fail(w, "image %u was refreshed, and is not as its file", img->index);
	if (ret && ret != -EAGAIN)
		sim_fail(w, "image %u cannot be refreshed: %d", img->index, ret);
	return ret;
}

void sim_refresh(struct sim_world *w, struct sim_image *img)
{
	struct limit l = limit_from(w);

	while (sim_try_refresh(w, img)) {
		sim_calm_turn_or_tick(w); /* not now: something is under way */
		check_limit(w, &l);
	}
}
