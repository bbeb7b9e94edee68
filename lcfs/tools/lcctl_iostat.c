// SPDX-License-Identifier: GPL-2.0-or-later
/* lcctl iostat: rates of each cache, once or every so often. */
#include <inttypes.h>
#include <stdio.h>
#include <time.h>

#include "common/clock.h"
#include "common/json.h"
#include "common/messages.h"
#include "common/parse.h"
#include "lcfs/tools/lcctl_job.h"
#include "lcfs/tools/lcctl_sample.h"
#include "lcfs/tools/lcctl_table.h"

static const struct column columns[] = {
	{ "TIME", "time", CELL_TIME, 8 },
	{ "WHAT", "what", CELL_TEXT, 8 },
	{ "DIRTY", "dirty_bytes", CELL_BYTES, 6 },
	{ "READ/S", "reads_per_second", CELL_RATE, 6 },
	{ "WRITE/S", "writes_per_second", CELL_RATE, 7 },
	{ "FSYNC/S", "fsyncs_per_second", CELL_RATE, 7 },
	{ "HIT", "hit_percent", CELL_PERCENT, 4 },
	{ "READB/S", "read_bytes_per_second", CELL_BYTES, 7 },
	{ "WRITEB/S", "write_bytes_per_second", CELL_BYTES, 8 },
	{ "LOGB/S", "log_bytes_per_second", CELL_BYTES, 6 },
	{ "FLUSH/S", "flushes_per_second", CELL_RATE, 7 },
	{ "MIGRB/S", "migrate_bytes_per_second", CELL_BYTES, 7 },
	{ "RLAT", "read_latency_seconds", CELL_LATENCY, 5 },
	{ "WLAT", "write_latency_seconds", CELL_LATENCY, 5 },
	{ "FLAT", "fsync_latency_seconds", CELL_LATENCY, 5 },
};

static void rate(struct table *table, const struct counters *before, const struct counters *now,
		 uint64_t ns, enum counter c)
{
	uint64_t value;
	bool is_known = sample_rate(before, now, ns, c, &value);

	table_number(table, is_known, value);
}

static void latency(struct table *table, const struct counters *before, const struct counters *now,
		    enum counter times, enum counter requests)
{
	uint64_t ns;
	bool is_known = sample_latency(before, now, times, requests, &ns);

	table_number(table, is_known, ns);
}

static void row(struct table *table, const char *what, const struct counters *before,
		const struct counters *now, uint64_t ns)
{
	uint64_t percent;
	bool has_hits = sample_hits(before, now, &percent);

	table_number(table, true, clock_real_ns() / NSEC_PER_SEC);
	table_text(table, what);
	table_number(table, now->has_dirty, now->dirty);
	rate(table, before, now, ns, COUNT_READS);
	rate(table, before, now, ns, COUNT_WRITES);
	rate(table, before, now, ns, COUNT_SYNCS);
	table_number(table, has_hits, percent);
	rate(table, before, now, ns, COUNT_READ_BYTES);
	rate(table, before, now, ns, COUNT_WRITE_BYTES);
	rate(table, before, now, ns, COUNT_LOG_BYTES);
	rate(table, before, now, ns, COUNT_FLUSHES);
	rate(table, before, now, ns, COUNT_MIGRATE_BYTES);
	latency(table, before, now, COUNT_READ_NS, COUNT_READS);
	latency(table, before, now, COUNT_WRITE_NS, COUNT_WRITES);
	latency(table, before, now, COUNT_SYNC_NS, COUNT_SYNCS);
}

static void rows(struct table *table, const struct sample *before, const struct sample *now)
{
	uint64_t ns = sample_span(before, now);

	for (size_t i = 0; i < now->nr_caches; i++) {
		const struct counters *c = &now->cache[i];
		char what[32];

		snprintf(what, sizeof(what), "cache %u", c->id);
		row(table, what, sample_cache(before, c->id), c, ns);
	}
	for (size_t i = 0; i < now->nr_images; i++) {
		const struct counters *c = &now->image[i];

		row(table, c->name, sample_image(before, c->id), c, ns);
	}
}

/* A sample in JSON is one line. */
static bool print(const struct lcctl *c, const struct table *table, const struct sample *before,
		  const struct sample *now, bool is_first)
{
	struct json j = { .out = stdout }; /* one line */

	if (!lcctl_has(c, OPT_JSON))
		return table_print_more(c, table, is_first) && fflush(stdout) == 0;
	json_open(&j, NULL, '{');
	json_decimal(&j, "time", (double)clock_real_ns() / NSEC_PER_SEC, 3);
	if (sample_span(before, now))
		json_decimal(&j, "seconds", (double)sample_span(before, now) / NSEC_PER_SEC, 3);
	else
		json_null(&j, "seconds");
	json_open(&j, "samples", '[');
	table_json(table, &j);
	json_close(&j, ']');
	json_close(&j, '}');
	json_end(&j);
	return fflush(stdout) == 0;
}

static bool show(const struct lcctl *c, const struct sample *before, const struct sample *now,
		 bool is_first)
{
	struct table table;
	bool ok;

	table_init(&table, columns, array_size(columns));
	rows(&table, before, now);
	ok = print(c, &table, before, now, is_first);
	table_free(&table);
	return ok;
}

/* Until the time, or a signal. */
static void wait_until(uint64_t ns)
{
	uint64_t now;

	while (!job_is_interrupted() && (now = clock_mono_ns()) < ns)
		job_pause((int)((ns - now) / NSEC_PER_MSEC) + 1);
}

/* count 0: for ever. */
static bool run(const struct lcctl *c, const struct tree *t, uint64_t pause, uint64_t nr)
{
	bool with_images = lcctl_has(c, OPT_VERBOSE), is_first = true, ok;
	struct sample before = { 0 }, now;
	uint64_t next = clock_mono_ns();

	if (lcctl_has(c, OPT_SKIP)) {
		if (!sample_take(t, with_images, &before))
			return false;
		next += pause;
	}
	for (uint64_t i = 0; nr == 0 || i < nr; i++) {
		wait_until(next);
		if (job_is_interrupted() || !sample_take(t, with_images, &now))
			break;
		ok = show(c, &before, &now, is_first);
		sample_free(&before);
		before = now;
		is_first = false;
		if (!ok)
			break;
		next += pause;
	}
	sample_free(&before);
	return !is_first;
}

int lcctl_iostat(const struct lcctl *c)
{
	CLEANUP_TREE struct tree t = { .fd = -1 };
	uint64_t pause = NSEC_PER_SEC, nr = 1;

	if (c->nr_operands > 0) {
		nr = 0;
		if (!lcctl_interval(c->operand[0], &pause))
			return EXIT_USAGE;
	}
	if (c->nr_operands > 1 && parse_u64(c->operand[1], 1, UINT32_MAX, &nr)) {
		msg_err("'%s' is no count: give how many samples are wanted", c->operand[1]);
		return EXIT_USAGE;
	}
	if (!tree_pick(c, NULL, &t))
		return EXIT_FAILED;
	job_catch_signals();
	return run(c, &t, pause, nr) ? EXIT_DONE : EXIT_FAILED;
}
