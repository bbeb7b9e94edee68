// SPDX-License-Identifier: GPL-2.0-or-later
/* Files of several lines for people: status, of the mount and as dm-lc's, stat. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "lcfs/ctl/ctl_table.h"

/* ------------------------------------------------------------------ the mount */

int ctl_root_show_version(const struct ctl_place *p, const struct ctl_item *item,
			  struct ctl_text *out)
{
	(void)item;
	return ctl_text_printf(out, "%s\n", p->tree->version);
}

int ctl_root_show_transport(const struct ctl_place *p, const struct ctl_item *item,
			    struct ctl_text *out)
{
	(void)item;
	return ctl_text_printf(out, "%s\n", p->tree->transport);
}

static void put_images(struct ctl_text *out, const struct ctl_snapshot *s)
{
	ctl_text_put(out, "images: %zu", s->nr_images);
	for (int state = IMAGE_UNCACHED; state <= IMAGE_ERROR; state++) {
		const char *word = image_state_text((enum image_state)state);
		size_t n = 0;

		for (size_t i = 0; i < s->nr_images; i++)
			n += s->image[i].state && strcmp(s->image[i].state, word) == 0;
		if (n)
			ctl_text_put(out, ", %zu %s", n, word);
	}
	ctl_text_put(out, "\n");
	for (size_t i = 0; i < s->nr_images; i++) {
		const struct ctl_image_data *img = &s->image[i];

		if (!*img->reason)
			continue;
		ctl_text_put(out, "image %" PRIu32 ": %s: ", img->id, img->state);
		ctl_text_quote(out, CTL_QUOTE_PLAIN, img->name);
		ctl_text_put(out, ": %s\n", img->reason);
	}
}

int ctl_root_show_status(const struct ctl_place *p, const struct ctl_item *item,
			 struct ctl_text *out)
{
	CLEANUP_CTL_SNAPSHOT struct ctl_snapshot s = { 0 };
	int err = ctl_snapshot_take(p->tree, &s);

	(void)item;
	if (err)
		return err;
	ctl_text_put(out, "state: %s\nmount: ", s.state);
	ctl_text_quote(out, CTL_QUOTE_PLAIN, p->tree->mount);
	ctl_text_put(out, "\nsource: ");
	ctl_text_quote(out, CTL_QUOTE_PLAIN, p->tree->source);
	ctl_text_put(out, "\ntransport: %s\n", p->tree->transport);
	for (size_t i = 0; i < s.nr_caches; i++) {
		const struct ctl_cache_data *c = &s.cache[i];

		ctl_text_put(out, "cache %" PRIu32 ": %s: ", c->id, c->state);
		ctl_text_quote(out, CTL_QUOTE_PLAIN, c->device);
		ctl_text_put(out,
			     ": %" PRIu64 " of %" PRIu64 " segments free, %" PRIu64
			     " bytes dirty, the oldest for %" PRIu64 " ms%s%s\n",
			     c->number[CTL_CACHE_NR_FREE], c->number[CTL_CACHE_NR_SEGMENTS],
			     c->number[CTL_CACHE_DIRTY_BYTES], c->number[CTL_CACHE_DIRTY_AGE],
			     *c->reason ? ": " : "", c->reason);
	}
	put_images(out, &s);
	return out->error;
}

/* ------------------------------------------------------------------ a cache */

static void put_counts(struct ctl_text *out, const uint64_t *count, unsigned int nr)
{
	for (unsigned int i = 0; i < nr; i++)
		ctl_text_put(out, "%u %u %u %u %" PRIu64 "\n", i & 1, i >> 1 & 1, i >> 2 & 1,
			     i >> 3 & 1, count[i]);
}

/* The lines of dm-lc's lc-mgr target. */
int ctl_cache_show_status(const struct ctl_place *p, const struct ctl_item *item,
			  struct ctl_text *out)
{
	CLEANUP_CTL_CACHE_DATA struct ctl_cache_data c = { 0 };
	int err = ctl_cache_data_read(p->tree, p->id, &c);

	(void)item;
	if (err)
		return err;
	ctl_text_put(out,
		     "current cache_id_ptr: %" PRIu32 "\n"
		     "static RAM(approx.): %" PRIu64 " (byte)\n"
		     "allow_migrate: %" PRIu64 "\n"
		     "nr_segments: %" PRIu64 "\n"
		     "last_migrated_segment_id: %" PRIu64 "\n"
		     "last_flushed_segment_id: %" PRIu64 "\n"
		     "current segment id: %" PRIu64 "\n"
		     "cursor: %" PRIu64 "\n"
		     "\n"
		     "write? hit? on_buffer? fullsize?\n",
		     p->id, c.status.ram_bytes, c.knob[KNOB_ALLOW_MIGRATE], c.status.nr_segments,
		     c.status.last_migrated, c.status.last_flushed, c.status.current_segment,
		     c.status.cursor);
	put_counts(out, c.status.count, array_size(c.status.count));
	return out->error;
}

int ctl_cache_show_stat(const struct ctl_place *p, const struct ctl_item *item,
			struct ctl_text *out)
{
	CLEANUP_CTL_CACHE_DATA struct ctl_cache_data c = { 0 };
	int err = ctl_cache_data_read(p->tree, p->id, &c);

	(void)item;
	if (err)
		return err;
	put_counts(out, c.status.count, array_size(c.status.count));
	return out->error;
}

/* ------------------------------------------------------------------ an image */

int ctl_device_show_stat(const struct ctl_place *p, const struct ctl_item *item,
			 struct ctl_text *out)
{
	CLEANUP_CTL_IMAGE_DATA struct ctl_image_data i = { 0 };
	int err = ctl_image_data_read(p->img, false, &i);

	(void)item;
	if (err)
		return err;
	for (int n = CTL_DEVICE_READS; n <= CTL_DEVICE_WRITE_BYTES; n++)
		ctl_text_put(out, "%s %" PRIu64 "\n", ctl_device_numbers[n].name, i.number[n]);
	return out->error;
}

/* ---------------------------------------------------------------- caches that come and go */

int ctl_root_show_refused(const struct ctl_place *p, const struct ctl_item *item,
			  struct ctl_text *out)
{
	(void)item;
	LOCK_SCOPE(&p->tree->lock);
	return ctl_text_printf(out, "%s\n", p->tree->refused);
}

static int note_refused(struct ctlfs *t, int err, const char *text)
{
	LOCK_SCOPE(&t->lock);
	snprintf(t->refused, sizeof(t->refused), "%s", err ? text : "");
	return err;
}

int ctl_root_add_cache(const struct ctl_place *p, const struct ctl_item *item, const char *text)
{
	struct ctlfs *t = p->tree;
	char why[CTL_REFUSED_MAX] = "";

	(void)item;
	if (!t->caches)
		return -EOPNOTSUPP;
	if (!text[0])
		return -EINVAL;
	return note_refused(t, t->caches->add(t->ctx, text, why, sizeof(why)), why);
}

int ctl_root_remove_cache(const struct ctl_place *p, const struct ctl_item *item, uint64_t value)
{
	struct ctlfs *t = p->tree;
	char why[CTL_REFUSED_MAX] = "";

	(void)item;
	if (!t->caches)
		return -EOPNOTSUPP;
	return note_refused(t, t->caches->remove(t->ctx, (uint32_t)value, why, sizeof(why)), why);
}
