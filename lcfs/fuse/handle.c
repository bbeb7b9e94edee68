// SPDX-License-Identifier: GPL-2.0-or-later
/* The table of handles: kind in bits 0-7, slot in bits 8-31, a sequence number above. */
#include "lcfs/fuse/handle.h"

#include <errno.h>
#include <stdlib.h>

#include "lcfs/fuse/ranks.h"

#define SLOT_MAX ((1u << 24) - 1)
#define NO_SLOT UINT32_MAX

void handles_init(struct handles *h)
{
	*h = (struct handles){ .first_free = NO_SLOT };
	mutex_init(&h->lock, RANK_HANDLES, "handles");
}

void handles_free(struct handles *h)
{
	free(h->slots);
	mutex_destroy(&h->lock);
}

static int grow_locked(struct handles *h)
{
	uint32_t nr = h->nr ? h->nr * 2 : 64;
	struct handle_slot *slots;

	if (h->nr > SLOT_MAX)
		return -ENFILE;
	slots = realloc(h->slots, nr * sizeof(*slots));
	if (!slots)
		return -ENFILE;
	for (uint32_t i = nr; i-- > h->nr;) {
		slots[i] = (struct handle_slot){ .next_free = h->first_free };
		h->first_free = i;
	}
	h->slots = slots;
	h->nr = nr;
	return 0;
}

static uint64_t encode(const struct handles *h, uint32_t slot)
{
	const struct handle_slot *s = &h->slots[slot];

	return (uint64_t)s->seq << 32 | (uint64_t)slot << 8 | s->kind;
}

int handle_add(struct handles *h, enum handle_kind kind, void *object, uint64_t *fh)
{
	struct handle_slot *s;
	uint32_t slot;

	LOCK_SCOPE(&h->lock);
	if (h->first_free == NO_SLOT) {
		int error = grow_locked(h);

		if (error)
			return error;
	}
	slot = h->first_free;
	s = &h->slots[slot];
	h->first_free = s->next_free;
	s->object = object;
	s->kind = kind;
	s->seq = ++h->seq;
	*fh = encode(h, slot);
	return 0;
}

static struct handle_slot *find_locked(struct handles *h, enum handle_kind kind, uint64_t fh)
{
	uint32_t slot = fh >> 8 & SLOT_MAX;

	mutex_assert_held(&h->lock);
	if (slot >= h->nr || !h->slots[slot].object || h->slots[slot].kind != kind ||
	    encode(h, slot) != fh)
		return NULL;
	return &h->slots[slot];
}

void *handle_find(struct handles *h, enum handle_kind kind, uint64_t fh)
{
	struct handle_slot *s;

	LOCK_SCOPE(&h->lock);
	s = find_locked(h, kind, fh);
	return s ? s->object : NULL;
}

static void *remove_locked(struct handles *h, struct handle_slot *s)
{
	void *object = s->object;

	s->object = NULL;
	s->next_free = h->first_free;
	h->first_free = (uint32_t)(s - h->slots);
	return object;
}

void *handle_remove(struct handles *h, enum handle_kind kind, uint64_t fh)
{
	struct handle_slot *s;

	LOCK_SCOPE(&h->lock);
	s = find_locked(h, kind, fh);
	return s ? remove_locked(h, s) : NULL;
}

void *handle_remove_any(struct handles *h, enum handle_kind kind)
{
	LOCK_SCOPE(&h->lock);
	for (uint32_t i = 0; i < h->nr; i++) {
		if (h->slots[i].object && h->slots[i].kind == kind)
			return remove_locked(h, &h->slots[i]);
	}
	return NULL;
}
