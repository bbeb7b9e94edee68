// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The edges of a truncate or punch: boundary blocks that are cached and have a sector cut in its
 * middle. They are brought into memory and written again with the cut bytes zero.
 */
#include "lcfs/cache/op.h"

#include "common/checksum.h"
#include "lcfs/cache/poison.h"

/* ---------------------------------------------------------------- what it covers */

/* Bytes that become zero or cease to be. */
static uint64_t op_cut_end(const struct cache_op *op)
{
	return op->type == CACHE_OP_TRUNCATE ? IMAGE_BYTES_MAX : op->off + op->len;
}

uint64_t op_first_block(const struct cache_op *op)
{
	return op->off / BLOCK_BYTES;
}

uint64_t op_last_block(const struct cache_op *op)
{
	return (op_cut_end(op) - 1) / BLOCK_BYTES;
}

/* The cut bytes [*a, *b) of a block. */
void op_cut_in_block(const struct cache_op *op, uint64_t block, uint32_t *a, uint32_t *b)
{
	uint64_t start = block * BLOCK_BYTES;

	*a = (uint32_t)(max(op->off, start) - start);
	*b = (uint32_t)(min(op_cut_end(op), start + BLOCK_BYTES) - start);
}

/* Sectors wholly inside [a, b), and those cut in their middle. */
uint8_t op_whole_sectors(uint32_t a, uint32_t b)
{
	uint8_t m = 0;

	for (uint32_t i = 0; i < SECTORS_PER_BLOCK; i++)
		if (i * SECTOR_BYTES >= a && (i + 1) * SECTOR_BYTES <= b)
			m |= (uint8_t)(1u << i);
	return m;
}

static uint8_t torn_sectors(uint32_t a, uint32_t b)
{
	uint8_t m = 0;

	if (a % SECTOR_BYTES)
		m |= (uint8_t)(1u << (a / SECTOR_BYTES));
	if (b % SECTOR_BYTES)
		m |= (uint8_t)(1u << (b / SECTOR_BYTES));
	return m;
}

/* ---------------------------------------------------------------- edges */

void op_release_edges(struct cache *c, struct cache_op *op, struct outbox *ob)
{
	for (int i = 0; i < op->s.nr_edges; i++)
		merge_put(c, op->s.edge[i].merge, ob);
	op->s.nr_edges = 0;
}

/* The operation holds the block: that it is damaged is noted, and migration will meet it, too. */
static void edge_is_lost(struct cache *c, struct cache_op *op, int i, int error, uint64_t now,
			 struct outbox *ob)
{
	op->result = -EIO;
	poison_found(c, op->image, op->s.edge[i].block, log_position(c, op->s.edge[i].cbn), error,
		     now, ob);
}

static void edge_read(struct cache *c, struct action *a, int result, uint64_t now,
		      struct outbox *ob)
{
	struct cache_op *op = container_of(a, struct cache_op, s.effect);
	int i = (int)a->arg;

	log_read_done(c, op->s.edge[i].cbn, ob);
	if (result < 0)
		edge_is_lost(c, op, i, result, now, ob);
	op->s.edges_pending--;
	op_resume(op, ob);
}

/* The boundary block is cached and has a sector cut in its middle: it becomes an edge. */
void op_note_edge(struct cache *c, struct cache_op *op, uint64_t block)
{
	uint32_t cbn = index_find(&c->index, entry_key(op->image->id, block)), a, b;

	op_cut_in_block(op, block, &a, &b);
	if (cbn == CBN_NONE || !(c->index.mask[cbn] & torn_sectors(a, b)))
		return;
	op->s.edge[op->s.nr_edges].block = block;
	op->s.edge[op->s.nr_edges].cbn = cbn;
	op->s.edge[op->s.nr_edges].merge = NULL;
	op->s.nr_edges++;
}

/* Brings edge i into memory, in a merge buffer. 0, 1: a read was issued, -EAGAIN: no merge buffer.
 */
static int fetch_edge(struct cache *c, struct cache_op *op, int i, struct outbox *ob)
{
	struct wbuf *buf;
	uint32_t cbn = index_find(&c->index, entry_key(op->image->id, op->s.edge[i].block));
	struct action *a = &op->s.effect;
	const uint8_t *ram;

	op->s.edge[i].merge = merge_get(c);
	if (!op->s.edge[i].merge)
		return -EAGAIN;
	/* The range is held: the block may only have become clean and been forgotten meanwhile.
	 * What is needed of the slot is noted here, since that may happen later, too. */
	op->s.edge[i].mask = 0;
	op->s.edge[i].is_verified = true;
	if (cbn == CBN_NONE)
		return 0;
	op->s.edge[i].cbn = cbn;
	op->s.edge[i].mask = c->index.mask[cbn];
	if (index_is_poison(&c->index, cbn)) {
		op->result = -EIO;
		return 0;
	}
	ram = log_ram(c, cbn, &buf);
	if (ram) {
		memcpy(op->s.edge[i].merge, ram, BLOCK_BYTES);
		return 0;
	}
	op->s.edge[i].is_verified = false;
	op->s.edge[i].sum = c->index.sum[cbn];
	log_segment_of(c, cbn)->readers++;
	op->s.edges_pending++;
	a->type = ACTION_DEV_READ;
	a->complete = edge_read;
	a->arg = (uint64_t)i;
	a->iov = &a->iov1;
	a->nr_iov = 1;
	a->iov1.iov_base = op->s.edge[i].merge;
	a->iov1.iov_len = BLOCK_BYTES;
	a->len = BLOCK_BYTES;
	a->off = log_device_offset(c, cbn);
	outbox_add(ob, a);
	return 1;
}

/* One edge after the other. True when all are there. */
bool op_edges_ready(struct cache *c, struct cache_op *op, struct outbox *ob)
{
	for (int i = 0; i < op->s.nr_edges; i++) {
		int ret;

		if (op->s.edge[i].merge)
			continue;
		ret = fetch_edge(c, op, i, ob);
		if (ret < 0) {
			/* Who waits for a buffer holds none: two that hold one each would wait for
			 * ever. */
			for (int k = 0; k < op->s.nr_edges; k++) {
				uint8_t *m = op->s.edge[k].merge;

				op->s.edge[k].merge = NULL;
				merge_put(c, m, ob);
			}
			op_wait_in(op, &c->merge_waiters);
		}
		if (ret)
			return false;
	}
	return true;
}

/* 4 KiB of checksum under the lock, for the rare edge that came from the device. */
void op_verify_edges(struct cache *c, struct cache_op *op, uint64_t now, struct outbox *ob)
{
	for (int i = 0; i < op->s.nr_edges; i++)
		if (!op->s.edge[i].is_verified &&
		    checksum_block(op->s.edge[i].merge) != op->s.edge[i].sum)
			edge_is_lost(c, op, i, -EUCLEAN, now, ob);
}

void op_log_edge(struct cache *c, struct cache_op *op, int i, uint64_t now, struct outbox *ob)
{
	uint64_t block = op->s.edge[i].block;
	uint32_t a, b, entry, cbn;
	struct record *rec;
	uint8_t *dst, mask;

	op_cut_in_block(op, block, &a, &b);
	mask = op->s.edge[i].mask & (uint8_t)~op_whole_sectors(a, b);
	if (!mask)
		return;
	rec = log_reserve(c, op->image->id, block, 1, &entry, &dst);
	cbn = log_entry_cbn(c, rec, entry);
	memcpy(dst, op->s.edge[i].merge, BLOCK_BYTES);
	memset(dst + a, 0, b - a);
	log_publish(c, rec, entry, mask, 0);
	blocks_insert(c, op->image, block, cbn, mask, c->info.real_ns + (int64_t)now);
	op->image->last_lsn = rec->lsn;
	op->s.lsn = rec->lsn;
	log_writer_done(c, rec, now, ob);
}
