// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Writes the golden images of the current format version into the directory that is named. The
 * images of a version that was released never change: tests/golden/v1/ was made with this once.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/ondisk_samples.h"

static void save(const char *dir, const char *name, const void *bytes, size_t n)
{
	char path[4096];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	f = fopen(path, "wb");
	if (!f || fwrite(bytes, 1, n, f) != n || fclose(f)) {
		perror(path);
		exit(EXIT_FAILURE);
	}
}

int main(int argc, char **argv)
{
	static struct sample_record record;
	static struct sample_table table;
	static uint64_t block[BLOCK_BYTES / sizeof(uint64_t)];
	struct table_header header;
	struct superblock sb;

	if (argc != 2) {
		fprintf(stderr, "usage: make_golden DIRECTORY\n");
		return EXIT_FAILURE;
	}
	sample_superblock(&sb);
	superblock_encode(&sb, block, SUPERBLOCK_ADDRESS(0));
	save(argv[1], "superblock-0.bin", block, sizeof(block));
	superblock_encode(&sb, block, SUPERBLOCK_ADDRESS(1));
	save(argv[1], "superblock-1.bin", block, sizeof(block));
	sample_record(&record, superblock_segment_address(&sb, SAMPLE_RECORD_SEGMENT));
	save(argv[1], "record.bin", &record, sizeof(record));
	sample_table(&table, &header);
	save(argv[1], "table.bin", &table, sizeof(table));
	return EXIT_SUCCESS;
}
