// SPDX-License-Identifier: GPL-2.0-or-later
/* Where things stand in the log, and who waits for room in it. */
#include "lcfs/cache/core.h"

/* ---------------------------------------------------------------- places */

struct segment *log_segment(struct cache *c, uint64_t segment_id)
{
	return &c->segments[superblock_slot(&c->sb, segment_id)];
}

struct segment *log_segment_of(struct cache *c, uint32_t cbn)
{
	return &c->segments[cbn / c->segment_blocks];
}

uint64_t log_position(const struct cache *c, uint32_t cbn)
{
	return log_place(c->segments[cbn / c->segment_blocks].id, cbn % c->segment_blocks);
}

uint32_t log_cbn(const struct cache *c, uint64_t segment_id, uint32_t offset)
{
	return (uint32_t)(superblock_slot(&c->sb, segment_id) * c->segment_blocks + offset);
}

uint64_t log_device_offset(const struct cache *c, uint32_t cbn)
{
	return c->sb.segments_start + (uint64_t)cbn * BLOCK_BYTES;
}

uint8_t *log_ram(struct cache *c, uint32_t cbn, struct wbuf **buf)
{
	struct segment *seg = log_segment_of(c, cbn);

	*buf = seg->buf;
	return seg->buf ? seg->buf->mem + (uint64_t)(cbn % c->segment_blocks) * BLOCK_BYTES : NULL;
}

uint64_t log_head_lsn(const struct cache *c)
{
	return c->log.next_lsn - 1;
}

uint32_t log_most_entries(const struct cache *c)
{
	return min(RECORD_ENTRIES_MAX, c->segment_blocks - 1);
}

uint64_t log_last_flushed(const struct cache *c)
{
	uint64_t id = c->log.next_segment_id - 1;
	const struct record *rec;

	if (c->log.open_buf)
		id = c->log.open_buf->segment_id - 1;
	list_for_each_entry(rec, &c->log.records, node)
		return min(id, rec->buf->segment_id - 1);
	return id;
}

/* ---------------------------------------------------------------- waiters */

void waiters_add(struct list *queue, struct cache_waiter *w, struct action *act)
{
	w->act = act;
	act->type = ACTION_RESUME;
	list_init(&w->node);
	list_add_tail(queue, &w->node);
}

void waiters_wake(struct list *queue, struct outbox *ob)
{
	struct cache_waiter *w;

	while ((w = list_pop_head(queue, struct cache_waiter, node)))
		outbox_add(ob, w->act);
}

void log_space_changed(struct cache *c, struct outbox *ob)
{
	waiters_wake(&c->log.space_waiters, ob);
}

void log_unpin(struct cache *c, struct wbuf *buf, uint64_t now, struct outbox *ob)
{
	(void)now;
	assert(buf->readers > 0);
	if (--buf->readers == 0 && list_is_linked(&buf->node))
		log_space_changed(c, ob);
}

void log_read_done(struct cache *c, uint32_t cbn, struct outbox *ob)
{
	struct segment *seg = log_segment_of(c, cbn);

	assert(seg->readers > 0);
	if (--seg->readers == 0 && seg == log_segment(c, c->log.next_segment_id))
		log_space_changed(c, ob);
}

uint64_t log_short_below(const struct cache *c)
{
	return max((uint64_t)PURPOSE_USER + 2, c->nr_segments / 8);
}

bool log_is_short(const struct cache *c)
{
	return c->log.free_segments < c->log.pace.start;
}
