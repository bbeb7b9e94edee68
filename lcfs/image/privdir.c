// SPDX-License-Identifier: GPL-2.0-or-later
/* `.lcfs/` in the root of the backing directory. */
#include "lcfs/image/privdir.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/clock.h"
#include "common/messages.h"
#include "common/parse.h"
#include "lcfs/image/pathname.h"

#define LINE_BYTES (UUID_TEXT_BYTES + 20) /* with id, word and newline */
#define TEXT_MAX (PRIVDIR_CACHES_MAX * LINE_BYTES + 1)

/*
 * A file of ours, made if flags say so. Whoever may change the directory could have put anything by
 * that name: what is no regular file is not opened, since that alone may wait or do something, and
 * what has another name as well, which may be anywhere, is not written to. -EPERM then.
 */
static int open_own(const struct privdir *p, const char *name, int flags)
{
	CLEANUP_FD int fd = -1;
	struct stat st;

	if (flags & O_CREAT) {
		fd = openat(p->fd, name, flags | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
		if (fd >= 0 || errno != EEXIST)
			return fd < 0 ? -errno : steal_fd(&fd);
	}
	fd = openat(p->fd, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode) || ((flags & O_ACCMODE) != O_RDONLY && st.st_nlink > 1))
		return -EPERM;
	return pathname_reopen(fd, flags & ~O_CREAT);
}

/* Contents of a small file: bytes, 0 for none at all, -EUCLEAN for one that is too large. text is
 * terminated. */
static ssize_t read_small(const struct privdir *p, const char *name, char *text, size_t size)
{
	CLEANUP_FD int fd = open_own(p, name, O_RDONLY);
	ssize_t n;

	*text = '\0';
	if (fd < 0)
		return fd == -ENOENT ? 0 : fd;
	n = read(fd, text, size);
	if (n < 0)
		return -errno;
	if ((size_t)n == size)
		return -EUCLEAN;
	text[n] = '\0';
	return n;
}

static int write_all(int fd, const char *text)
{
	size_t n = strlen(text);
	ssize_t r = write(fd, text, n);

	if (r < 0)
		return -errno;
	return (size_t)r == n ? 0 : -EIO;
}

static int replace_small(const struct privdir *p, const char *name, const char *text)
{
	char temporary[32];
	CLEANUP_FD int fd = -1;
	int r;

	snprintf(temporary, sizeof(temporary), "%s.new", name);
	if (unlinkat(p->fd, temporary, 0) < 0 && errno != ENOENT)
		return -errno;
	fd = openat(p->fd, temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	r = write_all(fd, text);
	if (r < 0)
		return r;
	if (fsync(fd) < 0 || renameat(p->fd, temporary, p->fd, name) < 0 || fsync(p->fd) < 0)
		return -errno;
	return 0;
}

static void name_holder(int lock_fd, char *text, size_t size)
{
	char pid[24];
	ssize_t n = pread(lock_fd, pid, sizeof(pid) - 1, 0);
	uint64_t value;

	pid[n > 0 ? n : 0] = '\0';
	pid[strcspn(pid, "\n")] = '\0';
	if (parse_u64(pid, 1, INT32_MAX, &value) == 0)
		snprintf(text, size,
			 "the directory is in use by another lcfs, pid %s: unmount that one first",
			 pid);
	else
		snprintf(text, size,
			 "the directory is in use by another lcfs: unmount that one first");
}

static int take_lock(struct privdir *p, char *text, size_t size)
{
	char pid[24];
	CLEANUP_FD int fd = open_own(p, "lock", O_RDWR | O_CREAT);

	if (fd < 0) {
		snprintf(text, size, PRIVDIR_NAME "/lock: cannot be opened: %s%s", strerror(-fd),
			 fd == -EPERM ? ": it must be a regular file with one name" : "");
		return fd;
	}
	if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		int r = -errno;

		if (r != -EWOULDBLOCK) {
			snprintf(text, size, PRIVDIR_NAME "/lock: cannot be locked: %s",
				 strerror(-r));
			return r;
		}
		name_holder(fd, text, size);
		return -EBUSY;
	}
	snprintf(pid, sizeof(pid), "%ld\n", (long)getpid());
	if (ftruncate(fd, 0) < 0 || pwrite(fd, pid, strlen(pid), 0) < 0)
		msg_debug(PRIVDIR_NAME "/lock: the pid cannot be written: %s", strerror(errno));
	p->lock_fd = steal_fd(&fd);
	return 0;
}

static int read_uuid(struct privdir *p, char *text, size_t size)
{
	char line[UUID_TEXT_BYTES + 2];
	ssize_t n = read_small(p, "uuid", line, sizeof(line));

	if (n > 0) {
		line[strcspn(line, "\n")] = '\0';
		p->has_uuid = uuid_parse(line, p->uuid) == 0;
		n = p->has_uuid ? 0 : -EUCLEAN;
	}
	if (n < 0)
		snprintf(text, size,
			 PRIVDIR_NAME
			 "/uuid: not readable (%s): put back the UUID that the cache names, or "
			 "remove the file if no cache has data of this directory",
			 strerror((int)-n));
	return (int)n;
}

static int open_dir(struct privdir *p, int dirfd, bool may_write)
{
	if (may_write && mkdirat(dirfd, PRIVDIR_NAME, 0700) < 0 && errno != EEXIST &&
	    errno != EROFS)
		return -errno;
	p->fd = openat(dirfd, PRIVDIR_NAME, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	return p->fd < 0 ? -errno : 0;
}

static int open_locked(struct privdir *p, int dirfd, bool may_write, char *text, size_t size)
{
	int r = open_dir(p, dirfd, may_write);

	if (r ==
	    -ENOENT) /* nothing there, and nothing may be made: nobody can have data of it either */
		return uuid_random(p->uuid);
	if (r < 0) {
		snprintf(text, size, PRIVDIR_NAME ": cannot be made or opened: %s", strerror(-r));
		return r;
	}
	r = take_lock(p, text, size);
	if (r == -EROFS)
		r = 0;
	if (r == 0)
		r = read_uuid(p, text, size);
	if (r == 0 && !p->has_uuid)
		r = uuid_random(p->uuid);
	return r;
}

int privdir_open(struct privdir *p, int dirfd, bool may_write, char *text, size_t size)
{
	int r;

	memset(p, 0, sizeof(*p));
	p->fd = p->lock_fd = -1;
	*text = '\0';
	r = open_locked(p, dirfd, may_write, text, size);
	if (r < 0) {
		if (!*text)
			snprintf(text, size, PRIVDIR_NAME ": %s", strerror(-r));
		privdir_close(p);
	}
	return r;
}

static int take_over(int from, int *to)
{
	return dup3(from, *to, O_CLOEXEC) < 0 ? -errno : 0;
}

int privdir_renew(struct privdir *p, int dirfd)
{
	struct privdir new;
	char text[256];
	int r;

	if (p->fd < 0 || p->lock_fd < 0)
		return -EROFS;
	r = privdir_open(&new, dirfd, false, text, sizeof(text));
	if (r < 0)
		return r;
	if (!new.has_uuid || memcmp(new.uuid, p->uuid, sizeof(p->uuid)) != 0)
		r = -EREMCHG;
	else if (new.lock_fd < 0)
		r = -EROFS;
	if (r == 0)
		r = take_over(new.fd, &p->fd);
	if (r == 0)
		r = take_over(new.lock_fd, &p->lock_fd);
	privdir_close(&new);
	return r;
}

void privdir_close(struct privdir *p)
{
	cleanup_fd(&p->lock_fd);
	cleanup_fd(&p->fd);
	p->lock_fd = p->fd = -1;
}

int privdir_keep_uuid(struct privdir *p, int dirfd)
{
	char line[UUID_TEXT_BYTES + 1];
	int r;

	if (p->has_uuid)
		return 0;
	if (p->fd < 0)
		return -EROFS;
	uuid_text(p->uuid, line);
	strcat(line, "\n");
	r = replace_small(p, "uuid", line);
	if (r == 0)
		r = pathname_sync_dir(dirfd);
	p->has_uuid = r == 0;
	return r;
}

static int parse_line(char *line, struct privdir_cache *cache)
{
	char *rest = NULL, *word = strtok_r(line, " ", &rest);
	uint64_t id = 0;

	if (!word || uuid_parse(word, cache->uuid) < 0)
		return -EUCLEAN;
	cache->is_dirty = true;
	word = strtok_r(NULL, " ", &rest);
	if (!word)
		return 0;
	if (parse_u64(word, 0, UINT32_MAX, &id) < 0)
		return -EUCLEAN;
	cache->id = (uint32_t)id;
	word = strtok_r(NULL, " ", &rest);
	if (!word || (strcmp(word, "dirty") != 0 && strcmp(word, "clean") != 0) ||
	    strtok_r(NULL, " ", &rest))
		return -EUCLEAN;
	cache->is_dirty = word[0] == 'd';
	return 0;
}

int privdir_caches_parse(char *text, size_t bytes, struct privdir_caches *c)
{
	char *line, *rest;

	memset(c, 0, sizeof(*c));
	if (memchr(text, '\0', bytes))
		return -EUCLEAN;
	for (line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
		struct privdir_cache *cache = &c->cache[c->nr];

		if (c->nr == PRIVDIR_CACHES_MAX || parse_line(line, cache) < 0 ||
		    privdir_caches_find(c, cache->uuid))
			return -EUCLEAN;
		c->nr++;
	}
	return 0;
}

int privdir_caches_read(struct privdir *p, struct privdir_caches *c)
{
	CLEANUP_FREE char *text = malloc(TEXT_MAX);
	ssize_t n;

	memset(c, 0, sizeof(*c));
	if (!text)
		return -ENOMEM;
	if (p->fd < 0)
		return 0;
	n = read_small(p, "caches", text, TEXT_MAX);
	return n < 0 ? (int)n : privdir_caches_parse(text, (size_t)n, c);
}

struct privdir_cache *privdir_caches_find(struct privdir_caches *c, const uint8_t *cache_uuid)
{
	for (unsigned int i = 0; i < c->nr; i++)
		if (memcmp(c->cache[i].uuid, cache_uuid, UUID_BYTES) == 0)
			return &c->cache[i];
	return NULL;
}

static int caches_write(struct privdir *p, const struct privdir_caches *c)
{
	CLEANUP_FREE char *text = calloc(1, TEXT_MAX);
	size_t at = 0;

	if (!text)
		return -ENOMEM;
	for (unsigned int i = 0; i < c->nr; i++) {
		char uuid[UUID_TEXT_BYTES];

		uuid_text(c->cache[i].uuid, uuid);
		at += (size_t)snprintf(text + at, TEXT_MAX - at, "%s %" PRIu32 " %s\n", uuid,
				       c->cache[i].id, c->cache[i].is_dirty ? "dirty" : "clean");
	}
	return replace_small(p, "caches", text);
}

static struct privdir_cache *first_clean(struct privdir_caches *c)
{
	for (unsigned int i = 0; i < c->nr; i++)
		if (!c->cache[i].is_dirty)
			return &c->cache[i];
	return NULL;
}

int privdir_caches_set(struct privdir *p, const struct privdir_cache *cache)
{
	struct privdir_cache *at;
	struct privdir_caches c;
	int r = privdir_caches_read(p, &c);

	if (r < 0)
		return r;
	at = privdir_caches_find(&c, cache->uuid);
	if (at && at->id == cache->id && at->is_dirty == cache->is_dirty)
		return 0;
	if (p->fd < 0)
		return -EROFS;
	if (!at && c.nr < PRIVDIR_CACHES_MAX)
		at = &c.cache[c.nr++];
	else if (!at)
		at = first_clean(&c);
	if (!at)
		return -ENOSPC;
	*at = *cache;
	return caches_write(p, &c);
}

int privdir_caches_forget(struct privdir *p)
{
	struct privdir_caches c;
	bool is_changed = false;
	int r = privdir_caches_read(p, &c);

	if (r < 0)
		return r;
	for (unsigned int i = 0; i < c.nr; i++) {
		if (c.cache[i].is_dirty || !c.cache[i].id)
			continue;
		c.cache[i].id = 0;
		is_changed = true;
	}
	if (!is_changed)
		return 0;
	return p->fd < 0 ? -EROFS : caches_write(p, &c);
}

int privdir_clock(struct privdir *p, int64_t *now_ns)
{
	static const struct timespec now[2] = { { .tv_nsec = UTIME_NOW },
						{ .tv_nsec = UTIME_NOW } };
	struct stat st;
	CLEANUP_FD int fd = -1;

	if (p->fd < 0) {
		*now_ns = (int64_t)clock_real_ns();
		return 0;
	}
	fd = open_own(p, "clock", O_RDWR | O_CREAT);
	if (fd < 0)
		return fd;
	if (futimens(fd, now) < 0 || fstat(fd, &st) < 0)
		return -errno;
	*now_ns = (int64_t)st.st_ctim.tv_sec * (int64_t)NSEC_PER_SEC + st.st_ctim.tv_nsec;
	return 0;
}
