// SPDX-License-Identifier: GPL-2.0-or-later
/* Lists of processors. */
#include "common/cpulist.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"

static int parse(const char *text, cpu_set_t *set)
{
	char *end;

	CPU_ZERO(set);
	while (*text && *text != '\n') {
		unsigned long first = strtoul(text, &end, 10), last = first;

		if (end == text)
			return -EINVAL;
		if (*end == '-') {
			text = end + 1;
			last = strtoul(text, &end, 10);
			if (end == text || last < first)
				return -EINVAL;
		}
		if (last >= CPU_SETSIZE)
			return -ERANGE;
		for (unsigned long i = first; i <= last; i++)
			CPU_SET(i, set);
		text = *end == ',' ? end + 1 : end;
		if (*end && *end != ',' && *end != '\n')
			return -EINVAL;
	}
	return CPU_COUNT(set) ? CPU_COUNT(set) : -EINVAL;
}

int cpulist_read(const char *path, cpu_set_t *set)
{
	CLEANUP_FREE char *line = NULL;
	size_t room = 0;
	FILE *f = fopen(path, "re");
	ssize_t n;

	if (!f)
		return -errno;
	n = getline(&line, &room, f);
	fclose(f);
	return n < 0 ? -EIO : parse(line, set);
}
