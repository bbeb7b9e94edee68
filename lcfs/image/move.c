// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * An image goes from one cache to another, or to none, or to one from none, while it is in use.
 *
 *	1 drain   The cache it is in (A) migrates all of it, and notes durably that it is clean.
 *	          Writes go on; when little is left, or a round is over,
 *	2 shut    nobody comes in any more (gate.c), those inside end, and the rest is drained.
 *	          What comes now is parked. If that takes too long the gate opens again, and it
 *	          is tried once more a while later.
 *	3 unbind  The mark goes, UNBIND in A's log, durable.
 *	4 assign  What the admin said is noted as an attribute of the file.
 *	5 enter   The file is synced (B6), and the other cache (B) gets to know it, in memory.
 *	          Its first write binds it there, as ever.
 *	6 open    What was parked starts again.
 *
 * Killed (or powered off)
 *	in 1, 2   it is in A, with its data in A's log and RAM buffers;
 *	in 3      before UNBIND is durable: in A, clean. The log says so (E5): nothing of A is ever
 *	          written over what comes later, and nothing came since the gate was shut. A mark
 *	          of A that is gone is set again with the next write;
 *	after 3   in no cache. All of it is in the file, which A has synced. The first open chooses
 *	          a cache anew, by what was noted if step 4 was done; B's table has it not before
 *	          its first write, which came after UNBIND was durable.
 * So no two caches ever hold data of it, and the mark of a cache that has none does no harm while
 * that cache is in the mount: its table knows.
 *
 * An error of A's device after step 2 leaves nothing behind either: that it is clean is durable.
 */
#include <errno.h>

#include "common/align.h"
#include "common/cleanup.h"
#include "common/clock.h"
#include "common/messages.h"
#include "lcfs/image/corecall.h"
#include "lcfs/image/image_private.h"

#define POLL_NS (5 * NSEC_PER_MSEC)
#define NEAR_BLOCKS 256u		/* dirty ones that are drained with the gate shut */
#define SHUT_NS (1 * NSEC_PER_SEC)	/* the first time, at most */
#define SHUT_MAX_NS (16 * NSEC_PER_SEC) /* as it doubles while that helps */
#define APART_NS (200 * NSEC_PER_MSEC)	/* between two of them */
#define STUCK_NS (30 * NSEC_PER_SEC)	/* the same where it did not help */
#define ERROR_NS (3 * NSEC_PER_SEC)	/* for which the backing store may refuse */
#define HANG_NS (60 * NSEC_PER_SEC)	/* for which nothing need be migrated */
#define FAR_NS (30 * NSEC_PER_SEC)	/* after which writers must give way */

struct move {
	struct image *img;
	struct cachehost *from, *to; /* or NULL */
	bool is_noted;		     /* to be */
	bool is_shut;
	uint64_t began, shut_at, shut_ns;
	uint64_t not_before;	/* the gate is not shut again */
	uint64_t dirty_at_shut; /* blocks */
	/* patience with the backing store */
	uint64_t fine_at, moved_at, moved;
};

/* ---- the gate ---- */

static uint64_t dirty_blocks(const struct move *m)
{
	struct cache_image_info info = { .id = 0 };

	if (m->from)
		image_core_info(m->img, &info);
	return info.dirty_blocks;
}

static void shut(struct move *m)
{
	if (m->is_shut)
		return;
	m->dirty_at_shut = dirty_blocks(m);
	gate_shut(m->img);
	m->is_shut = true;
	m->shut_at = clock_mono_ns();
}

static void unshut(struct move *m)
{
	if (m->is_shut)
		gate_unshut(m->img);
	m->is_shut = false;
}

/* Opens it again if it has been shut for too long. */
static void relent(struct move *m)
{
	uint64_t now = clock_mono_ns();

	if (!m->is_shut || now - m->shut_at < m->shut_ns)
		return;
	if (dirty_blocks(m) < m->dirty_at_shut) {
		m->shut_ns = min(2 * m->shut_ns, (uint64_t)SHUT_MAX_NS);
		m->not_before = now + APART_NS;
	} else {
		m->not_before = now + (m->dirty_at_shut ? STUCK_NS : APART_NS);
	}
	unshut(m);
}

/* Is it time to shut the gate, though it is not clean yet? */
static bool is_near(const struct move *m)
{
	uint64_t now = clock_mono_ns();

	if (m->is_shut || now < m->not_before)
		return false;
	return dirty_blocks(m) <= NEAR_BLOCKS || now - m->began > FAR_NS;
}

/* With the gate shut: nobody is inside any more. False: it is open again. */
static bool wait_empty(struct move *m)
{
	while (m->is_shut && !gate_is_empty(m->img)) {
		relent(m);
		image_pause();
	}
	return m->is_shut;
}

/* ---- out of the one ---- */

/* -errno where there is no use in waiting: the backing store refuses it, or does nothing at all. */
static int lose_patience(struct move *m)
{
	uint64_t now = clock_mono_ns();
	struct cache_image_info info;
	struct cache_status st;

	image_core_info(m->img, &info);
	cache_status(m->from->cache, &st);
	if (info.state != IMAGE_ERROR)
		m->fine_at = now;
	if (st.migrate_blocks != m->moved)
		m->moved_at = now;
	m->moved = st.migrate_blocks;
	if (now - m->fine_at > ERROR_NS)
		return info.error ? -info.error : -EIO;
	return now - m->moved_at > HANG_NS ? -ETIMEDOUT : 0;
}

static int wait_drained(struct move *m, struct op_call *call)
{
	m->fine_at = m->moved_at = clock_mono_ns();
	while (!corecall_op_wait(call, POLL_NS)) {
		int r = lose_patience(m);

		if (r < 0)
			return r;
		if (is_near(m))
			shut(m);
		relent(m);
	}
	return 0;
}

static int drain_once(struct move *m)
{
	struct op_call *call = corecall_drain(m->from, atomic_load(&m->img->cached), 0);
	int r;

	if (!call)
		return -ENOMEM;
	r = wait_drained(m, call);
	if (r < 0) { /* it goes on, but is not waited for */
		corecall_op_abandon(call);
		return r;
	}
	return corecall_drain_end(call);
}

static bool is_settled(const struct move *m)
{
	struct cache_image_info info;

	image_core_info(m->img, &info);
	return !info.is_bound ||
	       (!info.dirty_blocks && !info.is_touching && info.state < IMAGE_DIRTY);
}

/* Returns 0 with the gate shut, nobody inside, and all of it in the file: that is durably noted. */
static int drain(struct move *m)
{
	int r;

	for (;;) {
		r = m->from ? drain_once(m) : 0;
		if (r < 0)
			return r;
		if (!m->is_shut && clock_mono_ns() >= m->not_before)
			shut(m);
		if (wait_empty(m) && (!m->from || is_settled(m)))
			return 0;
		image_pause();
	}
}

static int unbind(struct image *img, struct cachehost *h)
{
	struct cache_image *ci = atomic_load(&img->cached);
	int r = corecall_unbind(h, ci);

	if (r == 0 && corecall_sync(h, ci) < 0)
		msg_warn("cache %u: it has failed while an image left it, which is in its file "
			 "whole",
			 (unsigned int)h->id);
	return r;
}

/* -EAGAIN: not clean after all. */
static int take_out(struct move *m)
{
	struct image *img = m->img;
	int r = 0;

	LOCK_SCOPE(&img->lock);
	if (!m->from)
		return 0;
	if (atomic_load(&img->bad))
		return -atomic_load(&img->bad);
	r = image_check(img);
	if (r < 0)
		return r;
	if (!image_unprepare(img) || !is_settled(m))
		return -EAGAIN;
	/* the log of a lost cache does not say so: the file does, for should it come back (F3) */
	if (cache_is_lost(m->from->cache))
		r = image_leave_for_good(img, atomic_load(&img->fd[GUARD_BUFFERED]), m->from);
	if (r == 0 && image_is_bound(img))
		r = unbind(img, m->from);
	if (r < 0)
		return r;
	image_drop_cached(img);
	m->from = NULL;
	atomic_store(&img->is_in_use, false);
	atomic_store(&img->is_changed, false);
	atomic_store(&img->is_name_lost, false);
	atomic_store(&img->is_mtime_set, false);
	img->has_intent = false;
	img->is_path_new = false;
	img->is_uncached = true;
	image_restamp(img);
	return 0;
}

/* ---- into the other ---- */

static int note(struct move *m)
{
	struct image *img = m->img;
	int r;

	LOCK_SCOPE(&img->lock);
	r = image_check(img);
	if (r == 0 && m->is_noted)
		r = choose_assign(img, m->to);
	image_restamp(img);
	atomic_fetch_add(&img->sync_wanted, 1);
	return r;
}

static int try_put_in(struct move *m)
{
	struct image *img = m->img;
	int r;

	LOCK_SCOPE(&img->lock);
	r = image_check(img);
	if (r == 0)
		r = image_enter_host(img, m->to);
	if (r == 0)
		img->is_uncached = false;
	return r;
}

/* -EAGAIN passes: a directory is being renamed. */
static int put_in(struct move *m)
{
	int r;

	while ((r = try_put_in(m)) == -EAGAIN)
		image_pause();
	return r;
}

/* ---- all ---- */

static int move_shut(struct move *m)
{
	int r = take_out(m);

	if (r < 0)
		return r;
	r = note(m);
	if (r == 0 && !m->img->is_unlinked)
		r = image_sync_backing(m->img);
	if (r == 0 && m->to)
		r = put_in(m);
	return r;
}

/* move_lock held, open for writing. */
static int move(struct image *img, struct cachehost *from, struct cachehost *to, bool is_noted)
{
	struct move m = { .img = img,
			  .from = from,
			  .to = to,
			  .is_noted = is_noted,
			  .began = clock_mono_ns(),
			  .shut_ns = SHUT_NS };
	int r;

	/* what was written past the caches so far need not be waited for with the gate shut */
	if (!from && image_is_sync_wanted(img) && image_sync_backing(img) < 0)
		return -EIO;
	do {
		r = drain(&m);
		if (r == 0)
			r = move_shut(&m);
		unshut(&m);
		if (r == -EAGAIN)
			image_pause();
	} while (r == -EAGAIN);
	return r;
}

/* It is where it shall be: only that is noted. */
static int note_only(struct image *img, struct cachehost *h)
{
	for (;;) {
		int r;

		mutex_lock(&img->lock);
		r = image_change_begin(img);
		if (r == 0) {
			r = choose_assign(img, h);
			image_change_end(img);
		}
		mutex_unlock(&img->lock);
		if (r != -EAGAIN)
			return r;
		image_pause();
	}
}

static bool is_unlinked(struct image *img)
{
	LOCK_SCOPE(&img->lock);

	return img->is_unlinked;
}

static int attach_open(struct image *img, struct cachehost *to)
{
	struct cachehost *from = image_host(img); /* it changes under move_lock alone */
	int r;

	if (to && is_unlinked(img))
		return -ENOENT;
	if (from != to)
		return move(img, from, to, true);
	r = note_only(img, to);
	return r == 0 ? image_sync_backing(img) : r;
}

static int attach(struct image *img, struct cachehost *to)
{
	int r;

	LOCK_SCOPE(&img->move_lock);
	r = image_open(img, true);
	if (r < 0)
		return r;
	r = attach_open(img, to);
	image_release(img, true);
	return r;
}

int image_attach(struct image *img, uint32_t cache_id)
{
	struct cachehost *to;
	int r;

	if (cache_id == 0)
		return attach(img, NULL);
	to = cachehost_hold(img->dir, cache_id);
	if (!to)
		return -ENOENT;
	r = atomic_load(&to->is_leaving) || atomic_load(&to->is_joining) ? -ENOENT :
									   attach(img, to);
	cachehost_release(to);
	return r;
}

/* ---- when a cache goes ---- */

static bool has_descriptor(struct image *img)
{
	CLEANUP_FD int own = -1;

	LOCK_SCOPE(&img->lock);
	return image_borrow_fd(img, &own) >= 0;
}

/* Held. */
static int best_host(struct image *img, struct cachehost **to)
{
	struct cachehost *list[IMAGEDIR_CACHES_MAX];
	int nr;

	*to = NULL;
	LOCK_SCOPE(&img->lock);
	nr = img->is_unlinked ? 0 : choose_hosts(img, list);
	if (nr <= 0)
		return nr;
	*to = list[0];
	cachehost_release_all(list + 1, (unsigned int)nr - 1);
	return 0;
}

static int move_out_open(struct image *img, struct cachehost *from)
{
	struct cachehost *to;
	int r;

	if (image_host(img) != from) /* it was not bound, and another one took it */
		return 0;
	r = best_host(img, &to);
	if (r == 0)
		r = move(img, from, to, false);
	if (to)
		cachehost_release(to);
	/* without a cache it is whole, too */
	return r < 0 && !image_host(img) ? 0 : r;
}

int move_out(struct image *img, struct cachehost *from)
{
	int r;

	LOCK_SCOPE(&img->move_lock);
	if (image_host(img) != from)
		return 0;
	if (is_unlinked(img) && !has_descriptor(img))
		return -ENOENT;
	r = image_open(img, true);
	if (r < 0)
		return r;
	r = move_out_open(img, from);
	image_release(img, true);
	return r;
}
