// SPDX-License-Identifier: GPL-2.0-or-later
/* stats.json. Its keys are documented in lcctl-tree(5) and stay. */
#include <errno.h>
#include <stdio.h>

#include "common/json.h"
#include "lcfs/ctl/ctl_table.h"

/* Each cache and image has a line. */
#define JSON_LINES 2

static void put_number(struct json *j, const char *key, uint64_t value)
{
	if (value == CTL_UNKNOWN)
		json_null(j, key);
	else
		json_number(j, key, value);
}

static void put_knobs(struct json *j, const struct ctl_cache_data *c)
{
	json_open(j, "knobs", '{');
#define KNOB(knob_, name_, unit_, min_, max_, default_, help_) \
	put_number(j, #name_, c->knob[knob_]);
#include "lcfs/ctl/knobs.def"
#undef KNOB
	json_close(j, '}');
}

static void put_stat(struct json *j, const struct cache_status *st)
{
	json_open(j, "stat", '[');
	for (size_t i = 0; i < array_size(st->count); i++)
		json_number(j, NULL, st->count[i]);
	json_close(j, ']');
}

/* Pairs of bound and count, of the buckets that have any; the last bound may be null. */
static void put_buckets(struct json *j, const struct histogram_view *v)
{
	json_open(j, "buckets", '[');
	for (unsigned int i = 0; i < HISTOGRAM_BUCKETS; i++) {
		if (!v->count[i])
			continue;
		json_open(j, NULL, '[');
		if (i == HISTOGRAM_BUCKETS - 1)
			json_null(j, NULL);
		else
			json_number(j, NULL, histogram_bound(i));
		json_number(j, NULL, v->count[i]);
		json_close(j, ']');
	}
	json_close(j, ']');
}

static void put_latency(struct json *j, const char *name, const struct histogram_view *v)
{
	static const struct {
		const char *key;
		unsigned int permille;
	} quantiles[] = { { "p50_ns", 500 },
			  { "p90_ns", 900 },
			  { "p99_ns", 990 },
			  { "p999_ns", 999 } };

	json_open(j, name, '{');
	put_number(j, "count", v->total);
	put_number(j, "sum_ns", v->sum_ns);
	for (size_t i = 0; i < array_size(quantiles); i++)
		put_number(j, quantiles[i].key, histogram_quantile(v, quantiles[i].permille));
	put_buckets(j, v);
	json_close(j, '}');
}

static void put_cache(struct json *j, const struct ctl_cache_data *c)
{
	json_open(j, NULL, '{');
	put_number(j, "id", c->id);
	json_text(j, "device", c->device);
	json_text(j, "state", c->state);
	json_text(j, "reason", c->reason);
	for (size_t i = 0; i < CTL_NR_CACHE_NUMBERS; i++)
		put_number(j, ctl_cache_numbers[i].name, c->number[i]);
	put_knobs(j, c);
	put_stat(j, &c->status);
	json_open(j, "latency", '{');
	for (size_t i = 0; i < CTL_NR_LATENCIES; i++)
		put_latency(j, ctl_latencies[i].name, &c->time[i]);
	json_close(j, '}');
	json_close(j, '}');
}

static void put_image(struct json *j, const struct ctl_image_data *img)
{
	json_open(j, NULL, '{');
	put_number(j, "id", img->id);
	json_text(j, "name", img->name);
	put_number(j, "cache_id", img->cache_id);
	json_text(j, "state", img->state);
	json_text(j, "reason", img->reason);
	for (size_t i = 0; i < CTL_NR_DEVICE_NUMBERS; i++)
		put_number(j, ctl_device_numbers[i].name, img->number[i]);
	json_close(j, '}');
}

static void put_mount(struct json *j, const struct ctlfs *t, const struct ctl_snapshot *s)
{
	json_open(j, NULL, '{');
	json_text(j, "version", t->version);
	json_text(j, "mount", t->mount);
	json_text(j, "source", t->source);
	json_text(j, "transport", t->transport);
	json_text(j, "state", s->state);
	json_open(j, "caches", '[');
	for (size_t i = 0; i < s->nr_caches; i++)
		put_cache(j, &s->cache[i]);
	json_close(j, ']');
	json_open(j, "images", '[');
	for (size_t i = 0; i < s->nr_images; i++)
		put_image(j, &s->image[i]);
	json_close(j, ']');
	json_close(j, '}');
	json_end(j);
}

int ctl_root_show_json(const struct ctl_place *p, const struct ctl_item *item, struct ctl_text *out)
{
	CLEANUP_CTL_SNAPSHOT struct ctl_snapshot s = { 0 };
	struct json j = { .lines = JSON_LINES };
	int err = ctl_snapshot_take(p->tree, &s);

	(void)item;
	if (err)
		return err;
	j.out = ctl_text_stream(out);
	if (!j.out)
		return -ENOMEM;
	put_mount(&j, p->tree, &s);
	return ctl_text_stream_end(out, j.out);
}
