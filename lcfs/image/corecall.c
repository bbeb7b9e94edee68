// SPDX-License-Identifier: GPL-2.0-or-later
/* Requests to the core that a thread waits for. */
#include "lcfs/image/corecall.h"

#include <string.h>

#include "lcfs/image/image_private.h"

static void wait_init(struct call_wait *w)
{
	mutex_init(&w->lock, RANK_WAIT, "call");
	cond_init(&w->done);
	w->is_done = false;
}

static void wait_for(struct call_wait *w)
{
	mutex_lock(&w->lock);
	while (!w->is_done)
		cond_wait(&w->done, &w->lock);
	mutex_unlock(&w->lock);
}

static void wait_end(struct call_wait *w)
{
	cond_destroy(&w->done);
	mutex_destroy(&w->lock);
}

/* The waiter may be gone as soon as the lock is free. */
static void wait_done(struct call_wait *w)
{
	mutex_lock(&w->lock);
	w->is_done = true;
	cond_signal(&w->done);
	mutex_unlock(&w->lock);
}

void sync_call_init(struct sync_call *call)
{
	memset(call, 0, sizeof(*call));
	wait_init(&call->wait);
	call->s.act.arg = REQUEST_SYNC_CALL;
}

void op_call_init(struct op_call *call)
{
	memset(call, 0, sizeof(*call));
	wait_init(&call->wait);
	call->op.act.arg = REQUEST_OP_CALL;
}

void read_call_init(struct read_call *call)
{
	memset(call, 0, sizeof(*call));
	wait_init(&call->wait);
	call->r.act.arg = REQUEST_READ_CALL;
}

static enum cache_step run_read(struct imagedir *d, struct read_call *call)
{
	enum cache_step step;
	struct outbox ob;

	outbox_init(&ob);
	step = cache_read_run(d->cache, &call->r, true, engine_now(d->engine), &ob);
	engine_carry(d->engine, &ob);
	return step;
}

int corecall_read(struct imagedir *d, struct read_call *call)
{
	if (run_read(d, call) == CACHE_WAIT)
		wait_for(&call->wait);
	wait_end(&call->wait);
	return call->r.result;
}

int corecall_finish(struct imagedir *d, struct sync_call *call, enum cache_step step,
		    struct outbox *ob)
{
	engine_carry(d->engine, ob);
	if (step == CACHE_WAIT)
		wait_for(&call->wait);
	wait_end(&call->wait);
	return call->s.result;
}

int corecall_sync(struct imagedir *d, struct cache_image *ci)
{
	struct sync_call call;
	struct outbox ob;
	enum cache_step step;

	sync_call_init(&call);
	outbox_init(&ob);
	call.s.image = ci;
	step = cache_sync_start(d->cache, &call.s, engine_now(d->engine), &ob);
	return corecall_finish(d, &call, step, &ob);
}

int corecall_op(struct imagedir *d, struct op_call *call)
{
	struct outbox ob;

	outbox_init(&ob);
	cache_op_start(d->cache, &call->op, engine_now(d->engine), &ob);
	engine_carry(d->engine, &ob);
	wait_for(&call->wait);
	wait_end(&call->wait);
	return call->op.result;
}

int corecall_log(struct imagedir *d, struct cache_image *ci, const struct op *op, bool is_durable)
{
	struct op_call call;

	op_call_init(&call);
	call.op.type = CACHE_OP_LOG;
	call.op.image = ci;
	call.op.op = *op;
	call.op.no_wait = !is_durable;
	return corecall_op(d, &call);
}

static void step_op(struct imagedir *d, struct op_call *call)
{
	struct outbox ob;

	outbox_init(&ob);
	cache_op_step(d->cache, &call->op, engine_now(d->engine), &ob);
	engine_carry(d->engine, &ob);
}

void corecall_request(struct imagedir *d, struct action *a)
{
	if (a->arg == REQUEST_SYNC_CALL) {
		wait_done(&container_of(a, struct sync_call, s.act)->wait);
	} else if (a->arg == REQUEST_READ_CALL) {
		struct read_call *call = container_of(a, struct read_call, r.act);

		if (a->type == ACTION_DONE || run_read(d, call) == CACHE_DONE)
			wait_done(&call->wait);
	} else {
		struct op_call *call = container_of(a, struct op_call, op.act);

		if (a->type == ACTION_RESUME)
			step_op(d, call);
		else
			wait_done(&call->wait);
	}
}
