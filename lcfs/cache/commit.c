// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Commit: who waits for what to be durable.
 *
 *	IDLE ─(someone waits)─▶ WRITING ─(written_lsn >= target)─▶ FLUSHING ─(flush returned 0)─▶
 * IDLE
 *
 * One commit is under way at a time; syncs that arrive meanwhile form the next one, sealed once for
 * all of them. The flush is issued only after every record it is to cover was written (B4), and
 * what it covers is noted when it is issued. Device waiters (super block, image table) want a flush
 * that starts after their own write has returned; they ride on the next one.
 *
 * A lone sync never waits for company. When several images' syncs wait already and the last group
 * was larger, the next commit waits for the others, at most barrier_deadline_ms.
 */
#include "lcfs/cache/lost.h"
#include "lcfs/cache/migration.h"
#include "lcfs/cache/shares.h"

#include "common/nsec.h"

static void flushed(struct cache *c, struct action *a, int result, uint64_t now, struct outbox *ob);

void commit_init(struct cache *c)
{
	struct commit *m = &c->commit;

	list_init(&m->waiters);
	list_init(&m->dev_waiters);
	list_init(&m->dev_inflight);
	list_init(&m->flush.node);
	m->state = COMMIT_IDLE;
	m->flush.type = ACTION_FLUSH;
	m->flush.complete = flushed;
}

void sync_tell(struct cache *c, struct cache_sync *s, int result, uint64_t now, struct outbox *ob)
{
	s->result = result;
	if (s->fn)
		s->fn(c, s, now, ob);
	else
		outbox_add(ob, &s->act);
}

static void tell_all(struct cache *c, struct list *l, int result, uint64_t now, struct outbox *ob)
{
	struct cache_sync *s;

	while ((s = list_pop_head(l, struct cache_sync, wait)))
		sync_tell(c, s, result, now, ob);
}

/* Half the pool waits for a flush (B3)? */
static bool pool_wants_flush(const struct cache *c)
{
	return c->log.busy_bufs * 2 >= c->nr_bufs && c->log.written_lsn > c->log.durable_lsn;
}

/* The highest LSN waited for; *several: by more than one image. */
static uint64_t wanted_lsn(const struct commit *m, uint32_t *count, bool *several)
{
	const struct cache_sync *s, *first = NULL;
	uint64_t lsn = 0;

	*count = 0;
	*several = false;
	list_for_each_entry(s, &m->waiters, wait) {
		lsn = max(lsn, s->lsn);
		++*count;
		if (!first)
			first = s;
		else if (s->image != first->image)
			*several = true;
	}
	return lsn;
}

static void start_flush(struct cache *c, uint64_t now, struct outbox *ob)
{
	struct commit *m = &c->commit;

	m->state = COMMIT_FLUSHING;
	m->covers = c->log.written_lsn;
	m->started_ns = now;
	list_splice_tail(&m->dev_inflight, &m->dev_waiters);
	c->nr_flushes++;
	outbox_add(ob, &m->flush);
}

void commit_kick(struct cache *c, uint64_t now, struct outbox *ob)
{
	struct commit *m = &c->commit;

	if (c->failed || c->trouble.until)
		return;
	if (m->state == COMMIT_IDLE) {
		uint32_t count;
		bool several;
		uint64_t lsn = wanted_lsn(m, &count, &several);

		if (!count && list_is_empty(&m->dev_waiters) && !pool_wants_flush(c))
			return;
		if (several && count < m->last_group && now < m->gather_until &&
		    list_is_empty(&m->dev_waiters) && !pool_wants_flush(c))
			return;
		m->state = COMMIT_WRITING;
		m->target = lsn;
		if (c->log.open && c->log.open->lsn <= lsn)
			log_seal(c, now, ob);
	}
	if (m->state == COMMIT_WRITING && c->log.written_lsn >= m->target)
		start_flush(c, now, ob);
}

/* It may have lost anything that was written before and is not durable: the log writes that again,
 * and those who wait for the device do (super.c). */
static void failed_flush(struct cache *c, uint64_t now, struct outbox *ob)
{
	struct commit *m = &c->commit;

	log_write_again(c);
	tell_all(c, &m->dev_inflight, -EIO, now, ob);
	tell_all(c, &m->dev_waiters, -EIO, now, ob);
}

static void flushed(struct cache *c, struct action *a, int result, uint64_t now, struct outbox *ob)
{
	struct commit *m = &c->commit;
	struct cache_sync *s, *tmp;
	struct list done;

	(void)a;
	m->state = COMMIT_IDLE;
	if (result < 0) {
		if (retry_later(c, result, now, ob))
			failed_flush(c, now, ob);
		else
			lost_kick(c, now, ob);
		return;
	}
	if (c->failed) {
		lost_kick(c, now, ob);
		return;
	}
	retry_succeeded(c);
	c->nr_flushed++;
	histogram_add(&c->flush_time, now - m->started_ns);
	log_durable(c, m->covers, now, ob);
	list_init(&done);
	m->last_group = 0;
	list_for_each_entry_safe(s, tmp, &m->waiters, wait) {
		if (s->lsn > c->log.durable_lsn)
			continue;
		list_del(&s->wait);
		list_add_tail(&done, &s->wait);
		m->last_group++;
	}
	list_splice_tail(&done, &m->dev_inflight);
	m->gather_until = now + c->knob[KNOB_BARRIER_DEADLINE_MS] * NSEC_PER_MSEC;
	deadline_lower(c, c->super.last_ns + NSEC_PER_SEC);
	if (!list_is_empty(&m->waiters))
		deadline_lower(c, m->gather_until);
	tell_all(c, &done, 0, now, ob);
	commit_kick(c, now, ob);
	migrate_kick(c, now, ob);
}

bool commit_wait(struct cache *c, struct cache_sync *s, uint64_t now, struct outbox *ob)
{
	if (c->failed && !s->is_of_log)
		return lost_wait(c, s, now, ob);
	s->result = c->failed ? -EIO : 0;
	if (c->failed || s->lsn <= c->log.durable_lsn)
		return true;
	list_init(&s->wait);
	list_add_tail(&c->commit.waiters, &s->wait);
	commit_kick(c, now, ob);
	return false;
}

void commit_wait_device(struct cache *c, struct cache_sync *s, uint64_t now, struct outbox *ob)
{
	list_init(&s->wait);
	if (c->failed) {
		sync_tell(c, s, -EIO, now, ob);
		return;
	}
	list_add_tail(&c->commit.dev_waiters, &s->wait);
	commit_kick(c, now, ob);
}

static void interval_done(struct cache *c, struct cache_sync *s, uint64_t now, struct outbox *ob)
{
	(void)s;
	c->interval_busy = false;
	migrate_kick(c, now, ob);
}

void commit_now(struct cache *c, uint64_t now, struct outbox *ob)
{
	struct cache_sync *s = &c->interval_sync;

	if (c->interval_busy)
		return;
	s->image = NULL;
	s->lsn = log_head_lsn(c);
	s->fn = interval_done;
	s->is_of_log = true;
	c->interval_busy = !commit_wait(c, s, now, ob);
}

void commit_lost(struct cache *c, uint64_t now, struct outbox *ob)
{
	struct commit *m = &c->commit;
	struct cache_sync *s;
	struct list of_log;

	list_init(&of_log);
	while ((s = list_pop_head(&m->waiters, struct cache_sync, wait))) {
		if (s->is_of_log)
			list_add_tail(&of_log, &s->wait);
		else
			lost_adopt(c, s);
	}
	tell_all(c, &of_log, -EIO, now, ob);
	tell_all(c, &m->dev_waiters, -EIO, now, ob);
	tell_all(c, &m->dev_inflight, -EIO, now, ob);
}

enum cache_step cache_sync_start(struct cache *c, struct cache_sync *s, uint64_t now,
				 struct outbox *ob)
{
	LOCK_SCOPE(&c->lock);

	s->act.type = ACTION_DONE;
	s->fn = NULL;
	s->is_of_log = false;
	s->lsn = s->image ? s->image->last_lsn : log_head_lsn(c);
	return commit_wait(c, s, now, ob) ? CACHE_DONE : CACHE_WAIT;
}
