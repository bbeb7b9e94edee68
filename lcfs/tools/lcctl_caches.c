// SPDX-License-Identifier: GPL-2.0-or-later
/* lcctl add and remove: caches that come and go while the mount serves. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/messages.h"
#include "common/parse.h"
#include "lcfs/tools/lcctl_job.h"
#include "lcfs/tools/lcctl_table.h"

#define WHY_MAX 600

/* The daemon knows more than an errno. */
static void tell_refused(const struct tree *t, const char *what, const char *file, int err)
{
	char why[WHY_MAX];

	if (tree_text(t, why, sizeof(why), "%s", file) > 0 && why[0])
		msg_err("%s: %s", t->where, why);
	else
		msg_err("%s: %s: %s", t->where, what, tree_why(err));
}

/* Writes the value and waits. False, said. */
static bool ask(const struct tree *t, const char *what, const char *file, const char *value)
{
	struct job job;
	int result = job_start(&job, t, value, "%s", file);

	if (result == 0 && !job_finish(&job, &result)) {
		msg_err("%s: interrupted: it goes on without lcctl", what);
		return false;
	}
	if (result < 0)
		tell_refused(t, what, file, result);
	return result == 0;
}

static bool is_tag(const char *name)
{
	return strncmp(name, "UUID=", 5) == 0 || strncmp(name, "LABEL=", 6) == 0;
}

int lcctl_add(const struct lcctl *c)
{
	CLEANUP_TREE struct tree t = { .fd = -1 };
	const char *name = c->operand[0];
	CLEANUP_FREE char *path = is_tag(name) ? strdup(name) : realpath(name, NULL);

	if (!path) {
		msg_err("%s: no such cache: give its path, UUID=uuid or LABEL=label", name);
		return EXIT_FAILED;
	}
	if (!tree_pick(c, NULL, &t))
		return EXIT_FAILED;
	job_catch_signals();
	if (!ask(&t, "add", "add_cache", path))
		return EXIT_FAILED;
	if (!lcctl_has(c, OPT_QUIET))
		printf("%s: added: 'lcctl status' shows its number\n", path);
	return EXIT_DONE;
}

int lcctl_remove(const struct lcctl *c)
{
	CLEANUP_TREE struct tree t = { .fd = -1 };
	char value[24];
	uint64_t id;

	if (parse_u64(c->operand[0], 1, UINT32_MAX, &id) < 0) {
		msg_err("'%s' is no number of a cache: 'lcctl status' shows them", c->operand[0]);
		return EXIT_USAGE;
	}
	if (!tree_pick(c, NULL, &t))
		return EXIT_FAILED;
	snprintf(value, sizeof(value), "%" PRIu64, id);
	job_catch_signals();
	if (!ask(&t, "remove", "remove_cache", value))
		return EXIT_FAILED;
	if (!lcctl_has(c, OPT_QUIET))
		printf("cache %" PRIu64 ": drained and removed\n", id);
	return EXIT_DONE;
}
