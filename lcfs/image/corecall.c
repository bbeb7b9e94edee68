// SPDX-License-Identifier: GPL-2.0-or-later
/* Requests to the core that a thread waits for. */
#include "lcfs/image/corecall.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"

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

static enum cache_step run_read(struct cachehost *h, struct read_call *call)
{
	enum cache_step step;
	struct outbox ob;

	outbox_init(&ob);
	step = cache_read_run(h->cache, &call->r, true, engine_now(h->engine), &ob);
	engine_carry(h->engine, &ob);
	return step;
}

int corecall_read(struct cachehost *h, struct read_call *call)
{
	if (run_read(h, call) == CACHE_WAIT)
		wait_for(&call->wait);
	wait_end(&call->wait);
	return call->r.result;
}

int corecall_finish(struct cachehost *h, struct sync_call *call, enum cache_step step,
		    struct outbox *ob)
{
	engine_carry(h->engine, ob);
	if (step == CACHE_WAIT)
		wait_for(&call->wait);
	wait_end(&call->wait);
	return call->s.result;
}

int corecall_sync(struct cachehost *h, struct cache_image *ci)
{
	struct sync_call call;
	struct outbox ob;
	enum cache_step step;

	sync_call_init(&call);
	outbox_init(&ob);
	call.s.image = ci;
	step = cache_sync_start(h->cache, &call.s, engine_now(h->engine), &ob);
	return corecall_finish(h, &call, step, &ob);
}

void corecall_sync_start(struct cachehost *h, struct sync_call *call)
{
	struct outbox ob;

	sync_call_init(call);
	outbox_init(&ob);
	if (cache_sync_start(h->cache, &call->s, engine_now(h->engine), &ob) == CACHE_DONE)
		call->wait.is_done = true;
	engine_carry(h->engine, &ob);
}

int corecall_sync_end(struct sync_call *call)
{
	wait_for(&call->wait);
	wait_end(&call->wait);
	return call->s.result;
}

static void op_free(struct op_call *call)
{
	wait_end(&call->wait);
	free(call);
}

static void op_done(struct op_call *call)
{
	bool is_abandoned;

	/* the waiter may be gone as soon as the lock is free */
	mutex_lock(&call->wait.lock);
	is_abandoned = call->is_abandoned;
	call->wait.is_done = true;
	cond_signal(&call->wait.done);
	mutex_unlock(&call->wait.lock);
	if (is_abandoned)
		op_free(call);
}

void corecall_op_start(struct cachehost *h, struct op_call *call)
{
	struct outbox ob;

	outbox_init(&ob);
	cache_op_start(h->cache, &call->op, engine_now(h->engine), &ob);
	engine_carry(h->engine, &ob);
}

bool corecall_op_wait(struct op_call *call, uint64_t ns)
{
	uint64_t deadline = clock_mono_ns() + ns;
	LOCK_SCOPE(&call->wait.lock);

	while (!call->wait.is_done)
		if (cond_timedwait_ns(&call->wait.done, &call->wait.lock, deadline) == -ETIMEDOUT)
			break;
	return call->wait.is_done;
}

int corecall_op_end(struct op_call *call)
{
	wait_for(&call->wait);
	wait_end(&call->wait);
	return call->op.result;
}

void corecall_op_abandon(struct op_call *call)
{
	bool is_done;

	mutex_lock(&call->wait.lock);
	call->is_abandoned = true;
	is_done = call->wait.is_done;
	mutex_unlock(&call->wait.lock);
	if (is_done)
		op_free(call);
}

int corecall_op(struct cachehost *h, struct op_call *call)
{
	corecall_op_start(h, call);
	return corecall_op_end(call);
}

struct op_call *corecall_drain(struct cachehost *h, struct cache_image *ci, uint64_t len)
{
	struct op_call *call = malloc(sizeof(*call));

	if (!call)
		return NULL;
	op_call_init(call);
	call->op.type = CACHE_OP_CLEAN;
	call->op.image = ci;
	call->op.len = len;
	corecall_op_start(h, call);
	return call;
}

int corecall_drain_end(struct op_call *call)
{
	int result = corecall_op_end(call);

	free(call);
	return result;
}

int corecall_log(struct cachehost *h, struct cache_image *ci, const struct op *op, bool is_durable)
{
	struct op_call call;

	op_call_init(&call);
	call.op.type = CACHE_OP_LOG;
	call.op.image = ci;
	call.op.op = *op;
	call.op.no_wait = !is_durable;
	return corecall_op(h, &call);
}

int corecall_unbind(struct cachehost *h, struct cache_image *ci)
{
	struct op_call call;

	op_call_init(&call);
	call.op.type = CACHE_OP_UNBIND;
	call.op.image = ci;
	return corecall_op(h, &call);
}

static void step_op(struct cachehost *h, struct op_call *call)
{
	struct outbox ob;

	outbox_init(&ob);
	cache_op_step(h->cache, &call->op, engine_now(h->engine), &ob);
	engine_carry(h->engine, &ob);
}

void corecall_request(struct cachehost *h, struct action *a)
{
	if (a->arg == REQUEST_SYNC_CALL) {
		wait_done(&container_of(a, struct sync_call, s.act)->wait);
	} else if (a->arg == REQUEST_READ_CALL) {
		struct read_call *call = container_of(a, struct read_call, r.act);

		if (a->type == ACTION_DONE || run_read(h, call) == CACHE_DONE)
			wait_done(&call->wait);
	} else {
		struct op_call *call = container_of(a, struct op_call, op.act);

		if (a->type == ACTION_RESUME)
			step_op(h, call);
		else
			op_done(call);
	}
}
