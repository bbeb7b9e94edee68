// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The RAM buffers of a dead daemon are a second log (rules C): what the device does not have yet is
 * written at its own place, with its own LSN, under the old epoch, in order. A record is taken only
 * if the walk of the next mount will find it there, and none is written before all have been looked
 * at and applied: what no daemon has left, a damaged or forged file, changes nothing.
 */
#include "lcfs/cache/recovery.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/cleanup.h"
#include "lcfs/cache/pool.h"

struct recovery_drain {
	uint64_t segment_id;
	uint32_t last_record;
	uint8_t *mem;
};

struct recovery_write {
	struct record_disk *h; /* finished, its blocks behind it */
	uint64_t bytes, at;
};

struct recovery_drains {
	struct recovery_write *write;
	size_t nr_writes, room;
};

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

/*
 * Would the next walk find the record, and take nothing else for abandoned because of it? The last
 * mount wrote one branch after the other, each from its first LSN on, at places where the walk
 * looks (A3, A4).
 */
static bool is_successor(const struct recovery *r, const struct recovery_drain *d,
			 const struct record_disk *h, uint32_t offset)
{
	const struct superblock *sb = &r->c->sb;
	uint64_t branch = le64_get(h->branch);
	uint64_t start = branch == r->last_branch ? r->branch_start : r->last_lsn + 1;

	return logchain_may_stand(sb, &r->end, d->segment_id, offset) &&
	       branch >> 16 == sb->epoch && branch >= r->last_branch &&
	       branch >= r->walk.highest_branch && le64_get(h->branch_lsn) >= start;
}

static int note_write(struct recovery_drains *all, struct record_disk *h, uint32_t blocks,
		      uint64_t at)
{
	if (all->nr_writes == all->room) {
		size_t room = max(all->room * 2, (size_t)64);
		struct recovery_write *w = realloc(all->write, room * sizeof(*w));

		if (!w)
			return -ENOMEM;
		all->write = w;
		all->room = room;
	}
	all->write[all->nr_writes++] =
		(struct recovery_write){ .h = h, .bytes = blocks * BLOCK_BYTES, .at = at };
	return 0;
}

/* One record of a buffer: skipped when the log has it, else made ready for where it belongs. */
static int take_record(struct recovery *r, struct recovery_drains *all,
		       const struct recovery_drain *d, struct record_disk *h, uint32_t offset)
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
				    " is",
				    r->last_lsn + 1, lsn);
	if (!is_successor(r, d, h, offset))
		return recovery_say(r, -EUCLEAN,
				    "record %" PRIu64 " in the RAM buffers (segment %" PRIu64
				    ", block %" PRIu32 ") cannot follow the log, which ends in "
				    "segment %" PRIu64 " at block %" PRIu32,
				    lsn, d->segment_id, offset, r->end.segment, r->end.offset);
	h->nr_blocks = le16_make((uint16_t)(blocks - 1));
	drop_uncounted(h);
	r->last_link = log_finish_record(c, h, r->last_link, le64_get(h->durable_lsn),
					 now ? now : r->real_ns);
	why = record_verify(h, c->sb.cache_uuid, c->sb.key, le64_get(h->address));
	if (why != FORMAT_OK)
		return recovery_say(r, -EUCLEAN,
				    "record %" PRIu64 " in the RAM buffers is not well formed (%s)",
				    lsn, format_reason_text(why));
	r->rep->drained_records++;
	r->next_segment = max(r->next_segment, d->segment_id + 1);
	ret = note_write(all, h, blocks, log_device_offset(c, log_cbn(c, d->segment_id, offset)));
	return ret < 0 ? ret : recovery_apply_record(r, &rec);
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

static int take_buffer(struct recovery *r, struct recovery_drains *all,
		       const struct recovery_drain *d)
{
	uint32_t offset = 0;

	for (;;) {
		struct record_disk *h = (void *)(d->mem + (uint64_t)offset * BLOCK_BYTES);
		int ret;

		if (!header_is_sane(r, d, h, offset))
			break;
		if (le16_get(h->nr_entries)) {
			ret = take_record(r, all, d, h, offset);
			if (ret < 0)
				return ret;
		}
		if (offset >= d->last_record)
			return 0;
		offset += 1u + data_blocks(h);
		if (offset >= r->c->segment_blocks)
			break;
	}
	return recovery_say(r, -EUCLEAN, "RAM buffer of segment %" PRIu64 " is not well formed",
			    d->segment_id);
}

/* The buffers in use, by segment. */
static int list_buffers(struct recovery *r, struct recovery_drain *list, uint32_t *n)
{
	struct pool_header *pool = r->c->pool;
	uint64_t most = r->c->tail + r->c->nr_segments;

	for (uint32_t i = 0; i < pool->nr_buffers; i++) {
		const uint8_t *mem;
		const struct pool_ctl *ctl = pool_peek(pool, i, &mem);

		if (!ctl->segment_id)
			continue;
		if (ctl->segment_id < r->c->tail || ctl->segment_id >= most ||
		    ctl->last_record >= r->c->segment_blocks)
			return recovery_say(r, -EUCLEAN,
					    "RAM buffer %u does not belong to this log", i);
		list[*n].segment_id = ctl->segment_id;
		list[*n].last_record = ctl->last_record;
		list[(*n)++].mem = (uint8_t *)(uintptr_t)mem;
	}
	qsort(list, *n, sizeof(*list), compare_drain);
	return 0;
}

static int write_records(struct recovery *r, const struct recovery_drains *all)
{
	for (size_t i = 0; i < all->nr_writes; i++) {
		const struct recovery_write *w = &all->write[i];
		int ret = blkdev_write(r->dev, w->h, w->bytes, w->at);

		if (ret < 0)
			return recovery_say(r, ret, "writing record %" PRIu64 " failed: %s",
					    le64_get(w->h->lsn), strerror(-ret));
	}
	return 0;
}

/* Behind what is wrong with them: what can be done. */
static void advise(struct recovery *r)
{
	char *text = r->rep->error;
	size_t used = strlen(text);

	snprintf(text + used, sizeof(r->rep->error) - used,
		 ": these are not the RAM buffers that the last mount left, or they were changed: "
		 "bring the right ones back, or take their file away and mount once with -o "
		 "lost_buffers to go on without them");
}

/* Nothing is written before all is known to be in order: what is refused has changed nothing. */
int recovery_drain_pool(struct recovery *r)
{
	CLEANUP_FREE struct recovery_drain *list = calloc(r->c->pool->nr_buffers, sizeof(*list));
	struct recovery_drains all = { 0 };
	uint32_t n = 0;
	int ret;

	if (!list)
		return -ENOMEM;
	ret = list_buffers(r, list, &n);
	for (uint32_t i = 0; i < n && !ret; i++)
		ret = take_buffer(r, &all, &list[i]);
	if (!ret)
		ret = write_records(r, &all);
	if (ret == -EUCLEAN)
		advise(r);
	free(all.write);
	return ret;
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
