/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A block device in memory, with faults and a model of time.
 *
 * Memory that was never written costs nothing, so a device of many GiB is cheap. A call that breaks
 * the contract of lcfs/io/blkdev.h aborts. One owner.
 */
#ifndef TESTS_FAKE_MEMDEV_H
#define TESTS_FAKE_MEMDEV_H

#include <stdbool.h>
#include <stdint.h>

#include "lcfs/io/blkdev.h"

#define MEMDEV_HINTS 1024

struct memdev {
	struct blkdev dev; /* give this to the code under test */
	uint8_t *bytes;    /* the contents, dev.bytes of them, free to read and change */

	/* Faults: the fail_at'th read, write or flush from now on fails with fail_error (negative),
	 * and with fail_for_ever all after it; 0: none. */
	uint64_t fail_at;
	int fail_error;
	bool fail_for_ever;
	uint64_t bad_at, bad_bytes; /* reads that touch these bytes fail with -EIO */
	/* Called before each read that does not fail; may change the contents. */
	void (*on_read)(struct memdev *m, uint64_t len, uint64_t off);
	void *on_read_arg;

	/* Counted since memdev_new or memdev_reset. */
	uint64_t reads, writes, flushes, hints, hints_used; /* used: only with a latency */
	uint64_t read_bytes, write_bytes;

	/* Time: a read that was not announced takes latency_ns and its share of the bandwidth;
	 * hinted ones go on in parallel, sharing the bandwidth. 0: no time passes. */
	uint64_t latency_ns, bytes_per_us;
	uint64_t now_ns, busy_ns;
	struct memdev_hint {
		uint64_t off, len, ready_ns;
	} hint[MEMDEV_HINTS];
	uint32_t next_hint;
};

/* bytes: multiple of 4096. Aborts when there is no memory. */
struct memdev *memdev_new(uint64_t bytes);
void memdev_free(struct memdev *m);
/* Counters, time and faults as of a new device; the contents stay. */
void memdev_reset(struct memdev *m);

#endif
