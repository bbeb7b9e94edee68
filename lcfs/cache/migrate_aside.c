// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A batch that hangs (rule H2): a backing file does not answer, for hours perhaps.
 *
 * It is set aside when for HANG_NS nothing is out but what files are to answer, and none has. What
 * waits for an answer stays in it: such an image *hangs*, and counts as stalled. The memory that
 * its requests name stays as it is, its blocks stay the batch's (no truncate or punch begins there,
 * F1), and no other batch takes it. All others leave the batch: those that are synced as migrated,
 * the rest to be collected again. Then a further batch may begin.
 *
 *	current ──no answer──▶ aside, hanging ──an answer──▶ aside ──▶ …as any batch ──▶ free
 *	                            ▲                          │
 *	                            └───────── no answer ──────┘
 *
 * When the answer comes the batch goes on where it was, so that a store which takes longer than
 * HANG_NS for each sync is slow, and nothing worse. There are MIGRATE_BATCHES; when all hang,
 * migration waits. What operations of users ask of files is watched in the same way (op_effect.c).
 *
 * At shutdown nobody waits for what hangs: its image stays as the log has it, dirty and touching,
 * and what is answered later is not looked at any more.
 */
#include "lcfs/cache/lost.h"
#include "lcfs/cache/migrate.h"

#include <stdio.h>

#include "common/nsec.h"
#include "lcfs/cache/cleaner.h"
#include "lcfs/cache/hanging.h"
#include "lcfs/cache/op.h"
#include "lcfs/cache/shares.h"

static struct migrate_batch *idle_batch(const struct cache *c)
{
	struct migrate_batch *b = c->migrate->batch;

	for (uint32_t i = 0; i < MIGRATE_BATCHES; i++)
		if (b[i].phase == MIGRATE_IDLE)
			return &b[i];
	return NULL;
}

struct migrate_batch *migrate_new_batch(struct cache *c)
{
	struct migrate_batch *b = idle_batch(c);

	if (!b)
		return NULL;
	b->is_aside = b->is_hanging = false;
	b->pending = b->on_files = 0;
	b->nr_items = 0;
	b->nr_images = 0;
	list_init(&b->images);
	return b;
}

bool migrate_is_busy(const struct cache *c)
{
	const struct migrate_batch *b = c->migrate->batch;

	for (uint32_t i = 0; i < MIGRATE_BATCHES; i++)
		if (b[i].phase != MIGRATE_IDLE && !b[i].is_hanging)
			return true;
	return false;
}

bool migrate_may_begin(const struct cache *c)
{
	return !c->migrate->current && idle_batch(c);
}

bool migrate_is_out(const struct cache *c)
{
	const struct migrate_batch *b = c->migrate->batch;

	for (uint32_t i = 0; i < MIGRATE_BATCHES; i++)
		if (b[i].phase != MIGRATE_IDLE)
			return true;
	return false;
}

/* ---------------------------------------------------------------- asking */

void migrate_asked(struct cache *c, struct cache_image *img, uint64_t now)
{
	struct migrate_batch *b = img->batch;

	b->pending++;
	b->on_files++;
	b->answered_ns = now;
	img->batch_out++;
	deadline_lower(c, now + HANG_NS);
}

void migrate_answered(struct cache_image *img, uint64_t now)
{
	struct migrate_batch *b = img->batch;

	assert(b->pending && b->on_files && img->batch_out);
	b->pending--;
	b->on_files--;
	b->answered_ns = now;
	b->is_hanging = false;
	img->batch_out--;
	migrate_image_answers(img);
}

void migrate_image_answers(struct cache_image *img)
{
	if (img->is_hung && img->state == TABLE_STATE_OK)
		img->error = 0;
	img->is_hung = false;
}

/* ---------------------------------------------------------------- setting aside */

void migrate_image_hangs(struct cache *c, struct cache_image *img, uint64_t since, uint64_t now,
			 struct outbox *ob)
{
	img->is_hung = true;
	img->is_hang_told = false;
	img->hung_ns = since;
	migrate_image_fails(img, since, now);
	if (img->state == TABLE_STATE_OK)
		img->error = ETIMEDOUT;
	c->nr_migrate_errors++;
	shares_wake_at(c, now);
	waiters_wake(&img->range_waiters, ob); /* operations do not wait for it any more */
}

/* It has nothing out: what it has got done counts. */
static void leave_batch(struct cache *c, struct cache_image *img, uint64_t now, struct outbox *ob)
{
	if (img->batch->phase != MIGRATE_SYNC)
		img->batch_failed = true;
	migrate_finish_image(c, img, now, ob);
}

static void set_aside(struct cache *c, struct migrate_batch *b, uint64_t now, struct outbox *ob)
{
	struct cache_image *img, *tmp;

	b->is_aside = b->is_hanging = true;
	if (b == c->migrate->current)
		c->migrate->current = NULL;
	list_for_each_entry_safe(img, tmp, &b->images, batch_node) {
		if (img->batch_out)
			migrate_image_hangs(c, img, b->answered_ns, now, ob);
		else
			leave_batch(c, img, now, ob);
	}
	cleaner_progress(c);
	migrate_batch_over(c, now, ob);
}

static bool is_waiting_for_files(const struct migrate_batch *b)
{
	return b->phase != MIGRATE_IDLE && b->pending && b->pending == b->on_files &&
	       !b->is_hanging;
}

/* ---------------------------------------------------------------- who drains it */

uint64_t migrate_drain_ends(const struct cache *c, const struct cache_image *img)
{
	uint64_t timeout = c->knob[KNOB_STALL_TIMEOUT] * NSEC_PER_SEC;

	return img->is_hung && img->is_draining && timeout ? img->hung_ns + timeout : UINT64_MAX;
}

static void end_drains(struct cache *c, const struct migrate_batch *b, uint64_t now,
		       struct outbox *ob)
{
	struct cache_image *img;

	list_for_each_entry(img, &b->images, batch_node)
		if (migrate_drain_ends(c, img) <= now)
			op_drain_done(c, img, now, ob);
}

/* ---------------------------------------------------------------- watching */

void migrate_watch(struct cache *c, uint64_t now, struct outbox *ob)
{
	struct migrate_batch *b = c->migrate->batch;

	for (uint32_t i = 0; i < MIGRATE_BATCHES; i++) {
		if (is_waiting_for_files(&b[i]) && now >= b[i].answered_ns + HANG_NS)
			set_aside(c, &b[i], now, ob);
		if (b[i].phase != MIGRATE_IDLE && b[i].is_hanging)
			end_drains(c, &b[i], now, ob);
	}
	op_watch(c, now, ob);
}

uint64_t migrate_watch_deadline(const struct cache *c)
{
	const struct migrate_batch *b = c->migrate->batch;
	const struct cache_image *img;
	uint64_t at = UINT64_MAX;

	for (uint32_t i = 0; i < MIGRATE_BATCHES; i++) {
		if (is_waiting_for_files(&b[i]))
			at = min(at, b[i].answered_ns + HANG_NS);
		if (b[i].phase != MIGRATE_IDLE && b[i].is_hanging)
			list_for_each_entry(img, &b[i].images, batch_node)
				at = min(at, migrate_drain_ends(c, img));
	}
	return min(at, op_watch_deadline(c));
}

bool cache_tell_hanging(struct cache *c, char path[OP_PATH_MAX + 1], uint64_t *since_ns)
{
	LOCK_SCOPE(&c->lock);
	struct cache_image *img;

	list_for_each_entry(img, &c->images, node) {
		if (!img->is_hung || img->is_hang_told)
			continue;
		img->is_hang_told = true;
		*since_ns = img->hung_ns;
		snprintf(path, OP_PATH_MAX + 1, "%s", img->path);
		return true;
	}
	return false;
}
