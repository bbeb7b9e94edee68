// SPDX-License-Identifier: GPL-2.0-or-later
/* stats.json. Its keys are documented in lcctl-tree(5) and stay. */
#include <inttypes.h>

#include "lcfs/ctl/ctl_table.h"

/* Begins an item of an object or array: a comma where one came before. */
static void begin(struct ctl_text *out, bool *is_first)
{
	if (!*is_first)
		ctl_text_put(out, ",");
	*is_first = false;
}

static void put_key(struct ctl_text *out, bool *is_first, const char *key)
{
	begin(out, is_first);
	ctl_text_put(out, "\"%s\":", key);
}

static void put_string(struct ctl_text *out, bool *is_first, const char *key, const char *value)
{
	put_key(out, is_first, key);
	if (!value) {
		ctl_text_put(out, "null");
		return;
	}
	ctl_text_put(out, "\"");
	ctl_text_quote(out, CTL_QUOTE_JSON, value);
	ctl_text_put(out, "\"");
}

static void put_number(struct ctl_text *out, bool *is_first, const char *key, uint64_t value)
{
	put_key(out, is_first, key);
	if (value == CTL_UNKNOWN)
		ctl_text_put(out, "null");
	else
		ctl_text_put(out, "%" PRIu64, value);
}

static void put_knobs(struct ctl_text *out, const struct ctl_cache_data *c)
{
	bool is_first = true;

	ctl_text_put(out, "{");
#define KNOB(knob_, name_, unit_, min_, max_, default_, help_) \
	put_number(out, &is_first, #name_, c->knob[knob_]);
#include "lcfs/ctl/knobs.def"
#undef KNOB
	ctl_text_put(out, "}");
}

static void put_stat(struct ctl_text *out, const struct cache_status *st)
{
	bool is_first = true;

	ctl_text_put(out, "[");
	for (size_t i = 0; i < array_size(st->count); i++) {
		begin(out, &is_first);
		ctl_text_put(out, "%" PRIu64, st->count[i]);
	}
	ctl_text_put(out, "]");
}

/* Pairs of bound and count, of the buckets that have any; the last bound may be null. */
static void put_buckets(struct ctl_text *out, const struct histogram_view *v)
{
	bool is_first = true;

	ctl_text_put(out, "[");
	for (unsigned int i = 0; i < HISTOGRAM_BUCKETS; i++) {
		if (!v->count[i])
			continue;
		begin(out, &is_first);
		if (i == HISTOGRAM_BUCKETS - 1)
			ctl_text_put(out, "[null,%" PRIu64 "]", v->count[i]);
		else
			ctl_text_put(out, "[%" PRIu64 ",%" PRIu64 "]", histogram_bound(i),
				     v->count[i]);
	}
	ctl_text_put(out, "]");
}

static void put_latency(struct ctl_text *out, const struct histogram_view *v)
{
	static const struct {
		const char *key;
		unsigned int permille;
	} quantiles[] = { { "p50_ns", 500 },
			  { "p90_ns", 900 },
			  { "p99_ns", 990 },
			  { "p999_ns", 999 } };
	bool is_first = true;

	ctl_text_put(out, "{");
	put_number(out, &is_first, "count", v->total);
	put_number(out, &is_first, "sum_ns", v->sum_ns);
	for (size_t i = 0; i < array_size(quantiles); i++)
		put_number(out, &is_first, quantiles[i].key,
			   histogram_quantile(v, quantiles[i].permille));
	put_key(out, &is_first, "buckets");
	put_buckets(out, v);
	ctl_text_put(out, "}");
}

static void put_latencies(struct ctl_text *out, const struct histogram_view *v)
{
	bool is_first = true;

	ctl_text_put(out, "{");
	for (size_t i = 0; i < CTL_NR_LATENCIES; i++) {
		put_key(out, &is_first, ctl_latencies[i].name);
		put_latency(out, &v[i]);
	}
	ctl_text_put(out, "}");
}

static void put_cache(struct ctl_text *out, const struct ctl_cache_data *c)
{
	bool is_first = true;

	ctl_text_put(out, "{");
	put_number(out, &is_first, "id", c->id);
	put_string(out, &is_first, "device", c->device);
	put_string(out, &is_first, "state", c->state);
	put_string(out, &is_first, "reason", c->reason);
	for (size_t i = 0; i < CTL_NR_CACHE_NUMBERS; i++)
		put_number(out, &is_first, ctl_cache_numbers[i].name, c->number[i]);
	put_key(out, &is_first, "knobs");
	put_knobs(out, c);
	put_key(out, &is_first, "stat");
	put_stat(out, &c->status);
	put_key(out, &is_first, "latency");
	put_latencies(out, c->time);
	ctl_text_put(out, "}");
}

static void put_image(struct ctl_text *out, const struct ctl_image_data *img)
{
	bool is_first = true;

	ctl_text_put(out, "{");
	put_number(out, &is_first, "id", img->id);
	put_string(out, &is_first, "name", img->name);
	put_number(out, &is_first, "cache_id", img->cache_id);
	put_string(out, &is_first, "state", img->state);
	put_string(out, &is_first, "reason", img->reason);
	for (size_t i = 0; i < CTL_NR_DEVICE_NUMBERS; i++)
		put_number(out, &is_first, ctl_device_numbers[i].name, img->number[i]);
	ctl_text_put(out, "}");
}

int ctl_root_show_json(const struct ctl_place *p, const struct ctl_item *item, struct ctl_text *out)
{
	CLEANUP_CTL_SNAPSHOT struct ctl_snapshot s = { 0 };
	bool is_first = true, is_first_of = true;
	int err = ctl_snapshot_take(p->tree, &s);

	(void)item;
	if (err)
		return err;
	ctl_text_put(out, "{");
	put_string(out, &is_first, "version", p->tree->version);
	put_string(out, &is_first, "mount", p->tree->mount);
	put_string(out, &is_first, "source", p->tree->source);
	put_string(out, &is_first, "state", s.state);
	put_key(out, &is_first, "caches");
	ctl_text_put(out, "[");
	for (size_t i = 0; i < s.nr_caches; i++) {
		begin(out, &is_first_of);
		ctl_text_put(out, "\n");
		put_cache(out, &s.cache[i]);
	}
	ctl_text_put(out, "]");
	put_key(out, &is_first, "images");
	ctl_text_put(out, "[");
	is_first_of = true;
	for (size_t i = 0; i < s.nr_images; i++) {
		begin(out, &is_first_of);
		ctl_text_put(out, "\n");
		put_image(out, &s.image[i]);
	}
	ctl_text_put(out, "]}\n");
	return out->error;
}
