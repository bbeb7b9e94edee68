// SPDX-License-Identifier: GPL-2.0-or-later
/* What the files of caches/<id>/ do. All use of a cache by the control tree is here and in
 * ctl_snapshot.c. */
#include <errno.h>
#include <inttypes.h>

#include "lcfs/cache/cache.h"
#include "lcfs/ctl/ctl_table.h"
#include "lcfs/image/engine.h"

/* A cache that does not go away while it is held. */
struct held {
	struct imagedir *dir;
	uint32_t id;
	struct cache *cache;
	struct engine *engine;
};

/* The cache of the place, or that its image is in. -ENODEV: none. */
static must_check int hold(struct held *h, const struct ctl_place *p)
{
	uint32_t id = p->img ? image_cache_id(p->img) : p->id;

	if (!imagedir_hold_cache(p->tree->dir, id))
		return -ENODEV;
	*h = (struct held){
		.dir = p->tree->dir,
		.id = id,
		.cache = imagedir_cache(p->tree->dir, id),
		.engine = imagedir_engine(p->tree->dir, id),
	};
	return 0;
}

static void release(struct held *h)
{
	if (h->dir)
		imagedir_release_cache(h->dir, h->id);
}
#define CLEANUP_HELD __attribute__((cleanup(release)))

/* ------------------------------------------------------------------ knobs */

int ctl_cache_show_knob(const struct ctl_place *p, const struct ctl_item *item,
			struct ctl_text *out)
{
	CLEANUP_HELD struct held h = { 0 };
	int err = hold(&h, p);

	if (err)
		return err;
	return ctl_text_printf(out, "%" PRIu64 "\n",
			       cache_knob_get(h.cache, (enum cache_knob)item->arg));
}

int ctl_cache_store_knob(const struct ctl_place *p, const struct ctl_item *item, uint64_t value)
{
	CLEANUP_HELD struct held h = { 0 };
	struct outbox ob;
	int err = hold(&h, p);

	if (err)
		return err;
	outbox_init(&ob);
	err = cache_knob_set(h.cache, (enum cache_knob)item->arg, value, engine_now(h.engine), &ob);
	engine_carry(h.engine, &ob);
	return err;
}

/* ------------------------------------------------------------------ what a write does */

/* Ends the segment, too, as dm-lc does. */
int ctl_cache_flush(const struct ctl_place *p, const struct ctl_item *item, uint64_t value)
{
	int err = ctl_cache_store_knob(p, item, value);

	return err ? err : imagedir_flush(p->tree->dir, p->id);
}

int ctl_root_flush(const struct ctl_place *p, const struct ctl_item *item, uint64_t value)
{
	(void)item;
	(void)value;
	return imagedir_flush(p->tree->dir, 0);
}

struct drain {
	uint32_t cache; /* 0: all */
	int error;	/* the first one */
};

/* One that cannot be drained does not keep the others. */
static int drain_image(struct image *img, void *arg)
{
	struct drain *d = arg;
	uint32_t cache = image_cache_id(img);
	int err;

	if (!cache || (d->cache && cache != d->cache))
		return 0;
	err = image_drain(img);
	if (!d->error)
		d->error = err;
	return 0;
}

static must_check int drain(const struct ctl_place *p, uint32_t cache)
{
	struct drain d = { .cache = cache };
	int err = imagedir_for_each(p->tree->dir, drain_image, &d);

	return err ? err : d.error;
}

int ctl_cache_drain(const struct ctl_place *p, const struct ctl_item *item, uint64_t value)
{
	(void)item;
	(void)value;
	return drain(p, p->id);
}

int ctl_root_drain(const struct ctl_place *p, const struct ctl_item *item, uint64_t value)
{
	(void)item;
	(void)value;
	return drain(p, 0);
}

int ctl_cache_clear_stat(const struct ctl_place *p, const struct ctl_item *item, uint64_t value)
{
	CLEANUP_HELD struct held h = { 0 };
	int err = hold(&h, p);

	(void)item;
	(void)value;
	if (!err)
		cache_clear_stat(h.cache);
	return err;
}

/* ------------------------------------------------------------------ what it says */

int ctl_show_zero(const struct ctl_place *p, const struct ctl_item *item, struct ctl_text *out)
{
	(void)p;
	(void)item;
	return ctl_text_printf(out, "0\n");
}

int ctl_cache_show_number(const struct ctl_place *p, const struct ctl_item *item,
			  struct ctl_text *out)
{
	CLEANUP_CTL_CACHE_DATA struct ctl_cache_data c = { 0 };
	int err = ctl_cache_data_read(p->tree, p->id, &c);

	if (err)
		return err;
	if (c.number[item->arg] == CTL_UNKNOWN)
		return ctl_text_printf(out, "-\n");
	return ctl_text_printf(out, "%" PRIu64 "\n", c.number[item->arg]);
}

int ctl_cache_show_state(const struct ctl_place *p, const struct ctl_item *item,
			 struct ctl_text *out)
{
	CLEANUP_CTL_CACHE_DATA struct ctl_cache_data c = { 0 };
	int err = ctl_cache_data_read(p->tree, p->id, &c);

	(void)item;
	return err ? err : ctl_text_printf(out, "%s\n", c.state);
}

int ctl_cache_show_reason(const struct ctl_place *p, const struct ctl_item *item,
			  struct ctl_text *out)
{
	CLEANUP_CTL_CACHE_DATA struct ctl_cache_data c = { 0 };
	int err = ctl_cache_data_read(p->tree, p->id, &c);

	(void)item;
	return err ? err : ctl_text_printf(out, "%s\n", c.reason);
}

int ctl_cache_link_device(const struct ctl_place *p, struct ctl_text *out)
{
	CLEANUP_CTL_CACHE_DATA struct ctl_cache_data c = { 0 };
	int err = ctl_cache_data_read(p->tree, p->id, &c);

	return err ? err : ctl_text_printf(out, "%s", c.device);
}
