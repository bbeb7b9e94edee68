// SPDX-License-Identifier: GPL-2.0-or-later
/* The oracle's memory: images, their events and pieces. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/align.h"
#include "tests/fake/rng.h"
#include "tests/sim/oracle.h"

static void *alloc(size_t bytes)
{
	void *p = calloc(1, bytes ? bytes : 1);

	if (!p)
		abort();
	return p;
}

uint64_t oracle_now(struct oracle *o)
{
	return ++o->clock;
}

/* ---- content ---- */

static uint8_t *make_pattern(uint64_t uid, uint64_t bytes)
{
	uint8_t *pattern = alloc(bytes);

	for (uint64_t i = 0; i < bytes; i += 8) {
		uint64_t v = rng_mix(rng_mix(uid) + i);

		for (uint64_t k = 0; k < 8; k++)
			pattern[i + k] = (uint8_t)((v >> 8 * k & 0xff) % 255);
	}
	return pattern;
}

void oracle_content(const struct oracle_image *img, uint64_t block, uint32_t lo, uint32_t hi,
		    uint32_t version, uint8_t *buf)
{
	static const uint32_t factor[4] = { 0, 1, 3, 7 };
	const uint8_t *pattern = img->pattern + block * ORACLE_BLOCK;
	uint16_t shift[4];

	if (version == 0) {
		memset(buf, 0, hi - lo);
		return;
	}
	for (int k = 0; k < 4; k++)
		shift[k] = (uint16_t)((version + factor[k] * (version / 255)) % 255);
	for (uint32_t i = lo; i < hi; i++) {
		uint16_t v = (uint16_t)(pattern[i] + shift[i & 3]);

		buf[i - lo] = (uint8_t)(1 + (v >= 255 ? v - 255 : v));
	}
}

void oracle_find_source(struct oracle *o, const uint8_t *bytes, uint32_t lo, uint32_t hi, char *buf,
			size_t size)
{
	const struct oracle_image *img;
	uint8_t content[ORACLE_BLOCK];

	snprintf(buf, size, "of no version of any block (%02x %02x %02x %02x ...)", bytes[0],
		 bytes[hi - lo > 1], bytes[hi - lo > 2 ? 2 : 0], bytes[hi - lo > 3 ? 3 : 0]);
	if (hi - lo < 4)
		return;
	list_for_each_entry(img, &o->images, node)
		for (uint64_t b = 0; b < img->nr_blocks; b++)
			for (uint32_t v = 0; v <= img->block[b].version; v++) {
				oracle_content(img, b, lo, hi, v, content);
				if (memcmp(content, bytes, hi - lo))
					continue;
				snprintf(buf, size, "version %u of image %u block %" PRIu64, v,
					 img->index, b);
				return;
			}
}

/* ---- pieces ---- */

bool oracle_is_before(const struct oracle_piece *a, const struct oracle_piece *b, uint32_t sector)
{
	for (; a; a = a->newer)
		if (a->newer == b || min(a->event->end, a->seen[sector]) < b->event->start)
			return true;
	return false;
}

static bool piece_is_ok(uint64_t block, const struct oracle_piece *p)
{
	return p->event->is_ok && block * ORACLE_BLOCK + p->hi <= p->event->ok_end;
}

uint64_t oracle_certain_since(uint64_t block, const struct oracle_piece *p, uint32_t sector)
{
	return min(piece_is_ok(block, p) ? p->event->end : ORACLE_NEVER, p->seen[sector]);
}

static void block_add(struct oracle_block *b, struct oracle_event *e, uint32_t lo, uint32_t hi,
		      uint32_t version)
{
	struct oracle_piece *p = alloc(sizeof(*p));

	if (b->nr == b->room) {
		b->room = b->room ? b->room * 2 : 4;
		b->piece = realloc(b->piece, b->room * sizeof(*b->piece));
		if (!b->piece)
			abort();
	}
	p->event = e;
	p->lo = (uint16_t)lo;
	p->hi = (uint16_t)hi;
	p->version = version;
	for (uint32_t s = 0; s < ORACLE_SECTORS; s++)
		p->seen[s] = ORACLE_NEVER;
	b->piece[b->nr++] = p;
}

static void block_clear(struct oracle_block *b)
{
	for (uint32_t i = 0; i < b->nr; i++)
		free(b->piece[i]);
	b->nr = 0;
}

/* Pieces of [off, end) for an event; data NULL: zeros. */
static void add_pieces(struct oracle_image *img, struct oracle_event *e, uint64_t off, uint64_t end,
		       uint8_t *data)
{
	for (uint64_t at = off; at < end;) {
		uint64_t block = at / ORACLE_BLOCK;
		uint32_t lo = (uint32_t)(at % ORACLE_BLOCK);
		uint32_t hi = (uint32_t)min_t(uint64_t, ORACLE_BLOCK, end - block * ORACLE_BLOCK);
		struct oracle_block *b = &img->block[block];

		block_add(b, e, lo, hi, data ? ++b->version : 0);
		if (data)
			oracle_content(img, block, lo, hi, b->version, data + (at - off));
		at += hi - lo;
	}
}

bool oracle_has_room(const struct oracle_image *img, uint64_t off, uint64_t len)
{
	uint64_t end = min(div_round_up(off + len, ORACLE_BLOCK), (uint64_t)img->nr_blocks);

	for (uint64_t b = off / ORACLE_BLOCK; b < end; b++)
		if (img->block[b].nr >= ORACLE_PIECES_MAX - 2)
			return false;
	return true;
}

/* ---- events ---- */

static struct oracle_event *event_new(struct oracle_image *img, enum oracle_kind kind, uint64_t off,
				      uint64_t len)
{
	struct oracle_event *e = alloc(sizeof(*e));

	e->kind = kind;
	e->off = off;
	e->len = len;
	e->start = oracle_now(img->oracle);
	e->end = ORACLE_NEVER;
	list_add_tail(&img->events, &e->node);
	return e;
}

static uint64_t image_bytes(const struct oracle_image *img)
{
	return (uint64_t)img->nr_blocks * ORACLE_BLOCK;
}

struct oracle_event *oracle_write(struct oracle_image *img, uint64_t off, uint64_t len,
				  uint8_t *data)
{
	struct oracle_event *e = event_new(img, ORACLE_WRITE, off, len);

	if (off + len > image_bytes(img))
		abort();
	add_pieces(img, e, off, off + len, data);
	return e;
}

struct oracle_event *oracle_truncate(struct oracle_image *img, uint64_t size)
{
	struct oracle_event *e = event_new(img, ORACLE_TRUNCATE, size, 0);

	add_pieces(img, e, size, image_bytes(img), NULL);
	return e;
}

struct oracle_event *oracle_punch(struct oracle_image *img, uint64_t off, uint64_t len)
{
	struct oracle_event *e = event_new(img, ORACLE_PUNCH, off, len);

	add_pieces(img, e, off, min(off + len, image_bytes(img)), NULL);
	return e;
}

void oracle_end(struct oracle_image *img, struct oracle_event *e, uint64_t ok_bytes,
		bool is_durable)
{
	e->end = oracle_now(img->oracle);
	e->is_ok = ok_bytes > 0;
	e->is_vague = e->kind == ORACLE_WRITE ? ok_bytes < e->len : !ok_bytes;
	e->ok_end = e->kind == ORACLE_WRITE ? e->off + ok_bytes : ORACLE_NEVER;
	e->is_durable = e->is_ok && is_durable;
}

void oracle_straight(struct oracle_event *e)
{
	e->is_straight = true;
}

void oracle_synced(struct oracle *o, struct oracle_image *img, uint64_t since)
{
	struct oracle_image *i;
	struct oracle_event *e;

	list_for_each_entry(i, &o->images, node) {
		if (img && i != img)
			continue;
		list_for_each_entry(e, &i->events, node)
			if (e->is_ok && e->end < since)
				e->is_durable = true;
	}
}

void oracle_edit(struct oracle_image *img, uint64_t off, uint64_t len, uint8_t *data)
{
	struct oracle_event *e = oracle_write(img, off, len, data);

	oracle_end(img, e, len, false);
	e->is_base = true;
}

/* ---- lost blocks ---- */

void oracle_lose(struct oracle_image *img, uint64_t block)
{
	struct oracle_block *b = &img->block[block];

	img->nr_lost += !b->lost;
	b->lost = oracle_now(img->oracle);
	b->is_unknown = false;
}

void oracle_found(struct oracle_image *img, uint64_t block)
{
	img->nr_lost -= img->block[block].lost != 0;
	img->block[block].lost = 0;
	img->block[block].is_unknown = false;
}

bool oracle_is_touched(const struct oracle_block *b)
{
	for (uint32_t i = 0; i < b->nr; i++)
		if (b->piece[i]->event->start > b->lost)
			return true;
	return b->is_unknown;
}

bool oracle_is_partly_known(const struct oracle_block *b)
{
	for (uint32_t i = 0; i < b->nr; i++)
		if (b->piece[i]->event->start > b->lost &&
		    (b->piece[i]->lo != 0 || b->piece[i]->hi != ORACLE_BLOCK))
			return true;
	return b->is_unknown;
}

bool oracle_is_rewritten(const struct oracle_block *b, uint64_t block, uint64_t certain)
{
	for (uint32_t i = 0; i < b->nr; i++) {
		const struct oracle_piece *p = b->piece[i];

		if (p->event->start > b->lost && p->lo == 0 && p->hi == ORACLE_BLOCK &&
		    (certain == ORACLE_NEVER || oracle_certain_since(block, p, 0) < certain))
			return true;
	}
	return false;
}

bool oracle_may_fail(const struct oracle_image *img, uint64_t block, uint32_t nr_blocks,
		     uint64_t since)
{
	for (uint64_t b = block; b < block + nr_blocks; b++)
		if (img->block[b].lost && !oracle_is_rewritten(&img->block[b], b, since))
			return true;
	return false;
}

void oracle_crash(struct oracle *o)
{
	struct oracle_image *i;
	struct oracle_event *e;
	uint64_t now = oracle_now(o);

	list_for_each_entry(i, &o->images, node)
		list_for_each_entry(e, &i->events, node)
			if (e->end == ORACLE_NEVER) {
				e->end = now;
				e->is_vague = true;
			}
}

/* ---- a new base ---- */

void oracle_settle_block(struct oracle_image *img, uint64_t block, const struct oracle_span *span,
			 uint32_t nr)
{
	struct oracle_block *b = &img->block[block];

	block_clear(b);
	for (uint32_t i = 0; i < nr; i++)
		block_add(b, &img->oracle->base, span[i].lo, span[i].hi, span[i].version);
}

static void free_events(struct oracle_image *img)
{
	struct oracle_event *e;

	while ((e = list_pop_head(&img->events, struct oracle_event, node)) != NULL)
		free(e);
}

void oracle_settle_image(struct oracle_image *img, uint64_t size)
{
	free_events(img);
	img->base_size = size;
}

/* ---- life ---- */

struct oracle *oracle_new(void)
{
	struct oracle *o = alloc(sizeof(*o));

	list_init(&o->images);
	o->clock = 1;
	o->base = (struct oracle_event){ .is_ok = true,
					 .is_durable = true,
					 .is_base = true,
					 .ok_end = ORACLE_NEVER };
	return o;
}

void oracle_free(struct oracle *o)
{
	struct oracle_image *i, *next;

	list_for_each_entry_safe(i, next, &o->images, node)
		oracle_image_free(i);
	free(o);
}

struct oracle_image *oracle_image_new(struct oracle *o, uint32_t index, uint64_t uid,
				      uint32_t nr_blocks, uint64_t size)
{
	struct oracle_image *img = alloc(sizeof(*img));

	img->oracle = o;
	img->index = index;
	img->nr_blocks = nr_blocks;
	img->base_size = size;
	img->pattern = make_pattern(uid, (uint64_t)nr_blocks * ORACLE_BLOCK);
	img->block = alloc(nr_blocks * sizeof(*img->block));
	list_init(&img->events);
	list_add_tail(&o->images, &img->node);
	for (uint64_t b = 0; b < nr_blocks; b++) {
		uint64_t start = b * ORACLE_BLOCK;
		uint32_t n = size > start ? (uint32_t)min_t(uint64_t, size - start, ORACLE_BLOCK) :
					    0;

		img->block[b].version = 1;
		if (n)
			block_add(&img->block[b], &o->base, 0, n, 1);
		if (n < ORACLE_BLOCK)
			block_add(&img->block[b], &o->base, n, ORACLE_BLOCK, 0);
	}
	return img;
}

void oracle_image_free(struct oracle_image *img)
{
	if (!img)
		return;
	free_events(img);
	for (uint32_t b = 0; b < img->nr_blocks; b++) {
		block_clear(&img->block[b]);
		free(img->block[b].piece);
	}
	list_del(&img->node);
	free(img->block);
	free(img->pattern);
	free(img);
}

void oracle_image_initial(const struct oracle_image *img, uint8_t *buf, uint64_t len)
{
	for (uint64_t b = 0; b * ORACLE_BLOCK < len; b++) {
		uint64_t n = min_t(uint64_t, len - b * ORACLE_BLOCK, ORACLE_BLOCK);

		oracle_content(img, b, 0, (uint32_t)n, 1, buf + b * ORACLE_BLOCK);
	}
}
