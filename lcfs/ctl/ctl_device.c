// SPDX-License-Identifier: GPL-2.0-or-later
/* What the files of devices/<id>/ do. */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "lcfs/cache/cache.h"
#include "lcfs/ctl/ctl_table.h"

static void device_path(const struct ctl_place *p, char *path)
{
	cache_image_path(imagedir_cache(p->tree->dir), image_cached(p->img), path);
}

static void device_info(const struct ctl_place *p, struct cache_image_info *info)
{
	cache_image_info(imagedir_cache(p->tree->dir), image_cached(p->img), info);
}

int ctl_device_show_cache_id(const struct ctl_place *p, const struct ctl_item *item,
			     struct ctl_text *out)
{
	struct cache_image_info info;

	(void)item;
	device_info(p, &info);
	return ctl_text_printf(out, "%d\n", info.is_bound ? CTL_CACHE_ID : 0);
}

/* To attach and to detach by hand is not there yet: only the value that it has is taken. */
int ctl_device_store_cache_id(const struct ctl_place *p, const struct ctl_item *item,
			      uint64_t value)
{
	struct cache_image_info info;

	(void)item;
	device_info(p, &info);
	return value == (info.is_bound ? CTL_CACHE_ID : 0) ? 0 : -EOPNOTSUPP;
}

int ctl_device_show_name(const struct ctl_place *p, const struct ctl_item *item,
			 struct ctl_text *out)
{
	char path[OP_PATH_MAX + 1];

	(void)item;
	device_path(p, path);
	return ctl_text_printf(out, "%s\n", path);
}

int ctl_device_show_base_name(const struct ctl_place *p, const struct ctl_item *item,
			      struct ctl_text *out)
{
	char path[OP_PATH_MAX + 1];
	const char *slash;

	(void)item;
	device_path(p, path);
	slash = strrchr(path, '/');
	return ctl_text_printf(out, "%s\n", slash ? slash + 1 : path);
}

int ctl_device_show_number(const struct ctl_place *p, const struct ctl_item *item,
			   struct ctl_text *out)
{
	struct cache_image_info info;
	uint64_t value = 0;

	device_info(p, &info);
	switch ((enum ctl_device_number)item->arg) {
	case CTL_DEVICE_SIZE:
		value = image_size(p->img);
		break;
	case CTL_DEVICE_NR_DIRTY:
		value = info.dirty_blocks;
		break;
	}
	return ctl_text_printf(out, "%" PRIu64 "\n", value);
}

int ctl_device_show_state(const struct ctl_place *p, const struct ctl_item *item,
			  struct ctl_text *out)
{
	struct cache_image_info info;

	(void)item;
	device_info(p, &info);
	return ctl_text_printf(out, "%s\n", image_state_text(info.state));
}

int ctl_device_drain(const struct ctl_place *p, const struct ctl_item *item, uint64_t value)
{
	(void)item;
	(void)value;
	return image_drain(p->img);
}

int ctl_device_link_device(const struct ctl_place *p, struct ctl_text *out)
{
	char path[OP_PATH_MAX + 1];

	device_path(p, path);
	return ctl_text_printf(out, "%s/%s", p->tree->source, path);
}
