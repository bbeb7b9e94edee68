/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Private to lcfs/ctl/: what caches and images say of themselves, as numbers with names. One table
 * of numbers serves the files of the tree, stats.json and metrics.
 */
#ifndef LCFS_CTL_CTL_SNAPSHOT_H
#define LCFS_CTL_CTL_SNAPSHOT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/compiler.h"
#include "common/histogram.h"
#include "lcfs/cache/cache.h"
#include "lcfs/image/image.h"

struct ctlfs;

#define CTL_UNKNOWN UINT64_MAX /* a number that is not known */
#define CTL_CACHES_MAX 255u

enum ctl_number_kind {
	CTL_GAUGE,
	CTL_COUNTER, /* only grows, from the mount on */
};

struct ctl_number {
	const char *name;   /* of file and JSON key */
	const char *metric; /* family, without lcfs_ and _total; NULL: none */
	enum ctl_number_kind kind;
	const char *unit;      /* of the metric, "" none */
	unsigned int per_unit; /* so many make one of that unit: 1, 100 or 1000 */
	const char *help;      /* without a full stop */
};

enum ctl_cache_number {
	CTL_CACHE_NR_SEGMENTS,
	CTL_CACHE_NR_FREE,
	CTL_CACHE_SEGMENT_SIZE,
	CTL_CACHE_LAST_FLUSHED,
	CTL_CACHE_LAST_MIGRATED,
	CTL_CACHE_CURRENT,
	CTL_CACHE_NR_DIRTY,
	CTL_CACHE_DIRTY_BYTES,
	CTL_CACHE_DIRTY_AGE,
	CTL_CACHE_CACHED_BYTES,
	CTL_CACHE_MIGRATING,
	CTL_CACHE_BUSY,
	CTL_CACHE_RAM,
	CTL_CACHE_BUFFERS,
	CTL_CACHE_BUFFERS_USED,
	CTL_CACHE_LOG_BYTES,
	CTL_CACHE_RECORDS,
	CTL_CACHE_SUPER_WRITES,
	CTL_CACHE_MIGRATED_BYTES,
	CTL_CACHE_MIGRATE_ERRORS,
	CTL_CACHE_RELOCATED_BYTES,
	CTL_CACHE_READ_BYTES,
	CTL_CACHE_WRITE_BYTES,
	CTL_CACHE_READ_ERRORS,
	CTL_CACHE_WRITE_ERRORS,
	CTL_CACHE_SYNC_ERRORS,
	CTL_CACHE_SCRUB_LEFT,
	CTL_CACHE_SCRUBBED,
	CTL_CACHE_SCRUB_PASSES,
	CTL_CACHE_SCRUB_CLEAN,
	CTL_CACHE_SCRUB_DIRTY,
	CTL_CACHE_SCRUB_HEADERS,
	CTL_NR_CACHE_NUMBERS
};
extern const struct ctl_number ctl_cache_numbers[CTL_NR_CACHE_NUMBERS];

enum ctl_device_number {
	CTL_DEVICE_SIZE,
	CTL_DEVICE_NR_DIRTY,
	CTL_DEVICE_DIRTY_BYTES,
	CTL_DEVICE_DIRTY_AGE,
	CTL_DEVICE_CACHED_BYTES,
	CTL_DEVICE_DAMAGED_BLOCKS,
	CTL_DEVICE_REMOVED,
	CTL_DEVICE_READS,
	CTL_DEVICE_WRITES,
	CTL_DEVICE_SYNCS,
	CTL_DEVICE_READ_BYTES,
	CTL_DEVICE_WRITE_BYTES,
	CTL_NR_DEVICE_NUMBERS
};
extern const struct ctl_number ctl_device_numbers[CTL_NR_DEVICE_NUMBERS];

/* Whose times are known, by request and cache. */
enum ctl_latency {
	CTL_LATENCY_WRITE,
	CTL_LATENCY_READ,
	CTL_LATENCY_FSYNC,
	CTL_LATENCY_FLUSH,
	CTL_LATENCY_MIGRATE,
	CTL_NR_LATENCIES
};
extern const struct ctl_latency_name {
	const char *name;
	const char *help;
} ctl_latencies[CTL_NR_LATENCIES];

struct ctl_cache_data {
	uint32_t id;
	char *device; /* owned */
	const char *state;
	char reason[240]; /* "" for none */
	struct cache_status status;
	uint64_t knob[NR_KNOBS];
	uint64_t number[CTL_NR_CACHE_NUMBERS];
	struct histogram_view time[CTL_NR_LATENCIES];
};

/* -ENODEV: there is no such cache (any more); -ENOMEM. ctl_cache_data_free() follows in any case;
 * *c is all zero before. */
int ctl_cache_data_read(struct ctlfs *t, uint32_t id, struct ctl_cache_data *c) must_check;
void ctl_cache_data_free(struct ctl_cache_data *c);

struct ctl_image_data {
	uint32_t id, cache_id;
	char *name;	   /* owned; NULL: not known */
	const char *state; /* NULL: somebody works on it; name and most numbers are not known */
	char reason[160];
	uint64_t number[CTL_NR_DEVICE_NUMBERS];
};

/* may_wait: until who works on the image has done. 0, -ENOMEM. As above. */
int ctl_image_data_read(struct image *img, bool may_wait, struct ctl_image_data *i) must_check;
void ctl_image_data_free(struct ctl_image_data *i);

/* Everything, without waiting for anybody; ordered by id. */
struct ctl_snapshot {
	struct ctl_cache_data *cache;
	struct ctl_image_data *image;
	size_t nr_caches, nr_images, image_room;
	const char *state; /* of the whole mount: ok, degraded, failed */
};

int ctl_snapshot_take(struct ctlfs *t, struct ctl_snapshot *s) must_check;
void ctl_snapshot_free(struct ctl_snapshot *s);
#define CLEANUP_CTL_SNAPSHOT __attribute__((cleanup(ctl_snapshot_free)))
#define CLEANUP_CTL_CACHE_DATA __attribute__((cleanup(ctl_cache_data_free)))
#define CLEANUP_CTL_IMAGE_DATA __attribute__((cleanup(ctl_image_data_free)))

#endif
