/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Telling the service manager how it goes, as sd_notify(3) describes: a datagram of lines
 * VARIABLE=value to the socket that the environment names.
 */
#ifndef LCFS_NOTIFY_H
#define LCFS_NOTIFY_H

#include <stdint.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "common/compiler.h"

struct notify {
	int fd; /* -1: nobody wants to know */
	struct sockaddr_un to;
	socklen_t to_bytes;
	uint64_t watchdog_us; /* how often it wants a sign of life of this process; 0: not at all */
};

/*
 * Reads NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID and takes them out of the environment. Where
 * there is no socket, or one that cannot be used, which is said, all the rest does nothing. Before
 * there are threads.
 */
void notify_open(struct notify *n);
/*
 * One datagram, by any thread. It waits a moment where the manager does not keep up; what cannot be
 * sent is lost.
 */
void notify_send(const struct notify *n, const char *format, ...) printf_like(2, 3);
void notify_close(struct notify *n);

#endif
