/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One request of the kernel, from the moment it is read to its one answer.
 *
 * It begins in its worker's memory, which is used again for the next one. What has to wait is moved
 * to memory that lasts (request_keep, request_copy); from then on it belongs to whoever was handed
 * it, and ends with request_reply(), request_reply_packed() or request_end(), on any thread.
 */
#ifndef LCFS_FUSE_REQUEST_H
#define LCFS_FUSE_REQUEST_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>

#include "common/compiler.h"
#include "common/list.h"
#include "lcfs/fuse/proto.h"
#include "lcfs/image/image.h"

struct node;
struct session;
struct transport;

struct request {
	struct transport *transport;
	struct session *session;
	uint64_t unique;      /* as received; the reply carries it */
	int channel;	      /* the transport's: where it came from and its reply must go */
	unsigned char origin; /* the transport's: whose memory this is */
	void *place;	      /* the transport's: where in a ring */
	unsigned int worker;  /* which one has read it; only where it is still the worker's */
	struct list node;     /* in a queue of the metadata threads */
	void (*run)(struct request *rq); /* metadata threads: instead of libfuse */

	void *msg; /* as received; gone (NULL) once kept */
	uint32_t msg_len;

	/* READ, WRITE, FSYNC */
	void *data; /* WRITE: the payload; moves along when it is kept */
	char *area; /* aligned to 4096: memory for what READ finds */
	size_t area_bytes;
	struct node *target;
	enum image_io_kind kind;
	uint64_t off;
	uint32_t len;
	bool is_sync, is_datasync, kill_suid;

	struct fuse_out_header out;
	struct fuse_write_out written; /* right behind it: one reply */
	struct image_io io;
	struct cache_read read;
};

/* Memory for READ: its data begins at area + off % 4096, and the image reads whole blocks. */
static inline size_t request_read_room(uint32_t len)
{
	return (size_t)len + 2 * 4096;
}

#endif
