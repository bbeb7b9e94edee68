// SPDX-License-Identifier: GPL-2.0-or-later
/* What the files of devices/<id>/ do. */
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "lcfs/cache/cache.h"
#include "lcfs/ctl/ctl_table.h"

#define PATIENCE_TRIES 500
#define PATIENCE_US 2000

/* Who works on an image may wait for a store that hangs: whoever only looks does not, for long. */
static must_check int read_image(const struct ctl_place *p, struct ctl_image_data *i)
{
	int err = ctl_image_data_read(p->img, false, i);

	for (int n = 0; n < PATIENCE_TRIES && !err && !i->state && !p->is_watch; n++) {
		usleep(PATIENCE_US);
		err = ctl_image_data_read(p->img, false, i);
	}
	return err || i->state ? err : -EAGAIN;
}

/* ------------------------------------------------------------------ what it says */

int ctl_device_show_cache_id(const struct ctl_place *p, const struct ctl_item *item,
			     struct ctl_text *out)
{
	(void)item;
	return ctl_text_printf(out, "%" PRIu32 "\n", image_cache_id(p->img));
}

int ctl_device_show_name(const struct ctl_place *p, const struct ctl_item *item,
			 struct ctl_text *out)
{
	CLEANUP_CTL_IMAGE_DATA struct ctl_image_data i = { 0 };
	int err = read_image(p, &i);

	(void)item;
	return err ? err : ctl_text_printf(out, "%s\n", i.name);
}

int ctl_device_show_base_name(const struct ctl_place *p, const struct ctl_item *item,
			      struct ctl_text *out)
{
	CLEANUP_CTL_IMAGE_DATA struct ctl_image_data i = { 0 };
	const char *slash;
	int err = read_image(p, &i);

	(void)item;
	if (err)
		return err;
	slash = strrchr(i.name, '/');
	return ctl_text_printf(out, "%s\n", slash ? slash + 1 : i.name);
}

int ctl_device_link_device(const struct ctl_place *p, struct ctl_text *out)
{
	CLEANUP_CTL_IMAGE_DATA struct ctl_image_data i = { 0 };
	int err = read_image(p, &i);

	return err ? err : ctl_text_printf(out, "%s/%s", p->tree->source, i.name);
}

int ctl_device_show_number(const struct ctl_place *p, const struct ctl_item *item,
			   struct ctl_text *out)
{
	CLEANUP_CTL_IMAGE_DATA struct ctl_image_data i = { 0 };
	int err = read_image(p, &i);

	return err ? err : ctl_text_printf(out, "%" PRIu64 "\n", i.number[item->arg]);
}

int ctl_device_show_state(const struct ctl_place *p, const struct ctl_item *item,
			  struct ctl_text *out)
{
	CLEANUP_CTL_IMAGE_DATA struct ctl_image_data i = { 0 };
	int err = read_image(p, &i);

	(void)item;
	return err ? err : ctl_text_printf(out, "%s\n", i.state);
}

int ctl_device_show_reason(const struct ctl_place *p, const struct ctl_item *item,
			   struct ctl_text *out)
{
	CLEANUP_CTL_IMAGE_DATA struct ctl_image_data i = { 0 };
	int err = read_image(p, &i);

	(void)item;
	return err ? err : ctl_text_printf(out, "%s\n", i.reason);
}

int ctl_device_show_identity(const struct ctl_place *p, const struct ctl_item *item,
			     struct ctl_text *out)
{
	static const char *const words[] = { [IDENTITY_WEAK] = "weak",
					     [IDENTITY_INODE] = "inode",
					     [IDENTITY_HANDLE] = "handle" };
	struct cache_image_info info;
	const char *why;
	int is_cached = p->is_watch ? image_try_info(p->img, &info, NULL, &why) :
				      image_info(p->img, &info, NULL);

	(void)item;
	if (is_cached < 0)
		return is_cached;
	if (!is_cached || info.identity.strength >= array_size(words))
		return ctl_text_printf(out, "none\n");
	return ctl_text_printf(out, "%s\n", words[info.identity.strength]);
}

/* ------------------------------------------------------------------ what a write does */

int ctl_device_store_cache_id(const struct ctl_place *p, const struct ctl_item *item,
			      uint64_t value)
{
	uint32_t id = (uint32_t)value;

	(void)item;
	if (id) {
		if (!imagedir_hold_cache(p->tree->dir, id))
			return -ERANGE;
		imagedir_release_cache(p->tree->dir, id);
	}
	return image_attach(p->img, id);
}

int ctl_device_drain(const struct ctl_place *p, const struct ctl_item *item, uint64_t value)
{
	(void)item;
	(void)value;
	return image_drain(p->img);
}

const char *const ctl_resolutions[] = { "keep-cache", "keep-backing", "export PATH", NULL };

int ctl_device_show_resolve(const struct ctl_place *p, const struct ctl_item *item,
			    struct ctl_text *out)
{
	struct cache_image_info info;
	bool is_held = image_info(p->img, &info, NULL) &&
		       (info.state == IMAGE_CONFLICT || info.state == IMAGE_MISSING);

	(void)item;
	return ctl_text_printf(out, is_held ? "keep-cache keep-backing export\n" : "none\n");
}

int ctl_device_resolve(const struct ctl_place *p, const struct ctl_item *item, const char *text)
{
	static const char export[] = "export ";

	(void)item;
	if (strcmp(text, ctl_resolutions[0]) == 0)
		return image_resolve(p->img, IMAGE_KEEP_CACHE);
	if (strcmp(text, ctl_resolutions[1]) == 0)
		return image_resolve(p->img, IMAGE_KEEP_BACKING);
	if (strncmp(text, export, strlen(export)) == 0)
		return image_export(p->img, text + strlen(export));
	return -EINVAL;
}

int ctl_device_flush(const struct ctl_place *p, const struct ctl_item *item, uint64_t value)
{
	(void)item;
	(void)value;
	return image_sync(p->img, false);
}
