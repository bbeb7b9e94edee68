/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Operations: what op.c, op_edge.c and op_drain.c share. Inside of the core. */
#ifndef LCFS_CACHE_OP_H
#define LCFS_CACHE_OP_H

#include "lcfs/cache/core.h"

enum op_phase {
	PHASE_SIZE,
	PHASE_CLAIM,
	PHASE_EDGES,
	PHASE_LOG,
	PHASE_TABLE,
	PHASE_DURABLE,
	PHASE_EFFECT,
	PHASE_DROP,
	PHASE_OUT, /* all is done but that the backing file has not answered */
	PHASE_DRAIN,
	PHASE_STRAIGHT, /* past the log: op_straight.c */
};

/* The next step of it, whatever that is. */
void op_step(struct cache *c, struct cache_op *op, uint64_t now, struct outbox *ob);
/* Its effect on the backing file. */
void op_step_effect(struct cache *c, struct cache_op *op, uint64_t now, struct outbox *ob);
/* Looks after those that files are to answer; and when to look again. */
void op_watch(struct cache *c, uint64_t now, struct outbox *ob);
uint64_t op_watch_deadline(const struct cache *c);
/* The index has followed. True: its file has not answered yet, it ends when that does. */
bool op_is_out_still(struct cache_op *op, struct outbox *ob);
/* When there is no log any more: what would be logged next is done instead. */
void op_step_straight(struct cache *c, struct cache_op *op, uint64_t now, struct outbox *ob);
/* What it does to what is known of images, without the log. */
void op_apply_in_memory(struct cache *c, struct cache_op *op, uint64_t now);
/* The answer. */
void op_done(struct cache_op *op, int result, struct outbox *ob);
/* cache_sync.fn of op->s.sync: resumes it, with the error if there is one. */
void op_told(struct cache *c, struct cache_sync *s, uint64_t now, struct outbox *ob);
void op_wait_in(struct cache_op *op, struct list *queue);
void op_resume(struct cache_op *op, struct outbox *ob);

/* Blocks that a truncate or punch touches. */
uint64_t op_first_block(const struct cache_op *op);
uint64_t op_last_block(const struct cache_op *op);
/* The cut bytes [*a, *b) of a block. */
void op_cut_in_block(const struct cache_op *op, uint64_t block, uint32_t *a, uint32_t *b);
/* Sectors wholly inside [a, b). */
uint8_t op_whole_sectors(uint32_t a, uint32_t b);

/* If the boundary block is cached with a sector cut in its middle, it becomes an edge. */
void op_note_edge(struct cache *c, struct cache_op *op, uint64_t block);
/* Brings the edges into memory, one after the other. True when all are there; else it is resumed.
 */
bool op_edges_ready(struct cache *c, struct cache_op *op, struct outbox *ob);
/* Are those that came from the device what was written? Else op->result is -EIO. */
void op_verify_edges(struct cache *c, struct cache_op *op, uint64_t now, struct outbox *ob);
/* After log_prepare: writes edge i again. */
void op_log_edge(struct cache *c, struct cache_op *op, int i, uint64_t now, struct outbox *ob);
void op_release_edges(struct cache *c, struct cache_op *op, struct outbox *ob);

/* CACHE_OP_CLEAN */
void op_start_drain(struct cache *c, struct cache_op *op, uint64_t now, struct outbox *ob);
/* The cleaner has moved a dirty block of the image to that segment: it is as old as it was. */
void op_drain_moved(struct cache_image *img, uint64_t segment_id);

#endif
