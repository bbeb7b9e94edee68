// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Migration's touching marks (G1): durable before the first change of a quiet file.
 *
 * They go to the log. Where it has no room for them, the image table takes them, so that a log that
 * is full to the last segment can still be emptied (H1): a mark is `wanted` until a table that was
 * made later is in force, and only then in memory, where others count on it to be durable.
 */
#include "lcfs/cache/migrate.h"

void migrate_all_failed(struct cache *c, int error, uint64_t now)
{
	struct cache_image *img;

	list_for_each_entry(img, &c->migrate->images, batch_node)
		migrate_image_failed(c, img, error, now);
}

static void phase_part_done(struct cache *c, uint64_t now, struct outbox *ob)
{
	if (--c->migrate->pending == 0)
		migrate_next_phase(c, now, ob);
}

static void in_log(struct cache *c, struct cache_sync *s, uint64_t now, struct outbox *ob)
{
	if (s->result < 0)
		migrate_all_failed(c, c->failed ? -EAGAIN : -EIO, now);
	phase_part_done(c, now, ob);
}

static void in_table(struct cache *c, struct cache_sync *s, uint64_t now, struct outbox *ob)
{
	struct cache_image *img;

	list_for_each_entry(img, &c->migrate->images, batch_node) {
		if (!img->is_touch_wanted)
			continue;
		img->is_touch_wanted = false;
		if (s->result == 0 && c->super.with_table)
			img->is_touching = true;
		else /* the table has no room either, now */
			migrate_image_failed(c, img, s->result < 0 && !c->failed ? -EIO : -EAGAIN,
					     now);
	}
	phase_part_done(c, now, ob);
}

static void ask_table(struct cache *c, uint64_t now, struct outbox *ob)
{
	struct migrate *m = c->migrate;

	m->pending++;
	m->table_sync.fn = in_table;
	c->super.want_table = true;
	super_wait(c, &m->table_sync, now, ob);
}

bool migrate_start_touch(struct cache *c, uint64_t now, struct outbox *ob)
{
	struct migrate *m = c->migrate;
	struct cache_image *img;
	bool by_table = false;
	uint64_t lsn = 0;

	m->pending++; /* nobody goes on before all is asked for */
	list_for_each_entry(img, &m->images, batch_node) {
		uint32_t bytes = imgtab_touch_bytes(img);

		/* its file has gone since: the log may say nothing more of it (E6) */
		if (img->is_unbound)
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
		ask_table(c, now, ob);
	m->sync.image = NULL;
	m->sync.lsn = lsn;
	m->sync.fn = in_log;
	m->sync.is_of_log = true;
	if (lsn && !commit_wait(c, &m->sync, now, ob))
		m->pending++;
	else if (lsn && m->sync.result < 0)
		migrate_all_failed(c, -EIO, now);
	return --m->pending > 0;
}
