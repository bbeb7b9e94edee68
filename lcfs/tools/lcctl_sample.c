// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The counters of caches and images at one moment.
 *
 * The file `stat` has dm-lc's 16 counters, a line each: four bits (write, hit, on the RAM buffer,
 * whole block) and the count. Lines of the form "name value" are counters by name.
 */
#include "lcfs/tools/lcctl_sample.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/clock.h"
#include "common/messages.h"
#include "lcfs/tools/lcctl_image.h"
#include "lcfs/tools/lcctl_status.h"

static const char *const names[NR_COUNTERS] = {
	[COUNT_READ_BYTES] = "read_bytes",	 [COUNT_WRITE_BYTES] = "write_bytes",
	[COUNT_LOG_BYTES] = "log_bytes",	 [COUNT_FLUSHES] = "flushes",
	[COUNT_MIGRATE_BYTES] = "migrate_bytes",
};

static void count(struct counters *c, enum counter which, uint64_t n)
{
	c->has[which] = true;
	c->count[which] += n;
}

static void read_line(struct counters *c, const char *line)
{
	unsigned int write, hit, on_buffer, full;
	char name[64];
	uint64_t n;

	if (sscanf(line, "%u %u %u %u %" SCNu64, &write, &hit, &on_buffer, &full, &n) == 5) {
		count(c, write ? COUNT_WRITES : COUNT_READS, n);
		count(c, write ? COUNT_WRITE_HITS : COUNT_READ_HITS, hit ? n : 0);
		return;
	}
	if (sscanf(line, "%63s %" SCNu64, name, &n) != 2)
		return;
	for (enum counter i = 0; i < NR_COUNTERS; i++)
		if (names[i] && strcmp(names[i], name) == 0)
			count(c, i, n);
}

static void read_stat(const struct tree *t, struct counters *c, const char *dir)
{
	CLEANUP_FREE char *text = tree_all(t, "%s/%u/stat", dir, c->id);
	char *rest = text, *line;

	while (rest && (line = strsep(&rest, "\n")))
		read_line(c, line);
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
		read_stat(t, c, "caches");
	}
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
		read_stat(t, c, "devices");
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
	return before->ns ? now->ns - before->ns : now->uptime_ns;
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
	*rate = (uint64_t)((double)difference(before, now, c) * NSEC_PER_SEC / (double)ns + 0.5);
	return true;
}

bool sample_hits(const struct counters *before, const struct counters *now, uint64_t *percent)
{
	uint64_t all = difference(before, now, COUNT_READS) + difference(before, now, COUNT_WRITES);
	uint64_t hits = difference(before, now, COUNT_READ_HITS) +
			difference(before, now, COUNT_WRITE_HITS);

	*percent = all ? hits * 100 / all : 0;
	return now->has[COUNT_READS] && all;
}
