// SPDX-License-Identifier: GPL-2.0-or-later
/* Asks caches and images for what they know of themselves. */
#include "lcfs/ctl/ctl_table.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/align.h"
#include "common/clock.h"
#include "lcfs/cache/scrub_status.h"
#include "lcfs/ondisk/codec.h"

static uint64_t age_ms(uint64_t dirty_blocks, int64_t since_ns)
{
	int64_t age = (int64_t)clock_mono_ns() - since_ns;

	return dirty_blocks && age > 0 ? (uint64_t)age / NSEC_PER_MSEC : 0;
}

/* ------------------------------------------------------------------ a cache */

static void status_numbers(const struct cache_status *st, uint64_t *n)
{
	n[CTL_CACHE_NR_SEGMENTS] = st->nr_segments;
	n[CTL_CACHE_NR_FREE] = st->free_segments;
	n[CTL_CACHE_SEGMENT_SIZE] = st->segment_bytes;
	n[CTL_CACHE_LAST_FLUSHED] = st->last_flushed;
	n[CTL_CACHE_LAST_MIGRATED] = st->last_migrated;
	n[CTL_CACHE_CURRENT] = st->current_segment;
	n[CTL_CACHE_NR_DIRTY] = st->dirty_blocks;
	n[CTL_CACHE_DIRTY_BYTES] = st->dirty_blocks * BLOCK_BYTES;
	n[CTL_CACHE_DIRTY_AGE] = age_ms(st->dirty_blocks, st->dirty_since_ns);
	n[CTL_CACHE_CACHED_BYTES] = st->cached_blocks * BLOCK_BYTES;
	n[CTL_CACHE_MIGRATING] = st->is_migrating;
	n[CTL_CACHE_BUSY] = st->busy_percent < 0 ? CTL_UNKNOWN : (uint64_t)st->busy_percent;
	n[CTL_CACHE_RAM] = st->ram_bytes;
	n[CTL_CACHE_BUFFERS] = st->pool_buffers;
	n[CTL_CACHE_BUFFERS_USED] = st->pool_used;
	n[CTL_CACHE_LOG_BYTES] = st->log_blocks * BLOCK_BYTES;
	n[CTL_CACHE_RECORDS] = st->records;
	n[CTL_CACHE_SUPER_WRITES] = st->superblock_writes;
	n[CTL_CACHE_MIGRATED_BYTES] = st->migrate_blocks * BLOCK_BYTES;
	n[CTL_CACHE_MIGRATE_ERRORS] = st->migrate_errors;
	n[CTL_CACHE_RELOCATED_BYTES] = st->relocated_blocks * BLOCK_BYTES;
}

static void scrub_numbers(const struct cache_scrub_status *st, uint64_t segment_bytes, uint64_t *n)
{
	n[CTL_CACHE_SCRUB_LEFT] = st->is_running ? (st->total - st->done) * segment_bytes : 0;
	n[CTL_CACHE_SCRUBBED] = st->blocks * BLOCK_BYTES;
	n[CTL_CACHE_SCRUB_PASSES] = st->passes;
	n[CTL_CACHE_SCRUB_CLEAN] = st->bad_clean;
	n[CTL_CACHE_SCRUB_DIRTY] = st->bad_dirty;
	n[CTL_CACHE_SCRUB_HEADERS] = st->bad_headers;
}

static void request_numbers(struct imagedir *d, struct ctl_cache_data *c)
{
	struct image_io_counts n;

	(void)imagedir_latency(d, c->id, IMAGE_READ, &c->time[CTL_LATENCY_READ], &n);
	c->number[CTL_CACHE_READ_BYTES] = n.bytes;
	c->number[CTL_CACHE_READ_ERRORS] = n.errors;
	(void)imagedir_latency(d, c->id, IMAGE_WRITE, &c->time[CTL_LATENCY_WRITE], &n);
	c->number[CTL_CACHE_WRITE_BYTES] = n.bytes;
	c->number[CTL_CACHE_WRITE_ERRORS] = n.errors;
	(void)imagedir_latency(d, c->id, IMAGE_SYNC, &c->time[CTL_LATENCY_FSYNC], &n);
	c->number[CTL_CACHE_SYNC_ERRORS] = n.errors;
}

static void cache_reason(const struct cache_status *st, char *text, size_t size)
{
	unsigned long long lost = st->lost_blocks * BLOCK_BYTES;

	text[0] = '\0';
	if (!st->is_failed && st->state == CACHE_DEGRADED)
		snprintf(text, size, "a request to the cache device hangs since %llu s",
			 (unsigned long long)(st->hangs_ns / NSEC_PER_SEC));
	else if (st->is_failed)
		snprintf(text, size, "the cache device is given up (%s): %s", strerror(st->error),
			 st->is_saving ?
				 "what can be read of it is being saved" :
			 st->state == CACHE_READ_ONLY ?
				 "an image cannot be written to without it" :
				 "writes go straight to the image files until lcctl remove and add "
				 "replace it");
	if (lost)
		snprintf(text + strlen(text), size - strlen(text),
			 "; %llu bytes that only it had are lost", lost);
}

int ctl_cache_data_read(struct ctlfs *t, uint32_t id, struct ctl_cache_data *c)
{
	struct imagedir *d = t->dir;
	struct cache *cache;
	struct cache_scrub_status scrub;
	const char *device;

	if (!imagedir_hold_cache(d, id))
		return -ENODEV;
	c->id = id;
	cache = imagedir_cache(d, id);
	device = imagedir_cache_device(d, id);
	c->device = strdup(device ? device : t->cache_path);
	cache_status(cache, &c->status);
	cache_scrub_status(cache, &scrub);
	cache_latency(cache, &c->time[CTL_LATENCY_FLUSH], &c->time[CTL_LATENCY_MIGRATE]);
	for (int k = 0; k < NR_KNOBS; k++)
		c->knob[k] = cache_knob_get(cache, (enum cache_knob)k);
	request_numbers(d, c);
	imagedir_release_cache(d, id);
	status_numbers(&c->status, c->number);
	scrub_numbers(&scrub, c->status.segment_bytes, c->number);
	c->state = cache_state_text(c->status.state);
	cache_reason(&c->status, c->reason, sizeof(c->reason));
	return c->device ? 0 : -ENOMEM;
}

void ctl_cache_data_free(struct ctl_cache_data *c)
{
	free(c->device);
	c->device = NULL;
}

/* ------------------------------------------------------------------ an image */

static void io_numbers(const struct image *img, uint64_t *n)
{
	struct image_io_counts c;

	image_counts(img, IMAGE_READ, &c);
	n[CTL_DEVICE_READS] = c.requests;
	n[CTL_DEVICE_READ_BYTES] = c.bytes;
	image_counts(img, IMAGE_WRITE, &c);
	n[CTL_DEVICE_WRITES] = c.requests;
	n[CTL_DEVICE_WRITE_BYTES] = c.bytes;
	image_counts(img, IMAGE_SYNC, &c);
	n[CTL_DEVICE_SYNCS] = c.requests;
}

static void info_numbers(const struct cache_image_info *info, uint64_t *n)
{
	n[CTL_DEVICE_SIZE] = info->size;
	n[CTL_DEVICE_NR_DIRTY] = info->dirty_blocks;
	n[CTL_DEVICE_DIRTY_BYTES] = info->dirty_blocks * BLOCK_BYTES;
	n[CTL_DEVICE_DIRTY_AGE] = age_ms(info->dirty_blocks, info->dirty_since_ns);
	n[CTL_DEVICE_CACHED_BYTES] = info->cached_blocks * BLOCK_BYTES;
	n[CTL_DEVICE_DAMAGED_BLOCKS] = info->poisoned;
}

static void say_error(const struct cache_image_info *info, char *text, size_t size)
{
	if (info->poisoned)
		snprintf(text, size,
			 "of %" PRIu64
			 " blocks of 4 KiB the only copy is damaged, one is at byte %" PRIu64
			 ": reading them fails until they are written again",
			 info->poisoned, info->damaged_block * BLOCK_BYTES);
	else if (info->hangs)
		snprintf(text, size, "its backing file does not answer");
	else
		snprintf(text, size, "it cannot be migrated, and is tried again: %s",
			 strerror(info->error));
}

/* why: what the image says of a conflict or of that it is missing. */
static void say_reason(const struct cache_image_info *info, const char *why, char *text,
		       size_t size)
{
	switch (info->state) {
	case IMAGE_CONFLICT:
		snprintf(text, size, "somebody else changed its backing file%s%s", *why ? ": " : "",
			 why);
		break;
	case IMAGE_MISSING:
		snprintf(text, size, "its backing file is not there%s%s", *why ? ": " : "", why);
		break;
	case IMAGE_ERROR:
		say_error(info, text, size);
		break;
	default:
		snprintf(text, size, "%s",
			 info->has_intent && info->dirty_blocks ?
				 "removed: what the cache has of it is being dropped" :
				 "");
		break;
	}
}

int ctl_image_data_read(struct image *img, bool may_wait, struct ctl_image_data *i)
{
	struct cache_image_info info = { 0 };
	char path[OP_PATH_MAX + 1];
	const char *why = "";
	int r = 0;

	i->id = image_id(img);
	i->cache_id = image_cache_id(img);
	for (int n = 0; n < CTL_NR_DEVICE_NUMBERS; n++)
		i->number[n] = CTL_UNKNOWN;
	io_numbers(img, i->number);
	i->number[CTL_DEVICE_REMOVED] = image_is_removed(img);
	if (may_wait)
		(void)image_info(img, &info, path);
	else
		r = image_try_info(img, &info, path, &why);
	if (r == -EAGAIN)
		return 0;
	if (may_wait)
		why = image_reason(img);
	i->state = image_state_text(info.state);
	info_numbers(&info, i->number);
	say_reason(&info, why, i->reason, sizeof(i->reason));
	i->name = strdup(path);
	return i->name ? 0 : -ENOMEM;
}

void ctl_image_data_free(struct ctl_image_data *i)
{
	free(i->name);
	i->name = NULL;
}

/* ------------------------------------------------------------------ everything */

static must_check int add_caches(struct ctlfs *t, struct ctl_snapshot *s)
{
	uint32_t ids[CTL_CACHES_MAX];
	unsigned int nr = min(imagedir_caches(t->dir, ids, CTL_CACHES_MAX), CTL_CACHES_MAX);

	s->cache = calloc(nr + 1, sizeof(*s->cache));
	if (!s->cache)
		return -ENOMEM;
	for (unsigned int i = 0; i < nr; i++) {
		struct ctl_cache_data *c = &s->cache[s->nr_caches];
		int err = ctl_cache_data_read(t, ids[i], c);

		if (err && err != -ENODEV) {
			ctl_cache_data_free(c);
			return err;
		}
		s->nr_caches += !err;
	}
	return 0;
}

static int add_image(struct image *img, void *arg)
{
	struct ctl_snapshot *s = arg;
	int err;

	if (!image_id(img))
		return 0;
	if (s->nr_images == s->image_room) {
		size_t room = s->image_room ? s->image_room * 2 : 64;
		struct ctl_image_data *more = reallocarray(s->image, room, sizeof(*more));

		if (!more)
			return -ENOMEM;
		s->image = more;
		s->image_room = room;
	}
	s->image[s->nr_images] = (struct ctl_image_data){ 0 };
	err = ctl_image_data_read(img, false, &s->image[s->nr_images]);
	s->nr_images++;
	return err;
}

static int image_order(const void *a, const void *b)
{
	const struct ctl_image_data *x = a, *y = b;

	return (x->id > y->id) - (x->id < y->id);
}

static const char *overall(const struct ctl_snapshot *s)
{
	for (size_t i = 0; i < s->nr_caches; i++)
		if (strcmp(s->cache[i].state, "ok") != 0)
			return s->cache[i].state;
	for (size_t i = 0; i < s->nr_images; i++)
		if (*s->image[i].reason)
			return "degraded";
	return "ok";
}

int ctl_snapshot_take(struct ctlfs *t, struct ctl_snapshot *s)
{
	int err = add_caches(t, s);

	if (!err)
		err = imagedir_for_each(t->dir, add_image, s);
	if (!err && s->nr_images > 1)
		qsort(s->image, s->nr_images, sizeof(*s->image), image_order);
	s->state = overall(s);
	return err;
}

void ctl_snapshot_free(struct ctl_snapshot *s)
{
	for (size_t i = 0; i < s->nr_caches; i++)
		ctl_cache_data_free(&s->cache[i]);
	for (size_t i = 0; i < s->nr_images; i++)
		ctl_image_data_free(&s->image[i]);
	free(s->cache);
	free(s->image);
}
