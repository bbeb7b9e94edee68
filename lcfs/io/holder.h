/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Who has a device, a file or a directory open? For messages, and to tell a daemon that serves from
 * one that is ending: an lcfs daemon is called HOLDER_SERVING until its mount is gone and
 * HOLDER_CLOSING from then on.
 */
#ifndef LCFS_IO_HOLDER_H
#define LCFS_IO_HOLDER_H

#include <stdbool.h>
#include <sys/types.h>

#include "common/compiler.h"

#define HOLDER_SERVING "lcfs"
#define HOLDER_CLOSING "lcfs-closing"

struct holder {
	pid_t pid;
	char comm[16];	 /* its name, as ps -o comm shows it */
	bool is_lcfs;	 /* a daemon of lcfs, by its name */
	bool is_closing; /* one that has no mount any more */
};

/*
 * Another process that has path open; one of lcfs is preferred. 1 with *h, 0 if none was found (it
 * may be another user's, or in another PID namespace), or -errno of path. Touches no other file:
 * it does not hang where somebody's file does.
 */
int holder_find(const char *path, struct holder *h) must_check;

/* Names the calling process's main thread; call it there. */
void holder_set_comm(const char *comm);

#endif
