// SPDX-License-Identifier: GPL-2.0-or-later
/* Identities of 16 bytes. */
#include "lcfs/io/uuid.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "common/cleanup.h"

int random_fill(void *buf, size_t bytes)
{
	char *at = buf;

	while (bytes) {
		ssize_t n = getrandom(at, bytes, 0);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		at += n;
		bytes -= (size_t)n;
	}
	return 0;
}

int uuid_random(uint8_t uuid[UUID_BYTES])
{
	int err = random_fill(uuid, UUID_BYTES);

	if (err)
		return err;
	uuid[6] = (uint8_t)((uuid[6] & 0x0f) | 0x40);
	uuid[8] = (uint8_t)((uuid[8] & 0x3f) | 0x80);
	return 0;
}

int uuid_boot(uint8_t uuid[UUID_BYTES])
{
	char text[UUID_TEXT_BYTES + 1] = "";
	CLEANUP_FD int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return -errno;
	n = read(fd, text, UUID_TEXT_BYTES);
	if (n < 0)
		return -errno;
	text[strcspn(text, "\n")] = '\0';
	return uuid_parse(text, uuid);
}

static bool has_dash_before(int byte)
{
	return byte == 4 || byte == 6 || byte == 8 || byte == 10;
}

static void format(const uint8_t *uuid, char *text, bool has_dashes)
{
	static const char digits[] = "0123456789abcdef";

	for (int i = 0; i < UUID_BYTES; i++) {
		if (has_dashes && has_dash_before(i))
			*text++ = '-';
		*text++ = digits[uuid[i] >> 4];
		*text++ = digits[uuid[i] & 0xf];
	}
	*text = '\0';
}

void uuid_text(const uint8_t uuid[UUID_BYTES], char text[UUID_TEXT_BYTES])
{
	format(uuid, text, true);
}

void uuid_hex(const uint8_t uuid[UUID_BYTES], char text[UUID_HEX_BYTES])
{
	format(uuid, text, false);
}

static int digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

int uuid_parse(const char *text, uint8_t uuid[UUID_BYTES])
{
	bool has_dashes = strlen(text) == UUID_TEXT_BYTES - 1;
	uint8_t out[UUID_BYTES];

	if (!has_dashes && strlen(text) != UUID_HEX_BYTES - 1)
		return -EINVAL;
	for (int i = 0; i < UUID_BYTES; i++) {
		int high, low;

		if (has_dashes && has_dash_before(i) && *text++ != '-')
			return -EINVAL;
		high = digit(*text++);
		low = digit(*text++);
		if (high < 0 || low < 0)
			return -EINVAL;
		out[i] = (uint8_t)(high << 4 | low);
	}
	memcpy(uuid, out, sizeof(out));
	return 0;
}
