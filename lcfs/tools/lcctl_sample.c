// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The counters of caches and images at one moment.
 *
 * Those of caches are in `metrics`, one a line: name, labels in braces, value; and in `stat`,
 * dm-lc's 16 counters of blocks: four bits (write, hit, on the RAM buffer, whole block) and the
 * count. Those of an image are in its own `stat`: name and value.
 */
#include "lcfs/tools/lcctl_sample.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/align.h"
#include "common/cleanup.h"
#include "common/clock.h"
#include "common/messages.h"
#include "lcfs/tools/lcctl_image.h"
#include "lcfs/tools/lcctl_status.h"

static const char *const metrics[NR_COUNTERS] = {
	[COUNT_READS] = "lcfs_read_seconds_count",
	[COUNT_WRITES] = "lcfs_write_seconds_count",
	[COUNT_SYNCS] = "lcfs_fsync_seconds_count",
	[COUNT_READ_NS] = "lcfs_read_seconds_sum",
	[COUNT_WRITE_NS] = "lcfs_write_seconds_sum",
	[COUNT_SYNC_NS] = "lcfs_fsync_seconds_sum",
	[COUNT_READ_BYTES] = "lcfs_read_bytes_total",
	[COUNT_WRITE_BYTES] = "lcfs_write_bytes_total",
	[COUNT_LOG_BYTES] = "lcfs_log_bytes_total",
	[COUNT_FLUSHES] = "lcfs_flush_seconds_count",
	[COUNT_MIGRATE_BYTES] = "lcfs_migrated_bytes_total",
};

static const char *const image_names[NR_COUNTERS] = {
	[COUNT_READS] = "reads",
	[COUNT_WRITES] = "writes",
	[COUNT_SYNCS] = "fsyncs",
	[COUNT_READ_BYTES] = "read_bytes",
	[COUNT_WRITE_BYTES] = "write_bytes",
};

static void count(struct counters *c, enum counter which, uint64_t n)
{
	c->has[which] = true;
	c->count[which] += n;
}

static enum counter find_name(const char *const *names, const char *name, size_t len)
{
	for (enum counter i = 0; i < NR_COUNTERS; i++)
		if (names[i] && strlen(names[i]) == len && strncmp(names[i], name, len) == 0)
			return i;
	return NR_COUNTERS;
}

static bool is_time(enum counter c)
{
	return c == COUNT_READ_NS || c == COUNT_WRITE_NS || c == COUNT_SYNC_NS;
}

/* Of the label cache="N", which may stand anywhere in the braces; quotes in others are escaped. */
static bool read_cache_label(const char *labels, uint32_t *id)
{
	static const char label[] = "cache=\"";

	for (const char *s = labels; (s = strstr(s, label)); s++) {
		if (s[-1] != '{' && s[-1] != ',')
			continue;
		*id = (uint32_t)strtoul(s + strlen(label), NULL, 10);
		return true;
	}
	return false;
}

/* Anything that is no time is 0. */
static uint64_t to_ns(double seconds)
{
	return seconds > 0 && seconds < 1e9 ? (uint64_t)(seconds * (double)NSEC_PER_SEC) : 0;
}

static void read_metric(struct sample *s, const char *line)
{
	const char *labels = strchr(line, '{'), *value = strrchr(line, '}');
	enum counter which;
	uint32_t id;

	if (!labels || !value)
		return;
	which = find_name(metrics, line, (size_t)(labels - line));
	if (which == NR_COUNTERS || !read_cache_label(labels, &id))
		return;
	for (size_t i = 0; i < s->nr_caches; i++) {
		if (s->cache[i].id != id)
			continue;
		if (is_time(which))
			count(&s->cache[i], which, to_ns(strtod(value + 1, NULL)));
		else
			count(&s->cache[i], which, strtoull(value + 1, NULL, 10));
	}
}

static void read_metrics(const struct tree *t, struct sample *s)
{
	CLEANUP_FREE char *text = tree_all(t, "metrics");
	char *rest = text, *line;

	while (rest && (line = strsep(&rest, "\n")))
		read_metric(s, line);
}

/* dm-lc's counters. */
static void read_blocks(const struct tree *t, struct counters *c)
{
	CLEANUP_FREE char *text = tree_all(t, "caches/%u/stat", c->id);
	char *rest = text, *line;

	while (rest && (line = strsep(&rest, "\n"))) {
		unsigned int write, hit, on_buffer, full;
		uint64_t n;

		if (sscanf(line, "%u %u %u %u %" SCNu64, &write, &hit, &on_buffer, &full, &n) != 5)
			continue;
		count(c, COUNT_BLOCKS, n);
		count(c, COUNT_HITS, hit ? n : 0);
	}
}

static void read_image(const struct tree *t, struct counters *c)
{
	CLEANUP_FREE char *text = tree_all(t, "devices/%u/stat", c->id);
	char *rest = text, *line;

	while (rest && (line = strsep(&rest, "\n"))) {
		size_t len = strcspn(line, " ");
		enum counter which = find_name(image_names, line, len);

		if (which != NR_COUNTERS)
			count(c, which, strtoull(line + len, NULL, 10));
	}
}

static bool take_caches(const struct tree *t, struct sample *s)
{
	CLEANUP_FREE uint32_t *ids = NULL;

	if (!tree_ids(t, "caches", &ids, &s->nr_caches))
		return false;
	s->cache = calloc(s->nr_caches + 1, sizeof(*s->cache));
	for (size_t i = 0; s->cache && i < s->nr_caches; i++) {
		struct counters *c = &s->cache[i];
		struct cache_facts f;

		cache_facts(t, ids[i], &f);
		c->id = ids[i];
		c->has_dirty = f.has_dirty;
		c->dirty = f.dirty;
		c->has_age = f.has_age;
		c->age_ms = f.age_ms;
		memcpy(c->state, f.state, sizeof(c->state));
		read_blocks(t, c);
	}
	if (s->cache)
		read_metrics(t, s);
	return s->cache;
}

static bool take_images(const struct tree *t, struct sample *s)
{
	CLEANUP_FREE uint32_t *ids = NULL;
	size_t nr;

	if (!tree_ids(t, "devices", &ids, &nr))
		return false;
	s->image = calloc(nr + 1, sizeof(*s->image));
	for (size_t i = 0; s->image && i < nr; i++) {
		struct counters *c = &s->image[s->nr_images];
		struct image_facts f;

		if (!image_facts(t, ids[i], &f))
			continue;
		c->id = ids[i];
		c->has_dirty = f.has_dirty;
		c->dirty = f.dirty;
		c->has_age = f.has_age;
		c->age_ms = f.age_ms;
		memcpy(c->state, f.state, sizeof(c->state));
		c->name = strdup(f.name);
		read_image(t, c);
		s->nr_images++;
	}
	return s->image;
}

bool sample_take(const struct tree *t, bool with_images, struct sample *s)
{
	*s = (struct sample){ .ns = clock_mono_ns() };
	if (take_caches(t, s) && (!with_images || take_images(t, s)))
		return true;
	if (!s->cache || (with_images && !s->image))
		msg_debug("%s: no sample", t->where);
	sample_free(s);
	return false;
}

void sample_free(struct sample *s)
{
	for (size_t i = 0; i < s->nr_images; i++)
		free(s->image[i].name);
	free(s->image);
	free(s->cache);
	*s = (struct sample){ 0 };
}

uint64_t sample_span(const struct sample *before, const struct sample *now)
{
	return before->ns ? now->ns - before->ns : 0;
}

static const struct counters *find(const struct counters *list, size_t nr, uint32_t id)
{
	for (size_t i = 0; i < nr; i++)
		if (list[i].id == id)
			return &list[i];
	return NULL;
}

const struct counters *sample_cache(const struct sample *s, uint32_t id)
{
	return find(s->cache, s->nr_caches, id);
}

const struct counters *sample_image(const struct sample *s, uint32_t id)
{
	return find(s->image, s->nr_images, id);
}

static uint64_t difference(const struct counters *before, const struct counters *now,
			   enum counter c)
{
	uint64_t old = before ? before->count[c] : 0;

	return now->count[c] >= old ? now->count[c] - old : now->count[c];
}

bool sample_rate(const struct counters *before, const struct counters *now, uint64_t ns,
		 enum counter c, uint64_t *rate)
{
	*rate = 0;
	if (!now->has[c] || ns == 0)
		return false;
	*rate = u64_of_double((double)difference(before, now, c) * NSEC_PER_SEC / (double)ns + 0.5);
	return true;
}

bool sample_latency(const struct counters *before, const struct counters *now, enum counter times,
		    enum counter requests, uint64_t *ns)
{
	uint64_t nr = difference(before, now, requests);

	*ns = nr ? difference(before, now, times) / nr : 0;
	return now->has[times] && nr;
}

bool sample_hits(const struct counters *before, const struct counters *now, uint64_t *percent)
{
	uint64_t all = difference(before, now, COUNT_BLOCKS);
	uint64_t hits = difference(before, now, COUNT_HITS);

	*percent = all ? min(u64_of_double((double)hits * 100 / (double)all), (uint64_t)100) : 0;
	return now->has[COUNT_BLOCKS] && all;
}
