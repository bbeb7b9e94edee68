// SPDX-License-Identifier: GPL-2.0-or-later
/* The mark of a file that left a lost cache. What of it cannot be understood says nothing. */
#include "lcfs/image/left.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/xattr.h>

#include "lcfs/image/guard.h"
#include "lcfs/image/pathname.h"

#define LEFT_NAME GUARD_XATTR_PREFIX "left"
#define LEFT_VOID "void "
#define CACHES_MAX 8u
#define ENTRY_BYTES (UUID_TEXT_BYTES + 48u)
#define TEXT_BYTES (CACHES_MAX * ENTRY_BYTES)

struct mark {
	struct left entry[CACHES_MAX]; /* the eldest first */
	unsigned int nr;
};

/* Takes a number and the character behind it. */
static bool parse_number(char **text, char behind, uint64_t *value)
{
	char *end;

	if (**text < '0' || **text > '9')
		return false;
	errno = 0;
	*value = strtoull(*text, &end, 10);
	if (errno || *end != behind)
		return false;
	*text = end + (behind != '\0');
	return true;
}

static bool parse(char *text, struct left *l)
{
	char *rest = strchr(text, ' ');

	if (!rest)
		return false;
	*rest++ = '\0';
	l->epoch = 0;
	l->is_void = strncmp(rest, LEFT_VOID, strlen(LEFT_VOID)) == 0;
	if (l->is_void) {
		rest += strlen(LEFT_VOID);
		if (!parse_number(&rest, ' ', &l->epoch))
			return false;
	}
	return parse_number(&rest, '\0', &l->lsn) && uuid_parse(text, l->uuid) == 0;
}

/* One that is not there, or is too long to be ours, is empty. */
static int read_mark(const char *link, struct mark *m)
{
	char text[TEXT_BYTES + 1], *rest = NULL;
	ssize_t n = getxattr(link, LEFT_NAME, text, sizeof(text) - 1);

	m->nr = 0;
	if (n < 0)
		return errno == ENODATA || errno == ERANGE ? 0 : -errno;
	text[n] = '\0';
	for (char *one = strtok_r(text, ";", &rest); one; one = strtok_r(NULL, ";", &rest))
		if (m->nr < CACHES_MAX && parse(one, &m->entry[m->nr]))
			m->nr++;
	return 0;
}

static int write_mark(const char *link, const struct mark *m)
{
	char text[TEXT_BYTES + 1], uuid[UUID_TEXT_BYTES];
	size_t at = 0;

	if (m->nr == 0)
		return removexattr(link, LEFT_NAME) == 0 || errno == ENODATA ? 0 : -errno;
	for (unsigned int i = 0; i < m->nr; i++) {
		const struct left *l = &m->entry[i];

		uuid_text(l->uuid, uuid);
		at += (size_t)snprintf(text + at, sizeof(text) - at, "%s%s ", i ? ";" : "", uuid);
		if (l->is_void)
			at += (size_t)snprintf(text + at, sizeof(text) - at,
					       LEFT_VOID "%" PRIu64 " ", l->epoch);
		at += (size_t)snprintf(text + at, sizeof(text) - at, "%" PRIu64, l->lsn);
	}
	return setxattr(link, LEFT_NAME, text, at, 0) < 0 ? -errno : 0;
}

static void drop(struct mark *m, unsigned int at)
{
	m->nr--;
	memmove(&m->entry[at], &m->entry[at + 1], (m->nr - at) * sizeof(m->entry[0]));
}

/* The mark of the file at fd, which link leads to then, and where in it the cache is; m->nr: it is
 * not. */
static int find(int fd, char *link, struct mark *m, const uint8_t *uuid, unsigned int *at)
{
	int r;

	pathname_magic_link(fd, link);
	r = read_mark(link, m);
	for (*at = 0; *at < m->nr && memcmp(m->entry[*at].uuid, uuid, UUID_BYTES) != 0; ++*at)
		;
	return r;
}

int left_put(int fd, const struct left *l)
{
	char link[PATHNAME_LINK_BYTES];
	struct mark m;
	unsigned int at;
	int r = find(fd, link, &m, l->uuid, &at);

	if (r < 0)
		return r;
	if (at < m.nr)
		drop(&m, at);
	else if (m.nr == CACHES_MAX)
		drop(&m, 0);
	m.entry[m.nr++] = *l;
	return write_mark(link, &m);
}

int left_get(int fd, const uint8_t *uuid, struct left *l)
{
	char link[PATHNAME_LINK_BYTES];
	struct mark m;
	unsigned int at;
	int r = find(fd, link, &m, uuid, &at);

	if (r < 0)
		return r;
	if (at == m.nr)
		return -ENODATA;
	*l = m.entry[at];
	return 0;
}

int left_remove(int fd, const uint8_t *uuid)
{
	char link[PATHNAME_LINK_BYTES];
	struct mark m;
	unsigned int at;
	int r = find(fd, link, &m, uuid, &at);

	if (r < 0 || at == m.nr)
		return r;
	drop(&m, at);
	return write_mark(link, &m);
}
