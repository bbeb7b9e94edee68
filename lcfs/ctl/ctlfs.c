// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The control tree: from node numbers to rows of the table and back.
 *
 *	bits 44..47  enum ctl_dir_kind
 *	bits 12..43  id of the cache or image that the directory is of, or 0
 *	bits  0..11  0: the directory itself; n: row n - 1 of the table
 *
 * A fixed directory (caches, devices) has its own kind, so that it is reached by one number only.
 */
#include "lcfs/ctl/ctlfs.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "common/align.h"
#include "common/parse.h"
#include "lcfs/ctl/ctl_table.h"

#define NODE_KIND_SHIFT 44
#define NODE_ID_SHIFT 12
#define NODE_ROW_MASK UINT64_C(0xfff)

static uint64_t node_make(enum ctl_dir_kind kind, uint32_t id, size_t row_plus_1)
{
	return (uint64_t)kind << NODE_KIND_SHIFT | (uint64_t)id << NODE_ID_SHIFT | row_plus_1;
}

const struct ctl_item *ctl_node_item(uint64_t node)
{
	uint64_t row_plus_1 = node & NODE_ROW_MASK;

	return row_plus_1 ? &ctl_table[row_plus_1 - 1] : NULL;
}

static bool kind_has_id(enum ctl_dir_kind kind)
{
	return kind == CTL_IN_CACHE || kind == CTL_IN_DEVICE;
}

static bool is_cache(struct ctlfs *t, uint32_t id)
{
	bool is = imagedir_hold_cache(t->dir, id);

	if (is)
		imagedir_release_cache(t->dir, id);
	return is;
}

int ctl_place_get(struct ctlfs *t, uint64_t node, struct ctl_place *p)
{
	uint64_t row_plus_1 = node & NODE_ROW_MASK;

	*p = (struct ctl_place){
		.tree = t,
		.kind = (enum ctl_dir_kind)(node >> NODE_KIND_SHIFT),
		.id = (uint32_t)(node >> NODE_ID_SHIFT),
	};
	if (p->kind <= CTL_IN_NONE || p->kind >= CTL_NR_KINDS || row_plus_1 > ctl_table_rows)
		return -ENOENT;
	if (row_plus_1 && ctl_table[row_plus_1 - 1].kind != p->kind)
		return -ENOENT;
	if (kind_has_id(p->kind) != (p->id != 0))
		return -ENOENT;
	if (p->kind == CTL_IN_CACHE && !is_cache(t, p->id))
		return -ENOENT;
	if (p->kind == CTL_IN_DEVICE) {
		p->img = imagedir_by_id(t->dir, p->id);
		if (!p->img)
			return -ENOENT;
	}
	return 0;
}

void ctl_place_put(struct ctl_place *p)
{
	if (p->img)
		image_put(p->img);
	p->img = NULL;
}

int ctlfs_new(struct ctlfs **out, const struct ctlfs_conf *conf)
{
	struct ctlfs *t = calloc(1, sizeof(*t));

	build_assert(CTL_ROOT == (uint64_t)CTL_IN_ROOT << NODE_KIND_SHIFT);
	if (!t)
		return -ENOMEM;
	t->dir = conf->dir;
	ctl_watch_init(&t->watch);
	mutex_init(&t->lock, CTL_FILE_RANK, "control tree");
	t->caches = conf->caches;
	t->ctx = conf->ctx;
	t->source = strdup(conf->source);
	t->cache_path = strdup(conf->cache_path);
	t->mount = strdup(conf->mount);
	t->config = strdup(conf->config);
	t->version = strdup(conf->version);
	t->transport = strdup(conf->transport);
	t->uid = conf->uid;
	t->gid = conf->gid;
	if (!t->source || !t->cache_path || !t->mount || !t->config || !t->version ||
	    !t->transport) {
		ctlfs_free(t);
		return -ENOMEM;
	}
	*out = t;
	return 0;
}

void ctlfs_free(struct ctlfs *t)
{
	if (!t)
		return;
	ctl_watch_end(&t->watch);
	mutex_destroy(&t->lock);
	free(t->source);
	free(t->cache_path);
	free(t->mount);
	free(t->config);
	free(t->version);
	free(t->transport);
	free(t);
}

/* ------------------------------------------------------------------ directories */

static enum ctl_type item_type(const struct ctl_item *item)
{
	if (item->child)
		return CTL_DIR;
	return item->link ? CTL_LINK : CTL_FILE;
}

/* The node of a row in a directory; a fixed directory is named by its own kind. */
static uint64_t item_node(const struct ctl_place *p, size_t row)
{
	const struct ctl_item *item = &ctl_table[row];

	return item->child ? node_make(item->child, 0, 0) : node_make(p->kind, p->id, row + 1);
}

static mode_t item_mode(const struct ctl_item *item)
{
	switch (item_type(item)) {
	case CTL_DIR:
		break;
	case CTL_LINK:
		return S_IFLNK | 0777;
	case CTL_FILE:
		return S_IFREG | (item->show ? 0444u : 0) | (ctl_item_can_store(item) ? 0200u : 0);
	}
	return S_IFDIR | 0755;
}

/* Links of a directory: itself, its name, and the ".." of each directory in it. */
static nlink_t dir_nlink(enum ctl_dir_kind kind)
{
	nlink_t n = 2;

	for (size_t i = 0; i < ctl_table_rows; i++)
		n += ctl_table[i].kind == kind && ctl_table[i].child;
	return n;
}

int ctlfs_getattr(struct ctlfs *t, uint64_t node, struct ctl_attr *attr)
{
	const struct ctl_item *item;
	CLEANUP_CTL_PLACE struct ctl_place place = { 0 };
	int err = ctl_place_get(t, node, &place);

	if (err)
		return err;
	item = ctl_node_item(node);
	if (item && item->child)
		return -ENOENT;
	*attr = (struct ctl_attr){
		.node = node,
		.type = item ? item_type(item) : CTL_DIR,
		.mode = item ? item_mode(item) : S_IFDIR | 0755,
		.nlink = item ? 1 : dir_nlink(place.kind),
		.uid = t->uid,
		.gid = t->gid,
	};
	if (attr->type == CTL_LINK) {
		struct ctl_text target = { 0 };

		err = item->link(&place, &target);
		attr->size = (off_t)target.len;
		ctl_text_free(&target);
	}
	return err;
}

/* caches and devices: the name is an id. */
static must_check int lookup_id(enum ctl_dir_kind child, const char *name, uint64_t *node)
{
	uint64_t id;

	/* one name for one thing: no "01" */
	if (name[0] == '0' || parse_u64(name, 1, UINT32_MAX, &id))
		return -ENOENT;
	*node = node_make(child, (uint32_t)id, 0);
	return 0;
}

static must_check int lookup_item(const struct ctl_place *p, const char *name, uint64_t *node)
{
	for (size_t i = 0; i < ctl_table_rows; i++) {
		if (ctl_table[i].kind == p->kind && strcmp(ctl_table[i].name, name) == 0) {
			*node = item_node(p, i);
			return 0;
		}
	}
	return -ENOENT;
}

int ctlfs_lookup(struct ctlfs *t, uint64_t dir, const char *name, struct ctl_attr *attr)
{
	CLEANUP_CTL_PLACE struct ctl_place place = { 0 };
	uint64_t node = 0;
	int err = ctl_place_get(t, dir, &place);

	if (err)
		return err;
	if (ctl_node_item(dir))
		return -ENOTDIR;
	if (place.kind == CTL_IN_CACHES)
		err = lookup_id(CTL_IN_CACHE, name, &node);
	else if (place.kind == CTL_IN_DEVICES)
		err = lookup_id(CTL_IN_DEVICE, name, &node);
	else
		err = lookup_item(&place, name, &node);
	return err ? err : ctlfs_getattr(t, node, attr);
}

struct entries {
	struct ctl_entry *entry;
	size_t nr, size;
};

static must_check int entries_add(struct entries *e, uint64_t node, enum ctl_type type,
				  const char *name)
{
	struct ctl_entry *entry = e->entry;

	if (e->nr == e->size) {
		size_t size = e->size ? e->size * 2 : 32;

		entry = reallocarray(entry, size, sizeof(*entry));
		if (!entry)
			return -ENOMEM;
		e->entry = entry;
		e->size = size;
	}
	entry[e->nr].node = node;
	entry[e->nr].type = type;
	snprintf(entry[e->nr].name, sizeof(entry[e->nr].name), "%s", name);
	e->nr++;
	return 0;
}

static must_check int entries_add_id(struct entries *e, enum ctl_dir_kind kind, uint32_t id)
{
	char name[16];

	snprintf(name, sizeof(name), "%" PRIu32, id);
	return entries_add(e, node_make(kind, id, 0), CTL_DIR, name);
}

static int list_image(struct image *img, void *arg)
{
	uint32_t id = image_id(img);

	return id ? entries_add_id(arg, CTL_IN_DEVICE, id) : 0;
}

static int entry_order(const void *a, const void *b)
{
	const struct ctl_entry *x = a, *y = b;

	return (x->node > y->node) - (x->node < y->node);
}

static must_check int list_images(struct ctlfs *t, struct entries *e)
{
	int err = imagedir_for_each(t->dir, list_image, e);

	if (!err && e->nr > 1)
		qsort(e->entry, e->nr, sizeof(*e->entry), entry_order);
	return err;
}

static must_check int list_caches(struct ctlfs *t, struct entries *e)
{
	uint32_t ids[CTL_CACHES_MAX];
	unsigned int nr = min(imagedir_caches(t->dir, ids, CTL_CACHES_MAX), CTL_CACHES_MAX);
	int err = 0;

	for (unsigned int i = 0; !err && i < nr; i++)
		err = entries_add_id(e, CTL_IN_CACHE, ids[i]);
	return err;
}

static must_check int list_items(const struct ctl_place *p, struct entries *e)
{
	int err = 0;

	for (size_t i = 0; !err && i < ctl_table_rows; i++) {
		const struct ctl_item *item = &ctl_table[i];

		if (item->kind == p->kind)
			err = entries_add(e, item_node(p, i), item_type(item), item->name);
	}
	return err;
}

int ctlfs_list(struct ctlfs *t, uint64_t dir, struct ctl_entry **out, size_t *nr)
{
	CLEANUP_CTL_PLACE struct ctl_place place = { 0 };
	struct entries e = { 0 };
	int err = ctl_place_get(t, dir, &place);

	if (err)
		return err;
	if (ctl_node_item(dir))
		return -ENOTDIR;
	if (place.kind == CTL_IN_CACHES)
		err = list_caches(t, &e);
	else if (place.kind == CTL_IN_DEVICES)
		err = list_images(t, &e);
	else
		err = list_items(&place, &e);
	if (err) {
		free(e.entry);
		return err;
	}
	*out = e.entry;
	*nr = e.nr;
	return 0;
}

ssize_t ctlfs_readlink(struct ctlfs *t, uint64_t node, char *buf, size_t size)
{
	CLEANUP_CTL_PLACE struct ctl_place place = { 0 };
	const struct ctl_item *item;
	struct ctl_text target = { 0 };
	size_t n = 0;
	int err = ctl_place_get(t, node, &place);

	if (err)
		return err;
	item = ctl_node_item(node);
	if (!item || !item->link)
		return -EINVAL;
	err = item->link(&place, &target);
	if (!err) {
		n = min(target.len, size);
		memcpy(buf, target.data, n);
	}
	ctl_text_free(&target);
	return err ? err : (ssize_t)n;
}

/* ------------------------------------------------------------------ the table */

bool ctlfs_describe(size_t row, struct ctl_description *d)
{
	const struct ctl_item *item = &ctl_table[row];

	if (row >= ctl_table_rows)
		return false;
	*d = (struct ctl_description){
		.dir = item->kind == CTL_IN_CACHE  ? "caches/ID/" :
		       item->kind == CTL_IN_DEVICE ? "devices/ID/" :
						     "",
		.name = item->name,
		.type = item_type(item),
		.mode = item_mode(item),
		.unit = item->unit,
		.is_trigger = item->show == ctl_show_zero,
		.min = item->min,
		.max = item->max,
		.words = item->words,
		.is_text = item->store_text,
		.has_default = item->store && item->show == ctl_cache_show_knob,
		.initial = item->initial,
		.help = item->help,
	};
	return true;
}
