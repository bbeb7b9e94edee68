// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The walker is safe on any log, and what it hands out is one chain of valid records.
 *
 * Random bytes never get past a checksum that is seeded with a secret key, so the input is a
 * program for a writer: it appends, flushes, begins branches and epochs, loses sectors, and changes
 * headers and seals them again, so that they are valid and wrong.
 */
#include <errno.h>
#include <string.h>

#include "lcfs/cache/logscan.h"
#include "tests/fake/logbuild.h"
#include "tests/fuzz/fuzz.h"

#define STEPS_MAX 400
#define SEGMENTS 16

/* ---- the writer ---- */

static const struct logbuild_record *record_of(const struct logbuild *b, struct fuzz_input *in)
{
	uint8_t back = fuzz_byte(in);

	return b->nr ? b->records[b->nr - 1 - back % b->nr] : NULL;
}

static uint64_t segment_of(const struct logbuild *b, struct fuzz_input *in)
{
	return b->segment + fuzz_byte(in) % SEGMENTS;
}

static void change_header(struct logbuild *b, struct fuzz_input *in)
{
	const struct logbuild_record *r = record_of(b, in);
	struct record_disk *h;
	uint64_t value;
	uint32_t i;

	if (!r)
		return;
	h = logbuild_at(b, r->segment, r->offset);
	i = fuzz_byte(in);
	value = fuzz_number(in);
	if (i < 16) {
		/* one of the 64-bit fields from branch on; small numbers are added */
		le64_t *field = &h->branch + i % 9;

		*field = le64_make(value < 0xf0 ? le64_get(*field) + value - 8 : value);
	} else if (i < 32) {
		uint8_t *bytes = (uint8_t *)h;

		bytes[32 + value % (BLOCK_BYTES - 32)] ^= (uint8_t)(1 + i % 16);
	} else {
		i %= RECORD_ENTRIES_MAX;
		h->dirty[i] = (uint8_t)value;
		h->entry_flags[i] = (uint8_t)(value >> 4);
	}
	logbuild_seal(b, r->segment, r->offset);
}

/* What the walk is told wrongly; the writer goes by the true super block. */
struct change {
	uint8_t field;
	uint64_t value;
};

static void change_superblock(struct superblock *sb, const struct change *change)
{
	uint64_t *const field[] = {
		&sb->last_migrated_segment_id,
		&sb->tail_lsn,
		&sb->tail_link,
		&sb->tail_branch,
		&sb->durable_lsn,
		&sb->epoch_start_lsn,
		&sb->epoch,
		&sb->nr_segments,
		&sb->ring_base_id,
		&sb->ring_base_slot,
	};
	uint64_t *f = field[change->field % (sizeof(field) / sizeof(field[0]))];

	*f = change->value < 0xf0 ? *f + change->value - 4 : change->value;
}

/* A self-valid copy of a header in another place. */
static void copy_header(struct logbuild *b, struct fuzz_input *in)
{
	const struct logbuild_record *r = record_of(b, in);
	uint64_t segment = segment_of(b, in);
	uint32_t offset = fuzz_byte(in) % superblock_segment_blocks(&b->sb);
	struct record_disk *h;

	if (!r)
		return;
	h = logbuild_at(b, segment, offset);
	memmove(h, r->bytes, sizeof(*h));
	h->segment_id = le64_make(segment);
	h->address = le64_make(logbuild_byte(b, segment, offset) >> BLOCK_SHIFT);
	logbuild_seal(b, segment, offset);
}

static void lose(struct logbuild *b, struct fuzz_input *in)
{
	const struct logbuild_record *r = record_of(b, in);
	uint32_t sectors, first;

	if (!r)
		return;
	sectors = r->blocks * SECTORS_PER_BLOCK;
	first = fuzz_byte(in) % sectors;
	logbuild_undo(b, r, first, 1 + fuzz_byte(in) % (sectors - first));
}

static void do_step(struct logbuild *b, struct fuzz_input *in, struct change *change)
{
	uint32_t room = superblock_segment_blocks(&b->sb);
	const struct logbuild_record *r;

	switch (fuzz_byte(in) % 12) {
	case 0:
	case 1:
		logbuild_append(b, 1 + fuzz_byte(in) % (room - 1));
		break;
	case 2:
		logbuild_flush(b);
		break;
	case 3:
		logbuild_move(b, segment_of(b, in), 0);
		break;
	case 4:
		r = record_of(b, in);
		logbuild_branch_after(b, b->branch + fuzz_byte(in) % 4, r, segment_of(b, in));
		break;
	case 5:
		r = record_of(b, in);
		logbuild_epoch_after(b, r, segment_of(b, in));
		break;
	case 6:
		r = record_of(b, in);
		if (r && r->offset == 0)
			logbuild_tail(b, r);
		break;
	case 7:
		lose(b, in);
		break;
	case 8:
		change_header(b, in);
		break;
	case 9:
		change->field = fuzz_byte(in);
		change->value = fuzz_number(in);
		break;
	case 10:
		copy_header(b, in);
		break;
	default:
		b->durable_lsn = fuzz_number(in);
		break;
	}
}

/* ---- the walk ---- */

struct walked {
	const struct logbuild *b;
	uint64_t lsn, link, branch, records;
};

static void check_blocks(struct logscan *s, const struct logscan_record *r)
{
	static _Alignas(BLOCK_BYTES) uint8_t buf[BLOCK_BYTES];

	for (uint32_t i = 0; i < le16_get(r->header->nr_entries); i++) {
		int ret = logscan_block(s, r, i, buf);

		FUZZ_CHECK(ret == 0 || ret == -EINVAL || (ret == -EUCLEAN && !r->is_checked));
		FUZZ_CHECK((ret == -EINVAL) ==
			   (r->header->dirty[i] == 0 || record_entry_block(r->header, i) == 0));
	}
}

static int on_record(struct logscan *s, const struct logscan_record *r, void *arg)
{
	struct walked *w = arg;
	const struct logbuild *b = w->b;
	uint64_t address = logbuild_byte(b, r->segment_id, r->offset) >> BLOCK_SHIFT;

	FUZZ_CHECK(record_verify(r->header, b->sb.cache_uuid, b->sb.key, address) == FORMAT_OK);
	FUZZ_CHECK(memcmp(r->header, logbuild_at(b, r->segment_id, r->offset), BLOCK_BYTES) == 0);
	FUZZ_CHECK(r->offset + record_blocks(r->header) <= superblock_segment_blocks(&b->sb));
	FUZZ_CHECK(r->segment_id > b->sb.last_migrated_segment_id);
	FUZZ_CHECK(r->segment_id - b->sb.last_migrated_segment_id <= b->sb.nr_segments);
	FUZZ_CHECK(r->lsn == w->lsn + 1 && le64_get(r->header->link) == w->link);
	FUZZ_CHECK(r->branch >= w->branch && r->branch >> 16 <= b->sb.epoch);
	check_blocks(s, r);
	w->lsn = r->lsn;
	w->link = r->link;
	w->branch = r->branch;
	w->records++;
	return 0;
}

static int walk(const struct logbuild *b, const struct logscan_conf *conf,
		struct logscan_result *result)
{
	struct walked w = {
		.b = b,
		.lsn = b->sb.tail_lsn - 1,
		.link = b->sb.tail_link,
		.branch = b->sb.tail_branch,
	};
	int ret;

	ret = logscan_walk_conf(&b->mem->dev, &b->sb, conf, on_record, &w, result);
	FUZZ_CHECK(ret == 0 || ret == -EUCLEAN);
	FUZZ_CHECK((ret == 0) == (result->text[0] == 0));
	FUZZ_CHECK((ret != 0) == (result->is_damaged || result->is_refused));
	if (ret == 0 || conf->deliver_damaged)
		FUZZ_CHECK(w.records == result->records);
	else
		FUZZ_CHECK(w.records == 0);
	if (ret == 0)
		FUZZ_CHECK(w.lsn == result->last_lsn && result->durable_lsn <= w.lsn);
	return ret;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct logscan_conf conf[] = {
		{ 0 },
		{ .keep_bytes = 1 },
		{ .deliver_damaged = true },
	};
	struct fuzz_input in = { .at = data, .end = data + size };
	struct logscan_result result[3];
	struct change change = { .value = 4 };
	struct logbuild b;
	int ret[3];

	logbuild_init(&b, SEGMENT_ORDER_MIN + fuzz_byte(&in) % 4, SEGMENTS, fuzz_byte(&in) % 5);
	for (int steps = 0; steps < STEPS_MAX && in.at < in.end; steps++)
		do_step(&b, &in, &change);
	change_superblock(&b.sb, &change);
	for (int i = 0; i < 3; i++)
		ret[i] = walk(&b, &conf[i], &result[i]);
	for (int i = 1; i < 3; i++) {
		FUZZ_CHECK(ret[i] == ret[0]);
		FUZZ_CHECK(result[i].last_lsn == result[0].last_lsn);
		FUZZ_CHECK(result[i].durable_lsn == result[0].durable_lsn);
		FUZZ_CHECK(strcmp(result[i].text, result[0].text) == 0);
	}
	logbuild_free(&b);
	return 0;
}
