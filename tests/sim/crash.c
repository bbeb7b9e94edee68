// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Crashes and what comes after them: open, attach, judge.
 *
 * A daemon's death leaves the pool and what the device and the store have been told; what was under
 * way lands now or never. A power cut takes the pool (or leaves a stale one of another boot), and
 * from device and store what was not flushed, by seed.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/align.h"
#include "common/checksum.h"
#include "tests/sim/world.h"

/* The core is gone, whatever it was doing. */
static void abandon(struct sim_world *w)
{
	sim_forget_actions(w);
	sim_forget_requests(w);
	if (w->cache)
		cache_free(w->cache);
	w->cache = NULL;
	simdev_arm(w->dev, 0, 0, NULL, NULL);
	w->is_ending = w->has_ended = w->is_faulty = w->is_lease_asked = false;
	w->lease_ns = 0;
	for (uint32_t i = 0; i < w->conf.nr_images; i++) {
		w->image[i].cached = NULL;
		w->image[i].is_busy = w->image[i].is_hanging = false;
	}
}

static void drop_pool(struct sim_world *w)
{
	free(w->pool);
	free(w->pool_at_death);
	w->pool = w->pool_at_death = NULL;
	w->pool_bytes = 0;
}

void sim_power_cut(struct sim_world *w, enum cut_policy policy)
{
	enum cut_policy store = policy;
	int64_t real = w->boot_real_ns + (int64_t)w->now;

	if (policy != CUT_KEEP_ALL && policy != CUT_DROP_ALL)
		store = (enum cut_policy)rng_below(&w->rng, NR_CUT_POLICIES);
	TRACE(w, "*** power cut: device policy %, store policy %", policy, store);
	oracle_crash(w->oracle);
	simdev_power_cut(w->dev, policy, rng_next(&w->rng));
	simstore_power_cut(w->store, store, rng_next(&w->rng));
	abandon(w);
	if (w->pool_fate == SIM_POOL_GONE ||
	    (w->pool_fate == SIM_POOL_ANY && rng_chance(&w->rng, 7, 8)))
		drop_pool(w);
	rng_fill(&w->rng, w->boot_id, sizeof(w->boot_id));
	w->now = rng_below(&w->rng, 1000 * SIM_MS);
	w->boot_real_ns = real + 1000000000;
	w->store->now_ns = w->boot_real_ns + (int64_t)w->now;
	w->loss = ORACLE_LOSS_UNSYNCED;
	w->crashes++;
}

void sim_daemon_death(struct sim_world *w, bool is_landed)
{
	TRACE(w, "*** daemon death, all lands: %", is_landed);
	oracle_crash(w->oracle);
	simdev_settle(w->dev, is_landed ? NULL : &w->rng);
	simstore_settle(w->store, is_landed ? NULL : &w->rng);
	abandon(w);
	w->crashes++;
}

void sim_shutdown(struct sim_world *w)
{
	struct outbox ob;

	while (w->nr_requests)
		sim_calm_turn_or_tick(w);
	TRACE(w, "*** shutdown", 0);
	w->is_ending = true;
	w->end = (struct action){ .arg = 0 };
	outbox_init(&ob);
	cache_shutdown(w->cache, &w->end, w->now, &ob);
	sim_take(w, &ob);
	for (uint32_t i = 0; !w->has_ended || w->is_lease_asked; i++) {
		sim_calm_turn_or_tick(w);
		if (i > 100000)
			sim_fail(w, "stuck: shutdown does not end");
	}
	if (w->end.arg)
		sim_fail(w, "shutdown failed: %" PRId64, (int64_t)w->end.arg);
	oracle_synced(w->oracle, NULL, oracle_now(w->oracle));
	for (uint32_t i = 0; i < w->conf.nr_images; i++)
		w->image[i].file->is_named = w->image[i].file->is_promised = true;
	simstore_settle(w->store, &w->rng); /* what still hangs */
	abandon(w);
}

/* ---- open ---- */

static void at_death(void *arg)
{
	struct sim_world *w = arg;

	memcpy(w->pool_at_death, w->pool, w->pool_bytes);
}

static uint8_t *alloc_pool(uint64_t bytes)
{
	uint8_t *p = aligned_alloc(4096, align_up(bytes, 4096));

	if (!p)
		abort();
	memset(p, 0, align_up(bytes, 4096));
	return p;
}

/* As the layer above: a pool that is there is kept, with its size. */
static void prepare_pool(struct sim_world *w)
{
	struct cache_pool_layout layout;
	struct superblock sb;
	char text[512] = "";
	int err = cache_superblock_read(&w->dev->blk, &sb, text, sizeof(text));

	if (err)
		sim_fail(w, "no super block: %d %s", err, text);
	cache_pool_layout(&sb, w->conf.cache.pool_buffers, &layout);
	if (w->pool && w->pool_bytes == layout.bytes)
		return;
	drop_pool(w);
	w->pool_bytes = layout.bytes;
	w->pool = alloc_pool(layout.bytes);
	w->pool_at_death = alloc_pool(layout.bytes);
}

int sim_open(struct sim_world *w, uint64_t crash_in)
{
	struct cache_mount_info info = { .dir_uuid = { 7 },
					 .real_ns = w->boot_real_ns,
					 .now_ns = w->now };
	int err;

	prepare_pool(w);
	rng_fill(&w->rng, info.mount_id, sizeof(info.mount_id));
	memcpy(info.boot_id, w->boot_id, sizeof(info.boot_id));
	TRACE(w, "*** open, dies in write or flush %", crash_in);
	simdev_arm(w->dev, crash_in, rng_next(&w->rng), at_death, w);
	err = cache_open(&w->cache, &w->dev->blk, w->pool, w->pool_bytes, &w->conf.cache, &info,
			 &w->report);
	TRACE(w, "opened: result %, records %, drained %, first lsn %, last lsn %",
	      (uint64_t)(int64_t)err, w->report.records, w->report.drained_records,
	      w->report.first_lsn, w->report.last_lsn);
	if (w->dev->is_dead) {
		if (!err)
			sim_fail(w, "cache_open has not noticed that the device is dead");
		memcpy(w->pool, w->pool_at_death, w->pool_bytes);
	}
	if (err && (w->cache || !w->report.error[0]))
		sim_fail(w, "cache_open failed with %d without a message or with a cache", err);
	w->dev->crash_in = 0;
	w->mounts++;
	return err;
}

/* ---- attach ---- */

static struct sim_image *find_image(struct sim_world *w, uint64_t ino)
{
	for (uint32_t i = 0; i < w->conf.nr_images; i++)
		if (w->image[i].file->ino == ino && !w->image[i].file->is_gone)
			return &w->image[i];
	return NULL;
}

static bool stamp_is_equal(const struct op_stamp *a, const struct simstamp *b)
{
	return a->size == b->size && a->mtime_ns == b->mtime && a->ctime_ns == b->ctime;
}

static void lift_state(struct sim_world *w, struct sim_image *img)
{
	struct outbox ob;

	outbox_init(&ob);
	cache_image_set_state(w->cache, img->cached, IMAGE_CLEAN, 0, w->now, &ob);
	sim_take(w, &ob);
}

/* F3, as the layer above has it: an image that left the cache after it was bound there is held, if
 * the log has something for its file. True: it is. */
static bool hold_left(struct sim_world *w, struct sim_image *img,
		      const struct cache_image_info *info)
{
	struct outbox ob;

	if (!img->has_left || info->bind_lsn > img->left_lsn)
		return false;
	TRACE(w, "image % has left the cache, state %", img->index, info->state);
	if (info->state < IMAGE_DIRTY) {
		img->is_stale = sim_try_refresh(w, img) != 0;
		img->has_left = false;
		return true;
	}
	outbox_init(&ob);
	img->had_conflict = true;
	cache_image_set_state(w->cache, img->cached, IMAGE_CONFLICT, 0, w->now, &ob);
	sim_take(w, &ob);
	return true;
}

static void guard(struct sim_world *w, struct sim_image *img, const struct cache_image_info *info)
{
	const struct simstamp *st = &img->file->view.stamp;

	if (hold_left(w, img, info))
		return;

	if (info->state >= IMAGE_CONFLICT) {
		if (!img->had_conflict && !info->poisoned)
			sim_fail(w, "image %u is found in state %d", img->index, (int)info->state);
		lift_state(w, img);
	}
	if (info->is_touching && info->dirty_blocks && info->stamp.ctime_ns > st->ctime)
		sim_fail(w,
			 "image %u is touching and was changed before its recorded stamp: %" PRId64
			 "/%" PRId64,
			 img->index, info->stamp.ctime_ns, st->ctime);
	if (info->is_touching || stamp_is_equal(&info->stamp, st))
		return;
	if (!img->is_edited || info->dirty_blocks)
		sim_fail(
			w,
			"image %u (%" PRIu64
			" dirty) is not touching and its recorded stamp is not the file's: size %" PRIu64
			"/%" PRIu64 " mtime %" PRId64 "/%" PRId64 " ctime %" PRId64 "/%" PRId64,
			img->index, info->dirty_blocks, info->stamp.size, st->size,
			info->stamp.mtime_ns, st->mtime, info->stamp.ctime_ns, st->ctime);
	img->is_stale = sim_try_refresh(w, img) != 0;
}

/* A crash between logging and doing leaves the two apart: the log follows the file. */
static void check_path(struct sim_world *w, struct sim_image *img)
{
	char path[OP_PATH_MAX + 1];
	struct sim_request *r;

	cache_image_path(w->cache, img->cached, path);
	if (!strcmp(path, img->file->path))
		return;
	r = sim_start_rename(w, img);
	sim_set_rename(r, path, img->file->path);
	r->u.op.space = CACHE_SPACE_WAIT;
	if (sim_wait(w, r))
		sim_fail(w, "a rename could not be logged");
}

static void unbind_gone(struct sim_world *w, struct cache_image *ci,
			const struct cache_image_info *info)
{
	struct sim_request *r = sim_start_op(w, NULL, CACHE_OP_UNBIND);

	if (!info->has_intent && !info->is_new)
		sim_fail(w,
			 "the file of image id %u is gone and was not new, and there is no intent",
			 info->id);
	r->u.op.image = ci;
	if (sim_wait(w, r))
		sim_fail(w, "the image of a file that is gone cannot be unbound");
	cache_image_free(w->cache, ci);
}

static void intent_is_off(struct sim_world *w, struct sim_image *img)
{
	struct sim_request *r = sim_start_op(w, img, CACHE_OP_LOG);

	r->u.op.op =
		(struct op){ .type = OP_DONE, .image = cache_image_id(img->cached), .arg0 = 0 };
	if (sim_wait(w, r))
		sim_fail(w, "OP_DONE could not be logged");
}

static void attach_image(struct sim_world *w, struct cache_image *ci)
{
	struct cache_image_info info;
	struct sim_image *img;

	cache_image_info(w->cache, ci, &info);
	img = find_image(w, info.identity.ino);
	TRACE(w, "found image %: size %, dirty %, cached %, touching %, bound at %",
	      img ? img->index : UINT64_MAX, info.size, info.dirty_blocks, info.cached_blocks,
	      info.is_touching, info.bind_lsn);
	if (!img) {
		unbind_gone(w, ci, &info);
		return;
	}
	if (img->cached)
		sim_fail(w, "two images for file %" PRIu64, info.identity.ino);
	if (info.is_new && img->file->is_promised)
		sim_fail(w, "image %u is new, and its file was promised", img->index);
	img->cached = ci;
	if (img->is_stale)
		sim_refresh(w, img);
	img->is_stale = false;
	check_path(w, img);
	if (info.has_intent && rng_chance(&w->rng, 1, 2))
		intent_is_off(w, img);
}

/* What must be known of all of them before anything can wait for anything. */
static void look_at_image(struct sim_world *w, struct cache_image *ci)
{
	struct cache_image_info info;
	struct sim_image *img;

	cache_image_info(w->cache, ci, &info);
	img = find_image(w, info.identity.ino);
	cache_image_set_owner(ci, img);
	if (!img)
		return;
	img->cached = ci;
	guard(w, img, &info);
	img->cached = NULL;
}

void sim_attach(struct sim_world *w)
{
	struct cache_image *list[64], *ci = NULL;
	uint32_t n = 0;

	/* Meanwhile somebody has put right what was in conflict. */
	for (uint32_t i = 0; i < w->conf.nr_images; i++)
		w->image[i].is_conflict = w->image[i].is_missing = w->image[i].is_refusing = false;
	while ((ci = cache_image_next(w->cache, ci)) != NULL && n < 64)
		list[n++] = ci;
	for (uint32_t i = 0; i < n; i++)
		look_at_image(w, list[i]);
	for (uint32_t i = 0; i < n; i++)
		attach_image(w, list[i]);
	for (uint32_t i = 0; i < w->conf.nr_images; i++) {
		struct sim_image *img = &w->image[i];

		bool is_new = img->file->is_gone;

		if (is_new)
			sim_image_create(
				w, img,
				rng_below(&w->rng,
					  (uint64_t)w->conf.image_blocks * ORACLE_BLOCK + 1));
		if (!img->cached) {
			img->file->is_named = true; /* nobody knows it as new any more */
			sim_image_introduce(w, img);
			if (is_new && rng_chance(&w->rng, 1, 2))
				sim_image_is_new(w, img);
		}
		img->may_fail = false;
	}
	sim_check_core(w);
}

/* ---- judge ---- */

/* Some of it cannot be read: which? */
static void read_one_by_one(struct sim_world *w, struct sim_image *img, uint32_t block, uint32_t n,
			    uint8_t *data, bool *has_failed)
{
	for (uint32_t b = block; b < block + n; b++) {
		struct sim_request *r = sim_start_read(w, img, b, 1);

		r->is_kept = r->is_probe = true;
		while (r->phase != SIM_ENDED)
			sim_calm_turn_or_tick(w);
		has_failed[b] = r->result < 0;
		if (!has_failed[b])
			memcpy(data + (size_t)b * ORACLE_BLOCK, r->data, ORACLE_BLOCK);
		sim_free_request(w, r);
	}
}

/* Reads one image whole, in pieces that are under way together. */
static void read_image(struct sim_world *w, struct sim_image *img, uint8_t *data, bool *has_failed)
{
	struct sim_request *r[64];
	uint32_t n = 0, block = 0;

	while (block < img->model->nr_blocks) {
		uint32_t left = img->model->nr_blocks - block;
		uint32_t len = n == 63 ? left : (uint32_t)rng_range(&w->rng, 1, min(left, 64u));

		r[n] = sim_start_read(w, img, block, len);
		r[n]->is_kept = r[n]->is_probe = true;
		n++;
		block += len;
	}
	block = 0;
	for (uint32_t i = 0; i < n; i++) {
		while (r[i]->phase != SIM_ENDED)
			sim_calm_turn_or_tick(w);
		if (r[i]->result < 0)
			read_one_by_one(w, img, block, (uint32_t)(r[i]->len / ORACLE_BLOCK), data,
					has_failed);
		else
			memcpy(data + (size_t)block * ORACLE_BLOCK, r[i]->data, r[i]->len);
		block += (uint32_t)(r[i]->len / ORACLE_BLOCK);
		sim_free_request(w, r[i]);
	}
}

void sim_judge(struct sim_world *w, bool settle)
{
	struct oracle_recovered rec[SIM_IMAGES_MAX];
	uint8_t *data[SIM_IMAGES_MAX];
	bool *has_failed[SIM_IMAGES_MAX];
	bool is_good;

	w->judged = 0;
	for (uint32_t i = 0; i < w->conf.nr_images; i++) {
		struct sim_image *img = &w->image[i];
		size_t bytes = (size_t)img->model->nr_blocks * ORACLE_BLOCK;
		struct cache_image_info info;

		data[i] = calloc(1, bytes);
		has_failed[i] = calloc(img->model->nr_blocks, sizeof(bool));
		if (!data[i] || !has_failed[i])
			abort();
		read_image(w, img, data[i], has_failed[i]);
		cache_image_info(w->cache, img->cached, &info);
		rec[i] = (struct oracle_recovered){ .img = img->model,
						    .data = data[i],
						    .has_failed = has_failed[i],
						    .size = info.size };
		w->judged = checksum64(data[i], bytes, w->judged + info.size);
	}
	is_good = oracle_check_recovered(w->oracle, rec, w->conf.nr_images, w->loss, settle);
	for (uint32_t i = 0; i < w->conf.nr_images; i++) {
		free(data[i]);
		free(has_failed[i]);
	}
	sim_check(w, is_good);
	if (settle)
		w->loss = ORACLE_LOSS_NONE;
}

void sim_check_left(struct sim_world *w, const struct sim_image *img)
{
	uint64_t bytes = (uint64_t)img->model->nr_blocks * ORACLE_BLOCK, since;
	const struct simface *face = &img->file->view;
	uint8_t *data = calloc(1, bytes);

	if (!data)
		abort();
	memcpy(data, face->bytes, min(bytes, face->stamp.size));
	since = oracle_now(w->oracle);
	sim_check(w, oracle_check_left(img->model, data, since));
	sim_check(w, oracle_check_size(img->model, face->stamp.size, since));
	free(data);
}

void sim_mount(struct sim_world *w)
{
	int err = sim_open(w, 0);

	if (err)
		sim_fail(w, "cache_open: %d: %s", err, w->report.error);
	sim_attach(w);
	sim_judge(w, true);
}

/* ---- a crash at each operation of recovery ---- */

struct snapshot {
	struct simdev *dev;
	struct simstore *store;
	uint8_t *pool;
	uint64_t pool_bytes, now;
	int64_t boot_real_ns;
	uint8_t boot_id[FORMAT_UUID_BYTES];
	enum oracle_loss loss;
};

static void save(struct sim_world *w, struct snapshot *s)
{
	*s = (struct snapshot){ .dev = simdev_clone(w->dev),
				.store = simstore_clone(w->store),
				.pool_bytes = w->pool_bytes,
				.now = w->now,
				.boot_real_ns = w->boot_real_ns,
				.loss = w->loss };
	memcpy(s->boot_id, w->boot_id, sizeof(s->boot_id));
	if (w->pool) {
		s->pool = alloc_pool(w->pool_bytes);
		memcpy(s->pool, w->pool, w->pool_bytes);
	}
}

static void restore_files(struct sim_world *w)
{
	struct simfile *f;

	list_for_each_entry(f, &w->store->files, node)
		for (uint32_t i = 0; i < w->conf.nr_images; i++)
			if (w->image[i].ino == f->ino)
				w->image[i].file = f;
}

static void restore(struct sim_world *w, const struct snapshot *s)
{
	abandon(w);
	simdev_free(w->dev);
	simstore_free(w->store);
	drop_pool(w);
	w->dev = simdev_clone(s->dev);
	w->store = simstore_clone(s->store);
	restore_files(w);
	if (s->pool) {
		w->pool_bytes = s->pool_bytes;
		w->pool = alloc_pool(s->pool_bytes);
		w->pool_at_death = alloc_pool(s->pool_bytes);
		memcpy(w->pool, s->pool, s->pool_bytes);
	}
	w->now = s->now;
	w->boot_real_ns = s->boot_real_ns;
	w->store->now_ns = w->boot_real_ns + (int64_t)w->now;
	memcpy(w->boot_id, s->boot_id, sizeof(w->boot_id));
	w->loss = s->loss;
}

static void free_snapshot(struct snapshot *s)
{
	simdev_free(s->dev);
	simstore_free(s->store);
	free(s->pool);
}

/* Or one that another crash may take. */
static bool has_gone_file(const struct sim_world *w)
{
	for (uint32_t i = 0; i < w->conf.nr_images; i++)
		if (w->image[i].file->is_gone || !w->image[i].file->is_named)
			return true;
	return false;
}

static void crash_again(struct sim_world *w, enum sim_crash kind)
{
	if (kind == SIM_POWER_CUT)
		sim_power_cut(w, (enum cut_policy)rng_below(&w->rng, NR_CUT_POLICIES));
	else
		sim_daemon_death(w, false);
}

uint32_t sim_mount_everywhere(struct sim_world *w, enum sim_crash kind, bool must_be_equal)
{
	struct snapshot s;
	uint64_t first = 0;
	uint32_t n = 1;
	int err;

	if (has_gone_file(w)) {
		sim_mount(w);
		return 0;
	}
	save(w, &s);
	while ((err = sim_open(w, n)) != 0) {
		if (!w->dev->is_dead)
			sim_fail(w, "cache_open: %d: %s", err, w->report.error);
		crash_again(w, kind);
		err = sim_open(w, 0);
		if (err)
			sim_fail(w, "cache_open after a crash in operation %u of recovery: %d: %s",
				 n, err, w->report.error);
		sim_attach(w);
		sim_judge(w, false);
		if (n > 1 && must_be_equal && w->judged != first)
			sim_fail(w, "a crash in operation %u of recovery makes a difference", n);
		first = w->judged;
		restore(w, &s);
		n++;
	}
	sim_attach(w);
	sim_judge(w, true);
	if (n > 1 && must_be_equal && w->judged != first)
		sim_fail(w, "a crash in recovery makes a difference");
	free_snapshot(&s);
	return n - 1;
}
