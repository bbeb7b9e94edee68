// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The one table of control files, in the order in which a directory lists them. A test holds
 * lcctl-tree(5) against it.
 */
#include "lcfs/ctl/ctl_table.h"

#define DIRECTORY(kind_, name_, child_, help_)                                           \
	{                                                                                \
		.kind = kind_, .name = name_, .unit = "", .help = help_, .child = child_ \
	}
#define LINK(kind_, name_, link_, help_)                                               \
	{                                                                              \
		.kind = kind_, .name = name_, .unit = "", .help = help_, .link = link_ \
	}
#define READ_ONLY(kind_, name_, unit_, show_, arg_, help_)                                 \
	{                                                                                  \
		.kind = kind_, .name = name_, .unit = unit_, .help = help_, .show = show_, \
		.arg = arg_                                                                \
	}
/* Writing 1 or more does something; reads as 0. */
#define TRIGGER(kind_, name_, store_, arg_, help_)                                     \
	{                                                                              \
		.kind = kind_, .name = name_, .unit = "", .min = 1, .max = UINT64_MAX, \
		.help = help_, .show = ctl_show_zero, .store = store_, .arg = arg_     \
	}
/* The same, and it may take long. */
#define JOB(kind_, name_, store_, help_)                                               \
	{                                                                              \
		.kind = kind_, .name = name_, .unit = "", .min = 1, .max = UINT64_MAX, \
		.help = help_, .show = ctl_show_zero, .store = store_, .is_long = true \
	}
#define CACHE_NUMBER(name_, unit_, arg_, help_) \
	READ_ONLY(CTL_IN_CACHE, name_, unit_, ctl_cache_show_number, arg_, help_)
#define DEVICE_NUMBER(name_, unit_, arg_, help_) \
	READ_ONLY(CTL_IN_DEVICE, name_, unit_, ctl_device_show_number, arg_, help_)

const struct ctl_item ctl_table[] = {
	READ_ONLY(CTL_IN_ROOT, "version", "", ctl_root_show_version, 0, "the version of lcfs"),
	READ_ONLY(CTL_IN_ROOT, "transport", "", ctl_root_show_transport, 0,
		  "how the kernel's requests come: dev or uring"),
	READ_ONLY(CTL_IN_ROOT, "status", "", ctl_root_show_status, 0,
		  "a summary of the mount, its caches and its images, and what is wrong with any"),
	READ_ONLY(CTL_IN_ROOT, "stats.json", "", ctl_root_show_json, 0,
		  "every number of every cache and image, as JSON"),
	READ_ONLY(CTL_IN_ROOT, "metrics", "", ctl_root_show_metrics, 0,
		  "the same as OpenMetrics text, for Prometheus and others"),
	READ_ONLY(CTL_IN_ROOT, "config", "", ctl_root_show_config, 0,
		  "the options in effect and the knobs as they are now, in the words of -o"),
	TRIGGER(CTL_IN_ROOT, "flush", ctl_root_flush, 0,
		"make all writes so far durable, of all caches; returns when they are"),
	JOB(CTL_IN_ROOT, "drain", ctl_root_drain,
	    "write all dirty data to the backing files; returns when that is done"),
	{ .kind = CTL_IN_ROOT,
	  .name = "add_cache",
	  .unit = "",
	  .help = "write a cache, its path, UUID=... or LABEL=...: it joins; reads as why "
		  "the last cache did not come or go",
	  .show = ctl_root_show_refused,
	  .store_text = ctl_root_add_cache,
	  .is_long = true },
	{ .kind = CTL_IN_ROOT,
	  .name = "remove_cache",
	  .unit = "",
	  .min = 1,
	  .max = UINT32_MAX,
	  .help = "write the number of a cache: it is drained, and leaves; reads as add_cache",
	  .show = ctl_root_show_refused,
	  .store = ctl_root_remove_cache,
	  .is_long = true },
	DIRECTORY(CTL_IN_ROOT, "caches", CTL_IN_CACHES, "a directory for each cache"),
	DIRECTORY(CTL_IN_ROOT, "devices", CTL_IN_DEVICES,
		  "a directory for each image that is open or that a cache knows"),

#define KNOB(knob_, name_, unit_, min_, max_, default_, help_) \
	{ .kind = CTL_IN_CACHE,                                \
	  .name = #name_,                                      \
	  .unit = unit_,                                       \
	  .min = min_,                                         \
	  .max = max_,                                         \
	  .initial = default_,                                 \
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
	JOB(CTL_IN_CACHE, "drain", ctl_cache_drain,
	    "write all of its dirty data to the backing files; returns when that is done"),
	CACHE_NUMBER("last_flushed_segment_id", "segment", CTL_CACHE_LAST_FLUSHED,
		     "the newest segment that is on stable storage"),
	CACHE_NUMBER("last_migrated_segment_id", "segment", CTL_CACHE_LAST_MIGRATED,
		     "this one and all before it are migrated"),
	CACHE_NUMBER("migrating", "0/1", CTL_CACHE_MIGRATING, "whether migration is at work"),
	CACHE_NUMBER("busy_percent", "%", CTL_CACHE_BUSY,
		     "how busy the backing store was when the governor last looked; - if unknown"),
	CACHE_NUMBER("nr_dirty_caches", "blocks", CTL_CACHE_NR_DIRTY,
		     "blocks of 4 KiB that are not in their backing files yet"),
	CACHE_NUMBER("dirty_bytes", "bytes", CTL_CACHE_DIRTY_BYTES, "the same in bytes"),
	CACHE_NUMBER("dirty_age_ms", "ms", CTL_CACHE_DIRTY_AGE,
		     "at most so old is the oldest of them; 0 if there is none"),
	CACHE_NUMBER("cached_bytes", "bytes", CTL_CACHE_CACHED_BYTES,
		     "data that can be read from the cache, dirty or not"),
	CACHE_NUMBER("nr_segments", "segments", CTL_CACHE_NR_SEGMENTS, "size of the log"),
	CACHE_NUMBER("nr_free_segments", "segments", CTL_CACHE_NR_FREE,
		     "segments that may be written"),
	CACHE_NUMBER("segment_size", "bytes", CTL_CACHE_SEGMENT_SIZE, "size of a segment"),
	CACHE_NUMBER("scrub_left_bytes", "bytes", CTL_CACHE_SCRUB_LEFT,
		     "what a pass of the scrub that is under way has in front of it"),
	CACHE_NUMBER("scrubbed_bytes", "bytes", CTL_CACHE_SCRUBBED, "read by the scrub"),
	CACHE_NUMBER("scrub_passes", "", CTL_CACHE_SCRUB_PASSES,
		     "passes of the scrub that came to their end"),
	CACHE_NUMBER("scrub_clean_errors", "blocks", CTL_CACHE_SCRUB_CLEAN,
		     "damaged blocks that it has dropped, since a backing file has them"),
	CACHE_NUMBER("scrub_dirty_errors", "blocks", CTL_CACHE_SCRUB_DIRTY,
		     "damaged blocks that it has found of which there was no other copy"),
	CACHE_NUMBER("scrub_header_errors", "segments", CTL_CACHE_SCRUB_HEADERS,
		     "segments that could not have been recovered; they are migrated at once"),
	READ_ONLY(CTL_IN_CACHE, "state", "", ctl_cache_show_state, 0, "ok or failed"),
	READ_ONLY(CTL_IN_CACHE, "reason", "", ctl_cache_show_reason, 0,
		  "why it has failed; an empty line if it has not"),
	READ_ONLY(
		CTL_IN_CACHE, "status", "", ctl_cache_show_status, 0,
		"what dm-lc's lc-mgr prints: RAM, allow_migrate, segments, ids, cursor, counters"),
	READ_ONLY(CTL_IN_CACHE, "stat", "", ctl_cache_show_stat, 0,
		  "16 counters, each with its write, hit, on_buffer and fullsize bit before it"),
	TRIGGER(CTL_IN_CACHE, "clear_stat", ctl_cache_clear_stat, 0, "set these counters to 0"),
	LINK(CTL_IN_CACHE, "device", ctl_cache_link_device, "the cache device"),

	{ .kind = CTL_IN_DEVICE,
	  .name = "cache_id",
	  .unit = "",
	  .min = 0,
	  .max = CTL_CACHES_MAX,
	  .help = "the cache it is attached to, 0 for none; to write it drains and attaches",
	  .show = ctl_device_show_cache_id,
	  .store = ctl_device_store_cache_id,
	  .is_long = true },
	READ_ONLY(CTL_IN_DEVICE, "dev", "", ctl_device_show_base_name, 0, "the image's own name"),
	READ_ONLY(CTL_IN_DEVICE, "name", "", ctl_device_show_name, 0, "its path in the mount"),
	/* All images of a mount have one backing store, so this is the cache's knob. */
	{ .kind = CTL_IN_DEVICE,
	  .name = "migrate_threshold",
	  .unit = "%",
	  .min = 0,
	  .max = 100,
	  .initial = 70,
	  .help = "as in the cache it is attached to",
	  .show = ctl_cache_show_knob,
	  .store = ctl_cache_store_knob,
	  .arg = KNOB_MIGRATE_THRESHOLD },
	DEVICE_NUMBER("nr_dirty_caches", "blocks", CTL_DEVICE_NR_DIRTY,
		      "blocks of 4 KiB that are not in its backing file yet"),
	DEVICE_NUMBER("dirty_bytes", "bytes", CTL_DEVICE_DIRTY_BYTES, "the same in bytes"),
	DEVICE_NUMBER("dirty_age_ms", "ms", CTL_DEVICE_DIRTY_AGE,
		      "at most so old is the oldest of them; 0 if there is none"),
	DEVICE_NUMBER("cached_bytes", "bytes", CTL_DEVICE_CACHED_BYTES,
		      "data of it that can be read from the cache, dirty or not"),
	DEVICE_NUMBER("damaged_blocks", "blocks", CTL_DEVICE_DAMAGED_BLOCKS,
		      "blocks of 4 KiB whose only copy, in the cache, is damaged"),
	DEVICE_NUMBER("removed", "0/1", CTL_DEVICE_REMOVED,
		      "whether it has no name any more: what is dirty of it is owed to no file"),
	DEVICE_NUMBER("size", "bytes", CTL_DEVICE_SIZE, "its size"),
	READ_ONLY(CTL_IN_DEVICE, "state", "", ctl_device_show_state, 0,
		  "uncached, clean, dirty, draining, conflict, missing or error"),
	READ_ONLY(CTL_IN_DEVICE, "reason", "", ctl_device_show_reason, 0,
		  "why it is in conflict, missing or in error; an empty line otherwise"),
	READ_ONLY(CTL_IN_DEVICE, "identity", "", ctl_device_show_identity, 0,
		  "how its backing file is known again: handle, inode, weak or none"),
	READ_ONLY(CTL_IN_DEVICE, "stat", "", ctl_device_show_stat, 0,
		  "requests and bytes since the mount, each behind its name"),
	TRIGGER(CTL_IN_DEVICE, "flush", ctl_device_flush, 0,
		"make all writes to it so far durable; returns when they are"),
	JOB(CTL_IN_DEVICE, "drain", ctl_device_drain,
	    "write all of it to its backing file; returns when that is done"),
	{ .kind = CTL_IN_DEVICE,
	  .name = "resolve",
	  .unit = "",
	  .words = ctl_resolutions,
	  .help = "decide about an image in conflict or missing, or write it to a new file; reads "
		  "as what can be written now, or none",
	  .show = ctl_device_show_resolve,
	  .store_text = ctl_device_resolve,
	  .is_long = true },
	LINK(CTL_IN_DEVICE, "device", ctl_device_link_device, "the backing file"),
};

const size_t ctl_table_rows = array_size(ctl_table);
