// SPDX-License-Identifier: GPL-2.0-or-later
/* An honest writer on random paths, and an oracle of the walk. */
#include <stdlib.h>
#include <string.h>

#include "common/align.h"
#include "tests/fake/logworld.h"

uint64_t logworld_draw(struct logworld *w, uint64_t n)
{
	return logbuild_random(&w->rng) % n;
}

static uint64_t lap_end(const struct logworld *w)
{
	return w->b.sb.last_migrated_segment_id + w->b.sb.nr_segments;
}

void logworld_init(struct logworld *w, uint64_t seed)
{
	*w = (struct logworld){ .rng = seed };
	logbuild_init(&w->b, SEGMENT_ORDER_MIN + (uint32_t)logworld_draw(w, 3),
		      16 + logworld_draw(w, 16), 2 + (uint32_t)logworld_draw(w, 3));
	w->b.seed = seed;
	w->durable_segment = 1;
}

void logworld_free(struct logworld *w)
{
	free(w->chain);
	logbuild_free(&w->b);
}

/* ---- the writer ---- */

/* The record before the next one; NULL: there is none since the tail. */
static const struct logbuild_record *last_record(const struct logworld *w)
{
	return w->b.lsn >= w->b.sb.tail_lsn ? w->chain[w->b.lsn] : NULL;
}

/* The successor of a record is looked for from where it ended, not from where the writer meant to
 * go on: that is what counts for the next segments. */
static void flush(struct logworld *w)
{
	const struct logbuild_record *last = last_record(w);

	w->flushed = w->b.nr;
	w->durable_lsn = w->b.lsn;
	w->durable_segment = last ? last->segment : w->b.sb.last_migrated_segment_id + 1;
}

/* The tail moves to the start of a segment with all before it durable. */
static void move_tail(struct logworld *w)
{
	uint64_t from = w->b.sb.tail_lsn, to = w->durable_lsn, lsn;

	if (to <= from)
		return;
	for (lsn = from + 1 + logworld_draw(w, to - from); lsn <= to; lsn++) {
		if (w->chain[lsn]->offset == 0) {
			logbuild_tail(&w->b, w->chain[lsn]);
			return;
		}
	}
}

/* May the segment be written now, by the pool's size and the ring's? */
static bool is_free(const struct logworld *w, uint64_t segment)
{
	return segment <= w->durable_segment + w->b.sb.pool_segments && segment <= lap_end(w);
}

/* Flushes and migrates until the segment is free; false: there is no way. */
static bool make_room(struct logworld *w, uint64_t segment)
{
	if (is_free(w, segment))
		return true;
	flush(w);
	for (int i = 0; i < 50 && !is_free(w, segment); i++)
		move_tail(w);
	return is_free(w, segment);
}

static void draw_entries(struct logworld *w, struct record_disk *h)
{
	uint32_t nr = le16_get(h->nr_entries), blocks = nr;

	for (uint32_t i = 0; i < nr; i++) {
		if (logworld_draw(w, 8) == 0)
			h->dirty[i] = 0;
		if (logworld_draw(w, 16) == 0 && blocks > 1) {
			h->entry_flags[i] = ENTRY_ZERO;
			blocks--;
		} else if (logworld_draw(w, 8) == 0) {
			h->entry_flags[i] = ENTRY_OP;
			h->key[i] = le64_make(0);
		}
	}
	h->nr_blocks = le16_make((uint16_t)blocks);
}

static void append(struct logworld *w)
{
	uint32_t room = superblock_segment_blocks(&w->b.sb), nr;
	struct record_disk h;

	nr = 1 + (uint32_t)logworld_draw(w, logworld_draw(w, 3) ? 1 + room / 8 : room - 1);
	nr = min(nr, room - 1);
	logbuild_header(&w->b, &h, nr);
	draw_entries(w, &h);
	if (w->b.offset + record_blocks(&h) > room || room - w->b.offset < 2 ||
	    (w->b.offset && logworld_draw(w, 12) == 0)) {
		if (!make_room(w, w->b.segment + 1))
			return;
		logbuild_move(&w->b, w->b.segment + 1, 0);
		/* what was flushed in between is not in the header yet: that is allowed */
	}
	logbuild_write(&w->b, &h, w->b.segment, w->b.offset);
	if (w->b.lsn >= w->room) {
		w->room = 2 * w->b.lsn + 64;
		w->chain = realloc(w->chain, w->room * sizeof(*w->chain));
		if (!w->chain)
			abort();
	}
	w->chain[w->b.lsn] = w->b.records[w->b.nr - 1];
}

static const struct logbuild_record *durable_record(const struct logworld *w)
{
	return w->durable_lsn >= w->b.sb.tail_lsn ? w->chain[w->durable_lsn] : NULL;
}

/* A write or a flush failed: what is not durable is written again on a new branch. */
static void fail(struct logworld *w)
{
	uint64_t segment = w->b.segment + 1, again = w->b.lsn - w->durable_lsn;

	if (!is_free(w, segment + 1) || !is_free(w, segment))
		return;
	logbuild_branch_after(&w->b, w->b.branch + 1, durable_record(w), segment);
	w->b.durable_lsn = w->durable_lsn;
	w->b.seed++;
	while (again-- > 0)
		append(w);
}

void logworld_run(struct logworld *w)
{
	for (uint64_t steps = logworld_draw(w, 60); steps > 0; steps--) {
		switch (logworld_draw(w, 16)) {
		case 0:
			flush(w);
			break;
		case 1:
		case 2:
			w->b.durable_lsn = min(w->durable_lsn, w->b.lsn);
			break;
		case 3:
			w->b.sb.durable_lsn = max(w->b.sb.durable_lsn, w->durable_lsn);
			break;
		case 4:
			move_tail(w);
			break;
		case 5:
			if (logworld_draw(w, 3) == 0)
				fail(w);
			break;
		default:
			append(w);
		}
	}
}

static void lose_sectors(struct logworld *w, const struct logbuild_record *r, uint32_t unit)
{
	for (uint32_t i = 0; i < r->blocks * SECTORS_PER_BLOCK; i += unit) {
		if (logworld_draw(w, 2))
			logbuild_undo(&w->b, r, i, unit);
	}
}

void logworld_cut(struct logworld *w)
{
	uint64_t how = logworld_draw(w, 4);

	for (size_t i = w->b.nr; i > w->flushed; i--) {
		const struct logbuild_record *r = w->b.records[i - 1];

		switch (how ? logworld_draw(w, 8) : 0) {
		case 0:
			logbuild_undo_all(&w->b, r);
			break;
		case 1:
			lose_sectors(w, r, 1);
			break;
		case 2:
			lose_sectors(w, r, SECTORS_PER_BLOCK);
			break;
		case 3:
			logbuild_undo_header(&w->b, r);
			break;
		case 4:
			if (r->blocks > 1)
				logbuild_undo_blocks(&w->b, r);
			break;
		default:
			break;
		}
	}
}

static const struct logbuild_record *find_sum(const struct logworld *w, uint64_t checksum)
{
	for (size_t i = w->b.nr; i > 0; i--) {
		if (w->b.records[i - 1]->checksum == checksum)
			return w->b.records[i - 1];
	}
	return NULL;
}

void logworld_restart(struct logworld *w, const struct logbuild_record *last, uint64_t next_first,
		      uint64_t next_last)
{
	const struct logbuild_record *r = last;

	/* the chain is what was found: other records may have stood for these LSNs */
	for (; r && r->lsn >= w->b.sb.tail_lsn; r = find_sum(w, r->link))
		w->chain[r->lsn] = r;
	w->b.lsn = last ? last->lsn : w->b.sb.tail_lsn - 1;
	flush(w);
	for (int i = 0; i < 50 && !is_free(w, next_first); i++)
		move_tail(w);
	if (!is_free(w, next_first))
		abort();
	next_last = max(next_first, next_last);
	logbuild_epoch_after(&w->b, last,
			     next_first + logworld_draw(w, next_last - next_first + 1));
	w->b.seed++;
}

/* ---- the oracle ---- */

struct end {
	const struct logbuild_record *last;
	uint64_t lsn, link, branch, segment;
	uint32_t offset;
};

static struct end start_of(const struct logworld *w)
{
	const struct superblock *sb = &w->b.sb;

	return (struct end){
		.lsn = sb->tail_lsn - 1,
		.link = sb->tail_link,
		.branch = sb->tail_branch,
		.segment = sb->last_migrated_segment_id + 1,
	};
}

static struct end end_of(const struct logbuild_record *r)
{
	return (struct end){
		.last = r,
		.lsn = r->lsn,
		.link = r->checksum,
		.branch = r->branch,
		.segment = r->segment,
		.offset = r->offset + r->blocks,
	};
}

static bool block_stands(const struct logworld *w, const struct logbuild_record *r, uint32_t block)
{
	size_t at = (size_t)block << BLOCK_SHIFT;

	return memcmp(w->b.mem->bytes + logbuild_byte(&w->b, r->segment, r->offset) + at,
		      r->bytes + at, BLOCK_BYTES) == 0;
}

static bool live_blocks_stand(const struct logworld *w, const struct logbuild_record *r)
{
	const struct record_disk *h = (const void *)r->bytes;
	uint32_t block = 0;

	for (uint32_t i = 0; i < le16_get(h->nr_entries); i++) {
		if (h->entry_flags[i] & ENTRY_NO_DATA)
			continue;
		block++;
		if (h->dirty[i] && !block_stands(w, r, block))
			return false;
	}
	return true;
}

/* The headers that stand, and which of them have been looked at. */
struct view {
	const struct logworld *w;
	const struct logbuild_record **standing;
	bool *is_known;
	size_t nr;
};

static bool is_abandoned(const struct view *v, const struct logbuild_record *r)
{
	const struct superblock *sb = &v->w->b.sb;

	if (r->branch < sb->epoch << 16 && r->lsn >= sb->epoch_start_lsn)
		return true;
	if (r->branch < sb->tail_branch && r->lsn >= sb->tail_lsn)
		return true;
	for (size_t i = 0; i < v->nr; i++) {
		if (v->is_known[i] && v->standing[i]->branch > r->branch &&
		    v->standing[i]->branch_lsn <= r->lsn)
			return true;
	}
	return false;
}

static bool is_place_after(const struct logworld *w, const struct logbuild_record *r,
			   const struct end *end)
{
	if (r->segment > lap_end(w) || r->segment > end->segment + w->b.sb.pool_segments)
		return false;
	if (!end->last)
		return r->offset == 0 && r->segment >= end->segment;
	if (r->segment == end->segment)
		return r->offset == end->offset &&
		       superblock_segment_blocks(&w->b.sb) - r->offset >= 2;
	return r->offset == 0 && r->segment > end->segment;
}

/* Who looks for a successor sees all headers at the starts of the segments where it may stand. */
static void look_at_places(const struct view *v, const struct end *end)
{
	uint64_t tail = v->w->b.sb.last_migrated_segment_id + 1;
	uint64_t until = min(end->segment + v->w->b.sb.pool_segments, lap_end(v->w));

	for (size_t i = 0; i < v->nr; i++) {
		const struct logbuild_record *r = v->standing[i];
		uint64_t slot = superblock_slot(&v->w->b.sb, r->segment), segment;

		/* headers of other laps stand there, too */
		for (segment = tail; segment <= until; segment++) {
			if (superblock_slot(&v->w->b.sb, segment) == slot &&
			    (r->offset == 0 ||
			     (segment == end->segment && r->offset == end->offset)))
				v->is_known[i] = true;
		}
	}
}

static const struct logbuild_record *successor(const struct view *v, const struct end *end)
{
	const struct logbuild_record *best = NULL;

	look_at_places(v, end);
	for (size_t i = 0; i < v->nr; i++) {
		const struct logbuild_record *r = v->standing[i];

		if (r->lsn != end->lsn + 1 || r->link != end->link || r->branch < end->branch)
			continue;
		if (!is_place_after(v->w, r, end) || is_abandoned(v, r))
			continue;
		if (!best || r->branch > best->branch)
			best = r;
	}
	return best;
}

static bool is_ahead(const struct view *v, uint64_t segment, uint32_t offset, const struct end *end)
{
	uint64_t until = min(end->segment + v->w->b.sb.pool_segments + 1, lap_end(v->w));

	return segment <= until &&
	       (segment > end->segment || (segment == end->segment && offset >= end->offset));
}

/* The highest LSN that records behind the end say was durable. */
static uint64_t proof_ahead(const struct view *v, const struct end *end)
{
	const struct superblock *sb = &v->w->b.sb;
	uint64_t lsn = 0;

	for (size_t i = 0; i < v->nr; i++) {
		const struct logbuild_record *r = v->standing[i];
		uint64_t laps = 0;

		while (r->segment + laps * sb->nr_segments <= sb->last_migrated_segment_id)
			laps++;
		if (is_ahead(v, r->segment + laps * sb->nr_segments, r->offset, end))
			v->is_known[i] = true;
	}
	for (size_t i = 0; i < v->nr; i++) {
		const struct logbuild_record *r = v->standing[i];

		if (is_ahead(v, r->segment, r->offset, end) && !is_abandoned(v, r))
			lsn = max(lsn, r->durable_lsn);
	}
	return lsn;
}

/* Follows the chain; the highest LSN that its records say was durable goes to *durable_lsn. Records
 * above torn_above end it where they are torn. True when none of it is abandoned. */
static bool follow(const struct view *v, uint64_t torn_above, struct end *end,
		   uint64_t *durable_lsn, uint64_t *proof)
{
	const struct superblock *sb = &v->w->b.sb;
	const struct logbuild_record *r;

	*durable_lsn = max(sb->durable_lsn, sb->epoch_start_lsn - 1);
	*end = start_of(v->w);
	while ((r = successor(v, end))) {
		if (r->lsn > torn_above && !live_blocks_stand(v->w, r))
			break;
		*durable_lsn = max(*durable_lsn, r->durable_lsn);
		*end = end_of(r);
	}
	*proof = proof_ahead(v, end);
	for (r = end->last; r && r->lsn >= sb->tail_lsn; r = find_sum(v->w, r->link)) {
		if (is_abandoned(v, r))
			return false;
	}
	return true;
}

static uint64_t judge_view(const struct view *v, struct end *end)
{
	uint64_t durable_lsn, proof, ignored;

	while (!follow(v, UINT64_MAX, end, &durable_lsn, &proof))
		;
	durable_lsn = max(durable_lsn, proof);
	if (durable_lsn > end->lsn)
		return durable_lsn;
	while (!follow(v, durable_lsn, end, &ignored, &proof))
		;
	return max(durable_lsn, proof);
}

struct logworld_verdict logworld_judge(struct logworld *w, bool knows_all)
{
	struct view v = { .w = w };
	struct logworld_verdict verdict = { 0 };
	struct end end;

	v.standing = malloc((w->b.nr + 1) * sizeof(*v.standing));
	v.is_known = calloc(w->b.nr + 1, sizeof(*v.is_known));
	if (!v.standing || !v.is_known)
		abort();
	for (size_t i = 0; i < w->b.nr; i++) {
		v.is_known[v.nr] = knows_all;
		if (block_stands(w, w->b.records[i], 0))
			v.standing[v.nr++] = w->b.records[i];
	}
	verdict.durable_lsn = judge_view(&v, &end);
	verdict.last = end.last;
	verdict.last_lsn = end.lsn;
	verdict.is_damaged = verdict.durable_lsn > end.lsn;
	free(v.standing);
	free(v.is_known);
	return verdict;
}
