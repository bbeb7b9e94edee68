// SPDX-License-Identifier: GPL-2.0-or-later
/* Named scenarios of what stands on the device and was not written by the mounts before: it is
 * refused with nothing written, or does no harm. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/checksum.h"
#include "lcfs/cache/core.h"
#include "lcfs/cache/logscan.h"
#include "lcfs/cache/pool.h"
#include "tests/sim/scenario.h"

#define POOL_SEGMENTS 4u /* of scenario_conf() */

static struct superblock superblock_of(struct sim_world *w)
{
	struct superblock sb;
	char text[512];

	ck_assert_int_eq(cache_superblock_read(&w->dev->blk, &sb, text, sizeof(text)), 0);
	return sb;
}

/* The mount is refused and changes nothing. */
static void expect_refused(struct sim_world *w, const char *text)
{
	ck_assert_int_eq(sim_open(w, 0), -EUCLEAN);
	ck_assert_msg(strstr(w->report.error, text), "%s", w->report.error);
	ck_assert_uint_eq(w->dev->blocking_writes, 0);
}

/* The same before anything is asked of the RAM buffers, which sim_open() lays out by the super
 * block. */
static void expect_unusable(struct sim_world *w, const char *text)
{
	struct cache_mount_info info = { .dir_uuid = { 7 } };

	simdev_arm(w->dev, 0, 0, NULL, NULL);
	ck_assert_int_eq(cache_open(&w->cache, &w->dev->blk, NULL, 0, &w->conf.cache, &info,
				    &w->report),
			 -EUCLEAN);
	ck_assert_msg(strstr(w->report.error, text), "%s", w->report.error);
	ck_assert_uint_eq(w->dev->blocking_writes, 0);
}

/* Bytes of the device as they are, and as they survive a power cut. */
static void put(struct sim_world *w, uint64_t at, const void *bytes, uint64_t n)
{
	memcpy(w->dev->view + at, bytes, n);
	memcpy(w->dev->stable + at, bytes, n);
}

static void flip(struct sim_world *w, uint64_t at)
{
	w->dev->view[at] ^= 0xff;
	w->dev->stable[at] ^= 0xff;
}

/* A world whose log has a few records in the first segments, all durable, and no RAM buffers. */
static struct sim_world *world_with_log(void)
{
	struct sim_world *w = scenario_begin(NULL);

	for (uint64_t b = 0; b < 10; b++) {
		scenario_write_block(w, &w->image[b % 2], b);
		sim_do_sync(w, &w->image[b % 2]);
	}
	return w;
}

/* ---------------------------------------------------------------- headers ahead of the log */

enum malformed {
	MALFORMED_VERSION,
	MALFORMED_TYPE,
	MALFORMED_FLAG,
	MALFORMED_RESERVED,
	MALFORMED_COUNT,
	MALFORMED_EPOCH,
	NR_MALFORMED
};

/* With a checksum that is right, which takes the key of the cache. */
static void put_malformed(struct sim_world *w, const struct superblock *sb, uint64_t segment,
			  uint32_t offset, enum malformed what)
{
	static _Alignas(BLOCK_BYTES) struct record_disk h;
	uint64_t address = superblock_segment_address(sb, segment) + offset;

	memset(&h, 0, sizeof(h));
	memcpy(h.cache_uuid, sb->cache_uuid, FORMAT_UUID_BYTES);
	h.branch = le64_make((sb->epoch + (what == MALFORMED_EPOCH)) << 16);
	h.branch_lsn = le64_make(1);
	h.lsn = le64_make(sb->durable_lsn + 1);
	h.segment_id = le64_make(segment);
	h.address = le64_make(address);
	h.nr_entries = le16_make(1);
	h.nr_blocks = le16_make(what == MALFORMED_COUNT ? 2 : 1);
	h.key[0] = le64_make(entry_key(1, 0));
	h.flags = le32_make(what == MALFORMED_FLAG ? 4 : 0);
	h.reserved1[7] = what == MALFORMED_RESERVED;
	record_finish(&h, sb->key);
	if (what == MALFORMED_VERSION)
		h.version = le16_make(RECORD_VERSION + 1);
	if (what == MALFORMED_TYPE)
		h.type = le16_make(RECORD_TYPE_LOG + 1);
	h.checksum = le64_make(0);
	h.checksum = le64_make(checksum64(&h, sizeof(h), record_seed(sb->key, address)));
	put(w, address * BLOCK, &h, sizeof(h));
}

static struct logscan_result walk_of(struct sim_world *w, const struct superblock *sb)
{
	struct logscan_result walk;

	ck_assert_int_eq(logscan_walk(&w->dev->blk, sb, 0, NULL, NULL, &walk), 0);
	return walk;
}

/* A5. Wherever recovery looks: it refuses the mount, and when the header is gone all is there. */
START_TEST(test_a5_malformed_header_ahead_is_refused)
{
	struct sim_world *w = world_with_log();
	struct logscan_result walk;
	struct superblock sb;

	sim_power_cut(w, CUT_DROP_ALL);
	sb = superblock_of(w);
	walk = walk_of(w, &sb);
	for (uint64_t id = walk.end_segment; id <= walk.end_segment + POOL_SEGMENTS + 1; id++) {
		uint32_t offset = id == walk.end_segment ? walk.end_offset : 0;

		for (; offset < superblock_segment_blocks(&sb); offset++) {
			uint64_t at = (superblock_segment_address(&sb, id) + offset) * BLOCK;
			uint8_t was[BLOCK];

			memcpy(was, w->dev->view + at, sizeof(was));
			for (unsigned int what = 0; what < NR_MALFORMED; what++) {
				put_malformed(w, &sb, id, offset, what);
				expect_refused(w, "cannot be ignored");
			}
			put(w, at, was, sizeof(was));
		}
	}
	scenario_mount(w);
	scenario_end(w);
}
END_TEST

/* A5. Further ahead it is not seen. The log comes nearer; a mount is refused then, with all of the
 * log in its place, until it has been written over. */
START_TEST(test_a5_malformed_header_far_ahead_takes_nothing)
{
	struct sim_world *w = world_with_log();
	uint64_t far, at;
	struct logscan_result walk;
	struct superblock sb;
	uint8_t was[BLOCK];
	unsigned int refused = 0;

	sim_power_cut(w, CUT_DROP_ALL);
	sb = superblock_of(w);
	walk = walk_of(w, &sb);
	far = walk.end_segment + POOL_SEGMENTS + 2;
	at = superblock_segment_address(&sb, far) * BLOCK;
	memcpy(was, w->dev->view + at, sizeof(was));
	put_malformed(w, &sb, far, 0, MALFORMED_VERSION);
	scenario_mount(w);
	while (w->cache->log.next_segment_id <= far) {
		scenario_write_block(w, &w->image[0], 3);
		sim_do_sync(w, &w->image[0]);
		sim_power_cut(w, CUT_DROP_ALL);
		if (sim_open(w, 0) == 0) {
			sim_attach(w);
			sim_judge(w, true);
			scenario_quiet(w);
			continue;
		}
		ck_assert_msg(strstr(w->report.error, "cannot be ignored"), "%s", w->report.error);
		refused++;
		put(w, at, was, sizeof(was));
		scenario_mount(w);
		put_malformed(w, &sb, far, 0, MALFORMED_VERSION);
	}
	ck_assert_uint_gt(refused, 0);
	scenario_end(w);
}
END_TEST

/* ---------------------------------------------------------------- super blocks */

/* A6. Half of the super blocks is of another cache, and that half is the newer one: its log is
 * empty, and a mount would go on from there. */
START_TEST(test_a6_copies_of_different_caches_are_refused)
{
	for (uint32_t copy = 0; copy < SUPERBLOCK_COPIES; copy++) {
		struct sim_world *w = world_with_log();
		static _Alignas(BLOCK_BYTES) uint8_t block[BLOCK_BYTES];
		uint8_t was[BLOCK];
		struct superblock sb;

		sim_power_cut(w, CUT_DROP_ALL);
		sb = superblock_of(w);
		memcpy(was, w->dev->view + SUPERBLOCK_ADDRESS(copy), sizeof(was));
		sb.epoch += 5;
		for (int what = 0; what < 2; what++) {
			struct superblock other = sb;

			if (what)
				other.key ^= 1;
			else
				other.cache_uuid[3] ^= 1;
			superblock_encode(&other, block, SUPERBLOCK_ADDRESS(copy));
			put(w, SUPERBLOCK_ADDRESS(copy), block, sizeof(block));
			expect_unusable(w, "of different caches");
		}
		put(w, SUPERBLOCK_ADDRESS(copy), was, sizeof(was));
		scenario_mount(w);
		scenario_end(w);
	}
}
END_TEST

/* A6. Any byte of both copies is wrong: refused. */
START_TEST(test_a6_damage_in_both_copies_is_refused)
{
	struct sim_world *w = world_with_log();

	sim_power_cut(w, CUT_DROP_ALL);
	for (uint64_t at = 8; at < BLOCK; at += at < 512 ? 1 : 61) {
		flip(w, SUPERBLOCK_ADDRESS(0) + at);
		flip(w, SUPERBLOCK_ADDRESS(1) + at);
		expect_unusable(w, "both copies of the super block are damaged");
		flip(w, SUPERBLOCK_ADDRESS(0) + at);
		flip(w, SUPERBLOCK_ADDRESS(1) + at);
	}
	scenario_mount(w);
	scenario_end(w);
}
END_TEST

/* A6. Any byte of one copy is wrong, the newer or the older one: all is there. */
START_TEST(test_a6_damage_in_one_copy_does_no_harm)
{
	for (uint64_t at = 0; at < 512; at += 19) {
		struct sim_world *w = world_with_log();

		sim_power_cut(w, CUT_DROP_ALL);
		flip(w, SUPERBLOCK_ADDRESS(at & 1) + at);
		scenario_mount(w);
		scenario_end(w);
	}
}
END_TEST

/* The device has become shorter. */
START_TEST(test_a5_truncated_device_is_refused)
{
	struct sim_world *w = world_with_log();
	struct superblock sb;
	uint64_t whole;

	sim_power_cut(w, CUT_DROP_ALL);
	sb = superblock_of(w);
	whole = w->dev->blk.bytes;
	w->dev->blk.bytes = sb.device_bytes - BLOCK;
	expect_unusable(w, "but was formatted with");
	w->dev->blk.bytes = whole;
	scenario_mount(w);
	scenario_end(w);
}
END_TEST

/* ---------------------------------------------------------------- the image table */

/* E6. Any byte of the current table, its head or its entries, is wrong: refused. */
START_TEST(test_e6_damage_in_the_table_is_refused)
{
	struct sim_world *w = world_with_log();
	const struct superblock_table_area *a;
	struct table_header h;
	struct superblock sb;

	sim_shutdown(w);
	sb = superblock_of(w);
	ck_assert_uint_ne(sb.table_current, SUPERBLOCK_TABLE_NONE);
	a = &sb.table[sb.table_current];
	ck_assert_int_eq(table_header_decode(&h, w->dev->view + a->start, a->start), FORMAT_OK);
	ck_assert_uint_gt(h.nr_entries, 0);
	for (uint64_t at = 0; at < BLOCK + h.payload_bytes; at += at % BLOCK < 512 ? 1 : 61) {
		flip(w, a->start + at);
		expect_refused(w, "image table");
		flip(w, a->start + at);
	}
	scenario_mount(w);
	scenario_end(w);
}
END_TEST

/* ---------------------------------------------------------------- paths */

/* A path in an operation of the log that leads out of the directory: refused, nothing is written.
 * It comes in the RAM buffers, which have no checksums. */
START_TEST(test_e9_paths_that_lead_out_are_refused)
{
	static const char *const bad[] = { "../ab", "/etcx", "a/../", "a//bc", "./abc", "a\0bcd" };

	for (size_t i = 0; i < array_size(bad); i++) {
		struct sim_world *w = scenario_begin(NULL);
		uint8_t *right, *at;
		const char *path = w->image[0].file->path;

		scenario_write_block(w, &w->image[0], 0);
		sim_daemon_death(w, true);
		right = malloc(w->pool_bytes);
		ck_assert_ptr_nonnull(right);
		memcpy(right, w->pool, w->pool_bytes);
		at = memmem(w->pool, w->pool_bytes, path, strlen(path));
		ck_assert_ptr_nonnull(at);
		ck_assert_uint_ge(strlen(path), 5);
		memcpy(at, bad[i], 5);
		expect_refused(w, "invalid path");
		memcpy(w->pool, right, w->pool_bytes);
		free(right);
		scenario_mount(w);
		scenario_end(w);
	}
}
END_TEST

/* ---------------------------------------------------------------- segments of a copy */

static struct sim_world *world_and(uint64_t first, uint64_t blocks)
{
	struct sim_world *w = world_with_log();

	sim_daemon_death(w, true);
	scenario_mount(w);
	for (uint64_t b = first; b < first + blocks; b++) {
		scenario_write_block(w, &w->image[0], b % 16);
		sim_do_sync(w, &w->image[0]);
	}
	sim_power_cut(w, CUT_DROP_ALL);
	return w;
}

/* A2, A3. A cache was copied, both went on, with one UUID and key; segments of the one are put
 * into the other: refused, or what is served is right. */
START_TEST(test_a2_segments_of_a_copy_are_no_part_of_the_log)
{
	struct sim_world *other = world_and(3, 9);
	unsigned int refused = 0;

	for (uint64_t id = 1; id <= 16; id++) {
		struct sim_world *w = world_and(8, 7);
		struct superblock sb = superblock_of(w), theirs = superblock_of(other);
		uint64_t at = superblock_segment_address(&sb, id) * BLOCK;

		ck_assert_mem_eq(sb.cache_uuid, theirs.cache_uuid, FORMAT_UUID_BYTES);
		ck_assert_uint_eq(sb.key, theirs.key);
		put(w, at, other->dev->view + at, superblock_segment_bytes(&sb));
		if (sim_open(w, 0) == 0) {
			sim_attach(w);
			sim_judge(w, true);
			scenario_quiet(w);
			scenario_end(w);
			continue;
		}
		ck_assert_str_ne(w->report.error, "");
		ck_assert_uint_eq(w->dev->blocking_writes, 0);
		refused++;
		sim_free(w);
	}
	ck_assert_uint_gt(refused, 0);
	sim_free(other);
}
END_TEST

SCENARIO_SUITE("hostile", test_a5_malformed_header_ahead_is_refused,
	       test_a5_malformed_header_far_ahead_takes_nothing,
	       test_a6_copies_of_different_caches_are_refused,
	       test_a6_damage_in_both_copies_is_refused, test_a6_damage_in_one_copy_does_no_harm,
	       test_a5_truncated_device_is_refused, test_e6_damage_in_the_table_is_refused,
	       test_e9_paths_that_lead_out_are_refused,
	       test_a2_segments_of_a_copy_are_no_part_of_the_log)
