// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The RAM buffers of a dead daemon are a second log (rules C): what the device does not have yet is
 * written at its own place, with its own LSN, under the old epoch, in order.
 */
#include "lcfs/cache/recovery.h"

#include <inttypes.h>
#include <stdlib.h>

#include "common/cleanup.h"
#include "lcfs/cache/pool.h"

static int read_from_ram(struct recovery *r, const struct recovery_record *rec, uint32_t i,
			 void *buf)
{
	(void)r;
	memcpy(buf, (const uint8_t *)rec->h + (uint64_t)record_entry_block(rec->h, i) * BLOCK_BYTES,
	       BLOCK_BYTES);
	return 0;
}

static int compare_drain(const void *a, const void *b)
{
	const struct recovery_drain *x = a, *y = b;

	return x->segment_id < y->segment_id ? -1 : x->segment_id > y->segment_id;
}

/* Entries that were handed out have a data block each, whether they were published or not. */
static uint32_t data_blocks(const struct record_disk *h)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < le16_get(h->nr_entries); i++)
		n += !(h->entry_flags[i] & ENTRY_NO_DATA);
	return n;
}

/* Entries that were being handed out when the daemon died are counted last: what stands behind the
 * count is none, and would make the record invalid. */
static void drop_uncounted(struct record_disk *h)
{
	uint32_t n = le16_get(h->nr_entries), rest = RECORD_ENTRIES_MAX - n;

	memset(h->key + n, 0, rest * sizeof(h->key[0]));
	memset(h->sum + n, 0, rest * sizeof(h->sum[0]));
	memset(h->dirty + n, 0, rest);
	memset(h->entry_flags + n, 0, rest);
}

/* One record of a buffer: skipped when the log has it, else written where it belongs. */
static int drain_record(struct recovery *r, struct recovery_drain *d, struct record_disk *h,
			uint32_t offset)
{
	struct cache *c = r->c;
	uint64_t lsn = le64_get(h->lsn), now = le64_get(h->time_ns);
	uint32_t blocks = 1u + data_blocks(h);
	struct recovery_record rec = { .h = h,
				       .lsn = lsn,
				       .segment_id = d->segment_id,
				       .offset = offset,
				       .read = read_from_ram };
	enum format_reason why;
	int ret;

	if (lsn <= r->last_lsn)
		return 0;
	if (lsn != r->last_lsn + 1)
		return recovery_say(r, -EUCLEAN,
				    "record %" PRIu64
				    " is neither in the log nor in the RAM buffers, though %" PRIu64
				    " is: one of them is not of this cache's last mount",
				    r->last_lsn + 1, lsn);
	h->nr_blocks = le16_make((uint16_t)(blocks - 1));
	drop_uncounted(h);
	r->last_link = log_finish_record(c, h, r->last_link, le64_get(h->durable_lsn),
					 now ? now : r->real_ns);
	why = record_verify(h, c->sb.cache_uuid, c->sb.key, le64_get(h->address));
	if (why != FORMAT_OK)
		return recovery_say(r, -EUCLEAN,
				    "record %" PRIu64 " in the RAM buffers is not well formed (%s)",
				    lsn, format_reason_text(why));
	ret = blkdev_write(r->dev, h, (uint64_t)blocks * BLOCK_BYTES,
			   log_device_offset(c, log_cbn(c, d->segment_id, offset)));
	if (ret < 0)
		return recovery_say(r, ret, "writing record %" PRIu64 " failed: %s", lsn,
				    strerror(-ret));
	r->rep->drained_records++;
	r->next_segment = max(r->next_segment, d->segment_id + 1);
	return recovery_apply_record(r, &rec);
}

static bool header_is_sane(const struct recovery *r, const struct recovery_drain *d,
			   const struct record_disk *h, uint32_t offset)
{
	const struct cache *c = r->c;

	return le64_get(h->segment_id) == d->segment_id &&
	       le16_get(h->nr_entries) <= RECORD_ENTRIES_MAX &&
	       offset + 1u + data_blocks(h) <= c->segment_blocks &&
	       le64_get(h->address) == superblock_segment_address(&c->sb, d->segment_id) + offset;
}

static int drain_buffer(struct recovery *r, struct recovery_drain *d)
{
	uint32_t offset = 0;

	for (;;) {
		struct record_disk *h = (void *)(d->mem + (uint64_t)offset * BLOCK_BYTES);
		int ret;

		if (!header_is_sane(r, d, h, offset))
			return recovery_say(r, -EUCLEAN,
					    "RAM buffer of segment %" PRIu64 " is not well formed",
					    d->segment_id);
		if (le16_get(h->nr_entries)) {
			ret = drain_record(r, d, h, offset);
			if (ret < 0)
				return ret;
		}
		if (offset >= d->last_record)
			return 0;
		offset += 1u + data_blocks(h);
		if (offset >= r->c->segment_blocks)
			return recovery_say(r, -EUCLEAN,
					    "RAM buffer of segment %" PRIu64 " is not well formed",
					    d->segment_id);
	}
}

int recovery_drain_pool(struct recovery *r)
{
	struct pool_header *pool = r->c->pool;
	uint64_t most = r->c->tail + r->c->nr_segments;
	CLEANUP_FREE struct recovery_drain *list = calloc(pool->nr_buffers, sizeof(*list));
	uint32_t n = 0;

	if (!list)
		return -ENOMEM;
	for (uint32_t i = 0; i < pool->nr_buffers; i++) {
		const uint8_t *mem;
		const struct pool_ctl *ctl = pool_peek(pool, i, &mem);

		if (!ctl->segment_id)
			continue;
		if (ctl->segment_id < r->c->tail || ctl->segment_id >= most ||
		    ctl->last_record >= r->c->segment_blocks)
			return recovery_say(r, -EUCLEAN,
					    "RAM buffer %u does not belong to this log", i);
		list[n].segment_id = ctl->segment_id;
		list[n].last_record = ctl->last_record;
		list[n++].mem = (uint8_t *)(uintptr_t)mem;
	}
	qsort(list, n, sizeof(*list), compare_drain);
	for (uint32_t i = 0; i < n; i++) {
		int ret = drain_buffer(r, &list[i]);

		if (ret < 0)
			return ret;
	}
	return 0;
}

/* C3: a dead daemon of this very boot left RAM buffers, and they are not here. */
int recovery_check_pool(struct recovery *r, bool pool_valid)
{
	const struct cache *c = r->c;

	if (pool_valid || (c->sb.state & SUPERBLOCK_CLEAN) || c->conf.ignore_lost_buffers ||
	    memcmp(c->sb.boot_id, c->info.boot_id, FORMAT_UUID_BYTES) != 0)
		return 0;
	return recovery_say(
		r, -ENOENT,
		"the RAM buffers of the last mount are missing, though the machine was not "
		"restarted since: writes that were not synced are in them; bring them back, or "
		"mount once with -o lost_buffers to go on without them");
}
