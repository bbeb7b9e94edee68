// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * lcctl umount: unmounts, then waits until the daemon has closed its caches.
 *
 * umount(8) returns when the mount point is free; the daemon may then still be writing the end of
 * the log. It holds the lock of each cache until the last write has landed (cachedev.h), so whoever
 * gets that lock knows that it is over.
 */
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/messages.h"
#include "lcfs/io/cachedev.h"
#include "lcfs/tools/lcctl_drain.h"
#include "lcfs/tools/lcctl_tree.h"

#define WAIT_MS (10 * 60 * 1000)

/* ---------------------------------------------------------------- who is in the way */

/* A loop device on a file of the mount: its name, or false. */
static bool find_loop(const struct tree *t, char *name, size_t size)
{
	DIR *d = opendir("/sys/block");
	struct dirent *entry;
	size_t len = strlen(t->where);
	bool is_found = false;

	while (d && !is_found && (entry = readdir(d))) {
		char path[PATH_MAX], file[PATH_MAX];
		FILE *f;

		snprintf(path, sizeof(path), "/sys/block/%s/loop/backing_file", entry->d_name);
		f = fopen(path, "re");
		if (!f)
			continue;
		is_found = fgets(file, sizeof(file), f) && strncmp(file, t->where, len) == 0 &&
			   file[len] == '/';
		fclose(f);
		if (is_found)
			snprintf(name, size, "%s", entry->d_name);
	}
	if (d)
		closedir(d);
	return is_found;
}

static void say_busy(const struct tree *t)
{
	char loop[NAME_MAX + 1];

	if (find_loop(t, loop, sizeof(loop)))
		msg_err("%s: is in use by /dev/%s: unmount what is on it and 'losetup -d /dev/%s'",
			t->where, loop, loop);
	else
		msg_err("%s: is in use: 'fuser -vm %s' shows by whom", t->where, t->where);
}

/* ---------------------------------------------------------------- unmounting */

/* As a user: the setuid helper does it. False, said by it. */
static bool unmount_as_user(const struct tree *t)
{
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		execlp("fusermount3", "fusermount3", "-u", "--", t->where, (char *)NULL);
		msg_err("%s: cannot be unmounted: fusermount3: %s", t->where, strerror(errno));
		_exit(EXIT_FAILED);
	}
	return pid > 0 && waitpid(pid, &status, 0) == pid && WIFEXITED(status) &&
	       WEXITSTATUS(status) == 0;
}

static bool unmount(const struct tree *t)
{
	if (geteuid() != 0)
		return unmount_as_user(t);
	if (umount2(t->where, UMOUNT_NOFOLLOW) == 0)
		return true;
	if (errno == EBUSY)
		say_busy(t);
	else
		msg_err("%s: cannot be unmounted: %s", t->where, strerror(errno));
	return false;
}

/* ---------------------------------------------------------------- waiting */

static void say_waiting(void *ctx, const char *text)
{
	const bool *is_quiet = ctx;

	if (!*is_quiet)
		msg_info("waiting: %s", text);
}

/* False, said. */
static bool wait_for(const char *device, bool is_quiet)
{
	struct cachedev_conf conf = {
		.path = device,
		.read_only = true,
		.wait_ms = WAIT_MS,
		.waiting = say_waiting,
		.ctx = &is_quiet,
	};
	struct cachedev *dev = NULL;
	char text[MSG_MAX] = "";
	int err = cachedev_open(&dev, &conf, text, sizeof(text));

	if (err)
		msg_err("unmounted, but whether the daemon has let go is not known: %s",
			*text ? text : strerror(-err));
	cachedev_close(dev);
	return err == 0;
}

/* The devices of all caches, while they can still be asked. False, said. */
static bool find_devices(const struct tree *t, char (**out)[PATH_MAX], size_t *nr)
{
	CLEANUP_FREE uint32_t *ids = NULL;
	char(*list)[PATH_MAX];

	if (!tree_ids(t, "caches", &ids, nr))
		return false;
	list = calloc(*nr + 1, sizeof(*list));
	if (!list) {
		msg_err("out of memory");
		return false;
	}
	for (size_t i = 0; i < *nr; i++)
		(void)tree_link(t, list[i], sizeof(list[i]), "caches/%u/device", ids[i]);
	*out = list;
	return true;
}

int lcctl_umount(const struct lcctl *c)
{
	CLEANUP_TREE struct tree t = { .fd = -1 };
	CLEANUP_FREE char(*device)[PATH_MAX] = NULL;
	bool is_quiet = lcctl_has(c, OPT_QUIET), is_done = true;
	size_t nr;

	if (!tree_pick(c, c->nr_operands ? c->operand[0] : NULL, &t) ||
	    !find_devices(&t, &device, &nr))
		return EXIT_FAILED;
	if (lcctl_has(c, OPT_DRAIN) && drain_all(&t, is_quiet) != EXIT_DONE) {
		msg_err("%s: not unmounted: it is not drained", t.where);
		return EXIT_FAILED;
	}
	tree_close(&t); /* or it would be in use by us */
	if (!unmount(&t))
		return EXIT_FAILED;
	for (size_t i = 0; i < nr; i++)
		if (*device[i])
			is_done &= wait_for(device[i], is_quiet);
	return is_done ? EXIT_DONE : EXIT_FAILED;
}
