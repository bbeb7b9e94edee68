// SPDX-License-Identifier: GPL-2.0-or-later
/* What the files of devices/<id>/ do. */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "lcfs/cache/cache.h"
#include "lcfs/ctl/ctl_table.h"

static void device_path(const struct ctl_place *p, char *path)
{
	struct cache_image_info info;

	(void)image_info(p->img, &info, path);
}

static void device_info(const struct ctl_place *p, struct cache_image_info *info)
{
	(void)image_info(p->img, info, NULL);
}

int ctl_device_show_cache_id(const struct ctl_place *p, const struct ctl_item *item,
			     struct ctl_text *out)
{
	(void)item;
	return ctl_text_printf(out, "%" PRIu32 "\n", image_cache_id(p->img));
}

int ctl_device_store_cache_id(const struct ctl_place *p, const struct ctl_item *item,
			      uint64_t value)
{
	(void)item;
	return image_attach(p->img, (uint32_t)value);
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

const char *const ctl_resolutions[] = {
	[IMAGE_KEEP_CACHE] = "keep-cache",
	[IMAGE_KEEP_BACKING] = "keep-backing",
	NULL,
};

int ctl_device_show_resolve(const struct ctl_place *p, const struct ctl_item *item,
			    struct ctl_text *out)
{
	struct cache_image_info info;
	bool is_held = image_info(p->img, &info, NULL) &&
		       (info.state == IMAGE_CONFLICT || info.state == IMAGE_MISSING);

	(void)item;
	return ctl_text_printf(out, is_held ? "keep-cache keep-backing\n" : "none\n");
}

int ctl_device_resolve(const struct ctl_place *p, const struct ctl_item *item, uint64_t value)
{
	(void)item;
	return image_resolve(p->img, (enum image_resolution)value);
}

int ctl_device_link_device(const struct ctl_place *p, struct ctl_text *out)
{
	char path[OP_PATH_MAX + 1];

	device_path(p, path);
	return ctl_text_printf(out, "%s/%s", p->tree->source, path);
}
