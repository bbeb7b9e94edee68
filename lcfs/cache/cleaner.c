// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The cleaner (rule H2): what migration cannot get rid of is moved out of the tail's way.
 *
 * The tail of the log stands still at the first segment that holds a live dirty block, and the log
 * is everybody's. So blocks of a stalled image (conflict, missing, or a backing store that has
 * refused it for a while) and poisoned blocks are logged again at the head, a round at a time:
 *
 *	IDLE ─▶ READ     the first segments that keep the tail, if all that is dirty there is such
 *	     ─▶ VERIFY   checksums
 *	     ─▶ place    each whose slot is still the newest: its range, an entry
 *	     ─▶ COPY     into the entries
 *	     ─▶ publish  each whose slot is still the newest, flagged RELOCATED ─▶ IDLE
 *
 * Nothing is lost by it:
 *   - The copy is a version like others, at a higher position than the slot it was taken from. The
 *     range is held from taking the entry to the publication, so that no other version of the block
 *     can come between: what was written before has been published, and then the slot is not the
 *     newest; what is written later has a higher position.
 *   - A writer or operation that has announced itself for the block waits; who holds the block
 *     goes first, and the block is moved in a later round.
 *   - The old slot is live until the copy is published, and its segment is not used again before
 *     the copy is durable: a super block with a later tail waits for that (B1).
 *   - A copy says nothing new of the image: not its size, and not when it was changed. It counts as
 *     something of the image that happened, so that an OP_CLEAN that came before does not make it
 *     clean in replay.
 * Operations are never moved: the image table holds what they did, with the effects that are still
 * pending, and the tail passes them with it.
 *
 * It ends. It works only while the log is short, on one round between two writings of the super
 * block, with at most the segments that are kept for it. A lap around the log packs everything that
 * cannot be migrated as closely as can be; when two laps have passed in which nothing else has
 * happened (nothing was written, migrated or dropped), it rests until something does.
 */
#include "lcfs/cache/cleaner.h"
#include "lcfs/cache/migration.h"
#include "lcfs/cache/op.h"

#include <stdlib.h>

#include "common/checksum.h"
#include "common/nsec.h"
#include "lcfs/cache/poison.h"
#include "lcfs/cache/scrub.h"
#include "lcfs/cache/sectors.h"

#define ITEMS_MAX 256u
#define RUN_BLOCKS 64u
#define SEGMENTS_MAX 4u		    /* of a round */
#define PAUSE_NS (NSEC_PER_SEC / 8) /* after a round that came to nothing */

enum cleaner_phase {
	CLEANER_IDLE,
	CLEANER_READ,
	CLEANER_VERIFY,
	CLEANER_COPY,
};

struct cleaner_item {
	uint64_t key, position;
	uint32_t cbn, sum;
	uint8_t *page;
	uint8_t mask;
	bool is_poison, is_bad, is_rotten;
	struct cache_image *img; /* from here on only while the range is held */
	struct cache_range range;
	struct record *rec;
	uint32_t entry;
	uint8_t *dst;
};

struct cleaner_run {
	struct action act;
	struct iovec iov;
	uint32_t first, count; /* items */
};

struct cleaner {
	enum cleaner_phase phase;
	uint32_t pending, nr_items, nr_runs;
	uint32_t careful; /* rounds whose blocks are read one by one */
	uint64_t moved;	  /* blocks since there was progress */
	uint64_t round_moved;
	uint64_t not_before_ns;
	enum log_purpose purpose;
	uint8_t *memory;
	struct action work;
	struct cleaner_item item[ITEMS_MAX];
	struct cleaner_run run[ITEMS_MAX];
};

/* ---------------------------------------------------------------- life */

int cleaner_init(struct cache *c)
{
	c->cleaner = calloc(1, sizeof(*c->cleaner));
	if (!c->cleaner)
		return -ENOMEM;
	c->cleaner->memory = aligned_alloc(BLOCK_BYTES, (size_t)ITEMS_MAX * BLOCK_BYTES);
	return c->cleaner->memory ? 0 : -ENOMEM;
}

void cleaner_free(struct cache *c)
{
	if (c->cleaner)
		free(c->cleaner->memory);
	free(c->cleaner);
	c->cleaner = NULL;
}

uint64_t cleaner_ram(const struct cache *c)
{
	return sizeof(*c->cleaner) + (uint64_t)ITEMS_MAX * BLOCK_BYTES;
}

bool cleaner_is_busy(const struct cache *c)
{
	return c->cleaner->phase != CLEANER_IDLE;
}

void cleaner_progress(struct cache *c)
{
	c->cleaner->moved = 0;
}

/* ---------------------------------------------------------------- what is to be moved */

bool image_is_stalled(const struct cache_image *img, uint64_t now)
{
	return img->is_stopped || img->is_hung ||
	       (img->fails_ns && now >= img->fails_ns + CLEANER_STALLED_NS &&
		now < img->failed_ns + CLEANER_FORGET_NS);
}

static bool is_movable(struct cache *c, uint32_t cbn, uint64_t now)
{
	const struct cache_image *img = imgtab_find(c, entry_key_image(c->index.key[cbn]));

	if (imgtab_is_leaving(img))
		return false;
	if (index_is_poison(&c->index, cbn))
		return true;
	return image_is_stalled(img, now) && !poison_is_suspect(c, cbn, now);
}

static bool is_dirty(const struct cache *c, uint32_t cbn)
{
	return index_is_live(&c->index, cbn) && index_is_dirty(&c->index, cbn);
}

/* All that is dirty in the segment, and it is durable. */
static bool is_segment_movable(struct cache *c, const struct segment *seg, uint64_t now)
{
	uint32_t first = log_cbn(c, seg->id, 0);

	if (seg->state != SEGMENT_CLOSED || seg->last_lsn > c->log.durable_lsn)
		return false;
	for (uint32_t i = 0; i < c->segment_blocks; i++)
		if (is_dirty(c, first + i) && !is_movable(c, first + i, now))
			return false;
	return true;
}

static void add_item(struct cache *c, uint32_t cbn)
{
	struct cleaner *k = c->cleaner;
	struct cleaner_item *it = &k->item[k->nr_items];

	memset(it, 0, sizeof(*it));
	it->key = c->index.key[cbn];
	it->position = log_position(c, cbn);
	it->cbn = cbn;
	it->sum = c->index.sum[cbn];
	it->is_poison = index_is_poison(&c->index, cbn);
	it->page = k->memory + (uint64_t)k->nr_items++ * BLOCK_BYTES;
}

static void add_segment(struct cache *c, const struct segment *seg)
{
	uint32_t first = log_cbn(c, seg->id, 0);

	for (uint32_t i = 0; i < c->segment_blocks && c->cleaner->nr_items < ITEMS_MAX; i++)
		if (is_dirty(c, first + i))
			add_item(c, first + i);
}

/* From the tail on: whole segments, as far as they fit. */
static void collect(struct cache *c, uint64_t now)
{
	uint64_t id = c->tail, end;

	c->cleaner->nr_items = 0;
	end = min(id + SEGMENTS_MAX, c->log.next_segment_id);
	for (; id < end; id++) {
		const struct segment *seg = log_segment(c, id);

		if (!is_segment_movable(c, seg, now))
			return;
		if (c->cleaner->nr_items && c->cleaner->nr_items + seg->nr_dirty > ITEMS_MAX)
			return;
		add_segment(c, seg);
	}
}

static uint64_t nr_movable(const struct cache *c, uint64_t now)
{
	const struct cache_image *img;
	uint64_t n = 0;

	list_for_each_entry(img, &c->images, node)
		n += image_is_stalled(img, now) ? img->dirty : img->poisoned;
	return n;
}

/* Two laps with nothing but itself at work. */
static bool is_in_vain(const struct cleaner *k, uint64_t nr)
{
	return k->moved > 2 * (nr + ITEMS_MAX);
}

/* Not while the tail can move without it, nor when two laps were in vain. */
static bool is_wanted(struct cache *c, uint64_t now)
{
	const struct cleaner *k = c->cleaner;
	uint64_t n;

	if (k->phase != CLEANER_IDLE || c->failed || c->is_stopping ||
	    !(log_is_short(c) || scrub_wants_tail(c)) || now < k->not_before_ns ||
	    c->super.phase != SUPER_IDLE || super_tail_candidate(c, UINT64_MAX) > c->tail)
		return false;
	n = nr_movable(c, now);
	return n && !is_in_vain(k, n);
}

bool cleaner_is_at_rest(const struct cache *c, uint64_t now)
{
	return is_in_vain(c->cleaner, nr_movable(c, now));
}

/* ---------------------------------------------------------------- the end of a round */

static void finish(struct cache *c, uint64_t now, struct outbox *ob)
{
	struct cleaner *k = c->cleaner;

	k->phase = CLEANER_IDLE;
	k->moved += k->round_moved;
	c->nr_relocated += k->round_moved;
	if (!k->round_moved) {
		k->not_before_ns = now + PAUSE_NS;
		deadline_lower(c, k->not_before_ns);
	}
	if (!cache_stop_goes_on(c, now, ob) && k->round_moved)
		migrate_kick(c, now, ob);
}

/* ---------------------------------------------------------------- off the lock */

static void verify(struct cache *c, struct action *a)
{
	(void)a;
	for (uint32_t i = 0; i < c->cleaner->nr_items; i++) {
		struct cleaner_item *it = &c->cleaner->item[i];

		if (!it->is_poison && !it->is_bad && checksum_block(it->page) != it->sum)
			it->is_rotten = true;
	}
}

static void copy(struct cache *c, struct action *a)
{
	(void)a;
	for (uint32_t i = 0; i < c->cleaner->nr_items; i++) {
		const struct cleaner_item *it = &c->cleaner->item[i];

		if (!it->rec)
			continue;
		if (it->mask != 0xff)
			memset(it->dst, 0, BLOCK_BYTES);
		sectors_copy(it->dst, it->page, it->mask);
	}
}

/* ---------------------------------------------------------------- place, publish */

/* Does the index still point at it? */
static bool is_current(const struct cache *c, const struct cleaner_item *it)
{
	return c->index.key[it->cbn] == it->key && is_dirty(c, it->cbn) &&
	       log_position(c, it->cbn) == it->position;
}

/* Its image may leave while the block is read: then it is dropped soon. */
static bool may_move(struct cache *c, const struct cleaner_item *it)
{
	return !it->is_bad && is_current(c, it) &&
	       !imgtab_is_leaving(imgtab_find(c, entry_key_image(it->key)));
}

static void publish(struct cache *c, struct cleaner_item *it, uint64_t now, struct outbox *ob)
{
	uint32_t cbn = log_entry_cbn(c, it->rec, it->entry);

	if (is_current(c, it) && c->index.mask[it->cbn] == it->mask) {
		log_publish(c, it->rec, it->entry, it->mask, ENTRY_RELOCATED);
		blocks_insert(c, it->img, entry_key_block(it->key), cbn, it->mask,
			      c->info.real_ns + (int64_t)now);
		op_drain_moved(it->img, log_position(c, cbn) >> 16);
		it->img->last_lsn = max(it->img->last_lsn, it->rec->lsn);
		c->cleaner->round_moved++;
	}
	log_writer_done(c, it->rec, now, ob);
	it->rec = NULL;
	range_release(it->img, &it->range, ob);
}

static void copied(struct cache *c, struct action *a, int result, uint64_t now, struct outbox *ob)
{
	struct cleaner *k = c->cleaner;

	(void)a;
	(void)result;
	for (uint32_t i = 0; i < k->nr_items; i++)
		if (k->item[i].rec)
			publish(c, &k->item[i], now, ob);
	finish(c, now, ob);
}

static void lower_origin(struct record_disk *h, uint64_t lsn)
{
	uint64_t old = le64_get(h->origin_lsn);

	h->origin_lsn = le64_make(old ? min(old, lsn) : lsn);
}

/* Its range and an entry; false: no space. */
static bool place(struct cache *c, struct cleaner_item *it, uint64_t now, struct outbox *ob)
{
	struct cache_image *img = imgtab_find(c, entry_key_image(it->key));

	if (!range_take_first(img, &it->range, entry_key_block(it->key)))
		return true;
	if (log_prepare(c, 0, 1, c->cleaner->purpose, now, ob) < 0) {
		range_release(img, &it->range, ob);
		return false;
	}
	it->img = img;
	it->mask = c->index.mask[it->cbn];
	it->rec = log_reserve(c, img->id, entry_key_block(it->key), 1, &it->entry, &it->dst);
	lower_origin(it->rec->h, log_segment_of(c, it->cbn)->first_lsn);
	return true;
}

/* Crashes have eaten up what is kept for the cleaner: is all that keeps the tail's segment ready to
 * be moved? */
static bool is_way_out(struct cache *c)
{
	const struct cleaner *k = c->cleaner;
	uint32_t n = 0;

	for (uint32_t i = 0; i < k->nr_items && k->item[i].position >> 16 == c->tail; i++) {
		const struct cleaner_item *it = &k->item[i];

		n += may_move(c, it) && !range_is_held(imgtab_find(c, entry_key_image(it->key)),
						       entry_key_block(it->key));
	}
	return n && n == log_segment(c, c->tail)->nr_dirty;
}

static void place_all(struct cache *c, uint64_t now, struct outbox *ob)
{
	struct cleaner *k = c->cleaner;
	uint32_t nr_placed = 0;

	k->purpose = c->log.free_segments <= PURPOSE_CLEANER && is_way_out(c) ? PURPOSE_WAY_OUT :
										PURPOSE_CLEANER;
	for (uint32_t i = 0; i < k->nr_items && !c->failed; i++) {
		struct cleaner_item *it = &k->item[i];

		if (!may_move(c, it))
			continue;
		if (it->is_poison) {
			k->round_moved += poison_move(c, it->cbn, k->purpose, now, ob) == 0;
			continue;
		}
		if (!place(c, it, now, ob))
			break;
		nr_placed += it->rec != NULL;
	}
	if (!nr_placed) {
		finish(c, now, ob);
		return;
	}
	k->phase = CLEANER_COPY;
	action_start_work(&k->work, copy, copied, ob);
}

/* ---------------------------------------------------------------- read, verify */

static void item_is_bad(struct cache *c, struct cleaner_item *it, int error, uint64_t now,
			struct outbox *ob)
{
	struct cache_image *img = imgtab_find(c, entry_key_image(it->key));

	it->is_bad = true;
	if (img && is_current(c, it))
		poison_found(c, img, entry_key_block(it->key), it->position, error, now, ob);
}

static void verified(struct cache *c, struct action *a, int result, uint64_t now, struct outbox *ob)
{
	struct cleaner *k = c->cleaner;

	(void)a;
	(void)result;
	for (uint32_t i = 0; i < k->nr_items; i++)
		if (k->item[i].is_rotten)
			item_is_bad(c, &k->item[i], -EUCLEAN, now, ob);
	place_all(c, now, ob);
}

/* Which of several blocks it was is not known: in the next rounds they are read one by one. */
static void read_failed(struct cache *c, const struct cleaner_run *r, int error, uint64_t now,
			struct outbox *ob)
{
	for (uint32_t i = r->first; i < r->first + r->count; i++) {
		c->cleaner->item[i].is_bad = true;
		if (r->count == 1)
			item_is_bad(c, &c->cleaner->item[i], error, now, ob);
	}
	if (r->count > 1)
		c->cleaner->careful = 8;
}

static void read_done(struct cache *c, struct action *a, int result, uint64_t now,
		      struct outbox *ob)
{
	struct cleaner_run *r = container_of(a, struct cleaner_run, act);

	log_read_done(c, c->cleaner->item[r->first].cbn, ob);
	if (result < 0)
		read_failed(c, r, result, now, ob);
	if (--c->cleaner->pending)
		return;
	c->cleaner->phase = CLEANER_VERIFY;
	action_start_work(&c->cleaner->work, verify, verified, ob);
}

static void issue_run(struct cache *c, struct cleaner_run *r, struct outbox *ob)
{
	const struct cleaner_item *it = &c->cleaner->item[r->first];

	r->iov.iov_base = it->page;
	r->iov.iov_len = (uint64_t)r->count * BLOCK_BYTES;
	r->act.type = ACTION_DEV_READ;
	r->act.iov = &r->iov;
	r->act.nr_iov = 1;
	r->act.off = log_device_offset(c, it->cbn);
	r->act.len = r->iov.iov_len;
	r->act.complete = read_done;
	log_segment_of(c, it->cbn)->readers++;
	c->cleaner->pending++;
	outbox_add(ob, &r->act);
}

/* Items stand in order of place, so their pages follow each other as their slots do. */
static void start_read(struct cache *c, struct outbox *ob)
{
	struct cleaner *k = c->cleaner;
	uint32_t most = k->careful ? 1 : RUN_BLOCKS;
	struct cleaner_run *r = NULL;

	k->careful -= k->careful > 0;
	k->nr_runs = 0;
	for (uint32_t i = 0; i < k->nr_items; i++) {
		const struct cleaner_item *it = &k->item[i];

		if (it->is_poison) {
			r = NULL;
			continue;
		}
		if (!r || r->count == most || it->cbn % c->segment_blocks == 0 ||
		    it->cbn != k->item[i - 1].cbn + 1) {
			r = &k->run[k->nr_runs++];
			memset(r, 0, sizeof(*r));
			list_init(&r->act.node);
			r->first = i;
		}
		r->count++;
	}
	for (uint32_t i = 0; i < k->nr_runs; i++)
		issue_run(c, &k->run[i], ob);
}

void cleaner_kick(struct cache *c, uint64_t now, struct outbox *ob)
{
	struct cleaner *k = c->cleaner;

	if (!is_wanted(c, now))
		return;
	collect(c, now);
	if (!k->nr_items)
		return;
	k->phase = CLEANER_READ;
	k->round_moved = 0;
	start_read(c, ob);
	if (!k->pending)
		place_all(c, now, ob);
}
