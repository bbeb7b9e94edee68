// SPDX-License-Identifier: GPL-2.0-or-later
/* Reads a trace. */
#include "tests/stand/traceread.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "common/cleanup.h"

static int map_file(struct traceread *t, const char *path)
{
	CLEANUP_FD int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	t->map_bytes = (size_t)st.st_size;
	if (t->map_bytes < sizeof(t->head))
		return -EINVAL;
	t->map = mmap(NULL, t->map_bytes, PROT_READ, MAP_PRIVATE, fd, 0);
	if (t->map == MAP_FAILED)
		return -errno;
	memcpy(&t->head, t->map, sizeof(t->head));
	return t->head.magic == TRACE_MAGIC && t->head.nr_files <= TRACE_FILES ? 0 : -EINVAL;
}

/* The record at *at, which moves on; false: there is no whole one. */
static bool take(const struct traceread *t, size_t *at, struct trace_item *item)
{
	const uint8_t *map = t->map;

	if (t->map_bytes - *at < sizeof(item->r))
		return false;
	memcpy(&item->r, map + *at, sizeof(item->r));
	item->data = map + *at + sizeof(item->r);
	if (t->map_bytes - *at - sizeof(item->r) < item->r.data_bytes)
		return false;
	*at += sizeof(item->r) + item->r.data_bytes;
	return true;
}

int traceread_open(struct traceread *t, const char *path)
{
	struct trace_item item;
	size_t at = sizeof(t->head), room = 0;
	int err = map_file(t, path);

	t->items = NULL;
	t->nr_items = 0;
	if (err)
		return err;
	while (take(t, &at, &item)) {
		if (t->nr_items == room) {
			void *more;

			room = room ? 2 * room : 1024;
			more = realloc(t->items, room * sizeof(item));
			if (!more) {
				traceread_close(t);
				return -ENOMEM;
			}
			t->items = more;
		}
		t->items[t->nr_items++] = item;
	}
	return 0;
}

void traceread_close(struct traceread *t)
{
	free(t->items);
	t->items = NULL;
	munmap(t->map, t->map_bytes);
}
