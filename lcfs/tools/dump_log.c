// SPDX-License-Identifier: GPL-2.0-or-later
/* What the log holds from its tail to its end, as the walk of recovery finds it. */
#include <inttypes.h>
#include <string.h>

#include "lcfs/cache/logscan.h"
#include "lcfs/tools/dump.h"

/* ------------------------------------------------------------------ the walk and its end */

static void print_result(struct dump *d, const struct logscan_result *w, int err)
{
	struct report *r = &d->report;

	report_object(r, "log");
	if (err)
		dump_problem(d, "%s", w->text[0] ? w->text : strerror(-err));
	report_u64(r, "records", w->records);
	report_u64(r, "live_entries", w->entries);
	report_u64(r, "segments", w->segments);
	report_u64(r, "tail_lsn", d->sb->tail_lsn);
	report_u64(r, "last_lsn", w->last_lsn);
	report_u64(r, "durable_lsn", w->durable_lsn);
	report_u64(r, "end_segment", w->end_segment);
	report_u64(r, "end_offset", w->end_offset);
	report_u64(r, "free_segments",
		   d->sb->nr_segments - (w->end_segment - d->sb->last_migrated_segment_id));
	report_bool(r, "is_damaged", w->is_damaged);
	report_bool(r, "is_refused", w->is_refused);
	report_end(r);
}

static must_check int walk(const struct dump *d, logscan_record_fn fn, void *arg,
			   struct logscan_result *w)
{
	static const struct logscan_conf conf = { .deliver_damaged = true };

	return logscan_walk_conf(d->cache.blkdev, d->sb, &conf, fn, arg, w);
}

/* ------------------------------------------------------------------ segments */

struct segment_facts {
	struct dump *d;
	uint64_t id; /* 0: none yet */
	uint64_t records, entries, live, blocks, first_lsn, last_lsn, time_ns;
};

static void print_segment(const struct segment_facts *s)
{
	struct report *r = &s->d->report;
	const struct superblock *sb = s->d->sb;

	if (!s->id)
		return;
	report_line(r, "segment");
	report_u64(r, "segment", s->id);
	report_u64(r, "slot", superblock_slot(sb, s->id));
	report_u64(r, "address", superblock_segment_address(sb, s->id) * BLOCK_BYTES);
	report_u64(r, "first_lsn", s->first_lsn);
	report_u64(r, "last_lsn", s->last_lsn);
	report_u64(r, "records", s->records);
	report_u64(r, "entries", s->entries);
	report_u64(r, "live", s->live);
	report_u64(r, "blocks_used", s->blocks);
	report_u64(r, "blocks", superblock_segment_blocks(sb));
	report_u64(r, "time_ns", s->time_ns);
	report_end(r);
}

static int add_record(struct logscan *scan, const struct logscan_record *rec, void *arg)
{
	struct segment_facts *s = arg;
	uint32_t nr = le16_get(rec->header->nr_entries);

	(void)scan;
	if (s->id != rec->segment_id) {
		print_segment(s);
		*s = (struct segment_facts){ .d = s->d,
					     .id = rec->segment_id,
					     .first_lsn = rec->lsn };
	}
	s->records++;
	s->entries += nr;
	for (uint32_t i = 0; i < nr; i++)
		s->live += rec->header->dirty[i] != 0;
	s->blocks += record_blocks(rec->header);
	s->last_lsn = rec->lsn;
	s->time_ns = le64_get(rec->header->time_ns);
	return 0;
}

void dump_segments(struct dump *d)
{
	struct segment_facts s = { .d = d };
	struct logscan_result w = { 0 };
	int err;

	report_array(&d->report, "segments");
	err = walk(d, add_record, &s, &w);
	print_segment(&s);
	report_end(&d->report);
	print_result(d, &w, err);
}

/* ------------------------------------------------------------------ records */

struct scan_place {
	struct logscan *scan;
	const struct logscan_record *rec;
};

static int read_block(void *ctx, uint32_t i, void *buf)
{
	const struct scan_place *p = ctx;

	return logscan_block(p->scan, p->rec, i, buf);
}

static int print_record(struct logscan *scan, const struct logscan_record *rec, void *arg)
{
	struct scan_place place = { scan, rec };
	struct dump *d = arg;

	report_line(&d->report, "record");
	dump_record_facts(d, rec->header);
	report_bool(&d->report, "was_verified", rec->is_checked);
	dump_record_entries(d, rec->header, read_block, &place);
	report_end(&d->report);
	return 0;
}

void dump_records(struct dump *d)
{
	struct logscan_result w = { 0 };
	int err;

	report_array(&d->report, "records");
	err = walk(d, print_record, d, &w);
	report_end(&d->report);
	print_result(d, &w, err);
}
