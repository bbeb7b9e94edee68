// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Recovery: from what is on the device and in the shared RAM buffers to a log that is served.
 *
 *	image table ─▶ walk of the log, applied to table and index ─▶ RAM buffers of a dead daemon,
 * written at their own places under the old epoch (C2) ─▶ flush (B2) ─▶ super block with the new
 * epoch, both copies (A6) ─▶ RAM buffers formatted
 *
 * Nothing else is written, and each write is one that a repetition makes again, so that it can be
 * killed anywhere. The new epoch's records start in a fresh segment (A3).
 *
 * Operations at or below the table's LSN do not change the table, but they kill older index entries
 * all the same (E6). What is clean is found at the end: all of an image up to its clean_lsn.
 */
#include "lcfs/cache/recovery.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/cleanup.h"
#include "lcfs/cache/logscan.h"
#include "lcfs/cache/pool.h"
#include "lcfs/cache/superread.h"

int recovery_say(struct recovery *r, int error, const char *fmt, ...)
{
	va_list ap;

	if (!r->rep->error[0]) {
		va_start(ap, fmt);
		vsnprintf(r->rep->error, sizeof(r->rep->error), fmt, ap);
		va_end(ap);
	}
	return error;
}

/* ---------------------------------------------------------------- image table */

/* Unbound before the tail: nothing in the log is of it; its id may be used again by now. */
static bool is_forgotten(const struct recovery *r, const struct table_entry *e)
{
	return e->flags & TABLE_UNBOUND && e->clean_lsn < r->c->sb.tail_lsn;
}

static int load_entries(struct recovery *r, const struct table_header *h, const uint8_t *payload)
{
	enum format_reason why = table_payload_verify(h, payload);
	struct table_entry e;
	uint64_t pos = 0;
	int ret;

	if (why != FORMAT_OK)
		return recovery_say(r, -EUCLEAN, "the image table is damaged: %s",
				    format_reason_text(why));
	while ((ret = table_entry_next(payload, h->payload_bytes, &pos, &e, &why)) > 0) {
		if (is_forgotten(r, &e))
			continue;
		ret = imgtab_load(r->c, &e);
		if (ret < 0)
			return recovery_say(r, ret, "the image table cannot be loaded: image %u",
					    e.image);
		r->c->super.table_has_pending |= e.nr_punches || e.backing_valid != UINT64_MAX;
	}
	return ret < 0 ? recovery_say(r, -EUCLEAN, "the image table is damaged: %s",
				      format_reason_text(why)) :
			 0;
}

static int load_table(struct recovery *r)
{
	const struct superblock *sb = &r->c->sb;
	const struct superblock_table_area *a;
	CLEANUP_FREE uint8_t *buf = NULL;
	struct table_header h;
	int ret;

	r->c->super.next_image_id = 1;
	if (sb->table_current == SUPERBLOCK_TABLE_NONE)
		return 0;
	a = &sb->table[sb->table_current];
	buf = aligned_alloc(BLOCK_BYTES, a->bytes);
	if (!buf)
		return -ENOMEM;
	ret = blkdev_read(r->dev, buf, BLOCK_BYTES, a->start);
	if (ret < 0)
		return recovery_say(r, ret, "the image table cannot be read: %s", strerror(-ret));
	if (table_header_decode(&h, buf, a->start) != FORMAT_OK ||
	    memcmp(h.cache_uuid, sb->cache_uuid, FORMAT_UUID_BYTES) != 0 ||
	    h.table_lsn != a->table_lsn || h.generation != a->generation ||
	    h.payload_bytes > a->bytes - BLOCK_BYTES)
		return recovery_say(r, -EUCLEAN,
				    "the image table that the super block names is not there");
	if (h.payload_bytes) {
		ret = blkdev_read(r->dev, buf + BLOCK_BYTES, h.payload_bytes,
				  a->start + BLOCK_BYTES);
		if (ret < 0)
			return recovery_say(r, ret, "the image table cannot be read: %s",
					    strerror(-ret));
	}
	r->table_lsn = h.table_lsn;
	r->c->super.next_image_id = h.next_image_id;
	return load_entries(r, &h, buf + BLOCK_BYTES);
}

/* ---------------------------------------------------------------- records */

static int note_record(struct recovery *r, uint64_t lsn, uint64_t position)
{
	if (r->nr_places == r->places_room) {
		size_t room = max(r->places_room * 2, (size_t)1024);
		struct recovery_place *p = realloc(r->places, room * sizeof(*p));

		if (!p)
			return -ENOMEM;
		r->places = p;
		r->places_room = room;
	}
	r->places[r->nr_places].lsn = lsn;
	r->places[r->nr_places].end = position;
	r->nr_places++;
	return 0;
}

static void note_segment(struct recovery *r, const struct recovery_record *rec)
{
	struct segment *seg = log_segment(r->c, rec->segment_id);

	if (seg->id != rec->segment_id) {
		memset(seg, 0, sizeof(*seg));
		seg->id = rec->segment_id;
		seg->state = SEGMENT_CLOSED;
		seg->first_lsn = rec->lsn;
		seg->start_link = le64_get(rec->h->link);
		seg->start_branch = r->last_branch;
		r->rep->segments++;
	}
	seg->last_lsn = rec->lsn;
}

static void note_end(struct recovery *r, const struct recovery_record *rec)
{
	uint64_t branch = le64_get(rec->h->branch);

	if (branch != r->last_branch)
		r->branch_start = rec->lsn;
	r->last_branch = branch;
	r->last_lsn = rec->lsn;
	r->end.has_record = true;
	r->end.segment = rec->segment_id;
	r->end.offset = rec->offset + record_blocks(rec->h);
}

/* The header's block is the slot of a poisoned one, which is alone in its record. */
static int apply_poison(struct recovery *r, const struct recovery_record *rec, uint32_t i,
			struct cache_image *img)
{
	uint64_t block = entry_key_block(le64_get(rec->h->key[i]));

	if (!(rec->h->entry_flags[i] & ENTRY_POISON) || le16_get(rec->h->nr_entries) != 1)
		return recovery_say(r, -EUCLEAN,
				    "record %" PRIu64 " holds entries of a newer version of lcfs",
				    rec->lsn);
	if (blocks_insert_poison(r->c, img, block, log_cbn(r->c, rec->segment_id, rec->offset),
				 rec->h->dirty[i], (int64_t)le64_get(rec->h->time_ns)))
		imgtab_damaged(img, block);
	img->last_lsn = max(img->last_lsn, rec->lsn);
	return 0;
}

static int apply_data(struct recovery *r, const struct recovery_record *rec, uint32_t i,
		      uint32_t block)
{
	struct cache *c = r->c;
	uint64_t key = le64_get(rec->h->key[i]);
	struct cache_image *img = imgtab_find(c, entry_key_image(key));
	uint32_t cbn = log_cbn(c, rec->segment_id, rec->offset + block);
	uint8_t mask = rec->h->dirty[i];

	if (!img)
		return recovery_say(r, -EUCLEAN,
				    "record %" PRIu64
				    " names image %u, which neither table nor log know",
				    rec->lsn, entry_key_image(key));
	if (img->is_unbound || rec->lsn < img->bind_lsn)
		return 0;
	if (rec->h->entry_flags[i] & ENTRY_NO_DATA)
		return apply_poison(r, rec, i, img);
	c->index.sum[cbn] = le32_get(rec->h->sum[i]);
	blocks_insert(c, img, entry_key_block(key), cbn, mask, (int64_t)le64_get(rec->h->time_ns));
	img->last_lsn = max(img->last_lsn, rec->lsn);
	if (rec->h->entry_flags[i] & ENTRY_EXTENDS)
		log_segment(c, rec->segment_id)->last_op_lsn = rec->lsn;
	if (rec->lsn <= r->table_lsn || rec->h->entry_flags[i] & ENTRY_RELOCATED)
		return 0;
	img->mtime_ns = (int64_t)le64_get(rec->h->time_ns);
	if (rec->h->entry_flags[i] & ENTRY_EXTENDS) {
		uint64_t end = entry_key_block(key) * BLOCK_BYTES +
			       (uint64_t)(32 - __builtin_clz(mask)) * SECTOR_BYTES;

		img->size_pending |= end > img->size;
		imgtab_set_size(img, max(img->size, end));
	}
	return 0;
}

static int apply_ops(struct recovery *r, const struct recovery_record *rec, uint32_t i,
		     uint32_t block)
{
	uint64_t position = log_place(rec->segment_id, rec->offset + block);
	enum format_reason why;
	uint32_t pos = 0;
	struct op op;
	int ret = rec->read(r, rec, i, r->block);

	if (ret < 0)
		return recovery_say(r, ret, "operations of record %" PRIu64 " cannot be read: %s",
				    rec->lsn, strerror(-ret));
	while ((ret = op_next(r->block, &pos, &op, &why)) > 0) {
		ret = recovery_apply_op(r, &op, rec->lsn, position);
		if (ret < 0)
			return recovery_say(r, ret,
					    "an operation of record %" PRIu64
					    " cannot be applied (type %d, image %u)",
					    rec->lsn, (int)op.type, op.image);
	}
	if (ret < 0)
		return recovery_say(r, -EUCLEAN,
				    "operations of record %" PRIu64 " are not understood: %s",
				    rec->lsn, format_reason_text(why));
	log_segment(r->c, rec->segment_id)->last_op_lsn = rec->lsn;
	return 0;
}

int recovery_apply_record(struct recovery *r, const struct recovery_record *rec)
{
	uint32_t n = le16_get(rec->h->nr_entries), block = 1;
	int ret = note_record(r, rec->lsn,
			      log_place(rec->segment_id, rec->offset + record_blocks(rec->h)));

	if (ret < 0)
		return ret;
	note_segment(r, rec);
	note_end(r, rec);
	r->rep->records++;
	for (uint32_t i = 0; i < n; i++) {
		uint8_t flags = rec->h->entry_flags[i];

		if (rec->h->dirty[i]) {
			r->rep->entries++;
			ret = flags & ENTRY_OP ? apply_ops(r, rec, i, block) :
						 apply_data(r, rec, i, block);
			if (ret < 0)
				return ret;
		}
		block += !(flags & ENTRY_NO_DATA);
	}
	return 0;
}

/* ---------------------------------------------------------------- the walk */

static int read_from_log(struct recovery *r, const struct recovery_record *rec, uint32_t i,
			 void *buf)
{
	(void)r;
	return logscan_block(rec->scan, rec->scan_record, i, buf);
}

static int walked(struct logscan *s, const struct logscan_record *lr, void *arg)
{
	struct recovery_record rec = {
		.h = lr->header,
		.lsn = lr->lsn,
		.segment_id = lr->segment_id,
		.offset = lr->offset,
		.read = read_from_log,
		.scan = s,
		.scan_record = lr,
	};

	return recovery_apply_record(arg, &rec);
}

/* Damage that is said and, where that is asked for, taken for the end. */
static bool is_accepted(struct recovery *r, int error)
{
	r->is_cut = r->c->conf.accept_damage && error == -EUCLEAN;
	return r->is_cut;
}

static int walk(struct recovery *r)
{
	struct logscan_result *w = &r->walk;
	struct logscan_conf conf = {
		.must_reach = r->table_lsn,
		.deliver_damaged = r->c->conf.accept_damage,
	};
	int ret;

	r->last_branch = r->c->sb.tail_branch;
	r->end.segment = r->c->tail;
	ret = logscan_walk_conf(r->dev, &r->c->sb, &conf, walked, r, w);
	if (ret < 0) {
		recovery_say(r, ret, "%s", w->text[0] ? w->text : strerror(-ret));
		if (!is_accepted(r, ret))
			return ret;
	}
	r->last_lsn = w->last_lsn;
	r->last_link = w->last_link;
	r->last_branch = w->last_branch;
	r->next_segment = w->next_first;
	r->rep->first_lsn = r->c->sb.tail_lsn;
	return 0;
}

/* ---------------------------------------------------------------- the end of recovery */

/* Position behind the last record with LSN <= lsn, 0: before all. */
static uint64_t position_behind(const struct recovery *r, uint64_t lsn)
{
	size_t lo = 0, hi = r->nr_places;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (r->places[mid].lsn <= lsn)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo ? r->places[lo - 1].end : 0;
}

static int settle_index(struct recovery *r)
{
	struct cache *c = r->c;
	CLEANUP_FREE uint64_t *clean = calloc((size_t)c->by_id_size + 1, sizeof(*clean));
	struct cache_image *img;

	if (!clean)
		return -ENOMEM;
	list_for_each_entry(img, &c->images, node)
		clean[img->id] = img->is_unbound ? UINT64_MAX : position_behind(r, img->clean_lsn);
	for (uint32_t cbn = 0; cbn < c->index.blocks; cbn++) {
		uint32_t id;

		if (!index_is_live(&c->index, cbn))
			continue;
		id = entry_key_image(c->index.key[cbn]);
		if (log_position(c, cbn) >= clean[id])
			continue;
		if (clean[id] == UINT64_MAX || index_is_poison(&c->index, cbn))
			blocks_remove(c, cbn);
		else
			blocks_set_clean(c, cbn);
	}
	return 0;
}

/* Segments that the log jumped over: empty, passed with their neighbours. */
static void fill_gaps(struct recovery *r)
{
	struct cache *c = r->c;
	uint64_t first = r->last_lsn + 1, link = r->last_link, branch = r->last_branch;

	for (uint64_t id = r->next_segment; id-- > c->tail;) {
		struct segment *seg = log_segment(c, id);

		if (seg->id != id) {
			memset(seg, 0, sizeof(*seg));
			seg->id = id;
			seg->state = SEGMENT_CLOSED;
			seg->first_lsn = first;
			seg->last_lsn = first - 1;
			seg->start_link = link;
			seg->start_branch = branch;
		}
		first = seg->first_lsn;
		link = seg->start_link;
		branch = seg->start_branch;
	}
}

static int write_superblocks(struct recovery *r, uint32_t newest)
{
	struct cache *c = r->c;
	int ret = 0;

	for (uint32_t i = 0; i < SUPERBLOCK_COPIES && !ret; i++) {
		uint32_t copy = i ? newest : newest ^ 1;

		c->sb.generation++;
		superblock_encode(&c->sb, c->super.block, SUPERBLOCK_ADDRESS(copy));
		ret = blkdev_write(r->dev, c->super.block, BLOCK_BYTES, SUPERBLOCK_ADDRESS(copy));
		if (!ret)
			ret = blkdev_flush(r->dev);
	}
	c->super.copy = newest ^ 1;
	return ret < 0 ? recovery_say(r, ret, "the super block cannot be written: %s",
				      strerror(-ret)) :
			 0;
}

static void new_epoch(struct recovery *r)
{
	struct cache *c = r->c;
	struct superblock *sb = &c->sb;
	bool is_empty = sb->last_migrated_segment_id + 1 >= r->next_segment;

	c->was_cut = !(sb->state & SUPERBLOCK_CLEAN) &&
		     memcmp(sb->boot_id, c->info.boot_id, FORMAT_UUID_BYTES) != 0;
	sb->epoch = max(sb->epoch, r->walk.highest_branch >> 16) + 1;
	memcpy(sb->mount_id, c->info.mount_id, FORMAT_UUID_BYTES);
	memcpy(sb->boot_id, c->info.boot_id, FORMAT_UUID_BYTES);
	memcpy(sb->dir_uuid, c->info.dir_uuid, FORMAT_UUID_BYTES);
	sb->state = 0;
	sb->durable_lsn = r->last_lsn;
	sb->epoch_start_lsn = r->last_lsn + 1;
	sb->epoch_start_segment = r->next_segment;
	/* The look-ahead must reach as far as any mount wrote that is still in the log. */
	sb->pool_segments = is_empty ? c->nr_bufs : max(sb->pool_segments, c->nr_bufs);
	sb->write_time_ns = r->real_ns;
}

static void start_log(struct recovery *r)
{
	struct cache *c = r->c;
	struct log *l = &c->log;

	l->next_lsn = r->last_lsn + 1;
	l->written_lsn = r->last_lsn;
	l->durable_lsn = r->last_lsn;
	l->encoded_lsn = r->last_lsn;
	l->encode_link = r->last_link;
	l->last_link = r->last_link;
	l->last_branch = r->last_branch;
	l->branch = c->sb.epoch << 16;
	l->branch_lsn = l->next_lsn;
	l->next_segment_id = r->next_segment;
	l->free_segments = c->nr_segments - (r->next_segment - c->tail);
}

static int check_directory(struct recovery *r)
{
	static const uint8_t nobody[FORMAT_UUID_BYTES];
	const struct cache *c = r->c;

	if (memcmp(c->sb.dir_uuid, nobody, FORMAT_UUID_BYTES) == 0 ||
	    memcmp(c->sb.dir_uuid, c->info.dir_uuid, FORMAT_UUID_BYTES) == 0 || !c->dirty_blocks)
		return 0;
	return recovery_say(
		r, -EXDEV,
		"this cache holds %" PRIu64
		" dirty blocks of another backing directory: mount it with that one first",
		c->dirty_blocks);
}

static int finish(struct recovery *r, bool pool_valid, uint32_t newest)
{
	struct cache *c = r->c;
	uint8_t present[FORMAT_UUID_BYTES];
	int ret = blkdev_flush(r->dev);

	if (ret < 0)
		return recovery_say(r, ret, "the cache device cannot be flushed: %s",
				    strerror(-ret));
	ret = settle_index(r);
	if (!ret)
		ret = check_directory(r);
	if (ret < 0)
		return ret;
	fill_gaps(r);
	memcpy(present, c->sb.mount_id, sizeof(present));
	new_epoch(r);
	pool_announce(c, pool_valid, present);
	ret = write_superblocks(r, newest);
	if (ret < 0)
		return ret;
	pool_format(c);
	start_log(r);
	r->rep->last_lsn = r->last_lsn;
	r->rep->images = c->nr_images;
	r->rep->dirty_blocks = (uint32_t)c->dirty_blocks;
	return 0;
}

static int run(struct recovery *r, bool pool_valid)
{
	uint32_t newest;
	int ret = superblock_find(r->dev, &r->c->sb, &newest, r->rep->error, sizeof(r->rep->error));

	if (!ret) /* whoever has read it before has said what is wrong with a copy */
		r->rep->error[0] = '\0';
	if (!ret)
		ret = recovery_check_pool(r, pool_valid);
	if (!ret)
		ret = load_table(r);
	if (!ret)
		ret = walk(r);
	if (!ret && pool_valid && !r->is_cut)
		ret = recovery_drain_pool(r);
	if (!ret)
		ret = finish(r, pool_valid, newest);
	return ret;
}

int recovery_run(struct cache *c, struct blkdev *dev, bool pool_valid,
		 struct cache_recovery_report *rep)
{
	struct recovery r = { .c = c,
			      .dev = dev,
			      .rep = rep,
			      .real_ns = (uint64_t)c->info.real_ns + c->info.now_ns };
	int ret;

	r.block = aligned_alloc(BLOCK_BYTES, BLOCK_BYTES);
	if (!r.block)
		return -ENOMEM;
	c->tail = c->sb.last_migrated_segment_id + 1;
	rep->was_clean = c->sb.state & SUPERBLOCK_CLEAN;
	ret = run(&r, pool_valid);
	free(r.block);
	free(r.places);
	return ret;
}
