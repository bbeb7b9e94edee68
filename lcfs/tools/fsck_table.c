// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The two areas of the image table.
 *
 * The current one must be whole. If it is not, the other one is as good if nothing that happened
 * since it was written has left the log: the record behind its LSN is still at or behind the tail.
 * What only the newer table said are marks, of a file that was about to be changed or was gone; a
 * mount without them holds such an image as in conflict or missing, and drops nothing.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"
#include "lcfs/tools/fsck.h"

static int compare_ids(const void *a, const void *b)
{
	const uint32_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

static must_check int check_ids(const struct table_header *h, const uint8_t *payload,
				enum format_reason *why)
{
	CLEANUP_FREE uint32_t *ids = calloc((size_t)h->nr_entries + 1, sizeof(*ids));
	struct table_entry e;
	uint64_t pos = 0;
	size_t n = 0;

	if (!ids)
		return -ENOMEM;
	while (n < h->nr_entries && table_entry_next(payload, h->payload_bytes, &pos, &e, why) > 0)
		ids[n++] = e.image;
	qsort(ids, n, sizeof(*ids), compare_ids);
	*why = FORMAT_OK;
	for (size_t i = 1; i < n; i++)
		if (ids[i] == ids[i - 1])
			*why = FORMAT_DUPLICATE;
	return 0;
}

static must_check int check_payload(struct fsck *f, const struct superblock_table_area *a,
				    const struct table_header *h, enum format_reason *why)
{
	CLEANUP_FREE uint8_t *payload = aligned_alloc(BLOCK_BYTES, h->payload_bytes + BLOCK_BYTES);
	int err = payload ? 0 : -ENOMEM;

	if (!err && h->payload_bytes)
		err = blkdev_read(f->cache.blkdev, payload, h->payload_bytes,
				  a->start + BLOCK_BYTES);
	if (err)
		return err;
	*why = table_payload_verify(h, payload);
	return *why ? 0 : check_ids(h, payload, why);
}

/* Is the table there that the super block names? 0 with *why, or -errno of the device. */
static must_check int check_area(struct fsck *f, const struct superblock_table_area *a,
				 enum format_reason *why)
{
	CLEANUP_FREE uint8_t *block = aligned_alloc(BLOCK_BYTES, BLOCK_BYTES);
	struct table_header h;
	int err = block ? blkdev_read(f->cache.blkdev, block, BLOCK_BYTES, a->start) : -ENOMEM;

	if (err)
		return err;
	*why = table_header_decode(&h, block, a->start);
	if (*why)
		return 0;
	if (memcmp(h.cache_uuid, f->sb.cache_uuid, FORMAT_UUID_BYTES) != 0)
		*why = FORMAT_OTHER_UUID;
	else if (h.table_lsn != a->table_lsn || h.generation != a->generation)
		*why = FORMAT_BAD_LSN;
	else if (h.payload_bytes > a->bytes - BLOCK_BYTES || h.payload_bytes % BLOCK_BYTES)
		*why = FORMAT_BAD_LENGTH;
	return *why ? 0 : check_payload(f, a, &h, why);
}

/* Does the log still have all that happened since this table? */
static bool is_covered(const struct superblock *sb, const struct superblock_table_area *a)
{
	return a->table_lsn && sb->tail_lsn <= a->table_lsn + 1;
}

/* Can the cache be recovered with the other area? f->sb is changed to it if so. */
static must_check int try_other(struct fsck *f)
{
	struct superblock changed = f->sb;
	uint32_t other = f->sb.table_current ^ 1;
	enum format_reason why;
	CLEANUP_FREE uint8_t *block = NULL;
	struct rehearsal r = { 0 };
	struct overlay o = { 0 };
	int err;

	if (!is_covered(&f->sb, &f->sb.table[other]))
		return -ENOENT;
	err = check_area(f, &f->sb.table[other], &why);
	if (err || why)
		return err ? err : -ENOENT;
	changed.table_current = other;
	block = aligned_alloc(BLOCK_BYTES, BLOCK_BYTES);
	err = block ? overlay_init(&o, f->cache.blkdev) : -ENOMEM;
	for (int i = 0; !err && i < SUPERBLOCK_COPIES; i++) {
		superblock_encode(&changed, block, SUPERBLOCK_ADDRESS(i));
		err = blkdev_write(&o.dev, block, BLOCK_BYTES, SUPERBLOCK_ADDRESS(i));
	}
	if (!err)
		err = rehearse(&r, &o.dev, &changed, 0);
	rehearsal_free(&r);
	overlay_free(&o);
	if (!err)
		f->sb = changed;
	return err;
}

static must_check int current_is_bad(struct fsck *f, const char *why)
{
	uint32_t was = f->sb.table_current;

	if (try_other(f) < 0) {
		(void)fsck_problem(f, FSCK_NONE,
				   "the image table in area %" PRIu32
				   " is damaged (%s), and the other one does not do for it",
				   was, why);
		return -EUCLEAN;
	}
	if (!fsck_problem(f, FSCK_ALL,
			  "the image table in area %" PRIu32
			  " is damaged (%s), and the one before it, with what is in the log, does "
			  "for it",
			  was, why))
		return -EUCLEAN;
	fsck_repaired(f, fsck_write_superblock(f), "the one before it is used");
	return f->status & FSCK_UNCORRECTED ? -EUCLEAN : 0;
}

/* A table that was being written when the machine stopped is no damage: it was never named. */
static void look_at_other(struct fsck *f)
{
	const struct superblock_table_area *a = &f->sb.table[f->sb.table_current ^ 1];
	enum format_reason why = FORMAT_OK;
	int err = check_area(f, a, &why);

	if (f->options->is_verbose && a->table_lsn && (err || why))
		fsck_say(f, "the image table that is not in use is not whole (%s): no harm",
			 err ? strerror(-err) : format_reason_text(why));
}

int fsck_tables(struct fsck *f)
{
	enum format_reason why = FORMAT_OK;
	int err;

	if (f->sb.table_current == SUPERBLOCK_TABLE_NONE)
		return 0;
	err = check_area(f, &f->sb.table[f->sb.table_current], &why);
	if (err == -ENOMEM)
		return err;
	if (err || why)
		return current_is_bad(f, err ? strerror(-err) : format_reason_text(why));
	look_at_other(f);
	return 0;
}
