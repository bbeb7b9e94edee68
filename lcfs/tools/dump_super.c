// SPDX-License-Identifier: GPL-2.0-or-later
/* The super block copies. */
#include <string.h>

#include "lcfs/cache/cache.h"
#include "lcfs/io/poolfile.h"
#include "lcfs/io/uuid.h"
#include "lcfs/tools/dump.h"

static void print_area(struct dump *d, const struct superblock *sb, int i)
{
	struct report *r = &d->report;
	const struct superblock_table_area *a = &sb->table[i];

	report_line(r, "table_area");
	report_u64(r, "area", (uint64_t)i);
	report_u64(r, "start", a->start);
	report_u64(r, "bytes", a->bytes);
	report_u64(r, "table_lsn", a->table_lsn);
	report_u64(r, "generation", a->generation);
	report_bool(r, "is_current", sb->table_current == (uint32_t)i);
	report_end(r);
}

static void print_fixed(struct dump *d, const struct superblock *sb)
{
	struct report *r = &d->report;

	report_uuid(r, "cache_uuid", sb->cache_uuid);
	report_uuid(r, "device_uuid", sb->device_uuid);
	report_text(r, "label", sb->label);
	report_hex(r, "feature_compat", sb->feature_compat, 16);
	report_hex(r, "feature_ro_compat", sb->feature_ro_compat, 16);
	report_hex(r, "feature_incompat", sb->feature_incompat, 16);
	report_u64(r, "checksum_algorithm", sb->checksum_algorithm);
	report_u64(r, "device_bytes", sb->device_bytes);
	report_u64(r, "segment_order", sb->segment_order);
	report_u64(r, "segment_bytes", superblock_segment_bytes(sb));
	report_u64(r, "segments_start", sb->segments_start);
	report_u64(r, "nr_segments", sb->nr_segments);
	report_u64(r, "ring_base_id", sb->ring_base_id);
	report_u64(r, "ring_base_slot", sb->ring_base_slot);
	report_u64(r, "format_time", sb->format_time);
	report_array(r, "table_areas");
	print_area(d, sb, 0);
	print_area(d, sb, 1);
	report_end(r);
}

static void print_changing(struct dump *d, const struct superblock *sb)
{
	struct report *r = &d->report;

	report_u64(r, "epoch", sb->epoch);
	report_u64(r, "generation", sb->generation);
	report_bool(r, "is_clean", sb->state & SUPERBLOCK_CLEAN);
	report_uuid(r, "mount_id", sb->mount_id);
	report_uuid(r, "boot_id", sb->boot_id);
	report_uuid(r, "dir_uuid", sb->dir_uuid);
	report_u64(r, "pool_segments", sb->pool_segments);
	report_u64(r, "last_migrated_segment_id", sb->last_migrated_segment_id);
	report_u64(r, "tail_lsn", sb->tail_lsn);
	report_hex(r, "tail_link", sb->tail_link, 16);
	report_hex(r, "tail_branch", sb->tail_branch, 1);
	report_u64(r, "durable_lsn", sb->durable_lsn);
	report_u64(r, "epoch_start_lsn", sb->epoch_start_lsn);
	report_u64(r, "epoch_start_segment", sb->epoch_start_segment);
	report_u64(r, "lease_ns", sb->lease_ns);
	report_u64(r, "write_time_ns", sb->write_time_ns);
}

static void print_copy(struct dump *d, int i)
{
	const struct offline_copies *c = &d->copies;
	struct report *r = &d->report;

	report_object(r, "superblock");
	report_u64(r, "copy", (uint64_t)i);
	report_u64(r, "address", SUPERBLOCK_ADDRESS(i));
	report_bool(r, "is_valid", !c->error[i] && !c->why[i]);
	report_bool(r, "is_newest", i == c->newest);
	if (c->error[i])
		dump_problem(d, "cannot be read: %s", strerror(-c->error[i]));
	else if (c->why[i])
		dump_problem(d, "%s", format_reason_text(c->why[i]));
	else {
		print_fixed(d, &c->sb[i]);
		print_changing(d, &c->sb[i]);
	}
	report_end(r);
}

/* What a dead daemon left in RAM is a part of the log, too. */
static void print_buffers(struct dump *d)
{
	uint8_t boot_id[UUID_BYTES];
	struct poolfile *p = NULL;
	char text[512];

	if (uuid_boot(boot_id) < 0 ||
	    poolfile_peek(&p, NULL, d->sb->cache_uuid, text, sizeof(text)) < 0)
		return;
	if (cache_pool_is_valid(poolfile_memory(p), poolfile_bytes(p), d->sb, boot_id))
		report_text(&d->report, "ram_buffers", poolfile_path(p));
	poolfile_close(p);
}

void dump_superblocks(struct dump *d)
{
	report_array(&d->report, "superblocks");
	for (int i = 0; i < SUPERBLOCK_COPIES; i++)
		print_copy(d, i);
	report_end(&d->report);
	if (d->sb)
		print_buffers(d);
}
