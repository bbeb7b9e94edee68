/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The metadata threads: every operation but reads, writes and syncs of images, by blocking calls,
 * through libfuse's low-level dispatch.
 */
#ifndef LCFS_FUSE_META_H
#define LCFS_FUSE_META_H

#include <stdbool.h>
#include <stdint.h>

#include "common/compiler.h"

struct fuse_in_header;
struct meta;
struct request;
struct session;

/*
 * Three kinds of threads, so that a store that hangs, and commands that wait for one, keep nobody
 * from looking at the control tree.
 */
enum meta_queue {
	META_FILES, /* what waits for the backing store */
	META_LOOK,  /* the control tree but for writes to it; waits for no store */
	META_STEER, /* writes to control files: some wait until something is done */
	META_QUEUES
};

/* Makes the libfuse session (s->fuse) and the threads, nr_threads for META_FILES. 0 or -errno. */
int meta_start(struct session *s, unsigned int nr_threads) must_check;
/*
 * Queues a request that was kept or copied. rq->run, where set, is called in place of libfuse, on a
 * metadata thread, and answers it.
 */
void meta_submit(struct meta *m, enum meta_queue q, struct request *rq);
/*
 * Works off what is queued, ends the threads, frees the libfuse session. Nothing is submitted any
 * more.
 */
void meta_stop(struct session *s);

/* Lets libfuse see a request without an answer from it: INIT, which lcfs answers itself. */
void meta_feed(struct session *s, void *msg, uint32_t len);

/* On a metadata thread, within an operation: */

/* FOPEN_* bits for the reply to come, of OPEN or CREATE, that libfuse does not know. */
void meta_add_open_flags(uint32_t flags);
/* setxattr_flags of the SETXATTR being served. */
uint32_t meta_setxattr_flags(void);
/* Whom the POLL being served wants to be notified; false: nobody. */
bool meta_poll_handle(uint64_t *handle);

#endif
