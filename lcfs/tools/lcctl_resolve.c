// SPDX-License-Identifier: GPL-2.0-or-later
/* lcctl resolve and forget: what is to become of an image that is held. */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/messages.h"
#include "lcfs/tools/lcctl_image.h"
#include "lcfs/tools/lcctl_job.h"
#include "lcfs/tools/lcctl_table.h"

static const char *why_not(int err)
{
	switch (-err) {
	case EINVAL:
		return "it is not held: there is nothing to decide";
	case ENOENT:
		return "there is no file of its name: put one there, or 'lcctl forget' it";
	case EBUSY:
		return "it is open, or its file is: close it, or unmount, mount again and decide "
		       "first thing";
	case EEXIST:
		return "that file is there already";
	case ENOSPC:
		return "there is no room, in the log for the decision or for the file";
	default:
		return tree_why(err);
	}
}

/* False, said. */
static bool decide(const struct image_ref *ref, const char *word)
{
	struct job job;
	int result = job_start(&job, &ref->tree, word, "devices/%u/resolve", ref->id);

	if (result == 0) {
		job_catch_signals();
		if (!job_finish(&job, &result)) {
			msg_err("%s: interrupted; whether it is decided, 'lcctl list' shows",
				ref->name);
			return false;
		}
	}
	if (result)
		msg_err("%s/%s: not done: %s", ref->tree.where, ref->name, why_not(result));
	return result == 0;
}

/* False, said: there is nothing to decide. */
static bool is_held(const struct image_ref *ref, struct image_facts *f)
{
	if (ref->id && image_facts(&ref->tree, ref->id, f) && image_is_held(f))
		return true;
	msg_err("%s/%s: is not held: there is nothing to decide", ref->tree.where, ref->name);
	return false;
}

/* The daemon writes the file: by an absolute path, and not through a mount of lcfs. False, said. */
static bool export_word(const char *file, char *word, size_t size)
{
	CLEANUP_FREE char *copy = strdup(file), *dir = NULL;
	char *slash = copy ? strrchr(copy, '/') : NULL;
	const char *name = slash ? slash + 1 : file;
	struct tree t;

	if (slash)
		*slash = '\0';
	dir = realpath(!slash ? "." : slash == copy ? "/" : copy, NULL);
	if (!dir || !*name) {
		msg_err("%s: %s", file, *name ? strerror(errno) : "is a directory");
		return false;
	}
	if (tree_of_path(dir, &t, NULL)) {
		msg_err("%s: is in a mount of lcfs: export to somewhere else", file);
		return false;
	}
	snprintf(word, size, "export %s/%s", strcmp(dir, "/") == 0 ? "" : dir, name);
	return true;
}

static int export_image(const struct lcctl *c, const struct image_ref *ref)
{
	const char *file = c->value[OPT_EXPORT];
	char word[PATH_MAX + 16];

	if (access(file, F_OK) == 0) {
		msg_err("%s: is there already", file);
		return EXIT_FAILED;
	}
	if (!export_word(file, word, sizeof(word)) || !decide(ref, word))
		return EXIT_FAILED;
	if (!lcctl_has(c, OPT_QUIET))
		printf("%s: written to %s; it is held as before\n", ref->name, file);
	return EXIT_DONE;
}

int lcctl_resolve(const struct lcctl *c)
{
	CLEANUP_IMAGE struct image_ref ref = { .tree.fd = -1 };
	bool keeps_cache = lcctl_has(c, OPT_KEEP_CACHE);
	struct image_facts f;

	if (keeps_cache + lcctl_has(c, OPT_KEEP_BACKING) + lcctl_has(c, OPT_EXPORT) != 1) {
		msg_err("resolve: say one of --keep-cache, --keep-backing and --export");
		return EXIT_USAGE;
	}
	if (lcctl_has(c, OPT_EXPORT))
		return imgref_find(c, c->operand[0], &ref) && is_held(&ref, &f) ?
			       export_image(c, &ref) :
			       EXIT_FAILED;
	if (!imgref_find(c, c->operand[0], &ref) || !is_held(&ref, &f) ||
	    !decide(&ref, keeps_cache ? "keep-cache" : "keep-backing"))
		return EXIT_FAILED;
	if (!lcctl_has(c, OPT_QUIET))
		printf("%s: resolved: %s\n", ref.name,
		       keeps_cache ? "what the cache holds goes over the file" :
				     "what the cache held is dropped");
	return EXIT_DONE;
}

/* ---------------------------------------------------------------- forget */

/* On a terminal. */
static bool is_sure(const char *name)
{
	char answer[16];

	printf("%s: forget it? [y/N] ", name);
	fflush(stdout);
	return fgets(answer, sizeof(answer), stdin) && (*answer == 'y' || *answer == 'Y');
}

/* False, said. */
static bool may_forget(const struct lcctl *c, const struct image_ref *ref,
		       const struct image_facts *f)
{
	char dirty[CELL_TEXT_MAX];

	if (lcctl_has(c, OPT_YES))
		return true;
	if (f->dirty)
		msg_err("%s/%s: %s of it are in the cache only and would be lost: put its file "
			"back, or say --yes",
			ref->tree.where, ref->name,
			cell_format(dirty, CELL_BYTES, f->dirty, false));
	else if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO))
		msg_err("%s/%s: not forgotten: there is nobody to ask, say --yes", ref->tree.where,
			ref->name);
	else
		return is_sure(ref->name);
	return false;
}

static bool forget(const struct lcctl *c, const char *arg)
{
	CLEANUP_IMAGE struct image_ref ref = { .tree.fd = -1 };
	struct image_facts f;

	if (!imgref_find(c, arg, &ref))
		return false;
	if (!ref.id || !image_facts(&ref.tree, ref.id, &f) || !image_is_held(&f)) {
		msg_err("%s/%s: is not missing: 'rm' removes an image, 'lcctl detach' takes it out "
			"of the cache",
			ref.tree.where, ref.name);
		return false;
	}
	if (!may_forget(c, &ref, &f) || !decide(&ref, "keep-backing"))
		return false;
	if (!lcctl_has(c, OPT_QUIET))
		printf("%s: forgotten\n", ref.name);
	return true;
}

int lcctl_forget(const struct lcctl *c)
{
	bool is_done = true;

	for (int i = 0; i < c->nr_operands; i++)
		is_done &= forget(c, c->operand[i]);
	return is_done ? EXIT_DONE : EXIT_FAILED;
}
