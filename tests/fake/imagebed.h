/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A backing directory with a real cache over it: core and engine as in the daemon, without FUSE.
 * Lies in a directory of its own below $IMAGEBED_DIR (or the current one), one for each test
 * program, which is removed at the end or by the program's next test.
 *
 * A daemon that is killed is a child process: bed_die() runs a function in one, with the directory
 * mounted, and kills it. The RAM buffers are shared memory, so they survive it.
 */
#ifndef TESTS_FAKE_IMAGEBED_H
#define TESTS_FAKE_IMAGEBED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lcfs/image/image.h"
#include "lcfs/io/cachedev.h"

#define BED_CACHE_BYTES (48u << 20)

#define BED_CACHES_MAX 3u

struct bed_cache {
	char file[16]; /* its name in root */
	void *pool;
	struct superblock before; /* as it was before the mount */
	struct cache_recovery_report report;
	/* while mounted */
	struct cachedev *dev;
	struct cache *cache;
	uint32_t id;
};

struct bed {
	char root[256];
	int root_fd;
	int fd; /* of the backing directory */
	uint64_t pool_bytes;
	/* what bed_mount() mounts with, in this order; one, unless bed_add_cache() */
	unsigned int nr_caches;
	struct bed_cache *caches[BED_CACHES_MAX];
	/* more of what it is mounted with */
	enum imagedir_policy policy;
	const char *const *include, *const *exclude;
	bool force;
	uint8_t restarts; /* of the machine, so far: whatever was in RAM is lost with each */
	int64_t lease_ns; /* what the next mount is told of the lease, 0: the truth */
	void (*looked)(void); /* imagedir_conf */
	/* while mounted */
	struct imagedir *dir;
	struct cache *cache; /* the first one */
	struct superblock before;
	char text[600]; /* of the last failure */
	/* messages since bed_new(), one a line */
	char said[8192];
};

struct bed *bed_new(void);
void bed_free(struct bed *b); /* unmounts if need be */
/* A new, empty cache in the place of the old one (the first one). */
void bed_format(struct bed *b);
/* One more, empty; the next mount has it. */
struct bed_cache *bed_add_cache(struct bed *b);
/* A new bed with two of them, not mounted or mounted. */
struct bed *bed_two_caches(void);
struct bed *bed_two_mounted(void);
/* The next mount gets the first two in the other order. */
void bed_turn_round(struct bed *b);
/* How many images a cache's table has that are bound. */
unsigned int bed_nr_bound(const struct bed_cache *c);
/* While mounted: it comes, and goes; 0 or -errno with b->text. b->caches stays as it is. */
int bed_join(struct bed *b, struct bed_cache *c);
int bed_part(struct bed *b, struct bed_cache *c);

/* 0 or -errno with b->text. Migration is off until bed_migrate(). */
int bed_mount(struct bed *b);
void bed_must_mount(struct bed *b);
void bed_unmount(struct bed *b);
/* Mounts in a child process, which calls fn and is killed: SIGKILL. */
void bed_die(struct bed *b, void (*fn)(struct bed *b));
/* Of all caches. */
void bed_knob(struct bed *b, enum cache_knob k, uint64_t value);
/* Waits until all is in the backing files. */
void bed_drain(struct bed *b, struct image *img);
uint64_t bed_dirty_blocks(struct bed *b);
/* Waits, not for ever, for what maintenance does about once a second. */
void bed_wait_clean(struct bed *b);

/* ---- files, by path below the backing directory; all of these must succeed ---- */

/* Behind lcfs's back. */
void bed_make_file(struct bed *b, const char *path, char fill, size_t bytes);
/* Reads the plain file. Bytes. */
size_t bed_plain_read(struct bed *b, const char *path, void *buf, size_t bytes, uint64_t off);
/* Has the plain file so many bytes, all of them fill? */
bool bed_plain_is(struct bed *b, const char *path, char fill, size_t bytes);
bool bed_exists(struct bed *b, const char *path);

/* A reference. */
struct image *bed_get(struct bed *b, const char *path);
/* As CREATE does: makes the file, references it. */
struct image *bed_create(struct bed *b, const char *path);
/* bed_create(), open for writing, and so many bytes of fill in it. */
struct image *bed_make_image(struct bed *b, const char *path, char fill, uint32_t bytes);
/* bed_get() and open for writing. */
struct image *bed_open(struct bed *b, const char *path);
void bed_close(struct image *img); /* the reverse */

/* As the calls of image.h, waiting; the result. */
int bed_write(struct image *img, const void *data, uint32_t len, uint64_t off);
int bed_write_sync(struct image *img, const void *data, uint32_t len, uint64_t off);
int bed_fill(struct image *img, char fill, uint32_t len, uint64_t off);
int bed_read(struct image *img, void *buf, uint32_t len, uint64_t off);
int bed_sync(struct image *img);
/* Do the bytes all read as fill? */
bool bed_reads(struct image *img, char fill, uint32_t len, uint64_t off);
enum image_state bed_state(struct image *img);
/* Its id in the table of its cache; 0: it is in none. */
uint32_t bed_image_id(struct image *img);
/* Does its file say that a cache has newer data of it? */
bool bed_is_marked(struct bed *b, const char *path);
bool bed_said(struct bed *b, const char *words);
/* Waits for it, not for ever. */
void bed_wait_said(struct bed *b, const char *words);

#endif
