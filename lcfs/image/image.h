/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Images: what the filesystem above sees of the cache and the backing directory.
 *
 * An image is one regular file of the backing directory, found by (device, inode), whatever its
 * names. Reads, writes and syncs are asynchronous (struct image_io) and never block; everything
 * else blocks and is for metadata threads. Errors: 0 or -errno.
 */
#ifndef LCFS_IMAGE_IMAGE_H
#define LCFS_IMAGE_IMAGE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

#include "common/compiler.h"
#include "lcfs/cache/cache.h"
#include "lcfs/image/engine.h"

struct image;
struct imagedir;

/* ---- the backing directory ---- */

struct imagedir_conf {
	int dirfd; /* of the backing directory, O_PATH or O_DIRECTORY; kept by the imagedir */
	bool read_only;
};

/*
 * Takes the directory: lock (one lcfs a directory; -EBUSY with the holder's pid in text), `.lcfs/`
 * with its UUID and list of caches. The UUID goes into the cache (cache_mount_info.dir_uuid). text
 * gets one line on error.
 */
int imagedir_open(struct imagedir **out, const struct imagedir_conf *conf, char *text,
		  size_t size) must_check;
const uint8_t *imagedir_uuid(const struct imagedir *d);
int imagedir_fd(const struct imagedir *d);
/* Is this name, directly in the directory at fd, one of lcfs's own (".lcfs" in the root)? They are
 * hidden. */
bool imagedir_is_private(const struct imagedir *d, int dirfd, const char *name);
/*
 * Connects a recovered cache: finds the file of every image in the table (states conflict,
 * missing), says each finding by msg_warn, lists the cache in .lcfs/caches (synced), starts the
 * engine.
 */
int imagedir_attach_cache(struct imagedir *d, struct cache *c, const struct superblock *sb,
			  int log_fd, char *text, size_t size) must_check;
struct engine *imagedir_engine(struct imagedir *d);
struct cache *imagedir_cache(struct imagedir *d);
/* Shutdown of engine and cache in order; removes the cache from .lcfs/caches when it holds no dirty
 * data. */
int imagedir_close(struct imagedir *d) must_check;

/* ---- images ---- */

/* The image of the regular file open at fd (O_PATH is enough); takes a reference. */
int image_get(struct imagedir *d, int fd, struct image **out) must_check;
struct image *image_ref(struct image *img);
void image_put(struct image *img);
/* An open handle on it. For writing: prepares what the first cached write needs (identity, path,
 * id, backing descriptors). -EIO with a message for images in conflict, missing or error. */
int image_open(struct image *img, bool for_write) must_check;
void image_release(struct image *img, bool for_write);
/* Lays what lcfs owns (size, mtime, blocks) over the backing file's attributes. */
void image_overlay_stat(struct image *img, struct stat *st);
uint64_t image_size(struct image *img);

/* ---- reads, writes, syncs ---- */

enum image_io_kind {
	IMAGE_READ,
	IMAGE_WRITE,
	IMAGE_SYNC
};

struct image_io {
	/* by the caller; the rest zero */
	enum image_io_kind kind;
	struct image *img;
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
	/* private */
	union {
		struct cache_read
			*read; /* READ: memory given by the caller, sizeof(struct cache_read) */
		void *unused;
	} mem;
	struct cache_write write;
	struct cache_sync csync;
	int phase;
};

/*
 * Starts it. Returns CACHE_DONE (io->result is set, done is not called), CACHE_WAIT (done will be
 * called), or CACHE_AGAIN (may_wait is false and it would have to wait: give it memory that lasts,
 * call again with true).
 */
enum cache_step image_io_start(struct image_io *io, bool may_wait);

/* ---- for metadata threads: these block ---- */

int image_truncate(struct image *img, uint64_t size) must_check;
/* mode as fallocate(2): 0, KEEP_SIZE, PUNCH_HOLE | KEEP_SIZE, ZERO_RANGE [| KEEP_SIZE]; else
 * -EOPNOTSUPP. */
int image_fallocate(struct image *img, int mode, uint64_t off, uint64_t len) must_check;
int image_seek(struct image *img, uint64_t off, int whence,
	       uint64_t *result) must_check; /* SEEK_DATA, SEEK_HOLE */
int image_sync(struct image *img, bool datasync) must_check;
int image_set_times(struct image *img,
		    const struct timespec ts[2]) must_check; /* UTIME_NOW, UTIME_OMIT */
/* Anything that changes the backing inode past the cache (chmod, chown, xattr): called after it, so
 * that the guard knows that the new ctime is ours. */
void image_touched(struct image *img);

/* Namespace operations on names in directories open at dirfd; plain system calls when no bound
 * image is concerned, else in the order of the log. errno as the calls. */
int imagedir_unlink(struct imagedir *d, int dirfd, const char *name) must_check;
int imagedir_rename(struct imagedir *d, int dirfd, const char *name, int newdirfd,
		    const char *newname, unsigned flags) must_check;
int imagedir_link(struct imagedir *d, int fd, int newdirfd, const char *newname) must_check;
/* fsync of a directory: names, and the operations in the log about them. */
int imagedir_sync_dir(struct imagedir *d, int dirfd) must_check;

/* ---- for the control tree ---- */

/* The images that are bound or open: calls fn for each, with a reference held. Stops at non-zero.
 */
int imagedir_for_each(struct imagedir *d, int (*fn)(struct image *img, void *arg), void *arg);
struct image *imagedir_by_id(struct imagedir *d, uint32_t id); /* with a reference, or NULL */
uint32_t image_id(const struct image *img);		       /* 0: not in the cache */
struct cache_image *image_cached(const struct image *img);
int image_drain(struct image *img) must_check; /* blocks until clean */

#endif
