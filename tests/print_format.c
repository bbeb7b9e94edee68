// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Prints offset and size of each field on the device, and the numbers of the format, as the
 * compiler has them: scripts/check-format-doc holds lcfs-format(5) against it.
 */
#include <inttypes.h>
#include <stdio.h>

#include "lcfs/ondisk/segment_format.h"
#include "lcfs/ondisk/superblock_format.h"
#include "lcfs/ondisk/table_format.h"

#define FIELD_AS(s, member, name)                                       \
	printf("%s %s %zu %zu\n", #s, name, offsetof(struct s, member), \
	       sizeof(((struct s *)0)->member))
#define FIELD(s, member) FIELD_AS(s, member, #member)
#define END(s) printf("%s end %zu\n", #s, sizeof(struct s))
#define NUMBER(name) printf("%s %" PRIu64 "\n", #name, (uint64_t)(name))
#define FLAG(name) printf("%s 0x%02x\n", #name, (unsigned int)(name))

static void print_magic(const char *structure, const char *magic)
{
	printf("%s magic", structure);
	for (int i = 0; i < 8; i++)
		printf(" %02x", (unsigned char)magic[i]);
	printf("\n");
}

static void print_superblock(void)
{
	print_magic("superblock_disk", SUPERBLOCK_MAGIC);
	FIELD(superblock_disk, magic);
	FIELD(superblock_disk, checksum);
	FIELD(superblock_disk, version);
	FIELD(superblock_disk, header_bytes);
	FIELD(superblock_disk, feature_compat);
	FIELD(superblock_disk, feature_ro_compat);
	FIELD(superblock_disk, feature_incompat);
	FIELD(superblock_disk, cache_uuid);
	FIELD(superblock_disk, device_uuid);
	FIELD(superblock_disk, device_index);
	FIELD(superblock_disk, device_count);
	FIELD(superblock_disk, label);
	FIELD(superblock_disk, checksum_algorithm);
	FIELD(superblock_disk, segment_order);
	FIELD(superblock_disk, block_bytes);
	FIELD(superblock_disk, pool_segments);
	FIELD(superblock_disk, key);
	FIELD(superblock_disk, device_bytes);
	FIELD(superblock_disk, segments_start);
	FIELD(superblock_disk, nr_segments);
	FIELD(superblock_disk, ring_base_id);
	FIELD(superblock_disk, ring_base_slot);
	FIELD(superblock_disk, table[0]);
	FIELD(superblock_disk, table[1]);
	FIELD(superblock_disk, format_time);
	FIELD(superblock_disk, epoch);
	FIELD(superblock_disk, generation);
	FIELD(superblock_disk, mount_id);
	FIELD(superblock_disk, boot_id);
	FIELD(superblock_disk, last_migrated_segment_id);
	FIELD(superblock_disk, tail_lsn);
	FIELD(superblock_disk, tail_link);
	FIELD(superblock_disk, tail_branch);
	FIELD(superblock_disk, durable_lsn);
	FIELD(superblock_disk, epoch_start_lsn);
	FIELD(superblock_disk, epoch_start_segment);
	FIELD(superblock_disk, table_current);
	FIELD(superblock_disk, state);
	FIELD(superblock_disk, lease_ns);
	FIELD(superblock_disk, write_time_ns);
	FIELD(superblock_disk, dir_uuid);
	FIELD(superblock_disk, reserved);
	END(superblock_disk);

	FIELD(superblock_table_area_disk, start);
	FIELD(superblock_table_area_disk, bytes);
	FIELD(superblock_table_area_disk, table_lsn);
	FIELD(superblock_table_area_disk, generation);
	END(superblock_table_area_disk);
}

static void print_record(void)
{
	print_magic("record_disk", RECORD_MAGIC);
	FIELD(record_disk, magic);
	FIELD(record_disk, checksum);
	FIELD(record_disk, cache_uuid);
	FIELD(record_disk, version);
	FIELD(record_disk, type);
	FIELD(record_disk, flags);
	FIELD(record_disk, branch);
	FIELD(record_disk, branch_lsn);
	FIELD(record_disk, lsn);
	FIELD(record_disk, link);
	FIELD(record_disk, segment_id);
	FIELD(record_disk, address);
	FIELD(record_disk, durable_lsn);
	FIELD(record_disk, origin_lsn);
	FIELD(record_disk, time_ns);
	FIELD(record_disk, nr_entries);
	FIELD(record_disk, nr_blocks);
	FIELD(record_disk, reserved0);
	FIELD_AS(record_disk, key, "key[255]");
	FIELD_AS(record_disk, sum, "sum[255]");
	FIELD_AS(record_disk, dirty, "dirty[255]");
	FIELD_AS(record_disk, entry_flags, "entry_flags[255]");
	FIELD(record_disk, reserved1);
	END(record_disk);

	FLAG(ENTRY_OP);
	FLAG(ENTRY_ZERO);
	FLAG(ENTRY_RELOCATED);
	FLAG(ENTRY_POISON);
	FLAG(ENTRY_EXTENDS);
	static_assert(ENTRY_FLAGS_KNOWN == (ENTRY_OP | ENTRY_ZERO | ENTRY_RELOCATED | ENTRY_POISON |
					    ENTRY_EXTENDS),
		      "all flags are printed");
}

static void print_op_parts(void)
{
	FIELD(op_disk, type);
	FIELD(op_disk, bytes);
	FIELD(op_disk, image);
	FIELD(op_disk, arg0);
	FIELD(op_disk, arg1);
	FIELD(op_disk, path_bytes);
	FIELD(op_disk, path2_bytes);
	FIELD(op_disk, has_stamp);
	FIELD(op_disk, has_identity);
	FIELD(op_disk, reserved);
	END(op_disk);

	FIELD(op_stamp_disk, size);
	FIELD(op_stamp_disk, mtime_ns);
	FIELD(op_stamp_disk, ctime_ns);
	END(op_stamp_disk);

	FIELD(op_identity_disk, ino);
	FIELD(op_identity_disk, btime_ns);
	FIELD(op_identity_disk, fsid);
	FIELD(op_identity_disk, handle_type);
	FIELD(op_identity_disk, handle_bytes);
	FIELD(op_identity_disk, strength);
	FIELD(op_identity_disk, reserved);
	FIELD(op_identity_disk, handle);
	END(op_identity_disk);
	NUMBER(IDENTITY_WEAK);
	NUMBER(IDENTITY_INODE);
	NUMBER(IDENTITY_HANDLE);
}

static void print_op_types(void)
{
	NUMBER(OP_BIND);
	NUMBER(OP_SIZE);
	NUMBER(OP_TRUNCATE);
	NUMBER(OP_PUNCH);
	NUMBER(OP_RENAME);
	NUMBER(OP_EXCHANGE);
	NUMBER(OP_UNBIND);
	NUMBER(OP_CLEAN);
	NUMBER(OP_TOUCH);
	NUMBER(OP_INTENT);
	NUMBER(OP_DONE);
	NUMBER(OP_STATE);
	NUMBER(OP_ATTACH);
	NUMBER(OP_INVALIDATE);
	NUMBER(OP_DROP);
	NUMBER(OP_CHECKPOINT);
	NUMBER(OP_NAMED);
	static_assert(OP_TYPE_LAST == OP_NAMED, "all types are printed");
}

static void print_table(void)
{
	print_magic("table_disk", TABLE_MAGIC);
	FIELD(table_disk, magic);
	FIELD(table_disk, checksum);
	FIELD(table_disk, cache_uuid);
	FIELD(table_disk, version);
	FIELD(table_disk, nr_entries);
	FIELD(table_disk, epoch);
	FIELD(table_disk, generation);
	FIELD(table_disk, table_lsn);
	FIELD(table_disk, payload_bytes);
	FIELD(table_disk, payload_checksum);
	FIELD(table_disk, next_image_id);
	FIELD(table_disk, reserved);
	END(table_disk);
}

static void print_table_entry(void)
{
	FIELD(table_entry_disk, bytes);
	FIELD(table_entry_disk, image);
	FIELD(table_entry_disk, bind_lsn);
	FIELD(table_entry_disk, clean_lsn);
	FIELD(table_entry_disk, applied_lsn);
	FIELD(table_entry_disk, size);
	FIELD(table_entry_disk, backing_valid);
	FIELD(table_entry_disk, mtime_ns);
	FIELD(table_entry_disk, quota_blocks);
	FIELD(table_entry_disk, state);
	FIELD(table_entry_disk, mode);
	FIELD(table_entry_disk, flags);
	FIELD(table_entry_disk, reserved0);
	FIELD(table_entry_disk, error);
	FIELD(table_entry_disk, stamp);
	FIELD(table_entry_disk, identity);
	FIELD(table_entry_disk, path_bytes);
	FIELD(table_entry_disk, nr_punches);
	FIELD(table_entry_disk, reserved1);
	END(table_entry_disk);
	FIELD(table_punch_disk, offset);
	FIELD(table_punch_disk, bytes);
	END(table_punch_disk);

	NUMBER(TABLE_STATE_OK);
	NUMBER(TABLE_STATE_CONFLICT);
	NUMBER(TABLE_STATE_MISSING);
	NUMBER(TABLE_STATE_ERROR);
	NUMBER(TABLE_MODE_WRITEBACK);
	NUMBER(TABLE_MODE_WRITETHROUGH);
	NUMBER(TABLE_MODE_WRITEAROUND);
	FLAG(TABLE_TOUCHING);
	FLAG(TABLE_INTENT);
	FLAG(TABLE_UNBOUND);
	FLAG(TABLE_LEFT);
	FLAG(TABLE_NEW);
	static_assert(TABLE_FLAGS_KNOWN == (TABLE_TOUCHING | TABLE_INTENT | TABLE_UNBOUND |
					    TABLE_LEFT | TABLE_NEW),
		      "all flags are printed");
}

static void print_limits(void)
{
	NUMBER(SEGMENT_ORDER_MIN);
	NUMBER(SEGMENT_ORDER_MAX);
	NUMBER(SEGMENT_ORDER_DEFAULT);
	NUMBER(NR_SEGMENTS_MIN);
	NUMBER(CACHE_BLOCKS_MAX);
	NUMBER(RECORD_ENTRIES_MAX);
	NUMBER(IMAGE_ID_MAX);
	NUMBER(IMAGE_BLOCK_MAX);
	NUMBER(IMAGE_BYTES_MAX);
	NUMBER(TABLE_AREA_BYTES_MIN);
	NUMBER(TABLE_AREA_BYTES_MAX);
	NUMBER(TABLE_PUNCHES_MAX);
	NUMBER(OP_PATH_MAX);
	NUMBER(OP_HANDLE_MAX);
	NUMBER(OP_ERRNO_MAX);
}

int main(void)
{
	print_superblock();
	print_record();
	print_op_parts();
	print_op_types();
	print_table();
	print_table_entry();
	print_limits();
	return 0;
}
