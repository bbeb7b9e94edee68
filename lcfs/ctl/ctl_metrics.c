// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * metrics: OpenMetrics 1.0 text. The samples of one family stand together, so that each family is
 * a walk over the caches or images of the snapshot.
 */
#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>

#include "common/align.h"
#include "common/nsec.h"
#include "lcfs/ctl/ctl_table.h"

static void put_label(struct ctl_text *out, const char *name, const char *value)
{
	ctl_text_put(out, "%s=\"", name);
	ctl_text_quote(out, CTL_QUOTE_METRIC, value);
	ctl_text_put(out, "\"");
}

static void put_head(struct ctl_text *out, const char *family, const char *type, const char *unit,
		     const char *help)
{
	ctl_text_put(out, "# TYPE lcfs_%s %s\n", family, type);
	if (*unit)
		ctl_text_put(out, "# UNIT lcfs_%s %s\n", family, unit);
	ctl_text_put(out, "# HELP lcfs_%s %c%s.\n", family, toupper((unsigned char)*help),
		     help + 1);
}

/* The value in units of which `per` make one. */
static void put_value(struct ctl_text *out, uint64_t value, unsigned int per)
{
	switch (per) {
	case 100:
		ctl_text_put(out, " %" PRIu64 ".%02" PRIu64 "\n", value / 100, value % 100);
		break;
	case 1000:
		ctl_text_put(out, " %" PRIu64 ".%03" PRIu64 "\n", value / 1000, value % 1000);
		break;
	default:
		ctl_text_put(out, " %" PRIu64 "\n", value);
		break;
	}
}

static void put_number_head(struct ctl_text *out, const struct ctl_number *n)
{
	put_head(out, n->metric, n->kind == CTL_COUNTER ? "counter" : "gauge", n->unit, n->help);
}

static void put_sample(struct ctl_text *out, const struct ctl_number *n)
{
	ctl_text_put(out, "lcfs_%s%s{", n->metric, n->kind == CTL_COUNTER ? "_total" : "");
}

/* ------------------------------------------------------------------ caches */

static void put_cache_labels(struct ctl_text *out, const struct ctlfs *t,
			     const struct ctl_cache_data *c)
{
	put_label(out, "mount", t->mount);
	ctl_text_put(out, ",cache=\"%" PRIu32 "\"", c->id);
}

static void put_cache_numbers(struct ctl_text *out, const struct ctlfs *t,
			      const struct ctl_snapshot *s)
{
	for (size_t k = 0; k < CTL_NR_CACHE_NUMBERS; k++) {
		const struct ctl_number *n = &ctl_cache_numbers[k];

		if (!n->metric)
			continue;
		put_number_head(out, n);
		for (size_t i = 0; i < s->nr_caches; i++) {
			if (s->cache[i].number[k] == CTL_UNKNOWN)
				continue;
			put_sample(out, n);
			put_cache_labels(out, t, &s->cache[i]);
			ctl_text_put(out, "}");
			put_value(out, s->cache[i].number[k], n->per_unit);
		}
	}
}

static void put_cache_info(struct ctl_text *out, const struct ctlfs *t,
			   const struct ctl_snapshot *s)
{
	put_head(out, "cache", "info", "", "What the cache is");
	for (size_t i = 0; i < s->nr_caches; i++) {
		ctl_text_put(out, "lcfs_cache_info{");
		put_cache_labels(out, t, &s->cache[i]);
		ctl_text_put(out, ",");
		put_label(out, "device", s->cache[i].device);
		ctl_text_put(out, "} 1\n");
	}
	put_head(out, "cache_failed", "gauge", "", "Whether the cache device has failed");
	for (size_t i = 0; i < s->nr_caches; i++) {
		ctl_text_put(out, "lcfs_cache_failed{");
		put_cache_labels(out, t, &s->cache[i]);
		ctl_text_put(out, "} %d\n", s->cache[i].status.is_failed);
	}
	put_head(out, "cache_lost_bytes", "gauge", "bytes",
		 "Dirty data that only a failed cache device has");
	for (size_t i = 0; i < s->nr_caches; i++) {
		ctl_text_put(out, "lcfs_cache_lost_bytes{");
		put_cache_labels(out, t, &s->cache[i]);
		ctl_text_put(out, "} %" PRIu64 "\n", s->cache[i].status.lost_blocks * BLOCK_BYTES);
	}
}

static void put_counters(struct ctl_text *out, const struct ctlfs *t, const struct ctl_snapshot *s)
{
	put_head(out, "blocks", "counter", "",
		 "Blocks of 4 KiB that were read or written, by what was found in the cache");
	for (size_t i = 0; i < s->nr_caches; i++) {
		for (unsigned int k = 0; k < array_size(s->cache[i].status.count); k++) {
			ctl_text_put(out, "lcfs_blocks_total{");
			put_cache_labels(out, t, &s->cache[i]);
			ctl_text_put(out,
				     ",write=\"%u\",hit=\"%u\",on_buffer=\"%u\",fullsize=\"%u\"} "
				     "%" PRIu64 "\n",
				     k & 1, k >> 1 & 1, k >> 2 & 1, k >> 3 & 1,
				     s->cache[i].status.count[k]);
		}
	}
}

/* ns as seconds, without zeros at the end. */
static void put_seconds(struct ctl_text *out, uint64_t ns)
{
	uint64_t rest = ns % NSEC_PER_SEC;
	int digits = 9;

	for (; digits > 1 && rest % 10 == 0; digits--)
		rest /= 10;
	ctl_text_put(out, "%" PRIu64 ".%0*" PRIu64, ns / NSEC_PER_SEC, digits, rest);
}

/* One bucket for each power of two, or the text would be four times as long. */
static void put_histogram(struct ctl_text *out, const struct ctlfs *t,
			  const struct ctl_cache_data *c, enum ctl_latency which)
{
	const struct histogram_view *v = &c->time[which];
	const char *name = ctl_latencies[which].name;
	uint64_t sum = 0;

	for (unsigned int i = 0; i < HISTOGRAM_BUCKETS; i++) {
		sum += v->count[i];
		if (i % HISTOGRAM_STEPS && i < HISTOGRAM_BUCKETS - 1)
			continue;
		ctl_text_put(out, "lcfs_%s_seconds_bucket{", name);
		put_cache_labels(out, t, c);
		ctl_text_put(out, ",le=\"");
		if (i == HISTOGRAM_BUCKETS - 1)
			ctl_text_put(out, "+Inf");
		else
			put_seconds(out, histogram_bound(i));
		ctl_text_put(out, "\"} %" PRIu64 "\n", sum);
	}
	ctl_text_put(out, "lcfs_%s_seconds_count{", name);
	put_cache_labels(out, t, c);
	ctl_text_put(out, "} %" PRIu64 "\nlcfs_%s_seconds_sum{", v->total, name);
	put_cache_labels(out, t, c);
	ctl_text_put(out, "} ");
	put_seconds(out, v->sum_ns);
	ctl_text_put(out, "\n");
}

static void put_histograms(struct ctl_text *out, const struct ctlfs *t,
			   const struct ctl_snapshot *s)
{
	for (unsigned int k = 0; k < CTL_NR_LATENCIES; k++) {
		char family[32];

		snprintf(family, sizeof(family), "%s_seconds", ctl_latencies[k].name);
		put_head(out, family, "histogram", "seconds", ctl_latencies[k].help);
		for (size_t i = 0; i < s->nr_caches; i++)
			put_histogram(out, t, &s->cache[i], (enum ctl_latency)k);
	}
}

/* ------------------------------------------------------------------ images */

static void put_image_labels(struct ctl_text *out, const struct ctlfs *t,
			     const struct ctl_image_data *img)
{
	put_label(out, "mount", t->mount);
	ctl_text_put(out, ",image=\"%" PRIu32 "\"", img->id);
}

static void put_image_numbers(struct ctl_text *out, const struct ctlfs *t,
			      const struct ctl_snapshot *s)
{
	for (size_t k = 0; k < CTL_NR_DEVICE_NUMBERS; k++) {
		const struct ctl_number *n = &ctl_device_numbers[k];

		if (!n->metric)
			continue;
		put_number_head(out, n);
		for (size_t i = 0; i < s->nr_images; i++) {
			if (s->image[i].number[k] == CTL_UNKNOWN)
				continue;
			put_sample(out, n);
			put_image_labels(out, t, &s->image[i]);
			ctl_text_put(out, "}");
			put_value(out, s->image[i].number[k], n->per_unit);
		}
	}
}

/* The name stands here and nowhere else: it changes when the image is renamed. */
static void put_image_info(struct ctl_text *out, const struct ctlfs *t,
			   const struct ctl_snapshot *s)
{
	put_head(out, "image", "info", "", "Name, cache and state of the image");
	for (size_t i = 0; i < s->nr_images; i++) {
		const struct ctl_image_data *img = &s->image[i];

		if (!img->state)
			continue;
		ctl_text_put(out, "lcfs_image_info{");
		put_image_labels(out, t, img);
		ctl_text_put(out, ",cache=\"%" PRIu32 "\",state=\"%s\",", img->cache_id,
			     img->state);
		put_label(out, "name", img->name);
		ctl_text_put(out, "} 1\n");
	}
}

/* ------------------------------------------------------------------ all */

int ctl_root_show_metrics(const struct ctl_place *p, const struct ctl_item *item,
			  struct ctl_text *out)
{
	CLEANUP_CTL_SNAPSHOT struct ctl_snapshot s = { 0 };
	const struct ctlfs *t = p->tree;
	int err = ctl_snapshot_take(p->tree, &s);

	(void)item;
	if (err)
		return err;
	put_head(out, "mount", "info", "", "What is mounted, and by which version");
	ctl_text_put(out, "lcfs_mount_info{");
	put_label(out, "mount", t->mount);
	ctl_text_put(out, ",");
	put_label(out, "source", t->source);
	ctl_text_put(out, ",");
	put_label(out, "version", t->version);
	ctl_text_put(out, ",");
	put_label(out, "transport", t->transport);
	ctl_text_put(out, "} 1\n");
	put_cache_info(out, t, &s);
	put_cache_numbers(out, t, &s);
	put_counters(out, t, &s);
	put_histograms(out, t, &s);
	put_image_info(out, t, &s);
	put_image_numbers(out, t, &s);
	ctl_text_put(out, "# EOF\n");
	return out->error;
}
