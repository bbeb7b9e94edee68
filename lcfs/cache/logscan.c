// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The one walker of the log.
 *
 *   1. Follow the chain of headers from the tail to where no successor stands (logchain.c).
 *   2. Look ahead: behind the end, every block of the rest of the segment and of the next W + 1
 *      segments may hold a header of this log that the chain did not reach. It is proof of two
 *      things: that lower branches are abandoned from its branch's first LSN on, and that all up to
 *      its durable_lsn had been durable. If a record of the chain turns out to be abandoned, it
 *      does not count, and the walk starts over with what is now known.
 *   3. D is the highest LSN that anything says was durable: the super block, the image table, the
 *      records of the chain, and those found ahead that are not abandoned. If the chain ends below
 *      D, a durable record is missing: damage.
 *   4. Records above D may be torn: their blocks are read and their sums verified. The first that
 *      fails ends the log; no proof covers it, for it is above D, and what follows it in the chain
 *      is no part of the log any more. From the new end it is looked ahead again.
 *   5. Hand out what counts.
 *
 * Headers are kept between 1 and 5 as far as memory allows, the newest ones, so that each is read
 * once; those that were dropped are read a second time. One owner, no locks.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/align.h"
#include "common/checksum.h"
#include "lcfs/cache/logchain.h"
#include "lcfs/cache/logkeep.h"
#include "lcfs/cache/logproof.h"
#include "lcfs/cache/logscan.h"

/* Each start over is due to a newer branch that was found ahead; there are not many of them. */
#define TRIES_MAX 16
#define HINT_OPS_RECORDS 64

/* Consecutive records of one branch. */
struct run {
	uint64_t branch, first_lsn, last_lsn;
};

struct logscan {
	struct logchain chain;
	struct logkeep keep;
	struct logproof proof;
	const struct logscan_conf *conf;
	struct logscan_result *result;
	logscan_record_fn fn;
	void *arg;

	struct logchain_pos last;  /* behind the last record that counts, as far as is known yet */
	struct logchain_pos sound; /* behind the last one whose blocks were verified */
	uint64_t checked_from;     /* from this LSN on blocks were verified */
	struct run *runs;          /* of the chain, ascending */
	size_t nr_runs, runs_room;
	uint64_t ops;                 /* live entries with operations in the chain */
	struct logkeep_pos ahead_pos; /* operations of records up to ahead_lsn have been hinted */
	uint64_t ahead_lsn;
	struct record_disk header, ahead;
};

/* ---- pass 1: the chain ---- */

static void count_record(struct logscan *s, const struct record_disk *h, uint64_t last_segment)
{
	struct logscan_result *r = s->result;
	uint32_t nr = le16_get(h->nr_entries);

	r->records++;
	r->segments += r->records == 1 || le64_get(h->segment_id) != last_segment;
	for (uint32_t i = 0; i < nr; i++) {
		r->entries += h->dirty[i] != 0;
		s->ops += h->dirty[i] != 0 && (h->entry_flags[i] & ENTRY_OP);
	}
}

static void count_none(struct logscan *s)
{
	s->result->records = 0;
	s->result->segments = 0;
	s->result->entries = 0;
	s->ops = 0;
}

static int add_to_run(struct logscan *s, uint64_t branch, uint64_t lsn)
{
	size_t room = s->runs_room ? 2 * s->runs_room : 16;
	struct run *runs;

	if (s->nr_runs > 0 && s->runs[s->nr_runs - 1].branch == branch) {
		s->runs[s->nr_runs - 1].last_lsn = lsn;
		return 0;
	}
	if (s->nr_runs == s->runs_room) {
		runs = realloc(s->runs, room * sizeof(*runs));
		if (!runs)
			return -ENOMEM;
		s->runs = runs;
		s->runs_room = room;
	}
	s->runs[s->nr_runs++] = (struct run){ branch, lsn, lsn };
	return 0;
}

static int take_record(struct logscan *s, const struct record_disk *h, uint64_t last_segment)
{
	int ret;

	ret = logkeep_add(&s->keep, h);
	if (!ret)
		ret = add_to_run(s, le64_get(h->branch), le64_get(h->lsn));
	if (ret)
		return ret;
	logproof_record(&s->proof, h);
	count_record(s, h, last_segment);
	return 0;
}

static int walk_headers(struct logscan *s)
{
	const struct record_disk *h;
	struct logchain_pos pos;
	int ret;

	logkeep_clear(&s->keep);
	count_none(s);
	logproof_start(&s->proof, s->chain.read.sb, s->conf->must_reach);
	s->nr_runs = 0;
	pos = s->last = logchain_start(&s->chain);
	while ((ret = logchain_next(&s->chain, &pos, &h)) > 0) {
		ret = take_record(s, h, s->last.segment);
		if (ret)
			return ret;
		s->last = pos;
	}
	return ret;
}

/* Has a record of the chain been found abandoned after it was taken? */
static bool chain_is_abandoned(const struct logscan *s)
{
	for (size_t i = 0; i < s->nr_runs && s->runs[i].first_lsn <= s->last.lsn; i++) {
		uint64_t last_lsn = min(s->runs[i].last_lsn, s->last.lsn);

		if (logchain_is_abandoned(&s->chain, s->runs[i].branch, last_lsn))
			return true;
	}
	return false;
}

/* ---- the chain once more ---- */

typedef int (*visit_fn)(struct logscan *s, const struct record_disk *h);

static int device_has_changed(struct logscan *s, uint64_t lsn)
{
	snprintf(s->result->text, sizeof(s->result->text),
		 "record %" PRIu64
		 " was there and is not any more: the device gives other contents "
		 "at the second reading",
		 lsn);
	return -EIO;
}

/* The part of the chain whose headers were not kept; *pos ends behind it. */
static int visit_dropped(struct logscan *s, uint64_t from, visit_fn visit, struct logchain_pos *pos)
{
	uint64_t to = min(s->keep.first_lsn - 1, s->last.lsn);
	const struct record_disk *h;
	int ret;

	*pos = logchain_start(&s->chain);
	while (pos->lsn < to) {
		ret = logchain_next(&s->chain, pos, &h);
		if (ret == 0)
			return device_has_changed(s, pos->lsn + 1);
		if (ret < 0)
			return ret;
		if (pos->lsn < from)
			continue;
		/* a visitor may load other blocks into the buffer where h stands */
		s->header = *h;
		ret = visit(s, &s->header);
		if (ret)
			return ret;
	}
	return 0;
}

/* Visits the records that count from LSN `from` on, in order; stops at what is not 0. */
static int visit_records(struct logscan *s, uint64_t from, visit_fn visit)
{
	bool is_reread = from < s->keep.first_lsn;
	struct logkeep_pos kept = logkeep_begin(&s->keep);
	struct logchain_pos pos;
	uint64_t lsn;
	int ret;

	if (is_reread) {
		ret = visit_dropped(s, from, visit, &pos);
		if (ret)
			return ret;
	}
	while (logkeep_next(&kept, &s->header)) {
		lsn = le64_get(s->header.lsn);
		if (lsn > s->last.lsn)
			break;
		if (is_reread && pos.link != le64_get(s->header.link))
			return device_has_changed(s, pos.lsn);
		is_reread = false;
		if (lsn < from)
			continue;
		ret = visit(s, &s->header);
		if (ret)
			return ret;
	}
	return 0;
}

/* ---- pass 2: blocks above D ---- */

/* 0, or 1 when a live entry's block is not what its sum says. */
static int check_sums(const struct record_disk *h, const uint8_t *blocks)
{
	uint32_t nr = le16_get(h->nr_entries);
	const uint8_t *block = blocks;

	for (uint32_t i = 0; i < nr; i++) {
		if (h->entry_flags[i] & ENTRY_NO_DATA)
			continue;
		if (h->dirty[i] && checksum_block(block) != le32_get(h->sum[i]))
			return 1;
		block += BLOCK_BYTES;
	}
	return 0;
}

static int check_blocks_of(struct logscan *s, const struct record_disk *h,
			   const struct logchain_pos *behind, uint32_t first_block)
{
	struct logread *read = &s->chain.read;
	const uint8_t *segment;
	const void *blocks;
	int ret;

	if (behind->blocks == 1)
		return 0;
	ret = logread_segment(read, behind->segment, s->last.segment, &segment);
	if (!ret)
		return check_sums(h, segment + ((size_t)first_block << BLOCK_SHIFT));
	ret = logread_load(read, behind->segment, first_block, behind->blocks - 1, &blocks);
	return ret ? ret : check_sums(h, blocks);
}

static int check_record(struct logscan *s, const struct record_disk *h)
{
	struct logchain_pos behind = logchain_behind(&s->chain, h);
	uint32_t first_block = behind.offset - behind.blocks + 1;
	int ret = 0;

	if (behind.lsn > s->proof.best.durable_lsn)
		ret = check_blocks_of(s, h, &behind, first_block);
	if (!ret)
		s->sound = behind;
	return ret;
}

/* 0, or 1 when the log was cut before a torn record. */
static int check_blocks(struct logscan *s)
{
	uint64_t durable_lsn = s->proof.best.durable_lsn;
	int ret;

	s->sound = logchain_start(&s->chain);
	/* the durable record itself is visited, too: the log may end behind it */
	ret = visit_records(s, durable_lsn, check_record);
	if (ret < 0)
		return ret;
	s->checked_from = durable_lsn + 1;
	if (ret > 0)
		s->last = s->sound;
	return ret;
}

static int look_ahead(struct logscan *s)
{
	return logproof_look_ahead(&s->proof, &s->chain, &s->last);
}

static int judge(struct logscan *s)
{
	struct logscan_result *r = s->result;
	int ret;

	ret = logproof_judge(&s->proof, &s->chain, &s->last, r->text, sizeof(r->text));
	r->is_damaged = ret != 0;
	return ret;
}

/* Finds out where the log ends, and that nothing is missing. */
static int find_end(struct logscan *s)
{
	uint64_t learnt;
	int ret;

	for (unsigned int tries = 0; tries < TRIES_MAX; tries++) {
		ret = walk_headers(s);
		if (!ret)
			ret = look_ahead(s);
		if (ret)
			return ret;
		if (chain_is_abandoned(s))
			continue;
		ret = judge(s);
		if (!ret)
			ret = check_blocks(s);
		if (ret <= 0)
			return ret;
		learnt = s->chain.branches.learnt;
		ret = look_ahead(s);
		if (ret)
			return ret;
		if (learnt == s->chain.branches.learnt)
			return judge(s);
	}
	snprintf(s->result->text, sizeof(s->result->text),
		 "records behind record %" PRIu64 " contradict each other about what is abandoned",
		 s->last.lsn);
	return -EUCLEAN;
}

/* ---- handing out ---- */

/* Lets the device get blocks of operations ready that fn will ask for soon. */
static void hint_ops(struct logscan *s, uint64_t lsn)
{
	uint64_t to = min(lsn + HINT_OPS_RECORDS, s->last.lsn);

	while (s->ops && s->ahead_lsn < to && logkeep_next(&s->ahead_pos, &s->ahead)) {
		struct logchain_pos at = logchain_behind(&s->chain, &s->ahead);
		uint32_t nr = le16_get(s->ahead.nr_entries), block = at.offset - at.blocks + 1;

		s->ahead_lsn = at.lsn;
		for (uint32_t i = 0; i < nr; i++) {
			if (s->ahead.entry_flags[i] & ENTRY_NO_DATA)
				continue;
			if (at.lsn >= lsn && s->ahead.dirty[i] &&
			    s->ahead.entry_flags[i] & ENTRY_OP)
				logread_hint(&s->chain.read, at.segment, block, 1);
			block++;
		}
	}
}

static int deliver_record(struct logscan *s, const struct record_disk *h)
{
	struct logchain_pos behind = logchain_behind(&s->chain, h);
	struct logscan_record r = {
		.header = h,
		.lsn = behind.lsn,
		.segment_id = behind.segment,
		.branch = behind.branch,
		.link = behind.link,
		.offset = behind.offset - behind.blocks,
		.is_checked = behind.lsn >= s->checked_from,
	};

	count_record(s, h, s->sound.segment);
	s->sound = behind;
	if (!s->fn)
		return 0;
	hint_ops(s, r.lsn);
	return s->fn(s, &r, s->arg);
}

static int deliver(struct logscan *s)
{
	uint64_t ops = s->ops;

	count_none(s);
	s->ops = ops;
	s->sound = logchain_start(&s->chain);
	s->ahead_pos = logkeep_begin(&s->keep);
	s->ahead_lsn = 0;
	return visit_records(s, 0, deliver_record);
}

int logscan_block(struct logscan *s, const struct logscan_record *r, uint32_t i, void *buf)
{
	uint32_t block = record_entry_block(r->header, i);
	const void *at;
	int ret;

	if (block == 0 || r->header->dirty[i] == 0)
		return -EINVAL;
	block += r->offset;
	at = logread_peek(&s->chain.read, r->segment_id, block, 1);
	if (at) {
		memcpy(buf, at, BLOCK_BYTES);
	} else {
		ret = logread_into(&s->chain.read, r->segment_id, block, 1, buf);
		if (ret)
			return ret;
	}
	return checksum_block(buf) == le32_get(r->header->sum[i]) ? 0 : -EUCLEAN;
}

/* error: what the walk ended with, or 0. Blocks that could not be read may not have been needed. */
static void fill_result(const struct logscan *s, int error)
{
	const struct logread *read = &s->chain.read;
	struct logscan_result *r = s->result;

	r->durable_lsn = s->proof.best.durable_lsn;
	r->last_lsn = s->last.lsn;
	r->last_link = s->last.link;
	r->last_branch = s->last.branch;
	r->end_segment = s->last.segment;
	r->end_offset = s->last.offset;
	r->highest_branch = s->chain.highest_branch;
	logchain_successors(&s->chain, &s->last, &r->next_first, &r->next_last);
	if (error && error == read->error && !r->text[0])
		snprintf(r->text, sizeof(r->text),
			 "cannot read segment %" PRIu64 " at block %" PRIu32 " (byte %" PRIu64
			 " of the device): %s",
			 read->error_segment, read->error_offset,
			 logread_address(read, read->error_segment, read->error_offset)
				 << BLOCK_SHIFT,
			 strerror(-read->error));
}

static int walk(struct logscan *s)
{
	int ret, verdict;

	verdict = find_end(s);
	if (verdict == -EUCLEAN)
		s->result->is_refused = !s->result->is_damaged;
	if (verdict && !(verdict == -EUCLEAN && s->conf->deliver_damaged))
		return verdict;
	ret = deliver(s);
	return ret ? ret : verdict;
}

int logscan_walk_conf(struct blkdev *dev, const struct superblock *sb,
		      const struct logscan_conf *conf, logscan_record_fn fn, void *arg,
		      struct logscan_result *result)
{
	struct logscan *s = calloc(1, sizeof(*s));
	int ret;

	*result = (struct logscan_result){ 0 };
	if (!s)
		return -ENOMEM;
	s->conf = conf;
	s->result = result;
	s->fn = fn;
	s->arg = arg;
	s->checked_from = UINT64_MAX;
	logkeep_init(&s->keep, conf->keep_bytes ? conf->keep_bytes : LOGSCAN_KEEP_BYTES);
	ret = logchain_init(&s->chain, dev, sb, result->text, sizeof(result->text));
	if (!ret) {
		ret = walk(s);
		fill_result(s, ret);
	} else if (ret == -EUCLEAN) {
		result->is_refused = true;
	}
	logchain_free(&s->chain);
	logkeep_clear(&s->keep);
	logproof_free(&s->proof);
	free(s->runs);
	free(s);
	return ret;
}

int logscan_walk(struct blkdev *dev, const struct superblock *sb, uint64_t must_reach,
		 logscan_record_fn fn, void *arg, struct logscan_result *result)
{
	struct logscan_conf conf = { .must_reach = must_reach };

	return logscan_walk_conf(dev, sb, &conf, fn, arg, result);
}
