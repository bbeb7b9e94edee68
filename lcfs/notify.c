// SPDX-License-Identifier: GPL-2.0-or-later
/* Telling the service manager how it goes. */
#include "lcfs/notify.h"

#include <errno.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

#include "common/messages.h"
#include "common/parse.h"

#define SEND_SECONDS 2

/* A path, or with @ in front a name of the abstract namespace. */
static must_check int set_address(struct notify *n, const char *name)
{
	size_t len = strlen(name);

	if ((name[0] != '/' && name[0] != '@') || len < 2)
		return -EAFNOSUPPORT;
	if (len >= sizeof(n->to.sun_path))
		return -ENAMETOOLONG;
	n->to.sun_family = AF_UNIX;
	memcpy(n->to.sun_path, name, len);
	if (name[0] == '@')
		n->to.sun_path[0] = '\0';
	n->to_bytes = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len);
	return 0;
}

static must_check int open_socket(struct notify *n, const char *name)
{
	struct timeval limit = { .tv_sec = SEND_SECONDS };
	int err = set_address(n, name);

	if (err)
		return err;
	n->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (n->fd < 0)
		return -errno;
	if (setsockopt(n->fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit)) < 0)
		msg_debug("NOTIFY_SOCKET: no limit of time: %s", strerror(errno));
	return 0;
}

static uint64_t watchdog_of_environment(void)
{
	const char *usec = getenv("WATCHDOG_USEC"), *pid = getenv("WATCHDOG_PID");
	uint64_t value, of;

	if (!usec || parse_u64(usec, 1, UINT64_MAX / 2000, &value) < 0)
		return 0;
	if (pid && (parse_u64(pid, 1, INT32_MAX, &of) < 0 || of != (uint64_t)getpid()))
		return 0;
	return value;
}

void notify_open(struct notify *n)
{
	const char *name = getenv("NOTIFY_SOCKET");
	int err;

	*n = (struct notify){ .fd = -1 };
	if (name) {
		err = open_socket(n, name);
		if (err)
			msg_warn("NOTIFY_SOCKET=%s: %s: the service manager is told nothing", name,
				 strerror(-err));
	}
	if (n->fd >= 0)
		n->watchdog_us = watchdog_of_environment();
	unsetenv("NOTIFY_SOCKET");
	unsetenv("WATCHDOG_USEC");
	unsetenv("WATCHDOG_PID");
}

void notify_send(const struct notify *n, const char *format, ...)
{
	const void *to = &n->to;
	char text[512];
	va_list args;
	int len;

	if (n->fd < 0)
		return;
	va_start(args, format);
	len = vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	if (len <= 0 || (size_t)len >= sizeof(text))
		return;
	if (sendto(n->fd, text, (size_t)len, MSG_NOSIGNAL, to, n->to_bytes) < 0)
		msg_debug("the service manager cannot be told: %s", strerror(errno));
}

void notify_close(struct notify *n)
{
	if (n->fd >= 0)
		close(n->fd);
	n->fd = -1;
}
