// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The images that the log knows, in memory: what the image table holds of each, and what is
 * pending.
 *
 * The fields here stand for the state after all operations logged so far, in the open record too; a
 * snapshot of the table is taken right after sealing it (super.c). What an operation does to the
 * backing file is pending from the moment it is logged until the backing file has it: reads mask
 * it, migration applies it first (E3).
 */
#include "lcfs/cache/lost.h"
#include "lcfs/cache/migration.h"

#include <stdlib.h>

struct cache_image *imgtab_find(struct cache *c, uint32_t id)
{
	return id < c->by_id_size ? c->by_id[id] : NULL;
}

static int grow(struct cache *c, uint32_t id)
{
	uint32_t size = max(c->by_id_size, 64u);
	struct cache_image **p;

	while (size <= id)
		size *= 2;
	if (size == c->by_id_size)
		return 0;
	p = realloc(c->by_id, size * sizeof(*p));
	if (!p)
		return -ENOMEM;
	memset(p + c->by_id_size, 0, (size - c->by_id_size) * sizeof(*p));
	c->by_id = p;
	c->by_id_size = size;
	return 0;
}

/* The list is in order of id; ids mostly grow, so look from the end. */
static void insert_in_order(struct cache *c, struct cache_image *img)
{
	struct list *at = c->images.prev;

	while (at != &c->images && list_entry(at, struct cache_image, node)->id > img->id)
		at = at->prev;
	list_add_head(at, &img->node);
}

struct cache_image *imgtab_add(struct cache *c, uint32_t id)
{
	struct cache_image *img;

	if (grow(c, id) < 0)
		return NULL;
	assert(!c->by_id[id]);
	img = calloc(1, sizeof(*img));
	if (!img)
		return NULL;
	img->id = id;
	img->align = SECTOR_BYTES;
	img->backing_valid = UINT64_MAX;
	list_init(&img->ranges);
	list_init(&img->range_waiters);
	list_init(&img->ops);
	list_init(&img->batch_node);
	insert_in_order(c, img);
	c->by_id[id] = img;
	c->nr_images++;
	return img;
}

void imgtab_remove(struct cache *c, struct cache_image *img)
{
	c->by_id[img->id] = NULL;
	list_del(&img->node);
	c->nr_images--;
	c->images_room[img->is_room_unbound] -= img->table_room;
	free(img->path);
	free(img->old_path);
	free(img->punch);
	free(img);
}

void imgtab_account(struct cache *c, struct cache_image *img)
{
	c->images_room[img->is_room_unbound] -= img->table_room;
	img->is_room_unbound = img->is_unbound;
	img->table_room = (uint32_t)(img->is_unbound ? table_entry_bytes(0, 0) :
						       super_room_of(strlen(img->path)));
	c->images_room[img->is_room_unbound] += img->table_room;
}

int imgtab_set_path(struct cache *c, struct cache_image *img, const char *path, size_t bytes)
{
	char *p;

	if (!op_path_is_valid(path, bytes))
		return -EINVAL;
	p = malloc(bytes + 1);
	if (!p)
		return -ENOMEM;
	memcpy(p, path, bytes);
	p[bytes] = '\0';
	free(img->path);
	img->path = p;
	imgtab_account(c, img);
	return 0;
}

static void bind_op(const struct cache_image *img, struct op *op)
{
	memset(op, 0, sizeof(*op));
	op->type = OP_BIND;
	op->image = img->id;
	op->arg0 = img->size;
	op->arg1 = img->is_new ? BIND_NEW : 0;
	op->has_stamp = true;
	op->stamp = img->stamp;
	op->has_identity = true;
	op->identity = img->identity;
	op->path = img->path;
	op->path_bytes = (uint16_t)strlen(img->path);
}

static void intent_op(const struct cache_image *img, struct op *op)
{
	memset(op, 0, sizeof(*op));
	op->type = OP_INTENT;
	op->image = img->id;
	op->arg0 = OP_INTENT_UNLINK;
	op->path = img->path;
	op->path_bytes = (uint16_t)strlen(img->path);
}

static uint32_t intent_bytes(const struct cache_image *img)
{
	struct op op;

	intent_op(img, &op);
	return op_bytes(&op);
}

static uint32_t touch_bytes(void)
{
	struct op op = { .type = OP_TOUCH, .has_stamp = true };

	return op_bytes(&op);
}

uint32_t imgtab_bind_bytes(const struct cache_image *img)
{
	struct op op;

	if (img->is_bound)
		return 0;
	bind_op(img, &op);
	return op_bytes(&op) + touch_bytes() + (img->has_intent ? intent_bytes(img) : 0);
}

void imgtab_bind(struct cache *c, struct cache_image *img)
{
	struct op op;

	if (img->is_bound)
		return;
	bind_op(img, &op);
	img->bind_lsn = log_op(c, &op);
	img->last_lsn = img->bind_lsn;
	img->is_bound = true;
	/* Its mark is about to be set, and not synced: its times may be those before or after. */
	img->is_touching = false;
	imgtab_touch(c, img);
	if (img->has_intent) { /* announced while the log knew nothing of it */
		intent_op(img, &op);
		img->last_lsn = log_op(c, &op);
	}
}

uint32_t imgtab_touch_bytes(const struct cache_image *img)
{
	struct op op = { .type = OP_TOUCH, .has_stamp = true };

	return img->is_touching ? 0 : op_bytes(&op);
}

void imgtab_touch(struct cache *c, struct cache_image *img)
{
	struct op op = { .type = OP_TOUCH,
			 .image = img->id,
			 .has_stamp = true,
			 .stamp = img->stamp };

	if (img->is_touching)
		return;
	img->touch_lsn = log_op(c, &op);
	img->last_lsn = img->touch_lsn;
	img->is_touching = true;
}

/* ---------------------------------------------------------------- pending effects */

bool imgtab_has_pending(const struct cache_image *img)
{
	return img->backing_valid != UINT64_MAX || img->nr_punches;
}

bool imgtab_is_settled(const struct cache_image *img)
{
	return !img->dirty && !img->is_touching && !img->size_pending && !imgtab_has_pending(img);
}

void imgtab_pend_truncate(struct cache_image *img, uint64_t size)
{
	img->backing_valid = min(img->backing_valid, size);
}

int imgtab_pend_punch(struct cache_image *img, uint64_t off, uint64_t len)
{
	if (img->nr_punches == img->punch_room) {
		uint32_t room = max(img->punch_room * 2, 8u);
		struct table_punch *p = realloc(img->punch, room * sizeof(*p));

		if (!p)
			return -ENOMEM;
		img->punch = p;
		img->punch_room = room;
	}
	img->punch[img->nr_punches].offset = off;
	img->punch[img->nr_punches].bytes = len;
	img->nr_punches++;
	return 0;
}

static void zero_overlap(uint8_t *buf, uint64_t off, uint64_t len, uint64_t from, uint64_t to)
{
	uint64_t a = max(off, from), b = min(off + len, to);

	if (a < b)
		memset(buf + (a - off), 0, b - a);
}

void imgtab_mask_backing(const struct cache_image *img, void *buf, uint64_t off, uint64_t len)
{
	zero_overlap(buf, off, len, min(img->backing_valid, img->size), UINT64_MAX);
	for (uint32_t i = 0; i < img->nr_punches; i++)
		zero_overlap(buf, off, len, img->punch[i].offset,
			     img->punch[i].offset + img->punch[i].bytes);
}

/* ---------------------------------------------------------------- state */

enum image_state imgtab_state(const struct cache_image *img)
{
	switch (img->state) {
	case TABLE_STATE_CONFLICT:
		return IMAGE_CONFLICT;
	case TABLE_STATE_MISSING:
		return IMAGE_MISSING;
	case TABLE_STATE_ERROR:
		return IMAGE_ERROR;
	default:
		break;
	}
	if (img->error || img->poisoned || img->lost.is_read_only || lost_blocks(img))
		return IMAGE_ERROR;
	if (!img->is_bound || img->is_unbound)
		return IMAGE_UNCACHED;
	if (img->is_draining)
		return IMAGE_DRAINING;
	return img->dirty || img->size_pending || imgtab_has_pending(img) ? IMAGE_DIRTY :
									    IMAGE_CLEAN;
}

bool imgtab_is_leaving(const struct cache_image *img)
{
	return img->is_unbound || img->is_unbind_wanted;
}

int imgtab_error(const struct cache *c, const struct cache_image *img)
{
	if (c->is_stopping || img->is_stopped)
		return -EIO;
	return lost_error(c, img);
}

void imgtab_damaged(struct cache_image *img, uint64_t block)
{
	img->damaged++;
	img->damaged_block = block;
}

const char *image_state_text(enum image_state s)
{
	static const char *const text[] = {
		[IMAGE_UNCACHED] = "uncached", [IMAGE_CLEAN] = "clean",
		[IMAGE_DIRTY] = "dirty",       [IMAGE_DRAINING] = "draining",
		[IMAGE_CONFLICT] = "conflict", [IMAGE_MISSING] = "missing",
		[IMAGE_ERROR] = "error",
	};

	return (unsigned int)s < array_size(text) ? text[s] : "unknown";
}

/* ---------------------------------------------------------------- table entries */

static uint8_t entry_flags(const struct cache_image *img)
{
	return (uint8_t)((img->is_touching || img->is_touch_wanted ? TABLE_TOUCHING : 0) |
			 (img->has_intent ? TABLE_INTENT : 0) | (img->is_new ? TABLE_NEW : 0) |
			 (img->is_unbound || img->is_unbind_wanted ? TABLE_UNBOUND : 0));
}

void imgtab_entry(const struct cache_image *img, uint64_t lsn, struct table_entry *e,
		  struct table_punch_disk *punches)
{
	memset(e, 0, sizeof(*e));
	e->image = img->id;
	e->bind_lsn = img->bind_lsn;
	e->clean_lsn = img->is_unbound	     ? img->unbind_lsn :
		       img->is_unbind_wanted ? lsn :
					       img->clean_lsn;
	e->applied_lsn = img->applied_lsn;
	e->size = img->logged_size;
	e->backing_valid = img->backing_valid;
	e->mtime_ns = img->mtime_ns;
	e->state = img->state;
	e->mode = TABLE_MODE_WRITEBACK;
	e->flags = entry_flags(img);
	e->error = img->state == TABLE_STATE_ERROR ? (uint32_t)img->error : 0;
	e->stamp = img->stamp;
	e->identity = img->identity;
	e->path = img->path;
	/* once it is unbound nobody looks for it */
	e->path_bytes = e->flags & TABLE_UNBOUND ? 0 : (uint16_t)strlen(img->path);
	e->punches = punches;
	e->nr_punches = (uint16_t)img->nr_punches;
	for (uint32_t i = 0; i < img->nr_punches; i++) {
		punches[i].offset = le64_make(img->punch[i].offset);
		punches[i].bytes = le64_make(img->punch[i].bytes);
	}
}

static void set_sticky(struct cache_image *img, uint8_t state, int error)
{
	img->state = state;
	img->error = error;
	img->is_stopped = state == TABLE_STATE_CONFLICT || state == TABLE_STATE_MISSING;
}

/* That of an unbound image is not kept. */
static int load_path(struct cache *c, struct cache_image *img, const struct table_entry *e)
{
	img->is_unbound = e->flags & TABLE_UNBOUND;
	if (e->path_bytes)
		return imgtab_set_path(c, img, e->path, e->path_bytes);
	img->path = strdup("");
	if (!img->path)
		return -ENOMEM;
	imgtab_account(c, img);
	return 0;
}

int imgtab_load(struct cache *c, const struct table_entry *e)
{
	struct cache_image *img;

	if (e->image == 0 || e->image > IMAGE_ID_MAX || imgtab_find(c, e->image) ||
	    e->nr_punches > TABLE_PUNCHES_MAX)
		return -EUCLEAN;
	img = imgtab_add(c, e->image);
	if (!img || load_path(c, img, e) < 0)
		return -ENOMEM;
	img->is_bound = true;
	img->bind_lsn = e->bind_lsn;
	img->clean_lsn = e->clean_lsn;
	img->applied_lsn = e->applied_lsn;
	imgtab_set_size(img, e->size);
	img->backing_valid = e->backing_valid;
	img->mtime_ns = e->mtime_ns;
	img->stamp = e->stamp;
	img->identity = e->identity;
	img->is_touching = e->flags & TABLE_TOUCHING;
	img->has_intent = e->flags & TABLE_INTENT;
	img->is_new = e->flags & TABLE_NEW;
	img->size_pending = img->is_touching || e->size != e->stamp.size;
	img->unbind_lsn = img->is_unbound ? e->clean_lsn : 0;
	set_sticky(img, e->state, (int)e->error);
	for (uint32_t i = 0; i < e->nr_punches; i++)
		if (imgtab_pend_punch(img, le64_get(e->punches[i].offset),
				      le64_get(e->punches[i].bytes)) < 0)
			return -ENOMEM;
	return 0;
}

/* ---------------------------------------------------------------- for the layer above */

uint32_t cache_image_id(const struct cache_image *img)
{
	return img->id;
}

void cache_image_set_owner(struct cache_image *img, void *owner)
{
	img->owner = owner;
}

void *cache_image_owner(const struct cache_image *img)
{
	return img->owner;
}

void cache_image_set_align(struct cache_image *img, uint32_t bytes)
{
	img->align = bytes;
}

void cache_image_info(struct cache *c, struct cache_image *img, struct cache_image_info *info)
{
	LOCK_SCOPE(&c->lock);

	memset(info, 0, sizeof(*info));
	info->id = img->id;
	info->is_bound = img->is_bound && !img->is_unbound;
	info->is_touching = img->is_touching && !c->failed;
	info->has_intent = img->has_intent;
	info->is_new = img->is_new;
	info->state = imgtab_state(img);
	info->hangs = img->is_hung;
	info->error = img->error			? img->error :
		      img->lost.is_read_only		? EROFS :
		      lost_blocks(img) || img->poisoned ? EIO :
							  0;
	info->lost_blocks = lost_blocks(img);
	info->is_read_only = img->lost.is_read_only;
	info->size = img->size;
	info->mtime_ns = img->mtime_ns;
	info->dirty_blocks = img->dirty;
	info->damaged = img->damaged;
	info->poisoned = img->poisoned;
	info->damaged_block = img->damaged_block;
	info->cached_blocks = img->cached;
	if (img->dirty)
		info->dirty_since_ns = ages_oldest(&c->ages, &img->ages) - c->info.real_ns;
	info->bind_lsn = img->bind_lsn;
	info->clean_lsn = img->clean_lsn;
	info->last_lsn = img->last_lsn;
	info->stamp = img->stamp;
	info->identity = img->identity;
}

void cache_image_path(struct cache *c, struct cache_image *img, char *path)
{
	LOCK_SCOPE(&c->lock);

	memcpy(path, img->path, strlen(img->path) + 1);
}

uint32_t imgtab_next_id(uint32_t id)
{
	return id < IMAGE_ID_MAX ? id + 1 : 1;
}

void cache_table_room(struct cache *c, struct cache_table_room *room)
{
	LOCK_SCOPE(&c->lock);

	room->all = super_room(c);
	room->bound = c->images_room[false];
	room->unbound = c->images_room[true];
}

static uint32_t free_id(struct cache *c)
{
	uint32_t id = max(c->super.next_image_id, 1u);

	for (uint32_t tries = 0; tries < IMAGE_ID_MAX; tries++, id = imgtab_next_id(id)) {
		if (!imgtab_find(c, id)) {
			c->super.next_image_id = imgtab_next_id(id);
			return id;
		}
	}
	return 0;
}

int cache_image_new(struct cache *c, const struct op_identity *identity,
		    const struct op_stamp *stamp, const char *path, struct cache_image **out)
{
	size_t bytes = strlen(path);
	struct cache_image *img;
	uint32_t id;

	LOCK_SCOPE(&c->lock);

	*out = NULL;
	if (!op_path_is_valid(path, bytes) || stamp->size > IMAGE_BYTES_MAX)
		return -EINVAL;
	if (!super_has_room(c, bytes))
		return -ENOSPC;
	id = free_id(c);
	if (!id)
		return -ENOSPC;
	img = imgtab_add(c, id);
	if (!img)
		return -ENOMEM;
	if (imgtab_set_path(c, img, path, bytes) < 0) {
		imgtab_remove(c, img);
		return -ENOMEM;
	}
	img->identity = *identity;
	img->stamp = *stamp;
	imgtab_set_size(img, stamp->size);
	*out = img;
	return 0;
}

struct cache_image *cache_image_next(struct cache *c, struct cache_image *prev)
{
	struct list *n = prev ? prev->node.next : c->images.next;

	for (; n != &c->images; n = n->next) {
		struct cache_image *img = list_entry(n, struct cache_image, node);

		if (!img->is_unbound)
			return img;
	}
	return NULL;
}

void cache_image_free(struct cache *c, struct cache_image *img)
{
	LOCK_SCOPE(&c->lock);

	img->owner = NULL;
	if (img->is_bound || img->cached || !list_is_empty(&img->ranges) ||
	    !list_is_empty(&img->ops))
		return;
	/* the log never heard of it: files that are only looked at use up no ids */
	if (c->super.next_image_id == imgtab_next_id(img->id))
		c->super.next_image_id = img->id;
	imgtab_remove(c, img);
}

static uint8_t sticky_of(enum image_state s)
{
	return s == IMAGE_CONFLICT ? TABLE_STATE_CONFLICT :
	       s == IMAGE_MISSING  ? TABLE_STATE_MISSING :
	       s == IMAGE_ERROR	   ? TABLE_STATE_ERROR :
				     TABLE_STATE_OK;
}

void imgtab_set_state(struct cache *c, struct cache_image *img, enum image_state s, int error,
		      uint64_t now, struct outbox *ob)
{
	struct op op = { .type = OP_STATE,
			 .image = img->id,
			 .arg0 = sticky_of(s),
			 .arg1 = (uint64_t)error };

	img->fails_ns = 0;
	if (img->state == sticky_of(s) && img->error == error)
		return;
	set_sticky(img, sticky_of(s), error);
	/* Without space the state is found again at the next mount. */
	if (img->is_bound && !imgtab_is_leaving(img) &&
	    log_prepare(c, op_bytes(&op), 0, PURPOSE_CLEANER, now, ob) == 0)
		img->last_lsn = log_op(c, &op);
	waiters_wake(&img->range_waiters, ob);
	migrate_image_changed(c, img, now, ob);
}

void cache_image_set_state(struct cache *c, struct cache_image *img, enum image_state s, int error,
			   uint64_t now, struct outbox *ob)
{
	LOCK_SCOPE(&c->lock);

	imgtab_set_state(c, img, s, error, now, ob);
}
