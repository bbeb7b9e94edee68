// SPDX-License-Identifier: GPL-2.0-or-later
/* The only copy of a dirty block goes bad on the device (rule F4). */
#include <stdlib.h>

#include "lcfs/cache/owed.h"
#include "tests/sim/world.h"

static bool is_stable(const struct sim_world *w, uint64_t off)
{
	const struct simdev_write *other;

	list_for_each_entry(other, &w->dev->writes, node)
		if (off < other->off + other->len && other->off < off + ORACLE_BLOCK)
			return false;
	return true;
}

static struct sim_image *image_of(struct sim_world *w, uint32_t id)
{
	for (uint32_t i = 0; i < w->conf.nr_images; i++)
		if (w->image[i].cached && cache_image_id(w->image[i].cached) == id)
			return &w->image[i];
	return NULL;
}

static void destroy(struct sim_world *w, struct sim_image *img, const struct owed_block *b)
{
	uint64_t at = b->offset + rng_below(&w->rng, ORACLE_BLOCK);

	TRACE(w, "rot in image % block % at byte %", img->index, entry_key_block(b->key), at);
	/* not by ^: the same byte may be hit once more, and would be right again */
	w->dev->view[at] = (uint8_t)(w->dev->view[at] + 0x40);
	w->dev->stable[at] = (uint8_t)(w->dev->stable[at] + 0x40);
	oracle_lose(img->model, entry_key_block(b->key));
}

static size_t owed(struct sim_world *w, struct owed_block **list)
{
	size_t nr;

	/* what has been read already is not lost */
	sim_settle_down(w);
	if (owed_blocks(w->cache, list, &nr))
		abort();
	return nr;
}

void sim_rot(struct sim_world *w)
{
	struct owed_block *list;
	size_t nr = owed(w, &list);
	const struct owed_block *b = nr ? &list[rng_below(&w->rng, nr)] : NULL;
	struct sim_image *img = b ? image_of(w, entry_key_image(b->key)) : NULL;

	if (img && !b->is_poison && is_stable(w, b->offset))
		destroy(w, img, b);
	free(list);
}

uint64_t sim_rot_block(struct sim_world *w, struct sim_image *img, uint64_t block)
{
	struct owed_block *list;
	uint64_t at = 0;

	for (size_t i = owed(w, &list); i-- > 0 && !at;) {
		if (list[i].key != entry_key(cache_image_id(img->cached), block))
			continue;
		at = list[i].offset;
		destroy(w, img, &list[i]);
	}
	free(list);
	if (!at)
		sim_fail(w, "block %lu is not dirty", (unsigned long)block);
	return at;
}
