// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The engine: life, and the carrying of outboxes.
 *
 * An action goes to the thread of its type; what that thread gets back from the core when it
 * completes the action, it carries itself. So a sync is one wake-up of the log thread, which
 * encodes, writes, flushes and tells the owner of the request, without another hand-off.
 *
 * The owner's callback for RESUME and DONE may enter the core again and carry what comes of it,
 * whose requests may do the same, and so on. To keep the stack flat, a thread that carries
 * already only appends: the outermost engine_carry() does the work.
 *
 * Nothing is allocated after the start.
 */
#include "lcfs/image/engine.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/align.h"
#include "common/clock.h"
#include "common/messages.h"
#include "common/probe.h"
#include "lcfs/cache/hanging.h"
#include "lcfs/image/engine_impl.h"

/* What this thread is carrying, innermost engine first. */
struct carry {
	struct engine *engine;
	struct list actions;
};

/* What is out to backing files when the log has ended is nobody's any more; but it may be about to
 * come back. */
#define FILES_GRACE_NS NSEC_PER_SEC

static _Thread_local struct carry *carrying;
_Thread_local const void *engine_thread_part;
_Thread_local struct engine_lent engine_lent;

uint64_t engine_now(unused_ struct engine *e)
{
	return clock_mono_ns();
}

/* ------------------------------------------------------------------ carrying */

enum part {
	PART_LOG,
	PART_IO,
	PART_BACK,
	PART_REQUEST,
	NR_PARTS
};

static enum part part_of(const struct action *a)
{
	switch (a->type) {
	case ACTION_ENCODE:
	case ACTION_LOG_WRITE:
	case ACTION_FLUSH:
		return PART_LOG;
	case ACTION_DEV_READ:
	case ACTION_DEV_WRITE:
	case ACTION_BACK_READ:
	case ACTION_BACK_WRITE:
	case ACTION_WORK:
		return PART_IO;
	case ACTION_BACK_CHECK:
	case ACTION_BACK_LEAVE:
	case ACTION_BACK_GROW:
	case ACTION_BACK_TRUNCATE:
	case ACTION_BACK_PUNCH:
	case ACTION_BACK_SYNC:
		return PART_BACK;
	case ACTION_RESUME:
	case ACTION_DONE:
		break;
	}
	return PART_REQUEST;
}

static void sort_once(struct engine *e, struct list *actions, struct list *requests)
{
	struct list to[NR_PARTS];
	struct action *a;

	for (int i = 0; i < NR_PARTS; i++)
		list_init(&to[i]);
	while ((a = list_pop_head(actions, struct action, node))) {
		PROBE3(action, a, a->type, a->off);
		list_add_tail(&to[part_of(a)], &a->node);
	}
	engine_log_post(e, &to[PART_LOG]);
	engine_io_post(e, &to[PART_IO]);
	engine_back_post(e, &to[PART_BACK]);
	list_splice_tail(requests, &to[PART_REQUEST]);
}

/* Hands all actions to their threads, and gives the requests, in order. A thread that is lent does
 * some of it at once, which may bring up more. */
static void sort_out(struct engine *e, struct list *actions, struct list *requests)
{
	while (!list_is_empty(actions))
		sort_once(e, actions, requests);
}

static void note_shutdown(struct engine *e)
{
	LOCK_SCOPE(&e->lock);

	e->is_shut_down = true;
	cond_broadcast(&e->changed);
}

static void hand_over(struct engine *e, struct action *a)
{
	if (a == &e->shutdown)
		note_shutdown(e);
	else
		e->conf.ops->request(e->conf.ctx, a);
}

static void carry_all(struct engine *e, struct list *actions)
{
	struct carry c = { .engine = e };
	struct carry *outer = carrying;
	struct action *a;

	list_init(&c.actions);
	list_splice_tail(&c.actions, actions);
	carrying = &c;
	while (!list_is_empty(&c.actions)) {
		struct list requests;

		list_init(&requests);
		sort_out(e, &c.actions, &requests);
		if (engine_log_let_tell(e, &requests))
			continue;
		/*
		 * Between two callbacks what the first one brought up is sorted out, so that
		 * I/O starts early.
		 */
		while ((a = list_pop_head(&requests, struct action, node))) {
			hand_over(e, a);
			sort_out(e, &c.actions, &requests);
		}
	}
	carrying = outer;
}

void engine_carry(struct engine *e, struct outbox *ob)
{
	if (atomic_load_explicit(&e->is_abandoned, memory_order_relaxed)) {
		outbox_init(ob);
		return;
	}
	if (carrying && carrying->engine == e) {
		list_splice_tail(&carrying->actions, &ob->actions);
		return;
	}
	if (!list_is_empty(&ob->actions))
		carry_all(e, &ob->actions);
	engine_io_check_deadline(e);
}

void engine_carry_lent(struct engine *e, struct outbox *ob)
{
	static atomic_flag is_one_lent = ATOMIC_FLAG_INIT;
	bool lends = !carrying && !atomic_flag_test_and_set(&is_one_lent);

	if (lends)
		engine_lent = (struct engine_lent){ .engine = e };
	engine_carry(e, ob);
	if (!lends)
		return;
	engine_lent.engine = NULL;
	atomic_flag_clear(&is_one_lent);
}

/* Not those that are tried again for reasons of our own. */
static void tell_file_failure(struct engine *e, const struct action *a, int error)
{
	const char *verb = a->type == ACTION_BACK_READ ? "read" :
			   a->type == ACTION_BACK_GROW ? "made longer" :
							 "written";
	char path[OP_PATH_MAX + 1];

	if (error == EAGAIN)
		return;
	cache_image_path(e->conf.cache, a->image, path);
	msg_warn_ratelimited("%s: its backing file cannot be %s at byte %llu: %s", path, verb,
			     (unsigned long long)a->off, strerror(error));
}

static const char *device_call(const struct action *a)
{
	return a->type == ACTION_LOG_WRITE ? "a write of the log" :
	       a->type == ACTION_DEV_WRITE ? "a write of super block or table" :
	       a->type == ACTION_FLUSH	   ? "a flush" :
					     NULL;
}

/* The core does not speak: a cache device that is given up is said here, once. */
void engine_tell_lost(struct engine *e)
{
	struct cache_status st;

	if (!cache_is_lost(e->conf.cache) || atomic_exchange(&e->has_failed, true))
		return;
	cache_status(e->conf.cache, &st);
	msg_err("%s: the cache device failed (%s) and is given up: what can be read of its data "
		"goes to the image files, and so does from now on all that is written; see lcctl "
		"status",
		e->conf.name, strerror(st.error));
}

static void tell_failure(struct engine *e, const struct action *a, int error)
{
	const char *what = device_call(a);

	if (what && !atomic_load(&e->has_failed))
		msg_warn_ratelimited("%s: %s failed: %s", e->conf.name, what, strerror(error));
	else if (a->type == ACTION_BACK_READ || a->type == ACTION_BACK_WRITE ||
		 a->type == ACTION_BACK_GROW)
		tell_file_failure(e, a, error);
	else if (a->type == ACTION_DEV_READ && !atomic_load(&e->has_failed))
		msg_warn_ratelimited("%s: the cache cannot be read at byte %llu: %s", e->conf.name,
				     (unsigned long long)a->off, strerror(error));
}

void engine_complete(struct engine *e, struct action *a, int result)
{
	struct outbox ob;

	if (atomic_load_explicit(&e->is_abandoned, memory_order_relaxed))
		return;
	PROBE3(action_done, a, a->type, result);
	if (result < 0)
		tell_failure(e, a, -result);
	outbox_init(&ob);
	cache_complete(e->conf.cache, a, result, engine_now(e), &ob);
	if (result < 0)
		engine_tell_lost(e);
	engine_carry(e, &ob);
}

void engine_flight(struct engine *e, const struct action *a, bool begins)
{
	bool is_back = a->type == ACTION_BACK_READ || a->type == ACTION_BACK_WRITE ||
		       part_of(a) == PART_BACK;

	if (is_back && begins)
		atomic_fetch_add_explicit(&e->on_files, 1, memory_order_relaxed);
	else if (is_back)
		atomic_fetch_sub_explicit(&e->on_files, 1, memory_order_relaxed);
	if (is_back && !a->is_migration && e->conf.ops->flight)
		e->conf.ops->flight(e->conf.ctx, begins);
}

/* ------------------------------------------------------------------ threads */

int engine_thread_create(pthread_t *thread, const char *name, void *(*fn)(void *), void *arg)
{
	sigset_t all, old;
	int err;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	err = -pthread_create(thread, NULL, fn, arg);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (!err)
		(void)pthread_setname_np(*thread, name);
	return err;
}

void engine_thread_ready(struct engine *e, const void *part, struct loop *loop, int err)
{
	LOCK_SCOPE(&e->lock);

	engine_thread_part = part;
	e->nr_ready++;
	if (err && !e->start_error)
		e->start_error = err;
	if (loop)
		(void)loop_engine(loop, &e->uring_error);
	cond_broadcast(&e->changed);
}

/* Until the threads that own loops have them, or have failed. */
static int wait_ready(struct engine *e)
{
	LOCK_SCOPE(&e->lock);

	while (e->nr_ready < e->nr_loops)
		cond_wait(&e->changed, &e->lock);
	return e->start_error;
}

static void end_threads(struct engine *e)
{
	atomic_store(&e->is_ending, true);
	engine_log_join(e);
	engine_io_join(e);
	engine_back_join(e);
}

bool engine_is_hanging(struct engine *e)
{
	struct cache_status st;

	cache_status(e->conf.cache, &st);
	return st.is_failed && st.hangs_ns && engine_device_oldest(e) != UINT64_MAX;
}

/*
 * What hangs in the kernel cannot be waited for, nor be taken back: its threads and all that it
 * writes to are left behind, for the process to end with them.
 */
static bool leave_hanging(struct engine *e)
{
	const struct timespec moment = { .tv_nsec = 10 * (long)NSEC_PER_MSEC };

	if (!atomic_load(&e->is_left) && !engine_is_hanging(e))
		return false;
	msg_warn("%s: a request still hangs: the process cannot end before it does", e->conf.name);
	atomic_store(&e->is_abandoned, true);
	atomic_store(&e->is_ending, true);
	while (!atomic_load(&e->io.has_ended)) {
		loop_poke(e->io.loop);
		nanosleep(&moment, NULL);
	}
	engine_back_join(e);
	cache_leave(e->conf.cache);
	return true;
}

/* The same where it is backing files; the log has ended. */
static bool leave_hanging_files(struct engine *e)
{
	uint64_t until = engine_now(e) + FILES_GRACE_NS;
	const struct timespec moment = { .tv_nsec = 10 * (long)NSEC_PER_MSEC };

	while (atomic_load(&e->on_files) && engine_now(e) < until)
		nanosleep(&moment, NULL);
	if (!atomic_load(&e->on_files))
		return false;
	atomic_store(&e->is_abandoned, true);
	atomic_store(&e->is_ending, true);
	engine_log_join(e);
	cache_leave(e->conf.cache);
	return true;
}

static void engine_free(struct engine *e)
{
	engine_log_free(e);
	engine_io_free(e);
	engine_back_free(e);
	mutex_destroy(&e->lock);
	cond_destroy(&e->changed);
	free(e);
}

static int start_threads(struct engine *e)
{
	int err = engine_log_start(e);

	/* The I/O thread ticks the core at once, which may want the log thread's loop. */
	if (!err)
		err = wait_ready(e);
	if (!err)
		err = engine_io_start(e);
	if (!err)
		err = wait_ready(e);
	if (!err)
		err = engine_back_start(e);
	return err;
}

int engine_start(struct engine **out, const struct engine_conf *conf)
{
	struct engine *e = calloc(1, sizeof(*e));
	int err;

	*out = NULL;
	if (!e)
		return -ENOMEM;
	e->conf = *conf;
	if (!e->conf.backing_threads)
		e->conf.backing_threads = 2;
	if (!e->conf.name)
		e->conf.name = "cache";
	mutex_init(&e->lock, ENGINE_RANK, "engine");
	cond_init(&e->changed);
	engine_log_init(e);
	engine_io_init(e);
	engine_back_init(e);
	err = start_threads(e);
	if (err) {
		atomic_store(&e->is_abandoned, true);
		(void)wait_ready(e);
		end_threads(e);
		engine_free(e);
		return err;
	}
	if (e->uring_error)
		msg_warn("io_uring cannot be used: %s: using threads instead, which is slower; see "
			 "sysctl kernel.io_uring_disabled, or the container's seccomp profile",
			 strerror(-e->uring_error));
	*out = e;
	return 0;
}

/* ------------------------------------------------------------------ the end */

static int wait_shut_down(struct engine *e)
{
	LOCK_SCOPE(&e->lock);

	while (!e->is_shut_down)
		cond_wait(&e->changed, &e->lock);
	return (int)(int64_t)e->shutdown.arg;
}

void engine_keep(struct engine *e)
{
	atomic_fetch_add(&e->on_files, 1);
}

bool engine_leave_lent(struct engine *e)
{
	if (engine_is_hanging(e))
		atomic_store(&e->is_left, true);
	return atomic_load(&e->is_left);
}

int engine_stop(struct engine *e)
{
	struct outbox ob;
	int err;

	outbox_init(&ob);
	cache_shutdown(e->conf.cache, &e->shutdown, engine_now(e), &ob);
	engine_carry(e, &ob);
	err = wait_shut_down(e);
	if (leave_hanging(e))
		return err;
	if (leave_hanging_files(e))
		return err ? err : ENGINE_HANGS;
	end_threads(e);
	engine_free(e);
	return err;
}

void engine_abandon(struct engine *e)
{
	atomic_store(&e->is_abandoned, true);
	end_threads(e);
	engine_free(e);
}
