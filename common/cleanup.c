// SPDX-License-Identifier: GPL-2.0-or-later
/* Release at the end of the scope. */
#include "common/cleanup.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void cleanup_free(void *ptr)
{
	int saved = errno;
	void *mem;

	/* ptr points to a pointer of a type that is not known here. */
	memcpy(&mem, ptr, sizeof(mem));
	free(mem);
	errno = saved;
}

void cleanup_fd(const int *fd)
{
	int saved = errno;

	if (*fd >= 0)
		close(*fd);
	errno = saved;
}
