/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The inside of the session, for the operations. */
#ifndef LCFS_FUSE_SESSION_IMPL_H
#define LCFS_FUSE_SESSION_IMPL_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>

#include "common/mutex.h"
#include "lcfs/fuse/handle.h"
#include "lcfs/fuse/node.h"
#include "lcfs/fuse/session.h"
#include "lcfs/fuse/transport.h"

struct fuse_session;
struct meta;

struct session_worker {
	struct session *session;
	unsigned int index;
	pthread_t thread;
	int result;
	_Atomic bool is_away; /* lent to a cache device */
	_Atomic bool has_ended; /* set under session->lock */
};

struct session {
	/* All const after session_start(), but for what has a lock of its own. */
	struct session_conf conf;
	struct transport *transport;
	struct nodes *nodes;
	struct handles handles;
	struct meta *meta;
	struct rootattr *rootattr;
	struct fuse_session *fuse;
	bool setxattr_ext; /* SETXATTR has its longer argument */
	unsigned int nr_workers;
	struct session_worker *workers;
	struct mutex lock;
	struct cond ended;     /* a worker has */
	_Atomic bool has_left; /* a worker to a device that hangs, which ends when it comes back */
};

/* What a worker does with a request: answers it or hands it on. */
void session_dispatch(struct session *s, struct request *rq);

/* READ, WRITE, FSYNC of an image. False: it is none of these, rq is as it was. Worker only. */
bool io_dispatch(struct session *s, struct request *rq);

#endif
