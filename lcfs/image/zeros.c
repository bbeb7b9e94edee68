// SPDX-License-Identifier: GPL-2.0-or-later
/* Ranges of a backing file that become zero. */
#include "lcfs/image/zeros.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/align.h"
#include "lcfs/image/identity.h"

#define ZERO_BYTES (256u << 10)
#define PROBE_BYTES 4096u

static int write_zeros(int fd, uint64_t off, uint64_t end)
{
	void *zeros = calloc(1, ZERO_BYTES);
	int r = zeros ? 0 : -ENOMEM;

	while (r == 0 && off < end) {
		ssize_t n = pwrite(fd, zeros, min(end - off, (uint64_t)ZERO_BYTES), (off_t)off);

		if (n < 0 && errno != EINTR)
			r = -errno;
		off += n > 0 ? (uint64_t)n : 0;
	}
	free(zeros);
	return r;
}

/* 1: zeros, or beyond the end of the file; 0: not; or -errno. */
static int reads_zeros(int fd, uint64_t off)
{
	char probe[PROBE_BYTES];
	ssize_t n = pread(fd, probe, sizeof(probe), (off_t)off);

	if (n < 0)
		return -errno;
	for (ssize_t i = 0; i < n; i++)
		if (probe[i])
			return 0;
	return 1;
}

/*
 * Has a punch that was answered with success left zeros? Local filesystems are taken at their word.
 * Some that show a block device as a file by FUSE (nbdfuse) pass it on as a hint that the data is
 * not wanted any more, which the device may ignore. 1: zeros, 0: not, or too short to look, or
 * -errno.
 */
static int is_punched(int fd, uint64_t off, uint64_t len)
{
	const uint64_t look[] = { off, off + len / 2, off + len - PROBE_BYTES };
	int r = identity_on_fuse(fd);

	if (r <= 0)
		return r < 0 ? r : 1;
	if (len < 2 * PROBE_BYTES)
		return 0;
	for (size_t i = 0; r == 1 && i < array_size(look); i++)
		r = reads_zeros(fd, look[i]);
	return r;
}

/* 1: done, 0: it cannot, or -errno. */
static int punch(int fd, uint64_t off, uint64_t len)
{
	if (fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)off, (off_t)len) == 0)
		return is_punched(fd, off, len);
	return errno == EOPNOTSUPP || errno == ENOSYS ? 0 : -errno;
}

int zeros_punch(int fd, uint64_t off, uint64_t len)
{
	struct stat st;
	uint64_t end = off + len;
	int r = punch(fd, off, len);

	if (r != 0)
		return min(r, 0);
	if (fallocate(fd, FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE, (off_t)off, (off_t)len) == 0)
		return 0;
	if (fstat(fd, &st) < 0)
		return -errno;
	return write_zeros(fd, off, min(end, (uint64_t)st.st_size));
}
