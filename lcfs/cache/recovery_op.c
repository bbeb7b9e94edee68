// SPDX-License-Identifier: GPL-2.0-or-later
/* Replay of operations: to the table when they are younger than it, to the index always. */
#include "lcfs/cache/recovery.h"

static void kill_blocks(struct cache *c, struct cache_image *img, uint64_t first, uint64_t last,
			uint64_t position)
{
	uint64_t cursor = 0;

	if (first <= last)
		while (!blocks_drop_range(c, img, first, last, position, &cursor, UINT32_MAX))
			;
}

/* Whole sectors of [from, to) that are older than the operation. What is cut in its middle was
 * written again. */
static void kill_bytes(struct cache *c, struct cache_image *img, uint64_t from, uint64_t to,
		       uint64_t position)
{
	uint64_t first = div_round_up(from, SECTOR_BYTES),
		 last = to / SECTOR_BYTES; /* sectors [first, last) */

	while (first < last && first % SECTORS_PER_BLOCK) {
		blocks_drop_sectors(c, img, first / SECTORS_PER_BLOCK,
				    (uint8_t)(1u << first % SECTORS_PER_BLOCK), position);
		first++;
	}
	while (first < last && last % SECTORS_PER_BLOCK) {
		last--;
		blocks_drop_sectors(c, img, last / SECTORS_PER_BLOCK,
				    (uint8_t)(1u << last % SECTORS_PER_BLOCK), position);
	}
	if (first < last)
		kill_blocks(c, img, first / SECTORS_PER_BLOCK, last / SECTORS_PER_BLOCK - 1,
			    position);
}

static int bind_image(struct recovery *r, const struct op *op, uint64_t lsn)
{
	struct cache_image *img = imgtab_find(r->c, op->image);

	if (img)
		return -EUCLEAN; /* the id was not free */
	if (!op->has_identity || !op->has_stamp)
		return -EUCLEAN;
	img = imgtab_add(r->c, op->image);
	if (!img)
		return -ENOMEM;
	img->is_bound = true;
	img->bind_lsn = lsn;
	img->last_lsn = lsn;
	img->identity = op->identity;
	img->stamp = op->stamp;
	imgtab_set_size(img, op->arg0);
	img->is_new = op->arg1 & BIND_NEW;
	img->size_pending = op->arg0 != op->stamp.size;
	/* images are bound in another order than they got their ids */
	if (op->image >= r->c->super.next_image_id)
		r->c->super.next_image_id = imgtab_next_id(op->image);
	return imgtab_set_path(r->c, img, op->path, op->path_bytes);
}

static void clean_image(struct cache_image *img, const struct op *op)
{
	img->clean_lsn = max(img->clean_lsn, op->arg0);
	if (op->has_stamp)
		img->stamp = op->stamp;
	img->is_touching = false;
	img->is_new = false;
	img->size_pending = false;
	img->backing_valid = UINT64_MAX;
	img->nr_punches = 0;
}

static int pend_punch(struct cache_image *img, uint64_t off, uint64_t len)
{
	struct table_punch *last = img->nr_punches ? &img->punch[img->nr_punches - 1] : NULL;

	if (last && last->offset + last->bytes == off) {
		last->bytes += len;
		return 0;
	}
	return imgtab_pend_punch(img, off, len);
}

/* What the operation does to the table. */
static int apply_to_table(struct recovery *r, struct cache_image *img, const struct op *op,
			  uint64_t lsn)
{
	img->last_lsn = max(img->last_lsn, lsn);
	switch (op->type) {
	case OP_SIZE:
		img->size_pending |= op->arg0 != img->size;
		imgtab_grow_size(img, op->arg0);
		if (op->has_stamp)
			img->mtime_ns = op->stamp.mtime_ns;
		break;
	case OP_INVALIDATE: /* written for whole files only; OP_SIZE and OP_CLEAN follow */
		imgtab_set_size(img, 0);
		img->mtime_ns = 0;
		break;
	case OP_TRUNCATE:
		imgtab_pend_truncate(img, op->arg0);
		imgtab_set_size(img, op->arg0);
		img->size_pending = true;
		break;
	case OP_PUNCH:
		return pend_punch(img, op->arg0, op->arg1);
	case OP_UNBIND:
		img->is_unbound = true;
		imgtab_account(r->c, img);
		img->unbind_lsn = lsn;
		img->backing_valid = UINT64_MAX;
		img->nr_punches = 0;
		break;
	case OP_CLEAN:
		clean_image(img, op);
		break;
	case OP_TOUCH:
		img->is_touching = true;
		if (op->has_stamp)
			img->stamp = op->stamp;
		break;
	case OP_INTENT:
		img->has_intent = true;
		img->has_gone = false;
		break;
	case OP_NAMED:
		img->is_new = false;
		break;
	case OP_DONE:
		img->has_intent = op->arg0 != 0;
		img->has_gone = op->arg0 && lsn >= r->c->sb.epoch_start_lsn;
		break;
	case OP_STATE:
		if (op->has_stamp && op->arg0 == TABLE_STATE_OK) {
			imgtab_accept(img, op);
			break;
		}
		img->state = (uint8_t)op->arg0;
		img->error = (int)op->arg1;
		img->is_stopped = op->arg0 == TABLE_STATE_CONFLICT ||
				  op->arg0 == TABLE_STATE_MISSING;
		break;
	default:
		break;
	}
	(void)r;
	return 0;
}

static void apply_to_index(struct cache *c, struct cache_image *img, const struct op *op,
			   uint64_t position)
{
	if (op->type == OP_TRUNCATE)
		kill_bytes(c, img, op->arg0, IMAGE_BYTES_MAX, position);
	else if (op->type == OP_PUNCH || op->type == OP_INVALIDATE)
		kill_bytes(c, img, op->arg0, op->arg0 + op->arg1, position);
}

static bool is_supported(enum op_type type)
{
	return type != OP_DROP && type != OP_CHECKPOINT;
}

int recovery_apply_op(struct recovery *r, const struct op *op, uint64_t lsn, uint64_t position)
{
	struct cache_image *img;
	int ret = 0;

	if (!is_supported(op->type))
		return -EOPNOTSUPP;
	if (op->type == OP_BIND)
		return lsn > r->table_lsn ? bind_image(r, op, lsn) : 0;
	img = imgtab_find(r->c, op->image);
	if (!img && op->image)
		return -EUCLEAN;
	if (op->type == OP_RENAME || op->type == OP_EXCHANGE) {
		if (lsn > r->table_lsn)
			imgtab_rename(r->c, img, op->path, op->path_bytes, op->path2,
				      op->path2_bytes, op->type == OP_EXCHANGE);
		return 0;
	}
	if (!img)
		return 0;
	if (lsn < img->bind_lsn)
		return 0;
	apply_to_index(r->c, img, op, position);
	if (lsn > r->table_lsn)
		ret = apply_to_table(r, img, op, lsn);
	return ret;
}
