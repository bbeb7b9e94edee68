// SPDX-License-Identifier: GPL-2.0-or-later
/* Life of the simulated world; time; images and their files. */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/align.h"
#include "lcfs/cache/naming.h"
#include "tests/sim/world.h"

#define TABLE_BYTES (64u << 10)

static void *alloc(size_t bytes)
{
	void *p = calloc(1, bytes ? bytes : 1);

	if (!p)
		abort();
	return p;
}

/* ---- failing ---- */

void sim_fail(struct sim_world *w, const char *fmt, ...)
{
	va_list ap;

	trace_print(w->trace);
	printf("FAILED: seed %" PRIu64 " cycle %" PRIu64 " turn %" PRIu64 ": ", w->conf.seed,
	       w->cycle, w->turn);
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	printf("\nrepeat with: tests/sim/sim --seed %" PRIu64 " [--verbose]\n", w->conf.seed);
	fflush(stdout);
	exit(EXIT_FAILURE);
}

void sim_check(struct sim_world *w, bool is_good)
{
	if (!is_good)
		sim_fail(w, "%s", w->oracle->text);
}

void sim_check_core(struct sim_world *w)
{
	char text[512] = "";

	if (w->cache && cache_check(w->cache, text, sizeof(text)))
		sim_fail(w, "cache_check: %s", text);
}

/* ---- time ---- */

void sim_next_turn(struct sim_world *w)
{
	w->turn++;
	w->now++;
	w->store->now_ns = w->boot_real_ns + (int64_t)w->now;
}

void sim_pass_time(struct sim_world *w, uint64_t ns)
{
	struct outbox ob;

	w->now += ns;
	w->store->now_ns = w->boot_real_ns + (int64_t)w->now;
	if (!w->cache)
		return;
	outbox_init(&ob);
	cache_tick(w->cache, w->now, &ob);
	sim_take(w, &ob);
	/* Whoever carries the core out would call it again and again. */
	if (cache_deadline(w->cache) <= w->now)
		sim_fail(w, "after a tick at %" PRIu64 " the next one is due at %" PRIu64, w->now,
			 cache_deadline(w->cache));
}

/* ---- images ---- */

void sim_image_create(struct sim_world *w, struct sim_image *img, uint64_t size)
{
	uint8_t *content = alloc(align_up(size, ORACLE_BLOCK));
	char path[32];

	oracle_image_free(img->model);
	img->model =
		oracle_image_new(w->oracle, img->index, w->next_uid++, w->conf.image_blocks, size);
	snprintf(path, sizeof(path), "dir%u/image%" PRIu64 ".img", img->index % 2, w->next_uid);
	img->file = simstore_create(w->store, path, size);
	img->ino = img->file->ino;
	oracle_image_initial(img->model, content, size);
	if (size)
		simfile_edit(img->file, content, size, 0);
	img->is_refusing = false;
	img->is_conflict = img->is_missing = img->may_fail = img->is_busy = img->is_edited = false;
	img->had_conflict = false;
	TRACE(w, "image % is file % of size %", img->index, img->file->ino, size);
	free(content);
}

static struct op_identity identity_of(const struct simfile *f)
{
	return (struct op_identity){ .ino = f->ino,
				     .fsid = { 1 },
				     .btime_ns = 1,
				     .strength = IDENTITY_INODE };
}

void sim_image_introduce(struct sim_world *w, struct sim_image *img)
{
	const struct simfile *f = img->file;
	struct op_identity identity = identity_of(f);
	struct op_stamp stamp = { .size = f->view.stamp.size,
				  .mtime_ns = f->view.stamp.mtime,
				  .ctime_ns = f->view.stamp.ctime };
	int err = cache_image_new(w->cache, &identity, &stamp, f->path, &img->cached);

	if (err)
		sim_fail(w, "cache_image_new of image %u: %d", img->index, err);
	cache_image_set_owner(img->cached, img);
}

void sim_image_is_new(struct sim_world *w, struct sim_image *img)
{
	TRACE(w, "image %: file % is new", img->index, img->file->ino);
	img->file->is_named = false;
	cache_image_set_new(w->cache, img->cached);
}

/* ---- the device ---- */

static void write_superblocks(struct sim_world *w, struct superblock *sb)
{
	uint8_t *block = aligned_alloc(BLOCK_BYTES, BLOCK_BYTES);

	if (!block)
		abort();
	for (int i = 0; i < SUPERBLOCK_COPIES; i++) {
		sb->generation = (uint64_t)i + 1;
		superblock_encode(sb, block, SUPERBLOCK_ADDRESS(i));
		if (blkdev_write(&w->dev->blk, block, BLOCK_BYTES, SUPERBLOCK_ADDRESS(i)))
			abort();
	}
	if (blkdev_flush(&w->dev->blk))
		abort();
	free(block);
}

/* As mkfs.lcfs does: constant time, nothing but the super blocks. */
static void format_device(struct sim_world *w)
{
	struct superblock sb = { .checksum_algorithm = CHECKSUM_XXH3_64,
				 .tail_lsn = 1,
				 .epoch_start_lsn = 1,
				 .epoch_start_segment = 1,
				 .table_current = SUPERBLOCK_TABLE_NONE,
				 .state = SUPERBLOCK_CLEAN };
	uint64_t segment = (uint64_t)SECTOR_BYTES << w->conf.segment_order;
	uint64_t bytes = align_up(SUPERBLOCK_AREA_BYTES + 2 * TABLE_BYTES, segment) +
			 w->conf.nr_segments * segment;

	w->dev = simdev_new(bytes);
	if (superblock_layout(&sb, bytes, w->conf.segment_order, TABLE_BYTES) ||
	    sb.nr_segments != w->conf.nr_segments)
		sim_fail(w, "no layout for %u segments of order %u", w->conf.nr_segments,
			 w->conf.segment_order);
	rng_fill(&w->rng, sb.cache_uuid, sizeof(sb.cache_uuid));
	rng_fill(&w->rng, sb.device_uuid, sizeof(sb.device_uuid));
	sb.key = rng_next(&w->rng);
	write_superblocks(w, &sb);
}

/* ---- life ---- */

struct sim_world *sim_new(const struct sim_conf *conf)
{
	struct sim_world *w = alloc(sizeof(*w));

	w->conf = *conf;
	rng_seed(&w->rng, conf->seed);
	w->trace = trace_new(trace_nr_kept);
	w->oracle = oracle_new();
	w->store = simstore_new();
	w->boot_real_ns = 1800000000000000000;
	w->now = rng_below(&w->rng, 1000000 * SIM_MS);
	w->store->now_ns = w->boot_real_ns + (int64_t)w->now;
	w->next_uid = rng_next(&w->rng) >> 32;
	rng_fill(&w->rng, w->boot_id, sizeof(w->boot_id));
	list_init(&w->requests);
	list_init(&w->ended);
	TRACE(w, "segment order %, % segments, % images of % blocks, pool %, log depth %",
	      conf->segment_order, conf->nr_segments, conf->nr_images, conf->image_blocks,
	      conf->cache.pool_buffers, conf->cache.log_depth);
	format_device(w);
	for (uint32_t i = 0; i < conf->nr_images; i++) {
		uint64_t blocks = conf->image_blocks;
		uint64_t size = rng_below(&w->rng, blocks * ORACLE_BLOCK + 1);

		w->image[i].index = i;
		if (rng_chance(&w->rng, 1, 2))
			size = align_up(size,
					rng_chance(&w->rng, 1, 2) ? ORACLE_BLOCK : SECTOR_BYTES);
		size = conf->image_bytes ? conf->image_bytes : min(size, blocks * ORACLE_BLOCK);
		sim_image_create(w, &w->image[i], size);
	}
	return w;
}

void sim_free(struct sim_world *w)
{
	struct sim_request *r, *next;

	sim_forget_actions(w);
	sim_forget_requests(w);
	list_for_each_entry_safe(r, next, &w->ended, node)
		sim_free_request(w, r);
	if (w->cache)
		cache_free(w->cache);
	simdev_free(w->dev);
	simstore_free(w->store);
	oracle_free(w->oracle);
	trace_free(w->trace);
	free(w->pool);
	free(w->pool_at_death);
	free(w->action);
	free(w);
}
