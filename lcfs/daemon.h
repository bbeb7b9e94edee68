/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The process that mounts and the process that serves.
 *
 * lcfs forks first, before there are threads, rings or locked memory. The child recovers the cache
 * and becomes the daemon; the parent mounts when the child asks for it, hands /dev/fuse and its
 * clones over, and ends with status 0 when the child says that the mount serves. If the child ends
 * before, the parent takes the mount away again and ends with a failure; what was wrong has been
 * said by the child, whose standard error is the caller's until then.
 *
 * In the foreground one process is both.
 */
#ifndef LCFS_DAEMON_H
#define LCFS_DAEMON_H

#include <stdbool.h>
#include <stddef.h>

#include "common/compiler.h"
#include "lcfs/fuse/mount.h"

/* What ps and messages call the daemon: while its mount is there, and from its end on. */
#define DAEMON_SERVING "lcfs"
#define DAEMON_CLOSING "lcfs-closing"

#define DAEMON_CLONES_MAX 64

struct daemon {
	const struct fusemount_conf *mount;
	int link;	 /* to the parent; -1 in the foreground */
	bool is_mounted; /* by this process */
	int fd;		 /* /dev/fuse, after daemon_mount() */
	int clone[DAEMON_CLONES_MAX];
	unsigned int nr_clones;
};

/*
 * Forks, unless is_foreground. Returns, 0 or -errno, in the process that is to serve; the parent
 * ends in here, with status 0 or failure_status. mount must outlive *d. One thread.
 */
int daemon_start(struct daemon *d, const struct fusemount_conf *mount, bool is_foreground,
		 int failure_status) must_check;
/*
 * Mounts, by the parent where there is one, and makes up to nr_clones clones; fewer where the
 * kernel does not let us. 0, or -errno with the reason said.
 */
int daemon_mount(struct daemon *d, unsigned int nr_clones) must_check;
/* The mount serves: lets the parent go. From here on messages go to syslog. -EPIPE: it has gone. */
int daemon_serving(struct daemon *d) must_check;
/*
 * Closes what is open. has_failed: the mount never came to serve, and this process takes it away
 * again if it made it. (A mount that served is not touched: it has gone, and another may be in its
 * place.)
 */
void daemon_end(struct daemon *d, bool has_failed);

#endif
