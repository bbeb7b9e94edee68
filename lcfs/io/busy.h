/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How busy the store below a directory is: as its block device says, or, where there is none, as
 * those who make requests to it count themselves.
 */
#ifndef LCFS_IO_BUSY_H
#define LCFS_IO_BUSY_H

#include <stdbool.h>
#include <stdint.h>

#include "common/mutex.h"

/*
 * Requests that are out on a store. Any thread; times are monotonic, and one that is a little
 * behind what another thread has given counts as that.
 */
struct flight {
	struct mutex lock;
	unsigned int nr;  /* lock: requests that are out */
	uint64_t seen_ns; /* lock: the latest time given */
	uint64_t busy_ns; /* lock: time up to then with at least one of them out */
};

void flight_init(struct flight *f);
void flight_destroy(struct flight *f);
/* A request goes out, and has come back. Short: may be called wherever nothing may block. */
void flight_begin(struct flight *f, uint64_t now_ns);
void flight_end(struct flight *f, uint64_t now_ns);
/* How long there has been at least one, in ns. */
uint64_t flight_busy(struct flight *f, uint64_t now_ns);

/* One who samples; one thread. */
struct busy {
	int fd;		       /* of /sys/dev/block/MAJ:MIN/stat, -1: there is no one device */
	struct flight *flight; /* which counts then; NULL: nobody knows */
	bool has_last;
	uint64_t last_ms; /* the time with work to do, so far */
	uint64_t last_ns;
};

/*
 * For the filesystem that fd (a file or directory, O_PATH is enough) lies on. Filesystems without
 * a block device of their own (btrfs, overlay, NFS, tmpfs) are known as such: flight tells of
 * them. It outlives *b.
 */
void busy_open(struct busy *b, int fd, struct flight *flight);
/* Does it lie on a device that counts for itself? */
bool busy_has_device(int fd);
/* After busy_open, or zeroed with fd = -1. */
void busy_close(struct busy *b);
/*
 * Percent of the time since the last call, at now_ns (monotonic); -1: unknown, as at the first
 * call.
 */
int busy_sample(struct busy *b, uint64_t now_ns);

#endif
