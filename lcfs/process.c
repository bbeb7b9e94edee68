// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What the serving process asks of the kernel for itself.
 *
 * A process that writes for others must not, when it allocates memory, be made to wait until memory
 * is cleaned by writing through itself: PR_SET_IO_FLUSHER says so. It needs CAP_SYS_RESOURCE.
 * Without it the safety rests on locked memory, no allocation on the way of a write, and direct
 * I/O.
 */
#include "lcfs/process.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "common/messages.h"

#ifndef PR_SET_IO_FLUSHER
#define PR_SET_IO_FLUSHER 57
#endif

/* Without images and open files: threads, rings, device, directories. Twice of what it takes. */
#define FEWEST_FDS 128u

static int io_flusher_errno; /* why it is none */

static void become_io_flusher(void)
{
	/* Threads that start later inherit it. EINVAL: a kernel before 5.6. */
	if (prctl(PR_SET_IO_FLUSHER, 1, 0, 0, 0) < 0)
		io_flusher_errno = errno;
}

void process_warn(void)
{
	if (io_flusher_errno)
		msg_warn(
			"not an I/O flusher (%s): CAP_SYS_RESOURCE is missing, so that lcfs may be "
			"slowed down when memory is short",
			strerror(io_flusher_errno));
}

static void raise_memlock_limit(void)
{
	struct rlimit limit = { RLIM_INFINITY, RLIM_INFINITY };

	if (setrlimit(RLIMIT_MEMLOCK, &limit) == 0 || getrlimit(RLIMIT_MEMLOCK, &limit) < 0)
		return;
	limit.rlim_cur = limit.rlim_max;
	/* If it stays too low, whoever locks memory says so. */
	(void)setrlimit(RLIMIT_MEMLOCK, &limit);
}

int process_raise_fd_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return 0;
	limit.rlim_cur = limit.rlim_max;
	(void)setrlimit(RLIMIT_NOFILE, &limit);
	if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur >= FEWEST_FDS)
		return 0;
	msg_err("only %ju open files are allowed, and %u are needed at least: raise the limit "
		"(ulimit -n; LimitNOFILE= of systemd)",
		(uintmax_t)limit.rlim_cur, FEWEST_FDS);
	return -EMFILE;
}

void process_prepare(void)
{
	/* The modes of new files are those of the requests. */
	umask(0);
	raise_memlock_limit();
	become_io_flusher();
}
