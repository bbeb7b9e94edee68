// SPDX-License-Identifier: GPL-2.0-or-later
/* Open control files: a snapshot to read from, values to write. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "common/align.h"
#include "common/mutex.h"
#include "common/parse.h"
#include "lcfs/ctl/ctl_table.h"

#define VALUE_MAX 4096 /* bytes of one write */

struct ctl_file {
	struct mutex lock;  /* for pointer work and copies only: nothing is taken under it */
	struct ctlfs *tree; /* const */
	uint64_t node;	    /* const */
	const struct ctl_item *item; /* const */
	bool can_read, can_write;    /* const */
	bool has_text;		     /* lock */
	struct ctl_text text;	     /* lock */
};

int ctlfs_open(struct ctlfs *t, uint64_t node, int flags, struct ctl_file **out)
{
	bool reads = (flags & O_ACCMODE) != O_WRONLY;
	bool writes = (flags & O_ACCMODE) != O_RDONLY;
	const struct ctl_item *item;
	struct ctl_attr attr;
	struct ctl_file *f;
	int err = ctlfs_getattr(t, node, &attr);

	if (err)
		return err;
	if (attr.type != CTL_FILE)
		return attr.type == CTL_DIR ? -EISDIR : -ELOOP;
	item = ctl_node_item(node);
	if ((reads && !item->show) || (writes && !ctl_item_can_store(item)))
		return -EACCES;
	f = calloc(1, sizeof(*f));
	if (!f)
		return -ENOMEM;
	mutex_init(&f->lock, CTL_FILE_RANK, "ctl_file");
	f->tree = t;
	f->node = node;
	f->item = item;
	f->can_read = reads;
	f->can_write = writes;
	*out = f;
	return 0;
}

void ctlfs_release(struct ctl_file *f)
{
	ctl_text_free(&f->text);
	mutex_destroy(&f->lock);
	free(f);
}

/* Looks at the value and makes it the snapshot. */
static must_check int file_refresh(struct ctl_file *f)
{
	CLEANUP_CTL_PLACE struct ctl_place place = { 0 };
	struct ctl_text text = { 0 }, old;
	int err = ctl_place_get(f->tree, f->node, &place);

	if (!err)
		err = f->item->show(&place, f->item, &text);
	if (err) {
		ctl_text_free(&text);
		return err;
	}
	mutex_lock(&f->lock);
	old = f->text;
	f->text = text;
	f->has_text = true;
	mutex_unlock(&f->lock);
	ctl_text_free(&old);
	return 0;
}

static bool file_has_text(struct ctl_file *f)
{
	LOCK_SCOPE(&f->lock);
	return f->has_text;
}

ssize_t ctlfs_read(struct ctl_file *f, void *buf, size_t size, uint64_t off)
{
	size_t n = 0;

	if (!f->can_read)
		return -EBADF;
	if (off == 0 || !file_has_text(f)) {
		int err = file_refresh(f);

		if (err)
			return err;
	}
	LOCK_SCOPE(&f->lock);
	if (off < f->text.len) {
		n = min_t(size_t, size, f->text.len - (size_t)off);
		memcpy(buf, f->text.data + off, n);
	}
	return (ssize_t)n;
}

/* What was written, without the newline at its end, as text. */
static must_check int value_text(const char *data, size_t len, char *text)
{
	if (len > VALUE_MAX)
		return -EINVAL;
	if (len && data[len - 1] == '\n')
		len--;
	memcpy(text, data, len);
	text[len] = '\0';
	return strlen(text) == len ? 0 : -EINVAL;
}

static must_check int store(const struct ctl_file *f, const char *text)
{
	CLEANUP_CTL_PLACE struct ctl_place place = { 0 };
	const struct ctl_item *item = f->item;
	uint64_t value = 0;
	int err = 0;

	if (!item->store_text)
		err = parse_u64(text, item->min, item->max, &value);
	if (!err)
		err = ctl_place_get(f->tree, f->node, &place);
	if (err)
		return err;
	return item->store_text ? item->store_text(&place, item, text) :
				  item->store(&place, item, value);
}

ssize_t ctlfs_write(struct ctl_file *f, const void *data, size_t len)
{
	char text[VALUE_MAX + 1];
	int err;

	if (!f->can_write)
		return -EBADF;
	err = value_text(data, len, text);
	if (!err)
		err = store(f, text);
	return err ? err : (ssize_t)len;
}
