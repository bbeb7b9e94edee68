// SPDX-License-Identifier: GPL-2.0-or-later
/* A control tree with a few files. */
#include "tests/fake/ctl_fake.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "common/align.h"
#include "common/parse.h"

struct ctlfs {
	uint64_t knob;
};

struct ctl_file {
	struct ctlfs *t;
	uint64_t node;
	char *text;
	size_t len;
};

enum {
	CACHES = CTL_ROOT + 1,
	CACHE,
	KNOB,
	DEVICE,
	VERSION,
	LONG
};

static const struct {
	uint64_t node, parent;
	const char *name;
	enum ctl_type type;
	mode_t mode;
} table[] = {
	{ CTL_ROOT, 0, "", CTL_DIR, S_IFDIR | 0755 },
	{ CACHES, CTL_ROOT, "caches", CTL_DIR, S_IFDIR | 0755 },
	{ CACHE, CACHES, "1", CTL_DIR, S_IFDIR | 0755 },
	{ KNOB, CACHE, "knob", CTL_FILE, S_IFREG | 0644 },
	{ DEVICE, CACHE, "device", CTL_LINK, S_IFLNK | 0777 },
	{ VERSION, CTL_ROOT, "version", CTL_FILE, S_IFREG | 0444 },
	{ LONG, CTL_ROOT, "long", CTL_FILE, S_IFREG | 0444 },
};

#define TARGET "/dev/cache"
#define LONG_BYTES 200000u

static struct ctlfs the_tree = { .knob = 70 };

struct ctlfs *ctl_fake(void)
{
	return &the_tree;
}

static void fill(size_t i, struct ctl_attr *attr)
{
	*attr = (struct ctl_attr){
		.node = table[i].node,
		.type = table[i].type,
		.mode = table[i].mode,
		.nlink = table[i].type == CTL_DIR ? 2 : 1,
		.size = table[i].type == CTL_LINK ? (off_t)strlen(TARGET) : 0,
	};
}

int ctlfs_lookup(struct ctlfs *t unused_, uint64_t dir, const char *name, struct ctl_attr *attr)
{
	for (size_t i = 0; i < array_size(table); i++) {
		if (table[i].parent == dir && strcmp(table[i].name, name) == 0) {
			fill(i, attr);
			return 0;
		}
	}
	return -ENOENT;
}

int ctlfs_getattr(struct ctlfs *t unused_, uint64_t node, struct ctl_attr *attr)
{
	for (size_t i = 0; i < array_size(table); i++) {
		if (table[i].node == node) {
			fill(i, attr);
			return 0;
		}
	}
	return -ENOENT;
}

int ctlfs_list(struct ctlfs *t unused_, uint64_t dir, struct ctl_entry **out, size_t *nr)
{
	struct ctl_entry *e = calloc(array_size(table), sizeof(*e));

	*nr = 0;
	*out = e;
	if (!e)
		return -ENOMEM;
	for (size_t i = 0; i < array_size(table); i++) {
		if (table[i].parent != dir)
			continue;
		e[*nr].node = table[i].node;
		e[*nr].type = table[i].type;
		snprintf(e[*nr].name, sizeof(e[*nr].name), "%s", table[i].name);
		++*nr;
	}
	return 0;
}

ssize_t ctlfs_readlink(struct ctlfs *t unused_, uint64_t node, char *buf, size_t size)
{
	if (node != DEVICE)
		return -EINVAL;
	memcpy(buf, TARGET, min(size, strlen(TARGET)));
	return (ssize_t)strlen(TARGET);
}

int ctlfs_open(struct ctlfs *t, uint64_t node, int flags, struct ctl_file **out)
{
	struct ctl_file *f;

	if (node != KNOB && (flags & O_ACCMODE) != O_RDONLY)
		return -EACCES;
	f = calloc(1, sizeof(*f));
	if (!f)
		return -ENOMEM;
	f->t = t;
	f->node = node;
	*out = f;
	return 0;
}

static void look(struct ctl_file *f)
{
	free(f->text);
	f->text = calloc(1, LONG_BYTES + 1);
	if (!f->text)
		abort();
	if (f->node == LONG)
		memset(f->text, 'x', LONG_BYTES);
	else if (f->node == KNOB)
		sprintf(f->text, "%llu\n", (unsigned long long)f->t->knob);
	else
		strcpy(f->text, "1.0\n");
	f->len = strlen(f->text);
}

ssize_t ctlfs_read(struct ctl_file *f, void *buf, size_t size, uint64_t off)
{
	if (off == 0 || !f->text)
		look(f);
	if (off >= f->len)
		return 0;
	size = min(size, f->len - (size_t)off);
	memcpy(buf, f->text + off, size);
	return (ssize_t)size;
}

int ctlfs_poll(struct ctl_file *f unused_, const uint64_t *handle unused_, bool *is_changed)
{
	*is_changed = false;
	return 0;
}

void ctlfs_set_wake(struct ctlfs *t unused_, void (*wake)(void *ctx, uint64_t handle) unused_,
		    void *ctx unused_)
{
}

ssize_t ctlfs_write(struct ctl_file *f, const void *data, size_t len)
{
	char text[32];
	int error;

	if (len >= sizeof(text))
		return -EINVAL;
	memcpy(text, data, len);
	text[len] = 0;
	text[strcspn(text, "\n")] = 0;
	error = parse_u64(text, 0, 100, &f->t->knob);
	return error ? error : (ssize_t)len;
}

void ctlfs_release(struct ctl_file *f)
{
	free(f->text);
	free(f);
}
