/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One valid structure of each kind, with a different value in each field, for the tests of the
 * format. Everything is fixed: the golden images are made from it.
 */
#ifndef TESTS_ONDISK_SAMPLES_H
#define TESTS_ONDISK_SAMPLES_H

#include "lcfs/ondisk/codec.h"

#define SAMPLE_KEY UINT64_C(0x243f6a8885a308d3)
#define SAMPLE_DEVICE_BYTES (UINT64_C(64) << 20)

/* 16 different bytes from first on */
void sample_uuid(uint8_t *uuid, uint8_t first);
void sample_superblock(struct superblock *sb);

/* A record with six entries and five data blocks, at 4 KiB block `address` of segment 3. */
#define SAMPLE_RECORD_LSN 77
#define SAMPLE_RECORD_SEGMENT 3
#define SAMPLE_RECORD_ENTRIES 6
#define SAMPLE_RECORD_BLOCKS 5
struct sample_record {
	struct record_disk header;
	uint8_t data[SAMPLE_RECORD_BLOCKS][BLOCK_BYTES];
} __attribute__((aligned(4096)));
void sample_record(struct sample_record *r, uint64_t address);

/* Operation i: one of each type, in the order of the types. The first SAMPLE_OPS are in the golden
 * images. */
#define SAMPLE_OPS OP_CHECKPOINT
void sample_op(struct op *op, uint32_t i);
/* Fills the block with as many of them as fit, from the first on; returns their number. */
uint32_t sample_op_block(void *block);

void sample_table_entry(struct table_entry *e, uint32_t i);
#define SAMPLE_TABLE_ENTRIES 3
#define SAMPLE_TABLE_ADDRESS SUPERBLOCK_AREA_BYTES
struct sample_table {
	uint8_t header[BLOCK_BYTES];
	uint8_t payload[BLOCK_BYTES];
} __attribute__((aligned(4096)));
void sample_table(struct sample_table *t, struct table_header *h);

#endif
