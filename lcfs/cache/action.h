/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Actions: what the core wants done outside of its lock.
 *
 * The core does no I/O, computes no checksum over data and answers nobody while it holds its lock.
 * Each entry point appends actions to an outbox; the caller carries the outbox out after the entry
 * point has returned, on whichever thread suits the type (action_type), and hands each finished
 * action back with cache_complete() (requests: see below). No action is carried out or completed
 * inside the call that issued it. Actions of one outbox may be carried out and completed in any
 * order: the core never issues an action before what it depends on has been completed.
 *
 * An action is embedded in the object it serves, which stays alive and unchanged until the action
 * is completed. Buffers named by iov are aligned to 4096 bytes; lengths and offsets of
 * ACTION_LOG_WRITE and ACTION_DEV_* are multiples of 4096; those of ACTION_BACK_WRITE are sector
 * aligned except at the end of an image.
 */
#ifndef LCFS_CACHE_ACTION_H
#define LCFS_CACHE_ACTION_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>

#include "common/list.h"

struct cache;
struct cache_image;
struct outbox;

enum action_type {
	/* For the log thread. */
	ACTION_ENCODE, /* call cache_encode(c, action), then complete with 0. Strictly in order of
			  issue */
	ACTION_LOG_WRITE, /* write iov at byte `off` of the cache device */
	ACTION_FLUSH, /* make durable all writes to the cache device that were completed before */

	/* For the I/O thread. */
	ACTION_DEV_READ,   /* read iov from byte `off` of the cache device */
	ACTION_DEV_WRITE,  /* write iov at byte `off`: super block, image table */
	ACTION_BACK_READ,  /* read iov from byte `off` of `image`'s backing file; beyond its end:
			      zeros */
	ACTION_BACK_WRITE, /* write iov at byte `off` of `image`'s backing file */

	ACTION_WORK, /* call cache_work(c, action), then complete with what it returned: checksums
		      * and copies of what was read. Any order, any thread but a worker */

	/* For threads that may block: blocking calls on `image`'s backing file. */
	ACTION_BACK_CHECK, /* is it still the file we know (identity, links, size, times)?
			    * BACK_CONFLICT, BACK_MISSING. Also opens and locks it for writing. */
	ACTION_BACK_LEAVE, /* the cache device is lost, and the image leaves the log at LSN `arg`:
			    * says so in a mark on the file, and syncs that (F3). -errno: it takes
			    * none */
	ACTION_BACK_GROW,  /* make it `off` bytes long if it is shorter */
	ACTION_BACK_TRUNCATE, /* set its size to `off` (shrink or extend) */
	ACTION_BACK_PUNCH,    /* make [off, off + len) read as zeros, size unchanged */
	ACTION_BACK_SYNC, /* fsync (the times, too); then the file's stamp in action->stamp. With
			   * arg = 1 (the image is about to be clean), before that: set the size to
			   * `off`, shorter or longer, and mtime to action->stamp.mtime_ns if not 0
			   */

	/* Requests (struct cache_write, cache_read, cache_sync, cache_op): not completed by the
	 * caller. */
	ACTION_RESUME, /* a parked request can go on: call its step function again */
	ACTION_DONE,   /* the request has ended, see its result; the core has let go of it */
};

/* Errors that no system call gives for a file: what a store says is never taken for a verdict. */
#define BACK_CONFLICT (-EREMCHG)
#define BACK_MISSING (-ENOANO)

struct action {
	struct list node; /* in the outbox; free for the carrier until completion */
	enum action_type type;
	int nr_iov;
	struct iovec *iov;
	struct iovec iov1; /* iov points here where one is enough */
	uint64_t off, len; /* bytes */
	struct cache_image *image;
	uint64_t arg;
	bool is_migration; /* nobody waits for it: whoever measures the load leaves it out */
	struct {
		uint64_t size;
		int64_t mtime_ns, ctime_ns;
	} stamp;
	/* core only: what cache_work() does, off the lock */
	void (*work)(struct cache *c, struct action *a);
	/* core only: called under the lock by cache_complete() */
	void (*complete)(struct cache *c, struct action *a, int result, uint64_t now,
			 struct outbox *ob);
};

struct outbox {
	struct list actions;
};

static inline void outbox_init(struct outbox *ob)
{
	list_init(&ob->actions);
}

static inline void outbox_add(struct outbox *ob, struct action *a)
{
	list_add_tail(&ob->actions, &a->node);
}

/* Core only. work() runs off the lock, then complete() under it. */
static inline void action_start_work(struct action *a,
				     void (*work)(struct cache *c, struct action *a),
				     void (*complete)(struct cache *c, struct action *a, int result,
						      uint64_t now, struct outbox *ob),
				     struct outbox *ob)
{
	*a = (struct action){ .type = ACTION_WORK, .work = work, .complete = complete };
	outbox_add(ob, a);
}

/* NULL when empty. */
static inline struct action *outbox_pop(struct outbox *ob)
{
	return list_pop_head(&ob->actions, struct action, node);
}

#endif
