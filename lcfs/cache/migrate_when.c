// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * When migration runs: whenever the log runs short, or an image has more than its share of it; with
 * force_migrate; with allow_migrate also while the backing store is idle; and for images that are
 * being drained.
 */
#include "common/nsec.h"
#include "lcfs/cache/cleaner.h"
#include "lcfs/cache/lost.h"
#include "lcfs/cache/migrate.h"
#include "lcfs/cache/poison.h"
#include "lcfs/cache/scrub.h"
#include "lcfs/cache/shares.h"

#define RETRY_NS NSEC_PER_SEC
#define CLOSE_NS NSEC_PER_SEC

static bool any_draining(const struct cache *c)
{
	const struct cache_image *img;

	list_for_each_entry(img, &c->images, node)
		if (img->is_draining)
			return true;
	return false;
}

/* What is dirty sits in records that are not durable or in a segment that is still filled. */
static void free_the_rest(struct cache *c, bool is_urgent, uint64_t now, struct outbox *ob)
{
	struct migrate *m = c->migrate;

	if (!is_urgent && now < m->last_close_ns + CLOSE_NS)
		return;
	if (log_head_lsn(c) > c->log.durable_lsn) {
		commit_now(c, now, ob);
		return;
	}
	if (c->log.open_buf && (c->log.open_buf->segment->nr_dirty || is_urgent)) {
		m->last_close_ns = now;
		log_close(c, now, ob);
		migrate_kick(c, now, ob);
	}
}

static bool is_forced(const struct cache *c)
{
	return c->knob[KNOB_FORCE_MIGRATE] || scrub_wants_tail(c);
}

/* The store has time, or the log has none to lose; else only what is drained is migrated. */
static bool may_run(const struct cache *c)
{
	return c->failed || log_is_short(c) || shares_are_tight(c) || is_forced(c) ||
	       (c->knob[KNOB_ALLOW_MIGRATE] && (c->is_idle || !c->knob[KNOB_UPDATE_INTERVAL]));
}

void migrate_kick(struct cache *c, uint64_t now, struct outbox *ob)
{
	struct migrate *m = c->migrate;
	struct migrate_batch *b;
	bool draining, is_short, run;

	migrate_watch(c, now, ob);
	if (c->is_stopping && !c->failed)
		return;
	is_short = !c->failed && log_is_short(c);
	if (is_short && !c->super.is_stuck && super_tail_candidate(c, UINT64_MAX) > c->tail)
		super_request(c, now, ob);
	cleaner_kick(c, now, ob);
	if (m->current)
		return;
	draining = any_draining(c);
	run = may_run(c);
	if (!run && !draining)
		return;
	b = migrate_new_batch(c);
	if (!b)
		return;
	m->only_draining = !run;
	m->tried_ns = now;
	migrate_collect(c, b, now);
	if (list_is_empty(&b->images)) {
		bool is_urgent = draining || is_short || is_forced(c);

		if (!c->failed && (c->dirty_blocks || is_short))
			free_the_rest(c, is_urgent, now, ob);
		deadline_lower(c, migrate_deadline(c));
		lost_tell_saved(c, now, ob);
		return;
	}
	m->current = b;
	migrate_begin(c, now, ob);
}

/*
 * When to try again without anything having happened. What was due at the last try was in vain
 * then: it has some other reason to wait, whose end kicks; to be safe it is looked at now and then.
 */
uint64_t migrate_deadline(const struct cache *c)
{
	const struct migrate *m = c->migrate;
	const struct cache_image *img;
	uint64_t at = migrate_watch_deadline(c);
	bool run = may_run(c);

	if (m->current || (c->is_stopping && !c->failed))
		return at;
	list_for_each_entry(img, &c->images, node)
		if (img->retries && !img->batch && !img->is_stopped && !img->is_unbound &&
		    !lost_error(c, img) && (run || img->is_draining))
			at = min(at, max(img->retry_ns,
					 img->retry_ns > m->tried_ns ? 0 : m->tried_ns + RETRY_NS));
	if (!c->failed && (run || any_draining(c)))
		at = min(at, max(poison_deadline(c), m->tried_ns + RETRY_NS));
	if (c->dirty_blocks && run && !c->failed)
		at = min(at, max(m->last_close_ns, m->tried_ns) + CLOSE_NS);
	return at;
}
