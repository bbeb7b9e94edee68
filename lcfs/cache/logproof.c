// SPDX-License-Identifier: GPL-2.0-or-later
/* What is known to have been durable. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/align.h"
#include "lcfs/cache/logproof.h"

void logproof_free(struct logproof *p)
{
	free(p->found);
	*p = (struct logproof){ 0 };
}

static void take(struct logproof *p, const struct logproof_claim *claim)
{
	if (claim->durable_lsn > p->best.durable_lsn)
		p->best = *claim;
}

void logproof_start(struct logproof *p, const struct superblock *sb, uint64_t table_lsn)
{
	struct logproof_claim claim = { .source = LOGPROOF_SUPERBLOCK,
					.durable_lsn = sb->durable_lsn };

	p->best = claim;
	if (sb->epoch_start_lsn != 0) {
		claim.durable_lsn = sb->epoch_start_lsn - 1;
		take(p, &claim);
	}
	claim = (struct logproof_claim){ .source = LOGPROOF_TABLE, .durable_lsn = table_lsn };
	take(p, &claim);
}

static struct logproof_claim claim_of(const struct record_disk *h)
{
	return (struct logproof_claim){
		.source = LOGPROOF_RECORD,
		.durable_lsn = le64_get(h->durable_lsn),
		.lsn = le64_get(h->lsn),
		.branch = le64_get(h->branch),
		.segment = le64_get(h->segment_id),
	};
}

void logproof_record(struct logproof *p, const struct record_disk *h)
{
	struct logproof_claim claim = claim_of(h);

	take(p, &claim);
}

/* Only claims above D matter, and there are few of them if any. */
static int add_found(struct logproof *p, const struct record_disk *h, uint32_t offset)
{
	struct logproof_claim claim = claim_of(h), *found = p->found;
	size_t room = p->room ? 2 * p->room : 16;

	if (claim.durable_lsn <= p->best.durable_lsn)
		return 0;
	if (p->nr_found == p->room) {
		found = realloc(found, room * sizeof(*found));
		if (!found)
			return -ENOMEM;
		p->found = found;
		p->room = room;
	}
	claim.offset = offset;
	p->found[p->nr_found++] = claim;
	return 0;
}

static int look_at_block(struct logproof *p, struct logchain *c, const void *h, uint64_t segment,
			 uint32_t offset)
{
	int ret = logchain_inspect(c, h, segment, offset);

	return ret > 0 ? add_found(p, h, offset) : ret;
}

/*
 * Something in that segment cannot be read. Where the next record may stand, that could be one that
 * is missing; anywhere else it is a proof less, of those that each later record brings. But it is
 * an error if nothing can be read.
 */
static int look_one_by_one(struct logproof *p, struct logchain *c, const struct logchain_pos *end,
			   uint64_t segment, uint32_t from)
{
	bool has_any = false;
	int error = 0;

	for (uint32_t offset = from; offset < c->read.segment_blocks; offset++) {
		const void *h;
		int ret = logread_load(&c->read, segment, offset, 1, &h);

		if (ret && !logchain_may_stand(c->read.sb, end, segment, offset)) {
			error = ret;
			continue;
		}
		has_any = true;
		if (!ret)
			ret = look_at_block(p, c, h, segment, offset);
		if (ret)
			return ret;
	}
	return has_any ? 0 : error;
}

static int look_at_segment(struct logproof *p, struct logchain *c, const struct logchain_pos *end,
			   uint64_t segment, uint64_t until)
{
	uint32_t from = segment == end->segment ? end->offset : 0;
	const uint8_t *blocks;
	int ret = logread_segment(&c->read, segment, until, &blocks);

	if (ret)
		return look_one_by_one(p, c, end, segment, from);
	for (uint32_t offset = from; offset < c->read.segment_blocks && !ret; offset++)
		ret = look_at_block(p, c, blocks + ((size_t)offset << BLOCK_SHIFT), segment,
				    offset);
	return ret;
}

int logproof_look_ahead(struct logproof *p, struct logchain *c, const struct logchain_pos *end)
{
	uint64_t last = min(end->segment + c->window + 1, c->read.last);
	int ret;

	p->nr_found = 0;
	for (uint64_t segment = end->segment; segment <= last; segment++) {
		ret = look_at_segment(p, c, end, segment, last);
		if (ret)
			return ret;
	}
	/* only now is known what is abandoned */
	for (size_t i = 0; i < p->nr_found; i++) {
		if (!logchain_is_abandoned(c, p->found[i].branch, p->found[i].lsn))
			take(p, &p->found[i]);
	}
	return 0;
}

static void describe(const struct logproof_claim *claim, char *text, size_t size)
{
	if (claim->source == LOGPROOF_SUPERBLOCK)
		snprintf(text, size, "the super block");
	else if (claim->source == LOGPROOF_TABLE)
		snprintf(text, size, "the image table");
	else
		snprintf(text, size, "record %" PRIu64 " in segment %" PRIu64 " at block %" PRIu32,
			 claim->lsn, claim->segment, claim->offset);
}

int logproof_judge(const struct logproof *p, const struct logchain *c,
		   const struct logchain_pos *end, char *text, size_t size)
{
	uint64_t first, last;
	char source[100];

	if (p->best.durable_lsn <= end->lsn)
		return 0;
	logchain_successors(c, end, &first, &last);
	describe(&p->best, source, sizeof(source));
	snprintf(text, size,
		 "record %" PRIu64
		 " is missing: nothing that counts as such stands in segment %" PRIu64
		 " at block %" PRIu32 " or at the start of segments %" PRIu64 " to %" PRIu64
		 ", but according to %s everything up to record %" PRIu64 " was durable",
		 end->lsn + 1, end->segment, end->offset, first, last, source, p->best.durable_lsn);
	return -EUCLEAN;
}
