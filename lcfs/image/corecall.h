/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Requests to the core: who is told of their progress, and how a thread that may block waits for
 * them.
 */
#ifndef LCFS_IMAGE_CORECALL_H
#define LCFS_IMAGE_CORECALL_H

#include <stdbool.h>

#include "common/compiler.h"
#include "common/mutex.h"
#include "lcfs/cache/cache.h"

struct cachehost;

/* action->arg of every request: what struct it sits in. */
enum request_kind {
	REQUEST_IO_WRITE = 1, /* struct image_io, write */
	REQUEST_IO_READ,      /* struct cache_read, owner is the image_io */
	REQUEST_IO_SYNC,      /* struct image_io, csync */
	REQUEST_SYNC_CALL,    /* struct sync_call */
	REQUEST_OP_CALL,      /* struct op_call */
	REQUEST_READ_CALL,    /* struct read_call */
};

struct call_wait {
	struct mutex lock;
	struct cond done;
	bool is_done;
};

struct sync_call {
	struct cache_sync s;
	struct call_wait wait;
};

struct op_call {
	struct cache_op op;
	struct call_wait wait;
	bool is_abandoned; /* on the heap, and nobody waits; lock: wait.lock */
};

struct read_call {
	struct cache_read r;
	struct call_wait wait;
};

/* Zeroes and readies. Each call below needs one of its own; afterwards it is spent. */
void sync_call_init(struct sync_call *call);
void op_call_init(struct op_call *call);
void read_call_init(struct read_call *call);

/* These block. The result of the request. */
int corecall_sync(struct cachehost *h, struct cache_image *ci) must_check; /* NULL: everything */
/* The same for everything in two steps, so that several caches can be waited for. */
void corecall_sync_start(struct cachehost *h, struct sync_call *call);
int corecall_sync_end(struct sync_call *call) must_check;
int corecall_op(struct cachehost *h, struct op_call *call) must_check;
/* The same in steps: start, wait until it is done (true) or that time has passed, end. */
void corecall_op_start(struct cachehost *h, struct op_call *call);
bool corecall_op_wait(struct op_call *call, uint64_t ns);
int corecall_op_end(struct op_call *call) must_check;
int corecall_read(struct cachehost *h, struct read_call *call) must_check;
/* Nobody waits for it any more: it is freed now or when it is done. */
void corecall_op_abandon(struct op_call *call);
/* Waits for what a core function returned for call->s (CACHE_DONE or CACHE_WAIT); ob is carried out
 * first. */
int corecall_finish(struct cachehost *h, struct sync_call *call, enum cache_step step,
		    struct outbox *ob) must_check;
/* CACHE_OP_LOG of op about ci (or NULL). is_durable: waits until it is; else only for its place in
 * the log. */
int corecall_log(struct cachehost *h, struct cache_image *ci, const struct op *op,
		 bool is_durable) must_check;
/*
 * Begins CACHE_OP_CLEAN of ci; len: that one's. NULL: no memory. The call is on the heap: it can be
 * waited for as above, and is then ended, which frees it, or abandoned.
 */
struct op_call *corecall_drain(struct cachehost *h, struct cache_image *ci,
			       uint64_t len) must_check;
int corecall_drain_end(struct op_call *call) must_check;
/* CACHE_OP_UNBIND. */
int corecall_unbind(struct cachehost *h, struct cache_image *ci) must_check;

/* RESUME or DONE of a request of this file. */
void corecall_request(struct cachehost *h, struct action *a);

#endif
