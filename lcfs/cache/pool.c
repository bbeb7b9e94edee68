// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The RAM buffers in shared memory, as the next daemon will find them (rules C).
 *
 * Layout: header (4096 bytes), one struct pool_ctl a buffer (64 bytes each, rounded up to 4096),
 * buffers. A daemon may be killed between any two stores: what gives meaning to others is stored
 * last, with release order.
 */
#include "lcfs/cache/pool.h"

static uint64_t ctl_bytes(uint32_t nr)
{
	return align_up((uint64_t)nr * sizeof(struct pool_ctl), BLOCK_BYTES);
}

void cache_pool_layout(const struct superblock *sb, uint32_t wanted, struct cache_pool_layout *l)
{
	uint64_t most = sb->nr_segments / 4;

	l->nr_buffers = (uint32_t)max((uint64_t)2, min((uint64_t)wanted, most));
	l->bytes = BLOCK_BYTES + ctl_bytes(l->nr_buffers) +
		   (uint64_t)l->nr_buffers * superblock_segment_bytes(sb);
}

bool cache_pool_is_valid(const void *pool, uint64_t bytes, const struct superblock *sb,
			 const uint8_t *boot_id)
{
	const struct pool_header *h = pool;
	struct cache_pool_layout l;

	if (bytes < BLOCK_BYTES)
		return false;
	if (__atomic_load_n(&h->magic, __ATOMIC_ACQUIRE) != POOL_MAGIC ||
	    h->version != POOL_VERSION)
		return false;
	if (h->segment_bytes != superblock_segment_bytes(sb) || h->nr_buffers < 2)
		return false;
	cache_pool_layout(sb, h->nr_buffers, &l);
	if (l.nr_buffers != h->nr_buffers || l.bytes > bytes)
		return false;
	if (memcmp(h->mount_id, sb->mount_id, FORMAT_UUID_BYTES) != 0 &&
	    memcmp(h->next_mount_id, sb->mount_id, FORMAT_UUID_BYTES) != 0)
		return false;
	return memcmp(h->cache_uuid, sb->cache_uuid, FORMAT_UUID_BYTES) == 0 &&
	       memcmp(h->boot_id, boot_id, FORMAT_UUID_BYTES) == 0;
}

static struct pool_ctl *pool_ctl(struct pool_header *h, uint32_t i)
{
	return (struct pool_ctl *)(void *)((uint8_t *)h + BLOCK_BYTES) + i;
}

const struct pool_ctl *pool_peek(const void *pool, uint32_t i, const uint8_t **mem)
{
	const struct pool_header *h = pool;

	*mem = (const uint8_t *)pool + BLOCK_BYTES + ctl_bytes(h->nr_buffers) +
	       i * h->segment_bytes;
	return (const struct pool_ctl *)(const void *)((const uint8_t *)pool + BLOCK_BYTES) + i;
}

void pool_init(struct cache *c, void *pool)
{
	uint8_t *data = (uint8_t *)pool + BLOCK_BYTES + ctl_bytes(c->nr_bufs);

	c->pool = pool;
	for (uint32_t i = 0; i < c->nr_bufs; i++) {
		struct wbuf *b = &c->bufs[i];

		b->ctl = pool_ctl(c->pool, i);
		b->mem = data + i * c->segment_bytes;
		list_init(&b->node);
		list_add_tail(&c->log.free_bufs, &b->node);
	}
}

static void format(struct cache *c, const uint8_t *mount_id, const uint8_t *next_mount_id)
{
	struct pool_header *h = c->pool;

	__atomic_store_n(&h->magic, 0, __ATOMIC_SEQ_CST);
	for (uint32_t i = 0; i < c->nr_bufs; i++)
		memset(c->bufs[i].ctl, 0, sizeof(struct pool_ctl));
	h->version = POOL_VERSION;
	h->nr_buffers = c->nr_bufs;
	h->segment_bytes = c->segment_bytes;
	memcpy(h->cache_uuid, c->sb.cache_uuid, FORMAT_UUID_BYTES);
	memcpy(h->mount_id, mount_id, FORMAT_UUID_BYTES);
	memcpy(h->next_mount_id, next_mount_id, FORMAT_UUID_BYTES);
	memcpy(h->boot_id, c->info.boot_id, FORMAT_UUID_BYTES);
	__atomic_store_n(&h->magic, POOL_MAGIC, __ATOMIC_SEQ_CST);
}

void pool_announce(struct cache *c, bool is_valid, const uint8_t *present)
{
	static const uint8_t nobody[FORMAT_UUID_BYTES];

	if (is_valid) {
		/* It may be valid through next_mount_id alone, which is about to change. */
		memcpy(c->pool->mount_id, present, FORMAT_UUID_BYTES);
		__atomic_signal_fence(__ATOMIC_SEQ_CST);
		memcpy(c->pool->next_mount_id, c->info.mount_id, FORMAT_UUID_BYTES);
	} else
		format(c, nobody, c->info.mount_id);
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
}

void pool_format(struct cache *c)
{
	static const uint8_t nobody[FORMAT_UUID_BYTES];

	format(c, c->info.mount_id, nobody);
}

/* A record header at block `start` is prepared (no entries yet) and is now the last one. */
void pool_mark_open(struct wbuf *b, uint32_t start)
{
	__atomic_store_n(&b->ctl->last_record, start, __ATOMIC_RELEASE);
	__atomic_store_n(&b->ctl->segment_id, b->segment_id, __ATOMIC_RELEASE);
}

/* All its records are durable. */
void pool_mark_closed(struct wbuf *b)
{
	__atomic_store_n(&b->ctl->segment_id, 0, __ATOMIC_RELEASE);
}
