// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What does the device hold already? Three looks, the most telling first: for a cache of ours, for
 * a signature that libblkid knows, and for anything that is not zero in the first and last MiB.
 */
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifdef HAVE_BLKID
#include <blkid/blkid.h>
#endif

#include "common/align.h"
#include "common/cleanup.h"
#include "common/messages.h"
#include "lcfs/cache/cache.h"
#include "lcfs/io/poolfile.h"
#include "lcfs/io/uuid.h"
#include "lcfs/tools/mkfs.h"

#define LOOK_BYTES (UINT64_C(1) << 20)
#define ADVICE "to overwrite it, use --force"

/* ------------------------------------------------------------------ a cache of ours */

/*
 * Both copies: the newest valid one goes to *sb and 1 is returned; 0 if there is none; *refused is
 * why a copy of ours cannot be understood, or FORMAT_OK.
 */
static must_check int read_copies(const struct mkfs_target *t, struct superblock *sb,
				  enum format_reason *refused)
{
	uint8_t block[BLOCK_BYTES];
	struct superblock copy;
	int found = 0;

	*refused = FORMAT_OK;
	for (int i = 0; i < SUPERBLOCK_COPIES; i++) {
		uint64_t address = SUPERBLOCK_ADDRESS(i);
		enum format_reason why;
		int err;

		if (address + BLOCK_BYTES > t->bytes)
			break;
		err = mkfs_read(t, block, BLOCK_BYTES, address);
		if (err)
			return err;
		why = superblock_decode(&copy, block, address);
		if (format_is_refusal(why))
			*refused = why;
		if (why || (found && superblock_compare(&copy, sb) < 0))
			continue;
		*sb = copy;
		found = 1;
	}
	return found;
}

int mkfs_read_superblock(const struct mkfs_target *t, struct superblock *sb)
{
	enum format_reason refused;

	return read_copies(t, sb, &refused);
}

static void describe_cache(const struct superblock *sb, char *text, size_t size)
{
	char uuid[UUID_TEXT_BYTES];

	uuid_text(sb->cache_uuid, uuid);
	snprintf(text, size, "an lcfs cache (UUID %s%s%s%s)", uuid,
		 sb->label[0] ? ", label \"" : "", sb->label, sb->label[0] ? "\"" : "");
}

/*
 * What a killed daemon left of it in RAM. The path goes to path, or "" if there is nothing.
 */
static void find_buffers(const struct superblock *sb, char *path, size_t size)
{
	uint8_t boot_id[UUID_BYTES];
	struct poolfile *p = NULL;
	char text[512];

	path[0] = '\0';
	if (uuid_boot(boot_id) < 0 ||
	    poolfile_peek(&p, NULL, sb->cache_uuid, text, sizeof(text)) < 0)
		return;
	if (cache_pool_is_valid(poolfile_memory(p), poolfile_bytes(p), sb, boot_id))
		snprintf(path, size, "%s", poolfile_path(p));
	poolfile_close(p);
}

static must_check int say_dirty(const struct mkfs_target *t, const struct superblock *sb)
{
	char cache[256], buffers[512];

	describe_cache(sb, cache, sizeof(cache));
	find_buffers(sb, buffers, sizeof(buffers));
	if (buffers[0])
		msg_err("%s: holds %s whose daemon died, and %s has what it had in RAM: mount and "
			"drain it, or " ADVICE,
			t->path, cache, buffers);
	else if (!(sb->state & SUPERBLOCK_CLEAN))
		msg_err("%s: holds %s that was not unmounted in order and may hold data that is "
			"nowhere else: mount and drain it, or " ADVICE,
			t->path, cache);
	else
		msg_err("%s: holds %s with dirty segments from number %" PRIu64 " on: mount and "
			"drain it, or " ADVICE,
			t->path, cache, sb->last_migrated_segment_id + 1);
	return -EEXIST;
}

/* 1: a cache of ours without dirty data, 0: none of ours, -EEXIST: one that must not be lost. */
static must_check int probe_cache(const struct mkfs_target *t)
{
	enum format_reason refused;
	struct superblock sb;
	int ret = read_copies(t, &sb, &refused);

	if (ret < 0)
		return ret;
	if (refused) {
		msg_err("%s: holds an lcfs cache that this version does not know (%s): " ADVICE,
			t->path, format_reason_text(refused));
		return -EEXIST;
	}
	if (!ret)
		return 0;
	if (!(sb.state & SUPERBLOCK_CLEAN))
		return say_dirty(t, &sb);
	if (sb.tail_lsn <= sb.durable_lsn && mkfs_is_dirty(t, &sb) != 0)
		return say_dirty(t, &sb);
	return 1;
}

/* ------------------------------------------------------------------ somebody else's */

#ifdef HAVE_BLKID

static const char *probe_value(blkid_probe probe, const char *name)
{
	const char *value;

	return blkid_probe_lookup_value(probe, name, &value, NULL) == 0 ? value : NULL;
}

static void say_signature(const struct mkfs_target *t, blkid_probe probe)
{
	const char *type = probe_value(probe, "TYPE");
	const char *table = probe_value(probe, "PTTYPE");
	const char *label = probe_value(probe, "LABEL");
	const char *uuid = probe_value(probe, type ? "UUID" : "PTUUID");

	msg_err("%s: holds %s%s%s%s%s%s%s: " ADVICE, t->path,
		type ? type : (table ? table : "an unknown"), type ? "" : " partition table",
		label ? ", label \"" : "", label ? label : "", label ? "\"" : "",
		uuid ? ", UUID " : "", uuid ? uuid : "");
}

static must_check int probe_signature(const struct mkfs_target *t)
{
	blkid_probe probe = blkid_new_probe();
	int ret;

	if (!probe || blkid_probe_set_device(probe, t->fd, 0, 0) < 0) {
		msg_err("%s: libblkid cannot look at it", t->path);
		blkid_free_probe(probe);
		return -EIO;
	}
	blkid_probe_enable_superblocks(probe, 1);
	blkid_probe_set_superblocks_flags(probe, BLKID_SUBLKS_TYPE | BLKID_SUBLKS_LABEL |
							 BLKID_SUBLKS_UUID | BLKID_SUBLKS_MAGIC);
	blkid_probe_enable_partitions(probe, 1);
	ret = blkid_do_safeprobe(probe);
	if (ret == 0)
		say_signature(t, probe);
	else if (ret == -2)
		msg_err("%s: holds several signatures (see wipefs(8)): " ADVICE, t->path);
	else if (ret < 0)
		msg_err("%s: libblkid cannot look at it", t->path);
	blkid_free_probe(probe);
	if (ret == 1)
		return 0;
	return ret == -1 ? -EIO : -EEXIST;
}

#else

static must_check int probe_signature(const struct mkfs_target *t)
{
	(void)t;
	return 0;
}

#endif

/* ------------------------------------------------------------------ anything at all */

static must_check int probe_zeros(const struct mkfs_target *t, uint64_t off, uint64_t len)
{
	CLEANUP_FREE char *buf = malloc(len + 1);
	int err;

	if (!buf) {
		msg_err("out of memory");
		return -ENOMEM;
	}
	err = mkfs_read(t, buf, len, off);
	for (uint64_t i = 0; !err && i < len; i++) {
		if (buf[i]) {
			msg_err("%s: is not empty: there is data at byte %" PRIu64 ": " ADVICE,
				t->path, off + i);
			err = -EEXIST;
		}
	}
	return err;
}

void mkfs_drop_buffers(const struct superblock *sb)
{
	struct poolfile *p;
	char text[512];

	if (poolfile_open(&p, NULL, sb->cache_uuid, text, sizeof(text)) == 0 &&
	    poolfile_remove(p) < 0)
		msg_warn("the RAM buffers of the former cache could not be removed");
}

int mkfs_probe(const struct mkfs_target *t, const struct mkfs_options *o)
{
	uint64_t len = min_t(uint64_t, t->bytes, LOOK_BYTES);
	int ret;

	if (o->force || t->is_created)
		return 0;
	ret = probe_cache(t);
	if (ret)
		return min(ret, 0);
	ret = probe_signature(t);
	if (!ret)
		ret = probe_zeros(t, 0, len);
	if (!ret)
		ret = probe_zeros(t, t->bytes - len, len);
	return ret;
}
