// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * How busy a block device is: io_ticks, the 10th number of its stat file, counts the milliseconds
 * in which it had something to do. What has no device is measured in the same way from outside:
 * the time in which at least one request was out.
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
#include "common/cleanup.h"
#include "common/clock.h"
#include "common/compiler.h"

#define IO_TICKS_FIELD 10

#define FLIGHT_RANK 903 /* nothing is locked while it is held */

/* ------------------------------------------------------------------ requests that are out */

void flight_init(struct flight *f)
{
	*f = (struct flight){ 0 };
	mutex_init(&f->lock, FLIGHT_RANK, "requests in flight");
}

void flight_destroy(struct flight *f)
{
	mutex_destroy(&f->lock);
}

static void advance_locked(struct flight *f, uint64_t now_ns)
{
	mutex_assert_held(&f->lock);
	if (now_ns <= f->seen_ns)
		return;
	if (f->nr)
		f->busy_ns += now_ns - f->seen_ns;
	f->seen_ns = now_ns;
}

void flight_begin(struct flight *f, uint64_t now_ns)
{
	LOCK_SCOPE(&f->lock);

	advance_locked(f, now_ns);
	f->nr++;
}

void flight_end(struct flight *f, uint64_t now_ns)
{
	LOCK_SCOPE(&f->lock);

	advance_locked(f, now_ns);
	f->nr--;
}

uint64_t flight_busy(struct flight *f, uint64_t now_ns)
{
	LOCK_SCOPE(&f->lock);

	advance_locked(f, now_ns);
	return f->busy_ns;
}

/* ------------------------------------------------------------------ samples */

/* The stat file of its device, or -1. */
static int open_stat(int fd)
{
	struct stat st;
	char path[64];

	if (fstat(fd, &st) < 0 || major(st.st_dev) == 0)
		return -1;
	snprintf(path, sizeof(path), "/sys/dev/block/%u:%u/stat", major(st.st_dev),
		 minor(st.st_dev));
	return open(path, O_RDONLY | O_CLOEXEC);
}

void busy_open(struct busy *b, int fd, struct flight *flight)
{
	*b = (struct busy){ .fd = open_stat(fd), .flight = flight };
}

bool busy_has_device(int fd)
{
	CLEANUP_FD int stat_fd = open_stat(fd);

	return stat_fd >= 0;
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
	ssize_t n = pread(b->fd, text, sizeof(text) - 1, 0);

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

/* False: nobody knows. */
static bool read_busy(const struct busy *b, uint64_t now_ns, uint64_t *ms)
{
	if (b->fd >= 0)
		return read_ticks(b, ms);
	if (b->flight)
		*ms = flight_busy(b->flight, now_ns) / NSEC_PER_MSEC;
	return b->flight != NULL;
}

int busy_sample(struct busy *b, uint64_t now_ns)
{
	struct busy last = *b;
	uint64_t passed;

	b->has_last = read_busy(b, now_ns, &b->last_ms);
	b->last_ns = now_ns;
	passed = (now_ns - last.last_ns) / NSEC_PER_MSEC;
	/* The kernel's counter is 32 bits wide: a difference of that width survives its wrap. */
	if (!last.has_last || !b->has_last || passed == 0)
		return -1;
	return (int)min((uint64_t)(uint32_t)(b->last_ms - last.last_ms) * 100 / passed,
			(uint64_t)100);
}
