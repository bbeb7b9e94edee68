/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A cache on a real device or file, with engine and images but without a filesystem above: for
 * tests of the engine with the core, and for benchmarks. Calls block. Failures that are no test's
 * business end the program with a line.
 */
#ifndef TESTS_FAKE_CACHERIG_H
#define TESTS_FAKE_CACHERIG_H

#include <semaphore.h>

#include "lcfs/image/engine.h"
#include "lcfs/io/cachedev.h"
#include "lcfs/io/iobuf.h"

#define CACHERIG_IMAGES 8

struct cacherig_image {
	struct cacherig *rig;
	struct cache_image *img;
	int fd;	      /* backing file; the caller's */
	bool is_null; /* writes go nowhere, reads give what fd has */
};

struct cacherig {
	struct cachedev *dev;
	struct superblock sb;
	struct cache_conf conf; /* by the caller, after cacherig_init() */
	void *pool;
	uint64_t pool_bytes;
	struct cache *cache;
	struct engine *engine;
	struct cacherig_image image[CACHERIG_IMAGES];
	struct cache_recovery_report report; /* of the last cacherig_open() */
	uint64_t open_ns;		     /* how long its cache_open() took */
};

/* Takes the device at path. */
void cacherig_init(struct cacherig *r, const char *path);
/* Lays out an empty cache on so many bytes of the device, 0: all. */
void cacherig_format(struct cacherig *r, uint64_t bytes, uint32_t segment_order);
/*
 * Opens cache and engine. The pool's memory is made at the first time and lives until
 * cacherig_free().
 */
void cacherig_open(struct cacherig *r);
/* Image i of that backing file: a new one, or the one that the cache knows from before. */
void cacherig_image(struct cacherig *r, unsigned int i, int fd);
/* As by SIGKILL; the pool's memory stays. Nobody waits for a request. */
void cacherig_kill(struct cacherig *r);
/* As by a power cut: the pool's memory is gone, too. */
void cacherig_cut(struct cacherig *r);
int cacherig_stop(struct cacherig *r) must_check;
void cacherig_free(struct cacherig *r);

/* Any thread. Results as the core gives them. */
int cacherig_write(struct cacherig *r, unsigned int i, const void *data, uint32_t len, uint64_t off,
		   bool sync);
int cacherig_read(struct cacherig *r, unsigned int i, void *buf, uint32_t len, uint64_t off);
/* Image i, or all (-1). */
int cacherig_sync(struct cacherig *r, int i);
/* Migrates all of image i. */
int cacherig_clean(struct cacherig *r, unsigned int i);
void cacherig_knob(struct cacherig *r, enum cache_knob k, uint64_t value);

#endif
