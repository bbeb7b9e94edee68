// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The oracle's judgement.
 *
 * The edges of the pieces of a block cut it into segments; all bytes of a segment have the same
 * history. The content of a segment says which pieces it may show (versions differ in every byte;
 * zeros may stand for several pieces). Of these the oldest one that nothing contradicts is taken:
 * it proves the least. After a power cut each piece that is shown moves the cut, so the judgement
 * is repeated until the cut stands still.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/align.h"
#include "tests/sim/oracle.h"

#define SEGMENTS_MAX (2 * ORACLE_PIECES_MAX + ORACLE_SECTORS + 2)

struct segment {
	uint16_t lo, hi;
	int chosen;	/* index of a piece, -1: none yet */
	uint64_t match; /* pieces whose content it has */
};

struct shown {
	struct oracle_image *img;
	uint64_t block;
	uint32_t nr;
	struct segment segment[SEGMENTS_MAX];
};

struct judge {
	uint64_t before;  /* what was certain before this moment must be there */
	bool is_recovery; /* and what is durable or observed */
};

/* ---- messages ---- */

static void piece_text(const struct oracle_piece *p, char *buf, size_t size)
{
	const struct oracle_event *e = p->event;
	bool is_seen = false;

	for (uint32_t s = 0; s < ORACLE_SECTORS; s++)
		is_seen = is_seen || p->seen[s] != ORACLE_NEVER;
	snprintf(buf, size,
		 "version %u [%u,%u) of %s started %" PRIu64 " ended %" PRId64 "%s%s%s%s",
		 p->version, p->lo, p->hi,
		 e->kind == ORACLE_WRITE ? "write" :
		 e->kind == ORACLE_PUNCH ? "punch" :
					   "truncate",
		 e->start, (int64_t)e->end, e->is_ok ? " ok" : "", e->is_durable ? " durable" : "",
		 e->is_base ? " base" : "", is_seen ? " seen" : "");
}

static bool covers(const struct oracle_piece *p, const struct segment *s)
{
	return p->lo <= s->lo && s->hi <= p->hi;
}

static bool complain_unknown(struct oracle_image *img, uint64_t block, const struct segment *s,
			     const uint8_t *data)
{
	const struct oracle_block *b = &img->block[block];
	struct oracle *o = img->oracle;
	char source[120];
	int n;

	oracle_find_source(o, data + s->lo, s->lo, s->hi, source, sizeof(source));
	n = snprintf(o->text, sizeof(o->text),
		     "image %u block %" PRIu64 " bytes [%u,%u): content is %s, not one of:",
		     img->index, block, s->lo, s->hi, source);
	for (uint32_t i = 0; i < b->nr && n < (int)sizeof(o->text); i++)
		if (covers(b->piece[i], s))
			n += snprintf(o->text + n, sizeof(o->text) - (size_t)n, " %u",
				      b->piece[i]->version);
	return false;
}

static bool complain(struct oracle_image *img, uint64_t block, const struct segment *s,
		     const struct oracle_piece *a, const struct oracle_piece *b, const char *why)
{
	char ta[140], tb[140];

	piece_text(a, ta, sizeof(ta));
	piece_text(b, tb, sizeof(tb));
	snprintf(img->oracle->text, sizeof(img->oracle->text),
		 "image %u block %" PRIu64 " bytes [%u,%u) show %s, but %s: %s", img->index, block,
		 s->lo, s->hi, ta, why, tb);
	return false;
}

/* ---- segments ---- */

static int compare_edges(const void *a, const void *b)
{
	return *(const uint16_t *)a - *(const uint16_t *)b;
}

static bool is_operation(const struct oracle_piece *p)
{
	return p->event->kind != ORACLE_WRITE;
}

/* What may take effect sector by sector. */
static bool is_gradual(const struct oracle_piece *p)
{
	return is_operation(p) || p->event->is_straight;
}

static uint32_t sector_of(const struct segment *s)
{
	return s->lo / 512u;
}

static void cut_segments(const struct oracle_block *b, struct shown *sh)
{
	uint16_t edge[SEGMENTS_MAX + 2];
	bool has_gradual = false;
	uint32_t n = 0;

	if (b->nr > ORACLE_PIECES_MAX)
		abort();
	for (uint32_t i = 0; i < b->nr; i++) {
		has_gradual = has_gradual || is_gradual(b->piece[i]);
		edge[n++] = b->piece[i]->lo;
		edge[n++] = b->piece[i]->hi;
	}
	for (uint16_t at = 512; has_gradual && at < ORACLE_BLOCK; at += 512)
		edge[n++] = at;
	qsort(edge, n, sizeof(edge[0]), compare_edges);
	sh->nr = 0;
	for (uint32_t i = 1; i < n; i++) {
		if (edge[i] == edge[i - 1])
			continue;
		sh->segment[sh->nr++] =
			(struct segment){ .lo = edge[i - 1], .hi = edge[i], .chosen = -1 };
	}
}

/* Cuts the block and finds which pieces each segment may show. */
static bool match_block(struct oracle_image *img, uint64_t block, const uint8_t *data,
			struct shown *sh)
{
	struct oracle_block *b = &img->block[block];
	uint8_t content[ORACLE_BLOCK];

	sh->img = img;
	sh->block = block;
	cut_segments(b, sh);
	for (uint32_t p = 0; p < b->nr; p++) {
		const struct oracle_piece *piece = b->piece[p];

		oracle_content(img, block, piece->lo, piece->hi, piece->version, content);
		for (uint32_t i = 0; i < sh->nr; i++) {
			struct segment *s = &sh->segment[i];

			if (covers(piece, s) &&
			    !memcmp(content + (s->lo - piece->lo), data + s->lo, s->hi - s->lo))
				s->match |= 1ull << p;
		}
	}
	for (uint32_t i = 0; i < sh->nr; i++)
		if (!sh->segment[i].match)
			return complain_unknown(img, block, &sh->segment[i], data);
	return true;
}

/* ---- judgement ---- */

static bool must_be_there(const struct shown *sh, const struct judge *j, const struct segment *s,
			  const struct oracle_piece *p)
{
	uint64_t certain = oracle_certain_since(sh->block, p, sector_of(s));

	if (p->event->is_base || certain < j->before)
		return true;
	return j->is_recovery && (p->is_observed || p->event->is_observed ||
				  (p->event->is_durable && certain != ORACLE_NEVER));
}

/* A piece that covers the segment, is newer than a and must be there; NULL: none. */
static const struct oracle_piece *contradiction(const struct shown *sh, const struct judge *j,
						const struct segment *s,
						const struct oracle_piece *a)
{
	const struct oracle_block *b = &sh->img->block[sh->block];

	for (uint32_t i = 0; i < b->nr; i++) {
		const struct oracle_piece *p = b->piece[i];

		if (p != a && covers(p, s) && oracle_is_before(a, p, sector_of(s)) &&
		    must_be_there(sh, j, s, p))
			return p;
	}
	return NULL;
}

static bool is_single(uint64_t match)
{
	return (match & (match - 1)) == 0;
}

/* The piece that a segment shows for certain, else NULL. */
static struct oracle_piece *shown_piece(const struct shown *sh, const struct segment *s)
{
	return is_single(s->match) ? sh->img->block[sh->block].piece[__builtin_ctzll(s->match)] :
				     NULL;
}

/* Oldest piece first: it proves the least. */
static bool choose(const struct shown *sh, const struct judge *j, struct segment *s)
{
	const struct oracle_block *b = &sh->img->block[sh->block];
	const struct oracle_piece *why = NULL;
	int first = __builtin_ctzll(s->match);

	for (int i = s->chosen < 0 ? first : s->chosen; i < (int)b->nr; i++) {
		if (!(s->match >> i & 1))
			continue;
		why = contradiction(sh, j, s, b->piece[i]);
		if (!why) {
			s->chosen = i;
			return true;
		}
		first = i;
	}
	return complain(sh->img, sh->block, s, b->piece[first], why ? why : b->piece[first],
			"this is newer and must be there");
}

/* A straight write that had not been answered by then, or never will be: a part of it may show. */
static bool is_partial(const struct judge *j, const struct oracle_piece *p)
{
	return p->event->is_straight && (p->event->is_vague || p->event->end > j->before);
}

/* No two segments of a block may each show a piece that the other one's should have replaced. */
static bool check_mixture(const struct shown *sh, const struct judge *j)
{
	for (uint32_t i = 0; i < sh->nr; i++) {
		const struct segment *s = &sh->segment[i];
		const struct oracle_piece *a = shown_piece(sh, s);

		for (uint32_t k = 0; a && k < sh->nr; k++) {
			const struct segment *t = &sh->segment[k];
			const struct oracle_piece *b = shown_piece(sh, t);

			if (!b || a == b || !covers(b, s) || is_operation(a) || is_operation(b) ||
			    is_partial(j, b))
				continue;
			if (oracle_is_before(a, b, sector_of(s)))
				return complain(sh->img, sh->block, s, a, b,
						"the block also shows this newer one");
			if (covers(a, t) && !is_partial(j, a))
				return complain(sh->img, sh->block, s, a, b,
						"the block mixes it with");
		}
	}
	return true;
}

static bool judge_block(struct shown *sh, const struct judge *j)
{
	for (uint32_t i = 0; i < sh->nr; i++)
		if (!choose(sh, j, &sh->segment[i]))
			return false;
	return check_mixture(sh, j);
}

/* ---- reads ---- */

static void see(struct oracle_piece *p, const struct segment *s, uint64_t now)
{
	/* The part of a sector that is before the end of the image says nothing of the rest. */
	if (p->event->is_straight && s->hi - s->lo < 512)
		return;
	for (uint32_t i = 0; i < ORACLE_SECTORS; i++)
		if (!is_gradual(p) || i == sector_of(s))
			p->seen[i] = min(p->seen[i], now);
}

/* What was certain before the read began and is not shown comes before what is shown. */
static void learn_order(const struct shown *sh, const struct judge *j)
{
	const struct oracle_block *b = &sh->img->block[sh->block];
	uint64_t now = sh->img->oracle->clock;

	for (uint32_t i = 0; i < sh->nr; i++) {
		const struct segment *s = &sh->segment[i];
		struct oracle_piece *a = shown_piece(sh, s);

		if (!a)
			continue;
		see(a, s, now);
		for (uint32_t k = 0; k < b->nr; k++) {
			struct oracle_piece *p = b->piece[k];

			if (p != a && covers(p, s) && !p->newer && must_be_there(sh, j, s, p) &&
			    !oracle_is_before(p, a, sector_of(s)) &&
			    !oracle_is_before(a, p, sector_of(s)))
				p->newer = a;
		}
	}
}

static bool complain_lost(struct oracle_image *img, uint64_t block, const char *what)
{
	snprintf(img->oracle->text, sizeof(img->oracle->text),
		 "image %u block %" PRIu64 ", lost at %" PRIu64 ": %s", img->index, block,
		 img->block[block].lost, what);
	return false;
}

enum source {
	SOURCE_READ,
	SOURCE_FILE,
	SOURCE_DRAINED, /* a file that has not all that was written since */
	SOURCE_LEFT	/* one without its cache */
};

static bool is_written_since(const struct oracle_block *b, uint64_t since)
{
	for (uint32_t i = 0; i < b->nr; i++)
		if (b->piece[i]->event->end > since)
			return true;
	return false;
}

static bool check_blocks(struct oracle_image *img, uint64_t block, uint32_t nr_blocks,
			 const uint8_t *data, uint64_t since, enum source source)
{
	struct judge j = { .before = since };
	struct shown sh;

	oracle_now(img->oracle);
	for (uint32_t i = 0; i < nr_blocks; i++) {
		const struct oracle_block *b = &img->block[block + i];

		if (source == SOURCE_DRAINED && is_written_since(b, since))
			continue;
		if (b->lost && source == SOURCE_LEFT && !oracle_is_rewritten(b, block + i, since))
			continue; /* whatever the file had before */
		if (b->lost && !oracle_is_touched(b))
			return complain_lost(img, block + i, "shows something");
		if (b->lost &&
		    !oracle_is_rewritten(b, block + i,
					 oracle_is_partly_known(b) ? since : ORACLE_NEVER))
			continue;
		if (!match_block(img, block + i, data + (size_t)i * ORACLE_BLOCK, &sh) ||
		    !judge_block(&sh, &j))
			return false;
		if (source == SOURCE_READ)
			learn_order(&sh, &j);
	}
	return true;
}

bool oracle_check_read(struct oracle_image *img, uint64_t block, uint32_t nr_blocks,
		       const uint8_t *data, uint64_t since)
{
	return check_blocks(img, block, nr_blocks, data, since, SOURCE_READ);
}

bool oracle_check_file(struct oracle_image *img, const uint8_t *data, uint64_t since)
{
	return check_blocks(img, 0, img->nr_blocks, data, since, SOURCE_FILE);
}

bool oracle_check_drained(struct oracle_image *img, const uint8_t *data, uint64_t since)
{
	return check_blocks(img, 0, img->nr_blocks, data, since, SOURCE_DRAINED);
}

bool oracle_check_left(struct oracle_image *img, const uint8_t *data, uint64_t since)
{
	return check_blocks(img, 0, img->nr_blocks, data, since, SOURCE_LEFT);
}

/* ---- recovery ---- */

struct recovery {
	struct oracle *o;
	struct shown *shown; /* blocks with more than a base piece */
	uint32_t nr, room;
	struct judge judge;
};

/* Nothing but the base of all, which is there for ever: an edit's event is not. */
static bool is_trivial(const struct oracle_image *img, const struct oracle_block *b)
{
	return b->nr == 1 && b->piece[0]->event == &img->oracle->base;
}

static bool has_failed(const struct oracle_recovered *rec, uint64_t block)
{
	return rec->has_failed && rec->has_failed[block];
}

/* Something that covers the whole lost block and must have survived. */
static bool must_be_found(const struct recovery *r, const struct oracle_block *b, uint64_t block)
{
	for (uint32_t i = 0; i < b->nr; i++) {
		const struct oracle_piece *p = b->piece[i];

		if (p->event->start > b->lost && p->lo == 0 && p->hi == ORACLE_BLOCK &&
		    oracle_certain_since(block, p, 0) != ORACLE_NEVER &&
		    (r->judge.before == ORACLE_NEVER || p->event->is_durable))
			return true;
	}
	return false;
}

/* A lost block: is there anything to compare it with? False with a text: it is wrong already. */
static bool is_judged(const struct recovery *r, const struct oracle_recovered *rec, uint64_t block)
{
	const struct oracle_block *b = &rec->img->block[block];

	if (has_failed(rec, block)) {
		if (must_be_found(r, b, block))
			return complain_lost(rec->img, block, "cannot be read, and was rewritten");
		return false;
	}
	if (!oracle_is_touched(b))
		return complain_lost(rec->img, block, "shows something after recovery");
	return oracle_is_partly_known(b) ? must_be_found(r, b, block) :
					   oracle_is_rewritten(b, block, ORACLE_NEVER);
}

/* What a lost block is from now on. */
static void settle_lost(const struct oracle_recovered *rec)
{
	for (uint64_t i = 0; i < rec->img->nr_blocks; i++) {
		struct oracle_block *b = &rec->img->block[i];

		if (!b->lost)
			continue;
		if (!b->is_left_out) {
			oracle_found(rec->img, i);
			continue;
		}
		oracle_settle_block(rec->img, i, NULL, 0);
		b->is_unknown = !has_failed(rec, i);
	}
}

static bool match_image(struct recovery *r, const struct oracle_recovered *rec)
{
	for (uint64_t b = 0; b < rec->img->nr_blocks; b++) {
		if (r->nr == r->room) {
			r->room = r->room ? r->room * 2 : 64;
			r->shown = realloc(r->shown, r->room * sizeof(*r->shown));
			if (!r->shown)
				abort();
		}
		rec->img->block[b].is_left_out = rec->img->block[b].lost && !is_judged(r, rec, b);
		if (r->o->text[0])
			return false;
		if (rec->img->block[b].is_left_out)
			continue;
		if (!rec->img->block[b].lost && has_failed(rec, b))
			return complain_lost(rec->img, b, "cannot be read, and was never lost");
		if (!match_block(rec->img, b, rec->data + b * ORACLE_BLOCK, &r->shown[r->nr]))
			return false;
		r->nr += !is_trivial(rec->img, &rec->img->block[b]);
	}
	return true;
}

/* Forgets earlier judgements; the cut begins at the newest thing that is durable. */
static void begin_recovery(struct recovery *r, enum oracle_loss loss)
{
	struct oracle_image *img;
	struct oracle_event *e;

	r->judge = (struct judge){ .before = loss == ORACLE_LOSS_NONE ? ORACLE_NEVER : 0,
				   .is_recovery = true };
	list_for_each_entry(img, &r->o->images, node) {
		for (uint32_t b = 0; b < img->nr_blocks; b++)
			for (uint32_t i = 0; i < img->block[b].nr; i++)
				img->block[b].piece[i]->is_observed = false;
		list_for_each_entry(e, &img->events, node) {
			e->is_observed = false;
			if (e->is_durable && !e->is_base && !e->is_nothing)
				r->judge.before = max(r->judge.before, e->start);
		}
	}
}

/* What a block shows has survived, and all that was answered before it was started must have, too.
 */
static bool take_evidence(struct recovery *r, const struct shown *sh)
{
	bool is_new = false;

	for (uint32_t i = 0; i < sh->nr; i++) {
		struct oracle_piece *p = sh->img->block[sh->block].piece[sh->segment[i].chosen];

		if (!p->is_observed && is_single(sh->segment[i].match)) {
			p->is_observed = true;
			/* An operation is one entry in the log: all of it is there. */
			if (is_operation(p))
				p->event->is_observed = true;
			is_new = true;
		}
		if (!p->event->is_base && !p->event->is_nothing &&
		    p->event->start > r->judge.before) {
			r->judge.before = p->event->start;
			is_new = true;
		}
	}
	return is_new;
}

static bool judge_all(struct recovery *r)
{
	bool is_changed = true;

	while (is_changed) {
		is_changed = false;
		for (uint32_t i = 0; i < r->nr; i++) {
			if (!judge_block(&r->shown[i], &r->judge))
				return false;
			if (take_evidence(r, &r->shown[i]))
				is_changed = true;
		}
	}
	return true;
}

static void settle_block(const struct shown *sh)
{
	const struct oracle_block *b = &sh->img->block[sh->block];
	struct oracle_span span[SEGMENTS_MAX];
	uint32_t n = 0;

	for (uint32_t i = 0; i < sh->nr; i++) {
		const struct segment *s = &sh->segment[i];
		uint32_t version = b->piece[s->chosen]->version;

		if (n && span[n - 1].version == version)
			span[n - 1].hi = s->hi;
		else
			span[n++] = (struct oracle_span){ .lo = s->lo,
							  .hi = s->hi,
							  .version = version };
	}
	oracle_settle_block(sh->img, sh->block, span, n);
}

static bool check_sizes(struct recovery *r, const struct oracle_recovered *rec, uint32_t nr)
{
	for (uint32_t i = 0; i < nr; i++) {
		if (oracle_size_is_possible(rec[i].img, rec[i].size, r->judge.before, true))
			continue;
		snprintf(r->o->text, sizeof(r->o->text),
			 "image %u: size %" PRIu64
			 " after recovery, nothing explains it (cut at %" PRIu64 ")",
			 rec[i].img->index, rec[i].size, r->judge.before);
		return false;
	}
	return true;
}

bool oracle_check_recovered(struct oracle *o, const struct oracle_recovered *rec, uint32_t nr,
			    enum oracle_loss loss, bool settle)
{
	struct recovery r = { .o = o };
	bool is_good = true;

	o->text[0] = '\0';
	begin_recovery(&r, loss);
	for (uint32_t i = 0; is_good && i < nr; i++)
		is_good = match_image(&r, &rec[i]);
	is_good = is_good && judge_all(&r) && check_sizes(&r, rec, nr);
	if (is_good && settle) {
		for (uint32_t i = 0; i < nr; i++)
			settle_lost(&rec[i]);
		for (uint32_t i = 0; i < r.nr; i++)
			settle_block(&r.shown[i]);
		for (uint32_t i = 0; i < nr; i++)
			oracle_settle_image(rec[i].img, rec[i].size);
	}
	free(r.shown);
	return is_good;
}
