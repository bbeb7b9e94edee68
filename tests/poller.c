// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * poller poll|select|epoll FILE SECONDS: reads FILE, says "waiting", waits for an exceptional
 * condition, reads again and says what was set and what it reads now. Exit status 2: nothing
 * happened in that time.
 *
 * poller ready FILE SECONDS: says "ready" if FILE can be read and written within that time.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <unistd.h>

static void fail(const char *what)
{
	fprintf(stderr, "poller: %s: %s\n", what, strerror(errno));
	exit(EXIT_FAILURE);
}

static void read_value(int fd, char *buf, size_t size)
{
	ssize_t n = pread(fd, buf, size - 1, 0);

	if (n < 0)
		fail("read");
	buf[n] = '\0';
}

/* What is set; 0: time is over. */
static int wait_by_poll(int fd, int ms)
{
	struct pollfd p = { .fd = fd, .events = POLLPRI };

	if (poll(&p, 1, ms) < 0)
		fail("poll");
	return p.revents;
}

static int wait_by_select(int fd, int ms)
{
	struct timeval tv = { .tv_sec = ms / 1000 };
	fd_set set;

	FD_ZERO(&set);
	FD_SET(fd, &set);
	if (select(fd + 1, NULL, NULL, &set, &tv) < 0)
		fail("select");
	return FD_ISSET(fd, &set) ? POLLPRI : 0;
}

static int wait_by_epoll(int fd, int ms)
{
	struct epoll_event ev = { .events = EPOLLPRI };
	int e = epoll_create1(0);

	if (e < 0 || epoll_ctl(e, EPOLL_CTL_ADD, fd, &ev) < 0)
		fail("epoll");
	ev.events = 0;
	if (epoll_wait(e, &ev, 1, ms) < 0)
		fail("epoll_wait");
	close(e);
	return (int)ev.events;
}

static int say_ready(int fd, int ms)
{
	struct pollfd p = { .fd = fd, .events = POLLIN | POLLOUT };

	if (poll(&p, 1, ms) < 0)
		fail("poll");
	if ((p.revents & (POLLIN | POLLOUT)) != (POLLIN | POLLOUT))
		return 2;
	printf("ready\n");
	return EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
	char buf[4096];
	int fd, ms, set;

	if (argc != 4) {
		fprintf(stderr, "usage: poller poll|select|epoll FILE SECONDS\n");
		return EXIT_FAILURE;
	}
	fd = open(argv[2], O_RDONLY);
	if (fd < 0)
		fail(argv[2]);
	ms = atoi(argv[3]) * 1000;
	if (strcmp(argv[1], "ready") == 0)
		return say_ready(fd, ms);
	read_value(fd, buf, sizeof(buf));
	printf("waiting\n");
	fflush(stdout);
	if (strcmp(argv[1], "select") == 0)
		set = wait_by_select(fd, ms);
	else if (strcmp(argv[1], "epoll") == 0)
		set = wait_by_epoll(fd, ms);
	else
		set = wait_by_poll(fd, ms);
	if (!set)
		return 2;
	read_value(fd, buf, sizeof(buf));
	printf("%s%s: %s", set & POLLPRI ? "PRI" : "", set & POLLERR ? " ERR" : "", buf);
	return EXIT_SUCCESS;
}
