// SPDX-License-Identifier: GPL-2.0-or-later
/* Writes a trace. */
#include "tests/stand/tracewriter.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/uio.h>
#include <unistd.h>

#include "common/clock.h"

static int write_all(int fd, const struct iovec *iov, int n)
{
	size_t bytes = 0;

	for (int i = 0; i < n; i++)
		bytes += iov[i].iov_len;
	for (;;) {
		ssize_t done = writev(fd, iov, n);

		if (done == (ssize_t)bytes)
			return 0;
		if (done >= 0)
			return -ENOSPC;
		if (errno != EINTR)
			return -errno;
	}
}

int tracewriter_open(struct tracewriter *t, const char *path, const struct trace_head *head)
{
	const struct iovec iov = { (void *)(uintptr_t)head, sizeof(*head) };

	t->fd = -1;
	t->error = 0;
	atomic_init(&t->clock, 1);
	pthread_mutex_init(&t->lock, NULL);
	if (!path)
		return 0;
	t->fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0600);
	return t->fd < 0 ? -errno : write_all(t->fd, &iov, 1);
}

uint64_t tracewriter_start(struct tracewriter *t)
{
	return atomic_fetch_add(&t->clock, 1);
}

int tracewriter_end(struct tracewriter *t, struct trace_record *r, const void *data)
{
	struct iovec iov[2] = { { r, sizeof(*r) }, { (void *)(uintptr_t)data, r->data_bytes } };
	int err;

	pthread_mutex_lock(&t->lock);
	r->end = atomic_fetch_add(&t->clock, 1);
	r->time_ns = clock_real_ns();
	if (t->fd >= 0 && !t->error)
		t->error = write_all(t->fd, iov, r->data_bytes ? 2 : 1);
	err = t->error;
	pthread_mutex_unlock(&t->lock);
	return err;
}

uint64_t tracewriter_now(struct tracewriter *t)
{
	return atomic_load(&t->clock);
}
