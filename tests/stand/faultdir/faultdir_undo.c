// SPDX-License-Identifier: GPL-2.0-or-later
/* What a store has not made durable, so that it can be lost. */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/align.h"
#include "tests/stand/faultdir/faultdir.h"

struct change {
	struct list node;
	uint64_t number, off, len;
	off_t size; /* of the file before */
	char data[];
};

void undo_init(struct undo *u)
{
	mutex_init(&u->lock, 1, "undo");
	list_init(&u->changes);
	u->last = 0;
}

void undo_forget(struct undo *u, uint64_t mark)
{
	struct change *c, *next;
	LOCK_SCOPE(&u->lock);

	list_for_each_entry_safe(c, next, &u->changes, node) {
		if (c->number > mark)
			continue;
		list_del(&c->node);
		free(c);
	}
}

void undo_free(struct undo *u)
{
	undo_forget(u, UINT64_MAX);
	mutex_destroy(&u->lock);
}

void undo_note(struct undo *u, int fd, uint64_t off, uint64_t len)
{
	struct change *c;
	struct stat st;
	ssize_t n;

	if (!store.keeps_undo || fstat(fd, &st) < 0)
		return;
	len = off < (uint64_t)st.st_size ? min(len, (uint64_t)st.st_size - off) : 0;
	c = malloc(sizeof(*c) + len);
	if (!c)
		abort();
	n = len ? pread(fd, c->data, len, (off_t)off) : 0;
	c->off = off;
	c->len = n < 0 ? 0 : (uint64_t)n;
	c->size = st.st_size;
	mutex_lock(&u->lock);
	c->number = ++u->last;
	list_add_head(&u->changes, &c->node);
	mutex_unlock(&u->lock);
}

uint64_t undo_mark(struct undo *u)
{
	LOCK_SCOPE(&u->lock);

	return u->last;
}

void undo_apply(struct undo *u, int fd)
{
	struct change *c;
	LOCK_SCOPE(&u->lock);

	while ((c = list_pop_head(&u->changes, struct change, node))) {
		if ((c->len && pwrite(fd, c->data, c->len, (off_t)c->off) != (ssize_t)c->len) ||
		    ftruncate(fd, c->size) < 0)
			perror("faultdir: cannot lose data");
		free(c);
	}
}
