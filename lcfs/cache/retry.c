// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Writes and flushes of the cache device that fail are tried again, a few times and with growing
 * pauses, before the device is given up (lost.c).
 *
 * They are tried again at the same place with the same bytes: the buffers still have them (B3), and
 * a record that is written twice is the same record, so it needs no new attempt of the branch
 * (A3). A flush that failed proves nothing about what it was to cover, and nor does a second one:
 * all records above durable_lsn are written again before it, and so is what a super block or image
 * table had written. A phase of the super block is repeated as it is, never begun anew: the copy
 * that is intact is not touched.
 *
 * What fails together counts once. A flush that succeeds ends the trouble.
 */
#include "lcfs/cache/lost.h"

#include "common/nsec.h"

#define RETRIES_MAX 3u
#define RETRY_NS (20 * NSEC_PER_MSEC)
#define RETRY_GROWTH 5u

/* The device is gone, or will not change its mind. */
bool retry_is_final(int error)
{
	switch (-error) {
	case ENODEV:
	case ENXIO:
	case EROFS:
	case EBADF:
	case ENOMEDIUM:
	case ESHUTDOWN:
		return true;
	default:
		return false;
	}
}

bool retry_later(struct cache *c, int error, uint64_t now, struct outbox *ob)
{
	struct trouble *t = &c->trouble;
	uint64_t pause = RETRY_NS;

	if (c->failed)
		return false;
	t->error = -error;
	c->nr_device_errors++;
	if (!t->until || retry_is_final(error)) {
		if (++t->errors > RETRIES_MAX || retry_is_final(error)) {
			cache_fail(c, error, now, ob);
			return false;
		}
		for (uint32_t i = 1; i < t->errors; i++)
			pause *= RETRY_GROWTH;
		t->until = now + pause;
	}
	deadline_lower(c, t->until);
	return true;
}

void retry_succeeded(struct cache *c)
{
	c->trouble.errors = 0;
}

uint64_t retry_due(const struct cache *c)
{
	return c->trouble.until && !c->failed ? c->trouble.until : UINT64_MAX;
}

void retry_tick(struct cache *c, uint64_t now, struct outbox *ob)
{
	if (now < retry_due(c) || c->failed)
		return;
	c->trouble.until = 0;
	log_pump(c, ob);
	super_write_again(c, ob);
	commit_kick(c, now, ob);
}
