// SPDX-License-Identifier: GPL-2.0-or-later
/* Ranges of a backing file that become zero. */
#include "lcfs/image/zeros.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/align.h"

#define ZERO_BYTES (256u << 10)

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

int zeros_punch(int fd, uint64_t off, uint64_t len)
{
	struct stat st;
	uint64_t end = off + len;

	if (fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)off, (off_t)len) == 0)
		return 0;
	if (errno != EOPNOTSUPP && errno != ENOSYS)
		return -errno;
	if (fallocate(fd, FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE, (off_t)off, (off_t)len) == 0)
		return 0;
	if (fstat(fd, &st) < 0)
		return -errno;
	return write_zeros(fd, off, min(end, (uint64_t)st.st_size));
}
