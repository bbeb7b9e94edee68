// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * How busy a block device is: io_ticks, the 10th number of its stat file, counts the milliseconds
 * in which it had something to do.
 */
#include "lcfs/io/busy.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "common/align.h"
#include "common/clock.h"
#include "common/compiler.h"

#define IO_TICKS_FIELD 10

void busy_open(struct busy *b, int fd)
{
	struct stat st;
	char path[64];

	*b = (struct busy){ .fd = -1 };
	if (fstat(fd, &st) < 0 || major(st.st_dev) == 0)
		return;
	snprintf(path, sizeof(path), "/sys/dev/block/%u:%u/stat", major(st.st_dev),
		 minor(st.st_dev));
	b->fd = open(path, O_RDONLY | O_CLOEXEC);
}

void busy_close(struct busy *b)
{
	if (b->fd >= 0)
		close(b->fd);
	b->fd = -1;
}

static bool read_ticks(const struct busy *b, uint64_t *ms)
{
	char text[512];
	char *at = text, *end;
	ssize_t n = b->fd < 0 ? -1 : pread(b->fd, text, sizeof(text) - 1, 0);

	if (n <= 0)
		return false;
	text[n] = '\0';
	for (int i = 0; i < IO_TICKS_FIELD; i++) {
		*ms = strtoull(at, &end, 10);
		if (end == at)
			return false;
		at = end;
	}
	return true;
}

int busy_sample(struct busy *b, uint64_t now_ns)
{
	struct busy last = *b;
	uint64_t passed;

	b->has_last = read_ticks(b, &b->last_ms);
	b->last_ns = now_ns;
	passed = (now_ns - last.last_ns) / NSEC_PER_MSEC;
	/* The kernel's counter is 32 bits wide: a difference of that width survives its wrap. */
	if (!last.has_last || !b->has_last || passed == 0)
		return -1;
	return (int)min((uint64_t)(uint32_t)(b->last_ms - last.last_ms) * 100 / passed,
			(uint64_t)100);
}
