// SPDX-License-Identifier: GPL-2.0-or-later
/* Buffers for what must be read before it is written or answered: two blocks each. */
#include "lcfs/cache/core.h"

struct merge_buf {
	struct list node;
};

uint8_t *merge_get(struct cache *c)
{
	struct merge_buf *m = list_pop_head(&c->merge_free, struct merge_buf, node);

	return (uint8_t *)m;
}

void merge_put(struct cache *c, uint8_t *mem, struct outbox *ob)
{
	struct merge_buf *m = (void *)mem;

	if (!m)
		return;
	list_init(&m->node);
	list_add_head(&c->merge_free, &m->node);
	waiters_wake(&c->merge_waiters, ob);
}
