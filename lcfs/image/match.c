// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Mount time: the images of the table meet their files again (G1, E7).
 *
 * Each is looked for at its recorded path. Those that are not there are looked for in the whole
 * tree, by inode number and then by identity: names are never redone from the log, so a file may
 * stand under either name of an interrupted rename, or where somebody moved it. What is found
 * nowhere was removed by us (there is an intent), or held no dirty data: forgotten; or it was new,
 * and a power cut took it (naming.c): forgotten, too. Else it is missing, or in conflict if another
 * file has its name.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/beneath.h"
#include "common/cleanup.h"
#include "common/messages.h"
#include "lcfs/cache/naming.h"
#include "lcfs/image/corecall.h"
#include "lcfs/image/image_private.h"
#include "lcfs/image/match.h"

#define DEPTH_MAX 256

struct lost {
	struct image *img;
	struct op_identity identity;
	bool is_replaced; /* another file has its name */
	bool is_found;
};

int match_prepare(struct cachehost *h)
{
	struct cache_image *ci = NULL;

	while ((ci = cache_image_next(h->cache, ci)) != NULL) {
		struct image *img = image_make(h->dir, -1);

		if (!img)
			return -ENOMEM;
		atomic_store(&img->is_unmatched, true);
		mutex_lock(&img->lock);
		image_set_cached(img, h, ci);
		mutex_unlock(&img->lock);
		image_unpin(img);
	}
	return 0;
}

/* ---- an image and the file that was found for it ---- */

/* In memory only: the log may have no space before something is migrated, for which the images must
 * have met their files. */
static void note_path(struct image *img, const char *old, const char *path)
{
	if (strcmp(old, path) == 0)
		return;
	cache_image_moved(image_host(img)->cache, img->cached, path);
	img->is_path_new = true;
	msg_info("%s: found as %s", old, path);
}

static void set_state(struct image *img, enum image_state state)
{
	struct cachehost *h = image_host(img);
	struct outbox ob;

	outbox_init(&ob);
	cache_image_set_state(h->cache, img->cached, state, 0, engine_now(h->engine), &ob);
	engine_carry(h->engine, &ob);
}

/* Nothing in the log is newer than the file: its cached blocks are dropped; if not now, then when
 * it is next looked at and differs from what was recorded. */
static void refresh(struct image *img, const struct op_stamp *recorded)
{
	struct cachehost *h = image_host(img);
	struct outbox ob;

	outbox_init(&ob);
	if (cache_image_refresh(h->cache, img->cached, &img->stamp, engine_now(h->engine), &ob) < 0)
		img->stamp = *recorded;
	engine_carry(h->engine, &ob);
}

/* F3: the file was changed past the log, by lcfs itself, while the cache's device was lost. True:
 * that settles it. */
static bool judge_left(struct image *img, int fd, const struct cache_image_info *info)
{
	struct cachehost *h = image_host(img);

	if (!image_has_left(fd, h, info->bind_lsn))
		return false;
	if (info->state >= IMAGE_DIRTY) {
		image_set_conflict(img, IMAGE_CONFLICT,
				   "it was written to while this cache was lost", true);
		return true;
	}
	image_is_back(fd, h);
	img->is_stamp_known = identity_stamp(fd, &img->stamp) == 0;
	refresh(img, &info->stamp);
	return true;
}

static void judge(struct image *img, const struct cache_image_info *info)
{
	struct identity_facts f = {
		.recorded = info->stamp,
		.present = img->stamp,
		.is_weak = info->identity.strength == IDENTITY_WEAK,
		.is_dirty = info->state >= IMAGE_DIRTY,
		.is_touching = identity_explains(&info->identity, info->is_touching,
						 info->has_intent),
		.lease_ns = image_host(img)->old_lease_ns,
	};
	const char *what = "found so before";

	if (info->state == IMAGE_CONFLICT) {
		image_set_conflict(img, IMAGE_CONFLICT, what, false);
		return;
	}
	switch (identity_judge(&f, &what)) {
	case IDENTITY_CONFLICT:
		image_set_conflict(img, IMAGE_CONFLICT, what, true);
		return;
	case IDENTITY_REFRESH:
		refresh(img, &info->stamp);
		break;
	case IDENTITY_UNCHANGED:
		break;
	}
	if (info->state == IMAGE_MISSING)
		set_state(img, IMAGE_CLEAN);
}

/*
 * A daemon has died between the last migration of the image and this: the mark says of a clean one
 * that the cache has newer data of it; or before that, when it left another cache: then the mark is
 * of that one.
 */
static void find_old_mark(struct image *img, int fd, const struct cache_image_info *info)
{
	uint8_t uuid[UUID_BYTES];

	if (atomic_load(&img->bad) || guard_mark_get(fd, uuid) < 0)
		return;
	if (memcmp(uuid, image_host(img)->uuid, sizeof(uuid)) != 0)
		img->has_old_mark = true;
	else if (info->state < IMAGE_DIRTY)
		img->is_marked = true;
	else
		return;
	maintain_add(img);
}

void match_found(struct match *m, struct image *img, int fd, const struct cache_image_info *info,
		 const char *path)
{
	char old[PATHNAME_BYTES];

	if (image_is_void(fd, image_host(img), info)) {
		img->is_void = true;
		atomic_store(&image_host(img)->has_void, true);
		match_forget(img);
		return;
	}
	cache_image_path(image_host(img)->cache, img->cached, old);
	img->is_weak = info->identity.strength == IDENTITY_WEAK;
	if (!image_adopt_inode(img, fd)) {
		match_add_twice(m, img, fd, path);
		return;
	}
	if (img->is_weak)
		img->path_fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	if (identity_stamp(fd, &img->stamp) < 0) {
		image_set_conflict(img, IMAGE_CONFLICT, "its times cannot be read", true);
		return;
	}
	img->is_stamp_known = true;
	note_path(img, old, path);
	if (!judge_left(img, fd, info))
		judge(img, info);
	find_old_mark(img, fd, info);
}

/* ---- the recorded path ---- */

static int add_lost(struct match *m, struct image *img, const struct op_identity *id,
		    bool is_replaced)
{
	if (m->nr_lost == m->room) {
		size_t room = m->room ? 2 * m->room : 64;
		struct lost *lost = reallocarray(m->lost, room, sizeof(*lost));

		if (!lost)
			return -ENOMEM;
		m->lost = lost;
		m->room = room;
	}
	image_pin(img);
	m->lost[m->nr_lost++] =
		(struct lost){ .img = img, .identity = *id, .is_replaced = is_replaced };
	return 0;
}

int match_open(const struct match *m, const char *path)
{
	return pathname_open_file(m->d->root_fd, path, O_PATH);
}

static int match_image(struct image *img, void *arg)
{
	struct match *m = arg;
	char path[PATHNAME_BYTES];
	struct cache_image_info info;
	struct op_identity id;
	CLEANUP_FD int fd = -1;
	int r;

	if (!atomic_load(&img->is_unmatched))
		return 0;
	LOCK_SCOPE(&img->lock);
	match_note_looked(m->d);
	image_core_info(img, &info);
	cache_image_path(image_host(img)->cache, img->cached, path);
	if (match_has_gone(img, &info)) {
		match_forget(img);
		return 0;
	}
	if (info.identity.strength == IDENTITY_WEAK)
		fd = match_open_weak(m, img, &info, path);
	else
		fd = match_open(m, path);
	if (match_is_absent(fd))
		return add_lost(m, img, &info.identity, false);
	if (fd == -EEXIST) {
		image_set_conflict(img, IMAGE_CONFLICT, "either of two names may be it", true);
		return 0;
	}
	r = fd < 0 ? fd : identity_read(fd, &id);
	if (r < 0) {
		msg_err("%s: cannot be looked at: %s", path, strerror(-r));
		return r;
	}
	if (identity_compare(&id, &info.identity) == IDENTITY_OTHER)
		return add_lost(m, img, &info.identity, true);
	if (match_has_heir(img, fd, &info))
		match_forget(img);
	else
		match_found(m, img, fd, &info, path);
	return 0;
}

/* ---- the whole tree ---- */

static int compare_ino(const void *a, const void *b)
{
	const struct lost *x = a, *y = b;

	return (x->identity.ino > y->identity.ino) - (x->identity.ino < y->identity.ino);
}

static void try_file(struct match *m, int dirfd, const char *name, uint64_t ino)
{
	struct lost key = { .identity.ino = ino };
	struct lost *l = bsearch(&key, m->lost, m->nr_lost, sizeof(*l), compare_ino);
	CLEANUP_FD int fd = -1;
	struct cache_image_info info;
	struct op_identity id;
	struct stat st;

	if (!l)
		return;
	while (l > m->lost && l[-1].identity.ino == ino)
		l--;
	fd = beneath_open(dirfd, name, O_PATH | O_NOFOLLOW);
	if (fd < 0 || fstat(fd, &st) < 0 || (S_ISREG(st.st_mode) && identity_read(fd, &id) < 0)) {
		m->is_search_partial = true;
		return;
	}
	if (!S_ISREG(st.st_mode))
		return;
	for (; l < m->lost + m->nr_lost && l->identity.ino == ino; l++) {
		if (l->is_found || identity_compare(&id, &l->identity) != IDENTITY_SAME)
			continue;
		l->is_found = true;
		m->nr_found++;
		mutex_lock(&l->img->lock);
		image_core_info(l->img, &info);
		match_found(m, l->img, fd, &info, m->path);
		mutex_unlock(&l->img->lock);
	}
}

static bool is_directory(int dirfd, const struct dirent *e)
{
	struct stat st;

	if (e->d_type != DT_UNKNOWN)
		return e->d_type == DT_DIR;
	return fstatat(dirfd, e->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(st.st_mode);
}

static void search(struct match *m, int dirfd, unsigned int depth);

static void search_entry(struct match *m, int dirfd, const struct dirent *e, unsigned int depth)
{
	size_t at = strlen(m->path), n = strlen(e->d_name);
	CLEANUP_FD int fd = -1;

	match_note_looked(m->d);
	if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0 ||
	    imagedir_is_private(m->d, dirfd, e->d_name))
		return;
	if (at + 1 + n > OP_PATH_MAX) {
		m->is_search_partial = true;
		return;
	}
	if (at)
		m->path[at] = '/';
	memcpy(m->path + at + (at != 0), e->d_name, n + 1);
	if (is_directory(dirfd, e)) {
		fd = beneath_open(dirfd, e->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
		if (fd >= 0 && depth < DEPTH_MAX)
			search(m, fd, depth + 1);
		else
			m->is_search_partial = true;
	} else {
		try_file(m, dirfd, e->d_name, e->d_ino);
	}
	m->path[at] = '\0';
}

static void search(struct match *m, int dirfd, unsigned int depth)
{
	const struct dirent *e;
	int own = fcntl(dirfd, F_DUPFD_CLOEXEC, 0);
	DIR *dir = own < 0 ? NULL : fdopendir(own);

	if (!dir) {
		if (own >= 0)
			close(own);
		m->is_search_partial = true;
		return;
	}
	errno = 0;
	while (m->nr_found < m->nr_lost && (e = readdir(dir)) != NULL) {
		search_entry(m, dirfd, e, depth);
		errno = 0;
	}
	m->is_search_partial |= errno != 0;
	closedir(dir);
}

static int search_tree(struct match *m)
{
	CLEANUP_FD int root = pathname_open(m->d->root_fd, "", O_RDONLY | O_DIRECTORY);

	if (root < 0)
		return root;
	qsort(m->lost, m->nr_lost, sizeof(*m->lost), compare_ino);
	search(m, root, 0);
	return 0;
}

/* ---- what was found nowhere ---- */

void match_forget(struct image *img)
{
	img->is_unlinked = true;
	maintain_add_gone(img);
}

/* Another file has the name of the lost image: it must not be taken for it. */
static void occupy(struct image *img)
{
	char path[PATHNAME_BYTES];
	CLEANUP_FD int fd = -1;

	cache_image_path(image_host(img)->cache, img->cached, path);
	fd = pathname_open_file(img->dir->root_fd, path, O_PATH);
	if (fd >= 0 && !image_adopt_inode(img, fd))
		msg_warn("%s: the file there is another image of the cache", path);
}

/* Is the filesystem there that the file was on? A mount below the directory may not be, and then
 * all of its files are only out of sight. */
static bool is_filesystem_there(struct image *img, const struct op_identity *id)
{
	char path[PATHNAME_BYTES], *slash;
	struct op_identity dir;

	cache_image_path(image_host(img)->cache, img->cached, path);
	for (;;) {
		CLEANUP_FD int fd = -1;

		slash = strrchr(path, '/');
		*(slash ? slash : path) = '\0';
		fd = pathname_open(img->dir->root_fd, path, O_PATH | O_DIRECTORY);
		if (fd < 0 && match_is_absent(fd) && *path)
			continue;
		return fd >= 0 && identity_read(fd, &dir) == 0 &&
		       memcmp(dir.fsid, id->fsid, sizeof(dir.fsid)) == 0;
	}
}

/*
 * Did a power cut take its file, which nobody was promised? Not if it may be somewhere else, and
 * not if an earlier mount missed it without one.
 */
static bool is_cut_off(const struct match *m, const struct lost *l,
		       const struct cache_image_info *info)
{
	struct image *img = l->img;

	return cache_image_may_be_lost(image_host(img)->cache, img->cached) &&
	       info->state < IMAGE_CONFLICT && !m->is_search_partial && !m->d->force &&
	       is_filesystem_there(img, &l->identity);
}

static void give_up(struct match *m, struct lost *l)
{
	struct image *img = l->img;
	struct cache_image_info info;

	LOCK_SCOPE(&img->lock);
	image_core_info(img, &info);
	if (info.has_intent || (info.dirty_blocks == 0 && info.state < IMAGE_DIRTY)) {
		match_forget(img);
	} else if (is_cut_off(m, l, &info)) {
		m->nr_cut_off++;
		img->is_cut_off = true;
		match_forget(img);
	} else if (l->is_replaced) {
		image_set_conflict(img, IMAGE_CONFLICT, "another file has its name", true);
		occupy(img);
	} else {
		image_set_conflict(img, IMAGE_MISSING, "not found", true);
	}
}

/* ---- the end ---- */

static int match_done(struct image *img, void *arg)
{
	(void)arg;
	LOCK_SCOPE(&img->lock);
	if (atomic_exchange(&img->is_unmatched, false))
		img->is_found_new = true;
	return 0;
}

static void tell_cut_off(size_t n)
{
	const char *them = n == 1 ? "it" : "them";

	msg_info("%zu new %s created and never synced when the power went: the backing filesystem "
		 "has lost %s, and what the cache had of %s is dropped",
		 n, n == 1 ? "file was" : "files were", them, them);
}

int match_images(struct imagedir *d)
{
	struct match m = { .d = d };
	int r;

	list_init(&m.twice);
	r = imagedir_for_each(d, match_image, &m);
	if (r == 0 && m.nr_lost)
		r = search_tree(&m);
	for (size_t i = 0; i < m.nr_lost; i++) {
		if (r == 0 && !m.lost[i].is_found)
			give_up(&m, &m.lost[i]);
		image_unpin(m.lost[i].img);
	}
	free(m.lost);
	if (m.nr_cut_off)
		tell_cut_off(m.nr_cut_off);
	r = match_settle_twice(&m, r);
	return r == 0 ? imagedir_for_each(d, match_done, NULL) : r;
}
