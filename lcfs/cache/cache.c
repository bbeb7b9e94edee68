// SPDX-License-Identifier: GPL-2.0-or-later
/* The door of the core: its life, knobs, timers and numbers. */
#include "lcfs/cache/lost.h"
#include "lcfs/cache/shares.h"

#include <stdio.h>
#include <stdlib.h>

#include "common/nsec.h"
#include "common/prefault.h"
#include "lcfs/cache/cleaner.h"
#include "lcfs/cache/hanging.h"
#include "lcfs/cache/migration.h"
#include "lcfs/cache/pool.h"
#include "lcfs/cache/scrub.h"

void cache_conf_default(struct cache_conf *conf)
{
	memset(conf, 0, sizeof(*conf));
	conf->pool_buffers = 64;
	conf->log_depth = 8;
	conf->migrate_depth = 32;
	conf->migrate_bytes = 16u << 20;
	conf->merge_buffers = 64;
}

/* ---------------------------------------------------------------- completion */

void cache_complete(struct cache *c, struct action *a, int result, uint64_t now, struct outbox *ob)
{
	LOCK_SCOPE(&c->lock);

	a->complete(c, a, result, now, ob);
}

/* ---------------------------------------------------------------- knobs */

static const struct {
	uint64_t initial, least, most;
} knobs[NR_KNOBS] = {
	[KNOB_ALLOW_MIGRATE] = { 1, 0, 1 },
	[KNOB_FORCE_MIGRATE] = { 0, 0, 1 },
	[KNOB_BARRIER_DEADLINE_MS] = { 3, 0, 10000 },
	[KNOB_COMMIT_SUPER_BLOCK] = { 0, 1, UINT64_MAX },
	[KNOB_COMMIT_SUPER_BLOCK_INTERVAL] = { 1, 0, 86400 },
	[KNOB_FLUSH_CURRENT_BUFFER] = { 0, 1, UINT64_MAX },
	[KNOB_FLUSH_CURRENT_BUFFER_INTERVAL] = { 1, 0, 86400 },
	[KNOB_NR_MAX_BATCHED_MIGRATION] = { 16, 1, 1u << 20 },
	[KNOB_UPDATE_INTERVAL] = { 1, 0, 86400 },
	[KNOB_MIGRATE_THRESHOLD] = { 70, 0, 100 },
	[KNOB_SCRUB] = { 0, 0, 1 },
	[KNOB_SCRUB_RATE] = { 0, 0, 1u << 20 },
	[KNOB_STALL_TIMEOUT] = { 30, 0, 86400 },
	[KNOB_DEVICE_TIMEOUT] = { 30, 0, 86400 },
};

int cache_knob_set(struct cache *c, enum cache_knob k, uint64_t value, uint64_t now,
		   struct outbox *ob)
{
	LOCK_SCOPE(&c->lock);

	if (k >= NR_KNOBS)
		return -EINVAL;
	if (value < knobs[k].least || value > knobs[k].most)
		return -ERANGE;
	switch (k) {
	case KNOB_COMMIT_SUPER_BLOCK:
		super_request(c, now, ob);
		return 0;
	case KNOB_FLUSH_CURRENT_BUFFER:
		log_close(c, now, ob); /* as in dm-lc, the segment counts as flushed */
		commit_now(c, now, ob);
		return 0;
	default:
		if (k == KNOB_SCRUB && value > c->knob[k])
			scrub_restart(c);
		c->knob[k] = value;
		deadline_lower(c, now);
		migrate_kick(c, now, ob);
		return 0;
	}
}

uint64_t cache_knob_get(struct cache *c, enum cache_knob k)
{
	LOCK_SCOPE(&c->lock);

	return k < NR_KNOBS ? c->knob[k] : 0;
}

/* ---------------------------------------------------------------- time */

static uint64_t interval_ns(const struct cache *c, enum cache_knob k)
{
	return c->knob[k] * NSEC_PER_SEC;
}

/* When the flush interval ends, UINT64_MAX: nothing is to be flushed. */
static uint64_t flush_due(const struct cache *c)
{
	if (!c->knob[KNOB_FLUSH_CURRENT_BUFFER_INTERVAL] || c->interval_busy || c->failed ||
	    log_head_lsn(c) <= c->log.durable_lsn)
		return UINT64_MAX;
	return c->log.undurable_ns + interval_ns(c, KNOB_FLUSH_CURRENT_BUFFER_INTERVAL);
}

static uint64_t super_due(struct cache *c)
{
	if (!c->knob[KNOB_COMMIT_SUPER_BLOCK_INTERVAL] || c->failed || c->is_stopping ||
	    c->super.phase != SUPER_IDLE || !super_is_stale(c))
		return UINT64_MAX;
	return c->super.last_ns + interval_ns(c, KNOB_COMMIT_SUPER_BLOCK_INTERVAL);
}

static uint64_t gather_due(const struct cache *c)
{
	if (c->commit.state != COMMIT_IDLE || list_is_empty(&c->commit.waiters) || c->trouble.until)
		return UINT64_MAX;
	return c->commit.gather_until;
}

/* Asked after every carried outbox: one load. It may be too early, never too late. */
uint64_t cache_deadline(struct cache *c)
{
	return atomic_load_explicit(&c->deadline, memory_order_relaxed);
}

void deadline_lower(struct cache *c, uint64_t at)
{
	uint64_t old = atomic_load_explicit(&c->deadline, memory_order_relaxed);

	while (at < old &&
	       !atomic_compare_exchange_weak_explicit(&c->deadline, &old, at, memory_order_relaxed,
						      memory_order_relaxed))
		;
}

static uint64_t next_deadline(struct cache *c)
{
	return min(min(min(flush_due(c), super_due(c)), min(gather_due(c), migrate_deadline(c))),
		   min(min(min(write_next_delay(c), scrub_deadline(c)), c->share_due_ns),
		       min(retry_due(c), lost_due(c))));
}

void cache_tick(struct cache *c, uint64_t now, struct outbox *ob)
{
	LOCK_SCOPE(&c->lock);

	c->super.is_stuck = false;
	retry_tick(c, now, ob);
	if (now >= flush_due(c))
		commit_now(c, now, ob);
	commit_kick(c, now, ob);
	if (now >= super_due(c))
		super_request(c, now, ob);
	migrate_kick(c, now, ob);
	scrub_kick(c, now, ob);
	write_end_delays(c, now, ob);
	if (now >= c->share_due_ns) {
		c->share_due_ns = UINT64_MAX;
		shares_wake(c, ob);
		log_space_changed(c, ob);
	}
	lost_tick(c, now, ob);
	atomic_store_explicit(&c->deadline, next_deadline(c), memory_order_relaxed);
}

void cache_governor(struct cache *c, int busy_percent, uint64_t now, struct outbox *ob)
{
	LOCK_SCOPE(&c->lock);

	c->busy_percent = busy_percent;
	c->is_idle = (busy_percent < 0 || (uint64_t)busy_percent < c->knob[KNOB_MIGRATE_THRESHOLD]);
	deadline_lower(c, now);
	migrate_kick(c, now, ob);
}

/* ---------------------------------------------------------------- end */

static void stop_step(struct cache *c, struct cache_sync *s, uint64_t now, struct outbox *ob);

static void stopped(struct cache *c, struct cache_sync *s, uint64_t now, struct outbox *ob)
{
	struct action *a = c->stop_act;

	(void)now;
	if (c->failed) {
		lost_end(c, s, now, ob);
		return;
	}
	if (c->super.want_clean && !(c->sb.state & SUPERBLOCK_CLEAN)) {
		/* the writing that was under way had begun before */
		super_wait(c, s, now, ob);
		return;
	}
	a->type = ACTION_DONE;
	a->arg = 0;
	outbox_add(ob, a);
}

/* All is durable, so that the tail may pass whatever is clean. Who unmounts is promised that what
 * there is lasts: no file is new any more. */
static void stop_super(struct cache *c, struct cache_sync *s, uint64_t now, struct outbox *ob)
{
	struct cache_image *img;

	list_for_each_entry(img, &c->images, node)
		img->is_new = false;
	c->super.want_clean = true;
	c->super.want_table = true;
	s->fn = stopped;
	super_wait(c, s, now, ob);
}

/* Waits for what is under way, takes exact stamps of what we changed (G1), commits, writes the
 * clean super block. */
static void stop_step(struct cache *c, struct cache_sync *s, uint64_t now, struct outbox *ob)
{
	c->is_stop_waiting = migrate_is_busy(c) || cleaner_is_busy(c) || scrub_is_busy(c);
	if (c->is_stop_waiting)
		return;
	if (c->failed) {
		lost_end(c, s, now, ob);
		return;
	}
	if (!c->is_stamped) {
		c->is_stamped = true;
		c->is_stop_waiting = migrate_stamp(c, now, ob);
		if (c->is_stop_waiting)
			return;
	}
	log_close(c, now, ob);
	s->image = NULL;
	s->lsn = log_head_lsn(c);
	s->fn = stop_super;
	s->is_of_log = true;
	if (commit_wait(c, s, now, ob))
		stop_super(c, s, now, ob);
}

bool cache_stop_goes_on(struct cache *c, uint64_t now, struct outbox *ob)
{
	if (!c->is_stop_waiting)
		return false;
	c->is_stop_waiting = false;
	c->stop_sync.fn(c, &c->stop_sync, now, ob);
	return true;
}

void cache_shutdown(struct cache *c, struct action *act, uint64_t now, struct outbox *ob)
{
	LOCK_SCOPE(&c->lock);

	c->is_stopping = true;
	c->stop_act = act;
	list_init(&act->node);
	c->stop_sync.fn = stop_step;
	write_end_all_delays(c, ob);
	shares_wake(c, ob);
	log_space_changed(c, ob);
	stop_step(c, &c->stop_sync, now, ob);
}

void cache_leave(struct cache *c)
{
	c->is_left = true;
}

void cache_free(struct cache *c)
{
	if (!c || c->is_left)
		return;
	while (!list_is_empty(&c->images))
		imgtab_remove(c, list_first_entry(&c->images, struct cache_image, node));
	free(c->by_id);
	migrate_free(c);
	cleaner_free(c);
	scrub_free(c);
	super_free(c);
	free(c->merge_mem);
	log_free(c);
	free(c->lost.bad);
	index_free(&c->index);
	mutex_destroy(&c->lock);
	free(c);
}

/* ---------------------------------------------------------------- work off the lock */

int cache_work(struct cache *c, struct action *a)
{
	a->work(c, a);
	return 0;
}

/* ---------------------------------------------------------------- begin */

static int init_merge(struct cache *c)
{
	list_init(&c->merge_free);
	list_init(&c->merge_waiters);
	c->merge_mem = aligned_alloc(BLOCK_BYTES, (size_t)c->conf.merge_buffers * 2 * BLOCK_BYTES);
	if (!c->merge_mem)
		return -ENOMEM;
	prefault(c->merge_mem, (size_t)c->conf.merge_buffers * 2 * BLOCK_BYTES);
	for (uint32_t i = 0; i < c->conf.merge_buffers; i++) {
		struct list *node = (void *)(c->merge_mem + (size_t)i * 2 * BLOCK_BYTES);

		list_init(node);
		list_add_tail(&c->merge_free, node);
	}
	return 0;
}

static int init(struct cache *c, void *pool, uint64_t pool_bytes)
{
	struct cache_pool_layout l;
	int ret;

	cache_pool_layout(&c->sb, c->conf.pool_buffers, &l);
	while (l.bytes > pool_bytes && c->conf.pool_buffers > 2)
		cache_pool_layout(&c->sb, --c->conf.pool_buffers, &l);
	if (l.bytes > pool_bytes)
		return -EINVAL;
	c->nr_bufs = l.nr_buffers;
	c->segment_bytes = superblock_segment_bytes(&c->sb);
	c->segment_blocks = superblock_segment_blocks(&c->sb);
	c->nr_segments = c->sb.nr_segments;
	ret = index_init(&c->index, c->nr_segments * c->segment_blocks);
	if (!ret)
		ret = log_init(c);
	if (!ret)
		ret = super_init(c);
	if (!ret)
		ret = migrate_init(c);
	if (!ret)
		ret = cleaner_init(c);
	if (!ret)
		ret = scrub_init(c);
	if (!ret)
		ret = init_merge(c);
	if (!ret)
		pool_init(c, pool);
	return ret;
}

static int fail(struct cache_recovery_report *rep, int error, const char *text)
{
	if (!rep->error[0])
		snprintf(rep->error, sizeof(rep->error), "%s: %s", text, strerror(-error));
	return error;
}

int cache_open(struct cache **out, struct blkdev *dev, void *pool, uint64_t pool_bytes,
	       const struct cache_conf *conf, const struct cache_mount_info *info,
	       struct cache_recovery_report *rep)
{
	struct cache *c = calloc(1, sizeof(*c));
	bool pool_valid;
	int ret;

	*out = NULL;
	memset(rep, 0, sizeof(*rep));
	if (!c)
		return fail(rep, -ENOMEM, "no memory for the cache");
	mutex_init(&c->lock, CACHE_LOCK_RANK, "cache");
	list_init(&c->images);
	shares_init(c);
	list_init(&c->ops_out);
	commit_init(c);
	list_init(&c->lost.syncs);
	c->conf = *conf;
	c->info = *info;
	c->busy_percent = -1;
	atomic_init(&c->deadline, UINT64_MAX);
	for (int k = 0; k < NR_KNOBS; k++)
		c->knob[k] = knobs[k].initial;
	ret = cache_superblock_read(dev, &c->sb, rep->error, sizeof(rep->error));
	if (ret == 0) {
		rep->error[0] = '\0';
		pool_valid = cache_pool_is_valid(pool, pool_bytes, &c->sb, info->boot_id);
		ret = init(c, pool, pool_bytes);
		if (ret == 0)
			ret = recovery_run(c, dev, pool_valid, rep);
		else
			fail(rep, ret, "no memory for index and tables");
	}
	if (ret < 0) {
		fail(rep, ret, "recovery");
		cache_free(c);
		return ret;
	}
	*out = c;
	return 0;
}

/* ---------------------------------------------------------------- numbers */

void cache_status(struct cache *c, struct cache_status *st)
{
	LOCK_SCOPE(&c->lock);
	const struct log *l = &c->log;

	memset(st, 0, sizeof(*st));
	st->nr_segments = c->nr_segments;
	st->segment_bytes = c->segment_bytes;
	st->last_migrated = c->tail - 1;
	st->current_segment = l->open_buf ? l->open_buf->segment_id : l->next_segment_id;
	st->last_flushed = log_last_flushed(c);
	st->cursor = l->open	 ? l->open->start + 1u + l->open->nr_blocks :
		     l->open_buf ? l->open_buf->used :
				   0;
	st->dirty_blocks = c->dirty_blocks;
	st->cached_blocks = c->cached_blocks;
	if (c->dirty_blocks)
		st->dirty_since_ns = ages_oldest(&c->ages, &c->ages.all) - c->info.real_ns;
	st->free_segments = l->free_segments;
	st->ram_bytes = index_bytes(&c->index) + c->nr_segments * sizeof(struct segment) +
			c->nr_records * sizeof(struct record) + migrate_ram(c) + cleaner_ram(c) +
			scrub_ram(c) + max(c->sb.table[0].bytes, c->sb.table[1].bytes) +
			c->conf.merge_buffers * 2ull * BLOCK_BYTES;
	st->durable_lsn = l->durable_lsn;
	st->written_lsn = l->written_lsn;
	st->next_lsn = l->next_lsn;
	st->pool_buffers = c->nr_bufs;
	st->pool_used = l->busy_bufs;
	st->is_migrating = migrate_is_busy(c);
	lost_status(c, st);
	st->is_failed = c->failed;
	st->error = c->failed;
	memcpy(st->count, c->count, sizeof(st->count));
	st->migrate_blocks = c->nr_migrated;
	st->migrate_writes = c->nr_migrate_writes;
	st->flushes = c->nr_flushes;
	st->records = c->nr_records_written;
	st->superblock_writes = c->nr_super_writes;
	st->log_blocks = c->nr_log_blocks;
	st->relocated_blocks = c->nr_relocated;
	st->migrate_errors = c->nr_migrate_errors;
	st->busy_percent = c->busy_percent;
}

uint64_t cache_epoch(const struct cache *c)
{
	return c->sb.epoch;
}

bool cache_is_lost(const struct cache *c)
{
	return __atomic_load_n(&c->failed, __ATOMIC_RELAXED);
}

const char *cache_state_text(enum cache_state s)
{
	static const char *const text[] = {
		[CACHE_OK] = "ok",
		[CACHE_DEGRADED] = "degraded",
		[CACHE_READ_ONLY] = "read-only",
		[CACHE_FAILED] = "failed",
	};

	return (unsigned int)s < array_size(text) ? text[s] : "unknown";
}

void cache_clear_stat(struct cache *c)
{
	LOCK_SCOPE(&c->lock);

	memset(c->count, 0, sizeof(c->count));
}

void cache_latency(struct cache *c, struct histogram_view *flush, struct histogram_view *migrate)
{
	histogram_look(&c->flush_time, flush);
	histogram_look(&c->migrate_time, migrate);
}
