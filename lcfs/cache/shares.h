/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Shares of the log (rule H2): how much of it may be dirty, so that no image stops the others.
 *
 * What a healthy image has in the log goes to its backing file as soon as space is wanted. What a
 * stalled one has stays, and the cleaner can only pack it: the less of it there is, the less must
 * be moved for each block that the others write. So, of the part of the log that user data may
 * take,
 *
 *   - a stalled image gets no new dirty block above a quarter, all of them together none above a
 *     half; it may go on overwriting the dirty blocks that it has;
 *   - all images together get none where what is left is not enough to go round with, should they
 *     all stall: SHARE_SPARE of the segments, at least two;
 *   - above 70 % one image of several makes migration run, whatever the load of the store is.
 *
 * Who must wait for that holds nothing. The wait of a stalled image's writer ends with ENOSPC or
 * EIO when the image has been stalled for stall_timeout (KNOB_STALL_TIMEOUT), and so does his wait
 * for space in the log if cleaning yields none; those of others never do, and need not. Such an
 * error is always of a try that began when he waited already, which takes a second at most to come:
 * a store that has room again fails nobody for what it was before.
 */
#ifndef LCFS_CACHE_SHARES_H
#define LCFS_CACHE_SHARES_H

#include "lcfs/cache/core.h"

#define SHARE_SPARE 32u /* a 32nd */

void shares_init(struct cache *c);
/* May the chunk of the write (w->s.block, blocks) become dirty? 0, or -EAGAIN: not now. */
int shares_admit(const struct cache *c, const struct cache_write *w, uint64_t now) must_check;
/* Who wants more of the image has waited since waits_ns: 0, or the error that ends that now.
 * Has its file tried again, so that this error is never one of before. */
int shares_patience(struct cache *c, struct cache_image *img, uint64_t waits_ns,
		    uint64_t now) must_check;
/* Waits for what migration gets done, or a second. */
void shares_wait(struct cache *c, struct cache_waiter *w, struct action *act, uint64_t now);
/* Something has changed, or not for a second: they look again. */
void shares_wake(struct cache *c, struct outbox *ob);
/* When, without anything having happened. */
void shares_wake_at(struct cache *c, uint64_t at);
/* Is migration to run because somebody waits, or has more than a fair share? */
bool shares_are_tight(const struct cache *c);

#endif
