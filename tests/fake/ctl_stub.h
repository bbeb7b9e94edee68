/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The layers below lcfs/ctl/, made of plain variables: a test sets them and looks at them. */
#ifndef TESTS_FAKE_CTL_STUB_H
#define TESTS_FAKE_CTL_STUB_H

#include <stdbool.h>
#include <stdint.h>

#include "lcfs/cache/cache.h"
#include "lcfs/ctl/ctlfs.h"
#include "lcfs/image/image.h"

#define STUB_IMAGES 3

struct image {
	uint32_t id;
	bool is_gone;
	int refs;
	int drains;
	char exported[64];
	int resolved; /* 1 + the last enum image_resolution; 0: never */
	const char *path;
	struct cache_image_info info;
	const char *reason;
	bool is_locked; /* who may not wait for it is told so */
	int syncs;
	struct image_io_counts counts[IMAGE_NR_IO_KINDS];
};

struct stub {
	uint64_t knob[NR_KNOBS];
	int knob_error; /* what cache_knob_set answers */
	int knob_sets;
	int carried; /* outboxes given to the engine */
	int syncs, sync_error;
	int clears;
	int held;	/* caches */
	bool is_hung;	/* drains do not end */
	char added[64]; /* the last cache that was to come */
	uint32_t removed;
	struct cache_status status;
	struct histogram flush, migrate, io[IMAGE_NR_IO_KINDS];
	struct image_io_counts counts[IMAGE_NR_IO_KINDS];
	struct image image[STUB_IMAGES];
};

extern struct stub stub;

/* Around changes while another thread may look: the functions of the stub take it. */
void stub_lock(void);
void stub_unlock(void);
/* Ends stub.is_hung. */
void stub_let_go(void);

/* Images 7 (a.img, dirty, bound), 3 (sub/b.img, clean) and 0 (open, not in the cache). */
void stub_reset(void);
/* Of the layer above; -ENODEV for a cache "no", -ENOENT for cache 9. ctx is the stub. */
extern const struct ctl_caches_ops stub_caches;
/* The directory that the stub stands for. */
struct imagedir *stub_imagedir(void);
/* References held on all images together. */
int stub_refs(void);

#endif
