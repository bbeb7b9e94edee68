// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Super block and image table: what lets the tail move.
 *
 * A writing notes the head of the log when it computes the new tail, commits the log up to there
 * (so that whatever made an entry below the tail dead is durable, B1), writes the image table if
 * the tail is to pass operations, then both super block copies, each followed by a flush. Only then
 * are the segments below the new tail free, and the table area that is not current may be
 * overwritten by the next writing (A6).
 *
 * The table in force names effects on backing files that were pending when it was made. They may
 * have been applied since, and later data may have been migrated on top: the tail does not move on
 * with such a table, a new one is written.
 */
#include "lcfs/cache/lost.h"
#include "lcfs/cache/migration.h"

#include <stdlib.h>

#include "common/checksum.h"
#include "common/prefault.h"

static void kick(struct cache *c, uint64_t now, struct outbox *ob);

int super_init(struct cache *c)
{
	struct super *s = &c->super;
	uint64_t bytes = max(c->sb.table[0].bytes, c->sb.table[1].bytes);

	list_init(&s->waiters);
	list_init(&s->inflight);
	s->block = aligned_alloc(BLOCK_BYTES, BLOCK_BYTES);
	s->table = aligned_alloc(BLOCK_BYTES, bytes);
	prefault(s->block, BLOCK_BYTES);
	prefault(s->table, bytes);
	return s->block && s->table ? 0 : -ENOMEM;
}

void super_free(struct cache *c)
{
	free(c->super.block);
	free(c->super.table);
}

/* ---------------------------------------------------------------- the tail */

uint64_t super_table_lsn(const struct cache *c)
{
	return c->sb.table_current == SUPERBLOCK_TABLE_NONE ?
		       0 :
		       c->sb.table[c->sb.table_current].table_lsn;
}

uint64_t super_tail_candidate(struct cache *c, uint64_t table_lsn)
{
	uint64_t id = c->tail;

	for (; id < c->log.next_segment_id; id++) {
		const struct segment *seg = log_segment(c, id);

		if (seg->state != SEGMENT_CLOSED || seg->nr_dirty ||
		    seg->last_lsn > c->log.durable_lsn || seg->last_op_lsn > table_lsn)
			break;
	}
	return id;
}

bool super_is_stale(struct cache *c)
{
	return c->sb.durable_lsn != c->log.durable_lsn ||
	       super_tail_candidate(c, UINT64_MAX) > c->tail;
}

static int64_t real_ns(const struct cache *c, uint64_t now)
{
	return c->info.real_ns + (int64_t)now;
}

/* ---------------------------------------------------------------- the table */

/* Room that an image may come to need: its name may grow, effects may be pending. */
uint64_t super_room_of(size_t path_bytes)
{
	return table_entry_bytes((uint16_t)min(path_bytes + 64, (size_t)OP_PATH_MAX), 2);
}

bool super_has_room(struct cache *c, size_t path_bytes)
{
	return c->images_room[false] + c->images_room[true] + super_room_of(path_bytes) <=
	       super_room(c);
}

uint64_t super_room(const struct cache *c)
{
	return min(c->sb.table[0].bytes, c->sb.table[1].bytes) - BLOCK_BYTES;
}

/* Puts the entry behind the others, its padding zero. */
static int append(uint8_t *payload, uint64_t room, uint64_t *pos, const struct table_entry *e)
{
	uint32_t bytes = table_entry_bytes(e->path_bytes, e->nr_punches);

	if (bytes > room - *pos)
		return -ENOSPC;
	memset(payload + *pos, 0, bytes);
	return table_entry_append(payload, room, pos, e);
}

/* Snapshot of all bound images into the buffer. -ENOSPC: it does not fit now. */
static int make_table(struct cache *c, uint64_t lsn, uint32_t area)
{
	struct super *s = &c->super;
	struct superblock_table_area *to = &s->next.table[area];
	struct table_punch_disk punches[TABLE_PUNCHES_MAX];
	uint64_t room = to->bytes - BLOCK_BYTES, pos = 0;
	struct table_header h = { .table_lsn = lsn, .epoch = s->next.epoch };
	uint8_t *payload = s->table + BLOCK_BYTES;
	struct cache_image *img;
	struct table_entry e;
	bool pending = false;

	list_for_each_entry(img, &c->images, node) {
		if (!img->is_bound)
			continue;
		if (img->nr_punches > TABLE_PUNCHES_MAX)
			return -ENOSPC;
		imgtab_entry(img, lsn, &e, punches);
		if (append(payload, room, &pos, &e) < 0)
			return -ENOSPC;
		pending |= imgtab_has_pending(img);
		h.nr_entries++;
	}
	memcpy(h.cache_uuid, s->next.cache_uuid, FORMAT_UUID_BYTES);
	h.next_image_id = s->next_image_id;
	h.generation = s->next.generation;
	h.payload_bytes = align_up(pos, BLOCK_BYTES);
	memset(payload + pos, 0, h.payload_bytes - pos);
	to->table_lsn = lsn;
	to->generation = h.generation;
	s->next.table_current = area;
	s->table_bytes = BLOCK_BYTES + h.payload_bytes;
	s->table_has_pending = pending;
	h.payload_checksum = checksum64(payload, h.payload_bytes, 0);
	table_header_encode(&h, s->table, to->start);
	return 0;
}

/* ---------------------------------------------------------------- the writing */

static void told(struct cache *c, struct cache_sync *sync, uint64_t now, struct outbox *ob);
static void wrote(struct cache *c, struct action *a, int result, uint64_t now, struct outbox *ob);

static void choose_tail(struct cache *c)
{
	struct super *s = &c->super;
	uint64_t plain = super_tail_candidate(c, super_table_lsn(c));
	uint64_t with = super_tail_candidate(c, s->head_lsn);

	s->with_table = with > plain || s->want_table || (plain > c->tail && s->table_has_pending);
	s->tail = plain;
	if (!s->with_table)
		return;
	if (make_table(c, s->head_lsn, s->next.table_current == 0 ? 1 : 0) == 0) {
		s->tail = with;
	} else {
		s->with_table = false;
		if (s->table_has_pending)
			s->tail = c->tail;
	}
}

static void start(struct cache *c, uint64_t now, struct outbox *ob)
{
	struct super *s = &c->super;

	s->is_wanted = false;
	s->last_ns = now;
	list_splice_tail(&s->inflight, &s->waiters);
	log_seal(c, now, ob);
	s->head_lsn = log_head_lsn(c);
	if (c->log.encoded_lsn == s->head_lsn) {
		s->head_link = c->log.last_link;
		s->head_branch = c->log.last_branch;
	}
	s->next = c->sb;
	s->next.generation++;
	choose_tail(c);
	s->want_table = false;
	s->phase = SUPER_COMMIT;
	s->sync.image = NULL;
	s->sync.lsn = s->head_lsn;
	s->sync.fn = told;
	s->sync.is_of_log = true;
	if (commit_wait(c, &s->sync, now, ob))
		told(c, &s->sync, now, ob);
}

static void write_buffer(struct cache *c, void *buf, uint64_t len, uint64_t off, struct outbox *ob)
{
	struct action *a = &c->super.act;

	a->type = ACTION_DEV_WRITE;
	a->complete = wrote;
	a->iov = &a->iov1;
	a->nr_iov = 1;
	a->iov1.iov_base = buf;
	a->iov1.iov_len = len;
	a->len = len;
	a->off = off;
	outbox_add(ob, a);
}

static void write_copy(struct cache *c, uint32_t copy, struct outbox *ob)
{
	struct super *s = &c->super;

	superblock_encode(&s->next, s->block, SUPERBLOCK_ADDRESS(copy));
	write_buffer(c, s->block, BLOCK_BYTES, SUPERBLOCK_ADDRESS(copy), ob);
}

/* The log is durable up to the head: what the super block says of it is known now. */
static void fill_next(struct cache *c, uint64_t now)
{
	struct super *s = &c->super;
	const struct segment *seg = log_segment(c, s->tail);

	s->next.last_migrated_segment_id = s->tail - 1;
	if (seg->id != s->tail || seg->first_lsn > s->head_lsn) {
		s->next.tail_lsn = s->head_lsn + 1;
		s->next.tail_link = s->head_link;
		s->next.tail_branch = s->head_branch;
	} else {
		s->next.tail_lsn = seg->first_lsn;
		s->next.tail_link = seg->start_link;
		s->next.tail_branch = seg->start_branch;
	}
	s->next.durable_lsn = c->log.durable_lsn;
	s->next.state = s->want_clean ? SUPERBLOCK_CLEAN : 0;
	s->next.write_time_ns = (uint64_t)real_ns(c, now);
	s->next.lease_ns = max(s->next.lease_ns, c->lease_ns);
}

/* Images that were unbound before the tail are forgotten, in the log as in both copies (E6). */
static void forget_unbound(struct cache *c)
{
	struct cache_image *img, *tmp;

	list_for_each_entry_safe(img, tmp, &c->images, node)
		if (img->is_unbound && !img->owner && !img->cached &&
		    img->unbind_lsn < c->sb.tail_lsn && list_is_empty(&img->ops) &&
		    list_is_empty(&img->ranges))
			imgtab_remove(c, img);
}

/* Only what changes after the mount: who encodes a record reads the geometry without the lock. */
static void take_over(struct superblock *sb, const struct superblock *next)
{
	const size_t from = offsetof(struct superblock, epoch);

	memcpy(sb->table, next->table, sizeof(sb->table));
	memcpy((char *)sb + from, (const char *)next + from, sizeof(*sb) - from);
}

static void finish(struct cache *c, uint64_t now, struct outbox *ob)
{
	struct super *s = &c->super;
	struct cache_sync *w;

	s->phase = SUPER_IDLE;
	take_over(&c->sb, &s->next);
	c->nr_super_writes++;
	s->is_stuck = s->tail == c->tail;
	log_reclaim(c, s->tail, now, ob);
	forget_unbound(c);
	while ((w = list_pop_head(&s->inflight, struct cache_sync, wait))) {
		sync_tell(c, w, 0, now, ob);
	}
	kick(c, now, ob);
	if (s->is_stuck)
		migrate_kick(c, now, ob);
	else
		migrate_log_has_space(c, now, ob);
}

static void give_up(struct cache *c, int error, uint64_t now, struct outbox *ob)
{
	struct cache_sync *w;

	c->super.phase = SUPER_IDLE;
	cache_fail(c, error, now, ob);
	list_splice_tail(&c->super.inflight, &c->super.waiters);
	while ((w = list_pop_head(&c->super.inflight, struct cache_sync, wait))) {
		sync_tell(c, w, -EIO, now, ob);
	}
	lost_kick(c, now, ob);
}

/* A flush has failed: what this phase had written before it is written once more. */
static void failed(struct cache *c, int error, uint64_t now, struct outbox *ob)
{
	struct super *s = &c->super;

	if (c->failed || s->phase == SUPER_COMMIT) {
		give_up(c, error, now, ob);
		return;
	}
	s->phase--;
	c->trouble.has_super = true;
}

void super_lost(struct cache *c, uint64_t now, struct outbox *ob)
{
	struct super *s = &c->super;

	/* what is out comes back, and ends it then */
	if (s->phase == SUPER_IDLE || c->trouble.has_super) {
		c->trouble.has_super = false;
		give_up(c, -c->failed, now, ob);
	}
}

void super_write_again(struct cache *c, struct outbox *ob)
{
	if (!c->trouble.has_super)
		return;
	c->trouble.has_super = false;
	list_init(&c->super.act.node);
	outbox_add(ob, &c->super.act);
}

static void told(struct cache *c, struct cache_sync *sync, uint64_t now, struct outbox *ob)
{
	struct super *s = &c->super;

	if (sync->result < 0) {
		failed(c, sync->result, now, ob);
		return;
	}
	switch (s->phase) {
	case SUPER_COMMIT:
		fill_next(c, now);
		if (s->with_table) {
			s->phase = SUPER_TABLE;
			write_buffer(c, s->table, s->table_bytes,
				     s->next.table[s->next.table_current].start, ob);
			break;
		}
		s->phase = SUPER_FIRST;
		write_copy(c, s->copy, ob);
		break;
	case SUPER_TABLE_FLUSH:
		s->phase = SUPER_FIRST;
		write_copy(c, s->copy, ob);
		break;
	case SUPER_FIRST_FLUSH:
		s->phase = SUPER_SECOND;
		s->next.generation++;
		write_copy(c, s->copy ^ 1, ob);
		break;
	default:
		finish(c, now, ob);
		break;
	}
}

static void wrote(struct cache *c, struct action *a, int result, uint64_t now, struct outbox *ob)
{
	struct super *s = &c->super;

	(void)a;
	if (result < 0) {
		if (retry_later(c, result, now, ob))
			c->trouble.has_super = true;
		else
			give_up(c, result, now, ob);
		return;
	}
	s->phase++;
	s->sync.fn = told;
	s->sync.image = NULL;
	commit_wait_device(c, &s->sync, now, ob);
}

/* The orderly end has been written: nothing is to be under way when the cache is freed. */
static bool is_last(const struct cache *c)
{
	return c->is_stopping && (c->sb.state & SUPERBLOCK_CLEAN);
}

static void kick(struct cache *c, uint64_t now, struct outbox *ob)
{
	struct super *s = &c->super;

	if (c->failed && s->phase == SUPER_IDLE)
		give_up(c, -c->failed, now, ob);
	else if (s->phase == SUPER_IDLE &&
		 ((s->is_wanted && !is_last(c)) || !list_is_empty(&s->waiters)))
		start(c, now, ob);
}

void super_request(struct cache *c, uint64_t now, struct outbox *ob)
{
	c->super.is_wanted = true;
	kick(c, now, ob);
}

void super_wait(struct cache *c, struct cache_sync *s, uint64_t now, struct outbox *ob)
{
	list_init(&s->wait);
	list_add_tail(&c->super.waiters, &s->wait);
	kick(c, now, ob);
}
