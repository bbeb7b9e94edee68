/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Private to lcfs/ctl/: an open control file. */
#ifndef LCFS_CTL_CTL_FILE_H
#define LCFS_CTL_CTL_FILE_H

#include "lcfs/ctl/ctl_table.h"

struct ctl_file {
	struct ctlfs *tree;	     /* const */
	uint64_t node;		     /* const */
	const struct ctl_item *item; /* const */
	bool can_read, can_write;    /* const */

	/* lock: tree->watch.lock */
	struct list open_node;
	struct list wait_node; /* while somebody is to be woken */
	uint64_t handle;       /* who */
	unsigned int refs;     /* 1 while it is open, and the watcher's */

	struct mutex lock;    /* for pointer work and copies only */
	bool has_text;	      /* lock */
	bool is_changed;      /* lock: something was written since the text was taken */
	struct ctl_text text; /* lock: what was read last */
};

/* Is the value another one than what was read last? So it is before the first reading, and when the
 * file has gone. is_watch: does not wait for who works on an image. */
bool ctl_file_differs(struct ctl_file *f, bool is_watch);
/* Nobody has the file any more. */
void ctl_file_free(struct ctl_file *f);

#endif
