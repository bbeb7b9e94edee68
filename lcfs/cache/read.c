// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The read path: a request is answered in windows of at most CACHE_READ_PARTS parts, each a run of
 * blocks with one source. A window passes
 *
 *	plan (pins what it reads) ─▶ [reads of device and backing file, all at once] ─▶ copy and
 * verify (no lock) ─▶ end: still the same index? (D5) ─▶ next window
 *
 * A rotten clean block is forgotten and read again from the backing file; a dirty one is EIO, as is
 * one that has been poisoned (poison.c). Where one read of several blocks fails, they are read one
 * after the other, so that those next to a bad one are not taken for bad. A plan that the index
 * has overtaken is made again a few times; after that it is answered as it is, since each of its
 * sectors was current at some moment of the read.
 */
#include "common/checksum.h"
#include "lcfs/cache/lost.h"
#include "lcfs/cache/poison.h"
#include "lcfs/cache/sectors.h"

#define READ_RETRIES_MAX 8

enum read_source {
	SOURCE_ZERO,   /* beyond the end of the image */
	SOURCE_RAM,    /* whole blocks in a RAM buffer */
	SOURCE_DEVICE, /* whole blocks on the cache device */
	SOURCE_BACKING,
	SOURCE_MIXED_RAM,    /* one block: some sectors in RAM, the rest in the backing file */
	SOURCE_MIXED_DEVICE, /* one block: some sectors on the device */
	SOURCE_POISON,	     /* one block that is lost */
	SOURCE_LOST,	     /* only on a device that is lost */
};

static uint8_t *part_dst(const struct cache_read_part *p)
{
	return (uint8_t *)p->read->buf + (p->block * BLOCK_BYTES - p->read->off);
}

/* ---------------------------------------------------------------- plan */

struct found {
	uint8_t source, mask;
	uint32_t cbn;
	struct wbuf *buf;
};

/* A clean block that is better read from the backing file: without a log, only that is kept up to
 * date; and a device that hangs should not be waited for. */
static bool is_avoided(struct cache *c, uint32_t cbn)
{
	struct wbuf *b;

	return c->failed || (c->hangs_ns && !log_ram(c, cbn, &b));
}

static void look(struct cache *c, const struct cache_image *img, uint64_t block, struct found *f)
{
	uint32_t cbn = index_find(&c->index, entry_key(img->id, block));

	memset(f, 0, sizeof(*f));
	f->cbn = cbn;
	if (block * BLOCK_BYTES >= img->size) {
		f->source = SOURCE_ZERO;
		f->cbn = CBN_NONE;
		return;
	}
	if (cbn != CBN_NONE && !index_is_dirty(&c->index, cbn) && is_avoided(c, cbn))
		f->cbn = cbn = CBN_NONE;
	if (cbn == CBN_NONE) {
		f->source = SOURCE_BACKING;
		return;
	}
	f->mask = c->index.mask[cbn];
	if (index_is_poison(&c->index, cbn)) {
		f->source = SOURCE_POISON;
		return;
	}
	if (lost_is(c, cbn)) {
		f->source = SOURCE_LOST;
		return;
	}
	log_ram(c, cbn, &f->buf);
	if (f->mask == 0xff)
		f->source = f->buf ? SOURCE_RAM : SOURCE_DEVICE;
	else
		f->source = f->buf ? SOURCE_MIXED_RAM : SOURCE_MIXED_DEVICE;
}

static bool extends(const struct cache *c, const struct cache_read_part *p, const struct found *f)
{
	if (p->source != f->source)
		return false;
	switch (f->source) {
	case SOURCE_ZERO:
	case SOURCE_BACKING:
		return true;
	case SOURCE_RAM:
	case SOURCE_DEVICE:
		return f->cbn == p->cbn + p->blocks && f->cbn % c->segment_blocks;
	default:
		return false;
	}
}

static void count_read(struct cache *c, const struct found *f)
{
	unsigned int hit = f->cbn != CBN_NONE, full = !hit || f->mask == 0xff;

	c->count[hit << 1 | (unsigned int)(f->buf != NULL) << 2 | full << 3]++;
}

static void pin_part(struct cache *c, struct cache_read_part *p)
{
	if (p->buf)
		p->buf->readers++;
	if (p->source == SOURCE_DEVICE || p->source == SOURCE_MIXED_DEVICE)
		log_segment_of(c, p->cbn)->readers++;
}

static void unpin_part(struct cache *c, struct cache_read_part *p, uint64_t now, struct outbox *ob)
{
	if (p->buf)
		log_unpin(c, p->buf, now, ob);
	if (p->source == SOURCE_DEVICE || p->source == SOURCE_MIXED_DEVICE) {
		log_read_done(c, p->cbn, ob);
	}
	merge_put(c, p->bounce, ob);
	p->bounce = NULL;
	p->buf = NULL;
}

static bool needs_bounce(const struct found *f)
{
	return f->source == SOURCE_MIXED_DEVICE;
}

/* Fills the parts of the next window. False: no merge buffer for its first block now. */
static bool plan(struct cache *c, struct cache_read *r)
{
	uint64_t block = (r->off + r->s.done) / BLOCK_BYTES;
	uint64_t end = (r->off + r->len) / BLOCK_BYTES;
	struct cache_read_part *p = NULL;
	bool has_device = false;
	struct found f;

	r->s.nr_parts = 0;
	r->s.window = 0;
	for (; block < end; block++) {
		look(c, r->image, block, &f);
		/* not even together: the kernel might make one request of them */
		if (r->s.is_careful && f.source == SOURCE_DEVICE && has_device)
			break;
		has_device |= f.source == SOURCE_DEVICE;
		if (p && extends(c, p, &f)) {
			p->blocks++;
		} else {
			uint8_t *bounce = NULL;

			if (r->s.nr_parts == CACHE_READ_PARTS)
				break;
			if (needs_bounce(&f) && !(bounce = merge_get(c)))
				break;
			p = &r->part[r->s.nr_parts++];
			p->read = r;
			p->block = block;
			p->blocks = 1;
			p->cbn = f.cbn;
			p->mask = f.mask;
			p->source = f.source;
			p->buf = f.buf;
			p->bounce = bounce;
			p->nr_rotten = 0;
			pin_part(c, p);
		}
		if (!r->s.retries)
			count_read(c, &f);
		r->s.window += BLOCK_BYTES;
	}
	return r->s.window > 0;
}

/* ---------------------------------------------------------------- asynchronous parts */

static void part_done(struct cache_read_part *p, struct outbox *ob)
{
	struct cache_read *r = p->read;

	if (--r->s.pending == 0) {
		r->act.type = ACTION_RESUME;
		outbox_add(ob, &r->act);
	}
}

static void issue(struct cache_read_part *p, enum action_type type, void *buf, uint64_t bytes,
		  uint64_t off, struct outbox *ob)
{
	struct action *a = &p->act;

	a->type = type;
	a->image = p->read->image;
	a->iov = &a->iov1;
	a->nr_iov = 1;
	a->iov1.iov_base = buf;
	a->iov1.iov_len = bytes;
	a->len = bytes;
	a->off = off;
	outbox_add(ob, a);
}

static void issue_backing(struct cache_read_part *p, struct outbox *ob);

static void backing_done(struct cache *c, struct action *a, int result, uint64_t now,
			 struct outbox *ob)
{
	struct cache_read_part *p = container_of(a, struct cache_read_part, act);

	(void)c;
	(void)now;
	if (result >= 0 && p->effect_seq != p->read->image->effect_seq) {
		issue_backing(p, ob);
		return;
	}
	if (result < 0)
		p->read->s.error = result;
	else
		imgtab_mask_backing(p->read->image, part_dst(p), p->block * BLOCK_BYTES,
				    (uint64_t)p->blocks * BLOCK_BYTES);
	part_done(p, ob);
}

static void issue_backing(struct cache_read_part *p, struct outbox *ob)
{
	p->act.complete = backing_done;
	p->effect_seq = p->read->image->effect_seq;
	issue(p, ACTION_BACK_READ, part_dst(p), (uint64_t)p->blocks * BLOCK_BYTES,
	      p->block * BLOCK_BYTES, ob);
}

static void set_rotten(struct cache_read_part *p, uint32_t first, uint32_t nr, int error)
{
	p->rot_error = error;
	p->rotten = first;
	p->nr_rotten = nr;
}

static void device_done(struct cache *c, struct action *a, int result, uint64_t now,
			struct outbox *ob)
{
	struct cache_read_part *p = container_of(a, struct cache_read_part, act);

	(void)c;
	(void)now;
	if (result < 0)
		set_rotten(p, 0, p->blocks, result);
	if (p->source == SOURCE_MIXED_DEVICE && !p->read->is_overlay)
		issue_backing(p, ob);
	else
		part_done(p, ob);
}

static void issue_part(struct cache *c, struct cache_read_part *p, struct outbox *ob)
{
	switch (p->source) {
	case SOURCE_DEVICE:
		p->act.complete = device_done;
		issue(p, ACTION_DEV_READ, part_dst(p), (uint64_t)p->blocks * BLOCK_BYTES,
		      log_device_offset(c, p->cbn), ob);
		break;
	case SOURCE_MIXED_DEVICE:
		p->act.complete = device_done;
		issue(p, ACTION_DEV_READ, p->bounce, BLOCK_BYTES, log_device_offset(c, p->cbn), ob);
		break;
	case SOURCE_BACKING:
	case SOURCE_MIXED_RAM:
		if (p->read->is_overlay)
			return;
		issue_backing(p, ob);
		break;
	default:
		return;
	}
	p->read->s.pending++;
}

static bool is_async(const struct cache_read *r)
{
	for (uint32_t i = 0; i < r->s.nr_parts; i++) {
		switch (r->part[i].source) {
		case SOURCE_ZERO:
		case SOURCE_RAM:
		case SOURCE_POISON:
		case SOURCE_LOST:
			break;
		case SOURCE_BACKING:
		case SOURCE_MIXED_RAM:
			if (!r->is_overlay)
				return true;
			break;
		default:
			return true;
		}
	}
	return false;
}

/* What the caller has read of the backing file is not to show where an operation is pending. */
static void mask_overlay(struct cache_read *r)
{
	for (uint32_t i = 0; i < r->s.nr_parts; i++) {
		struct cache_read_part *p = &r->part[i];

		imgtab_mask_backing(r->image, part_dst(p), p->block * BLOCK_BYTES,
				    (uint64_t)p->blocks * BLOCK_BYTES);
	}
}

static void unpin_all(struct cache *c, struct cache_read *r, uint64_t now, struct outbox *ob)
{
	for (uint32_t i = 0; i < r->s.nr_parts; i++)
		unpin_part(c, &r->part[i], now, ob);
	r->s.nr_parts = 0;
}

/* ---------------------------------------------------------------- copy and verify */

static void verify_whole(struct cache *c, struct cache_read_part *p)
{
	const uint8_t *b = part_dst(p);

	for (uint32_t i = 0; i < p->blocks && !p->nr_rotten; i++)
		if (checksum_block(b + (uint64_t)i * BLOCK_BYTES) != c->index.sum[p->cbn + i])
			set_rotten(p, i, 1, -EUCLEAN);
}

static void overlay(struct cache *c, struct cache_read_part *p)
{
	const uint8_t *src = p->bounce;

	if (p->source == SOURCE_MIXED_RAM)
		src = p->buf->mem + (uint64_t)(p->cbn % c->segment_blocks) * BLOCK_BYTES;
	else if (!p->nr_rotten && checksum_block(src) != c->index.sum[p->cbn])
		set_rotten(p, 0, 1, -EUCLEAN);
	if (!p->nr_rotten)
		sectors_copy(part_dst(p), src, p->mask);
}

void cache_read_copy(struct cache *c, struct cache_read *r)
{
	for (uint32_t i = 0; i < r->s.nr_parts; i++) {
		struct cache_read_part *p = &r->part[i];
		uint64_t bytes = (uint64_t)p->blocks * BLOCK_BYTES;

		switch (p->source) {
		case SOURCE_ZERO:
			memset(part_dst(p), 0, bytes);
			break;
		case SOURCE_RAM:
			memcpy(part_dst(p),
			       p->buf->mem + (uint64_t)(p->cbn % c->segment_blocks) * BLOCK_BYTES,
			       bytes);
			break;
		case SOURCE_DEVICE:
			verify_whole(c, p);
			break;
		case SOURCE_MIXED_RAM:
		case SOURCE_MIXED_DEVICE:
			overlay(c, p);
			break;
		default:
			break;
		}
	}
}

/* ---------------------------------------------------------------- end of a window */

static bool is_overtaken(struct cache *c, const struct cache_read *r)
{
	struct found f;

	for (uint32_t i = 0; i < r->s.nr_parts; i++) {
		const struct cache_read_part *p = &r->part[i];

		if (p->source == SOURCE_ZERO)
			continue;
		for (uint32_t k = 0; k < p->blocks; k++) {
			look(c, r->image, p->block + k, &f);
			if (p->cbn == CBN_NONE ? f.cbn != CBN_NONE :
						 f.cbn != p->cbn + k || f.mask != p->mask)
				return true;
		}
	}
	return false;
}

/* Clean rotten blocks are forgotten: the backing file serves. Dirty ones are an error. True when
 * the window must be read again. */
static bool handle_rot(struct cache *c, struct cache_read *r, uint64_t now, struct outbox *ob)
{
	bool again = false;

	for (uint32_t i = 0; i < r->s.nr_parts; i++) {
		struct cache_read_part *p = &r->part[i];

		again |= p->nr_rotten > 0;
		if (p->nr_rotten > 1) { /* one read of several: which of them it was is not known */
			r->s.is_careful = true;
			continue;
		}
		for (uint32_t k = p->rotten; k < p->rotten + p->nr_rotten; k++) {
			uint32_t cbn = p->cbn + k;

			if (index_find(&c->index, entry_key(r->image->id, p->block + k)) != cbn)
				continue;
			if (index_is_dirty(&c->index, cbn))
				r->s.error = -EIO;
			if (c->failed && index_is_dirty(&c->index, cbn)) {
				lost_mark(c, cbn);
				imgtab_damaged(r->image, p->block + k);
				continue;
			}
			poison_found(c, r->image, p->block + k, log_position(c, cbn), p->rot_error,
				     now, ob);
		}
		if ((p->source == SOURCE_POISON || p->source == SOURCE_LOST) &&
		    index_find(&c->index, entry_key(r->image->id, p->block)) == p->cbn)
			r->s.error = -EIO;
	}
	return again;
}

void cache_read_end(struct cache *c, struct cache_read *r, uint64_t now, struct outbox *ob)
{
	LOCK_SCOPE(&c->lock);
	bool again = handle_rot(c, r, now, ob);

	if (!again && r->s.retries < READ_RETRIES_MAX)
		again = is_overtaken(c, r);
	unpin_all(c, r, now, ob);
	r->s.retries++;
	if (!again) {
		r->s.done += r->s.window;
		r->s.retries = 0;
	}
	r->s.is_ready = false;
}

enum cache_step cache_read_step(struct cache *c, struct cache_read *r, bool may_wait, uint64_t now,
				struct outbox *ob)
{
	LOCK_SCOPE(&c->lock);

	if (r->s.is_ready)
		return CACHE_COPY; /* resumed: all parts are in */
	if (!r->s.error && r->image->is_stopped && !r->is_overlay)
		r->s.error = -EIO;
	if (r->s.error || r->s.done == r->len) {
		r->result = r->s.error ? r->s.error : (int)r->len;
		return CACHE_DONE;
	}
	if (!plan(c, r)) {
		if (!may_wait)
			return CACHE_AGAIN;
		waiters_add(&c->merge_waiters, &r->s.wait, &r->act);
		return CACHE_WAIT;
	}
	if (r->is_overlay)
		mask_overlay(r);
	if (!is_async(r)) {
		r->s.is_ready = true;
		return CACHE_COPY;
	}
	if (!may_wait) {
		unpin_all(c, r, now, ob);
		return CACHE_AGAIN;
	}
	r->s.is_ready = true;
	r->s.pending = 0;
	for (uint32_t i = 0; i < r->s.nr_parts; i++)
		issue_part(c, &r->part[i], ob);
	return CACHE_WAIT;
}

enum cache_step cache_read_run(struct cache *c, struct cache_read *r, bool may_wait, uint64_t now,
			       struct outbox *ob)
{
	enum cache_step step;

	while ((step = cache_read_step(c, r, may_wait, now, ob)) == CACHE_COPY) {
		cache_read_copy(c, r);
		cache_read_end(c, r, now, ob);
	}
	return step;
}

/* ---------------------------------------------------------------- holes and data */

#define FIND_BUDGET 4096

/* Lowest cached block of the image in [block, end), by a walk through the whole index, piece by
 * piece. */
static uint64_t find_by_index(struct cache *c, struct cache_image *img, uint64_t block,
			      uint64_t end)
{
	struct index *ix = &c->index;

	for (uint32_t base = 0; base < ix->blocks; base += FIND_BUDGET) {
		LOCK_SCOPE(&c->lock);
		uint32_t stop = (uint32_t)min((uint64_t)base + FIND_BUDGET, (uint64_t)ix->blocks);

		for (uint32_t cbn = base; cbn < stop; cbn++) {
			uint64_t b = entry_key_block(ix->key[cbn]);

			if (index_is_live(ix, cbn) && entry_key_image(ix->key[cbn]) == img->id &&
			    b >= block && b < end)
				end = b;
		}
		if (stop == ix->blocks)
			break;
	}
	return end;
}

uint64_t cache_find(struct cache *c, struct cache_image *img, uint64_t block, uint64_t end,
		    bool cached)
{
	if (cached && end > block && end - block > c->index.blocks)
		return find_by_index(c, img, block, end);
	while (block < end) {
		LOCK_SCOPE(&c->lock);

		if (cached && !img->cached)
			return end;
		for (uint32_t n = 0; n < FIND_BUDGET && block < end; n++, block++)
			if ((index_find(&c->index, entry_key(img->id, block)) != CBN_NONE) ==
			    cached)
				return block;
	}
	return end;
}
