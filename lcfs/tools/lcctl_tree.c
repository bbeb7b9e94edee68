// SPDX-License-Identifier: GPL-2.0-or-later
/* Finding mounts of lcfs and reading their control files. */
#include "lcfs/tools/lcctl_tree.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/align.h"
#include "common/beneath.h"
#include "common/cleanup.h"
#include "common/messages.h"
#include "common/parse.h"

#define CTL_DIR ".lcctl"
#define READ_STEP 4096
/* A mount may be somebody else's: neither memory nor patience is without an end. */
#define READ_MOST (64u << 20)
#define IDS_MOST (1u << 24)

/* ---------------------------------------------------------------- mounts */

static void from_mountinfo(struct tree *t, const struct mountinfo *m)
{
	t->dev = m->dev;
	t->fd = -1;
	snprintf(t->where, sizeof(t->where), "%s", m->where);
	snprintf(t->source, sizeof(t->source), "%s", m->source);
}

/* Bind mounts of one filesystem are one. */
static bool add_mount(const struct mountinfo *m, void *arg)
{
	struct trees *t = arg;
	struct tree *list;

	if (!m->is_lcfs)
		return true;
	for (size_t i = 0; i < t->nr; i++)
		if (t->list[i].dev == m->dev)
			return true;
	list = reallocarray(t->list, t->nr + 1, sizeof(*list));
	t->is_short |= !list;
	if (!list)
		return false;
	t->list = list;
	from_mountinfo(&list[t->nr++], m);
	return true;
}

void trees_load(struct trees *t)
{
	*t = (struct trees){ 0 };
	mountinfo_for_each(add_mount, t);
}

void trees_free(struct trees *t)
{
	free(t->list);
	*t = (struct trees){ 0 };
}

/* Where in the directory the path is, or NULL. */
static const char *below(const char *path, const char *dir)
{
	size_t n = strlen(dir);

	if (strcmp(dir, "/") == 0)
		return path + 1;
	if (strncmp(path, dir, n) != 0 || (path[n] && path[n] != '/'))
		return NULL;
	return path[n] ? path + n + 1 : path + n;
}

struct search {
	const char *path;
	struct mountinfo best;
	size_t len;
	bool is_found;
};

/* The deepest wins; of two on one point the newer. */
static bool look_at(const struct mountinfo *m, void *arg)
{
	struct search *s = arg;
	size_t len = strlen(m->where);

	if (!below(s->path, m->where) || (s->is_found && len < s->len))
		return true;
	s->best = *m;
	s->len = len;
	s->is_found = true;
	return true;
}

bool tree_of_path(const char *path, struct tree *out, char *rest)
{
	CLEANUP_FREE char *real = realpath(path, NULL);
	struct search s = { .path = real };

	if (!real)
		return false;
	mountinfo_for_each(look_at, &s);
	if (!s.is_found || !s.best.is_lcfs)
		return false;
	from_mountinfo(out, &s.best);
	if (rest)
		snprintf(rest, TREE_PATH_MAX, "%s", below(real, s.best.where));
	return true;
}

bool tree_is_mount(const char *path)
{
	char rest[TREE_PATH_MAX];
	struct mountinfo m;
	struct tree t;

	if (tree_of_path(path, &t, rest))
		return !*rest;
	return mountinfo_at(path, &m) && m.is_lcfs;
}

static void say_which(const struct trees *t)
{
	char list[MSG_MAX / 2];
	size_t n = 0;

	list[0] = '\0';
	for (size_t i = 0; i < t->nr && n < sizeof(list); i++)
		n += (size_t)snprintf(list + n, sizeof(list) - n, "%s%s", i ? ", " : "",
				      t->list[i].where);
	msg_err("which of %zu mounts? Say -m with one of: %s", t->nr, list);
}

static bool pick_only(struct tree *out)
{
	struct trees t;

	trees_load(&t);
	if (t.nr == 0)
		msg_err("no lcfs is mounted here: see lcfs(8)");
	else if (t.nr > 1)
		say_which(&t);
	else
		*out = t.list[0];
	trees_free(&t);
	return out->where[0];
}

bool tree_pick(const struct lcctl *c, const char *path, struct tree *out)
{
	if (!path)
		path = c->value[OPT_MOUNT];
	*out = (struct tree){ .fd = -1 };
	if (!path)
		return pick_only(out) && tree_open(out);
	if (!tree_of_path(path, out, NULL)) {
		struct mountinfo m;

		/* a dead mount cannot be walked */
		if (mountinfo_at(path, &m) && m.is_lcfs)
			from_mountinfo(out, &m);
		else if (access(path, F_OK) < 0)
			msg_err("%s: %s", path, strerror(errno));
		else
			msg_err("%s: is in no mount of lcfs", path);
	}
	return out->where[0] && tree_open(out);
}

bool tree_open(struct tree *t)
{
	CLEANUP_FD int fd = -1;

	if (t->fd >= 0)
		return true;
	fd = open(t->where, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (fd >= 0)
		t->fd = openat(fd, CTL_DIR, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (t->fd >= 0)
		return true;
	if (errno == ENOTCONN)
		msg_err("%s: its daemon is dead: umount -l it and mount again", t->where);
	else
		msg_err("%s/" CTL_DIR ": %s", t->where, strerror(errno));
	return false;
}

void tree_close(struct tree *t)
{
	cleanup_fd(&t->fd);
	t->fd = -1;
}

/* ---------------------------------------------------------------- files */

#define FORMAT_PATH(path, format)                             \
	do {                                                  \
		va_list args_;                                \
		va_start(args_, format);                      \
		vsnprintf(path, sizeof(path), format, args_); \
		va_end(args_);                                \
	} while (0)

/* Up to size bytes from the start: their number, or -errno. */
static ssize_t read_file(const struct tree *t, const char *path, char *buf, size_t size)
{
	CLEANUP_FD int fd = beneath_open(t->fd, path, O_RDONLY | O_NONBLOCK | O_NOCTTY);
	size_t n = 0;

	if (fd < 0)
		return fd;
	while (n < size) {
		ssize_t r = read(fd, buf + n, size - n);

		if (r < 0)
			return -errno;
		if (r == 0)
			break;
		n += (size_t)r;
	}
	return (ssize_t)n;
}

ssize_t tree_text(const struct tree *t, char *buf, size_t size, const char *format, ...)
{
	char path[PATH_MAX];
	ssize_t n;

	FORMAT_PATH(path, format);
	n = read_file(t, path, buf, size - 1);
	if (n > 0 && buf[n - 1] == '\n')
		n--;
	buf[n < 0 ? 0 : n] = '\0';
	return n;
}

char *tree_all(const struct tree *t, const char *format, ...)
{
	char path[PATH_MAX];

	FORMAT_PATH(path, format);
	for (size_t size = READ_STEP;; size *= 2) {
		CLEANUP_FREE char *buf = malloc(size);
		ssize_t n = buf ? read_file(t, path, buf, size - 1) : -ENOMEM;

		if (n < 0) {
			errno = (int)-n;
			return NULL;
		}
		buf[n] = '\0';
		if ((size_t)n < size - 1)
			return steal_ptr(buf);
		if (size >= READ_MOST) {
			errno = EFBIG;
			return NULL;
		}
	}
}

bool tree_number(const struct tree *t, uint64_t *value, const char *format, ...)
{
	char path[PATH_MAX], text[64];
	ssize_t n;

	FORMAT_PATH(path, format);
	n = tree_text(t, text, sizeof(text), "%s", path);
	return n >= 0 && parse_u64(text, 0, UINT64_MAX, value) == 0;
}

ssize_t tree_link(const struct tree *t, char *buf, size_t size, const char *format, ...)
{
	char path[PATH_MAX];
	ssize_t n;

	FORMAT_PATH(path, format);
	n = readlinkat(t->fd, path, buf, size - 1);
	if (n < 0)
		n = -errno;
	buf[n < 0 ? 0 : n] = '\0';
	return n;
}

int tree_write(const struct tree *t, const char *value, const char *format, ...)
{
	char path[PATH_MAX], line[READ_STEP];
	CLEANUP_FD int fd = -1;
	int len = snprintf(line, sizeof(line), "%s\n", value);

	if (len < 0 || (size_t)len >= sizeof(line))
		return -EINVAL;
	FORMAT_PATH(path, format);
	fd = beneath_open(t->fd, path, O_WRONLY | O_NONBLOCK | O_NOCTTY);
	if (fd < 0)
		return fd;
	return write(fd, line, (size_t)len) < 0 ? -errno : 0;
}

bool tree_has(const struct tree *t, const char *format, ...)
{
	char path[PATH_MAX];

	FORMAT_PATH(path, format);
	return faccessat(t->fd, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

static int by_number(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

/* 0 or -errno. */
static int read_ids(DIR *d, uint32_t **ids, size_t *nr)
{
	size_t room = 0;

	for (;;) {
		struct dirent *entry;
		uint64_t id;

		errno = 0;
		entry = readdir(d);
		if (!entry)
			return -errno;
		if (parse_u64(entry->d_name, 1, UINT32_MAX, &id))
			continue;
		if (*nr == room) {
			size_t more = max(2 * room, (size_t)64);
			uint32_t *list = NULL;

			if (more <= IDS_MOST)
				list = reallocarray(*ids, more, sizeof(*list));
			if (!list)
				return -ENOMEM;
			*ids = list;
			room = more;
		}
		(*ids)[(*nr)++] = (uint32_t)id;
	}
}

void tree_has_no_cache(const struct tree *t, uint64_t id)
{
	msg_err("%s: has no cache %" PRIu64 ": 'lcctl status' shows them", t->where, id);
}

bool tree_ids(const struct tree *t, const char *dir, uint32_t **ids, size_t *nr)
{
	int fd = beneath_open(t->fd, dir, O_RDONLY | O_DIRECTORY);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	int err = fd < 0 ? fd : d ? 0 : -errno;

	*ids = NULL;
	*nr = 0;
	if (!d)
		cleanup_fd(&fd);
	if (d) {
		err = read_ids(d, ids, nr);
		closedir(d);
	}
	if (err) {
		msg_err("%s/" CTL_DIR "/%s: %s", t->where, dir, strerror(-err));
		free(*ids);
		*ids = NULL;
		*nr = 0;
	}
	if (*nr)
		qsort(*ids, *nr, sizeof(**ids), by_number);
	return err == 0;
}

const char *tree_why(int err)
{
	switch (-err) {
	case EINVAL:
		return "the value is not of the form it takes";
	case ERANGE:
		return "the value is out of range";
	case EACCES:
	case EROFS:
		return "it is not for writing, or not for you";
	case ENOENT:
		return "this lcfs has no such knob";
	case EOPNOTSUPP:
		return "this lcfs cannot do that";
	default:
		return strerror(-err);
	}
}
