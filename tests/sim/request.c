// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Requests: how each is started, taken a step further, and judged when it ends.
 *
 * Starting one never enters the core: its first step is a step like any other. What the oracle is
 * told when: a write or operation has started when its request is made, and has been answered when
 * the core says DONE.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/align.h"
#include "lcfs/cache/naming.h"
#include "tests/sim/world.h"

static struct sim_request *request_new(struct sim_world *w, enum sim_kind kind,
				       struct sim_image *img)
{
	struct sim_request *r = calloc(1, sizeof(*r));

	if (!r)
		abort();
	r->kind = kind;
	r->img = img;
	r->id = w->next_id++;
	r->turn = w->turn;
	r->since = oracle_now(w->oracle);
	r->may_wait = true;
	r->phase = SIM_READY;
	list_add_tail(&w->requests, &r->node);
	w->nr_requests++;
	if (img)
		img->nr_requests++;
	return r;
}

static uint8_t *alloc_data(uint64_t len, uint64_t alignment)
{
	/* Exactly as long as it may be: what reads or writes too much is found by ASan. */
	uint8_t *p = alignment > 1 ? aligned_alloc(alignment, align_up(len, alignment)) :
				     malloc(len);

	if (!p)
		abort();
	return p;
}

/* ---- starting ---- */

struct sim_request *sim_start_write(struct sim_world *w, struct sim_image *img, uint64_t off,
				    uint32_t len, bool sync)
{
	struct sim_request *r = request_new(w, SIM_WRITE, img);

	r->data = alloc_data(len, 1);
	r->len = len;
	r->event = oracle_write(img->model, off, len, r->data);
	r->u.write = (struct cache_write){ .image = img->cached,
					   .off = off,
					   .len = len,
					   .data = r->data,
					   .sync = sync };
	TRACE(w, "start request %: write image % off % len % sync %, event %", r->id, img->index,
	      off, len, sync, r->event->start);
	return r;
}

struct sim_request *sim_start_read(struct sim_world *w, struct sim_image *img, uint64_t block,
				   uint32_t nr_blocks)
{
	struct sim_request *r = request_new(w, SIM_READ, img);

	r->len = (uint64_t)nr_blocks * ORACLE_BLOCK;
	r->data = alloc_data(r->len, 4096);
	memset(r->data, 0xa5, r->len);
	r->u.read.image = img->cached;
	r->u.read.off = block * ORACLE_BLOCK;
	r->u.read.len = (uint32_t)r->len;
	r->u.read.buf = r->data;
	TRACE(w, "start request %: read image % block % blocks %", r->id, img->index, block,
	      nr_blocks);
	return r;
}

struct sim_request *sim_start_sync(struct sim_world *w, struct sim_image *img)
{
	struct sim_request *r = request_new(w, SIM_SYNC, img);

	r->u.sync.image = img ? img->cached : NULL;
	TRACE(w, "start request %: sync image %", r->id, img ? img->index : UINT64_MAX);
	return r;
}

struct sim_request *sim_start_op(struct sim_world *w, struct sim_image *img,
				 enum cache_op_type type)
{
	struct sim_request *r = request_new(w, SIM_OP, img);

	r->u.op.type = type;
	r->u.op.image = img ? img->cached : NULL;
	return r;
}

struct sim_request *sim_start_truncate(struct sim_world *w, struct sim_image *img, uint64_t size)
{
	struct sim_request *r = sim_start_op(w, img, CACHE_OP_TRUNCATE);
	struct cache_image_info info;

	cache_image_info(w->cache, img->cached, &info);
	r->is_shrink = size < info.size; /* which is durable when it is answered */
	r->u.op.off = size;
	r->event = oracle_truncate(img->model, size);
	TRACE(w, "start request %: truncate image % to % from %, event %", r->id, img->index, size,
	      info.size, r->event->start);
	return r;
}

struct sim_request *sim_start_punch(struct sim_world *w, struct sim_image *img, uint64_t off,
				    uint64_t len)
{
	struct sim_request *r = sim_start_op(w, img, CACHE_OP_PUNCH);

	r->u.op.off = off;
	r->u.op.len = len;
	r->event = oracle_punch(img->model, off, len);
	TRACE(w, "start request %: punch image % off % len %, event %", r->id, img->index, off, len,
	      r->event->start);
	return r;
}

struct sim_request *sim_start_clean(struct sim_world *w, struct sim_image *img)
{
	struct sim_request *r = sim_start_op(w, img, CACHE_OP_CLEAN);

	TRACE(w, "start request %: clean image %", r->id, img->index);
	return r;
}

/* ---- names ---- */

static void unlink_unbound(struct sim_world *w, struct sim_request *r)
{
	struct sim_image *img = r->img;

	if (r->result)
		sim_fail(w, "unbind of image %u: %d", img->index, r->result);
	cache_image_free(w->cache, img->cached);
	sim_image_create(w, img,
			 rng_below(&w->rng, (uint64_t)w->conf.image_blocks * ORACLE_BLOCK + 1));
	sim_image_introduce(w, img);
	if (rng_chance(&w->rng, 3, 4))
		sim_image_is_new(w, img);
}

/* Names may be told to come again, and then nothing has happened. */
static bool found_no_space(const struct sim_request *r)
{
	return r->result == -EAGAIN && r->u.op.space == CACHE_SPACE_NOW;
}

static enum cache_space some_space(const struct sim_request *r)
{
	static const enum cache_space some[] = { CACHE_SPACE_WAIT, CACHE_SPACE_NOW,
						 CACHE_SPACE_LAST };

	return some[r->id % array_size(some)];
}

static void unlink_intended(struct sim_world *w, struct sim_request *r)
{
	struct sim_request *unbind;

	if (found_no_space(r)) {
		r->img->is_busy = false;
		return;
	}
	if (r->result)
		sim_fail(w, "intent of image %u: %d", r->img->index, r->result);
	r->img->file->is_gone = true;
	TRACE(w, "file % of image % is gone", r->img->file->ino, r->img->index);
	unbind = sim_start_op(w, r->img, CACHE_OP_UNBIND);
	unbind->then = unlink_unbound;
}

static void set_path(struct sim_request *r, int i, const char *path)
{
	snprintf(r->path[i], sizeof(r->path[i]), "%s", path);
	*(i ? &r->u.op.op.path2 : &r->u.op.op.path) = r->path[i];
	*(i ? &r->u.op.op.path2_bytes : &r->u.op.op.path_bytes) = (uint16_t)strlen(r->path[i]);
}

/* Log the intent, unlink, log that the image is gone; then there is a new file. */
struct sim_request *sim_start_unlink(struct sim_world *w, struct sim_image *img)
{
	struct sim_request *r = sim_start_op(w, img, CACHE_OP_LOG);

	img->is_busy = true;
	r->u.op.op.type = OP_INTENT;
	r->u.op.op.image = cache_image_id(img->cached);
	r->u.op.op.arg0 = OP_INTENT_UNLINK;
	r->u.op.space = some_space(r);
	set_path(r, 0, img->file->path);
	r->then = unlink_intended;
	TRACE(w, "start request %: unlink image %", r->id, img->index);
	return r;
}

static void rename_logged(struct sim_world *w, struct sim_request *r)
{
	if (found_no_space(r)) {
		r->img->is_busy = false;
		return;
	}
	if (r->result)
		sim_fail(w, "rename of image %u: %d", r->img->index, r->result);
	snprintf(r->img->file->path, sizeof(r->img->file->path), "%s", r->path[1]);
	r->img->is_busy = false;
}

void sim_set_rename(struct sim_request *r, const char *from, const char *to)
{
	set_path(r, 0, from);
	set_path(r, 1, to);
}

struct sim_request *sim_start_rename(struct sim_world *w, struct sim_image *img)
{
	struct sim_request *r = sim_start_op(w, img, CACHE_OP_LOG);
	char path[64];

	img->is_busy = true;
	r->u.op.op.type = OP_RENAME;
	r->u.op.image = NULL;
	r->u.op.space = some_space(r);
	snprintf(path, sizeof(path), "dir%u/renamed%" PRIu64, img->index % 3, r->id);
	set_path(r, 0, img->file->path);
	set_path(r, 1, path);
	r->then = rename_logged;
	TRACE(w, "start request %: rename image %", r->id, img->index);
	return r;
}

/* ---- steps ---- */

static void took_step(struct sim_request *r, enum cache_step step)
{
	switch (step) {
	case CACHE_COPY:
		r->phase = SIM_COPY;
		break;
	case CACHE_AGAIN:
		r->phase = SIM_READY;
		break;
	case CACHE_WAIT:
	case CACHE_DONE:
		r->phase = SIM_PARKED;
		break;
	}
}

static enum cache_step step_write(struct sim_world *w, struct sim_request *r, struct outbox *ob)
{
	bool may_wait = r->may_wait;
	enum cache_step step = cache_write_step(w->cache, &r->u.write, may_wait, w->now, ob);

	if (step == CACHE_AGAIN && may_wait)
		sim_fail(w, "request %" PRIu64 " may wait and was told CACHE_AGAIN", r->id);
	return step;
}

static enum cache_step step_read(struct sim_world *w, struct sim_request *r, struct outbox *ob)
{
	bool may_wait = r->may_wait;
	enum cache_step step = cache_read_step(w->cache, &r->u.read, may_wait, w->now, ob);

	if (step == CACHE_AGAIN && may_wait)
		sim_fail(w, "request %" PRIu64 " may wait and was told CACHE_AGAIN", r->id);
	return step;
}

static enum cache_step step_op(struct sim_world *w, struct sim_request *r, struct outbox *ob)
{
	if (r->is_started)
		cache_op_step(w->cache, &r->u.op, w->now, ob);
	else
		cache_op_start(w->cache, &r->u.op, w->now, ob);
	return CACHE_WAIT;
}

static bool is_sync(const struct sim_request *r)
{
	return r->kind == SIM_SYNC || (r->kind == SIM_WRITE && r->u.write.sync);
}

/*
 * As the layer above: what a sync is about, the file, or all in a directory, has a durable name
 * before the core is told so, and that before the sync goes on. False: not yet.
 */
static bool name_first(struct sim_world *w, struct sim_request *r, struct outbox *ob)
{
	uint64_t mark = r->img ? 0 : cache_new_mark(w->cache, NULL);
	int ret;

	r->named_ino = w->store->next_ino;
	for (uint32_t i = 0; i < w->conf.nr_images; i++)
		if (!r->img || r->img == &w->image[i])
			w->image[i].file->is_named = true;
	ret = r->img ? cache_image_named(w->cache, r->img->cached, w->now, ob) :
		       cache_new_named(w->cache, mark, w->now, ob);
	TRACE(w, "names for request %: %", r->id, (uint64_t)(int64_t)ret);
	if (ret && ret != -EAGAIN && !w->is_ending)
		sim_fail(w, "that names are durable cannot be told: %d", ret);
	return ret != -EAGAIN;
}

static void call_step(struct sim_world *w, struct sim_request *r)
{
	enum cache_step step = CACHE_WAIT;
	struct outbox ob;

	outbox_init(&ob);
	if (is_sync(r) && !r->has_named && !r->is_started) {
		r->has_named = name_first(w, r, &ob);
		sim_take(w, &ob);
		if (!r->has_named)
			sim_pass_time(w, 2 * SIM_MS);
		return;
	}
	switch (r->kind) {
	case SIM_WRITE:
		step = step_write(w, r, &ob);
		break;
	case SIM_READ:
		step = step_read(w, r, &ob);
		break;
	case SIM_SYNC:
		step = cache_sync_start(w->cache, &r->u.sync, w->now, &ob);
		break;
	case SIM_OP:
		step = step_op(w, r, &ob);
		break;
	}
	r->is_started = true;
	if (step == CACHE_AGAIN)
		r->may_wait = true;
	TRACE(w, "step request %: %", r->id, step);
	took_step(r, step);
	/* The outbox may end it (an operation): it is not touched any more after that. */
	if (step == CACHE_DONE)
		sim_request_ended(w, r);
	sim_take(w, &ob);
}

static void call_copy(struct sim_world *w, struct sim_request *r)
{
	TRACE(w, "copy request %", r->id);
	if (r->kind == SIM_WRITE)
		cache_write_copy(w->cache, &r->u.write);
	else
		cache_read_copy(w->cache, &r->u.read);
	r->phase = SIM_COPIED;
}

static void call_end(struct sim_world *w, struct sim_request *r)
{
	struct outbox ob;

	TRACE(w, "publish request %", r->id);
	outbox_init(&ob);
	r->phase = SIM_READY;
	if (r->kind == SIM_WRITE)
		cache_write_publish(w->cache, &r->u.write, w->now, &ob);
	else
		cache_read_end(w->cache, &r->u.read, w->now, &ob);
	sim_take(w, &ob);
}

bool sim_can_advance(const struct sim_request *r)
{
	return r->phase == SIM_READY || r->phase == SIM_COPY || r->phase == SIM_COPIED;
}

void sim_advance(struct sim_world *w, struct sim_request *r)
{
	if (r->phase == SIM_READY)
		call_step(w, r);
	else if (r->phase == SIM_COPY)
		call_copy(w, r);
	else
		call_end(w, r);
}

/* ---- the end ---- */

/* Reluctance may let its file hang for longer than anybody waits. */
static bool has_hung(const struct sim_world *w, const struct sim_request *r)
{
	struct cache_image_info info;

	if (!r->img || !r->img->cached)
		return false;
	cache_image_info(w->cache, r->img->cached, &info);
	return info.error == ETIMEDOUT;
}

static bool is_excused(const struct sim_world *w, const struct sim_request *r)
{
	if (r->kind != SIM_READ && has_hung(w, r))
		return true;
	/* What needs a lost block may fail; reads are looked at more closely. */
	return w->is_faulty || w->is_ending ||
	       (r->img && (r->img->may_fail || (r->kind != SIM_READ && r->img->model->nr_lost)));
}

static void promise_names(struct sim_world *w, const struct sim_request *r)
{
	for (uint32_t i = 0; i < w->conf.nr_images; i++) {
		struct sim_image *img = &w->image[i];

		if (r->has_named && (!r->img || r->img == img) && img->file->ino < r->named_ino)
			img->file->is_promised = true;
	}
}

static void end_write(struct sim_world *w, struct sim_request *r)
{
	uint64_t ok = r->result > 0 ? (uint64_t)r->result : 0;

	if (ok > r->len || (ok < r->len && !is_excused(w, r)))
		sim_fail(w, "write request %" PRIu64 " of %" PRIu64 " bytes ended with %d", r->id,
			 r->len, r->result);
	oracle_end(r->img->model, r->event, ok, r->u.write.sync && ok == r->len);
	if (ok == r->len)
		promise_names(w, r);
}

static void end_read(struct sim_world *w, struct sim_request *r)
{
	if (r->result != (int)r->len) {
		if (r->result == -EIO &&
		    oracle_may_fail(r->img->model, r->u.read.off / ORACLE_BLOCK,
				    (uint32_t)(r->len / ORACLE_BLOCK), r->is_probe ? 0 : r->since))
			return;
		if (!is_excused(w, r) || r->result >= 0)
			sim_fail(w, "read request %" PRIu64 " ended with %d", r->id, r->result);
		return;
	}
	if (r->is_probe)
		return;
	w->reads_checked++;
	sim_check(w, oracle_check_read(r->img->model, r->u.read.off / ORACLE_BLOCK,
				       (uint32_t)(r->len / ORACLE_BLOCK), r->data, r->since));
}

static void end_sync(struct sim_world *w, struct sim_request *r)
{
	if (r->result && !is_excused(w, r))
		sim_fail(w, "sync request %" PRIu64 " ended with %d", r->id, r->result);
	if (!r->result) {
		oracle_synced(w->oracle, r->img ? r->img->model : NULL, r->since);
		promise_names(w, r);
	}
}

/* A drain of what was dirty when it began, and not of what was written meanwhile. */
static bool is_drained_in_part(const struct sim_request *r)
{
	return r->u.op.type == CACHE_OP_CLEAN && r->u.op.len == CACHE_AS_OF_NOW &&
	       r->result == -EINPROGRESS;
}

/* After a drain the plain file on stable storage has all that was answered before it began. */
static void end_clean(struct sim_world *w, struct sim_request *r)
{
	struct sim_image *img = r->img;
	uint64_t bytes = (uint64_t)img->model->nr_blocks * ORACLE_BLOCK;
	const struct simface *face = &img->file->stable;
	uint8_t *data = calloc(1, bytes);

	if (!data)
		abort();
	memcpy(data, face->bytes, min(bytes, face->stamp.size));
	if (is_drained_in_part(r)) {
		sim_check(w, oracle_check_drained(img->model, data, r->since));
	} else {
		sim_check(w, oracle_check_file(img->model, data, r->since));
		sim_check(w, oracle_check_size(img->model, face->stamp.size, r->since));
		oracle_synced(w->oracle, img->model, r->since);
	}
	free(data);
}

static void end_op(struct sim_world *w, struct sim_request *r)
{
	bool is_well = !r->result || found_no_space(r) || is_drained_in_part(r);

	if (!is_well && !is_excused(w, r))
		sim_fail(w, "operation request %" PRIu64 " (type %d) ended with %d", r->id,
			 (int)r->u.op.type, r->result);
	if (r->event) {
		/* What is beyond the end needs no operation in the log, and is as durable as the
		 * end. */
		r->event->is_nothing = !r->u.op.s.lsn;
		oracle_end(r->img->model, r->event, !r->result,
			   (r->is_shrink || r->u.op.type == CACHE_OP_PUNCH) &&
				   !r->event->is_nothing);
	} else if (r->u.op.type == CACHE_OP_CLEAN && is_well)
		end_clean(w, r);
}

static void read_result(struct sim_request *r)
{
	switch (r->kind) {
	case SIM_WRITE:
		r->result = r->u.write.result;
		break;
	case SIM_READ:
		r->result = r->u.read.result;
		break;
	case SIM_SYNC:
		r->result = r->u.sync.result;
		break;
	case SIM_OP:
		r->result = r->u.op.result;
		break;
	}
}

void sim_request_ended(struct sim_world *w, struct sim_request *r)
{
	read_result(r);
	TRACE(w, "end request %: result %, clock %", r->id, (uint64_t)(int64_t)r->result,
	      w->oracle->clock + 1);
	r->phase = SIM_ENDED;
	list_del(&r->node);
	list_add_tail(&w->ended, &r->node);
	w->nr_requests--;
	if (r->img)
		r->img->nr_requests--;
	switch (r->kind) {
	case SIM_WRITE:
		end_write(w, r);
		break;
	case SIM_READ:
		end_read(w, r);
		break;
	case SIM_SYNC:
		end_sync(w, r);
		break;
	case SIM_OP:
		end_op(w, r);
		break;
	}
	if (r->then)
		r->then(w, r);
	if (!r->is_kept)
		sim_free_request(w, r);
}

void sim_free_request(struct sim_world *w, struct sim_request *r)
{
	if (r->phase != SIM_ENDED)
		sim_fail(w, "request %" PRIu64 " is freed before its end", r->id);
	list_del(&r->node);
	free(r->data);
	free(r);
}

struct sim_request *sim_find_request(struct sim_world *w, const struct action *a)
{
	struct sim_request *r;

	list_for_each_entry(r, &w->requests, node)
		if ((const char *)a >= (const char *)&r->u &&
		    (const char *)a < (const char *)(&r->u + 1))
			return r;
	return NULL;
}

void sim_forget_requests(struct sim_world *w)
{
	struct sim_request *r;

	while ((r = list_pop_head(&w->requests, struct sim_request, node)) != NULL) {
		if (r->img)
			r->img->nr_requests--;
		free(r->data);
		free(r);
	}
	w->nr_requests = 0;
}
