/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Images: what the filesystem above sees of the cache and the backing directory.
 *
 * An image is one regular file of the backing directory, found by (device, inode), whatever its
 * names. Reads, writes and syncs are asynchronous (struct image_io) and never block; everything
 * else blocks and is for metadata threads, with the daemon's own credentials. Errors: 0 or -errno.
 */
#ifndef LCFS_IMAGE_IMAGE_H
#define LCFS_IMAGE_IMAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

#include "common/compiler.h"
#include "lcfs/cache/cache.h"
#include "lcfs/image/engine.h"
#include "lcfs/image/taskpool.h"

struct image;
struct imagedir;

/* ---- the backing directory ---- */

/* Which cache an image gets that is in none: of those that have room. */
enum imagedir_policy {
	IMAGEDIR_FIRST,
	IMAGEDIR_ROUND_ROBIN,
	IMAGEDIR_LEAST_DIRTY
};

struct imagedir_conf {
	int dirfd; /* of the backing directory, O_PATH or O_DIRECTORY; duplicated */
	bool read_only;
	bool force; /* the admin says: use this cache with this directory, whatever is recorded (G3)
		     */
	enum imagedir_policy policy;
	/* fnmatch(3), of the path below the directory, * and ? match slashes, too; NULL at the end
	 * of a list, or no list; copied. With `include`, only what matches one of them is cached;
	 * what matches one of `exclude` is not. */
	const char *const *include, *const *exclude;
	/* Called for each file that is looked at while images meet their files, which takes as long
	 * as the backing store does: a sign that it goes on. NULL: nobody wants to know. */
	void (*looked)(void);
};

/*
 * Takes the directory: lock (one lcfs a directory; -EBUSY at once, with the holder's pid in text),
 * UUID and list of caches from `.lcfs/`. Nothing is changed yet but for the lock file. text gets
 * one line on error.
 */
int imagedir_open(struct imagedir **out, const struct imagedir_conf *conf, char *text,
		  size_t size) must_check;
/* Goes into the cache (cache_mount_info.dir_uuid). */
const uint8_t *imagedir_uuid(const struct imagedir *d);
/* O_PATH descriptor of the backing directory; the imagedir's. */
int imagedir_fd(const struct imagedir *d);
/* How many times another filesystem has taken the place of one that died: what imagedir_fd() leads
 * to is another file then. Any thread. */
uint64_t imagedir_revived(struct imagedir *d);
/*
 * May these caches serve this directory, together with those that do? Before cache_open(), which
 * tells the cache whose it is: the directory notes its UUID first (synced). -EPERM with a line in
 * text: one belongs to another directory, or the directory has dirty data in a cache that is not
 * among them (conf.force overrides); -EEXIST: one is given twice.
 */
int imagedir_admit(struct imagedir *d, const struct superblock *const *sb, unsigned int nr,
		   char *text, size_t size) must_check;
/* Is this name, in the directory open at dirfd, one of lcfs's own (".lcfs" in the root)? They are
 * hidden. */
bool imagedir_is_private(const struct imagedir *d, int dirfd, const char *name);

#define IMAGEDIR_CACHES_MAX 16u

/* A recovered cache for the mount. */
struct imagedir_cache {
	struct cache *cache;	     /* stays the caller's */
	const struct superblock *sb; /* as it was before cache_open(), for its lease */
	int log_fd;		     /* the caller's, who keeps it open */
	const char *device;	     /* its path, for people; or NULL */
};

/*
 * Connects caches that were admitted: gives each its id, starts its engine, finds the file of every
 * image in its table (states conflict, missing), says each finding by msg_warn, lists it in
 * .lcfs/caches (synced). Those of the mount together, before anything is served: an image that two
 * of them have stays with the one that holds data of it. Later ones at any time; -EBUSY then: it
 * holds data of a file that is in use. Without a cache every image is served uncached.
 */
int imagedir_add_caches(struct imagedir *d, const struct imagedir_cache *c, unsigned int nr,
			char *text, size_t size) must_check;
/*
 * Takes a cache away while the mount goes on: drains it; its images go to the other caches, as new
 * ones would. Blocks. -ENOENT: there is none, -EBUSY with a line in text: an image cannot leave it
 * (conflict, missing), and all others stay out of it if it is tried again; or what ending it said.
 * But for the first two, the caller frees the cache.
 */
int imagedir_remove_cache(struct imagedir *d, uint32_t id, char *text, size_t size) must_check;
/*
 * The caches of the mount, by id: 1, 2, ..., the same in every mount of the directory for the same
 * cache. Any thread. A cache may be removed while mounted: what imagedir_cache() and the others
 * return is good between imagedir_hold_cache() and imagedir_release_cache(), which the removal
 * waits for; so hold none while waiting for an image to move.
 */
/* Ids in ascending order: stores at most `most`, returns how many there are. */
unsigned int imagedir_caches(struct imagedir *d, uint32_t *ids, unsigned int most);
/* False: there is no such cache (any more). */
bool imagedir_hold_cache(struct imagedir *d, uint32_t id) must_check;
void imagedir_release_cache(struct imagedir *d, uint32_t id);
/* NULL: there is none with that id. */
struct cache *imagedir_cache(struct imagedir *d, uint32_t id);
struct engine *imagedir_engine(struct imagedir *d, uint32_t id);
/* Path of the cache device, as it was given. */
const char *imagedir_cache_device(struct imagedir *d, uint32_t id);
/* 0: there is no cache with that UUID. */
uint32_t imagedir_cache_id(struct imagedir *d, const uint8_t *uuid);
/* Block until everything answered before is durable: of all caches, or of one (-ENOENT: none such).
 */
int imagedir_sync(struct imagedir *d) must_check;
int imagedir_sync_cache(struct imagedir *d, uint32_t id) must_check;
/* The same as the admin wants it, in place of sync(2), for one or all (0): what was created counts
 * as durable from then on. */
int imagedir_flush(struct imagedir *d, uint32_t id) must_check;
/*
 * Shutdown of engine and cache in order; takes the cache off .lcfs/caches when it holds no dirty
 * data; frees all images whatever references there are, and d. Also after a failed attach. The
 * cache itself stays the caller's (cache_free). Returns the first error; all is let go in any case,
 * but where it returns IMAGEDIR_HANGS: caches have ended in order, and requests to image files
 * hang, so that what they use is left behind for the process to end with.
 */
#define IMAGEDIR_HANGS 1
int imagedir_close(struct imagedir *d) must_check;
/*
 * Does a cache device hang that has been given up? Then a thread that is lent to it
 * (image_thread_lend()) need not be waited for before imagedir_close(), which leaves it what it may
 * come back to. By who closes.
 */
bool imagedir_leave_lent(struct imagedir *d);

/* ---- images ---- */

/*
 * The image of the regular file open at fd; takes a reference. fd stays the caller's; O_PATH is
 * enough. When it is open for reading and writing, the image may go on to use (a duplicate of) it
 * for its I/O.
 */
int image_get(struct imagedir *d, int fd, struct image **out) must_check;
/* Any thread, with a reference held. */
struct image *image_ref(struct image *img);
void image_put(struct image *img);
/* O_PATH descriptor of the file; the image's, valid while a reference is held. */
int image_fd(const struct image *img);
/* The file has just been created through us: its first sync also syncs it and its directories (B6).
 */
void image_created(struct image *img);
/*
 * An open handle on it. For writing: prepares what the first cached write needs (identity, path,
 * id, backing descriptors). -EIO with a message for images in conflict, missing or error; -EBUSY
 * for a file that another program has locked for writing (qemu), or has changed while migration is
 * at work on it without end.
 */
int image_open(struct image *img, bool for_write) must_check;
void image_release(struct image *img, bool for_write);
/* Changes whenever the content was found changed behind our back: what was cached above is stale.
 */
uint64_t image_version(struct image *img);
/* As fstat() of fd, which leads to the image's file, with what lcfs owns (size, times, blocks) laid
 * over it. 0 or -errno. */
int image_stat(struct image *img, int fd, struct stat *st) must_check;
/* Bytes, as lcfs shows it, of an image that is open. Any thread; does not block if the image is
 * cached. */
uint64_t image_size(struct image *img);

/* ---- reads, writes, syncs ---- */

struct iostat;

enum image_io_kind {
	IMAGE_READ,
	IMAGE_WRITE,
	IMAGE_SYNC
};
#define IMAGE_NR_IO_KINDS 3

struct image_io {
	/* by the caller; the rest zero */
	enum image_io_kind kind;
	struct image *img; /* open (for writing) until done */
	uint64_t off;
	uint32_t len;
	/* READ: aligned to 4096, room for len plus 2 * 4096: the data of `off` begins at buf + off
	 * % 4096. WRITE: any alignment, valid until done. */
	void *buf;
	bool sync; /* WRITE: O_SYNC, O_DSYNC */
	bool datasync;
	void (*done)(struct image_io *io); /* any thread; must not block */
	void *owner;
	int result; /* READ: bytes (short at the end of the image), WRITE: bytes, SYNC: 0; or -errno
		     */
	union {
		struct cache_read *read; /* READ: memory given by the caller, zeroed */
		void *unused;
	} mem;
	/* private */
	struct cache_write write;
	struct cache_sync csync;
	struct task task;
	uint64_t size_before, started_ns;
	struct iostat *stat;
	bool is_inside;
};

/*
 * Starts it. Returns CACHE_DONE (io->result is set, done is not called), CACHE_WAIT (done will be
 * called, perhaps already has been), or CACHE_AGAIN (may_wait is false and it would have to wait:
 * give it memory that lasts, call again with true).
 */
enum cache_step image_io_start(struct image_io *io, bool may_wait);

/*
 * The calling thread may block for as long as a cache device takes: from now on it writes the log
 * itself, and flushes it, where a sync that it starts finds nobody else at work, which is faster.
 * Meanwhile *is_away is true.
 */
void image_thread_lend(_Atomic bool *is_away);

/* ---- for metadata threads: these block ---- */

/* Those that change something want the image's file writable by the daemon; it need not be open. */
int image_truncate(struct image *img, uint64_t size) must_check;
/* mode as fallocate(2): 0, KEEP_SIZE, PUNCH_HOLE | KEEP_SIZE, ZERO_RANGE [| KEEP_SIZE]; else
 * -EOPNOTSUPP. */
int image_fallocate(struct image *img, int mode, uint64_t off, uint64_t len) must_check;
int image_seek(struct image *img, uint64_t off, int whence,
	       uint64_t *result) must_check; /* SEEK_DATA, SEEK_HOLE */
int image_sync(struct image *img, bool datasync) must_check;
int image_set_times(struct image *img,
		    const struct timespec ts[2]) must_check; /* UTIME_NOW, UTIME_OMIT */
/*
 * Around anything else that changes the backing inode past the cache (chmod, chown, xattr), so that
 * the guard knows that the new ctime is ours. Pairs; when image_touching() fails, the change must
 * not be made.
 */
int image_touching(struct image *img) must_check;
void image_touched(struct image *img);
/* Is the extended attribute lcfs's own? Not listed, not there on get, EPERM on set and remove. */
bool image_xattr_is_private(const char *name);

/*
 * Namespace operations on names in directories open at dirfd (O_PATH is enough); plain system calls
 * when no bound image is concerned, else in the order of the log. errno as the calls; -EPERM for
 * lcfs's own names. unlink is not for directories (-EISDIR); rename is for everything; flags as
 * renameat2(2): RENAME_NOREPLACE or RENAME_EXCHANGE.
 */
int imagedir_unlink(struct imagedir *d, int dirfd, const char *name) must_check;
int imagedir_rename(struct imagedir *d, int dirfd, const char *name, int newdirfd,
		    const char *newname, unsigned int flags) must_check;
/* A further name for the file open at fd (O_PATH is enough). */
int imagedir_link(struct imagedir *d, int fd, int newdirfd, const char *newname) must_check;
/* fsync of a directory: names, and the operations in the log about them. */
int imagedir_sync_dir(struct imagedir *d, int dirfd) must_check;

/* ---- for the control tree ---- */

/*
 * The images that are bound or open: calls fn for each, with a reference held. Stops at non-zero.
 */
int imagedir_for_each(struct imagedir *d, int (*fn)(struct image *img, void *arg), void *arg);
/*
 * An image's number in this mount: given when it is first bound or open, never given to another
 * one while mounted. (The caches' own tables number their images themselves: info.id.)
 */
struct image *imagedir_by_id(struct imagedir *d, uint32_t id); /* with a reference, or NULL */
uint32_t image_id(const struct image *img); /* 0: neither bound nor open so far */
/* The cache that it is in; 0: it is uncached. */
uint32_t image_cache_id(struct image *img);
/*
 * What is known of it; path: OP_PATH_MAX + 1 bytes, or NULL; with " (deleted)" behind it when its
 * last name has gone. False: it is not in a cache; state, size and path are filled in all the same.
 * With a reference. May block.
 */
bool image_info(struct image *img, struct cache_image_info *info, char *path);
/* The same, and image_reason() in *why, but never waits for the store: -EAGAIN instead of blocking
 * behind who works on the image; of one that is in no cache, what was last seen. 1: it is in a
 * cache, 0: it is not. */
int image_try_info(struct image *img, struct cache_image_info *info, char *path,
		   const char **why) must_check;
/* Why it is in conflict or missing: a few words; "" where there is nothing to say. */
const char *image_reason(struct image *img);

/* Its last name has gone through us: what is dirty of it is owed to no file. Any thread. */
bool image_is_removed(const struct image *img);

/* Requests since the mount. errors: not counted for a single image. */
struct image_io_counts {
	uint64_t requests, bytes, errors;
};
void image_counts(const struct image *img, enum image_io_kind kind, struct image_io_counts *n);
/* Of all images while they were in a cache, or in none (0). The times are added to *v. False: there
 * is no such cache. */
bool imagedir_latency(struct imagedir *d, uint32_t cache_id, enum image_io_kind kind,
		      struct histogram_view *v, struct image_io_counts *n);
/* Blocks until it is clean; -EINPROGRESS: it is being written to, and each block that was dirty is
 * in the file by now, or has been written again. */
int image_drain(struct image *img) must_check;

/*
 * The admin's decision about an image that is held: conflict or missing. Keep the cache: the file
 * that has its name now is its base, and all that the cache holds goes over it. Keep the backing
 * file: what the cache holds is dropped. Blocks until that is durable; the image is served again
 * then. With a reference.
 *
 * -EINVAL: it is not held; -ENOENT (keep the cache): no file has its name; -EBUSY: somebody has it
 * open, or the file that has its name is in use as another image: unmount and mount again; -ENOSPC:
 * the log has no room for the decision; -EROFS; -EIO: the cache device has failed.
 */
enum image_resolution {
	IMAGE_KEEP_CACHE,
	IMAGE_KEEP_BACKING,
};
int image_resolve(struct image *img, enum image_resolution how) must_check;
/*
 * Writes an image that is held to a new, sparse file at the absolute path, as it would be shown:
 * what the cache has over what its file has now, if there is one. Nothing is decided by that.
 * -EINVAL: it is not held; -EEXIST; -EBUSY: it was decided meanwhile; -EIO: a block cannot be read.
 * After an error there is no file.
 */
int image_export(struct image *img, const char *path) must_check;
/*
 * Attaches the image to that cache, or detaches it (0), while it is in use: drains it from the
 * cache it is in, unbinds it there, durably; then the other cache has it. Its writes go on but for
 * a moment at the end. It stays so for later mounts where its file takes extended attributes, else
 * for this mount. With a reference. Blocks until that is so.
 *
 * -ENOENT: no such cache, or the image has no name any more; -EIO: it is in conflict, missing or
 * its cache has failed; -EROFS; -EBUSY: another program has locked the file; -ENOSPC: that cache
 * has no room for another image (it is uncached then); -ETIMEDOUT, or what the backing store says:
 * it cannot be drained now. After an error it is where it was, unless
 * said otherwise.
 */
int image_attach(struct image *img, uint32_t cache_id) must_check;

#endif
