// SPDX-License-Identifier: GPL-2.0-or-later
/* The one table of control files, in the order in which a directory lists them. */
#include "lcfs/ctl/ctl_table.h"

#include "lcfs/cache/cache.h"

static must_check int show_version(const struct ctl_place *p, const struct ctl_item *item,
				   struct ctl_text *out)
{
	(void)item;
	return ctl_text_printf(out, "%s\n", p->tree->version);
}

#define CACHE_READ_ONLY(name_, unit_, show_, arg_, help_)                                         \
	{                                                                                         \
		.kind = CTL_IN_CACHE, .name = name_, .unit = unit_, .help = help_, .show = show_, \
		.arg = arg_                                                                       \
	}
/* Writing 1 or more does something; reads as 0. */
#define TRIGGER(kind_, name_, store_, arg_, help_)                                       \
	{                                                                                \
		.kind = kind_, .name = name_, .unit = "", .min = 1, .max = UINT64_MAX,   \
		.help = help_, .show = ctl_cache_show_zero, .store = store_, .arg = arg_ \
	}
#define DEVICE_READ_ONLY(name_, unit_, show_, arg_, help_)                                         \
	{                                                                                          \
		.kind = CTL_IN_DEVICE, .name = name_, .unit = unit_, .help = help_, .show = show_, \
		.arg = arg_                                                                        \
	}

const struct ctl_item ctl_table[] = {
	{ .kind = CTL_IN_ROOT,
	  .name = "version",
	  .unit = "",
	  .help = "the version of lcfs",
	  .show = show_version },
	{ .kind = CTL_IN_ROOT,
	  .name = "caches",
	  .unit = "",
	  .help = "a directory for each cache",
	  .child = CTL_IN_CACHES },
	{ .kind = CTL_IN_ROOT,
	  .name = "devices",
	  .unit = "",
	  .help = "a directory for each image that a cache knows",
	  .child = CTL_IN_DEVICES },

#define KNOB(knob_, name_, unit_, min_, max_, default_, help_) \
	{ .kind = CTL_IN_CACHE,                                \
	  .name = #name_,                                      \
	  .unit = unit_,                                       \
	  .min = min_,                                         \
	  .max = max_,                                         \
	  .help = help_,                                       \
	  .show = ctl_cache_show_knob,                         \
	  .store = ctl_cache_store_knob,                       \
	  .arg = knob_ },
#include "lcfs/ctl/knobs.def"
#undef KNOB
	TRIGGER(CTL_IN_CACHE, "commit_super_block", ctl_cache_store_knob, KNOB_COMMIT_SUPER_BLOCK,
		"write the super block now"),
	TRIGGER(CTL_IN_CACHE, "flush_current_buffer", ctl_cache_flush, KNOB_FLUSH_CURRENT_BUFFER,
		"make all writes so far durable; returns when they are"),
	CACHE_READ_ONLY("last_flushed_segment_id", "segment", ctl_cache_show_number,
			CTL_CACHE_LAST_FLUSHED, "the newest segment that is on stable storage"),
	CACHE_READ_ONLY("last_migrated_segment_id", "segment", ctl_cache_show_number,
			CTL_CACHE_LAST_MIGRATED, "this one and all before it are migrated"),
	CACHE_READ_ONLY("migrating", "0/1", ctl_cache_show_number, CTL_CACHE_MIGRATING,
			"whether migration is at work"),
	CACHE_READ_ONLY("nr_dirty_caches", "blocks", ctl_cache_show_number, CTL_CACHE_NR_DIRTY,
			"blocks of 4 KiB that are not in their backing files yet"),
	CACHE_READ_ONLY("nr_segments", "segments", ctl_cache_show_number, CTL_CACHE_NR_SEGMENTS,
			"size of the log"),
	CACHE_READ_ONLY("state", "", ctl_cache_show_state, 0, "ok or failed"),
	CACHE_READ_ONLY("status", "", ctl_cache_show_status, 0,
			"one line as dm-lc's status: RAM bytes, allow_migrate, nr_segments, last "
			"migrated, last flushed and current segment, cursor, then the counters"),
	CACHE_READ_ONLY(
		"stat", "", ctl_cache_show_stat, 0,
		"16 counters, each with its write, hit, on_buffer and fullsize bit before it"),
	TRIGGER(CTL_IN_CACHE, "clear_stat", ctl_cache_clear_stat, 0, "set the counters to 0"),
	{ .kind = CTL_IN_CACHE,
	  .name = "device",
	  .unit = "",
	  .help = "the cache device",
	  .link = ctl_cache_link_device },

	{ .kind = CTL_IN_DEVICE,
	  .name = "cache_id",
	  .unit = "",
	  .min = 0,
	  .max = UINT32_MAX,
	  .help = "the cache it is attached to",
	  .show = ctl_device_show_cache_id,
	  .store = ctl_device_store_cache_id },
	DEVICE_READ_ONLY("dev", "", ctl_device_show_base_name, 0, "the image's own name"),
	DEVICE_READ_ONLY("name", "", ctl_device_show_name, 0, "its path in the mount"),
	/* All images of a mount have one backing store, so this is the cache's knob. */
	{ .kind = CTL_IN_DEVICE,
	  .name = "migrate_threshold",
	  .unit = "%",
	  .min = 0,
	  .max = 100,
	  .help = "as in the cache it is attached to",
	  .show = ctl_cache_show_knob,
	  .store = ctl_cache_store_knob,
	  .arg = KNOB_MIGRATE_THRESHOLD },
	DEVICE_READ_ONLY("nr_dirty_caches", "blocks", ctl_device_show_number, CTL_DEVICE_NR_DIRTY,
			 "blocks of 4 KiB that are not in its backing file yet"),
	DEVICE_READ_ONLY("size", "bytes", ctl_device_show_number, CTL_DEVICE_SIZE, "its size"),
	DEVICE_READ_ONLY("state", "", ctl_device_show_state, 0,
			 "uncached, clean, dirty, draining, conflict, missing or error"),
	TRIGGER(CTL_IN_DEVICE, "drain", ctl_device_drain, 0,
		"write all of it to its backing file; returns when that is done"),
	{ .kind = CTL_IN_DEVICE,
	  .name = "device",
	  .unit = "",
	  .help = "the backing file",
	  .link = ctl_device_link_device },
};

const size_t ctl_table_rows = sizeof(ctl_table) / sizeof(ctl_table[0]);
