/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The session: serves one mount, from descriptors that somebody else has made and mounted
 * (mount.h), perhaps in another process.
 *
 * Threads: one worker a clone (READ, WRITE, FSYNC), a few metadata threads (everything else,
 * blocking). The session uses SIGUSR2 for its own threads and unblocks it in them; every other
 * signal is as the caller of session_start() has it.
 */
#ifndef LCFS_FUSE_SESSION_H
#define LCFS_FUSE_SESSION_H

#include <stdbool.h>
#include <stddef.h>

#include "common/compiler.h"

struct ctlfs;
struct imagedir;
struct session;

/* Everything named here stays the caller's and outlives the session. */
struct session_conf {
	struct imagedir *images;
	struct ctlfs *ctl;	/* NULL: no `.lcctl` */
	int fd;			/* of /dev/fuse, as mounted */
	const int *clones;	/* fuseclone(), one a worker; needed during session_start() only */
	unsigned int nr_clones; /* 0: two workers share fd */
	bool writeback_cache;	/* the kernel collects buffered writes */
	bool ctl_visible;	/* `.lcctl` is listed, not only found */
	unsigned int max_background; /* asynchronous requests at a time; 0: 128 */
	unsigned int meta_threads;   /* 0: 8 */
	bool over_uring; /* requests by io_uring; an error where the kernel does not offer it */
	unsigned int timeout_ms; /* how long the kernel may believe names and attributes; 0: 1000 */
};

/*
 * Takes the kernel's INIT request and answers it: the mount serves when this returns. No fork()
 * afterwards. 0, or -errno with a line in text (size bytes).
 */
int session_start(struct session **out, const struct session_conf *conf, char *text,
		  size_t size) must_check;

/*
 * Blocks until the session has ended and every request is answered (a thread may still hang on a
 * cache device that has been given up, see imagedir_leave_lent()): 0: unmounted, -ECONNABORTED:
 * the connection was aborted, -EINTR: session_stop() was called; or -errno. Once, by one thread.
 */
int session_wait(struct session *s) must_check;

/*
 * Ends the session without unmounting: what the kernel sends from now on is not served. Any thread,
 * not a signal handler.
 */
void session_stop(struct session *s);

/* After session_wait(). NULL is allowed. */
void session_free(struct session *s);

#endif
