// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The I/O thread: reads and writes of the device and of backing files, checksums of what was
 * read, the core's timer, the governor's samples. It never blocks but in its loop.
 *
 * What a hung backing store can hold up. Its reads and writes fill at most ENGINE_BACK_SLOTS;
 * those of the cache device have slots of their own and go on. Behind the slots the kernel
 * carries out in workers what it cannot start without blocking (buffered files, mostly), and what
 * it would start here and block nevertheless (FUSE): ENGINE_BACK_WORKERS of them may hang before
 * others of that kind wait.
 *
 * Sleeping: before it sleeps the thread publishes until when, and then looks at the deadline once
 * more. Who changes the core's state looks at the deadline afterwards and wakes the thread if it
 * sleeps longer. One of the two sees what the other did, since both touch sleeps_until by a
 * read-modify-write in between.
 */
#include <errno.h>

#include "common/align.h"
#include "common/clock.h"
#include "common/messages.h"
#include "lcfs/cache/hanging.h"
#include "lcfs/image/engine_impl.h"

#define IO_RING_DEPTH 256
#define ENGINE_BACK_WORKERS 96 /* migration has 64 out at the most (migrate_aside.c) */
/* How soon a new interval of the governor's samples is noticed. */
#define INTERVAL_CHECK_NS NSEC_PER_SEC

/* ------------------------------------------------------------------ work */

static void work(struct engine *e, struct action *a)
{
	engine_complete(e, a, cache_work(e->conf.cache, a));
}

/* Sorts what came in; checksums are done at once. */
static void take_in(struct engine *e)
{
	struct engine_io *io = &e->io;
	struct action *a;

	loop_take(io->loop, &io->todo);
	while ((a = list_pop_head(&io->todo, struct action, node))) {
		if (a->type == ACTION_WORK)
			work(e, a);
		else if (a->type == ACTION_DEV_READ || a->type == ACTION_DEV_WRITE)
			engine_lane_add(&io->dev, a);
		else
			engine_lane_add(&io->back, a);
	}
	engine_lane_start(&io->dev);
	engine_lane_start(&io->back);
}

/* ------------------------------------------------------------------ clocks */

static void tick(struct engine *e, uint64_t now)
{
	struct outbox ob;

	outbox_init(&ob);
	cache_tick(e->conf.cache, now, &ob);
	engine_carry(e, &ob);
}

static void sample(struct engine *e, uint64_t now)
{
	struct outbox ob;

	e->io.sampled_at = now;
	outbox_init(&ob);
	cache_governor(e->conf.cache, e->conf.ops->busy_percent(e->conf.ctx), now, &ob);
	engine_carry(e, &ob);
}

/* Requests to the cache device that have been under way for long are the core's to judge. */
static void watch_device(struct engine *e, uint64_t now)
{
	uint64_t since = engine_device_oldest(e);
	uint64_t for_ns = since < now ? now - since : 0;
	struct outbox ob;

	if (for_ns < CACHE_HANG_TOLD_NS && !e->io.is_hang_told)
		return;
	if (for_ns >= CACHE_HANG_TOLD_NS && !e->io.is_hang_told)
		msg_warn("%s: a request to the cache device hangs since %llu s", e->conf.name,
			 (unsigned long long)(for_ns / NSEC_PER_SEC));
	e->io.is_hang_told = for_ns >= CACHE_HANG_TOLD_NS;
	outbox_init(&ob);
	cache_device_hangs(e->conf.cache, e->io.is_hang_told ? for_ns : 0, now, &ob);
	engine_tell_lost(e);
	engine_carry(e, &ob);
}

static void watch_files(struct engine *e, uint64_t now)
{
	char path[OP_PATH_MAX + 1];
	uint64_t since;

	engine_back_relieve(e);
	while (cache_tell_hanging(e->conf.cache, path, &since))
		msg_warn("%s: its backing file does not answer since %llu s: what is written to it "
			 "stays in the cache until it does; the other images go on",
			 path, (unsigned long long)((now - since) / NSEC_PER_SEC));
}

/* Takes a sample if one is due. Returns when to look again. */
static uint64_t govern(struct engine *e, uint64_t now)
{
	struct engine_io *io = &e->io;
	uint64_t interval;

	if (!e->conf.ops->busy_percent)
		return UINT64_MAX;
	if (now < io->govern_at)
		return io->govern_at;
	watch_device(e, now);
	watch_files(e, now);
	interval = cache_knob_get(e->conf.cache, KNOB_UPDATE_INTERVAL) * NSEC_PER_SEC;
	if (interval && now - io->sampled_at >= interval)
		sample(e, now);
	io->govern_at = now + INTERVAL_CHECK_NS;
	if (interval)
		io->govern_at = min(io->govern_at, io->sampled_at + interval);
	return io->govern_at;
}

/* Does what is due; returns until when to sleep, 0: not at all. */
static uint64_t run_clocks(struct engine *e)
{
	uint64_t now = engine_now(e);
	uint64_t deadline = cache_deadline(e->conf.cache);
	uint64_t until;

	if (deadline <= now)
		tick(e, now);
	until = govern(e, now);
	until = min(until, engine_lane_again(&e->io.dev, now));
	until = min(until, cache_deadline(e->conf.cache));
	if (!list_is_empty(&e->io.todo))
		return 0;
	(void)atomic_exchange(&e->io.sleeps_until, until);
	return cache_deadline(e->conf.cache) < until ? 0 : until;
}

void engine_io_check_deadline(struct engine *e)
{
	uint64_t sleeps_until;

	if (engine_thread_part == &e->io)
		return;
	sleeps_until = atomic_fetch_or(&e->io.sleeps_until, 0);
	if (cache_deadline(e->conf.cache) < sleeps_until)
		loop_poke(e->io.loop);
}

/* ------------------------------------------------------------------ thread */

static void io_run(struct engine *e)
{
	struct engine_io *io = &e->io;

	while (!atomic_load(&e->is_ending)) {
		take_in(e);
		loop_run(io->loop, run_clocks(e));
	}
	atomic_store(&io->has_ended, true);
	(void)engine_lane_again(&io->dev, UINT64_MAX);
	while (loop_in_flight(io->loop))
		loop_run(io->loop, UINT64_MAX);
}

static void *io_main(void *arg)
{
	struct engine *e = arg;
	struct engine_io *io = &e->io;
	struct loop_conf conf = {
		.depth = IO_RING_DEPTH,
		.blocking = ENGINE_BACK_WORKERS,
		.fixed = e->conf.fixed,
		.nr_fixed = e->conf.nr_fixed,
	};
	int err = loop_open(&io->loop, &conf);

	io->dev.loop = io->loop;
	io->back.loop = io->loop;
	engine_thread_ready(e, io, io->loop, err);
	if (!err)
		io_run(e);
	return NULL;
}

void engine_io_init(struct engine *e)
{
	list_init(&e->io.todo);
	e->io.sampled_at = engine_now(e);
}

int engine_io_start(struct engine *e)
{
	struct engine_io *io = &e->io;
	int err = engine_lane_init(&io->dev, e, ENGINE_DEV_SLOTS);

	if (!err)
		err = engine_lane_init(&io->back, e, ENGINE_BACK_SLOTS);
	if (err)
		return err;
	err = engine_thread_create(&io->thread, "lcfs-io", io_main, e);
	io->has_thread = !err;
	e->nr_loops += !err;
	return err;
}

void engine_io_join(struct engine *e)
{
	struct engine_io *io = &e->io;

	if (!io->has_thread)
		return;
	if (io->loop)
		loop_poke(io->loop);
	pthread_join(io->thread, NULL);
}

void engine_io_free(struct engine *e)
{
	loop_close(e->io.loop);
	engine_lane_free(&e->io.dev);
	engine_lane_free(&e->io.back);
}

void engine_io_post(struct engine *e, struct list *actions)
{
	if (engine_thread_part == &e->io)
		list_splice_tail(&e->io.todo, actions);
	else
		loop_post(e->io.loop, actions);
}
