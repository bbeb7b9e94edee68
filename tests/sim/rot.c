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

void sim_rot(struct sim_world *w)
{
	struct owed_block *list, *b;
	struct sim_image *img;
	uint64_t at;
	size_t nr;

	/* what has been read already is not lost */
	sim_settle_down(w);
	if (owed_blocks(w->cache, &list, &nr))
		abort();
	if (!nr) {
		free(list);
		return;
	}
	b = &list[rng_below(&w->rng, nr)];
	img = image_of(w, entry_key_image(b->key));
	if (img && !b->is_poison && is_stable(w, b->offset)) {
		at = b->offset + rng_below(&w->rng, ORACLE_BLOCK);
		TRACE(w, "rot in image % block % at byte %", img->index, entry_key_block(b->key),
		      at);
		w->dev->view[at] ^= 0x40;
		w->dev->stable[at] ^= 0x40;
		oracle_lose(img->model, entry_key_block(b->key));
	}
	free(list);
}
