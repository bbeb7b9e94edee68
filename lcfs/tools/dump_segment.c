// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Whatever stands in one segment, whether or not it counts: also records of an earlier lap or an
 * abandoned tail, and what is behind a damaged one.
 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "common/align.h"
#include "common/checksum.h"
#include "lcfs/cache/logread.h"
#include "lcfs/tools/dump.h"

struct segment {
	struct dump *d;
	const uint8_t *blocks;
	uint64_t id;
	uint32_t offset; /* of the record that is looked at */
};

static const struct record_disk *header_at(const struct segment *s, uint32_t offset)
{
	return (const void *)(s->blocks + (uint64_t)offset * BLOCK_BYTES);
}

static int read_block(void *ctx, uint32_t i, void *buf)
{
	const struct segment *s = ctx;
	const struct record_disk *h = header_at(s, s->offset);
	uint32_t block = s->offset + record_entry_block(h, i);

	memcpy(buf, s->blocks + (uint64_t)block * BLOCK_BYTES, BLOCK_BYTES);
	return checksum_block(buf) == le32_get(h->sum[i]) ? 0 : -EUCLEAN;
}

static void print_record(struct segment *s, const struct record_disk *h)
{
	struct dump *d = s->d;

	report_line(&d->report, "record");
	report_u64(&d->report, "offset", s->offset);
	dump_record_facts(d, h);
	/* else it is of an earlier lap of the ring */
	report_bool(&d->report, "is_of_segment", le64_get(h->segment_id) == s->id);
	dump_record_entries(d, h, read_block, s);
	report_end(&d->report);
}

/* Blocks [from, s->offset) are no records; why is that of the first. */
static void print_gap(struct segment *s, uint32_t from, enum format_reason why)
{
	struct report *r = &s->d->report;

	if (from == s->offset)
		return;
	report_line(r, "no_record");
	report_u64(r, "offset", from);
	report_u64(r, "blocks", s->offset - from);
	report_text(r, "reason", format_reason_text(why));
	report_end(r);
}

static void print_blocks(struct segment *s)
{
	const struct superblock *sb = s->d->sb;
	uint32_t all = superblock_segment_blocks(sb), gap = 0;
	enum format_reason why, first = FORMAT_OK;
	uint64_t address = superblock_segment_address(sb, s->id);

	while (s->offset < all) {
		const struct record_disk *h = header_at(s, s->offset);

		why = record_verify(h, sb->cache_uuid, sb->key, address + s->offset);
		if (why == FORMAT_OK && s->offset + record_blocks(h) > all)
			why = FORMAT_BAD_LENGTH;
		if (why == FORMAT_OK) {
			print_gap(s, gap, first);
			print_record(s, h);
			s->offset += record_blocks(h);
			gap = s->offset;
			continue;
		}
		first = s->offset == gap ? why : first;
		s->d->has_problem |= format_is_refusal(why);
		s->offset++;
	}
	print_gap(s, gap, first);
}

void dump_segment(struct dump *d, uint64_t id)
{
	struct segment s = { .d = d, .id = id };
	struct logread read;
	const void *blocks;
	int err;

	if (id < d->sb->ring_base_id || id > UINT64_MAX / 2) {
		dump_problem(d, "there is no segment %" PRIu64, id);
		return;
	}
	err = logread_init(&read, d->cache.blkdev, d->sb);
	if (!err) {
		/* one that is not in the log now may be looked at, too */
		read.first = min(read.first, id);
		read.last = max(read.last, id);
		err = logread_load(&read, id, 0, superblock_segment_blocks(d->sb), &blocks);
	}
	if (err) {
		dump_problem(d, "segment %" PRIu64 " cannot be read: %s", id, strerror(-err));
	} else {
		s.blocks = blocks;
		report_array(&d->report, "segment_records");
		print_blocks(&s);
		report_end(&d->report);
	}
	logread_free(&read);
}
