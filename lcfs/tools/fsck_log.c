// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The log: what recovery finds, and the data that it need not look at.
 *
 * A block that is not what its sum says matters if it is the newest version of dirty data: that is
 * nowhere else. Otherwise it has been written again, or is in the backing file, from where it will
 * be read.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/checksum.h"
#include "common/cleanup.h"
#include "lcfs/cache/logscan.h"
#include "lcfs/cache/owed.h"
#include "lcfs/io/uuid.h"
#include "lcfs/tools/fsck.h"

#define SAID_MAX 20
#define RECORD_BYTES_MAX ((size_t)(1 + RECORD_ENTRIES_MAX) * BLOCK_BYTES)

static const char found_damaged[] = "was found damaged while the cache was mounted";

/* ------------------------------------------------------------------ recovery */

static const char *image_state_of(const struct cache_image_info *info)
{
	if (info->state == IMAGE_CLEAN && info->is_touching)
		return "touched";
	return image_state_text(info->state);
}

static void say_images(struct fsck *f)
{
	struct cache *c = f->rehearsal.cache;
	struct cache_image *img = NULL;
	char path[OP_PATH_MAX + 1];

	while ((img = cache_image_next(c, img))) {
		struct cache_image_info info;

		cache_image_info(c, img, &info);
		if (!info.is_bound)
			continue;
		cache_image_path(c, img, path);
		fsck_say(f,
			 "image %" PRIu32 ": %s: %s, %" PRIu64 " bytes, %" PRIu64 " dirty blocks",
			 info.id, path, image_state_of(&info), info.size, info.dirty_blocks);
	}
}

static void say_poisoned_of(struct fsck *f, uint32_t image, const char *path,
			    const struct owed_block *owed, size_t nr, uint64_t *said)
{
	for (size_t i = 0; i < nr; i++) {
		if (entry_key_image(owed[i].key) != image || !owed[i].is_poison)
			continue;
		if ((*said)++ < SAID_MAX)
			fsck_say(f,
				 "image %" PRIu32 ": %s: byte %" PRIu64 ": %s: dirty data is lost",
				 image, path, entry_key_block(owed[i].key) * BLOCK_BYTES,
				 found_damaged);
	}
}

/* What is noted in the log as damaged (rule F4): no data of it is left to be looked at. */
static int say_poisoned(struct fsck *f)
{
	CLEANUP_FREE struct owed_block *owed = NULL;
	struct cache *c = f->rehearsal.cache;
	struct cache_image *img = NULL;
	char path[OP_PATH_MAX + 1];
	uint64_t nr = 0;
	size_t nr_owed;
	int err = owed_blocks(c, &owed, &nr_owed);

	while (!err && (img = cache_image_next(c, img))) {
		struct cache_image_info info;

		cache_image_info(c, img, &info);
		if (!info.poisoned)
			continue;
		cache_image_path(c, img, path);
		say_poisoned_of(f, info.id, path, owed, nr_owed, &nr);
	}
	if (nr)
		(void)fsck_problem(f, FSCK_NONE,
				   "blocks that were found damaged before: %" PRIu64
				   "; reads of them give EIO until they are written again",
				   nr);
	return err;
}

static void say_log(struct fsck *f)
{
	const struct cache_recovery_report *r = &f->rehearsal.report;
	bool is_clean = f->sb.state & SUPERBLOCK_CLEAN;

	if (!is_clean)
		fsck_say(f, "was not unmounted in order: a mount recovers it%s",
			 f->rehearsal.has_buffers ? ", with what is in the RAM buffers" : "");
	fsck_say(f,
		 "%" PRIu64 " records, %" PRIu64 " of them in RAM; %" PRIu64 " of %" PRIu64
		 " segments in use; %" PRIu32 " dirty blocks of %" PRIu32 " images",
		 r->records, r->drained_records, r->segments, f->sb.nr_segments, r->dirty_blocks,
		 r->images);
	if (f->options->is_verbose)
		say_images(f);
}

int fsck_log(struct fsck *f)
{
	int err = rehearse(&f->rehearsal, f->cache.blkdev, &f->sb, 0);

	if (!err) {
		say_log(f);
		return say_poisoned(f);
	}
	if (err == -ENOMEM || err == -EBUSY) {
		fsck_say(f, "%s", f->rehearsal.report.error);
		return err;
	}
	(void)fsck_problem(f, FSCK_NONE, "a mount will refuse it: %s", f->rehearsal.report.error);
	/* the data may be looked at all the same */
	return 0;
}

/* ------------------------------------------------------------------ data */

struct data_check {
	struct fsck *f;
	struct owed_block *owed; /* by key */
	size_t nr_owed;
	bool knows_owed; /* else any block may be */
	uint8_t *buf;
	uint64_t bad, bad_dirty, said;
	uint64_t segment, segments; /* the last one looked at, how many were */
};

static int compare_key(const void *a, const void *b)
{
	const uint64_t *key = a;
	const struct owed_block *o = b;

	return (*key > o->key) - (*key < o->key);
}

static bool is_needed(const struct data_check *c, uint64_t key, uint64_t offset)
{
	const struct owed_block *o;

	if (!c->knows_owed)
		return true;
	o = c->nr_owed ? bsearch(&key, c->owed, c->nr_owed, sizeof(*o), compare_key) : NULL;
	return o && o->offset == offset;
}

static void say_bad(struct data_check *c, const struct logscan_record *rec, uint64_t key,
		    uint64_t offset, const char *why)
{
	bool is_dirty = is_needed(c, key, offset);

	c->bad++;
	c->bad_dirty += is_dirty;
	if ((!is_dirty && !c->f->options->is_verbose) || c->said++ >= SAID_MAX)
		return;
	fsck_say(c->f,
		 "record %" PRIu64 ", byte %" PRIu64 " of the device: block %" PRIu64
		 " of image %" PRIu32 ": %s: %s",
		 rec->lsn, offset, entry_key_block(key), entry_key_image(key), why,
		 is_dirty ? "dirty data is lost" : "nobody needs it");
}

static struct blkdev *device_of(const struct data_check *c)
{
	return c->f->rehearsal.cache ? &c->f->rehearsal.overlay.dev : c->f->cache.blkdev;
}

/* One block, where the record could not be read by one read. */
static const char *check_alone(struct data_check *c, uint64_t offset, uint32_t sum)
{
	int err = blkdev_read(device_of(c), c->buf, BLOCK_BYTES, offset);

	if (err)
		return strerror(-err);
	return checksum_block(c->buf) == sum ? NULL : "is not what its sum says";
}

static void check_entries(struct data_check *c, const struct logscan_record *rec, bool is_read)
{
	const struct record_disk *h = rec->header;
	uint64_t start = le64_get(h->address) * BLOCK_BYTES;
	uint32_t nr = le16_get(h->nr_entries), block = 0;

	for (uint32_t i = 0; i < nr; i++) {
		const char *why = NULL;
		uint64_t at;

		if (h->entry_flags[i] & ENTRY_NO_DATA) {
			/* of a log that is recovered, it is known which ones still count */
			if (h->dirty[i] && !c->knows_owed)
				say_bad(c, rec, le64_get(h->key[i]), start, found_damaged);
			continue;
		}
		at = (uint64_t)++block * BLOCK_BYTES;
		/* operations were read by recovery */
		if (!h->dirty[i] || (h->entry_flags[i] & ENTRY_OP))
			continue;
		if (!is_read)
			why = check_alone(c, start + at, le32_get(h->sum[i]));
		else if (checksum_block(c->buf + at) != le32_get(h->sum[i]))
			why = "is not what its sum says";
		if (why)
			say_bad(c, rec, le64_get(h->key[i]), start + at, why);
	}
}

static int check_record(struct logscan *scan, const struct logscan_record *rec, void *arg)
{
	struct data_check *c = arg;
	uint64_t bytes = (uint64_t)record_blocks(rec->header) * BLOCK_BYTES;
	uint64_t start = le64_get(rec->header->address) * BLOCK_BYTES;

	(void)scan;
	if (fsck_is_cancelled())
		return -EINTR;
	if (c->segment != rec->segment_id) {
		c->segment = rec->segment_id;
		progress_update(&c->f->progress, c->segments++, c->f->rehearsal.report.segments);
	}
	check_entries(c, rec, blkdev_read(device_of(c), c->buf, bytes, start) == 0);
	return 0;
}

static void say_data(struct data_check *c)
{
	struct fsck *f = c->f;

	if (c->bad_dirty)
		(void)fsck_problem(f, FSCK_NONE,
				   "damaged blocks that are%s dirty: %" PRIu64
				   "; reads of them give EIO until they are written again",
				   c->knows_owed ? "" : " perhaps", c->bad_dirty);
	if (c->bad > c->bad_dirty)
		fsck_say(f,
			 "damaged blocks that nobody needs: %" PRIu64
			 "; no harm, but is the device failing?",
			 c->bad - c->bad_dirty);
}

static must_check int walk_data(struct data_check *c)
{
	static const struct logscan_conf conf = { .deliver_damaged = true };
	struct logscan_result w = { 0 };
	int err;

	progress_start(&c->f->progress, c->f->cache.path);
	err = logscan_walk_conf(device_of(c), &c->f->sb, &conf, check_record, c, &w);
	/* what is wrong with the log itself, recovery has said */
	if (err == -EUCLEAN || (err && err != -EINTR && !c->f->rehearsal.cache))
		return 0;
	if (err && err != -EINTR)
		fsck_say(c->f, "the log cannot be read: %s", w.text[0] ? w.text : strerror(-err));
	return err;
}

int fsck_data(struct fsck *f)
{
	CLEANUP_FREE uint8_t *buf = aligned_alloc(BLOCK_BYTES, RECORD_BYTES_MAX);
	struct data_check c = { .f = f, .buf = buf, .knows_owed = f->rehearsal.cache };
	int err = buf ? 0 : -ENOMEM;

	if (!err && c.knows_owed)
		err = owed_blocks(f->rehearsal.cache, &c.owed, &c.nr_owed);
	if (!err)
		err = walk_data(&c);
	say_data(&c);
	free(c.owed);
	return err;
}

/* ------------------------------------------------------------------ the mark */

/*
 * Nothing to be recovered, and no RAM buffers that it might wait for: a mount would change nothing
 * but the mark.
 */
void fsck_mark(struct fsck *f)
{
	const struct cache_recovery_report *r = &f->rehearsal.report;
	uint8_t boot_id[UUID_BYTES];

	if (f->options->repair == FSCK_NONE || (f->sb.state & SUPERBLOCK_CLEAN) ||
	    f->rehearsal.has_buffers || f->status || r->last_lsn != f->sb.durable_lsn ||
	    uuid_boot(boot_id) < 0 || memcmp(boot_id, f->sb.boot_id, UUID_BYTES) == 0)
		return;
	f->sb.state |= SUPERBLOCK_CLEAN;
	printf("%s: is whole, but not marked clean", f->cache.path);
	fsck_repaired(f, fsck_write_superblock(f), "marked");
}
