// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Headers kept between the two passes of the walk.
 *
 * A header is packed as its first bytes up to the arrays, and of each array the part that its
 * entries fill; a well formed one is zero everywhere else. Packed headers stand one behind the
 * other, 8-byte aligned, in a list of chunks; when the memory is used up, the oldest chunk goes.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/align.h"
#include "lcfs/cache/logkeep.h"

#define CHUNK_BYTES_MIN (8u << 10) /* holds at least one header */
#define CHUNK_BYTES_MAX (64u << 10)
#define HEAD_BYTES offsetof(struct record_disk, key)
#define ENTRY_BYTES (sizeof(le64_t) + sizeof(le32_t) + 2u)

struct logkeep_chunk {
	struct logkeep_chunk *newer;
	uint64_t first_lsn;
	uint32_t used;
	_Alignas(8) uint8_t data[];
};

static uint32_t packed_bytes(uint32_t nr_entries)
{
	return (uint32_t)align_up(HEAD_BYTES + nr_entries * ENTRY_BYTES, 8);
}

static void drop_oldest(struct logkeep *k)
{
	struct logkeep_chunk *c = k->oldest;

	k->oldest = c->newer;
	if (!k->oldest)
		k->newest = NULL;
	k->first_lsn = k->oldest ? k->oldest->first_lsn : UINT64_MAX;
	k->bytes -= k->chunk_bytes;
	free(c);
}

void logkeep_init(struct logkeep *k, uint64_t max_bytes)
{
	uint64_t quarter = max_bytes / 4;

	*k = (struct logkeep){
		.max_bytes = max_bytes,
		.chunk_bytes =
			max_t(uint32_t, CHUNK_BYTES_MIN, min_t(uint64_t, CHUNK_BYTES_MAX, quarter)),
		.first_lsn = UINT64_MAX,
	};
}

void logkeep_clear(struct logkeep *k)
{
	while (k->oldest)
		drop_oldest(k);
}

static int add_chunk(struct logkeep *k, uint64_t lsn)
{
	struct logkeep_chunk *c;

	while (k->oldest && k->bytes + k->chunk_bytes > k->max_bytes)
		drop_oldest(k);
	c = malloc(k->chunk_bytes);
	if (!c)
		return -ENOMEM;
	c->newer = NULL;
	c->first_lsn = lsn;
	c->used = 0;
	k->bytes += k->chunk_bytes;
	if (k->newest)
		k->newest->newer = c;
	else
		k->oldest = c;
	k->newest = c;
	k->first_lsn = k->oldest->first_lsn;
	return 0;
}

static uint8_t *put(uint8_t *to, const void *from, size_t bytes)
{
	memcpy(to, from, bytes);
	return to + bytes;
}

int logkeep_add(struct logkeep *k, const struct record_disk *h)
{
	uint32_t nr = le16_get(h->nr_entries), bytes = packed_bytes(nr);
	uint8_t *to;
	int ret;

	assert(nr <= RECORD_ENTRIES_MAX);
	if (!k->newest || k->chunk_bytes - sizeof(*k->newest) - k->newest->used < bytes) {
		ret = add_chunk(k, le64_get(h->lsn));
		if (ret)
			return ret;
	}
	to = k->newest->data + k->newest->used;
	to = put(to, h, HEAD_BYTES);
	to = put(to, h->key, nr * sizeof(h->key[0]));
	to = put(to, h->sum, nr * sizeof(h->sum[0]));
	to = put(to, h->dirty, nr);
	put(to, h->entry_flags, nr);
	k->newest->used += bytes;
	return 0;
}

struct logkeep_pos logkeep_begin(const struct logkeep *k)
{
	return (struct logkeep_pos){ .chunk = k->oldest };
}

static const uint8_t *get(const uint8_t *from, void *to, size_t bytes)
{
	memcpy(to, from, bytes);
	return from + bytes;
}

bool logkeep_next(struct logkeep_pos *pos, struct record_disk *h)
{
	const uint8_t *from;
	uint32_t nr;

	if (pos->chunk && pos->at == pos->chunk->used)
		*pos = (struct logkeep_pos){ .chunk = pos->chunk->newer };
	if (!pos->chunk)
		return false;

	from = get(pos->chunk->data + pos->at, h, HEAD_BYTES);
	memset((uint8_t *)h + HEAD_BYTES, 0, sizeof(*h) - HEAD_BYTES);
	nr = le16_get(h->nr_entries);
	from = get(from, h->key, nr * sizeof(h->key[0]));
	from = get(from, h->sum, nr * sizeof(h->sum[0]));
	from = get(from, h->dirty, nr);
	get(from, h->entry_flags, nr);
	pos->at += packed_bytes(nr);
	return true;
}
