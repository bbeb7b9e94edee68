// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The log: segments are opened in order of id, each on a RAM buffer, and filled with records. A
 * writer reserves entries of the open record under the lock, copies outside of it, and publishes; a
 * record is sealed when it is full or a sync needs it, encoded when its last writer is done and its
 * predecessor was issued, and written. Buffers are let go when all their records are durable (B3).
 *
 * A buffer is opened only on a segment that may be overwritten at once, so a seal or a sync never
 * needs space (H1).
 */
#include "lcfs/cache/core.h"

#include <stdlib.h>

#include "common/checksum.h"
#include "common/nsec.h"
#include "lcfs/cache/pool.h"

/* One with data takes two blocks at least, so many more of a single block there can be. */
#define BARE_RECORDS_MAX 32u

/* ---------------------------------------------------------------- opening */

static struct wbuf *free_buffer(struct cache *c)
{
	struct wbuf *b;

	list_for_each_entry(b, &c->log.free_bufs, node)
		if (b->readers == 0)
			return b;
	return NULL;
}

static void evict_segment(struct cache *c, struct segment *seg)
{
	uint32_t cbn = (uint32_t)(seg - c->segments) * c->segment_blocks;

	for (uint32_t i = 0; i < c->segment_blocks; i++)
		if (index_is_live(&c->index, cbn + i))
			blocks_remove(c, cbn + i);
}

/* The buffer for the next segment, or NULL when it cannot be opened now. */
static struct wbuf *next_buffer(struct cache *c, enum log_purpose p)
{
	const struct segment *seg = log_segment(c, c->log.next_segment_id);

	if (c->log.free_segments <= (uint64_t)p || seg->state != SEGMENT_FREE || seg->readers)
		return NULL;
	return free_buffer(c);
}

static int open_segment(struct cache *c, enum log_purpose p, uint64_t now)
{
	struct log *l = &c->log;
	struct segment *seg = log_segment(c, l->next_segment_id);
	struct wbuf *b = next_buffer(c, p);

	if (!b)
		return -EAGAIN;
	list_del(&b->node);
	l->busy_bufs++;
	if (b->segment)
		b->segment->buf = NULL;
	if (seg->buf) {
		seg->buf->segment = NULL;
		seg->buf = NULL;
	}
	evict_segment(c, seg);
	assert(seg->nr_dirty == 0);
	memset(seg, 0, sizeof(*seg));
	seg->id = l->next_segment_id++;
	seg->state = SEGMENT_OPEN;
	seg->first_lsn = l->next_lsn;
	seg->last_lsn = l->next_lsn - 1;
	seg->buf = b;
	l->free_segments--;
	pace_taken(&l->pace, l->free_segments, now);
	b->segment = seg;
	b->segment_id = seg->id;
	b->used = 0;
	b->records = 0;
	b->is_closed = false;
	b->purpose = (uint8_t)p;
	l->open_buf = b;
	return 0;
}

static void open_record(struct cache *c, uint64_t now)
{
	struct log *l = &c->log;
	struct wbuf *b = l->open_buf;
	struct record *rec = list_pop_head(&l->free_records, struct record, node);
	struct record_disk *h = (void *)(b->mem + (uint64_t)b->used * BLOCK_BYTES);
	struct action act = { .complete = NULL };

	assert(rec);
	rec->act = act;
	list_init(&rec->act.node);
	rec->lsn = l->next_lsn++;
	if (rec->lsn == l->durable_lsn + 1)
		l->undurable_ns = now;
	deadline_lower(c, l->undurable_ns +
				  c->knob[KNOB_FLUSH_CURRENT_BUFFER_INTERVAL] * NSEC_PER_SEC);
	rec->buf = b;
	rec->h = h;
	rec->start = b->used;
	rec->writers = 0;
	rec->nr_entries = 0;
	rec->nr_blocks = 0;
	rec->op_entry = 0;
	rec->op_pos = 0;
	rec->has_ops = false;
	rec->state = RECORD_OPEN;
	b->records++;
	b->segment->last_lsn = rec->lsn;

	memset(h, 0, sizeof(*h));
	memcpy(h->cache_uuid, c->sb.cache_uuid, FORMAT_UUID_BYTES);
	h->branch = le64_make(l->branch);
	h->branch_lsn = le64_make(l->branch_lsn);
	h->lsn = le64_make(rec->lsn);
	h->segment_id = le64_make(b->segment_id);
	h->address = le64_make(superblock_segment_address(&c->sb, b->segment_id) + b->used);
	list_add_tail(&l->records, &rec->node);
	if (!l->encode_next)
		l->encode_next = rec;
	l->open = rec;
	pool_mark_open(b, rec->start);
}

/* Blocks of the segment that the open record takes so far, or that are left behind the last one. */
static uint32_t room_in_segment(const struct cache *c)
{
	const struct log *l = &c->log;

	if (l->open)
		return c->segment_blocks - l->open->start - 1 - l->open->nr_entries;
	return c->segment_blocks - l->open_buf->used - 1;
}

uint32_t log_room(const struct cache *c)
{
	const struct record *rec = c->log.open;

	return min_t(uint32_t, RECORD_ENTRIES_MAX - rec->nr_entries, room_in_segment(c));
}

static void close_buffer(struct cache *c)
{
	struct wbuf *b = c->log.open_buf;

	b->is_closed = true;
	b->segment->state = SEGMENT_CLOSED;
	c->log.open_buf = NULL;
	if (b->records == 0) {
		pool_mark_closed(b);
		list_add_tail(&c->log.free_bufs, &b->node);
		c->log.busy_bufs--;
	}
}

/* ---------------------------------------------------------------- reserving */

static bool op_fits(const struct record *rec, uint32_t ops)
{
	return rec->op_entry && rec->op_pos + ops <= BLOCK_BYTES;
}

/* User data does not fill up what was opened from the reserve. */
static bool is_allowed(const struct cache *c, enum log_purpose p)
{
	return c->log.open_buf->purpose >= (uint8_t)p || c->log.free_segments > (uint64_t)p;
}

bool log_has_space(struct cache *c, enum log_purpose p)
{
	const struct log *l = &c->log;

	if (l->open_buf && !is_allowed(c, p))
		return false;
	if (l->open && (log_room(c) > 0 || room_in_segment(c) >= 2))
		return true;
	if (!l->open && l->open_buf && c->segment_blocks - l->open_buf->used >= 2)
		return true;
	return next_buffer(c, p) != NULL;
}

int log_prepare(struct cache *c, uint32_t ops, uint32_t blocks, enum log_purpose p, uint64_t now,
		struct outbox *ob)
{
	struct log *l = &c->log;
	int ret;

	assert((ops ? 1 : 0) + blocks <= log_most_entries(c));
	for (;;) {
		if (l->open_buf && !is_allowed(c, p))
			return -EAGAIN;
		if (l->open) {
			uint32_t need = blocks + (ops && !op_fits(l->open, ops) ? 1 : 0);

			if (log_room(c) >= need)
				return 0;
			log_seal(c, now, ob);
			continue;
		}
		if (l->open_buf &&
		    c->segment_blocks - l->open_buf->used < 1 + blocks + (ops ? 1 : 0))
			close_buffer(c);
		if (!l->open_buf) {
			ret = open_segment(c, p, now);
			if (ret < 0)
				return ret;
		}
		open_record(c, now);
	}
}

static uint8_t *entry_memory(const struct record *rec, uint32_t entry)
{
	return rec->buf->mem + (uint64_t)(rec->start + 1 + entry) * BLOCK_BYTES;
}

uint32_t log_entry_cbn(const struct cache *c, const struct record *rec, uint32_t entry)
{
	return log_cbn(c, rec->buf->segment_id, rec->start + 1 + entry);
}

static void take_entries(struct record *rec, uint32_t n)
{
	rec->nr_entries = (uint16_t)(rec->nr_entries + n);
	rec->nr_blocks = rec->nr_entries;
	rec->h->nr_blocks = le16_make(rec->nr_blocks);
	rec->h->nr_entries = le16_make(rec->nr_entries);
}

uint64_t log_op(struct cache *c, const struct op *op)
{
	struct record *rec = c->log.open;
	int ret;

	if (!op_fits(rec, op_bytes(op))) {
		uint32_t entry = rec->nr_entries;
		uint32_t cbn = log_entry_cbn(c, rec, entry);

		memset(entry_memory(rec, entry), 0, BLOCK_BYTES);
		rec->h->key[entry] = le64_make(0);
		rec->h->entry_flags[entry] = ENTRY_OP;
		c->index.key[cbn] = 0;
		take_entries(rec, 1);
		rec->op_entry = rec->nr_entries;
		rec->op_pos = 0;
		__atomic_store_n(&rec->h->dirty[entry], 0xff, __ATOMIC_RELEASE);
	}
	ret = op_append(entry_memory(rec, rec->op_entry - 1u), &rec->op_pos, op);
	assert(ret == 0);
	(void)ret;
	rec->has_ops = true;
	rec->buf->segment->last_op_lsn = rec->lsn;
	return rec->lsn;
}

struct record *log_reserve(struct cache *c, uint32_t image, uint64_t block, uint32_t n,
			   uint32_t *entry, uint8_t **dst)
{
	struct record *rec = c->log.open;

	assert(n > 0 && n <= log_room(c));
	*entry = rec->nr_entries;
	*dst = entry_memory(rec, *entry);
	for (uint32_t i = 0; i < n; i++) {
		uint32_t cbn = log_entry_cbn(c, rec, *entry + i);

		rec->h->key[*entry + i] = le64_make(entry_key(image, block + i));
		c->index.key[cbn] = entry_key(image, block + i);
	}
	take_entries(rec, n);
	rec->op_entry = 0;
	rec->writers++;
	return rec;
}

/* Who finds the header in RAM after a death must see what sort of entry it is: dirty is last. */
int log_poison(struct cache *c, uint64_t key, uint8_t mask, uint8_t flags, uint64_t origin_lsn,
	       enum log_purpose p, uint32_t *cbn, uint64_t now, struct outbox *ob)
{
	struct log *l = &c->log;
	struct record *rec;
	int ret;

	if (l->nr_bare >= BARE_RECORDS_MAX)
		return -EAGAIN;
	log_seal(c, now, ob);
	ret = log_prepare(c, 0, 1, p, now, ob);
	if (ret < 0)
		return ret;
	rec = l->open;
	l->nr_bare++;
	rec->nr_entries = 1;
	rec->nr_blocks = 0;
	rec->h->origin_lsn = le64_make(flags & ENTRY_RELOCATED ? origin_lsn : 0);
	rec->h->key[0] = le64_make(key);
	rec->h->entry_flags[0] = ENTRY_POISON | flags;
	__atomic_thread_fence(__ATOMIC_RELEASE);
	rec->h->nr_entries = le16_make(1);
	__atomic_store_n(&rec->h->dirty[0], mask, __ATOMIC_RELEASE);
	*cbn = log_cbn(c, rec->buf->segment_id, rec->start);
	log_seal(c, now, ob);
	return 0;
}

void log_publish(struct cache *c, struct record *rec, uint32_t entry, uint8_t mask, uint8_t flags)
{
	(void)c;
	if (flags & ENTRY_EXTENDS)
		rec->buf->segment->last_op_lsn = max(rec->buf->segment->last_op_lsn, rec->lsn);
	rec->h->entry_flags[entry] = flags;
	__atomic_store_n(&rec->h->dirty[entry], mask, __ATOMIC_RELEASE);
}

/* ---------------------------------------------------------------- sealing, encoding, writing */

static void encoded(struct cache *c, struct action *a, int result, uint64_t now, struct outbox *ob);

/* Strictly in LSN order, since each carries its predecessor's checksum; one at a time, since
 * nothing orders two that different threads carry. */
static void log_issue(struct cache *c, struct outbox *ob)
{
	struct log *l = &c->log;
	struct record *rec = l->encode_next;

	if (l->is_encoding || !rec || rec->state != RECORD_SEALED || rec->writers)
		return;
	l->is_encoding = true;
	l->encode_next = rec->node.next == &l->records ?
				 NULL :
				 list_entry(rec->node.next, struct record, node);
	rec->state = RECORD_ENCODING;
	rec->durable_lsn = l->durable_lsn;
	rec->act.type = ACTION_ENCODE;
	rec->act.complete = encoded;
	outbox_add(ob, &rec->act);
}

void log_seal(struct cache *c, uint64_t now, struct outbox *ob)
{
	struct log *l = &c->log;
	struct record *rec = l->open;

	if (!rec)
		return;
	assert(rec->nr_entries > 0);
	rec->state = RECORD_SEALED;
	rec->time_ns = (uint64_t)c->info.real_ns + now;
	rec->buf->used = rec->start + 1 + rec->nr_blocks;
	l->open = NULL;
	if (c->segment_blocks - rec->buf->used < 2)
		close_buffer(c);
	log_issue(c, ob);
}

void log_close(struct cache *c, uint64_t now, struct outbox *ob)
{
	log_seal(c, now, ob);
	if (c->log.open_buf)
		close_buffer(c);
}

void log_writer_done(struct cache *c, struct record *rec, uint64_t now, struct outbox *ob)
{
	assert(rec->writers > 0);
	rec->writers--;
	if (rec == c->log.open) {
		if (log_room(c) == 0)
			log_seal(c, now, ob);
	} else {
		log_issue(c, ob);
	}
}

uint64_t log_finish_record(struct cache *c, struct record_disk *h, uint64_t link, uint64_t durable,
			   uint64_t time_ns)
{
	uint32_t n = le16_get(h->nr_entries);
	uint32_t cbn =
		log_cbn(c, le64_get(h->segment_id),
			(uint32_t)(le64_get(h->address) -
				   superblock_segment_address(&c->sb, le64_get(h->segment_id))) +
				1);
	uint8_t *block = (uint8_t *)h + BLOCK_BYTES;

	for (uint32_t i = 0; i < n; i++) {
		uint32_t sum = 0;

		if (h->entry_flags[i] & ENTRY_NO_DATA)
			continue;
		if (h->dirty[i])
			sum = checksum_block(block);
		else
			memset(block, 0, BLOCK_BYTES);
		h->sum[i] = le32_make(sum);
		c->index.sum[cbn++] = sum;
		block += BLOCK_BYTES;
	}
	h->link = le64_make(link);
	h->durable_lsn = le64_make(durable);
	h->time_ns = le64_make(time_ns);
	return record_finish(h, c->sb.key);
}

void cache_encode(struct cache *c, struct action *a)
{
	struct record *rec = container_of(a, struct record, act);

	c->log.encode_link =
		log_finish_record(c, rec->h, c->log.encode_link, rec->durable_lsn, rec->time_ns);
}

static void wrote(struct cache *c, struct action *a, int result, uint64_t now, struct outbox *ob);

void log_pump(struct cache *c, struct outbox *ob)
{
	struct log *l = &c->log;
	struct record *rec;

	if (c->failed)
		return;
	list_for_each_entry(rec, &l->records, node) {
		if (l->writing >= c->conf.log_depth || rec->state < RECORD_READY)
			break;
		if (rec->state != RECORD_READY)
			continue;
		rec->state = RECORD_WRITING;
		l->writing++;
		rec->act.type = ACTION_LOG_WRITE;
		rec->act.iov = &rec->act.iov1;
		rec->act.nr_iov = 1;
		rec->act.len = (1ull + rec->nr_blocks) * BLOCK_BYTES;
		rec->act.iov1.iov_base = rec->h;
		rec->act.iov1.iov_len = rec->act.len;
		rec->act.off = log_device_offset(c, log_cbn(c, rec->buf->segment_id, rec->start));
		rec->act.complete = wrote;
		outbox_add(ob, &rec->act);
	}
}

static void encoded(struct cache *c, struct action *a, int result, uint64_t now, struct outbox *ob)
{
	struct record *rec = container_of(a, struct record, act);
	struct log *l = &c->log;

	(void)result;
	(void)now;
	l->is_encoding = false;
	rec->state = RECORD_READY;
	if (rec->start == 0) {
		rec->buf->segment->start_link = le64_get(rec->h->link);
		rec->buf->segment->start_branch = l->last_branch;
	}
	l->last_branch = le64_get(rec->h->branch);
	l->last_link = le64_get(rec->h->checksum);
	l->encoded_lsn = rec->lsn;
	if (rec->lsn == c->super.head_lsn) {
		c->super.head_link = l->last_link;
		c->super.head_branch = l->last_branch;
	}
	log_issue(c, ob);
	log_pump(c, ob);
}

static void wrote(struct cache *c, struct action *a, int result, uint64_t now, struct outbox *ob)
{
	struct record *rec = container_of(a, struct record, act);
	struct log *l = &c->log;

	l->writing--;
	if (result < 0) {
		cache_fail(c, result, now, ob);
		return;
	}
	rec->state = RECORD_WRITTEN;
	c->nr_records_written++;
	c->nr_log_blocks += 1u + rec->nr_blocks;
	list_for_each_entry(rec, &l->records, node) {
		if (rec->state != RECORD_WRITTEN)
			break;
		l->written_lsn = rec->lsn;
	}
	log_pump(c, ob);
	commit_kick(c, now, ob);
}

void log_durable(struct cache *c, uint64_t lsn, uint64_t now, struct outbox *ob)
{
	struct log *l = &c->log;
	bool freed = false;

	(void)now;
	l->durable_lsn = max(l->durable_lsn, lsn);
	l->undurable_ns = max(l->undurable_ns, c->commit.started_ns);
	while (!list_is_empty(&l->records)) {
		struct record *rec = list_first_entry(&l->records, struct record, node);
		struct wbuf *b = rec->buf;

		if (rec->lsn > lsn)
			break;
		list_del(&rec->node);
		l->nr_bare -= !rec->nr_blocks;
		rec->state = RECORD_FREE;
		list_add_tail(&l->free_records, &rec->node);
		if (--b->records == 0 && b->is_closed) {
			pool_mark_closed(b);
			list_add_tail(&l->free_bufs, &b->node);
			l->busy_bufs--;
			freed = true;
		}
	}
	if (freed)
		log_space_changed(c, ob);
}

void log_reclaim(struct cache *c, uint64_t tail, uint64_t now, struct outbox *ob)
{
	uint64_t blocks = (tail - min(c->tail, tail)) * (c->segment_blocks - 1);

	if (c->tail >= tail)
		return;
	for (; c->tail < tail; c->tail++) {
		struct segment *seg = log_segment(c, c->tail);

		assert(seg->state == SEGMENT_CLOSED && seg->id == c->tail);
		seg->state = SEGMENT_FREE;
		c->log.free_segments++;
	}
	if (pace_freed(&c->log.pace, c->log.free_segments, blocks, now))
		write_end_all_delays(c, ob);
	log_space_changed(c, ob);
}

int log_init(struct cache *c)
{
	struct log *l = &c->log;

	list_init(&l->records);
	list_init(&l->free_records);
	list_init(&l->free_bufs);
	list_init(&l->space_waiters);
	pace_init(&l->pace, PURPOSE_USER, log_short_below(c));
	c->nr_records = c->nr_bufs * (c->segment_blocks / 2) + BARE_RECORDS_MAX;
	c->records = calloc(c->nr_records, sizeof(*c->records));
	c->bufs = calloc(c->nr_bufs, sizeof(*c->bufs));
	c->segments = calloc(c->nr_segments, sizeof(*c->segments));
	if (!c->records || !c->bufs || !c->segments)
		return -ENOMEM;
	for (uint32_t i = 0; i < c->nr_records; i++) {
		list_init(&c->records[i].node);
		list_add_tail(&l->free_records, &c->records[i].node);
	}
	return 0;
}

void log_free(struct cache *c)
{
	free(c->records);
	free(c->bufs);
	free(c->segments);
}
