// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Migration's touching marks (G1): durable before the first change of a quiet file.
 *
 * They go to the log. Where it has no room for them, the image table takes them, so that a log that
 * is full to the last segment can still be emptied (H1): a mark is `wanted` until a table that was
 * made later is in force, and only then in memory, where others count on it to be durable.
 */
#include "lcfs/cache/migrate.h"

void migrate_all_failed(struct cache *c, const struct migrate_batch *b, int error, uint64_t now)
{
	struct cache_image *img;

	list_for_each_entry(img, &b->images, batch_node)
		migrate_image_failed(c, img, error, now);
}

static void phase_part_done(struct cache *c, struct migrate_batch *b, uint64_t now,
			    struct outbox *ob)
{
	if (--b->pending == 0)
		migrate_next_phase(c, b, now, ob);
}

static void in_log(struct cache *c, struct cache_sync *s, uint64_t now, struct outbox *ob)
{
	struct migrate_batch *b = container_of(s, struct migrate_batch, sync);

	if (s->result < 0)
		migrate_all_failed(c, b, c->failed ? -EAGAIN : -EIO, now);
	phase_part_done(c, b, now, ob);
}

static void in_table(struct cache *c, struct cache_sync *s, uint64_t now, struct outbox *ob)
{
	struct migrate_batch *b = container_of(s, struct migrate_batch, table_sync);
	struct cache_image *img;

	list_for_each_entry(img, &b->images, batch_node) {
		if (!img->is_touch_wanted)
			continue;
		img->is_touch_wanted = false;
		if (s->result == 0 && c->super.with_table)
			img->is_touching = true;
		else /* the table has no room either, now */
			migrate_image_failed(c, img, s->result < 0 && !c->failed ? -EIO : -EAGAIN,
					     now);
	}
	phase_part_done(c, b, now, ob);
}

static void ask_table(struct cache *c, struct migrate_batch *b, uint64_t now, struct outbox *ob)
{
	b->pending++;
	b->table_sync.fn = in_table;
	c->super.want_table = true;
	super_wait(c, &b->table_sync, now, ob);
}

bool migrate_start_touch(struct cache *c, struct migrate_batch *b, uint64_t now, struct outbox *ob)
{
	struct cache_image *img;
	bool by_table = false;
	uint64_t lsn = 0;

	b->pending++; /* nobody goes on before all is asked for */
	list_for_each_entry(img, &b->images, batch_node) {
		uint32_t bytes = imgtab_touch_bytes(img);

		/* its file has gone since */
		if (imgtab_is_leaving(img))
			img->batch_failed = true;
		if (img->batch_failed)
			continue;
		if (bytes && log_prepare(c, bytes, 0, PURPOSE_CLEANER, now, ob) < 0)
			img->is_touch_wanted = by_table = true;
		else
			imgtab_touch(c, img);
		lsn = max(lsn, img->last_lsn);
	}
	if (by_table)
		ask_table(c, b, now, ob);
	b->sync.image = NULL;
	b->sync.lsn = lsn;
	b->sync.fn = in_log;
	b->sync.is_of_log = true;
	if (lsn && !commit_wait(c, &b->sync, now, ob))
		b->pending++;
	else if (lsn && b->sync.result < 0)
		migrate_all_failed(c, b, -EIO, now);
	return --b->pending > 0;
}
