// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What lcfs knows of a backing file: whether somebody else changed it, and our own changes of it
 * past the core.
 *
 * `stamp` is what the file must look like when nothing of ours is under way (is_stamp_known). The
 * core changes the file by migration: from the first such write (is_changed) to the next BACK_SYNC
 * the times are unknown. Other changes of ours (mark, mode, times, names) come in pairs of begin
 * and end; the stamp is taken anew at the end.
 */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "common/cleanup.h"
#include "common/messages.h"
#include "lcfs/image/corecall.h"
#include "lcfs/image/image_private.h"

#define PAUSE_NS (2 * NSEC_PER_MSEC)

void image_set_conflict(struct image *img, enum image_state state, const char *what, bool tell_core)
{
	struct cachehost *h = image_host(img);
	char path[PATHNAME_BYTES];
	struct outbox ob;

	mutex_assert_held(&img->lock);
	img->reason = what;
	if (atomic_exchange(&img->bad, EIO) == 0) {
		image_describe(img, path);
		if (state == IMAGE_MISSING)
			msg_warn(
				"%s: missing (%s) while the cache holds data of it, which is kept: put the "
				"file back and mount again, or let lcctl resolve decide",
				path, what);
		else
			msg_warn(
				"%s: conflict: somebody else changed it (%s) while the cache holds data of it; "
				"it is not opened and nothing is dropped: let lcctl resolve decide",
				path, what);
	}
	if (!tell_core)
		return;
	outbox_init(&ob);
	cache_image_set_state(h->cache, img->cached, state, 0, engine_now(h->engine), &ob);
	engine_carry(h->engine, &ob);
}

static bool may_compare(struct image *img)
{
	return img->is_stamp_known && img->changes == 0 && !atomic_load(&img->is_changed);
}

void image_restamp(struct image *img)
{
	CLEANUP_FD int own = -1;
	int fd = image_borrow_fd(img, &own);

	mutex_assert_held(&img->lock);
	img->is_stamp_known = fd >= 0 && img->changes == 0 && identity_stamp(fd, &img->stamp) == 0;
}

/*
 * The times before the first change that nobody has synced since. A power cut may bring any from
 * there on: the log must not say that the file was later when it is about to be changed, or it
 * would look like somebody else's.
 */
void image_keep_floor(struct image *img)
{
	struct cache_image_info info = { .is_bound = false };

	mutex_assert_held(&img->lock);
	atomic_fetch_add(&img->floor_seq, 1);
	if (img->has_floor)
		return;
	if (img->cached && !img->is_stamp_known)
		image_core_info(img, &info);
	img->floor = info.is_bound ? info.stamp : img->stamp;
	img->has_floor = img->is_stamp_known || info.is_bound;
}

void image_floor_is_synced(struct image *img, uint64_t seq)
{
	mutex_assert_held(&img->lock);
	if (atomic_load(&img->floor_seq) == seq && !img->changes)
		img->has_floor = false;
}

/* What to record of a file that is about to be changed. */
static struct op_stamp stamp_before(const struct image *img)
{
	struct op_stamp before = img->stamp;

	if (img->has_floor) {
		before.mtime_ns = img->floor.mtime_ns;
		before.ctime_ns = img->floor.ctime_ns;
	}
	return before;
}

/*
 * The file changed while nothing in the log is newer than it: forget what is cached. -EAGAIN:
 * something of the image is under way, or the log is full; the change is found again at the next
 * look.
 */
static int refresh(struct image *img, const struct op_stamp *now)
{
	struct cachehost *h = image_host(img);
	struct cache_image_info info;
	struct outbox ob;
	int r;

	atomic_fetch_add(&img->version, 1);
	if (!img->cached) {
		img->stamp = *now;
		return 0;
	}
	outbox_init(&ob);
	image_core_info(img, &info);
	/* a new stamp first ends touching, without which nothing is refreshed */
	if (info.is_bound && info.is_touching &&
	    cache_image_touch(h->cache, img->cached, now, NULL, engine_now(h->engine), &ob) ==
		    CACHE_DONE)
		cache_image_touched(h->cache, img->cached, now, engine_now(h->engine), &ob);
	r = cache_image_refresh(h->cache, img->cached, now, engine_now(h->engine), &ob);
	engine_carry(h->engine, &ob);
	if (r == 0)
		img->stamp = *now;
	return r;
}

bool image_is_bound(struct image *img)
{
	struct cache_image_info info;

	if (!img->cached)
		return false;
	image_core_info(img, &info);
	return info.is_bound;
}

static bool is_dirty(struct image *img)
{
	struct cache_image_info info;

	if (!img->cached)
		return false;
	image_core_info(img, &info);
	return info.is_bound && info.state >= IMAGE_DIRTY;
}

/* Nothing of ours is under way and the stamp is not known: it is what the log has, or else the
 * present one. */
static void learn_stamp(struct image *img, const struct op_stamp *now)
{
	struct cache_image_info info = { .is_bound = false };

	if (img->is_stamp_known || img->changes || atomic_load(&img->is_changed))
		return;
	if (img->cached)
		image_core_info(img, &info);
	img->stamp = info.is_bound && !info.is_touching ? info.stamp : *now;
	img->is_stamp_known = true;
}

int image_check(struct image *img)
{
	CLEANUP_FD int own = -1;
	struct op_stamp now;
	const char *what;
	int r, fd = image_borrow_fd(img, &own);

	mutex_assert_held(&img->lock);
	if (atomic_load(&img->bad))
		return -atomic_load(&img->bad);
	if (fd < 0)
		return -EBADF;
	r = identity_stamp(fd, &now);
	img->is_store_lost = r < 0;
	if (r < 0)
		return r;
	learn_stamp(img, &now);
	if (!may_compare(img))
		return 0;
	what = identity_stamp_differs(&img->stamp, &now, img->is_weak);
	if (!what)
		return 0;
	if (is_dirty(img)) {
		image_set_conflict(img, IMAGE_CONFLICT, what, true);
		return -EIO;
	}
	return refresh(img, &now);
}

/* Tells the core that the file is about to be changed. Waits until that is durable if dirty data
 * depends on it. */
int image_touch(struct image *img)
{
	struct cachehost *h = image_host(img);
	struct op_stamp before = stamp_before(img);
	struct sync_call call;
	struct outbox ob;
	enum cache_step step;
	bool must_wait;
	int r;

	mutex_assert_held(&img->lock);
	r = lease_ensure(h);
	if (r < 0)
		return r;
	must_wait = is_dirty(img);
	outbox_init(&ob);
	sync_call_init(&call);
	step = cache_image_touch(h->cache, img->cached, &before, must_wait ? &call.s : NULL,
				 engine_now(h->engine), &ob);
	r = corecall_finish(h, &call, step, &ob);
	if (step == CACHE_AGAIN)
		return -EAGAIN;
	if (r < 0 && cache_is_lost(h->cache))
		r = 0;
	img->touches++;
	if (r < 0)
		image_touch_end(img, NULL);
	return r;
}

void image_touch_end(struct image *img, const struct op_stamp *after)
{
	struct cachehost *h = image_host(img);
	struct outbox ob;

	mutex_assert_held(&img->lock);
	if (img->touches == 0)
		return;
	img->touches--;
	outbox_init(&ob);
	cache_image_touched(h->cache, img->cached, after, engine_now(h->engine), &ob);
	engine_carry(h->engine, &ob);
}

int image_change_begin(struct image *img)
{
	int r = image_check(img);

	if (r == 0 && image_is_bound(img))
		r = image_touch(img);
	if (r == 0) {
		image_keep_floor(img);
		img->changes++;
	}
	return r;
}

void image_change_end(struct image *img)
{
	bool is_exact;

	mutex_assert_held(&img->lock);
	img->changes--;
	atomic_fetch_add(&img->floor_seq, 1);
	image_restamp(img);
	if (img->is_stamp_known)
		img->shown_ctime_ns = img->stamp.ctime_ns;
	/* of a clean image that cannot become dirty now, a stamp that is lost only costs clean
	 * blocks */
	is_exact = img->is_stamp_known && !atomic_load(&img->is_ready) && !is_dirty(img);
	image_touch_end(img, is_exact ? &img->stamp : NULL);
	atomic_fetch_add(&img->sync_wanted, 1);
}

void image_pause(void)
{
	struct timespec ts = { .tv_nsec = (long)PAUSE_NS };

	nanosleep(&ts, NULL);
}

int image_try_touching(struct image *img)
{
	LOCK_SCOPE(&img->lock);

	return image_change_begin(img);
}

int image_touching_inside(struct image *img)
{
	int r;

	while ((r = image_try_touching(img)) == -EAGAIN)
		image_pause();
	return r;
}

void image_touched_inside(struct image *img)
{
	LOCK_SCOPE(&img->lock);

	image_change_end(img);
}

int image_touching(struct image *img)
{
	int r;

	image_enter(img);
	r = image_touching_inside(img);
	if (r < 0)
		image_leave(img);
	return r;
}

void image_touched(struct image *img)
{
	image_touched_inside(img);
	image_leave(img);
}

bool image_xattr_is_private(const char *name)
{
	return strncmp(name, GUARD_XATTR_PREFIX, strlen(GUARD_XATTR_PREFIX)) == 0;
}

/* ---- the mark, and readiness for cached writes ---- */

void image_look_for_mark(struct image *img)
{
	mutex_assert_held(&img->lock);
	if (!img->is_marked)
		img->is_marked = guard_is_marked_by(atomic_load(&img->fd[GUARD_BUFFERED]),
						    image_host(img)->uuid);
}

static void set_mark(struct image *img)
{
	int r, fd = atomic_load(&img->fd[GUARD_BUFFERED]);

	image_look_for_mark(img);
	if (cache_is_lost(image_host(img)->cache))
		return;
	if (!image_is_bound(img)) /* what it says of a binding is not of this one */
		image_is_back(fd, image_host(img));
	if (img->is_marked)
		return;
	r = guard_mark_set(fd, image_host(img)->uuid);
	img->is_marked = r == 0;
	if (img->is_marked)
		img->has_old_mark = false;
	if (r < 0 && r != -EOPNOTSUPP)
		msg_debug("backing file: it cannot be marked as dirty: %s", strerror(-r));
}

/* An image without a name is lost with its last user: the log must know that before it has data of
 * it. */
static int log_intent(struct image *img)
{
	char path[PATHNAME_BYTES];
	struct op op = { .type = OP_INTENT, .arg0 = OP_INTENT_UNLINK, .path = path };
	int r;

	if (!img->is_unlinked || img->has_intent)
		return 0;
	op.image = cache_image_id(img->cached);
	cache_image_path(image_host(img)->cache, img->cached, path);
	op.path_bytes = (uint16_t)strlen(path);
	r = corecall_log(image_host(img), img->cached, &op, false);
	img->has_intent = r == 0;
	return r;
}

/* Changes the file's mark; the ctime moves by it. */
static int change_mark(struct image *img, void (*change)(struct image *img))
{
	int r = image_check(img);

	if (r == 0)
		r = image_touch(img);
	if (r < 0)
		return r;
	image_keep_floor(img);
	img->changes++;
	change(img);
	img->changes--;
	atomic_fetch_add(&img->floor_seq, 1);
	image_restamp(img);
	return 0;
}

/* Is r what the store says, rather than the log or the guard? */
static bool is_of_store(struct image *img, int r)
{
	return r < 0 && r != -EAGAIN && !atomic_load(&img->bad) &&
	       (img->is_store_lost || atomic_load(&image_host(img)->lease.store_error));
}

/*
 * The store fails: then nothing of the file is changed, and what is written waits in the log.
 * Migration looks at the file, and says in the log that it is about to change it, before it does;
 * what somebody else has done to it by then is a conflict.
 */
static int prepare_without_store(struct image *img, int error)
{
	struct cachehost *h = image_host(img);
	char path[PATHNAME_BYTES];
	struct outbox ob;

	/* what it is bound with */
	if (!image_is_bound(img) && img->is_stamp_known) {
		outbox_init(&ob);
		if (cache_image_touch(h->cache, img->cached, &img->stamp, NULL,
				      engine_now(h->engine), &ob) == CACHE_DONE)
			cache_image_touched(h->cache, img->cached, &img->stamp,
					    engine_now(h->engine), &ob);
		engine_carry(h->engine, &ob);
	}
	cache_image_path(image_host(img)->cache, img->cached, path);
	msg_warn_ratelimited(
		"%s: its backing file cannot be looked at: %s: what is written stays in "
		"the cache until that is over",
		path, strerror(-error));
	return 0;
}

int image_prepare(struct image *img)
{
	int r;

	mutex_assert_held(&img->lock);
	if (img->is_uncached)
		return 1;
	if (atomic_load(&img->is_ready))
		return 0;
	image_sync_ahead(img);
	r = change_mark(img, set_mark);
	if (r == 0) {
		image_touch_end(img, NULL);
		atomic_fetch_add(&img->sync_wanted, 1);
	} else if (is_of_store(img, r)) {
		r = prepare_without_store(img, r);
	}
	if (r == 0)
		r = log_intent(img);
	if (r < 0)
		return r;
	gate_open(img);
	maintain_add(img);
	return 0;
}

static void clear_mark(struct image *img)
{
	int r = guard_mark_clear(atomic_load(&img->fd[GUARD_BUFFERED]));

	img->is_marked = img->has_old_mark = false;
	if (r < 0)
		msg_debug("backing file: the mark cannot be removed: %s", strerror(-r));
}

/* One of another cache is not removed while that may have data of the file. */
static bool may_clear_mark(struct image *img)
{
	uint8_t uuid[UUID_BYTES];

	if (!image_has_mark(img) || !img->is_writable)
		return false;
	if (img->is_marked)
		return true;
	return guard_mark_get(atomic_load(&img->fd[GUARD_BUFFERED]), uuid) == 0 &&
	       image_judge_mark(img, uuid) == 1;
}

bool image_unprepare(struct image *img)
{
	bool was_ready;

	mutex_assert_held(&img->lock);
	was_ready = atomic_load(&img->is_ready);
	if (!was_ready && !image_has_mark(img))
		return true;
	/* a store that fails or hangs does so here, while writes pass */
	if (was_ready && img->openers && image_check(img) < 0)
		return false;
	if (!gate_try_close(img))
		return false;
	if (is_dirty(img)) {
		if (was_ready)
			gate_open(img);
		return false;
	}
	if (!may_clear_mark(img) || change_mark(img, clear_mark) < 0)
		return true;
	/* clean: should the new ctime be lost, the clean blocks are dropped at the next mount, and
	 * no more */
	image_touch_end(img, img->is_stamp_known ? &img->stamp : NULL);
	return true;
}
