/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The engine: the threads that carry out what the core asks for, on real devices.
 *
 *   log thread    ENCODE, LOG_WRITE (own ring, for depth), FLUSH (fdatasync as a plain call, by a
 *                 committer thread beside it when something else is to be written)
 *   I/O thread    DEV_READ, DEV_WRITE, BACK_READ, BACK_WRITE on one ring; timers (cache_tick), the
 *                 governor's samples; woken by an eventfd that is written only when it sleeps
 *   backing threads  BACK_CHECK, _GROW, _TRUNCATE, _PUNCH, _SYNC: blocking calls
 *
 * Any thread that called an entry point of the core passes the outbox to engine_carry(). RESUME
 * and DONE are handed to the request's owner by the callbacks below, on the thread that carries,
 * with no lock held: they must not block.
 */
#ifndef LCFS_IMAGE_ENGINE_H
#define LCFS_IMAGE_ENGINE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/compiler.h"
#include "lcfs/cache/cache.h"

struct engine;

/* What the layer above gives: how to reach an image's backing file, and whom to tell. */
struct engine_ops {
	/*
	 * Descriptor for BACK_READ/BACK_WRITE of [off, off+len): an O_DIRECT one where the
	 * range and the backing store allow it, else a buffered one. Never blocks. -errno when
	 * there is none.
	 */
	int (*backing_fd)(void *ctx, struct cache_image *img, bool is_write, uint64_t off,
			  uint64_t len);
	/* Does its filesystem block, though it is asked not to? NULL: none does. Never blocks. */
	bool (*backing_blocks)(void *ctx, struct cache_image *img);
	/*
	 * BACK_CHECK, _GROW, _TRUNCATE, _PUNCH, _SYNC; blocks; result 0 or -errno; fills
	 * a->stamp.
	 */
	int (*backing_call)(void *ctx, struct action *a);
	/* ACTION_RESUME and ACTION_DONE. Must not block; may call the core and engine_carry(). */
	void (*request)(void *ctx, struct action *a);
	/*
	 * A request of somebody who waits for it, not of migration, goes out to a backing file, and
	 * has come back. Must not block. NULL: nobody wants to know.
	 */
	void (*flight)(void *ctx, bool begins);
	/* Busy percent of the backing store since the last call, -1 unknown. I/O thread. */
	int (*busy_percent)(void *ctx);
};

struct engine_conf {
	struct cache *cache;
	const char *name; /* of the cache device, for messages; NULL: just "cache" */
	int log_fd; /* cache device: its lock sits on this very open file description (C5) */
	const struct engine_ops *ops;
	void *ctx;
	unsigned backing_threads; /* default 2 */
	/* memory worth registering with the ring (RAM buffers, staging); may be none */
	const struct iovec *fixed;
	unsigned nr_fixed;
};

int engine_start(struct engine **out, const struct engine_conf *conf) must_check;
/*
 * Any thread. Moves all actions out of ob to their threads, calls ops->request for RESUME and
 * DONE.
 */
void engine_carry(struct engine *e, struct outbox *ob);
/*
 * The same for a sync that this thread has brought up and waits for, if it may block as long as the
 * cache device takes for that: it may do itself what the log thread would do. One thread at a time
 * is lent so, of all engines: where a device hangs, there are others.
 */
void engine_carry_lent(struct engine *e, struct outbox *ob);
/* Monotonic now, as the core wants it. */
uint64_t engine_now(struct engine *e);
/*
 * cache_shutdown(), waits for it, ends the threads. Returns what the shutdown returned; in place of
 * 0 ENGINE_HANGS, if the log has ended in order, but requests are out to backing files that do not
 * answer. These can be neither waited for nor taken back: engine, images, and what else they name,
 * must stay as they are, and the process is to end.
 */
#define ENGINE_HANGS 1
/* Somebody else hangs who uses it: engine_stop() returns ENGINE_HANGS. */
void engine_keep(struct engine *e);
int engine_stop(struct engine *e) must_check;
/* Has the cache device been given up with requests under way that hang? engine_stop() would leave
 * threads and memory behind for the process to end with. */
bool engine_is_hanging(struct engine *e);
/* Is the device given up, and does it hang? Then a thread that is lent may be left in there for
 * good: engine_stop() leaves it the engine. */
bool engine_leave_lent(struct engine *e);
/* Ends the threads without a word to the core (tests: as if killed). */
void engine_abandon(struct engine *e);

#endif
