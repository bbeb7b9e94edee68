// SPDX-License-Identifier: GPL-2.0-or-later
/* The half of filestorm that looks at what is there. */
#include "tests/filestorm.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/align.h"

bool storm_has_strange_name(const struct worker *w)
{
	int fd = openat(w->dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	bool is_strange = !d;
	struct dirent *e;

	while (d && (e = readdir(d))) {
		bool is_ours = e->d_name[0] == '.' || strcmp(e->d_name, "link") == 0;

		for (int i = 0; i < SLOTS; i++) {
			char name[16];

			name_of(i, name);
			is_ours = is_ours || strcmp(e->d_name, name) == 0;
		}
		if (!is_ours)
			fprintf(stderr, "filestorm: thread %d: there is a file '%s'\n", w->index,
				e->d_name);
		is_strange = is_strange || !is_ours;
	}
	if (d)
		closedir(d);
	return is_strange;
}

static bool read_slot(struct worker *w, int slot, struct slot *s)
{
	uint32_t done = 0;
	struct stat st;
	char name[16];
	ssize_t n = 1;
	int fd;

	name_of(slot, name);
	memset(s, 0, sizeof(*s));
	fd = openat(w->dir, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 && errno == ENOENT)
		return true;
	if (fd < 0 || fstat(fd, &st) < 0) {
		fprintf(stderr, "filestorm: thread %d: %s: %s\n", w->index, name, strerror(errno));
		return false;
	}
	s->exists = true;
	s->size = (uint32_t)st.st_size;
	while (n > 0 && done < min(s->size, SIZE_MAX_)) {
		n = pread(fd, s->data + done, SIZE_MAX_ - done, done);
		done += n > 0 ? (uint32_t)n : 0;
	}
	close(fd);
	if (done == s->size)
		return true;
	fprintf(stderr, "filestorm: thread %d: %s: size %u, %u bytes can be read: %s\n", w->index,
		name, s->size, done, n < 0 ? strerror(errno) : "end");
	return false;
}

bool storm_settle(struct worker *w)
{
	struct slot *is = calloc(SLOTS, sizeof(*is));
	const struct slot *want = NULL;
	bool is_read = is != NULL;
	int wrong = -1;

	for (int i = 0; i < SLOTS && is_read; i++)
		is_read = read_slot(w, i, &is[i]);
	if (is_read)
		wrong = model_settle(w->m, is, &want);
	if (is_read && wrong >= 0)
		fprintf(stderr,
			"filestorm: thread %d: f%d: is %d, size %u; should be %d, size %u; differs "
			"from byte %u%s\n",
			w->index, wrong, is[wrong].exists, is[wrong].size, want->exists, want->size,
			slot_differs_at(&is[wrong], want),
			w->m->under_way ? " (an operation was under way)" : "");
	free(is);
	return is_read && wrong < 0;
}
