/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How busy the block device below a directory is. One thread. */
#ifndef LCFS_IO_BUSY_H
#define LCFS_IO_BUSY_H

#include <stdbool.h>
#include <stdint.h>

struct busy {
	int fd;             /* of /sys/dev/block/MAJ:MIN/stat, -1: there is no one device */
	bool has_last;
	uint64_t last_ms;   /* its io_ticks */
	uint64_t last_ns;
};

/*
 * For the filesystem that fd (a file or directory, O_PATH is enough) lies on. Filesystems without
 * a block device of their own (btrfs, overlay, NFS, tmpfs) are known as such and always sampled
 * as -1.
 */
void busy_open(struct busy *b, int fd);
/* After busy_open, or zeroed with fd = -1. */
void busy_close(struct busy *b);
/*
 * Percent of the time since the last call, at now_ns (monotonic); -1: unknown, as at the first
 * call.
 */
int busy_sample(struct busy *b, uint64_t now_ns);

#endif
