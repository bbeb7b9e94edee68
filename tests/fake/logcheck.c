// SPDX-License-Identifier: GPL-2.0-or-later
/* Holds what the walker hands out against what was written. */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/fake/logcheck.h"

/* libcheck's own assertions each write to a file, whether they hold or not. */
#define require(cond)                                              \
	do {                                                       \
		if (!(cond))                                       \
			ck_abort_msg("'%s' does not hold", #cond); \
	} while (0)
#define require_eq(a, b)                                                          \
	do {                                                                      \
		uintmax_t a_ = (uintmax_t)(a), b_ = (uintmax_t)(b);               \
		if (a_ != b_)                                                     \
			ck_abort_msg("'%s' is %ju, '%s' is %ju", #a, a_, #b, b_); \
	} while (0)

static void add(struct logcheck *w, const struct logbuild_record *r)
{
	if (w->nr == w->room) {
		w->room = w->room ? 2 * w->room : 64;
		w->got = realloc(w->got, w->room * sizeof(*w->got));
		require(w->got);
	}
	w->got[w->nr++] = r;
}

static void check_chain(const struct logcheck *w, const struct logscan_record *r)
{
	const struct superblock *sb = &w->b->sb;
	const struct logbuild_record *last = w->nr ? w->got[w->nr - 1] : NULL;

	require_eq(r->lsn, last ? last->lsn + 1 : sb->tail_lsn);
	require_eq(le64_get(r->header->link), last ? last->checksum : sb->tail_link);
	require(r->branch >= (last ? last->branch : sb->tail_branch));
}

static void check_header(const struct logscan_record *r, const struct logbuild_record *written)
{
	if (!written)
		ck_abort_msg("record %ju was never written to segment %ju, block %u",
			     (uintmax_t)r->lsn, (uintmax_t)r->segment_id, r->offset);
	require(memcmp(r->header, written->bytes, BLOCK_BYTES) == 0);
	require_eq(r->lsn, written->lsn);
	require_eq(r->branch, written->branch);
	require_eq(r->segment_id, written->segment);
	require_eq(r->offset, written->offset);
}

static void check_blocks(struct logcheck *w, struct logscan *s, const struct logscan_record *r,
			 const struct logbuild_record *written)
{
	static _Alignas(BLOCK_BYTES) uint8_t buf[BLOCK_BYTES];
	const uint8_t *block = written->bytes;

	for (uint32_t i = 0; i < le16_get(r->header->nr_entries); i++) {
		bool has_data = !(r->header->entry_flags[i] & ENTRY_NO_DATA);
		int ret = logscan_block(s, r, i, buf);

		if (has_data)
			block += BLOCK_BYTES;
		if (!has_data || r->header->dirty[i] == 0) {
			require(ret == -EINVAL);
			continue;
		}
		if (ret == -EUCLEAN && !r->is_checked) {
			w->rotten++;
			continue;
		}
		require(ret == 0);
		require(memcmp(buf, block, BLOCK_BYTES) == 0);
	}
	require(logscan_block(s, r, RECORD_ENTRIES_MAX, buf) == -EINVAL);
}

static int on_record(struct logscan *s, const struct logscan_record *r, void *arg)
{
	struct logcheck *w = arg;
	const struct logbuild_record *written;

	if (w->stop_with && (int)w->nr == w->stop_at)
		return w->stop_with;
	written = logbuild_find(w->b, r->segment_id, r->offset, r->link);
	check_header(r, written);
	check_chain(w, r);
	/* a device that fails would fail here, too */
	if (w->b->mem->fail_at == 0 && w->b->mem->bad_bytes == 0)
		check_blocks(w, s, r, written);
	if (r->is_checked && !w->first_checked)
		w->first_checked = r->lsn;
	require(r->is_checked || !w->first_checked);
	add(w, written);
	return 0;
}

static void check_result(const struct logcheck *w)
{
	const struct logscan_result *r = &w->result;
	const struct logbuild_record *last = w->nr ? w->got[w->nr - 1] : NULL;
	const struct superblock *sb = &w->b->sb;
	uint64_t lap = sb->last_migrated_segment_id + sb->nr_segments;

	require_eq(r->records, w->nr);
	require_eq(r->last_lsn, last ? last->lsn : sb->tail_lsn - 1);
	require_eq(r->last_link, last ? last->checksum : sb->tail_link);
	require_eq(r->last_branch, last ? last->branch : sb->tail_branch);
	require_eq(r->end_segment, last ? last->segment : sb->last_migrated_segment_id + 1);
	require_eq(r->end_offset, last ? last->offset + last->blocks : 0);
	require_eq(r->next_first, r->end_segment + (last ? 1 : 0));
	require(r->next_last <= (r->end_segment + sb->pool_segments));
	require(r->next_last <= (lap));
	require(r->durable_lsn <= (r->last_lsn));
	require(r->durable_lsn >= (sb->durable_lsn));
	require(!r->text[0]);
}

void logcheck_walk_conf(struct logcheck *w, struct logbuild *b, const struct logscan_conf *conf)
{
	struct logcheck new = {
		.b = b,
		.got = w->got,
		.room = w->room,
		.stop_at = w->stop_at,
		.stop_with = w->stop_with,
	};

	*w = new;
	w->ret = logscan_walk_conf(&b->mem->dev, &b->sb, conf, on_record, w, &w->result);
	if (w->ret == 0) {
		check_result(w);
	} else if (w->ret == -EUCLEAN) {
		require(w->result.is_damaged != w->result.is_refused);
		require(w->result.text[0]);
		require(conf->deliver_damaged || w->nr == 0);
	}
}

void logcheck_walk(struct logcheck *w, struct logbuild *b)
{
	struct logscan_conf conf = { 0 };

	logcheck_walk_conf(w, b, &conf);
}

void logcheck_free(struct logcheck *w)
{
	free(w->got);
	*w = (struct logcheck){ 0 };
}

void logcheck_expect_end(struct logbuild *b, uint64_t last_lsn)
{
	struct logcheck w = { 0 };

	logcheck_walk(&w, b);
	if (w.ret)
		ck_abort_msg("%d: %s", w.ret, w.result.text);
	require_eq(w.result.last_lsn, last_lsn);
	logcheck_free(&w);
}

void logcheck_expect_damage(struct logbuild *b, uint64_t missing_lsn)
{
	struct logcheck w = { 0 };
	char text[64];

	logcheck_walk(&w, b);
	require(w.ret == -EUCLEAN);
	require(w.result.is_damaged);
	require_eq(w.result.last_lsn, missing_lsn - 1);
	snprintf(text, sizeof(text), "record %ju is missing", (uintmax_t)missing_lsn);
	require(strstr(w.result.text, text));
	logcheck_free(&w);
}

void logcheck_expect_refusal(struct logbuild *b, const char *text)
{
	struct logcheck w = { 0 };

	logcheck_walk(&w, b);
	require(w.ret == -EUCLEAN);
	require(w.result.is_refused);
	if (!strstr(w.result.text, text))
		ck_abort_msg("'%s' is not in '%s'", text, w.result.text);
	logcheck_free(&w);
}
