// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Recovery is safe on any device and any RAM buffers, and what it makes of them is a cache that can
 * be recovered again with the same outcome, served, migrated and ended.
 *
 * As in fuzz_logscan.c the input is a program for a writer who has the cache's secret key. This one
 * writes what recovery looks into: super blocks, an image table, operations, data entries, and RAM
 * buffers of a dead daemon; each of them can be bent, and is sealed again afterwards or not.
 */
#include <errno.h>
#include <string.h>

#include "common/align.h"
#include "common/checksum.h"
#include "lcfs/cache/pool.h"
#include "lcfs/cache/core.h"
#include "lcfs/cache/logscan.h"
#include "lcfs/cache/superread.h"
#include "tests/fake/logbuild.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/serve.h"

#define STEPS_MAX 200
#define SEGMENTS 16
#define IMAGES 8
#define POOL_BUFFERS 4
#define POOL_BYTES_MAX (2u << 20)
#define MIGRATE_ACTIONS 2000

static const uint8_t boot_id[FORMAT_UUID_BYTES] = "boot under test";

/* A number in the super block that is another one there; the writer goes by the true one. */
struct bend {
	uint8_t field;
	uint64_t value;
};

struct writer {
	struct logbuild b;
	struct fuzz_input *in;
	struct pool_header *pool;
	bool has_pool;
	uint32_t nr_bends;
	struct bend bend[4];
	bool bend_copy[SUPERBLOCK_COPIES];
	uint16_t bend_at[SUPERBLOCK_COPIES];
	uint8_t bend_by[SUPERBLOCK_COPIES];
};

static _Alignas(BLOCK_BYTES) uint8_t pool_memory[POOL_BYTES_MAX];

static uint8_t byte_of(struct writer *w)
{
	return fuzz_byte(w->in);
}

/* Images are few, so that operations and data meet; now and then it is another. */
static uint32_t image_of(struct writer *w)
{
	uint8_t first = byte_of(w);

	return first < 0xf0 ? first % IMAGES : (uint32_t)fuzz_number(w->in) & 0xfff;
}

/* Offsets and sizes in all orders of magnitude. */
static uint64_t bytes_of(struct writer *w)
{
	uint8_t first = byte_of(w);
	uint64_t n = byte_of(w);

	return first < 0xf0 ? n << (first % 44) : fuzz_number(w->in);
}

static const char *path_of(struct writer *w)
{
	static const char *const paths[] = {
		"a", "b", "d/a", "d/b", "d", "d/e/f/g", ".lcfs/uuid", "longer-name-of-an-image"
	};

	return paths[byte_of(w) % array_size(paths)];
}

/* ---- operations ---- */

static struct op op_of(struct writer *w)
{
	struct op op = {
		.type = (enum op_type)(byte_of(w) % (OP_TYPE_LAST + 1)),
		.image = image_of(w),
		.arg0 = bytes_of(w),
		.arg1 = bytes_of(w),
		.stamp.size = 4096,
		.identity = { .ino = byte_of(w), .strength = IDENTITY_INODE },
	};
	uint8_t parts = byte_of(w);

	op.has_stamp = parts & 1 || op.type == OP_BIND || op.type == OP_CLEAN ||
		       op.type == OP_TOUCH;
	op.has_identity = parts & 2 || op.type == OP_BIND;
	if (parts & 4 || op.type == OP_BIND || op.type == OP_RENAME || op.type == OP_EXCHANGE ||
	    op.type == OP_INTENT)
		op.path = path_of(w);
	if (op.path && (parts & 8 || op.type == OP_RENAME || op.type == OP_EXCHANGE))
		op.path2 = path_of(w);
	op.path_bytes = (uint16_t)(op.path ? strlen(op.path) : 0);
	op.path2_bytes = (uint16_t)(op.path2 ? strlen(op.path2) : 0);
	return op;
}

static void put_ops(struct writer *w, uint8_t *block)
{
	uint8_t nr = byte_of(w);
	uint32_t pos = 0;

	memset(block, 0, BLOCK_BYTES);
	for (int i = 0; i <= nr % 4; i++) {
		struct op op = op_of(w);
		int err = op_append(block, &pos, &op);

		if (err == -EINVAL && op.type != OP_END) {
			/* that size was too large for it */
			op.arg0 %= IMAGE_BYTES_MAX;
			op.arg1 = 1 + op.arg1 % 65536;
			err = op_append(block, &pos, &op);
		}
	}
	if (nr >= 0xf0)
		block[fuzz_number(w->in) % BLOCK_BYTES] ^= byte_of(w);
}

/* ---- records ---- */

/* What the entries of the header say; the blocks are written behind it afterwards. */
static void fill_entries(struct writer *w, struct record_disk *h)
{
	for (uint32_t i = 0; i < le16_get(h->nr_entries); i++) {
		uint8_t kind = byte_of(w);

		if (kind < 0x60) {
			h->entry_flags[i] = ENTRY_OP;
			h->key[i] = le64_make(0);
			h->dirty[i] = 0xff;
			continue;
		}
		h->key[i] = le64_make(entry_key(image_of(w) | !w->b.lsn, fuzz_number(w->in)));
		h->dirty[i] = kind & 1 ? 0xff : byte_of(w);
		h->entry_flags[i] = kind & 2 ? ENTRY_EXTENDS : 0;
		if (kind >= 0xf8)
			h->entry_flags[i] = byte_of(w);
	}
}

/* The blocks of the entries at `bytes`, and their sums. */
static void fill_blocks(struct writer *w, struct record_disk *h, uint8_t *bytes)
{
	uint32_t block = 1;

	for (uint32_t i = 0; i < le16_get(h->nr_entries); i++) {
		uint8_t *at = bytes + (size_t)block * BLOCK_BYTES;

		if (h->entry_flags[i] & ENTRY_NO_DATA)
			continue;
		if (h->entry_flags[i] & ENTRY_OP)
			put_ops(w, at);
		h->sum[i] = le32_make(checksum_block(at));
		block++;
	}
}

static uint32_t count_blocks(const struct record_disk *h)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < le16_get(h->nr_entries); i++)
		n += !(h->entry_flags[i] & ENTRY_NO_DATA);
	return n;
}

static void append_record(struct writer *w)
{
	struct logbuild *b = &w->b;
	uint32_t room = superblock_segment_blocks(&b->sb), nr = 1 + byte_of(w) % (room - 1);
	struct logbuild_record *r;
	struct record_disk h, *there;

	logbuild_header(b, &h, nr);
	fill_entries(w, &h);
	h.nr_blocks = le16_make((uint16_t)count_blocks(&h));
	if (b->offset + record_blocks(&h) > room)
		logbuild_move(b, b->segment + 1, 0);
	r = logbuild_write(b, &h, b->segment, b->offset);
	there = logbuild_at(b, r->segment, r->offset);
	fill_blocks(w, there, (uint8_t *)there);
	logbuild_seal(b, r->segment, r->offset);
	r->checksum = le64_get(there->checksum);
	memcpy(r->bytes, there, (size_t)r->blocks * BLOCK_BYTES);
	b->link = r->checksum;
}

static const struct logbuild_record *record_of(struct writer *w)
{
	uint8_t back = byte_of(w);

	return w->b.nr ? w->b.records[w->b.nr - 1 - back % w->b.nr] : NULL;
}

static void bend_record(struct writer *w)
{
	const struct logbuild_record *r = record_of(w);
	uint8_t *bytes;
	uint64_t at;

	if (!r)
		return;
	bytes = (uint8_t *)logbuild_at(&w->b, r->segment, r->offset);
	at = fuzz_number(w->in);
	bytes[at % ((uint64_t)r->blocks * BLOCK_BYTES)] ^= byte_of(w);
	if (byte_of(w) & 1)
		logbuild_seal(&w->b, r->segment, r->offset);
}

/* ---- the image table ---- */

static struct table_entry entry_of(struct writer *w)
{
	uint8_t kind = byte_of(w);
	struct table_entry e = {
		.image = image_of(w),
		.bind_lsn = byte_of(w),
		.clean_lsn = byte_of(w),
		.applied_lsn = byte_of(w),
		.size = bytes_of(w),
		.backing_valid = kind & 1 ? UINT64_MAX : bytes_of(w),
		.state = kind >> 1 & 3,
		.flags = kind >> 3 & TABLE_FLAGS_KNOWN,
		.error = (kind >> 1 & 3) == TABLE_STATE_ERROR ? EIO : 0,
		.path = path_of(w),
		.identity = { .ino = byte_of(w), .strength = IDENTITY_INODE },
	};

	e.path_bytes = (uint16_t)strlen(e.path);
	return e;
}

static void seal_table(struct writer *w, uint32_t area, struct table_header *h)
{
	struct superblock_table_area *a = &w->b.sb.table[area];
	uint8_t *bytes = w->b.mem->bytes + a->start;

	memcpy(h->cache_uuid, w->b.sb.cache_uuid, FORMAT_UUID_BYTES);
	h->payload_checksum = checksum64(bytes + BLOCK_BYTES, h->payload_bytes, 0);
	table_header_encode(h, bytes, a->start);
}

static void write_table(struct writer *w)
{
	uint32_t area = byte_of(w) & 1, nr = byte_of(w) % IMAGES;
	struct superblock_table_area *a = &w->b.sb.table[area];
	uint8_t *payload = w->b.mem->bytes + a->start + BLOCK_BYTES;
	struct table_header h = { .epoch = w->b.sb.epoch, .next_image_id = image_of(w) };
	uint64_t pos = 0;

	memset(payload, 0, a->bytes - BLOCK_BYTES);
	for (uint32_t i = 0; i < nr; i++) {
		struct table_entry e = entry_of(w);

		h.nr_entries += table_entry_append(payload, a->bytes - BLOCK_BYTES, &pos, &e) == 0;
	}
	if (byte_of(w) >= 0xf0)
		payload[fuzz_number(w->in) % (pos + 8)] ^= byte_of(w);
	h.payload_bytes = align_up(pos, BLOCK_BYTES);
	h.table_lsn = byte_of(w) & 1 ? w->b.lsn : byte_of(w);
	h.generation = w->b.sb.generation;
	a->table_lsn = h.table_lsn;
	a->generation = h.generation;
	w->b.sb.table_current = area;
	w->b.sb.durable_lsn = max(w->b.sb.durable_lsn, h.table_lsn);
	seal_table(w, area, &h);
}

/* ---- the super blocks ---- */

static void bend_number(struct superblock *sb, const struct bend *b)
{
	uint64_t *const field[] = {
		&sb->last_migrated_segment_id,
		&sb->tail_lsn,
		&sb->tail_link,
		&sb->tail_branch,
		&sb->durable_lsn,
		&sb->epoch_start_lsn,
		&sb->epoch_start_segment,
		&sb->epoch,
		&sb->generation,
		&sb->ring_base_id,
		&sb->ring_base_slot,
		&sb->table[0].table_lsn,
		&sb->table[0].bytes,
		&sb->table[1].start,
		&sb->lease_ns,
	};
	uint64_t *f = field[b->field % array_size(field)];

	*f = b->value < 0xf0 ? *f + b->value - 4 : b->value;
	if (b->field & 0x80)
		sb->state ^= SUPERBLOCK_CLEAN;
}

static void bend_superblock(struct writer *w)
{
	struct bend *b = &w->bend[w->nr_bends % array_size(w->bend)];

	b->field = byte_of(w);
	b->value = fuzz_number(w->in);
	w->nr_bends++;
}

static void bend_copy(struct writer *w)
{
	uint32_t copy = byte_of(w) % SUPERBLOCK_COPIES;

	w->bend_copy[copy] = true;
	w->bend_at[copy] = (uint16_t)(fuzz_number(w->in) % BLOCK_BYTES);
	w->bend_by[copy] = byte_of(w);
}

static void write_superblocks(struct writer *w)
{
	struct superblock sb = w->b.sb;

	for (uint32_t i = 0; i < min(w->nr_bends, (uint32_t)array_size(w->bend)); i++)
		bend_number(&sb, &w->bend[i]);
	for (uint32_t i = 0; i < SUPERBLOCK_COPIES; i++) {
		uint8_t *block = w->b.mem->bytes + SUPERBLOCK_ADDRESS(i);
		struct superblock_disk *d = (void *)block;

		superblock_encode(&sb, block, SUPERBLOCK_ADDRESS(i));
		if (!w->bend_copy[i])
			continue;
		block[w->bend_at[i]] ^= w->bend_by[i];
		d->checksum = le64_make(0);
		d->checksum = le64_make(checksum64(block, BLOCK_BYTES, SUPERBLOCK_ADDRESS(i)));
	}
}

/* ---- the RAM buffers ---- */

/* Records that the device does not have, as a dead daemon leaves them: not sealed. */
static void fill_buffer(struct writer *w, struct pool_ctl *ctl, uint8_t *mem)
{
	struct logbuild *b = &w->b;
	uint32_t room = superblock_segment_blocks(&b->sb), offset = 0, nr = 1 + byte_of(w) % 3;

	ctl->segment_id = b->segment + byte_of(w) % 3;
	for (uint32_t i = 0; i < nr && offset + 2 <= room; i++) {
		struct record_disk *h = (void *)(mem + (size_t)offset * BLOCK_BYTES);
		uint32_t entries = byte_of(w) % (room - offset);

		logbuild_header(b, h, entries);
		h->segment_id = le64_make(ctl->segment_id);
		h->address =
			le64_make(superblock_segment_address(&b->sb, ctl->segment_id) + offset);
		fill_entries(w, h);
		fill_blocks(w, h, (uint8_t *)h);
		b->lsn++;
		ctl->last_record = offset;
		offset += 1 + entries;
	}
	if (byte_of(w) >= 0xf0)
		mem[fuzz_number(w->in) % superblock_segment_bytes(&b->sb)] ^= byte_of(w);
	if (byte_of(w) >= 0xf0)
		ctl->last_record = (uint32_t)fuzz_number(w->in);
	logbuild_move(b, ctl->segment_id + 1, 0);
}

static void write_pool(struct writer *w)
{
	struct pool_header *h = w->pool;
	uint32_t nr = byte_of(w) % (POOL_BUFFERS + 1);

	*h = (struct pool_header){
		.magic = POOL_MAGIC,
		.version = POOL_VERSION,
		.nr_buffers = POOL_BUFFERS,
		.segment_bytes = superblock_segment_bytes(&w->b.sb),
	};
	memcpy(h->cache_uuid, w->b.sb.cache_uuid, FORMAT_UUID_BYTES);
	memcpy(h->mount_id, w->b.sb.mount_id, FORMAT_UUID_BYTES);
	memcpy(h->boot_id, boot_id, FORMAT_UUID_BYTES);
	for (uint32_t i = 0; i < nr; i++) {
		const uint8_t *mem;
		const struct pool_ctl *ctl = pool_peek(h, i, &mem);

		fill_buffer(w, (struct pool_ctl *)(uintptr_t)ctl, (uint8_t *)(uintptr_t)mem);
	}
	w->has_pool = true;
	if (byte_of(w) >= 0xf0)
		((uint8_t *)h)[byte_of(w)] ^= byte_of(w);
}

/* ---- the program ---- */

static void do_step(struct writer *w)
{
	struct logbuild *b = &w->b;
	const struct logbuild_record *r;

	switch (byte_of(w) % 16) {
	case 8:
		logbuild_flush(b);
		break;
	case 9:
		logbuild_move(b, b->segment + byte_of(w) % 3, 0);
		break;
	case 10:
		logbuild_epoch_after(b, record_of(w), b->segment + 1 + byte_of(w) % 2);
		break;
	case 11:
		r = record_of(w);
		if (r && r->offset == 0)
			logbuild_tail(b, r);
		break;
	case 12:
		bend_record(w);
		break;
	case 13:
		write_table(w);
		break;
	case 14:
		bend_superblock(w);
		break;
	case 15:
		if (byte_of(w) & 1)
			bend_copy(w);
		else if (!w->has_pool)
			write_pool(w);
		break;
	default:
		append_record(w);
		break;
	}
}

/* ---- what comes of it ---- */

struct outcome {
	uint32_t images;
	uint64_t dirty, last_lsn;
};

static struct outcome outcome_of(const struct serve *s, const struct cache_recovery_report *rep)
{
	struct cache_status st;

	cache_status(s->cache, &st);
	FUZZ_CHECK(st.dirty_blocks <= st.cached_blocks);
	FUZZ_CHECK(st.dirty_blocks == rep->dirty_blocks);
	return (struct outcome){ rep->images, st.dirty_blocks, rep->last_lsn };
}

static void serve_it(struct serve *s)
{
	outbox_init(&s->todo);
	if (cache_knob_set(s->cache, KNOB_FORCE_MIGRATE, 1, s->now, &s->todo))
		abort();
	serve_run(s, MIGRATE_ACTIONS);
	serve_check(s);
	serve_shutdown(s);
}

/* Headers of somebody who has the key that the first mount does not look at, and a later one may:
 * the log has come nearer to them then. */
struct strays {
	bool are_ahead;	    /* behind all that the first walk sees */
	bool are_malformed; /* anywhere */
};

static void look_at_block(struct strays *strays, const struct superblock *sb, const uint8_t *device,
			  uint64_t segment, uint32_t offset, uint64_t seen)
{
	uint64_t address = superblock_segment_address(sb, segment) + offset;
	const struct record_disk *h = (const void *)(device + address * BLOCK_BYTES);
	enum format_reason why = record_verify(h, sb->cache_uuid, sb->key, address);

	if (why && !format_is_refusal(why))
		return;
	strays->are_ahead |= segment > seen;
	strays->are_malformed |= why || le64_get(h->branch) >> 16 > sb->epoch ||
				 record_blocks(h) > superblock_segment_blocks(sb) - offset;
}

static struct strays find_strays(struct writer *w)
{
	struct strays strays = { 0 };
	struct logscan_result walk;
	struct superblock sb;
	char text[256];
	uint32_t newest;
	uint64_t tail;

	if (superblock_find(&w->b.mem->dev, &sb, &newest, text, sizeof(text)) ||
	    logscan_walk(&w->b.mem->dev, &sb, 0, NULL, NULL, &walk))
		return strays; /* nothing is mounted at all */
	tail = sb.last_migrated_segment_id + 1;
	for (uint64_t segment = tail; segment < tail + sb.nr_segments; segment++)
		for (uint32_t i = 0; i < superblock_segment_blocks(&sb); i++)
			look_at_block(&strays, &sb, w->b.mem->bytes, segment, i,
				      walk.end_segment + sb.pool_segments + 1);
	return strays;
}

/* mount, kill, mount, migrate, unmount, mount */
static void mount_thrice(struct writer *w, uint64_t pool_bytes)
{
	struct strays strays = find_strays(w);
	struct cache_recovery_report rep;
	struct outcome first, second;
	struct serve s;
	int err;

	if (serve_open(&s, w->b.mem, w->pool, pool_bytes, &rep))
		return;
	first = outcome_of(&s, &rep);
	serve_kill(&s);
	err = serve_open(&s, w->b.mem, w->pool, pool_bytes, &rep);
	if (err == -EUCLEAN && strays.are_ahead)
		return;
	FUZZ_CHECK(err == 0);
	second = outcome_of(&s, &rep);
	FUZZ_CHECK(first.images == second.images && first.dirty == second.dirty &&
		   first.last_lsn == second.last_lsn);
	serve_it(&s);
	err = serve_open(&s, w->b.mem, w->pool, pool_bytes, &rep);
	if (err == -EUCLEAN && (strays.are_ahead || strays.are_malformed))
		return;
	FUZZ_CHECK(err == 0 && rep.was_clean);
	serve_kill(&s);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_input in = { .at = data, .end = data + size };
	struct writer w = { .in = &in, .pool = (void *)pool_memory };
	struct cache_pool_layout layout;

	logbuild_init(&w.b, SEGMENT_ORDER_MIN + byte_of(&w) % 3, SEGMENTS, POOL_BUFFERS);
	memcpy(w.b.sb.boot_id, boot_id, sizeof(boot_id));
	memcpy(w.b.sb.mount_id, "mount before", 12);
	cache_pool_layout(&w.b.sb, POOL_BUFFERS, &layout);
	FUZZ_CHECK(layout.bytes <= sizeof(pool_memory));
	memset(pool_memory, 0, layout.bytes);
	if (byte_of(&w) & 1)
		memset(w.b.sb.boot_id, 0, sizeof(w.b.sb.boot_id)); /* the machine was restarted */
	for (int steps = 0; steps < STEPS_MAX && in.at < in.end; steps++)
		do_step(&w);
	write_superblocks(&w);
	mount_thrice(&w, layout.bytes);
	logbuild_free(&w.b);
	return 0;
}
