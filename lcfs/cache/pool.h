/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The RAM buffers in shared memory (rules C): see pool.c. Inside of the core. */
#ifndef LCFS_CACHE_POOL_H
#define LCFS_CACHE_POOL_H

#include "lcfs/cache/core.h"

#define POOL_MAGIC 0x31305f6c6f6f7063ull /* "cpool_01" */
#define POOL_VERSION 1u

/* In shared memory: read by the next daemon (C). magic is written last. */
struct pool_header {
	uint64_t magic;
	uint32_t version, nr_buffers;
	uint64_t segment_bytes;
	uint8_t cache_uuid[FORMAT_UUID_BYTES];
	uint8_t mount_id[FORMAT_UUID_BYTES];
	uint8_t boot_id[FORMAT_UUID_BYTES];
	uint8_t next_mount_id[FORMAT_UUID_BYTES]; /* of the mount that is taking over: what is here
						   * was drained once the super block names it */
};

/*
 * One a buffer, in shared memory. segment_id != 0: the buffer holds records that are not durable;
 * it is stored last when a buffer is opened, and cleared first when it is let go. Records stand one
 * behind the other from block 0; the last one's header is at block last_record, and it may still be
 * open: key[], entry_flags[] and the counts of its header are valid, sum[], link and checksum are
 * not; an entry counts when its dirty[] is not 0, which is stored last (release).
 */
struct pool_ctl {
	uint64_t segment_id;
	uint32_t last_record;
	uint32_t reserved[13];
};

void pool_init(struct cache *c, void *pool); /* structs over the memory, contents untouched */
/* Before the super block names this mount: a death right behind it must find the pool valid. */
void pool_announce(struct cache *c, bool is_valid, const uint8_t *present);
void pool_format(struct cache *c); /* empty, of this mount */
void pool_mark_open(struct wbuf *b, uint32_t start);
void pool_mark_closed(struct wbuf *b);
/* Buffer i of a valid pool that nobody uses. */
const struct pool_ctl *pool_peek(const void *pool, uint32_t i, const uint8_t **mem);

#endif
