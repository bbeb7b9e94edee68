/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A cache device that is given up: what the files of the core ask lost.c and straight.c. Inside of
 * the core, under its lock.
 */
#ifndef LCFS_CACHE_LOST_H
#define LCFS_CACHE_LOST_H

#include "lcfs/cache/core.h"

/* ---- retry.c ---- */

/* A write or flush has failed. True: it is to be repeated when super_write_again() or log_pump()
 * are called next. False: the device is given up. */
bool retry_later(struct cache *c, int error, uint64_t now, struct outbox *ob);
bool retry_is_final(int error);
void retry_succeeded(struct cache *c);
uint64_t retry_due(const struct cache *c);
void retry_tick(struct cache *c, uint64_t now, struct outbox *ob);

/* ---- seglog.c, super.c, commit.c ---- */

/* What is written and not durable is written again: a flush has failed (B3). */
void log_write_again(struct cache *c);
/* The write that has failed, or whose flush has, if there is one. */
void super_write_again(struct cache *c, struct outbox *ob);
/* The device is given up: who waits for data waits in lost.c now, the others are told. */
void commit_lost(struct cache *c, uint64_t now, struct outbox *ob);
void super_lost(struct cache *c, uint64_t now, struct outbox *ob);

/* ---- lost.c ---- */

/* The device is given up. */
void cache_fail(struct cache *c, int error, uint64_t now, struct outbox *ob);

/* Is it dirty, and can be read nowhere? False while the device is not given up. */
bool lost_is(struct cache *c, uint32_t cbn);
/* It could not be read from the device, or was not what had been written. */
void lost_mark(struct cache *c, uint32_t cbn);
void lost_was_read(struct cache *c);
/* Around one whole look for what can be saved: what is left of images not seen in it is lost. */
void lost_begin_look(struct cache *c, uint64_t now);
void lost_end_look(struct cache *c, uint64_t now);
/* What could not be read may be there again: the admin asks. */
void lost_try_again(struct cache *c);
/* Drains that this ends. Not from within a batch's end. */
void lost_tell_saved(struct cache *c, uint64_t now, struct outbox *ob);
/* Has the image no blocks to be saved, and needs a batch all the same? */
bool lost_wants_batch(const struct cache_image *img);
/* What ACTION_BACK_LEAVE returned; what the batch is to make of it. */
int lost_left(struct cache_image *img, int result);
/* A batch has had the image and did not fail. */
void lost_batch_done(struct cache *c, struct cache_image *img);
/* -EROFS, or 0. */
int lost_error(const struct cache *c, const struct cache_image *img);
/* As commit_wait(), when there is no log any more. */
bool lost_wait(struct cache *c, struct cache_sync *s, uint64_t now, struct outbox *ob);
/* One that waited for the log, and is linked nowhere. */
void lost_adopt(struct cache *c, struct cache_sync *s);
/* The sync of a batch has failed: straight writes may have had their share in it. */
void lost_sync_failed(struct cache_image *img, int error);
/* Something has changed: who can be told? */
void lost_kick(struct cache *c, uint64_t now, struct outbox *ob);
uint64_t lost_due(const struct cache *c);
void lost_tick(struct cache *c, uint64_t now, struct outbox *ob);
uint64_t lost_blocks(const struct cache_image *img);
void lost_status(const struct cache *c, struct cache_status *st);
/* Shutdown: saves and syncs all, then issues stop_act. */
void lost_end(struct cache *c, struct cache_sync *s, uint64_t now, struct outbox *ob);
void lost_try_end(struct cache *c, struct outbox *ob);

/* ---- straight.c ---- */

/* The rest of the write, past the log. CACHE_DONE: w->s.error says why not. */
enum cache_step straight_write(struct cache *c, struct cache_write *w, bool may_wait, uint64_t now,
			       struct outbox *ob);
/* May bytes [off, end) of the file be changed now, past the log? -EAGAIN: not yet, whoever waits is
 * in img->range_waiters then. */
int straight_may(struct cache *c, struct cache_image *img, uint64_t off, uint64_t end, uint64_t now,
		 struct outbox *ob) must_check;
/* The file has something newer in [off, end). */
void straight_wrote(struct cache *c, struct cache_image *img, uint64_t off, uint64_t end,
		    uint64_t now);

#endif
