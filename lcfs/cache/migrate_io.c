// SPDX-License-Identifier: GPL-2.0-or-later
/* The requests of a migration batch: reads of the log and of gaps, verification, sorted writes. */
#include "lcfs/cache/lost.h"
#include "lcfs/cache/migrate.h"

#include <stdlib.h>

#include "common/checksum.h"
#include "lcfs/cache/poison.h"
#include "lcfs/cache/sectors.h"

/* ---------------------------------------------------------------- read and verify */

static struct migrate_run *new_run(struct migrate_batch *b, enum action_type type, uint32_t first)
{
	struct migrate_run *r = &b->run[b->nr_runs++];

	memset(r, 0, sizeof(*r));
	list_init(&r->act.node);
	r->act.type = type;
	r->act.is_migration = true;
	r->act.iov = &b->iov[b->nr_iov];
	r->batch = b;
	r->first = first;
	return r;
}

static void add_iov(struct migrate_batch *b, struct migrate_run *r, uint8_t *base, uint64_t bytes)
{
	b->iov[b->nr_iov].iov_base = base;
	b->iov[b->nr_iov].iov_len = bytes;
	b->nr_iov++;
	r->act.nr_iov++;
	r->act.len += bytes;
}

static int compare_place(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

static void sort_by_place(struct migrate_batch *b)
{
	for (uint32_t i = 0; i < b->nr_items; i++)
		b->order[i] = (uint64_t)b->item[i].cbn << 32 | i;
	qsort(b->order, b->nr_items, sizeof(*b->order), compare_place);
}

static struct migrate_item *placed(struct migrate_batch *b, uint32_t i)
{
	return &b->item[(uint32_t)b->order[i]];
}

static void item_is_rotten(struct cache *c, struct migrate_item *it, int error, uint64_t now,
			   struct outbox *ob)
{
	it->is_failed = true;
	poison_found(c, it->img, entry_key_block(it->key),
		     log_place(it->segment_id, it->cbn % c->segment_blocks), error, now, ob);
}

/* Which of several blocks it was is not known: next time they are read one by one. */
static void log_read_failed(struct cache *c, const struct migrate_run *r, int error, uint64_t now,
			    struct outbox *ob)
{
	struct migrate_batch *b = r->batch;

	if (r->count == 1) {
		item_is_rotten(c, placed(b, r->first), error, now, ob);
		return;
	}
	c->migrate->careful = MIGRATE_CAREFUL_BATCHES;
	for (uint32_t i = 0; i < r->count; i++) {
		placed(b, r->first + i)->is_failed = true;
		migrate_image_failed(c, placed(b, r->first + i)->img, error, now);
	}
}

/* The device is given up: what cannot be read of it is lost. */
static void lost_run(struct cache *c, const struct migrate_run *r)
{
	for (uint32_t i = 0; i < r->count; i++) {
		struct migrate_item *it = placed(r->batch, r->first + i);

		it->is_failed = true;
		lost_mark(c, it->cbn);
	}
}

static void read_done(struct cache *c, struct action *a, int result, uint64_t now,
		      struct outbox *ob)
{
	struct migrate_run *r = container_of(a, struct migrate_run, act);
	struct migrate_batch *b = r->batch;

	if (a->type == ACTION_DEV_READ)
		b->pending--;
	else
		migrate_answered(b->item[r->first].img, now);
	if (a->type == ACTION_DEV_READ) {
		log_read_done(c, placed(b, r->first)->cbn, ob);
	} else if (result >= 0) {
		struct migrate_item *it = &b->item[r->first];

		imgtab_mask_backing(it->img, it->backing, entry_key_block(it->key) * BLOCK_BYTES,
				    BLOCK_BYTES);
	}
	if (result < 0 && a->type == ACTION_DEV_READ && c->failed) {
		lost_run(c, r);
	} else if (result < 0 && a->type == ACTION_DEV_READ) {
		log_read_failed(c, r, result, now, ob);
	} else if (result < 0) {
		b->item[r->first].is_failed = true;
		migrate_image_failed(c, b->item[r->first].img, result, now);
	}
	if (result >= 0 && a->type == ACTION_DEV_READ)
		lost_was_read(c);
	if (b->pending == 0)
		migrate_next_phase(c, b, now, ob);
}

bool migrate_start_read(struct cache *c, struct migrate_batch *b, uint64_t now, struct outbox *ob)
{
	struct migrate_run *r = NULL;
	uint32_t most = c->migrate->careful ? 1 : MIGRATE_RUN_BLOCKS;

	c->migrate->careful -= c->migrate->careful > 0;
	b->nr_runs = 0;
	b->nr_iov = 0;
	sort_by_place(b);
	for (uint32_t i = 0; i < b->nr_items; i++) {
		struct migrate_item *it = placed(b, i);

		/* Overwritten since: its segment may hold something else by now. */
		if (!it->is_failed)
			it->is_failed = it->img->batch_failed || !migrate_item_is_current(c, it);
		if (it->is_failed || it->ram) {
			r = NULL;
			continue;
		}
		if (!r || r->count == most || it->cbn % c->segment_blocks == 0 ||
		    it->cbn != placed(b, i - 1)->cbn + 1) {
			r = new_run(b, ACTION_DEV_READ, i);
			r->act.off = log_device_offset(c, it->cbn);
			r->act.complete = read_done;
			log_segment_of(c, it->cbn)->readers++;
			b->pending++;
		}
		add_iov(b, r, it->page, BLOCK_BYTES);
		r->count++;
	}
	for (uint32_t i = 0; i < b->nr_items; i++) {
		struct migrate_item *it = &b->item[i];

		if (!it->backing || it->is_failed)
			continue;
		r = new_run(b, ACTION_BACK_READ, i);
		r->act.image = it->img;
		r->act.off = entry_key_block(it->key) * BLOCK_BYTES;
		r->act.complete = read_done;
		r->count = 1;
		add_iov(b, r, it->backing, BLOCK_BYTES);
		migrate_asked(c, it->img, now);
	}
	for (uint32_t i = 0; i < b->nr_runs; i++)
		outbox_add(ob, &b->run[i].act);
	return b->pending > 0;
}

static void verify_done(struct cache *c, struct action *a, int result, uint64_t now,
			struct outbox *ob)
{
	struct migrate_batch *b = container_of(a, struct migrate_batch, work);

	(void)result;
	b->pending--;
	for (uint32_t i = 0; i < b->nr_items; i++)
		if (b->item[i].is_rotten && c->failed) {
			imgtab_damaged(b->item[i].img, entry_key_block(b->item[i].key));
			b->item[i].is_failed = true;
			lost_mark(c, b->item[i].cbn);
		} else if (b->item[i].is_rotten) {
			item_is_rotten(c, &b->item[i], -EUCLEAN, now, ob);
		}
	migrate_next_phase(c, b, now, ob);
}

/* Off the lock: the sums are those of when the batch was collected. */
static void verify(struct cache *c, struct action *a)
{
	struct migrate_batch *b = container_of(a, struct migrate_batch, work);

	(void)c;
	for (uint32_t i = 0; i < b->nr_items; i++) {
		struct migrate_item *it = &b->item[i];

		if (it->is_failed || it->img->batch_failed)
			continue;
		if (it->ram)
			memcpy(it->page, it->ram, BLOCK_BYTES);
		else if (checksum_block(it->page) != it->sum)
			it->is_rotten = true;
		if (it->backing)
			sectors_copy(it->page, it->backing, (uint8_t)~it->mask);
	}
}

bool migrate_start_verify(struct cache *c, struct migrate_batch *b, struct outbox *ob)
{
	(void)c;
	if (!b->nr_items)
		return false;
	b->pending++;
	action_start_work(&b->work, verify, verify_done, ob);
	return true;
}

/* ---------------------------------------------------------------- write */

/* Bytes of the image that the item holds: [*from, *to). False: nothing below `end` and the end of
 * the image. */
static bool item_bytes(const struct migrate_item *it, uint64_t end, uint64_t *from, uint64_t *to)
{
	uint64_t start = entry_key_block(it->key) * BLOCK_BYTES;
	uint8_t mask = it->backing ? 0xff : it->mask;

	*from = start + (uint64_t)__builtin_ctz(mask) * SECTOR_BYTES;
	*to = start + (uint64_t)(32 - __builtin_clz(mask)) * SECTOR_BYTES;
	*to = min(*to, min(it->img->size, end));
	return *from < *to;
}

void migrate_find_ends(struct migrate_batch *b)
{
	struct cache_image *img;
	uint64_t from, to;

	list_for_each_entry(img, &b->images, batch_node)
		img->batch_end = 0;
	for (uint32_t i = 0; i < b->nr_items; i++) {
		const struct migrate_item *it = &b->item[i];

		if (!it->is_failed && !it->img->batch_failed &&
		    item_bytes(it, UINT64_MAX, &from, &to))
			it->img->batch_end = max(it->img->batch_end, to);
	}
}

/* Does the end of the item keep it from being written directly (F5)? */
static bool is_tail(const struct migrate_item *it, uint64_t to)
{
	return to % it->img->align != 0;
}

static void write_done(struct cache *c, struct action *a, int result, uint64_t now,
		       struct outbox *ob);

static void issue_writes(struct cache *c, struct migrate_batch *b, uint64_t now, struct outbox *ob)
{
	uint32_t depth = c->conf.migrate_depth;

	if (b != c->migrate->batch) /* another one hangs, with its requests */
		depth = max(depth / MIGRATE_ASIDE_DEPTH, 1u);
	while (b->next_run < b->nr_runs && b->pending < depth) {
		struct migrate_run *r = &b->run[b->next_run++];
		struct cache_image *img = b->item[r->first].img;

		if (!img) /* it has left the batch */
			continue;
		migrate_asked(c, img, now);
		c->nr_migrate_writes++;
		r->issued_ns = now;
		outbox_add(ob, &r->act);
	}
}

static void write_done(struct cache *c, struct action *a, int result, uint64_t now,
		       struct outbox *ob)
{
	struct migrate_run *r = container_of(a, struct migrate_run, act);
	struct migrate_batch *b = r->batch;

	migrate_answered(a->image, now);
	histogram_add(&c->migrate_time, now - r->issued_ns);
	if (result == -EAGAIN)
		migrate_image_failed(c, a->image, result, now);
	if (result < 0) {
		a->image->batch_error = result;
		for (uint32_t i = 0; i < r->count; i++)
			b->item[r->first + i].is_failed = true;
	}
	issue_writes(c, b, now, ob);
	if (b->pending == 0)
		migrate_next_phase(c, b, now, ob);
}

bool migrate_start_write(struct cache *c, struct migrate_batch *b, uint64_t now, struct outbox *ob)
{
	struct migrate_run *r = NULL;
	uint64_t end = 0;

	b->nr_runs = 0;
	b->nr_iov = 0;
	b->next_run = 0;
	for (uint32_t i = 0; i < b->nr_items; i++) {
		struct migrate_item *it = &b->item[i];
		uint64_t from, to;

		if (it->is_failed || it->img->batch_failed) {
			r = NULL;
			it->is_failed = true;
			continue;
		}
		if (!item_bytes(it, it->img->batch_end, &from, &to) ||
		    is_tail(it, to) != (b->phase == MIGRATE_WRITE_TAILS)) {
			r = NULL;
			continue;
		}
		if (!r || r->act.image != it->img || end != from ||
		    r->count == MIGRATE_RUN_BLOCKS) {
			r = new_run(b, ACTION_BACK_WRITE, i);
			r->act.image = it->img;
			r->act.off = from;
			r->act.complete = write_done;
		}
		add_iov(b, r, it->page + from % BLOCK_BYTES, to - from);
		r->count++;
		end = to;
	}
	issue_writes(c, b, now, ob);
	return b->pending > 0;
}
