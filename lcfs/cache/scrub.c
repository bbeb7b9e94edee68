// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The scrub: reads what the log holds, though nobody has asked for it, and looks whether it is
 * still what was written. Damage that is found while there is a second copy, or while the data
 * can still be written again by whoever has it, is no loss yet.
 *
 * A pass goes through the segments by slot, one at a time, with one read in flight:
 *
 *	IDLE ─▶ READ ─▶ VERIFY (no lock) ─▶ judge ─▶ IDLE, next segment
 *
 *   - Blocks that the index knows, clean or dirty: the checksum. What is damaged goes to
 *     poison_found(): a clean one is dropped, a dirty one is lost. That takes two finds of a dirty
 *     block, so a segment with a first find is read again a little later.
 *   - Headers and operations of the records from the tail on: without one of them a recovery would
 *     come to an end there, and refuse the cache. The data of such a segment is intact here and
 *     now, so migration runs until the tail has passed it, whatever the load is.
 *   - A read that fails is made again block by block.
 *
 * What is only in RAM so far, or not durable yet, is left out. A segment is pinned while it is
 * read. Segments without anything to look at are not read.
 *
 * A pass that was asked for (KNOB_SCRUB) goes on without a pause; with KNOB_SCRUB_RATE one follows
 * the other, at that rate.
 */
#include "lcfs/cache/core.h"

#include <stdlib.h>

#include "common/checksum.h"
#include "common/nsec.h"
#include "lcfs/cache/poison.h"
#include "lcfs/cache/scrub.h"
#include "lcfs/cache/scrub_status.h"

#define LOOKS_MAX 64u /* segments without anything in them, passed over under the lock at a time */
#define AGAIN_NS (NSEC_PER_SEC + NSEC_PER_SEC / 16) /* poison.c wants a second between two finds */

enum scrub_phase {
	SCRUB_IDLE,
	SCRUB_READ,
	SCRUB_VERIFY,
};

enum scrub_verdict {
	SCRUB_SOUND,
	SCRUB_ROTTEN,
	SCRUB_UNREADABLE,
};

struct scrub {
	enum scrub_phase phase;
	bool is_pass;	/* a pass is under way */
	bool is_second; /* this segment was read a moment ago, and has damaged dirty blocks */
	uint64_t slot;	/* of the segment */
	uint64_t not_before_ns;
	/* of the segment that is read */
	uint8_t *memory;
	uint8_t *verdict; /* one a block, enum scrub_verdict */
	bool *is_live;
	bool has_headers, is_header_bad;
	uint32_t single; /* the block that is read alone; UINT32_MAX: all together */
	int error;	 /* of the last read that failed */
	struct action read, work;
	struct iovec iov;
	struct cache_scrub_status st;
};

int scrub_init(struct cache *c)
{
	struct scrub *s = calloc(1, sizeof(*s));

	c->scrub = s;
	if (!s)
		return -ENOMEM;
	s->memory = aligned_alloc(BLOCK_BYTES, c->segment_bytes);
	s->verdict = calloc(c->segment_blocks, sizeof(*s->verdict));
	s->is_live = calloc(c->segment_blocks, sizeof(*s->is_live));
	s->st.total = c->nr_segments;
	return s->memory && s->verdict && s->is_live ? 0 : -ENOMEM;
}

void scrub_free(struct cache *c)
{
	if (!c->scrub)
		return;
	free(c->scrub->memory);
	free(c->scrub->verdict);
	free(c->scrub->is_live);
	free(c->scrub);
	c->scrub = NULL;
}

uint64_t scrub_ram(const struct cache *c)
{
	return sizeof(*c->scrub) + c->segment_bytes + c->segment_blocks * 2ull;
}

bool scrub_is_busy(const struct cache *c)
{
	return c->scrub->phase != SCRUB_IDLE;
}

void scrub_restart(struct cache *c)
{
	c->scrub->is_pass = false;
	c->scrub->not_before_ns = 0;
}

bool scrub_wants_tail(const struct cache *c)
{
	return c->tail <= c->scrub->st.bad_segment;
}

void cache_scrub_status(struct cache *c, struct cache_scrub_status *st)
{
	LOCK_SCOPE(&c->lock);

	*st = c->scrub->st;
	st->is_running = c->scrub->is_pass;
	st->done = c->scrub->is_pass ? c->scrub->slot : st->total;
	if (c->tail > st->bad_segment)
		st->bad_segment = 0;
}

/* ---------------------------------------------------------------- where it is */

static struct segment *segment_now(struct cache *c)
{
	return &c->segments[c->scrub->slot];
}

static uint32_t first_cbn(const struct cache *c)
{
	return (uint32_t)(c->scrub->slot * c->segment_blocks);
}

/* Is it needed for a recovery? */
static bool has_headers(const struct cache *c, const struct segment *seg)
{
	return seg->state == SEGMENT_CLOSED && seg->id >= c->tail &&
	       seg->last_lsn >= seg->first_lsn;
}

static bool is_readable(const struct cache *c, const struct segment *seg)
{
	return seg->id != 0 && seg->state != SEGMENT_OPEN && !seg->buf &&
	       (seg->state == SEGMENT_FREE || seg->last_lsn <= c->log.durable_lsn);
}

static void begin_pass(struct cache *c)
{
	c->scrub->is_pass = true;
	c->scrub->slot = 0;
}

static void end_pass(struct cache *c, bool is_whole, uint64_t now)
{
	struct scrub *s = c->scrub;

	s->is_pass = false;
	s->is_second = false;
	c->knob[KNOB_SCRUB] = 0;
	if (is_whole) {
		s->st.passes++;
		s->st.last_ns = c->info.real_ns + (int64_t)now;
	}
}

static void pause_ns(struct cache *c, uint64_t ns, uint64_t now)
{
	c->scrub->not_before_ns = now + ns;
	if (ns)
		deadline_lower(c, c->scrub->not_before_ns);
}

/* ---------------------------------------------------------------- judge */

/* True: it is dirty, and a second look is wanted. */
static bool judge_block(struct cache *c, uint32_t i, uint64_t now, struct outbox *ob)
{
	struct scrub *s = c->scrub;
	uint32_t cbn = first_cbn(c) + i;
	uint64_t key = c->index.key[cbn];
	bool is_dirty;

	if (!index_is_live(&c->index, cbn) || index_is_poison(&c->index, cbn))
		return false;
	is_dirty = index_is_dirty(&c->index, cbn);
	s->st.bad_clean += !is_dirty;
	s->st.bad_dirty += is_dirty && !s->is_second;
	poison_found(c, imgtab_find(c, entry_key_image(key)), entry_key_block(key),
		     log_position(c, cbn), s->verdict[i] == SCRUB_UNREADABLE ? s->error : -EUCLEAN,
		     now, ob);
	return is_dirty;
}

static void judge_headers(struct cache *c)
{
	const struct segment *seg = segment_now(c);

	if (!c->scrub->is_header_bad || !has_headers(c, seg))
		return;
	c->scrub->st.bad_headers++;
	c->scrub->st.bad_segment = max(c->scrub->st.bad_segment, seg->id);
	deadline_lower(c, 0);
}

/* At the rate of the background, unless somebody waits for the pass. */
static uint64_t pause_for_rate(const struct cache *c)
{
	uint64_t rate = c->knob[KNOB_SCRUB_RATE] << 20;

	return c->knob[KNOB_SCRUB] || !rate ? 0 : c->segment_bytes * NSEC_PER_SEC / rate;
}

static void judge(struct cache *c, uint64_t now, struct outbox *ob)
{
	struct scrub *s = c->scrub;
	bool again = false;

	s->phase = SCRUB_IDLE;
	s->st.blocks += c->segment_blocks;
	for (uint32_t i = 0; i < c->segment_blocks; i++)
		if (s->is_live[i] && s->verdict[i] != SCRUB_SOUND)
			again |= judge_block(c, i, now, ob);
	if (!s->is_second)
		judge_headers(c);
	s->is_second = again && !s->is_second;
	if (s->is_second) {
		pause_ns(c, AGAIN_NS, now);
	} else {
		s->slot++;
		pause_ns(c, pause_for_rate(c), now);
	}
}

static void verified(struct cache *c, struct action *a, int result, uint64_t now, struct outbox *ob)
{
	(void)a;
	(void)result;
	log_read_done(c, first_cbn(c), ob);
	judge(c, now, ob);
	if (!cache_stop_goes_on(c, now, ob))
		scrub_kick(c, now, ob);
}

/* ---------------------------------------------------------------- verify */

static const uint8_t *block_at(const struct scrub *s, uint32_t i)
{
	return s->memory + (uint64_t)i * BLOCK_BYTES;
}

/* Blocks of operations are in no index: their record has the sums. */
static bool is_record_sound(const struct cache *c, uint32_t start)
{
	const struct scrub *s = c->scrub;
	const struct record_disk *h = (const void *)block_at(s, start);

	for (uint32_t i = 0, block = start; i < le16_get(h->nr_entries); i++) {
		uint8_t flags = h->entry_flags[i];

		block += !(flags & ENTRY_NO_DATA);
		if ((flags & ENTRY_OP) && h->dirty[i] &&
		    (s->verdict[block] ||
		     checksum_block(block_at(s, block)) != le32_get(h->sum[i])))
			return false;
	}
	return true;
}

/* They must reach to the segment's last record. */
static bool are_headers_sound(struct cache *c)
{
	const struct scrub *s = c->scrub;
	const struct segment *seg = segment_now(c);
	uint64_t address = log_device_offset(c, first_cbn(c)) / BLOCK_BYTES, lsn = 0;
	uint32_t at = 0;

	while (lsn < seg->last_lsn && at < c->segment_blocks) {
		const struct record_disk *h = (const void *)block_at(s, at);

		if (s->verdict[at] == SCRUB_UNREADABLE ||
		    record_verify(h, c->sb.cache_uuid, c->sb.key, address + at) != FORMAT_OK ||
		    le64_get(h->segment_id) != seg->id ||
		    record_blocks(h) > c->segment_blocks - at || !is_record_sound(c, at))
			return false;
		lsn = le64_get(h->lsn);
		at += record_blocks(h);
	}
	return lsn >= seg->last_lsn;
}

/* Off the lock: checksums and headers of the segment. */
static void verify(struct cache *c, struct action *a)
{
	struct scrub *s = c->scrub;

	(void)a;
	for (uint32_t i = 0; i < c->segment_blocks; i++)
		if (s->is_live[i] && s->verdict[i] == SCRUB_SOUND &&
		    checksum_block(block_at(s, i)) != c->index.sum[first_cbn(c) + i])
			s->verdict[i] = SCRUB_ROTTEN;
	s->is_header_bad = s->has_headers && !are_headers_sound(c);
}

static void start_verify(struct cache *c, struct outbox *ob)
{
	c->scrub->phase = SCRUB_VERIFY;
	action_start_work(&c->scrub->work, verify, verified, ob);
}

/* ---------------------------------------------------------------- read */

static void read_done(struct cache *c, struct action *a, int result, uint64_t now,
		      struct outbox *ob);

static void read_blocks(struct cache *c, uint32_t first, uint32_t count, struct outbox *ob)
{
	struct scrub *s = c->scrub;
	struct action *a = &s->read;

	s->single = count == 1 ? first : UINT32_MAX;
	memset(a, 0, sizeof(*a));
	list_init(&a->node);
	s->iov.iov_base = s->memory + (uint64_t)first * BLOCK_BYTES;
	s->iov.iov_len = (uint64_t)count * BLOCK_BYTES;
	a->type = ACTION_DEV_READ;
	a->iov = &s->iov;
	a->nr_iov = 1;
	a->off = log_device_offset(c, first_cbn(c) + first);
	a->len = s->iov.iov_len;
	a->complete = read_done;
	outbox_add(ob, a);
}

/* Which of them cannot be read is to be known, so that it is one block alone that suffers. */
static void read_done(struct cache *c, struct action *a, int result, uint64_t now,
		      struct outbox *ob)
{
	struct scrub *s = c->scrub;
	uint32_t next = s->single + 1;

	(void)a;
	(void)now;
	if (result < 0) {
		s->error = result;
		if (s->single != UINT32_MAX)
			s->verdict[s->single] = SCRUB_UNREADABLE;
	}
	if (s->single == UINT32_MAX && result >= 0)
		next = c->segment_blocks;
	if (next < c->segment_blocks && !c->is_stopping && !c->failed) {
		read_blocks(c, next, 1, ob);
		return;
	}
	for (uint32_t i = next; i < c->segment_blocks; i++)
		s->is_live[i] = s->has_headers = false; /* nobody has looked */
	start_verify(c, ob);
}

/* False: there is nothing in the segment to look at. */
static bool read_segment(struct cache *c, struct outbox *ob)
{
	struct scrub *s = c->scrub;
	struct segment *seg = segment_now(c);
	bool is_wanted;

	if (!is_readable(c, seg))
		return false;
	s->has_headers = has_headers(c, seg);
	is_wanted = s->has_headers;
	for (uint32_t i = 0; i < c->segment_blocks; i++) {
		uint32_t cbn = first_cbn(c) + i;

		s->is_live[i] = index_is_live(&c->index, cbn) && !index_is_poison(&c->index, cbn);
		is_wanted |= s->is_live[i];
	}
	if (!is_wanted)
		return false;
	memset(s->verdict, SCRUB_SOUND, c->segment_blocks);
	s->phase = SCRUB_READ;
	seg->readers++;
	read_blocks(c, 0, c->segment_blocks, ob);
	return true;
}

/* ---------------------------------------------------------------- when */

static bool is_asked(const struct cache *c)
{
	return c->knob[KNOB_SCRUB] || c->knob[KNOB_SCRUB_RATE];
}

uint64_t scrub_deadline(const struct cache *c)
{
	if (scrub_is_busy(c) || c->failed || c->is_stopping || !is_asked(c))
		return UINT64_MAX;
	return c->scrub->not_before_ns;
}

void scrub_kick(struct cache *c, uint64_t now, struct outbox *ob)
{
	struct scrub *s = c->scrub;

	if (scrub_is_busy(c) || c->is_stopping)
		return;
	if (c->failed || !is_asked(c)) {
		if (s->is_pass)
			end_pass(c, false, now);
		c->knob[KNOB_SCRUB] = 0;
		return;
	}
	if (now < s->not_before_ns)
		return;
	if (!s->is_pass)
		begin_pass(c);
	for (uint32_t looks = 0; looks < LOOKS_MAX; looks++) {
		if (s->slot == c->nr_segments) {
			end_pass(c, true, now);
			pause_ns(c, NSEC_PER_SEC, now);
			return;
		}
		if (read_segment(c, ob))
			return;
		s->is_second = false;
		s->slot++;
	}
	pause_ns(c, 1, now);
}
