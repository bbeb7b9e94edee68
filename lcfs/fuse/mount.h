/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Mounting: for a process that mounts and need not be the one that serves. It holds the
 * descriptors, hands them to the one that does, and can hand them to the next one.
 */
#ifndef LCFS_FUSE_MOUNT_H
#define LCFS_FUSE_MOUNT_H

#include <stdbool.h>
#include <stddef.h>

#include "common/compiler.h"

struct fusemount_conf {
	const char *mnt;     /* an existing directory */
	const char *fsname;  /* what is mounted, as findmnt(8) shows it: the backing directory */
	unsigned long flags; /* MS_RDONLY, MS_NOSUID, ... as of mount(2) */
	bool allow_other, default_permissions;
};

/*
 * Mounts with type fuse.lcfs: by mount(2) for root, else by fusermount3. *fd is the descriptor to
 * serve, close-on-exec. Until someone serves, whoever enters the mount waits. 0, or -errno with a
 * line in text (size bytes).
 */
int fusemount(const struct fusemount_conf *conf, int *fd, char *text, size_t size) must_check;

/*
 * A further descriptor of the same connection, for a worker of its own; close-on-exec. -errno,
 * -EACCES where /dev/fuse is not for this user: then serve without.
 */
int fuseclone(int fd) must_check;

/* How many workers, and so clones, suit this machine. */
unsigned int fuse_nr_workers(void);

/*
 * Unmounts; lazy: as soon as nobody uses it any more, but out of sight at once. 0 or -errno
 * (-EBUSY, -EINVAL: no mount).
 */
int fuseumount(const char *mnt, bool lazy) must_check;

#endif
