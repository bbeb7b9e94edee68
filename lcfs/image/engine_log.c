// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The log thread and its committer.
 *
 * The log thread does one thing at a time, in this order: start the writes that are ready (so that
 * the device works while the next record is encoded), encode the next record, flush.
 *
 * Two ways to write. A lone small record, with nothing in flight and nothing else to do, is what
 * a sync brings up: it is written by a plain call, which is faster than the ring's two.
 * Everything else goes to the ring, so that several records are in flight.
 *
 * Two ways to flush, likewise. With nothing in flight and nothing to do the log thread calls
 * fdatasync itself; else the committer does, beside it, and tells the core, so that the stream of
 * another image never waits for a flush. Flushes that have gathered are answered by one call,
 * since each began after they were asked for.
 *
 * A thread that is lent (engine_carry_lent()) does for its sync what the log thread would do, one
 * record, its write and its flush, if that one sleeps and has nothing to do. That saves waking it,
 * which costs as much as a small write. Whose turn it is says a lock, which the log thread lets go
 * of when it goes to sleep with nothing in flight; a flush needs no turn.
 *
 * A commit of many syncs has many owners to tell, which takes as long as a small write. If the next
 * record waits already, the committer tells them, and the log thread goes on.
 */
#include <errno.h>
#include <unistd.h>

#include "common/align.h"
#include "lcfs/image/engine_impl.h"

#define LOG_RING_DEPTH 64
#define PLAIN_WRITE_MAX (256u << 10)

/* since: where it stands from when on the call has been under way. */
static int flush(struct engine *e, _Atomic uint64_t *since)
{
	int err;

	atomic_store_explicit(since, engine_now(e), memory_order_relaxed);
	err = fdatasync(e->conf.log_fd) < 0 ? -errno : 0;
	atomic_store_explicit(since, 0, memory_order_relaxed);
	return err;
}

static uint64_t oldest(_Atomic uint64_t *since, uint64_t other)
{
	uint64_t at = atomic_load_explicit(since, memory_order_relaxed);

	return at ? min(at, other) : other;
}

uint64_t engine_device_oldest(struct engine *e)
{
	uint64_t at = min(engine_lane_oldest(&e->log.lane), engine_lane_oldest(&e->io.dev));

	at = oldest(&e->log.call_since_ns, oldest(&e->log.commit_since_ns, at));
	return oldest(&e->log.lent_since_ns, at);
}

static void complete_all(struct engine *e, struct list *actions, int result)
{
	struct action *a;

	while ((a = list_pop_head(actions, struct action, node)))
		engine_complete(e, a, result);
}

/* ------------------------------------------------------------------ committer */

/* Waits for work; false at the end. */
static bool next_work(struct engine_log *log, struct list *flushes, struct outbox *requests)
{
	LOCK_SCOPE(&log->lock);

	while (list_is_empty(&log->committing) && list_is_empty(&log->telling) && !log->is_ending)
		cond_wait(&log->has_work, &log->lock);
	list_splice_tail(flushes, &log->committing);
	list_splice_tail(&requests->actions, &log->telling);
	return !list_is_empty(flushes) || !list_is_empty(&requests->actions);
}

static void *committer_main(void *arg)
{
	struct engine *e = arg;
	struct outbox requests;
	struct list flushes;

	list_init(&flushes);
	outbox_init(&requests);
	while (next_work(&e->log, &flushes, &requests)) {
		if (!list_is_empty(&flushes))
			complete_all(e, &flushes, flush(e, &e->log.commit_since_ns));
		engine_carry(e, &requests);
	}
	return NULL;
}

/* Moves all of work to queue, one of the committer's. */
static void hand_to_committer(struct engine_log *log, struct list *queue, struct list *work)
{
	LOCK_SCOPE(&log->lock);

	list_splice_tail(queue, work);
	cond_signal(&log->has_work);
}

static bool is_lone(const struct list *l)
{
	return !list_is_empty(l) && l->next == l->prev;
}

bool engine_log_let_tell(struct engine *e, struct list *requests)
{
	struct engine_log *log = &e->log;

	if (engine_thread_part != log || list_is_empty(requests) || is_lone(requests) ||
	    (list_is_empty(&log->encodes) && list_is_empty(&log->writes)))
		return false;
	hand_to_committer(log, &log->telling, requests);
	return true;
}

/* ------------------------------------------------------------------ log thread */

static void sort_in(struct engine_log *log, struct list *actions)
{
	struct action *a;

	while ((a = list_pop_head(actions, struct action, node))) {
		struct list *to = a->type == ACTION_ENCODE ? &log->encodes :
				  a->type == ACTION_FLUSH  ? &log->flushes :
							     &log->writes;

		list_add_tail(to, &a->node);
	}
}

static void take_posts(struct engine_log *log)
{
	struct list posts;

	list_init(&posts);
	if (loop_take(log->loop, &posts))
		sort_in(log, &posts);
}

/* Nothing in flight, nothing to encode, nothing on its way here. */
static bool is_quiet(struct engine_log *log)
{
	return log->lane.nr_used == 0 && list_is_empty(&log->lane.pending) &&
	       list_is_empty(&log->encodes) && !loop_has_posts(log->loop);
}

static uint64_t bytes_of(const struct action *a)
{
	uint64_t sum = 0;

	for (int i = 0; i < a->nr_iov; i++)
		sum += a->iov[i].iov_len;
	return sum;
}

/* Has the turn. */
static int write_plainly(struct engine *e, const struct action *a)
{
	struct loop_op op = {
		.fd = e->conf.log_fd,
		.is_write = true,
		.iov = a->iov,
		.nr_iov = a->nr_iov,
		.off = a->off,
	};
	int result;

	atomic_store_explicit(&e->log.call_since_ns, engine_now(e), memory_order_relaxed);
	result = loop_op_now(&op);
	atomic_store_explicit(&e->log.call_since_ns, 0, memory_order_relaxed);
	return result;
}

static void do_writes(struct engine *e)
{
	struct engine_log *log = &e->log;
	struct action *a = list_first_entry(&log->writes, struct action, node);

	if (is_lone(&log->writes) && bytes_of(a) <= PLAIN_WRITE_MAX && is_quiet(log)) {
		list_del(&a->node);
		engine_complete(e, a, write_plainly(e, a));
		return;
	}
	while ((a = list_pop_head(&log->writes, struct action, node)))
		engine_lane_add(&log->lane, a);
	engine_lane_start(&log->lane); /* log_run() submits it */
}

static void do_encode(struct engine *e)
{
	struct action *a = list_pop_head(&e->log.encodes, struct action, node);

	cache_encode(e->conf.cache, a);
	engine_complete(e, a, 0);
}

static void do_flushes(struct engine *e)
{
	struct list flushes;

	if (!is_quiet(&e->log)) {
		hand_to_committer(&e->log, &e->log.committing, &e->log.flushes);
		return;
	}
	list_init(&flushes);
	list_splice_tail(&flushes, &e->log.flushes);
	complete_all(e, &flushes, flush(e, &e->log.call_since_ns));
}

/* One thing; false when there was nothing to do. */
static bool do_one(struct engine *e)
{
	struct engine_log *log = &e->log;

	if (!list_is_empty(&log->writes))
		do_writes(e);
	else if (!list_is_empty(&log->encodes))
		do_encode(e);
	else if (!list_is_empty(&log->flushes))
		do_flushes(e);
	else
		return false;
	return true;
}

/* Waits for something to do; a thread that is lent may have the turn meanwhile. */
static void sleep_lightly(struct engine_log *log)
{
	mutex_unlock(&log->turn);
	loop_run(log->loop, UINT64_MAX);
	mutex_lock(&log->turn);
}

static void log_run(struct engine *e)
{
	struct engine_log *log = &e->log;
	LOCK_SCOPE(&log->turn);

	for (;;) {
		bool is_ending = atomic_load(&e->is_ending);
		bool is_busy = !is_ending;

		take_posts(log);
		is_busy = is_busy && do_one(e);
		if (is_ending && !loop_in_flight(log->loop))
			return;
		if (loop_in_flight(log->loop))
			loop_run(log->loop, is_busy ? 0 : UINT64_MAX);
		else if (!is_busy)
			sleep_lightly(log);
		if (!is_ending)
			engine_lane_start(&log->lane);
	}
}

static void *log_main(void *arg)
{
	struct engine *e = arg;
	struct engine_log *log = &e->log;
	struct loop_conf conf = {
		.depth = LOG_RING_DEPTH,
		.blocking = 8,
		.fixed = e->conf.fixed,
		.nr_fixed = e->conf.nr_fixed,
	};
	int err = loop_open(&log->loop, &conf);

	log->lane.loop = log->loop;
	engine_thread_ready(e, log, log->loop, err);
	if (err)
		return NULL;
	log_run(e);
	return NULL;
}

void engine_log_init(struct engine *e)
{
	struct engine_log *log = &e->log;

	list_init(&log->encodes);
	list_init(&log->writes);
	list_init(&log->flushes);
	list_init(&log->committing);
	list_init(&log->telling);
	mutex_init(&log->turn, ENGINE_TURN_RANK, "turn of the log");
	mutex_init(&log->lock, ENGINE_COMMIT_RANK, "committer");
	cond_init(&log->has_work);
}

int engine_log_start(struct engine *e)
{
	struct engine_log *log = &e->log;
	int err;

	err = engine_lane_init(&log->lane, e, ENGINE_LOG_SLOTS);
	if (err)
		return err;
	err = engine_thread_create(&log->committer, "lcfs-commit", committer_main, e);
	log->has_committer = !err;
	if (err)
		return err;
	err = engine_thread_create(&log->thread, "lcfs-log", log_main, e);
	log->has_thread = !err;
	e->nr_loops += !err;
	return err;
}

void engine_log_join(struct engine *e)
{
	struct engine_log *log = &e->log;

	if (log->has_thread) {
		if (log->loop)
			loop_poke(log->loop);
		pthread_join(log->thread, NULL);
	}
	if (log->has_committer) {
		mutex_lock(&log->lock);
		log->is_ending = true;
		cond_signal(&log->has_work);
		mutex_unlock(&log->lock);
		pthread_join(log->committer, NULL);
	}
}

void engine_log_free(struct engine *e)
{
	struct engine_log *log = &e->log;

	loop_close(log->loop);
	engine_lane_free(&log->lane);
	mutex_destroy(&log->turn);
	mutex_destroy(&log->lock);
	cond_destroy(&log->has_work);
}

/* ------------------------------------------------------------------ lent threads */

/* Nothing is under way or waits, and the log thread sleeps. */
static bool take_turn(struct engine_log *log)
{
	if (!mutex_trylock(&log->turn))
		return false;
	if (is_quiet(log) && list_is_empty(&log->writes) && list_is_empty(&log->flushes))
		return true;
	mutex_unlock(&log->turn);
	return false;
}

/* Has the turn, and gives it back. */
static int do_lent(struct engine *e, struct action *a)
{
	struct engine_log *log = &e->log;
	int result = 0;

	if (a->type == ACTION_ENCODE)
		cache_encode(e->conf.cache, a);
	else if (a->type == ACTION_LOG_WRITE)
		result = write_plainly(e, a);
	mutex_unlock(&log->turn);
	if (a->type == ACTION_FLUSH)
		result = flush(e, &log->lent_since_ns);
	return result;
}

/* Each step of a commit once: then its sync is answered, and the rest is not this thread's. */
static bool may_lend(const struct engine *e, const struct list *actions)
{
	const struct action *a = list_first_entry(actions, struct action, node);

	return engine_lent.engine == e && is_lone(actions) &&
	       !(engine_lent.done & 1u << a->type) &&
	       (a->type != ACTION_LOG_WRITE || bytes_of(a) <= PLAIN_WRITE_MAX);
}

static bool lend_hand(struct engine *e, struct list *actions)
{
	struct action *a;

	if (!may_lend(e, actions) || !take_turn(&e->log))
		return false;
	a = list_pop_head(actions, struct action, node);
	engine_lent.done |= 1u << a->type;
	engine_complete(e, a, do_lent(e, a));
	return true;
}

void engine_log_post(struct engine *e, struct list *actions)
{
	if (engine_thread_part == &e->log)
		sort_in(&e->log, actions);
	else if (!lend_hand(e, actions))
		loop_post(e->log.loop, actions);
}
