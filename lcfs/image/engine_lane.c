// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Reads and writes of the core on a loop: so many at a time as there are slots, the others in
 * order behind.
 *
 * A read of the cache device that fails is tried again twice, with growing pauses, before the core
 * hears of it: what it holds may be the only copy, and who waits for it would see an error. They
 * are tried again one at a time: the kernel makes one request of neighbours that come together, and
 * a bad place in it would be one of all of them. Writes and flushes are the core's to repeat
 * (retry.c).
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/align.h"
#include "common/clock.h"
#include "common/messages.h"
#include "lcfs/image/engine_impl.h"

#define READ_TRIES 3u
#define AGAIN_NS (10 * NSEC_PER_MSEC)
#define AGAIN_GROWTH 10u

int engine_lane_init(struct engine_lane *lane, struct engine *e, unsigned int nr_slots)
{
	list_init(&lane->pending);
	list_init(&lane->free);
	list_init(&lane->again);
	lane->slots = calloc(nr_slots, sizeof(*lane->slots));
	if (!lane->slots)
		return -ENOMEM;
	lane->nr_slots = nr_slots;
	for (unsigned int i = 0; i < nr_slots; i++) {
		struct engine_slot *s = &lane->slots[i];

		s->engine = e;
		s->lane = lane;
		list_add_tail(&lane->free, &s->node);
	}
	return 0;
}

void engine_lane_free(struct engine_lane *lane)
{
	free(lane->slots);
	lane->slots = NULL;
}

void engine_lane_add(struct engine_lane *lane, struct action *a)
{
	list_add_tail(&lane->pending, &a->node);
}

/* Not once the device is given up: the core tries again by itself what it has to. */
static bool try_again(struct engine_slot *s, const struct action *a, int result)
{
	struct engine *e = s->engine;

	if (result >= 0 || a->type != ACTION_DEV_READ || ++s->tries == READ_TRIES ||
	    cache_is_lost(e->conf.cache) || atomic_load(&e->is_ending))
		return false;
	if (s->tries == 1)
		msg_warn_ratelimited("%s: a read at byte %llu failed, and is tried again: %s",
				     e->conf.name, (unsigned long long)a->off, strerror(-result));
	s->again_ns = engine_now(e) + (s->tries == 1 ? AGAIN_NS : AGAIN_NS * AGAIN_GROWTH);
	list_add_tail(&s->lane->again, &s->node);
	return true;
}

uint64_t engine_lane_again(struct engine_lane *lane, uint64_t now)
{
	uint64_t next = UINT64_MAX;
	struct engine_slot *s, *tmp;

	list_for_each_entry_safe(s, tmp, &lane->again, node) {
		if (s->again_ns > now) {
			next = min(next, s->again_ns);
			continue;
		}
		if (lane->is_trying && now != UINT64_MAX)
			continue;
		lane->is_trying = true;
		list_del(&s->node);
		loop_start(lane->loop, &s->op);
	}
	return next;
}

static void slot_done(struct loop_op *op, int result)
{
	struct engine_slot *s = container_of(op, struct engine_slot, op);
	struct engine_lane *lane = s->lane;
	struct action *a = s->action;

	if (s->tries)
		lane->is_trying = false;
	if (try_again(s, a, result))
		return;
	/* The last one used is in the processor's cache: it is the next. */
	list_add_head(&lane->free, &s->node);
	lane->nr_used--;
	engine_flight(s->engine, a, false);
	atomic_store_explicit(&s->since_ns, 0, memory_order_relaxed);
	engine_complete(s->engine, a, result);
}

/* The descriptor, or -errno. */
static int find_fd(const struct engine *e, const struct action *a)
{
	bool is_back_write = a->type == ACTION_BACK_WRITE;
	uint64_t len = 0;

	if (!is_back_write && a->type != ACTION_BACK_READ)
		return e->conf.log_fd;
	for (int i = 0; i < a->nr_iov; i++)
		len += a->iov[i].iov_len;
	return e->conf.ops->backing_fd(e->conf.ctx, a->image, is_back_write, a->off, len);
}

static bool may_block(const struct engine *e, const struct engine_lane *lane,
		      const struct action *a)
{
	return lane == &e->io.back && e->conf.ops->backing_blocks &&
	       e->conf.ops->backing_blocks(e->conf.ctx, a->image);
}

static void start(struct engine_lane *lane, struct engine_slot *s, struct action *a, int fd)
{
	s->action = a;
	s->tries = 0;
	s->op = (struct loop_op){
		.fd = fd,
		.is_write = a->type != ACTION_DEV_READ && a->type != ACTION_BACK_READ,
		.zero_beyond_end = a->type == ACTION_BACK_READ,
		.may_block = may_block(s->engine, lane, a),
		.iov = a->iov,
		.nr_iov = a->nr_iov,
		.off = a->off,
		.done = slot_done,
	};
	lane->nr_used++;
	engine_flight(s->engine, a, true);
	if (lane != &s->engine->io.back)
		atomic_store_explicit(&s->since_ns, engine_now(s->engine), memory_order_relaxed);
	loop_start(lane->loop, &s->op);
}

uint64_t engine_lane_oldest(struct engine_lane *lane)
{
	uint64_t oldest = UINT64_MAX;

	for (unsigned int i = 0; lane->slots && i < lane->nr_slots; i++) {
		uint64_t since =
			atomic_load_explicit(&lane->slots[i].since_ns, memory_order_relaxed);

		if (since)
			oldest = min(oldest, since);
	}
	return oldest;
}

void engine_lane_start(struct engine_lane *lane)
{
	while (!list_is_empty(&lane->pending) && !list_is_empty(&lane->free)) {
		struct engine_slot *s = list_first_entry(&lane->free, struct engine_slot, node);
		struct action *a = list_pop_head(&lane->pending, struct action, node);
		int fd = find_fd(s->engine, a);

		if (fd < 0) {
			engine_complete(s->engine, a, fd);
			continue;
		}
		list_del(&s->node);
		start(lane, s, a, fd);
	}
}
