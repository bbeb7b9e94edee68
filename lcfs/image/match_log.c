// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What mount time has found, for the logs. It is not said before all images have met their files:
 * the log may have no space before something is migrated, and for that they must have.
 */
#include <string.h>

#include "common/messages.h"
#include "lcfs/image/corecall.h"
#include "lcfs/image/match.h"

static void log_path(struct image *img)
{
	char path[PATHNAME_BYTES];
	struct op op = { .type = OP_RENAME, .path2 = path };
	char old[PATHNAME_BYTES];

	if (!img->is_path_new)
		return;
	img->is_path_new = false;
	cache_image_path(image_host(img)->cache, img->cached, path);
	if (!cache_image_old_path(image_host(img)->cache, img->cached, old))
		return;
	op.path = old;
	op.path_bytes = (uint16_t)strlen(old);
	op.path2_bytes = (uint16_t)strlen(path);
	if (corecall_log(image_host(img), img->cached, &op, false) < 0)
		msg_debug("%s: the new name is not logged", path);
}

/* It was about to go: has it? The next mount may not be able to see that any more. */
static void log_done(struct image *img)
{
	struct cache_image_info info;
	struct op op = { .type = OP_DONE, .arg0 = img->is_unlinked };

	image_core_info(img, &info);
	op.image = info.id;
	if (info.has_intent && corecall_log(image_host(img), img->cached, &op, false) < 0)
		msg_debug("cache: what came of an intent is not logged");
}

static bool is_found_new(struct image *img)
{
	LOCK_SCOPE(&img->lock);
	bool is_new = img->is_found_new && !atomic_load(&img->bad);

	img->is_found_new = false;
	return is_new;
}

/* Until it is unbound the next mount must find it gone, too, though that sees no power cut. */
static void log_cut_off(struct image *img)
{
	char path[PATHNAME_BYTES];
	struct op op = { .type = OP_INTENT, .arg0 = OP_INTENT_UNLINK, .path = path };

	if (!img->is_cut_off)
		return;
	img->is_cut_off = false;
	cache_image_path(image_host(img)->cache, img->cached, path);
	op.path_bytes = (uint16_t)strlen(path);
	if (corecall_log(image_host(img), img->cached, &op, false) < 0)
		msg_debug("%s: that it is gone is not logged", path);
}

/* At once, so that nobody sees it; else maintenance does it. */
static bool unbind_void(struct image *img)
{
	char path[PATHNAME_BYTES];

	LOCK_SCOPE(&img->lock);
	if (!img->is_void)
		return false;
	img->is_void = false;
	if (!img->cached) /* maintenance was faster */
		return true;
	image_describe(img, path);
	msg_info_ratelimited("%s: left this cache when its device was lost: what the log has of "
			     "it is dropped",
			     path);
	if (!maintain_unbind(img))
		msg_debug("%s: is not unbound yet", path);
	return true;
}

/* What was found, for the log: it may wait until migration has made space. */
static int log_found(struct image *img, void *arg)
{
	(void)arg;
	if (unbind_void(img))
		return 0;
	if (!is_found_new(img))
		return 0;
	match_note_looked(img->dir);
	/* held, but not locked: what makes space may be this very image's migration */
	if (image_hold(img)) {
		log_done(img);
		log_path(img);
		log_cut_off(img);
	}
	image_unhold(img);
	return 0;
}

int match_log(struct imagedir *d)
{
	return imagedir_for_each(d, log_found, NULL);
}
