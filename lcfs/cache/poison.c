// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Damaged blocks (rule F4).
 *
 * A slot that cannot be read, or whose checksum does not match, is no loss while it is clean: it is
 * forgotten, and the backing file serves. Of a dirty block it was the only copy. What is left is to
 * say so, durably and out of the tail's way: an entry without data, flagged POISON, takes the
 * slot's place in index and log. It counts as dirty, so the image is never clean and nothing of the
 * block is ever written to the backing file; it is EIO for readers, until its sectors are written,
 * cut off or punched again, or the image is unbound. The cleaner moves it to the head like any
 * other block that migration cannot get rid of.
 *
 * Poisoning gives up data that could have been read after all, if it was the reading that failed.
 * So it takes two finds, at least SURE_NS apart, and where the device returned errors, a flush that
 * has succeeded between them: a device that has gone away does not get what it holds poisoned when
 * it is back. Meanwhile the block is a suspect: it stays as it is, and is left alone for
 * SURE_NS at a time.
 *
 * The record of a poisoned block is a version of it like others: its position is higher than that
 * of what it replaces, and lower than that of any write that comes later. That holds because nobody
 * else has the block's range: a write that has its entry, but is not published, would be overtaken
 * and lost. Nothing is copied, so it is all one critical section.
 */
#include "lcfs/cache/poison.h"

#include "common/nsec.h"

#define SURE_NS NSEC_PER_SEC
#define STALE_NS (60 * NSEC_PER_SEC)

/* ---------------------------------------------------------------- suspects */

static struct suspect *find_suspect(struct cache *c, uint64_t position)
{
	for (uint32_t i = 0; i < c->nr_suspects; i++)
		if (c->suspect[i].position == position)
			return &c->suspect[i];
	return NULL;
}

static void drop_suspect(struct cache *c, struct suspect *s)
{
	*s = c->suspect[--c->nr_suspects];
}

/* Those that nobody has met for long were overwritten, most likely. */
static void drop_stale(struct cache *c, uint64_t now)
{
	for (uint32_t i = c->nr_suspects; i-- > 0;)
		if (now > c->suspect[i].next_ns + STALE_NS)
			drop_suspect(c, &c->suspect[i]);
}

bool poison_is_suspect(struct cache *c, uint32_t cbn, uint64_t now)
{
	const struct suspect *s = c->nr_suspects ? find_suspect(c, log_position(c, cbn)) : NULL;

	return s && now < s->next_ns;
}

uint64_t poison_deadline(const struct cache *c)
{
	uint64_t at = UINT64_MAX;

	for (uint32_t i = 0; i < c->nr_suspects; i++)
		at = min(at, c->suspect[i].next_ns);
	return at;
}

/* ---------------------------------------------------------------- poisoning */

static int replace(struct cache *c, struct cache_image *img, uint32_t old, uint8_t flags,
		   enum log_purpose p, uint64_t now, struct outbox *ob)
{
	uint64_t key = c->index.key[old], origin = log_segment_of(c, old)->first_lsn;
	uint8_t mask = c->index.mask[old];
	uint32_t cbn;
	int ret;

	if (imgtab_is_leaving(img) || range_is_held(img, entry_key_block(key)))
		return -EAGAIN;
	ret = log_poison(c, key, mask, flags, origin, p, &cbn, now, ob);
	if (ret < 0)
		return ret;
	blocks_insert_poison(c, img, entry_key_block(key), cbn, mask,
			     c->info.real_ns + (int64_t)now);
	img->last_lsn = log_head_lsn(c);
	return 0;
}

int poison_move(struct cache *c, uint32_t cbn, enum log_purpose p, uint64_t now, struct outbox *ob)
{
	struct cache_image *img = imgtab_find(c, entry_key_image(c->index.key[cbn]));

	return replace(c, img, cbn, ENTRY_RELOCATED, p, now, ob);
}

bool poison_is_all(const struct cache_image *img)
{
	return img->poisoned && img->poisoned == img->dirty && !imgtab_has_pending(img);
}

/* The first find. The next one is to count only if the device works: it is asked to show that. */
static void suspect(struct cache *c, struct cache_image *img, uint64_t block, uint64_t position,
		    uint64_t now, struct outbox *ob)
{
	struct suspect *s;

	drop_stale(c, now);
	if (c->nr_suspects == SUSPECTS_MAX)
		return;
	imgtab_damaged(img, block);
	s = &c->suspect[c->nr_suspects++];
	s->position = position;
	s->since_ns = now;
	s->next_ns = now + SURE_NS;
	s->flushes = c->nr_flushed;
	s->is_sure = false;
	deadline_lower(c, s->next_ns);
	super_request(c, now, ob);
}

/* The slot of a suspect; CBN_NONE: it is not the newest version of a dirty block any more. */
static uint32_t suspect_cbn(struct cache *c, const struct suspect *s)
{
	uint32_t cbn = log_cbn(c, s->position >> 16, (uint32_t)(s->position & 0xffff));

	if (log_position(c, cbn) != s->position || !index_is_live(&c->index, cbn) ||
	    !index_is_dirty(&c->index, cbn))
		return CBN_NONE;
	return cbn;
}

/* Would the tail's segment be free of dirty blocks if all that is sure was poisoned? */
static bool is_way_out(struct cache *c)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < c->nr_suspects; i++) {
		const struct suspect *s = &c->suspect[i];
		uint32_t cbn = s->is_sure && s->position >> 16 == c->tail ? suspect_cbn(c, s) :
									    CBN_NONE;

		n += cbn != CBN_NONE &&
		     !range_is_held(imgtab_find(c, entry_key_image(c->index.key[cbn])),
				    entry_key_block(c->index.key[cbn]));
	}
	return n && n == log_segment(c, c->tail)->nr_dirty;
}

/* All of which it is sure, as far as there is space and nobody holds them. */
static void poison_sure(struct cache *c, uint64_t now, struct outbox *ob)
{
	enum log_purpose p = c->log.free_segments <= PURPOSE_CLEANER && is_way_out(c) ?
				     PURPOSE_WAY_OUT :
				     PURPOSE_CLEANER;

	for (uint32_t i = c->nr_suspects; i-- > 0;) {
		const struct suspect *s = &c->suspect[i];
		uint32_t cbn = s->is_sure ? suspect_cbn(c, s) : CBN_NONE;
		struct cache_image *img;

		if (cbn == CBN_NONE || (p == PURPOSE_WAY_OUT && s->position >> 16 != c->tail))
			continue;
		img = imgtab_find(c, entry_key_image(c->index.key[cbn]));
		if (replace(c, img, cbn, 0, p, now, ob) < 0)
			continue;
		drop_suspect(c, &c->suspect[i]);
		if (!img->batch)
			op_drain_done(c, img, now, ob);
	}
}

void poison_found(struct cache *c, struct cache_image *img, uint64_t block, uint64_t position,
		  int error, uint64_t now, struct outbox *ob)
{
	uint32_t cbn = index_find(&c->index, entry_key(img->id, block));
	struct suspect *s;

	if (cbn == CBN_NONE || log_position(c, cbn) != position || index_is_poison(&c->index, cbn))
		return;
	if (!index_is_dirty(&c->index, cbn)) {
		blocks_remove(c, cbn);
		return;
	}
	if (c->failed) /* lost.c saves what it can */
		return;
	s = find_suspect(c, position);
	if (!s) {
		suspect(c, img, block, position, now, ob);
		return;
	}
	if (now < s->next_ns)
		return;
	s->next_ns = now + SURE_NS;
	deadline_lower(c, s->next_ns);
	s->is_sure |= now >= s->since_ns + SURE_NS &&
		      (error == -EUCLEAN || c->nr_flushed > s->flushes);
	if (s->is_sure)
		poison_sure(c, now, ob);
}
