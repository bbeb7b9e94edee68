// SPDX-License-Identifier: GPL-2.0-or-later
/* What a recovered log owes the backing files. */
#include "lcfs/cache/owed.h"

#include <stdlib.h>

#include "lcfs/cache/core.h"

static int compare_keys(const void *a, const void *b)
{
	const struct owed_block *x = a, *y = b;

	return (x->key > y->key) - (x->key < y->key);
}

static bool is_owed(const struct cache *c, uint32_t cbn)
{
	return index_is_live(&c->index, cbn) && index_is_dirty(&c->index, cbn);
}

int owed_blocks(struct cache *c, struct owed_block **blocks, size_t *nr)
{
	LOCK_SCOPE(&c->lock);
	struct owed_block *b;
	size_t n = 0;

	*blocks = NULL;
	*nr = 0;
	if (!c->dirty_blocks)
		return 0;
	b = calloc(c->dirty_blocks, sizeof(*b));
	if (!b)
		return -ENOMEM;
	for (uint32_t cbn = 0; cbn < c->index.blocks && n < c->dirty_blocks; cbn++) {
		if (!is_owed(c, cbn))
			continue;
		b[n++] = (struct owed_block){
			.key = c->index.key[cbn],
			.offset = log_device_offset(c, cbn),
			.sum = c->index.sum[cbn],
			.mask = c->index.mask[cbn],
			.is_poison = index_is_poison(&c->index, cbn),
		};
	}
	qsort(b, n, sizeof(*b), compare_keys);
	*blocks = b;
	*nr = n;
	return 0;
}

void owed_effects(const struct cache_image *img, struct owed_effects *e)
{
	e->valid = img->backing_valid;
	e->nr_punches = img->nr_punches;
	e->punches = img->punch;
}
