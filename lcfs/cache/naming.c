// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * New files (naming.h).
 *
 * A file stays new for a moment in most cases: besides NAMED, CLEAN ends it, since migration syncs
 * the file first, and so do the admin's decision about the image and the end of the mount. None of
 * these costs anything.
 */
#include "lcfs/cache/naming.h"
#include "lcfs/cache/core.h"
#include "lcfs/cache/migration.h"

#include "common/nsec.h"

void cache_image_set_new(struct cache *c, struct cache_image *img)
{
	LOCK_SCOPE(&c->lock);

	assert(!img->is_bound);
	img->is_new = true;
	img->new_mark = 0;
}

static int named(struct cache *c, struct cache_image *img, uint64_t now, struct outbox *ob)
{
	const struct op op = { .type = OP_NAMED, .image = img->id };

	if (img->is_bound && !imgtab_is_leaving(img) && !c->failed) {
		int ret = log_prepare(c, op_bytes(&op), 0, PURPOSE_OP, now, ob);

		if (ret < 0)
			return ret;
		img->last_lsn = log_op(c, &op);
		deadline_lower(c, now + NSEC_PER_SEC);
	}
	img->is_new = false;
	return 0;
}

static int answer(struct cache *c, int ret, uint64_t now, struct outbox *ob)
{
	if (ret == -EAGAIN && c->is_stopping)
		return -EIO;
	if (ret == -EAGAIN) {
		commit_kick(c, now, ob);
		migrate_kick(c, now, ob);
	}
	return ret;
}

int cache_image_named(struct cache *c, struct cache_image *img, uint64_t now, struct outbox *ob)
{
	LOCK_SCOPE(&c->lock);

	return answer(c, img->is_new ? named(c, img, now, ob) : 0, now, ob);
}

static bool is_in(const char *path, const char *dir)
{
	const char *slash = strrchr(path, '/');
	size_t n = slash ? (size_t)(slash - path) : 0;

	return n == strlen(dir) && memcmp(path, dir, n) == 0;
}

/* The name before the last rename counts, too: that may be under way. */
static bool is_wanted(const struct cache_image *img, const char *dir)
{
	return !dir || is_in(img->path, dir) || (img->old_path && is_in(img->old_path, dir));
}

uint64_t cache_new_mark(struct cache *c, const char *dir)
{
	LOCK_SCOPE(&c->lock);
	struct cache_image *img;

	c->new_marks++;
	list_for_each_entry(img, &c->images, node)
		if (img->is_new && is_wanted(img, dir))
			img->new_mark = c->new_marks;
	return c->new_marks;
}

int cache_new_named(struct cache *c, uint64_t mark, uint64_t now, struct outbox *ob)
{
	LOCK_SCOPE(&c->lock);
	struct cache_image *img;
	int ret = 0;

	list_for_each_entry(img, &c->images, node) {
		if (ret == 0 && img->is_new && img->new_mark >= mark)
			ret = named(c, img, now, ob);
	}
	return answer(c, ret, now, ob);
}

bool cache_image_may_be_lost(struct cache *c, const struct cache_image *img)
{
	LOCK_SCOPE(&c->lock);

	return img->is_new && c->was_cut;
}

bool cache_image_has_gone(struct cache *c, const struct cache_image *img)
{
	LOCK_SCOPE(&c->lock);

	return img->has_gone && !c->was_cut;
}
