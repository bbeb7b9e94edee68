// SPDX-License-Identifier: GPL-2.0-or-later
/* Which image is meant, and what the control tree says of it. */
#include "lcfs/tools/lcctl_image.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "common/align.h"
#include "common/cleanup.h"
#include "common/messages.h"
#include "common/parse.h"
#include "lcfs/ondisk/version.h"

/* ---------------------------------------------------------------- facts */

bool image_facts(const struct tree *t, uint32_t id, struct image_facts *f)
{
	uint64_t blocks, removed;

	*f = (struct image_facts){ 0 };
	if (tree_text(t, f->name, sizeof(f->name), "devices/%u/name", id) < 0)
		return false;
	(void)tree_text(t, f->state, sizeof(f->state), "devices/%u/state", id);
	(void)tree_text(t, f->reason, sizeof(f->reason), "devices/%u/reason", id);
	f->has_size = tree_number(t, &f->size, "devices/%u/size", id);
	f->has_dirty = tree_number(t, &f->dirty, "devices/%u/dirty_bytes", id);
	if (!f->has_dirty && tree_number(t, &blocks, "devices/%u/nr_dirty_caches", id)) {
		f->has_dirty = true;
		f->dirty = blocks * BLOCK_BYTES;
	}
	f->has_age = tree_number(t, &f->age_ms, "devices/%u/dirty_age_ms", id);
	f->is_removed = tree_number(t, &removed, "devices/%u/removed", id) && removed;
	f->has_cache = tree_number(t, &f->cache, "devices/%u/cache_id", id);
	return true;
}

bool image_is_held(const struct image_facts *f)
{
	return strcmp(f->state, "conflict") == 0 || strcmp(f->state, "missing") == 0 ||
	       strcmp(f->state, "error") == 0;
}

/* ---------------------------------------------------------------- finding */

uint32_t imgref_id_of_name(const struct tree *t, const char *name)
{
	CLEANUP_FREE uint32_t *ids = NULL;
	size_t nr;

	if (!tree_ids(t, "devices", &ids, &nr))
		return 0;
	for (size_t i = 0; i < nr; i++) {
		char text[TREE_PATH_MAX];

		if (tree_text(t, text, sizeof(text), "devices/%u/name", ids[i]) >= 0 &&
		    strcmp(text, name) == 0)
			return ids[i];
	}
	return 0;
}

void imgref_done(struct image_ref *ref)
{
	tree_close(&ref->tree);
}

/* `.lcctl/devices/7` and what is below it, too. */
static bool by_control_path(struct image_ref *ref, const char *rest)
{
	char name[TREE_PATH_MAX];
	unsigned int id;

	if (sscanf(rest, ".lcctl/devices/%u", &id) != 1 ||
	    tree_text(&ref->tree, name, sizeof(name), "devices/%u/name", id) < 0)
		return false;
	ref->id = id;
	snprintf(ref->name, sizeof(ref->name), "%s", name);
	return true;
}

static bool is_image_file(const struct tree *t, const char *name)
{
	struct stat st;
	CLEANUP_FD int fd = open(t->where, O_PATH | O_DIRECTORY | O_CLOEXEC);

	return fd >= 0 && *name && fstatat(fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	       S_ISREG(st.st_mode);
}

/* ref->tree is open. Neither cached nor a file: false, nothing is said. */
static bool by_name(struct image_ref *ref, const char *name)
{
	ref->id = imgref_id_of_name(&ref->tree, name);
	if (!ref->id && !is_image_file(&ref->tree, name))
		return false;
	snprintf(ref->name, sizeof(ref->name), "%s", name);
	return true;
}

static bool by_number(struct image_ref *ref, const char *arg)
{
	uint64_t id;

	if (parse_u64(arg, 1, UINT32_MAX, &id) ||
	    tree_text(&ref->tree, ref->name, sizeof(ref->name), "devices/%u/name", (uint32_t)id) <
		    0)
		return false;
	ref->id = (uint32_t)id;
	return true;
}

/* Where in the directory a path is, links not looked at; NULL: not in it. */
static const char *below(const char *path, const char *dir)
{
	size_t n = strlen(dir);

	return *dir == '/' && strncmp(path, dir, n) == 0 && path[n] == '/' ? path + n + 1 : NULL;
}

/* The name that arg can be in this mount: all of it, or what is below mount point or source. */
static const char *name_in(const struct tree *t, const char *arg, const char *real)
{
	const char *name;

	if (real) {
		name = below(real, t->source);
		if (name)
			return name;
	}
	if (*arg != '/')
		return arg;
	name = below(arg, t->where);
	return name ? name : below(arg, t->source);
}

/* Looks in all of them; how many have it. */
static size_t search(struct trees *all, const char *arg, struct image_ref *out)
{
	CLEANUP_FREE char *real = realpath(arg, NULL);
	struct image_ref ref;
	size_t found = 0;

	for (size_t i = 0; i < all->nr; i++) {
		const char *name = name_in(&all->list[i], arg, real);

		ref.tree = all->list[i];
		if (!tree_open(&ref.tree))
			continue;
		if ((!name || !by_name(&ref, name)) && !by_number(&ref, arg)) {
			tree_close(&ref.tree);
			continue;
		}
		if (found++)
			tree_close(&out->tree);
		*out = ref;
	}
	return found;
}

static bool find_in(const struct lcctl *c, const char *arg, struct image_ref *out)
{
	struct trees all = { 0 };
	struct tree one;
	size_t found;

	if (c->value[OPT_MOUNT]) {
		if (!tree_pick(c, NULL, &one))
			return false;
		tree_close(&one);
		all.list = malloc(sizeof(one));
		if (all.list)
			all.list[all.nr++] = one;
	} else {
		trees_load(&all);
	}
	found = search(&all, arg, out);
	if (all.nr == 0)
		msg_err("%s: no lcfs is mounted here: see lcfs(8)", arg);
	else if (found == 0)
		msg_err("%s: no such image%s%s: 'lcctl list' shows them", arg,
			all.nr == 1 ? " in " : "", all.nr == 1 ? all.list[0].where : "");
	else if (found > 1)
		msg_err("%s: is in %zu mounts: say which with -m, or give its path", arg, found);
	trees_free(&all);
	return found == 1;
}

bool imgref_find(const struct lcctl *c, const char *arg, struct image_ref *out)
{
	char rest[TREE_PATH_MAX];
	bool is_here;

	*out = (struct image_ref){ .tree.fd = -1 };
	is_here = tree_of_path(arg, &out->tree, rest);
	if (is_here && *rest) {
		if (!tree_open(&out->tree))
			return false;
		if (by_control_path(out, rest) || by_name(out, rest))
			return true;
		tree_close(&out->tree);
		msg_err("%s: is no image: images are regular files", arg);
		return false;
	}
	if (is_here) {
		msg_err("%s: is a mount point, not an image: which in it?", arg);
		return false;
	}
	if (find_in(c, arg, out))
		return true;
	imgref_done(out);
	out->tree.fd = -1;
	return false;
}
