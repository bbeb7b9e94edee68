// SPDX-License-Identifier: GPL-2.0-or-later
/* Control files that answer when their work is done, written by a child. */
#include "lcfs/tools/lcctl_job.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/cleanup.h"

#define LOOK_MS 200 /* between two looks at signals */

static volatile sig_atomic_t is_interrupted;

static void on_signal(int sig)
{
	(void)sig;
	is_interrupted = 1;
}

void job_catch_signals(void)
{
	static const int signals[] = { SIGINT, SIGTERM, SIGHUP };
	struct sigaction act = { .sa_handler = on_signal };

	for (size_t i = 0; i < array_size(signals); i++)
		sigaction(signals[i], &act, NULL);
}

bool job_is_interrupted(void)
{
	return is_interrupted;
}

/* Holds nothing of lcctl's open, or whoever reads lcctl's output would wait for it. */
noreturn_ static void child(const struct tree *t, const char *value, const char *path, int out)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC), result;

	signal(SIGINT, SIG_DFL);
	signal(SIGTERM, SIG_DFL);
	signal(SIGHUP, SIG_DFL);
	for (int fd = 0; null >= 0 && fd < 3; fd++)
		(void)dup2(null, fd);
	result = tree_write(t, value, "%s", path);
	_exit(write(out, &result, sizeof(result)) != sizeof(result));
}

int job_start(struct job *j, const struct tree *t, const char *value, const char *format, ...)
{
	char path[PATH_MAX];
	va_list args;
	int ends[2];

	va_start(args, format);
	vsnprintf(path, sizeof(path), format, args);
	va_end(args);
	if (pipe2(ends, O_CLOEXEC) < 0)
		return -errno;
	fflush(stdout);
	j->pid = fork();
	if (j->pid == 0)
		child(t, value, path, ends[1]);
	close(ends[1]);
	j->fd = ends[0];
	if (j->pid > 0)
		return 0;
	close(ends[0]);
	return -EAGAIN;
}

bool job_wait(struct job *j, int ms, int *result)
{
	struct pollfd p = { .fd = j->fd, .events = POLLIN };

	if (poll(&p, 1, ms) <= 0)
		return false;
	if (read(j->fd, result, sizeof(*result)) != sizeof(*result))
		*result = -EIO; /* somebody has killed it */
	close(j->fd);
	waitpid(j->pid, NULL, 0);
	return true;
}

void job_abandon(struct job *j)
{
	kill(j->pid, SIGKILL);
	close(j->fd);
}

bool job_finish(struct job *j, int *result)
{
	while (!job_wait(j, LOOK_MS, result)) {
		if (!job_is_interrupted())
			continue;
		job_abandon(j);
		return false;
	}
	return true;
}

void job_pause(int ms)
{
	poll(NULL, 0, ms);
}
