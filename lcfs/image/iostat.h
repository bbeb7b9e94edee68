/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What requests took: latencies for each cache, requests and bytes for each image. Private to this
 * layer; image.h has what others read. Any thread, no lock; all zero at the start.
 */
#ifndef LCFS_IMAGE_IOSTAT_H
#define LCFS_IMAGE_IOSTAT_H

#include "common/compiler.h"
#include "common/histogram.h"
#include "lcfs/image/image.h"

/* Of all images of a cache together. */
struct iostat {
	struct histogram_set time[IMAGE_NR_IO_KINDS];
	struct {
		_Atomic uint64_t bytes[IMAGE_NR_IO_KINDS], errors[IMAGE_NR_IO_KINDS];
	} shard[HISTOGRAM_SHARDS];
};

/* Of an image. */
struct image_iostat {
	_Atomic uint64_t requests[IMAGE_NR_IO_KINDS], bytes[IMAGE_NR_IO_KINDS];
};

/* For d->iostat; NULL: no memory. To be freed. */
struct iostat *iostat_new(void) must_check;
/* That of a cache, or (0) of images without one; good as long as d is. */
struct iostat *iostat_of(struct imagedir *d, uint32_t cache_id);
/* Counts a request that is done: io->result and io->stat are set. */
void iostat_count(const struct image_io *io);

#endif
