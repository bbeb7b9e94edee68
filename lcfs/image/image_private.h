/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the files of this layer share. Lock order: image_rank.h.
 *
 * Life of a struct image: made by image_get() or, for the images of the table, when the cache is
 * attached. It stays in the table by (device, inode) for as long as somebody references it (users)
 * or the core knows it (cached). A reference keeps an O_PATH descriptor open, so that the inode
 * cannot become another file; without one, the file is identified anew when the inode number is met
 * again.
 *
 *	             image_open            first write            bound, clean, idle
 *	not in core ------------> cached ---------------> ready ----------------------> cached
 *	             <------------         image_prepare          maintain: unmark
 *	              last release, not bound
 *
 * `ready` is the gate that writes pass without a lock: the mark is set and the core knows that the
 * file is being changed. Who closes the gate has the image alone. Which cache an image is in, if
 * any, changes while it is open: gate.c, move.c.
 */
#ifndef LCFS_IMAGE_IMAGE_PRIVATE_H
#define LCFS_IMAGE_IMAGE_PRIVATE_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/list.h"
#include "common/mutex.h"
#include "lcfs/image/cachehost.h"
#include "lcfs/image/choose.h"
#include "lcfs/image/guard.h"
#include "lcfs/image/identity.h"
#include "lcfs/image/image.h"
#include "lcfs/image/image_rank.h"
#include "lcfs/image/iostat.h"
#include "lcfs/image/pathname.h"
#include "lcfs/image/privdir.h"
#include "lcfs/image/taskpool.h"

#define IMAGEDIR_BUCKETS 16384u

struct image {
	struct imagedir *dir; /* const */

	/* lock: dir->lock */
	uint64_t dev, ino; /* its place in the table */
	struct list all_node;
	struct list node;    /* by (dev, ino); unlinked when the file is gone */
	struct list id_node; /* by number, once it has one */
	struct list maintain_node;
	int path_fd;	    /* O_PATH; const while there are users from image_get() */
	unsigned int users; /* references from above */
	unsigned int pins;  /* references from within: cached, maintenance, a walk */

	struct mutex move_lock; /* one move at a time; before all others */

	/* lock: sync_lock, which is taken before lock */
	struct mutex sync_lock;

	/* lock: lock; held across blocking calls */
	struct mutex lock;
	struct mutex look; /* while it is held, cached and host stay, and what they lead to */
	int spare_fd; /* writable, from whoever made the file; until the first open */
	_Atomic unsigned int openers; /* written under lock */
	unsigned int writers;
	bool is_writable; /* fd[] are open for writing, and locked */
	bool is_uncached; /* while open: no cache is to have it, or has room for it */
	bool is_marked;
	bool has_old_mark; /* of another cache: to be removed if that has nothing of it */
	_Atomic bool is_unlinked; /* its last name went through us */
	uint64_t unlink_seq;	  /* the how manieth such: maintain.c */
	bool has_intent;	  /* and the log knows */
	bool is_ahead_of_log; /* bytes or size were changed past the log, perhaps not synced */
	unsigned int renames;	  /* under way: see name_ahead() */
	bool is_path_new;	  /* it was found elsewhere, and the log does not know yet */
	bool is_found_new; /* match.c: what the log is to know of that is not logged yet */
	bool is_cut_off;   /* match.c: a power cut took its file, and the log does not know yet */
	bool is_void;	   /* match.c: it has left the cache that it is in */
	bool is_weak;	   /* identity */
	bool is_store_lost;  /* it could not be looked at when that was last tried */
	bool is_new;	     /* created through us: naming.c */
	uint64_t new_since;  /* names_synced then */
	bool is_stamp_known; /* `stamp` is what the file must look like now */
	struct op_stamp stamp;
	struct op_stamp floor;	/* if has_floor: what a power cut may bring back */
	bool has_floor;		/* own changes past the core since may not be durable */
	unsigned int changes;	/* own changes past the core under way */
	unsigned int touches;	/* image_touch() without its end */
	int64_t shown_ctime_ns; /* 0: the backing file's */
	enum {
		ASSIGNED_NOT,
		ASSIGNED_UNCACHED,
		ASSIGNED_CACHE
	} assigned; /* by the admin: choose.c */
	uint8_t assigned_uuid[FORMAT_UUID_BYTES];
	char *link_dir;	   /* directory of a new name that is not synced yet; or NULL */
	uint64_t idle_lsn; /* maintenance: last_lsn seen, and for how many passes */
	unsigned int idle_passes;
	uint64_t damage_told; /* cache_image_info.damaged */
	uint64_t lost_told;   /* cache_image_info.lost_blocks */

	/* atomic; written under lock and look. The two change together, with nobody inside that has
	 * the image open (gate.c): whoever neither holds one of these locks, nor is inside with the
	 * image open, must not follow them. */
	_Atomic(struct cache_image *) cached;
	_Atomic(struct cachehost *) host; /* NULL without `cached` */
	_Atomic uint32_t number;	  /* in this mount; 0: none yet; never changes again */
	/* by enum guard_descriptor; -1: none. Not closed while the core may use it */
	_Atomic int fd[2];
	_Atomic uint32_t direct_align; /* bytes; of offset and length on fd[GUARD_DIRECT] */
	_Atomic bool is_direct_writable;
	_Atomic bool is_blocking;   /* its filesystem blocks, though asked not to: image_fd.c */
	_Atomic uint64_t max_bytes; /* size limit of the backing filesystem */
	_Atomic uint64_t version;
	_Atomic(const char *) reason; /* of a conflict, or of that it is missing; NULL: none */
	_Atomic int bad;	      /* errno that every request gets; 0 = none */
	_Atomic bool is_unmatched;    /* its file has not been looked for yet */
	_Atomic bool is_mtime_set;    /* mtime was set by utimens and not written over since */
	/* The name that the core has went through us, and the file has others: its descriptor is
	 * the only way to it until the next mount looks for it. */
	_Atomic bool is_name_lost;

	/* what was assigned stands here alone: the image stays, with a descriptor */
	_Atomic bool is_assigned_here;

	/* atomic */
	_Atomic bool is_changed; /* the core has changed the file since the last stamp */
	_Atomic bool is_in_use;	 /* the core has checked the file out: descriptors stay */
	/* changes of the backing file that the next sync must sync (B6), and how many it has */
	_Atomic uint64_t sync_wanted, sync_done;
	_Atomic uint64_t floor_seq; /* +1 at begin and end of each own change past the core */

	/* the gates: gate.c */
	_Atomic bool is_ready, is_shut;
	_Atomic uint32_t in_flight; /* writes that passed the inner one */
	_Atomic uint32_t inside;    /* what passed the outer one */
	struct list parked;	    /* tasks; lock: dir->lock */

	struct image_iostat iostat; /* atomic */
};

struct imagedir {
	/* const after open */
	int root_fd;
	char *root_path;	  /* as the kernel says it */
	_Atomic uint64_t revived; /* how many times it was: the root is another one then */
	bool read_only, force;
	bool is_left; /* to a thread that hangs; owner: who ends it */
	void (*looked)(void); /* imagedir_conf */
	struct privdir priv;  /* its files: one thread; the list of caches is read by others, too */
	struct taskpool *pool;
	struct choose choose;
	uint64_t fd_budget; /* images that may keep descriptors without being open */

	struct mutex caches_lock; /* before all others; held while a cache comes or goes */
	pthread_rwlock_t names;	  /* renames of directories against all other operations on names;
				     before all locks */
	bool counts_flight;	  /* the store has no device that does; const after open */
	struct flight flight;	  /* of what somebody waits for */
	_Atomic uint64_t names_synced; /* syncs of directories so far */
	_Atomic uint64_t nr_open; /* images that have descriptors */
	_Atomic uint64_t size_guess; /* what the last file's size limit was; 0: none yet */

	struct mutex lock;
	struct list *by_inode; /* IMAGEDIR_BUCKETS; lock: lock */
	struct list *by_id;    /* IMAGEDIR_BUCKETS; lock: lock */
	uint32_t last_number;  /* given to an image; lock: lock */
	struct list maintain;  /* images with something left to do; lock: lock */
	struct list all;       /* lock: lock */
	struct cachehost *hosts[IMAGEDIR_CACHES_MAX]; /* by id, no gaps; lock: lock */
	unsigned int nr_hosts;			      /* lock: lock */
	struct cachehost *leaving;		      /* withdrawn, perhaps held; lock: lock */

	struct maintain *maintainer; /* maintain.c */
	struct iostat *iostat;	     /* iostat_of() */
};

/* ---- image.c ---- */

/* The image in the table, with a pin, or NULL. The file at fd is checked to be the one known. */
struct image *image_find(struct imagedir *d, int fd);
/* As image_get(), but NULL where there is no image yet. */
struct image *image_lookup(struct imagedir *d, int fd);
/* A new image for a file or, with fd -1, for one whose file is not there. One pin. */
struct image *image_make(struct imagedir *d, int fd);
void image_pin(struct image *img);
void image_unpin(struct image *img);
/* At the end: all of them, whoever has them. */
void image_free_all(struct imagedir *d);
/* Its file is the one at fd. False: another image has it. */
bool image_adopt_inode(struct image *img, int fd);
/* The image that the inode of the file at fd leads to, with a pin, or NULL. */
struct image *image_at_inode(struct imagedir *d, int fd);
/* The file is gone or another: its inode number does not lead here any more. */
void image_forget_inode(struct image *img);
/* The cache that it is in; NULL: none. As of `host`. */
static inline struct cachehost *image_host(const struct image *img)
{
	return atomic_load(&img->host);
}
/* Of the core; it has `cached`. */
static inline void image_core_info(struct image *img, struct cache_image_info *info)
{
	cache_image_info(image_host(img)->cache, atomic_load(&img->cached), info);
}
/* image->lock held: takes the core's image or gives it up. */
void image_set_cached(struct image *img, struct cachehost *h, struct cache_image *ci);
void image_drop_cached(struct image *img);
/* Gives it its number, unless it has one. */
void image_number(struct image *img);
/* A descriptor of the file, perhaps O_PATH: one of the image's, or a duplicate that is put into
 * *own (-1 before) to be closed by the caller; -1: there is none. image->lock held. */
int image_borrow_fd(struct image *img, int *own);
/* Keeps the image in its cache, as an open handle does, and comes in, until image_unhold(). Returns
 * `cached`. Blocks. */
struct cache_image *image_hold(struct image *img);
void image_unhold(struct image *img);
/* Its path as far as known, for messages; text has PATHNAME_BYTES. */
void image_describe(struct image *img, char *text);
/* image->lock held: nobody gets at it any more; says so once. The core is told unless it asked
 * itself. */
void image_set_conflict(struct image *img, enum image_state state, const char *what,
			bool tell_core);

/* ---- image_fd.c: image->lock held ---- */

/* Opens the descriptors, or opens them again for writing. -EAGAIN: a dead lcfs's writes are still
 * under way and may_wait is false. */
int image_fds_open(struct image *img, bool for_write, bool may_wait) must_check;
/* Those that are open lead to the file at `from` from now on: they had been lost. */
int image_fds_renew(struct image *img, int from) must_check;
void image_fds_close(struct image *img);

/* ---- image_state.c: image->lock held ---- */

/* Did somebody else change the file? 0 (clean blocks dropped where need be), -EIO: conflict now,
 * -EAGAIN: they cannot be dropped now. */
int image_check(struct image *img) must_check;
/* As the file is now; after an own change. */
void image_restamp(struct image *img);
/* Around an own change past the core: keeps what a power cut may bring back. lock held. */
void image_keep_floor(struct image *img);
/* A sync that began when floor_seq was seq has made all of them durable. lock held. */
void image_floor_is_synced(struct image *img, uint64_t seq);
bool image_is_bound(struct image *img);
/* Tells the core that the file is about to be changed, and that it has been: NULL, or its stamp as
 * cache_image_touched() wants it. */
int image_touch(struct image *img) must_check;
void image_touch_end(struct image *img, const struct op_stamp *after);
/* After -EAGAIN of the functions here (the log has no space): with no lock held, for a moment. */
void image_pause(void);
/* Own change past the core: as image_touching() and image_touched(). */
int image_change_begin(struct image *img) must_check;
void image_change_end(struct image *img);
/* Is its file marked, by its cache or, for what is known, by another one? lock held. */
static inline bool image_has_mark(const struct image *img)
{
	return img->is_marked || img->has_old_mark;
}

/*
 * Has the cache that the mark of its file (of uuid) names no data of it? 1: none, the mark is
 * stale; 0: it may have some; -ENOENT: that cache is not there, and may have some.
 */
int image_judge_mark(struct image *img, const uint8_t *uuid) must_check;
/* Descriptors are open: finds out whether there is a mark of ours, perhaps from before a crash. */
void image_look_for_mark(struct image *img);
/* Ready for cached writes: 0, 1: uncached, or -errno. */
int image_prepare(struct image *img) must_check;
/* The reverse for a clean image without writes in flight; false: not now. */
bool image_unprepare(struct image *img);

/* Without image->lock, inside: as image_touching() and image_touched(). The first one does not
 * wait; -EAGAIN: later. */
int image_try_touching(struct image *img) must_check;
int image_touching_inside(struct image *img) must_check;
void image_touched_inside(struct image *img);

/* ---- image_open.c ---- */

/* image->lock held, descriptors open, the image in no cache: this one gets it. -ENOSPC, -EINVAL: it
 * has no room for it, its name cannot be stored; -EAGAIN: not now. */
int image_enter_host(struct image *img, struct cachehost *h) must_check;

/* image_size() by who is inside or has image->lock. */
uint64_t image_size_inside(struct image *img);
/* image_release() with image->lock held. */
void image_release_locked(struct image *img, bool for_write);

/* ---- gate.c ---- */

/* Any thread. False: not ready, or shut. */
bool gate_enter(struct image *img);
/* The same by who is inside: whoever shut the gate waits for that one. */
bool gate_enter_inside(struct image *img);
void gate_leave(struct image *img);
/* image->lock held. Nobody passes from now on; false, and the gate as before, when somebody is
 * inside. */
bool gate_try_close(struct image *img);
void gate_open(struct image *img);

/* Comes in: `cached` and `host` do not change until image_leave(). Not by who is inside already. */
bool image_try_enter(struct image *img);
void image_enter(struct image *img); /* blocks */
void image_leave(struct image *img);
/* The task is run when the gate opens; false: it is open. */
bool gate_park(struct image *img, struct task *t);
/* move.c: nobody comes in any more. Is anybody inside? */
void gate_shut(struct image *img);
bool gate_is_empty(struct image *img);
void gate_unshut(struct image *img);

/* ---- image_backing.c ---- */

/* img->lock, for a thread that the core waits for, or others. Who has it may wait for the core (for
 * space in the log, say), or for a store that hangs, so there is a limit to patience. */
bool image_lock_patiently(struct image *img) must_check;

extern const struct engine_ops image_engine_ops;
/* A request to the backing store that somebody waits for goes out, and has come back; of the engine
 * it is known. */
void image_flight(struct imagedir *d, bool begins);

/* ---- image_sync.c ---- */

/* Is there anything of the backing file itself to sync (B6)? Any thread. */
bool image_is_sync_wanted(struct image *img);
/* Syncs it. Blocks. */
int image_sync_backing(struct image *img) must_check;
/* Before it may be bound: what was changed past the log must not be lost while what comes to the
 * log later is there (B7). image->lock held; blocks if there is such a change. */
void image_sync_ahead(struct image *img);

/* ---- naming.c ---- */

/* image->lock held. It has been made known to the core as ci, and not been set cached yet. */
void naming_enters(struct image *img, struct cachehost *h, struct cache_image *ci);
/* image->lock held: it is about to leave its cache. */
void naming_leaves(struct image *img);
/* The file and its name are durable, or shall count as such: the log has it when this returns.
 * Blocks. */
int naming_is_durable(struct image *img) must_check;

/* image->lock held: it has several names, or one that cannot be stored. Does not wait for the log:
 * without space there all stays as it is. */
void naming_is_vague(struct image *img);

/* The same for all files of a directory. */
struct naming {
	struct cachehost *host[IMAGEDIR_CACHES_MAX]; /* held */
	uint64_t mark[IMAGEDIR_CACHES_MAX];
	unsigned int nr;
};
/* Before the directory open at dirfd is synced. */
void naming_begin(struct naming *n, struct imagedir *d, int dirfd);
/* After that; r: what came of it. Blocks. Returns r, or what went wrong here. */
int naming_end(struct naming *n, int r) must_check;

/* ---- move.c ---- */

/*
 * Out of this cache, if it is in it, to one that takes it, or none. Nothing is noted. With a
 * reference. -ENOENT: its last name is gone and nobody uses it, so that it cannot be drained, and
 * need not be: it is about to be forgotten.
 */
int move_out(struct image *img, struct cachehost *from) must_check;

/* ---- maintain.c ---- */

int maintain_start(struct imagedir *d) must_check;
/* Ends the thread after a last pass that leaves nothing behind that can be done now. False: it
 * hangs, and is left behind with all that it uses. */
bool maintain_stop(struct imagedir *d);
/* The image has something left to do when it is idle. */
void maintain_add(struct image *img);
/* image->lock held. The image's last name went before this mount, and perhaps not durably yet. */
void maintain_add_gone(struct image *img);
/* image->lock held. The image's last name went, from the directory open at dirfd: once that is
 * durable and nobody has the image open any more, it is unbound. */
void maintain_add_unlinked(struct image *img, int dirfd);
/* image->lock held. The core forgets the image; nothing is out on it. May wait for space in the
 * log. False: not now. */
bool maintain_unbind(struct image *img);
/* The core has little room for more images? Then those that are clean and unused are to be unbound
 * soon. */
bool maintain_is_room_short(struct cachehost *h);
void maintain_want_room(struct cachehost *h);
/* The next pass comes early. */
void maintain_hurry(struct imagedir *d);

/* ---- revive.c ---- */

/* At the start: how the directory is found again. */
int revive_init(struct imagedir *d) must_check;
/* From maintenance: where the filesystem of the backing directory has died and another one has
 * taken its place that is the same, goes on with that. */
void revive_if_lost(struct imagedir *d);

/* ---- match.c ---- */

/* Makes an image for each one of the table, before the engine starts; it is `unmatched` until
 * match_images(). */
int match_prepare(struct cachehost *h) must_check;
/* Finds the files of all images that are unmatched; the engines run. */
int match_images(struct imagedir *d) must_check;
/* What was found, for the log. May wait for space in it; no lock held. */
int match_log(struct imagedir *d) must_check;

/* ---- lost_images.c ---- */

/* image->lock held, descriptors open: marks the file, durably (F3). */
int image_leave_cache(struct image *img, const struct cachehost *h, uint64_t lsn) must_check;
/* image->lock held. It goes from a lost cache, and has all in its file, open at fd, or what that
 * has not is given up: what the log says of it is void, should it come back. Durably, before its
 * UNBIND. -EROFS: the file takes no mark. */
int image_leave_for_good(struct image *img, int fd, const struct cachehost *h) must_check;
/* Does the file at fd (perhaps O_PATH) say that it left this cache, after it was bound there? */
bool image_has_left(int fd, const struct cachehost *h, uint64_t bind_lsn);
/* Does it say so for good, and this is the first mount since? */
bool image_is_void(int fd, const struct cachehost *h, const struct cache_image_info *info);
/* It says so no more. */
void image_is_back(int fd, const struct cachehost *h);
/* image->lock held. Says what of it is lost, if that has changed. */
void image_tell_lost(struct image *img);
/* The same of all images, at the end of the cache. */
void cachehost_tell_lost(struct cachehost *h);

/* ---- image_io.c ---- */

void image_io_request(struct action *a);

#endif
