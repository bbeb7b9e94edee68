// SPDX-License-Identifier: GPL-2.0-or-later
/* Open control files: a snapshot to read from, values to write. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "common/align.h"
#include "common/parse.h"
#include "lcfs/ctl/ctl_file.h"

#define VALUE_MAX 4096 /* bytes of one write */

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
	ctl_watch_opened(f);
	*out = f;
	return 0;
}

void ctlfs_release(struct ctl_file *f)
{
	ctl_watch_closed(f);
}

void ctl_file_free(struct ctl_file *f)
{
	ctl_text_free(&f->text);
	mutex_destroy(&f->lock);
	free(f);
}

static must_check int file_show(const struct ctl_file *f, bool is_watch, struct ctl_text *out)
{
	CLEANUP_CTL_PLACE struct ctl_place place = { 0 };
	int err = ctl_place_get(f->tree, f->node, &place);

	place.is_watch = is_watch;
	return err ? err : f->item->show(&place, f->item, out);
}

static void clear_changed(struct ctl_file *f)
{
	LOCK_SCOPE(&f->lock);
	f->is_changed = false;
}

/* Looks at the value and makes it the snapshot. */
static must_check int file_refresh(struct ctl_file *f)
{
	struct ctl_text text = { 0 }, old;
	int err;

	clear_changed(f); /* first: what is written from now on is not missed */
	err = file_show(f, false, &text);
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

bool ctl_file_differs(struct ctl_file *f, bool is_watch)
{
	struct ctl_text now = { 0 };
	int err = file_show(f, is_watch, &now);
	bool differs;

	mutex_lock(&f->lock);
	if (!f->has_text || f->is_changed)
		differs = true;
	else if (err)
		differs = err != -EAGAIN;
	else
		differs = now.len != f->text.len || memcmp(now.data, f->text.data, now.len) != 0;
	mutex_unlock(&f->lock);
	ctl_text_free(&now);
	return differs;
}

int ctlfs_poll(struct ctl_file *f, const uint64_t *handle, bool *is_changed)
{
	*is_changed = false;
	if (!f->item->show || !f->can_read)
		return 0;
	/* first: a change from now on is not missed */
	if (handle) {
		int err = ctl_watch_wait(f, *handle);

		if (err)
			return err;
	}
	*is_changed = ctl_file_differs(f, false);
	if (*is_changed)
		ctl_watch_stop(f);
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

static must_check int store_value(const struct ctl_place *p, const struct ctl_item *item,
				  const char *text, uint64_t value)
{
	_Atomic unsigned int *nr = &p->tree->nr_long;
	int err;

	if (item->is_long && atomic_fetch_add(nr, 1) >= CTL_LONG_MAX)
		err = -EBUSY;
	else
		err = item->store_text ? item->store_text(p, item, text) :
					 item->store(p, item, value);
	if (item->is_long)
		atomic_fetch_sub(nr, 1);
	return err;
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
	return store_value(&place, item, text, value);
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
	if (err)
		return err;
	if (f->item->show != ctl_show_zero)
		ctl_watch_stored(f->tree, f->node);
	return (ssize_t)len;
}
