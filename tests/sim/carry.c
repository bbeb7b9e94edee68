// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Actions: taken over from the outbox, carried out, handed back; three moments that may be far
 * apart.
 *
 * What an action covers is decided when it is issued: a write's data is taken then (and must still
 * be the same when the core is told), a flush or sync covers what had been handed back by then.
 */
#include <errno.h>
#include <stdlib.h>

#include "tests/sim/world.h"

const char *sim_action_text(enum action_type type)
{
	static const char *const text[SIM_ACTION_TYPES] = {
		[ACTION_ENCODE] = "encode",
		[ACTION_LOG_WRITE] = "log write",
		[ACTION_FLUSH] = "flush",
		[ACTION_DEV_READ] = "device read",
		[ACTION_DEV_WRITE] = "device write",
		[ACTION_BACK_READ] = "backing read",
		[ACTION_BACK_WRITE] = "backing write",
		[ACTION_WORK] = "work",
		[ACTION_BACK_CHECK] = "backing check",
		[ACTION_BACK_LEAVE] = "backing leave",
		[ACTION_BACK_GROW] = "backing grow",
		[ACTION_BACK_TRUNCATE] = "backing truncate",
		[ACTION_BACK_PUNCH] = "backing punch",
		[ACTION_BACK_SYNC] = "backing sync",
		[ACTION_RESUME] = "resume",
		[ACTION_DONE] = "done",
	};

	return text[type];
}

static uint64_t action_bytes(const struct action *a)
{
	uint64_t bytes = 0;

	for (int i = 0; i < a->nr_iov; i++)
		bytes += a->iov[i].iov_len;
	return bytes;
}

static bool is_backing(enum action_type type)
{
	return type == ACTION_BACK_READ || type == ACTION_BACK_WRITE ||
	       (type >= ACTION_BACK_CHECK && type <= ACTION_BACK_SYNC);
}

/* ---- issue ---- */

/* A request's own write to its file, not migration's. */
static void note_straight(struct sim_world *w, const struct action *a)
{
	const struct sim_request *r = sim_find_request(w, a);

	if (r)
		oracle_straight(r->event);
}

static void issue_backing(struct sim_world *w, struct sim_action *sa)
{
	struct action *a = sa->action;
	struct sim_image *img = cache_image_owner(a->image);

	TRACE(w, "  issue #%: type % image % off % bytes %", sa->id, a->type,
	      img ? img->index : UINT64_MAX, a->off, a->nr_iov ? action_bytes(a) : a->len);
	if (!img)
		return; /* not now: see carry_well() */
	sa->file = img->file;
	if (a->type == ACTION_BACK_WRITE) {
		note_straight(w, a);
		sa->change = simfile_write_issue(sa->file, a->iov, a->nr_iov, a->off);
	} else if (a->type == ACTION_BACK_GROW) {
		if (sa->file->view.stamp.size < a->off)
			sa->change = simfile_truncate_issue(sa->file, a->off);
	} else if (a->type == ACTION_BACK_TRUNCATE) {
		sa->change = simfile_truncate_issue(sa->file, a->off);
	} else if (a->type == ACTION_BACK_PUNCH) {
		sa->change = simfile_punch_issue(sa->file, a->off, a->len);
	} else if (a->type == ACTION_BACK_SYNC) {
		sa->ticket = simfile_sync_issue(sa->file);
	}
}

static void issue(struct sim_world *w, struct action *a)
{
	struct sim_action *sa = calloc(1, sizeof(*sa));

	if (!sa)
		abort();
	if (w->has_ended && !w->is_lease_asked)
		sim_fail(w, "an action of type %d behind the orderly end", (int)a->type);
	sa->action = a;
	sa->id = w->next_id++;
	sa->turn = w->turn;
	if (is_backing(a->type)) {
		issue_backing(w, sa);
	} else {
		if (a->type == ACTION_LOG_WRITE || a->type == ACTION_DEV_WRITE)
			sa->write = simdev_write_issue(w->dev, a->iov, a->nr_iov, a->off);
		else if (a->type == ACTION_FLUSH)
			sa->ticket = simdev_flush_issue(w->dev);
		TRACE(w, "  issue #%: type % off % bytes %", sa->id, a->type, a->off,
		      action_bytes(a));
	}
	if (w->nr_actions == w->room_actions) {
		w->room_actions = w->room_actions ? 2 * w->room_actions : 64;
		w->action = realloc(w->action, w->room_actions * sizeof(struct sim_action *));
		if (!w->action)
			abort();
	}
	w->action[w->nr_actions++] = sa;
	w->counts[a->type]++;
	sim_monitor(w, sa);
}

static void resume(struct sim_world *w, const struct action *a)
{
	struct sim_request *r = sim_find_request(w, a);

	if (!r)
		sim_fail(w, "ACTION_RESUME of no request");
	if (r->phase != SIM_PARKED)
		sim_fail(w, "ACTION_RESUME of request %lu, which is not parked",
			 (unsigned long)r->id);
	TRACE(w, "  resume request %", r->id);
	r->phase = SIM_READY;
}

static void lease_is_there(struct sim_world *w)
{
	w->is_lease_asked = false;
	if (!w->lease_sync.result)
		w->lease_ns = w->lease_wanted_ns;
}

static bool is_hanging(const struct sim_action *sa);

static void done(struct sim_world *w, struct action *a)
{
	struct sim_request *r;

	if (a == &w->lease_sync.act) {
		lease_is_there(w);
		return;
	}
	if (a == &w->end) {
		for (uint32_t i = 0; i < w->nr_actions; i++)
			if (!is_hanging(w->action[i]))
				sim_fail(w, "shutdown is done with #%lu out",
					 (unsigned long)w->action[i]->id);
		w->has_ended = true;
		return;
	}
	r = sim_find_request(w, a);
	if (!r)
		sim_fail(w, "ACTION_DONE of no request");
	if (r->phase != SIM_PARKED)
		sim_fail(w, "ACTION_DONE of request %lu, which is not parked",
			 (unsigned long)r->id);
	sim_request_ended(w, r);
}

static void ask_for_lease(struct sim_world *w)
{
	enum cache_step step;
	struct outbox ob;

	w->is_lease_asked = true;
	w->lease_sync = (struct cache_sync){ .result = 0 };
	w->lease_wanted_ns = w->store->now_ns + SIM_LEASE_NS;
	TRACE(w, "ask for a lease until %", (uint64_t)w->lease_wanted_ns);
	outbox_init(&ob);
	step = cache_lease(w->cache, (uint64_t)w->lease_wanted_ns, &w->lease_sync, w->now, &ob);
	if (step == CACHE_DONE)
		lease_is_there(w);
	sim_take(w, &ob);
}

bool sim_renew_lease(struct sim_world *w)
{
	if (w->is_lease_asked || w->is_faulty)
		return false;
	for (uint32_t i = 0; i < w->nr_actions; i++)
		if (sim_needs_lease(w, w->action[i])) {
			ask_for_lease(w);
			return true;
		}
	return false;
}

void sim_take(struct sim_world *w, struct outbox *ob)
{
	struct action *a;

	while ((a = outbox_pop(ob)) != NULL) {
		if (a->type == ACTION_RESUME)
			resume(w, a);
		else if (a->type == ACTION_DONE)
			done(w, a);
		else
			issue(w, a);
	}
}

/* ---- carry out ---- */

static int check_backing(struct sim_world *w, const struct action *a)
{
	struct sim_image *img = cache_image_owner(a->image);
	const struct simstamp *st;
	struct cache_image_info info;

	if (img->file->is_gone)
		return -EAGAIN; /* about to be unbound */
	if (img->is_missing)
		return BACK_MISSING;
	if (img->is_conflict)
		return BACK_CONFLICT;
	st = &img->file->view.stamp;
	cache_image_info(w->cache, a->image, &info);
	if (cache_is_lost(w->cache))
		return 0; /* the mark on the file stands for all that is recorded */
	if (!info.is_touching && (info.stamp.size != st->size || info.stamp.mtime_ns != st->mtime ||
				  info.stamp.ctime_ns != st->ctime))
		sim_fail(
			w,
			"image %u is not touching and its recorded stamp is not the file's: size %lu/%lu mtime %ld/%ld ctime %ld/%ld",
			img->index, (unsigned long)info.stamp.size, (unsigned long)st->size,
			(long)info.stamp.mtime_ns, (long)st->mtime, (long)info.stamp.ctime_ns,
			(long)st->ctime);
	return 0;
}

/* The mark on the file, synced (F3). */
static int leave_cache(struct sim_world *w, const struct action *a)
{
	struct sim_image *img = cache_image_owner(a->image);

	if (img->takes_no_mark)
		return -EOPNOTSUPP;
	TRACE(w, "image % leaves the cache at LSN %", img->index, a->arg);
	img->has_left = true;
	img->left_lsn = a->arg;
	return 0;
}

/* The sync that is to make the image clean: the file gets its size and its time of change first. */
static void make_final(struct simfile *f, const struct action *a)
{
	if (f->view.stamp.size != a->off)
		simfile_return(f, simfile_truncate_issue(f, a->off));
	simfile_return(f, simfile_times_issue(f, a->stamp.mtime_ns));
}

static void finish_sync(struct sim_action *sa)
{
	const struct simstamp *st = &sa->file->view.stamp;

	if (sa->action->arg == 1) {
		make_final(sa->file, sa->action);
		sa->ticket = simfile_sync_issue(sa->file);
	}
	simfile_sync_done(sa->file, sa->ticket);
	sa->action->stamp.size = st->size;
	sa->action->stamp.mtime_ns = st->mtime;
	sa->action->stamp.ctime_ns = st->ctime;
}

static int carry_well(struct sim_world *w, struct sim_action *sa)
{
	struct action *a = sa->action;

	if (is_backing(a->type) && !sa->file)
		return -EAGAIN; /* the layer above has not found its file, or has let go of it */
	switch (a->type) {
	case ACTION_ENCODE:
		cache_encode(w->cache, a);
		return 0;
	case ACTION_WORK:
		return cache_work(w->cache, a);
	case ACTION_LOG_WRITE:
	case ACTION_DEV_WRITE:
		simdev_write_apply(w->dev, sa->write, NULL);
		return (int)sa->write->len;
	case ACTION_FLUSH:
		simdev_flush_done(w->dev, sa->ticket);
		return 0;
	case ACTION_DEV_READ:
		simdev_read(w->dev, a->iov, a->nr_iov, a->off);
		return (int)action_bytes(a);
	case ACTION_BACK_READ:
		simfile_read(sa->file, a->iov, a->nr_iov, a->off);
		return (int)action_bytes(a);
	case ACTION_BACK_WRITE:
		simfile_apply(sa->file, sa->change, NULL);
		return (int)sa->change->len;
	case ACTION_BACK_GROW:
	case ACTION_BACK_TRUNCATE:
	case ACTION_BACK_PUNCH:
		if (sa->change)
			simfile_apply(sa->file, sa->change, NULL);
		return 0;
	case ACTION_BACK_CHECK:
		return check_backing(w, a);
	case ACTION_BACK_LEAVE:
		return leave_cache(w, a);
	case ACTION_BACK_SYNC:
		finish_sync(sa);
		return 0;
	case ACTION_RESUME:
	case ACTION_DONE:
		break;
	}
	abort();
}

/* A failed write may have done any part of what it should; a failed flush loses. */
static void carry_badly(struct sim_world *w, struct sim_action *sa)
{
	if (sa->write)
		simdev_write_apply(w->dev, sa->write, &w->rng);
	else if (sa->action->type == ACTION_FLUSH)
		simdev_flush_fail(w->dev, sa->ticket, &w->rng);
	else if (sa->action->type == ACTION_BACK_WRITE)
		simfile_apply(sa->file, sa->change, &w->rng);
	else if (sa->action->type == ACTION_BACK_SYNC)
		simfile_sync_fail(sa->file, sa->ticket, &w->rng);
}

/* ENCODE is carried out strictly in order of issue. */
static bool is_first_encode(const struct sim_world *w, const struct sim_action *sa)
{
	for (uint32_t i = 0; i < w->nr_actions && w->action[i] != sa; i++)
		if (w->action[i]->action->type == ACTION_ENCODE)
			return false;
	return true;
}

/* The layer above changes no file outside of the lease (G2): it waits until a new one is durable.
 */
bool sim_needs_lease(const struct sim_world *w, const struct sim_action *sa)
{
	switch (sa->action->type) {
	case ACTION_BACK_WRITE:
	case ACTION_BACK_GROW:
	case ACTION_BACK_TRUNCATE:
	case ACTION_BACK_PUNCH:
	case ACTION_BACK_SYNC:
		/* without a log the mark on each file stands for it (F3) */
		if (cache_is_lost(w->cache))
			return false;
		return !sa->is_carried && w->store->now_ns + SIM_LEASE_MARGIN_NS > w->lease_ns;
	default:
		return false;
	}
}

static bool is_hanging(const struct sim_action *sa)
{
	const struct sim_image *img;

	if (!is_backing(sa->action->type))
		return false;
	img = cache_image_owner(sa->action->image);
	return img && img->is_hanging &&
	       (img->hangs_in == ACTION_ENCODE || img->hangs_in == sa->action->type);
}

bool sim_may_carry(const struct sim_world *w, const struct sim_action *sa)
{
	if (is_hanging(sa) || sa->is_carried || w->hold_carry[sa->action->type] ||
	    sim_needs_lease(w, sa))
		return false;
	return sa->action->type != ACTION_ENCODE || is_first_encode(w, sa);
}

bool sim_may_return(const struct sim_world *w, const struct sim_action *sa)
{
	return sa->is_carried && !is_hanging(sa) && !w->hold_return[sa->action->type] &&
	       (sa->action->type != ACTION_ENCODE || is_first_encode(w, sa));
}

/* The backing file takes nothing. */
static bool is_refused(const struct sim_action *sa)
{
	const struct sim_image *img;

	switch (sa->action->type) {
	case ACTION_BACK_WRITE:
	case ACTION_BACK_GROW:
	case ACTION_BACK_TRUNCATE:
	case ACTION_BACK_PUNCH:
	case ACTION_BACK_SYNC:
		img = cache_image_owner(sa->action->image);
		return img && sa->file && img->is_refusing;
	default:
		return false;
	}
}

void sim_carry(struct sim_world *w, struct sim_action *sa, struct rng *rng)
{
	int err;

	if (rng && sa->write && rng_chance(rng, 1, 3)) {
		simdev_write_apply(w->dev, sa->write, rng);
		TRACE(w, "part of #%", sa->id);
		return;
	}
	if (rng && sa->action->type == ACTION_BACK_WRITE && rng_chance(rng, 1, 3)) {
		simfile_apply(sa->file, sa->change, rng);
		TRACE(w, "part of #%", sa->id);
		return;
	}
	sim_monitor_change(w, sa);
	err = w->fault ? w->fault(w, sa->action) : 0;
	if (!err && is_refused(sa))
		err = -ENOSPC;
	if (err) {
		TRACE(w, "fail #% (type %)", sa->id, sa->action->type);
		carry_badly(w, sa);
		sa->result = err;
	} else {
		TRACE(w, "carry #% (type %)", sa->id, sa->action->type);
		sa->result = carry_well(w, sa);
	}
	sa->is_carried = true;
}

/* ---- hand back ---- */

static void forget(struct sim_world *w, struct sim_action *sa)
{
	uint32_t i = 0;

	while (w->action[i] != sa)
		i++;
	for (w->nr_actions--; i < w->nr_actions; i++)
		w->action[i] = w->action[i + 1];
	free(sa);
}

static void check_unchanged(struct sim_world *w, const struct sim_action *sa)
{
	const struct action *a = sa->action;

	if (sa->write && !simdev_write_is_unchanged(sa->write, a->iov, a->nr_iov))
		sim_fail(w, "the memory of write #%lu (%s) changed while it was under way",
			 (unsigned long)sa->id, sim_action_text(a->type));
	if (a->type == ACTION_BACK_WRITE && !simchange_is_unchanged(sa->change, a->iov, a->nr_iov))
		sim_fail(w, "the memory of backing write #%lu changed while it was under way",
			 (unsigned long)sa->id);
}

void sim_return(struct sim_world *w, struct sim_action *sa)
{
	struct action *a = sa->action;
	int result = sa->result;
	struct outbox ob;

	TRACE(w, "return #% (type %) result %", sa->id, a->type, (uint64_t)result);
	check_unchanged(w, sa);
	if (sa->write && result < 0)
		simdev_write_fail(w->dev, sa->write);
	else if (sa->write)
		simdev_write_return(w->dev, sa->write);
	if (sa->change && result < 0)
		simfile_fail(sa->file, sa->change);
	else if (sa->change)
		simfile_return(sa->file, sa->change);
	forget(w, sa);
	outbox_init(&ob);
	cache_complete(w->cache, a, result, w->now, &ob);
	sim_take(w, &ob);
}

void sim_forget_actions(struct sim_world *w)
{
	for (uint32_t i = 0; i < w->nr_actions; i++)
		free(w->action[i]);
	w->nr_actions = 0;
}

uint32_t sim_count_actions(const struct sim_world *w, enum action_type type)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < w->nr_actions; i++)
		n += w->action[i]->action->type == type;
	return n;
}
