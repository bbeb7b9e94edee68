/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How a backing file is known again, and how it is seen that somebody changed it.
 *
 * st_dev is no part of an identity: it changes from boot to boot. Neither is a filesystem id that
 * is made from the device number, nor are the inode numbers and handles of filesystems that make
 * them up as they go (FUSE, FAT, CIFS, 9p, overlay): there the identity is weak, and path, size and
 * mtime are all there is.
 */
#ifndef LCFS_IMAGE_IDENTITY_H
#define LCFS_IMAGE_IDENTITY_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

#include "common/compiler.h"
#include "lcfs/ondisk/codec.h"

enum identity_match {
	IDENTITY_SAME,
	IDENTITY_OTHER,
	IDENTITY_CANNOT_TELL
};

/* Of the file open at fd (O_PATH is enough). Asks the server where there is one. 0 or -errno. */
int identity_read(int fd, struct op_identity *id) must_check;
int identity_stamp(int fd, struct op_stamp *stamp) must_check;
/* The same from what stat gave. */
void identity_stamp_of(const struct stat *st, struct op_stamp *stamp);

/* In ns since 1970. Also 0 where it is another's file, or its filesystem sets no times (some that
 * show a single file by FUSE): the time is then that of the last write to it. 0 or -errno. */
int identity_set_mtime(int fd, int64_t ns) must_check;

/* Might the next file of its name, or with its inode number, be taken for it? */
bool identity_is_vague(const struct op_identity *id);

/*
 * What "lcfs may have been changing it" (is_touching) is worth as an explanation of what differs:
 * nothing where the file may be another one by now, as an intent to take its name away is there.
 */
bool identity_explains(const struct op_identity *id, bool is_touching, bool has_intent);

/* Is it a file of FUSE? 1, 0 or -errno. */
int identity_on_fuse(int fd) must_check;

/* What is unknown on either side is not compared. Weak ones: IDENTITY_CANNOT_TELL. */
enum identity_match identity_compare(const struct op_identity *a, const struct op_identity *b);

/* A word for the first thing in which the two differ, or NULL. is_weak: ctime means nothing. */
const char *identity_stamp_differs(const struct op_stamp *a, const struct op_stamp *b,
				   bool is_weak);

/* What is known of a bound image and its file when they meet again (rule G1). */
struct identity_facts {
	struct op_stamp recorded, present;
	bool is_weak, is_dirty, is_touching;
	int64_t lease_ns; /* of the mount that recorded it (G2) */
};

enum identity_verdict {
	IDENTITY_UNCHANGED,
	IDENTITY_REFRESH,  /* changed while it was clean: cached blocks are stale */
	IDENTITY_CONFLICT, /* changed while the log holds dirty data of it */
};

/* *what: a word for what differs, unless unchanged. */
enum identity_verdict identity_judge(const struct identity_facts *f, const char **what);

#endif
