// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Reads and writes of the core on a loop: so many at a time as there are slots, the others in
 * order behind.
 */
#include <errno.h>
#include <stdlib.h>

#include "lcfs/image/engine_impl.h"

int engine_lane_init(struct engine_lane *lane, struct engine *e, unsigned int nr_slots)
{
	list_init(&lane->pending);
	list_init(&lane->free);
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

static void slot_done(struct loop_op *op, int result)
{
	struct engine_slot *s = container_of(op, struct engine_slot, op);
	struct engine_lane *lane = s->lane;
	struct action *a = s->action;

	/* The last one used is in the processor's cache: it is the next. */
	list_add_head(&lane->free, &s->node);
	lane->nr_used--;
	engine_flight(s->engine, a, false);
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

static void start(struct engine_lane *lane, struct engine_slot *s, struct action *a, int fd)
{
	s->action = a;
	s->op = (struct loop_op){
		.fd = fd,
		.is_write = a->type != ACTION_DEV_READ && a->type != ACTION_BACK_READ,
		.zero_beyond_end = a->type == ACTION_BACK_READ,
		.iov = a->iov,
		.nr_iov = a->nr_iov,
		.off = a->off,
		.done = slot_done,
	};
	lane->nr_used++;
	engine_flight(s->engine, a, true);
	loop_start(lane->loop, &s->op);
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
