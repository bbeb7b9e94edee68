// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * lcfs-id DEVICE: prints what udev(7) wants to know of a cache, in the words of its built-in blkid,
 * which does not know lcfs. Called by a rule for each block device that nobody else knows: silent
 * and quick, whatever is on the device. Status 0: a cache, 1: something else, 2: not readable.
 */
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "lcfs/io/uuid.h"
#include "lcfs/ondisk/codec.h"

enum {
	ID_FOUND,
	ID_NOT_FOUND,
	ID_NOT_READABLE,
	ID_WRONG_USAGE,
};

/* UUID and label never change, so that any valid copy will do. */
static int find_superblock(const char *path, struct superblock *sb)
{
	CLEANUP_FD int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	uint8_t block[BLOCK_BYTES];

	if (fd < 0)
		return ID_NOT_READABLE;
	for (int i = 0; i < SUPERBLOCK_COPIES; i++) {
		uint64_t address = SUPERBLOCK_ADDRESS(i);

		if (pread(fd, block, sizeof(block), (off_t)address) == (ssize_t)sizeof(block) &&
		    superblock_decode(sb, block, address) == FORMAT_OK)
			return ID_FOUND;
	}
	return ID_NOT_FOUND;
}

/* May stand in the name of a link below /dev/disk as it is. */
static bool is_plain(unsigned char c)
{
	return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
	       (c && strchr("#+-.:=@_", c));
}

/* UTF-8 goes as it is, control characters never. */
static void print_safe(const char *name, const char *value)
{
	printf("%s=", name);
	for (; *value; value++)
		putchar((unsigned char)*value < 0x20 || *value == 0x7f || *value == ' ' ? '_' :
											  *value);
	putchar('\n');
}

static void print_encoded(const char *name, const char *value)
{
	printf("%s=", name);
	for (; *value; value++) {
		unsigned char c = (unsigned char)*value;

		if (is_plain(c) || c >= 0x80)
			putchar(c);
		else
			printf("\\x%02x", c);
	}
	putchar('\n');
}

int main(int argc, char **argv)
{
	char uuid[UUID_TEXT_BYTES];
	struct superblock sb;
	int status;

	if (argc != 2 || argv[1][0] == '-') {
		fprintf(stderr, "Usage: lcfs-id DEVICE\n"
				"Print what udev wants to know of an lcfs cache.\n");
		return ID_WRONG_USAGE;
	}
	status = find_superblock(argv[1], &sb);
	if (status != ID_FOUND)
		return status;
	uuid_text(sb.cache_uuid, uuid);
	printf("ID_FS_TYPE=lcfs\nID_FS_USAGE=other\n");
	print_safe("ID_FS_UUID", uuid);
	print_encoded("ID_FS_UUID_ENC", uuid);
	if (sb.label[0]) {
		print_safe("ID_FS_LABEL", sb.label);
		print_encoded("ID_FS_LABEL_ENC", sb.label);
	}
	return ID_FOUND;
}
