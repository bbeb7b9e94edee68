/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A cache device in memory that is as unkind as a device may be.
 *
 * It has two faces: blocking calls (struct blkdev, for cache_open) and single steps for the actions
 * of the core, so that a write can be under way for any time:
 *
 *	issue   the core has asked for it; the data is taken over
 *	apply   some or all of its sectors are on the device: readers see them
 *	return  the core has been told
 *
 * A flush makes stable exactly the writes that had returned when it was issued. What is not stable
 * is kept, dropped or torn by 512-byte sectors at a power cut, also what never returned.
 */
#ifndef TESTS_FAKE_SIMDEV_H
#define TESTS_FAKE_SIMDEV_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>

#include "common/list.h"
#include "lcfs/io/blkdev.h"
#include "tests/fake/powercut.h"
#include "tests/fake/rng.h"

struct simdev_write {
	struct list node;    /* simdev.writes, in order of issue */
	uint64_t off, len;   /* bytes */
	uint8_t *data;	     /* what the caller's memory held at the issue */
	uint8_t *is_applied; /* one a sector; of a returned write: 0 = this sector never arrives */
	bool is_returned;
	uint64_t returned_at; /* simdev.clock */
};

struct simdev {
	struct blkdev blk;  /* first member */
	uint8_t *view;	    /* what readers see */
	uint8_t *stable;    /* what a power cut leaves at least */
	struct list writes; /* not stable yet */
	uint64_t clock;	    /* counts returns and flushes */
	bool is_view_ahead; /* a failed flush: view differs from stable beyond `writes` */

	/* Faults: operation number fail_at (counted from 1 by simdev_fault) fails, 0 = none. */
	uint64_t ops, fail_at;
	bool fails_forever;
	int fail_errno;

	/* Death in a blocking call: after crash_in more writes and flushes the device does nothing
	 * any more. crash_fn is called at that moment. 0 = not armed. */
	uint64_t crash_in;
	bool is_dead;
	struct rng crash_rng;
	void (*crash_fn)(void *arg);
	void *crash_arg;
	uint64_t blocking_writes, blocking_flushes; /* since the last simdev_arm */
};

struct simdev *simdev_new(uint64_t bytes);
void simdev_free(struct simdev *dev);
/* A copy of everything but armed crashes and faults. */
struct simdev *simdev_clone(const struct simdev *dev);

struct simdev_write *simdev_write_issue(struct simdev *dev, const struct iovec *iov, int nr_iov,
					uint64_t off);
/* Has the caller left its memory alone since the issue? */
bool simdev_write_is_unchanged(const struct simdev_write *w, const struct iovec *iov, int nr_iov);
/* rng: a random part of the sectors; NULL: the rest of them. */
void simdev_write_apply(struct simdev *dev, struct simdev_write *w, struct rng *rng);
/* The caller is told that it is done. */
void simdev_write_return(struct simdev *dev, struct simdev_write *w);
/* The caller is told that it has failed: what was not applied never will be. */
void simdev_write_fail(struct simdev *dev, struct simdev_write *w);

void simdev_read(const struct simdev *dev, const struct iovec *iov, int nr_iov, uint64_t off);

/* A flush begins; the ticket says what it covers. */
uint64_t simdev_flush_issue(struct simdev *dev);
void simdev_flush_done(struct simdev *dev, uint64_t ticket);
/* It failed: of what it covered any part is stable, and no later flush makes the rest so. */
void simdev_flush_fail(struct simdev *dev, uint64_t ticket, struct rng *rng);

/* Counts an operation; 0, or the -errno that it shall fail with. */
int simdev_fault(struct simdev *dev);

/* The daemon died: what it had under way lands now, in part, or never. rng NULL: all of it lands.
 */
void simdev_settle(struct simdev *dev, struct rng *rng);
/* Power is cut and comes back: the device holds what is stable and what the policy kept. */
void simdev_power_cut(struct simdev *dev, enum cut_policy policy, uint64_t seed);

/* Die in the crash_in-th write or flush of the blocking face from now on (0: never, disarms). */
void simdev_arm(struct simdev *dev, uint64_t crash_in, uint64_t seed, void (*fn)(void *arg),
		void *arg);

#endif
