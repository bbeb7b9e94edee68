// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Mount time: files that are known by their names rather than by themselves.
 *
 * Where inode numbers do not last, or are given out again and nothing else tells two files with the
 * same one apart, another file may have taken the name of an image that was removed; it would get
 * that one's data. What the log knows of names tells most of them:
 *
 *	- the name went, the mount that saw it go was the last one, and the power stayed on;
 *	- a later image was bound at that name, and the file looks as recorded for that one.
 *
 * Else an image that was to be removed is there only if its file is exactly as recorded: that lcfs
 * may have been changing it explains nothing then (identity_explains()).
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "common/cleanup.h"
#include "lcfs/cache/naming.h"
#include "lcfs/image/match.h"

/* Is the file at fd as it was recorded? */
static bool is_as_recorded(const struct image *img, int fd, const struct cache_image_info *info)
{
	struct identity_facts f = {
		.recorded = info->stamp,
		.is_weak = true,
		.is_dirty = true,
		.is_touching = info->is_touching,
		.lease_ns = image_host(img)->old_lease_ns,
	};
	const char *what;

	if (identity_stamp(fd, &f.present) < 0)
		return false;
	return identity_judge(&f, &what) == IDENTITY_UNCHANGED;
}

bool match_has_gone(struct image *img, const struct cache_image_info *info)
{
	return identity_is_vague(&info->identity) && info->has_intent &&
	       info->state < IMAGE_CONFLICT &&
	       cache_image_has_gone(image_host(img)->cache, img->cached);
}

bool match_has_heir(struct image *img, int fd, const struct cache_image_info *info)
{
	struct cache *c = image_host(img)->cache;
	struct cache_image_info its;
	struct cache_image *heir;

	if (!identity_is_vague(&info->identity) || !info->has_intent ||
	    info->state >= IMAGE_CONFLICT)
		return false;
	heir = cache_image_heir(c, img->cached);
	if (!heir)
		return false;
	cache_image_info(c, heir, &its);
	return is_as_recorded(img, fd, &its);
}

/*
 * A weak identity has nothing but its name, and the last rename in the log may not have been made
 * (E7): then its file is still at the old name, and what is at the new one, if anything, is
 * another. Where both are there, the old name may be in use again, by another image if it is known;
 * else the one that looks as recorded is it. What was to be removed later had been renamed.
 */
int match_open_weak(const struct match *m, struct image *img, const struct cache_image_info *info,
		    char *path)
{
	struct cache *c = image_host(img)->cache;
	char old[PATHNAME_BYTES];
	CLEANUP_FD int there = -1, fd = match_open(m, path);

	if ((fd < 0 && !match_is_absent(fd)) || info->has_intent ||
	    !cache_image_old_path(c, img->cached, old))
		return steal_fd(&fd);
	there = match_open(m, old);
	if (there < 0)
		return match_is_absent(there) ? steal_fd(&fd) : there;
	if (fd >= 0 && (cache_has_path(c, old) || !is_as_recorded(img, there, info)))
		return steal_fd(&fd);
	if (fd >= 0 && is_as_recorded(img, fd, info))
		return -EEXIST;
	strcpy(path, old);
	return steal_fd(&there);
}
