// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Rules that a single action shows to be broken, at once and not only after an unlucky crash:
 *
 *   - a segment is overwritten only when both stable super blocks have left its older content
 * behind, and nobody is reading it (H1, reuse);
 *   - a record stands at its own address, inside its segment;
 *   - of the super block copies the newest one is never overwritten, and the other one is stable
 * before (A6);
 *   - an image table area is overwritten only when neither stable super block names it (A6);
 *   - the backing store is changed only within the lease that is stable (G2);
 *   - what is written to a backing file is of some version of that very place;
 *   - of a block one backing write is under way at a time (F1);
 *   - migration does not try the same again and again without pause.
 */
#include <inttypes.h>
#include <string.h>

#include "common/align.h"
#include "common/checksum.h"
#include "tests/sim/world.h"

#define CHECKS_MAX 8u

/* Newest state of both copies on stable storage; false where one is not readable. */
static bool read_stable(const struct sim_world *w, struct superblock sb[SUPERBLOCK_COPIES])
{
	bool is_good = true;

	for (int i = 0; i < SUPERBLOCK_COPIES; i++)
		if (superblock_decode(&sb[i], w->dev->stable + SUPERBLOCK_ADDRESS(i),
				      SUPERBLOCK_ADDRESS(i)))
			is_good = false;
	return is_good;
}

static bool overlaps(uint64_t a, uint64_t a_len, uint64_t b, uint64_t b_len)
{
	return a < b + b_len && b < a + a_len;
}

static void monitor_readers(struct sim_world *w, const struct sim_action *sa)
{
	for (uint32_t i = 0; i < w->nr_actions; i++) {
		const struct sim_action *other = w->action[i];
		uint64_t len = 0;

		if (other->action->type != ACTION_DEV_READ || other->is_carried)
			continue;
		for (int k = 0; k < other->action->nr_iov; k++)
			len += other->action->iov[k].iov_len;
		if (overlaps(other->action->off, len, sa->write->off, sa->write->len))
			sim_fail(w,
				 "log write #%" PRIu64 " overwrites what read #%" PRIu64
				 " is reading",
				 sa->id, other->id);
	}
}

static void monitor_log_write(struct sim_world *w, const struct sim_action *sa)
{
	const struct record_disk *h = (const void *)sa->write->data;
	struct superblock sb[SUPERBLOCK_COPIES];
	uint64_t id = le64_get(h->segment_id), start, end;

	if (!read_stable(w, sb))
		sim_fail(
			w,
			"a record is written while a super block copy is not valid on stable storage");
	if (record_verify(h, sb[0].cache_uuid, sb[0].key, sa->write->off / BLOCK_BYTES))
		sim_fail(w,
			 "log write #%" PRIu64 " at block %" PRIu64
			 " does not begin with a valid header",
			 sa->id, sa->write->off / BLOCK_BYTES);
	start = superblock_segment_address(&sb[0], id) * BLOCK_BYTES;
	end = start + superblock_segment_bytes(&sb[0]);
	if (sa->write->off < start || sa->write->off + sa->write->len > end)
		sim_fail(w, "log write #%" PRIu64 " leaves its segment %" PRIu64, sa->id, id);
	for (int i = 0; i < SUPERBLOCK_COPIES; i++)
		if (id > sb[i].last_migrated_segment_id + sb[i].nr_segments)
			sim_fail(
				w,
				"segment %" PRIu64 " is written over segment %" PRIu64
				", but super block copy %d on stable storage still needs it (last migrated %" PRIu64
				")",
				id, id - sb[i].nr_segments, i, sb[i].last_migrated_segment_id);
	monitor_readers(w, sa);
}

/* Is anything of [off, off + len) on its way, other than this write? */
static bool is_unstable(const struct sim_world *w, const struct simdev_write *but, uint64_t off,
			uint64_t len)
{
	const struct simdev_write *other;

	list_for_each_entry(other, &w->dev->writes, node)
		if (other != but && overlaps(off, len, other->off, other->len))
			return true;
	return false;
}

static void monitor_superblock_write(struct sim_world *w, const struct sim_action *sa, int copy)
{
	uint64_t other = SUPERBLOCK_ADDRESS(!copy);
	struct superblock sb[SUPERBLOCK_COPIES], new;

	if (superblock_decode(&new, sa->write->data, sa->write->off))
		sim_fail(w, "super block copy %d is written with what is not one", copy);
	if (!read_stable(w, sb))
		sim_fail(
			w,
			"super block copy %d is written while a copy is not valid on stable storage",
			copy);
	if (is_unstable(w, sa->write, other, BLOCK_BYTES))
		sim_fail(w, "super block copy %d is written before the other one is stable", copy);
	/* the same once more does no harm, however it is torn: a flush has failed */
	if (superblock_compare(&sb[copy], &sb[!copy]) > 0 &&
	    memcmp(w->dev->stable + SUPERBLOCK_ADDRESS(copy), sa->write->data, BLOCK_BYTES))
		sim_fail(w, "super block copy %d is overwritten, which is the newest one", copy);
	if (superblock_compare(&new, &sb[!copy]) <= 0)
		sim_fail(w, "super block copy %d is written with a state that is not newer", copy);
}

static void monitor_table_write(struct sim_world *w, const struct sim_action *sa)
{
	struct superblock sb[SUPERBLOCK_COPIES];
	bool is_table = false;

	if (!read_stable(w, sb))
		sim_fail(
			w,
			"an image table is written while a super block copy is not valid on stable storage");
	for (uint32_t t = 0; t < 2; t++) {
		const struct superblock_table_area *area = &sb[0].table[t];

		if (!overlaps(area->start, area->bytes, sa->write->off, sa->write->len))
			continue;
		is_table = true;
		for (int i = 0; i < SUPERBLOCK_COPIES; i++)
			if (sb[i].table_current == t && memcmp(w->dev->stable + sa->write->off,
							       sa->write->data, sa->write->len))
				sim_fail(
					w,
					"image table %u is overwritten, which super block copy %d names",
					t, i);
	}
	if (!is_table)
		sim_fail(w,
			 "device write #%" PRIu64 " at byte %" PRIu64
			 " is neither super block nor image table",
			 sa->id, sa->write->off);
}

static void monitor_dev_write(struct sim_world *w, const struct sim_action *sa)
{
	for (int copy = 0; copy < SUPERBLOCK_COPIES; copy++)
		if (sa->write->off == SUPERBLOCK_ADDRESS(copy)) {
			monitor_superblock_write(w, sa, copy);
			return;
		}
	monitor_table_write(w, sa);
}

void sim_monitor_change(struct sim_world *w, const struct sim_action *sa)
{
	struct superblock sb[SUPERBLOCK_COPIES];
	uint64_t lease;

	if (!sa->change || cache_is_lost(w->cache))
		return;
	if (!read_stable(w, sb))
		sim_fail(
			w,
			"the backing store is changed while a super block copy is not valid on stable storage");
	lease = sb[superblock_compare(&sb[0], &sb[1]) < 0].lease_ns;
	if ((uint64_t)w->store->now_ns > lease)
		sim_fail(w,
			 "the backing store is changed %" PRIu64
			 " ns after the end of the stable lease",
			 (uint64_t)w->store->now_ns - lease);
}

/* What a batch can change, and what can give it something to do. */
static uint64_t progress_of(struct sim_world *w, struct cache_image *ci)
{
	struct cache_image_info info;
	struct cache_status st;
	uint64_t sum = w->next_id; /* requests, and actions but these: */

	cache_image_info(w->cache, ci, &info);
	cache_status(w->cache, &st);
	sum -= w->counts[ACTION_BACK_CHECK] + w->counts[ACTION_BACK_GROW] +
	       w->counts[ACTION_BACK_SYNC] + w->counts[ACTION_WORK];
	return checksum64(&info, sizeof(info), sum + st.migrate_blocks);
}

/* The same image looked at again and again, without anything having happened or time to pass. */
static void monitor_check(struct sim_world *w, const struct sim_action *sa)
{
	struct sim_image *img = cache_image_owner(sa->action->image);
	uint64_t progress;

	if (!img)
		return;
	progress = progress_of(w, sa->action->image);
	if (img->checked != progress || w->now - img->checked_ns > SIM_MS)
		img->nr_checks = 0;
	img->checked = progress;
	img->checked_ns = w->now;
	if (++img->nr_checks > CHECKS_MAX)
		sim_fail(w, "image %u is looked at %u times, and nothing comes of it", img->index,
			 img->nr_checks);
}

/* Is each byte that of some version of this very place? */
static bool is_known(const struct oracle_image *model, uint64_t block, uint32_t lo, uint32_t hi,
		     const uint8_t *data)
{
	const struct oracle_block *b = &model->block[block];
	bool known[ORACLE_BLOCK] = { false };
	uint8_t version[ORACLE_BLOCK];

	if (b->lost)
		return true; /* what is beside the lost sectors is not known any more */
	for (uint32_t i = 0; i <= b->nr; i++) {
		oracle_content(model, block, lo, hi, i ? b->piece[i - 1]->version : 0, version);
		for (uint32_t k = 0; k < hi - lo; k++)
			known[k] |= data[k] == version[k];
	}
	return !memchr(known, false, hi - lo);
}

/*
 * F5: beside a direct write to a file there is none that makes it longer or, because of its end,
 * goes through the page cache: that one could read the block before, and write it back after.
 */
static void monitor_page_cache(struct sim_world *w, const struct sim_action *sa)
{
	uint64_t end = sa->change->off + sa->change->len;

	if (end > sa->file->view.stamp.size)
		sim_fail(w, "backing write #%" PRIu64 " makes the file longer", sa->id);
	for (uint32_t i = 0; i < w->nr_actions; i++) {
		const struct sim_action *other = w->action[i];

		if (other == sa || other->file != sa->file || !other->change ||
		    other->action->type != ACTION_BACK_WRITE)
			continue;
		if (overlaps(sa->change->off, sa->change->len, other->change->off,
			     other->change->len))
			sim_fail(w,
				 "backing writes #%" PRIu64 " and #%" PRIu64
				 " of the same place are under way together",
				 other->id, sa->id);
		if ((end | (other->change->off + other->change->len)) % SECTOR_BYTES)
			sim_fail(w,
				 "backing writes #%" PRIu64 " and #%" PRIu64
				 " are under way together, and one has an odd end",
				 other->id, sa->id);
	}
}

/* What goes to a backing file is data of that file. */
static void monitor_backing_write(struct sim_world *w, const struct sim_action *sa)
{
	const struct sim_image *img = cache_image_owner(sa->action->image);
	uint64_t off = sa->action->off;

	if (!img)
		return;
	for (int i = 0; i < sa->action->nr_iov; i++) {
		const struct iovec *v = &sa->action->iov[i];

		for (uint64_t at = 0, n; at < v->iov_len; at += n, off += n) {
			uint32_t lo = (uint32_t)(off % ORACLE_BLOCK);

			n = min(v->iov_len - at, (uint64_t)(ORACLE_BLOCK - lo));
			if (!is_known(img->model, off / ORACLE_BLOCK, lo, lo + (uint32_t)n,
				      (const uint8_t *)v->iov_base + at))
				sim_fail(w,
					 "backing write #%" PRIu64 " to image %u block %" PRIu64
					 " has what is of no version of it",
					 sa->id, img->index, off / ORACLE_BLOCK);
		}
	}
}

void sim_monitor(struct sim_world *w, const struct sim_action *sa)
{
	switch (sa->action->type) {
	case ACTION_BACK_CHECK:
		monitor_check(w, sa);
		break;
	case ACTION_BACK_WRITE:
		if (sa->change && !cache_is_lost(w->cache))
			monitor_page_cache(w, sa);
		monitor_backing_write(w, sa);
		break;
	case ACTION_LOG_WRITE:
		monitor_log_write(w, sa);
		break;
	case ACTION_DEV_WRITE:
		monitor_dev_write(w, sa);
		break;
	default:
		break;
	}
}
