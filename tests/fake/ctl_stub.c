// SPDX-License-Identifier: GPL-2.0-or-later
/* The layers below lcfs/ctl/, made of plain variables. */
#include "tests/fake/ctl_stub.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct stub stub;

void stub_reset(void)
{
	stub = (struct stub){ 0 };
	stub.image[0] = (struct image){ .id = 7, .path = "a.img", .size = 1 << 20 };
	stub.image[0].info.is_bound = true;
	stub.image[0].info.state = IMAGE_DIRTY;
	stub.image[0].info.dirty_blocks = 5;
	stub.image[1] = (struct image){ .id = 3, .path = "sub/b.img", .size = 512 };
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

int stub_refs(void)
{
	int refs = 0;

	for (int i = 0; i < STUB_IMAGES; i++)
		refs += stub.image[i].refs;
	return refs;
}

/* A wrong object is a broken test: end at once. */
static void expect(const void *got, const void *want)
{
	if (got != want)
		abort();
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
	stub.held += id == 1;
	return id == 1;
}

void imagedir_release_cache(struct imagedir *d, uint32_t id)
{
	expect(d, &stub);
	stub.held -= id == 1;
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

uint64_t engine_now(struct engine *e)
{
	expect(e, &stub.carried);
	return 1;
}

void engine_carry(struct engine *e, struct outbox *ob)
{
	(void)ob;
	expect(e, &stub.carried);
	stub.carried++;
}

int cache_knob_set(struct cache *c, enum cache_knob k, uint64_t value, uint64_t now,
		   struct outbox *ob)
{
	(void)now;
	(void)ob;
	expect(c, &stub.knob);
	stub.knob_sets++;
	if (!stub.knob_error)
		stub.knob[k] = value;
	return stub.knob_error;
}

uint64_t cache_knob_get(struct cache *c, enum cache_knob k)
{
	expect(c, &stub.knob);
	return stub.knob[k];
}

void cache_status(struct cache *c, struct cache_status *st)
{
	expect(c, &stub.knob);
	*st = stub.status;
}

void cache_clear_stat(struct cache *c)
{
	expect(c, &stub.knob);
	stub.clears++;
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
	return s == IMAGE_DIRTY ? "dirty" : s == IMAGE_CLEAN ? "clean" : "other";
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

uint64_t image_size(struct image *img)
{
	return img->size;
}

int image_drain(struct image *img)
{
	img->drains++;
	return 0;
}

void image_put(struct image *img)
{
	img->refs--;
}

struct image *imagedir_by_id(struct imagedir *d, uint32_t id)
{
	expect(d, &stub);
	for (int i = 0; i < STUB_IMAGES; i++) {
		struct image *img = &stub.image[i];

		if (id && img->id == id && !img->is_gone) {
			img->refs++;
			return img;
		}
	}
	return NULL;
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
