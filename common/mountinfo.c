// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Reading /proc/self/mountinfo. A line:
 *
 *	36 35 98:0 /root /where rw,noatime shared:1 - fuse.lcfs source rw,user_id=0
 *
 * The number of fields before the lone hyphen varies; blanks in names are written as \040.
 */
#include "common/mountinfo.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>

#include "common/cleanup.h"

static bool is_octal(const char *s)
{
	return s[0] >= '0' && s[0] <= '3' && s[1] >= '0' && s[1] <= '7' && s[2] >= '0' &&
	       s[2] <= '7';
}

/* Copies a field, \ooo made characters again. */
static void unescape(char *out, size_t size, const char *field)
{
	size_t n = 0;

	while (*field && n + 1 < size) {
		if (field[0] == '\\' && is_octal(field + 1)) {
			out[n++] = (char)((field[1] - '0') << 6 | (field[2] - '0') << 3 |
					  (field[3] - '0'));
			field += 4;
		} else {
			out[n++] = *field++;
		}
	}
	out[n] = '\0';
}

bool mountinfo_parse(char *line, struct mountinfo *m)
{
	char *field[6], *type, *source, *rest = line;
	unsigned int major, minor;

	for (int i = 0; i < 6; i++) {
		field[i] = strsep(&rest, " ");
		if (!rest)
			return false;
	}
	while ((type = strsep(&rest, " ")) && strcmp(type, "-") != 0)
		;
	type = strsep(&rest, " ");
	source = strsep(&rest, " ");
	if (!type || !source || sscanf(field[2], "%u:%u", &major, &minor) != 2)
		return false;
	m->dev = makedev(major, minor);
	m->is_lcfs = strcmp(type, "fuse.lcfs") == 0;
	unescape(m->where, sizeof(m->where), field[4]);
	unescape(m->source, sizeof(m->source), source);
	return true;
}

void mountinfo_for_each(bool (*fn)(const struct mountinfo *m, void *arg), void *arg)
{
	FILE *f = fopen("/proc/self/mountinfo", "re");
	CLEANUP_FREE char *line = NULL;
	struct mountinfo m;
	size_t room = 0;

	while (f && getline(&line, &room, f) > 0)
		if (mountinfo_parse(line, &m) && !fn(&m, arg))
			break;
	if (f)
		fclose(f);
}

struct search {
	const char *path; /* NULL: by device */
	dev_t dev;
	struct mountinfo *out;
	bool is_found;
};

static bool compare(const struct mountinfo *m, void *arg)
{
	struct search *s = arg;

	if (s->path ? strcmp(m->where, s->path) == 0 : m->dev == s->dev) {
		*s->out = *m;
		s->is_found = true;
	}
	return true;
}

bool mountinfo_at(const char *path, struct mountinfo *m)
{
	struct search s = { .path = path, .out = m };

	mountinfo_for_each(compare, &s);
	return s.is_found;
}

bool mountinfo_of_device(dev_t dev, struct mountinfo *m)
{
	struct search s = { .dev = dev, .out = m };

	mountinfo_for_each(compare, &s);
	return s.is_found;
}
