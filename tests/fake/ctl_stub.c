// SPDX-License-Identifier: GPL-2.0-or-later
/* The layers below lcfs/ctl/, made of plain variables. */
#include "lcfs/cache/scrub_status.h"
#include "tests/fake/ctl_stub.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <stdio.h>
#include <string.h>

struct stub stub;
static pthread_mutex_t stub_mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t stub_changed = PTHREAD_COND_INITIALIZER;

void stub_lock(void)
{
	pthread_mutex_lock(&stub_mutex);
}

void stub_unlock(void)
{
	pthread_mutex_unlock(&stub_mutex);
}

void stub_reset(void)
{
	stub = (struct stub){ 0 };
	stub.image[0] = (struct image){ .id = 7, .path = "a.img" };
	stub.image[0].info.is_bound = true;
	stub.image[0].info.state = IMAGE_DIRTY;
	stub.image[0].info.dirty_blocks = 5;
	stub.image[0].info.size = 1 << 20;
	stub.image[1] = (struct image){ .id = 3, .path = "sub/b.img" };
	stub.image[1].info.state = IMAGE_CLEAN;
	stub.image[2] = (struct image){ .id = 0, .path = "c.img" };
}

/* Makes a pointer to one of the opaque types. */
static void *handle(void *ptr)
{
	return ptr;
}

struct imagedir *stub_imagedir(void)
{
	return handle(&stub);
}

/* A wrong object is a broken test: end at once. */
static void expect(const void *got, const void *want)
{
	if (got != want)
		abort();
}

static int add_cache(void *ctx, const char *name, char *text, size_t size)
{
	expect(ctx, &stub);
	snprintf(stub.added, sizeof(stub.added), "%s", name);
	if (strcmp(name, "no") != 0)
		return 0;
	snprintf(text, size, "%s: is none", name);
	return -ENODEV;
}

static int remove_cache(void *ctx, uint32_t id, char *text, size_t size)
{
	expect(ctx, &stub);
	stub.removed = id;
	if (id != 9)
		return 0;
	snprintf(text, size, "there is no cache 9");
	return -ENOENT;
}

const struct ctl_caches_ops stub_caches = { .add = add_cache, .remove = remove_cache };

int stub_refs(void)
{
	int refs = 0;

	for (int i = 0; i < STUB_IMAGES; i++)
		refs += stub.image[i].refs;
	return refs;
}

unsigned int imagedir_caches(struct imagedir *d, uint32_t *ids, unsigned int most)
{
	expect(d, &stub);
	if (most)
		ids[0] = 1;
	return 1;
}

bool imagedir_hold_cache(struct imagedir *d, uint32_t id)
{
	expect(d, &stub);
	stub_lock();
	stub.held += id == 1;
	stub_unlock();
	return id == 1;
}

void imagedir_release_cache(struct imagedir *d, uint32_t id)
{
	expect(d, &stub);
	stub_lock();
	stub.held -= id == 1;
	stub_unlock();
}

struct cache *imagedir_cache(struct imagedir *d, uint32_t id)
{
	expect(d, &stub);
	return id == 1 ? handle(&stub.knob) : NULL;
}

struct engine *imagedir_engine(struct imagedir *d, uint32_t id)
{
	expect(d, &stub);
	return id == 1 ? handle(&stub.carried) : NULL;
}

const char *imagedir_cache_device(struct imagedir *d, uint32_t id)
{
	expect(d, &stub);
	return id == 1 ? "/dev/cache" : NULL;
}

int imagedir_sync_cache(struct imagedir *d, uint32_t id)
{
	return id == 1 ? imagedir_sync(d) : -ENOENT;
}

int imagedir_sync(struct imagedir *d)
{
	expect(d, &stub);
	stub.syncs++;
	return stub.sync_error;
}

int imagedir_flush(struct imagedir *d, uint32_t id)
{
	return id ? imagedir_sync_cache(d, id) : imagedir_sync(d);
}

uint64_t engine_now(struct engine *e)
{
	expect(e, &stub.carried);
	return 1;
}

void engine_carry(struct engine *e, struct outbox *ob)
{
	(void)ob;
	expect(e, &stub.carried);
	stub_lock();
	stub.carried++;
	stub_unlock();
}

int cache_knob_set(struct cache *c, enum cache_knob k, uint64_t value, uint64_t now,
		   struct outbox *ob)
{
	(void)now;
	(void)ob;
	expect(c, &stub.knob);
	stub_lock();
	stub.knob_sets++;
	if (!stub.knob_error)
		stub.knob[k] = value;
	stub_unlock();
	return stub.knob_error;
}

uint64_t cache_knob_get(struct cache *c, enum cache_knob k)
{
	uint64_t value;

	expect(c, &stub.knob);
	stub_lock();
	value = stub.knob[k];
	stub_unlock();
	return value;
}

void cache_status(struct cache *c, struct cache_status *st)
{
	expect(c, &stub.knob);
	stub_lock();
	*st = stub.status;
	stub_unlock();
}

void cache_clear_stat(struct cache *c)
{
	expect(c, &stub.knob);
	stub.clears++;
}

void cache_scrub_status(struct cache *c, struct cache_scrub_status *st)
{
	expect(c, &stub.knob);
	*st = (struct cache_scrub_status){
		.is_running = true,
		.done = 3,
		.total = 10,
		.passes = 2,
		.blocks = 77,
		.bad_clean = 4,
		.bad_dirty = 5,
		.bad_headers = 6,
	};
}

void cache_latency(struct cache *c, struct histogram_view *flush, struct histogram_view *migrate)
{
	expect(c, &stub.knob);
	histogram_look(&stub.flush, flush);
	histogram_look(&stub.migrate, migrate);
}

bool imagedir_latency(struct imagedir *d, uint32_t cache_id, enum image_io_kind kind,
		      struct histogram_view *v, struct image_io_counts *n)
{
	expect(d, &stub);
	*n = stub.counts[kind];
	histogram_look(&stub.io[kind], v);
	return cache_id == 1;
}

void image_counts(const struct image *img, enum image_io_kind kind, struct image_io_counts *n)
{
	*n = img->counts[kind];
}

bool image_is_removed(const struct image *img)
{
	(void)img;
	return false;
}

const char *image_reason(struct image *img)
{
	return img->reason ? img->reason : "";
}

int image_try_info(struct image *img, struct cache_image_info *info, char *path, const char **why)
{
	bool is_locked;

	stub_lock();
	is_locked = img->is_locked;
	stub_unlock();
	if (is_locked)
		return -EAGAIN;
	*why = image_reason(img);
	return image_info(img, info, path);
}

int image_sync(struct image *img, bool datasync)
{
	(void)datasync;
	img->syncs++;
	return stub.sync_error;
}

bool image_info(struct image *img, struct cache_image_info *info, char *path)
{
	*info = img->info;
	if (path)
		strcpy(path, img->path);
	return img->info.is_bound;
}

const char *image_state_text(enum image_state s)
{
	static const char *const words[] = { "uncached", "clean",   "dirty", "draining",
					     "conflict", "missing", "error" };

	return words[s];
}

uint32_t image_cache_id(struct image *img)
{
	return img->info.is_bound ? 1 : 0;
}

/* As if nothing could be moved. */
int image_attach(struct image *img, uint32_t cache_id)
{
	return cache_id == image_cache_id(img) ? 0 : -EOPNOTSUPP;
}

uint32_t image_id(const struct image *img)
{
	return img->id;
}

int image_export(struct image *img, const char *path)
{
	snprintf(img->exported, sizeof(img->exported), "%s", path);
	return 0;
}

int image_resolve(struct image *img, enum image_resolution how)
{
	img->resolved = 1 + (int)how;
	return 0;
}

int image_drain(struct image *img)
{
	stub_lock();
	img->drains++;
	while (stub.is_hung)
		pthread_cond_wait(&stub_changed, &stub_mutex);
	stub_unlock();
	return 0;
}

void stub_let_go(void)
{
	stub_lock();
	stub.is_hung = false;
	pthread_cond_broadcast(&stub_changed);
	stub_unlock();
}

void image_put(struct image *img)
{
	stub_lock();
	img->refs--;
	stub_unlock();
}

struct image *imagedir_by_id(struct imagedir *d, uint32_t id)
{
	struct image *found = NULL;

	expect(d, &stub);
	stub_lock();
	for (int i = 0; i < STUB_IMAGES && !found; i++) {
		struct image *img = &stub.image[i];

		if (id && img->id == id && !img->is_gone) {
			img->refs++;
			found = img;
		}
	}
	stub_unlock();
	return found;
}

int imagedir_for_each(struct imagedir *d, int (*fn)(struct image *img, void *arg), void *arg)
{
	int ret = 0;

	expect(d, &stub);
	for (int i = 0; !ret && i < STUB_IMAGES; i++) {
		if (!stub.image[i].is_gone)
			ret = fn(&stub.image[i], arg);
	}
	return ret;
}

const char *cache_state_text(enum cache_state s)
{
	static const char *const text[] = { "ok", "degraded", "read-only", "failed" };

	return text[s];
}
