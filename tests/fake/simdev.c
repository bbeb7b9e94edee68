// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A cache device in memory: view, stable, and the writes between them.
 *
 * `view` is changed when sectors of a write are applied, `stable` when a flush that covers the
 * write is done. A write leaves the list when it is stable. At a power cut the writes left are gone
 * through in order of issue: a kept sector goes to stable, and then view is what stable is.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/align.h"
#include "tests/fake/simdev.h"

#define SECTOR 512u

static void *alloc(size_t bytes)
{
	void *p = calloc(1, bytes ? bytes : 1);

	if (!p)
		abort();
	return p;
}

static uint8_t *alloc_media(uint64_t bytes)
{
	uint8_t *p = aligned_alloc(4096, bytes);

	if (!p)
		abort();
	memset(p, 0, bytes);
	return p;
}

static uint64_t iov_bytes(const struct iovec *iov, int nr_iov)
{
	uint64_t bytes = 0;

	for (int i = 0; i < nr_iov; i++)
		bytes += iov[i].iov_len;
	return bytes;
}

static void check_range(const struct simdev *dev, uint64_t off, uint64_t len)
{
	if (!is_aligned(off, 4096) || !is_aligned(len, 4096) || len == 0 || off > dev->blk.bytes ||
	    len > dev->blk.bytes - off)
		abort();
}

/* ---- steps of a write ---- */

struct simdev_write *simdev_write_issue(struct simdev *dev, const struct iovec *iov, int nr_iov,
					uint64_t off)
{
	struct simdev_write *w = alloc(sizeof(*w));
	uint8_t *to;

	w->off = off;
	w->len = iov_bytes(iov, nr_iov);
	check_range(dev, off, w->len);
	w->data = alloc(w->len);
	w->is_applied = alloc(w->len / SECTOR);
	to = w->data;
	for (int i = 0; i < nr_iov; i++) {
		memcpy(to, iov[i].iov_base, iov[i].iov_len);
		to += iov[i].iov_len;
	}
	list_add_tail(&dev->writes, &w->node);
	return w;
}

bool simdev_write_is_unchanged(const struct simdev_write *w, const struct iovec *iov, int nr_iov)
{
	const uint8_t *from = w->data;

	for (int i = 0; i < nr_iov; i++) {
		if (memcmp(from, iov[i].iov_base, iov[i].iov_len))
			return false;
		from += iov[i].iov_len;
	}
	return true;
}

void simdev_write_apply(struct simdev *dev, struct simdev_write *w, struct rng *rng)
{
	for (uint64_t s = 0; s < w->len / SECTOR; s++) {
		if (w->is_applied[s] || (rng && rng_chance(rng, 1, 2)))
			continue;
		memcpy(dev->view + w->off + s * SECTOR, w->data + s * SECTOR, SECTOR);
		w->is_applied[s] = 1;
	}
}

static void mark_returned(struct simdev *dev, struct simdev_write *w)
{
	w->is_returned = true;
	w->returned_at = ++dev->clock;
}

void simdev_write_return(struct simdev *dev, struct simdev_write *w)
{
	simdev_write_apply(dev, w, NULL);
	mark_returned(dev, w);
}

void simdev_write_fail(struct simdev *dev, struct simdev_write *w)
{
	mark_returned(dev, w);
}

static void write_free(struct simdev_write *w)
{
	list_del(&w->node);
	free(w->data);
	free(w->is_applied);
	free(w);
}

/* ---- read and flush ---- */

void simdev_read(const struct simdev *dev, const struct iovec *iov, int nr_iov, uint64_t off)
{
	check_range(dev, off, iov_bytes(iov, nr_iov));
	for (int i = 0; i < nr_iov; i++) {
		memcpy(iov[i].iov_base, dev->view + off, iov[i].iov_len);
		off += iov[i].iov_len;
	}
}

uint64_t simdev_flush_issue(struct simdev *dev)
{
	return ++dev->clock;
}

static bool flush_covers(uint64_t ticket, const struct simdev_write *w)
{
	return w->is_returned && w->returned_at < ticket;
}

static void make_sector_stable(struct simdev *dev, const struct simdev_write *w, uint64_t s)
{
	memcpy(dev->stable + w->off + s * SECTOR, w->data + s * SECTOR, SECTOR);
}

void simdev_flush_done(struct simdev *dev, uint64_t ticket)
{
	struct simdev_write *w, *next;

	list_for_each_entry_safe(w, next, &dev->writes, node) {
		if (!flush_covers(ticket, w))
			continue;
		for (uint64_t s = 0; s < w->len / SECTOR; s++)
			if (w->is_applied[s])
				make_sector_stable(dev, w, s);
		write_free(w);
	}
}

void simdev_flush_fail(struct simdev *dev, uint64_t ticket, struct rng *rng)
{
	struct simdev_write *w, *next;

	list_for_each_entry_safe(w, next, &dev->writes, node) {
		if (!flush_covers(ticket, w))
			continue;
		for (uint64_t s = 0; s < w->len / SECTOR; s++)
			if (w->is_applied[s] && rng_chance(rng, 1, 2))
				make_sector_stable(dev, w, s);
		dev->is_view_ahead = true;
		write_free(w);
	}
}

int simdev_fault(struct simdev *dev)
{
	dev->ops++;
	if (!dev->fail_at || dev->ops < dev->fail_at)
		return 0;
	if (dev->ops > dev->fail_at && !dev->fails_forever)
		return 0;
	return dev->fail_errno ? -dev->fail_errno : -EIO;
}

/* ---- the end of a daemon, the end of power ---- */

void simdev_settle(struct simdev *dev, struct rng *rng)
{
	struct simdev_write *w;

	/* Nobody who only reads can know what a failed flush has lost: for a new daemon it is
	 * there. */
	if (dev->is_view_ahead)
		memcpy(dev->stable, dev->view, dev->blk.bytes);
	dev->is_view_ahead = false;
	list_for_each_entry(w, &dev->writes, node) {
		uint64_t fate = rng ? rng_below(rng, 3) : 0;

		if (w->is_returned)
			continue;
		if (fate == 0)
			simdev_write_apply(dev, w, NULL);
		else if (fate == 1)
			simdev_write_apply(dev, w, rng);
		mark_returned(dev, w);
	}
}

static void cut_write(struct simdev *dev, struct powercut *pc, const struct simdev_write *w)
{
	powercut_next_write(pc, !w->is_returned);
	for (uint64_t s = 0; s < w->len / SECTOR; s++) {
		if (w->is_returned && !w->is_applied[s])
			continue;
		if (powercut_keeps_sector(pc))
			make_sector_stable(dev, w, s);
	}
}

void simdev_power_cut(struct simdev *dev, enum cut_policy policy, uint64_t seed)
{
	struct simdev_write *w, *next;
	struct powercut pc;
	uint64_t n = 0;

	list_for_each_entry(w, &dev->writes, node)
		n++;
	powercut_init(&pc, policy, seed, n);
	list_for_each_entry(w, &dev->writes, node)
		cut_write(dev, &pc, w);
	list_for_each_entry_safe(w, next, &dev->writes, node) {
		memcpy(dev->view + w->off, dev->stable + w->off, w->len);
		write_free(w);
	}
	if (dev->is_view_ahead)
		memcpy(dev->view, dev->stable, dev->blk.bytes);
	dev->is_view_ahead = false;
}

/* ---- the blocking face ---- */

static struct simdev *to_simdev(struct blkdev *blk)
{
	return container_of(blk, struct simdev, blk);
}

/* Counts down to the death; true in the very operation that dies. */
static bool dies_now(struct simdev *dev)
{
	return dev->crash_in && --dev->crash_in == 0;
}

static void die(struct simdev *dev)
{
	dev->is_dead = true;
	if (dev->crash_fn)
		dev->crash_fn(dev->crash_arg);
}

static int blocking_read(struct blkdev *blk, void *buf, uint64_t len, uint64_t off)
{
	struct simdev *dev = to_simdev(blk);
	struct iovec iov = { .iov_base = buf, .iov_len = len };
	int err;

	if (dev->is_dead)
		return -EIO;
	err = simdev_fault(dev);
	if (!err)
		simdev_read(dev, &iov, 1, off);
	return err;
}

static int blocking_write(struct blkdev *blk, const void *buf, uint64_t len, uint64_t off)
{
	struct simdev *dev = to_simdev(blk);
	struct iovec iov = { .iov_base = (void *)(uintptr_t)buf, .iov_len = len };
	struct simdev_write *w;
	int err;

	if (dev->is_dead)
		return -EIO;
	dev->blocking_writes++;
	err = simdev_fault(dev);
	w = simdev_write_issue(dev, &iov, 1, off);
	if (err) {
		simdev_write_apply(dev, w, &dev->crash_rng);
		simdev_write_fail(dev, w);
		return err;
	}
	if (dies_now(dev)) {
		/* Before, in the middle of or after the write. */
		uint64_t fate = rng_below(&dev->crash_rng, 3);

		if (fate)
			simdev_write_apply(dev, w, fate == 1 ? &dev->crash_rng : NULL);
		die(dev);
		return -EIO;
	}
	simdev_write_return(dev, w);
	return 0;
}

static int blocking_flush(struct blkdev *blk)
{
	struct simdev *dev = to_simdev(blk);
	uint64_t ticket;
	int err;

	if (dev->is_dead)
		return -EIO;
	dev->blocking_flushes++;
	ticket = simdev_flush_issue(dev);
	err = simdev_fault(dev);
	if (err) {
		simdev_flush_fail(dev, ticket, &dev->crash_rng);
		return err;
	}
	if (dies_now(dev)) {
		if (rng_chance(&dev->crash_rng, 1, 2))
			simdev_flush_done(dev, ticket);
		die(dev);
		return -EIO;
	}
	simdev_flush_done(dev, ticket);
	return 0;
}

static const struct blkdev_ops simdev_ops = {
	.read = blocking_read,
	.write = blocking_write,
	.flush = blocking_flush,
};

void simdev_arm(struct simdev *dev, uint64_t crash_in, uint64_t seed, void (*fn)(void *arg),
		void *arg)
{
	dev->crash_in = crash_in;
	dev->is_dead = false;
	rng_seed(&dev->crash_rng, seed);
	dev->crash_fn = fn;
	dev->crash_arg = arg;
	dev->blocking_writes = 0;
	dev->blocking_flushes = 0;
}

/* ---- life ---- */

struct simdev *simdev_new(uint64_t bytes)
{
	struct simdev *dev = alloc(sizeof(*dev));

	dev->blk.ops = &simdev_ops;
	dev->blk.bytes = align_down(bytes, 4096);
	dev->view = alloc_media(dev->blk.bytes);
	dev->stable = alloc_media(dev->blk.bytes);
	list_init(&dev->writes);
	rng_seed(&dev->crash_rng, 0);
	return dev;
}

void simdev_free(struct simdev *dev)
{
	struct simdev_write *w, *next;

	if (!dev)
		return;
	list_for_each_entry_safe(w, next, &dev->writes, node)
		write_free(w);
	free(dev->view);
	free(dev->stable);
	free(dev);
}

struct simdev *simdev_clone(const struct simdev *dev)
{
	struct simdev *copy = simdev_new(dev->blk.bytes);
	const struct simdev_write *w;

	memcpy(copy->view, dev->view, dev->blk.bytes);
	memcpy(copy->stable, dev->stable, dev->blk.bytes);
	copy->clock = dev->clock;
	copy->is_view_ahead = dev->is_view_ahead;
	list_for_each_entry(w, &dev->writes, node) {
		struct iovec iov = { .iov_base = w->data, .iov_len = w->len };
		struct simdev_write *c = simdev_write_issue(copy, &iov, 1, w->off);

		memcpy(c->is_applied, w->is_applied, w->len / SECTOR);
		c->is_returned = w->is_returned;
		c->returned_at = w->returned_at;
	}
	return copy;
}
