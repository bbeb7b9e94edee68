// SPDX-License-Identifier: GPL-2.0-or-later
/* The image table, both areas. */
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"
#include "lcfs/tools/dump.h"

static const char *state_text(uint8_t state)
{
	static const char *const texts[] = {
		[TABLE_STATE_OK] = "ok",
		[TABLE_STATE_CONFLICT] = "conflict",
		[TABLE_STATE_MISSING] = "missing",
		[TABLE_STATE_ERROR] = "error",
	};

	return state < array_size(texts) ? texts[state] : "unknown";
}

static const char *strength_text(uint8_t strength)
{
	static const char *const texts[] = {
		[IDENTITY_WEAK] = "weak",
		[IDENTITY_INODE] = "inode",
		[IDENTITY_HANDLE] = "handle",
	};

	return strength < array_size(texts) ? texts[strength] : "unknown";
}

static void print_entry(struct dump *d, const struct table_entry *e)
{
	struct report *r = &d->report;

	report_line(r, "image");
	report_u64(r, "image", e->image);
	report_bytes(r, "path", e->path ? e->path : "", e->path_bytes);
	report_u64(r, "size", e->size);
	report_text(r, "state", state_text(e->state));
	if (e->error)
		report_u64(r, "error", e->error);
	report_bool(r, "is_touching", e->flags & TABLE_TOUCHING);
	report_bool(r, "has_intent", e->flags & TABLE_INTENT);
	report_bool(r, "is_new", e->flags & TABLE_NEW);
	report_bool(r, "is_unbound", e->flags & TABLE_UNBOUND);
	report_u64(r, "bind_lsn", e->bind_lsn);
	report_u64(r, "clean_lsn", e->clean_lsn);
	report_u64(r, "applied_lsn", e->applied_lsn);
	if (e->backing_valid != UINT64_MAX)
		report_u64(r, "backing_valid", e->backing_valid);
	report_u64(r, "punches", e->nr_punches);
	report_i64(r, "mtime_ns", e->mtime_ns);
	report_u64(r, "stamp_size", e->stamp.size);
	report_i64(r, "stamp_mtime_ns", e->stamp.mtime_ns);
	report_i64(r, "stamp_ctime_ns", e->stamp.ctime_ns);
	report_text(r, "identity", strength_text(e->identity.strength));
	report_u64(r, "ino", e->identity.ino);
	report_end(r);
}

static void print_entries(struct dump *d, const struct table_header *h, const uint8_t *payload)
{
	enum format_reason why = table_payload_verify(h, payload);
	enum format_reason at = FORMAT_OK;
	struct table_entry e;
	uint64_t pos = 0;
	int ret;

	report_array(&d->report, "images");
	while ((ret = table_entry_next(payload, h->payload_bytes, &pos, &e, &at)) > 0)
		print_entry(d, &e);
	report_end(&d->report);
	if (ret < 0)
		dump_problem(d, "entry at byte %llu: %s", (unsigned long long)pos,
			     format_reason_text(at));
	else if (why)
		dump_problem(d, "entries: %s", format_reason_text(why));
}

static void print_payload(struct dump *d, const struct superblock_table_area *a,
			  const struct table_header *h)
{
	CLEANUP_FREE uint8_t *payload = NULL;
	int err;

	if (h->payload_bytes > a->bytes - BLOCK_BYTES || h->payload_bytes % BLOCK_BYTES) {
		dump_problem(d, "its entries take %llu bytes, which do not fit",
			     (unsigned long long)h->payload_bytes);
		return;
	}
	payload = aligned_alloc(BLOCK_BYTES, h->payload_bytes + BLOCK_BYTES);
	if (!payload) {
		dump_problem(d, "out of memory");
		return;
	}
	err = h->payload_bytes ? blkdev_read(d->cache.blkdev, payload, h->payload_bytes,
					     a->start + BLOCK_BYTES) :
				 0;
	if (err)
		dump_problem(d, "its entries cannot be read: %s", strerror(-err));
	else
		print_entries(d, h, payload);
}

static void print_header(struct dump *d, const struct superblock_table_area *a,
			 const struct table_header *h)
{
	struct report *r = &d->report;

	report_uuid(r, "cache_uuid", h->cache_uuid);
	report_u64(r, "epoch", h->epoch);
	report_u64(r, "generation", h->generation);
	report_u64(r, "table_lsn", h->table_lsn);
	report_u64(r, "nr_entries", h->nr_entries);
	report_u64(r, "next_image_id", h->next_image_id);
	report_u64(r, "payload_bytes", h->payload_bytes);
	report_bool(r, "is_as_named",
		    h->table_lsn == a->table_lsn && h->generation == a->generation &&
			    memcmp(h->cache_uuid, d->sb->cache_uuid, FORMAT_UUID_BYTES) == 0);
}

static void print_area(struct dump *d, int i, uint8_t *block)
{
	const struct superblock_table_area *a = &d->sb->table[i];
	bool is_current = d->sb->table_current == (uint32_t)i;
	struct table_header h;
	enum format_reason why;
	int err;

	report_object(&d->report, "table");
	report_u64(&d->report, "area", (uint64_t)i);
	report_u64(&d->report, "address", a->start);
	report_bool(&d->report, "is_current", is_current);
	err = blkdev_read(d->cache.blkdev, block, BLOCK_BYTES, a->start);
	why = err ? FORMAT_OK : table_header_decode(&h, block, a->start);
	if (err) {
		dump_problem(d, "cannot be read: %s", strerror(-err));
	} else if (!why) {
		print_header(d, a, &h);
		print_payload(d, a, &h);
	} else if (is_current || why != FORMAT_NO_MAGIC) {
		dump_problem(d, "%s", format_reason_text(why));
	} else {
		report_text(&d->report, "state", "never written");
	}
	report_end(&d->report);
}

void dump_tables(struct dump *d)
{
	CLEANUP_FREE uint8_t *block = aligned_alloc(BLOCK_BYTES, BLOCK_BYTES);

	if (!block) {
		dump_problem(d, "out of memory");
		return;
	}
	report_array(&d->report, "tables");
	print_area(d, 0, block);
	print_area(d, 1, block);
	report_end(&d->report);
}
