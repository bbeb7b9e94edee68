// SPDX-License-Identifier: GPL-2.0-or-later
/* What the files of caches/<id>/ do. */
#include <errno.h>
#include <inttypes.h>

#include "lcfs/cache/cache.h"
#include "lcfs/ctl/ctl_table.h"
#include "lcfs/image/engine.h"

/* The cache of the place, or that its image is in; 0: none. */
static uint32_t place_cache(const struct ctl_place *p)
{
	return p->img ? image_cache_id(p->img) : p->id;
}

int ctl_cache_show_knob(const struct ctl_place *p, const struct ctl_item *item,
			struct ctl_text *out)
{
	struct cache *c = imagedir_cache(p->tree->dir, place_cache(p));
	uint64_t value;

	if (!c)
		return -ENODEV;
	value = cache_knob_get(c, (enum cache_knob)item->arg);
	return ctl_text_printf(out, "%" PRIu64 "\n", value);
}

int ctl_cache_store_knob(const struct ctl_place *p, const struct ctl_item *item, uint64_t value)
{
	struct cache *c = imagedir_cache(p->tree->dir, place_cache(p));
	struct engine *e = imagedir_engine(p->tree->dir, place_cache(p));
	struct outbox ob;
	int err;

	if (!c || !e)
		return -ENODEV;
	outbox_init(&ob);
	err = cache_knob_set(c, (enum cache_knob)item->arg, value, engine_now(e), &ob);
	engine_carry(e, &ob);
	return err;
}

int ctl_cache_flush(const struct ctl_place *p, const struct ctl_item *item, uint64_t value)
{
	int err = ctl_cache_store_knob(p, item, value); /* ends the segment */

	return err ? err : imagedir_sync_cache(p->tree->dir, p->id);
}

int ctl_cache_show_zero(const struct ctl_place *p, const struct ctl_item *item,
			struct ctl_text *out)
{
	(void)p;
	(void)item;
	return ctl_text_printf(out, "0\n");
}

int ctl_cache_show_number(const struct ctl_place *p, const struct ctl_item *item,
			  struct ctl_text *out)
{
	struct cache_status st;
	uint64_t value = 0;

	cache_status(imagedir_cache(p->tree->dir, p->id), &st);
	switch ((enum ctl_cache_number)item->arg) {
	case CTL_CACHE_NR_SEGMENTS:
		value = st.nr_segments;
		break;
	case CTL_CACHE_NR_DIRTY:
		value = st.dirty_blocks;
		break;
	case CTL_CACHE_LAST_FLUSHED:
		value = st.last_flushed;
		break;
	case CTL_CACHE_LAST_MIGRATED:
		value = st.last_migrated;
		break;
	case CTL_CACHE_MIGRATING:
		value = st.is_migrating;
		break;
	}
	return ctl_text_printf(out, "%" PRIu64 "\n", value);
}

int ctl_cache_show_state(const struct ctl_place *p, const struct ctl_item *item,
			 struct ctl_text *out)
{
	struct cache_status st;

	(void)item;
	cache_status(imagedir_cache(p->tree->dir, p->id), &st);
	return ctl_text_printf(out, "%s\n", st.is_failed ? "failed" : "ok");
}

int ctl_cache_show_status(const struct ctl_place *p, const struct ctl_item *item,
			  struct ctl_text *out)
{
	struct cache *c = imagedir_cache(p->tree->dir, p->id);
	struct cache_status st;
	int err;

	(void)item;
	cache_status(c, &st);
	err = ctl_text_printf(out,
			      "%" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64
			      " %" PRIu64,
			      st.ram_bytes, cache_knob_get(c, KNOB_ALLOW_MIGRATE), st.nr_segments,
			      st.last_migrated, st.last_flushed, st.current_segment, st.cursor);
	for (size_t i = 0; !err && i < array_size(st.count); i++)
		err = ctl_text_printf(out, " %" PRIu64, st.count[i]);
	return err ? err : ctl_text_printf(out, "\n");
}

int ctl_cache_show_stat(const struct ctl_place *p, const struct ctl_item *item,
			struct ctl_text *out)
{
	struct cache_status st;
	int err = 0;

	(void)item;
	cache_status(imagedir_cache(p->tree->dir, p->id), &st);
	for (unsigned int i = 0; !err && i < array_size(st.count); i++)
		err = ctl_text_printf(out, "%u %u %u %u %" PRIu64 "\n", i & 1, i >> 1 & 1,
				      i >> 2 & 1, i >> 3 & 1, st.count[i]);
	return err;
}

int ctl_cache_clear_stat(const struct ctl_place *p, const struct ctl_item *item, uint64_t value)
{
	(void)item;
	(void)value;
	cache_clear_stat(imagedir_cache(p->tree->dir, p->id));
	return 0;
}

int ctl_cache_link_device(const struct ctl_place *p, struct ctl_text *out)
{
	const char *device = imagedir_cache_device(p->tree->dir, p->id);

	return ctl_text_printf(out, "%s", device ? device : p->tree->cache_path);
}
